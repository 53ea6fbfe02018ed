//! The opcode tables of both chips: the one place that says of an opcode what it is.
//!
//! The interpreter's `match` in `execute.rs` stands beside the table and does not read it; tests hold the two against each other,
//! opcode by opcode. Everybody else asks the table: disassembler, steps over and out, the origin of a value.

mod nmos;
mod operations;
mod w65c02;

use super::Variant;
use super::registers::{SP, X, Y};
use crate::cpu::instruction::{MemoryAccess, Operation, RegisterSet, StackAccess};

/// How an instruction finds its operand, and so its length and its text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Mode {
    /// No operand.
    Implied,
    /// The accumulator.
    Accumulator,
    /// `#$12`
    Immediate,
    /// `$12`
    ZeroPage,
    /// `$12,X`
    ZeroPageX,
    /// `$12,Y`
    ZeroPageY,
    /// `($12)`
    ZeroPageIndirect,
    /// `($12,X)`
    IndexedIndirect,
    /// `($12),Y`
    IndirectIndexed,
    /// `$1234`
    Absolute,
    /// `$1234,X`
    AbsoluteX,
    /// `$1234,Y`
    AbsoluteY,
    /// `($1234)`
    Indirect,
    /// `($1234,X)`
    AbsoluteIndexedIndirect,
    /// A branch target, shown as an address.
    Relative,
    /// `$12,$1234`: the zero-page byte and the target of BBR and BBS.
    ZeroPageRelative,
}

impl Mode {
    /// Bytes of an instruction in this mode, the opcode included.
    pub const fn length(self) -> u16 {
        match self {
            Mode::Implied | Mode::Accumulator => 1,
            Mode::Absolute
            | Mode::AbsoluteX
            | Mode::AbsoluteY
            | Mode::Indirect
            | Mode::AbsoluteIndexedIndirect
            | Mode::ZeroPageRelative => 3,
            _ => 2,
        }
    }

    /// The index register of the address.
    pub const fn index(self) -> RegisterSet {
        match self {
            Mode::ZeroPageX | Mode::IndexedIndirect | Mode::AbsoluteX | Mode::AbsoluteIndexedIndirect => {
                RegisterSet::of(&[X])
            }
            Mode::ZeroPageY | Mode::IndirectIndexed | Mode::AbsoluteY => RegisterSet::of(&[Y]),
            _ => RegisterSet::NONE,
        }
    }
}

/// What an opcode is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opcode {
    /// What it does.
    pub operation: Operation,
    /// How it finds its operand.
    pub mode: Mode,
    /// Cycles, where no index crosses a page, no branch is taken (but BRA always is), and arithmetic is binary. A branch that is taken
    /// makes one more, and another one across a page; decimal ADC and SBC of the W65C02S make one more.
    pub cycles: u8,
    /// Whether it makes one cycle more where its index crosses a page.
    pub crossing_cycle: bool,
}

const fn op(operation: Operation, mode: Mode, cycles: u8) -> Opcode {
    Opcode { operation, mode, cycles, crossing_cycle: false }
}

impl Opcode {
    const fn crossing(self) -> Self {
        Self { crossing_cycle: true, ..self }
    }

    /// What it does at its effective address; an immediate operand lies in the instruction.
    pub fn memory(&self) -> MemoryAccess {
        if self.mode == Mode::Immediate { MemoryAccess::None } else { self.operation.memory }
    }

    /// Registers on which anything depends that it does: values, flags, addresses.
    pub fn registers_used(&self) -> RegisterSet {
        let Operation { result_from, stored_from, tested, .. } = self.operation;
        let values = result_from.registers.union(stored_from.registers).union(tested);
        values.union(self.mode.index()).union(self.moved())
    }

    /// Registers that get a new value.
    pub fn registers_defined(&self) -> RegisterSet {
        self.operation.result.union(self.moved())
    }

    fn moved(&self) -> RegisterSet {
        if self.operation.stack == StackAccess::None { RegisterSet::NONE } else { RegisterSet::of(&[SP]) }
    }
}

/// What an opcode of a chip is.
pub fn opcode(variant: Variant, byte: u8) -> &'static Opcode {
    let table = match variant {
        Variant::Nmos6502 => &nmos::OPCODES,
        Variant::W65c02 => &w65c02::OPCODES,
    };
    &table[usize::from(byte)]
}

#[cfg(test)]
mod tests;
