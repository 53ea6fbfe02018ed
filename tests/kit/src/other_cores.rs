//! CPU cores of others, after one face, and what each is known to do wrong.

use rreplay::cpu::mos6502::{Status, Variant};

/// The registers, P without the two bits that do not exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Registers {
    pub pc: u16,
    pub a: u8,
    pub x: u8,
    pub y: u8,
    pub sp: u8,
    pub p: u8,
}

impl Registers {
    /// The bits of P that exist.
    pub const FLAGS: u8 = !(Status::B | Status::ONE);

    /// The same with these flags clear.
    pub fn without(self, flags: u8) -> Self {
        Self { p: self.p & !flags, ..self }
    }
}

/// One bus cycle.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct BusAccess {
    pub address: u16,
    pub value: u8,
    pub write: bool,
}

impl std::fmt::Debug for BusAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.write { 'w' } else { 'r' };
        write!(f, "{kind} {:04X} {:02X}", self.address, self.value)
    }
}

/// What is not compared after one instruction of a core that is known to differ there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Excuse {
    /// The core lacks the instruction: it is not executed there.
    pub everything: bool,
    /// The number of cycles, and the accesses.
    pub cycles: bool,
    /// These bits of P.
    pub flags: u8,
}

impl Excuse {
    pub const NOTHING: Self = Self { everything: false, cycles: false, flags: 0 };
    const EVERYTHING: Self = Self { everything: true, ..Self::NOTHING };
    const CYCLES: Self = Self { cycles: true, ..Self::NOTHING };

    const fn flags(flags: u8) -> Self {
        Self { flags, ..Self::NOTHING }
    }
}

/// A core with its memory.
pub(super) trait OtherCore {
    fn name(&self) -> &'static str;
    fn set(&mut self, registers: Registers);
    fn registers(&self) -> Registers;
    /// Executes one instruction or interrupt sequence and returns its cycles.
    fn step(&mut self) -> u64;
    fn memory(&self) -> &[u8];
    fn poke(&mut self, address: u16, value: u8);
    /// Its accesses in the last step, when it shows them.
    fn accesses(&self) -> Option<&[BusAccess]>;
    /// Whether those agree with ours, as far as they can be compared.
    fn has_same_accesses(&self, ours: &[BusAccess]) -> bool;
    /// What is known to be different in the instruction with these bytes, executed from these registers.
    fn excuse(&self, before: Registers, code: [u8; 3]) -> Excuse;
}

/// robo6502 0.3, with lines that are active from a cycle on.
pub(super) fn robo6502(
    variant: Variant,
    memory: Vec<u8>,
    irq: Option<u64>,
    nmi: Option<u64>,
) -> Box<dyn OtherCore> {
    let system = RoboSystem { memory, accesses: Vec::new(), cycles: 0, irq, nmi };
    match variant {
        Variant::Nmos6502 => Box::new(Robo { cpu: ::robo6502::Nmos::standard(), system, variant }),
        Variant::W65c02 => Box::new(Robo { cpu: ::robo6502::Cmos::new(), system, variant }),
    }
}

struct Robo<C> {
    cpu: C,
    system: RoboSystem,
    variant: Variant,
}

impl<C: ::robo6502::Cpu> OtherCore for Robo<C> {
    fn name(&self) -> &'static str {
        "robo6502"
    }

    fn set(&mut self, registers: Registers) {
        let Registers { pc, a, x, y, sp, p } = registers;
        self.cpu.set_pc(pc);
        self.cpu.set_a(a);
        self.cpu.set_x(x);
        self.cpu.set_y(y);
        self.cpu.set_sp(sp);
        self.cpu.set_status(p);
    }

    fn registers(&self) -> Registers {
        Registers {
            pc: self.cpu.pc(),
            a: self.cpu.a(),
            x: self.cpu.x(),
            y: self.cpu.y(),
            sp: self.cpu.sp(),
            p: self.cpu.status() & Registers::FLAGS,
        }
    }

    fn step(&mut self) -> u64 {
        self.system.accesses.clear();
        // `None` would be an access that was refused, and none is.
        let _ = self.cpu.run_instruction(&mut self.system);
        self.system.accesses.len() as u64
    }

    fn memory(&self) -> &[u8] {
        &self.system.memory
    }

    fn poke(&mut self, address: u16, value: u8) {
        self.system.memory[usize::from(address)] = value;
    }

    fn accesses(&self) -> Option<&[BusAccess]> {
        Some(&self.system.accesses)
    }

    fn has_same_accesses(&self, ours: &[BusAccess]) -> bool {
        let theirs = &self.system.accesses;
        if self.variant == Variant::Nmos6502 {
            return theirs == ours;
        }
        // Its 65C02 reads other addresses in some of the chip's spare cycles.
        let writes = |access: &&BusAccess| access.write;
        theirs.iter().filter(writes).eq(ours.iter().filter(writes))
    }

    fn excuse(&self, _before: Registers, code: [u8; 3]) -> Excuse {
        match (self.variant, code[0]) {
            // JAM: it goes on reading for longer before it says that it has stopped.
            (Variant::Nmos6502, opcode) if is_jam(opcode) => Excuse::CYCLES,
            // ANE, SHA, TAS, SHY, SHX, LXA: unstable on the chip, so that each core has made another choice.
            (Variant::Nmos6502, 0x8B | 0x93 | 0x9B | 0x9C | 0x9E | 0x9F | 0xAB) => Excuse::EVERYTHING,
            // LAS: it leaves N and Z alone.
            (Variant::Nmos6502, 0xBB) => Excuse::flags(Status::N | Status::Z),
            // RMB, SMB, BBR, BBS, WAI, STP: it is a 65C02 of before these.
            (Variant::W65c02, opcode) if matches!(opcode & 0x0F, 0x07 | 0x0F) => Excuse::EVERYTHING,
            (Variant::W65c02, 0xCB | 0xDB) => Excuse::EVERYTHING,
            // JMP (abs): five cycles, the data sheet has six.
            (Variant::W65c02, 0x6C) => Excuse::CYCLES,
            _ => Excuse::NOTHING,
        }
    }
}

/// Whether an NMOS opcode stops the CPU.
fn is_jam(opcode: u8) -> bool {
    opcode & 0x1F == 0x12 || matches!(opcode, 0x02 | 0x22 | 0x42 | 0x62)
}

struct RoboSystem {
    memory: Vec<u8>,
    accesses: Vec<BusAccess>,
    /// Accesses of all steps, which are its cycles.
    cycles: u64,
    irq: Option<u64>,
    nmi: Option<u64>,
}

impl RoboSystem {
    fn remember(&mut self, address: u16, value: u8, write: bool) {
        self.cycles += 1;
        self.accesses.push(BusAccess { address, value, write });
    }

    /// It asks for its lines before the last cycle, so what counts is what the cycles made so far have seen.
    fn seen(&self, since: Option<u64>) -> bool {
        since.is_some_and(|since| since < self.cycles)
    }
}

impl ::robo6502::Sys for RoboSystem {
    fn read(&mut self, address: u16) -> Option<u8> {
        let value = self.memory[usize::from(address)];
        self.remember(address, value, false);
        Some(value)
    }
    fn write(&mut self, address: u16, value: u8) -> Option<()> {
        self.memory[usize::from(address)] = value;
        self.remember(address, value, true);
        Some(())
    }
    fn irq(&self) -> bool {
        self.seen(self.irq)
    }
    fn peek_nmi(&self) -> bool {
        self.seen(self.nmi)
    }
    fn poll_nmi(&mut self) -> bool {
        let seen = self.seen(self.nmi);
        if seen {
            self.nmi = None;
        }
        seen
    }
}

/// mos6502 0.10. It shows no bus cycles and polls no lines.
pub(super) fn mos6502(variant: Variant, memory: Vec<u8>) -> Box<dyn OtherCore> {
    use ::mos6502::instruction::{Nmos6502, W65C02S};
    match variant {
        Variant::Nmos6502 => {
            Box::new(Mos { cpu: ::mos6502::cpu::CPU::new(MosMemory(memory), Nmos6502), variant })
        }
        Variant::W65c02 => {
            Box::new(Mos { cpu: ::mos6502::cpu::CPU::new(MosMemory(memory), W65C02S::default()), variant })
        }
    }
}

struct Mos<V: ::mos6502::Variant> {
    cpu: ::mos6502::cpu::CPU<MosMemory, V>,
    variant: Variant,
}

struct MosMemory(Vec<u8>);

impl ::mos6502::memory::Bus for MosMemory {
    fn get_byte(&mut self, address: u16) -> u8 {
        self.0[usize::from(address)]
    }
    fn set_byte(&mut self, address: u16, value: u8) {
        self.0[usize::from(address)] = value;
    }
}

impl<V: ::mos6502::Variant> OtherCore for Mos<V> {
    fn name(&self) -> &'static str {
        "mos6502"
    }

    fn set(&mut self, registers: Registers) {
        use ::mos6502::registers::{StackPointer, Status};
        let to = &mut self.cpu.registers;
        to.program_counter = registers.pc;
        (to.accumulator, to.index_x, to.index_y) = (registers.a, registers.x, registers.y);
        to.stack_pointer = StackPointer(registers.sp);
        to.status = Status::from_bits_truncate(registers.p);
    }

    fn registers(&self) -> Registers {
        let of = &self.cpu.registers;
        Registers {
            pc: of.program_counter,
            a: of.accumulator,
            x: of.index_x,
            y: of.index_y,
            sp: of.stack_pointer.0,
            p: of.status.bits() & Registers::FLAGS,
        }
    }

    fn step(&mut self) -> u64 {
        let before = self.cpu.cycles;
        self.cpu.single_step();
        self.cpu.cycles - before
    }

    fn memory(&self) -> &[u8] {
        &self.cpu.memory.0
    }

    fn poke(&mut self, address: u16, value: u8) {
        self.cpu.memory.0[usize::from(address)] = value;
    }

    fn accesses(&self) -> Option<&[BusAccess]> {
        None
    }

    fn has_same_accesses(&self, _ours: &[BusAccess]) -> bool {
        true
    }

    fn excuse(&self, before: Registers, code: [u8; 3]) -> Excuse {
        // JSR: it has read all three bytes before it writes the return address, so that one on top of the third comes too
        // late.
        let third = before.pc.wrapping_add(2);
        let on_stack = [before.sp, before.sp.wrapping_sub(1)].map(|sp| 0x0100 | u16::from(sp));
        if code[0] == 0x20 && on_stack.contains(&third) {
            return Excuse::EVERYTHING;
        }
        let decimal = before.p & Status::D != 0;
        let crossed = code[1].checked_add(before.x).is_none();
        match self.variant {
            Variant::Nmos6502 => mos_nmos_excuse(code[0], decimal, crossed),
            Variant::W65c02 => mos_w65c02_excuse(code[0], decimal, crossed),
        }
    }
}

/// What mos6502's NMOS chip is excused from. `crossed`: an indexed access with X goes to the next page.
fn mos_nmos_excuse(opcode: u8, decimal: bool, crossed: bool) -> Excuse {
    let (row, column) = (opcode >> 5, opcode & 0x1F);
    match opcode {
        // JAM: it stops after the opcode.
        _ if is_jam(opcode) => Excuse::EVERYTHING,
        // ANE, SHA, TAS, SHY, SHX, LXA: unstable on the chip, and those that it has not.
        0x8B | 0x93 | 0x9B | 0x9C | 0x9E | 0x9F | 0xAB => Excuse::EVERYTHING,
        // ARR: without the rules of decimal mode.
        0x6B if decimal => Excuse::EVERYTHING,
        // ADC, SBC and what contains them: in decimal mode N, V and Z are those of the result. RRA and ISC indexed are
        // among the instructions below too.
        _ if decimal && matches!(row, 3 | 7) && matches!(opcode & 3, 1 | 3) => {
            Excuse { cycles: opcode & 3 == 3, ..Excuse::flags(Status::N | Status::V | Status::Z) }
        }
        // Read-modify-write, indexed: a crossed page costs it a cycle, as if it were a read.
        _ if column == 0x1E && !matches!(row, 4 | 5) && crossed => Excuse::CYCLES,
        _ if matches!(column, 0x13 | 0x1B | 0x1F) && !matches!(row, 4 | 5) => Excuse::CYCLES,
        _ => Excuse::NOTHING,
    }
}

/// What mos6502's W65C02S is excused from.
fn mos_w65c02_excuse(opcode: u8, decimal: bool, crossed: bool) -> Excuse {
    let (row, column) = (opcode >> 5, opcode & 0x1F);
    let adds = matches!(column, 0x01 | 0x05 | 0x09 | 0x0D | 0x11 | 0x12 | 0x15 | 0x19 | 0x1D);
    match opcode {
        // SBC in decimal mode: it has other results for digits above 9.
        _ if decimal && row == 7 && adds => Excuse::EVERYTHING,
        // ADC in decimal mode: V is that of a binary sum.
        _ if decimal && row == 3 && adds => Excuse::flags(Status::V),
        // BBR, BBS: a branch that is taken costs it nothing. BRA: two cycles instead of one.
        _ if opcode & 0x0F == 0x0F => Excuse::CYCLES,
        0x80 => Excuse::CYCLES,
        // Shifts, indexed: it does not know that they save a cycle where no page is crossed. INC, DEC: as on NMOS.
        0x1E | 0x3E | 0x5E | 0x7E => Excuse::CYCLES,
        0xDE | 0xFE if crossed => Excuse::CYCLES,
        // Undefined opcodes with other cycles than the data sheet's: those of the NMOS chip.
        0x5C => Excuse::CYCLES,
        0xDC | 0xFC if crossed => Excuse::CYCLES,
        _ => Excuse::NOTHING,
    }
}
