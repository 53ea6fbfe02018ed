//! What each instruction makes of what: the values that it leaves in registers and memory, and those that they come from.
//! Flags, addresses and decisions are no values here.

use super::graph::NodeKind;
use crate::cpu::Variant;
use crate::cpu::disassemble::{JAM, Mode, decode};

/// A register that holds a value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Register {
    A,
    X,
    Y,
    Sp,
}

use Register::{A, Sp, X, Y};

impl Register {
    /// As a programmer writes it.
    pub const fn name(self) -> &'static str {
        match self {
            A => "A",
            X => "X",
            Y => "Y",
            Sp => "SP",
        }
    }
}

/// What a value is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Making {
    /// How: loaded, stored, computed, or out of nothing.
    pub kind: NodeKind,
    /// Registers, as they were before the instruction.
    pub registers: &'static [Register],
    /// Whether of the operand too: the byte in the instruction, or the byte read last.
    pub operand: bool,
}

const fn making(kind: NodeKind, registers: &'static [Register], operand: bool) -> Making {
    Making { kind, registers, operand }
}

const fn load(operand: bool, registers: &'static [Register]) -> Making {
    making(NodeKind::Load, registers, operand)
}

const fn compute(registers: &'static [Register], operand: bool) -> Making {
    making(NodeKind::Compute, registers, operand)
}

/// The processor's own: return addresses, flags, the stack pointer's way up and down.
pub const BY_PROCESSOR: Making = making(NodeKind::Processor, &[], false);

/// What an instruction does with values.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    /// Its addressing mode.
    pub mode: Mode,
    /// Registers that hold the same new value behind it.
    written: &'static [Register],
    /// What that value is made of.
    made: Making,
    /// What a byte that it writes is made of.
    pub stored: Making,
    /// Whether it pushes or pulls.
    moves_stack: bool,
    /// Whether it stops the processor until a reset.
    pub jams: bool,
}

impl Flow {
    fn of(mnemonic: &str, mode: Mode) -> Self {
        let name = match &mnemonic[..3] {
            bit @ ("RMB" | "SMB" | "BBR" | "BBS") => bit,
            _ => mnemonic,
        };
        let (written, made): (&[Register], _) = match name {
            "LDA" | "PLA" => (&[A], load(true, &[])),
            "LDX" | "PLX" => (&[X], load(true, &[])),
            "LDY" | "PLY" => (&[Y], load(true, &[])),
            "LAX" => (&[A, X], load(true, &[])),
            "TAX" => (&[X], load(false, &[A])),
            "TAY" => (&[Y], load(false, &[A])),
            "TXA" => (&[A], load(false, &[X])),
            "TYA" => (&[A], load(false, &[Y])),
            "TSX" => (&[X], load(false, &[Sp])),
            "TXS" => (&[Sp], load(false, &[X])),
            "INX" | "DEX" => (&[X], compute(&[X], false)),
            "INY" | "DEY" => (&[Y], compute(&[Y], false)),
            "ASL" | "LSR" | "ROL" | "ROR" | "INC" | "DEC" if mode == Mode::Accumulator => {
                (&[A], compute(&[A], false))
            }
            "ADC" | "SBC" | "AND" | "ORA" | "EOR" | "SLO" | "RLA" | "SRE" | "RRA" | "ISC" | "ANC" | "ALR"
            | "ARR" => (&[A], compute(&[A], true)),
            "ANE" => (&[A], compute(&[A, X], true)),
            "LXA" => (&[A, X], compute(&[A], true)),
            "SBX" => (&[X], compute(&[A, X], true)),
            "LAS" => (&[A, X, Sp], compute(&[Sp], true)),
            "TAS" => (&[Sp], compute(&[A, X], false)),
            _ => (&[], BY_PROCESSOR),
        };
        let store = |registers| making(NodeKind::Store, registers, false);
        let stored = match name {
            "STA" | "PHA" => store(&[A]),
            "STX" | "PHX" | "SHX" => store(&[X]),
            "STY" | "PHY" | "SHY" => store(&[Y]),
            "SAX" | "SHA" | "TAS" => store(&[A, X]),
            "STZ" => making(NodeKind::Constant, &[], false),
            "ASL" | "LSR" | "ROL" | "ROR" | "INC" | "DEC" | "SLO" | "RLA" | "SRE" | "RRA" | "DCP" | "ISC"
            | "RMB" | "SMB" => compute(&[], true),
            "TSB" | "TRB" => compute(&[A], true),
            // JSR, BRK, PHP.
            _ => BY_PROCESSOR,
        };
        let moves_stack = matches!(
            name,
            "PHA" | "PHP" | "PHX" | "PHY" | "PLA" | "PLP" | "PLX" | "PLY" | "JSR" | "RTS" | "RTI" | "BRK"
        );
        Self { mode, written, made, stored, moves_stack, jams: name == JAM }
    }

    /// What a register's new value is made of; `None` when the instruction leaves the register alone.
    pub fn made(&self, register: Register) -> Option<Making> {
        if self.written.contains(&register) {
            return Some(self.made);
        }
        (register == Sp && self.moves_stack).then_some(BY_PROCESSOR)
    }
}

/// The flow of each opcode of a chip.
pub struct Flows(Vec<Flow>);

impl Flows {
    /// Those of a chip.
    pub fn new(variant: Variant) -> Self {
        let flow = |opcode| {
            let (mnemonic, mode) = decode(variant, opcode);
            Flow::of(&mnemonic, mode)
        };
        Self((0..=u8::MAX).map(flow).collect())
    }

    /// That of an opcode.
    pub fn of(&self, opcode: u8) -> &Flow {
        &self.0[usize::from(opcode)]
    }
}

#[cfg(test)]
mod tests;
