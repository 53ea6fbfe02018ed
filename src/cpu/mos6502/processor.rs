//! The 6502 family as a [`Processor`].

use super::opcodes::opcode;
use super::registers::{PC, REGISTERS, SP};
use super::{LastPoll, Mos6502, Status, Variant, disassemble, interrupt, registers, vectors};
use crate::bus::Bus;
use crate::cpu::instruction::{Instruction, Operation, Register};
use crate::cpu::processor::{Exit, Halt, Processor, RegisterInfo, ResetTarget};
use crate::units::Position;

/// The page that the stack pointer points into.
const STACK: u16 = 0x0100;

impl Processor for Mos6502 {
    type Model = Variant;

    const REGISTERS: &'static [RegisterInfo] = &REGISTERS;
    const STACK_POINTER: Register = SP;
    const PROGRAM_COUNTER: Register = PC;
    const STACK_LAST: u16 = STACK + 0xFF;

    /// Registers that the chip leaves undefined are 0, P has I set.
    fn new(variant: Variant) -> Self {
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

    fn model(&self) -> Variant {
        self.variant
    }

    fn position(&self) -> Position {
        Position::new(self.icount, self.cycles)
    }

    fn halt(&self) -> Halt {
        self.halt
    }

    fn pc(&self) -> u16 {
        self.pc
    }

    fn stack_pointer(&self) -> u16 {
        STACK + u16::from(self.sp)
    }

    fn register(&self, register: Register) -> u16 {
        match register {
            registers::A => self.a.into(),
            registers::X => self.x.into(),
            registers::Y => self.y.into(),
            registers::SP => self.sp.into(),
            registers::PC => self.pc,
            registers::P => self.p.into(),
            _ => 0,
        }
    }

    fn set_register(&mut self, register: Register, value: u16) {
        let byte = value as u8;
        match register {
            registers::A => self.a = byte,
            registers::X => self.x = byte,
            registers::Y => self.y = byte,
            registers::SP => self.sp = byte,
            registers::PC => self.pc = value,
            registers::P => self.p = byte & !Status::B | Status::ONE,
            _ => {}
        }
    }

    /// After the reset S is FD. The seven bus cycles of the reset are made at cycles 0 to 6 of a clock that is then set back.
    fn power_on<B: Bus>(&mut self, bus: &mut B) {
        *self = Self::new(self.variant);
        self.reset(bus);
        self.cycles = 0;
    }

    /// Seven bus cycles, all of them reads, in which S is lowered by 3; I is set, the W65C02S clears D; then PC is loaded from
    /// FFFC.
    fn reset<B: Bus>(&mut self, bus: &mut B) {
        match self.variant {
            Variant::Nmos6502 => interrupt::reset::<B, false>(self, bus),
            Variant::W65c02 => interrupt::reset::<B, true>(self, bus),
        }
    }

    fn run<B: Bus>(&mut self, bus: &mut B) -> Exit {
        match self.variant {
            Variant::Nmos6502 => interrupt::run::<B, false>(self, bus),
            Variant::W65c02 => interrupt::run::<B, true>(self, bus),
        }
    }

    fn is_interrupted<B: Bus>(&self, bus: &mut B) -> bool {
        interrupt::is_interrupted(self, bus)
    }

    fn wakes_here<B: Bus>(&self, bus: &mut B) -> bool {
        interrupt::wakes_here(self, bus)
    }

    /// A wait ends two cycles after the line became active, and never before the cycle at which `run` is called.
    fn advance_idle(&mut self, count: u64) {
        self.cycles += count;
    }

    fn interrupt_handlers(&self, read: impl Fn(u16) -> u8) -> Vec<u16> {
        [vectors::NMI, vectors::IRQ].map(|vector| u16::from_le_bytes([read(vector), read(vector + 1)])).into()
    }

    fn reset_target(_: Variant) -> ResetTarget {
        ResetTarget::Vector(vectors::RESET)
    }

    fn reset_cycles(_: Variant) -> u64 {
        7
    }

    /// See `waking` in `interrupt.rs`.
    fn wake_cycles(_: Variant) -> u64 {
        2
    }

    fn shortest_instruction(variant: Variant) -> u64 {
        match variant {
            Variant::Nmos6502 => 2,
            Variant::W65c02 => 1,
        }
    }

    /// JAM of the NMOS chip; STP of the W65C02S is counted.
    fn may_jam(variant: Variant) -> bool {
        variant == Variant::Nmos6502
    }

    fn operation(variant: Variant, address: u16, read: impl Fn(u16) -> u8) -> &'static Operation {
        &opcode(variant, read(address)).operation
    }

    fn length(variant: Variant, address: u16, read: impl Fn(u16) -> u8) -> u16 {
        opcode(variant, read(address)).mode.length()
    }

    fn decode(variant: Variant, address: u16, read: impl Fn(u16) -> u8) -> Instruction {
        disassemble(variant, address, read)
    }
}
