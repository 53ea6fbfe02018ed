//! Processors.
//!
//! [`mos6502`] is the only family so far. A second one (a Z80) becomes a sibling module with the same face: plain state
//! that implements `Persist`, `run(&mut bus) -> Exit` with the position in the state, `reset`,
//! `power_on`; its ports become further methods of `Bus`. What boards and engines need from any processor is little
//! enough to be a trait when there are two.
//!
//! A processor knows its bus and nothing else: no device, no log, no host.

pub mod instruction;
pub mod mos6502;

pub use instruction::Instruction;
pub use mos6502::{Cpu, Exit, Halt, RESET_CYCLES, Status, Variant, disassemble};
