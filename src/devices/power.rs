//! Power: shutdown, reset, suspension and what wakes from it, and calls at the next instruction boundary. A design of our
//! own.

use super::{Context, Device, QuietRead, flags};
use crate::nondet::ShutdownCause;

/// The name in board files.
pub const KIND: &str = "power";

/// The option names of [`Config`].
pub(super) const OPTIONS: &[&str] = &[];

/// Does a [`command`]. Reads as 0.
pub const COMMAND: u16 = 0;
/// [`status`] bits; those that are written as 1 are cleared.
pub const STATUS: u16 = 1;
/// The bits of [`STATUS`] that interrupt.
pub const CONTROL: u16 = 2;
/// Milliseconds until the alarm rings, low byte: held until [`ALARM_HIGH`] is written.
pub const ALARM_LOW: u16 = 4;
/// Milliseconds until the alarm rings, high byte; sets the alarm, or takes it away when both are 0.
pub const ALARM_HIGH: u16 = 5;

/// What can be written to [`COMMAND`]; other values do nothing.
pub mod command {
    /// Ends the run.
    pub const SHUTDOWN: u8 = 0x01;
    /// Resets the machine, as its button would.
    pub const RESET: u8 = 0x02;
    /// Stands still until a device interrupts or something comes from outside.
    pub const SUSPEND: u8 = 0x04;
    /// Ends the run and says that the program has failed.
    pub const PANIC: u8 = 0x08;
    /// Sets [`status::CALLED`](super::status::CALLED) at the next instruction boundary.
    pub const CALL: u8 = 0x10;
}

/// Bits of [`STATUS`] and [`CONTROL`].
pub mod status {
    /// The alarm has rung.
    pub const ALARM: u8 = 0x01;
    /// The call that was asked for has been made.
    pub const CALLED: u8 = 0x02;
    /// The machine was suspended. In [`STATUS`](super::STATUS) only.
    pub const SUSPENDED: u8 = 0x04;
    /// The last reset was one that the program asked for. In [`STATUS`](super::STATUS) only.
    pub const RESET: u8 = 0x08;
    /// The interrupt line is held.
    pub const IRQ: u8 = 0x80;
    /// The bits that can interrupt.
    pub const SOURCES: u8 = ALARM | CALLED;
}

/// Power has no options.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// Power.
#[derive(Clone, Debug, Default)]
pub struct Power {
    status: u8,
    control: u8,
    alarm_latch: u8,
    /// The cycle at which the alarm rings.
    alarm: Option<u64>,
    /// The program has asked for a reset that has not come yet.
    resetting: bool,
    /// The cycle since which the interrupt line is held.
    irq_since: Option<u64>,
}

persist!(Power { status, control, alarm_latch, alarm, resetting, irq_since });

impl Power {
    /// As at power-on.
    pub fn new(_config: Config) -> Self {
        Self::default()
    }

    fn advance(&mut self, now: u64) {
        if let Some(due) = self.alarm.take_if(|due| *due <= now) {
            self.status |= status::ALARM;
            self.drive_line(due);
        }
    }

    fn drive_line(&mut self, at: u64) {
        let request = self.status & self.control & status::SOURCES != 0;
        self.irq_since = request.then(|| self.irq_since.unwrap_or(at));
    }

    fn command(&mut self, command: u8, context: &mut Context<'_>) {
        let (at, outside) = (context.at, &mut *context.outside);
        match command {
            command::SHUTDOWN => outside.shutdown_request(at, ShutdownCause::GuestShutdown),
            command::RESET => {
                self.resetting = true;
                outside.shutdown_request(at, ShutdownCause::GuestReset);
            }
            command::SUSPEND => {
                self.status |= status::SUSPENDED;
                outside.suspend_request(at);
            }
            command::PANIC => outside.shutdown_request(at, ShutdownCause::GuestPanic),
            command::CALL => outside.schedule_bh_oneshot(at, context.owner),
            _ => {}
        }
    }

    fn set_alarm(&mut self, high: u8, context: &Context<'_>) {
        let milliseconds = u16::from_le_bytes([self.alarm_latch, high]);
        let cycles = u128::from(milliseconds) * u128::from(context.clock_hz) / 1000;
        let cycles = u64::try_from(cycles).unwrap_or(u64::MAX).max(1);
        self.alarm = (milliseconds != 0).then(|| context.at.cycles.saturating_add(cycles));
    }

    fn register(&self, offset: u16) -> u8 {
        let irq = flags([(status::IRQ, self.irq_since.is_some())]);
        match offset {
            STATUS => self.status | irq,
            CONTROL => self.control,
            ALARM_LOW => self.alarm_latch,
            _ => 0,
        }
    }
}

impl Device for Power {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn register_count(&self) -> u16 {
        6
    }

    fn read(&mut self, offset: u16, context: &mut Context<'_>) -> u8 {
        self.advance(context.at.cycles);
        self.register(offset)
    }

    fn quiet_read(&self, offset: u16, now: u64) -> Option<QuietRead> {
        let until = self.alarm.unwrap_or(u64::MAX);
        (now < until).then(|| QuietRead { value: self.register(offset), until })
    }

    fn write(&mut self, offset: u16, value: u8, context: &mut Context<'_>) {
        self.advance(context.at.cycles);
        match offset {
            COMMAND => self.command(value, context),
            STATUS => self.status &= !value,
            CONTROL => self.control = value & status::SOURCES,
            ALARM_LOW => self.alarm_latch = value,
            ALARM_HIGH => self.set_alarm(value, context),
            _ => {}
        }
        self.drive_line(context.at.cycles);
    }

    fn peek(&self, offset: u16, now: u64) -> u8 {
        let mut later = self.clone();
        later.advance(now);
        later.register(offset)
    }

    fn next_timer(&self) -> Option<u64> {
        self.alarm
    }

    fn run_timer(&mut self, context: &mut Context<'_>) {
        self.advance(context.at.cycles);
    }

    fn catch_up(&mut self, _now: u64) {}

    fn irq(&self) -> Option<u64> {
        self.irq_since
    }

    fn next_irq(&self) -> Option<u64> {
        let interrupts = self.control & status::ALARM != 0 && self.irq_since.is_none();
        self.alarm.filter(|_| interrupts)
    }

    /// Everything is cleared, but that it was the program which asked.
    fn reset(&mut self, _now: u64) {
        let status = if self.resetting { status::RESET } else { 0 };
        *self = Self { status, ..Self::default() };
    }

    fn deferred_call(&mut self, context: &mut Context<'_>) {
        self.advance(context.at.cycles);
        self.status |= status::CALLED;
        self.drive_line(context.at.cycles);
    }

    fn clone_box(&self) -> Box<dyn Device> {
        Box::new(self.clone())
    }
}
