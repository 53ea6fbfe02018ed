//! Cycles of every opcode against the data sheets' tables.

use rreplay::bus::{Bus, Exception, Interrupt};
use rreplay::cpu::Processor;
use rreplay::cpu::mos6502::opcodes::opcode as opcode_of;
use rreplay::cpu::mos6502::{Mos6502, Status, Variant};
use rreplay::units::Position;

/// RAM that counts its cycles.
struct Ram {
    bytes: Vec<u8>,
    cycles: u64,
}

impl Bus for Ram {
    fn read(&mut self, address: u16, at: Position) -> u8 {
        assert_eq!(at, Position::new(0, self.cycles), "one bus cycle a clock");
        self.cycles += 1;
        self.bytes[usize::from(address)]
    }
    fn write(&mut self, address: u16, value: u8, at: Position) {
        assert_eq!(at, Position::new(0, self.cycles), "one bus cycle a clock");
        self.cycles += 1;
        self.bytes[usize::from(address)] = value;
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

/// MOS data sheet, undocumented opcodes by measurement; JAM is 3 by our choice. No branch taken, no page crossed.
const NMOS: [&str; 16] = [
    "7638335532224466",
    "2538446624274477",
    "6638335542224466",
    "2538446624274477", //
    "6638335532223466",
    "2538446624274477",
    "6638335542225466",
    "2538446624274477", //
    "2626333322224444",
    "2636444425255555",
    "2626333322224444",
    "2535444424244444", //
    "2628335522224466",
    "2538446624274477",
    "2628335522224466",
    "2538446624274477",
];

/// NMOS opcodes that take a cycle more when an index crosses a page.
const NMOS_CROSSING: &str = "11 19 1C 1D 31 39 3C 3D 51 59 5C 5D 71 79 7C 7D \
    B1 B3 B9 BB BC BD BE BF D1 D9 DC DD F1 F9 FC FD";

/// W65C02S data sheet. No branch taken but BRA, which crosses a page here; no other crossing; binary arithmetic.
const W65C02: [&str; 16] = [
    "7621535532216465",
    "2551546524216465",
    "6621335542214465",
    "2551446524214465", //
    "6621335532213465",
    "2551446524318465",
    "6621335542216465",
    "2551446524416465", //
    "4621333522214445",
    "2651444525214555",
    "2621333522214445",
    "2551444524214445", //
    "2621335522234465",
    "2551446524334475",
    "2621335522214465",
    "2551446524414475",
];

const W65C02_CROSSING: &str = "11 19 1D 1E 31 39 3C 3D 3E 51 59 5D 5E 71 79 7D 7E \
    B1 B9 BC BD BE D1 D9 DD F1 F9 FD";

/// Runs one instruction at $0200 with operand bytes `80 03` and both indexes `index`; $80 points to $0380.
fn cycles(variant: Variant, opcode: u8, index: u8, p: u8, zero_page: u8) -> u64 {
    let mut ram = Ram { bytes: vec![0; 0x10000], cycles: 0 };
    ram.bytes[0x0200..0x0203].copy_from_slice(&[opcode, 0x80, 0x03]);
    ram.bytes[0x80..0x82].copy_from_slice(&[zero_page, 0x03]);
    let mut cpu = Mos6502::new(variant);
    (cpu.pc, cpu.sp, cpu.x, cpu.y, cpu.p) = (0x0200, 0xF0, index, index, p);
    cpu.run(&mut ram);
    assert_eq!(cpu.cycles, ram.cycles, "every clock is a bus cycle");
    cpu.cycles
}

/// The flags with which a branch is not taken, and with which it is.
fn branch_flags(opcode: u8) -> Option<(u8, u8)> {
    let flag = [Status::N, Status::V, Status::C, Status::Z][usize::from(opcode >> 6)];
    match opcode & 0x3F {
        0x10 => Some((flag, 0)),
        0x30 => Some((0, flag)),
        _ => None,
    }
}

/// The zero-page bytes with which BBR or BBS is not taken, and with which it is.
fn bit_branch(variant: Variant, opcode: u8) -> Option<(u8, u8)> {
    let is_one = variant == Variant::W65c02 && opcode & 0x0F == 0x0F;
    is_one.then_some(if opcode & 0x80 == 0 { (0xFF, 0x00) } else { (0x00, 0xFF) })
}

fn check(variant: Variant, table: &[&str; 16], crossing: &str) {
    for opcode in 0..=255u8 {
        let base = u64::from(table[usize::from(opcode >> 4)].as_bytes()[usize::from(opcode & 15)] - b'0');
        let p = branch_flags(opcode).map_or(0, |(not_taken, _)| not_taken);
        let zero_page = bit_branch(variant, opcode).map_or(0x80, |(not_taken, _)| not_taken);
        assert_eq!(cycles(variant, opcode, 0, p, zero_page), base, "{variant:?} {opcode:02X}");
        let name = format!("{opcode:02X}");
        let more = u64::from(crossing.split_whitespace().any(|listed| listed == name));
        let described = opcode_of(variant, opcode);
        // BRA is taken always, and crosses a page here.
        let always = u64::from(described.operation.mnemonic == "BRA");
        assert_eq!(
            u64::from(described.cycles) + always,
            base,
            "{variant:?} {opcode:02X} in the opcode table"
        );
        assert_eq!(u64::from(described.crossing_cycle), more, "{variant:?} {opcode:02X} in the opcode table");
        let crossed = cycles(variant, opcode, 0xF0, p, zero_page);
        assert_eq!(crossed, base + more, "{variant:?} {opcode:02X} across a page");
    }
}

#[test]
fn nmos_cycles_are_those_of_the_data_sheet() {
    check(Variant::Nmos6502, &NMOS, NMOS_CROSSING);
}

#[test]
fn w65c02_cycles_are_those_of_the_data_sheet() {
    check(Variant::W65c02, &W65C02, W65C02_CROSSING);
}

#[test]
fn a_taken_branch_takes_one_cycle_more_and_two_across_a_page() {
    for variant in [Variant::Nmos6502, Variant::W65c02] {
        for opcode in 0..=255u8 {
            // The offset of a relative branch is $80, backwards into the page before; that of BBR and BBS is 3.
            if let Some((_, taken)) = branch_flags(opcode) {
                assert_eq!(cycles(variant, opcode, 0, taken, 0), 4, "{variant:?} {opcode:02X}");
            }
            if let Some((_, taken)) = bit_branch(variant, opcode) {
                assert_eq!(cycles(variant, opcode, 0, 0, taken), 6, "{variant:?} {opcode:02X}");
            }
        }
    }
}

#[test]
fn decimal_arithmetic_takes_one_cycle_more_on_the_w65c02_only() {
    for column in [0x61u8, 0x65, 0x69, 0x6D, 0x71, 0x72, 0x75, 0x79, 0x7D] {
        for opcode in [column, column + 0x80] {
            if opcode & 0x1F != 0x12 {
                let binary = cycles(Variant::Nmos6502, opcode, 0, 0, 0x80);
                assert_eq!(cycles(Variant::Nmos6502, opcode, 0, Status::D, 0x80), binary);
            }
            let binary = cycles(Variant::W65c02, opcode, 0, 0, 0x80);
            assert_eq!(cycles(Variant::W65c02, opcode, 0, Status::D, 0x80), binary + 1, "{opcode:02X}");
        }
    }
}
