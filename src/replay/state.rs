//! [`Replay`]: modes, recorder and player.

use super::{AsyncQueue, Checkpoint, Divergence, EventSink, EventSource, Found, ReplayMode};
use crate::bus::{Exception, Interrupt};
use crate::log::LogError;
use crate::log::event::{AsyncEvent, Event, StampedEvent};
use crate::nondet::{CharId, CharWritten, ClockKind, ShutdownCause};
use crate::persist::Digest;
use crate::units::Position;
use std::collections::VecDeque;

/// How many events a divergence report looks back.
const RECENT_EVENTS: usize = 16;

/// How far the player looks ahead for the next event that ends a slice.
const LOOKAHEAD_EVENTS: usize = 4096;

/// Why the state machine cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A replay left its recording.
    #[error(transparent)]
    Divergence(#[from] Box<Divergence>),
    /// The log cannot be written or read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// `start` while somebody said that this machine cannot be recorded.
    #[error("recording cannot start: {}", reasons.join("; "))]
    Blocked {
        /// Every reason.
        reasons: Vec<String>,
    },
    /// A recording names another character device under this number.
    #[error("character device {number} is {registered:?} here but {recorded:?} in the recording")]
    CharDevice {
        /// Registration order, from 0.
        number: usize,
        /// The name being registered.
        registered: String,
        /// The recording's name, empty when it has none under this number.
        recorded: String,
    },
}

/// The record/replay state machine of one machine.
pub struct Replay {
    mode: ReplayMode,
    position: Position,
    sink: Option<Box<dyn EventSink>>,
    source: Option<Box<dyn EventSource>>,
    queue: AsyncQueue,
    events_enabled: bool,
    flushing: bool,
    finished: bool,
    shutdown_logged: bool,
    cached_clocks: [i64; 2],
    chars: Vec<String>,
    recorded_chars: Vec<String>,
    blockers: Vec<String>,
    recent: VecDeque<StampedEvent>,
    subsystems: Vec<String>,
    digest_every: u64,
    next_digest: u64,
    last_matching_digest: Option<Position>,
    /// Player: distance from the current event to the next one that ends a slice, once looked up.
    next_stop_ahead: Option<usize>,
    break_at: Option<u64>,
    events_consumed: u64,
}

impl Replay {
    fn new(mode: ReplayMode) -> Self {
        Self {
            mode,
            position: Position::default(),
            sink: None,
            source: None,
            queue: AsyncQueue::default(),
            events_enabled: false,
            flushing: false,
            finished: false,
            shutdown_logged: false,
            cached_clocks: [0; 2],
            chars: Vec::new(),
            recorded_chars: Vec::new(),
            blockers: Vec::new(),
            recent: VecDeque::with_capacity(RECENT_EVENTS),
            subsystems: Vec::new(),
            digest_every: 0,
            next_digest: u64::MAX,
            last_matching_digest: None,
            next_stop_ahead: None,
            break_at: None,
            events_consumed: 0,
        }
    }

    /// The state machine in mode `none`.
    pub fn none() -> Self {
        Self::new(ReplayMode::None)
    }

    /// Records into `sink`, from `start` on. `digest_every` is in instructions; 0 leaves digests to the start and the
    /// end. `subsystems` names the hashes of a digest, in their order.
    pub fn record(
        sink: Box<dyn EventSink>,
        start: Position,
        subsystems: Vec<String>,
        digest_every: u64,
    ) -> Self {
        Self {
            sink: Some(sink),
            position: start,
            subsystems,
            digest_every,
            next_digest: start.icount,
            ..Self::new(ReplayMode::Record)
        }
    }

    /// Plays `source`, from `start` on. `chars` are the character devices that the recording registered.
    pub fn play(
        source: Box<dyn EventSource>,
        start: Position,
        subsystems: Vec<String>,
        chars: Vec<String>,
    ) -> Self {
        Self {
            source: Some(source),
            position: start,
            subsystems,
            recorded_chars: chars,
            ..Self::new(ReplayMode::Play)
        }
    }

    /// The current mode.
    pub fn mode(&self) -> ReplayMode {
        self.mode
    }

    /// Instructions retired, as last accounted.
    pub fn current_icount(&self) -> u64 {
        self.position.icount
    }

    /// The position last accounted.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Registers a character device; numbers follow the order of registration.
    ///
    /// # Errors
    /// In play, when the recording has another device under this number.
    pub fn register_char(&mut self, name: &str) -> Result<CharId, ReplayError> {
        let number = self.chars.len();
        if self.mode == ReplayMode::Play {
            let recorded = self.recorded_chars.get(number);
            if recorded.is_none_or(|recorded| recorded != name) {
                return Err(ReplayError::CharDevice {
                    number,
                    registered: name.to_owned(),
                    recorded: recorded.cloned().unwrap_or_default(),
                });
            }
        }
        self.chars.push(name.to_owned());
        Ok(CharId(number as u16))
    }

    /// Remembers why this machine cannot be recorded; [`start`](Replay::start) then fails with every reason.
    pub fn add_blocker(&mut self, reason: &str) {
        self.blockers.push(reason.to_owned());
    }

    /// Starts recording or playing: enables async events. A no-op in mode none.
    ///
    /// # Errors
    /// [`ReplayError::Blocked`] when somebody added a blocker.
    pub fn start(&mut self) -> Result<(), ReplayError> {
        if self.mode == ReplayMode::None {
            return Ok(());
        }
        if !self.blockers.is_empty() {
            return Err(ReplayError::Blocked { reasons: self.blockers.clone() });
        }
        self.events_enabled = true;
        Ok(())
    }

    /// Ends a recording at the current position: what was queued is given back to be run unlogged, `shutdown` is
    /// logged if nothing was, then the final digest, `end`, index and sync. A player is closed. Does nothing when
    /// called again.
    ///
    /// # Errors
    /// When the log cannot be written; the prefix stays usable.
    pub fn finish(&mut self, digests: impl FnOnce() -> Vec<Digest>) -> Result<Vec<AsyncEvent>, ReplayError> {
        if std::mem::replace(&mut self.finished, true) {
            return Ok(Vec::new());
        }
        let was = std::mem::replace(&mut self.mode, ReplayMode::None);
        self.events_enabled = false;
        let queued = std::iter::from_fn(|| self.queue.pop()).collect();
        self.source = None;
        if let (ReplayMode::Record, Some(mut sink)) = (was, self.sink.take()) {
            if !self.shutdown_logged {
                sink.append(self.position, &Event::Shutdown(ShutdownCause::None))?;
            }
            sink.append(self.position, &Event::Digest(digests()))?;
            sink.append(self.position, &Event::End)?;
            sink.finish()?;
        }
        Ok(queued)
    }

    /// Makes everything recorded so far survive the end of this process.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn flush_log(&mut self) -> Result<(), ReplayError> {
        match &mut self.sink {
            Some(sink) => Ok(sink.flush()?),
            None => Ok(()),
        }
    }

    // ---- instructions ----

    /// Instructions that may run before something must happen: until the next event in play, until the break in any
    /// mode, else without limit.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn instructions_until_next_event(&mut self) -> Result<u64, ReplayError> {
        let here = self.position.icount;
        // Only a player has a source to peek into.
        let next = self.peek()?.map_or(u64::MAX, |event| event.position.icount.saturating_sub(here));
        let until_break = self.break_at.map_or(u64::MAX, |at| at.saturating_sub(here));
        Ok(next.min(until_break))
    }

    /// Sets or deletes the icount at which slices end.
    pub fn break_at(&mut self, icount: Option<u64>) {
        self.break_at = icount;
    }

    /// Advances by what the guest has executed, to `position`.
    ///
    /// # Errors
    /// In play, a divergence when the log has an event before `position` that was not consumed.
    pub fn account_executed(&mut self, position: Position) -> Result<(), ReplayError> {
        debug_assert!(position >= self.position, "the guest runs forward");
        if self.mode == ReplayMode::Play
            && let Some(next) = self.peek()?
            && next.position < position
        {
            self.position = position;
            return Err(self.diverged(Found::Passed));
        }
        self.position = position;
        Ok(())
    }

    /// Player: the position of the next event that the loop and not the guest must handle (async events, checkpoints,
    /// digests, shutdown by the host, end), or of an event before it when that is far. The guest may run up to there.
    /// `None` in the other modes and behind the end.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn next_stop(&mut self) -> Result<Option<Position>, ReplayError> {
        let Some(source) = &mut self.source else { return Ok(None) };
        let mut ahead = self.next_stop_ahead.unwrap_or(0);
        let mut found = None;
        while let Some(event) = source.peek(ahead)? {
            found = Some(event.position);
            if !made_by_guest(&event.event) || ahead >= LOOKAHEAD_EVENTS {
                break;
            }
            ahead += 1;
        }
        self.next_stop_ahead = Some(ahead);
        Ok(found)
    }

    /// Player: the next event, whatever it is.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn peek(&mut self) -> Result<Option<&StampedEvent>, ReplayError> {
        match &mut self.source {
            Some(source) => Ok(source.peek(0)?),
            None => Ok(None),
        }
    }

    /// Player: whether the log's `end` is reached.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn at_end(&mut self) -> Result<bool, ReplayError> {
        if self.mode != ReplayMode::Play {
            return Ok(false);
        }
        Ok(self.peek()?.is_none_or(|next| next.event == Event::End) && self.next_is_here()?)
    }

    fn next_is_here(&mut self) -> Result<bool, ReplayError> {
        let here = self.position;
        Ok(self.peek()?.is_none_or(|next| next.position == here))
    }

    // ---- what the guest asks or does ----

    /// Whether the log has an interrupt next, here. True in the other modes.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn has_interrupt(&mut self, at: Position) -> Result<bool, ReplayError> {
        self.next_here(at, |event| matches!(event, Event::Interrupt(_)))
    }

    /// The CPU is about to accept an interrupt. Logged; in play true, and consumed, only when the log says so.
    ///
    /// # Errors
    /// When the log cannot be written or read.
    pub fn interrupt(&mut self, at: Position, interrupt: Interrupt) -> Result<bool, ReplayError> {
        self.pass(at, Event::Interrupt(interrupt))
    }

    /// Whether the log has an exception next, here. True in the other modes.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn has_exception(&mut self, at: Position) -> Result<bool, ReplayError> {
        self.next_here(at, |event| matches!(event, Event::Exception(_)))
    }

    /// A synchronous exception of the CPU; see [`interrupt`](Replay::interrupt).
    ///
    /// # Errors
    /// When the log cannot be written or read.
    pub fn exception(&mut self, at: Position, exception: Exception) -> Result<bool, ReplayError> {
        self.pass(at, Event::Exception(exception))
    }

    /// Reads a host clock, in nanoseconds: every read is logged. In play the logged value if that clock is next,
    /// else the last value of that kind.
    ///
    /// # Errors
    /// When the log cannot be written or read.
    pub fn clock(
        &mut self,
        at: Position,
        kind: ClockKind,
        read_host: impl FnOnce() -> i64,
    ) -> Result<i64, ReplayError> {
        let value = match self.mode {
            ReplayMode::None => read_host(),
            ReplayMode::Record => {
                let value = read_host();
                self.log(at, Event::Clock { kind, value })?;
                value
            }
            ReplayMode::Play => {
                if !self.has_clock(at, kind)? {
                    return Ok(self.cached_clocks[kind as usize]);
                }
                match self.consume()? {
                    Event::Clock { value, .. } => value,
                    _ => unreachable!("has_clock looked at this event"),
                }
            }
        };
        self.cached_clocks[kind as usize] = value;
        Ok(value)
    }

    /// Whether the log has a read of that clock next, here. True in the other modes.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn has_clock(&mut self, at: Position, wanted: ClockKind) -> Result<bool, ReplayError> {
        self.next_here(at, |event| matches!(event, Event::Clock { kind, .. } if *kind == wanted))
    }

    /// Fills `buffer` from the host's entropy and gives the host call's return code.
    ///
    /// # Errors
    /// When the log cannot be written or read; in play a divergence when no read of this length is next.
    pub fn random(
        &mut self,
        at: Position,
        buffer: &mut [u8],
        read_host: impl FnOnce(&mut [u8]) -> i32,
    ) -> Result<i32, ReplayError> {
        match self.mode {
            ReplayMode::None => Ok(read_host(buffer)),
            ReplayMode::Record => {
                let result = read_host(buffer);
                self.log(at, Event::Random { result, bytes: buffer.to_vec() })?;
                Ok(result)
            }
            ReplayMode::Play => {
                let length = buffer.len();
                let next = self.next_here(
                    at,
                    |event| matches!(event, Event::Random { bytes, .. } if bytes.len() == length),
                )?;
                if !next {
                    return Err(self.unexpected(at, format!("a request for {length} random bytes")));
                }
                let Event::Random { result, bytes } = self.consume()? else {
                    unreachable!("next_here looked at this event")
                };
                buffer.copy_from_slice(&bytes);
                Ok(result)
            }
        }
    }

    /// Sends bytes of a character device to its host and gives the host's result, which may be partial or an error.
    /// The bytes are logged too, so that a recording has its transcript.
    ///
    /// # Errors
    /// When the log cannot be written or read; in play a divergence when these bytes are not what the log has next.
    pub fn char_write(
        &mut self,
        at: Position,
        device: CharId,
        bytes: &[u8],
        write_host: impl FnOnce(&[u8]) -> CharWritten,
    ) -> Result<CharWritten, ReplayError> {
        match self.mode {
            ReplayMode::None => Ok(write_host(bytes)),
            ReplayMode::Record => {
                let written = write_host(bytes);
                self.log(at, Event::CharWrite { device, bytes: bytes.to_vec(), written })?;
                Ok(written)
            }
            ReplayMode::Play => {
                let next = self.next_here(at, |event| {
                    matches!(event, Event::CharWrite { device: logged_device, bytes: logged, .. }
                        if *logged_device == device && logged == bytes)
                })?;
                if !next {
                    let text = format!(
                        "char_write of {:?} by device {}",
                        bytes.escape_ascii().to_string(),
                        device.0
                    );
                    return Err(self.unexpected(at, text));
                }
                match self.consume()? {
                    Event::CharWrite { written, .. } => Ok(written),
                    _ => unreachable!("next_here looked at this event"),
                }
            }
        }
    }

    /// Asks for a shutdown. In none and record it acts (true); in record it is logged first. In play a request of the
    /// guest acts when the log has it next, a request of the host is ignored.
    ///
    /// # Errors
    /// When the log cannot be written or read.
    pub fn shutdown_request(&mut self, at: Position, cause: ShutdownCause) -> Result<bool, ReplayError> {
        let acts = self.pass(at, Event::Shutdown(cause))?;
        self.shutdown_logged |= acts;
        Ok(acts)
    }

    /// Player: the shutdown by the host that the log has here, consumed.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn logged_shutdown(&mut self) -> Result<Option<ShutdownCause>, ReplayError> {
        let here = self.position;
        if self.mode != ReplayMode::Play
            || !self.next_here(here, |event| matches!(event, Event::Shutdown(_)))?
        {
            return Ok(None);
        }
        match self.consume()? {
            Event::Shutdown(cause) => Ok(Some(cause)),
            _ => unreachable!("next_here looked at this event"),
        }
    }

    // ---- the main loop's side ----

    /// Passes a checkpoint. In play true, and consumed, only when the log has it next; on false the caller leaves its
    /// work pending.
    ///
    /// # Errors
    /// When the log cannot be written or read.
    pub fn checkpoint(&mut self, checkpoint: Checkpoint) -> Result<bool, ReplayError> {
        self.pass(self.position, Event::Checkpoint(checkpoint))
    }

    /// Whether the log has this checkpoint next. True in the other modes.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn has_checkpoint(&mut self, checkpoint: Checkpoint) -> Result<bool, ReplayError> {
        self.next_here(self.position, |event| *event == Event::Checkpoint(checkpoint))
    }

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
    /// As for [`flush`](Replay::flush).
    pub fn disable_events(&mut self, deliver: impl FnMut(AsyncEvent)) -> Result<(), ReplayError> {
        self.flush(deliver)?;
        self.events_enabled = false;
        Ok(())
    }

    /// An event from outside. `Some` gives it back: the caller delivers it now (mode none, or events disabled). In
    /// record it waits for the flush point. In play input of the host is dropped, for the log has its own; what the
    /// machine itself scheduled waits for the log to name it.
    #[must_use = "an event that is given back must be delivered"]
    pub fn schedule(&mut self, event: AsyncEvent) -> Option<AsyncEvent> {
        match self.mode {
            _ if !self.events_enabled => return Some(event),
            ReplayMode::None => return Some(event),
            ReplayMode::Record => self.queue.push(event),
            ReplayMode::Play => {
                if matches!(
                    event,
                    AsyncEvent::Bh { .. } | AsyncEvent::BhOneshot { .. } | AsyncEvent::Block { .. }
                ) {
                    self.queue.push(event);
                }
            }
        }
        None
    }

    /// Whether events wait in the queue.
    pub fn has_queued_events(&self) -> bool {
        !self.queue.is_empty()
    }

    /// The one flush point: the top of the vCPU loop, just before warp accounting. In record logs and delivers all
    /// that is queued, in order; in play delivers what the log has here.
    ///
    /// # Errors
    /// When the log cannot be written or read.
    ///
    /// # Panics
    /// When `deliver` flushes again: a programming error in every build.
    pub fn flush(&mut self, mut deliver: impl FnMut(AsyncEvent)) -> Result<(), ReplayError> {
        assert!(!self.flushing, "the async queue has one flush point, and it does not nest");
        self.flushing = true;
        let result = match self.mode {
            ReplayMode::None => {
                while let Some(event) = self.queue.pop() {
                    deliver(event);
                }
                Ok(())
            }
            ReplayMode::Record => self.flush_recording(&mut deliver),
            ReplayMode::Play => self.flush_playing(&mut deliver),
        };
        self.flushing = false;
        result
    }

    fn flush_recording(&mut self, deliver: &mut dyn FnMut(AsyncEvent)) -> Result<(), ReplayError> {
        while let Some(event) = self.queue.pop() {
            self.log(self.position, Event::Async(event.clone()))?;
            deliver(event);
        }
        Ok(())
    }

    fn flush_playing(&mut self, deliver: &mut dyn FnMut(AsyncEvent)) -> Result<(), ReplayError> {
        loop {
            let here = self.position;
            let logged = match self.peek()? {
                Some(StampedEvent { position, event: Event::Async(logged), .. }) if *position == here => {
                    logged.clone()
                }
                _ => return Ok(()),
            };
            let scheduled_here = matches!(
                logged,
                AsyncEvent::Bh { .. } | AsyncEvent::BhOneshot { .. } | AsyncEvent::Block { .. }
            );
            if scheduled_here && self.queue.take_matching(&logged).is_none() {
                // The machine has not scheduled it yet: never run early.
                return Ok(());
            }
            self.consume()?;
            deliver(logged);
        }
    }

    /// What waits in the queue, in words, for reports.
    pub fn queued_descriptions(&self) -> Vec<String> {
        self.queue.iter().map(|event| Event::Async(event.clone()).to_string()).collect()
    }

    /// Player: events consumed so far.
    pub fn events_consumed(&self) -> u64 {
        self.events_consumed
    }

    // ---- digests ----

    /// Recorder: the icount at which the next digest is due, `u64::MAX` for none.
    pub fn next_digest(&self) -> u64 {
        if self.mode == ReplayMode::Record { self.next_digest } else { u64::MAX }
    }

    /// Whether a digest belongs here: due in record, next in the log in play.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn digest_due(&mut self) -> Result<bool, ReplayError> {
        match self.mode {
            ReplayMode::None => Ok(false),
            ReplayMode::Record => Ok(self.position.icount >= self.next_digest),
            ReplayMode::Play => self.next_here(self.position, |event| matches!(event, Event::Digest(_))),
        }
    }

    /// Logs the digests of all subsystems, or compares them with the log's.
    ///
    /// # Errors
    /// In play a divergence that names the subsystems that differ.
    pub fn digest(&mut self, digests: Vec<Digest>) -> Result<(), ReplayError> {
        match self.mode {
            ReplayMode::None => Ok(()),
            ReplayMode::Record => {
                self.next_digest = match self.digest_every {
                    0 => u64::MAX,
                    every => self.position.icount - self.position.icount % every + every,
                };
                self.log(self.position, Event::Digest(digests))
            }
            ReplayMode::Play => self.compare_digests(&digests),
        }
    }

    fn compare_digests(&mut self, found: &[Digest]) -> Result<(), ReplayError> {
        let Some(StampedEvent { event: Event::Digest(logged), .. }) = self.peek()? else {
            return Err(self.unexpected(self.position, "a digest".to_owned()));
        };
        let logged = logged.clone();
        let subsystems: Vec<String> = (0..logged.len().max(found.len()))
            .filter(|&index| logged.get(index) != found.get(index))
            .map(|index| self.subsystems.get(index).cloned().unwrap_or_else(|| format!("subsystem {index}")))
            .collect();
        if !subsystems.is_empty() {
            return Err(self.diverged(Found::State { subsystems }));
        }
        self.consume()?;
        self.last_matching_digest = Some(self.position);
        Ok(())
    }

    // ---- divergence ----

    /// A divergence here: the replay found something other than the next event of the log.
    pub fn diverged(&mut self, found: Found) -> ReplayError {
        let byte_offset = self.source.as_ref().and_then(|source| source.byte_offset());
        let expected = self.peek().ok().flatten().cloned();
        ReplayError::Divergence(Box::new(Divergence {
            position: self.position,
            expected,
            byte_offset,
            found,
            pc: None,
            recent: self.recent.iter().cloned().collect(),
            last_matching_digest: self.last_matching_digest,
        }))
    }

    /// A divergence at `at`: the guest came to `what`, and the log has something else next.
    pub fn unexpected(&mut self, at: Position, what: String) -> ReplayError {
        self.position = at;
        self.diverged(Found::Event(what))
    }

    // ---- log access ----

    /// The rule of every event without an answer: true in none, logged in record, consumed in play when it is next.
    fn pass(&mut self, at: Position, event: Event) -> Result<bool, ReplayError> {
        match self.mode {
            ReplayMode::None => Ok(true),
            ReplayMode::Record => {
                self.log(at, event)?;
                Ok(true)
            }
            ReplayMode::Play => {
                let next = self.next_here(at, |logged| *logged == event)?;
                if next {
                    self.consume()?;
                }
                Ok(next)
            }
        }
    }

    fn next_here(&mut self, at: Position, wanted: impl FnOnce(&Event) -> bool) -> Result<bool, ReplayError> {
        if self.mode != ReplayMode::Play {
            return Ok(true);
        }
        Ok(self.peek()?.is_some_and(|next| next.position == at && wanted(&next.event)))
    }

    fn log(&mut self, at: Position, event: Event) -> Result<(), ReplayError> {
        if let Some(sink) = &mut self.sink {
            sink.append(at, &event)?;
        }
        Ok(())
    }

    fn consume(&mut self) -> Result<Event, ReplayError> {
        let Some(next) = self.peek()?.cloned() else {
            return Err(self.diverged(Found::Event("an event behind the end of the log".to_owned())));
        };
        if let Some(source) = &mut self.source {
            source.advance();
        }
        self.events_consumed += 1;
        self.next_stop_ahead = self.next_stop_ahead.and_then(|ahead| ahead.checked_sub(1));
        if self.recent.len() == RECENT_EVENTS {
            self.recent.pop_front();
        }
        let event = next.event.clone();
        self.recent.push_back(next);
        Ok(event)
    }
}

/// Whether the running guest itself comes to this event, so that a slice need not end before it.
fn made_by_guest(event: &Event) -> bool {
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
        Event::Shutdown(cause) => matches!(
            cause,
            ShutdownCause::GuestShutdown | ShutdownCause::GuestReset | ShutdownCause::GuestPanic
        ),
        Event::Async(_) | Event::Checkpoint(_) | Event::Digest(_) | Event::Snapshot { .. } | Event::End => {
            false
        }
    }
}
