//! Decimal addition and subtraction, as pure functions of the operands.
//!
//! Both chips give the same accumulator for valid BCD operands; they differ in the flags, in subtraction with invalid
//! operands, and in time: the 65C02 takes one more cycle to make N and Z valid. The sequences are those that Bruce
//! Clark measured and published as "Decimal Mode". `tests/cpu/decimal.rs` checks every operand against arithmetic
//! that is written differently.

/// Accumulator and flags after a decimal operation.
pub(super) struct Decimal {
    /// The accumulator.
    pub a: u8,
    /// The byte that N comes from (bit 7).
    pub n: u8,
    /// The byte that Z comes from (set when it is 0).
    pub z: u8,
    /// V in bit 7.
    pub v: u8,
    /// Carry, 0 or 1.
    pub c: u8,
}

/// `a + operand + carry` in decimal mode.
///
/// NMOS: Z is that of the binary sum, N and V are taken before the high digit is adjusted. 65C02: N and Z are those of
/// the result.
#[cold]
pub(super) fn add<const CMOS: bool>(a: u8, operand: u8, carry: u8) -> Decimal {
    let (left, right, carry) = (u16::from(a), u16::from(operand), u16::from(carry));
    let mut low = (left & 0x0F) + (right & 0x0F) + carry;
    if low >= 0x0A {
        low = ((low + 0x06) & 0x0F) + 0x10;
    }
    let unadjusted = (left & 0xF0) + (right & 0xF0) + low;
    let v = (!(left ^ right) & (left ^ unadjusted)) as u8;
    let sum = if unadjusted >= 0xA0 { unadjusted + 0x60 } else { unadjusted };
    let result = sum as u8;
    let (n, z) = if CMOS {
        (result, result)
    } else {
        (unadjusted as u8, a.wrapping_add(operand).wrapping_add(carry as u8))
    };
    Decimal { a: result, n, z, v, c: u8::from(sum >= 0x100) }
}

/// `a - operand - (1 - carry)` in decimal mode.
///
/// C and V are those of the binary difference on both chips; so are N and Z on NMOS, while the 65C02 takes them from
/// the result.
#[cold]
pub(super) fn subtract<const CMOS: bool>(a: u8, operand: u8, carry: u8) -> Decimal {
    let borrow = 1 - i16::from(carry);
    let (left, right) = (i16::from(a), i16::from(operand));
    let binary = left - right - borrow;
    let low = (left & 0x0F) - (right & 0x0F) - borrow;
    let result = if CMOS {
        binary - if binary < 0 { 0x60 } else { 0 } - if low < 0 { 0x06 } else { 0 }
    } else {
        let low = if low < 0 { ((low - 0x06) & 0x0F) - 0x10 } else { low };
        let high = (left & 0xF0) - (right & 0xF0) + low;
        if high < 0 { high - 0x60 } else { high }
    } as u8;
    let flags = if CMOS { result } else { binary as u8 };
    let v = ((left ^ right) & (left ^ binary)) as u8;
    Decimal { a: result, n: flags, z: flags, v, c: u8::from(binary >= 0) }
}
