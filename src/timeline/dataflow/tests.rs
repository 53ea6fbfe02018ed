//! The table against the processor: every opcode is executed twice, with one source of values changed, and what comes out
//! differs where the table says that it may, now and then, and nowhere else.

use super::{Flows, Register};
use crate::bus::{Bus, Exception, Interrupt};
use crate::cpu::disassemble::{Mode, decode};
use crate::cpu::{Cpu, Variant};
use crate::units::Position;
use std::collections::BTreeSet;

const ROUNDS: u32 = 1_500;
const CODE: u16 = 0x0400;

/// One instruction, and the same byte everywhere else, so that it does not matter which one is read.
#[derive(Clone)]
struct Data {
    code: [u8; 3],
    byte: u8,
    written: Option<u8>,
}

impl Bus for Data {
    fn read(&mut self, address: u16, _: Position) -> u8 {
        self.code.get(usize::from(address.wrapping_sub(CODE))).copied().unwrap_or(self.byte)
    }
    fn write(&mut self, _: u16, value: u8, _: Position) {
        self.written = Some(value);
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
    fn exception(&mut self, _: Exception, _: Position) {}
}

/// A source or a result: a register, or the operand and the byte written (`None`).
type Place = Option<Register>;

const PLACES: [Place; 5] =
    [Some(Register::A), Some(Register::X), Some(Register::Y), Some(Register::Sp), None];

fn register(cpu: &mut Cpu, register: Register) -> &mut u8 {
    match register {
        Register::A => &mut cpu.a,
        Register::X => &mut cpu.x,
        Register::Y => &mut cpu.y,
        Register::Sp => &mut cpu.sp,
    }
}

fn outcome(mut cpu: Cpu, mut data: Data) -> [Option<u8>; 5] {
    cpu.run(&mut data);
    [Some(cpu.a), Some(cpu.x), Some(cpu.y), Some(cpu.sp), data.written]
}

fn next(seed: &mut u32) -> u8 {
    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*seed >> 24) as u8
}

fn check(variant: Variant, flows: &Flows, opcode: u8, seed: &mut u32) {
    let (name, mode) = decode(variant, opcode);
    let flow = flows.of(opcode);
    // Of these a result also depends on the address, which is no value: it keeps its high byte here.
    let is_addressed = name.starts_with("SH") || name == "TAS";
    let making = |to: Place| to.map_or(Some(flow.stored), |register| flow.made(register));
    let is_source = |from: Place, to: Place| {
        making(to).is_some_and(|making| {
            from.map_or(making.operand, |register| making.registers.contains(&register))
        })
    };
    let mut seen = BTreeSet::new();
    for _ in 0..ROUNDS {
        let mut cpu = Cpu::new(variant);
        (cpu.a, cpu.x, cpu.y, cpu.sp) = (next(seed), next(seed) % 0xE0, next(seed) % 0xE0, next(seed));
        (cpu.p, cpu.pc) = (next(seed) & 0xCF | 0x20, CODE);
        let operand = if mode == Mode::Immediate { next(seed) } else { 0x10 };
        let byte = if is_addressed { 0x05 } else { next(seed) };
        let data = Data { code: [opcode, operand, 0x02], byte, written: None };
        let plain = outcome(cpu.clone(), data.clone());
        for (to, (after, before)) in PLACES.iter().zip(plain.iter().zip([cpu.a, cpu.x, cpu.y, cpu.sp])) {
            assert!(making(*to).is_some() || *after == Some(before), "{name} has changed {to:?}");
        }
        for from in PLACES {
            let (mut cpu, mut data) = (cpu.clone(), data.clone());
            match from {
                Some(index @ (Register::X | Register::Y)) => *register(&mut cpu, index) = next(seed) % 0xE0,
                Some(other) => *register(&mut cpu, other) = next(seed),
                None if mode == Mode::Immediate => data.code[1] = next(seed),
                None if is_addressed => continue,
                None => data.byte = next(seed),
            }
            let changed = outcome(cpu, data);
            for (number, to) in PLACES.into_iter().enumerate() {
                // Where nothing is made, what comes out is what went in; the stack pointer's own moves are not followed.
                let is_kept = making(to).is_none() || to == Some(Register::Sp) && from == to;
                if changed[number] != plain[number] && !(is_kept && from == to) {
                    assert!(is_source(from, to), "{name} {mode:?} makes {to:?} of {from:?} too");
                    seen.insert((from, to));
                }
            }
        }
    }
    for to in PLACES {
        let is_made = to.is_some() && making(to).is_some() || to.is_none() && stores(&name, mode);
        for from in PLACES.into_iter().filter(|from| is_made && is_source(*from, to)) {
            let is_seen = seen.contains(&(from, to)) || to == Some(Register::Sp) && from == to;
            assert!(is_seen, "{name} {mode:?} does not make {to:?} of {from:?}");
        }
    }
}

/// Whether it writes to memory anything that was made of something.
fn stores(name: &str, mode: Mode) -> bool {
    const NAMES: [&str; 28] = [
        "STA", "STX", "STY", "PHA", "PHX", "PHY", "SAX", "SHA", "SHX", "SHY", "TAS", "ASL", "LSR", "ROL",
        "ROR", "INC", "DEC", "SLO", "RLA", "SRE", "RRA", "DCP", "ISC", "RMB", "SMB", "TSB", "TRB", "STZ",
    ];
    mode != Mode::Accumulator && NAMES.contains(&&name[..3])
}

#[test]
fn each_opcode_makes_of_values_what_the_table_says() {
    let mut seed = 31_415;
    for variant in [Variant::Nmos6502, Variant::W65c02] {
        let flows = Flows::new(variant);
        for opcode in 0..=u8::MAX {
            check(variant, &flows, opcode, &mut seed);
        }
    }
}
