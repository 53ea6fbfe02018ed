//! What the loop around the guest asks or does: checkpoints, the async queue and its one flush point, what the log says
//! the hosts did.

use super::table::{Action, Function};
use super::{Checkpoint, Found, Replay, ReplayError, ReplayMode};
use crate::events::{AsyncEvent, Delivery, InputEvent};
use crate::log::event::{Event, StampedEvent};
use crate::nondet::{BlockResult, CharId, NetId, Owner, ShutdownCause};
use crate::seeded_faults::{SeededFault, is_seeded};
use crate::units::Position;

/// How far the player looks ahead for the next event that ends a slice.
const LOOKAHEAD_EVENTS: usize = 4096;

/// What one flush of the player takes out of the log at most: a small file may hold any amount at one place.
const FLUSH_BYTES_MAX: usize = 4 << 20;

impl Replay {
    // ---- checkpoints ----

    /// Passes a checkpoint. In play true, and consumed, only when the log has it next; on false the caller leaves its
    /// work pending.
    ///
    /// # Errors
    /// When the log cannot be written or read.
    pub fn checkpoint(&mut self, checkpoint: Checkpoint) -> Result<bool, ReplayError> {
        if is_seeded(SeededFault::CheckpointNotLogged)
            && checkpoint == Checkpoint::ClockVirtual
            && self.mode == ReplayMode::Record
        {
            return Ok(true);
        }
        self.pass(Function::Checkpoint, self.position, Event::Checkpoint(checkpoint))
    }

    /// Player: whether the log has this checkpoint next. False in the other modes.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn has_checkpoint(&mut self, checkpoint: Checkpoint) -> Result<bool, ReplayError> {
        self.has_next(self.position, |event| *event == Event::Checkpoint(checkpoint))
    }

    // ---- async events ----

    /// Whether async events are queued (and not run at once).
    pub fn events_enabled(&self) -> bool {
        self.events_enabled
    }

    /// From now on async events wait for the flush point.
    pub fn enable_events(&mut self) {
        self.events_enabled = self.mode != ReplayMode::None;
    }

    /// Flushes the queue; from then on async events run at once.
    ///
    /// # Errors
    /// When the log cannot be written or read.
    pub fn disable_events(&mut self, deliver: impl FnMut(Delivery)) -> Result<(), ReplayError> {
        self.flush(deliver)?;
        self.events_enabled = false;
        Ok(())
    }

    /// Schedules a deferred call for `owner`. `Some` is a call that the caller makes now, as soon as the access that
    /// goes on is over. Else it comes at a flush; its number is the icount here.
    #[must_use = "a call that is returned must be made"]
    pub fn schedule_bh(&mut self, at: Position, owner: Owner) -> Option<Delivery> {
        self.schedule(Function::Bh, Delivery { event: AsyncEvent::Bh { id: at.icount }, owner: Some(owner) })
    }

    /// The same as [`schedule_bh`](Replay::schedule_bh) for a call that is made once and belongs to no lasting object.
    #[must_use = "a call that is returned must be made"]
    pub fn schedule_bh_oneshot(&mut self, at: Position, owner: Owner) -> Option<Delivery> {
        let event = AsyncEvent::BhOneshot { id: at.icount };
        self.schedule(Function::BhOneshot, Delivery { event, owner: Some(owner) })
    }

    /// An input event of the host. `Some` is to be delivered now.
    #[must_use = "an event that is returned must be delivered"]
    pub fn input(&mut self, event: InputEvent) -> Option<Delivery> {
        self.schedule(Function::Input, AsyncEvent::Input(event).into())
    }

    /// The end of a packet of input events. `Some` is to be delivered now.
    #[must_use = "an event that is returned must be delivered"]
    pub fn input_sync(&mut self) -> Option<Delivery> {
        self.schedule(Function::InputSync, AsyncEvent::InputSync.into())
    }

    /// Bytes from the host side of a character device. `Some` is to be delivered now.
    #[must_use = "bytes that are returned must be delivered"]
    pub fn char_read(&mut self, device: CharId, bytes: Vec<u8>) -> Option<Delivery> {
        self.schedule(Function::CharRead, AsyncEvent::CharRead { device, bytes }.into())
    }

    /// A packet from the host side of a network device, dropped unless that device is registered.
    /// `Some` is to be delivered now.
    #[must_use = "a packet that is returned must be delivered"]
    pub fn net_packet(&mut self, device: NetId, flags: u32, packet: Vec<u8>) -> Option<Delivery> {
        if !self.has_net(device) {
            return None;
        }
        let event = AsyncEvent::Net { device: device.0, flags, bytes: packet };
        self.schedule(Function::NetPacket, event.into())
    }

    /// The number of the next block request; to be taken *before* its input or output, by whoever will be told of the
    /// completion.
    pub fn next_block_id(&mut self, owner: Owner) -> u64 {
        let id = self.next_block;
        self.next_block += 1;
        self.outstanding.insert(id, owner);
        id
    }

    /// Block requests that have not completed.
    pub fn outstanding_blocks(&self) -> impl Iterator<Item = u64> {
        self.outstanding.keys().copied()
    }

    /// Block requests that have not completed, with who made them.
    pub fn outstanding_requests(&self) -> impl Iterator<Item = (u64, Owner)> {
        self.outstanding.iter().map(|(&id, &owner)| (id, owner))
    }

    /// A block request has completed on the host. `Some` is to be delivered now. In play the log's completion
    /// counts, with its data: the image need not be there.
    ///
    /// # Errors
    /// A request that was never made, or that has completed already.
    #[must_use = "a completion that is returned must be delivered"]
    pub fn block(&mut self, id: u64, completion: BlockResult) -> Result<Option<Delivery>, ReplayError> {
        if self.action(Function::Block) == Action::AwaitLog && self.events_enabled {
            return Ok(None);
        }
        if self.abandoned.remove(&id) {
            return Ok(None);
        }
        let queued = |event: &AsyncEvent| matches!(event, AsyncEvent::Block { id: of, .. } if *of == id);
        if !self.outstanding.contains_key(&id)
            || self.queue.iter().any(|queued_one| queued(&queued_one.event))
        {
            return Err(ReplayError::NoSuchBlock { id });
        }
        let BlockResult { result, data } = completion;
        let delivery = self.with_owner(AsyncEvent::Block { id, result, data });
        let deliver_now = self.schedule(Function::Block, delivery);
        if deliver_now.is_some() {
            self.outstanding.remove(&id);
        }
        Ok(deliver_now)
    }

    /// Goes on with the block requests, and their numbers, of the state machine whose place this one takes.
    pub fn take_over_requests(&mut self, before: &Replay) {
        self.next_block = before.next_block;
        self.outstanding.clone_from(&before.outstanding);
        self.abandoned.clone_from(&before.abandoned);
    }

    /// The same as [`take_over_requests`](Replay::take_over_requests) for a machine that was put into another state: it
    /// has not made them. When they complete, nobody is told.
    pub fn abandon_requests(&mut self, before: &Replay) {
        self.next_block = before.next_block;
        self.abandoned.clone_from(&before.abandoned);
        self.abandoned.extend(before.outstanding.keys());
    }

    fn with_owner(&self, event: AsyncEvent) -> Delivery {
        let owner = match &event {
            AsyncEvent::Block { id, .. } => self.outstanding.get(id).copied(),
            _ => None,
        };
        Delivery { event, owner }
    }

    /// Any event that hosts bring by themselves, by its kind. `Some` is to be delivered now.
    ///
    /// # Errors
    /// A completion of a block request that was never made, or that has completed already.
    pub fn arrive(&mut self, event: AsyncEvent) -> Result<Option<Delivery>, ReplayError> {
        Ok(match event {
            AsyncEvent::Input(input) => self.input(input),
            AsyncEvent::InputSync => self.input_sync(),
            AsyncEvent::CharRead { device, bytes } => self.char_read(device, bytes),
            AsyncEvent::Net { device, flags, bytes } => self.net_packet(NetId(device), flags, bytes),
            AsyncEvent::Block { id, result, data } => return self.block(id, BlockResult { result, data }),
            // Hosts schedule no calls inside the machine.
            AsyncEvent::Bh { .. } | AsyncEvent::BhOneshot { .. } => None,
        })
    }

    fn schedule(&mut self, function: Function, delivery: Delivery) -> Option<Delivery> {
        if !self.events_enabled {
            return Some(delivery);
        }
        match self.action(function) {
            Action::Queue | Action::AwaitLog => self.queue.push(delivery),
            Action::Drop => {}
            _ => return Some(delivery),
        }
        None
    }

    /// Whether the queue is not empty.
    pub fn has_queued_events(&self) -> bool {
        !self.queue.is_empty()
    }

    /// The one flush point: the top of the vCPU loop, just before warp accounting. In record logs and delivers what is
    /// queued, in order; in play delivers what the log has here. What is scheduled meanwhile waits for the next flush.
    ///
    /// # Errors
    /// When the log cannot be written or read.
    ///
    /// # Panics
    /// When `deliver` flushes again: a programming error in every build.
    pub fn flush(&mut self, mut deliver: impl FnMut(Delivery)) -> Result<(), ReplayError> {
        let flush = Flush::enter(self);
        let mut steps = flush.0.flush_steps();
        let mut bytes = 0;
        // In play, what is left comes at the next flush, at this same place.
        while bytes < FLUSH_BYTES_MAX || flush.0.mode != ReplayMode::Play {
            let Some(delivery) = flush.0.next_delivery(&mut steps)? else { break };
            bytes += size_of::<Delivery>() + delivery.event.heap_bytes();
            deliver(delivery);
        }
        Ok(())
    }

    /// A flush in steps, for whoever cannot deliver while this is borrowed: [`next_delivery`](Replay::next_delivery)
    /// until there is no more, then [`end_flush`](Replay::end_flush).
    ///
    /// # Panics
    /// Within another flush: a programming error in every build.
    pub fn begin_flush(&mut self) -> FlushSteps {
        std::mem::forget(Flush::enter(self));
        self.flush_steps()
    }

    /// Ends a flush in steps. What was not delivered waits for the next one.
    pub fn end_flush(&mut self) {
        self.flushing = false;
    }

    /// The next event of a flush: in record logged just now, in play taken from the log.
    ///
    /// # Errors
    /// When the log cannot be written or read.
    pub fn next_delivery(&mut self, steps: &mut FlushSteps) -> Result<Option<Delivery>, ReplayError> {
        match self.mode {
            ReplayMode::Play => self.next_logged_delivery(steps),
            ReplayMode::None | ReplayMode::Record => self.oldest_delivery(steps),
        }
    }

    fn flush_steps(&self) -> FlushSteps {
        FlushSteps { queued: self.queue.len(), blocks: self.next_block }
    }

    fn oldest_delivery(&mut self, steps: &mut FlushSteps) -> Result<Option<Delivery>, ReplayError> {
        if steps.queued == 0 {
            return Ok(None);
        }
        let Some(delivery) = self.queue.pop() else { return Ok(None) };
        steps.queued -= 1;
        let seen =
            if is_seeded(SeededFault::EventOutsideLock) { self.position_before } else { self.position };
        self.log(seen, Event::Async(delivery.event.clone()))?;
        if let AsyncEvent::Block { id, .. } = delivery.event {
            self.outstanding.remove(&id);
        }
        Ok(Some(delivery))
    }

    fn next_logged_delivery(&mut self, steps: &mut FlushSteps) -> Result<Option<Delivery>, ReplayError> {
        let here = self.position;
        let logged = match self.peek()? {
            Some(StampedEvent { position, event: Event::Async(logged), .. }) if *position == here => {
                logged.clone()
            }
            _ => return Ok(None),
        };
        let delivery = match &logged {
            AsyncEvent::Bh { .. } | AsyncEvent::BhOneshot { .. } => {
                let found = self.queue.take_matching(&logged, steps.queued);
                steps.queued -= usize::from(found.is_some());
                found
            }
            AsyncEvent::Block { id, .. } if *id < steps.blocks => {
                self.outstanding.remove(id).map(|owner| Delivery { event: logged, owner: Some(owner) })
            }
            AsyncEvent::Block { .. } => None,
            _ => Some(logged.into()),
        };
        // What the machine has not asked for yet is never run early.
        if delivery.is_some() {
            self.consume()?;
        }
        Ok(delivery)
    }

    /// Bytes for character devices that wait in the queue.
    pub fn queued_bytes(&self) -> usize {
        self.queue.iter().map(|delivery| delivery.event.heap_bytes()).sum()
    }

    /// What waits, in words, for reports.
    pub fn queued_descriptions(&self) -> Vec<String> {
        let queued = self.queue.iter().map(|delivery| Event::Async(delivery.event.clone()).to_string());
        let blocks = self.outstanding.keys().map(|id| format!("block request {id}"));
        queued.chain(blocks).collect()
    }

    // ---- what the log says the hosts did ----

    /// Player: the shutdown by the host that the log has here, consumed. To the guest's own requests it comes by itself.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn logged_shutdown(&mut self) -> Result<Option<ShutdownCause>, ReplayError> {
        let here = self.position;
        let of_host = |event: &Event| matches!(event, Event::Shutdown(cause) if !cause.is_of_guest());
        if self.mode != ReplayMode::Play || !self.next_here(here, of_host)? {
            return Ok(None);
        }
        match self.consume()? {
            Event::Shutdown(cause) => Ok(Some(cause)),
            other => Err(self.diverged(Found::Event(other.to_string()))),
        }
    }

    /// Player: the position of the next event that the loop and not the guest must handle (async events, checkpoints,
    /// digests, shutdown by the host, end), or of an event before it when that is far. The guest may run up to there. In
    /// a log that was cut off, just after its last event. `None` in the other modes and after the end.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn next_stop(&mut self) -> Result<Option<Position>, ReplayError> {
        let Some(source) = &mut self.source else { return Ok(None) };
        let mut ahead = self.next_stop_ahead.unwrap_or(0);
        let mut found = None;
        while let Some(event) = source.peek(ahead)? {
            if !made_by_guest(&event.event) || ahead >= LOOKAHEAD_EVENTS {
                found = Some(event.position);
                break;
            }
            ahead += 1;
        }
        if let (None, Some(last)) = (found, ahead.checked_sub(1))
            && let Some(event) = source.peek(last)?
        {
            // Nothing is known of what came after it: the guest goes no further than it must to come to the event.
            let Position { icount, cycles } = event.position;
            found = Some(Position::new(icount, cycles.saturating_add(1)));
        }
        self.next_stop_ahead = Some(ahead);
        Ok(found)
    }

    /// Player: whether the log's `end` is reached.
    ///
    /// # Errors
    /// When the log cannot be read; a divergence when the digest is missing that stands before every `end`.
    pub fn at_end(&mut self) -> Result<bool, ReplayError> {
        if self.mode != ReplayMode::Play {
            return Ok(false);
        }
        let here = self.position;
        let Some(next) = self.peek()? else { return Ok(true) };
        if next.event != Event::End || next.position != here {
            return Ok(false);
        }
        // Without it nothing checks the last stretch. After a snapshot it is not known what came before.
        let is_last_digest =
            |last: &StampedEvent| last.position == here && matches!(last.event, Event::Digest(_));
        if self.recent.back().is_some_and(|last| !is_last_digest(last)) {
            return Err(
                self.unexpected(here, "the end, without the digest that belongs before it".to_owned())
            );
        }
        Ok(true)
    }
}

/// How far a flush has come: what is asked for while it goes on waits for the next one, in record and in play alike.
#[derive(Debug)]
pub struct FlushSteps {
    /// Entries of the queue that were there at its start and are still there.
    queued: usize,
    /// The number of the first block request that was not made yet.
    blocks: u64,
}

/// A flush that is under way. One within another would deliver events out of order, and panics. The flush ends when this
/// is dropped, also by a panic.
struct Flush<'a>(&'a mut Replay);

impl<'a> Flush<'a> {
    fn enter(replay: &'a mut Replay) -> Self {
        assert!(!replay.flushing, "the async queue has one flush point, and it does not nest");
        replay.flushing = true;
        Self(replay)
    }
}

impl Drop for Flush<'_> {
    fn drop(&mut self) {
        self.0.flushing = false;
    }
}

/// Whether the running guest itself comes to this event, so that a slice need not end before it.
pub fn made_by_guest(event: &Event) -> bool {
    match event {
        Event::Interrupt(_)
        | Event::Exception(_)
        | Event::CharWrite { .. }
        | Event::CharReadAll { .. }
        | Event::CharReadAllError { .. }
        | Event::AudioOut { .. }
        | Event::AudioIn { .. }
        | Event::Random { .. }
        | Event::Clock { .. } => true,
        Event::Shutdown(cause) => cause.is_of_guest(),
        Event::Async(_) | Event::Checkpoint(_) | Event::Digest(_) | Event::Snapshot { .. } | Event::End => {
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "one flush point, and it does not nest")]
    fn a_flush_within_a_flush_is_caught() {
        let mut replay = Replay::none();
        // In Rust the borrow checker forbids what other languages could do.
        replay.flushing = true;
        let _ = replay.flush(|_| {});
    }
}
