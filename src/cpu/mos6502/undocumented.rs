//! The undocumented instructions of the NMOS chip.
//!
//! Most follow from the decoder asserting two documented instructions at once and are the same on every chip. The
//! *unstable* ones depend on the chip, its temperature and the bus; this is what is made of them here:
//!
//! - ANE (XAA): `A = (A | $EE) & X & operand`; LXA: `A = X = (A | $EE) & operand`.
//! - SHA, SHX, SHY, TAS store their register(s) ANDed with the high byte of the *operand* (the address before it is indexed)
//!   plus 1. Where the index carries, that value is the address's high byte as well, for it is on the bus from which the
//!   carry would be added. So do the 6510 and the 8500 of a C64, and a transistor-level simulation. On a chip that is halted
//!   in the cycle before, by a video chip, the AND drops out; nothing halts the processor here.
//! - LAS: `A = X = S = operand & S`.
//!
//! Vectors that an emulator has made are no oracle for these: they hold that emulator's choice. The ones in wide use take
//! the high byte of the *effective* address for the four stores, and never disturb the address.

use crate::bus::Bus;

use super::address::{crossed, uncarried};
use super::core::Core;

/// The bits of A that ANE and LXA read as 1.
const UNSTABLE_ONES: u8 = 0xEE;

impl<B: Bus, const CMOS: bool, const PLAIN: bool> Core<'_, B, CMOS, PLAIN> {
    #[inline(always)]
    pub fn lax(&mut self, operand: u8, _: u16) {
        self.a = operand;
        self.x = operand;
        self.set_nz(operand);
    }

    #[inline(always)]
    pub fn anc(&mut self, operand: u8, address: u16) {
        self.and(operand, address);
        self.c = self.a >> 7;
    }

    #[inline(always)]
    pub fn alr(&mut self, operand: u8, _: u16) {
        self.a = self.lsr(self.a & operand);
    }

    /// ARR: AND, then ROR with the flags of an addition; in decimal mode with its corrections.
    #[inline(always)]
    pub fn arr(&mut self, operand: u8, _: u16) {
        let masked = self.a & operand;
        let rotated = masked >> 1 | self.c << 7;
        self.set_nz(rotated);
        if self.decimal() {
            let (low, high) = (masked & 0x0F, masked >> 4);
            let mut result = rotated;
            if low + (low & 1) > 5 {
                result = result & 0xF0 | result.wrapping_add(6) & 0x0F;
            }
            self.c = u8::from(high + (high & 1) > 5);
            if self.c != 0 {
                result = result.wrapping_add(0x60);
            }
            self.v = (masked ^ rotated) << 1;
            self.a = result;
        } else {
            self.c = rotated >> 6 & 1;
            self.v = (rotated << 1) ^ (rotated << 2);
            self.a = rotated;
        }
    }

    /// SBX: `X = (A & X) - operand`, compared as by CMP.
    #[inline(always)]
    pub fn sbx(&mut self, operand: u8, _: u16) {
        let left = self.a & self.x;
        self.c = u8::from(left >= operand);
        self.x = left.wrapping_sub(operand);
        self.set_nz(self.x);
    }

    #[inline(always)]
    pub fn ane(&mut self, operand: u8, _: u16) {
        self.a = (self.a | UNSTABLE_ONES) & self.x & operand;
        self.set_nz(self.a);
    }

    #[inline(always)]
    pub fn lxa(&mut self, operand: u8, address: u16) {
        self.lax((self.a | UNSTABLE_ONES) & operand, address);
    }

    #[inline(always)]
    pub fn las(&mut self, operand: u8, address: u16) {
        self.sp &= operand;
        self.lax(self.sp, address);
    }

    /// The store of SHA, SHX, SHY and TAS, at `base` and an index.
    #[inline(always)]
    pub fn store_and_high(&mut self, base: u16, index: u8, registers: u8) {
        let address = base.wrapping_add(u16::from(index));
        self.dummy_read(uncarried(base, address));
        let value = registers & ((base >> 8) as u8).wrapping_add(1);
        let high = if crossed(base, address) { value } else { (address >> 8) as u8 };
        self.write(u16::from_le_bytes([address as u8, high]), value);
    }

    #[inline(always)]
    pub fn tas(&mut self) {
        let base = self.absolute();
        self.sp = self.a & self.x;
        self.store_and_high(base, self.y, self.sp);
    }

    #[inline(always)]
    pub fn slo(&mut self, value: u8) -> u8 {
        let result = self.asl(value);
        self.ora(result, 0);
        result
    }

    #[inline(always)]
    pub fn rla(&mut self, value: u8) -> u8 {
        let result = self.rol(value);
        self.and(result, 0);
        result
    }

    #[inline(always)]
    pub fn sre(&mut self, value: u8) -> u8 {
        let result = self.lsr(value);
        self.eor(result, 0);
        result
    }

    #[inline(always)]
    pub fn rra(&mut self, value: u8) -> u8 {
        let result = self.ror(value);
        self.adc(result, 0);
        result
    }

    #[inline(always)]
    pub fn dcp(&mut self, value: u8) -> u8 {
        let result = self.dec(value);
        self.cmp(result, 0);
        result
    }

    #[inline(always)]
    pub fn isc(&mut self, value: u8) -> u8 {
        let result = self.inc(value);
        self.sbc(result, 0);
        result
    }
}
