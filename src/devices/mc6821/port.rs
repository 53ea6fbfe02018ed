//! One half of the chip: a port, its direction, its control register and its two control lines.

use crate::persist::Value;

/// Bits of a control register.
pub(super) mod control {
    pub const C1_INTERRUPTS: u8 = 0x01;
    pub const C1_RISING: u8 = 0x02;
    pub const DATA: u8 = 0x04;
    /// C2 is an input: its interrupt is on. An output that is set by hand: its level. Else: a pulse, not a handshake.
    pub const C2_LOW: u8 = 0x08;
    /// C2 is an input: of the rising edge. An output: set by hand.
    pub const C2_MIDDLE: u8 = 0x10;
    pub const C2_OUTPUT: u8 = 0x20;
    pub const C2_FLAG: u8 = 0x40;
    pub const C1_FLAG: u8 = 0x80;
    /// The bits that a write sets; the flags are the chip's.
    pub const WRITABLE: u8 = 0x3F;
}

/// Which half.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    A,
    B,
}

/// A half.
#[derive(Clone, Debug, Default)]
pub(super) struct Port {
    pub output: u8,
    pub direction: u8,
    pub control: u8,
    /// Levels that the outside puts on the port.
    pub pins: u8,
    c1: bool,
    c2: bool,
    /// C2 as an output.
    c2_output: bool,
}

persist!(Port { output, direction, control, pins, c1, c2, c2_output });

impl Port {
    fn has(&self, bits: u8) -> bool {
        self.control & bits == bits
    }

    /// Whether the port's address is that of its data, not of its direction.
    pub fn shows_data(&self) -> bool {
        self.has(control::DATA)
    }

    pub fn read(&self, pins: u8) -> u8 {
        if self.shows_data() { self.output & self.direction | pins & !self.direction } else { self.direction }
    }

    pub fn write(&mut self, value: u8) {
        if self.shows_data() { self.output = value } else { self.direction = value }
    }

    /// A read of the data clears both flags.
    pub fn data_was_read(&mut self) {
        self.control &= !(control::C1_FLAG | control::C2_FLAG);
    }

    /// The port was read (A) or written (B): C2 answers, if it was told to.
    pub fn handshake(&mut self) {
        if self.has(control::C2_OUTPUT) && !self.has(control::C2_MIDDLE) {
            // A pulse is over when anybody could look.
            self.c2_output = self.has(control::C2_LOW);
        }
    }

    pub fn set_control(&mut self, value: u8) {
        self.control = self.control & !control::WRITABLE | value & control::WRITABLE;
        if !self.has(control::C2_OUTPUT) {
            return;
        }
        // As an output it makes no flag.
        self.control &= !control::C2_FLAG;
        self.c2_output = !self.has(control::C2_MIDDLE) || self.has(control::C2_LOW);
    }

    /// The level of C1.
    pub fn set_c1(&mut self, level: bool) {
        let active = level != self.c1 && level == self.has(control::C1_RISING);
        self.c1 = level;
        if active {
            self.control |= control::C1_FLAG;
            if self.has(control::C2_OUTPUT) && !self.has(control::C2_MIDDLE) && !self.has(control::C2_LOW) {
                // The other side has answered the handshake.
                self.c2_output = true;
            }
        }
    }

    /// The level of C2, where it is an input.
    pub fn set_c2(&mut self, level: bool) {
        let active = level != self.c2 && level == self.has(control::C2_MIDDLE);
        self.c2 = level;
        if active && !self.has(control::C2_OUTPUT) {
            self.control |= control::C2_FLAG;
        }
    }

    /// Whether the half pulls its interrupt output low.
    pub fn interrupts(&self) -> bool {
        self.has(control::C1_FLAG | control::C1_INTERRUPTS)
            || (self.has(control::C2_FLAG | control::C2_LOW) && !self.has(control::C2_OUTPUT))
    }

    pub fn reset(&mut self) {
        *self = Self { pins: self.pins, c1: self.c1, c2: self.c2, ..Self::default() };
    }

    /// The registers by the data sheet's names.
    pub fn fields_of(&self, side: Side) -> Vec<(&'static str, Value)> {
        let names = match side {
            Side::A => ["ora", "ddra", "cra", "port_a", "ca1", "ca2", "ca2_output"],
            Side::B => ["orb", "ddrb", "crb", "port_b", "cb1", "cb2", "cb2_output"],
        };
        let values = crate::persist::Persist::fields(self).into_iter().map(|(_, value)| value);
        names.into_iter().zip(values).collect()
    }
}
