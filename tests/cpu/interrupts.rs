//! Interrupts, reset, WAI, STP and JAM, each rule with its exact cycles.

use rreplay::bus::{Bus, Exception, Interrupt};
use rreplay::cpu::mos6502::{Mos6502, Status, Variant};
use rreplay::cpu::{Exit, Halt, Processor};
use rreplay::persist::{Persist, Reader};
use rreplay::units::Position;

const BOTH: [Variant; 2] = [Variant::Nmos6502, Variant::W65c02];
const PROGRAM: u16 = 0x0200;
const IRQ_HANDLER: u16 = 0x0400;
const NMI_HANDLER: u16 = 0x0500;
/// A write here pulls IRQ low from the cycle of the write; a read releases it.
const IRQ_SWITCH: u16 = 0x6000;

/// RAM full of NOPs, two lines, and a log of all that passes the bus.
#[derive(Clone)]
struct Machine {
    ram: Vec<u8>,
    deadline: u64,
    irq_since: Option<u64>,
    nmi_since: Option<u64>,
    refuse: bool,
    break_at: Option<u16>,
    accepted: Vec<(Interrupt, Position)>,
    exceptions: Vec<(Exception, Position)>,
    cycles: Vec<(u64, u16, u8, char)>,
}

impl Machine {
    fn new(program: &[u8]) -> Self {
        let mut ram = vec![0xEA; 0x10000];
        ram[usize::from(PROGRAM)..][..program.len()].copy_from_slice(program);
        let [irq, nmi, start] = [IRQ_HANDLER, NMI_HANDLER, PROGRAM].map(u16::to_le_bytes);
        ram[0xFFFA..].copy_from_slice(&[nmi[0], nmi[1], start[0], start[1], irq[0], irq[1]]);
        Self {
            ram,
            deadline: 0,
            irq_since: None,
            nmi_since: None,
            refuse: false,
            break_at: None,
            accepted: Vec::new(),
            exceptions: Vec::new(),
            cycles: Vec::new(),
        }
    }
}

impl Bus for Machine {
    fn read(&mut self, address: u16, at: Position) -> u8 {
        let value = self.ram[usize::from(address)];
        if address == IRQ_SWITCH {
            self.irq_since = None;
        }
        self.cycles.push((at.cycles, address, value, 'r'));
        value
    }
    fn write(&mut self, address: u16, value: u8, at: Position) {
        if address == IRQ_SWITCH {
            self.irq_since.get_or_insert(at.cycles);
            self.lower_deadline();
        }
        self.ram[usize::from(address)] = value;
        self.cycles.push((at.cycles, address, value, 'w'));
    }
    fn deadline(&self) -> u64 {
        self.deadline
    }
    fn lower_deadline(&mut self) {
        self.deadline = 0;
    }
    fn irq_at(&mut self, cycle: u64) -> bool {
        self.irq_since.is_some_and(|since| since <= cycle)
    }
    fn nmi_at(&mut self, cycle: u64) -> bool {
        self.nmi_since.is_some_and(|since| since <= cycle)
    }
    fn acknowledge_nmi(&mut self, _: u64) {
        self.nmi_since = None;
    }
    fn accept(&mut self, interrupt: Interrupt, at: Position) -> bool {
        if !self.refuse {
            self.accepted.push((interrupt, at));
        }
        !self.refuse
    }
    fn exception(&mut self, exception: Exception, at: Position) {
        self.exceptions.push((exception, at));
    }
    fn before_instruction(&mut self, pc: u16, _: u16, _: Position) -> bool {
        self.break_at == Some(pc)
    }
}

/// A line that a timer pulls at a cycle.
#[derive(Clone, Copy, Debug)]
enum Line {
    Irq(u64),
    Nmi(u64),
}

fn cpu(variant: Variant, p: u8) -> Mos6502 {
    let mut cpu = Mos6502::new(variant);
    cpu.pc = PROGRAM;
    cpu.sp = 0xFF;
    cpu.p = p;
    cpu
}

/// Runs as an engine does: slices of at most `slice` cycles that also end where a timer is due. A waiting CPU idles to
/// the next timer or to the end.
fn run(cpu: &mut Mos6502, machine: &mut Machine, lines: &[Line], end: u64, slice: u64) -> Exit {
    let due = |line: &Line| match *line {
        Line::Irq(cycle) | Line::Nmi(cycle) => cycle,
    };
    let mut pending: Vec<Line> = lines.iter().filter(|line| due(line) >= cpu.cycles).copied().collect();
    loop {
        pending.retain(|line| {
            if due(line) > cpu.cycles {
                return true;
            }
            match *line {
                Line::Irq(cycle) => machine.irq_since = Some(cycle),
                Line::Nmi(cycle) => machine.nmi_since = Some(cycle),
            }
            false
        });
        if cpu.cycles >= end {
            return Exit::Deadline;
        }
        let timer = pending.iter().map(due).min().unwrap_or(u64::MAX).min(end);
        machine.deadline = timer.min(cpu.cycles + slice);
        let (before, waits) = (cpu.position(), (cpu.halt() == Halt::Waiting));
        match cpu.run(machine) {
            Exit::Deadline => {
                // A wait may end without taking time.
                let moved = cpu.position() > before || waits && cpu.halt() != Halt::Waiting;
                assert!(machine.refuse || moved, "no progress at {before}");
            }
            // The WAI itself may have gone past the timer, which is then run first.
            Exit::Waiting => cpu.advance_idle(timer.saturating_sub(cpu.cycles)),
            exit => return exit,
        }
        if machine.refuse {
            return Exit::Deadline;
        }
    }
}

/// What was accepted when `program` runs with these lines, for every way to cut it into slices.
fn accepted(variant: Variant, p: u8, program: &[u8], lines: &[Line]) -> Vec<(Interrupt, u64)> {
    let outcome = |slice| {
        let (mut cpu, mut machine) = (cpu(variant, p), Machine::new(program));
        run(&mut cpu, &mut machine, lines, 40, slice);
        let mut saved = Vec::new();
        cpu.save(&mut saved);
        (machine.accepted, machine.cycles, saved)
    };
    let whole = outcome(u64::MAX >> 1);
    for slice in [1, 2, 3, 7] {
        let (accepted, cycles, _) = outcome(slice);
        assert_eq!(accepted, whole.0, "slices of {slice}");
        // The end is not cut off at the same place, so the shorter log is a prefix of the longer.
        assert!(cycles.iter().zip(&whole.1).all(|(a, b)| a == b), "slices of {slice}");
    }
    whole.0.iter().map(|(interrupt, at)| (*interrupt, at.cycles)).collect()
}

fn first(variant: Variant, p: u8, program: &[u8], lines: &[Line]) -> (Interrupt, u64) {
    accepted(variant, p, program, lines)[0]
}

#[test]
fn lines_are_polled_at_the_end_of_the_last_cycle_but_one() {
    for variant in BOTH {
        // NOPs end at 2, 4, 6: the poll of the one that ends at 4 is at the end of cycle 2.
        for (since, at) in [(0, 2), (1, 4), (2, 4), (3, 6), (4, 6)] {
            assert_eq!(first(variant, 0, &[], &[Line::Irq(since)]), (Interrupt::Irq, at));
            assert_eq!(first(variant, Status::I, &[], &[Line::Nmi(since)]), (Interrupt::Nmi, at));
        }
        // LDA $1234 takes four cycles, INC $1234 six.
        assert_eq!(first(variant, 0, &[0xAD, 0x34, 0x12], &[Line::Irq(2)]).1, 4);
        assert_eq!(first(variant, 0, &[0xAD, 0x34, 0x12], &[Line::Irq(3)]).1, 6);
        assert_eq!(first(variant, 0, &[0xEE, 0x34, 0x12], &[Line::Irq(4)]).1, 6);
        assert_eq!(first(variant, 0, &[0xEE, 0x34, 0x12], &[Line::Irq(5)]).1, 8);
    }
}

#[test]
fn a_masked_irq_is_never_accepted() {
    for variant in BOTH {
        assert_eq!(accepted(variant, Status::I, &[], &[Line::Irq(1)]), []);
    }
}

#[test]
fn a_taken_branch_in_its_page_polls_a_cycle_earlier_on_nmos() {
    let branch = [0xD0, 0x00]; // three cycles: Z is clear
    for line in [Line::Irq, Line::Nmi] {
        assert_eq!(first(Variant::Nmos6502, 0, &branch, &[line(0)]).1, 3);
        assert_eq!(first(Variant::Nmos6502, 0, &branch, &[line(1)]).1, 5);
        assert_eq!(first(Variant::W65c02, 0, &branch, &[line(1)]).1, 3);
        assert_eq!(first(Variant::W65c02, 0, &branch, &[line(2)]).1, 5);
    }
    for variant in BOTH {
        // Not taken: two cycles, polled like any other.
        assert_eq!(first(variant, Status::Z, &branch, &[Line::Irq(0)]).1, 2);
        // Into the page before: four cycles, polled like any other.
        assert_eq!(first(variant, 0, &[0xD0, 0xF0], &[Line::Irq(2)]).1, 4);
        assert_eq!(first(variant, 0, &[0xD0, 0xF0], &[Line::Irq(3)]).1, 6);
    }
}

#[test]
fn cli_sei_and_plp_are_polled_with_the_old_flag_and_rti_with_the_new_one() {
    for variant in BOTH {
        let held = [Line::Irq(0)];
        assert_eq!(first(variant, Status::I, &[0x58], &held).1, 4, "CLI: one more instruction");
        assert_eq!(first(variant, 0, &[0x78], &held).1, 2, "SEI: too late to mask");
        let pull = |opcode: u8, p: u8, pulled: u8, cycles: &[u64]| {
            let (mut cpu, mut machine) = (cpu(variant, p), Machine::new(&[opcode]));
            cpu.sp = 0xF0;
            machine.ram[0x01F1..0x01F4].copy_from_slice(&[pulled, 0x00, 0x03]);
            run(&mut cpu, &mut machine, &held, 14, 100);
            let got: Vec<u64> = machine.accepted.iter().map(|(_, at)| at.cycles).collect();
            assert_eq!(got, cycles, "opcode {opcode:02X} of {variant:?}");
        };
        pull(0x28, Status::I, 0, &[6]);
        pull(0x28, 0, Status::I, &[4]);
        pull(0x40, Status::I, 0, &[6]);
        pull(0x40, 0, Status::I, &[]);
    }
}

#[test]
fn sei_pushes_the_flag_that_it_has_set() {
    for variant in BOTH {
        let (mut cpu, mut machine) = (cpu(variant, 0), Machine::new(&[0x78]));
        run(&mut cpu, &mut machine, &[Line::Irq(0)], 9, 100);
        assert_eq!(machine.ram[0x01FD], Status::ONE | Status::I);
    }
}

#[test]
fn an_interrupt_makes_seven_cycles_on_the_bus() {
    for variant in BOTH {
        let (mut cpu, mut machine) = (cpu(variant, Status::D | Status::C), Machine::new(&[]));
        run(&mut cpu, &mut machine, &[Line::Irq(0)], 9, 100);
        let pushed = Status::ONE | Status::D | Status::C;
        let wanted = [
            (2, 0x0201, 0xEA, 'r'),
            (3, 0x0201, 0xEA, 'r'),
            (4, 0x01FF, 0x02, 'w'),
            (5, 0x01FE, 0x01, 'w'),
            (6, 0x01FD, pushed, 'w'),
            (7, 0xFFFE, 0x00, 'r'),
            (8, 0xFFFF, 0x04, 'r'),
        ];
        assert_eq!(machine.cycles[2..], wanted);
        assert_eq!((cpu.pc, cpu.sp, cpu.icount, cpu.cycles), (IRQ_HANDLER, 0xFC, 1, 9));
        let decimal = if variant == Variant::W65c02 { 0 } else { Status::D };
        assert_eq!(cpu.p, Status::ONE | Status::I | Status::C | decimal, "D of {variant:?}");
    }
}

#[test]
fn nmi_goes_before_irq_and_a_handler_always_executes_one_instruction() {
    for variant in BOTH {
        let both = accepted(variant, 0, &[], &[Line::Irq(0), Line::Nmi(0)]);
        assert_eq!(both, [(Interrupt::Nmi, 2)], "the NMI has masked the IRQ");
        // An edge in cycle 4 of the seven takes the vector; a later one waits for the handler's first instruction.
        for (since, wanted) in [
            (3, vec![(Interrupt::Irq, 2), (Interrupt::Nmi, 7)]),
            (5, vec![(Interrupt::Irq, 2), (Interrupt::Nmi, 7)]),
            (6, vec![(Interrupt::Irq, 2), (Interrupt::Nmi, 11)]),
            (9, vec![(Interrupt::Irq, 2), (Interrupt::Nmi, 11)]),
            (10, vec![(Interrupt::Irq, 2), (Interrupt::Nmi, 13)]),
        ] {
            let (mut cpu, mut machine) = (cpu(variant, 0), Machine::new(&[]));
            machine.irq_since = Some(0);
            machine.nmi_since = Some(since);
            run(&mut cpu, &mut machine, &[], 20, 1);
            let got: Vec<_> = machine.accepted.iter().map(|(kind, at)| (*kind, at.cycles)).collect();
            assert_eq!(got, wanted, "edge in cycle {since} of {variant:?}");
        }
    }
}

#[test]
fn brk_is_hijacked_on_nmos_and_undisturbed_on_the_w65c02() {
    for variant in BOTH {
        for (since, hijacks) in [(0, true), (3, true), (4, false), (6, false)] {
            let (mut cpu, mut machine) = (cpu(variant, 0), Machine::new(&[0x00, 0x99]));
            machine.nmi_since = Some(since);
            run(&mut cpu, &mut machine, &[], 7, 100);
            assert_eq!(machine.exceptions, [(Exception::Brk, Position::new(0, 0))]);
            assert_eq!(machine.ram[0x01FD], Status::ONE | Status::B, "pushed by BRK");
            assert_eq!(machine.ram[0x01FE], 0x02, "BRK returns behind its second byte");
            let hijacked = hijacks && variant == Variant::Nmos6502;
            assert_eq!(cpu.pc, if hijacked { NMI_HANDLER } else { IRQ_HANDLER }, "edge in cycle {since}");
            assert_eq!(machine.nmi_since.is_none(), hijacked);
            // An edge that did not take the vector is accepted after the handler's first instruction.
            run(&mut cpu, &mut machine, &[], 16, 100);
            let at = machine.accepted.last().expect("the NMI is accepted").1.cycles;
            assert_eq!(at, if hijacked { 5 } else { 9 });
        }
    }
}

#[test]
fn a_refused_interrupt_stays_pending() {
    for variant in BOTH {
        for program in [&[][..], &[0xCB]] {
            if variant == Variant::Nmos6502 && !program.is_empty() {
                continue; // WAI
            }
            let (mut cpu, mut machine) = (cpu(variant, 0), Machine::new(program));
            machine.refuse = true;
            run(&mut cpu, &mut machine, &[Line::Irq(0)], 30, 100);
            machine.deadline = 30;
            let before = cpu.clone();
            assert_eq!(cpu.run(&mut machine), Exit::Deadline);
            assert_eq!(cpu, before, "a refusal changes nothing");
            machine.refuse = false;
            machine.deadline = cpu.cycles + 1;
            cpu.run(&mut machine);
            assert_eq!(machine.accepted.len(), 1);
        }
    }
}

#[test]
fn a_device_that_pulls_irq_in_an_access_is_heard_at_once() {
    for variant in BOTH {
        // STA in its last cycle (3) is too late for its own poll (2); the NOP behind it is executed.
        let program = [0x8D, 0x00, 0x60];
        assert_eq!(first(variant, 0, &program, &[]), (Interrupt::Irq, 6));
        // INC writes in its last cycle; NMOS also in the last but one, in time for its poll.
        let at = if variant == Variant::Nmos6502 { 6 } else { 8 };
        assert_eq!(first(variant, 0, &[0xEE, 0x00, 0x60], &[]), (Interrupt::Irq, at));
    }
}

#[test]
fn unmasking_with_a_held_line_returns_to_the_caller() {
    for variant in BOTH {
        let (mut cpu, mut machine) = (cpu(variant, Status::I), Machine::new(&[0x58]));
        machine.irq_since = Some(0);
        machine.deadline = 1000;
        assert_eq!(cpu.run(&mut machine), Exit::Deadline);
        assert_eq!((cpu.icount, cpu.cycles), (1, 2));
    }
}

#[test]
fn a_one_cycle_nop_counts_the_cycle_before_it() {
    // NOP (2 cycles), then $03 (1 cycle): the poll of the latter is at the end of cycle 1.
    assert_eq!(first(Variant::W65c02, 0, &[0xEA, 0x03], &[Line::Irq(1)]).1, 3);
    assert_eq!(first(Variant::W65c02, 0, &[0xEA, 0x03], &[Line::Irq(2)]).1, 5);
}

#[test]
fn reset_reads_where_an_interrupt_writes() {
    for variant in BOTH {
        let (mut cpu, mut machine) = (cpu(variant, Status::D), Machine::new(&[]));
        run(&mut cpu, &mut machine, &[], 6, 100);
        machine.cycles.clear();
        cpu.reset(&mut machine);
        let addresses: Vec<_> = machine.cycles.iter().map(|row| (row.0, row.1, row.3)).collect();
        let wanted = [
            (6, 0x0203, 'r'),
            (7, 0x0203, 'r'),
            (8, 0x01FF, 'r'),
            (9, 0x01FE, 'r'),
            (10, 0x01FD, 'r'),
            (11, 0xFFFC, 'r'),
            (12, 0xFFFD, 'r'),
        ];
        assert_eq!(addresses, wanted);
        assert_eq!((cpu.pc, cpu.sp, cpu.icount, cpu.cycles), (PROGRAM, 0xFC, 3, 13));
        let decimal = if variant == Variant::W65c02 { 0 } else { Status::D };
        assert_eq!(cpu.p, Status::ONE | Status::I | decimal);
        assert_eq!(machine.accepted, [], "reset asks nobody");
        cpu.power_on(&mut machine);
        assert_eq!((cpu.pc, cpu.sp, cpu.icount, cpu.cycles), (PROGRAM, 0xFD, 0, 0));
    }
}

#[test]
fn wai_goes_on_two_cycles_after_its_line() {
    let wai = [0xCB];
    // Active in cycle 0 or 1: WAI takes its three cycles. Later: two cycles after the line.
    for (since, at) in [(0, 3), (1, 3), (2, 4), (3, 5), (10, 12)] {
        assert_eq!(accepted(Variant::W65c02, 0, &wai, &[Line::Irq(since)]), [(Interrupt::Irq, at)]);
        assert_eq!(accepted(Variant::W65c02, Status::I, &wai, &[Line::Irq(since)]), [(Interrupt::Wake, at)]);
        assert_eq!(accepted(Variant::W65c02, Status::I, &wai, &[Line::Nmi(since)]), [(Interrupt::Nmi, at)]);
    }
    let (mut cpu, mut machine) = (cpu(Variant::W65c02, Status::I), Machine::new(&wai));
    run(&mut cpu, &mut machine, &[Line::Irq(10)], 14, 100);
    assert_eq!((cpu.pc, cpu.icount, cpu.cycles), (0x0202, 2, 14), "masked: on with the next instruction");
}

#[test]
fn wai_returns_waiting_only_while_no_line_is_active() {
    let (mut cpu, mut machine) = (cpu(Variant::W65c02, Status::I), Machine::new(&[0xCB]));
    machine.deadline = 100;
    assert_eq!(cpu.run(&mut machine), Exit::Waiting);
    assert!((cpu.halt() == Halt::Waiting));
    assert_eq!((cpu.pc, cpu.icount, cpu.cycles), (0x0201, 1, 3), "WAI has retired");
    assert_eq!(cpu.run(&mut machine), Exit::Waiting);
    cpu.advance_idle(7);
    assert_eq!((cpu.icount, cpu.cycles), (1, 10));
    machine.irq_since = Some(10);
    assert_eq!(cpu.run(&mut machine), Exit::Deadline);
    assert!(cpu.halt() != Halt::Waiting);
    assert_eq!(machine.accepted, [(Interrupt::Wake, Position::new(1, 12))]);
}

#[test]
fn stp_and_jam_stop_until_reset() {
    for (variant, opcode, exit, halt, exception) in [
        (Variant::W65c02, 0xDB, Exit::Stopped, Halt::Stopped, Exception::Stop),
        (Variant::Nmos6502, 0x02, Exit::Jammed, Halt::Jammed, Exception::Jam),
    ] {
        let (mut cpu, mut machine) = (cpu(variant, 0), Machine::new(&[0xEA, opcode]));
        machine.deadline = 100;
        assert_eq!(cpu.run(&mut machine), exit);
        assert_eq!(cpu.halt(), halt);
        assert_eq!(machine.exceptions, [(exception, Position::new(1, 2))]);
        assert_eq!(cpu.cycles, 5);
        let retired = u64::from(exit == Exit::Stopped);
        assert_eq!((cpu.icount, cpu.pc), (1 + retired, 0x0201 + retired as u16));
        // No line wakes it.
        machine.irq_since = Some(0);
        machine.nmi_since = Some(0);
        assert_eq!(cpu.run(&mut machine), exit);
        assert_eq!(cpu.cycles, 5);
        machine.irq_since = None;
        machine.nmi_since = None;
        cpu.reset(&mut machine);
        assert_eq!(cpu.halt(), Halt::Running);
        machine.deadline = cpu.cycles + 1;
        assert_eq!(cpu.run(&mut machine), Exit::Deadline);
    }
}

#[test]
fn run_executes_nothing_at_its_deadline() {
    for variant in BOTH {
        let (mut cpu, mut machine) = (cpu(variant, 0), Machine::new(&[]));
        machine.irq_since = Some(0);
        assert_eq!(cpu.run(&mut machine), Exit::Deadline);
        assert_eq!((cpu.icount, cpu.cycles, machine.accepted.len()), (0, 0, 0));
    }
}

#[test]
fn the_bus_may_break_before_an_instruction() {
    for variant in BOTH {
        let (mut cpu, mut machine) = (cpu(variant, 0), Machine::new(&[]));
        machine.deadline = 100;
        machine.break_at = Some(0x0203);
        assert_eq!(cpu.run(&mut machine), Exit::Break);
        assert_eq!((cpu.pc, cpu.icount, cpu.cycles), (0x0203, 3, 6));
        assert_eq!(cpu.run(&mut machine), Exit::Break);
        assert_eq!(cpu.icount, 3);
        machine.break_at = None;
        assert_eq!(cpu.run(&mut machine), Exit::Deadline);
        assert_eq!((cpu.icount, cpu.cycles), (50, 100));
    }
}

#[test]
fn a_restored_cpu_goes_on_as_the_saved_one() {
    // CLI, SEI, a branch, WAI on the W65C02S and BRK, with lines that come at every cycle: saved and restored between
    // any two instructions, what follows is the same.
    for variant in BOTH {
        let pause = if variant == Variant::W65c02 { 0xCB } else { 0xEA };
        let program = [0x58, 0x78, 0x58, 0xD0, 0x00, pause, 0x00, 0xEA, 0x58];
        for since in 0..24 {
            for lines in [[Line::Irq(since), Line::Nmi(since + 5)], [Line::Nmi(since), Line::Irq(since + 3)]]
            {
                let (mut straight, mut machine) = (cpu(variant, Status::I), Machine::new(&program));
                run(&mut straight, &mut machine, &lines, 48, 1);
                let (mut hopping, mut other) = (cpu(variant, Status::I), Machine::new(&program));
                while hopping.cycles < 48 {
                    let mut saved = Vec::new();
                    hopping.save(&mut saved);
                    hopping = Mos6502::new(variant);
                    let mut reader = Reader::new(&saved);
                    hopping.restore(&mut reader).expect("what was saved");
                    reader.finish().expect("nothing left over");
                    let next = (hopping.cycles + 1).min(48);
                    run(&mut hopping, &mut other, &lines, next, 1);
                }
                assert_eq!(hopping, straight, "{variant:?} {lines:?}");
                assert_eq!(other.cycles, machine.cycles);
                assert_eq!(other.accepted, machine.accepted);
            }
        }
    }
}

#[test]
fn impossible_saved_states_are_refused() {
    let mut saved = Vec::new();
    Mos6502::new(Variant::W65c02).save(&mut saved);
    let length = saved.len();
    for (at, name) in [(length - 1, "last_poll"), (length - 2, "halt")] {
        let mut broken = saved.clone();
        broken[at] = 9;
        let error =
            Mos6502::new(Variant::W65c02).restore(&mut Reader::new(&broken)).expect_err("9 is no state");
        assert!(error.to_string().contains(name), "{error}");
    }
    assert!(Mos6502::new(Variant::W65c02).restore(&mut Reader::new(&saved[..length - 1])).is_err());
}
