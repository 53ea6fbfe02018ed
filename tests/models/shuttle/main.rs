//! Whole machines under thousands of random schedules of their threads. Run with `make shuttle`.
//!
//! Loom looks at every interleaving of a toy; this looks at some of a real board with our monitor: the vCPU, the main
//! loop, somebody who types and somebody who looks, recorded into memory and replayed under both schedulers. Locks,
//! threads, host time and entropy are shuttle's, so that a schedule that fails can be run again.

mod schedules;

use arbitrary::{Arbitrary, Unstructured};
use rreplay::engine::Scheduler;
use rreplay::error::Error;
use rreplay::log::{LogWriter, Options};
use rreplay::machine::board::Board;
use rreplay::persist::Digest;
use rreplay::recording::Recording;
use rreplay::session::{RecordOptions, RunRequest, Session};
use rreplay::sync::{Mutex, Shared, lock, spawn, yield_now};
use rreplay::units::Position;
use rreplay_kit::{HostAct, HostOperation, RunLength, Scenario, SmallDisk, check_record_replay};
use schedules::{Amount, explore, explore_twice};

/// Instructions between digests: each ends a slice, and so is a place where the threads can meet.
const DIGEST_EVERY: u64 = 400;

/// Our monitor, being recorded from its power-on.
fn recorded() -> (Shared<Session>, SmallDisk) {
    let session = Session::new(Board::preset("breadboard").unwrap(), vec![]).unwrap();
    let disk = SmallDisk::default();
    record(&session, &disk).unwrap();
    (Shared::new(session), disk)
}

fn record(session: &Session, disk: &SmallDisk) -> Result<(), Error> {
    let options = RecordOptions { digest_every: Some(DIGEST_EVERY), ..RecordOptions::default() };
    let sink = Box::new(disk.clone());
    session.record_with(options, |header| LogWriter::with_sink(sink, "<memory>", header, Options::default()))
}

/// All that must agree.
fn state(session: &Session) -> (Position, Vec<u8>, Vec<(String, Digest)>) {
    (session.position(), session.output(), session.digests())
}

/// Ends the recording, replays it under both schedulers and gives it.
fn replays(session: &Session, disk: &SmallDisk) -> Vec<u8> {
    session.finish().unwrap();
    let recording = Recording::from_bytes(disk.contents(), false).unwrap();
    for scheduler in [Scheduler::Threads, Scheduler::Inline] {
        let replayed = recording.replay().unwrap();
        loop {
            let request = RunRequest { scheduler: Some(scheduler), ..RunRequest::default() };
            let stop = replayed.run(request, &mut || false).unwrap_or_else(|error| panic!("{error}"));
            if stop.reason == "end" {
                break;
            }
        }
        assert_eq!(state(&replayed), state(session), "under {}", scheduler.name());
    }
    disk.contents()
}

/// Types `pieces`, each when the schedule lets it.
fn type_from_another_thread(
    session: &Shared<Session>,
    pieces: &'static [&'static [u8]],
) -> impl FnOnce() + use<> {
    let (typist, gate) = (session.clone(), session.open_gate());
    let typing = spawn("typist", move || {
        for piece in pieces {
            typist.send(piece).unwrap();
            yield_now();
        }
        drop(gate);
    });
    let typing = typing.unwrap();
    || typing.join().unwrap()
}

/// Looks at the machine while it runs: it only goes forward, and a look changes nothing.
fn look_from_another_thread(session: &Shared<Session>) -> impl FnOnce() + use<> {
    let session = session.clone();
    let looking = spawn("observer", move || {
        let mut before = state(&session);
        for _ in 0..4 {
            session.registers();
            session.memory(0x0300, 16);
            session.input_pending();
            session.snapshot();
            let now = state(&session);
            assert!(now.0 >= before.0 && now.1.starts_with(&before.1));
            before = now;
        }
    });
    let looking = looking.unwrap();
    || looking.join().unwrap()
}

fn run(session: &Session, cycles: u64, sleep: bool, interrupted: &mut dyn FnMut() -> bool) -> &'static str {
    let request = RunRequest {
        cycles: Some(cycles),
        scheduler: Some(Scheduler::Threads),
        sleep,
        ..RunRequest::default()
    };
    session.run(request, interrupted).unwrap().reason
}

#[test]
fn the_monitor_typed_to_at_any_moment_replays() {
    explore("the monitor is typed to", Amount::by_depth(1100, 370), || {
        let (session, disk) = recorded();
        let typist = type_from_another_thread(&session, &[b"v", b"er\r", b"regs\r"]);
        assert_eq!(run(&session, 30_000, false, &mut || false), "budget");
        typist();
        replays(&session, &disk)
    });
}

#[test]
fn the_monitor_looked_at_at_any_moment_replays() {
    explore("the monitor is typed to and looked at", Amount::by_depth(400, 135), || {
        let (session, disk) = recorded();
        let typist = type_from_another_thread(&session, &[b"x 0", b"\r"]);
        let observer = look_from_another_thread(&session);
        assert_eq!(run(&session, 20_000, false, &mut || false), "budget");
        typist();
        observer();
        replays(&session, &disk)
    });
}

#[test]
fn the_monitor_sleeping_in_real_time_replays() {
    explore("the monitor sleeps", Amount::by_depth(400, 360), || {
        let (session, disk) = recorded();
        let typist = type_from_another_thread(&session, &[b"wait 2\r", b"\x03"]);
        assert_eq!(run(&session, 60_000, true, &mut || false), "budget");
        typist();
        replays(&session, &disk)
    });
}

#[test]
fn the_monitor_stopped_at_any_moment_replays() {
    explore("the monitor is stopped and goes on", Amount::by_depth(400, 220), || {
        let (session, disk) = recorded();
        let typist = type_from_another_thread(&session, &[b"\r", b"ver\r"]);
        let asked = Mutex::new(0);
        // Every other time that a run asks, the user wants to stop.
        let mut interrupted = || {
            *lock(&asked) += 1;
            *lock(&asked) % 2 == 0
        };
        let end = session.position().cycles + 20_000;
        loop {
            let left = end.saturating_sub(session.position().cycles);
            match run(&session, left, false, &mut interrupted) {
                "budget" => break,
                reason => assert_eq!(reason, "interrupted"),
            }
        }
        typist();
        replays(&session, &disk)
    });
}

#[test]
fn a_machine_that_halts_while_somebody_types_ends_both_threads() {
    explore("the monitor halts", Amount::by_depth(500, 265), || {
        let (session, disk) = recorded();
        let typist = type_from_another_thread(&session, &[b"ha", b"lt\r", b"too late"]);
        // The first run may be over before everything is typed.
        let request = || RunRequest {
            scheduler: Some(Scheduler::Threads),
            cycles: Some(400_000),
            ..RunRequest::default()
        };
        let stop = session.run(request(), &mut || false).unwrap();
        typist();
        let reason = match stop.reason {
            "budget" => session.run(request(), &mut || false).unwrap().reason,
            reason => reason,
        };
        assert_eq!(reason, "halted");
        replays(&session, &disk)
    });
}

/// What a user's other threads do to a machine that is about to be recorded: before it, or refused.
#[test]
fn the_monitor_changed_while_its_recording_starts_replays() {
    explore("the monitor is changed while its recording starts", Amount::by_depth(400, 275), || {
        let session = Session::new(Board::preset("breadboard").unwrap(), vec![]).unwrap();
        let (session, disk) = (Shared::new(session), SmallDisk::default());
        let changing = [0, 1].map(|number| {
            let session = session.clone();
            let change = move || {
                for turn in 0..3u8 {
                    // Each of them may come too late.
                    let _recorded = session.set_register("x", u32::from(turn) + 1);
                    let _recorded = session.write_memory(0x0300, &[turn, number]);
                    let _recorded = session.restore(&session.snapshot());
                    let _full = session.send(b"v");
                    let _busy = session.reset();
                    yield_now();
                }
            };
            spawn("changer", change).unwrap()
        });
        // Somebody may be in a reset just now.
        while let Err(refused) = record(&session, &disk) {
            assert_eq!(refused.class(), "StateError", "{refused}");
            yield_now();
        }
        let request = || RunRequest {
            cycles: Some(3_000),
            scheduler: Some(Scheduler::Threads),
            ..RunRequest::default()
        };
        while session.run(request(), &mut || false).is_err() {
            yield_now();
        }
        changing.into_iter().for_each(|changing| changing.join().unwrap());
        replays(&session, &disk)
    });
}

/// The net itself: one schedule gives one recording, so that one which fails can be looked at.
#[test]
fn a_schedule_does_the_same_each_time() {
    explore_twice("the monitor sleeps", 20, || {
        let (session, disk) = recorded();
        let typist = type_from_another_thread(&session, &[b"uptime\r", b"\x03"]);
        let observer = look_from_another_thread(&session);
        assert_eq!(run(&session, 30_000, true, &mut || false), "budget");
        typist();
        observer();
        replays(&session, &disk)
    });
}

/// Generated programs on generated boards, with a typist who races the machine, through the oracle of all other tests.
#[test]
fn generated_scenarios_replay() {
    for seed in 1..=20u64 {
        let mut random = seed;
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 56) as u8
        })
        .take(400)
        .collect();
        let mut scenario = Scenario::arbitrary_take_rest(Unstructured::new(&bytes)).unwrap();
        scenario.host.truncate(3);
        scenario.host.push(HostOperation::Race {
            acts: vec![HostAct::Type(b"race".to_vec())],
            length: RunLength::Instructions(500),
        });
        let name = format!("generated scenario {seed}");
        explore(&name, Amount::by_depth(20, 1), move || {
            let report = check_record_replay(&scenario).unwrap_or_else(|failure| panic!("{failure}"));
            format!("{report:?}").into_bytes()
        });
    }
}
