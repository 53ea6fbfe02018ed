//! A guest of a few instructions, scripted hosts, and the oracle over them.
#![allow(dead_code, reason = "each test crate uses its part")]

use rreplay::bus::Interrupt;
use rreplay::engine::{
    Budget, Engine, Guest, GuestExit, Inlet, Outlet, RunError, Scheduler, StopReason, Timing, World,
};
use rreplay::events::Delivery;
use rreplay::log::event::{AsyncEvent, StampedEvent};
use rreplay::nondet::{CharId, CharWritten, ClockKind, Nondet};
use rreplay::persist::{Digest, Sections};
use rreplay::replay::{MemoryLog, MemorySink, MemorySource, PlayConfig, RecordConfig, Replay};
use rreplay::sync::Kick;
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
    /// Stops for good.
    Stop,
}

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
        }
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
            if self.waiting {
                return GuestExit::Waiting;
            }
            let op = self.program[(self.position.icount % self.program.len() as u64) as usize];
            self.execute(op, outside);
        }
    }

    fn next_timer(&self) -> Option<u64> {
        self.timer_period.map(|_| self.timer_due)
    }

    fn run_timer(&mut self, _outside: &mut dyn Nondet) {
        self.timer_interrupt = true;
        self.timer_due += self.timer_period.unwrap_or(u64::MAX);
    }

    fn deliver(&mut self, delivery: &Delivery, _outside: &mut dyn Nondet) {
        if let AsyncEvent::CharRead { bytes, .. } = &delivery.event {
            self.received.extend(bytes);
        }
    }

    fn is_idle(&self) -> bool {
        self.waiting && !self.stopped && !self.line()
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
        let mut bytes = self.accumulator.to_le_bytes().to_vec();
        bytes.extend(self.position.cycles.to_le_bytes());
        bytes.extend([u8::from(self.masked), u8::from(self.waiting), u8::from(self.timer_interrupt)]);
        bytes.extend(&self.received);
        vec![Digest::of(&bytes)]
    }

    fn subsystems(&self) -> Vec<String> {
        vec!["toy".to_owned()]
    }

    fn save(&mut self) -> Sections {
        unimplemented!("no test takes snapshots of the toy yet")
    }

    fn restore(&mut self, _sections: &[(String, Vec<u8>)]) -> Result<(), String> {
        unimplemented!("no test takes snapshots of the toy yet")
    }
}

/// Hosts whose answers differ at every call, and between two instances with other seeds.
pub struct NoisyHost(pub u64);

impl NoisyHost {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

impl Outlet for NoisyHost {
    fn clock(&mut self, _kind: ClockKind) -> i64 {
        self.next().cast_signed()
    }

    fn random(&mut self, buffer: &mut [u8]) -> i32 {
        buffer.iter_mut().for_each(|byte| *byte = self.next() as u8);
        if self.next().is_multiple_of(5) { -5 } else { 0 }
    }

    fn char_write(&mut self, _device: CharId, bytes: &[u8]) -> CharWritten {
        if self.next().is_multiple_of(4) {
            CharWritten { result: -11, offset: 0 }
        } else {
            CharWritten { result: bytes.len() as i32, offset: bytes.len() as u32 }
        }
    }
}

/// Gives one batch of events at each poll until there are no more.
pub struct Script {
    pub batches: VecDeque<Vec<AsyncEvent>>,
}

impl Script {
    pub fn typing(chunks: &[&[u8]]) -> Self {
        let read = |bytes: &&[u8]| vec![AsyncEvent::CharRead { device: CharId(0), bytes: bytes.to_vec() }];
        Self { batches: chunks.iter().map(read).collect() }
    }
}

impl Inlet for Script {
    fn poll(&mut self) -> Vec<AsyncEvent> {
        self.batches.pop_front().unwrap_or_default()
    }

    fn may_deliver(&self) -> bool {
        !self.batches.is_empty()
    }

    fn interrupted(&mut self) -> bool {
        false
    }

    fn rest(&mut self, kick: &Kick) {
        if self.batches.is_empty() {
            kick.wait();
        }
    }
}

/// What a run came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    pub position: Position,
    pub digests: Vec<Digest>,
    pub transcript: Vec<u8>,
}

fn outcome(engine: &Engine<Toy>) -> Outcome {
    let mut world = engine.lock("test");
    Outcome {
        position: world.guest.position,
        digests: world.guest.digests(),
        transcript: world.transcripts.of(CharId(0)).to_vec(),
    }
}

/// Records `runs` runs of `toy`, each up to its limit, and gives the events and the outcome.
pub fn record(
    toy: Toy,
    seed: u64,
    digest_every: u64,
    scheduler: Scheduler,
    script: &mut Script,
    limits: &[rreplay::engine::Limits],
) -> (Vec<StampedEvent>, Outcome) {
    record_with(toy, seed, digest_every, scheduler, script, limits, Timing::Jump)
}

/// As [`record`], with a choice of how idle time passes.
pub fn record_with(
    toy: Toy,
    seed: u64,
    digest_every: u64,
    scheduler: Scheduler,
    script: &mut Script,
    limits: &[rreplay::engine::Limits],
    timing: Timing,
) -> (Vec<StampedEvent>, Outcome) {
    let sink = MemorySink::default();
    let log = sink.log();
    let mut world = World::new(toy, Replay::none(), Box::new(NoisyHost(seed)));
    let config = RecordConfig {
        start: world.guest.position,
        subsystems: world.subsystems(),
        digest_every,
        ..RecordConfig::default()
    };
    world.replay = Replay::record(Box::new(sink), config);
    world.replay.start().expect("nothing blocks");
    let engine = Engine::new(world);
    for &limit in limits {
        engine.lock("test").begin_run(limit);
        engine.lock("test").timing = timing;
        if cfg!(loom) {
            engine.lock("test").turns_per_hold = 1;
        }
        engine.run(scheduler, script).expect("recording does not fail");
    }
    let result = {
        let mut world = engine.lock("test");
        world.finish().expect("memory is never full");
        drop(world);
        outcome(&engine)
    };
    (log().events, result)
}

/// Plays events on a fresh `toy` with other hosts.
pub fn play(toy: Toy, events: Vec<StampedEvent>, scheduler: Scheduler) -> Result<Outcome, RunError> {
    let mut world = World::new(toy, Replay::none(), Box::new(NoisyHost(999)));
    let config = PlayConfig {
        start: world.guest.position,
        subsystems: Replay::recorded_subsystems(world.subsystems()),
        chars: None,
    };
    let log = MemoryLog { events, snapshots: Vec::new() };
    world.replay = Replay::play(Box::new(MemorySource::new(log)), config);
    world.replay.start().expect("nothing blocks");
    let engine = Engine::new(world);
    // Input of the host while playing must be dropped.
    let mut script = Script::typing(&[b"not from the log"]);
    engine.lock("test").begin_run(rreplay::engine::Limits::NONE);
    if cfg!(loom) {
        engine.lock("test").turns_per_hold = 1;
    }
    let reason = engine.run(scheduler, &mut script)?;
    assert_eq!(reason, StopReason::End, "a replay runs to the end of its log");
    Ok(outcome(&engine))
}
