//! The Apple-1's keyboard and display.

use super::Context;
use std::collections::VecDeque;

/// Cycles from a key that was read to the next one: about a millisecond, so that a program may read a key twice.
const KEY_CYCLES: u64 = 1000;

const CARRIAGE_RETURN: u8 = 0x0D;
const LINE_FEED: u8 = 0x0A;

/// Keys on their way, and how long the display is busy.
#[derive(Clone, Debug, Default)]
pub(super) struct Apple1 {
    /// Keys typed that are not on the port yet.
    keys: VecDeque<u8>,
    /// The cycle at which the next one comes.
    pub key_due: Option<u64>,
    /// Whether a key is on the port that was not read.
    key_waits: bool,
    /// Whether the last byte typed was a CR, to which a following LF belongs.
    after_return: bool,
    /// The cycle at which the display takes the next character.
    display_free: u64,
}

persist!(Apple1 { keys, key_due, key_waits, after_return, display_free });

impl Apple1 {
    /// Bytes of a host as keys: the keyboard has capitals only, and no line feed.
    pub fn type_keys(&mut self, bytes: &[u8], now: u64) {
        for &byte in bytes {
            let key = match byte {
                LINE_FEED if self.after_return => {
                    self.after_return = false;
                    continue;
                }
                LINE_FEED => CARRIAGE_RETURN,
                byte => byte.to_ascii_uppercase() & 0x7F,
            };
            self.after_return = byte == CARRIAGE_RETURN;
            self.keys.push_back(key);
        }
        if !self.key_waits && !self.keys.is_empty() {
            self.key_due.get_or_insert(now);
        }
    }

    /// The key that comes on the port by now, and when.
    pub fn take_key(&mut self, now: u64) -> Option<(u8, u64)> {
        let cycle = self.key_due.take_if(|due| *due <= now)?;
        let key = self.keys.pop_front()?;
        self.key_waits = true;
        Some((key, cycle))
    }

    pub fn key_was_read(&mut self, now: u64) {
        if std::mem::take(&mut self.key_waits) && !self.keys.is_empty() {
            self.key_due = Some(now + KEY_CYCLES);
        }
    }

    pub fn waiting(&self) -> usize {
        self.keys.len() + usize::from(self.key_waits)
    }

    pub fn is_busy(&self, now: u64) -> bool {
        now < self.display_free
    }

    /// A character for the display: 64 of them, capitals, and the carriage return; others are not shown.
    pub fn display(&mut self, value: u8, cycles: u64, context: &mut Context<'_>) {
        let text: &[u8] = match value & 0x7F {
            CARRIAGE_RETURN => b"\r\n",
            shown @ 0x20..=0x5F => &[shown],
            small @ 0x60..=0x7E => &[small - 0x20],
            _ => &[],
        };
        self.display_free = context.at.cycles.saturating_add(cycles);
        if !text.is_empty() {
            let _ = context.outside.char_write(context.at, context.char_id, text);
        }
    }
}
