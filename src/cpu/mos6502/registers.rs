//! The registers of the 6502 family by number, as [`Operation`](crate::cpu::instruction::Operation) names them.

use crate::cpu::instruction::Register;
use crate::cpu::processor::RegisterInfo;

/// Accumulator.
pub const A: Register = Register(0);
/// X index register.
pub const X: Register = Register(1);
/// Y index register.
pub const Y: Register = Register(2);
/// Stack pointer.
pub const SP: Register = Register(3);
/// Program counter.
pub const PC: Register = Register(4);
/// Status register.
pub const P: Register = Register(5);

/// By number.
pub const REGISTERS: [RegisterInfo; 6] = [
    RegisterInfo::new("a", 8, "accumulator"),
    RegisterInfo::new("x", 8, "index register X"),
    RegisterInfo::new("y", 8, "index register Y"),
    RegisterInfo::new("sp", 8, "stack pointer, into page 1"),
    RegisterInfo::new("pc", 16, "program counter"),
    RegisterInfo { flags: "NV1BDIZC", ..RegisterInfo::new("p", 8, "status register") },
];
