//! While an external machine runs: where it is, how far it may go, what is delivered to it, when it ends.

use super::ExternalReplay;
use crate::error::Error;
use crate::events::Delivery;
use crate::nondet::ShutdownCause;
use crate::replay::{Found, ReplayMode};
use crate::units::Position;

/// A replay in which so many flushes follow each other while nothing moves will never move again.
const IDLE_FLUSHES_MAX: u32 = 1000;

/// A replay that is asked so often how far its machine may go, at one place, with the answer 0 and without a flush, is in a
/// loop that never ends. More than for flushes: a thread may wait in such a loop for another one that flushes.
const IDLE_QUESTIONS_MAX: u32 = 10_000;

/// Counts how often something was done while nothing moved.
#[derive(Default)]
pub(super) struct Standstill {
    at: (Position, u64),
    times: u32,
}

impl Standstill {
    /// Once more; how often it was before at this place, where so many events had passed.
    fn count(&mut self, position: Position, events: u64) -> u32 {
        let here = (position, events);
        self.times = if self.at == here { self.times.saturating_add(1) } else { 0 };
        self.at = here;
        self.times
    }
}

impl ExternalReplay {
    // ---- places ----

    /// Logs or checks that the guest has executed so many instructions and cycles.
    ///
    /// # Errors
    /// In play, a divergence when the log has an event before that place; a sum above 64 bits.
    pub fn account_executed(&mut self, instructions: u64, cycles: u64) -> Result<(), Error> {
        let here = self.position();
        let too_far =
            || Error::Argument(format!("{instructions} instructions after {here} are above 64 bits"));
        let icount = here.icount.checked_add(instructions).ok_or_else(too_far)?;
        let cycles = here.cycles.checked_add(cycles).ok_or_else(too_far)?;
        Ok(self.replay()?.account_executed(Position::new(icount, cycles))?)
    }

    /// Instructions that the guest may run before the loop must look up: until the next event that the loop and not the
    /// guest itself comes to, until a digest or snapshot is due, until the break.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn instructions_until_next_stop(&mut self) -> Result<u64, Error> {
        if self.at_end()? {
            return Ok(0);
        }
        let here = self.position().icount;
        let replay = self.replay()?;
        let until = |icount: u64| if icount == u64::MAX { icount } else { icount.saturating_sub(here) };
        let logged = replay.next_stop()?.map_or(u64::MAX, |stop| until(stop.icount));
        let due = until(replay.next_due());
        let until_break = replay.break_icount().map_or(u64::MAX, until);
        // What is due here is done here, by keep_state, or not at all.
        let room = logged.min(until_break).min(if due == 0 { u64::MAX } else { due });
        if logged == 0 {
            self.require_flush()?;
        }
        Ok(room)
    }

    /// Player: cycles that a waiting guest may let pass before the log has something; without limit in the other modes
    /// and when more instructions come first.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn cycles_until_next_event(&mut self) -> Result<u64, Error> {
        let here = self.position();
        let next = self.replay()?.peek()?.filter(|next| next.position.icount == here.icount);
        let room = next.map_or(u64::MAX, |next| next.position.cycles.saturating_sub(here.cycles));
        if room == 0 {
            self.require_flush()?;
        }
        Ok(room)
    }

    /// Player: a loop that may not go on, and does not take in what the log has here, would never end.
    fn require_flush(&mut self) -> Result<(), Error> {
        let (position, events) = (self.position(), self.replay.events_passed());
        if self.flushed_at == Some(position) || self.questions.count(position, events) < IDLE_QUESTIONS_MAX {
            return Ok(());
        }
        let why = format!("the machine may not go on, and was told so {IDLE_QUESTIONS_MAX} times");
        Err(self.replay.diverged(Found::Stuck(why)).into())
    }

    /// Player: whether the recording has ended here. What it may still have belongs to an instruction that the recorder
    /// did not finish.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn at_end(&mut self) -> Result<bool, Error> {
        if self.replay.mode() != ReplayMode::Play {
            return Ok(false);
        }
        self.look_for_shutdown()?;
        Ok(self.replay.at_end()? || self.at_torn_end()?)
    }

    /// The last shutdown that acts: as it was asked for or, in play, as the log has it here.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn shutdown(&mut self) -> Result<Option<ShutdownCause>, Error> {
        self.look_for_shutdown()?;
        Ok(self.shutdown)
    }

    /// The machine has taken notice of the shutdown (a reset) and goes on.
    pub fn clear_shutdown(&mut self) {
        self.shutdown = None;
    }

    fn look_for_shutdown(&mut self) -> Result<(), Error> {
        match self.replay.logged_shutdown()? {
            // The mark of a recording that ended without any.
            Some(ShutdownCause::None) | None => {}
            cause => self.shutdown = cause,
        }
        Ok(())
    }

    /// Asks for a shutdown; see [`shutdown_request`](crate::replay::Replay::shutdown_request).
    ///
    /// # Errors
    /// When the log cannot be written or read.
    pub fn shutdown_request(&mut self, cause: ShutdownCause) -> Result<bool, Error> {
        let here = self.position();
        let acts = self.replay()?.shutdown_request(here, cause)?;
        if acts {
            self.shutdown = Some(cause);
        }
        Ok(acts)
    }

    // ---- the flush point ----

    /// Something that a host brings: it is refused where it would be in no log.
    ///
    /// # Errors
    /// Before [`start`](ExternalReplay::start), in record and play.
    pub fn require_started(&self, what: &str) -> Result<(), Error> {
        if self.started || self.replay.mode() == ReplayMode::None {
            return Ok(());
        }
        Err(Error::State(format!(
            "{what} came before start(), and would not be in the recording: register the devices, call start(), and \
             bring it then"
        )))
    }

    /// From now on async events wait for the flush point.
    ///
    /// # Errors
    /// When the file's header cannot be written.
    pub fn enable_events(&mut self) -> Result<(), Error> {
        self.replay()?.enable_events();
        self.started = true;
        Ok(())
    }

    /// Begins a flush.
    ///
    /// # Errors
    /// Within another one; in play a divergence when nothing has moved for a long time and never will.
    pub fn begin_flush(&mut self) -> Result<(), Error> {
        if self.flush.is_some() {
            return Err(Error::State(
                "flush was called within a flush: the async queue has one flush point, the top of the machine's loop"
                    .into(),
            ));
        }
        self.require_progress()?;
        self.flushed_at = Some(self.position());
        let steps = self.replay()?.begin_flush();
        self.flush = Some(steps);
        Ok(())
    }

    /// The next event to deliver.
    ///
    /// # Errors
    /// When the log cannot be written or read.
    pub fn next_delivery(&mut self) -> Result<Option<Delivery>, Error> {
        match &mut self.flush {
            Some(steps) => Ok(self.replay.next_delivery(steps)?),
            None => Ok(None),
        }
    }

    /// Ends the flush; what was not delivered waits for the next one.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn end_flush(&mut self) -> Result<(), Error> {
        self.flush = None;
        self.replay.end_flush();
        self.look_for_shutdown()
    }

    fn require_progress(&mut self) -> Result<(), Error> {
        if self.replay.mode() != ReplayMode::Play || self.at_end()? {
            return Ok(());
        }
        let (position, events) = (self.position(), self.replay.events_passed());
        let times = self.flushes.count(position, events);
        if times < IDLE_FLUSHES_MAX {
            return Ok(());
        }
        let queued = self.replay.queued_descriptions();
        let queue = if queued.is_empty() { "nothing".to_owned() } else { queued.join(", ") };
        let why = format!("nothing has moved through {times} flushes; queued: {queue}");
        Err(self.replay.diverged(Found::Stuck(why)).into())
    }
}
