//! What the documented instructions do, once their operand is at hand.
//!
//! Read operations take the operand and its address: only ADC and SBC of the W65C02S look at the latter, because their
//! additional decimal cycle reads the operand again.

use crate::bus::{Bus, Exception};
use crate::units::Position;

use super::core::Core;
use super::interrupt::Entry;
use super::{LastPoll, Status, decimal, vectors};

/// Loads, logic, arithmetic and comparison.
impl<B: Bus, const CMOS: bool, const PLAIN: bool> Core<'_, B, CMOS, PLAIN> {
    #[inline(always)]
    pub fn lda(&mut self, operand: u8, _: u16) {
        self.a = operand;
        self.set_nz(operand);
    }

    #[inline(always)]
    pub fn ldx(&mut self, operand: u8, _: u16) {
        self.x = operand;
        self.set_nz(operand);
    }

    #[inline(always)]
    pub fn ldy(&mut self, operand: u8, _: u16) {
        self.y = operand;
        self.set_nz(operand);
    }

    #[inline(always)]
    pub fn and(&mut self, operand: u8, _: u16) {
        self.a &= operand;
        self.set_nz(self.a);
    }

    #[inline(always)]
    pub fn ora(&mut self, operand: u8, _: u16) {
        self.a |= operand;
        self.set_nz(self.a);
    }

    #[inline(always)]
    pub fn eor(&mut self, operand: u8, _: u16) {
        self.a ^= operand;
        self.set_nz(self.a);
    }

    #[inline(always)]
    pub fn nop(&mut self, _: u8, _: u16) {}

    /// The W65C02S's three-byte NOPs, which spend `cycles` on the last instruction byte and read nothing else.
    #[inline(always)]
    pub fn nop_absolute(&mut self, cycles: u32) {
        self.absolute();
        for _ in 0..cycles {
            self.reread_operand();
        }
    }

    #[inline(always)]
    fn compare(&mut self, register: u8, operand: u8) {
        self.c = u8::from(register >= operand);
        self.set_nz(register.wrapping_sub(operand));
    }

    #[inline(always)]
    pub fn cmp(&mut self, operand: u8, _: u16) {
        self.compare(self.a, operand);
    }

    #[inline(always)]
    pub fn cpx(&mut self, operand: u8, _: u16) {
        self.compare(self.x, operand);
    }

    #[inline(always)]
    pub fn cpy(&mut self, operand: u8, _: u16) {
        self.compare(self.y, operand);
    }

    #[inline(always)]
    pub fn bit(&mut self, operand: u8, _: u16) {
        self.nz = (u32::from(operand) & 0x80) << 1 | u32::from(self.a & operand);
        self.v = operand << 1;
    }

    /// BIT #, which leaves N and V alone.
    #[inline(always)]
    pub fn bit_immediate(&mut self, operand: u8, _: u16) {
        self.nz = u32::from(self.negative()) << 8 | u32::from(self.a & operand != 0);
    }

    #[inline(always)]
    pub fn adc(&mut self, operand: u8, address: u16) {
        if self.decimal() {
            let result = decimal::add::<CMOS>(self.a, operand, self.c);
            self.take_decimal(result, address);
        } else {
            self.add_binary(operand);
        }
    }

    #[inline(always)]
    pub fn sbc(&mut self, operand: u8, address: u16) {
        if self.decimal() {
            let result = decimal::subtract::<CMOS>(self.a, operand, self.c);
            self.take_decimal(result, address);
        } else {
            self.add_binary(!operand);
        }
    }

    #[inline(always)]
    fn add_binary(&mut self, operand: u8) {
        let sum = u32::from(self.a) + u32::from(operand) + u32::from(self.c);
        let result = sum as u8;
        self.v = (self.a ^ result) & (operand ^ result);
        self.c = (sum >> 8) as u8;
        self.a = result;
        self.set_nz(result);
    }

    #[inline(always)]
    fn take_decimal(&mut self, result: decimal::Decimal, address: u16) {
        if CMOS {
            self.dummy_read(address);
        }
        self.a = result.a;
        self.v = result.v;
        self.c = result.c;
        self.set_n_and_z(result.n, result.z);
    }
}

/// Read-modify-write: each operation gives the byte to be written back.
impl<B: Bus, const CMOS: bool, const PLAIN: bool> Core<'_, B, CMOS, PLAIN> {
    /// The first two of the three cycles at the effective address: NMOS reads once and writes twice, the W65C02S reads
    /// twice and writes once.
    #[inline(always)]
    pub fn read_to_modify(&mut self, address: u16) -> u8 {
        let value = self.read(address);
        if CMOS {
            self.dummy_read(address);
        } else {
            self.dummy_write(address, value);
        }
        value
    }

    #[inline(always)]
    pub fn asl(&mut self, value: u8) -> u8 {
        self.c = value >> 7;
        let result = value << 1;
        self.set_nz(result);
        result
    }

    #[inline(always)]
    pub fn lsr(&mut self, value: u8) -> u8 {
        self.c = value & 1;
        let result = value >> 1;
        self.set_nz(result);
        result
    }

    #[inline(always)]
    pub fn rol(&mut self, value: u8) -> u8 {
        let result = value << 1 | self.c;
        self.c = value >> 7;
        self.set_nz(result);
        result
    }

    #[inline(always)]
    pub fn ror(&mut self, value: u8) -> u8 {
        let result = value >> 1 | self.c << 7;
        self.c = value & 1;
        self.set_nz(result);
        result
    }

    #[inline(always)]
    pub fn inc(&mut self, value: u8) -> u8 {
        let result = value.wrapping_add(1);
        self.set_nz(result);
        result
    }

    #[inline(always)]
    pub fn dec(&mut self, value: u8) -> u8 {
        let result = value.wrapping_sub(1);
        self.set_nz(result);
        result
    }

    /// TSB, which changes no flag but Z.
    #[inline(always)]
    pub fn tsb(&mut self, value: u8) -> u8 {
        self.bit_immediate(value, 0);
        value | self.a
    }

    /// TRB, which changes no flag but Z.
    #[inline(always)]
    pub fn trb(&mut self, value: u8) -> u8 {
        self.bit_immediate(value, 0);
        value & !self.a
    }
}

/// Branches, jumps, subroutines, the stack and the flags.
impl<B: Bus, const CMOS: bool, const PLAIN: bool> Core<'_, B, CMOS, PLAIN> {
    #[inline(always)]
    pub fn branch(&mut self, condition: bool) {
        let offset = self.fetch();
        if condition {
            self.branch_by(offset);
        }
    }

    /// BBR and BBS: branch when bit `bit` of a zero-page byte is `set`. Five cycles, one more when taken, one more
    /// when a page is crossed.
    #[inline(always)]
    pub fn branch_on_bit(&mut self, bit: u8, set: bool) {
        let address = self.zero_page();
        let value = self.read(address);
        self.dummy_read(address);
        self.branch((value >> bit & 1 != 0) == set);
    }

    #[inline(always)]
    pub fn jsr(&mut self) {
        let low = self.fetch();
        self.dummy_read(self.stack());
        self.push((self.pc >> 8) as u8);
        self.push(self.pc as u8);
        let high = self.fetch();
        self.pc = u16::from_le_bytes([low, high]);
    }

    #[inline(always)]
    pub fn rts(&mut self) {
        self.idle();
        self.dummy_read(self.stack());
        let low = self.pull();
        let high = self.pull();
        self.pc = u16::from_le_bytes([low, high]);
        self.dummy_read(self.pc);
        self.pc = self.pc.wrapping_add(1);
    }

    #[inline(always)]
    pub fn rti(&mut self) {
        self.idle();
        self.dummy_read(self.stack());
        let p = self.pull();
        self.set_status(p);
        let low = self.pull();
        let high = self.pull();
        self.pc = u16::from_le_bytes([low, high]);
        if !self.masked() {
            self.unmasked();
        }
    }

    #[inline(always)]
    pub fn push_register(&mut self, value: u8) {
        self.idle();
        self.push(value);
    }

    #[inline(always)]
    pub fn pull_register(&mut self) -> u8 {
        self.idle();
        self.dummy_read(self.stack());
        let value = self.pull();
        self.set_nz(value);
        value
    }

    #[inline(always)]
    pub fn php(&mut self) {
        self.push_register(self.status() | Status::B);
    }

    #[inline(always)]
    pub fn plp(&mut self) {
        self.idle();
        self.dummy_read(self.stack());
        let p = self.pull();
        let was_masked = self.masked();
        self.set_status(p);
        self.mask_changed(was_masked);
    }

    #[inline(always)]
    pub fn cli(&mut self) {
        self.idle();
        let was_masked = self.masked();
        self.di &= !Status::I;
        self.mask_changed(was_masked);
    }

    #[inline(always)]
    pub fn sei(&mut self) {
        self.idle();
        let was_masked = self.masked();
        self.di |= Status::I;
        self.mask_changed(was_masked);
    }

    /// CLI, SEI and PLP change I in their last cycle, after the poll, which has still seen the old one.
    #[inline(always)]
    fn mask_changed(&mut self, was_masked: bool) {
        if was_masked != self.masked() {
            self.mark(if was_masked { LastPoll::Masked } else { LastPoll::Unmasked });
            if was_masked {
                self.unmasked();
            }
        }
    }

    #[inline(always)]
    pub fn brk(&mut self) {
        self.bus.exception(Exception::Brk, self.instruction_start());
        self.fetch();
        self.enter(Status::B, Entry { vector: vectors::IRQ, may_be_hijacked: !CMOS });
    }

    /// The position of the instruction whose opcode has just been fetched.
    #[inline(always)]
    pub fn instruction_start(&self) -> Position {
        Position { icount: self.icount, cycles: self.cycles - 1 }
    }
}
