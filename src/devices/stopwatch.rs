//! A stopwatch and alarm on the time that passes for the user while the machine runs. A design of our own.
//!
//! It counts what a person would: the host's monotonic clock, which stands still between two runs. So how long a program
//! takes differs from run to run, and is recorded.

use super::{Context, Device, QuietRead, flags};
use crate::nondet::ClockKind;

/// The name in board files.
pub const KIND: &str = "stopwatch";

/// The option names of [`Config`].
pub(super) const OPTIONS: &[&str] = &[];

/// Bit 0: interrupts while the alarm's bit of [`STATUS`] is set.
pub const CONTROL: u16 = 0;
/// [`status`] bits; the alarm's, written as 1, is cleared.
pub const STATUS: u16 = 1;
/// Any write starts again from 0. Reads as 0.
pub const START: u16 = 2;
/// Microseconds since the start, lowest byte of four; a read takes the time for all four.
pub const TIME: u16 = 4;
/// Microseconds until the alarm rings, lowest byte of four; a write of the last one sets the alarm, or takes it away
/// when all are 0.
pub const ALARM: u16 = 8;

/// Bits of [`STATUS`].
pub mod status {
    /// The alarm has rung.
    pub const ALARM: u8 = 0x01;
    /// The alarm is set.
    pub const ARMED: u8 = 0x02;
    /// The interrupt line is held.
    pub const IRQ: u8 = 0x80;
}

/// The bit of [`CONTROL`].
pub const INTERRUPT: u8 = 0x01;

const LAST: u16 = 3;

/// The stopwatch has no options.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// The stopwatch.
#[derive(Clone, Debug, Default)]
pub struct Stopwatch {
    control: u8,
    rung: bool,
    /// Microseconds, as last taken.
    time: u32,
    /// Microseconds, as written.
    alarm: u32,
    /// What the clock read at the start, in nanoseconds, as the bits of an `i64`.
    started: u64,
    /// What it will read when the alarm rings.
    alarm_due: Option<u64>,
    /// The cycle since which the interrupt line is held.
    irq_since: Option<u64>,
}

persist!(Stopwatch { control, rung, time, alarm, started, alarm_due, irq_since });

/// `word` with one of its bytes replaced.
fn with_byte(word: u32, index: u16, value: u8) -> u32 {
    let mut bytes = word.to_le_bytes();
    bytes[usize::from(index)] = value;
    u32::from_le_bytes(bytes)
}

impl Stopwatch {
    /// A stopwatch that counts from the start of the machine's first run.
    pub fn new(_config: Config) -> Self {
        Self::default()
    }

    fn now(context: &mut Context<'_>) -> i64 {
        context.outside.clock(context.at, ClockKind::VirtualRt)
    }

    fn drive_line(&mut self, at: u64) {
        let request = self.rung && self.control & INTERRUPT != 0;
        self.irq_since = request.then(|| self.irq_since.unwrap_or(at));
    }

    fn status(&self) -> u8 {
        flags([
            (status::ALARM, self.rung),
            (status::ARMED, self.alarm_due.is_some()),
            (status::IRQ, self.irq_since.is_some()),
        ])
    }

    fn set_alarm(&mut self, context: &mut Context<'_>) {
        self.alarm_due = (self.alarm != 0).then(|| {
            let due = Self::now(context).saturating_add(i64::from(self.alarm) * 1000);
            due.cast_unsigned()
        });
    }

    fn register(&self, offset: u16) -> u8 {
        match offset {
            CONTROL => self.control,
            STATUS => self.status(),
            TIME..ALARM => self.time.to_le_bytes()[usize::from(offset - TIME)],
            ALARM.. => self.alarm.to_le_bytes()[usize::from(offset - ALARM)],
            _ => 0,
        }
    }
}

impl Device for Stopwatch {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn register_count(&self) -> u16 {
        12
    }

    fn read(&mut self, offset: u16, context: &mut Context<'_>) -> u8 {
        if offset == TIME {
            let passed = Self::now(context).saturating_sub(self.started.cast_signed());
            // Wraps after 71 minutes, as a counter of 32 bits does.
            self.time = (passed / 1000) as u32;
        }
        self.register(offset)
    }

    fn quiet_read(&self, offset: u16, _now: u64) -> Option<QuietRead> {
        (offset != TIME).then(|| QuietRead::for_ever(self.register(offset)))
    }

    fn write(&mut self, offset: u16, value: u8, context: &mut Context<'_>) {
        match offset {
            CONTROL => self.control = value & INTERRUPT,
            STATUS => self.rung &= value & status::ALARM == 0,
            START => self.started = Self::now(context).cast_unsigned(),
            ALARM.. => {
                self.alarm = with_byte(self.alarm, offset - ALARM, value);
                if offset == ALARM + LAST {
                    self.set_alarm(context);
                }
            }
            _ => {}
        }
        self.drive_line(context.at.cycles);
    }

    /// The time is as last taken: the clock is not asked.
    fn peek(&self, offset: u16, _now: u64) -> u8 {
        self.register(offset)
    }

    fn next_timer(&self) -> Option<u64> {
        None
    }

    fn run_timer(&mut self, _context: &mut Context<'_>) {}

    fn catch_up(&mut self, _now: u64) {}

    fn irq(&self) -> Option<u64> {
        self.irq_since
    }

    /// The alarm is taken away and the registers are cleared; the time goes on.
    fn reset(&mut self, _now: u64) {
        *self = Self { started: self.started, ..Self::default() };
    }

    fn next_clock_timer(&self, clock: ClockKind) -> Option<i64> {
        self.alarm_due.filter(|_| clock == ClockKind::VirtualRt).map(u64::cast_signed)
    }

    fn run_clock_timer(&mut self, clock: ClockKind, now: i64, context: &mut Context<'_>) {
        if clock == ClockKind::VirtualRt && self.alarm_due.take_if(|due| due.cast_signed() <= now).is_some() {
            self.rung = true;
            self.drive_line(context.at.cycles);
        }
    }

    fn clone_box(&self) -> Box<dyn Device> {
        Box::new(self.clone())
    }
}
