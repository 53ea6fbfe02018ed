//! The main theorem, bounded: a run recorded under every interleaving replays under every interleaving to the same
//! state, and consumes the whole log. Run with `make loom`.
//!
//! A replay knows of its recording nothing but the log. So each recording interleaving is explored once, the distinct
//! logs that come out are collected, and each of them is replayed under every interleaving: what the product of both
//! would show, without its cost.

use super::common::explore::{Bounds, explore, explore_quietly};
use super::common::{Desk, NoisyHost, Op, Outcome, Rig, SlowDiskHost, SteadyHost, Toy, typed};
use rreplay::engine::{HostCalls, Limits, Scheduler, StopReason, Timing};
use rreplay::events::{AsyncEvent, InputEvent};
use rreplay::host::HostInput;
use rreplay::log::event::Event;
use rreplay::nondet::ShutdownCause;
use rreplay::replay::MemoryLog;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// A run to be recorded.
#[derive(Clone)]
struct Case {
    name: &'static str,
    toy: Toy,
    digest_every: u64,
    timing: Timing,
    limits: Limits,
    /// The host of a desk.
    host: fn(&Desk) -> Box<dyn HostCalls>,
    /// What another thread does meanwhile.
    typing: fn(&Rig),
    /// Whether a CPU that waits keeps waiting until that is done.
    gate: bool,
}

/// How much there must be to explore.
struct Floors {
    recording: Bounds,
    distinct_logs: usize,
    replaying: Bounds,
    /// Kinds of events that must be in the logs.
    kinds: &'static [&'static str],
}

type Logs = BTreeMap<String, (MemoryLog, Outcome)>;

impl Case {
    /// Records on two threads, with a third that types.
    fn record(&self) -> (MemoryLog, Outcome) {
        let desk = Desk::default();
        let host = (self.host)(&desk);
        let rig = rreplay::sync::Arc::new(Rig::recording_at(desk, self.toy.clone(), self.digest_every, host));
        let gate = self.gate.then(|| HostInput::open_gate(&rig.desk.input));
        let (typed_to, typing) = (rig.clone(), self.typing);
        let typist = loom::thread::spawn(move || {
            typing(&typed_to);
            drop(gate);
        });
        while rig.run(Scheduler::Threads, self.limits, self.timing).expect("recording does not fail")
            == StopReason::Interrupted
        {}
        typist.join().unwrap();
        let (_, outcome) = rig.finish();
        (rig.log(), outcome)
    }

    /// Every log that comes out of a recording interleaving, each with the state it ends in.
    fn logs(&self, bounds: Bounds) -> (usize, Logs) {
        let logs = Arc::new(Mutex::new(Logs::new()));
        let (case, keep) = (self.clone(), logs.clone());
        let executions = explore(&format!("{}, recording", self.name), bounds, move || {
            let (log, outcome) = case.record();
            let inline = Rig::playing_log(case.toy.clone(), log.clone());
            inline.play_out(Scheduler::Inline).expect("what was recorded replays");
            assert_eq!(inline.outcome(), outcome);
            let key = format!("{:?}", log.events);
            let before = keep.lock().unwrap().insert(key, (log, outcome.clone()));
            assert!(before.is_none_or(|(_, before)| before == outcome), "one log, two states");
        });
        let logs = std::mem::take(&mut *logs.lock().unwrap());
        (executions, logs)
    }

    /// Replays a log on two threads, with a third whose typing must be dropped.
    fn replay(&self, bounds: Bounds, log: &MemoryLog, outcome: &Outcome) -> usize {
        let (toy, log, outcome) = (self.toy.clone(), log.clone(), outcome.clone());
        explore_quietly(bounds, move || {
            let rig = Rig::playing_log(toy.clone(), log.clone());
            let desk = rig.desk.clone();
            let typist = loom::thread::spawn(move || desk.send(b"not from the log"));
            rig.play_out(Scheduler::Threads).expect("what was recorded replays");
            typist.join().unwrap();
            assert_eq!(rig.outcome(), outcome);
            let mut vm = rig.engine.lock("test");
            let left = vm.replay.peek().expect("memory is readable").map(|left| left.event.clone());
            assert_eq!(left, Some(Event::End), "the log is consumed up to its end");
        })
    }

    fn holds(&self, floors: Floors) {
        let (recorded, logs) = self.logs(floors.recording);
        let mut kinds: Vec<&str> =
            logs.values().flat_map(|(log, _)| &log.events).map(|event| event.event.kind().name()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let missing: Vec<_> = floors.kinds.iter().filter(|kind| !kinds.contains(kind)).collect();
        assert!(missing.is_empty(), "{}: no log has {missing:?}, only {kinds:?}", self.name);
        assert!(logs.len() >= floors.distinct_logs, "{}: only {} distinct logs", self.name, logs.len());
        let replayed: usize =
            logs.values().map(|(log, outcome)| self.replay(floors.replaying, log, outcome)).sum();
        println!(
            "loom: {}: {recorded} recording interleavings gave {} distinct logs, replayed under {replayed} \
             interleavings at preemption bound {}",
            self.name,
            logs.len(),
            floors.replaying.preemptions()
        );
        floors.replaying.require(self.name, replayed);
    }
}

fn noise(_desk: &Desk) -> Box<dyn HostCalls> {
    Box::new(NoisyHost(1))
}

fn steady_time(_desk: &Desk) -> Box<dyn HostCalls> {
    Box::new(SteadyHost::default())
}

fn slow_disk(desk: &Desk) -> Box<dyn HostCalls> {
    Box::new(SlowDiskHost::new(desk))
}

/// All that a guest can ask for and have answered at once, deferred calls, a timer, and a packet of input and bytes that
/// come at any moment.
#[test]
fn a_busy_run_recorded_under_any_interleaving_replays_under_any() {
    let program = vec![
        Op::Unmask,
        Op::CallBack,
        Op::Receive,
        Op::Clock,
        Op::Print,
        Op::Unmask,
        Op::Random,
        Op::Play,
        Op::Listen,
        Op::ReadAll,
        Op::Receive,
        Op::CallBackOnce,
        Op::Break,
        Op::ShutDown,
    ];
    let case = Case {
        name: "a busy run",
        toy: Toy::new(program, Some(9)),
        digest_every: 0,
        timing: Timing::Jump,
        limits: Limits::NONE,
        host: noise,
        typing: |rig| {
            rig.desk.input.push(AsyncEvent::Input(InputEvent::Key { keycode: 30, down: true }));
            rig.desk.input.push(AsyncEvent::InputSync);
        },
        gate: false,
    };
    case.holds(Floors {
        recording: Bounds { preemptions: 2, at_least: 2_310 },
        distinct_logs: 26,
        replaying: Bounds::by_depth((1, 4_300), (2, 135_000)),
        kinds: &[
            "audio_in",
            "audio_out",
            "bh",
            "bh_oneshot",
            "char_read_all_error",
            "char_write",
            "checkpoint",
            "clock",
            "digest",
            "end",
            "exception",
            "input",
            "input_sync",
            "interrupt",
            "random",
            "shutdown",
        ],
    });
}

/// A CPU that waits for its disk, whose answers come in another order than they were asked for, and for a network and a
/// line, without any timer, so that time stands still meanwhile.
#[test]
fn a_waiting_run_recorded_under_any_interleaving_replays_under_any() {
    let program = vec![Op::Disk, Op::Disk, Op::Wait, Op::Receive, Op::Print, Op::Unmask];
    let case = Case {
        name: "a waiting run",
        toy: Toy::new(program, None),
        digest_every: 5,
        timing: Timing::Jump,
        limits: Limits { icount: 14, cycles: u64::MAX },
        host: slow_disk,
        typing: |rig| {
            rig.desk.input.push(AsyncEvent::Net { device: 0, flags: 0, bytes: b"packet".to_vec() });
            rig.desk.send(b"y");
        },
        gate: true,
    };
    case.holds(Floors {
        recording: Bounds { preemptions: 2, at_least: 15_700 },
        distinct_logs: 315,
        replaying: Bounds { preemptions: 1, at_least: 23_800 },
        kinds: &["block", "char_read", "char_write", "checkpoint", "digest", "interrupt", "net"],
    });
}

/// A CPU that sleeps in real time between the ticks of a timer on the virtual clock, with a timer on each host clock,
/// and input in between, up to a limit.
#[test]
fn a_sleeping_run_recorded_under_any_interleaving_replays_under_any() {
    let toy = Toy::new(vec![Op::Unmask, Op::Wait, Op::Receive], Some(9));
    let case = Case {
        name: "a sleeping run",
        toy: Toy { alarms: [Some(20_000), Some(60_000)], ..toy },
        digest_every: 0,
        timing: Timing::Sleep,
        limits: Limits { icount: u64::MAX, cycles: 30 },
        host: steady_time,
        typing: |rig| rig.desk.send(b"x"),
        gate: false,
    };
    case.holds(Floors {
        recording: Bounds { preemptions: 2, at_least: 1_310 },
        distinct_logs: 6,
        replaying: Bounds::by_depth((1, 500), (2, 10_400)),
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
        host: noise,
        typing: |rig| {
            rig.desk.send(b"x");
            rig.desk.stop();
        },
        gate: false,
    };
    case.holds(Floors {
        recording: Bounds { preemptions: 2, at_least: 2_150 },
        distinct_logs: 10,
        replaying: Bounds::by_depth((1, 1_660), (2, 49_900)),
        kinds: &["char_read", "checkpoint", "char_write", "clock", "digest", "interrupt", "shutdown"],
    });
}

/// A guest that suspends itself, a host that resets it at any moment, and somebody who asks for a snapshot.
#[test]
fn a_reset_run_recorded_under_any_interleaving_replays_under_any() {
    let case = Case {
        name: "a reset run",
        toy: Toy::new(vec![Op::Clock, Op::Suspend, Op::Receive, Op::Print, Op::Unmask], Some(11)),
        digest_every: 0,
        timing: Timing::Jump,
        limits: Limits { icount: 6, cycles: u64::MAX },
        host: noise,
        typing: |rig| {
            rig.engine.lock("asking").replay.request_snapshot().expect("it is recorded");
            rig.desk.input.shut_down(ShutdownCause::HostReset);
            rig.desk.input.push(typed(b"z"));
        },
        gate: false,
    };
    case.holds(Floors {
        recording: Bounds { preemptions: 2, at_least: 2_390 },
        distinct_logs: 56,
        replaying: Bounds::by_depth((1, 4_840), (2, 108_000)),
        kinds: &["char_read", "checkpoint", "clock", "digest", "interrupt", "shutdown", "snapshot"],
    });
}
