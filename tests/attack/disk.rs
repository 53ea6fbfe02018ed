//! A disk that fails at the n-th write, for every n that a recording has: the recording stops with an error that says what
//! was kept, the machine goes on, and what was kept replays to its end.

use super::attack_support::*;
use super::session_support::{instructions, run};
use rreplay::engine::Scheduler;
use rreplay::error::Error;
use rreplay::log::{LogError, LogWriter, Options, Sink, StampedEvent};
use rreplay::recording::Recording;
use rreplay::replay::ReplayMode;
use rreplay::session::{RunRequest, Session};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

/// What a disk does from some operation on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Failure {
    /// The number of the operation (a write, a truncation, a flush or a sync) that fails first.
    at: usize,
    error: io::ErrorKind,
    /// Whether a part of what is written at last still comes onto the disk.
    tears: bool,
    /// Whether it fails for good, or once.
    for_good: bool,
}

#[derive(Default)]
struct Disk {
    bytes: Vec<u8>,
    operations: usize,
}

struct FailingDisk {
    disk: Arc<Mutex<Disk>>,
    failure: Failure,
    /// Bytes that one write takes.
    stride: usize,
}

impl FailingDisk {
    /// Counts an operation; gives the error when this one fails.
    fn operate(&self) -> io::Result<()> {
        let mut disk = self.disk.lock().unwrap();
        let number = disk.operations;
        disk.operations += 1;
        let Failure { at, error, for_good, .. } = self.failure;
        if number == at || (for_good && number > at) { Err(error.into()) } else { Ok(()) }
    }
}

impl Write for FailingDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = &bytes[..bytes.len().min(self.stride)];
        let failed = self.operate();
        let mut disk = self.disk.lock().unwrap();
        match failed {
            Ok(()) => disk.bytes.extend_from_slice(piece),
            Err(_) if self.failure.tears => disk.bytes.extend_from_slice(&piece[..piece.len() / 2]),
            Err(_) => {}
        }
        failed.map(|()| piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.operate()
    }
}

impl Sink for FailingDisk {
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.operate()?;
        self.disk.lock().unwrap().bytes.truncate(length as usize);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.operate()
    }
}

/// Records a worker onto such a disk. Gives what is on it, how many operations there were, and the error.
fn record(failure: Failure, stride: usize) -> (Vec<u8>, usize, Option<Error>) {
    let disk = Arc::new(Mutex::new(Disk::default()));
    let sink = Box::new(FailingDisk { disk: disk.clone(), failure, stride });
    let session = worker();
    let log = Options { chunk_bytes: 60, level: 3 };
    let error = act(&session, |session| {
        session.record_with(record_options(), |header| LogWriter::with_sink(sink, "disk", header, log))
    });
    if error.is_some() {
        assert_eq!(session.mode(), ReplayMode::None, "{failure:?}: the recording goes on");
        session.finish().unwrap();
        session.set_register("y", 1).unwrap();
        run(&session, instructions(100)).unwrap();
    }
    drop(session);
    let disk = disk.lock().unwrap();
    (disk.bytes.clone(), disk.operations, error)
}

/// Starts recording, types, runs and finishes, up to the first error.
fn act(session: &Session, start: impl FnOnce(&Session) -> Result<(), Error>) -> Option<Error> {
    let mut random = Random(4);
    let mut all = || -> Result<(), Error> {
        for _ in 0..12 {
            session.send(&[random.next() as u8])?;
            run(session, instructions(20 + random.below(100)))?;
        }
        session.request_snapshot()?;
        session.reset()?;
        run(session, instructions(50))?;
        session.finish()
    };
    start(session).and_then(|()| all()).err()
}

fn whole() -> (Vec<StampedEvent>, usize) {
    let never = Failure { at: usize::MAX, error: io::ErrorKind::StorageFull, tears: false, for_good: true };
    let (bytes, operations, error) = record(never, usize::MAX);
    assert!(error.is_none());
    let recording = Recording::from_bytes(bytes, false).unwrap();
    assert!(recording.verify(Scheduler::Inline, &[], &mut |_| true).unwrap().ok);
    (events_of(&recording), operations)
}

/// What is left on a disk that failed, and what the error says of it.
fn check_left(bytes: &[u8], error: &Error, events: &[StampedEvent], what: &str) -> &'static str {
    let Error::Log(error) = error else { panic!("{what}: {error}") };
    let recording = match Recording::from_bytes(bytes.to_vec(), true) {
        Ok(recording) => recording,
        Err(Error::Log(LogError::NotARecording { .. } | LogError::HeaderDamaged { .. })) => {
            return "no header";
        }
        Err(other) => panic!("{what}: {other}"),
    };
    let left = events_of(&recording);
    assert!(events.starts_with(&left), "{what}: not a prefix");
    if let LogError::Full { events: kept, last, .. } = error {
        assert_eq!((*kept, *last), (left.len() as u64, recording.end()), "{what}: {error}");
    }
    for scheduler in [Scheduler::Inline, Scheduler::Threads] {
        replay(&recording, scheduler, what);
        let verification = recording.verify(scheduler, &[], &mut |_| true).unwrap();
        // With all of it on the disk only its safety is in doubt.
        assert!(!verification.ok || left.len() == events.len(), "{what}: a prefix was called good");
    }
    for number in 0..recording.snapshots().len() as u64 {
        let session = recording.replay_from(number, &[]).unwrap();
        assert_eq!(run(&session, RunRequest::default()).unwrap().reason, "end", "{what}");
    }
    if left.len() == events.len() { "all" } else { "a part" }
}

#[test]
fn a_disk_that_fails_at_every_operation() {
    let (events, operations) = whole();
    assert!(events.len() > 100 && operations > 30, "{} events, {operations} operations", events.len());
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    for at in 0..operations {
        for (error, tears, for_good) in [
            (io::ErrorKind::StorageFull, false, true),
            (io::ErrorKind::StorageFull, true, true),
            (io::ErrorKind::QuotaExceeded, true, false),
            (io::ErrorKind::Other, true, false),
        ] {
            let failure = Failure { at, error, tears, for_good };
            let what = format!("{failure:?}");
            let (bytes, _, error) = record(failure, usize::MAX);
            let error = error.unwrap_or_else(|| panic!("{what}: no error"));
            assert_eq!(error.class(), "LogError", "{what}: {error}");
            let is_full = matches!(error, Error::Log(LogError::Full { .. }));
            assert_eq!(is_full, failure.error != io::ErrorKind::Other, "{what}: {error}");
            *seen.entry(check_left(&bytes, &error, &events, &what)).or_default() += 1;
        }
    }
    println!("{operations} operations failed in 4 ways: {seen:?}");
    assert!(seen.contains_key("no header") && seen["a part"] > 100 && seen.contains_key("all"), "{seen:?}");
}

/// Writes that take a few bytes each, so that a frame is torn anywhere.
#[test]
fn a_disk_that_fails_within_a_frame() {
    let (events, _) = whole();
    let stride = 31;
    let never = Failure { at: usize::MAX, error: io::ErrorKind::StorageFull, tears: false, for_good: true };
    let (_, operations, _) = record(never, stride);
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    for at in (0..operations).step_by(3) {
        let failure = Failure { at, tears: at % 2 == 0, ..never };
        let (bytes, _, error) = record(failure, stride);
        let error = error.unwrap_or_else(|| panic!("{failure:?}: no error"));
        *seen.entry(check_left(&bytes, &error, &events, &format!("{failure:?}"))).or_default() += 1;
    }
    println!("{operations} writes, every third failed: {seen:?}");
    assert!(seen["a part"] > 50, "{seen:?}");
}
