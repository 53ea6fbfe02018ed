//! The two threads of the engine under every interleaving that loom finds: no wake-up is lost, whoever ends the run
//! ends both. Run with `make loom`.
//!
//! Nothing here may depend on a time-out: under loom none ever passes.

use super::common::explore::{Bounds, explore};
use super::common::{
    Desk, NoisyHost, Op, PANIC, PanickingHost, Rig, Script, SlowDiskHost, SteadyHost, Toy, play, typed,
};
use rreplay::engine::{HostEvents, Limits, RunError, Scheduler, StopReason, Timing};
use rreplay::log::event::{AsyncEvent, Event};
use rreplay::log::{LogError, LogReader};
use rreplay::nondet::ShutdownCause;
use rreplay::replay::{EventSink, MemorySink, ReplayError};
use rreplay::snapshot::Snapshot;
use rreplay::sync::Kick;
use rreplay::units::{EventOrdinal, Position};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Machine words of stack where loom's own are too few.
const STACK_WORDS: usize = 1 << 16;

/// Waits for two bytes, takes them, stops. Interrupts only wake it, so that its state does not depend on when they come.
fn two_bytes() -> Toy {
    Toy { masked: true, ..Toy::new(vec![Op::Wait, Op::Receive, Op::Wait, Op::Receive, Op::Stop], None) }
}

fn run(rig: &Rig, timing: Timing) -> StopReason {
    rig.run(Scheduler::Threads, Limits::NONE, timing).expect("nothing fails here")
}

fn replays(rig: &Rig, toy: Toy) {
    let (events, recorded) = rig.finish();
    let replayed = play(toy, events, Scheduler::Inline).expect("what was recorded replays");
    assert_eq!(replayed, recorded);
}

// ---- wake-ups ----

/// A CPU in WAI, and input that comes at any moment, from another thread, in two pieces.
#[test]
fn input_wakes_a_cpu_that_waits() {
    let model = |recording: bool, timing: Timing| {
        move || {
            let rig = match recording {
                true => Rig::recording(two_bytes(), 0, Box::new(SteadyHost::default())),
                false => Rig::free(two_bytes(), Box::new(SteadyHost::default())),
            };
            let gate = rreplay::host::HostInput::open_gate(&rig.desk.input);
            let desk = rig.desk.clone();
            let typist = loom::thread::spawn(move || {
                desk.send(b"x");
                desk.send(b"y");
                drop(gate);
            });
            assert_eq!(run(&rig, timing), StopReason::Halted);
            typist.join().unwrap();
            {
                let vm = rig.engine.lock("test");
                assert!(vm.guest.stopped, "the guest was halted before all its input came");
                assert_eq!(vm.guest.position.icount, 5);
            }
            if recording {
                replays(&rig, two_bytes());
            }
        }
    };
    let bounds = Bounds { preemptions: 2, at_least: 2_120 };
    explore("input wakes a free CPU", bounds, model(false, Timing::Jump));
    explore("input wakes a recorded CPU", bounds, model(true, Timing::Jump));
    explore("input wakes a recorded CPU that sleeps", bounds, model(true, Timing::Sleep));
}

/// A source that gives a byte and ends, at any moment: the byte arrives, and the CPU that waits for more is halted.
#[test]
fn a_source_that_ends_halts_a_cpu_that_waits() {
    let bounds = Bounds::by_depth((2, 1_600), (3, 28_200));
    explore("a source ends", bounds, || {
        let toy = Toy { masked: true, ..Toy::new(vec![Op::Wait, Op::Receive], None) };
        let rig = Rig::recording(toy.clone(), 0, Box::new(NoisyHost(1)));
        let gate = rreplay::host::HostInput::open_gate(&rig.desk.input);
        let desk = rig.desk.clone();
        let typist = loom::thread::spawn(move || {
            desk.send(b"x");
            drop(gate);
        });
        assert_eq!(run(&rig, Timing::Jump), StopReason::Halted);
        typist.join().unwrap();
        // Wait, receive, wait.
        assert_eq!(rig.outcome().position.icount, 3);
        replays(&rig, toy);
    });
}

/// A source on the main loop's own thread that ends without a kick: the main loop must not rest before the CPU that
/// waits was told.
#[test]
fn a_source_that_ends_without_a_kick_halts_a_cpu_that_waits() {
    explore("a source ends by itself", Bounds { preemptions: 4, at_least: 6_370 }, || {
        let toy = Toy { masked: true, ..Toy::new(vec![Op::Wait, Op::Receive], None) };
        let rig = Rig::recording(toy.clone(), 0, Box::new(NoisyHost(1)));
        let mut script = Script::typing(&[b"x", b"y", b"z"]);
        let ended = rig.run_with(Scheduler::Threads, &mut script, Limits::NONE, Timing::Jump);
        assert_eq!(ended.expect("nothing fails here"), StopReason::Halted);
        assert_eq!(rig.outcome().position.icount, 7);
        replays(&rig, toy);
    });
}

/// Real time that passes while a CPU sleeps until its timer, with input in between, under the limit of a run.
#[test]
fn a_sleeping_cpu_is_woken_by_its_timer_or_by_input() {
    explore("a sleeping CPU with a timer", Bounds { preemptions: 2, at_least: 1_710 }, || {
        let toy = Toy::new(vec![Op::Unmask, Op::Wait, Op::Receive, Op::Clock], Some(9));
        let rig = Rig::recording(toy.clone(), 0, Box::new(SteadyHost::default()));
        let gate = rreplay::host::HostInput::open_gate(&rig.desk.input);
        let desk = rig.desk.clone();
        let typist = loom::thread::spawn(move || {
            desk.send(b"x");
            drop(gate);
        });
        let limits = Limits { icount: u64::MAX, cycles: 30 };
        let reason = rig.run(Scheduler::Threads, limits, Timing::Sleep).expect("nothing fails here");
        assert_eq!(reason, StopReason::Budget);
        typist.join().unwrap();
        replays(&rig, toy);
    });
}

/// A CPU that waits for its disk and for nothing else: the completions come by way of the main loop, which does not know
/// of the requests.
#[test]
fn a_completion_wakes_a_cpu_that_waits() {
    let program = vec![Op::Disk, Op::Disk, Op::Wait, Op::Receive, Op::Wait, Op::Receive, Op::Stop];
    for (name, timing) in
        [("a disk wakes a CPU", Timing::Jump), ("a disk wakes a CPU that sleeps", Timing::Sleep)]
    {
        let program = program.clone();
        explore(name, Bounds { preemptions: 3, at_least: 1_090 }, move || {
            let toy = Toy { masked: true, ..Toy::new(program.clone(), None) };
            let desk = Desk::default();
            let host = Box::new(SlowDiskHost::new(&desk));
            let rig = Rig::recording_at(desk, toy.clone(), 0, host);
            assert_eq!(run(&rig, timing), StopReason::Halted);
            assert!(rig.engine.lock("test").guest.stopped, "halted before the disk has answered");
            replays(&rig, toy);
        });
    }
}

// ---- ends ----

/// A host that shuts the machine down at any moment, while the CPU runs, waits or sleeps: logged, and so replayed.
#[test]
fn a_shutdown_by_the_host_ends_both_and_is_logged() {
    for (name, timing) in [("the host quits", Timing::Jump), ("the host quits a sleeping CPU", Timing::Sleep)]
    {
        let bounds = Bounds::by_depth((2, 1_040), (3, 11_400));
        explore(name, bounds, move || {
            let toy = Toy::new(vec![Op::Work, Op::Wait], None);
            let rig = Rig::recording(toy.clone(), 1, Box::new(SteadyHost::default()));
            let _gate = rreplay::host::HostInput::open_gate(&rig.desk.input);
            let input = rig.desk.input.clone();
            let host = loom::thread::spawn(move || input.shut_down(ShutdownCause::HostQuit));
            assert_eq!(run(&rig, timing), StopReason::Shutdown(ShutdownCause::HostQuit));
            host.join().unwrap();
            let logged = |event: &Event| *event == Event::Shutdown(ShutdownCause::HostQuit);
            assert_eq!(rig.log().events.iter().filter(|event| logged(&event.event)).count(), 1);
            replays(&rig, toy);
        });
    }
}

/// A reset by the host at any moment, of a CPU that waits for input which never comes: the reset wakes it, before the
/// user ends what is left. Nobody waits for nothing.
#[test]
fn a_reset_by_the_host_wakes_a_cpu_that_waits() {
    explore("the host resets", Bounds { preemptions: 2, at_least: 1_570 }, || {
        let toy = Toy::new(vec![Op::Wait, Op::Stop], None);
        let rig = Rig::recording(toy.clone(), 0, Box::new(NoisyHost(1)));
        let _gate = rreplay::host::HostInput::open_gate(&rig.desk.input);
        let desk = rig.desk.clone();
        let host = loom::thread::spawn(move || {
            desk.input.shut_down(ShutdownCause::HostReset);
            desk.stop();
        });
        // One that came before the CPU waited did not wake it.
        let reason = run(&rig, Timing::Jump);
        assert!(matches!(reason, StopReason::Halted | StopReason::Interrupted), "{reason:?}");
        host.join().unwrap();
        replays(&rig, toy);
    });
}

/// Ctrl-C at any moment, while the CPU waits for input that never comes.
#[test]
fn a_request_to_stop_ends_a_cpu_that_waits() {
    for (name, timing) in [("a stop ends a wait", Timing::Jump), ("a stop ends a sleep", Timing::Sleep)] {
        let bounds = Bounds::by_depth((2, 670), (3, 6_960));
        explore(name, bounds, move || {
            let toy = Toy::new(vec![Op::Work, Op::Wait], None);
            let rig = Rig::recording(toy.clone(), 0, Box::new(SteadyHost::default()));
            let _gate = rreplay::host::HostInput::open_gate(&rig.desk.input);
            let desk = rig.desk.clone();
            let user = loom::thread::spawn(move || desk.stop());
            assert_eq!(run(&rig, timing), StopReason::Interrupted);
            user.join().unwrap();
            replays(&rig, toy);
        });
    }
}

/// Ctrl-C at any moment of a run that has an end of its own: either comes first, and the run that is taken up again
/// comes to the same end.
#[test]
fn a_run_goes_on_after_a_request_to_stop() {
    explore("a run is stopped and goes on", Bounds { preemptions: 2, at_least: 1_280 }, || {
        let toy = Toy::new(vec![Op::Clock, Op::Print], Some(11));
        // A digest at each instruction cuts the run into slices of one.
        let rig = Rig::recording(toy.clone(), 1, Box::new(NoisyHost(1)));
        let desk = rig.desk.clone();
        let user = loom::thread::spawn(move || desk.stop());
        let limits = Limits { icount: 4, cycles: u64::MAX };
        let mut first = rig.run(Scheduler::Threads, limits, Timing::Jump).expect("nothing fails here");
        if first == StopReason::Interrupted {
            first = rig.run(Scheduler::Threads, limits, Timing::Jump).expect("nothing fails here");
        }
        // The user may come between the runs, or behind the last.
        if first == StopReason::Interrupted {
            panic!("one request stops one run");
        }
        assert_eq!((first, rig.outcome().position.icount), (StopReason::Budget, 4));
        user.join().unwrap();
        replays(&rig, toy);
    });
}

/// A replay stopped at any moment goes on to the same end.
#[test]
fn a_replay_goes_on_after_a_request_to_stop() {
    let toy = Toy::new(vec![Op::Wait, Op::Receive, Op::Print, Op::Unmask], None);
    explore("a replay is stopped and goes on", Bounds { preemptions: 2, at_least: 1_720 }, move || {
        let recorder = Rig::recording(toy.clone(), 2, Box::new(NoisyHost(1)));
        recorder.desk.send(b"xy");
        recorder.run(Scheduler::Inline, Limits::NONE, Timing::Jump).expect("nothing fails here");
        let (events, recorded) = recorder.finish();
        let player = Rig::playing(toy.clone(), events);
        let desk = player.desk.clone();
        let user = loom::thread::spawn(move || desk.stop());
        player.play_out(Scheduler::Threads).expect("it replays");
        user.join().unwrap();
        assert_eq!(player.outcome(), recorded);
    });
}

/// A guest that stops or shuts itself down ends a main loop that rests or is about to.
#[test]
fn the_guest_ends_a_main_loop_that_rests() {
    let shutdown = StopReason::Shutdown(ShutdownCause::GuestShutdown);
    for (name, op, reason) in
        [("the guest stops", Op::Stop, StopReason::Halted), ("the guest shuts down", Op::ShutDown, shutdown)]
    {
        explore(name, Bounds { preemptions: 4, at_least: 100 }, move || {
            let toy = Toy::new(vec![Op::Work, op], None);
            let rig = Rig::recording(toy.clone(), 0, Box::new(NoisyHost(1)));
            let gate = rreplay::host::HostInput::open_gate(&rig.desk.input);
            assert_eq!(run(&rig, Timing::Jump), reason);
            drop(gate);
            replays(&rig, toy);
        });
    }
}

/// Two runs one after the other, with input that may come in either: what one leaves behind (kicks, input, the mark of
/// its end) does not upset the next.
#[test]
fn a_run_leaves_nothing_behind_that_upsets_the_next() {
    explore("two runs", Bounds { preemptions: 2, at_least: 5_070 }, || {
        let toy = Toy { masked: true, ..Toy::new(vec![Op::Work, Op::Wait, Op::Receive, Op::Stop], None) };
        let rig = Rig::recording(toy.clone(), 0, Box::new(NoisyHost(1)));
        let gate = rreplay::host::HostInput::open_gate(&rig.desk.input);
        let desk = rig.desk.clone();
        let typist = loom::thread::spawn(move || {
            desk.send(b"x");
            drop(gate);
        });
        let limits = Limits { icount: 1, cycles: u64::MAX };
        let first = rig.run(Scheduler::Threads, limits, Timing::Jump).expect("nothing fails here");
        assert_eq!(first, StopReason::Budget);
        assert_eq!(run(&rig, Timing::Jump), StopReason::Halted);
        assert!(rig.engine.lock("test").guest.stopped);
        typist.join().unwrap();
        replays(&rig, toy);
    });
}

// ---- faults ----

/// A panic in the middle of an instruction, with the lock held: both threads end, the lock is free, and what was
/// recorded replays up to its last event.
#[test]
fn a_panic_of_the_guest_ends_both_and_the_log_stays_usable() {
    let bounds = Bounds::by_depth((2, 1_640), (3, 30_100));
    explore("the guest panics", bounds, || {
        let toy = Toy { masked: true, ..Toy::new(vec![Op::Wait, Op::Receive, Op::Clock, Op::Print], None) };
        let rig = Rig::recording(toy.clone(), 1, Box::new(PanickingHost));
        let gate = rreplay::host::HostInput::open_gate(&rig.desk.input);
        let desk = rig.desk.clone();
        let typist = loom::thread::spawn(move || {
            desk.send(b"x");
            drop(gate);
        });
        match rig.run(Scheduler::Threads, Limits::NONE, Timing::Jump) {
            Err(RunError::Panicked(said)) => assert_eq!(said, PANIC),
            other => panic!("the panic is reported, not {other:?}"),
        }
        typist.join().unwrap();
        assert_eq!(rig.engine.lock("test").replay.mode().name(), "none");
        let (events, _) = rig.finish();
        assert!(events.iter().any(|event| matches!(event.event, Event::Clock { .. })));
        assert!(!events.iter().any(|event| event.event == Event::End), "an end that no replay comes to");
        // The other host does not panic, and the log ends where this one did.
        let replayed = play(toy, events, Scheduler::Inline).expect("the prefix replays");
        assert_eq!(replayed.position.icount, 3);
    });
}

/// Brings one byte, then panics.
struct PanickingEvents {
    polls: u32,
    panics_at: u32,
}

impl HostEvents for PanickingEvents {
    fn poll(&mut self) -> Vec<AsyncEvent> {
        self.polls += 1;
        if self.polls == self.panics_at {
            resume_unwind(Box::new(PANIC));
        }
        if self.polls == 1 { vec![typed(b"x")] } else { Vec::new() }
    }

    fn may_deliver(&self) -> bool {
        true
    }

    fn interrupted(&mut self) -> bool {
        false
    }

    fn rest(&mut self, _kick: &Kick) {}
}

/// A main loop that panics while the CPU runs, waits or is about to: the vCPU thread ends with it, and the recording
/// can be ended and replayed.
#[test]
fn a_panic_of_the_main_loop_ends_the_vcpu() {
    for (panics_at, at_least) in [(1, 1), (2, 32), (3, 180)] {
        explore("the main loop panics", Bounds { preemptions: 4, at_least }, move || {
            let toy =
                Toy { masked: true, ..Toy::new(vec![Op::Work, Op::Wait, Op::Receive, Op::Print], None) };
            let rig = Rig::recording(toy.clone(), 0, Box::new(NoisyHost(1)));
            let mut host_events = PanickingEvents { polls: 0, panics_at };
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                rig.run_with(Scheduler::Threads, &mut host_events, Limits::NONE, Timing::Jump)
            }));
            assert!(panicked.is_err());
            assert_eq!(rig.engine.lock("test").replay.mode().name(), "record");
            replays(&rig, toy);
        });
    }
}

/// Keeps so many events in memory, then is full.
struct SmallSink {
    room: u64,
    memory: MemorySink,
}

impl EventSink for SmallSink {
    fn append(&mut self, position: Position, event: &Event) -> Result<EventOrdinal, LogError> {
        self.room = self.room.checked_sub(1).ok_or_else(no_room)?;
        self.memory.append(position, event)
    }

    fn append_snapshot(&mut self, position: Position, container: &[u8]) -> Result<(u64, usize), LogError> {
        self.room = self.room.checked_sub(1).ok_or_else(no_room)?;
        self.memory.append_snapshot(position, container)
    }

    fn flush(&mut self) -> Result<(), LogError> {
        Ok(())
    }

    fn finish(&mut self) -> Result<(), LogError> {
        Err(no_room())
    }
}

/// Some error of a log: which one does not matter to the engine.
fn no_room() -> LogError {
    LogReader::from_bytes(Vec::new()).map(|_| ()).expect_err("nothing is no recording")
}

/// A log that cannot be written any more, at each event: the run ends with the error on both threads, and what was
/// written replays.
#[test]
fn a_full_disk_ends_both() {
    for room in 0..6 {
        explore("the log is full", Bounds { preemptions: 2, at_least: 710 }, move || {
            let toy =
                Toy { masked: true, ..Toy::new(vec![Op::Wait, Op::Receive, Op::Print, Op::Clock], None) };
            let memory = MemorySink::default();
            let log = Box::new(memory.log());
            let sink = Box::new(SmallSink { room, memory });
            let host = Box::new(NoisyHost(1));
            let rig = Rig::recording_into(sink, log, Desk::default(), toy.clone(), 0, host);
            let _gate = rreplay::host::HostInput::open_gate(&rig.desk.input);
            let desk = rig.desk.clone();
            let typist = loom::thread::spawn(move || desk.send(b"xy"));
            let ended = rig.run(Scheduler::Threads, Limits::NONE, Timing::Jump);
            assert!(matches!(ended, Err(RunError::Replay(ReplayError::Log(_)))), "{ended:?}");
            typist.join().unwrap();
            let events = rig.log().events;
            assert_eq!(events.len() as u64, room);
            play(toy, events, Scheduler::Inline).expect("the prefix replays");
        });
    }
}

/// A replay that diverges says so on whichever thread it is asked, and ends both.
#[test]
fn a_divergence_ends_both() {
    explore("a replay diverges", Bounds { preemptions: 3, at_least: 56 }, || {
        let toy = Toy { masked: true, ..Toy::new(vec![Op::Wait, Op::Receive, Op::Print], None) };
        let recorder = Rig::recording(toy.clone(), 0, Box::new(NoisyHost(1)));
        recorder.desk.send(b"x");
        recorder.run(Scheduler::Inline, Limits::NONE, Timing::Jump).expect("nothing fails here");
        let (events, _) = recorder.finish();
        let other = Toy { accumulator: 2, ..toy };
        let player = Rig::playing(other, events);
        let ended = player.run(Scheduler::Threads, Limits::NONE, Timing::Jump);
        assert!(matches!(ended, Err(RunError::Replay(ReplayError::Divergence(_)))), "{ended:?}");
    });
}

/// Somebody who looks at the machine while it runs gets his turn, and changes nothing.
#[test]
fn whoever_looks_changes_nothing() {
    explore("somebody looks", Bounds { preemptions: 2, at_least: 1_740 }, || {
        let rig = Rig::recording(two_bytes(), 1, Box::new(NoisyHost(1)));
        rig.desk.send(b"xy");
        let rig = rreplay::sync::Arc::new(rig);
        let observer = {
            let rig = rig.clone();
            loom::thread::spawn(move || {
                let seen = rig.outcome();
                assert!(seen.position.icount <= 5 && rig.outcome().position >= seen.position);
            })
        };
        assert_eq!(run(&rig, Timing::Jump), StopReason::Halted);
        observer.join().unwrap();
        assert_eq!(rig.outcome().position.icount, 5);
        replays(&rig, two_bytes());
    });
}

// ---- snapshots ----

/// A snapshot asked for at any moment, while input is queued, delivered or still to come: it is taken, once, with
/// nothing in the queue, and a replay that starts at it comes to the same end.
#[test]
fn a_snapshot_asked_for_at_any_moment_is_taken_and_good() {
    explore("a snapshot is asked for", Bounds { preemptions: 2, at_least: 3_810 }, || {
        let toy =
            Toy { masked: true, ..Toy::new(vec![Op::Wait, Op::Receive, Op::CallBack, Op::Print], None) };
        let rig = rreplay::sync::Arc::new(Rig::recording(toy.clone(), 0, Box::new(NoisyHost(1))));
        let gate = rreplay::host::HostInput::open_gate(&rig.desk.input);
        let asking = {
            let rig = rig.clone();
            loom::thread::spawn(move || {
                rig.desk.send(b"x");
                rig.engine.lock("asking").replay.request_snapshot().expect("it is recorded");
                rig.desk.send(b"y");
                drop(gate);
            })
        };
        assert_eq!(run(&rig, Timing::Jump), StopReason::Halted);
        asking.join().unwrap();
        let (events, recorded) = rig.finish();
        let log = rig.log();
        assert_eq!(log.snapshots.len(), 1, "{events:#?}");
        // On a stack of its own, for taking a snapshot apart needs more than loom's.
        let replaying = loom::thread::Builder::new().stack_size(STACK_WORDS).spawn(move || {
            let player = Rig::playing_log(toy, log.clone());
            let snapshot = Snapshot::from_bytes(&log.snapshots[0]).expect("it was made here");
            player.engine.lock("test").resume(&snapshot).expect("it belongs here");
            player.play_out(Scheduler::Inline).expect("it replays from there");
            let replayed = player.outcome();
            assert_eq!((replayed.position, replayed.digests), (recorded.position, recorded.digests));
            // Only what was printed behind the snapshot is printed again.
            assert!(recorded.transcript.ends_with(&replayed.transcript));
        });
        replaying.expect("there is room for a thread").join().unwrap();
    });
}
