//! The fuzz target `cpu_differential`: our CPU against two cores of others, robo6502 and mos6502.
//!
//! After each instruction the registers, all that was written and the number of cycles are compared; with robo6502, which
//! shows its bus, each access too. Where another core is known to be wrong or to lack an instruction ([`Excuse`]), only
//! that is not compared: it is then set to our state and goes on from there.

use super::boards::CpuChoice;
use super::other_cores::{BusAccess, Excuse, OtherCore, Registers, mos6502, robo6502};
use super::scenario::many;
use super::targets::Finding;
use arbitrary::{Arbitrary, Unstructured};
use rreplay::bus::{Bus, Exception, Interrupt};
use rreplay::cpu::mos6502::{Mos6502, Variant, disassemble};
use rreplay::cpu::{Exit, Halt, Processor};
use rreplay::units::Position;

/// Bytes of the program.
const PROGRAM_MAX: usize = 160;
/// Bytes that are put elsewhere.
const PATCHES_MAX: usize = 12;
/// Instructions, counting those of interrupt sequences.
const STEPS: usize = 120;

/// A state to start from, and what memory holds.
#[derive(Clone, PartialEq, Eq, Debug, Arbitrary)]
struct Case {
    cpu: CpuChoice,
    /// A, X, Y, S, P.
    registers: [u8; 5],
    pc: u16,
    /// What lies around the program: 0 is nothing but zeros, others are the seed of noise.
    noise: u8,
    /// Cycles from which on the lines are active. With them only robo6502 takes part: it polls as the chip does.
    irq: Option<u8>,
    nmi: Option<u8>,
    #[arbitrary(with = |u: &mut Unstructured<'_>| many(u, PATCHES_MAX))]
    patches: Vec<(u16, u8)>,
    /// From `pc` on, around the end of the address space.
    #[arbitrary(with = |u: &mut Unstructured<'_>| many(u, PROGRAM_MAX))]
    program: Vec<u8>,
}

impl Case {
    fn variant(&self) -> Variant {
        match self.cpu {
            CpuChoice::W65c02 => Variant::W65c02,
            CpuChoice::Mos6502 => Variant::Nmos6502,
        }
    }

    fn has_interrupts(&self) -> bool {
        self.irq.is_some() || self.nmi.is_some()
    }

    fn start(&self) -> Registers {
        let [a, x, y, sp, p] = self.registers;
        Registers { pc: self.pc, a, x, y, sp, p: p & Registers::FLAGS }
    }

    fn memory(&self) -> Vec<u8> {
        let mut memory = vec![0; 0x10000];
        if self.noise != 0 {
            let mut state = u64::from(self.noise).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            for word in memory.chunks_exact_mut(8) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                word.copy_from_slice(&state.to_le_bytes());
            }
        }
        for (offset, byte) in self.program.iter().enumerate() {
            memory[usize::from(self.pc.wrapping_add(offset as u16))] = *byte;
        }
        for (address, byte) in &self.patches {
            memory[usize::from(*address)] = *byte;
        }
        memory
    }
}

/// Judges the case that bytes stand for.
pub(super) fn check(input: &[u8]) -> Result<(), Finding> {
    let case = Case::arbitrary_take_rest(Unstructured::new(input)).map_err(|error| error.to_string())?;
    compare(&case).map_err(|what| Finding::from(format!("{what}\n{case:#?}")))
}

fn compare(case: &Case) -> Result<(), String> {
    let memory = case.memory();
    let (irq, nmi) = (case.irq.map(u64::from), case.nmi.map(u64::from));
    let mut others = vec![robo6502(case.variant(), memory.clone(), irq, nmi)];
    if !case.has_interrupts() {
        others.push(mos6502(case.variant(), memory.clone()));
    }
    others.iter_mut().for_each(|other| other.set(case.start()));
    let mut ours = Ours::new(case, memory.clone());
    let first = ours.cpu.clone();
    for _ in 0..STEPS {
        let before = ours.step()?;
        for other in &mut others {
            let excuse = if ours.bus.interrupted { Excuse::NOTHING } else { other.excuse(before, ours.code) };
            // A core that cannot go on from where it is cannot be set there while an interrupt is on its way.
            if excuse != Excuse::NOTHING && case.has_interrupts() {
                return ours.again_in_one_go(first, memory);
            }
            compare_step(&ours, &mut **other, before, excuse)?;
        }
        if ours.cpu.halt() != Halt::Running {
            break;
        }
    }
    for other in &others {
        if other.memory() != ours.bus.memory {
            return Err(format!("in the end the memory of {} is another", other.name()));
        }
    }
    ours.again_in_one_go(first, memory)
}

/// Lets the other core do what ours has done, and compares what it is not excused from.
fn compare_step(
    ours: &Ours,
    other: &mut dyn OtherCore,
    before: Registers,
    excuse: Excuse,
) -> Result<(), String> {
    let wanted = ours.registers();
    if !excuse.everything {
        let cycles = other.step();
        let found = other.registers();
        let same_memory = ours
            .bus
            .written()
            .all(|address| other.memory()[usize::from(address)] == ours.bus.memory[usize::from(address)]);
        let same = wanted.without(excuse.flags) == found.without(excuse.flags)
            && (excuse.cycles || ours.bus.accesses.len() as u64 == cycles)
            && (excuse.cycles || other.has_same_accesses(&ours.bus.accesses));
        if !(same && same_memory) {
            let name = other.name();
            return Err(format!(
                "{} at {before:02X?}:\nours gives {wanted:02X?} in {} cycles {:02X?}\n{name} gives {found:02X?} in \
                 {cycles} cycles {:02X?}",
                ours.disassembled(before.pc),
                ours.bus.accesses.len(),
                ours.bus.accesses,
                other.accesses(),
            ));
        }
    }
    if excuse != Excuse::NOTHING {
        other.set(wanted);
        for address in ours.bus.written() {
            other.poke(address, ours.bus.memory[usize::from(address)]);
        }
    }
    Ok(())
}

/// Our CPU on RAM that remembers the accesses of one instruction.
struct Ours {
    cpu: Mos6502,
    bus: Ram,
    lines: [Option<u64>; 2],
    /// The bytes at the program counter before the instruction.
    code: [u8; 3],
}

impl Ours {
    fn new(case: &Case, memory: Vec<u8>) -> Self {
        let mut cpu = Mos6502::new(case.variant());
        let Registers { pc, a, x, y, sp, p } = case.start();
        (cpu.pc, cpu.a, cpu.x, cpu.y, cpu.sp, cpu.p) = (pc, a, x, y, sp, p);
        let lines = [case.irq.map(u64::from), case.nmi.map(u64::from)];
        let bus = Ram { memory, irq_since: lines[0], nmi_since: lines[1], ..Ram::default() };
        Self { cpu, bus, lines, code: [0; 3] }
    }

    fn registers(&self) -> Registers {
        let Mos6502 { pc, a, x, y, sp, p, .. } = self.cpu;
        Registers { pc, a, x, y, sp, p: p & Registers::FLAGS }
    }

    /// Executes one instruction or interrupt sequence, and returns the registers before it.
    fn step(&mut self) -> Result<Registers, String> {
        let before = self.registers();
        let (icount, cycles) = (self.cpu.icount, self.cpu.cycles);
        self.code = [0, 1, 2].map(|offset| self.bus.memory[usize::from(before.pc.wrapping_add(offset))]);
        self.bus.accesses.clear();
        self.bus.first_cycle = cycles;
        self.bus.interrupted = false;
        self.bus.deadline = cycles + 1;
        let exit = self.cpu.run(&mut self.bus);
        let retired = u64::from(!self.bus.interrupted && exit != Exit::Jammed);
        let moved = self.bus.accesses.len() as u64;
        if self.bus.out_of_step || self.cpu.icount != icount + retired || self.cpu.cycles != cycles + moved {
            return Err(format!(
                "{} at {before:02X?} ends with {exit:?}, {} instructions and {} cycles for {moved} accesses",
                self.disassembled(before.pc),
                self.cpu.icount - icount,
                self.cpu.cycles - cycles,
            ));
        }
        Ok(before)
    }

    fn disassembled(&self, pc: u16) -> String {
        let byte = |address: u16| self.code[usize::from(address.wrapping_sub(pc) % 3)];
        disassemble(self.cpu.variant(), pc, byte).to_string()
    }

    /// The same without a look at each access and in as few calls as the lines allow ends in the same state.
    fn again_in_one_go(&self, mut cpu: Mos6502, memory: Vec<u8>) -> Result<(), String> {
        let [irq_since, nmi_since] = self.lines;
        let mut bus = Ram { memory, irq_since, nmi_since, plain: true, ..Ram::default() };
        while cpu.cycles < self.cpu.cycles {
            let due = self.lines.into_iter().flatten().filter(|since| *since > cpu.cycles).min();
            bus.deadline = due.unwrap_or(u64::MAX).min(self.cpu.cycles);
            let before = cpu.cycles;
            cpu.run(&mut bus);
            if cpu.cycles == before {
                return Err(format!(
                    "in one go it comes to {cpu:?} and no further, in steps to {:?}",
                    self.cpu
                ));
            }
        }
        if cpu != self.cpu || bus.memory != self.bus.memory {
            return Err(format!(
                "in one go it comes to {cpu:?}, in steps to {:?}, or to another memory",
                self.cpu
            ));
        }
        Ok(())
    }
}

/// 64 KiB of RAM, lines that become active at a cycle, and the accesses of one instruction.
#[derive(Default)]
struct Ram {
    memory: Vec<u8>,
    accesses: Vec<BusAccess>,
    /// The cycle of the first of the accesses.
    first_cycle: u64,
    /// Whether an access was made at another cycle than the one that follows that of the access before.
    out_of_step: bool,
    /// Whether an interrupt was accepted in place of an instruction.
    interrupted: bool,
    irq_since: Option<u64>,
    nmi_since: Option<u64>,
    deadline: u64,
    /// Lets the CPU fetch unseen, as a machine does from plain memory. Nothing is remembered then.
    plain: bool,
}

impl Ram {
    /// The addresses written since the accesses were cleared.
    fn written(&self) -> impl Iterator<Item = u16> + '_ {
        self.accesses.iter().filter(|access| access.write).map(|access| access.address)
    }

    #[inline]
    fn remember(&mut self, address: u16, value: u8, write: bool, at: Position) {
        if !self.plain {
            self.out_of_step |= at.cycles != self.first_cycle + self.accesses.len() as u64;
            self.accesses.push(BusAccess { address, value, write });
        }
    }
}

impl Bus for Ram {
    fn read(&mut self, address: u16, at: Position) -> u8 {
        let value = self.memory[usize::from(address)];
        self.remember(address, value, false, at);
        value
    }
    fn write(&mut self, address: u16, value: u8, at: Position) {
        self.memory[usize::from(address)] = value;
        self.remember(address, value, true, at);
    }
    fn plain_code(&self, _: u16) -> bool {
        self.plain
    }
    fn code(&self, address: u16) -> u8 {
        self.memory[usize::from(address)]
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
        // An NMI may also take over the vector of a BRK that is under way.
        self.interrupted |= self.accesses.is_empty();
        true
    }
    fn exception(&mut self, _: Exception, _: Position) {}
}
