//! Addressing modes: each gives the effective address and makes the bus cycles up to the access itself.
//!
//! Where an index carries into the high byte, the NMOS chip first reads the address without the carry; the W65C02S
//! reads the last instruction byte again (data sheet, table "Caveats", "Indexed addressing across page boundary").
//! The same byte is read again where the NMOS chip reads the unindexed zero-page address.

use crate::bus::Bus;

use super::core::Core;

/// Whether the two addresses lie in different pages.
#[inline(always)]
pub(super) fn crossed(from: u16, to: u16) -> bool {
    (from ^ to) & 0xFF00 != 0
}

/// `to` as it is before the carry reaches the high byte of `from`.
#[inline(always)]
pub(super) fn uncarried(from: u16, to: u16) -> u16 {
    from & 0xFF00 | to & 0x00FF
}

impl<B: Bus, const CMOS: bool, const PLAIN: bool> Core<'_, B, CMOS, PLAIN> {
    #[inline(always)]
    pub fn zero_page(&mut self) -> u16 {
        u16::from(self.fetch())
    }

    #[inline(always)]
    fn zero_page_indexed(&mut self, index: u8) -> u16 {
        let base = self.fetch();
        self.index_zero_page(base);
        u16::from(base.wrapping_add(index))
    }

    #[inline(always)]
    fn index_zero_page(&mut self, base: u8) {
        if CMOS { self.reread_operand() } else { self.dummy_read(u16::from(base)) }
    }

    #[inline(always)]
    pub fn zero_page_x(&mut self) -> u16 {
        self.zero_page_indexed(self.x)
    }

    #[inline(always)]
    pub fn zero_page_y(&mut self) -> u16 {
        self.zero_page_indexed(self.y)
    }

    #[inline(always)]
    pub fn absolute(&mut self) -> u16 {
        let low = self.fetch();
        let high = self.fetch();
        u16::from_le_bytes([low, high])
    }

    /// Adds an index; the cycle for the carry is spent only where there is one.
    #[inline(always)]
    fn indexed(&mut self, base: u16, index: u8) -> u16 {
        let address = base.wrapping_add(u16::from(index));
        if crossed(base, address) {
            self.fix_high_byte(base, address);
        }
        address
    }

    /// Adds an index and always spends the cycle, as stores and most read-modify-writes must.
    #[inline(always)]
    fn indexed_always(&mut self, base: u16, index: u8) -> u16 {
        let address = base.wrapping_add(u16::from(index));
        self.fix_high_byte(base, address);
        address
    }

    #[inline(always)]
    fn fix_high_byte(&mut self, base: u16, address: u16) {
        if CMOS { self.reread_operand() } else { self.dummy_read(uncarried(base, address)) }
    }

    #[inline(always)]
    pub fn absolute_x(&mut self) -> u16 {
        let base = self.absolute();
        self.indexed(base, self.x)
    }

    #[inline(always)]
    pub fn absolute_y(&mut self) -> u16 {
        let base = self.absolute();
        self.indexed(base, self.y)
    }

    #[inline(always)]
    pub fn absolute_x_always(&mut self) -> u16 {
        let base = self.absolute();
        self.indexed_always(base, self.x)
    }

    #[inline(always)]
    pub fn absolute_y_always(&mut self) -> u16 {
        let base = self.absolute();
        self.indexed_always(base, self.y)
    }

    /// Shifts of `abs,X`: seven cycles on NMOS, six on the W65C02S where no page is crossed.
    #[inline(always)]
    pub fn absolute_x_shift(&mut self) -> u16 {
        if CMOS { self.absolute_x() } else { self.absolute_x_always() }
    }

    /// The 16-bit pointer at a zero-page address; its high byte comes from the same page.
    #[inline(always)]
    fn pointer(&mut self, address: u8) -> u16 {
        let low = self.read(u16::from(address));
        let high = self.read(u16::from(address.wrapping_add(1)));
        u16::from_le_bytes([low, high])
    }

    #[inline(always)]
    pub fn indexed_indirect(&mut self) -> u16 {
        let base = self.fetch();
        self.index_zero_page(base);
        self.pointer(base.wrapping_add(self.x))
    }

    #[inline(always)]
    pub fn indirect(&mut self) -> u16 {
        let address = self.fetch();
        self.pointer(address)
    }

    #[inline(always)]
    pub fn indirect_indexed(&mut self) -> u16 {
        let base = self.indirect();
        self.indexed(base, self.y)
    }

    #[inline(always)]
    pub fn indirect_indexed_always(&mut self) -> u16 {
        let base = self.indirect();
        self.indexed_always(base, self.y)
    }

    /// Takes a branch by `offset` from the next instruction.
    #[inline(always)]
    pub fn branch_by(&mut self, offset: u8) {
        self.idle();
        let target = self.pc.wrapping_add(offset as i8 as u16);
        if crossed(self.pc, target) {
            self.dummy_read(uncarried(self.pc, target));
            self.mark_crossing();
        } else {
            self.mark_branch();
        }
        self.pc = target;
    }

    #[inline(always)]
    pub fn jump_indirect(&mut self) {
        let pointer = self.absolute();
        let low = self.read(pointer);
        // The NMOS chip does not carry into the high byte of the pointer; the W65C02S does, in a cycle of its own.
        let next = pointer.wrapping_add(1);
        let high = if CMOS {
            self.dummy_read(next);
            self.read(next)
        } else {
            self.read(uncarried(pointer, next))
        };
        self.pc = u16::from_le_bytes([low, high]);
    }

    /// JMP (abs,X) of the W65C02S.
    #[inline(always)]
    pub fn jump_indexed_indirect(&mut self) {
        let base = self.absolute();
        self.reread_operand();
        let pointer = base.wrapping_add(u16::from(self.x));
        let low = self.read(pointer);
        let high = self.read(pointer.wrapping_add(1));
        self.pc = u16::from_le_bytes([low, high]);
    }
}
