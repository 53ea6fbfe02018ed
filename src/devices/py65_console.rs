//! The console of py65's monitor: not a chip, two addresses that ROMs made for it know.
//!
//! A write of F001 prints the byte, a read of F004 gives the next key, or 0 while there is none. Both lie on top of
//! whatever memory is there: a read of F001, a write of F004 and every access between them go to that memory, so the
//! device [claims](crate::devices::Device::claims) just these two.

use std::collections::VecDeque;

use super::{Context, Device, QuietRead};

/// The name in board files.
pub const KIND: &str = "py65_console";

/// The option names of [`Config`].
pub(super) const OPTIONS: &[&str] = &[];

/// Offset of the output byte (F001).
pub const PUTC: u16 = 0;

/// Offset of the input byte (F004).
pub const GETC: u16 = 3;

/// The console has no options.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// The console.
#[derive(Clone, Debug, Default)]
pub struct Py65Console {
    /// Keys that the guest has not read.
    getc: VecDeque<u8>,
    /// The byte printed last.
    putc: u8,
}

persist!(Py65Console { getc, putc });

impl Py65Console {
    /// A console with no key waiting.
    pub fn new(_config: Config) -> Self {
        Self::default()
    }
}

impl Device for Py65Console {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn register_count(&self) -> u16 {
        4
    }

    fn claims(&self, offset: u16, write: bool) -> bool {
        offset == if write { PUTC } else { GETC }
    }

    fn quiet_read(&self, offset: u16, _now: u64) -> Option<QuietRead> {
        (offset == GETC && self.getc.is_empty()).then_some(QuietRead::for_ever(0))
    }

    fn read(&mut self, offset: u16, _context: &mut Context<'_>) -> u8 {
        if offset == GETC { self.getc.pop_front().unwrap_or(0) } else { 0 }
    }

    fn write(&mut self, offset: u16, value: u8, context: &mut Context<'_>) {
        if offset == PUTC {
            self.putc = value;
            let _ = context.outside.char_write(context.at, context.char_id, &[value]);
        }
    }

    fn peek(&self, offset: u16, _now: u64) -> u8 {
        if offset == GETC { self.getc.front().copied().unwrap_or(0) } else { 0 }
    }

    fn next_timer(&self) -> Option<u64> {
        None
    }

    fn run_timer(&mut self, _context: &mut Context<'_>) {}

    fn catch_up(&mut self, _now: u64) {}

    fn irq(&self) -> Option<u64> {
        None
    }

    /// Keys typed ahead stay: they are the host's, not the machine's.
    fn reset(&mut self, _now: u64) {}

    fn receive(&mut self, bytes: &[u8], _context: &mut Context<'_>) {
        self.getc.extend(bytes);
    }

    fn is_char(&self) -> bool {
        true
    }

    fn pending_input(&self) -> usize {
        self.getc.len()
    }

    fn clone_box(&self) -> Box<dyn Device> {
        Box::new(self.clone())
    }
}
