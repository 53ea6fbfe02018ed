//! What an instruction is, whatever the processor: its text for people, and what it does with control, registers and memory
//! for everybody who reasons about programs (steps over and out, the origin of a value, profiles, a compiler).
//!
//! A processor describes each of its opcodes by an [`Operation`], in one table.

use std::fmt;

/// A register, by its number in the processor's table of registers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Register(pub u8);

/// Some of a processor's registers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct RegisterSet(u16);

impl RegisterSet {
    /// No register.
    pub const NONE: Self = Self(0);

    /// These registers.
    pub const fn of(registers: &[Register]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < registers.len() {
            bits |= 1 << registers[index].0;
            index += 1;
        }
        Self(bits)
    }

    /// The registers of both sets.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a register is among them.
    pub const fn contains(self, register: Register) -> bool {
        self.0 >> register.0 & 1 != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The registers, by number.
    pub fn iter(self) -> impl Iterator<Item = Register> {
        (0..16).map(Register).filter(move |register| self.contains(*register))
    }
}

/// Where execution goes after an instruction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ControlFlow {
    /// To the next instruction.
    Next,
    /// To the next instruction or to another one.
    Branch,
    /// To another instruction.
    Jump,
    /// To a subroutine or handler, which is expected to return.
    Call,
    /// Back from a subroutine or handler.
    Return,
    /// Nowhere, until an interrupt or a reset.
    Halt,
}

impl ControlFlow {
    /// Its name, as users see it.
    pub const fn name(self) -> &'static str {
        match self {
            ControlFlow::Next => "next",
            ControlFlow::Branch => "branch",
            ControlFlow::Jump => "jump",
            ControlFlow::Call => "call",
            ControlFlow::Return => "return",
            ControlFlow::Halt => "halt",
        }
    }
}

/// What an instruction does at its effective address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MemoryAccess {
    /// Nothing: it has none, or only jumps there.
    None,
    /// It reads.
    Read,
    /// It writes.
    Write,
    /// It reads, and writes what it has made of that.
    Modify,
}

/// What an instruction does with the stack.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum StackAccess {
    /// Nothing.
    None,
    /// It pushes so many bytes.
    Push(u8),
    /// It pulls so many bytes.
    Pull(u8),
}

/// How a value comes about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Derivation {
    /// Copied into a register as it was.
    Load,
    /// Copied from a register to memory.
    Store,
    /// Computed from its sources.
    Compute,
    /// A constant of the instruction set, such as the zero of a "store zero".
    Constant,
    /// The processor's own: return addresses, flags, the stack pointer's way up and down.
    Processor,
}

/// How an instruction makes a value, and of what. Flags and the registers of addresses are no sources.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Definition {
    /// How it comes about.
    pub derivation: Derivation,
    /// Its sources among the registers, as they were before the instruction.
    pub registers: RegisterSet,
    /// Whether the operand is a source too: the byte in the instruction, or the one read from memory.
    pub operand: bool,
}

/// A value that is the processor's own.
pub const BY_PROCESSOR: Definition =
    Definition { derivation: Derivation::Processor, registers: RegisterSet::NONE, operand: false };

/// What an instruction does, apart from where its operand is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Operation {
    /// Its name, in capitals.
    pub mnemonic: &'static str,
    /// Where execution goes after it.
    pub flow: ControlFlow,
    /// What it does at its effective address.
    pub memory: MemoryAccess,
    /// What it does with the stack.
    pub stack: StackAccess,
    /// Registers that get a new value, the same for all; those that only move with the stack are not among them.
    pub result: RegisterSet,
    /// Where that value comes from.
    pub result_from: Definition,
    /// Where a byte that it writes to memory comes from.
    pub stored_from: Definition,
    /// Registers from which nothing comes but flags: those that are compared.
    pub tested: RegisterSet,
    /// Flags on which something depends.
    pub flags_used: u8,
    /// Flags that get a new value.
    pub flags_defined: u8,
    /// Whether it is counted when it has been executed; one that stops the processor for good may never end.
    pub retires: bool,
}

impl Operation {
    /// One that goes on to the next instruction, and does nothing that the further methods do not say.
    pub const fn new(mnemonic: &'static str) -> Self {
        Self {
            mnemonic,
            flow: ControlFlow::Next,
            memory: MemoryAccess::None,
            stack: StackAccess::None,
            result: RegisterSet::NONE,
            result_from: BY_PROCESSOR,
            stored_from: BY_PROCESSOR,
            tested: RegisterSet::NONE,
            flags_used: 0,
            flags_defined: 0,
            retires: true,
        }
    }

    /// Where a register's new value comes from; `None` where the instruction leaves the register alone.
    pub fn definition(&self, register: Register, stack_pointer: Register) -> Option<Definition> {
        if self.result.contains(register) {
            return Some(self.result_from);
        }
        (register == stack_pointer && self.stack != StackAccess::None).then_some(BY_PROCESSOR)
    }
}

/// An instruction in memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instruction {
    /// Where it is.
    pub address: u16,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What it does.
    pub operation: Operation,
    /// Its operand as an assembler would read it, empty when there is none.
    pub operand: String,
    /// The address that a branch, a jump or a call with an address in the instruction goes to.
    pub target: Option<u16>,
    /// Which of its bytes is itself the operand, where one is.
    pub immediate: Option<u8>,
}

impl Instruction {
    /// Its name, in capitals.
    pub fn mnemonic(&self) -> &'static str {
        self.operation.mnemonic
    }

    /// Number of bytes.
    pub fn length(&self) -> u16 {
        self.bytes.len() as u16
    }

    /// The address of the instruction after it.
    pub fn next(&self) -> u16 {
        self.address.wrapping_add(self.length())
    }

    /// Mnemonic and operand: `LDA #$01`.
    pub fn text(&self) -> String {
        let gap = if self.operand.is_empty() { "" } else { " " };
        format!("{}{gap}{}", self.mnemonic(), self.operand)
    }
}

/// Address, bytes, mnemonic, operand: `0200  A9 01     LDA #$01`.
impl fmt::Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: Vec<String> = self.bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        write!(f, "{:04X}  {:<9} {}", self.address, bytes.join(" "), self.text())
    }
}
