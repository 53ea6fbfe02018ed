//! Nets that are known to catch: each seeded fault (src/seeded_faults.rs) is switched on in turn, and the net that is
//! named for it is drawn and must catch it; without a fault no net may catch anything. `make test-deep` draws every net
//! for every fault. Prints which net caught which fault.
//!
//! The lock and the kick are the model checker's: tests/models/loom_seeded_faults.rs.

mod common;
#[path = "common/session_support.rs"]
mod session_support;

use common::{Op, Rig, Script, Toy, play, record_with};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rreplay::engine::{HostCalls, HostEvents, Limits, Scheduler, Timing};
use rreplay::events::AsyncEvent;
use rreplay::log::{Event, LogReader, LogWriter, Options};
use rreplay::nondet::{BlockRequest, BlockResult, CharId, CharWritten, ClockKind, Owner};
use rreplay::recording::Recording;
use rreplay::seeded_faults::{SeededFault, seed_fault};
use rreplay::session::{RecordOptions, RunRequest};
use rreplay::sync::{Arc, Mutex, lock};
use rreplay::units::Position;
use rreplay_kit::{
    ForgeryCase, ForgeryReport, Perturb, Perturbation, Scenario, SmallDisk, TimelineCase, check_forgeries,
    check_record_replay, check_timeline,
};
use session_support::{COUNTER, PRINTER, instructions, machine, run};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A net says what it caught.
type Net = fn() -> Result<(), String>;

const NETS: &[(&str, Net)] = &[
    ("scenarios", scenarios),
    ("toy", toy),
    ("disk", disk),
    ("log round trip", log_round_trip),
    ("perturbed device", perturbed_device),
    ("snapshots", snapshots),
    ("time travel", time_travel),
    ("forgeries", forgeries),
];

/// The net that must catch it; others may. The first two are the model checker's.
const CAUGHT_BY: &[(SeededFault, &str)] = &[
    (SeededFault::EventOutsideLock, "scenarios"),
    (SeededFault::LateInterrupt, "scenarios"),
    (SeededFault::UnloggedClock, "toy"),
    (SeededFault::StaleClock, "toy"),
    (SeededFault::DeltaOffByOne, "log round trip"),
    (SeededFault::BlockOutOfOrder, "disk"),
    (SeededFault::DigestSkipsDevice, "perturbed device"),
    (SeededFault::FlushMisplaced, "toy"),
    (SeededFault::WakeNotLogged, "toy"),
    (SeededFault::SnapshotSkipsEvent, "snapshots"),
    (SeededFault::CheckpointNotLogged, "scenarios"),
    (SeededFault::SearchSkipsStretch, "time travel"),
    (SeededFault::TouchedNotCompared, "forgeries"),
    (SeededFault::SnapshotNotCompared, "forgeries"),
    (SeededFault::TouchForgotten, "time travel"),
    (SeededFault::JamPassedOver, "time travel"),
];

fn main() {
    // Panics are catches here; their stories would drown the table.
    std::panic::set_hook(Box::new(|_| {}));
    let deep = std::env::var_os("RREPLAY_DEEP").is_some();
    let mut wrong = Vec::new();
    for (name, caught) in draw(None, None) {
        if let Some(what) = caught {
            wrong.push(format!("the net {name:?} catches something where nothing is: {what}"));
        }
    }
    for &fault in SeededFault::ALL {
        let Some((_, expected)) = CAUGHT_BY.iter().find(|(of, _)| *of == fault) else {
            println!(
                "{:<44} caught under the model checker (tests/models/loom_seeded_faults.rs)",
                fault.name()
            );
            continue;
        };
        let caught = draw(Some(fault), Some(*expected).filter(|_| !deep));
        let by: Vec<&str> = caught.iter().filter(|(_, what)| what.is_some()).map(|(name, _)| *name).collect();
        println!("{:<44} caught by: {}", fault.name(), by.join(", "));
        if !by.contains(expected) {
            wrong.push(format!("{} is not caught by the net {expected:?}", fault.name()));
        }
    }
    assert_eq!(SeededFault::ALL.len(), CAUGHT_BY.len() + 2, "each fault has its net");
    if !wrong.is_empty() {
        wrong.iter().for_each(|line| eprintln!("{line}"));
        std::process::exit(1);
    }
}

/// The nets with that fault, all or the one of that name, and what each caught.
fn draw(fault: Option<SeededFault>, only: Option<&str>) -> Vec<(&'static str, Option<String>)> {
    seed_fault(fault);
    let drawn = NETS
        .iter()
        .filter(|(name, _)| only.is_none_or(|only| only == *name))
        .map(|(name, net)| {
            let caught = match catch_unwind(AssertUnwindSafe(net)) {
                Ok(Ok(())) => None,
                Ok(Err(what)) => Some(what),
                Err(_) => Some("a panic".to_owned()),
            };
            (*name, caught)
        })
        .collect();
    seed_fault(None);
    drawn
}

/// Recordings with a lie in them, the same each time.
fn forgeries() -> Result<(), String> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[9; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut report = ForgeryReport::default();
    for _ in 0..20 {
        let case =
            proptest::arbitrary::any::<ForgeryCase>().new_tree(&mut runner).map_err(|e| e.to_string())?;
        check_forgeries(&case.current(), &mut report)?;
    }
    Ok(())
}

/// The oracle over generated scenarios, the same each time.
fn scenarios() -> Result<(), String> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    for _ in 0..60 {
        let scenario =
            proptest::arbitrary::any::<Scenario>().new_tree(&mut runner).map_err(|e| e.to_string())?;
        check_record_replay(&scenario.current()).map_err(|failure| failure.what)?;
    }
    Ok(())
}

/// The oracle over generated timelines, the same each time.
fn time_travel() -> Result<(), String> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    for _ in 0..200 {
        let case =
            proptest::arbitrary::any::<TimelineCase>().new_tree(&mut runner).map_err(|e| e.to_string())?;
        check_timeline(&case.current())?;
    }
    Ok(())
}

/// The engine on a guest of a few instructions that asks for everything.
fn toy() -> Result<(), String> {
    let programs: [&[Op]; 3] = [
        &[Op::Work, Op::Clock, Op::Clock, Op::Receive, Op::Print],
        &[Op::Mask, Op::Wait, Op::Receive, Op::Work, Op::Unmask, Op::Clock],
        &[Op::Work, Op::CallBack, Op::Receive, Op::CallBackOnce, Op::Random],
    ];
    for (number, program) in programs.into_iter().enumerate() {
        for timing in [Timing::Jump, Timing::Sleep] {
            let toy = Toy::new(program.to_vec(), Some(60));
            let mut script = Script::typing(&[b"a", b"b", b"c"]);
            let limits = [40, 80, 200].map(|icount| Limits { icount, cycles: icount * 40 });
            let seed = number as u64;
            let (log, recorded) =
                record_with(toy.clone(), seed, 16, Scheduler::Inline, &mut script, &limits, timing);
            for scheduler in [Scheduler::Inline, Scheduler::Threads] {
                let replayed =
                    play(toy.clone(), log.clone(), scheduler).map_err(|error| error.to_string())?;
                if replayed != recorded {
                    return Err(format!("program {number} ends otherwise under {}", scheduler.name()));
                }
            }
        }
    }
    Ok(())
}

/// A disk whose completions come three at a time, in another order than the requests.
#[derive(Clone, Default)]
struct LateDisk(Arc<Mutex<Vec<u64>>>);

impl HostCalls for LateDisk {
    fn clock(&mut self, _kind: ClockKind) -> i64 {
        0
    }

    fn random(&mut self, _buffer: &mut [u8]) -> i32 {
        0
    }

    fn char_write(&mut self, _device: CharId, bytes: &[u8]) -> CharWritten {
        CharWritten { result: bytes.len() as i32, offset: bytes.len() as u32 }
    }

    fn block(&mut self, id: u64, _owner: Owner, _request: &BlockRequest) -> Option<BlockResult> {
        lock(&self.0).push(id);
        None
    }
}

impl HostEvents for LateDisk {
    fn poll(&mut self) -> Vec<AsyncEvent> {
        let mut waiting = lock(&self.0);
        if waiting.len() < 3 {
            return Vec::new();
        }
        waiting.rotate_left(1);
        let done = |id| AsyncEvent::Block { id, result: 512, data: vec![id as u8; 512] };
        waiting.drain(..).map(done).collect()
    }

    fn may_deliver(&self) -> bool {
        false
    }

    fn interrupted(&mut self) -> bool {
        false
    }
}

fn disk() -> Result<(), String> {
    let toy = Toy::new(vec![Op::Disk, Op::Work, Op::Disk, Op::Work], None);
    let mut disk = LateDisk::default();
    let rig = Rig::recording(toy.clone(), 8, Box::new(disk.clone()));
    for icount in (6..60).step_by(6) {
        let limits = Limits { icount, cycles: u64::MAX };
        rig.run_with(Scheduler::Inline, &mut disk, limits, Timing::Jump)
            .map_err(|error| error.to_string())?;
    }
    let (log, recorded) = rig.finish();
    let completions = log.iter().filter(|event| matches!(event.event, Event::Async(_))).count();
    assert!(completions > 10, "requests complete");
    for scheduler in [Scheduler::Inline, Scheduler::Threads] {
        let replayed = play(toy.clone(), log.clone(), scheduler).map_err(|error| error.to_string())?;
        if replayed != recorded {
            return Err(format!("it ends otherwise under {}", scheduler.name()));
        }
    }
    Ok(())
}

/// What is written is read, at every kind of distance.
fn log_round_trip() -> Result<(), String> {
    let header = rreplay::log::Header { board_toml: "x".into(), clock_hz: 1, ..Default::default() };
    let mut writer = LogWriter::in_memory(&header, Options::default()).map_err(|error| error.to_string())?;
    let mut written = Vec::new();
    for power in 0..40 {
        let position = Position::new(1 << power, 3 << power);
        let event = Event::Clock { kind: ClockKind::Host, value: power };
        writer.append(position, &event).map_err(|error| error.to_string())?;
        written.push((position, event));
    }
    let end = Position::new(1 << 40, 3 << 40);
    writer.append(end, &Event::End).map_err(|error| error.to_string())?;
    written.push((end, Event::End));
    writer.finish().map_err(|error| error.to_string())?;
    let bytes = writer.take_bytes().unwrap_or_default();
    let reader = LogReader::from_bytes(bytes).map_err(|error| error.to_string())?;
    let read: Result<Vec<_>, _> =
        reader.events().map(|event| event.map(|event| (event.position, event.event))).collect();
    match read {
        Ok(read) if read == written => Ok(()),
        Ok(_) => Err("other events are read than were written".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn recorded(program: &[u8], typed: &[u8], options: RecordOptions) -> Result<Recording, String> {
    let (session, disk) = (machine(program), SmallDisk::default());
    let sink = Box::new(disk.clone());
    session
        .record_with(options, |header| LogWriter::with_sink(sink, "disk", header, Options::default()))
        .map_err(|error| error.to_string())?;
    for byte in typed {
        session.send(&[*byte]).map_err(|error| error.to_string())?;
        run(&session, RunRequest { cycles: Some(3000), ..instructions(150) })
            .map_err(|error| error.to_string())?;
    }
    session.finish().map_err(|error| error.to_string())?;
    Recording::from_bytes(disk.contents(), false).map_err(|error| error.to_string())
}

/// A byte that nobody sent, in a chip that the program never looks at: only its digest can tell.
fn perturbed_device() -> Result<(), String> {
    let options = RecordOptions { digest_every: Some(100), ..RecordOptions::default() };
    let recording = recorded(&COUNTER, b"....", options)?;
    let session = recording.replay().map_err(|error| error.to_string())?;
    run(&session, instructions(120)).map_err(|error| error.to_string())?;
    session.perturb(Perturbation::Input { device: 0, byte: b'!' }).map_err(|error| error.to_string())?;
    match run(&session, RunRequest::default()) {
        Err(error) if error.to_string().contains("device/acia") => Ok(()),
        other => Err(format!("a changed chip goes unnoticed: {other:?}")),
    }
}

/// From every snapshot the replay goes on to the same end.
fn snapshots() -> Result<(), String> {
    let options =
        RecordOptions { digest_every: Some(50), snapshot_every: Some(40), ..RecordOptions::default() };
    let recording = recorded(&PRINTER, b"abcdef", options)?;
    let end = recording.replay().map_err(|error| error.to_string())?;
    run(&end, RunRequest::default()).map_err(|error| error.to_string())?;
    let count = recording.snapshots().len() as u64;
    assert!(count > 5, "there are snapshots to start from");
    for number in 0..count {
        let session = recording.replay_from(number, &[]).map_err(|error| error.to_string())?;
        run(&session, RunRequest::default()).map_err(|error| error.to_string())?;
        if session.digest() != end.digest() {
            return Err(format!("from snapshot {number} it ends otherwise"));
        }
    }
    Ok(())
}
