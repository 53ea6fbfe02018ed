//! What a processor is to everybody above it: boards, machines, sessions, timelines, Python.

use super::instruction::{Instruction, Operation, Register};
use crate::bus::Bus;
use crate::persist::{Field, Persist, PersistError, Reader, Value};
use crate::units::Position;

/// Bytes of the longest instruction of any processor.
pub const INSTRUCTION_BYTES_MAX: usize = 4;

/// A row of a processor's table of registers. A [`Register`] is the number of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RegisterInfo {
    /// Its name, in lower case.
    pub name: &'static str,
    /// How many bits it holds: 1 to 16.
    pub bits: u8,
    /// What it is for, in a few words.
    pub meaning: &'static str,
    /// A letter for each bit that is a flag, highest bit first, `-` for the others; empty where there are none.
    pub flags: &'static str,
}

impl RegisterInfo {
    /// A register without flags.
    pub const fn new(name: &'static str, bits: u8, meaning: &'static str) -> Self {
        Self { name, bits, meaning, flags: "" }
    }

    /// The largest value that it holds.
    pub const fn max(&self) -> u16 {
        u16::MAX >> (16 - self.bits)
    }

    /// Its value as people write it: `$0400`, and with flags `$A5 N.1..I.C`.
    pub fn shown(&self, value: u64) -> String {
        let digits = usize::from(self.bits.div_ceil(4));
        if self.flags.is_empty() {
            return format!("${value:0digits$X}");
        }
        let bits = self.flags.chars().rev().enumerate();
        let letters: Vec<char> =
            bits.map(|(bit, letter)| if value >> bit & 1 == 0 { '.' } else { letter }).collect();
        format!("${value:0digits$X} {}", letters.iter().rev().collect::<String>())
    }
}

/// Where a processor begins after a reset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResetTarget {
    /// At the address that it reads from these two bytes, low byte first.
    Vector(u16),
    /// Always at this address.
    Address(u16),
}

impl ResetTarget {
    /// The bytes of memory without which it cannot begin: the first and the last.
    pub const fn bytes(self) -> (u16, u16) {
        match self {
            ResetTarget::Vector(first) => (first, first + 1),
            ResetTarget::Address(address) => (address, address),
        }
    }
}

/// Why [`Processor::run`] has returned.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Exit {
    /// The deadline is reached or was lowered, or an interrupt was refused. The caller goes on or not, as it likes.
    Deadline,
    /// The processor waits and no line is active. Cycles go on without instructions: [`Processor::advance_idle`]. The
    /// wait may have begun past the deadline, so the caller first does what is due by now.
    Waiting,
    /// An instruction has stopped the processor until reset.
    Stopped,
    /// An opcode that never ends has stopped the processor until reset.
    Jammed,
    /// The bus asked for it before an instruction; that instruction is not executed yet.
    Break,
}

/// Whether a processor executes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Halt {
    /// It executes.
    Running = 0,
    /// It waits for an interrupt line.
    Waiting = 1,
    /// An instruction has stopped it until reset.
    Stopped = 2,
    /// It is in an opcode that never ends, until reset.
    Jammed = 3,
}

/// Saves an enum with numbers as its number.
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
pub(super) use enum_field;

/// The state of a processor between instructions, and what it does with a bus.
///
/// A family of chips implements this once; [`Model`](Processor::Model) tells its chips apart. What follows from the chip
/// alone, whatever its state, is a function of the model.
///
/// # How `run` is called
///
/// 1. The caller does what is due at `position()` (timers, input), then sets the bus's deadline to the cycle at which it
///    wants to be back: the next timer or the end of the slice, whichever is earlier.
/// 2. `run` looks at the interrupt lines, and executes. It returns at the first instruction boundary at or after the
///    deadline, or earlier when the deadline was lowered meanwhile: a device access that changes a line lowers it, and
///    so does the processor itself when interrupts are unmasked or a line is active but not acceptable yet.
/// 3. The caller starts again at 1, *setting the deadline anew*. [`Exit::Deadline`] with `cycles` below the caller's own
///    goal is normal.
///
/// A call with `cycles` below the deadline always makes progress, an instruction or an interrupt sequence, unless
/// [`Bus::accept`] answers `false` or the processor is halted. Where calls end has no influence on what the guest does.
pub trait Processor: Persist + Clone {
    /// Which chip of the family.
    type Model: Copy;

    /// The registers, in the order in which people read them. The program counter is called `pc` and the stack pointer `sp`,
    /// whatever the data sheet says, so that everybody finds them.
    const REGISTERS: &'static [RegisterInfo];
    /// The stack pointer's row.
    const STACK_POINTER: Register;
    /// The program counter's row.
    const PROGRAM_COUNTER: Register;
    /// The last address that the stack can reach, which grows downwards.
    const STACK_LAST: u16;
    /// The last I/O port, where the processor has ports.
    const LAST_PORT: Option<u16> = None;

    /// The processor before power-on.
    fn new(model: Self::Model) -> Self;

    /// Which chip it is.
    fn model(&self) -> Self::Model;

    /// Instructions retired and cycles passed.
    fn position(&self) -> Position;

    /// Whether it executes, waits or is stopped.
    fn halt(&self) -> Halt;

    /// The address of the next instruction.
    fn pc(&self) -> u16;

    /// Where the next byte pushed goes: what was pushed and not pulled lies above it, up to
    /// [`STACK_LAST`](Processor::STACK_LAST).
    fn stack_pointer(&self) -> u16;

    /// The value of a register; 0 for a number that is none.
    fn register(&self, register: Register) -> u16;

    /// Sets a register between calls of [`run`](Processor::run), as far as it has bits and they can be set.
    fn set_register(&mut self, register: Register, value: u16);

    /// Power-on: the registers as [`new`](Processor::new) returns them, then a reset. Counting starts at the first opcode
    /// fetch: `position` is 0 afterwards.
    fn power_on<B: Bus>(&mut self, bus: &mut B);

    /// The reset sequence, from whatever state. `cycles` advances by [`reset_cycles`](Processor::reset_cycles), `icount`
    /// does not. [`Bus::accept`] is not asked: who resets the machine has recorded that before.
    fn reset<B: Bus>(&mut self, bus: &mut B);

    /// Executes whole instructions while `cycles` is below `bus.deadline()`: none if it is not, and never a part of one.
    ///
    /// An instruction that does not lie in plain memory is announced to [`Bus::before_instruction`]: where that stops the
    /// processor, the call has come to [`Exit::Break`], and without progress if it began there.
    fn run<B: Bus>(&mut self, bus: &mut B) -> Exit;

    /// Whether [`run`](Processor::run) would begin with an interrupt sequence, and not with an instruction, if
    /// [`Bus::accept`] lets it.
    fn is_interrupted<B: Bus>(&self, bus: &mut B) -> bool;

    /// Whether a wait ends here and now without an interrupt sequence, which takes no time: [`run`](Processor::run) then
    /// comes back before the instruction, if it was called in the wait.
    fn wakes_here<B: Bus>(&self, bus: &mut B) -> bool;

    /// Lets `count` cycles pass without instructions, while the processor waits, is stopped, is jammed, or is held by
    /// whoever suspends its machine.
    ///
    /// A waiting processor whose line becomes active at cycle T must be run from T or a later cycle that the same events
    /// always lead to.
    fn advance_idle(&mut self, count: u64);

    /// Where its interrupts lead now. `read` is asked for what memory holds.
    fn interrupt_handlers(&self, read: impl Fn(u16) -> u8) -> Vec<u16>;

    /// Where it begins.
    fn reset_target(model: Self::Model) -> ResetTarget;

    /// Cycles of the reset sequence.
    fn reset_cycles(model: Self::Model) -> u64;

    /// How many cycles back a line may have been held, and be so no longer, to end a wait: at most
    /// [`POLL_DEPTH`](crate::bus::POLL_DEPTH). One that is held now always does.
    fn wake_cycles(model: Self::Model) -> u64;

    /// Cycles of the shortest instruction.
    fn shortest_instruction(model: Self::Model) -> u64;

    /// Whether there are opcodes that stop it without ever being counted.
    fn may_jam(model: Self::Model) -> bool;

    /// What the instruction at `address` does. `read` is asked for its bytes only.
    fn operation(model: Self::Model, address: u16, read: impl Fn(u16) -> u8) -> &'static Operation;

    /// How many bytes the instruction at `address` has. `read` is asked for its bytes only.
    fn length(model: Self::Model, address: u16, read: impl Fn(u16) -> u8) -> u16;

    /// Disassembles the instruction at `address`. `read` is asked for its bytes only; addresses wrap from FFFF to 0000.
    fn decode(model: Self::Model, address: u16, read: impl Fn(u16) -> u8) -> Instruction;
}
