//! The table against the processor: every opcode is executed twice, with one source of values changed, and what comes out
//! differs where the table says that it may, now and then, and nowhere else.

use super::super::registers::{A, SP, X, Y};
use super::super::{Mos6502, Status, Variant};
use super::{MemoryAccess, Mode, Opcode, StackAccess, opcode};
use crate::bus::{Bus, Exception, Interrupt};
use crate::cpu::Processor;
use crate::cpu::instruction::{BY_PROCESSOR, ControlFlow, Definition, Register, RegisterSet};
use crate::units::Position;
use std::collections::BTreeSet;

const ROUNDS: u32 = 1_500;
const CODE: u16 = 0x0400;

trait Memory {
    fn read(&mut self, address: u16) -> u8;
    fn write(&mut self, address: u16, value: u8);
}

/// A bus on which nothing happens but one instruction.
#[derive(Clone)]
struct Alone<M> {
    memory: M,
    jammed: bool,
}

impl<M: Memory> Bus for Alone<M> {
    fn read(&mut self, address: u16, _: Position) -> u8 {
        self.memory.read(address)
    }
    fn write(&mut self, address: u16, value: u8, _: Position) {
        self.memory.write(address, value);
    }
    fn deadline(&self) -> u64 {
        1
    }
    fn lower_deadline(&mut self) {}
    fn irq_at(&mut self, _: u64) -> bool {
        false
    }
    fn nmi_at(&mut self, _: u64) -> bool {
        false
    }
    fn acknowledge_nmi(&mut self, _: u64) {}
    fn accept(&mut self, _: Interrupt, _: Position) -> bool {
        false
    }
    fn exception(&mut self, exception: Exception, _: Position) {
        self.jammed |= exception == Exception::Jam;
    }
}

/// One instruction, and the same byte everywhere else, so that it does not matter which one is read.
#[derive(Clone)]
struct Data {
    code: [u8; 3],
    byte: u8,
    written: Option<u8>,
}

impl Memory for Data {
    fn read(&mut self, address: u16) -> u8 {
        self.code.get(usize::from(address.wrapping_sub(CODE))).copied().unwrap_or(self.byte)
    }
    fn write(&mut self, _: u16, value: u8) {
        self.written = Some(value);
    }
}

/// A source or a result: a register, or the operand and the byte written (`None`).
type Place = Option<Register>;

const PLACES: [Place; 5] = [Some(A), Some(X), Some(Y), Some(SP), None];

fn register(cpu: &mut Mos6502, register: Register) -> &mut u8 {
    match register {
        A => &mut cpu.a,
        X => &mut cpu.x,
        Y => &mut cpu.y,
        _ => &mut cpu.sp,
    }
}

fn outcome(mut cpu: Mos6502, data: Data) -> [Option<u8>; 5] {
    let mut bus = Alone { memory: data, jammed: false };
    cpu.run(&mut bus);
    [Some(cpu.a), Some(cpu.x), Some(cpu.y), Some(cpu.sp), bus.memory.written]
}

fn next(seed: &mut u32) -> u8 {
    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*seed >> 24) as u8
}

fn check(variant: Variant, byte_of_code: u8, seed: &mut u32) {
    let Opcode { operation, mode, .. } = *opcode(variant, byte_of_code);
    let name = operation.mnemonic;
    // Of these a result also depends on the address, which is no value: it keeps its high byte here.
    let is_addressed = name.starts_with("SH") || name == "TAS";
    let making = |to: Place| -> Option<Definition> {
        to.map_or(Some(operation.stored_from), |register| operation.definition(register, SP))
    };
    let is_source = |from: Place, to: Place| {
        making(to)
            .is_some_and(|making| from.map_or(making.operand, |register| making.registers.contains(register)))
    };
    let mut seen = BTreeSet::new();
    for _ in 0..ROUNDS {
        let mut cpu = Mos6502::new(variant);
        (cpu.a, cpu.x, cpu.y, cpu.sp) = (next(seed), next(seed) % 0xE0, next(seed) % 0xE0, next(seed));
        (cpu.p, cpu.pc) = (next(seed) & 0xCF | 0x20, CODE);
        let operand = if mode == Mode::Immediate { next(seed) } else { 0x10 };
        let byte = if is_addressed { 0x05 } else { next(seed) };
        let data = Data { code: [byte_of_code, operand, 0x02], byte, written: None };
        let plain = outcome(cpu.clone(), data.clone());
        for (to, (after, before)) in PLACES.iter().zip(plain.iter().zip([cpu.a, cpu.x, cpu.y, cpu.sp])) {
            assert!(making(*to).is_some() || *after == Some(before), "{name} has changed {to:?}");
        }
        for from in PLACES {
            let (mut cpu, mut data) = (cpu.clone(), data.clone());
            match from {
                Some(index @ (X | Y)) => *register(&mut cpu, index) = next(seed) % 0xE0,
                Some(other) => *register(&mut cpu, other) = next(seed),
                None if mode == Mode::Immediate => data.code[1] = next(seed),
                None if is_addressed => continue,
                None => data.byte = next(seed),
            }
            let changed = outcome(cpu, data);
            for (number, to) in PLACES.into_iter().enumerate() {
                // Where nothing is made, what comes out is what went in; the stack pointer's own moves are not followed.
                let is_kept = making(to).is_none() || to == Some(SP) && from == to;
                if changed[number] != plain[number] && !(is_kept && from == to) {
                    assert!(is_source(from, to), "{name} {mode:?} makes {to:?} of {from:?} too");
                    seen.insert((from, to));
                }
            }
        }
    }
    for to in PLACES {
        let is_made =
            to.is_some() && making(to).is_some() || to.is_none() && operation.stored_from != BY_PROCESSOR;
        for from in PLACES.into_iter().filter(|from| is_made && is_source(*from, to)) {
            let is_seen = seen.contains(&(from, to)) || to == Some(SP) && from == to;
            assert!(is_seen, "{name} {mode:?} does not make {to:?} of {from:?}");
        }
    }
}

#[test]
fn each_opcode_makes_of_values_what_the_table_says() {
    let mut seed = 31_415;
    for variant in CHIPS {
        for opcode in 0..=u8::MAX {
            check(variant, opcode, &mut seed);
        }
    }
}

const CHIPS: [Variant; 2] = [Variant::Nmos6502, Variant::W65c02];

/// What is read above the memory, vectors among it.
const ELSEWHERE: u8 = 0x08;

/// Memory that notes who touched what.
#[derive(Clone)]
struct Noted {
    bytes: Vec<u8>,
    cycles: Vec<(u16, bool)>,
}

impl Memory for Noted {
    fn read(&mut self, address: u16) -> u8 {
        self.cycles.push((address, false));
        self.bytes.get(usize::from(address)).copied().unwrap_or(ELSEWHERE)
    }
    fn write(&mut self, address: u16, value: u8) {
        self.cycles.push((address, true));
        if let Some(byte) = self.bytes.get_mut(usize::from(address)) {
            *byte = value;
        }
    }
}

/// The processor and its memory before and after an instruction.
struct Execution {
    before: Mos6502,
    after: Mos6502,
    memory: Noted,
    jammed: bool,
}

/// Random registers, flags and data; no index crosses a page and no address falls on the stack or the code.
fn executed(variant: Variant, code: u8, seed: &mut u32, change: impl FnOnce(&mut Mos6502)) -> Execution {
    let mut bytes = vec![0; 0x0A00];
    for byte in &mut bytes[..0x200] {
        *byte = next(seed);
    }
    // No branch leads to the next instruction. Whatever pointer is taken leads to page 8, low enough to be indexed.
    for pair in bytes[..0x100].chunks_mut(2) {
        pair.copy_from_slice(&[next(seed) % 0x70, 0x08]);
    }
    for byte in &mut bytes[0x0800..0x0900] {
        *byte = next(seed);
    }
    let operand = 2 + next(seed) % 0x3F * 2;
    bytes[usize::from(CODE)..usize::from(CODE) + 3].copy_from_slice(&[code, operand, 0x08]);
    if opcode(variant, code).mode == Mode::ZeroPageRelative {
        bytes[usize::from(operand)] = next(seed);
    }
    let mut cpu = Mos6502::new(variant);
    (cpu.a, cpu.sp) = (next(seed), 0x40 + next(seed) % 0x80);
    (cpu.x, cpu.y) = (next(seed) % 0x40 * 2, next(seed) % 0x40 * 2);
    (cpu.p, cpu.pc) = (next(seed) & 0xCF | 0x20, CODE);
    change(&mut cpu);
    let before = cpu.clone();
    let mut bus = Alone { memory: Noted { bytes, cycles: Vec::new() }, jammed: false };
    cpu.run(&mut bus);
    Execution { before, after: cpu, memory: bus.memory, jammed: bus.jammed }
}

impl Execution {
    /// Where the operand is, by the mode alone.
    fn effective_address(&self, mode: Mode) -> Option<u16> {
        let Mos6502 { x, y, .. } = self.before;
        let byte = |address: u16| self.before_byte(address);
        let word = |zero_page: u8| {
            u16::from_le_bytes([byte(zero_page.into()), byte(zero_page.wrapping_add(1).into())])
        };
        let (low, high) = (byte(CODE + 1), byte(CODE + 2));
        let absolute = u16::from_le_bytes([low, high]);
        Some(match mode {
            Mode::ZeroPage | Mode::ZeroPageRelative => low.into(),
            Mode::ZeroPageX => low.wrapping_add(x).into(),
            Mode::ZeroPageY => low.wrapping_add(y).into(),
            Mode::ZeroPageIndirect => word(low),
            Mode::IndexedIndirect => word(low.wrapping_add(x)),
            Mode::IndirectIndexed => word(low) + u16::from(y),
            Mode::Absolute => absolute,
            Mode::AbsoluteX => absolute + u16::from(x),
            Mode::AbsoluteY => absolute + u16::from(y),
            _ => return None,
        })
    }

    /// Nothing that addresses are made of is written.
    fn before_byte(&self, address: u16) -> u8 {
        self.memory.bytes.get(usize::from(address)).copied().unwrap_or(ELSEWHERE)
    }
}

fn flag_names() -> [u8; 6] {
    [Status::C, Status::Z, Status::I, Status::D, Status::V, Status::N]
}

fn check_execution(variant: Variant, code: u8, seed: &mut u32) {
    let described = opcode(variant, code);
    let Opcode { operation, mode, cycles, .. } = *described;
    let name = format!("{variant:?} {code:02X} {} {mode:?}", operation.mnemonic);
    let (mut changed_flags, mut moved, mut fell_through) = (0, false, false);
    for round in 0..ROUNDS / 5 {
        // Binary arithmetic at first, so that cycles can be compared.
        let binary = round < 100;
        let this = executed(variant, code, seed, |cpu| cpu.p &= if binary { !Status::D } else { !0 });
        let Execution { before, after, memory: bus, jammed } = &this;
        assert_eq!(*jammed, !operation.retires, "{name}");
        // -- control
        let next_pc = CODE + mode.length();
        moved |= after.pc != next_pc;
        fell_through |= after.pc == next_pc;
        let stays = matches!(operation.flow, ControlFlow::Next)
            || operation.flow == ControlFlow::Halt && operation.retires;
        assert!(!stays || after.pc == next_pc, "{name} went to {:04X}", after.pc);
        // -- cycles
        let is_taken = matches!(operation.flow, ControlFlow::Branch) && after.pc != next_pc;
        if before.p & Status::D == 0 && !is_taken && operation.mnemonic != "BRA" {
            assert_eq!(bus.cycles.len(), usize::from(cycles), "{name}");
        }
        // -- the stack
        let moved_by = after.sp.wrapping_sub(before.sp) as i8;
        match operation.stack {
            StackAccess::Push(count) => assert_eq!(-moved_by, count as i8, "{name}"),
            StackAccess::Pull(count) => assert_eq!(moved_by, count as i8, "{name}"),
            StackAccess::None => assert!(moved_by == 0 || operation.result.contains(SP), "{name}"),
        }
        // -- memory
        let address = this.effective_address(mode);
        let at = |write: bool| address.is_some_and(|address| bus.cycles.contains(&(address, write)));
        let unstable = ["SHA", "SHX", "SHY", "TAS"].contains(&operation.mnemonic);
        let (reads, writes) = match described.memory() {
            MemoryAccess::None => (false, false),
            MemoryAccess::Read => (true, false),
            MemoryAccess::Write => (false, true),
            MemoryAccess::Modify => (true, true),
        };
        assert!(!reads || at(false), "{name} does not read {address:04X?}: {:04X?}", bus.cycles);
        assert!(!writes || at(true), "{name} does not write {address:04X?}: {:04X?}", bus.cycles);
        let elsewhere = |(address, write): &(u16, bool)| *write && address >> 8 != 1;
        assert!(writes || !bus.cycles.iter().any(elsewhere), "{name} writes: {:04X?}", bus.cycles);
        assert!(
            unstable || reads || !at(false) || !writes || is_indexed(mode),
            "{name} reads {:04X?}",
            bus.cycles
        );
        // -- registers and flags
        for (register, value) in [(A, after.a ^ before.a), (X, after.x ^ before.x), (Y, after.y ^ before.y)] {
            assert!(value == 0 || operation.result.contains(register), "{name} changes {register:?}");
        }
        let changed = (after.p ^ before.p) & !0x30;
        assert_eq!(changed & !operation.flags_defined, 0, "{name} changes flags");
        changed_flags |= changed;
    }
    assert_eq!(changed_flags, operation.flags_defined, "{name} defines flags that it never changes");
    match operation.flow {
        ControlFlow::Branch => assert!(moved && fell_through, "{name}"),
        ControlFlow::Jump | ControlFlow::Call | ControlFlow::Return => assert!(moved, "{name}"),
        ControlFlow::Next => assert!(!moved, "{name}"),
        ControlFlow::Halt => {}
    }
}

/// An indexed store reads at its address before it writes, for the chip does not know yet whether a page is crossed.
fn is_indexed(mode: Mode) -> bool {
    !mode.index().is_empty()
}

#[test]
fn each_opcode_does_what_the_table_says() {
    let mut seed = 27_182;
    for variant in CHIPS {
        for code in 0..=u8::MAX {
            check_execution(variant, code, &mut seed);
        }
    }
}

/// Flags that the table says matter do, now and then, and no others ever.
#[test]
fn each_opcode_uses_the_flags_that_the_table_says() {
    let mut seed = 16_180;
    for variant in CHIPS {
        for code in 0..=u8::MAX {
            let operation = &opcode(variant, code).operation;
            let mut used = 0;
            for _ in 0..ROUNDS / 5 {
                let start = seed;
                let plain = executed(variant, code, &mut seed, |_| {});
                for flag in flag_names() {
                    let flipped = executed(variant, code, &mut start.clone(), |cpu| cpu.p ^= flag);
                    let kept = !operation.flags_defined & flag;
                    let same = plain.after.p == flipped.after.p ^ kept
                        && registers(&plain.after) == registers(&flipped.after)
                        && plain.memory.bytes == flipped.memory.bytes;
                    used |= if same { 0 } else { flag };
                }
            }
            assert_eq!(used, operation.flags_used, "{variant:?} {code:02X} {}", operation.mnemonic);
        }
    }
}

const REGISTERS: [Register; 4] = [A, X, Y, SP];

fn registers(cpu: &Mos6502) -> (u8, u8, u8, u8, u16) {
    (cpu.a, cpu.x, cpu.y, cpu.sp, cpu.pc)
}

/// Registers on which the table says that something depends (values, flags, addresses), and those that it says change: now and
/// then they do, and no others ever.
#[test]
fn each_opcode_uses_and_defines_the_registers_that_the_table_says() {
    let mut seed = 14_142;
    for variant in CHIPS {
        for code in 0..=u8::MAX {
            let described = opcode(variant, code);
            let (mut used, mut defined) = (RegisterSet::NONE, RegisterSet::NONE);
            for _ in 0..ROUNDS / 5 {
                let start = seed;
                let plain = executed(variant, code, &mut seed, |_| {});
                // Even and small, as the indexes have to be.
                let flips = 2 + next(&mut seed) % 0x1F * 2;
                for changed in REGISTERS {
                    let set = RegisterSet::of(&[changed]);
                    let (mut before, mut after) = (plain.before.clone(), plain.after.clone());
                    if register(&mut before, changed) != register(&mut after, changed) {
                        defined = defined.union(set);
                    }
                    let flip = |cpu: &mut Mos6502| *register(cpu, changed) ^= flips;
                    let flipped = executed(variant, code, &mut start.clone(), flip);
                    // A register that nothing is made of is left as it was, or gets what it got before.
                    if described.operation.definition(changed, SP).is_none() {
                        flip(&mut after);
                    }
                    let same = registers(&after) == registers(&flipped.after)
                        && after.p == flipped.after.p
                        && plain.memory.bytes == flipped.memory.bytes
                        && plain.memory.cycles == flipped.memory.cycles;
                    used = if same { used } else { used.union(set) };
                }
            }
            let name =
                format!("{variant:?} {code:02X} {} {:?}", described.operation.mnemonic, described.mode);
            assert_eq!(used, described.registers_used(), "{name} uses");
            assert_eq!(defined, described.registers_defined(), "{name} defines");
        }
    }
}
