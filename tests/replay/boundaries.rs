//! What happens at one instruction boundary: requests from callbacks, recordings that begin or end between a request and
//! its answer, timers whose checkpoint the log does not have, snapshots that come too early.

use super::probe_support::*;
use rreplay::devices::probe::{self, Command, Happened};
use rreplay::engine::Scheduler;
use rreplay::error::Error;
use rreplay::events::{AsyncEvent, Checkpoint};
use rreplay::log::{Event, EventKind, LogWriter, Options, StampedEvent};
use rreplay::nondet::{ClockKind, ShutdownCause};
use rreplay::persist::Value;
use rreplay::recording::Recording;
use rreplay::replay::Found;
use rreplay::session::{RunRequest, Session};
use rreplay_kit::{HostConfig, SmallDisk, TestHosts};

/// A guest whose alarm runs `command` while the CPU waits, and which counts its starts in 40 and its wakings in 41.
fn watchdog(command: u8) -> Code {
    let code = Code::new().inc(0x40).argument(100).set(probe::COMMAND, Command::ALARM);
    code.set(probe::ACTION, command).wai().inc(0x41).stay()
}

#[test]
fn a_watchdog_resets_a_waiting_machine() {
    for scheduler in [Scheduler::Inline, Scheduler::Threads] {
        let bench = Bench::recorded(&watchdog(Command::RESET), HostConfig::Steady);
        bench.run(RunRequest { cycles: Some(1000), scheduler: Some(scheduler), ..RunRequest::default() });
        let starts = bench.byte(0x40);
        assert!(starts > 3, "it was started {starts} times");
        assert_eq!(bench.byte(0x41), 0, "only the watchdog ended the waiting");
        let made = bench.finish().check();
        assert_eq!(
            made.count(|event| *event == Event::Shutdown(ShutdownCause::GuestReset)) as u8,
            starts - 1
        );
    }
}

#[test]
fn a_waiting_machine_can_be_shut_down_by_its_timer() {
    let bench = Bench::recorded(&watchdog(Command::SHUTDOWN), HostConfig::Steady);
    let stop = bench.run(RunRequest { cycles: Some(1000), ..RunRequest::default() });
    assert_eq!((stop.reason, stop.shutdown), ("shutdown", Some("guest_shutdown")));
    assert!(stop.position.cycles < 200, "{}", stop.position);
    bench.finish().check();
}

#[test]
fn a_reset_that_is_asked_for_where_a_run_ends_is_not_lost() {
    // The alarm and its reset come at the boundary at which the run ends.
    let code = watchdog(Command::RESET);
    let whole = Bench::unrecorded(&code, HostConfig::Steady);
    whole.cycles(2000);
    for cut in 90..170 {
        let bench = Bench::unrecorded(&code, HostConfig::Steady);
        bench.cycles(cut);
        bench.cycles(2000 - bench.session.position().cycles);
        assert_eq!(bench.session.digests(), whole.session.digests(), "cut at cycle {cut}");
    }
}

#[test]
fn a_run_that_ends_has_done_all_that_was_asked_for_there() {
    // A packet makes the probe ask for a call, which asks for another one, which suspends the machine.
    let code = Code::new().action(Command::CALL, 0);
    let again = code.here();
    let code = code.inc(0x40).jump(again);
    let bench = Bench::unrecorded(&code, HostConfig::Steady);
    bench.instructions(20);
    bench.arrive(vec![AsyncEvent::Net { device: 0, flags: 0, bytes: vec![1] }]);
    bench.instructions(0);
    assert_eq!(bench.field("status"), Value::Unsigned((Happened::PACKET | Happened::CALL).into()));
    // So nothing is missing in a copy, in a snapshot, or in a recording that begins here.
    let copy = bench.session.copy();
    let snapshot = bench.session.snapshot();
    bench.record(None);
    bench.instructions(50);
    let restored = Bench::unrecorded(&code, HostConfig::Steady);
    restored.session.restore(&snapshot).unwrap();
    restored.instructions(50);
    copy.run(RunRequest { instructions: Some(50), ..RunRequest::default() }, &mut || false).unwrap();
    assert_eq!(restored.session.digests(), bench.session.digests());
    assert_eq!(copy.digests(), bench.session.digests());
    bench.finish().check();
}

#[test]
fn a_recording_may_begin_while_the_disk_works() {
    let code = Code::new().command(Command::BLOCK_READ, 1).command(Command::BLOCK_READ, 2);
    let code = code.command(Command::BLOCK_READ, 3).command(Command::BLOCK_READ, 4);
    let again = code.here();
    let code = code.wait_for(Happened::BLOCK).inc(0x40).command(Command::BLOCK_FLUSH, 0).jump(again);
    let bench = Bench::unrecorded(&code, HostConfig::Steady);
    bench.instructions(60);
    assert!(bench.host.requests_waiting() > 1);
    bench.record(Some(30));
    for order in 0..5 {
        bench.instructions(40);
        bench.arrive(bench.host.complete(order));
    }
    bench.instructions(100);
    assert!(bench.byte(0x40) > 2);
    let made = bench.finish().check();
    let completed = made.count(|event| matches!(event, Event::Async(AsyncEvent::Block { .. })));
    assert!(completed > 4, "{completed}");
}

#[test]
fn a_completion_of_a_request_that_a_restored_machine_never_made_is_dropped() {
    let code = Code::new().command(Command::BLOCK_READ, 1).command(Command::BLOCK_READ, 2);
    let bench = Bench::unrecorded(&code.command(Command::BLOCK_READ, 3).stay(), HostConfig::Steady);
    let snapshot = bench.session.snapshot();
    bench.instructions(40);
    let completions = bench.host.complete(0);
    assert!(!completions.is_empty());
    bench.session.restore(&snapshot).unwrap();
    bench.arrive(completions);
    assert_eq!(bench.instructions(3), "budget");
    assert_eq!(bench.field("count"), Value::Unsigned(0));
    // Its own requests have other numbers.
    bench.instructions(40);
    bench.arrive(bench.host.complete(0));
    bench.instructions(10);
    assert_eq!(bench.field("count"), Value::Unsigned(3));
}

#[test]
fn a_recording_may_end_where_a_suspended_machine_is_woken() {
    let code = Code::new().set(probe::ENABLE, Happened::ALARM).command(Command::ALARM, 100);
    let code = code.command(Command::SUSPEND, 0).inc(0x40).stay();
    for cut in 70..160 {
        let bench = Bench::recorded(&code, HostConfig::Steady);
        bench.cycles(cut);
        bench.finish().check();
    }
}

#[test]
fn a_host_cannot_ask_in_the_guest_s_name() {
    let bench = Bench::recorded(&Code::new().stay(), HostConfig::Steady);
    for cause in [
        ShutdownCause::GuestReset,
        ShutdownCause::GuestShutdown,
        ShutdownCause::GuestPanic,
        ShutdownCause::None,
    ] {
        let error = bench.session.shutdown(cause).unwrap_err();
        assert_eq!(error.class(), "ArgumentError");
        assert!(error.to_string().contains(cause.name()), "{error}");
    }
    assert_eq!(bench.instructions(10), "budget");
    bench.finish().check();
}

/// A recording that has only the events of which this holds, and its `end`.
fn doctored(made: &Made, keep: impl Fn(usize, &StampedEvent) -> bool) -> Recording {
    let disk = SmallDisk::default();
    let sink = Box::new(disk.clone());
    let mut writer =
        LogWriter::with_sink(sink, "<memory>", made.recording.header(), Options::default()).unwrap();
    for (index, event) in made.events().iter().enumerate() {
        if event.event == Event::End || keep(index, event) {
            writer.append(event.position, &event.event).unwrap();
        }
    }
    writer.finish().unwrap();
    Recording::from_bytes(disk.contents(), false).unwrap()
}

fn play(session: &Session) -> Error {
    loop {
        match session.run(RunRequest::default(), &mut || false) {
            Ok(stop) if stop.reason == "end" => panic!("a doctored recording replays"),
            Ok(_) => {}
            Err(error) => return error,
        }
    }
}

#[test]
fn without_its_checkpoint_a_virtual_timer_stays_pending_and_nothing_hangs() {
    let code = Code::new().command(Command::ALARM, 60);
    let again = code.here();
    let bench = Bench::recorded(&code.inc(0x40).jump(again), HostConfig::Steady);
    bench.instructions(100);
    let made = bench.finish();
    let due =
        made.events().into_iter().find(|event| event.event == Event::Checkpoint(Checkpoint::ClockVirtual));
    let due = due.unwrap().position;
    // The digests are left out too: they would say at once that something is missing.
    let is_digest = |event: &Event| matches!(event, Event::Digest(_));
    let checkpoint = Event::Checkpoint(Checkpoint::ClockVirtual);
    let without = doctored(&made, |_, event| event.event != checkpoint && !is_digest(&event.event));
    for scheduler in [Scheduler::Inline, Scheduler::Threads] {
        let session = without.replay().unwrap();
        let request = RunRequest { scheduler: Some(scheduler), ..RunRequest::default() };
        let error = session.run(request, &mut || false).unwrap_err();
        let divergence = error.divergence().unwrap_or_else(|| panic!("{error}"));
        assert!(matches!(divergence.found, Found::Stuck(_)), "{divergence}");
        assert_eq!(session.position(), due);
        assert_eq!(field(&session, "status"), Value::Unsigned(0), "the timer was not run");
        assert!(field(&session, "alarm") != Value::Absent, "the timer is pending");
    }
}

#[test]
fn without_its_checkpoint_a_timer_on_a_host_clock_stays_pending() {
    for (command, checkpoint, name, clock) in [
        (Command::HOST_ALARM, Checkpoint::ClockHost, "host_alarm", ClockKind::Host),
        (Command::VIRTUAL_RT_ALARM, Checkpoint::ClockVirtualRt, "virtual_rt_alarm", ClockKind::VirtualRt),
    ] {
        let code = Code::new().command(command, 5);
        let again = code.here();
        let bench = Bench::recorded(&code.inc(0x40).jump(again), HostConfig::Steady);
        bench.instructions(50);
        bench.host.tick(1000);
        bench.instructions(50);
        assert_eq!(bench.field(name), Value::Absent, "it rang");
        let made = bench.finish().check();
        let events = made.events();
        let passed = events.iter().position(|event| event.event == Event::Checkpoint(checkpoint)).unwrap();
        assert!(matches!(events[passed + 1].event, Event::Clock { kind, .. } if kind == clock));
        let without = doctored(&made, |index, event| {
            index != passed && index != passed + 1 && !matches!(event.event, Event::Digest(_))
        });
        let session = without.replay().unwrap();
        let request = RunRequest { instructions: Some(90), ..RunRequest::default() };
        session.run(request, &mut || false).unwrap();
        assert!(field(&session, name) != Value::Absent, "the timer is pending");
        assert_eq!(field(&session, "status"), Value::Unsigned(0));
    }
}

#[test]
fn each_event_that_is_left_out_is_missed() {
    let code = Code::new().set(probe::ENABLE, 0xFF).cli().command(Command::ALARM, 60);
    let again = code.here();
    let code = code.command(Command::HOST_CLOCK, 0).command(Command::CALL, 0).jump(again);
    let bench = Bench::recorded(&code, HostConfig::Lively);
    bench.instructions(60);
    bench.arrive(vec![AsyncEvent::Net { device: 0, flags: 0, bytes: vec![1] }, AsyncEvent::InputSync]);
    bench.instructions(60);
    let made = bench.finish();
    let events = made.events();
    // Behind the final digest there is only `end`.
    for (index, event) in events[..events.len() - 2].iter().enumerate() {
        let without = doctored(&made, |other, _| other != index);
        let Ok(session) = without.replay() else { continue };
        let error = play(&session);
        assert!(error.divergence().is_some(), "without {event}: {error}");
    }
}

#[test]
fn a_snapshot_that_is_asked_for_too_early_is_taken_at_the_next_flush() {
    // The packet asks for a call: when it is delivered, the call waits, and no snapshot can be taken.
    let code = Code::new().action(Command::CALL_ONESHOT, 0);
    let again = code.here();
    let bench = Bench::recorded(&code.inc(0x40).jump(again), HostConfig::Steady);
    bench.instructions(30);
    bench.arrive(vec![AsyncEvent::Net { device: 0, flags: 0, bytes: vec![9] }]);
    bench.session.request_snapshot_while_running().unwrap();
    bench.instructions(30);
    let made = bench.finish().check();
    let events = made.events();
    let at = |wanted: EventKind| events.iter().position(|event| event.event.kind() == wanted).unwrap();
    let (net, call, snapshot) = (at(EventKind::Net), at(EventKind::BhOneshot), at(EventKind::Snapshot));
    assert!(net < call && call < snapshot, "{net}, {call}, {snapshot}");
    assert_eq!(events[net].position, events[snapshot].position, "all of it at one boundary");
    assert_eq!(events[snapshot - 1].event.kind(), EventKind::Digest, "a digest says that it is right");
}

#[test]
fn a_snapshot_needs_a_recording() {
    let bench = Bench::unrecorded(&Code::new().stay(), HostConfig::Steady);
    let error = bench.session.request_snapshot().unwrap_err();
    assert_eq!(error.class(), "StateError", "{error}");
}
