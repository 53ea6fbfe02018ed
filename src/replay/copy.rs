//! A part of a log, copied while it is played: a recording of its own.

use super::chain::EventChain;
use super::error::ReplayError;
use super::state::Replay;
use super::stream::EventSink;
use crate::events::Checkpoint;
use crate::log::event::{Event, StampedEvent};
use crate::nondet::ShutdownCause;
use crate::persist::Digest;
use crate::units::Position;

/// Takes the events that a player consumes.
pub(super) struct LogCopy {
    sink: Box<dyn EventSink>,
    chain: EventChain,
    shutdown: bool,
}

impl LogCopy {
    fn log(&mut self, at: Position, event: &Event) -> Result<(), ReplayError> {
        self.sink.append(at, event)?;
        self.chain.add(at, event);
        Ok(())
    }

    /// The hashes of the state are what they were; that of the events is of this log's own.
    fn digest(&mut self, at: Position, mut digests: Vec<Digest>) -> Result<(), ReplayError> {
        if let Some(events) = digests.last_mut() {
            *events = self.chain.digest();
        }
        self.log(at, &Event::Digest(digests))
    }

    pub(super) fn take(&mut self, event: &StampedEvent) -> Result<(), ReplayError> {
        match &event.event {
            // It refers to a snapshot of the other log, and is no part of what happened.
            Event::Snapshot { .. } => Ok(()),
            // The mark of an end, which may lie elsewhere here.
            Event::Shutdown(ShutdownCause::None) => Ok(()),
            Event::Digest(digests) => self.digest(event.position, digests.clone()),
            other => {
                self.shutdown |= matches!(other, Event::Shutdown(cause) if !cause.is_reset());
                self.log(event.position, other)
            }
        }
    }
}

impl Replay {
    /// Player: from here on, what is consumed goes into `sink` too, as a recording that starts here. `of_guest` are the
    /// guest's hashes.
    ///
    /// # Errors
    /// When the copy cannot be written.
    pub fn start_copy(&mut self, sink: Box<dyn EventSink>, of_guest: Vec<Digest>) -> Result<(), ReplayError> {
        let (at, chain) = (self.position(), EventChain::starting_with(sink.identity()));
        let mut copy = LogCopy { sink, chain, shutdown: false };
        copy.log(at, &Event::Checkpoint(Checkpoint::Init))?;
        copy.log(at, &Event::Checkpoint(Checkpoint::Reset))?;
        let digests = self.with_own_digests(of_guest);
        copy.digest(at, digests)?;
        self.copy = Some(copy);
        Ok(())
    }

    /// Player: nothing comes of the copy. What its sink has is given up.
    pub fn abandon_copy(&mut self) {
        self.copy = None;
    }

    /// Player: ends the copy here.
    ///
    /// # Errors
    /// When the copy cannot be written.
    pub fn finish_copy(&mut self, of_guest: Vec<Digest>) -> Result<(), ReplayError> {
        let Some(mut copy) = self.copy.take() else { return Ok(()) };
        let at = self.position();
        if !copy.shutdown {
            copy.log(at, &Event::Shutdown(ShutdownCause::None))?;
        }
        let digests = self.with_own_digests(of_guest);
        copy.digest(at, digests)?;
        copy.log(at, &Event::End)?;
        Ok(copy.sink.finish()?)
    }
}
