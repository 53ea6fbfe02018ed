//! A campaign of hostile files, opened in every way in a process of its own: whatever a file claims, it costs an error
//! and not memory (64 MiB above what an honest recording takes) nor time (in proportion to the file's length).
//!
//! `RREPLAY_HOSTILE_FILES=1000` looks at more files of each kind than usual, `RREPLAY_HOSTILE_SEED=7` at others.
#![cfg(target_os = "linux")]

use super::attack_support::*;
use super::hostile_files::{ATTACKS, Base};
use super::session_support::{self, run};
use rreplay::engine::Scheduler;
use rreplay::log::{LogReader, Options, limits};
use rreplay::machine::INPUT_PENDING_MAX;
use rreplay::recording::Recording;
use rreplay::session::{RunRequest, Session};
use rreplay::units::EventOrdinal;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const ROLE: &str = "RREPLAY_HOSTILE_READER";
const NAME: &str = "hostile::hostile_files_cost_an_error";
/// What a file may cost beyond what the machine itself takes.
const MEMORY_MAX_KIB: u64 = 64 << 10;
/// Processor time that any file may cost, and that each MiB of it may cost. A hang is far above, honest work far below:
/// a MiB inflates to a GiB, which is looked at in ten ways.
const TICKS_MAX: u64 = 600;
const TICKS_PER_MIB_MAX: u64 = 12_000;

// ---- the reader, in a process of its own ----

/// Opens a file in every way there is, and uses what opens. Gives how far that went.
fn use_file(path: &Path) -> &'static str {
    let opened_raw = use_log(path);
    let strict = Recording::open(path, false);
    drop(strict.map(|recording| use_recording(&recording)));
    let Ok(recording) = Recording::open(path, true) else {
        return if opened_raw { "read" } else { "refused" };
    };
    if use_recording(&recording) { "replayed" } else { "opened" }
}

fn use_log(path: &Path) -> bool {
    drop(LogReader::open(path));
    if let Ok(reader) = LogReader::open_indexed(path) {
        use_reader(&reader);
    }
    let Ok(reader) = LogReader::open_salvage(path) else { return false };
    let good = reader.events().filter(Result::is_ok).count() as u64;
    assert_eq!(good, reader.events_count(), "salvage kept a chunk that cannot be read");
    use_reader(&reader);
    true
}

fn use_reader(reader: &LogReader) {
    let _ = reader.info();
    let mut cursor = reader.events();
    cursor.peek_nth(limits::MAX_CHUNK_EVENTS as usize);
    let _ = cursor.seek(EventOrdinal(reader.events_count() / 2));
    let _ = cursor.seek_icount(1 << 40);
    for number in 0..4 {
        let _ = reader.read_snapshot(number);
    }
}

/// Whether it can be replayed.
fn use_recording(recording: &Recording) -> bool {
    let _ = (recording.info(), recording.size(), recording.end());
    let events = recording.events(None, None, None).map_or(0, Iterator::count);
    assert!(events as u64 >= recording.info().events);
    let _ = recording.output();
    let snapshots = recording.snapshots().len() as u64;
    for number in 0..snapshots.min(2) {
        drop(recording.replay_from(number, &[]).map(|session| run_a_little(&session, Scheduler::Inline)));
    }
    let Ok(session) = recording.replay() else { return false };
    run_a_little(&session, Scheduler::Inline);
    drop(session);
    drop(recording.replay().map(|session| run_a_little(&session, Scheduler::Threads)));
    // Stopped where an impatient user would.
    let mut asked = 0;
    let _ = recording.verify(Scheduler::Inline, &[], &mut |_| {
        asked += 1;
        asked < 2
    });
    true
}

/// A replay takes as long as the recorded run did, which a file may call as long as it likes; here it is cut short.
fn run_a_little(session: &Session, scheduler: Scheduler) {
    let request = RunRequest {
        instructions: Some(50_000),
        cycles: Some(500_000),
        scheduler: Some(scheduler),
        ..RunRequest::default()
    };
    let _ = run(session, request);
    let _ = (session.output(), session.snapshot(), session.digest());
}

fn status(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find(|line| line.starts_with(field)).expect("the kernel tells it");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

/// Processor time of this process, in ticks of 10 ms.
fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("this is Linux");
    let fields = stat.rsplit(')').next().expect("fields behind the name").split_whitespace();
    fields.skip(11).take(2).map(|field| field.parse::<u64>().expect("ticks")).sum()
}

/// Looks at each file that is named on the standard input, and tells what it cost.
fn read_hostile_files() {
    for line in std::io::stdin().lines() {
        let line = line.expect("paths are text");
        let before = ticks();
        let how_far = use_file(Path::new(&line));
        let told = format!("{} {} {how_far}\n", status("VmHWM"), ticks() - before);
        std::io::stderr().write_all(told.as_bytes()).expect("the parent listens");
    }
}

// ---- the parent ----

struct Reader {
    child: Child,
    answers: std::io::Lines<BufReader<std::process::ChildStderr>>,
}

/// What a file has cost.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Cost {
    peak_kib: u64,
    ticks: u64,
    how_far: String,
}

impl Reader {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture", "--test-threads=1"])
            .env(ROLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, answers }
    }

    fn look_at(&mut self, path: &Path, what: &str) -> Cost {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(format!("{}\n", path.display()).as_bytes()).unwrap();
        let answer = self.answers.next().and_then(Result::ok).unwrap_or_default();
        let fields: Vec<&str> = answer.split(' ').collect();
        match fields.as_slice() {
            [peak, ticks, how_far] if peak.parse::<u64>().is_ok() => Cost {
                peak_kib: peak.parse().unwrap(),
                ticks: ticks.parse().unwrap(),
                how_far: (*how_far).to_owned(),
            },
            _ => {
                let more: Vec<String> = self.answers.by_ref().map_while(Result::ok).take(4).collect();
                panic!("{what}: the reader has died: {answer} {more:?}")
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A reader that has used an honest file already, and what that took, in KiB. The kernel remembers the most memory that a
/// process has ever used, so files that are to be told apart need readers of their own.
fn reader_of_honest_files(base: &Base, path: &Path) -> (Reader, u64) {
    let mut reader = Reader::start();
    std::fs::write(path, &base.bytes).unwrap();
    let honest = reader.look_at(path, "an honest file");
    assert_eq!(honest.how_far, "replayed");
    (reader, honest.peak_kib)
}

/// The most that files of one attack have cost.
#[derive(Clone, Copy, Default)]
struct Worst {
    above_kib: u64,
    ticks: u64,
}

#[test]
fn hostile_files_cost_an_error() {
    if std::env::var_os(ROLE).is_some() {
        return read_hostile_files();
    }
    let files_each = from_environment("RREPLAY_HOSTILE_FILES", 10);
    let first_seed = from_environment("RREPLAY_HOSTILE_SEED", 1);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hostile.rreplay");
    let base = Base::new();
    let mut worst: BTreeMap<&str, Worst> = BTreeMap::new();
    let mut fates: BTreeMap<String, u64> = BTreeMap::new();
    let mut violations = Vec::new();
    for (number, (name, attack)) in ATTACKS.iter().enumerate() {
        let (mut reader, honest) = reader_of_honest_files(&base, &path);
        for seed in first_seed..first_seed + files_each {
            let bytes = attack(&base, &mut Random(seed * 1000 + number as u64));
            std::fs::write(&path, &bytes).unwrap();
            let what = format!("{name}, seed {seed}, {} bytes", bytes.len());
            let cost = reader.look_at(&path, &what);
            let above = cost.peak_kib.saturating_sub(honest);
            let allowed = TICKS_MAX + TICKS_PER_MIB_MAX * bytes.len() as u64 / (1 << 20);
            if above > MEMORY_MAX_KIB || cost.ticks > allowed {
                violations.push(format!("{what}: {above} KiB, {} ms", 10 * cost.ticks));
                (reader, _) = reader_of_honest_files(&base, &path);
            }
            let worst = worst.entry(name).or_default();
            *worst = Worst { above_kib: worst.above_kib.max(above), ticks: worst.ticks.max(cost.ticks) };
            *fates.entry(cost.how_far).or_default() += 1;
        }
    }
    let files = files_each * ATTACKS.len() as u64;
    println!("{files} files: {fates:?}");
    println!("memory above that of an honest recording, at most, and processor time:");
    for (name, worst) in &worst {
        println!("{:>8} KiB {:>6} ms  {name}", worst.above_kib, 10 * worst.ticks);
    }
    assert!(violations.is_empty(), "{} of {files} files cost too much: {violations:#?}", violations.len());
    assert!(fates.contains_key("refused") && fates.contains_key("replayed"), "{fates:?}");
}

/// The memory that a recording's input can fill is bounded for whoever types too, with an error.
#[test]
fn input_that_waits_is_bounded() {
    let (session, half) = (worker(), vec![b'x'; INPUT_PENDING_MAX / 2]);
    let bytes = record_session(&session, Options::default(), |session| {
        session.send(&half).unwrap();
        run(session, session_support::instructions(300)).unwrap();
        // Some bytes have arrived.
        let (class, text) = session_support::refused(session.send(&vec![b'y'; INPUT_PENDING_MAX]));
        assert!(class == "ArgumentError" && text.contains("run the machine before"), "{text}");
        session.send(&half).unwrap();
        run(session, session_support::instructions(300)).unwrap();
        assert!(session.input_pending() > INPUT_PENDING_MAX - 100);
    });
    assert!(bytes.len() < 100_000);
    let recording = Recording::from_bytes(bytes, false).unwrap();
    for scheduler in [Scheduler::Inline, Scheduler::Threads] {
        assert!(recording.verify(scheduler, &[], &mut |_| true).unwrap().ok);
    }
}
