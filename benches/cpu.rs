//! Instructions a second of our CPU, robo6502 and mos6502 on the same guest work, interleaved in one process.
//!
//! `cargo bench --bench cpu` runs our own programs. `RREPLAY_FUNCTIONAL_TEST=image.bin` adds a 64 KiB image that is
//! started at $0400 (the 6502 functional test, for example). `RREPLAY_BENCH_ROUNDS` sets the rounds; the best counts.
//!
//! Our bus is what a machine's memory looks like: a byte of flags for each page that says whether reads or writes need
//! more than an array access (I/O, ROM, a page whose dirty bit is not set yet), the deadline, the exact cycle and icount
//! of every access. The other cores get flat RAM, with one compare for the serial chip where a program talks to it.

#![allow(clippy::disallowed_methods)] // a benchmark reads the clock

mod common;

use common::{Done, IO_PAGE, ORIGIN, Serial, mos, robo, timed, works};
use std::hint::black_box;

use rreplay::bus::{Bus, Exception, Interrupt};
use rreplay::cpu::Processor;
use rreplay::cpu::mos6502::{Mos6502, Variant};
use rreplay::units::Position;

/// Cycles between two returns from our run loop.
const SLICE: u64 = 20_000;

const READ_SLOW: u8 = 1;
const WRITE_SLOW: u8 = 2;
const DEVICE: u8 = 4;
/// This page or the next is slow to read, so that an instruction that starts here must be looked at byte by byte.
const CODE_SLOW: u8 = 8;

#[repr(C)]
struct Machine {
    pages: [u8; 256],
    deadline: u64,
    irq: bool,
    ram: [u8; 0x10000],
    dirty: [bool; 256],
    serial: Serial,
}

impl Machine {
    fn new(image: &[u8; 0x10000]) -> Self {
        let mut pages = [WRITE_SLOW; 256];
        pages[usize::from(IO_PAGE >> 8)] = READ_SLOW | WRITE_SLOW | CODE_SLOW | DEVICE;
        pages[usize::from(IO_PAGE >> 8) - 1] |= CODE_SLOW;
        Self { ram: *image, pages, deadline: 0, irq: false, dirty: [false; 256], serial: Serial::default() }
    }

    #[inline(always)]
    fn page(&self, address: u16) -> u8 {
        self.pages[usize::from(address >> 8)]
    }

    #[cold]
    #[inline(never)]
    fn read_slow(&mut self, address: u16, at: Position) -> u8 {
        self.serial.read(address, at.cycles)
    }

    #[cold]
    #[inline(never)]
    fn write_slow(&mut self, address: u16, value: u8, at: Position) {
        let page = usize::from(address >> 8);
        if self.pages[page] & DEVICE != 0 {
            self.serial.write(address, value, at.cycles);
        } else {
            self.pages[page] &= !WRITE_SLOW;
            self.dirty[page] = true;
            self.ram[usize::from(address)] = value;
        }
    }
}

impl Bus for Machine {
    #[inline(always)]
    fn read(&mut self, address: u16, at: Position) -> u8 {
        if self.page(address) & READ_SLOW != 0 {
            return self.read_slow(address, at);
        }
        self.ram[usize::from(address)]
    }
    #[inline(always)]
    fn write(&mut self, address: u16, value: u8, at: Position) {
        if self.page(address) & WRITE_SLOW != 0 {
            return self.write_slow(address, value, at);
        }
        self.ram[usize::from(address)] = value;
    }
    #[inline(always)]
    fn plain_code(&self, pc: u16) -> bool {
        self.page(pc) & CODE_SLOW == 0
    }
    #[inline(always)]
    fn code(&self, address: u16) -> u8 {
        self.ram[usize::from(address)]
    }
    #[inline(always)]
    fn dummy_read(&mut self, address: u16, at: Position) {
        if self.page(address) & READ_SLOW != 0 {
            self.read_slow(address, at);
        }
    }
    #[inline(always)]
    fn dummy_write(&mut self, address: u16, value: u8, at: Position) {
        if self.page(address) & WRITE_SLOW != 0 {
            self.write_slow(address, value, at);
        }
    }
    #[inline(always)]
    fn deadline(&self) -> u64 {
        self.deadline
    }
    #[inline(always)]
    fn lower_deadline(&mut self) {
        self.deadline = 0;
    }
    fn irq_at(&mut self, _: u64) -> bool {
        self.irq
    }
    #[inline(always)]
    fn lines_active(&mut self, _: u64) -> bool {
        self.irq
    }
    fn nmi_at(&mut self, _: u64) -> bool {
        false
    }
    fn acknowledge_nmi(&mut self, _: u64) {}
    fn accept(&mut self, _: Interrupt, _: Position) -> bool {
        true
    }
    fn exception(&mut self, _: Exception, _: Position) {}
}

fn ours(variant: Variant, image: &[u8; 0x10000], start: u16, instructions: u64) -> Done {
    let machine = Machine::new(image);
    let mut cpu = Mos6502::new(variant);
    cpu.pc = start;
    let mut machine = Box::new(machine);
    while cpu.icount < instructions {
        // The last slices are short so that all cores do the same work to within a few instructions.
        let left = instructions - cpu.icount;
        machine.deadline = cpu.cycles + SLICE.min(left * 2).max(1);
        black_box(cpu.run(&mut *machine));
    }
    let check =
        u64::from(machine.ram[0x10]) | u64::from(machine.ram[0x11]) << 8 | machine.serial.checksum << 16;
    Done { instructions: cpu.icount, cycles: cpu.cycles, check }
}

fn main() {
    let rounds = std::env::var("RREPLAY_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    println!("million guest instructions a second, best of {rounds} interleaved rounds\n");
    println!(
        "{:16} {:>8} {:>8} {:>8} {:>9} {:>8} {:>9}",
        "", "rreplay", "robo6502", "mos6502", "to robo", "65C02", "to robo"
    );
    for work in works() {
        let (image, count) = (&work.image, work.instructions);
        let mut best = [0.0f64; 5];
        for _ in 0..rounds {
            let (nmos, done) = timed(|| ours(Variant::Nmos6502, image, ORIGIN, count));
            let (oracle, other) =
                timed(|| robo(Variant::Nmos6502, image, ORIGIN, done.instructions, work.serial));
            assert_eq!(done.check, other.check, "{}: the two cores must do the same work", work.name);
            assert!(!work.serial || done.cycles == other.cycles, "{}: {} cycles", work.name, done.cycles);
            let (mos, _) = timed(|| mos(image, ORIGIN, count / 4));
            let (cmos, done) = timed(|| ours(Variant::W65c02, image, ORIGIN, count));
            let (cmos_oracle, other) =
                timed(|| robo(Variant::W65c02, image, ORIGIN, done.instructions, work.serial));
            assert_eq!(done.check, other.check, "{}: the two cores must do the same work", work.name);
            for (best, now) in best.iter_mut().zip([nmos, oracle, mos, cmos, cmos_oracle]) {
                *best = best.max(now);
            }
        }
        let [nmos, oracle, mos, cmos, cmos_oracle] = best;
        let (ratio, cmos_ratio) = (nmos / oracle, cmos / cmos_oracle);
        println!(
            "{:16} {nmos:8.0} {oracle:8.0} {mos:8.0} {ratio:8.2}x {cmos:8.0} {cmos_ratio:8.2}x",
            work.name
        );
    }
}
