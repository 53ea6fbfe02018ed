//! The user's own device: a window of registers whose reads, writes and ticks are answered outside.
//!
//! The chip itself is not here: each access is a question to the host side ([`CharRequest`]), and the answer is logged as
//! coming from outside. So a replay has the answers and needs no chip.

use super::{Context, Device, DeviceError};
use crate::nondet::CharRequest;

/// The name in board files.
pub const KIND: &str = "user";

/// The option names of [`Config`].
pub(super) const OPTIONS: &[&str] = &["size", "tick_cycles"];

/// What a read gives that nobody answers.
const NO_ANSWER: u8 = 0xFF;

/// Options.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Number of register addresses, 1 to 256.
    #[serde(default = "one")]
    pub size: u16,
    /// Cycles between two ticks; none without it.
    pub tick_cycles: Option<u64>,
}

fn one() -> u16 {
    1
}

/// The fewest cycles between two ticks: each is a call out of the engine.
const TICK_CYCLES_MIN: u64 = 10;
/// The most cycles between two ticks.
const TICK_CYCLES_MAX: u64 = 1_000_000_000;

/// The window.
#[derive(Clone, Debug)]
pub struct User {
    size: u16,
    tick_cycles: Option<u64>,
    state: State,
}

#[derive(Clone, Debug)]
struct State {
    /// What was last read or written, by register.
    registers: Vec<u8>,
    /// The cycle of the next tick.
    next_tick: Option<u64>,
    /// The cycle since which the interrupt line is held.
    irq: Option<u64>,
    /// Questions that were answered with an error, modulo 2^32.
    errors: u32,
}

persist!(State { registers, next_tick, irq, errors });
persist_parts!(User { state } checked by checked);

impl User {
    /// A window that nobody stands behind yet.
    ///
    /// # Errors
    /// A size or a tick out of range.
    pub fn new(config: Config) -> Result<Self, DeviceError> {
        let bad = |option: &str, problem: String| DeviceError::BadOption {
            kind: KIND,
            option: option.to_owned(),
            problem,
        };
        if !(1..=256).contains(&config.size) {
            return Err(bad("size", format!("{} registers; give 1 to 256", config.size)));
        }
        if let Some(cycles) = config.tick_cycles
            && !(TICK_CYCLES_MIN..=TICK_CYCLES_MAX).contains(&cycles)
        {
            let problem = format!("{cycles} cycles; give {TICK_CYCLES_MIN} to {TICK_CYCLES_MAX}");
            return Err(bad("tick_cycles", problem));
        }
        Ok(Self {
            size: config.size,
            tick_cycles: config.tick_cycles,
            state: State {
                registers: vec![NO_ANSWER; usize::from(config.size)],
                next_tick: config.tick_cycles,
                irq: None,
                errors: 0,
            },
        })
    }

    /// Asks; the answer's byte, if it has one.
    fn ask(&mut self, request: CharRequest<'_>, context: &mut Context<'_>) -> Option<u8> {
        let mut answer = [0];
        let result = context.outside.char_request(context.at, context.char_id, request, &mut answer);
        self.state.errors = self.state.errors.wrapping_add(u32::from(result < 0));
        (result > 0).then_some(answer[0])
    }

    /// An answer that tells the level of the interrupt output.
    fn drive(&mut self, level: Option<u8>, cycle: u64) {
        match level {
            Some(0) => self.state.irq = None,
            Some(_) => drop(self.state.irq.get_or_insert(cycle)),
            None => {}
        }
    }

    /// As many registers as there are, and no tick where none was asked for.
    fn checked(&mut self) -> Result<(), crate::persist::PersistError> {
        self.state.registers.resize(usize::from(self.size), NO_ANSWER);
        self.state.next_tick = self.tick_cycles.and(self.state.next_tick);
        Ok(())
    }
}

impl Device for User {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn register_count(&self) -> u16 {
        self.size
    }

    fn read(&mut self, offset: u16, context: &mut Context<'_>) -> u8 {
        let value = self.ask(CharRequest::RegisterRead { offset }, context).unwrap_or(NO_ANSWER);
        self.state.registers[usize::from(offset)] = value;
        value
    }

    fn write(&mut self, offset: u16, value: u8, context: &mut Context<'_>) {
        self.state.registers[usize::from(offset)] = value;
        let level = self.ask(CharRequest::RegisterWrite { offset, value }, context);
        self.drive(level, context.at.cycles);
    }

    /// What was last read or written there: to ask would be an access.
    fn peek(&self, offset: u16, _now: u64) -> u8 {
        self.state.registers[usize::from(offset)]
    }

    fn next_timer(&self) -> Option<u64> {
        self.state.next_tick
    }

    fn run_timer(&mut self, context: &mut Context<'_>) {
        let Some(due) = self.state.next_tick.filter(|due| *due <= context.at.cycles) else { return };
        // From the tick that was due, so that ticks do not drift; those that a long wait has passed are one.
        let period = self.tick_cycles.unwrap_or(TICK_CYCLES_MAX);
        let passed = (context.at.cycles - due) / period;
        self.state.next_tick = due.checked_add((passed + 1).saturating_mul(period));
        let level = self.ask(CharRequest::Tick, context);
        self.drive(level, due);
    }

    /// What is due has been done by `run_timer`.
    fn catch_up(&mut self, _now: u64) {}

    fn irq(&self) -> Option<u64> {
        self.state.irq
    }

    /// The window has no reset pin; what stands behind it may watch for the machine's reset by itself.
    fn reset(&mut self, _now: u64) {}

    fn is_char(&self) -> bool {
        true
    }

    fn clone_box(&self) -> Box<dyn Device> {
        Box::new(self.clone())
    }
}
