//! Every row of the mode table on a real board: programs for the probe reach all that a guest may ask of the outside,
//! and hosts do all that they may do. What is recorded replays under both schedulers, in slices and from each snapshot.

use super::probe_support::*;
use rreplay::bus::{Exception, Interrupt};
use rreplay::devices::probe::{self, Command, Happened};
use rreplay::engine::Scheduler;
use rreplay::events::{AsyncEvent, Checkpoint, InputEvent};
use rreplay::log::{Event, EventKind};
use rreplay::nondet::{CharId, ClockKind, ShutdownCause};
use rreplay::persist::Value;
use rreplay::session::RunRequest;
use rreplay_kit::{CpuChoice, HostConfig};
use std::collections::BTreeSet;

fn is_async(event: &Event, kind: EventKind) -> bool {
    matches!(event, Event::Async(event) if event.kind() == kind)
}

/// Everything that is answered at once, over and over.
fn questions() -> Made {
    let code = Code::new();
    let again = code.here();
    let code = code
        .command(Command::HOST_CLOCK, 0)
        .command(Command::VIRTUAL_RT_CLOCK, 0)
        .command(Command::RANDOM, 9)
        .keep(probe::DATA, 0x30)
        .pending(b"hello")
        .command(Command::CHAR_WRITE, 0)
        .keep(probe::RESULT, 0x31)
        .command(Command::CHAR_READ_ALL, 20)
        .keep(probe::RESULT + 3, 0x32)
        .pending(&[1, 2, 3, 4, 5, 6, 7, 8])
        .command(Command::AUDIO_OUT, 0)
        .command(Command::AUDIO_IN, 16)
        .keep(probe::HASH, 0x33)
        .jump(again);
    let bench = Bench::recorded(&code, HostConfig::Lively);
    bench.instructions(2000);
    bench.finish()
}

#[test]
fn what_hosts_answer_at_once_replays_with_partial_and_failed_answers() {
    let made = questions().check();
    let count = |holds: fn(&Event) -> bool| made.count(holds);
    assert!(count(|event| matches!(event, Event::Clock { kind: ClockKind::Host, .. })) > 10);
    assert!(count(|event| matches!(event, Event::Clock { kind: ClockKind::VirtualRt, .. })) > 10);
    assert!(count(|event| matches!(event, Event::Random { result: 0, bytes } if bytes.len() == 9)) > 0);
    assert!(count(|event| matches!(event, Event::Random { result: -5, .. })) > 0);
    assert!(count(|event| matches!(event, Event::CharReadAll { device: CharId(3), .. })) > 0);
    assert!(count(|event| matches!(event, Event::CharReadAllError { device: CharId(3), error: -11 })) > 0);
    let written = |result: i32, offset: u32| {
        made.count(
            |event| matches!(event, Event::CharWrite { written, .. } if (written.result, written.offset) == (result, offset)),
        )
    };
    for (result, offset) in [(5, 5), (2, 2), (-11, 0), (-5, 2)] {
        assert!(written(result, offset) > 0, "no write ended with {result} at {offset}");
    }
    assert!(count(|event| matches!(event, Event::AudioOut { frames: 1..4 })) > 0, "sound taken in part");
    assert!(count(|event| matches!(event, Event::AudioIn { recorded: 1..16, .. })) > 0);
}

/// Requests that end late and in another order, some at once, one that fails and one that never ends.
fn disk() -> Made {
    let code = Code::new().pending(b"sector").command(Command::BLOCK_WRITE, 3);
    let code = [3, 4, 5, 6, 99].iter().fold(code, |code, sector| code.command(Command::BLOCK_READ, *sector));
    let code = code.command(Command::BLOCK_FLUSH, 0).set(probe::ENABLE, Happened::BLOCK).cli();
    let again = code.here();
    let code = code.wai().keep(probe::DATA, 0x30).jump(again);
    let bench = Bench::recorded(&code, HostConfig::Steady);
    bench.cycles(500);
    let mut completions = bench.host.complete(1);
    completions.remove(0);
    for completion in completions {
        bench.arrive(vec![completion]);
        bench.cycles(100);
    }
    bench.finish()
}

#[test]
fn block_requests_complete_late_in_any_order_and_replay_without_the_image() {
    let made = disk().check();
    let ids: Vec<u64> = made
        .events()
        .iter()
        .filter_map(|event| match event.event {
            Event::Async(AsyncEvent::Block { id, .. }) => Some(id),
            _ => None,
        })
        .collect();
    assert_eq!(ids.len(), 6, "{ids:?}");
    assert!(ids.windows(2).any(|two| two[0] > two[1]), "all in order: {ids:?}");
    assert_eq!(field(&made.session, "outstanding"), Value::Unsigned(1));
    let failed = |event: &Event| matches!(event, Event::Async(AsyncEvent::Block { result: -5, data, .. }) if data.is_empty());
    assert_eq!(made.count(failed), 1, "sector 99 is not there");
}

/// Packets out, back, and from elsewhere; one for a device that is not there.
fn network() -> Made {
    let code = Code::new().set(probe::ENABLE, Happened::PACKET).cli();
    let again = code.here();
    let code = code.pending(b"ping").command(Command::NET_SEND, 0x0102).wai().jump(again);
    let bench = Bench::recorded(&code, HostConfig::Steady);
    for round in 0..5_u8 {
        bench.cycles(300);
        bench.arrive(bench.host.packets());
        bench.arrive(vec![
            AsyncEvent::Net { device: 0, flags: 7, bytes: vec![round; 3] },
            AsyncEvent::Net { device: 1, flags: 7, bytes: b"nobody".to_vec() },
        ]);
    }
    bench.cycles(300);
    bench.finish()
}

#[test]
fn packets_replay_and_those_for_nobody_are_dropped() {
    let made = network().check();
    let net = |event: &Event| matches!(event, Event::Async(AsyncEvent::Net { .. }));
    let echo =
        |event: &Event| matches!(event, Event::Async(AsyncEvent::Net { bytes, .. }) if bytes == b"gnip");
    assert_eq!(made.count(net), 10);
    assert_eq!(made.count(echo), 5);
}

#[test]
fn a_machine_that_is_not_recorded_gets_its_packets_too() {
    let bench = Bench::unrecorded(&Code::new().stay(), HostConfig::Steady);
    bench.arrive(vec![AsyncEvent::Net { device: 0, flags: 3, bytes: b"new".to_vec() }]);
    bench.instructions(10);
    assert_eq!(bench.field("status"), Value::Unsigned(Happened::PACKET.into()));
    let copy = bench.session.copy();
    copy.arrive(AsyncEvent::Net { device: 0, flags: 4, bytes: b"copied".to_vec() }).unwrap();
    copy.run(RunRequest { instructions: Some(1), ..RunRequest::default() }, &mut || false).unwrap();
    assert_eq!(field(&copy, "result"), Value::Unsigned(4));
}

/// Keys and movements in packets, and bytes for each character device.
fn input() -> Made {
    let code = Code::new().set(probe::ENABLE, Happened::INPUT | Happened::RECEIVED).cli();
    let again = code.here();
    let code = code.inc(0x40).keep(probe::LENGTH, 0x30).jump(again);
    let bench = Bench::recorded(&code, HostConfig::Steady);
    bench.instructions(33);
    bench.arrive(vec![
        AsyncEvent::Input(InputEvent::Key { keycode: 300, down: true }),
        AsyncEvent::Input(InputEvent::Rel { axis: 1, value: -5 }),
        AsyncEvent::InputSync,
        AsyncEvent::Input(InputEvent::Button { button: 2, down: false }),
        AsyncEvent::Input(InputEvent::Abs { axis: 0, value: 70_000 }),
    ]);
    bench.instructions(20);
    // The packet ends later.
    bench.arrive(vec![AsyncEvent::InputSync]);
    bench.instructions(20);
    bench.session.send(b"typed").unwrap();
    bench.arrive(vec![AsyncEvent::CharRead { device: CharId(3), bytes: b"for the probe".to_vec() }]);
    bench.instructions(500);
    bench.finish()
}

#[test]
fn input_comes_in_packets_and_bytes_to_each_device() {
    let made = input().check();
    assert_eq!(made.count(|event| is_async(event, EventKind::Input)), 4);
    assert_eq!(made.count(|event| is_async(event, EventKind::InputSync)), 2);
    assert_eq!(made.count(|event| is_async(event, EventKind::CharRead)), 2);
    assert_eq!(made.session.memory(IRQ_COUNT, 1), [3]);
}

/// Deferred calls of both kinds, some of which ask for another.
fn calls() -> Made {
    let code = Code::new().set(probe::ENABLE, Happened::CALL).cli();
    let again = code.here();
    let code = code
        .command(Command::CALL, 0)
        .command(Command::CALL_ONESHOT, 0)
        .action(Command::CALL_ONESHOT, 0)
        .command(Command::CALL, 0)
        .action(Command::HOST_CLOCK, 0)
        .command(Command::CALL, 0)
        .jump(again);
    let bench = Bench::recorded(&code, HostConfig::Lively);
    bench.instructions(400);
    bench.finish()
}

#[test]
fn deferred_calls_come_at_the_next_boundary_and_may_ask_for_more() {
    let made = calls().check();
    let events = made.events();
    let scheduled = |event: &Event| match event {
        Event::Async(AsyncEvent::Bh { id } | AsyncEvent::BhOneshot { id }) => Some(*id),
        _ => None,
    };
    let mut both = BTreeSet::new();
    for event in &events {
        if let Some(id) = scheduled(&event.event) {
            both.insert(event.event.kind());
            // Scheduled by the instruction before, or by a call at the same boundary.
            assert!(event.position.icount - id <= 1, "{event}");
        }
    }
    assert_eq!(both.len(), 2);
    let follow = |two: &[rreplay::log::StampedEvent]| {
        two[0].position == two[1].position
            && is_async(&two[0].event, EventKind::Bh)
            && is_async(&two[1].event, EventKind::BhOneshot)
    };
    assert!(events.windows(2).any(follow), "a call that asked for a call");
}

/// One alarm on each of the three clocks, over and over.
fn alarms() -> Made {
    let bits = Happened::ALARM | Happened::HOST_ALARM | Happened::VIRTUAL_RT_ALARM;
    let code = Code::new();
    let again = code.here();
    let code = code
        .command(Command::ALARM, 50)
        .command(Command::HOST_ALARM, 900)
        .command(Command::VIRTUAL_RT_ALARM, 900)
        .wait_for(Happened::ALARM)
        .wait_for(Happened::HOST_ALARM)
        .wait_for(Happened::VIRTUAL_RT_ALARM)
        .set(probe::STATUS, bits)
        .inc(0x40)
        .jump(again);
    let bench = Bench::recorded(&code, HostConfig::Lively);
    for _ in 0..400 {
        bench.instructions(20);
    }
    bench.finish()
}

#[test]
fn timers_on_all_three_clocks_pass_their_checkpoints() {
    let made = alarms().check();
    assert!(made.session.memory(0x40, 1)[0] > 3, "rounds");
    let events = made.events();
    for (checkpoint, clock) in
        [(Checkpoint::ClockHost, ClockKind::Host), (Checkpoint::ClockVirtualRt, ClockKind::VirtualRt)]
    {
        let mut processed = 0;
        for two in events.windows(2).filter(|two| two[0].event == Event::Checkpoint(checkpoint)) {
            // The list is processed with the clock as it is read behind the checkpoint.
            assert!(matches!(two[1].event, Event::Clock { kind, .. } if kind == clock), "{}", two[1]);
            processed += 1;
        }
        assert!(processed > 3, "{checkpoint}: {processed}");
    }
    assert!(made.count(|event| *event == Event::Checkpoint(Checkpoint::ClockVirtual)) > 3);
}

/// Suspends itself, and is woken by a packet, an alarm and a host's clock.
fn suspended() -> Made {
    let code = Code::new();
    let again = code.here();
    let code = code
        .command(Command::SUSPEND, 0)
        .inc(0x40)
        .command(Command::ALARM, 200)
        .set(probe::ENABLE, Happened::ALARM)
        .command(Command::SUSPEND, 0)
        .inc(0x41)
        .set(probe::ENABLE, 0)
        .set(probe::STATUS, 0xFF)
        .jump(again);
    let bench = Bench::recorded(&code, HostConfig::Steady);
    for _ in 0..3 {
        bench.cycles(500);
        assert_eq!(bench.byte(0x40), bench.byte(0x41), "it stands still");
        bench.arrive(vec![AsyncEvent::Net { device: 0, flags: 0, bytes: vec![] }]);
    }
    bench.cycles(500);
    assert_eq!((bench.byte(0x40), bench.byte(0x41)), (3, 3));
    bench.finish()
}

#[test]
fn a_guest_that_suspends_itself_stands_still_until_something_wakes_it() {
    let made = suspended().check();
    let checkpoints = made.count(|event| *event == Event::Checkpoint(Checkpoint::SuspendRequested));
    assert_eq!(checkpoints, 7);
}

/// The guest asks for a reset, a shutdown and reports a panic, each from an instruction.
fn guest_requests() -> Made {
    let code = Code::new().inc(0x40).bytes(&[0xA5, 0x40, 0xC9, 0x02]); // LDA $40, CMP #2
    let code = code.bytes(&[0xF0, 0x12]); // BEQ behind the reset
    let code = code.command(Command::RESET, 0).jump(START);
    let code = code.command(Command::SHUTDOWN, 0).command(Command::PANIC, 0).stay();
    let bench = Bench::recorded(&code, HostConfig::Steady);
    let stop = bench.run(RunRequest { instructions: Some(100), ..RunRequest::default() });
    assert_eq!((stop.reason, stop.shutdown), ("shutdown", Some("guest_shutdown")));
    let stop = bench.run(RunRequest { instructions: Some(100), ..RunRequest::default() });
    assert_eq!((stop.reason, stop.shutdown), ("shutdown", Some("guest_panic")));
    assert_eq!(bench.byte(0x40), 2, "reset once");
    bench.finish()
}

#[test]
fn what_the_guest_asks_for_acts_at_its_instruction() {
    let made = guest_requests().check();
    let logged = |cause| made.count(|event| *event == Event::Shutdown(cause));
    for cause in [ShutdownCause::GuestReset, ShutdownCause::GuestShutdown, ShutdownCause::GuestPanic] {
        assert_eq!(logged(cause), 1, "{cause}");
    }
    assert_eq!(logged(ShutdownCause::None), 0);
    assert_eq!(made.count(|event| *event == Event::Checkpoint(Checkpoint::ResetRequested)), 1);
}

/// Every cause that a host can have.
const HOST_CAUSES: [ShutdownCause; 7] = [
    ShutdownCause::HostReset,
    ShutdownCause::SubsystemReset,
    ShutdownCause::HostError,
    ShutdownCause::HostQuit,
    ShutdownCause::HostSignal,
    ShutdownCause::HostUi,
    ShutdownCause::SnapshotLoad,
];

fn host_requests() -> Made {
    let code = Code::new().inc(0x40);
    let again = code.here();
    let bench = Bench::recorded(&code.inc(0x41).jump(again), HostConfig::Steady);
    for cause in HOST_CAUSES {
        bench.instructions(10);
        bench.session.shutdown(cause).unwrap();
        let stop = bench.run(RunRequest { instructions: Some(10), ..RunRequest::default() });
        let expected = if cause.is_reset() { ("budget", None) } else { ("shutdown", Some(cause.name())) };
        assert_eq!((stop.reason, stop.shutdown), expected);
    }
    assert_eq!(bench.byte(0x40), 3, "reset twice");
    bench.finish()
}

#[test]
fn what_a_host_asks_for_acts_where_it_did_and_a_player_ignores_its_own() {
    let made = host_requests().check();
    for cause in HOST_CAUSES {
        assert_eq!(made.count(|event| *event == Event::Shutdown(cause)), 1, "{cause}");
    }
    let session = made.recording.replay().unwrap();
    session.shutdown(ShutdownCause::HostReset).unwrap();
    let within = RunRequest { instructions: Some(1000), ..RunRequest::default() };
    let stop = session.run(within, &mut || false).unwrap();
    assert_eq!(stop.shutdown, Some("host_error"), "the recorded one, at its place");
    assert_eq!(made.count(|event| *event == Event::Checkpoint(Checkpoint::ResetRequested)), 2);
}

/// A program that sleeps in WAI until its alarm, and counts.
fn sleeper() -> Code {
    let code = Code::new().set(probe::ENABLE, Happened::ALARM).cli();
    let again = code.here();
    code.command(Command::ALARM, 300).wai().inc(0x40).jump(again)
}

fn woken(sleep: bool, masked: bool, scheduler: Scheduler) -> Made {
    // With SEI the line wakes the CPU, which goes on without an interrupt.
    let mut code = sleeper();
    if masked {
        let cli = code.0.iter().position(|byte| *byte == 0x58).unwrap();
        code.0[cli] = 0x78;
        let jump = code.0.len() - 3;
        let behind = code.0.split_off(jump);
        code = code.set(probe::STATUS, 0xFF).bytes(&behind);
    }
    let bench = Bench::recorded(&code, HostConfig::Lively);
    for _ in 0..4 {
        let scheduler = Some(scheduler);
        bench.run(RunRequest { cycles: Some(1500), sleep, scheduler, ..RunRequest::default() });
    }
    assert!(bench.byte(0x40) > 5, "it woke {} times", bench.byte(0x40));
    bench.finish()
}

#[test]
fn a_waiting_cpu_wakes_by_a_timer_asleep_or_not() {
    for (sleep, masked, scheduler) in [
        (false, false, Scheduler::Inline),
        (false, true, Scheduler::Threads),
        (true, false, Scheduler::Inline),
        (true, true, Scheduler::Inline),
        (true, false, Scheduler::Threads),
    ] {
        let made = woken(sleep, masked, scheduler).check();
        let count = |wanted: Event| made.count(|event| *event == wanted);
        let accounted = count(Event::Checkpoint(Checkpoint::ClockWarpAccount));
        assert!(count(Event::Checkpoint(Checkpoint::ClockWarpStart)) > 5);
        assert_eq!(accounted > 5, sleep, "{accounted} sleeps were accounted");
        let read = made.count(|event| matches!(event, Event::Clock { kind: ClockKind::VirtualRt, .. }));
        assert_eq!(read > 5, sleep, "the clock of running time was read {read} times");
        let accepted = count(Event::Interrupt(if masked { Interrupt::Wake } else { Interrupt::Irq }));
        assert!(accepted > 5, "accepted {accepted}");
    }
}

#[test]
fn a_cpu_that_waits_for_nothing_but_hosts_is_woken_by_them() {
    let code = Code::new().set(probe::ENABLE, 0xFF).cli().wai().inc(0x40).bytes(&[0xDB]); // STP
    let bench = Bench::recorded(&code, HostConfig::Lively);
    let session = rreplay::sync::Shared::new(bench);
    let gate = session.session.open_gate();
    let (running, sleep) = (session.clone(), true);
    let run = rreplay::sync::spawn("vCPU's user", move || {
        running.run(RunRequest { sleep, scheduler: Some(Scheduler::Threads), ..RunRequest::default() }).reason
    })
    .unwrap();
    session.arrive(vec![AsyncEvent::Net { device: 0, flags: 1, bytes: b"wake".to_vec() }]);
    assert_eq!(run.join().unwrap(), "halted");
    drop(gate);
    let bench = rreplay::sync::Shared::into_inner(session).unwrap();
    assert_eq!(bench.byte(0x40), 1);
    bench.finish().check();
}

/// BRK, STP, JAM, NMI, each with what the CPU does then.
fn exceptions(cpu: CpuChoice, stop: &[u8]) -> Made {
    let code = Code::new().bytes(&[0x00, 0xEA]); // BRK
    let code = code.store(0xC0, 0xC01E).store(20, 0xC014).store(0, 0xC015); // T1 on NMI
    let code = code.bytes(&[0xA0, 20, 0x88, 0xD0, 0xFD]).bytes(stop); // LDY #20, DEY, BNE
    let bench = Bench::of(machine_on(cpu, &code), HostConfig::Steady);
    bench.record(None);
    let reason = bench.instructions(300);
    assert!(["halted", "jammed"].contains(&reason), "{reason}");
    bench.session.reset().unwrap();
    bench.instructions(5);
    bench.finish()
}

#[test]
fn exceptions_and_nmi_replay_on_both_processors() {
    for (cpu, stop, exception) in
        [(CpuChoice::W65c02, 0xDB, Exception::Stop), (CpuChoice::Mos6502, 0x02, Exception::Jam)]
    {
        let made = exceptions(cpu, &[stop]).check();
        assert!(made.count(|event| *event == Event::Exception(Exception::Brk)) > 0);
        assert!(made.count(|event| *event == Event::Exception(exception)) > 0);
        assert!(made.count(|event| *event == Event::Interrupt(Interrupt::Nmi)) > 0);
        assert!(made.count(|event| *event == Event::Interrupt(Interrupt::Reset)) > 0);
    }
}

/// Every kind of event, checkpoint, cause, interrupt and exception that the log knows is in one of the recordings
/// above, all of which replay.
#[test]
fn nothing_that_a_log_can_hold_is_left_out() {
    let recordings = [
        questions(),
        disk(),
        network(),
        input(),
        calls(),
        alarms(),
        suspended(),
        guest_requests(),
        host_requests(),
        woken(true, true, Scheduler::Inline),
        exceptions(CpuChoice::W65c02, &[0xDB]),
        exceptions(CpuChoice::Mos6502, &[0x02]),
        snapshots(),
    ];
    let (mut kinds, mut checkpoints, mut causes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let (mut interrupts, mut exceptions) = (BTreeSet::new(), BTreeSet::new());
    for event in recordings.iter().flat_map(Made::events) {
        kinds.insert(event.event.kind());
        match event.event {
            Event::Checkpoint(checkpoint) => drop(checkpoints.insert(checkpoint)),
            Event::Shutdown(cause) => drop(causes.insert(cause)),
            Event::Interrupt(interrupt) => drop(interrupts.insert(interrupt)),
            Event::Exception(exception) => drop(exceptions.insert(exception)),
            _ => {}
        }
    }
    let missing: Vec<_> = EventKind::ALL.iter().filter(|kind| !kinds.contains(kind)).collect();
    assert!(missing.is_empty(), "no event of the kinds {missing:?}");
    let missing: Vec<_> = Checkpoint::ALL.iter().filter(|one| !checkpoints.contains(one)).collect();
    assert!(missing.is_empty(), "the checkpoints {missing:?} were not passed");
    let missing: Vec<_> = ShutdownCause::ALL.iter().filter(|one| !causes.contains(one)).collect();
    assert!(missing.is_empty(), "no shutdown for {missing:?}");
    assert_eq!(interrupts.len(), Interrupt::ALL.len(), "{interrupts:?}");
    assert_eq!(exceptions.len(), Exception::ALL.len(), "{exceptions:?}");
}

/// Snapshots every 40 instructions, and one that is asked for while a deferred call is on its way.
fn snapshots() -> Made {
    let code = Code::new().set(probe::ENABLE, 0xFF).cli();
    let again = code.here();
    let code = code
        .command(Command::BLOCK_READ, 5)
        .action(Command::CALL, 0)
        .command(Command::ALARM, 100)
        .wai()
        .command(Command::CALL_ONESHOT, 0)
        .command(Command::HOST_CLOCK, 0)
        .jump(again);
    let bench = Bench::unrecorded(&code, HostConfig::Lively);
    bench.record(Some(40));
    bench.instructions(500);
    bench.session.request_snapshot().unwrap();
    bench.instructions(500);
    bench.finish()
}

#[test]
fn every_snapshot_in_a_recording_goes_on_to_the_same_end() {
    let made = snapshots().check();
    assert!(made.recording.snapshots().len() > 20);
}
