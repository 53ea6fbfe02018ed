//! A part of a log, written out while it is played: a recording of its own.

use super::error::ReplayError;
use super::event_hash::EventHash;
use super::state::Replay;
use super::stream::EventSink;
use crate::events::Checkpoint;
use crate::log::event::{Event, StampedEvent};
use crate::nondet::ShutdownCause;
use crate::persist::Digest;
use crate::units::Position;

/// Takes the events that a player consumes.
pub(super) struct LogExtract {
    sink: Box<dyn EventSink>,
    event_hash: EventHash,
    shutdown: bool,
}

impl LogExtract {
    fn log(&mut self, at: Position, event: &Event) -> Result<(), ReplayError> {
        self.sink.append(at, event)?;
        self.event_hash.add(at, event);
        Ok(())
    }

    /// The hashes of the state are those of the first log; the hash of the events is of this one's.
    fn digest(&mut self, at: Position, mut digests: Vec<Digest>) -> Result<(), ReplayError> {
        if let Some(events) = digests.last_mut() {
            *events = self.event_hash.digest();
        }
        self.log(at, &Event::Digest(digests))
    }

    pub(super) fn take(&mut self, event: &StampedEvent) -> Result<(), ReplayError> {
        match &event.event {
            // It refers to a snapshot of the first log, and is no event of the guest or its hosts.
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
    /// When the extract cannot be written.
    pub fn start_extract(
        &mut self,
        sink: Box<dyn EventSink>,
        of_guest: Vec<Digest>,
    ) -> Result<(), ReplayError> {
        let (at, event_hash) = (self.position(), EventHash::starting_with(sink.identity()));
        let mut extract = LogExtract { sink, event_hash, shutdown: false };
        extract.log(at, &Event::Checkpoint(Checkpoint::Init))?;
        extract.log(at, &Event::Checkpoint(Checkpoint::Reset))?;
        let digests = self.with_own_digests(of_guest);
        extract.digest(at, digests)?;
        self.extract = Some(extract);
        Ok(())
    }

    /// Player: drops the extract. What its sink has is not finished.
    pub fn abandon_extract(&mut self) {
        self.extract = None;
    }

    /// Player: ends the extract here.
    ///
    /// # Errors
    /// When the extract cannot be written.
    pub fn finish_extract(&mut self, of_guest: Vec<Digest>) -> Result<(), ReplayError> {
        let Some(mut extract) = self.extract.take() else { return Ok(()) };
        let at = self.position();
        if !extract.shutdown {
            extract.log(at, &Event::Shutdown(ShutdownCause::None))?;
        }
        let digests = self.with_own_digests(of_guest);
        extract.digest(at, digests)?;
        extract.log(at, &Event::End)?;
        Ok(extract.sink.finish()?)
    }
}
