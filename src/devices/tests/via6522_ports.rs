//! 6522 ports, control lines and handshakes, from its data sheet.

use super::super::via6522::{Pins, Via6522, flag, register::*};
use super::{Host, context_at};
use crate::devices::Device;
use crate::units::Position;

struct Ports {
    via: Via6522,
    host: Host,
    cycle: u64,
}

impl Ports {
    /// With a peripheral control register.
    fn new(pcr: u8) -> Self {
        let mut ports = Self { via: Via6522::default(), host: Host::default(), cycle: 0 };
        ports.write(PCR, pcr);
        ports
    }

    fn next(&mut self) -> u64 {
        self.cycle += 10;
        self.cycle
    }

    fn write(&mut self, register: u16, value: u8) {
        let at = Position::new(0, self.next());
        let outside = &mut self.host;
        self.via.write(register, value, &mut context_at(at, outside));
    }

    fn read(&mut self, register: u16) -> u8 {
        let at = Position::new(0, self.next());
        let outside = &mut self.host;
        self.via.read(register, &mut context_at(at, outside))
    }

    fn pins(&self) -> Pins {
        self.via.pins(self.cycle)
    }

    fn flags(&mut self) -> u8 {
        self.read(IFR)
    }

    fn ca1(&mut self, level: bool) {
        let now = self.next();
        self.via.set_ca1(level, now);
    }

    fn ca2(&mut self, level: bool) {
        let now = self.next();
        self.via.set_ca2(level, now);
    }

    fn cb1(&mut self, level: bool) {
        let now = self.next();
        self.via.set_cb1(level, now);
    }

    fn cb2(&mut self, level: bool) {
        let now = self.next();
        self.via.set_cb2(level, now);
    }

    fn port_a(&mut self, levels: u8) {
        let now = self.next();
        self.via.set_port_a_input(levels, now);
    }

    fn port_b(&mut self, levels: u8) {
        let now = self.next();
        self.via.set_port_b_input(levels, now);
    }
}

#[test]
fn data_direction_chooses_output_register_or_input() {
    let mut ports = Ports::new(0);
    ports.port_a(0x0F);
    ports.port_b(0x0F);
    for (or, ddr) in [(ORA, DDRA), (ORB, DDRB)] {
        ports.write(or, 0xAA);
        ports.write(ddr, 0xF0);
        assert_eq!(ports.read(or), 0xAF);
        assert_eq!(ports.read(ddr), 0xF0);
    }
    assert_eq!(ports.read(ORA_NO_HANDSHAKE), 0xAF);
    assert_eq!((ports.pins().port_a, ports.pins().port_b), (0xAF, 0xAF));
    ports.write(ORA_NO_HANDSHAKE, 0x5A);
    assert_eq!(ports.read(ORA), 0x5F);
}

#[test]
fn ca1_and_cb1_flag_their_active_edge_and_port_accesses_clear_it() {
    for (pcr, active) in [(0x00, false), (0x11, true)] {
        let mut ports = Ports::new(pcr);
        ports.ca1(false);
        ports.cb1(false);
        assert_eq!(ports.flags() & (flag::CA1 | flag::CB1) != 0, !active);
        ports.write(IFR, 0x7F);
        ports.ca1(true);
        ports.cb1(true);
        assert_eq!(ports.flags() & (flag::CA1 | flag::CB1) != 0, active);
        ports.ca1(true);
    }
    let mut ports = Ports::new(0);
    for access in [0, 1, 2, 3] {
        ports.ca1(true);
        ports.ca1(false);
        ports.cb1(true);
        ports.cb1(false);
        match access {
            0 => assert_eq!((ports.read(ORA), ports.flags()), (0xFF, flag::CB1)),
            1 => {
                ports.write(ORA, 0);
                assert_eq!(ports.flags(), flag::CB1);
            }
            2 => assert_eq!((ports.read(ORB), ports.flags()), (0xFF, flag::CA1)),
            _ => {
                ports.write(ORB, 0);
                assert_eq!(ports.flags(), flag::CA1);
            }
        }
        ports.write(IFR, 0x7F);
    }
    ports.ca1(true);
    ports.ca1(false);
    ports.read(ORA_NO_HANDSHAKE);
    ports.write(ORA_NO_HANDSHAKE, 0);
    assert_eq!(ports.flags(), flag::CA1, "register 15 leaves the flags alone");
}

#[test]
fn interrupt_of_an_edge_dates_from_its_cycle() {
    let mut ports = Ports::new(0);
    ports.write(IER, 0x80 | flag::CA1);
    ports.ca1(false);
    assert_eq!(ports.via.irq(), Some(ports.cycle));
    ports.read(ORA);
    assert_eq!(ports.via.irq(), None);
}

#[test]
fn ca2_and_cb2_inputs_have_edges_and_independent_modes() {
    for bits in 0..4u8 {
        let (rising, independent) = (bits & 2 != 0, bits & 1 != 0);
        let mut ports = Ports::new(bits << 1 | bits << 5);
        ports.ca2(false);
        ports.cb2(false);
        assert_eq!(ports.flags() != 0, !rising, "mode {bits}");
        ports.write(IFR, 0x7F);
        ports.ca2(true);
        ports.cb2(true);
        assert_eq!(ports.flags() != 0, rising, "mode {bits}");
        ports.ca2(false);
        ports.cb2(false);
        assert_eq!(ports.flags(), flag::CA2 | flag::CB2);
        ports.read(ORA);
        ports.read(ORB);
        assert_eq!(ports.flags() != 0, independent, "mode {bits}");
    }
}

#[test]
fn ca2_and_cb2_manual_outputs() {
    let ports = Ports::new(0xCC);
    assert_eq!((ports.pins().ca2, ports.pins().cb2), (false, false));
    let mut ports = Ports::new(0xEE);
    assert_eq!((ports.pins().ca2, ports.pins().cb2), (true, true));
    ports.ca2(false);
    ports.cb2(false);
    assert_eq!((ports.pins().ca2, ports.flags()), (true, 0), "no inputs now");
}

#[test]
fn handshake_lowers_ca2_on_read_and_write_and_cb2_on_write() {
    let mut ports = Ports::new(0x88);
    ports.read(ORB);
    assert!(ports.pins().cb2, "port B has no read handshake");
    ports.write(ORB, 1);
    assert!(!ports.pins().cb2);
    ports.cb1(false);
    assert!(ports.pins().cb2, "data taken");
    for access in [0, 1] {
        if access == 0 {
            ports.read(ORA);
        } else {
            ports.write(ORA, 1);
        }
        assert!(!ports.pins().ca2);
        ports.read(ORA_NO_HANDSHAKE);
        ports.ca1(false);
        assert!(ports.pins().ca2);
        ports.ca1(true);
    }
    ports.read(ORA_NO_HANDSHAKE);
    assert!(ports.pins().ca2);
}

#[test]
fn pulse_mode_lowers_the_line_for_one_cycle() {
    let mut ports = Ports::new(0xAA);
    ports.read(ORA);
    let at = ports.cycle;
    assert_eq!([at + 1, at + 2].map(|cycle| ports.via.pins(cycle).ca2), [false, true]);
    ports.write(ORB, 0);
    let at = ports.cycle;
    assert_eq!([at + 1, at + 2].map(|cycle| ports.via.pins(cycle).cb2), [false, true]);
}

#[test]
fn latched_ports_keep_what_the_edge_found() {
    let mut ports = Ports::new(0);
    ports.write(ACR, 0x03);
    ports.port_a(0x12);
    ports.port_b(0x34);
    assert_eq!([ports.read(ORA), ports.read(ORB)], [0x12, 0x34], "transparent before the edge");
    ports.ca1(false);
    ports.cb1(false);
    ports.port_a(0x56);
    ports.port_b(0x78);
    ports.ca1(true);
    ports.ca1(false);
    assert_eq!(ports.read(ORA_NO_HANDSHAKE), 0x12);
    assert_eq!([ports.read(ORA), ports.read(ORB)], [0x12, 0x34]);
    assert_eq!([ports.read(ORA), ports.read(ORB)], [0x56, 0x78], "the read cleared the flag");
}

#[test]
fn without_latching_the_pins_are_read() {
    let mut ports = Ports::new(0);
    ports.port_a(0x12);
    ports.ca1(false);
    ports.port_a(0x56);
    assert_eq!(ports.read(ORA), 0x56);
}

#[test]
fn an_output_pin_of_port_b_that_falls_is_counted_too() {
    let mut ports = Ports::new(0);
    ports.write(ACR, 0x20);
    ports.write(DDRB, 0x40);
    ports.write(ORB, 0x40);
    ports.write(T2C_L, 0);
    ports.write(T2C_H, 0);
    ports.write(ORB, 0x00);
    assert_eq!(ports.flags(), flag::T2);
}
