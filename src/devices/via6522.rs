//! MOS 6522 versatile interface adapter (VIA).
//!
//! | RS | register | RS | register |
//! |---|---|---|---|
//! | 0 | ORB / IRB | 8 | T2C-L (write: T2L-L) |
//! | 1 | ORA / IRA, with handshake | 9 | T2C-H |
//! | 2 | DDRB | 10 | SR |
//! | 3 | DDRA | 11 | ACR |
//! | 4 | T1C-L (write: T1L-L) | 12 | PCR |
//! | 5 | T1C-H | 13 | IFR |
//! | 6 | T1L-L | 14 | IER |
//! | 7 | T1L-H | 15 | ORA / IRA, without handshake |
//!
//! # The half cycle
//!
//! The chip sets a timer's flag, and IRQ falls, on the rising edge of φ2 in the cycle in which the counter reads FFFF:
//! N + 1.5 cycles after the end of the write of T1C-H. Here that whole cycle is "the cycle of the event": a read of IFR
//! in it sees the flag, IRQ is low at its end, and an access in it that clears the flag wins.
//!
//! Source: MOS 6522 and Rockwell R6522 data sheets. docs/devices/via6522.md says what is modelled.

mod pending;
mod ports;
mod shift;
mod timers;

use super::{Context, Device, DeviceError, QuietRead};
use crate::persist::{Persist, PersistError, Reader, Value};
use crate::units::COUNT_MAX;
use pending::Pending;
pub use ports::Pins;

/// The name in board files.
pub const KIND: &str = "via6522";

/// The option names of [`Config`].
pub(super) const OPTIONS: &[&str] = &[];

/// Register numbers, as RS3-RS0 select them.
#[allow(missing_docs)]
pub mod register {
    pub const ORB: u16 = 0;
    pub const ORA: u16 = 1;
    pub const DDRB: u16 = 2;
    pub const DDRA: u16 = 3;
    pub const T1C_L: u16 = 4;
    pub const T1C_H: u16 = 5;
    pub const T1L_L: u16 = 6;
    pub const T1L_H: u16 = 7;
    pub const T2C_L: u16 = 8;
    pub const T2C_H: u16 = 9;
    pub const SR: u16 = 10;
    pub const ACR: u16 = 11;
    pub const PCR: u16 = 12;
    pub const IFR: u16 = 13;
    pub const IER: u16 = 14;
    pub const ORA_NO_HANDSHAKE: u16 = 15;
}

/// Bits of IFR and IER.
#[allow(missing_docs)]
pub mod flag {
    pub const CA2: u8 = 0x01;
    pub const CA1: u8 = 0x02;
    pub const SR: u8 = 0x04;
    pub const CB2: u8 = 0x08;
    pub const CB1: u8 = 0x10;
    pub const T2: u8 = 0x20;
    pub const T1: u8 = 0x40;
    /// IFR: any flag that is set is enabled. IER: set (1) or clear (0) the other bits of the written byte.
    pub const ANY: u8 = 0x80;
}

/// Bits of ACR.
pub mod acr {
    /// Port A input latching.
    pub const PA_LATCH: u8 = 0x01;
    /// Port B input latching.
    pub const PB_LATCH: u8 = 0x02;
    /// T2 counts pulses on PB6.
    pub const T2_PULSES: u8 = 0x20;
    /// T1 runs free.
    pub const T1_FREE_RUN: u8 = 0x40;
    /// T1 drives PB7.
    pub const T1_PB7: u8 = 0x80;
}

/// The VIA has no options.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// The chip.
#[derive(Clone, Debug)]
pub struct Via6522 {
    state: State,
    /// The next cycle at which IFR changes by itself. Derived, not saved.
    next_change: u64,
    /// The next cycle at which IRQ falls by itself. Derived, not saved.
    next_irq: u64,
}

#[derive(Clone, Debug)]
struct State {
    orb: u8,
    ora: u8,
    /// The input latches. Transparent unless latching is on and the CB1 / CA1 flag is set.
    irb: u8,
    ira: u8,
    ddrb: u8,
    ddra: u8,
    /// T1C at cycle `time`.
    t1_counter: u16,
    t1_latch: u16,
    /// T1C takes the latch's value in the next cycle.
    t1_reload: bool,
    /// T1C-H was written: the next time-out counts, and in free run every one after it.
    t1_armed: bool,
    /// What T1 drives PB7 to, when it does.
    t1_pb7: bool,
    /// T2C at cycle `time`.
    t2_counter: u16,
    t2_latch_low: u8,
    /// T2C takes this value in the next cycle.
    t2_load: Option<u16>,
    t2_armed: bool,
    sr: u8,
    acr: u8,
    pcr: u8,
    ifr: u8,
    ier: u8,
    /// CB1 edges until the shift counter is through; 0 when it stands.
    sr_edges: u8,
    /// Under φ2: the cycle of the next CB1 edge, 0 when the shifter stands.
    sr_edge_at: u64,
    /// Levels that the shift register drives.
    sr_cb1: bool,
    sr_cb2: bool,
    /// CA2 and CB2 as the handshake and pulse modes drive them.
    ca2_output: bool,
    cb2_output: bool,
    /// The cycle in which a pulse ends, 0 when there is none.
    ca2_pulse_end: u64,
    cb2_pulse_end: u64,
    /// External levels.
    port_a_input: u8,
    port_b_input: u8,
    ca1: bool,
    ca2_input: bool,
    cb1_input: bool,
    cb2_input: bool,
    /// The cycle since which IRQ is low.
    irq_since: Option<u64>,
    /// The cycle up to which the state is worked out.
    time: u64,
    pending: Pending,
}

persist!(State {
    orb,
    ora,
    irb,
    ira,
    ddrb,
    ddra,
    t1_counter,
    t1_latch,
    t1_reload,
    t1_armed,
    t1_pb7,
    t2_counter,
    t2_latch_low,
    t2_load,
    t2_armed,
    sr,
    acr,
    pcr,
    ifr,
    ier,
    sr_edges,
    sr_edge_at,
    sr_cb1,
    sr_cb2,
    ca2_output,
    cb2_output,
    ca2_pulse_end,
    cb2_pulse_end,
    port_a_input,
    port_b_input,
    ca1,
    ca2_input,
    cb1_input,
    cb2_input,
    irq_since,
    time,
} skip { pending });

impl Persist for Via6522 {
    fn save(&self, out: &mut Vec<u8>) {
        self.state.save(out);
        self.state.pending.save(out);
    }

    fn restore(&mut self, reader: &mut Reader<'_>) -> Result<(), PersistError> {
        self.state.restore(reader)?;
        self.state.pending = Pending::default();
        self.state.pending.restore(reader)?;
        self.restored()
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let mut fields = self.state.fields();
        fields.extend(self.state.pending.fields());
        fields
    }
}

impl Default for Via6522 {
    fn default() -> Self {
        Self::new(Config {})
    }
}

impl Via6522 {
    /// A chip at power-on, as after RESB, with all inputs high. The registers that RESB does not clear start at FF.
    pub fn new(_config: Config) -> Self {
        let state = State {
            orb: 0,
            ora: 0,
            irb: 0xFF,
            ira: 0xFF,
            ddrb: 0,
            ddra: 0,
            t1_counter: 0xFFFF,
            t1_latch: 0xFFFF,
            t1_reload: false,
            t1_armed: false,
            t1_pb7: true,
            t2_counter: 0xFFFF,
            t2_latch_low: 0xFF,
            t2_load: None,
            t2_armed: false,
            sr: 0xFF,
            acr: 0,
            pcr: 0,
            ifr: 0,
            ier: 0,
            sr_edges: 0,
            sr_edge_at: 0,
            sr_cb1: true,
            sr_cb2: true,
            ca2_output: true,
            cb2_output: true,
            ca2_pulse_end: 0,
            cb2_pulse_end: 0,
            port_a_input: 0xFF,
            port_b_input: 0xFF,
            ca1: true,
            ca2_input: true,
            cb1_input: true,
            cb2_input: true,
            irq_since: None,
            time: 0,
            pending: Pending::default(),
        };
        Self { state, next_change: u64::MAX, next_irq: u64::MAX }
    }

    fn restored(&mut self) -> Result<(), PersistError> {
        let state = &self.state;
        if state.sr_edges > shift::EDGES {
            return Err(PersistError::Invalid("sr_edges"));
        }
        if state.time > COUNT_MAX {
            return Err(PersistError::Invalid("time"));
        }
        // An edge is to come only under φ2, and while the counter has edges left: nothing else would ever end them.
        let has_edges = state.sr_edges != 0 && state.shift_mode().under_phi2();
        if state.sr_edge_at != 0 && !(has_edges && (state.time + 1..=COUNT_MAX).contains(&state.sr_edge_at)) {
            return Err(PersistError::Invalid("sr_edge_at"));
        }
        self.schedule();
        Ok(())
    }

    // -- interrupts

    fn raise(&mut self, flags: u8, at: u64) {
        self.state.ifr |= flags;
        self.follow_interrupts(at);
    }

    fn clear(&mut self, flags: u8, at: u64) {
        self.state.ifr &= !flags;
        self.follow_interrupts(at);
    }

    /// After IFR or IER has changed in cycle `at`.
    fn follow_interrupts(&mut self, at: u64) {
        let request = self.state.ifr & self.state.ier != 0;
        self.state.irq_since = if request { self.state.irq_since.or(Some(at)) } else { None };
        self.state.follow_inputs();
        self.schedule();
    }

    // -- registers

    #[cold]
    #[inline(never)]
    fn read_other(&mut self, offset: u16, now: u64) -> u8 {
        self.synchronize(now);
        let value = self.state.value(offset);
        match offset & 15 {
            register::ORB => self.access_port_b(false, now),
            register::ORA => self.access_port_a(now),
            register::T1C_L => self.clear(flag::T1, now),
            register::T2C_L => self.clear(flag::T2, now),
            register::SR => self.access_shift_register(now),
            _ => {}
        }
        value
    }

    fn access_shift_register(&mut self, now: u64) {
        self.state.start_shifting(now);
        self.clear(flag::SR, now);
    }

    fn write_acr(&mut self, value: u8, now: u64) {
        let changed = self.state.acr ^ value;
        if changed & acr::T2_PULSES != 0 {
            self.state.pending.t2_change ^= true;
        }
        self.state.acr = value;
        if value & acr::T1_PB7 == 0 {
            self.state.t1_pb7 = true;
        }
        if changed & 0x1C != 0 {
            self.state.stop_shifting();
            if self.state.shift_mode().disabled() {
                self.state.ifr &= !flag::SR;
            }
        }
        self.follow_interrupts(now);
    }
}

impl State {
    fn ifr(&self) -> u8 {
        self.ifr | if self.ifr & self.ier != 0 { flag::ANY } else { 0 }
    }

    /// What a read of a register gives, at cycle `time`.
    fn value(&self, offset: u16) -> u8 {
        match offset & 15 {
            register::ORB => self.port_b(),
            register::ORA | register::ORA_NO_HANDSHAKE => self.ira,
            register::DDRB => self.ddrb,
            register::DDRA => self.ddra,
            register::T1C_L => self.t1_counter as u8,
            register::T1C_H => (self.t1_counter >> 8) as u8,
            register::T1L_L => self.t1_latch as u8,
            register::T1L_H => (self.t1_latch >> 8) as u8,
            register::T2C_L => self.t2_counter as u8,
            register::T2C_H => (self.t2_counter >> 8) as u8,
            register::SR => self.sr,
            register::ACR => self.acr,
            register::PCR => self.pcr,
            register::IFR => self.ifr(),
            _ => self.ier | flag::ANY,
        }
    }
}

impl Device for Via6522 {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn register_count(&self) -> u16 {
        16
    }

    #[inline]
    fn quiet_read(&self, offset: u16, now: u64) -> Option<QuietRead> {
        let until = self.next_change;
        (offset & 15 == register::IFR && now < until).then(|| QuietRead { value: self.state.ifr(), until })
    }

    #[inline]
    fn read(&mut self, offset: u16, context: &mut Context<'_>) -> u8 {
        let now = context.at.cycles;
        if offset & 15 == register::IFR && now < self.next_change {
            return self.state.ifr();
        }
        self.read_other(offset, now)
    }

    fn write(&mut self, offset: u16, value: u8, context: &mut Context<'_>) {
        let now = context.at.cycles;
        self.synchronize(now);
        match offset & 15 {
            register::ORB => {
                self.change_port_b(now, |state| state.orb = value);
                self.access_port_b(true, now);
            }
            register::ORA => {
                self.state.ora = value;
                self.access_port_a(now);
            }
            register::DDRB => self.change_port_b(now, |state| state.ddrb = value),
            register::DDRA => self.state.ddra = value,
            register::T1C_L | register::T1L_L => self.state.set_t1_latch_low(value),
            register::T1C_H => {
                self.state.start_t1(value);
                self.clear(flag::T1, now);
            }
            register::T1L_H => {
                self.state.set_t1_latch_high(value);
                self.clear(flag::T1, now);
            }
            register::T2C_L => self.state.t2_latch_low = value,
            register::T2C_H => {
                self.state.start_t2(value);
                self.clear(flag::T2, now);
            }
            register::SR => {
                self.state.sr = value;
                self.access_shift_register(now);
            }
            register::ACR => self.write_acr(value, now),
            register::PCR => self.write_pcr(value),
            register::IFR => self.clear(value & !flag::ANY, now),
            register::IER => {
                let bits = value & !flag::ANY;
                self.state.ier =
                    if value & flag::ANY != 0 { self.state.ier | bits } else { self.state.ier & !bits };
                self.follow_interrupts(now);
            }
            _ => self.state.ora = value,
        }
        self.state.follow_inputs();
        self.schedule();
    }

    fn peek(&self, offset: u16, now: u64) -> u8 {
        let mut copy = self.clone();
        copy.synchronize(now);
        copy.state.value(offset)
    }

    fn next_timer(&self) -> Option<u64> {
        (self.next_irq != u64::MAX).then_some(self.next_irq)
    }

    fn run_timer(&mut self, context: &mut Context<'_>) {
        self.synchronize(context.at.cycles);
    }

    fn catch_up(&mut self, now: u64) {
        self.synchronize(now);
    }

    fn as_of(&self) -> Option<u64> {
        Some(self.state.time)
    }

    fn irq(&self) -> Option<u64> {
        self.state.irq_since
    }

    fn next_irq(&self) -> Option<u64> {
        self.next_timer()
    }

    fn reset(&mut self, now: u64) {
        self.synchronize(now);
        let state = &mut self.state;
        state.pending.t2_change ^= state.t2_counts_pulses();
        (state.orb, state.ora, state.ddrb, state.ddra) = (0, 0, 0, 0);
        (state.acr, state.pcr, state.ifr, state.ier) = (0, 0, 0, 0);
        state.t1_armed = false;
        state.t1_pb7 = true;
        state.t2_armed = false;
        state.stop_shifting();
        (state.ca2_output, state.cb2_output) = (true, true);
        (state.ca2_pulse_end, state.cb2_pulse_end) = (0, 0);
        self.follow_interrupts(now);
    }

    fn lines(&self) -> &'static [&'static str] {
        &["port_a", "port_b", "ca1", "ca2", "cb1", "cb2"]
    }

    fn set_line(&mut self, line: &str, level: u8, context: &mut Context<'_>) -> Result<(), DeviceError> {
        let now = context.at.cycles;
        let pin = |level| DeviceError::pin_level(KIND, line, level);
        match line {
            "port_a" => self.set_port_a_input(level, now),
            "port_b" => self.set_port_b_input(level, now),
            "ca1" => self.set_ca1(pin(level)?, now),
            "ca2" => self.set_ca2(pin(level)?, now),
            "cb1" => self.set_cb1(pin(level)?, now),
            "cb2" => self.set_cb2(pin(level)?, now),
            _ => return Err(DeviceError::unknown_line(KIND, line, self.lines())),
        }
        Ok(())
    }

    fn clone_box(&self) -> Box<dyn Device> {
        Box::new(self.clone())
    }
}
