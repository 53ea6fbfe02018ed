//! Processors.
//!
//! [`Processor`] is what everybody above needs of one; a family of chips implements it: [`mos6502`]. [`CpuKind`] and [`Cpu`]
//! are where the families are registered.
//!
//! A processor knows its bus and nothing else: no device, no log, no host.

pub mod instruction;
mod kinds;
pub mod mos6502;
mod processor;
#[cfg(feature = "testing")]
pub mod specimen;

pub use instruction::{Instruction, Register, RegisterSet};
pub use kinds::{Cpu, CpuKind, Registers};
pub use processor::{Exit, Halt, INSTRUCTION_BYTES_MAX, Processor, RegisterInfo, ResetTarget};
