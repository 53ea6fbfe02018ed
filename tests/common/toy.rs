//! A machine of a few instructions, each of which asks the outside for something else.

use rreplay::bus::{Exception, Interrupt};
use rreplay::engine::{Budget, Guest, GuestExit, StuckTimer};
use rreplay::events::{AsyncEvent, Delivery, InputEvent};
use rreplay::nondet::{BlockRequest, CharId, ClockKind, Nondet, Owner, ShutdownCause};
use rreplay::persist::{Digest, Field, PersistError, Reader, Sections};
use rreplay::units::Position;
use std::collections::VecDeque;

/// One instruction of the toy machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    /// Computes, in a number of cycles that depends on the state.
    Work,
    /// Reads the host clock into the state.
    Clock,
    /// Sends a byte of the state to character device 0.
    Print,
    /// Takes a received byte, if there is one, into the state.
    Receive,
    /// Waits for an interrupt.
    Wait,
    /// Masks interrupts.
    Mask,
    /// Unmasks interrupts.
    Unmask,
    /// Reads two bytes of entropy.
    Random,
    /// Raises an exception.
    Break,
    /// Asks for a shutdown.
    ShutDown,
    /// Starts a block request; what it gives comes into the state when it completes.
    Disk,
    /// Asks to be called back.
    CallBack,
    /// Asks to be called back, once.
    CallBackOnce,
    /// Reads what there is to read from the host side of character device 0, now.
    ReadAll,
    /// Schedules a deferred call that asks for another, and so on: [`CHAIN_CALLS`] in all.
    CallChain,
    /// Plays four samples.
    Play,
    /// Records four samples.
    Listen,
    /// Asks to be suspended.
    Suspend,
    /// Stops for good.
    Stop,
}

/// Calls of a chain.
pub const CHAIN_CALLS: u16 = 5;
/// Owner of a chain's last call.
const CHAIN_END: Owner = Owner(100);
/// Owner of a chain's first call.
const CHAIN: Owner = Owner(CHAIN_END.0 + CHAIN_CALLS - 1);

/// A CPU with one accumulator, a timer and a receiver, running `program` in a circle.
#[derive(Clone)]
pub struct Toy {
    pub program: Vec<Op>,
    pub position: Position,
    pub accumulator: u64,
    pub timer_period: Option<u64>,
    pub timer_due: u64,
    pub timer_interrupt: bool,
    pub received: VecDeque<u8>,
    pub masked: bool,
    pub waiting: bool,
    pub stopped: bool,
    pub suspended: bool,
    /// When the timer on each host clock is due.
    pub alarms: [Option<i64>; 2],
}

impl Toy {
    pub fn new(program: Vec<Op>, timer_period: Option<u64>) -> Self {
        Self {
            program,
            position: Position::default(),
            accumulator: 1,
            timer_period,
            timer_due: timer_period.unwrap_or(0),
            timer_interrupt: false,
            received: VecDeque::new(),
            masked: false,
            waiting: false,
            stopped: false,
            suspended: false,
            alarms: [None; 2],
        }
    }

    fn saved(&self) -> Vec<u8> {
        let mut out = Vec::new();
        [self.position.icount, self.position.cycles, self.accumulator, self.timer_due]
            .iter()
            .for_each(|number| number.put(&mut out));
        [self.timer_interrupt, self.masked, self.waiting, self.stopped, self.suspended]
            .iter()
            .for_each(|flag| flag.put(&mut out));
        self.received.put(&mut out);
        self.alarms.map(|due| due.map(i64::cast_unsigned)).iter().for_each(|due| due.put(&mut out));
        out
    }

    fn load(&mut self, reader: &mut Reader<'_>) -> Result<(), PersistError> {
        let position = (u64::take(reader, "icount")?, u64::take(reader, "cycles")?);
        self.position = Position::new(position.0, position.1);
        self.accumulator = u64::take(reader, "accumulator")?;
        self.timer_due = u64::take(reader, "timer_due")?;
        self.timer_interrupt = bool::take(reader, "timer_interrupt")?;
        self.masked = bool::take(reader, "masked")?;
        self.waiting = bool::take(reader, "waiting")?;
        self.stopped = bool::take(reader, "stopped")?;
        self.suspended = bool::take(reader, "suspended")?;
        self.received = VecDeque::take(reader, "received")?;
        for due in &mut self.alarms {
            *due = <Option<u64> as Field>::take(reader, "alarms")?.map(u64::cast_signed);
        }
        reader.clone().finish()
    }

    fn mix(&mut self, value: u64) {
        self.accumulator = (self.accumulator ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
    }

    fn line(&self) -> bool {
        self.timer_interrupt || !self.received.is_empty()
    }

    fn interrupt(&mut self, kind: Interrupt, outside: &mut dyn Nondet) -> bool {
        if !outside.interrupt(self.position, kind) {
            return false;
        }
        self.waiting = false;
        if kind == Interrupt::Irq {
            self.timer_interrupt = false;
            self.mix(77);
            self.masked = true;
            self.position.cycles += 7;
        }
        true
    }

    fn execute(&mut self, op: Op, outside: &mut dyn Nondet) {
        let at = Position::new(self.position.icount, self.position.cycles + 1);
        match op {
            Op::Work => self.mix(3),
            Op::Clock => {
                let now = outside.clock(at, ClockKind::Host);
                self.mix(now.cast_unsigned());
            }
            Op::Print => {
                let byte = (self.accumulator >> 20) as u8;
                let written = outside.char_write(at, CharId(0), &[byte]);
                self.mix(u64::from(written.result.cast_unsigned()));
            }
            Op::Receive => {
                if let Some(byte) = self.received.pop_front() {
                    self.mix(u64::from(byte));
                }
            }
            Op::Wait => self.waiting = true,
            Op::Mask => self.masked = true,
            Op::Unmask => self.masked = false,
            Op::Random => {
                let mut bytes = [0; 2];
                let result = outside.random(at, &mut bytes);
                self.mix(u64::from(u16::from_le_bytes(bytes)) ^ u64::from(result.cast_unsigned()));
            }
            Op::Break => {
                outside.exception(at, Exception::Brk);
                self.mix(5);
            }
            Op::ShutDown => outside.shutdown_request(at, ShutdownCause::GuestShutdown),
            Op::Disk => {
                let id = outside.block(at, Owner(1), BlockRequest::Read { sector: 0, count: 1 });
                self.mix(id);
            }
            Op::CallBack => outside.schedule_bh(at, Owner(2)),
            Op::CallChain => outside.schedule_bh(at, CHAIN),
            Op::CallBackOnce => outside.schedule_bh_oneshot(at, Owner(3)),
            Op::ReadAll => {
                let mut bytes = [0; 4];
                let count = outside.char_read_all(at, CharId(0), &mut bytes);
                self.mix(u64::from(u32::from_le_bytes(bytes)) ^ u64::from(count.cast_unsigned()));
            }
            Op::Play => {
                let played = outside.audio_out(at, &[1, 2, 3, self.accumulator as i16]);
                self.mix(u64::from(played));
            }
            Op::Listen => {
                let mut samples = [0; 4];
                let read = outside.audio_in(at, &mut samples);
                let sum: i32 = samples.iter().map(|&sample| i32::from(sample)).sum();
                self.mix(u64::from(sum.cast_unsigned()) ^ u64::from(read.recorded));
            }
            Op::Suspend => outside.suspend_request(at),
            Op::Stop => self.stopped = true,
        }
        self.position.cycles += 2 + self.accumulator % 3;
        self.position.icount += 1;
    }
}

impl Guest for Toy {
    fn position(&self) -> Position {
        self.position
    }

    fn clock_hz(&self) -> u64 {
        1_000_000
    }

    fn run(&mut self, budget: Budget, outside: &mut dyn Nondet) -> GuestExit {
        loop {
            if self.stopped {
                return GuestExit::Stopped;
            }
            let timer = self.next_timer().unwrap_or(u64::MAX);
            if self.position >= budget.stop
                || self.position.cycles >= budget.cycles.min(timer)
                || outside.wants_break()
            {
                return GuestExit::Budget;
            }
            if self.line() && (self.waiting || !self.masked) {
                let kind = if self.masked { Interrupt::Wake } else { Interrupt::Irq };
                if !self.interrupt(kind, outside) {
                    return GuestExit::Budget;
                }
                continue;
            }
            if self.waiting || self.suspended && !self.line() {
                return GuestExit::Waiting;
            }
            self.suspended = false;
            let op = self.program[(self.position.icount % self.program.len() as u64) as usize];
            self.execute(op, outside);
        }
    }

    fn next_timer(&self) -> Option<u64> {
        self.timer_period.map(|_| self.timer_due)
    }

    fn run_timer(&mut self, _outside: &mut dyn Nondet) -> Result<(), StuckTimer> {
        self.timer_interrupt = true;
        self.timer_due += self.timer_period.unwrap_or(u64::MAX);
        // Each period that has passed is a call of its own; a period of nothing would never pass.
        if self.timer_period != Some(0) {
            return Ok(());
        }
        Err(StuckTimer { device: "toy".to_owned(), due: self.timer_due, at: self.position.cycles })
    }

    fn deliver(&mut self, delivery: &Delivery, outside: &mut dyn Nondet) {
        self.suspended = false;
        if let Some(Owner(link)) = delivery.owner
            && link > CHAIN_END.0
        {
            outside.schedule_bh(self.position, Owner(link - 1));
        }
        self.mix(delivery.owner.map_or(0, |owner| u64::from(owner.0)));
        match &delivery.event {
            AsyncEvent::CharRead { bytes, .. } | AsyncEvent::Net { bytes, .. } => self.received.extend(bytes),
            AsyncEvent::Input(InputEvent::Key { keycode, .. }) => self.received.push_back(*keycode as u8),
            AsyncEvent::Block { id, result, data } => {
                self.mix(*id ^ u64::from(result.cast_unsigned()));
                self.received.extend(data);
            }
            AsyncEvent::Bh { id } | AsyncEvent::BhOneshot { id } => self.mix(*id),
            _ => {}
        }
    }

    fn next_clock_timer(&self, clock: ClockKind) -> Option<i64> {
        self.alarms[clock as usize]
    }

    fn run_clock_timers(&mut self, clock: ClockKind, now: i64, _outside: &mut dyn Nondet) {
        self.mix(now.cast_unsigned());
        self.timer_interrupt = true;
        self.alarms[clock as usize] = None;
    }

    fn suspend(&mut self) {
        self.suspended = true;
    }

    fn is_idle(&self) -> bool {
        (self.waiting || self.suspended) && !self.stopped && !self.line()
    }

    fn save(&mut self) -> Sections {
        vec![("toy".to_owned(), self.saved())]
    }

    fn restore(&mut self, sections: &[(String, Vec<u8>)]) -> Result<(), String> {
        let [(name, saved)] = sections else { return Err("a toy has one section".to_owned()) };
        if name != "toy" {
            return Err(format!("a toy has no section {name:?}"));
        }
        let reader = &mut Reader::new(saved);
        let mut restored = self.clone();
        restored.load(reader).map_err(|error| error.to_string())?;
        *self = restored;
        Ok(())
    }

    fn advance_idle(&mut self, cycles: u64) {
        self.position.cycles = self.position.cycles.max(cycles);
    }

    fn reset(&mut self, outside: &mut dyn Nondet) {
        outside.interrupt(self.position, Interrupt::Reset);
        self.waiting = false;
        self.stopped = false;
        self.position.cycles += 7;
    }

    fn digests(&mut self) -> Vec<Digest> {
        vec![Digest::of(&self.saved())]
    }

    fn subsystems(&self) -> Vec<String> {
        vec!["toy".to_owned()]
    }
}
