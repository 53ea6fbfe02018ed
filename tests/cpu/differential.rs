//! Our CPU against the robo6502 crate on random states, programs and interrupts, one instruction at a time.
//!
//! The seed is fixed; proptest prints the case that fails, shrunk. Both cores run documented opcodes; a program ends
//! where it runs into another one, which self-modifying code does.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use rreplay::bus::{Bus, Exception, Interrupt};
use rreplay::cpu::mos6502::opcodes::opcode as opcode_of;
use rreplay::cpu::mos6502::{Mos6502, Variant};
use rreplay::cpu::{Exit, Processor};
use rreplay::units::Position;

type Row = (u16, u8, char);

/// RAM with a log, and lines that become active at a cycle.
#[derive(Clone)]
struct Ours {
    ram: Vec<u8>,
    log: Vec<Row>,
    irq_since: Option<u64>,
    nmi_since: Option<u64>,
    deadline: u64,
    /// Lets the CPU fetch without the log, as a machine does from plain memory.
    plain: bool,
}

impl Bus for Ours {
    fn read(&mut self, address: u16, at: Position) -> u8 {
        let value = self.ram[usize::from(address)];
        if !self.plain {
            assert_eq!(at.cycles, self.log.len() as u64, "one bus cycle a clock");
            self.log.push((address, value, 'r'));
        }
        value
    }
    fn write(&mut self, address: u16, value: u8, at: Position) {
        self.ram[usize::from(address)] = value;
        if !self.plain {
            assert_eq!(at.cycles, self.log.len() as u64, "one bus cycle a clock");
            self.log.push((address, value, 'w'));
        }
    }
    fn plain_code(&self, _: u16) -> bool {
        self.plain
    }
    fn code(&self, address: u16) -> u8 {
        self.ram[usize::from(address)]
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
    fn accept(&mut self, _: Interrupt, _: Position) -> bool {
        true
    }
    fn exception(&mut self, _: Exception, _: Position) {}
}

/// The same for the oracle. It asks for its lines before the last cycle, so what counts is what the cycles made so far
/// have seen.
struct Oracle {
    ram: Vec<u8>,
    log: Vec<Row>,
    irq_since: Option<u64>,
    nmi_since: Option<u64>,
}

impl Oracle {
    fn seen(&self, since: Option<u64>) -> bool {
        since.is_some_and(|since| since < self.log.len() as u64)
    }
}

impl robo6502::Sys for Oracle {
    fn read(&mut self, address: u16) -> Option<u8> {
        let value = self.ram[usize::from(address)];
        self.log.push((address, value, 'r'));
        Some(value)
    }
    fn write(&mut self, address: u16, value: u8) -> Option<()> {
        self.ram[usize::from(address)] = value;
        self.log.push((address, value, 'w'));
        Some(())
    }
    fn irq(&self) -> bool {
        self.seen(self.irq_since)
    }
    fn peek_nmi(&self) -> bool {
        self.seen(self.nmi_since)
    }
    fn poll_nmi(&mut self) -> bool {
        let seen = self.seen(self.nmi_since);
        if seen {
            self.nmi_since = None;
        }
        seen
    }
}

/// Whether both cores have this opcode by the book.
///
/// The oracle's CMOS chip lacks the bit instructions, WAI and STP, and takes five cycles for JMP (abs) where the data
/// sheet has six.
fn documented(variant: Variant, opcode: u8) -> bool {
    const UNDOCUMENTED: [&str; 20] = [
        "JAM", "SLO", "RLA", "SRE", "RRA", "SAX", "LAX", "DCP", "ISC", "ANC", "ALR", "ARR", "SBX", "ANE",
        "LXA", "LAS", "TAS", "SHA", "SHX", "SHY",
    ];
    let name = opcode_of(variant, opcode).operation.mnemonic;
    if name == "NOP" {
        return opcode == 0xEA;
    }
    match variant {
        Variant::W65c02 => !matches!(opcode & 0x0F, 0x07 | 0x0B | 0x0F) && opcode != 0x6C,
        Variant::Nmos6502 => !UNDOCUMENTED.contains(&name) && opcode != 0xEB,
    }
}

/// A machine full of documented opcodes, so that a program goes on wherever it jumps.
#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    registers: [u8; 5],
    pc: u16,
    irq_since: Option<u64>,
    nmi_since: Option<u64>,
}

fn case(interrupts: bool) -> impl Strategy<Value = Case> {
    let line = move || if interrupts { prop::option::of(0..60u64).boxed() } else { Just(None).boxed() };
    (any::<u64>(), any::<[u8; 5]>(), any::<u16>(), line(), line()).prop_map(
        |(seed, registers, pc, irq_since, nmi_since)| Case { seed, registers, pc, irq_since, nmi_since },
    )
}

fn memory(variant: Variant, seed: u64) -> Vec<u8> {
    let opcodes: Vec<u8> = (0..=255).filter(|opcode| documented(variant, *opcode)).collect();
    let mut state = seed | 1;
    (0..0x10000)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            opcodes[(state >> 33) as usize % opcodes.len()]
        })
        .collect()
}

fn compare<C: robo6502::Cpu>(
    variant: Variant,
    mut oracle: C,
    case: &Case,
    steps: usize,
) -> Result<(), TestCaseError> {
    let ram = memory(variant, case.seed);
    let [a, x, y, sp, p] = case.registers;
    let mut cpu = Mos6502::new(variant);
    (cpu.a, cpu.x, cpu.y, cpu.sp, cpu.p, cpu.pc) = (a, x, y, sp, p, case.pc);
    oracle.set_a(a);
    oracle.set_x(x);
    oracle.set_y(y);
    oracle.set_sp(sp);
    oracle.set_status(p);
    oracle.set_pc(case.pc);
    let (irq_since, nmi_since) = (case.irq_since, case.nmi_since);
    let mut system = Oracle { ram: ram.clone(), log: Vec::new(), irq_since, nmi_since };
    let mut bus = Ours { ram, log: Vec::new(), irq_since, nmi_since, deadline: 0, plain: false };
    let (start, start_bus) = (cpu.clone(), bus.clone());

    for step in 0..steps {
        let opcode = bus.ram[usize::from(cpu.pc)];
        if !documented(variant, opcode) {
            break;
        }
        bus.deadline = cpu.cycles + 1;
        prop_assert_eq!(cpu.run(&mut bus), Exit::Deadline);
        prop_assert!(oracle.run_instruction(&mut system).is_some());
        let ours = [cpu.pc, cpu.a.into(), cpu.x.into(), cpu.y.into(), cpu.sp.into(), (cpu.p & 0xCF).into()];
        let status = oracle.status() & 0xCF;
        let theirs = [
            oracle.pc(),
            oracle.a().into(),
            oracle.x().into(),
            oracle.y().into(),
            oracle.sp().into(),
            status.into(),
        ];
        prop_assert_eq!(ours, theirs, "pc a x y s p after step {} (opcode {:02X})", step, opcode);
        prop_assert_eq!(
            bus.log.len(),
            system.log.len(),
            "cycles after step {} (opcode {:02X})",
            step,
            opcode
        );
    }
    prop_assert!(bus.ram == system.ram, "the memories differ");
    if variant == Variant::Nmos6502 {
        prop_assert_eq!(&bus.log, &system.log);
    } else {
        // The oracle reads other addresses in some of the 65C02's spare cycles.
        let writes = |log: &[Row]| log.iter().filter(|row| row.2 == 'w').copied().collect::<Vec<_>>();
        prop_assert_eq!(writes(&bus.log), writes(&system.log));
    }
    in_one_go(start, start_bus, &cpu, &bus)
}

/// The same instructions without a log, in plain memory and in as few calls as the lines allow, end in the same state.
fn in_one_go(
    mut cpu: Mos6502,
    mut bus: Ours,
    wanted: &Mos6502,
    wanted_bus: &Ours,
) -> Result<(), TestCaseError> {
    bus.plain = true;
    let lines = [bus.irq_since, bus.nmi_since];
    while cpu.cycles < wanted.cycles {
        let timer = lines.into_iter().flatten().filter(|since| *since > cpu.cycles).min();
        // An edge inside an interrupt sequence takes its vector over, so the bus knows of both lines from the start.
        bus.deadline = timer.unwrap_or(u64::MAX).min(wanted.cycles);
        cpu.run(&mut bus);
    }
    prop_assert_eq!(&cpu, wanted);
    prop_assert!(bus.ram == wanted_bus.ram, "the memories differ");
    Ok(())
}

fn config(cases: u32) -> Config {
    println!("seed 0x6502, {cases} cases");
    Config { cases, rng_seed: RngSeed::Fixed(0x6502), failure_persistence: None, ..Config::default() }
}

proptest! {
    #![proptest_config(config(1500))]

    #[test]
    fn nmos_programs_agree_in_state_memory_and_every_bus_cycle(case in case(false)) {
        compare(Variant::Nmos6502, robo6502::Nmos::standard(), &case, 200)?;
    }

    #[test]
    fn w65c02_programs_agree_in_state_memory_cycles_and_writes(case in case(false)) {
        compare(Variant::W65c02, robo6502::Cmos::new(), &case, 200)?;
    }

    #[test]
    fn nmos_interrupts_come_at_the_same_cycle(case in case(true)) {
        compare(Variant::Nmos6502, robo6502::Nmos::standard(), &case, 60)?;
    }

    #[test]
    fn w65c02_interrupts_come_at_the_same_cycle(case in case(true)) {
        compare(Variant::W65c02, robo6502::Cmos::new(), &case, 60)?;
    }
}
