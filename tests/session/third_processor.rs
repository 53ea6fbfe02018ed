//! A processor that is no 6502 on a board of its own: whatever a session, a recording and a timeline do, they do with it, and
//! they cannot tell. What it is stands in `src/cpu/specimen.rs`.
//!
//! Its program echoes what is typed and adds it up, with the receiver's interrupt, a subroutine in a subroutine, and the serial
//! chip at I/O ports.

use super::session_support::{bin, instructions, reason, refused, run};
use rreplay::cpu::{CpuKind, Register};
use rreplay::engine::Scheduler;
use rreplay::machine::HookKind;
use rreplay::machine::board::{Board, Target};
use rreplay::recording::Recording;
use rreplay::session::{RecordOptions, RunRequest, Session};
use rreplay::sync::Shared;
use rreplay::timeline::{KEYFRAMES_BUDGET, Monitor, NodeKind, OriginNode, Timeline};
use rreplay::units::Position;

const BOARD: &str = r#"
name = "third"
console = "uart"
[cpu]
kind = "specimen"
clock_hz = 1_000_000
[[region]]
name = "rom"
kind = "rom"
start = 0x0000
end = 0x0FFF
[[region]]
name = "ram"
kind = "ram"
start = 0x8000
end = 0xFFFF
[[device]]
name = "uart"
kind = "mc6850"
space = "io"
at = 0x80
irq = "irq"
"#;

/// The byte typed last and the sum of all; how often the subroutine has run stands after them.
const LAST: u16 = 0x8000;
const SUM: u16 = 0x8001;

/// Addresses of the program.
const MAIN: u16 = 0x0020;
const LOOP: u16 = 0x0034;
const ECHO: u16 = 0x0040;
const PUT: u16 = 0x0060;

#[rustfmt::skip]
fn program() -> Vec<u8> {
    let mut rom = vec![0x00; 0x80];
    let mut put = |at: u16, bytes: &[u8]| rom[usize::from(at)..][..bytes.len()].copy_from_slice(bytes);
    put(0x0000, &[0x0F, 0x20, 0x00]); // JP MAIN
    put(0x0008, &[
        0x06, 0x81,       // IN $81
        0x03, 0x00, 0x80, // ST (LAST)
        0x04, 0x01, 0x80, // ADD (SUM)
        0x03, 0x01, 0x80, // ST (SUM)
        0x0D,             // RETI
    ]);
    put(MAIN, &[
        0x0B, 0x00, 0x00,       // LSP $0000
        0x05, 0x40, 0x01, 0x80, // STI $40,(SUM)
        0x01, 0x03, 0x07, 0x80, // LDI 3, OUT $80: master reset
        0x01, 0x95, 0x07, 0x80, // LDI $95, OUT $80: 8 bits, receiver's interrupt
        0x0C,                   // EI
    ]);
    put(LOOP, &[
        0x0E,             // WAIT
        0x08, 0x40, 0x00, // CALL ECHO
        0x0F, 0x34, 0x00, // JP LOOP
    ]);
    put(ECHO, &[
        0x02, 0x00, 0x80, // LD (LAST)
        0x08, 0x60, 0x00, // CALL PUT
        0x02, 0x02, 0x80, // LD (CALLS)
        0x04, 0x50, 0x00, // ADD (ONE)
        0x03, 0x02, 0x80, // ST (CALLS)
        0x09,             // RET
        0x01,             // ONE, $0050
    ]);
    put(PUT, &[0x07, 0x81, 0x09]); // OUT $81, RET
    rom
}

fn machine() -> Session {
    let board = Board::from_toml(BOARD).expect("the board holds together");
    Session::new(board, vec![bin("program", Target::Main, &program())]).expect("the program fits")
}

struct Patient;

impl Monitor for Patient {
    fn is_cancelled(&mut self) -> bool {
        false
    }
}

/// A recording of three bytes that are typed, and what the machine came to.
fn recorded() -> (tempfile::TempDir, Shared<Recording>, Session) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("third.rreplay");
    let session = machine();
    let options =
        RecordOptions { digest_every: Some(7), snapshot_every: Some(20), ..RecordOptions::default() };
    session.record(&path, options).unwrap();
    for byte in [0x10, 0x20, 0x03] {
        session.send(&[byte]).unwrap();
        let request =
            RunRequest { instructions: Some(1_000), idle_seconds: Some(0.02), ..RunRequest::default() };
        run(&session, request).unwrap();
    }
    session.finish().unwrap();
    assert_eq!(session.output(), [0x10, 0x20, 0x03]);
    assert_eq!(session.memory(LAST, 3), [0x03, 0x73, 3]);
    let recording = Shared::new(Recording::open(&path, false).unwrap());
    (directory, recording, session)
}

fn timeline(recording: &Shared<Recording>) -> Timeline {
    Timeline::new(recording, &[], KEYFRAMES_BUDGET).unwrap()
}

/// Where the program stands at each instruction of the recording, in order.
fn course(recording: &Recording) -> Vec<(Position, u16, u16)> {
    let session = recording.replay().unwrap();
    let mut course = Vec::new();
    while reason(&session, instructions(1)) != "end" {
        let registers = session.registers();
        course.push((session.position(), registers.pc(), registers.by_name("sp").unwrap()));
    }
    course
}

#[test]
fn it_is_recorded_and_replayed() {
    let (_directory, recording, session) = recorded();
    for scheduler in [Scheduler::Inline, Scheduler::Threads] {
        let replay = recording.replay().unwrap();
        let request = RunRequest { scheduler: Some(scheduler), ..RunRequest::default() };
        assert_eq!(reason(&replay, request), "end");
        assert!(
            replay.digests() == session.digests() && replay.output() == session.output(),
            "{scheduler:?}"
        );
        let verification = recording.verify(scheduler, &[], &mut |_| true).unwrap();
        assert!(
            verification.ok && verification.digests > 5 && verification.icount == session.position().icount
        );
    }
    // From each snapshot on, too.
    assert!(recording.snapshots().len() > 1);
    for number in 0..recording.snapshots().len() as u64 {
        let replay = recording.replay_from(number, &[]).unwrap();
        assert_eq!(reason(&replay, RunRequest::default()), "end");
        assert!(replay.digests() == session.digests(), "from snapshot {number}");
    }
}

#[test]
fn it_has_its_own_registers_and_instructions() {
    let session = machine();
    assert_eq!(session.board().cpu.kind, CpuKind::Specimen);
    let names: Vec<_> =
        session.registers().iter().map(|(register, _)| (register.name, register.bits)).collect();
    assert_eq!(names, [("d", 8), ("f", 8), ("sp", 16), ("pc", 16)]);
    session.set_register("sp", 0xABCD).unwrap();
    session.set_register("d", 0xFF).unwrap();
    assert_eq!(session.registers().by_name("sp"), Some(0xABCD));
    assert_eq!(session.registers().get(Register(0)), 0xFF);
    let (_, text) = refused(session.set_register("d", 0x100));
    assert_eq!(text, "register d holds 0 to 255, not 256");
    let (_, text) = refused(session.set_register("a", 0));
    assert_eq!(text, "there is no register \"a\"; there are d, f, sp, pc");
    let lines: Vec<String> = session.disassemble(Some(MAIN), 3).iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        ["0020  0B 00 00  LSP $0000", "0023  05 40 01 80 STI $40,($8001)", "0027  01 03     LDI $03"]
    );
    assert_eq!(session.call_targets(&[LOOP, LOOP + 1, ECHO + 3]), [ECHO, PUT]);
}

#[test]
fn the_bus_shows_its_ports_and_its_instruction_of_four_bytes() {
    let session = machine();
    let cycles = session.trace_bus(instructions(7), &mut || false).unwrap();
    let shown: Vec<_> = cycles.iter().map(|cycle| (cycle.space.name(), cycle.address, cycle.write)).collect();
    let fetches = |at: u16, count: u16| (at..at + count).map(|address| ("memory", address, false));
    let expected: Vec<_> = fetches(0, 3)
        .chain(fetches(0x20, 7))
        .chain([("memory", SUM, true)])
        .chain(fetches(0x27, 4))
        .chain([("io", 0x80, true)])
        .chain(fetches(0x2B, 4))
        .chain([("io", 0x80, true)])
        .collect();
    assert_eq!(shown, expected);
}

#[test]
fn every_place_is_found_in_both_directions() {
    let (_directory, recording, _) = recorded();
    let course = course(&recording);
    assert!(course.len() > 60, "{} instructions", course.len());
    let timeline = timeline(&recording);
    let monitor = &mut Patient;
    for (place, pc, sp) in &course {
        let stop = timeline.step(1, monitor).unwrap();
        assert_eq!((stop.place.icount, stop.pc), (place.icount, *pc));
        let registers = timeline.look(stop.place, monitor, |session, _| session.registers()).unwrap();
        assert_eq!(registers.by_name("sp"), Some(*sp));
    }
    for (place, pc, _) in course.iter().rev().skip(1) {
        let stop = timeline.reverse_step(1, monitor).unwrap();
        assert_eq!((stop.place.icount, stop.pc), (place.icount, *pc));
    }
    // And a breakpoint is met as often either way.
    let point = timeline.add_breakpoint(PUT, None);
    timeline.go_to(timeline.start(), monitor).unwrap();
    let mut met = 0;
    while timeline.run(monitor).unwrap().reason == "breakpoint" {
        met += 1;
    }
    while timeline.reverse_run(monitor).unwrap().reason == "breakpoint" {
        met -= 1;
    }
    assert_eq!(met, 0);
    assert!(timeline.remove_point(point));
}

#[test]
fn subroutines_and_handlers_are_stepped_over_and_out_of() {
    let (_directory, recording, _) = recorded();
    let course = course(&recording);
    let at = |pc: u16| course.iter().find(|(_, at, _)| *at == pc).expect("it is executed").0;
    let timeline = timeline(&recording);
    let monitor = &mut Patient;
    timeline.go_to(at(ECHO), monitor).unwrap();
    assert_eq!(timeline.reverse_step(1, monitor).unwrap().pc, LOOP + 1);
    // The call in the call, and both returns, are passed.
    assert_eq!(timeline.step_over(monitor).unwrap().pc, LOOP + 4);
    assert_eq!(timeline.reverse_step_over(monitor).unwrap().pc, LOOP + 1);
    timeline.go_to(at(PUT), monitor).unwrap();
    assert_eq!(timeline.step_out(monitor).unwrap().pc, ECHO + 6);
    assert_eq!(timeline.step_out(monitor).unwrap().pc, LOOP + 4);
    timeline.go_to(at(PUT), monitor).unwrap();
    assert_eq!(timeline.reverse_step_out(monitor).unwrap().pc, ECHO + 3);
    assert_eq!(timeline.reverse_step_out(monitor).unwrap().pc, LOOP + 1);
    // A handler is left by its return, and was entered where the wait ended.
    timeline.go_to(at(0x000A), monitor).unwrap();
    let entered = timeline.reverse_step_out(monitor).unwrap();
    timeline.go_to(at(0x000A), monitor).unwrap();
    let left = timeline.step_out(monitor).unwrap();
    assert_eq!(entered.pc, left.pc, "an interrupt comes back to where it came from");
}

/// The graph as lines, each with the kinds of its sources.
fn sources<'a>(graph: &'a [OriginNode], node: &OriginNode) -> Vec<&'a OriginNode> {
    node.sources.iter().map(|source| &graph[*source]).collect()
}

#[test]
fn a_byte_has_its_last_write_and_its_origin() {
    let (_directory, recording, _) = recorded();
    let timeline = timeline(&recording);
    let monitor = &mut Patient;
    let end = timeline.end();
    let write = timeline.last_write(SUM, Some(end), monitor).unwrap().expect("the sum was written");
    assert_eq!((write.pc, write.old, write.new, write.by.as_str()), (Some(0x0010), Some(0x70), 0x73, "cpu"));
    let first = timeline.place_at(10, None, monitor).unwrap();
    let write = timeline.last_write(SUM, Some(first), monitor).unwrap().expect("the sum was set");
    assert_eq!((write.pc, write.new), (Some(MAIN + 3), 0x40));

    let graph = timeline.origin(SUM, Some(end), monitor).unwrap();
    let store = &graph[0];
    assert_eq!((store.kind, store.what.as_str()), (NodeKind::Store, "ST ($8001) at $0010"));
    let [add] = sources(&graph, store)[..] else { panic!("{graph:?}") };
    assert_eq!((add.kind, add.what.as_str()), (NodeKind::Compute, "ADD ($8001) at $000D"));
    let [input, before] = sources(&graph, add)[..] else { panic!("{graph:?}") };
    assert_eq!((input.kind, input.what.as_str()), (NodeKind::Load, "IN $81 at $0008"));
    let [port] = sources(&graph, input)[..] else { panic!("{graph:?}") };
    assert_eq!((port.kind, port.what.as_str()), (NodeKind::Input, "read from uart, port $81"));
    assert!(port.event.is_some() && port.value == Some(0x03));
    assert_eq!(before.kind, NodeKind::Store);
    // It ends in the constant that the instruction of four bytes has stored.
    let constant = graph.iter().find(|node| node.kind == NodeKind::Constant).expect("a constant");
    assert_eq!(constant.what, "#$40 at $0024");
    assert_eq!(graph.iter().filter(|node| node.kind == NodeKind::Input).count(), 3);
}

#[test]
fn a_changed_rom_is_found_in_the_last_byte_of_its_longest_instruction() {
    let (_directory, recording, _) = recorded();
    let mut changed = program();
    assert_eq!(changed[usize::from(MAIN) + 6], 0x80);
    changed[usize::from(MAIN) + 6] = 0x90;
    let images = [bin("changed", Target::Main, &changed)];
    let found = timeline(&recording).changed_rom(&images, &mut Patient).unwrap().expect("the ROM differs");
    let effect = found.effect.as_ref().expect("it has an effect");
    assert_eq!((effect.recorded.address, effect.place.icount), (MAIN + 3, 2));
    assert_eq!(effect.changed.text(), "STI $40,($9001)");
    assert!(found.to_string().contains("memory $8001 is $00 and was $40"), "{found}");
}

#[test]
fn what_its_board_cannot_be_is_said() {
    let problem = |from: &str, to: &str| Board::from_toml(&BOARD.replace(from, to)).unwrap_err().to_string();
    let text = problem("start = 0x0000\nend = 0x0FFF", "start = 0x1000\nend = 0x1FFF");
    assert!(text.contains("no region covers $0000, where the CPU starts"), "{text}");
    let text = problem("clock_hz = 1_000_000", "clock_hz = 1_000_000\nreset_vector = 0x0200");
    assert!(text.contains("a specimen has no reset vector"), "{text}");
    let text = problem("at = 0x80", "at = 0xFF");
    assert!(text.contains("goes beyond $00FF"), "{text}");
    let text = problem("space = \"io\"", "space = \"ports\"");
    assert!(text.contains("\"memory\", \"io\""), "{text}");
    let text = problem("kind = \"specimen\"", "kind = \"6502\"");
    assert!(text.contains("device \"uart\" is to be at an I/O port, and a 6502 has none"), "{text}");
    let sim65 = format!("{BOARD}[[device]]\nname = \"os\"\nkind = \"sim65\"\nat = 0xFFF4\n");
    let text = Board::from_toml(&sim65).unwrap_err().to_string();
    assert!(text.contains("it goes by the processor's register a, and a specimen has none"), "{text}");
    let elsewhere = vec![bin("elsewhere", Target::Address(0x0100), &[0x00])];
    let (_, text) = refused(Session::new(Board::from_toml(BOARD).unwrap(), elsewhere));
    assert!(text.contains("holds the start address $0000 of board"), "{text}");
    assert!(text.ends_with("check the load address"), "{text}");
    // The chip at port 80 is no neighbour of what should lie at 1080.
    let outside = vec![bin("outside", Target::Address(0x1080), &[0x00])];
    let (_, text) = refused(Session::new(Board::from_toml(BOARD).unwrap(), outside));
    assert!(text.contains("no memory") && !text.contains("uart"), "{text}");
    // At the same address, and yet not in each other's way.
    let ram = format!("{BOARD}[[device]]\nname = \"acia\"\nkind = \"mc6850\"\nat = 0x80\n");
    assert!(Board::from_toml(&ram).is_ok());
    assert_eq!(
        Board::from_toml(&Board::from_toml(BOARD).unwrap().to_toml())
            .unwrap()
            .to_toml()
            .matches("space")
            .count(),
        1
    );
    let board = Board::from_toml(BOARD).unwrap();
    let (_, text) = refused(Session::new(board, Vec::new()));
    assert!(text.contains("give an image"), "{text}");
    let session = machine();
    let (_, text) = refused(session.device_window("uart"));
    assert!(text.contains("uart is at I/O ports"), "{text}");
    // A hook on memory is not met by a port of the same number.
    let hook = session.add_hook(HookKind::Write, 0x0080, 0x0081, Box::new(|_| panic!("a port is no memory")));
    run(&session, instructions(20)).unwrap();
    assert!(session.remove_hook(hook));
}
