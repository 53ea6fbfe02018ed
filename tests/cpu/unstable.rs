//! SHA, SHX, SHY and TAS, which are not in the books and not alike in emulators: as on the 6510 and the 8500 of a C64.

use rreplay::bus::{Bus, Exception, Interrupt};
use rreplay::cpu::Processor;
use rreplay::cpu::mos6502::{Mos6502, Variant};
use rreplay::units::Position;

/// RAM that remembers all that passes the bus.
struct Machine {
    ram: Vec<u8>,
    cycles: Vec<(u16, u8, bool)>,
}

impl Bus for Machine {
    fn read(&mut self, address: u16, _: Position) -> u8 {
        let value = self.ram[usize::from(address)];
        self.cycles.push((address, value, false));
        value
    }
    fn write(&mut self, address: u16, value: u8, _: Position) {
        self.ram[usize::from(address)] = value;
        self.cycles.push((address, value, true));
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

/// The last two cycles of an instruction at $0400 with these registers A, X and Y, and S after it.
fn stored(code: &[u8], pointer: Option<u16>, [a, x, y]: [u8; 3]) -> ([(u16, bool); 2], u8, u8) {
    let mut machine = Machine { ram: vec![0; 0x1_0000], cycles: Vec::new() };
    machine.ram[0x0400..][..code.len()].copy_from_slice(code);
    if let Some(pointer) = pointer {
        machine.ram[0x0040..0x0042].copy_from_slice(&pointer.to_le_bytes());
    }
    let mut cpu = Mos6502::new(Variant::Nmos6502);
    (cpu.a, cpu.x, cpu.y, cpu.sp, cpu.pc) = (a, x, y, 0x55, 0x0400);
    cpu.run(&mut machine);
    let &[.., before, store] = &machine.cycles[..] else { panic!("an instruction has more cycles") };
    ([(before.0, before.2), (store.0, store.2)], store.1, cpu.sp)
}

#[test]
fn the_value_is_the_register_and_the_operands_high_byte_plus_one() {
    // SHY $C010,X; SHX $C010,Y; SHA $C010,Y; TAS $C010,Y; SHA ($40),Y at $C010: no carry, and the address is as it should be.
    let absolute = |opcode| [opcode, 0x10, 0xC0];
    let read_and_store = [(0xC012, false), (0xC012, true)];
    assert_eq!(stored(&absolute(0x9C), None, [0, 2, 0xC3]), (read_and_store, 0xC1, 0x55));
    assert_eq!(stored(&absolute(0x9E), None, [0, 0x43, 2]), (read_and_store, 0x41, 0x55));
    assert_eq!(stored(&absolute(0x9F), None, [0xF1, 0x8F, 2]), (read_and_store, 0x81, 0x55));
    assert_eq!(stored(&absolute(0x9B), None, [0xF1, 0x8F, 2]), (read_and_store, 0x81, 0x81));
    assert_eq!(stored(&[0x93, 0x40], Some(0xC010), [0xF1, 0x8F, 2]), (read_and_store, 0x81, 0x55));
    // The byte above FF is 00: nothing is left of the register.
    assert_eq!(stored(&[0x9E, 0x10, 0xFF], None, [0, 0xFF, 2]).1, 0);
}

#[test]
fn where_the_index_carries_the_value_is_the_addresss_high_byte() {
    // The operand is $C0F0, so that the sum would be $C1EF; what is read before has no carry.
    let index = 0xFF;
    let at = |high: u16| [(0xC0EF, false), (high << 8 | 0xEF, true)];
    let absolute = |opcode| [opcode, 0xF0, 0xC0];
    assert_eq!(stored(&absolute(0x9C), None, [0, index, 0xFF]), (at(0xC1), 0xC1, 0x55));
    assert_eq!(stored(&absolute(0x9C), None, [0, index, 0x7E]), (at(0x40), 0x40, 0x55));
    assert_eq!(stored(&absolute(0x9E), None, [0, 0x81, index]), (at(0x81), 0x81, 0x55));
    assert_eq!(stored(&absolute(0x9F), None, [0x81, 0x41, index]), (at(0x01), 0x01, 0x55));
    assert_eq!(stored(&absolute(0x9B), None, [0xC0, 0x41, index]), (at(0x40), 0x40, 0x40));
    assert_eq!(stored(&[0x93, 0x40], Some(0xC0F0), [0x3E, 0xFF, index]), (at(0x00), 0x00, 0x55));
    // SHX $F830,Y.
    assert_eq!(
        stored(&[0x9E, 0x30, 0xF8], None, [0, 0x7E, 0xF0]),
        ([(0xF820, false), (0x7820, true)], 0x78, 0x55)
    );
}
