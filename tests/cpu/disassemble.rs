//! The disassembler: the text of every mode, and lengths that agree with what the CPU fetches.

use std::cell::Cell;

use rreplay::bus::{Bus, Exception, Interrupt};
use rreplay::cpu::mos6502::{Mos6502, Variant, disassemble};
use rreplay::cpu::{Halt, Processor};
use rreplay::units::Position;

fn text(variant: Variant, bytes: &[u8]) -> String {
    let read = |address: u16| bytes.get(usize::from(address.wrapping_sub(0x0200))).copied().unwrap_or(0);
    disassemble(variant, 0x0200, read).to_string()
}

#[test]
fn every_mode_is_written_as_an_assembler_reads_it() {
    for (bytes, wanted) in [
        (&[0xA9, 0x01][..], "0200  A9 01     LDA #$01"),
        (&[0xEA], "0200  EA        NOP"),
        (&[0x0A], "0200  0A        ASL A"),
        (&[0xA5, 0x12], "0200  A5 12     LDA $12"),
        (&[0xB5, 0x12], "0200  B5 12     LDA $12,X"),
        (&[0xB6, 0x12], "0200  B6 12     LDX $12,Y"),
        (&[0xB2, 0x12], "0200  B2 12     LDA ($12)"),
        (&[0xA1, 0x12], "0200  A1 12     LDA ($12,X)"),
        (&[0xB1, 0x12], "0200  B1 12     LDA ($12),Y"),
        (&[0xAD, 0x34, 0x12], "0200  AD 34 12  LDA $1234"),
        (&[0xBD, 0x34, 0x12], "0200  BD 34 12  LDA $1234,X"),
        (&[0xB9, 0x34, 0x12], "0200  B9 34 12  LDA $1234,Y"),
        (&[0x6C, 0x34, 0x12], "0200  6C 34 12  JMP ($1234)"),
        (&[0x7C, 0x34, 0x12], "0200  7C 34 12  JMP ($1234,X)"),
        (&[0xD0, 0xFE], "0200  D0 FE     BNE $0200"),
        (&[0x77, 0x12], "0200  77 12     RMB7 $12"),
        (&[0x9F, 0x12, 0x04], "0200  9F 12 04  BBS1 $12,$0207"),
    ] {
        assert_eq!(text(Variant::W65c02, bytes), wanted);
    }
    assert_eq!(text(Variant::Nmos6502, &[0xB2]), "0200  B2        JAM");
    assert_eq!(text(Variant::Nmos6502, &[0x9F, 0x34, 0x12]), "0200  9F 34 12  SHA $1234,Y");
}

#[test]
fn targets_are_those_of_branches_and_jumps() {
    let target = |bytes: &'static [u8]| {
        disassemble(Variant::W65c02, 0xFFFE, |address| bytes[usize::from(address.wrapping_sub(0xFFFE))])
            .target
    };
    assert_eq!(target(&[0x80, 0x02]), Some(0x0002), "addresses wrap");
    assert_eq!(target(&[0x20, 0x34, 0x12]), Some(0x1234));
    assert_eq!(target(&[0xAD, 0x34, 0x12]), None);
}

/// Counts the bytes that an instruction steps over: PC afterwards, for those that do not jump.
struct Flat;

impl Bus for Flat {
    fn read(&mut self, address: u16, _: Position) -> u8 {
        OPCODE.with(|opcode| if address == 0x0200 { opcode.get() } else { 0 })
    }
    fn write(&mut self, _: u16, _: u8, _: Position) {}
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

thread_local!(static OPCODE: Cell<u8> = const { Cell::new(0) });

#[test]
fn lengths_are_those_the_cpu_executes() {
    for variant in [Variant::Nmos6502, Variant::W65c02] {
        for opcode in 0..=255u8 {
            OPCODE.with(|cell| cell.set(opcode));
            // Jumps go elsewhere; branch offsets are 0, so that taken branches end behind themselves too.
            if matches!(opcode, 0x00 | 0x20 | 0x40 | 0x60 | 0x4C | 0x6C)
                || (opcode == 0x7C && variant == Variant::W65c02)
            {
                continue;
            }
            let mut cpu = Mos6502::new(variant);
            cpu.pc = 0x0200;
            cpu.run(&mut Flat);
            if cpu.halt() == Halt::Jammed {
                continue;
            }
            let instruction =
                disassemble(variant, 0x0200, |address| if address == 0x0200 { opcode } else { 0 });
            assert_eq!(cpu.pc, instruction.next(), "{variant:?} {instruction}");
        }
    }
}
