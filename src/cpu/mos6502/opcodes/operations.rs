//! What each instruction does, in the data sheets' names. Undocumented NMOS instructions have the names in widest use.

use super::super::Status;
use super::super::registers::{A, SP, X, Y};
use crate::cpu::instruction::{
    ControlFlow, Definition, Derivation, MemoryAccess, Operation, Register, RegisterSet, StackAccess,
};

const C: u8 = Status::C;
const Z: u8 = Status::Z;
const I: u8 = Status::I;
const D: u8 = Status::D;
const V: u8 = Status::V;
const N: u8 = Status::N;
/// All that PHP pushes and PLP pulls.
const ALL: u8 = N | V | D | I | Z | C;

const fn from(derivation: Derivation, registers: &[Register], operand: bool) -> Definition {
    Definition { derivation, registers: RegisterSet::of(registers), operand }
}

/// Into registers: a value from the operand or another register, as it is.
const fn load(mnemonic: &'static str, to: &[Register], of: &[Register]) -> Operation {
    let memory = if of.is_empty() { MemoryAccess::Read } else { MemoryAccess::None };
    Operation {
        memory,
        result: RegisterSet::of(to),
        result_from: from(Derivation::Load, of, of.is_empty()),
        flags_defined: N | Z,
        ..Operation::new(mnemonic)
    }
}

/// Into registers: a value computed from others and the operand.
const fn compute(mnemonic: &'static str, to: &[Register], of: &[Register], flags: u8) -> Operation {
    Operation {
        memory: MemoryAccess::Read,
        result: RegisterSet::of(to),
        result_from: from(Derivation::Compute, of, true),
        flags_defined: flags,
        ..Operation::new(mnemonic)
    }
}

/// Into a register: a value computed from that register alone.
const fn count(mnemonic: &'static str, register: Register, flags: u8) -> Operation {
    Operation {
        result: RegisterSet::of(&[register]),
        result_from: from(Derivation::Compute, &[register], false),
        flags_defined: flags,
        ..Operation::new(mnemonic)
    }
}

/// Nothing but flags, from registers and the operand.
const fn compare(mnemonic: &'static str, of: &[Register], flags: u8) -> Operation {
    Operation {
        memory: MemoryAccess::Read,
        tested: RegisterSet::of(of),
        flags_defined: flags,
        ..Operation::new(mnemonic)
    }
}

/// To memory: registers.
const fn store(mnemonic: &'static str, of: &[Register]) -> Operation {
    Operation {
        memory: MemoryAccess::Write,
        stored_from: from(Derivation::Store, of, false),
        ..Operation::new(mnemonic)
    }
}

/// To memory: what is computed from what stood there, and from registers.
const fn modify(mnemonic: &'static str, of: &[Register], flags: u8) -> Operation {
    Operation {
        memory: MemoryAccess::Modify,
        stored_from: from(Derivation::Compute, of, true),
        flags_defined: flags,
        ..Operation::new(mnemonic)
    }
}

/// The undocumented ones that modify memory, and the accumulator with what they have made.
const fn modify_and_compute(mnemonic: &'static str, flags: u8) -> Operation {
    Operation {
        result: RegisterSet::of(&[A]),
        result_from: from(Derivation::Compute, &[A], true),
        ..modify(mnemonic, &[], flags)
    }
}

const fn uses(flags: u8, operation: Operation) -> Operation {
    Operation { flags_used: operation.flags_used | flags, ..operation }
}

const fn push(mnemonic: &'static str, of: &[Register]) -> Operation {
    Operation { memory: MemoryAccess::None, stack: StackAccess::Push(1), ..store(mnemonic, of) }
}

const fn pull(mnemonic: &'static str, to: &[Register]) -> Operation {
    Operation { memory: MemoryAccess::None, stack: StackAccess::Pull(1), ..load(mnemonic, to, &[]) }
}

const fn flow(mnemonic: &'static str, flow: ControlFlow, stack: StackAccess) -> Operation {
    Operation { flow, stack, ..Operation::new(mnemonic) }
}

const fn branch(mnemonic: &'static str, flag: u8) -> Operation {
    Operation { flags_used: flag, ..flow(mnemonic, ControlFlow::Branch, StackAccess::None) }
}

const fn set(mnemonic: &'static str, flag: u8) -> Operation {
    Operation { flags_defined: flag, ..Operation::new(mnemonic) }
}

const fn branch_on_bit(mnemonic: &'static str) -> Operation {
    Operation { memory: MemoryAccess::Read, ..branch(mnemonic, 0) }
}

const fn each_bit(mnemonics: [&'static str; 8], branches: bool) -> [Operation; 8] {
    let mut operations = [Operation::new(""); 8];
    let mut bit = 0;
    while bit < 8 {
        let mnemonic = mnemonics[bit];
        operations[bit] = if branches { branch_on_bit(mnemonic) } else { modify(mnemonic, &[], 0) };
        bit += 1;
    }
    operations
}

// Loads, stores, transfers.
pub const LDA: Operation = load("LDA", &[A], &[]);
pub const LDX: Operation = load("LDX", &[X], &[]);
pub const LDY: Operation = load("LDY", &[Y], &[]);
pub const STA: Operation = store("STA", &[A]);
pub const STX: Operation = store("STX", &[X]);
pub const STY: Operation = store("STY", &[Y]);
pub const STZ: Operation =
    Operation { stored_from: from(Derivation::Constant, &[], false), ..store("STZ", &[]) };
pub const TAX: Operation = load("TAX", &[X], &[A]);
pub const TAY: Operation = load("TAY", &[Y], &[A]);
pub const TXA: Operation = load("TXA", &[A], &[X]);
pub const TYA: Operation = load("TYA", &[A], &[Y]);
pub const TSX: Operation = load("TSX", &[X], &[SP]);
pub const TXS: Operation = Operation { flags_defined: 0, ..load("TXS", &[SP], &[X]) };

// Arithmetic and logic. Decimal mode decides what ADC and SBC do.
pub const ADC: Operation = uses(C | D, compute("ADC", &[A], &[A], N | V | Z | C));
pub const SBC: Operation = uses(C | D, compute("SBC", &[A], &[A], N | V | Z | C));
pub const AND: Operation = compute("AND", &[A], &[A], N | Z);
pub const ORA: Operation = compute("ORA", &[A], &[A], N | Z);
pub const EOR: Operation = compute("EOR", &[A], &[A], N | Z);
pub const CMP: Operation = compare("CMP", &[A], N | Z | C);
pub const CPX: Operation = compare("CPX", &[X], N | Z | C);
pub const CPY: Operation = compare("CPY", &[Y], N | Z | C);
pub const BIT: Operation = compare("BIT", &[A], N | V | Z);
/// The W65C02S's immediate BIT leaves N and V alone.
pub const BIT_IMMEDIATE: Operation = compare("BIT", &[A], Z);
pub const INX: Operation = count("INX", X, N | Z);
pub const INY: Operation = count("INY", Y, N | Z);
pub const DEX: Operation = count("DEX", X, N | Z);
pub const DEY: Operation = count("DEY", Y, N | Z);

// What modifies memory, or the accumulator.
pub const ASL: Operation = modify("ASL", &[], N | Z | C);
pub const LSR: Operation = modify("LSR", &[], N | Z | C);
pub const ROL: Operation = uses(C, modify("ROL", &[], N | Z | C));
pub const ROR: Operation = uses(C, modify("ROR", &[], N | Z | C));
pub const INC: Operation = modify("INC", &[], N | Z);
pub const DEC: Operation = modify("DEC", &[], N | Z);
pub const ASL_A: Operation = count("ASL", A, N | Z | C);
pub const LSR_A: Operation = count("LSR", A, N | Z | C);
pub const ROL_A: Operation = uses(C, count("ROL", A, N | Z | C));
pub const ROR_A: Operation = uses(C, count("ROR", A, N | Z | C));
pub const INC_A: Operation = count("INC", A, N | Z);
pub const DEC_A: Operation = count("DEC", A, N | Z);
pub const TSB: Operation = modify("TSB", &[A], Z);
pub const TRB: Operation = modify("TRB", &[A], Z);
pub const RMB: [Operation; 8] =
    each_bit(["RMB0", "RMB1", "RMB2", "RMB3", "RMB4", "RMB5", "RMB6", "RMB7"], false);
pub const SMB: [Operation; 8] =
    each_bit(["SMB0", "SMB1", "SMB2", "SMB3", "SMB4", "SMB5", "SMB6", "SMB7"], false);

// The stack.
pub const PHA: Operation = push("PHA", &[A]);
pub const PHX: Operation = push("PHX", &[X]);
pub const PHY: Operation = push("PHY", &[Y]);
pub const PHP: Operation = uses(ALL, flow("PHP", ControlFlow::Next, StackAccess::Push(1)));
pub const PLA: Operation = pull("PLA", &[A]);
pub const PLX: Operation = pull("PLX", &[X]);
pub const PLY: Operation = pull("PLY", &[Y]);
pub const PLP: Operation =
    Operation { flags_defined: ALL, ..flow("PLP", ControlFlow::Next, StackAccess::Pull(1)) };

// Flags.
pub const CLC: Operation = set("CLC", C);
pub const SEC: Operation = set("SEC", C);
pub const CLI: Operation = set("CLI", I);
pub const SEI: Operation = set("SEI", I);
pub const CLD: Operation = set("CLD", D);
pub const SED: Operation = set("SED", D);
pub const CLV: Operation = set("CLV", V);

// Control.
pub const JMP: Operation = flow("JMP", ControlFlow::Jump, StackAccess::None);
pub const JSR: Operation = flow("JSR", ControlFlow::Call, StackAccess::Push(2));
pub const RTS: Operation = flow("RTS", ControlFlow::Return, StackAccess::Pull(2));
pub const RTI: Operation =
    Operation { flags_defined: ALL, ..flow("RTI", ControlFlow::Return, StackAccess::Pull(3)) };
pub const BRK: Operation =
    uses(ALL, Operation { flags_defined: I, ..flow("BRK", ControlFlow::Call, StackAccess::Push(3)) });
/// The W65C02S also clears D.
pub const BRK_CMOS: Operation = Operation { flags_defined: I | D, ..BRK };
pub const BPL: Operation = branch("BPL", N);
pub const BMI: Operation = branch("BMI", N);
pub const BVC: Operation = branch("BVC", V);
pub const BVS: Operation = branch("BVS", V);
pub const BCC: Operation = branch("BCC", C);
pub const BCS: Operation = branch("BCS", C);
pub const BNE: Operation = branch("BNE", Z);
pub const BEQ: Operation = branch("BEQ", Z);
pub const BRA: Operation = flow("BRA", ControlFlow::Jump, StackAccess::None);
pub const BBR: [Operation; 8] =
    each_bit(["BBR0", "BBR1", "BBR2", "BBR3", "BBR4", "BBR5", "BBR6", "BBR7"], true);
pub const BBS: [Operation; 8] =
    each_bit(["BBS0", "BBS1", "BBS2", "BBS3", "BBS4", "BBS5", "BBS6", "BBS7"], true);
pub const WAI: Operation = flow("WAI", ControlFlow::Halt, StackAccess::None);
pub const STP: Operation = flow("STP", ControlFlow::Halt, StackAccess::None);
pub const NOP: Operation = Operation::new("NOP");
/// One with an operand, which it reads.
pub const NOP_READ: Operation = compare("NOP", &[], 0);

// Undocumented, NMOS.
pub const SLO: Operation = modify_and_compute("SLO", N | Z | C);
pub const RLA: Operation = uses(C, modify_and_compute("RLA", N | Z | C));
pub const SRE: Operation = modify_and_compute("SRE", N | Z | C);
pub const RRA: Operation = uses(C | D, modify_and_compute("RRA", N | V | Z | C));
pub const ISC: Operation = uses(C | D, modify_and_compute("ISC", N | V | Z | C));
pub const DCP: Operation = Operation { tested: RegisterSet::of(&[A]), ..modify("DCP", &[], N | Z | C) };
pub const LAX: Operation = load("LAX", &[A, X], &[]);
pub const SAX: Operation = store("SAX", &[A, X]);
pub const ANC: Operation = compute("ANC", &[A], &[A], N | Z | C);
pub const ALR: Operation = compute("ALR", &[A], &[A], N | Z | C);
pub const ARR: Operation = uses(C | D, compute("ARR", &[A], &[A], N | V | Z | C));
pub const SBX: Operation = compute("SBX", &[X], &[A, X], N | Z | C);
pub const ANE: Operation = compute("ANE", &[A], &[A, X], N | Z);
pub const LXA: Operation = compute("LXA", &[A, X], &[A], N | Z);
pub const LAS: Operation = compute("LAS", &[A, X, SP], &[SP], N | Z);
pub const SHA: Operation = store("SHA", &[A, X]);
pub const SHX: Operation = store("SHX", &[X]);
pub const SHY: Operation = store("SHY", &[Y]);
pub const TAS: Operation = Operation {
    result: RegisterSet::of(&[SP]),
    result_from: from(Derivation::Compute, &[A, X], false),
    ..store("TAS", &[A, X])
};
pub const JAM: Operation = Operation { retires: false, ..flow("JAM", ControlFlow::Halt, StackAccess::None) };
