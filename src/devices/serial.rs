//! The serial line that both ACIAs hang on: exact character times, the wire from the host, the transmitter.
//!
//! Baud rates come from a crystal that has nothing to do with the CPU clock, so a character lasts a fractional number
//! of CPU cycles. Times are kept as whole cycles and an exact fraction of one: a long row of characters never drifts.

use std::collections::VecDeque;

use super::Context;
use crate::persist::{Field, PersistError, Reader, Value};

/// Who sends the next byte from the host, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flow {
    /// The sender looks: it starts a character only while the chip is ready for one (its receive register is empty
    /// and RTS is asserted). Nothing is ever lost.
    #[default]
    Handshake,
    /// The sender looks at nothing: characters follow each other at line rate, and an overrun happens when the guest
    /// is too slow.
    None,
}

/// A point of time: `cycle` whole CPU cycles and `fraction` units of a [`LineClock`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct LineTime {
    /// Whole CPU cycles.
    pub cycle: u64,
    /// Part of a cycle, in units of one `LineClock::units`-th.
    pub fraction: u64,
}

impl LineTime {
    /// The start of a cycle.
    pub const fn at(cycle: u64) -> Self {
        Self { cycle, fraction: 0 }
    }

    /// The first cycle that does not start before this time: what happens at a time is seen from that cycle on.
    pub const fn due(self) -> u64 {
        self.cycle.saturating_add((self.fraction != 0) as u64)
    }
}

/// The cycle of an optional time, `u64::MAX` for never.
pub(super) fn due(time: Option<LineTime>) -> u64 {
    time.map_or(u64::MAX, LineTime::due)
}

impl Field for LineTime {
    fn put(&self, out: &mut Vec<u8>) {
        self.cycle.put(out);
        self.fraction.put(out);
    }
    fn take(reader: &mut Reader<'_>, name: &'static str) -> Result<Self, PersistError> {
        Ok(Self { cycle: u64::take(reader, name)?, fraction: u64::take(reader, name)? })
    }
    fn value(&self) -> Value {
        Value::Unsigned(self.due())
    }
}

/// A length of time, in the same form as [`LineTime`]. Never zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    cycles: u64,
    fraction: u64,
}

/// Turns ticks of the clocks at a chip's pins into CPU cycles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LineClock {
    units: u64,
}

impl LineClock {
    /// For a chip with these clock frequencies, in Hz: a cycle is cut into as many units as they have as their least
    /// common multiple, so that a tick of each is a whole number of units.
    pub fn new(frequencies: &[u64]) -> Self {
        let units =
            frequencies.iter().fold(1, |multiple, &hz| multiple / greatest_divisor(multiple, hz) * hz);
        Self { units }
    }

    /// The CPU cycles (of a CPU at `cpu_hz`) that `ticks` of a clock of `hz` last.
    pub fn span(&self, ticks: u64, hz: u64, cpu_hz: u64) -> Span {
        let units =
            (u128::from(ticks) * u128::from(cpu_hz)).saturating_mul(u128::from(self.units / hz)).max(1);
        Span {
            cycles: u64::try_from(units / u128::from(self.units)).unwrap_or(u64::MAX),
            fraction: (units % u128::from(self.units)) as u64,
        }
    }

    /// `time` later by `span`.
    pub fn add(&self, time: LineTime, span: Span) -> LineTime {
        let fraction = time.fraction + span.fraction;
        let carry = fraction >= self.units;
        LineTime {
            cycle: time.cycle.saturating_add(span.cycles).saturating_add(u64::from(carry)),
            fraction: if carry { fraction - self.units } else { fraction },
        }
    }

    /// The first of `time`, `time + span`, `time + 2 * span`, ... that is due after cycle `now`.
    pub fn repeat_past(&self, time: LineTime, span: Span, now: u64) -> LineTime {
        if time.due() > now {
            return time;
        }
        let units = u128::from(self.units);
        let step = u128::from(span.cycles) * units + u128::from(span.fraction);
        let behind = u128::from(now - time.cycle) * units - u128::from(time.fraction);
        let total = u128::from(time.fraction) + (behind / step + 1) * step;
        LineTime {
            cycle: time.cycle.saturating_add(u64::try_from(total / units).unwrap_or(u64::MAX)),
            fraction: (total % units) as u64,
        }
    }

    /// Checks a restored time.
    pub(super) fn check(&self, time: Option<LineTime>, name: &'static str) -> Result<(), PersistError> {
        match time {
            Some(time) if time.fraction >= self.units => Err(PersistError::Invalid(name)),
            _ => Ok(()),
        }
    }
}

fn greatest_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_divisor(b, a % b) }
}

/// Where a transmitted byte goes while a chip is brought up to date.
pub(super) enum Host<'a, 'b> {
    /// To the outside, at the position of the context.
    Outside(&'a mut Context<'b>),
    /// Nowhere: the byte, and all that comes after it, waits for a call that has a context.
    Wait,
    /// Dropped: the chip is a copy that somebody looks into.
    Ignore,
}

impl Host<'_, '_> {
    pub(super) fn can_send(&self) -> bool {
        !matches!(self, Host::Wait)
    }

    /// Hands a byte over. The host's result changes nothing on the line: a wire does not know who listens.
    pub(super) fn send(&mut self, byte: u8) {
        if let Host::Outside(context) = self {
            let _ = context.outside.char_write(context.at, context.char_id, &[byte]);
        }
    }
}

/// Transmit data register and transmit shift register.
#[derive(Clone, Debug, Default)]
pub struct Transmitter {
    /// The register that the CPU writes.
    pub transmit_data: u8,
    /// Whether it holds a byte that has not gone to the shift register.
    pub transmit_data_full: bool,
    /// The end of the last stop bit of the character in the shift register.
    pub transmit_shift_until: Option<LineTime>,
}

persist!(Transmitter { transmit_data, transmit_data_full, transmit_shift_until });

impl Transmitter {
    /// Whether the shift register is free.
    pub fn idle(&self) -> bool {
        self.transmit_shift_until.is_none()
    }

    /// Moves the byte from the data register to the shift register, whose character ends at `until`.
    pub fn load(&mut self, until: LineTime) -> u8 {
        self.transmit_data_full = false;
        self.transmit_shift_until = Some(until);
        self.transmit_data
    }
}

/// The wire from the host, and the shift register at its end.
#[derive(Clone, Debug, Default)]
pub struct Receiver {
    /// Bytes that the host has sent and that have not arrived; the first one may be in the shift register.
    pub wire: VecDeque<u8>,
    /// When the character in the shift register (or about to enter it, at `arrival_begin`) will be complete.
    pub arrival: Option<LineTime>,
    /// The start of that character's start bit, or of the last one's.
    pub arrival_begin: LineTime,
    /// The end of the last stop bit of the last character, before which no other can start.
    pub line_free: LineTime,
}

persist!(Receiver { wire, arrival, arrival_begin, line_free });

impl Receiver {
    /// Whether a character could start now.
    pub fn idle(&self) -> bool {
        self.arrival.is_none() && !self.wire.is_empty()
    }

    /// Starts the character of the first byte on the wire, at `now` or when the line is free. It is complete `sampled`
    /// later, and the line is free again after `character`.
    pub fn start(&mut self, now: LineTime, sampled: Span, character: Span, clock: &LineClock) {
        let begin = now.max(self.line_free);
        self.arrival_begin = begin;
        self.arrival = Some(clock.add(begin, sampled));
        self.line_free = clock.add(begin, character);
    }

    /// The character in the shift register is complete.
    pub fn take(&mut self) -> Option<u8> {
        self.arrival.take()?;
        self.wire.pop_front()
    }

    /// The receiver stops at cycle `now`. A character that has begun is lost, but a sender that looks sends it again.
    pub fn abort(&mut self, flow: Flow, now: u64) {
        if self.arrival.take().is_none() {
            return;
        }
        if self.arrival_begin.due() > now {
            self.line_free = self.arrival_begin;
        } else if flow == Flow::None {
            self.wire.pop_front();
        }
    }

    /// Checks restored state.
    pub(super) fn check(&self, clock: &LineClock) -> Result<(), PersistError> {
        clock.check(self.arrival, "arrival")?;
        clock.check(Some(self.arrival_begin), "arrival_begin")?;
        clock.check(Some(self.line_free), "line_free")?;
        if self.arrival.is_some() && self.wire.is_empty() {
            return Err(PersistError::Invalid("arrival"));
        }
        Ok(())
    }
}
