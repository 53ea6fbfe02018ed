//! Chaos: a recording in which everything that hardware leaves open is drawn at random, so that rare interleavings come
//! up often.
//!
//! Drawn are the lengths of slices, and with them the moments at which hosts are polled; when input arrives, in which
//! pieces, and what of different sources comes first; and how long a disk takes. What comes from one source stays in its
//! order, and nothing is lost. What was drawn needs no place of its own in the log: it is where the events are.

use super::vm_state::VmState;
use crate::events::AsyncEvent;
use crate::guest::Guest;
use crate::replay::ReplayError;
use std::collections::BTreeMap;

/// Where an event comes from: what has the same source keeps its order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Source {
    Char(u16),
    Net(u16),
    Input,
    Block(u64),
    /// Deferred calls, which no host makes.
    Machine,
}

fn source(event: &AsyncEvent) -> Source {
    match event {
        AsyncEvent::CharRead { device, .. } => Source::Char(device.0),
        AsyncEvent::Net { device, .. } => Source::Net(*device),
        AsyncEvent::Input(_) | AsyncEvent::InputSync => Source::Input,
        AsyncEvent::Block { id, .. } => Source::Block(*id),
        AsyncEvent::Bh { .. } | AsyncEvent::BhOneshot { .. } => Source::Machine,
    }
}

/// The random numbers, and what waits for its moment.
#[derive(Debug)]
pub struct Chaos {
    state: u64,
    /// Events by the cycle at which they arrive and the order in which they came.
    held: BTreeMap<(u64, u64), AsyncEvent>,
    /// The cycle at which the last event of a source arrives.
    last: BTreeMap<Source, u64>,
    came: u64,
}

/// Scales of time, as powers of two: each as likely as the others, so that what is far shorter than a timer's period and
/// what is far longer both come up.
const DELAY_SCALES: std::ops::RangeInclusive<u64> = 3..=17;
const SLICE_SCALES: std::ops::RangeInclusive<u64> = 1..=15;

/// Cycles around a timer's deadline in which an arrival is of interest.
const NEAR_A_TIMER: u64 = 64;

impl Chaos {
    /// The random numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed, held: BTreeMap::new(), last: BTreeMap::new(), came: 0 }
    }

    /// The next random number: SplitMix64, for which any seed is as good as another.
    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.draw() % end.max(1)
    }

    /// A length of one of the scales.
    fn length(&mut self, scales: std::ops::RangeInclusive<u64>) -> u64 {
        let scale = scales.start() + self.below(scales.end() - scales.start() + 1);
        1 + self.below(1 << scale)
    }

    /// How many instructions the next slice may take.
    pub(super) fn slice(&mut self) -> u64 {
        self.length(SLICE_SCALES)
    }

    /// Keeps an event until its moment. `timer` is the cycle at which the guest's next timer is due.
    pub(super) fn hold(&mut self, event: AsyncEvent, now: u64, timer: Option<u64>) {
        match event {
            AsyncEvent::CharRead { device, mut bytes } if bytes.len() > 1 => {
                while !bytes.is_empty() {
                    // Mostly one by one: what comes in one piece has a line's fixed distances.
                    let most = if self.below(4) == 0 { bytes.len() as u64 } else { 1 };
                    let count = 1 + self.below(most) as usize;
                    let rest = bytes.split_off(count);
                    self.hold_one(AsyncEvent::CharRead { device, bytes }, now, timer);
                    bytes = rest;
                }
            }
            event => self.hold_one(event, now, timer),
        }
    }

    fn hold_one(&mut self, event: AsyncEvent, now: u64, timer: Option<u64>) {
        let source = source(&event);
        let earliest = self.last.get(&source).copied().unwrap_or(0).max(now);
        let drawn = match timer {
            Some(timer) if self.below(4) == 0 => {
                (timer.saturating_sub(NEAR_A_TIMER / 2)).saturating_add(self.below(NEAR_A_TIMER))
            }
            _ => earliest.saturating_add(self.length(DELAY_SCALES)),
        };
        let due = drawn.max(earliest);
        self.last.insert(source, due);
        self.held.insert((due, self.came), event);
        self.came += 1;
    }

    /// The cycle at which the next event arrives.
    pub(super) fn next_due(&self) -> Option<u64> {
        self.held.first_key_value().map(|((due, _), _)| *due)
    }

    /// What has arrived by the cycle `now`.
    fn take_due(&mut self, now: u64) -> Vec<AsyncEvent> {
        let later = self.held.split_off(&(now.saturating_add(1), 0));
        std::mem::replace(&mut self.held, later).into_values().collect()
    }

    /// Bytes for character devices that wait for their moment.
    pub(super) fn held_bytes(&self) -> usize {
        let bytes = |event: &AsyncEvent| match event {
            AsyncEvent::CharRead { bytes, .. } => bytes.len(),
            _ => 0,
        };
        self.held.values().map(bytes).sum()
    }
}

impl<G: Guest> VmState<G> {
    /// Recorder: from here on everything that hardware leaves open is drawn at random.
    pub fn start_chaos(&mut self, seed: u64) {
        self.signals.chaos = Some(Chaos::new(seed));
    }

    /// The end of chaos, with the recording that it was for: what was held arrives now.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn end_chaos(&mut self) -> Result<(), ReplayError> {
        let held = self.signals.chaos.take().map(|mut chaos| chaos.take_due(u64::MAX));
        held.into_iter().flatten().try_for_each(|event| self.enqueue(event))
    }

    /// An event that the hosts have brought: it is enqueued now, or at its moment.
    pub(super) fn receive(&mut self, event: AsyncEvent) -> Result<(), ReplayError> {
        let (now, timer) = (self.guest.position().cycles, self.guest.next_timer());
        match &mut self.signals.chaos {
            Some(chaos) => {
                chaos.hold(event, now, timer);
                Ok(())
            }
            None => self.enqueue(event),
        }
    }

    fn enqueue(&mut self, event: AsyncEvent) -> Result<(), ReplayError> {
        let deliver_now = self.replay.arrive(event)?;
        self.signals.deliver_now.extend(deliver_now);
        Ok(())
    }

    /// Enqueues the events whose moment has come.
    pub(super) fn release_held(&mut self) -> Result<(), ReplayError> {
        let now = self.guest.position().cycles;
        let Some(chaos) = &mut self.signals.chaos else { return Ok(()) };
        chaos.take_due(now).into_iter().try_for_each(|event| self.enqueue(event))
    }

    /// The cycle at which something that is held arrives; `u64::MAX` for none.
    pub(super) fn next_held(&self) -> u64 {
        self.signals.chaos.as_ref().and_then(Chaos::next_due).unwrap_or(u64::MAX)
    }
}
