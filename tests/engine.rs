//! The engine and the state machine on a toy guest: what was recorded replays under both schedulers.
#![cfg(not(any(feature = "loom", feature = "shuttle")))]

mod common;

use common::{CHAIN_CALLS, Op, Outcome, Rig, Script, Toy, play, record, record_with};
use proptest::prelude::*;
use rreplay::engine::{HostCalls, Limits, RunError, Scheduler, StuckTimer, Timing, VcpuAction};
use rreplay::log::event::{AsyncEvent, Event, StampedEvent};
use rreplay::nondet::{AudioRead, BlockRequest, BlockResult, CharId, CharWritten, ClockKind, Owner};
use rreplay::replay::ReplayError;

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => Just(Op::Work),
        2 => Just(Op::Clock),
        2 => Just(Op::Print),
        3 => Just(Op::Receive),
        1 => Just(Op::Wait),
        1 => Just(Op::Mask),
        2 => Just(Op::Unmask),
        1 => Just(Op::Random),
        1 => Just(Op::Break),
        1 => Just(Op::Disk),
        1 => Just(Op::CallBack),
        1 => Just(Op::CallBackOnce),
        1 => Just(Op::Suspend),
    ]
}

fn scheduler() -> impl Strategy<Value = Scheduler> {
    prop_oneof![Just(Scheduler::Inline), Just(Scheduler::Threads)]
}

fn limits() -> impl Strategy<Value = Vec<Limits>> {
    let limit = (1u64..120, any::<bool>());
    prop::collection::vec(limit, 1..8).prop_map(|steps| {
        let mut total = 0;
        let limit = |(step, by_cycles)| {
            total += step;
            if by_cycles {
                Limits { icount: u64::MAX, cycles: total * 3 }
            } else {
                Limits { icount: total, cycles: total * 40 }
            }
        };
        steps.into_iter().map(limit).collect()
    })
}

fn check(toy: &Toy, events: &[StampedEvent], recorded: &Outcome) {
    for scheduler in [Scheduler::Inline, Scheduler::Threads] {
        let replayed = play(toy.clone(), events.to_vec(), scheduler);
        let replayed = replayed.unwrap_or_else(|error| panic!("{}: {error}\n{events:#?}", scheduler.name()));
        assert_eq!(&replayed, recorded, "under {}", scheduler.name());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_was_recorded_replays(
        program in prop::collection::vec(op(), 1..30),
        period in prop::option::of(5u64..200),
        digest_every in 0u64..40,
        scheduler in scheduler(),
        seed in any::<u64>(),
        typed in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..4), 0..6),
        limits in limits(),
        sleeps in any::<bool>(),
    ) {
        let toy = Toy::new(program, period);
        let chunks: Vec<&[u8]> = typed.iter().map(Vec::as_slice).collect();
        let mut script = Script::typing(&chunks);
        // The toy's host clock is noise: a sleep may seem to take no time, ages, or less than none.
        let timing = if sleeps { Timing::Sleep } else { Timing::Jump };
        let (events, recorded) =
            record_with(toy.clone(), seed, digest_every, scheduler, &mut script, &limits, timing);
        prop_assert_eq!(&events.last().map(|last| &last.event), &Some(&Event::End));
        check(&toy, &events, &recorded);
    }

    #[test]
    fn a_log_with_one_event_dropped_shifted_or_doubled_never_replays_well(
        program in prop::collection::vec(op(), 4..20),
        period in 20u64..100,
        seed in any::<u64>(),
        pick in any::<prop::sample::Index>(),
        change in 0..3,
    ) {
        let toy = Toy::new(program, Some(period));
        let mut script = Script::typing(&[b"a", b"b", b"c"]);
        let limits = [Limits { icount: 300, cycles: 3000 }];
        let (mut events, recorded) = record(toy.clone(), seed, 50, Scheduler::Inline, &mut script, &limits);
        // A digest that is left out or doubled changes nothing that the guest could notice; the others must be caught.
        let candidates: Vec<usize> = (0..events.len())
            .filter(|&index| !matches!(events[index].event, Event::Digest(_) | Event::End))
            .collect();
        let index = *pick.get(&candidates);
        match change {
            0 => { events.remove(index); }
            1 => { events[index].position.icount += 1; events[index].position.cycles += 1; }
            _ => { let double = events[index].clone(); events.insert(index, double); }
        }
        match play(toy, events, Scheduler::Inline) {
            Err(RunError::Replay(ReplayError::Divergence(_))) => {}
            Err(other) => prop_assert!(false, "not a divergence: {other}"),
            // Without effect on the machine: only the mark of how the recording ended, or of an idle CPU.
            Ok(outcome) => prop_assert_eq!(outcome, recorded),
        }
    }
}

#[test]
fn input_while_the_cpu_waits_comes_at_its_cycle() {
    let toy = Toy::new(vec![Op::Work, Op::Wait, Op::Receive, Op::Unmask], Some(1000));
    let mut script = Script::typing(&[b"x", b"y", b"z"]);
    let limits = [300, 333, 337, 2000, 5000].map(|cycles| Limits { icount: u64::MAX, cycles });
    let (events, recorded) = record(toy.clone(), 5, 0, Scheduler::Inline, &mut script, &limits);
    let idle_inputs = events.iter().filter(|event| matches!(event.event, Event::Async(_))).count();
    assert_eq!(idle_inputs, 3);
    check(&toy, &events, &recorded);
}

/// A host whose clock is too coarse to show a short sleep.
struct CoarseHost;

impl HostCalls for CoarseHost {
    fn clock(&mut self, _kind: ClockKind) -> i64 {
        5
    }

    fn random(&mut self, _buffer: &mut [u8]) -> i32 {
        0
    }

    fn char_write(&mut self, _device: CharId, bytes: &[u8]) -> CharWritten {
        CharWritten { result: bytes.len() as i32, offset: bytes.len() as u32 }
    }
}

#[test]
fn a_sleeper_that_is_woken_at_once_sleeps_on() {
    let rig = Rig::recording(Toy::new(vec![Op::Wait], Some(1000)), 0, Box::new(CoarseHost));
    let mut vm = rig.engine.lock("test");
    vm.begin_run(Limits::NONE);
    vm.timing = Timing::Sleep;
    vm.iterations_per_quantum = 1;
    let slept = (0..10).filter(|_| matches!(vm.run_vcpu_quantum(), VcpuAction::Rest(Some(_)))).count();
    // The first turn runs the CPU until it waits.
    assert_eq!(slept, 9);
    assert!(
        vm.guest.position.cycles < 1000,
        "the virtual clock has leapt to the timer, and no time has passed"
    );
}

/// As a damaged state may have it. The run has to end: nobody would ever come past the timer.
#[test]
fn a_timer_that_stays_due_is_an_error_that_names_its_device() {
    let mut toy = Toy::new(vec![Op::Work], Some(0));
    toy.timer_due = 5;
    let rig = Rig::recording(toy, 0, Box::new(CoarseHost));
    let mut vm = rig.engine.lock("test");
    vm.begin_run(Limits::NONE);
    let error = loop {
        match vm.run_vcpu_quantum() {
            VcpuAction::Continue => {}
            VcpuAction::Done(Err(error)) => break error,
            other => panic!("{other:?}"),
        }
    };
    let at = vm.guest.position.cycles;
    assert!(matches!(&error, ReplayError::StuckTimer(StuckTimer { device, due: 5, .. }) if device == "toy"));
    assert_eq!(
        error.to_string(),
        format!(
            "the timer of device \"toy\" is due at cycle 5 and still is after it has run at cycle {at}: its state was \
             restored from a damaged snapshot, so restore another one"
        )
    );
    assert_eq!(rreplay::error::Error::from(error).class(), "SnapshotError");
}

#[test]
fn where_nothing_is_attached_the_guest_is_told_so() {
    const ENXIO: i32 = 6;
    let mut host = CoarseHost;
    assert_eq!(host.char_read_all(CharId(0), &mut [0; 4]), -ENXIO);
    assert_eq!(host.audio_out(&[1; 7]), 7, "all is taken, and nobody hears it");
    let mut samples = [1; 7];
    assert_eq!(host.audio_in(&mut samples), AudioRead { recorded: 7, write_position: 0 });
    assert_eq!(samples, [0; 7], "silence");
    let request = BlockRequest::Flush;
    assert_eq!(host.block(1, Owner(0), &request), Some(BlockResult { result: -ENXIO, data: Vec::new() }));
}

/// The last instruction asks for a call which asks for another: all of them are the recording's, before its end.
#[test]
fn calls_that_ask_for_calls_at_the_end_are_recorded() {
    let toy = Toy::new(vec![Op::CallChain, Op::Work], None);
    let rig = Rig::recording(toy.clone(), 0, Box::new(CoarseHost));
    {
        let mut vm = rig.engine.lock("test");
        vm.begin_run(Limits { icount: 1, cycles: u64::MAX });
        vm.iterations_per_quantum = 1;
        assert!(matches!(vm.run_vcpu_quantum(), VcpuAction::Continue));
    }
    let (events, outcome) = rig.finish();
    let calls = events.iter().filter(|event| matches!(event.event, Event::Async(AsyncEvent::Bh { .. })));
    assert_eq!(calls.count(), usize::from(CHAIN_CALLS));
    assert_eq!(play(toy, events, Scheduler::Inline).unwrap(), outcome);
}
