//! A processor of test size, as unlike a 6502 as a small one can be: a 16-bit stack pointer that shows the last byte pushed,
//! I/O ports, an instruction of four bytes, a fixed start at 0000, interrupts off until they are asked for.
//!
//! It exists to show that nobody above [`super`] knows which processor runs: it is put on boards, recorded, replayed and
//! questioned like any other, and no line outside this folder names it. It is also the shortest example of a
//! [`Processor`]. Every bus access is a cycle, and there are no others.
//!
//! | byte | | bytes | cycles | |
//! |---|---|---|---|---|
//! | 00 | `NOP` | 1 | 1 | and every byte that is no opcode |
//! | 01 | `LDI n` | 2 | 2 | D = n |
//! | 02 | `LD (nn)` | 3 | 4 | D = the byte at nn |
//! | 03 | `ST (nn)` | 3 | 4 | the byte at nn = D |
//! | 04 | `ADD (nn)` | 3 | 4 | D = D + the byte at nn |
//! | 05 | `STI n,(nn)` | 4 | 5 | the byte at nn = n |
//! | 06 | `IN p` | 2 | 3 | D = port p; Z where that is 0 |
//! | 07 | `OUT p` | 2 | 3 | port p = D |
//! | 08 | `CALL nn` | 3 | 5 | pushes the address after it |
//! | 09 | `RET` | 1 | 3 | |
//! | 0A | `JZ nn` | 3 | 3 | to nn where Z is set |
//! | 0B | `LSP nn` | 3 | 3 | SP = nn |
//! | 0C | `EI` | 1 | 1 | lets interrupts in, after the next instruction |
//! | 0D | `RETI` | 1 | 4 | pulls F and PC |
//! | 0E | `WAIT` | 1 | 1 | until an interrupt line is held |
//! | 0F | `JP nn` | 3 | 3 | |
//!
//! An interrupt pushes PC and F and goes to 0008; it is accepted between instructions if the NMI line has fallen, or if I of
//! F is set and the IRQ line is held.

use super::instruction::{
    ControlFlow, Definition, Derivation, Instruction, MemoryAccess, Operation, Register, RegisterSet,
    StackAccess,
};
use super::processor::{Exit, Halt, Processor, RegisterInfo, ResetTarget};
use crate::bus::{Bus, Interrupt};
use crate::units::Position;

/// Data.
pub const D: Register = Register(0);
/// Flags.
pub const F: Register = Register(1);
/// Stack pointer.
pub const SP: Register = Register(2);
/// Program counter.
pub const PC: Register = Register(3);

/// Flag of F: D was last set to 0.
pub const ZERO: u8 = 0x80;
/// Flag of F: interrupts are accepted.
pub const INTERRUPTS: u8 = 0x01;

/// Where interrupts go.
pub const HANDLER: u16 = 0x0008;

/// What the bytes of an instruction mean.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// It has one.
    Alone,
    /// Its second one is the operand.
    Immediate,
    /// Its second one is a port.
    Port,
    /// Two are an address, low byte first.
    Address,
    /// The same, of code.
    Target,
    /// An operand, then an address.
    ImmediateAddress,
}

impl Form {
    const fn length(self) -> u16 {
        match self {
            Form::Alone => 1,
            Form::Immediate | Form::Port => 2,
            Form::Address | Form::Target => 3,
            Form::ImmediateAddress => 4,
        }
    }
}

const FROM_OPERAND: Definition =
    Definition { derivation: Derivation::Load, registers: RegisterSet::NONE, operand: true };
const FROM_DATA: Definition =
    Definition { derivation: Derivation::Store, registers: RegisterSet::of(&[D]), operand: false };
const OPERAND_STORED: Definition = Definition { derivation: Derivation::Store, ..FROM_OPERAND };
const SUM: Definition =
    Definition { derivation: Derivation::Compute, registers: RegisterSet::of(&[D]), operand: true };

const fn load(mnemonic: &'static str, memory: MemoryAccess, from: Definition) -> Operation {
    let result = RegisterSet::of(&[D]);
    Operation { memory, result, result_from: from, flags_defined: ZERO, ..Operation::new(mnemonic) }
}

const fn store(mnemonic: &'static str, memory: MemoryAccess, from: Definition) -> Operation {
    Operation { memory, stored_from: from, ..Operation::new(mnemonic) }
}

const fn goes(mnemonic: &'static str, flow: ControlFlow, stack: StackAccess) -> Operation {
    Operation { flow, stack, ..Operation::new(mnemonic) }
}

static NOP: (Operation, Form) = (Operation::new("NOP"), Form::Alone);

static OPCODES: [(Operation, Form); 16] = [
    (Operation::new("NOP"), Form::Alone),
    (load("LDI", MemoryAccess::None, FROM_OPERAND), Form::Immediate),
    (load("LD", MemoryAccess::Read, FROM_OPERAND), Form::Address),
    (store("ST", MemoryAccess::Write, FROM_DATA), Form::Address),
    (load("ADD", MemoryAccess::Read, SUM), Form::Address),
    (store("STI", MemoryAccess::Write, OPERAND_STORED), Form::ImmediateAddress),
    (load("IN", MemoryAccess::None, FROM_OPERAND), Form::Port),
    (Operation::new("OUT"), Form::Port),
    (goes("CALL", ControlFlow::Call, StackAccess::Push(2)), Form::Target),
    (goes("RET", ControlFlow::Return, StackAccess::Pull(2)), Form::Alone),
    (Operation { flags_used: ZERO, ..goes("JZ", ControlFlow::Branch, StackAccess::None) }, Form::Target),
    (
        Operation { result: RegisterSet::of(&[SP]), result_from: FROM_OPERAND, ..Operation::new("LSP") },
        Form::Target,
    ),
    (Operation { flags_defined: INTERRUPTS, ..Operation::new("EI") }, Form::Alone),
    (
        Operation {
            flags_defined: ZERO | INTERRUPTS,
            ..goes("RETI", ControlFlow::Return, StackAccess::Pull(3))
        },
        Form::Alone,
    ),
    (goes("WAIT", ControlFlow::Halt, StackAccess::None), Form::Alone),
    (goes("JP", ControlFlow::Jump, StackAccess::None), Form::Target),
];

fn opcode(byte: u8) -> &'static (Operation, Form) {
    OPCODES.get(usize::from(byte)).unwrap_or(&NOP)
}

/// The state between instructions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Specimen {
    d: u8,
    f: u8,
    sp: u16,
    pc: u16,
    icount: u64,
    cycles: u64,
    halt: Halt,
    /// Whether the last instruction was one after which no interrupt is accepted.
    held_off: bool,
}

persist!(Specimen { d, f, sp, pc, icount, cycles, halt, held_off });

impl Specimen {
    fn cycle(&mut self) -> Position {
        let at = self.position();
        self.cycles += 1;
        at
    }

    fn fetch<B: Bus>(&mut self, bus: &mut B) -> u8 {
        let address = self.pc;
        self.pc = address.wrapping_add(1);
        let at = self.cycle();
        bus.fetch(address, at)
    }

    fn fetch_word<B: Bus>(&mut self, bus: &mut B) -> u16 {
        u16::from_le_bytes([self.fetch(bus), self.fetch(bus)])
    }

    fn read<B: Bus>(&mut self, address: u16, bus: &mut B) -> u8 {
        let at = self.cycle();
        bus.read(address, at)
    }

    fn write<B: Bus>(&mut self, address: u16, value: u8, bus: &mut B) {
        let at = self.cycle();
        bus.write(address, value, at);
    }

    fn push<B: Bus>(&mut self, value: u8, bus: &mut B) {
        self.sp = self.sp.wrapping_sub(1);
        self.write(self.sp, value, bus);
    }

    fn push_pc<B: Bus>(&mut self, bus: &mut B) {
        let [low, high] = self.pc.to_le_bytes();
        self.push(high, bus);
        self.push(low, bus);
    }

    fn pull<B: Bus>(&mut self, bus: &mut B) -> u8 {
        let value = self.read(self.sp, bus);
        self.sp = self.sp.wrapping_add(1);
        value
    }

    fn pull_pc<B: Bus>(&mut self, bus: &mut B) {
        self.pc = u16::from_le_bytes([self.pull(bus), self.pull(bus)]);
    }

    fn set(&mut self, value: u8) {
        self.d = value;
        self.f = self.f & !ZERO | if value == 0 { ZERO } else { 0 };
    }

    /// The interrupt that is accepted here.
    fn interrupt<B: Bus>(&self, bus: &mut B) -> Option<Interrupt> {
        if bus.nmi_at(self.cycles) {
            Some(Interrupt::Nmi)
        } else if self.f & INTERRUPTS != 0 && !self.held_off && bus.irq_at(self.cycles) {
            Some(Interrupt::Irq)
        } else if self.halt == Halt::Waiting && bus.irq_at(self.cycles) {
            Some(Interrupt::Wake)
        } else {
            None
        }
    }

    fn execute<B: Bus>(&mut self, bus: &mut B) {
        bus.note_executed(self.pc);
        self.held_off = false;
        match self.fetch(bus) {
            0x01 => {
                let value = self.fetch(bus);
                self.set(value);
            }
            0x02 => {
                let address = self.fetch_word(bus);
                let value = self.read(address, bus);
                self.set(value);
            }
            0x03 => {
                let address = self.fetch_word(bus);
                self.write(address, self.d, bus);
            }
            0x04 => {
                let address = self.fetch_word(bus);
                let value = self.read(address, bus);
                self.set(self.d.wrapping_add(value));
            }
            0x05 => {
                let value = self.fetch(bus);
                let address = self.fetch_word(bus);
                self.write(address, value, bus);
            }
            0x06 => {
                let port = self.fetch(bus);
                let at = self.cycle();
                let value = bus.port_in(port.into(), at);
                self.set(value);
            }
            0x07 => {
                let port = self.fetch(bus);
                let at = self.cycle();
                bus.port_out(port.into(), self.d, at);
            }
            0x08 => {
                let target = self.fetch_word(bus);
                self.push_pc(bus);
                self.pc = target;
            }
            0x09 => self.pull_pc(bus),
            0x0A => {
                let target = self.fetch_word(bus);
                if self.f & ZERO != 0 {
                    self.pc = target;
                }
            }
            0x0B => self.sp = self.fetch_word(bus),
            0x0C => {
                self.f |= INTERRUPTS;
                self.held_off = true;
                bus.lower_deadline();
            }
            0x0D => {
                self.f = self.pull(bus) & (ZERO | INTERRUPTS);
                self.pull_pc(bus);
                bus.lower_deadline();
            }
            0x0E => self.halt = Halt::Waiting,
            0x0F => self.pc = self.fetch_word(bus),
            _ => {}
        }
        self.icount += 1;
    }

    fn enter_handler<B: Bus>(&mut self, interrupt: Interrupt, bus: &mut B) {
        if interrupt == Interrupt::Nmi {
            bus.acknowledge_nmi(self.cycles);
        }
        self.push_pc(bus);
        self.push(self.f, bus);
        self.f &= !INTERRUPTS;
        self.pc = HANDLER;
    }
}

impl Processor for Specimen {
    type Model = ();

    const REGISTERS: &'static [RegisterInfo] = &[
        RegisterInfo::new("d", 8, "data"),
        RegisterInfo { flags: "Z------I", ..RegisterInfo::new("f", 8, "flags") },
        RegisterInfo::new("sp", 16, "stack pointer: the last byte pushed"),
        RegisterInfo::new("pc", 16, "program counter"),
    ];
    const STACK_POINTER: Register = SP;
    const PROGRAM_COUNTER: Register = PC;
    const STACK_LAST: u16 = u16::MAX;
    const LAST_PORT: Option<u16> = Some(0xFF);

    fn new((): ()) -> Self {
        Self { d: 0, f: 0, sp: 0, pc: 0, icount: 0, cycles: 0, halt: Halt::Running, held_off: false }
    }

    fn model(&self) {}

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
        self.sp.wrapping_sub(1)
    }

    fn register(&self, register: Register) -> u16 {
        match register {
            D => self.d.into(),
            F => self.f.into(),
            SP => self.sp,
            PC => self.pc,
            _ => 0,
        }
    }

    fn set_register(&mut self, register: Register, value: u16) {
        match register {
            D => self.d = value as u8,
            F => self.f = value as u8 & (ZERO | INTERRUPTS),
            SP => self.sp = value,
            PC => self.pc = value,
            _ => {}
        }
    }

    fn power_on<B: Bus>(&mut self, bus: &mut B) {
        *self = Self::new(());
        self.reset(bus);
    }

    fn reset<B: Bus>(&mut self, _: &mut B) {
        let Self { icount, cycles, .. } = *self;
        *self = Self { icount, cycles, ..Self::new(()) };
    }

    fn run<B: Bus>(&mut self, bus: &mut B) -> Exit {
        loop {
            let interrupt = self.interrupt(bus);
            if self.halt == Halt::Waiting && interrupt.is_none() {
                return Exit::Waiting;
            }
            if self.cycles >= bus.deadline() {
                return Exit::Deadline;
            }
            if let Some(interrupt) = interrupt {
                if !bus.accept(interrupt, self.position()) {
                    return Exit::Deadline;
                }
                self.halt = Halt::Running;
                if interrupt == Interrupt::Wake {
                    return Exit::Deadline;
                }
                self.enter_handler(interrupt, bus);
                continue;
            }
            if !bus.plain_code(self.pc)
                && bus.before_instruction(self.pc, self.stack_pointer(), self.position())
            {
                return Exit::Break;
            }
            self.execute(bus);
        }
    }

    fn is_interrupted<B: Bus>(&self, bus: &mut B) -> bool {
        self.interrupt(bus).is_some_and(|interrupt| interrupt != Interrupt::Wake)
    }

    fn wakes_here<B: Bus>(&self, bus: &mut B) -> bool {
        self.interrupt(bus) == Some(Interrupt::Wake)
    }

    fn advance_idle(&mut self, count: u64) {
        self.cycles += count;
    }

    fn interrupt_handlers(&self, _: impl Fn(u16) -> u8) -> Vec<u16> {
        vec![HANDLER]
    }

    fn reset_target((): ()) -> ResetTarget {
        ResetTarget::Address(0x0000)
    }

    fn reset_cycles((): ()) -> u64 {
        0
    }

    fn wake_cycles((): ()) -> u64 {
        0
    }

    fn shortest_instruction((): ()) -> u64 {
        1
    }

    fn may_jam((): ()) -> bool {
        false
    }

    fn operation((): (), address: u16, read: impl Fn(u16) -> u8) -> &'static Operation {
        &opcode(read(address)).0
    }

    fn length((): (), address: u16, read: impl Fn(u16) -> u8) -> u16 {
        opcode(read(address)).1.length()
    }

    fn decode((): (), address: u16, read: impl Fn(u16) -> u8) -> Instruction {
        let (operation, form) = *opcode(read(address));
        let bytes: Vec<u8> = (0..form.length()).map(|offset| read(address.wrapping_add(offset))).collect();
        let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let (operand, target, immediate) = match form {
            Form::Alone => (String::new(), None, None),
            Form::Immediate => (format!("${:02X}", bytes[1]), None, Some(1)),
            Form::Port => (format!("${:02X}", bytes[1]), None, None),
            Form::Address => (format!("(${:04X})", word(1)), None, None),
            Form::Target => {
                let leads = operation.flow != ControlFlow::Next;
                (format!("${:04X}", word(1)), leads.then(|| word(1)), None)
            }
            Form::ImmediateAddress => (format!("${:02X},(${:04X})", bytes[1], word(2)), None, Some(1)),
        };
        Instruction { address, bytes, operation, operand, target, immediate }
    }
}
