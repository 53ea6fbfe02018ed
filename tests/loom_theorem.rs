//! The main theorem, bounded: a run recorded under every interleaving replays under every interleaving to the same
//! state, and consumes the whole log. Run with `make loom`.
//!
//! A replay knows of its recording nothing but the log. So each recording interleaving is explored once, the distinct
//! logs that come out are collected, and each of them is replayed under every interleaving: what the product of both
//! would show, without its cost.
#![cfg(loom)]

mod common;

use common::explore::{Bounds, explore};
use common::{NoisyHost, Op, Outcome, Rig, SteadyHost, Toy, play};
use rreplay::engine::{Limits, Outlet, Scheduler, StopReason, Timing};
use rreplay::host::HostInput;
use rreplay::log::event::{Event, StampedEvent};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What other threads do while a machine runs.
#[derive(Clone, Copy)]
enum Typing {
    /// Types two pieces.
    Types,
    /// Types two pieces; until then, a CPU that waits keeps waiting.
    TypesBehindAGate,
    /// Types, and presses Ctrl-C.
    Stops,
}

/// A run to be recorded.
#[derive(Clone)]
struct Case {
    name: &'static str,
    toy: Toy,
    digest_every: u64,
    timing: Timing,
    limits: Limits,
    typing: Typing,
}

/// How much there must be to explore.
struct Floors {
    recording: Bounds,
    distinct_logs: usize,
    replaying: Bounds,
    /// Kinds of events that must be in one of the logs.
    kinds: &'static [&'static str],
}

type Logs = BTreeMap<String, (Vec<StampedEvent>, Outcome)>;

impl Case {
    fn host(&self) -> Box<dyn Outlet> {
        match self.timing {
            Timing::Jump => Box::new(NoisyHost(1)),
            Timing::Sleep => Box::new(SteadyHost::default()),
        }
    }

    /// Records on two threads, with a third that types.
    fn record(&self) -> (Vec<StampedEvent>, Outcome) {
        let rig = Rig::recording(self.toy.clone(), self.digest_every, self.host());
        let gate =
            matches!(self.typing, Typing::TypesBehindAGate).then(|| HostInput::open_gate(&rig.desk.input));
        let (desk, typing) = (rig.desk.clone(), self.typing);
        let typist = loom::thread::spawn(move || {
            desk.send(b"x");
            match typing {
                Typing::Types | Typing::TypesBehindAGate => desk.send(b"y"),
                Typing::Stops => desk.stop(),
            }
            drop(gate);
        });
        while rig.run(Scheduler::Threads, self.limits, self.timing).expect("recording does not fail")
            == StopReason::Interrupted
        {}
        typist.join().unwrap();
        rig.finish()
    }

    /// Every log that comes out of a recording interleaving, each with the state it ends in.
    fn logs(&self, bounds: Bounds) -> (usize, Logs) {
        let logs = Arc::new(Mutex::new(Logs::new()));
        let (case, keep) = (self.clone(), logs.clone());
        let executions = explore(&format!("{}, recording", self.name), bounds, move || {
            let (events, outcome) = case.record();
            let inline = play(case.toy.clone(), events.clone(), Scheduler::Inline);
            assert_eq!(inline.expect("what was recorded replays"), outcome);
            let key = format!("{events:?}");
            let before = keep.lock().unwrap().insert(key, (events, outcome.clone()));
            assert!(before.is_none_or(|(_, before)| before == outcome), "one log, two states");
        });
        let logs = std::mem::take(&mut *logs.lock().unwrap());
        (executions, logs)
    }

    /// Replays a log on two threads, with a third whose typing must be dropped.
    fn replay(&self, bounds: Bounds, events: &[StampedEvent], outcome: &Outcome) -> usize {
        let (toy, events, outcome) = (self.toy.clone(), events.to_vec(), outcome.clone());
        explore(&format!("{}, replaying", self.name), bounds, move || {
            let rig = Rig::playing(toy.clone(), events.clone());
            let desk = rig.desk.clone();
            let typist = loom::thread::spawn(move || desk.send(b"not from the log"));
            rig.play_out(Scheduler::Threads).expect("what was recorded replays");
            typist.join().unwrap();
            assert_eq!(rig.outcome(), outcome);
            let mut world = rig.engine.lock("test");
            let left = world.replay.peek().expect("memory is readable").map(|left| left.event.clone());
            assert_eq!(left, Some(Event::End), "the log is consumed up to its end");
        })
    }

    fn holds(&self, floors: Floors) {
        let (recorded, logs) = self.logs(floors.recording);
        let mut kinds: Vec<&str> =
            logs.values().flat_map(|(events, _)| events).map(|event| event.event.kind().name()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let missing: Vec<_> = floors.kinds.iter().filter(|kind| !kinds.contains(kind)).collect();
        assert!(missing.is_empty(), "{}: no log has {missing:?}, only {kinds:?}", self.name);
        assert!(logs.len() >= floors.distinct_logs, "{}: only {} distinct logs", self.name, logs.len());
        let replayed: usize =
            logs.values().map(|(events, outcome)| self.replay(floors.replaying, events, outcome)).sum();
        println!(
            "loom: {}: {recorded} recording interleavings gave {} distinct logs, replayed under {replayed}",
            self.name,
            logs.len()
        );
    }
}

/// A timer, interrupts, clock reads, entropy, exceptions, output, a shutdown by the guest, and input that comes at any
/// moment.
#[test]
fn a_busy_run_recorded_under_any_interleaving_replays_under_any() {
    let program = vec![
        Op::Unmask,
        Op::Work,
        Op::Receive,
        Op::Clock,
        Op::Print,
        Op::Unmask,
        Op::Random,
        Op::Receive,
        Op::Break,
        Op::ShutDown,
    ];
    let case = Case {
        name: "a busy run",
        toy: Toy::new(program, Some(9)),
        digest_every: 4,
        timing: Timing::Jump,
        limits: Limits::NONE,
        typing: Typing::Types,
    };
    case.holds(Floors {
        recording: Bounds { preemptions: 2, at_least: 1 },
        distinct_logs: 1,
        replaying: Bounds { preemptions: 2, at_least: 1 },
        kinds: &[
            "char_read",
            "checkpoint",
            "char_write",
            "clock",
            "digest",
            "exception",
            "interrupt",
            "random",
            "shutdown",
        ],
    });
}

/// A CPU that waits for input without any timer, so that time stands still meanwhile.
#[test]
fn a_waiting_run_recorded_under_any_interleaving_replays_under_any() {
    let case = Case {
        name: "a waiting run",
        toy: Toy::new(vec![Op::Wait, Op::Clock, Op::Receive, Op::Print, Op::Unmask], None),
        digest_every: 3,
        timing: Timing::Jump,
        limits: Limits::NONE,
        typing: Typing::TypesBehindAGate,
    };
    case.holds(Floors {
        recording: Bounds { preemptions: 2, at_least: 1 },
        distinct_logs: 1,
        replaying: Bounds { preemptions: 2, at_least: 1 },
        kinds: &["char_read", "checkpoint", "char_write", "clock", "digest", "interrupt"],
    });
}

/// A CPU that sleeps in real time between the ticks of its timer, with input in between, up to a limit.
#[test]
fn a_sleeping_run_recorded_under_any_interleaving_replays_under_any() {
    let case = Case {
        name: "a sleeping run",
        toy: Toy::new(vec![Op::Unmask, Op::Wait, Op::Receive], Some(9)),
        digest_every: 0,
        timing: Timing::Sleep,
        limits: Limits { icount: u64::MAX, cycles: 30 },
        typing: Typing::Types,
    };
    case.holds(Floors {
        recording: Bounds { preemptions: 2, at_least: 1 },
        distinct_logs: 1,
        replaying: Bounds { preemptions: 2, at_least: 1 },
        kinds: &["char_read", "checkpoint", "clock", "interrupt"],
    });
}

/// A run that the user stops at any moment and takes up again is one recording.
#[test]
fn a_stopped_run_recorded_under_any_interleaving_replays_under_any() {
    let case = Case {
        name: "a stopped run",
        toy: Toy::new(vec![Op::Unmask, Op::Clock, Op::Receive, Op::Print, Op::ShutDown], Some(7)),
        digest_every: 2,
        timing: Timing::Jump,
        limits: Limits::NONE,
        typing: Typing::Stops,
    };
    case.holds(Floors {
        recording: Bounds { preemptions: 2, at_least: 1 },
        distinct_logs: 1,
        replaying: Bounds { preemptions: 2, at_least: 1 },
        kinds: &["char_read", "checkpoint", "char_write", "clock", "digest", "interrupt", "shutdown"],
    });
}
