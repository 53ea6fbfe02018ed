//! How a run of an external machine ends: at the recording's end, before it, or torn by a failure; and what a divergence
//! of one probably comes from.

use super::{ExternalReplay, Part, state};
use crate::error::Error;
use crate::events::Delivery;
use crate::log::{Event, StampedEvent};
use crate::nondet::ShutdownCause;
use crate::replay::{Divergence, ReplayMode, made_by_guest};

/// How far the events of one place are looked through.
const LAST_EVENTS_MAX: usize = 4096;

/// Where a replay was left before its recording's end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missing {
    /// The first event of the recording that the replay has not come to.
    pub next: StampedEvent,
    /// The last icount of the recording.
    pub end_icount: u64,
}

impl ExternalReplay {
    /// Player: what the recording has still to come. `None` at its end, and in the other modes.
    ///
    /// A recording ends with its shutdown, digest and end, which belong to no instruction: a replay that stands there
    /// has seen all.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn missing(&mut self) -> Result<Option<Missing>, Error> {
        let Some(reader) = self.reader.clone() else { return Ok(None) };
        if self.finished || self.at_end()? {
            return Ok(None);
        }
        let here = self.position();
        for ahead in 0..LAST_EVENTS_MAX {
            let Some(next) = self.replay.peek_ahead(ahead)? else { return Ok(None) };
            let ends = match &next.event {
                Event::Shutdown(cause) => !cause.is_of_guest(),
                Event::Digest(_) | Event::Snapshot { .. } | Event::End => true,
                _ => false,
            };
            if next.position != here || !ends {
                return Ok(Some(Missing { next: next.clone(), end_icount: reader.last_position().icount }));
            }
        }
        Ok(None)
    }

    pub(super) fn at_torn_end(&mut self) -> Result<bool, Error> {
        let here = self.position();
        for ahead in 0..LAST_EVENTS_MAX {
            match self.replay.peek_ahead(ahead)? {
                Some(next) if next.position != here => return Ok(false),
                Some(next) => match &next.event {
                    Event::Digest(hashes) if state::is_unknown(hashes) => return Ok(true),
                    Event::Shutdown(ShutdownCause::HostError) => {}
                    event if made_by_guest(event) => {}
                    _ => return Ok(false),
                },
                None => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Whether it was finished; a recorder or player then takes no more calls.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Ends recording or playing, with the digest of `state` at the end, and returns what was still queued, to be run
    /// unlogged. A second time does nothing.
    ///
    /// # Errors
    /// When the state is not that of the subsystems, or the log cannot be written; its prefix stays usable.
    pub fn finish(&mut self, state: Option<&[Part]>) -> Result<Vec<Delivery>, Error> {
        if self.replay.mode() == ReplayMode::None {
            return Ok(Vec::new());
        }
        let hashes = self.hashes(state)?;
        let begun = self.replay().map(|_| ());
        self.finished = true;
        let queued = self.replay.finish(|| hashes);
        begun?;
        Ok(queued?)
    }

    /// Ends a recording whose machine has failed and may stand within an instruction: as `shutdown host_error`, with a
    /// digest that is compared with nothing. What is queued is dropped.
    ///
    /// # Errors
    /// When the log cannot be written; its prefix stays usable.
    pub fn finish_torn(&mut self) -> Result<(), Error> {
        if self.replay.mode() == ReplayMode::Record {
            let here = self.position();
            let logged =
                self.replay().and_then(|replay| Ok(replay.shutdown_request(here, ShutdownCause::HostError)?));
            self.finish(None)?;
            logged?;
        }
        self.finish(None).map(|_| ())
    }

    /// An error of a call, with what has probably led to a divergence. The calls that a machine's loop forgets most easily
    /// are those that seem to do nothing while it is recorded.
    pub fn explained(&self, mut error: Error) -> Error {
        if let Error::Divergence(divergence) = &mut error {
            divergence.likely_cause = self.likely_cause(divergence).or(divergence.likely_cause.take());
        }
        error
    }

    fn likely_cause(&self, divergence: &Divergence) -> Option<String> {
        let expected = divergence.expected.as_ref()?;
        let at = expected.position;
        match &expected.event {
            Event::Async(_) if self.flushed_at.is_none() => Some(
                "flush() was never called, and only a flush delivers what came in: call it at the top of the machine's loop"
                    .to_owned(),
            ),
            Event::Async(_) if self.flushed_at != Some(at) => Some(format!(
                "flush() was not called at {at}, where the recording has one: run no further than \
                 instructions_until_next_stop(), and call flush() there"
            )),
            Event::Digest(_) | Event::Snapshot { .. } if divergence.position != at => Some(format!(
                "keep_state() was not called at {at}, where the recording has one: run no further than \
                 instructions_until_next_stop(), and call flush() and keep_state() there"
            )),
            _ => None,
        }
    }
}

impl Drop for ExternalReplay {
    /// A recording that nobody finished ends where its machine was lost.
    fn drop(&mut self) {
        if !self.finished {
            // Nobody is left to hear of an error; the log's prefix stays usable.
            let _ = self.finish_torn();
        }
    }
}
