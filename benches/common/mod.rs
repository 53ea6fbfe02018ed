//! What the benchmarks share: guest programs, a serial chip, and other people's cores that run them.
#![allow(dead_code, reason = "each benchmark uses its part")]

pub mod machine;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use rreplay::cpu::mos6502::Variant;

pub const IO_PAGE: u16 = 0xA000;
pub const SERIAL_STATUS: u16 = 0xA000;
pub const SERIAL_DATA: u16 = 0xA001;
/// Cycles that a character takes on the line: 10 bits at 115200 baud, 1.8432 MHz.
pub const CHARACTER: u64 = 160;
/// A serial transmitter: a status bit, a data register.
#[derive(Default)]
pub struct Serial {
    pub busy_until: u64,
    pub sent: u64,
    pub checksum: u64,
}

impl Serial {
    /// A read of the chip.
    pub fn read(&self, address: u16, cycle: u64) -> u8 {
        match address {
            SERIAL_STATUS => u8::from(cycle >= self.busy_until) << 1,
            _ => 0,
        }
    }

    /// A write to the chip.
    pub fn write(&mut self, address: u16, value: u8, cycle: u64) {
        if address == SERIAL_DATA {
            self.sent += 1;
            self.checksum = self.checksum.rotate_left(5) ^ u64::from(value);
            self.busy_until = cycle.max(self.busy_until) + CHARACTER;
        }
    }
}

/// What a core has done: instructions, cycles where it counts them, and a value that depends on the whole run.
pub struct Done {
    pub instructions: u64,
    pub cycles: u64,
    pub check: u64,
}

/// Flat RAM for programs that touch no device.
pub struct Flat(Box<[u8; 0x10000]>);

impl robo6502::Sys for Flat {
    #[inline]
    fn read(&mut self, address: u16) -> Option<u8> {
        Some(self.0[usize::from(address)])
    }
    #[inline]
    fn write(&mut self, address: u16, value: u8) -> Option<()> {
        self.0[usize::from(address)] = value;
        Some(())
    }
}

/// RAM, the serial chip, and the cycle counter that the chip needs: one more with each access.
pub struct WithSerial {
    ram: Box<[u8; 0x10000]>,
    cycles: u64,
    serial: Serial,
}

impl robo6502::Sys for WithSerial {
    #[inline]
    fn read(&mut self, address: u16) -> Option<u8> {
        self.cycles += 1;
        if address & 0xFF00 == IO_PAGE {
            return Some(self.serial.read(address, self.cycles - 1));
        }
        Some(self.ram[usize::from(address)])
    }
    #[inline]
    fn write(&mut self, address: u16, value: u8) -> Option<()> {
        self.cycles += 1;
        if address & 0xFF00 == IO_PAGE {
            self.serial.write(address, value, self.cycles - 1);
        } else {
            self.ram[usize::from(address)] = value;
        }
        Some(())
    }
}

pub fn robo(variant: Variant, image: &[u8; 0x10000], start: u16, instructions: u64, serial: bool) -> Done {
    fn drive<C: robo6502::Cpu, S: robo6502::Sys>(mut cpu: C, system: &mut S, start: u16, instructions: u64) {
        cpu.set_pc(start);
        cpu.set_status(0x34);
        for _ in 0..instructions {
            cpu.run_instruction(system);
        }
    }
    let (ram, cycles, checksum) = if serial {
        let mut system = WithSerial { ram: Box::new(*image), cycles: 0, serial: Serial::default() };
        match variant {
            Variant::Nmos6502 => drive(robo6502::Nmos::standard(), &mut system, start, instructions),
            Variant::W65c02 => drive(robo6502::Cmos::new(), &mut system, start, instructions),
        }
        (system.ram, system.cycles, system.serial.checksum)
    } else {
        let mut system = Flat(Box::new(*image));
        match variant {
            Variant::Nmos6502 => drive(robo6502::Nmos::standard(), &mut system, start, instructions),
            Variant::W65c02 => drive(robo6502::Cmos::new(), &mut system, start, instructions),
        }
        (system.0, 0, 0)
    };
    Done { instructions, cycles, check: u64::from(ram[0x10]) | u64::from(ram[0x11]) << 8 | checksum << 16 }
}

/// RAM and the serial chip for mos6502, which shows a bus no cycles: the chip's clock advances with each access.
pub struct MosBus {
    ram: Box<[u8; 0x10000]>,
    accesses: u64,
    serial: Serial,
}

impl mos6502::memory::Bus for MosBus {
    #[inline]
    fn get_byte(&mut self, address: u16) -> u8 {
        self.accesses += 1;
        if address & 0xFF00 == IO_PAGE {
            return self.serial.read(address, self.accesses);
        }
        self.ram[usize::from(address)]
    }
    #[inline]
    fn set_byte(&mut self, address: u16, value: u8) {
        self.accesses += 1;
        if address & 0xFF00 == IO_PAGE {
            self.serial.write(address, value, self.accesses);
        } else {
            self.ram[usize::from(address)] = value;
        }
    }
}

pub fn mos(image: &[u8; 0x10000], start: u16, instructions: u64) -> Done {
    let bus = MosBus { ram: Box::new(*image), accesses: 0, serial: Serial::default() };
    let mut cpu = mos6502::cpu::CPU::new(bus, mos6502::instruction::Nmos6502);
    cpu.registers.program_counter = start;
    for _ in 0..instructions {
        black_box(cpu.single_step());
    }
    Done { instructions, cycles: 0, check: 0 }
}

/// A small assembler: bytes, and labels resolved at the end.
pub struct Program {
    image: Box<[u8; 0x10000]>,
    at: u16,
    labels: BTreeMap<&'static str, u16>,
    absolute: Vec<(u16, &'static str)>,
    relative: Vec<(u16, &'static str)>,
}

impl Program {
    fn at(origin: u16) -> Self {
        Self {
            image: Box::new([0; 0x10000]),
            at: origin,
            labels: BTreeMap::new(),
            absolute: Vec::new(),
            relative: Vec::new(),
        }
    }

    /// Raw bytes.
    fn op(&mut self, bytes: &[u8]) -> &mut Self {
        for &byte in bytes {
            self.image[usize::from(self.at)] = byte;
            self.at = self.at.wrapping_add(1);
        }
        self
    }

    fn label(&mut self, name: &'static str) -> &mut Self {
        self.labels.insert(name, self.at);
        self
    }

    /// An instruction with a label as its 16-bit operand.
    fn to(&mut self, opcode: u8, label: &'static str) -> &mut Self {
        self.absolute.push((self.at.wrapping_add(1), label));
        self.op(&[opcode, 0, 0])
    }

    /// A branch.
    fn branch(&mut self, opcode: u8, label: &'static str) -> &mut Self {
        self.relative.push((self.at.wrapping_add(1), label));
        self.op(&[opcode, 0])
    }

    /// The address of a label as data.
    fn word(&mut self, label: &'static str) -> &mut Self {
        self.absolute.push((self.at, label));
        self.op(&[0, 0])
    }

    fn finish(mut self) -> Box<[u8; 0x10000]> {
        for (at, label) in self.absolute {
            let [low, high] = self.labels[label].to_le_bytes();
            self.image[usize::from(at)] = low;
            self.image[usize::from(at) + 1] = high;
        }
        for (at, label) in self.relative {
            let distance = self.labels[label].wrapping_sub(at.wrapping_add(1)) as i16;
            self.image[usize::from(at)] = i8::try_from(distance).expect("a branch within reach") as u8;
        }
        self.image
    }
}

pub const ORIGIN: u16 = 0x0400;

/// Eratosthenes over 8192 bytes at $2000, for ever; a round counter at $10.
pub fn sieve() -> Box<[u8; 0x10000]> {
    let mut p = Program::at(ORIGIN);
    p.label("again").op(&[0xA9, 0x00, 0x85, 0x02, 0xA9, 0x20, 0x85, 0x03]); // pointer = $2000
    p.op(&[0xA2, 0x20, 0xA0, 0x00, 0xA9, 0x01]);
    p.label("fill").op(&[0x91, 0x02, 0xC8]).branch(0xD0, "fill");
    p.op(&[0xE6, 0x03, 0xCA]).branch(0xD0, "fill");
    p.op(&[0xA9, 0x02, 0x85, 0x04, 0xA9, 0x20, 0x85, 0x05]); // candidate 2 at $2002
    p.label("next").op(&[0xA0, 0x00, 0xB1, 0x04]).branch(0xF0, "skip");
    p.op(&[0xA5, 0x04, 0x85, 0x02, 0x85, 0x06, 0xA5, 0x05, 0x85, 0x03]);
    p.op(&[0x38, 0xE9, 0x20, 0x85, 0x07]); // prime = address - $2000
    p.label("strike").op(&[0x18, 0xA5, 0x02, 0x65, 0x06, 0x85, 0x02]);
    p.op(&[0xA5, 0x03, 0x65, 0x07, 0x85, 0x03, 0xC9, 0x40]).branch(0xB0, "skip");
    p.op(&[0xA9, 0x00, 0x91, 0x02]).to(0x4C, "strike");
    p.label("skip").op(&[0xE6, 0x04]).branch(0xD0, "low");
    p.op(&[0xE6, 0x05]).label("low").op(&[0xA5, 0x05, 0xC9, 0x21]).branch(0x90, "next");
    p.op(&[0xE6, 0x10]).branch(0xD0, "done").op(&[0xE6, 0x11]).label("done").to(0x4C, "again");
    p.finish()
}

/// Blocks of every addressing mode with compare-and-trap after each, as functional tests are written.
pub fn mixed() -> Box<[u8; 0x10000]> {
    let mut p = Program::at(ORIGIN);
    p.op(&[0xA9, 0x00, 0x85, 0x20, 0xA9, 0x30, 0x85, 0x21, 0xA2, 0xFF, 0x9A]); // ($20) = $3000
    p.label("again").op(&[0xA2, 0x03, 0xA0, 0x05]);
    p.label("inner");
    // Loads and stores, each checked.
    p.op(&[0x8A, 0x9D, 0x00, 0x31, 0xDD, 0x00, 0x31]).branch(0xD0, "trap1");
    p.op(&[0x98, 0x91, 0x20, 0xD1, 0x20]).branch(0xD0, "trap1");
    p.op(&[0x95, 0x30, 0xB4, 0x30, 0xC0, 0x05]).branch(0xD0, "trap1");
    p.op(&[0x8D, 0x10, 0x32, 0xAD, 0x10, 0x32, 0xCD, 0x10, 0x32]).branch(0xD0, "trap1");
    // Flags through the stack.
    p.op(&[0x08, 0x68, 0x29, 0x83, 0xC9, 0x03]).branch(0xD0, "trap1");
    p.op(&[0xA9, 0xFF, 0x48, 0x28]).branch(0x10, "trap1").branch(0x50, "trap1").branch(0x90, "trap1");
    p.op(&[0xA9, 0x00, 0x48, 0x28]).branch(0x30, "trap1").branch(0xF0, "trap1").branch(0xB0, "trap1");
    p.to(0x4C, "over1").label("trap1").to(0x4C, "trap1").label("over1");
    // Shifts and read-modify-write.
    p.op(&[0xA9, 0x55, 0x85, 0x40, 0x06, 0x40, 0x26, 0x40, 0x46, 0x40, 0x66, 0x40, 0xE6, 0x40, 0xC6, 0x40]);
    p.op(&[0xFE, 0x00, 0x31, 0xDE, 0x00, 0x31, 0x5E, 0x00, 0x33, 0x3E, 0x00, 0x33, 0x4A, 0x2A, 0x6A, 0x0A]);
    // Arithmetic over a table, binary and decimal.
    p.op(&[
        0x18, 0xA9, 0x12, 0x65, 0x40, 0xE5, 0x40, 0x7D, 0x00, 0x31, 0xFD, 0x00, 0x31, 0x71, 0x20, 0xF1, 0x20,
    ]);
    p.op(&[0xF8, 0x18, 0xA9, 0x19, 0x69, 0x23, 0xC9, 0x42]).branch(0xF0, "over2");
    p.label("trap2").to(0x4C, "trap2").label("over2");
    p.op(&[0xD8, 0x09, 0x0F, 0x49, 0xF0, 0x29, 0x3C, 0x05, 0x40, 0x25, 0x40, 0x45, 0x40, 0x24, 0x40]);
    p.to(0x20, "sub").op(&[0xE0, 0x00]).branch(0xF0, "wrap");
    p.op(&[0xCA]).to(0x4C, "inner");
    p.label("wrap").op(&[0xE6, 0x10]).to(0x4C, "again");
    p.label("sub")
        .op(&[0x48, 0x8A, 0x48, 0xBA, 0xBD, 0x02, 0x01, 0xA8, 0x68, 0xAA, 0x68, 0xA0, 0x05, 0xEA, 0x60]);
    p.finish()
}

/// Sends a text over the serial chip, polling its status.
pub fn talker() -> Box<[u8; 0x10000]> {
    let mut p = Program::at(ORIGIN);
    p.label("again").op(&[0xA2, 0x00]);
    p.label("next").to(0xBD, "text").branch(0xF0, "end").to(0x20, "send").op(&[0xE8]).branch(0xD0, "next");
    p.label("end").op(&[0xE6, 0x10]).branch(0xD0, "again").op(&[0xE6, 0x11]).to(0x4C, "again");
    p.label("send").op(&[0x48]);
    p.label("poll").op(&[0xAD, 0x00, 0xA0, 0x29, 0x02]).branch(0xF0, "poll");
    p.op(&[0x68, 0x8D, 0x01, 0xA0, 0x60]);
    p.label("text").op(b"THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG 0123456789\r\n\0");
    p.finish()
}

/// A token interpreter that calculates, loops, asks the serial chip for a break key at each line and prints now and then.
pub fn basic() -> Box<[u8; 0x10000]> {
    let mut p = Program::at(ORIGIN);
    p.label("run").op(&[0xA9, 0x00, 0x85, 0x02, 0xA9, 0x06, 0x85, 0x03]); // program text at $0600
    p.label("token").op(&[0xA0, 0x00, 0xB1, 0x02, 0xE6, 0x02]).branch(0xD0, "same").op(&[0xE6, 0x03]);
    p.label("same").op(&[0x0A, 0xAA]).to(0xBD, "table").op(&[0x85, 0x06, 0xE8]).to(0xBD, "table");
    p.op(&[0x85, 0x07, 0x6C, 0x06, 0x00]);
    // ADD v: accumulator ($12) += variable v, 16 bits.
    p.label("add").to(0x20, "operand").op(&[0x18, 0xA5, 0x12, 0x75, 0x40, 0x85, 0x12]);
    p.op(&[0xA5, 0x13, 0x75, 0x41, 0x85, 0x13]).to(0x4C, "token");
    // LET v: variable v = accumulator.
    p.label("let")
        .to(0x20, "operand")
        .op(&[0xA5, 0x12, 0x95, 0x40, 0xA5, 0x13, 0x95, 0x41])
        .to(0x4C, "token");
    // SHIFT: accumulator times 2, exclusive-or with itself.
    p.label("shift").op(&[0x06, 0x12, 0x26, 0x13, 0xA5, 0x12, 0x45, 0x13, 0x85, 0x12]).to(0x4C, "token");
    // LINE: looks for a key.
    p.label("line").op(&[0xAD, 0x00, 0xA0, 0x29, 0x01]).branch(0xD0, "line").to(0x4C, "token");
    // PRINT: one digit.
    p.label("print").op(&[0xA5, 0x12, 0x29, 0x07, 0x09, 0x30, 0x48]);
    p.label("busy").op(&[0xAD, 0x00, 0xA0, 0x29, 0x02]).branch(0xF0, "busy");
    p.op(&[0x68, 0x8D, 0x01, 0xA0]).to(0x4C, "token");
    p.label("end").op(&[0xE6, 0x10]).branch(0xD0, "more").op(&[0xE6, 0x11]).label("more").to(0x4C, "run");
    p.label("operand").op(&[0xA0, 0x00, 0xB1, 0x02, 0xAA, 0xE6, 0x02]).branch(0xD0, "back").op(&[0xE6, 0x03]);
    p.label("back").op(&[0x60]);
    p.label("table").word("end").word("add").word("let").word("shift").word("line").word("print");
    p.at = 0x0600;
    for line in 0..10u8 {
        p.op(&[4, 1, line * 2, 3, 2, line * 2, 1, 6, 3, 2, 4, 1, 2, 2, 6]);
    }
    p.op(&[5, 0]);
    p.image[0x40..0x60].copy_from_slice(&[7; 32]);
    p.finish()
}

/// Fills $1000-$9FFF and $B000-$FEFF with noise (a 16-bit Galois register, shifted once a byte), for ever.
pub fn filler() -> Box<[u8; 0x10000]> {
    let mut p = Program::at(ORIGIN);
    p.op(&[0xA9, 0x01, 0x85, 0x12, 0xA0, 0x00, 0x84, 0x02]); // seed; pointer low = 0
    p.label("again").op(&[0xA9, 0x10, 0x85, 0x03]);
    p.label("byte").op(&[0x46, 0x13, 0x66, 0x12]).branch(0x90, "even");
    p.op(&[0xA5, 0x13, 0x49, 0xB4, 0x85, 0x13]);
    p.label("even").op(&[0xA5, 0x12, 0x91, 0x02, 0xC8]).branch(0xD0, "byte");
    // Past the page of the chip, and round before the last page.
    p.op(&[0xE6, 0x03, 0xA5, 0x03, 0xC9, 0xA0]).branch(0xD0, "last").op(&[0xE6, 0x03]);
    p.label("last").op(&[0xC9, 0xFF]).branch(0xD0, "byte").to(0x4C, "again");
    p.finish()
}

pub struct Work {
    pub name: &'static str,
    pub image: Box<[u8; 0x10000]>,
    pub serial: bool,
    pub instructions: u64,
}

pub fn works() -> Vec<Work> {
    let work = |name, image, serial| Work { name, image, serial, instructions: 40_000_000 };
    let mut works = vec![
        work("sieve", sieve(), false),
        work("mixed", mixed(), false),
        work("serial talker", talker(), true),
        work("interpreter", basic(), true),
    ];
    if let Some(path) = std::env::var_os("RREPLAY_FUNCTIONAL_TEST") {
        let bytes = std::fs::read(&path).expect("RREPLAY_FUNCTIONAL_TEST names a readable file");
        let image: Box<[u8; 0x10000]> = bytes.into_boxed_slice().try_into().expect("an image of 65536 bytes");
        works.push(Work { name: "functional test", image, serial: false, instructions: 30_646_176 });
    }
    works
}

pub fn timed(run: impl FnOnce() -> Done) -> (f64, Done) {
    let start = Instant::now();
    let done = run();
    (done.instructions as f64 / start.elapsed().as_secs_f64() / 1e6, done)
}
