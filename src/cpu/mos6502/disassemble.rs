//! Disassembly of 6502 and W65C02S code.

use super::Variant;
use super::opcodes::{Mode, opcode};
use crate::cpu::instruction::{ControlFlow, Instruction};

/// Disassembles the instruction at `pc`. `read` is asked for its bytes only, and should have no side effects; addresses
/// wrap from FFFF to 0000.
pub fn disassemble(variant: Variant, pc: u16, read: impl Fn(u16) -> u8) -> Instruction {
    let opcode = opcode(variant, read(pc));
    let (operation, mode) = (opcode.operation, opcode.mode);
    let bytes: Vec<u8> = (0..mode.length()).map(|offset| read(pc.wrapping_add(offset))).collect();
    let first = bytes.get(1).copied().unwrap_or(0);
    let last = bytes.last().copied().unwrap_or(0);
    let word = u16::from_le_bytes([first, last]);
    let branch = pc.wrapping_add(mode.length()).wrapping_add(last as i8 as u16);
    let operand = match mode {
        Mode::Implied => String::new(),
        Mode::Accumulator => "A".to_owned(),
        Mode::Immediate => format!("#${first:02X}"),
        Mode::ZeroPage => format!("${first:02X}"),
        Mode::ZeroPageX => format!("${first:02X},X"),
        Mode::ZeroPageY => format!("${first:02X},Y"),
        Mode::ZeroPageIndirect => format!("(${first:02X})"),
        Mode::IndexedIndirect => format!("(${first:02X},X)"),
        Mode::IndirectIndexed => format!("(${first:02X}),Y"),
        Mode::Absolute => format!("${word:04X}"),
        Mode::AbsoluteX => format!("${word:04X},X"),
        Mode::AbsoluteY => format!("${word:04X},Y"),
        Mode::Indirect => format!("(${word:04X})"),
        Mode::AbsoluteIndexedIndirect => format!("(${word:04X},X)"),
        Mode::Relative => format!("${branch:04X}"),
        Mode::ZeroPageRelative => format!("${first:02X},${branch:04X}"),
    };
    let target = match mode {
        Mode::Relative | Mode::ZeroPageRelative => Some(branch),
        Mode::Absolute if matches!(operation.flow, ControlFlow::Jump | ControlFlow::Call) => Some(word),
        _ => None,
    };
    let immediate = (mode == Mode::Immediate).then_some(1);
    Instruction { address: pc, bytes, operation, operand, target, immediate }
}
