//! Running a session: limits, stops, hooks, traces.

use super::session_support::*;
use rreplay::log::{LogWriter, Options};
use rreplay::machine::HookKind;
use rreplay::machine::board::Board;
use rreplay::nondet::ShutdownCause;
use rreplay::recording::Recording;
use rreplay::session::{IDLE_SECONDS, RecordOptions};
use rreplay::session::{RunRequest, Session};
use rreplay::snapshot::Snapshot;
use rreplay::units::Position;
use rreplay_kit::SmallDisk;
use std::sync::{Arc, Mutex};

/// A processor that waits, and a device that asks for nothing but ticks.
const TICKING: &str = r#"
name = "ticking"
[cpu]
kind = "w65c02"
clock_hz = 1_000_000
[[region]]
name = "ram"
kind = "ram"
start = 0x0000
end = 0x7FFF
[[region]]
name = "rom"
kind = "rom"
start = 0xFE00
end = 0xFFFF
[[device]]
name = "ticker"
kind = "user"
at = 0xA000
irq = "none"
tick_cycles = 1000
"#;
/// NOP, WAI, NOP, NOP.
const WAITER: [u8; 4] = [0xEA, 0xCB, 0xEA, 0xEA];

/// What somebody does with a machine, recorded.
fn recorded(session: &Session, body: impl FnOnce(&Session)) -> Recording {
    let disk = SmallDisk::default();
    let sink = Box::new(disk.clone());
    let create = |header: &_| LogWriter::with_sink(sink, "<memory>", header, Options::default());
    session.record_with(RecordOptions::default(), create).unwrap();
    body(session);
    session.finish().unwrap();
    Recording::from_bytes(disk.contents(), false).unwrap()
}

/// SEI, the transmitter asks for its interrupt, WAI: the line is held already, and masked.
#[test]
fn a_run_that_ends_at_a_wake_without_time_is_awake_whatever_ended_it() {
    let program = [0x78, 0xA9, 0x05, 0x8D, 0x02, 0xA0, 0xCB, 0xEA];
    let ran = |requests: Vec<RunRequest>| {
        let session = machine(&program);
        for request in requests {
            run(&session, request).unwrap();
        }
        (session.position(), session.digests())
    };
    let start = machine(&program).position().cycles;
    let awake = ran(vec![instructions(4)]);
    let cycles = Some(awake.0.cycles - start);
    assert_eq!(ran(vec![RunRequest { cycles, ..RunRequest::default() }]), awake);
    assert_eq!(ran(vec![RunRequest { cycles, ..instructions(4) }]), awake);
    let pieces =
        vec![instructions(1), RunRequest { cycles: cycles.map(|all| all - 2), ..RunRequest::default() }];
    assert_eq!(ran(pieces), awake);
}

/// A 6522 has been worked out up to the cycle of its snapshot. One that says another would have to make up for it, cycle by cycle
/// for years, or would wait for years.
#[test]
fn a_snapshot_with_a_device_of_another_cycle_is_refused() {
    let session = machine(&[0xEA; 16]);
    run(&session, instructions(1000)).unwrap();
    let (snapshot, before) = (session.snapshot(), session.digests());
    let cycles = snapshot.position().cycles;
    for wrong in [0, cycles - 1, cycles + 1, 1 << 61, u64::MAX] {
        let mut sections = snapshot.sections().clone();
        let (name, via) = sections.iter_mut().find(|(name, _)| name == "device/via").unwrap();
        let place = via.windows(8).position(|bytes| bytes == cycles.to_le_bytes()).unwrap();
        via[place..place + 8].copy_from_slice(&wrong.to_le_bytes());
        let name = name.clone();
        let changed = Snapshot::new(snapshot.identity(), snapshot.position(), sections);
        let (kind, text) = refused(session.restore(&changed));
        assert_eq!(kind, "SnapshotError", "{text}");
        assert!(text.contains(&name) && text.contains("impossible value for time"), "{text}");
        assert_eq!(session.digests(), before, "the machine is as it was");
    }
    session.restore(&snapshot).unwrap();
}

/// The reset of power-on is made before the clock starts, so that a 6522 at the reset vector is ahead of it at first.
#[test]
fn a_device_at_the_reset_vector_is_restored_and_replayed() {
    let board = TICKING.replace("kind = \"user\"", "kind = \"via6522\"").replace("tick_cycles = 1000\n", "");
    let session = machine_on(&board.replace("at = 0xA000", "at = 0xFFF0"), &WAITER);
    let (snapshot, digests) = (session.snapshot(), session.digests());
    session.restore(&snapshot).unwrap();
    assert_eq!(session.digests(), digests);
    let recording = recorded(&session, |session| {
        run(session, instructions(10)).unwrap();
    });
    let replayed = recording.replay().unwrap();
    run(&replayed, RunRequest::default()).unwrap();
    assert_eq!(replayed.digests(), session.digests());
}

#[test]
fn a_wait_without_an_instruction_ends_the_run_after_a_while() {
    let idle = |request: RunRequest| {
        let session = machine_on(TICKING, &WAITER);
        let stop = run(&session, request).unwrap();
        (stop.reason, stop.position.icount, stop.position.cycles / 1_000_000)
    };
    let first = run(&machine_on(TICKING, &WAITER), instructions(2)).unwrap().position;
    assert_eq!(idle(instructions(5)), ("idle", first.icount, IDLE_SECONDS as u64));
    assert_eq!(idle(RunRequest::default()), ("idle", first.icount, IDLE_SECONDS as u64));
    let after = |seconds| RunRequest { idle_seconds: Some(seconds), ..instructions(5) };
    assert_eq!(idle(after(2.5)), ("idle", first.icount, 2));
    // A limit of time is obeyed, and so is one of both kinds.
    let for_seconds = |seconds| RunRequest { seconds: Some(seconds), ..RunRequest::default() };
    assert_eq!(idle(for_seconds(100.0)), ("budget", first.icount, 100));
    let both = RunRequest { idle_seconds: Some(30.0), ..for_seconds(100.0) };
    assert_eq!(idle(both), ("idle", first.icount, 30));
    let longer = RunRequest { idle_seconds: Some(f64::INFINITY), ..for_seconds(70.0) };
    assert_eq!(idle(longer), ("budget", first.icount, 70));
    for nonsense in [-1.0, f64::NAN] {
        let refused = refused(run(&machine_on(TICKING, &WAITER), after(nonsense)));
        assert_eq!(refused.0, "ArgumentError");
    }
    // A trace is what there was until then.
    let trace = machine_on(TICKING, &WAITER)
        .trace_bus(RunRequest { instructions: Some(5), ..RunRequest::default() }, &mut || false)
        .unwrap();
    assert!((1..20).contains(&trace.len()), "{}", trace.len());
}

/// A program that runs is not idle, however rarely it does.
#[test]
fn each_instruction_begins_the_wait_anew() {
    let session = machine_on(TICKING, &[0xEA, 0xEA, 0x4C, 0x00, 0x04]);
    let request = RunRequest { idle_seconds: Some(0.0001), ..instructions(100_000) };
    assert_eq!(reason(&session, request), "budget");
}

#[test]
fn a_wait_that_was_recorded_is_replayed_however_long_it_was() {
    let session = machine_on(TICKING, &WAITER);
    let recording = recorded(&session, |session| {
        assert_eq!(reason(session, RunRequest { seconds: Some(90.0), ..RunRequest::default() }), "budget");
    });
    let again = recording.replay().unwrap();
    assert_eq!(reason(&again, RunRequest::default()), "end");
    assert_eq!(again.digest(), session.digest());
}

/// The README's ten lines: a replay without limits goes where the recorded machine went, whatever stopped that.
#[test]
fn a_replay_without_limits_goes_on_to_the_end_of_the_recording() {
    let session = machine(&COUNTER);
    let recording = recorded(&session, |session| {
        for cause in [ShutdownCause::HostQuit, ShutdownCause::HostError] {
            run(session, instructions(100)).unwrap();
            session.shutdown(cause).unwrap();
            assert_eq!(reason(session, instructions(100)), "shutdown");
        }
        run(session, instructions(100)).unwrap();
    });
    let again = recording.replay().unwrap();
    assert_eq!(reason(&again, RunRequest::default()), "end");
    assert_eq!(again.digest(), session.digest());
    // With a limit it stops where the recorded run did.
    let again = recording.replay().unwrap();
    assert_eq!(reason(&again, instructions(300)), "shutdown");

    let session = machine(&COUNTER);
    let recording = recorded(&session, |session| {
        run(session, instructions(100)).unwrap();
        session.shutdown(ShutdownCause::HostQuit).unwrap();
        assert_eq!(reason(session, instructions(100)), "shutdown");
    });
    let again = recording.replay().unwrap();
    assert_eq!(reason(&again, RunRequest::default()), "shutdown", "nothing comes after it");
    assert_eq!(again.digest(), session.digest());
}

#[test]
fn a_replay_goes_on_where_the_board_forbade_something_and_the_run_was_taken_up_again() {
    let strict = BOARD.replace("console = \"acia\"", "console = \"acia\"\nunmapped = \"error\"");
    // LDA $9000 (nothing there), then counts.
    let session = machine_on(&strict, &[0xAD, 0x00, 0x90, 0xA2, 0x00, 0xE8, 0x4C, 0x05, 0x04]);
    let recording = recorded(&session, |session| {
        assert_eq!(refused(run(session, instructions(100))).0, "FaultError");
        assert_eq!(reason(session, instructions(100)), "budget");
    });
    assert_eq!(refused(run(&recording.replay().unwrap(), instructions(100))).0, "FaultError");
    let again = recording.replay().unwrap();
    assert_eq!(reason(&again, RunRequest::default()), "end");
    assert_eq!(again.digest(), session.digest());
}

#[test]
fn instructions_are_exact_and_cycles_pass_by_less_than_one() {
    let session = machine(&COUNTER);
    for count in [0, 1, 1, 2, 3, 999, 100_000] {
        let before = session.position();
        let stop = run(&session, instructions(count)).unwrap();
        assert_eq!((stop.reason, stop.position.icount), ("budget", before.icount + count));
        assert_eq!(stop.position, session.position());
        assert_eq!(stop.pc, session.registers().pc());
    }
    for cycles in [0, 1, 2, 3, 7, 1000, 123_456] {
        let before = session.position().cycles;
        let request = RunRequest { cycles: Some(cycles), ..RunRequest::default() };
        let after = run(&session, request).unwrap().position.cycles;
        assert!(
            (before + cycles..before + cycles + 3).contains(&after),
            "{cycles} cycles: {before} to {after}"
        );
    }
}

#[test]
fn cutting_a_run_changes_nothing() {
    let (whole, cut) = (machine(&PRINTER), machine(&PRINTER));
    run(&whole, instructions(3000)).unwrap();
    (0..3000).for_each(|_| assert_eq!(reason(&cut, instructions(1)), "budget"));
    assert_eq!(whole.snapshot(), cut.snapshot());
    assert_eq!(whole.output(), cut.output());
}

#[test]
fn seconds_are_virtual() {
    let session = machine(&COUNTER);
    let before = session.position().cycles;
    let stop = run(&session, RunRequest { seconds: Some(0.25), ..RunRequest::default() }).unwrap();
    assert!((before + 250_000..before + 250_003).contains(&stop.position.cycles));
    for nonsense in [-1.0, f64::NAN, f64::INFINITY] {
        let request = RunRequest { seconds: Some(nonsense), ..RunRequest::default() };
        assert_eq!(refused(run(&session, request)).0, "ArgumentError");
    }
}

#[test]
fn an_address_stops_the_run_but_not_where_it_begins() {
    let session = machine(&COUNTER);
    let to = |pc| RunRequest { pc: Some(pc), instructions: Some(1000), ..RunRequest::default() };
    for turn in 1..=3 {
        let stop = run(&session, to(0x0402)).unwrap();
        assert_eq!((stop.reason, stop.pc), ("pc", 0x0402));
        assert_eq!(stop.position.icount, 1 + 3 * (turn - 1));
    }
    let stop = run(&session, to(0x0400)).unwrap();
    assert_eq!((stop.reason, stop.position.icount), ("budget", 1007));
}

#[test]
fn output_stops_the_run_at_the_byte() {
    let session = machine(&PRINTER);
    for wanted in ["C", "CDEF"] {
        let wanted = wanted.as_bytes();
        let ends = Box::new(move |printed: &[u8]| printed.ends_with(wanted));
        let stop = run(&session, RunRequest { output: Some(ends), ..RunRequest::default() }).unwrap();
        assert_eq!(stop.reason, "output");
        assert!(session.output().ends_with(wanted));
    }
    assert_eq!(session.output(), b"ABCDEF");
    assert_eq!(session.output_from(4), b"EF");
    assert_eq!(session.output_from(99), b"");
    assert_eq!(session.output_length(), 6);
}

#[test]
fn wai_without_hope_stp_and_jam_end_the_run() {
    let wai = machine(&[0xCB, 0x4C, 0x00, 0x04]);
    assert_eq!(reason(&wai, RunRequest::default()), "halted");
    assert_eq!(reason(&wai, RunRequest::default()), "halted");
    // With a limit the time passes while the CPU waits.
    let request = RunRequest { cycles: Some(500), ..RunRequest::default() };
    let before = wai.position();
    let stop = run(&wai, request).unwrap();
    assert_eq!(stop.reason, "budget");
    assert_eq!(stop.position, Position::new(before.icount, before.cycles + 500));
    let stp = machine(&[0xDB]);
    assert_eq!(reason(&stp, RunRequest::default()), "halted");
    stp.reset().unwrap();
    assert_eq!(stp.registers().pc(), 0x0400);
    let jam = machine_on(&BOARD.replace("w65c02", "6502"), &[0x02]);
    assert_eq!(reason(&jam, RunRequest::default()), "jammed");
    assert_eq!(reason(&jam, instructions(10)), "jammed");
}

#[test]
fn irq_and_nmi_reach_the_program() {
    let session = machine(&LISTENER);
    session.send(b"xyz").unwrap();
    assert_eq!(session.input_pending(), 3);
    assert_eq!(reason(&session, RunRequest::default()), "halted");
    assert_eq!(session.memory(0x20, 2), [b'z', 3]);
    assert_eq!(session.input_pending(), 0);
    // VIA timer 1, once: ACR 0, IER C0, counter 0100; then a loop.
    let program = [
        0xA9, 0xC0, 0x8D, 0x1E, 0xA0, 0xA9, 0x00, 0x8D, 0x14, 0xA0, 0xA9, 0x01, 0x8D, 0x15, 0xA0, 0x4C, 0x0F,
        0x04,
    ];
    let session = machine(&program);
    run(&session, instructions(1000)).unwrap();
    assert_eq!(session.memory(0x22, 1), [1], "one NMI for one edge");
}

#[test]
fn a_strict_board_stops_at_a_stray_access() {
    let strict = BOARD.replace("console", "unmapped = \"error\"\nconsole");
    let session = machine_on(&strict, &[0xEA, 0x8D, 0x34, 0x92, 0xEA, 0xAD, 0x00, 0x90, 0xEA]);
    let (class, text) = refused(run(&session, instructions(10)));
    assert_eq!(class, "FaultError");
    assert!(text.contains("writes to $9234 at icount 1"), "{text}");
    let (_, text) = refused(run(&session, instructions(10)));
    assert!(text.contains("reads $9000 at icount 3"), "{text}");
    assert_eq!(reason(&session, instructions(1)), "budget");
    let lenient = machine(&[0xAD, 0x00, 0x90]);
    run(&lenient, instructions(1)).unwrap();
    assert_eq!(lenient.registers().by_name("a"), Some(0x90));
}

#[test]
fn hooks_see_and_stop_and_are_not_seen() {
    let (watched, free) = (Arc::new(machine(&COUNTER)), machine(&COUNTER));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (log, machine) = (seen.clone(), watched.clone());
    let write = watched.add_hook(
        HookKind::Write,
        0x10,
        0x10,
        Box::new(move |event| {
            // Memory, registers and position can be looked at, at the boundary after the access.
            assert_eq!(machine.memory(0x10, 1), [event.value.unwrap()]);
            assert_eq!(machine.registers().by_name("x"), event.value.map(u16::from));
            log.lock().unwrap().push((event.address, event.value, event.position.icount));
            true
        }),
    );
    run(&watched, instructions(10)).unwrap();
    run(&free, instructions(10)).unwrap();
    assert_eq!(*seen.lock().unwrap(), [(0x10, Some(1), 2), (0x10, Some(2), 5), (0x10, Some(3), 8)]);
    assert_eq!(watched.snapshot(), free.snapshot());
    assert!(watched.remove_hook(write));
    assert!(!watched.remove_hook(write));
    let execute = watched.add_hook(HookKind::Execute, 0x0402, 0x0402, Box::new(|_| false));
    for _ in 0..3 {
        let stop = run(&watched, instructions(100)).unwrap();
        assert_eq!((stop.reason, stop.pc), ("breakpoint", 0x0402));
    }
    watched.remove_hook(execute);
    assert_eq!(reason(&watched, instructions(100)), "budget");
}

/// A hook that is hit at every instruction ends a slice each time; the user is asked all the same.
#[test]
fn a_run_can_be_stopped_however_often_its_hooks_are_hit() {
    let session = machine(&COUNTER);
    session.add_hook(HookKind::Execute, 0x0000, 0xFFFF, Box::new(|_| true));
    let stop = session.run(instructions(3_000_000), &mut || true).unwrap();
    assert_eq!(stop.reason, "interrupted");
}

#[test]
fn a_hook_may_remove_itself_and_may_not_run_the_machine() {
    let session = Arc::new(machine(&[0xA5, 0x33, 0x4C, 0x00, 0x04]));
    let id = Arc::new(Mutex::new(None));
    let (inside, own, hits) = (session.clone(), id.clone(), Arc::new(Mutex::new(0)));
    let count = hits.clone();
    *id.lock().unwrap() = Some(session.add_hook(
        HookKind::Read,
        0x33,
        0x33,
        Box::new(move |_| {
            *count.lock().unwrap() += 1;
            assert_eq!(refused(run(&inside, instructions(1))).0, "StateError");
            assert_eq!(refused(inside.reset()).0, "StateError");
            assert!(inside.remove_hook(own.lock().unwrap().unwrap()));
            true
        }),
    ));
    assert_eq!(reason(&session, instructions(100)), "budget");
    assert_eq!((*hits.lock().unwrap(), session.position().icount), (1, 100));
}

#[test]
fn trace_bus_shows_every_cycle_dummies_too() {
    // INC $10: fetch, operand, read, dummy, write. STA $04FF,X crosses a page.
    let session = machine_on(&BOARD.replace("w65c02", "6502"), &[0xE6, 0x10, 0xA2, 0x01, 0x9D, 0xFF, 0x04]);
    let cycles = |count| -> Vec<(u16, u8, bool)> {
        let trace = session
            .trace_bus(RunRequest { instructions: Some(count), ..RunRequest::default() }, &mut || false)
            .unwrap();
        trace.iter().map(|cycle| (cycle.address, cycle.value, cycle.write)).collect()
    };
    let inc =
        [(0x400, 0xE6, false), (0x401, 0x10, false), (0x10, 0, false), (0x10, 0, true), (0x10, 1, true)];
    assert_eq!(cycles(1), inc);
    let ldx_sta = [
        (0x402, 0xA2, false),
        (0x403, 0x01, false),
        (0x404, 0x9D, false),
        (0x405, 0xFF, false),
        (0x406, 0x04, false),
        (0x400, 0xE6, false),
        (0x500, 0x00, true),
    ];
    assert_eq!(cycles(2), ldx_sta);
    assert_eq!(session.position().icount, 3);
    assert!(
        session
            .trace_bus(RunRequest { instructions: Some(0), ..RunRequest::default() }, &mut || false)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn two_runs_at_once_are_refused() {
    let session = machine(&COUNTER);
    let mut asked = false;
    let stop = session.run(RunRequest::default(), &mut || {
        asked = true;
        let (class, text) = refused(run(&session, instructions(1)));
        assert_eq!(class, "StateError");
        assert!(text.contains("running already"), "{text}");
        true
    });
    assert_eq!(stop.unwrap().reason, "interrupted");
    assert!(asked);
    assert_eq!(reason(&session, instructions(1)), "budget");
}

#[test]
fn a_board_without_a_console_says_so() {
    let board = BOARD.replace("console = \"acia\"\n", "");
    let session = machine_on(&board, &COUNTER);
    assert!(!session.has_console());
    assert_eq!(session.output(), b"");
    let (class, text) = refused(session.send(b"x"));
    assert!(class == "StateError" && text.contains("bench has no console"), "{text}");
    let request = RunRequest { output: Some(Box::new(|_| true)), ..RunRequest::default() };
    assert_eq!(refused(run(&session, request)).0, "StateError");
}

#[test]
fn names_and_numbers_that_do_not_exist_are_refused() {
    let session = Session::new(Board::preset("breadboard").unwrap(), vec![]).unwrap();
    assert!(refused(session.set_register("q", 1)).1.contains("there are a, x, y, sp, pc, p"));
    assert!(refused(session.set_register("a", 256)).1.contains("0 to 255"));
    session.set_register("pc", 0xFFFF).unwrap();
    assert!(refused(session.device_state("clock")).1.contains("acia"));
    assert_eq!(refused(session.write_memory(0x7000, &[1])).0, "ArgumentError");
    assert_eq!(refused(session.write_memory(0xFFFF, &[1, 2])).0, "ArgumentError");
}
