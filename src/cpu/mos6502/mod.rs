//! The MOS 6502 (NMOS) and the WDC W65C02S.
//!
//! [`Mos6502`] is plain state. Its [`run`](crate::cpu::Processor::run) executes whole instructions on a bus until the bus's deadline; to
//! step is to run with a deadline one cycle away. Every bus cycle of the chip goes through the bus in the chip's order and
//! with its exact cycle, dummy accesses too, so that a bus that logs its cycles is a bus analyser. Which interrupts are
//! accepted follows from what the lines were in the cycles in which the chip polls them: `interrupt.rs`.
//!
//! # Documented choices
//!
//! - Unstable undocumented instructions: `undocumented.rs`.
//! - JAM makes three cycles (opcode, twice the next byte), retires nothing, leaves PC on itself, and stops until reset.
//! - STP and WAI make three cycles and retire; they leave PC after themselves.
//! - The W65C02S's undefined opcodes are NOPs of the lengths and cycles in its data sheet; their spare cycles read the
//!   last instruction byte again.
//! - A W65C02S in decimal mode reads the operand of ADC and SBC twice; for an immediate operand the additional cycle
//!   reads the next opcode.
//! - JMP (abs) of the W65C02S takes six cycles and reads the high byte of the pointer twice.

mod address;
mod core;
mod decimal;
mod disassemble;
mod execute;
mod interrupt;
pub mod opcodes;
mod operations;
mod processor;
pub mod registers;
mod undocumented;

pub use disassemble::disassemble;

use super::processor::{Halt, enum_field};
use crate::persist::{Field, PersistError, Reader, Value};

/// The chip.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Variant {
    /// MOS 6502 and its NMOS second sources, undocumented instructions included.
    Nmos6502,
    /// WDC W65C02S.
    W65c02,
}

/// The bits of the status register P.
pub struct Status;

impl Status {
    /// Carry.
    pub const C: u8 = 0x01;
    /// Zero.
    pub const Z: u8 = 0x02;
    /// Interrupt disable.
    pub const I: u8 = 0x04;
    /// Decimal mode.
    pub const D: u8 = 0x08;
    /// Break: exists only in pushed copies, clear in those that IRQ and NMI push.
    pub const B: u8 = 0x10;
    /// Reads as 1.
    pub const ONE: u8 = 0x20;
    /// Overflow.
    pub const V: u8 = 0x40;
    /// Negative.
    pub const N: u8 = 0x80;
}

/// Addresses of the vectors.
pub mod vectors {
    /// Non-maskable interrupt.
    pub const NMI: u16 = 0xFFFA;
    /// Reset.
    pub const RESET: u16 = 0xFFFC;
    /// IRQ and BRK.
    pub const IRQ: u16 = 0xFFFE;
}

/// How the last instruction polled the interrupt lines; see `interrupt.rs`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
enum LastPoll {
    /// At the end of its last cycle but one, with the I flag as it is now.
    Usual = 0,
    /// A cycle earlier.
    Branch = 1,
    /// As usual, but I was still set.
    Masked = 2,
    /// As usual, but I was still clear.
    Unmasked = 3,
    /// Not at all.
    Never = 4,
    /// Twice, as a taken branch that crosses a page: at the first poll IRQ was held, and at the second no longer.
    First = 5,
}

enum_field!(LastPoll: Usual, Branch, Masked, Unmasked, Never, First);

/// The state of the CPU between instructions.
///
/// Registers may be written freely between calls of [`run`](crate::cpu::Processor::run). Bits 4 and 5 of `p` are ignored and read as 0 and 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mos6502 {
    /// Accumulator.
    pub a: u8,
    /// X index register.
    pub x: u8,
    /// Y index register.
    pub y: u8,
    /// Stack pointer, an offset into page 1.
    pub sp: u8,
    /// Program counter: the address of the next instruction.
    pub pc: u16,
    /// Status register: N V 1 B D I Z C.
    pub p: u8,
    /// Instructions retired since power-on. Interrupt sequences and reset are no instructions.
    pub icount: u64,
    /// Clock cycles since power-on.
    pub cycles: u64,
    halt: Halt,
    last_poll: LastPoll,
    variant: Variant,
}

persist!(Mos6502 { a, x, y, sp, pc, p, icount, cycles, halt, last_poll } skip { variant });

impl Mos6502 {
    /// The chip.
    pub fn variant(&self) -> Variant {
        self.variant
    }
}
