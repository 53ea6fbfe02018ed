//! Pulses: no chip, but an interrupt line that is low in cycles which a test has chosen. Only with the feature `testing`.
//!
//! It answers at no address. Chips release their lines when a program tells them to; this one does it by itself, so that
//! pulses of any length come at any cycle.

use super::{Context, Device, DeviceError};

/// The name in board files.
pub const KIND: &str = "pulses";

/// The option names of [`Config`].
pub(super) const OPTIONS: &[&str] = &["low", "every"];

/// When the line is low.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// First and last cycle of each pulse, in order, with a cycle at least between them.
    pub low: Vec<(u64, u64)>,
    /// The whole comes again after so many cycles; at least two more than the last of them.
    pub every: Option<u64>,
}

/// The line.
#[derive(Clone, Debug)]
pub struct Pulses {
    config: Config,
    /// The cycle up to which everything has been done.
    time: u64,
}

persist!(Pulses { time } skip { config });

impl Pulses {
    /// # Errors
    /// Pulses that are not in order, or touch.
    pub fn new(config: Config) -> Result<Self, DeviceError> {
        let ends = config.low.iter().flat_map(|&(first, last)| [first, last + 1]);
        let ends: Vec<u64> = ends.chain(config.every).collect();
        if ends.is_sorted_by(|one, other| one < other) {
            return Ok(Self { config, time: 0 });
        }
        let problem = "give pulses in order that do not touch".to_owned();
        Err(DeviceError::BadOption { kind: KIND, option: "low".to_owned(), problem })
    }

    /// The cycle in which the turn of pulses began that `cycle` is in.
    fn turn(&self, cycle: u64) -> u64 {
        self.config.every.map_or(0, |every| cycle - cycle % every)
    }

    /// The first cycle of the pulse that `cycle` is in.
    fn low_since(&self, cycle: u64) -> Option<u64> {
        let turn = self.turn(cycle);
        let found = self.config.low.iter().find(|(first, last)| (*first..=*last).contains(&(cycle - turn)));
        found.map(|(first, _)| turn + first)
    }

    fn next_change(&self, after: u64) -> Option<u64> {
        let turns = [Some(self.turn(after)), self.config.every.map(|every| self.turn(after) + every)];
        let ends = |turn: u64| {
            self.config.low.iter().flat_map(move |&(first, last)| [turn + first, turn + last + 1])
        };
        turns.into_iter().flatten().flat_map(ends).find(|&end| end > after)
    }
}

impl Device for Pulses {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn register_count(&self) -> u16 {
        1
    }

    fn claims(&self, _offset: u16, _write: bool) -> bool {
        false
    }

    fn read(&mut self, _offset: u16, _context: &mut Context<'_>) -> u8 {
        unreachable!("it claims no address")
    }

    fn write(&mut self, _offset: u16, _value: u8, _context: &mut Context<'_>) {}

    fn peek(&self, _offset: u16, _now: u64) -> u8 {
        0
    }

    fn next_timer(&self) -> Option<u64> {
        self.next_change(self.time)
    }

    fn run_timer(&mut self, context: &mut Context<'_>) {
        self.catch_up(context.at.cycles);
    }

    fn catch_up(&mut self, now: u64) {
        self.time = self.time.max(now);
    }

    fn as_of(&self) -> Option<u64> {
        Some(self.time)
    }

    fn irq(&self) -> Option<u64> {
        self.low_since(self.time)
    }

    fn next_line_change(&self, after: u64) -> Option<u64> {
        self.next_change(after)
    }

    /// The line is not the machine's.
    fn reset(&mut self, _now: u64) {}

    fn clone_box(&self) -> Box<dyn Device> {
        Box::new(self.clone())
    }
}
