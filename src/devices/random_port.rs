//! A port that gives the host's entropy, a byte at a time. A design of our own.

use super::{Context, Device, QuietRead};

/// The name in board files.
pub const KIND: &str = "random_port";

/// The option names of [`Config`].
pub(super) const OPTIONS: &[&str] = &[];

/// A read asks for a byte; 0 when there is none.
pub const DATA: u16 = 0;
/// 0 when the last read of [`DATA`] gave entropy; else the host's error number, 1 to 255.
pub const STATUS: u16 = 1;

/// The port has no options.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// The port.
#[derive(Clone, Debug, Default)]
pub struct RandomPort {
    /// The byte that was given last.
    data: u8,
    status: u8,
}

persist!(RandomPort { data, status });

impl RandomPort {
    /// A port that has not been asked.
    pub fn new(_config: Config) -> Self {
        Self::default()
    }

    fn ask(&mut self, context: &mut Context<'_>) -> u8 {
        let mut byte = [0];
        let result = context.outside.random(context.at, &mut byte);
        (self.data, self.status) = if result < 0 {
            (0, u8::try_from(result.unsigned_abs()).unwrap_or(u8::MAX))
        } else {
            (byte[0], 0)
        };
        self.data
    }
}

impl Device for RandomPort {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn register_count(&self) -> u16 {
        2
    }

    fn read(&mut self, offset: u16, context: &mut Context<'_>) -> u8 {
        if offset == DATA { self.ask(context) } else { self.status }
    }

    fn quiet_read(&self, offset: u16, _now: u64) -> Option<QuietRead> {
        (offset == STATUS).then_some(QuietRead::for_ever(self.status))
    }

    /// Nothing can be written.
    fn write(&mut self, _offset: u16, _value: u8, _context: &mut Context<'_>) {}

    /// Shows the byte that was given last: entropy that nobody has asked for is not known.
    fn peek(&self, offset: u16, _now: u64) -> u8 {
        if offset == DATA { self.data } else { self.status }
    }

    fn next_timer(&self) -> Option<u64> {
        None
    }

    fn run_timer(&mut self, _context: &mut Context<'_>) {}

    fn catch_up(&mut self, _now: u64) {}

    fn irq(&self) -> Option<u64> {
        None
    }

    fn reset(&mut self, _now: u64) {
        *self = Self::default();
    }

    fn clone_box(&self) -> Box<dyn Device> {
        Box::new(self.clone())
    }
}
