//! The MOS 6502 (NMOS) and the WDC W65C02S.
//!
//! [`Cpu`] is plain state. [`Cpu::run`] executes whole instructions on a [`Bus`] until the bus's deadline; to step is to
//! run with a deadline one cycle away. Every bus cycle of the chip goes through the bus in the chip's order and with
//! its exact cycle, dummy accesses too, so that a bus that logs its cycles is a bus analyser.
//!
//! # How `run` is called
//!
//! 1. The caller does what is due at `cpu.position()` (timers, input), then sets the bus's deadline to the cycle at
//!    which it wants to be back: the next timer or the end of the slice, whichever is earlier.
//! 2. `run` looks at the interrupt lines, and executes. It returns at the first instruction boundary at or after the
//!    deadline, or earlier when the deadline was lowered meanwhile: a device access that changes a line lowers it, and
//!    so does the CPU itself when interrupts are unmasked or a line is active but not acceptable yet.
//! 3. The caller starts again at 1, *setting the deadline anew*. [`Exit::Deadline`] with `cycles` below the caller's own
//!    goal is normal.
//!
//! A call with `cycles` below the deadline always makes progress, an instruction or an interrupt sequence, unless
//! [`Bus::accept`] answers `false` or the CPU is halted. Where calls end has no influence on what the guest does: the
//! chip's own rules (`interrupt.rs`) decide from what the lines were in the cycles in which it polls them.
//!
//! # Documented choices
//!
//! - Unstable undocumented instructions: `undocumented.rs`.
//! - JAM makes three cycles (opcode, twice the next byte), retires nothing, leaves PC on itself, and stops until reset.
//! - STP and WAI make three cycles and retire; they leave PC behind themselves.
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
pub mod registers;
mod undocumented;

pub use disassemble::disassemble;

use crate::bus::Bus;
use crate::persist::{Field, PersistError, Reader, Value};
use crate::units::Position;

/// The chip.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Variant {
    /// MOS 6502 and its NMOS second sources, undocumented instructions included.
    Nmos6502,
    /// WDC W65C02S.
    W65c02,
}

/// Why [`Cpu::run`] has returned.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Exit {
    /// The deadline is reached or was lowered, or an interrupt was refused. The caller goes on or not, as it likes.
    Deadline,
    /// A WAI waits and no line is active. Cycles go on without instructions: [`Cpu::advance_idle`]. The WAI may have
    /// ended past the deadline, so the caller first does what is due by now.
    Waiting,
    /// An STP has stopped the CPU until reset.
    Stopped,
    /// A JAM opcode has stopped the CPU until reset.
    Jammed,
    /// The bus asked for it before an instruction; that instruction is not executed yet.
    Break,
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

/// Cycles of the reset sequence.
pub const RESET_CYCLES: u64 = 7;

/// Whether the CPU executes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Halt {
    /// It executes.
    Running = 0,
    /// In a WAI.
    Waiting = 1,
    /// Behind an STP.
    Stopped = 2,
    /// On a JAM.
    Jammed = 3,
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

macro_rules! enum_field {
    ($type:ident: $($variant:ident),*) => {
        impl Field for $type {
            fn put(&self, out: &mut Vec<u8>) {
                (*self as u8).put(out);
            }
            fn take(reader: &mut Reader<'_>, name: &'static str) -> Result<Self, PersistError> {
                let number = u8::take(reader, name)?;
                [$($type::$variant),*]
                    .into_iter()
                    .find(|variant| *variant as u8 == number)
                    .ok_or(PersistError::Invalid(name))
            }
            fn value(&self) -> Value {
                (*self as u8).value()
            }
        }
    };
}
enum_field!(Halt: Running, Waiting, Stopped, Jammed);
enum_field!(LastPoll: Usual, Branch, Masked, Unmasked, Never, First);

/// The state of the CPU between instructions.
///
/// Registers may be written freely between calls of [`Cpu::run`]. Bits 4 and 5 of `p` are ignored and read as 0 and 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cpu {
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

persist!(Cpu { a, x, y, sp, pc, p, icount, cycles, halt, last_poll } skip { variant });

impl Cpu {
    /// A CPU before power-on; [`Cpu::power_on`] or [`Cpu::reset`] comes next, or a direct write of `pc`.
    ///
    /// Registers that the chip leaves undefined are 0, P has I set.
    pub fn new(variant: Variant) -> Self {
        Self {
            a: 0,
            x: 0,
            y: 0,
            sp: 0,
            pc: 0,
            p: Status::ONE | Status::I,
            icount: 0,
            cycles: 0,
            halt: Halt::Running,
            last_poll: LastPoll::Never,
            variant,
        }
    }

    /// The chip.
    pub fn variant(&self) -> Variant {
        self.variant
    }

    /// Whether the CPU executes, waits or is stopped.
    pub fn halt(&self) -> Halt {
        self.halt
    }

    /// Whether a WAI waits for a line.
    pub fn waiting(&self) -> bool {
        self.halt == Halt::Waiting
    }

    /// Instructions retired and cycles passed.
    pub fn position(&self) -> Position {
        Position::new(self.icount, self.cycles)
    }

    /// Executes whole instructions while `cycles` is below `bus.deadline()`: none if it is not, and never a part of one.
    ///
    /// Interrupts are accepted as the chip does it; see the module's documentation for the protocol. An instruction that
    /// does not lie in plain memory is announced to [`Bus::before_instruction`]: where that stops the CPU, the call has
    /// come to [`Exit::Break`], and without progress if it began there.
    pub fn run<B: Bus>(&mut self, bus: &mut B) -> Exit {
        match self.variant {
            Variant::Nmos6502 => interrupt::run::<B, false>(self, bus),
            Variant::W65c02 => interrupt::run::<B, true>(self, bus),
        }
    }

    /// Whether [`Cpu::run`] would begin with an interrupt sequence, and not with an instruction, if [`Bus::accept`] lets it.
    pub fn is_interrupted<B: Bus>(&self, bus: &mut B) -> bool {
        interrupt::is_interrupted(self, bus)
    }

    /// Whether a WAI ends here and now without an interrupt sequence, which takes no time: [`Cpu::run`] then comes back before
    /// the instruction, if it was called in the wait.
    pub fn wakes_here<B: Bus>(&self, bus: &mut B) -> bool {
        interrupt::wakes_here(self, bus)
    }

    /// The reset sequence, from whatever state: seven bus cycles, all of them reads, in which S is lowered by 3; I is
    /// set, the W65C02S clears D; then PC is loaded from FFFC. `cycles` advances by 7, `icount` does not.
    ///
    /// [`Bus::accept`] is not asked: who resets the machine has recorded that before.
    pub fn reset<B: Bus>(&mut self, bus: &mut B) {
        match self.variant {
            Variant::Nmos6502 => interrupt::reset::<B, false>(self, bus),
            Variant::W65c02 => interrupt::reset::<B, true>(self, bus),
        }
    }

    /// Power-on: the registers as [`Cpu::new`] gives them, then a reset, so that S is FD.
    ///
    /// Counting starts at the first opcode fetch: `cycles` and `icount` are 0 afterwards, and the seven bus cycles of
    /// the reset are made at cycles 0 to 6 of a clock that is then set back.
    pub fn power_on<B: Bus>(&mut self, bus: &mut B) {
        *self = Self::new(self.variant);
        self.reset(bus);
        self.cycles = 0;
    }

    /// Lets `count` cycles pass without instructions, while the CPU waits, is stopped, is jammed, or is held by whoever
    /// suspends its machine.
    ///
    /// A waiting CPU whose line becomes active at cycle T must be run from T or a later cycle that the same events
    /// always lead to: the wait ends two cycles after T, and never before the cycle at which `run` is called.
    pub fn advance_idle(&mut self, count: u64) {
        self.cycles += count;
    }
}
