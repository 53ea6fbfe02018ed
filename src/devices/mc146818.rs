//! MC146818: Motorola's real-time clock plus RAM. Source: the MC146818 data sheet (Motorola, 1984); sections are named below.
//!
//! After two addresses, as in the machines that had it: [`INDEX`] takes the number of a register, [`DATA`] is that register.
//! Time is the host's wall clock (UTC), asked whenever a program could see it, plus what the program has set. The
//! periodic interrupt alone follows the CPU's clock, so that it is as regular as the program expects.

mod calendar;

use super::{Context, Device};
use crate::nondet::ClockKind;
use crate::persist::PersistError;
use calendar::{DAY, EPOCH, Moment};

/// The name in board files.
pub const KIND: &str = "mc146818";

/// The option names of [`Config`].
pub(super) const OPTIONS: &[&str] = &[];

/// Number of the register that [`DATA`] is, bits 5 to 0.
pub const INDEX: u16 = 0;
/// The register.
pub const DATA: u16 = 1;

/// Registers after [`DATA`] (data sheet, Address Map); RAM from 14 on.
#[allow(missing_docs, reason = "the data sheet's names")]
pub mod register {
    pub const SECONDS: u8 = 0;
    pub const SECONDS_ALARM: u8 = 1;
    pub const MINUTES: u8 = 2;
    pub const MINUTES_ALARM: u8 = 3;
    pub const HOURS: u8 = 4;
    pub const HOURS_ALARM: u8 = 5;
    pub const DAY_OF_WEEK: u8 = 6;
    pub const DATE_OF_MONTH: u8 = 7;
    pub const MONTH: u8 = 8;
    pub const YEAR: u8 = 9;
    pub const A: u8 = 10;
    pub const B: u8 = 11;
    pub const C: u8 = 12;
    pub const D: u8 = 13;
}

/// Register A: an update is on its way, or will begin in less than 244 microseconds.
pub const UIP: u8 = 0x80;
/// Register B: the clock stands still, to be set.
pub const SET: u8 = 0x80;
/// Registers B and C: periodic interrupt.
pub const PERIODIC: u8 = 0x40;
/// Registers B and C: alarm.
pub const ALARM: u8 = 0x20;
/// Registers B and C: end of an update.
pub const UPDATE: u8 = 0x10;
/// Register B: binary instead of decimal digits.
pub const DM: u8 = 0x04;
/// Register B: 24 hours instead of 12.
pub const HOURS_24: u8 = 0x02;
/// Register B: square wave; kept, and nothing is connected to it.
const SQWE: u8 = 0x08;
/// Register C: the interrupt line is held.
pub const IRQF: u8 = 0x80;
/// Register D: the battery has not failed.
pub const VRT: u8 = 0x80;

const SOURCES: u8 = PERIODIC | ALARM | UPDATE;
const SECOND: i64 = 1_000_000_000;
/// From the rise of UIP to the end of the update, with a 32.768 kHz time base: 244 and 1984 microseconds (data sheet,
/// Update Cycle).
const UPDATE_NS: i64 = 244_000 + 1_984_000;
/// The time base, in Hz.
const TIME_BASE: u128 = 32_768;
/// In 12-hour mode the bit that says afternoon.
const PM: u8 = 0x80;
/// An alarm register with both these bits set matches everything.
const DO_NOT_CARE: u8 = 0xC0;

/// The clock has no options.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// The clock.
#[derive(Clone, Debug, Default)]
pub struct Mc146818 {
    state: State,
}

#[derive(Clone, Debug)]
struct State {
    index: u8,
    /// All 64 registers as written; those of time are valid while the clock stands still.
    registers: [u8; 64],
    /// What is added to the host's clock, in nanoseconds, as the bits of an `i64`.
    offset: u64,
    /// Days by which the day of the week is ahead of the calendar's.
    week_offset: u8,
    /// Flags of register C.
    flags: u8,
    /// The second of the chip's time that the flags were last worked out for, as the bits of an `i64`.
    seen: u64,
    /// The reading of the host's clock at which an enabled alarm or update interrupt is due.
    clock_due: Option<u64>,
    /// The next periodic event: its cycle, and what it is later than that, in parts of a cycle, 32,768 to one.
    periodic_due: Option<u64>,
    periodic_fraction: u16,
    /// CPU clock, in Hz, as of the write that set the rate.
    cpu_hz: u64,
    /// The cycle since which the interrupt line is held.
    irq_since: Option<u64>,
}

persist!(State {
    index,
    registers,
    offset,
    week_offset,
    flags,
    seen,
    clock_due,
    periodic_due,
    periodic_fraction,
    cpu_hz,
    irq_since,
});

persist_parts!(Mc146818 { state } checked by restored);

impl Default for State {
    fn default() -> Self {
        let mut registers = [0; 64];
        registers[usize::from(register::A)] = 0x26;
        registers[usize::from(register::B)] = HOURS_24;
        Self {
            index: 0,
            registers,
            offset: 0,
            // 1 January 2000 was a Saturday, which the chip counts as day 7.
            week_offset: 6,
            flags: 0,
            seen: 0,
            clock_due: None,
            periodic_due: None,
            periodic_fraction: 0,
            cpu_hz: 0,
            irq_since: None,
        }
    }
}

impl State {
    fn of(&self, register: u8) -> u8 {
        self.registers[usize::from(register)]
    }

    fn set(&mut self, register: u8, value: u8) {
        self.registers[usize::from(register)] = value;
    }

    /// Whether time passes: not while a program sets it, nor while the dividers are held (DV2 and DV1 set).
    fn runs(&self) -> bool {
        self.of(register::B) & SET == 0 && self.of(register::A) & 0x60 != 0x60
    }

    // ---- time ----

    fn ask(context: &mut Context<'_>) -> i64 {
        context.outside.clock(context.at, ClockKind::Host)
    }

    /// The chip's time in nanoseconds since 2000, when the host's clock reads `host`.
    fn time(&self, host: i64) -> i64 {
        host.wrapping_sub(EPOCH * SECOND).wrapping_add(self.offset.cast_signed())
    }

    /// A number as the registers have it: two decimal digits, or binary.
    fn encoded(&self, number: u8) -> u8 {
        if self.of(register::B) & DM != 0 { number } else { ((number / 10) << 4) | (number % 10) }
    }

    fn decoded(&self, byte: u8) -> u8 {
        if self.of(register::B) & DM != 0 { byte } else { (byte >> 4) * 10 + (byte & 0x0F) }
    }

    fn encoded_hours(&self, hours: u8) -> u8 {
        if self.of(register::B) & HOURS_24 != 0 {
            return self.encoded(hours);
        }
        let pm = if hours >= 12 { PM } else { 0 };
        self.encoded((hours + 11) % 12 + 1) | pm
    }

    fn decoded_hours(&self, byte: u8) -> u8 {
        if self.of(register::B) & HOURS_24 != 0 {
            return self.decoded(byte);
        }
        self.decoded(byte & !PM) % 12 + if byte & PM != 0 { 12 } else { 0 }
    }

    /// A register of the time, at a second since 2000.
    fn time_register(&self, register: u8, second: i64) -> u8 {
        let moment = Moment::at(second);
        match register {
            register::SECONDS => self.encoded(moment.seconds),
            register::MINUTES => self.encoded(moment.minutes),
            register::HOURS => self.encoded_hours(moment.hours),
            register::DAY_OF_WEEK => {
                let day = second.div_euclid(DAY) + i64::from(self.week_offset);
                self.encoded(day.rem_euclid(7) as u8 + 1)
            }
            register::DATE_OF_MONTH => self.encoded(moment.date),
            register::MONTH => self.encoded(moment.month),
            _ => self.encoded(moment.year),
        }
    }

    /// Writes the time into its registers, where it stays while the clock stands still.
    fn freeze(&mut self, host: i64) {
        let second = self.time(host).div_euclid(SECOND);
        for register in TIME_REGISTERS {
            self.set(register, self.time_register(register, second));
        }
    }

    /// Takes the time from its registers, with `part` nanoseconds of a second gone.
    fn thaw(&mut self, host: i64, part: i64) {
        let moment = Moment {
            seconds: self.decoded(self.of(register::SECONDS)),
            minutes: self.decoded(self.of(register::MINUTES)),
            hours: self.decoded_hours(self.of(register::HOURS)),
            date: self.decoded(self.of(register::DATE_OF_MONTH)),
            month: self.decoded(self.of(register::MONTH)),
            year: self.decoded(self.of(register::YEAR)),
        };
        let second = moment.seconds_since_2000();
        self.offset =
            (second * SECOND + part).wrapping_sub(host.wrapping_sub(EPOCH * SECOND)).cast_unsigned();
        let day_of_week = i64::from(self.decoded(self.of(register::DAY_OF_WEEK))) - 1;
        self.week_offset = (day_of_week - second.div_euclid(DAY)).rem_euclid(7) as u8;
        self.seen = second.cast_unsigned();
    }

    // ---- alarm and update ----

    /// The first second after `second`, up to `last`, that the alarm matches.
    fn next_match(&self, second: i64, last: i64) -> Option<i64> {
        let is = |register, now| {
            let alarm = self.of(register);
            alarm & DO_NOT_CARE == DO_NOT_CARE || alarm == now
        };
        let mut second = second + 1;
        while second <= last {
            let moment = Moment::at(second);
            // What cannot match is passed over as a whole.
            let step = if !is(register::HOURS_ALARM, self.encoded_hours(moment.hours)) {
                3600
            } else if !is(register::MINUTES_ALARM, self.encoded(moment.minutes)) {
                60
            } else if !is(register::SECONDS_ALARM, self.encoded(moment.seconds)) {
                1
            } else {
                return Some(second);
            };
            second += step - second.rem_euclid(step);
        }
        None
    }

    /// Sets the flags of what has happened up to now.
    fn advance_clock(&mut self, host: i64, at: u64) {
        if !self.runs() {
            return;
        }
        let (seen, second) = (self.seen.cast_signed(), self.time(host).div_euclid(SECOND));
        self.seen = second.cast_unsigned();
        if second > seen {
            let rings = self.next_match(seen.max(second - DAY), second).is_some();
            self.flags |= UPDATE | if rings { ALARM } else { 0 };
            self.drive_line(at);
        }
    }

    /// When the host's clock must be looked at for an interrupt that is enabled.
    fn plan_clock(&mut self) {
        let wanted = self.of(register::B) & !self.flags;
        let seen = self.seen.cast_signed();
        let second = match (self.runs(), wanted & UPDATE != 0, wanted & ALARM != 0) {
            (true, true, _) => Some(seen + 1),
            (true, false, true) => self.next_match(seen, seen + DAY),
            _ => None,
        };
        self.clock_due = second.map(|second| {
            let time = second.wrapping_mul(SECOND).wrapping_add(EPOCH * SECOND);
            time.wrapping_sub(self.offset.cast_signed()).cast_unsigned()
        });
    }

    // ---- the periodic event ----

    /// The period in ticks of the time base (data sheet, Table 5); `None` when it is off.
    fn period(&self) -> Option<u128> {
        match self.of(register::A) & 0x0F {
            0 => None,
            // The two fastest taps come again as the slowest do.
            rate @ 1..=2 => Some(1 << (rate + 6)),
            rate => Some(1 << (rate - 1)),
        }
    }

    fn advance_periodic(&mut self, now: u64) {
        let Some(first) = self.periodic_due.filter(|&due| due <= now) else { return };
        let parts = self.period().unwrap_or(1).saturating_mul(self.cpu_hz.max(1).into());
        let due = u128::from(first) * TIME_BASE + u128::from(self.periodic_fraction);
        let passed = ((u128::from(now) + 1) * TIME_BASE - due).div_ceil(parts);
        let next = due + passed * parts;
        self.periodic_due = Some(u64::try_from(next / TIME_BASE).unwrap_or(u64::MAX));
        self.periodic_fraction = (next % TIME_BASE) as u16;
        self.flags |= PERIODIC;
        self.drive_line(first);
    }

    /// Begins the first period.
    fn plan_periodic(&mut self, context: &Context<'_>) {
        let dividers_run = self.of(register::A) & 0x60 != 0x60;
        let parts = self.period().filter(|_| dividers_run).map(|ticks| ticks * u128::from(context.clock_hz));
        self.cpu_hz = context.clock_hz;
        self.periodic_fraction = (parts.unwrap_or(0) % TIME_BASE) as u16;
        self.periodic_due = parts.map(|parts| {
            let cycles = u64::try_from(parts / TIME_BASE).unwrap_or(u64::MAX);
            context.at.cycles.saturating_add(cycles.max(1))
        });
    }

    fn drive_line(&mut self, at: u64) {
        let request = self.flags & self.of(register::B) & SOURCES != 0;
        self.irq_since = request.then(|| self.irq_since.unwrap_or(at));
    }

    fn flags(&self) -> u8 {
        self.flags | if self.irq_since.is_some() { IRQF } else { 0 }
    }

    // ---- accesses ----

    fn read_data(&mut self, context: &mut Context<'_>) -> u8 {
        let at = context.at.cycles;
        match self.index {
            register if TIME_REGISTERS.contains(&register) && self.runs() => {
                let host = Self::ask(context);
                let value = self.time_register(register, self.time(host).div_euclid(SECOND));
                self.set(register, value);
                value
            }
            register::A if self.runs() => {
                let part = self.time(Self::ask(context)).rem_euclid(SECOND);
                let update = if part >= SECOND - UPDATE_NS { UIP } else { 0 };
                let value = self.of(register::A) & !UIP | update;
                self.set(register::A, value);
                value
            }
            register::A => self.of(register::A) & !UIP,
            register::C => {
                if self.runs() {
                    let host = Self::ask(context);
                    self.advance_clock(host, at);
                }
                let flags = self.flags();
                self.flags = 0;
                self.drive_line(at);
                self.plan_clock();
                flags
            }
            _ => self.shown(),
        }
    }

    /// [`DATA`] as known without asking the clock.
    fn shown(&self) -> u8 {
        match self.index {
            register::C => self.flags(),
            register::D => VRT,
            register => self.of(register),
        }
    }

    fn write_data(&mut self, value: u8, context: &mut Context<'_>) {
        match self.index {
            register::A | register::B => self.write_control(value, context),
            register::C | register::D => {}
            register if TIME_REGISTERS.contains(&register) && self.runs() => {
                let host = Self::ask(context);
                let part = self.time(host).rem_euclid(SECOND);
                self.advance_clock(host, context.at.cycles);
                self.freeze(host);
                self.set(register, value);
                self.thaw(host, part);
                self.plan_clock();
            }
            register @ (register::SECONDS_ALARM | register::MINUTES_ALARM | register::HOURS_ALARM) => {
                if self.runs() {
                    let host = Self::ask(context);
                    self.advance_clock(host, context.at.cycles);
                }
                self.set(register, value);
                self.plan_clock();
            }
            register => self.set(register, value),
        }
    }

    /// Registers A and B: what they switch on or off, and whether time stands still.
    fn write_control(&mut self, value: u8, context: &mut Context<'_>) {
        let at = context.at.cycles;
        let host = Self::ask(context);
        let part = self.time(host).rem_euclid(SECOND);
        let (ran, held) = (self.runs(), self.of(register::A) & 0x60 == 0x60);
        self.advance_clock(host, at);
        if ran {
            self.freeze(host);
        }
        let before = self.of(register::A) & !UIP;
        if self.index == register::A {
            self.set(register::A, value & !UIP);
        } else {
            self.set(register::B, if value & SET != 0 { value & !UPDATE } else { value });
        }
        // The rate of power-on counts from when a program first takes an interest.
        if self.periodic_due.is_none() || before != self.of(register::A) & !UIP {
            self.plan_periodic(context);
        }
        match (ran, self.runs()) {
            // The first update comes half a second after the dividers are let go (data sheet, Divider Control).
            (false, true) if held => self.thaw(host, SECOND / 2),
            (false, true) => self.thaw(host, part),
            _ => {}
        }
        self.drive_line(at);
        self.plan_clock();
    }
}

impl Mc146818 {
    /// A clock with a good battery, set to the host's time: 24 hours, decimal digits, 1024 Hz.
    pub fn new(_config: Config) -> Self {
        Self::default()
    }

    fn restored(&mut self) -> Result<(), PersistError> {
        if self.state.index >= 64 {
            return Err(PersistError::Invalid("index"));
        }
        let second = self.state.seen.cast_signed();
        if !(i64::MIN / SECOND..=i64::MAX / SECOND).contains(&second) {
            return Err(PersistError::Invalid("seen"));
        }
        if u128::from(self.state.periodic_fraction) >= TIME_BASE {
            return Err(PersistError::Invalid("periodic_fraction"));
        }
        Ok(())
    }
}

/// The registers that hold the time.
const TIME_REGISTERS: [u8; 7] = [
    register::SECONDS,
    register::MINUTES,
    register::HOURS,
    register::DAY_OF_WEEK,
    register::DATE_OF_MONTH,
    register::MONTH,
    register::YEAR,
];

impl Device for Mc146818 {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn register_count(&self) -> u16 {
        2
    }

    fn read(&mut self, offset: u16, context: &mut Context<'_>) -> u8 {
        self.state.advance_periodic(context.at.cycles);
        if offset == INDEX { self.state.index } else { self.state.read_data(context) }
    }

    fn write(&mut self, offset: u16, value: u8, context: &mut Context<'_>) {
        self.state.advance_periodic(context.at.cycles);
        if offset == INDEX {
            self.state.index = value & 0x3F;
        } else {
            self.state.write_data(value, context);
        }
    }

    /// The time is as last read: the host's clock is not asked.
    fn peek(&self, offset: u16, now: u64) -> u8 {
        if offset == INDEX {
            return self.state.index;
        }
        let mut later = self.state.clone();
        later.advance_periodic(now);
        later.shown()
    }

    /// Periodic events are worked out when somebody looks, unless the next one interrupts.
    fn next_timer(&self) -> Option<u64> {
        let interrupts = self.state.of(register::B) & !self.state.flags & PERIODIC != 0;
        self.state.periodic_due.filter(|_| interrupts)
    }

    fn run_timer(&mut self, context: &mut Context<'_>) {
        self.state.advance_periodic(context.at.cycles);
    }

    fn catch_up(&mut self, now: u64) {
        self.state.advance_periodic(now);
    }

    fn irq(&self) -> Option<u64> {
        self.state.irq_since
    }

    fn next_irq(&self) -> Option<u64> {
        self.next_timer().filter(|_| self.state.irq_since.is_none())
    }

    /// The RESET pin: interrupts and the square wave are off, flags are cleared; time and RAM go on (data sheet, RESET).
    fn reset(&mut self, now: u64) {
        self.state.advance_periodic(now);
        let kept = self.state.of(register::B) & !(SOURCES | SQWE);
        self.state.set(register::B, kept);
        (self.state.flags, self.state.irq_since, self.state.clock_due) = (0, None, None);
    }

    fn next_clock_timer(&self, clock: ClockKind) -> Option<i64> {
        self.state.clock_due.filter(|_| clock == ClockKind::Host).map(u64::cast_signed)
    }

    fn run_clock_timer(&mut self, clock: ClockKind, now: i64, context: &mut Context<'_>) {
        if clock == ClockKind::Host {
            self.state.advance_periodic(context.at.cycles);
            self.state.advance_clock(now, context.at.cycles);
            self.state.plan_clock();
        }
    }

    fn clone_box(&self) -> Box<dyn Device> {
        Box::new(self.clone())
    }
}
