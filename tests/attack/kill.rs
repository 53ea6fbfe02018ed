//! Recorders that are killed without warning, at random moments: what they leave opens with salvage, says exactly what is
//! lost, has everything that was handed to the operating system, and replays to its end.
//!
//! The test starts itself again as the recorder. `RREPLAY_KILLS=20000` kills more than the usual number, and
//! `RREPLAY_KILL_SEED=7` begins with another seed.
#![cfg(unix)]

use super::attack_support::*;
use super::session_support::{self, run};
use rreplay::engine::Scheduler;
use rreplay::error::Error;
use rreplay::log::codec::ChunkEncoder;
use rreplay::log::{DamageReason, LogError, LogReader, LogWriter, Options, Sink, StampedEvent};
use rreplay::recording::Recording;
use rreplay::session::RunRequest;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const PLAN: &str = "RREPLAY_RECORDER_PLAN";
const NAME: &str = "kill::killed_recorders_leave_what_they_flushed";

/// How one recorder records, all of it from its seed.
#[derive(Clone, Copy, Debug)]
struct Plan {
    seed: u64,
    chunk_bytes: usize,
    level: u32,
    /// Bytes that one write takes: a frame is then written in many.
    stride: usize,
    /// Through [`LogWriter::create`] instead of a sink of the test's.
    real_file: bool,
    threads: bool,
    /// Idle time is slept, and the clock that is read for it is in the log.
    sleep: bool,
}

impl Plan {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        Self {
            seed,
            chunk_bytes: *random.pick(&[1, 60, 300, 2000]),
            level: *random.pick(&[0, 3]),
            stride: *random.pick(&[1, 3, 20, 1 << 20]),
            real_file: random.chance(4),
            threads: random.chance(3),
            sleep: random.chance(4),
        }
    }

    /// Whether the same seed gives the same events again.
    fn is_repeatable(&self) -> bool {
        !self.threads && !self.sleep
    }

    fn options(&self) -> Options {
        Options { chunk_bytes: self.chunk_bytes, level: self.level }
    }

    fn scheduler(&self) -> Scheduler {
        if self.threads { Scheduler::Threads } else { Scheduler::Inline }
    }
}

// ---- the recorder, in a process of its own ----

/// Tells the parent; ends when there is none any more.
fn report(line: &str) {
    if io::stderr().write_all(format!("{line}\n").as_bytes()).is_err() {
        std::process::exit(0);
    }
}

/// A file that is written in small pieces. Whatever was given to one `write_all` is reported when all of it is written,
/// and now and then on the way.
struct SlowFile {
    file: File,
    stride: usize,
    /// Bytes of what is being written that are still to come.
    left: usize,
    length: u64,
}

impl Write for SlowFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left == 0 {
            self.left = bytes.len();
        }
        let count = self.file.write(&bytes[..bytes.len().min(self.stride)])?;
        self.left -= count;
        self.length += count as u64;
        if self.left == 0 {
            report(&format!("flushed {}", self.length));
        } else if self.left.is_multiple_of(16) {
            report("writing");
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for SlowFile {
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Records until it is killed.
fn record_until_killed(plan: Plan, path: &Path) -> ! {
    let session = worker();
    let started = session.record_with(record_options(), |header| {
        report("begin");
        if plan.real_file {
            return LogWriter::create(path, header, plan.options());
        }
        let file = File::create(path).expect("the file can be made");
        let sink = Box::new(SlowFile { file, stride: plan.stride, left: 0, length: 0 });
        LogWriter::with_sink(sink, path, header, plan.options())
    });
    started.expect("recording starts");
    let mut random = Random(plan.seed);
    loop {
        step(&session, &mut random, plan.scheduler(), plan.sleep);
        if plan.real_file {
            report(&format!("flushed {}", path.metadata().expect("the file is there").len()));
        }
        report(&format!("ran {}", session.position().icount));
    }
}

// ---- the parent ----

/// A recorder that does not outlive its test.
struct Recorder(Child);

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a recorder has told before it was killed.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// Length of the file that was surely written.
    flushed: Option<u64>,
    /// Instructions that it had run.
    ran: u64,
}

/// Starts a recorder, kills it at a random moment, and gives what it had told until then.
fn kill_one(plan: Plan, path: &Path, random: &mut Random) -> Told {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture", "--test-threads=1"])
        .env(PLAN, format!("{} {}", plan.seed, path.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut recorder = Recorder(child);
    // A part dies while the file is begun, the others later; some between two reports.
    let reports = 1 + if random.chance(4) { random.below(8) } else { random.below(200) };
    let mut told = Told::default();
    let mut hear = |line: String| match line.split_once(' ') {
        None if line == "begin" || line == "writing" => {}
        Some(("flushed", length)) => told.flushed = Some(length.parse().unwrap()),
        Some(("ran", icount)) => told.ran = icount.parse().unwrap(),
        _ => panic!("{plan:?}: the recorder says {line:?}"),
    };
    for _ in 0..reports {
        hear(lines.next().unwrap_or_else(|| panic!("{plan:?}: the recorder ended")).unwrap());
    }
    let longest = 1 << *random.pick(&[1, 8, 14, 18]);
    let pause = random.below(longest);
    (0..pause).for_each(|_| std::hint::spin_loop());
    recorder.0.kill().unwrap();
    recorder.0.wait().unwrap();
    told
}

/// What became of one killed recorder.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Fate {
    NoFile,
    NoHeader,
    WholeFrames,
    TornFrame,
}

fn check(plan: Plan, path: &Path, told: Told) -> Fate {
    let what = format!("{plan:?}, {told:?}");
    let Ok(bytes) = std::fs::read(path) else {
        assert!(told.flushed.is_none(), "{what}: no file");
        return Fate::NoFile;
    };
    let error = match Recording::open(path, false) {
        Err(Error::Log(error)) => error,
        other => panic!("{what}: {other:?}"),
    };
    let ends = frame_ends(&bytes);
    let Some(&last_end) = ends.last() else {
        assert!(told.flushed.is_none() && !plan.real_file, "{what}: the header was lost");
        check_no_header(&error, &bytes, &what);
        assert!(Recording::open(path, true).is_err(), "{what}");
        return Fate::NoHeader;
    };
    let LogError::Damaged { damage, .. } = error else { panic!("{what}: {error}") };
    assert!(told.flushed.is_none_or(|flushed| flushed <= last_end as u64), "{what}: {damage}");
    assert_eq!(damage.offset, last_end as u64, "{what}");
    assert_eq!(damage.bytes_lost, (bytes.len() - last_end) as u64, "{what}");
    let torn = last_end < bytes.len();
    let reason = if torn { DamageReason::Truncated } else { DamageReason::Unfinished };
    assert_eq!((&damage.reason, damage.events_lost), (&reason, 0), "{what}");

    let recording = Recording::open(path, true).unwrap();
    assert_eq!(recording.damage(), Some(&*damage), "{what}");
    let events = events_of(&recording);
    assert_eq!(damage.events, events.len() as u64, "{what}");
    assert_eq!(damage.last, events.last().map_or(recording.start(), |last| last.position), "{what}");
    if plan.is_repeatable() {
        check_against_the_same_again(plan, &recording, &events, told, &what);
    }
    check_replays(plan, &recording, &what);
    if torn { Fate::TornFrame } else { Fate::WholeFrames }
}

fn check_no_header(error: &LogError, bytes: &[u8], what: &str) {
    let text = error.to_string();
    match error {
        LogError::NotARecording { .. } => {
            assert!(
                bytes.len() < 12 && (text.contains("is empty") || text.contains("cut off")),
                "{what}: {text}"
            );
        }
        LogError::HeaderDamaged { .. } => assert!(text.contains("the bytes end inside"), "{what}: {text}"),
        _ => panic!("{what}: {text}"),
    }
}

/// The same seed, recorded once more without being killed, has the same events; only those of the chunk that was being
/// filled are missing.
fn check_against_the_same_again(
    plan: Plan,
    recording: &Recording,
    events: &[StampedEvent],
    told: Told,
    what: &str,
) {
    let reached = recording.end().icount.max(told.ran);
    let bytes = record_session(&worker(), plan.options(), |session| {
        let mut random = Random(plan.seed);
        while session.position().icount <= reached {
            step(session, &mut random, Scheduler::Inline, false);
        }
    });
    let again = Recording::from_bytes(bytes, false).unwrap();
    assert_eq!(recording.header(), again.header(), "{what}");
    let whole = events_of(&again);
    assert!(whole.starts_with(events), "{what}: the events are not those of the same run");
    let lost = whole[events.len()..].iter().take_while(|event| event.position.icount < told.ran);
    let mut encoder = ChunkEncoder::new();
    let largest = lost.map(|event| encoder.push(event.position, &event.event)).max().unwrap_or(0);
    assert!(
        encoder.raw().len() < plan.chunk_bytes + largest,
        "{what}: {} events in {} bytes were lost, more than a chunk",
        encoder.events(),
        encoder.raw().len()
    );
}

fn check_replays(plan: Plan, recording: &Recording, what: &str) {
    let mut schedulers = vec![Scheduler::Inline];
    if plan.seed.is_multiple_of(3) {
        schedulers.push(Scheduler::Threads);
    }
    for scheduler in schedulers {
        let end = replay(recording, scheduler, what).position;
        let verification = recording.verify(scheduler, &[], &mut |_| true).unwrap();
        assert!(!verification.ok, "{what}: a killed recording was called good");
        assert_eq!(verification.icount, end.icount, "{what}");
    }
}

#[test]
fn killed_recorders_leave_what_they_flushed() {
    if let Ok(plan) = std::env::var(PLAN) {
        let (seed, path) = plan.split_once(' ').expect("a seed and a path");
        record_until_killed(Plan::new(seed.parse().expect("a seed")), Path::new(path));
    }
    let kills = from_environment("RREPLAY_KILLS", 240);
    let first_seed = from_environment("RREPLAY_KILL_SEED", 1);
    let directory = tempfile::tempdir().unwrap();
    let path: PathBuf = directory.path().join("run.rreplay");
    let mut fates: BTreeMap<Fate, u64> = BTreeMap::new();
    for seed in first_seed..first_seed + kills {
        let plan = Plan::new(seed);
        let mut random = Random(!seed);
        let _ = std::fs::remove_file(&path);
        let told = kill_one(plan, &path, &mut random);
        *fates.entry(check(plan, &path, told)).or_default() += 1;
        check_left_over(directory.path(), &format!("{plan:?}"));
    }
    println!("{kills} recorders were killed: {fates:?}");
    // The moments are random, but so many kills meet each of these.
    for fate in [Fate::NoHeader, Fate::WholeFrames, Fate::TornFrame] {
        let count = fates.get(&fate).copied().unwrap_or_default();
        assert!(count >= kills / 100, "too few met {fate:?}: {fates:?}");
    }
}

/// A new file is begun under another name. What a kill leaves of it is either whole or refused for what it is.
fn check_left_over(directory: &Path, what: &str) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "partial") {
            match LogReader::open_salvage(&path) {
                Ok(reader) => assert_eq!(reader.events_count(), 0, "{what}"),
                Err(error) => check_no_header(&error, &std::fs::read(&path).unwrap(), what),
            }
            std::fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn the_worker_does_a_little_of_everything() {
    use rreplay::log::EventKind;
    let recording = Recording::from_bytes(record_worker(1, 40, Options::default()), false).unwrap();
    let info = recording.info();
    let kinds: Vec<EventKind> = info.kinds.iter().map(|(kind, _)| *kind).collect();
    for kind in [
        EventKind::Interrupt,
        EventKind::CharRead,
        EventKind::CharWrite,
        EventKind::Checkpoint,
        EventKind::Digest,
    ] {
        assert!(kinds.contains(&kind), "{kind} is missing: {info:?}");
    }
    // With sleep the clock is read too.
    let bytes = record_session(&worker(), Options::default(), |session| {
        run(session, RunRequest { sleep: true, ..session_support::instructions(60) }).unwrap();
    });
    let recording = Recording::from_bytes(bytes, false).unwrap();
    assert!(recording.info().kinds.iter().any(|(kind, _)| *kind == EventKind::Clock));
    assert!(recording.verify(Scheduler::Inline, &[], &mut |_| true).unwrap().ok);
}
