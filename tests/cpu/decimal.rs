//! Decimal mode against Bruce Clark's description, written digit by digit, for every accumulator, operand and carry.

use rreplay::bus::{Bus, Exception, Interrupt};
use rreplay::cpu::Processor;
use rreplay::cpu::mos6502::{Mos6502, Status, Variant};
use rreplay::units::Position;

/// An instruction of two bytes at 0.
struct Two([u8; 2]);

impl Bus for Two {
    fn read(&mut self, address: u16, _: Position) -> u8 {
        self.0[usize::from(address & 1)]
    }
    fn write(&mut self, _: u16, _: u8, _: Position) {
        panic!("neither ADC nor SBC writes")
    }
    fn deadline(&self) -> u64 {
        1
    }
    fn lower_deadline(&mut self) {}
    fn irq_at(&mut self, _: u64) -> bool {
        false
    }
    fn nmi_at(&mut self, _: u64) -> bool {
        false
    }
    fn acknowledge_nmi(&mut self, _: u64) {}
    fn accept(&mut self, _: Interrupt, _: Position) -> bool {
        false
    }
    fn exception(&mut self, _: Exception, _: Position) {}
}

/// Accumulator and the flags N V Z C.
#[derive(PartialEq, Eq, Debug)]
struct Outcome {
    a: u8,
    n: bool,
    v: bool,
    z: bool,
    c: bool,
}

fn execute(variant: Variant, opcode: u8, a: u8, operand: u8, carry: bool) -> Outcome {
    let mut cpu = Mos6502::new(variant);
    (cpu.a, cpu.p) = (a, Status::D | if carry { Status::C } else { 0 });
    cpu.run(&mut Two([opcode, operand]));
    assert_eq!(cpu.cycles, if variant == Variant::W65c02 { 3 } else { 2 });
    assert_eq!(cpu.p & Status::D, Status::D);
    let flag = |bit| cpu.p & bit != 0;
    Outcome { a: cpu.a, n: flag(Status::N), v: flag(Status::V), z: flag(Status::Z), c: flag(Status::C) }
}

fn digits(byte: u8) -> (i32, i32) {
    (i32::from(byte >> 4), i32::from(byte & 15))
}

/// Whether a sum or difference of signed bytes does not fit one.
fn overflows(value: i32) -> bool {
    !(-128..=127).contains(&value)
}

fn adc(variant: Variant, a: u8, operand: u8, carry: bool) -> Outcome {
    let ((a_high, a_low), (b_high, b_low)) = (digits(a), digits(operand));
    let low = a_low + b_low + i32::from(carry);
    let (low, half) = if low > 9 { ((low - 10) % 16, 1) } else { (low, 0) };
    let high = a_high + b_high + half;
    let c = high > 9;
    let result = ((if c { high + 6 } else { high }) % 16 * 16 + low) as u8;
    // N and V see the high digit before its adjustment.
    let signed = |digit: i32| if digit >= 8 { digit - 16 } else { digit };
    let v = overflows((signed(a_high) + signed(b_high) + half) * 16 + low);
    let (n, z) = match variant {
        Variant::Nmos6502 => {
            (high & 8 != 0, (i32::from(a) + i32::from(operand) + i32::from(carry)) % 256 == 0)
        }
        Variant::W65c02 => (result >= 128, result == 0),
    };
    Outcome { a: result, n, v, z, c }
}

fn sbc(variant: Variant, a: u8, operand: u8, carry: bool) -> Outcome {
    let ((a_high, a_low), (b_high, b_low)) = (digits(a), digits(operand));
    let borrow = i32::from(!carry);
    let difference = i32::from(a) - i32::from(operand) - borrow;
    let low = a_low - b_low - borrow;
    let half = i32::from(low < 0);
    let result = match variant {
        Variant::Nmos6502 => {
            let high = a_high - b_high - half;
            let digit = |value: i32| (if value < 0 { value - 6 } else { value }).rem_euclid(16);
            digit(high) * 16 + digit(low)
        }
        // A low digit that is still negative after its adjustment borrows from the high one.
        Variant::W65c02 => (difference - half * 6 - i32::from(difference < 0) * 96).rem_euclid(256),
    } as u8;
    let binary = difference.rem_euclid(256) as u8;
    let flags = if variant == Variant::W65c02 { result } else { binary };
    let v = overflows(i32::from(a as i8) - i32::from(operand as i8) - borrow);
    Outcome { a: result, n: flags >= 128, v, z: flags == 0, c: difference >= 0 }
}

fn everything(mut check: impl FnMut(Variant, u8, u8, bool)) {
    for variant in [Variant::Nmos6502, Variant::W65c02] {
        for a in 0..=255 {
            for operand in 0..=255 {
                check(variant, a, operand, false);
                check(variant, a, operand, true);
            }
        }
    }
}

#[test]
fn adc_agrees_for_every_operand() {
    everything(|variant, a, operand, carry| {
        let got = execute(variant, 0x69, a, operand, carry);
        assert_eq!(got, adc(variant, a, operand, carry), "{variant:?} {a:02X} + {operand:02X} + {carry}");
    });
}

#[test]
fn sbc_agrees_for_every_operand() {
    everything(|variant, a, operand, carry| {
        let got = execute(variant, 0xE9, a, operand, carry);
        assert_eq!(
            got,
            sbc(variant, a, operand, carry),
            "{variant:?} {a:02X} - {operand:02X}, carry {carry}"
        );
    });
}

#[test]
fn decimal_operands_give_decimal_results() {
    let bcd = |number: i32| (number / 10 * 16 + number % 10) as u8;
    for variant in [Variant::Nmos6502, Variant::W65c02] {
        for (x, y) in (0..100).flat_map(|x| (0..100).map(move |y| (x, y))) {
            for carry in [false, true] {
                let sum = x + y + i32::from(carry);
                let got = execute(variant, 0x69, bcd(x), bcd(y), carry);
                assert_eq!((got.a, got.c), (bcd(sum % 100), sum > 99), "{x} + {y} + {carry}");
                let difference = x - y - i32::from(!carry);
                let got = execute(variant, 0xE9, bcd(x), bcd(y), carry);
                assert_eq!((got.a, got.c), (bcd(difference.rem_euclid(100)), difference >= 0), "{x} - {y}");
            }
        }
    }
}
