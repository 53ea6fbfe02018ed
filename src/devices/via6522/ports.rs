//! The ports of the VIA and their control lines: registers against pins, handshakes, edges.

use super::{State, Via6522, acr, flag};

/// What PCR makes of CA2 or CB2, from its three bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Control2 {
    Input { rising: bool, independent: bool },
    Handshake,
    Pulse,
    Level(bool),
}

impl Control2 {
    pub(super) fn of(bits: u8) -> Self {
        match bits & 7 {
            4 => Self::Handshake,
            5 => Self::Pulse,
            6 => Self::Level(false),
            7 => Self::Level(true),
            input => Self::Input { rising: input & 2 != 0, independent: input & 1 != 0 },
        }
    }

    pub(super) fn independent(self) -> bool {
        matches!(self, Self::Input { independent: true, .. })
    }
}

/// The levels on the pins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct Pins {
    pub port_a: u8,
    pub port_b: u8,
    pub ca1: bool,
    pub ca2: bool,
    pub cb1: bool,
    pub cb2: bool,
}

impl Via6522 {
    /// External levels on PA7-PA0, for the pins that are inputs.
    pub fn set_port_a_input(&mut self, levels: u8, now: u64) {
        self.synchronize(now);
        self.state.port_a_input = levels;
        self.state.follow_inputs();
    }

    /// External levels on PB7-PB0, for the pins that are inputs. A falling edge on PB6 may be counted by T2.
    pub fn set_port_b_input(&mut self, levels: u8, now: u64) {
        self.synchronize(now);
        self.change_port_b(now, |state| state.port_b_input = levels);
    }

    /// The level of CA1.
    pub fn set_ca1(&mut self, level: bool, now: u64) {
        self.synchronize(now);
        let active = level == (self.state.pcr & 0x01 != 0);
        if std::mem::replace(&mut self.state.ca1, level) != level && active {
            if self.state.ca2_mode() == Control2::Handshake {
                self.state.ca2_output = true;
            }
            self.raise(flag::CA1, now);
        }
    }

    /// The level of CB1. In the shift modes in which CB1 is an output it is only remembered.
    pub fn set_cb1(&mut self, level: bool, now: u64) {
        self.synchronize(now);
        let active = level == (self.state.pcr & 0x10 != 0);
        if std::mem::replace(&mut self.state.cb1_input, level) == level
            || self.state.shift_mode().drives_cb1()
        {
            return;
        }
        if self.state.external_shift_edge(level) {
            self.raise(flag::SR, now);
        }
        if active {
            if self.state.cb2_mode() == Control2::Handshake {
                self.state.cb2_output = true;
            }
            self.raise(flag::CB1, now);
        }
    }

    /// The level of CA2, where it is an input.
    pub fn set_ca2(&mut self, level: bool, now: u64) {
        self.synchronize(now);
        let changed = std::mem::replace(&mut self.state.ca2_input, level) != level;
        if let Control2::Input { rising, .. } = self.state.ca2_mode()
            && changed
            && rising == level
        {
            self.raise(flag::CA2, now);
        }
    }

    /// The level of CB2, where it is an input.
    pub fn set_cb2(&mut self, level: bool, now: u64) {
        self.synchronize(now);
        let changed = std::mem::replace(&mut self.state.cb2_input, level) != level;
        if let Control2::Input { rising, .. } = self.state.cb2_mode()
            && changed
            && rising == level
            && !self.state.shift_mode().drives_cb2()
        {
            self.raise(flag::CB2, now);
        }
    }

    /// The levels on the pins in cycle `now`.
    pub fn pins(&self, now: u64) -> Pins {
        let mut copy = self.clone();
        copy.synchronize(now);
        let state = &copy.state;
        let mode = state.shift_mode();
        let line = |mode: Control2, input, output| match mode {
            Control2::Input { .. } => input,
            Control2::Level(level) => level,
            Control2::Handshake | Control2::Pulse => output,
        };
        Pins {
            port_a: state.pa(),
            port_b: state.pb(),
            ca1: state.ca1,
            ca2: line(state.ca2_mode(), state.ca2_input, state.ca2_output),
            cb1: if mode.drives_cb1() { state.sr_cb1 } else { state.cb1_input },
            cb2: if mode.drives_cb2() {
                state.sr_cb2
            } else {
                line(state.cb2_mode(), state.cb2_input, state.cb2_output)
            },
        }
    }

    // -- registers

    /// Does `change`, and counts a pulse if PB6 has fallen by it.
    pub(super) fn change_port_b(&mut self, now: u64, change: impl FnOnce(&mut State)) {
        let before = self.state.pb();
        change(&mut self.state);
        self.state.follow_inputs();
        if before & !self.state.pb() & 0x40 != 0 && self.state.count_pulse() {
            self.raise(flag::T2, now);
        }
    }

    pub(super) fn access_port_a(&mut self, now: u64) {
        let mode = self.state.ca2_mode();
        self.clear(flag::CA1 | if mode.independent() { 0 } else { flag::CA2 }, now);
        if matches!(mode, Control2::Handshake | Control2::Pulse) {
            self.state.ca2_output = false;
            self.state.ca2_pulse_end = if mode == Control2::Pulse { now + 2 } else { 0 };
        }
    }

    pub(super) fn access_port_b(&mut self, write: bool, now: u64) {
        let mode = self.state.cb2_mode();
        self.clear(flag::CB1 | if mode.independent() { 0 } else { flag::CB2 }, now);
        if write && matches!(mode, Control2::Handshake | Control2::Pulse) {
            self.state.cb2_output = false;
            self.state.cb2_pulse_end = if mode == Control2::Pulse { now + 2 } else { 0 };
        }
    }

    pub(super) fn write_pcr(&mut self, value: u8) {
        let changed = self.state.pcr ^ value;
        self.state.pcr = value;
        if changed & 0x0E != 0 {
            self.state.ca2_output = true;
            self.state.ca2_pulse_end = 0;
        }
        if changed & 0xE0 != 0 {
            self.state.cb2_output = true;
            self.state.cb2_pulse_end = 0;
        }
    }
}

impl State {
    pub(super) fn ca2_mode(&self) -> Control2 {
        Control2::of(self.pcr >> 1)
    }

    pub(super) fn cb2_mode(&self) -> Control2 {
        Control2::of(self.pcr >> 5)
    }

    pub(super) fn pa(&self) -> u8 {
        self.ora & self.ddra | self.port_a_input & !self.ddra
    }

    pub(super) fn pb(&self) -> u8 {
        let levels = self.orb & self.ddrb | self.port_b_input & !self.ddrb;
        if self.acr & acr::T1_PB7 == 0 {
            return levels;
        }
        levels & 0x7F | if self.t1_pb7 { 0x80 } else { 0 }
    }

    /// Lets the input latches follow the pins where they are transparent.
    pub(super) fn follow_inputs(&mut self) {
        if self.acr & acr::PA_LATCH == 0 || self.ifr & flag::CA1 == 0 {
            self.ira = self.pa();
        }
        if self.acr & acr::PB_LATCH == 0 || self.ifr & flag::CB1 == 0 {
            self.irb = self.pb();
        }
    }

    /// IRB as it is read: output pins give ORB, not the pin; PB7 under T1 gives T1's level.
    pub(super) fn port_b(&self) -> u8 {
        let levels = self.orb & self.ddrb | self.irb & !self.ddrb;
        if self.acr & acr::T1_PB7 == 0 {
            return levels;
        }
        levels & 0x7F | if self.t1_pb7 { 0x80 } else { 0 }
    }
}
