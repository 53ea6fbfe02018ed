//! Guest programs: generated instructions that talk to a board's chips, or raw bytes, with vectors and handlers.
//!
//! An image of 8 KiB fills E000-FFFF. The boot code at F800 sets up stack and chips and jumps to the program, which lies
//! at E000 or, loaded as a second image, in RAM at 0400, where it may change itself. The handlers are at FA00 (IRQ, BRK)
//! and FB00 (NMI).

use super::boards::{Chip, Place, places};
use super::scenario::many;
use arbitrary::{Arbitrary, Unstructured};
use proptest::collection::vec;
use proptest::prelude::any;
use rreplay::devices::probe::{self, Command};
use rreplay::machine::board::{Board, ImageInput, Target};
use rreplay::machine::rom::Format;

const ROM_START: u16 = 0xE000;
const RAM_START: u16 = 0x0400;
const BOOT: u16 = 0xF800;
const IRQ_HANDLER: u16 = 0xFA00;
const NMI_HANDLER: u16 = 0xFB00;
const VECTORS: u16 = 0xFFFA;
/// Bytes of a program at most; the boot code is far after that.
const PROGRAM_BYTES_MAX: usize = 0x0C00;
/// Bytes of a handler at most.
const HANDLER_BYTES_MAX: usize = 0x80;

/// What the guest runs.
#[derive(Clone, PartialEq, Eq, Debug, Arbitrary, proptest_derive::Arbitrary)]
pub struct Program {
    /// Whether it lies in RAM.
    pub in_ram: bool,
    /// What the boot code does to the chips.
    pub setup: Setup,
    /// For IRQ and BRK.
    pub irq: Handler,
    /// For NMI.
    pub nmi: Handler,
    /// The program, which begins again at its end.
    pub body: Body,
}

/// A program proper.
#[derive(Clone, PartialEq, Eq, Debug, Arbitrary, proptest_derive::Arbitrary)]
pub enum Body {
    /// Instructions that mean something.
    #[proptest(weight = 9)]
    Instructions(
        #[arbitrary(with = |u: &mut Unstructured<'_>| many(u, 48))]
        #[proptest(strategy = "vec(any::<Instruction>(), 0..48)")]
        Vec<Instruction>,
    ),
    /// Whatever the bytes are.
    #[proptest(weight = 1)]
    Bytes(
        #[arbitrary(with = |u: &mut Unstructured<'_>| many(u, 255))]
        #[proptest(strategy = "vec(any::<u8>(), 0..256)")]
        Vec<u8>,
    ),
}

/// What the boot code does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, proptest_derive::Arbitrary)]
pub struct Setup {
    /// The serial chips interrupt when they have received.
    pub serial_interrupts: bool,
    /// The VIA's timer 1 runs freely with this latch, and interrupts.
    pub timer: Option<u16>,
    /// Interrupts are enabled.
    pub cli: bool,
    /// What of all that may happen to it makes the probe interrupt.
    pub probe_interrupts: u8,
}

/// An interrupt handler.
#[derive(Clone, PartialEq, Eq, Debug, Arbitrary, proptest_derive::Arbitrary)]
pub enum Handler {
    /// Takes the interrupts of all chips away and counts.
    Acknowledge,
    /// Acknowledges, and sends each received byte back.
    Echo,
    /// Only RTI: a line that is held interrupts again.
    Return,
    /// Raw bytes, then RTI.
    Bytes(
        #[arbitrary(with = |u: &mut Unstructured<'_>| many(u, 15))]
        #[proptest(strategy = "vec(any::<u8>(), 0..16)")]
        Vec<u8>,
    ),
}

/// One or a few instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, proptest_derive::Arbitrary)]
pub enum Instruction {
    /// Reads a chip's register, by one of several instructions: dummy accesses included.
    ReadRegister(u8, u8),
    /// Writes a chip's register, by one of several instructions.
    WriteRegister(u8, u8, u8),
    /// Sends a byte, after waiting a while for an empty transmitter.
    Send(u8),
    /// Takes a byte from the console if there is one.
    Receive,
    /// Starts a timer of the VIA.
    StartTimer(bool, u16),
    /// Sets or clears interrupt enable bits of the VIA.
    EnableInterrupts(u8),
    /// Reads a timer or the interrupt flags into zero page.
    ReadTimer(u8),
    /// CLI.
    Cli,
    /// SEI, PHP, PLP, SED, CLD, CLV, SEC or CLC.
    Flag(u8),
    /// WAI, which an NMOS chip takes for something else.
    #[proptest(weight = 2)]
    Wait,
    /// BRK and its signature.
    Break(u8),
    /// Arithmetic with an immediate operand.
    Immediate(u8, u8),
    /// Something with a zero page operand.
    ZeroPage(u8, u8),
    /// Stack and index instructions.
    Implied(u8),
    /// A branch over the next one.
    Skip(u8),
    /// A jump to one of the instructions.
    Jump(u8),
    /// A call of one of the instructions.
    Call(u8),
    /// RTS.
    Return,
    /// A loop that takes a while.
    Delay(u8),
    /// Whatever these bytes are.
    Raw([u8; 2]),
    /// A command of the probe.
    #[proptest(weight = 6)]
    Probe(u8, u16),
    /// A command that the next event of the probe runs.
    #[proptest(weight = 3)]
    ProbeAction(u8),
    /// A byte that the probe is to send.
    #[proptest(weight = 2)]
    ProbeSend(u8),
    /// Waits a while for something to happen to the probe.
    ProbeWait(u8),
    /// Takes what the probe has learned into zero page.
    ProbeRead(u8),
    /// Waits for the VIA's timer 1, so many cycles.
    #[proptest(weight = 4)]
    Nap(u16),
    /// One in two: stops until a reset.
    #[proptest(weight = 2)]
    Stop(u8),
}

impl Program {
    /// The images that put it into a board's memory.
    pub fn images(&self, board: &Board) -> Vec<ImageInput> {
        let places = places(board);
        let start = if self.in_ram { RAM_START } else { ROM_START };
        let program = self.body.assemble(start, &places);
        let mut rom = vec![0xEA; 0x2000];
        let mut put = |address: u16, bytes: &[u8]| {
            let offset = usize::from(address - ROM_START);
            rom[offset..offset + bytes.len()].copy_from_slice(bytes);
        };
        put(BOOT, &self.setup.assemble(start, &places));
        put(IRQ_HANDLER, &self.irq.assemble(&places));
        put(NMI_HANDLER, &self.nmi.assemble(&places));
        let vectors: Vec<u8> =
            [NMI_HANDLER, BOOT, IRQ_HANDLER].into_iter().flat_map(u16::to_le_bytes).collect();
        put(VECTORS, &vectors);
        if !self.in_ram {
            put(ROM_START, &program);
        }
        let image = |name: &str, address, bytes| ImageInput {
            target: Target::Address(address),
            name: name.to_owned(),
            bytes,
            format: Format::Bin,
        };
        let mut images = vec![image("scenario ROM", ROM_START, rom)];
        if self.in_ram {
            images.push(image("scenario program", RAM_START, program));
        }
        images
    }

    /// An address in the program's first page.
    pub(super) fn address(&self, low: u8) -> u16 {
        (if self.in_ram { RAM_START } else { ROM_START }) + u16::from(low)
    }
}

impl Setup {
    fn assemble(self, start: u16, places: &[Place]) -> Vec<u8> {
        let mut code = Code::default();
        code.bytes(&[0xA2, 0xFF, 0x9A, 0xD8]); // LDX #$FF, TXS, CLD
        for place in places {
            match place.chip {
                Chip::Mos6551 => {
                    code.store(0x1F, place.at + 3); // 19200 baud, 8N1
                    code.store(if self.serial_interrupts { 0x09 } else { 0x0B }, place.at + 2);
                }
                Chip::Mc6850 => {
                    code.store(0x03, place.at);
                    code.store(if self.serial_interrupts { 0x95 } else { 0x15 }, place.at);
                }
                Chip::Via6522 => {
                    if let Some(latch) = self.timer {
                        let [low, high] = latch.to_le_bytes();
                        code.store(0x40, place.at + 11);
                        code.store(0xC0, place.at + 14);
                        code.store(low, place.at + 4);
                        code.store(high, place.at + 5);
                    }
                }
                Chip::Probe => code.store(self.probe_interrupts, place.at + probe::ENABLE),
                Chip::Mc146818 => {
                    code.store(0x0B, place.at);
                    code.store(self.probe_interrupts & 0x7F, place.at + 1);
                }
                Chip::Keyboard => code.store(self.probe_interrupts, place.at + 2),
                Chip::Pointer => code.store(self.probe_interrupts, place.at + 10),
                Chip::Plain { control, .. } => code.store(self.probe_interrupts, place.at + control),
                Chip::Py65Console => {}
            }
        }
        if self.cli {
            code.bytes(&[0x58]);
        }
        code.absolute(0x4C, start);
        code.bytes
    }
}

impl Handler {
    fn assemble(&self, places: &[Place]) -> Vec<u8> {
        let mut code = Code::default();
        match self {
            Handler::Return => {}
            Handler::Bytes(bytes) => code.bytes(&bytes[..bytes.len().min(HANDLER_BYTES_MAX)]),
            Handler::Acknowledge | Handler::Echo => {
                code.bytes(&[0x48]); // PHA
                for place in places {
                    code.acknowledge(*place, *self == Handler::Echo);
                }
                code.bytes(&[0xE6, 0x10, 0x68]); // INC $10, PLA
            }
        }
        code.bytes(&[0x40]); // RTI
        code.bytes
    }
}

impl Body {
    fn assemble(&self, start: u16, places: &[Place]) -> Vec<u8> {
        let mut code = match self {
            Body::Bytes(bytes) => Code { bytes: bytes[..bytes.len().min(PROGRAM_BYTES_MAX)].to_vec() },
            Body::Instructions(instructions) => assemble(instructions, start, places),
        };
        code.absolute(0x4C, start);
        code.bytes
    }
}

/// Twice: where an instruction lies does not depend on where a jump leads.
fn assemble(instructions: &[Instruction], start: u16, places: &[Place]) -> Code {
    let mut offsets = Vec::new();
    let mut code = Code::default();
    for instruction in instructions {
        offsets.push(start + code.bytes.len() as u16);
        instruction.assemble(&mut code, places, &[start]);
        if code.bytes.len() > PROGRAM_BYTES_MAX {
            break;
        }
    }
    let mut code = Code::default();
    for instruction in &instructions[..offsets.len()] {
        instruction.assemble(&mut code, places, &offsets);
    }
    code
}

impl Instruction {
    fn assemble(self, code: &mut Code, places: &[Place], targets: &[u16]) {
        let one_of = |choices: &[u8], choice: u8| choices[usize::from(choice) % choices.len()];
        let target = |choice: u8| targets[usize::from(choice) % targets.len()];
        match self {
            Instruction::ReadRegister(register, how) => code.read(register_at(places, register), how),
            Instruction::WriteRegister(register, value, how) => {
                code.write(register_at(places, register), value, how);
            }
            Instruction::Send(byte) => code.send(places[0], byte),
            Instruction::Receive => code.receive(places[0]),
            Instruction::StartTimer(second, count) => {
                let [low, high] = count.to_le_bytes();
                let first = via_at(places) + if second { 8 } else { 4 };
                code.store(low, first);
                code.store(high & 0x03, first + 1);
            }
            Instruction::EnableInterrupts(bits) => code.store(bits, via_at(places) + 14),
            Instruction::ReadTimer(which) => {
                let register = one_of(&[4, 5, 8, 9, 13, 6], which);
                code.absolute(0xAD, via_at(places) + u16::from(register));
                code.bytes(&[0x85, 0x20 | which & 0x0F]);
            }
            Instruction::Nap(count) => {
                Instruction::EnableInterrupts(0xC0).assemble(code, places, targets);
                Instruction::StartTimer(false, count).assemble(code, places, targets);
                Instruction::Wait.assemble(code, places, targets);
            }
            // STP, which an NMOS chip takes for DCP $0202,Y with JAM after it.
            Instruction::Stop(choice) if choice % 2 == 0 => code.bytes(&[0xDB, 0x02, 0x02, 0x02]),
            Instruction::Stop(_) => code.bytes(&[0xEA]),
            Instruction::Cli => code.bytes(&[0x58]),
            Instruction::Flag(which) => {
                code.bytes(&[one_of(&[0x78, 0x08, 0x28, 0xF8, 0xD8, 0xB8, 0x38, 0x18], which)]);
            }
            Instruction::Wait => code.bytes(&[0xCB, 0xEA]),
            Instruction::Break(signature) => code.bytes(&[0x00, signature]),
            Instruction::Immediate(which, value) => {
                let choices = [0xA9, 0xA2, 0xA0, 0x69, 0xE9, 0x29, 0x09, 0x49, 0xC9, 0xE0, 0xC0];
                code.bytes(&[one_of(&choices, which), value]);
            }
            Instruction::ZeroPage(which, address) => {
                let choices = [0xA5, 0x85, 0xE6, 0xC6, 0x65, 0x06, 0x66, 0x86, 0x84, 0xA6, 0x24, 0x95, 0x91];
                code.bytes(&[one_of(&choices, which), address]);
            }
            Instruction::Implied(which) => {
                let choices = [0x48, 0x68, 0xBA, 0xAA, 0x8A, 0xE8, 0xC8, 0xCA, 0x88, 0xEA, 0x0A, 0x6A];
                code.bytes(&[one_of(&choices, which)]);
            }
            Instruction::Skip(condition) => code.bytes(&[0x10 | condition & 0xE0, 0x01, 0xEA]),
            Instruction::Jump(to) => code.absolute(0x4C, target(to)),
            Instruction::Call(to) => code.absolute(0x20, target(to)),
            Instruction::Return => code.bytes(&[0x60]),
            // LDX #, DEX, BNE
            Instruction::Delay(count) => code.bytes(&[0xA2, count, 0xCA, 0xD0, 0xFD]),
            Instruction::Raw(bytes) => code.bytes(&bytes),
            Instruction::Probe(command, argument) => {
                let [low, high] = argument.to_le_bytes();
                let at = address_of(Chip::Probe, places);
                code.store(low, at + probe::ARGUMENT_LOW);
                code.store(high & reach(command), at + probe::ARGUMENT_HIGH);
                code.store(command % Command::END, at + probe::COMMAND);
            }
            Instruction::ProbeAction(command) => {
                code.store(command % Command::END, address_of(Chip::Probe, places) + probe::ACTION);
            }
            Instruction::ProbeSend(byte) => code.store(byte, address_of(Chip::Probe, places) + probe::DATA),
            Instruction::ProbeWait(bits) => {
                // LDY #60, then LDA status, AND #bits, BNE to the end, DEY, BNE back to LDA.
                code.bytes(&[0xA0, 60]);
                code.absolute(0xAD, address_of(Chip::Probe, places) + probe::STATUS);
                code.bytes(&[0x29, bits, 0xD0, 0x03, 0x88, 0xD0, 0xF6]);
            }
            Instruction::ProbeRead(which) => {
                let register = [probe::DATA, probe::RESULT, probe::HASH, probe::STATUS, probe::OUTSTANDING]
                    [usize::from(which % 5)];
                code.absolute(0xAD, address_of(Chip::Probe, places) + register);
                code.bytes(&[0x85, 0x50 | which & 0x0F]);
            }
        }
    }
}

/// One of all the registers of a board.
fn register_at(places: &[Place], choice: u8) -> u16 {
    let all: u16 = places.iter().map(|place| place.chip.registers()).sum();
    let mut choice = u16::from(choice) % all;
    for place in places {
        if choice < place.chip.registers() {
            return place.at + choice;
        }
        choice -= place.chip.registers();
    }
    places[0].at
}

/// The VIA, or what a board without one has.
fn via_at(places: &[Place]) -> u16 {
    address_of(Chip::Via6522, places)
}

/// Where a chip is, or some RAM on a board without it.
fn address_of(chip: Chip, places: &[Place]) -> u16 {
    places.iter().find(|place| place.chip == chip).map_or(0x6000, |place| place.at)
}

/// The bits of an argument's high byte that mean something: most sectors are on the disk, most alarms near.
fn reach(command: u8) -> u8 {
    match command % Command::END {
        Command::BLOCK_READ | Command::BLOCK_WRITE => 0,
        Command::ALARM | Command::HOST_ALARM | Command::VIRTUAL_RT_ALARM => 0x03,
        _ => 0xFF,
    }
}

#[derive(Default)]
struct Code {
    bytes: Vec<u8>,
}

impl Code {
    fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn absolute(&mut self, opcode: u8, address: u16) {
        let [low, high] = address.to_le_bytes();
        self.bytes(&[opcode, low, high]);
    }

    /// LDA #, STA.
    fn store(&mut self, value: u8, address: u16) {
        self.bytes(&[0xA9, value]);
        self.absolute(0x8D, address);
    }

    /// Reads a register: plainly, with a dummy read before, by a read-modify-write, through a pointer.
    fn read(&mut self, address: u16, how: u8) {
        match how % 6 {
            0 => self.absolute(0xAD, address),
            1 => self.absolute(0x2C, address), // BIT
            2 => {
                // A crossed page: the chip reads 256 bytes below first.
                self.bytes(&[0xA2, 0xFF]);
                self.absolute(0xBD, address.wrapping_sub(0xFF));
            }
            3 => {
                self.bytes(&[0xA0, 0x01]);
                self.absolute(0xB9, address.wrapping_sub(1));
            }
            4 => self.absolute(0xEE, address), // INC
            _ => {
                let [low, high] = address.to_le_bytes();
                self.bytes(&[0xA9, low, 0x85, 0x30, 0xA9, high, 0x85, 0x31, 0xA0, 0x00, 0xB1, 0x30]);
            }
        }
    }

    fn write(&mut self, address: u16, value: u8, how: u8) {
        match how % 4 {
            0 | 1 => self.store(value, address),
            2 => {
                self.bytes(&[0xA9, value, 0xA2, 0x00]);
                self.absolute(0x9D, address);
            }
            _ => self.absolute(0x0E, address), // ASL
        }
    }

    fn send(&mut self, place: Place, byte: u8) {
        match place.chip {
            Chip::Mos6551 | Chip::Mc6850 => {
                let (status, data, empty) = serial(place);
                // LDY #40, then LDA status, AND #empty, BNE to the end, DEY, BNE back to LDA.
                self.bytes(&[0xA0, 40]);
                self.absolute(0xAD, status);
                self.bytes(&[0x29, empty, 0xD0, 0x03, 0x88, 0xD0, 0xF6]);
                self.store(byte, data);
            }
            Chip::Via6522 => self.store(byte, place.at),
            Chip::Py65Console => self.store(byte, place.at),
            Chip::Probe => self.store(byte, place.at + probe::DATA),
            Chip::Mc146818 | Chip::Keyboard | Chip::Pointer | Chip::Plain { .. } => {
                self.store(byte, place.at + 3)
            }
        }
    }

    fn receive(&mut self, place: Place) {
        match place.chip {
            Chip::Mos6551 | Chip::Mc6850 => {
                let (status, data, _) = serial(place);
                let full = if place.chip == Chip::Mos6551 { 0x08 } else { 0x01 };
                self.absolute(0xAD, status);
                self.bytes(&[0x29, full, 0xF0, 0x05]);
                self.absolute(0xAD, data);
                self.bytes(&[0x85, 0x40]);
            }
            Chip::Via6522 => self.absolute(0xAD, place.at),
            Chip::Py65Console => {
                self.absolute(0xAD, place.at + 3);
                self.bytes(&[0x85, 0x40]);
            }
            Chip::Probe => self.absolute(0xAD, place.at + probe::DATA),
            Chip::Mc146818 | Chip::Keyboard | Chip::Pointer | Chip::Plain { .. } => {
                self.absolute(0xAD, place.at)
            }
        }
    }

    /// Takes away a chip's interrupt. With `echo` a received byte is sent back at once.
    fn acknowledge(&mut self, place: Place, echo: bool) {
        match place.chip {
            Chip::Mos6551 | Chip::Mc6850 => {
                let (status, data, _) = serial(place);
                let full = if place.chip == Chip::Mos6551 { 0x08 } else { 0x01 };
                self.absolute(0xAD, status);
                self.bytes(&[0x29, full, 0xF0, if echo { 0x06 } else { 0x03 }]);
                self.absolute(0xAD, data);
                if echo {
                    self.absolute(0x8D, data);
                }
            }
            Chip::Via6522 => self.store(0x7F, place.at + 13),
            Chip::Probe => {
                self.absolute(0xAD, place.at + probe::STATUS);
                self.absolute(0x8D, place.at + probe::STATUS);
            }
            Chip::Mc146818 => {
                self.store(0x0C, place.at);
                self.absolute(0xAD, place.at + 1);
            }
            Chip::Keyboard => self.absolute(0xAD, place.at),
            Chip::Pointer => self.store(0, place.at + 11),
            Chip::Plain { .. } => self.store(0xFF, place.at + 1),
            Chip::Py65Console => {}
        }
    }
}

/// Status register, data register and the status bit of an empty transmitter.
fn serial(place: Place) -> (u16, u16, u8) {
    match place.chip {
        Chip::Mc6850 => (place.at, place.at + 1, 0x02),
        _ => (place.at + 1, place.at, 0x10),
    }
}
