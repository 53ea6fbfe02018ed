//! The registers of the 6502 family by number, as [`Operation`](crate::cpu::instruction::Operation) names them.

use crate::cpu::instruction::Register;

/// Accumulator.
pub const A: Register = Register(0);
/// X index register.
pub const X: Register = Register(1);
/// Y index register.
pub const Y: Register = Register(2);
/// Stack pointer.
pub const SP: Register = Register(3);

/// As a programmer writes them.
pub const NAMES: [&str; 4] = ["A", "X", "Y", "SP"];
