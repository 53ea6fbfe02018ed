//! The real lock, the real handshake and the real state machine under every interleaving that loom finds.
//!
//! Run with `make loom`. The guest has a handful of instructions; lock, kick, threads, queue, recorder and player are
//! the ones that machines use.
#![cfg(loom)]

mod common;

use common::{Op, Script, Toy, play, record};
use loom::sync::Arc;
use rreplay::engine::{Limits, ReplayLock, Scheduler};

/// Bounds the number of preemptions in one execution; `LOOM_MAX_PREEMPTIONS` overrides it.
const PREEMPTIONS: usize = 3;

fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    if builder.preemption_bound.is_none() {
        builder.preemption_bound = Some(PREEMPTIONS);
    }
    builder.check(model);
}

/// Mutual exclusion: an increment in two steps loses nothing. First come, first served: who has its ticket before
/// another one draws is served before it.
#[test]
fn the_lock_excludes_and_is_fair() {
    explore(|| {
        let lock = Arc::new(ReplayLock::new((0u32, Vec::new())));
        let threads = ["a", "b"].map(|role| {
            let lock = lock.clone();
            loom::thread::spawn(move || {
                for _ in 0..2 {
                    let mut guard = lock.lock(role);
                    let seen = guard.0;
                    loom::thread::yield_now();
                    guard.0 = seen + 1;
                    guard.1.push(role);
                }
            })
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let guard = lock.lock("test");
        assert_eq!(guard.0, 4);
        assert_eq!(guard.1.len(), 4);
    });
}

/// While one thread holds the lock and another has drawn its ticket, the holder cannot take it again first.
#[test]
fn a_waiter_is_served_before_the_holder_comes_again() {
    explore(|| {
        let lock = Arc::new(ReplayLock::new(Vec::new()));
        let mut guard = lock.lock("holder");
        let waiter = {
            let lock = lock.clone();
            loom::thread::spawn(move || lock.lock("waiter").push("waiter"))
        };
        while !lock.has_waiters() {
            loom::thread::yield_now();
        }
        guard.push("holder");
        drop(guard);
        lock.lock("holder").push("holder again");
        waiter.join().unwrap();
        assert_eq!(*lock.lock("test"), ["holder", "waiter", "holder again"]);
    });
}

/// The bounded main theorem: a run with a timer, an interrupt, a clock read, output, and input that wakes a CPU that
/// waits, recorded under any interleaving of the two threads, replays to the same state and consumes the whole log.
#[test]
fn a_run_recorded_under_any_interleaving_replays() {
    explore(|| {
        let toy = Toy::new(vec![Op::Wait, Op::Clock, Op::Receive, Op::Print, Op::Unmask], None);
        let mut script = Script::typing(&[b"x", b"y"]);
        let (events, recorded) = record(toy.clone(), 1, 3, Scheduler::Threads, &mut script, &[Limits::NONE]);
        let replayed = play(toy, events, Scheduler::Inline).expect("a recorded run replays");
        assert_eq!(replayed, recorded);
    });
}

/// The same with a virtual timer beside the input, ended by a limit.
#[test]
fn timers_and_input_in_any_interleaving_replay() {
    explore(|| {
        let toy = Toy::new(vec![Op::Unmask, Op::Wait, Op::Receive], Some(9));
        let mut script = Script::typing(&[b"x"]);
        let limits = [Limits { icount: u64::MAX, cycles: 30 }];
        let (events, recorded) = record(toy.clone(), 1, 0, Scheduler::Threads, &mut script, &limits);
        let replayed = play(toy, events, Scheduler::Inline).expect("a recorded run replays");
        assert_eq!(replayed, recorded);
    });
}

/// Replaying on two threads: every interleaving gives the same state.
#[test]
fn a_recording_replays_under_any_interleaving() {
    let toy = Toy::new(vec![Op::Wait, Op::Receive, Op::Print, Op::Unmask], None);
    let recorded = std::sync::Arc::new(std::sync::Mutex::new(None));
    let keep = recorded.clone();
    let recorder = toy.clone();
    loom::model(move || {
        // One recording serves: made by the inline scheduler, it is the same in every execution.
        let mut script = Script::typing(&[b"x", b"y"]);
        let run = record(recorder.clone(), 1, 2, Scheduler::Inline, &mut script, &[Limits::NONE]);
        *keep.lock().unwrap() = Some(run);
    });
    let (events, outcome) = recorded.lock().unwrap().take().expect("the model ran");
    explore(move || {
        let replayed = play(toy.clone(), events.clone(), Scheduler::Threads).expect("it replays");
        assert_eq!(replayed, outcome);
    });
}
