//! The processors that there are: here a new one is registered, and nowhere else.
//!
//! Its module implements [`Processor`]; it gets a variant of [`Cpu`], its chips each one of [`CpuKind`], with their names
//! in board files. Nothing above this module tells processors apart: a machine holds a [`Cpu`], whose family is looked at once
//! a slice.

use super::instruction::{Instruction, Operation, Register};
use super::mos6502::{Mos6502, Variant};
use super::processor::{Exit, Halt, Processor, RegisterInfo, ResetTarget};
#[cfg(feature = "testing")]
use super::specimen::Specimen;
use crate::bus::Bus;
use crate::persist::{Persist, PersistError, Reader, Value};
use crate::units::Position;

/// The chips.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CpuKind {
    /// WDC W65C02: CMOS, with bit instructions, WAI and STP.
    W65c02,
    /// NMOS 6502, undocumented opcodes included.
    Mos6502,
    /// No chip: the processor with which tests show that nothing else knows a 6502.
    #[cfg(feature = "testing")]
    Specimen,
}

/// The names of the chips in board files; a chip's first one is its own.
const NAMES: &[(&str, CpuKind)] = &[
    ("w65c02", CpuKind::W65c02),
    ("65c02", CpuKind::W65c02),
    ("6502", CpuKind::Mos6502),
    ("mos6502", CpuKind::Mos6502),
    ("nmos6502", CpuKind::Mos6502),
    #[cfg(feature = "testing")]
    ("specimen", CpuKind::Specimen),
];

/// The state of a processor of any family.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the families' names")]
pub enum Cpu {
    Mos6502(Mos6502),
    #[cfg(feature = "testing")]
    Specimen(Specimen),
}

/// What the family of a chip says of it.
macro_rules! of_kind {
    ($kind:expr, $family:ident, $model:ident => $body:expr) => {
        match $kind {
            CpuKind::W65c02 => {
                type $family = Mos6502;
                let $model = Variant::W65c02;
                $body
            }
            CpuKind::Mos6502 => {
                type $family = Mos6502;
                let $model = Variant::Nmos6502;
                $body
            }
            #[cfg(feature = "testing")]
            CpuKind::Specimen => {
                type $family = Specimen;
                let $model = ();
                $body
            }
        }
    };
}

/// The same of the processor of any family.
macro_rules! of_cpu {
    ($cpu:expr, $processor:ident => $body:expr) => {
        match $cpu {
            Cpu::Mos6502($processor) => $body,
            #[cfg(feature = "testing")]
            Cpu::Specimen($processor) => $body,
        }
    };
}

impl From<Mos6502> for Cpu {
    fn from(processor: Mos6502) -> Self {
        Cpu::Mos6502(processor)
    }
}

#[cfg(feature = "testing")]
impl From<Specimen> for Cpu {
    fn from(processor: Specimen) -> Self {
        Cpu::Specimen(processor)
    }
}

impl CpuKind {
    /// The chip of a name.
    pub fn by_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    /// All names, those that mean the same side by side.
    pub fn names() -> impl Iterator<Item = &'static str> + Clone {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// Its own name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// The registers, in the order in which people read them.
    pub fn registers(self) -> &'static [RegisterInfo] {
        of_kind!(self, Family, _model => Family::REGISTERS)
    }

    /// The row of a register.
    pub fn register(self, register: Register) -> &'static RegisterInfo {
        &self.registers()[usize::from(register.0)]
    }

    /// The register of a name.
    pub fn register_by_name(self, name: &str) -> Option<Register> {
        let place = self.registers().iter().position(|register| register.name == name)?;
        Some(Register(place as u8))
    }

    /// The stack pointer.
    pub fn stack_pointer(self) -> Register {
        of_kind!(self, Family, _model => Family::STACK_POINTER)
    }

    /// The program counter.
    pub fn program_counter(self) -> Register {
        of_kind!(self, Family, _model => Family::PROGRAM_COUNTER)
    }

    /// The last address that the stack can reach.
    pub fn stack_last(self) -> u16 {
        of_kind!(self, Family, _model => Family::STACK_LAST)
    }

    /// The last I/O port, where there are ports.
    pub fn last_port(self) -> Option<u16> {
        of_kind!(self, Family, _model => Family::LAST_PORT)
    }

    /// Where it begins; see [`Processor::reset_target`].
    pub fn reset_target(self) -> ResetTarget {
        of_kind!(self, Family, model => Family::reset_target(model))
    }

    /// Cycles of its reset sequence.
    pub fn reset_cycles(self) -> u64 {
        of_kind!(self, Family, model => Family::reset_cycles(model))
    }

    /// See [`Processor::wake_cycles`].
    pub fn wake_cycles(self) -> u64 {
        of_kind!(self, Family, model => Family::wake_cycles(model))
    }

    /// Cycles of its shortest instruction.
    pub fn shortest_instruction(self) -> u64 {
        of_kind!(self, Family, model => Family::shortest_instruction(model))
    }

    /// Whether it has opcodes that stop it without ever being counted.
    pub fn may_jam(self) -> bool {
        of_kind!(self, Family, model => Family::may_jam(model))
    }

    /// What the instruction at an address does; see [`Processor::operation`].
    pub fn operation(self, address: u16, read: impl Fn(u16) -> u8) -> &'static Operation {
        of_kind!(self, Family, model => Family::operation(model, address, read))
    }

    /// How many bytes the instruction at an address has.
    pub fn length(self, address: u16, read: impl Fn(u16) -> u8) -> u16 {
        of_kind!(self, Family, model => Family::length(model, address, read))
    }

    /// Disassembles an instruction; see [`Processor::decode`].
    pub fn decode(self, address: u16, read: impl Fn(u16) -> u8) -> Instruction {
        of_kind!(self, Family, model => Family::decode(model, address, read))
    }
}

impl Cpu {
    /// A processor before power-on.
    pub fn new(kind: CpuKind) -> Self {
        of_kind!(kind, Family, model => Family::new(model).into())
    }

    /// Which chip it is.
    pub fn kind(&self) -> CpuKind {
        match self {
            Cpu::Mos6502(cpu) => match cpu.model() {
                Variant::Nmos6502 => CpuKind::Mos6502,
                Variant::W65c02 => CpuKind::W65c02,
            },
            #[cfg(feature = "testing")]
            Cpu::Specimen(_) => CpuKind::Specimen,
        }
    }

    /// Instructions retired and cycles passed.
    pub fn position(&self) -> Position {
        of_cpu!(self, cpu => cpu.position())
    }

    /// Cycles passed.
    pub fn cycles(&self) -> u64 {
        self.position().cycles
    }

    /// Whether it executes, waits or is stopped.
    pub fn halt(&self) -> Halt {
        of_cpu!(self, cpu => cpu.halt())
    }

    /// The address of the next instruction.
    pub fn pc(&self) -> u16 {
        of_cpu!(self, cpu => cpu.pc())
    }

    /// Where the next byte pushed goes; see [`Processor::stack_pointer`].
    pub fn stack_pointer(&self) -> u16 {
        of_cpu!(self, cpu => cpu.stack_pointer())
    }

    /// Where its interrupts lead now; see [`Processor::interrupt_handlers`].
    pub fn interrupt_handlers(&self, read: impl Fn(u16) -> u8) -> Vec<u16> {
        of_cpu!(self, cpu => cpu.interrupt_handlers(read))
    }

    /// The value of a register.
    pub fn register(&self, register: Register) -> u16 {
        of_cpu!(self, cpu => cpu.register(register))
    }

    /// Sets a register between runs.
    pub fn set_register(&mut self, register: Register, value: u16) {
        of_cpu!(self, cpu => cpu.set_register(register, value));
    }

    /// All registers.
    pub fn registers(&self) -> Registers {
        let mut values = [0; REGISTERS_MAX];
        let count = self.kind().registers().len();
        for (value, number) in values[..count].iter_mut().zip(0..) {
            *value = self.register(Register(number));
        }
        Registers { kind: self.kind(), values }
    }

    /// See [`Processor::power_on`].
    pub fn power_on<B: Bus>(&mut self, bus: &mut B) {
        of_cpu!(self, cpu => cpu.power_on(bus));
    }

    /// See [`Processor::reset`].
    pub fn reset<B: Bus>(&mut self, bus: &mut B) {
        of_cpu!(self, cpu => cpu.reset(bus));
    }

    /// See [`Processor::run`].
    pub fn run<B: Bus>(&mut self, bus: &mut B) -> Exit {
        of_cpu!(self, cpu => cpu.run(bus))
    }

    /// See [`Processor::is_interrupted`].
    pub fn is_interrupted<B: Bus>(&self, bus: &mut B) -> bool {
        of_cpu!(self, cpu => cpu.is_interrupted(bus))
    }

    /// See [`Processor::wakes_here`].
    pub fn wakes_here<B: Bus>(&self, bus: &mut B) -> bool {
        of_cpu!(self, cpu => cpu.wakes_here(bus))
    }

    /// See [`Processor::advance_idle`].
    pub fn advance_idle(&mut self, count: u64) {
        of_cpu!(self, cpu => cpu.advance_idle(count));
    }
}

impl Persist for Cpu {
    fn save(&self, out: &mut Vec<u8>) {
        of_cpu!(self, cpu => cpu.save(out));
    }

    fn restore(&mut self, reader: &mut Reader<'_>) -> Result<(), PersistError> {
        of_cpu!(self, cpu => cpu.restore(reader))
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        of_cpu!(self, cpu => cpu.fields())
    }
}

/// Registers of a processor at most.
pub const REGISTERS_MAX: usize = 16;

/// The values of a processor's registers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Registers {
    kind: CpuKind,
    values: [u16; REGISTERS_MAX],
}

impl Registers {
    /// The value of one.
    pub fn get(&self, register: Register) -> u16 {
        self.values[usize::from(register.0) % REGISTERS_MAX]
    }

    /// The value of the one with a name.
    pub fn by_name(&self, name: &str) -> Option<u16> {
        self.kind.register_by_name(name).map(|register| self.get(register))
    }

    /// The program counter's value.
    pub fn pc(&self) -> u16 {
        self.get(self.kind.program_counter())
    }

    /// All of them, in the order in which people read them.
    pub fn iter(&self) -> impl Iterator<Item = (&'static RegisterInfo, u16)> {
        self.kind.registers().iter().zip(self.values)
    }
}
