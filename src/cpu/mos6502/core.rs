//! The CPU's registers as locals of the run loop, and the bus cycles.
//!
//! A [`Core`] lives only inside one call of the run loop. Every method is `inline(always)` and nothing takes its
//! address, so that the compiler splits it into registers; a helper that is too big to inline must take and give
//! plain values (see `decimal.rs`). That is worth a factor of four.

use crate::bus::Bus;
use crate::units::Position;

use super::{LastPoll, Mos6502, Status};

/// No clock comes so far: a mark on a cycle.
const CROSSED: u64 = 1 << 63;

/// Registers and counters unpacked from a [`Mos6502`], with the bus.
///
/// `CMOS` is true for the W65C02S. `PLAIN` is true while the instruction lies in plain memory, as [`Bus::plain_code`] has
/// said: then its bytes are fetched without a look at their page.
pub(super) struct Core<'a, B: Bus, const CMOS: bool, const PLAIN: bool> {
    pub bus: &'a mut B,
    pub a: u8,
    pub x: u8,
    pub y: u8,
    pub sp: u8,
    pub pc: u16,
    /// Where N and Z come from: Z is "bits 0-7 are all clear", N is "bit 7 or bit 8 is set". Two bits for N, because
    /// BIT, PLP and the NMOS decimal mode set N and Z together.
    pub nz: u32,
    /// V in bit 7; the other bits have no meaning.
    pub v: u8,
    /// Carry, 0 or 1.
    pub c: u8,
    /// The D and I bits of P in their places; all other bits are 0.
    pub di: u8,
    pub cycles: u64,
    pub icount: u64,
    /// The cycle at which the last taken NMOS branch ended, with [`CROSSED`] if it crossed a page.
    branch_end: u64,
    /// The cycle at which the last instruction with another rule than the usual one ended, and that rule.
    quirk_end: u64,
    quirk: LastPoll,
}

impl<'a, B: Bus, const CMOS: bool, const PLAIN: bool> Core<'a, B, CMOS, PLAIN> {
    #[inline(always)]
    pub fn load(cpu: &Mos6502, bus: &'a mut B) -> Self {
        let mut core = Self {
            bus,
            a: cpu.a,
            x: cpu.x,
            y: cpu.y,
            sp: cpu.sp,
            pc: cpu.pc,
            nz: 0,
            v: 0,
            c: 0,
            di: 0,
            cycles: cpu.cycles,
            icount: cpu.icount,
            branch_end: u64::MAX,
            quirk_end: cpu.cycles,
            quirk: cpu.last_poll,
        };
        core.set_status(cpu.p);
        core
    }

    #[inline(always)]
    pub fn store(self, cpu: &mut Mos6502) -> &'a mut B {
        cpu.a = self.a;
        cpu.x = self.x;
        cpu.y = self.y;
        cpu.sp = self.sp;
        cpu.pc = self.pc;
        cpu.p = self.status();
        cpu.cycles = self.cycles;
        cpu.icount = self.icount;
        cpu.last_poll = if self.branch_end == self.cycles {
            LastPoll::Branch
        } else if self.branch_end == self.cycles | CROSSED {
            // Said only where it matters: what was seen at the second poll is looked for there.
            let first = self.bus.irq_at(self.cycles - 4) && !self.bus.irq_at(self.cycles - 2);
            if first { LastPoll::First } else { LastPoll::Usual }
        } else if self.quirk_end == self.cycles {
            self.quirk
        } else {
            LastPoll::Usual
        };
        self.bus
    }

    /// The position of the next bus cycle.
    #[inline(always)]
    pub fn at(&self) -> Position {
        Position { icount: self.icount, cycles: self.cycles }
    }

    #[inline(always)]
    pub fn read(&mut self, address: u16) -> u8 {
        let value = self.bus.read(address, self.at());
        self.cycles += 1;
        value
    }

    /// A read cycle whose value the chip throws away.
    #[inline(always)]
    pub fn dummy_read(&mut self, address: u16) {
        self.bus.dummy_read(address, self.at());
        self.cycles += 1;
    }

    #[inline(always)]
    pub fn write(&mut self, address: u16, value: u8) {
        self.bus.write(address, value, self.at());
        self.cycles += 1;
    }

    /// A write cycle that puts back the value just read from `address`.
    #[inline(always)]
    pub fn dummy_write(&mut self, address: u16, value: u8) {
        self.bus.dummy_write(address, value, self.at());
        self.cycles += 1;
    }

    /// The next byte of the instruction.
    #[inline(always)]
    pub fn fetch(&mut self) -> u8 {
        let value = if PLAIN { self.bus.code(self.pc) } else { self.bus.fetch(self.pc, self.at()) };
        self.cycles += 1;
        self.pc = self.pc.wrapping_add(1);
        value
    }

    /// A dummy read in the instruction or just after it.
    #[inline(always)]
    fn dummy_fetch(&mut self, address: u16) {
        if PLAIN {
            self.cycles += 1;
        } else {
            self.dummy_read(address);
        }
    }

    /// A dummy read of the next byte of the program, as every one-byte instruction of two cycles makes it.
    #[inline(always)]
    pub fn idle(&mut self) {
        self.dummy_fetch(self.pc);
    }

    /// A dummy read of the last instruction byte, the W65C02S's way to spend a cycle on address arithmetic.
    #[inline(always)]
    pub fn reread_operand(&mut self) {
        self.dummy_fetch(self.pc.wrapping_sub(1));
    }

    #[inline(always)]
    pub fn stack(&self) -> u16 {
        0x0100 | u16::from(self.sp)
    }

    #[inline(always)]
    pub fn push(&mut self, value: u8) {
        self.write(self.stack(), value);
        self.sp = self.sp.wrapping_sub(1);
    }

    #[inline(always)]
    pub fn pull(&mut self) -> u8 {
        self.sp = self.sp.wrapping_add(1);
        self.read(self.stack())
    }

    /// The two bytes of an interrupt vector.
    #[inline(always)]
    pub fn vector(&mut self, address: u16) -> u16 {
        let low = self.read(address);
        let high = self.read(address + 1);
        u16::from_le_bytes([low, high])
    }

    #[inline(always)]
    pub fn set_nz(&mut self, value: u8) {
        self.nz = u32::from(value);
    }

    /// Sets N from bit 7 of `n` and Z from whether `z` is 0.
    #[inline(always)]
    pub fn set_n_and_z(&mut self, n: u8, z: u8) {
        self.nz = (u32::from(n) & 0x80) << 1 | u32::from(z != 0);
    }

    #[inline(always)]
    pub fn negative(&self) -> bool {
        self.nz & 0x180 != 0
    }

    #[inline(always)]
    pub fn zero(&self) -> bool {
        self.nz & 0xFF == 0
    }

    #[inline(always)]
    pub fn overflow(&self) -> bool {
        self.v & 0x80 != 0
    }

    #[inline(always)]
    pub fn decimal(&self) -> bool {
        self.di & Status::D != 0
    }

    #[inline(always)]
    pub fn masked(&self) -> bool {
        self.di & Status::I != 0
    }

    /// P with bit 5 set and B clear.
    #[inline(always)]
    pub fn status(&self) -> u8 {
        u8::from(self.negative()) << 7
            | (self.v & 0x80) >> 1
            | Status::ONE
            | self.di
            | u8::from(self.zero()) << 1
            | self.c
    }

    #[inline(always)]
    pub fn set_status(&mut self, p: u8) {
        self.nz = u32::from(p & Status::N) << 1 | u32::from(p & Status::Z == 0);
        self.v = p << 1;
        self.c = p & Status::C;
        self.di = p & (Status::D | Status::I);
    }

    /// Remembers that the instruction that ends now was a taken branch without page crossing, which polls a cycle
    /// earlier on NMOS.
    #[inline(always)]
    pub fn mark_branch(&mut self) {
        if !CMOS {
            self.branch_end = self.cycles;
        }
    }

    /// As [`Core::mark_branch`], of a branch that crosses a page: NMOS polls before its second cycle too.
    #[inline(always)]
    pub fn mark_crossing(&mut self) {
        if !CMOS {
            self.branch_end = self.cycles | CROSSED;
        }
    }

    /// Remembers how the instruction that ends now polled the interrupt lines.
    #[inline(always)]
    pub fn mark(&mut self, poll: LastPoll) {
        self.quirk_end = self.cycles;
        self.quirk = poll;
    }

    /// After an instruction that may have cleared I: a line that is active already must be looked at.
    #[inline(always)]
    pub fn unmasked(&mut self) {
        if self.bus.lines_active(self.cycles) {
            self.bus.lower_deadline();
        }
    }
}
