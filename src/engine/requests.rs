//! Shutdown, reset and suspension, as the guest, a host or the log asks for them.

use super::run_end::StopReason;
use super::vm_state::VmState;
use crate::guest::Guest;
use crate::nondet::ShutdownCause;
use crate::replay::{Checkpoint, ReplayError, ReplayMode};

impl<G: Guest> VmState<G> {
    /// Resets and suspension, as they were asked for or, in play, as the log has them, and a shutdown that a callback has
    /// asked for. Returns whether there is more to be done at this boundary.
    pub(super) fn guest_requests(&mut self) -> Result<bool, ReplayError> {
        let played = self.replay.mode() == ReplayMode::Play;
        if let Some(cause) = self.signals.shutdown.take()
            && let Some(reason) = self.shut_down(cause)
        {
            self.ending.get_or_insert(reason);
        }
        if (std::mem::take(&mut self.reset_requested) || played)
            && self.replay.checkpoint(Checkpoint::ResetRequested)?
        {
            self.reset()?;
            return Ok(true);
        }
        if (std::mem::take(&mut self.signals.suspend) || played)
            && self.replay.checkpoint(Checkpoint::SuspendRequested)?
        {
            self.guest.suspend();
        }
        Ok(self.signals.wants_iteration)
    }

    /// Shutdowns and resets that hosts have asked for or, in play, that the log has.
    pub(super) fn host_requests(&mut self) -> Result<Option<StopReason>, ReplayError> {
        if let Some(cause) = self.host_shutdown.take()
            && self.replay.shutdown_request(self.guest.position(), cause)?
        {
            return Ok(self.shut_down(cause));
        }
        match self.replay.logged_shutdown()? {
            // The mark that a recording ended without any shutdown; its final digest and `end` follow.
            Some(ShutdownCause::None) | None => {}
            Some(cause) => return Ok(self.shut_down(cause)),
        }
        Ok(self.replay.at_end()?.then_some(StopReason::End))
    }

    /// Why the run ends, or a reset that is to come.
    pub(super) fn shut_down(&mut self, cause: ShutdownCause) -> Option<StopReason> {
        self.reset_requested |= cause.is_reset();
        (!cause.is_reset()).then_some(StopReason::Shutdown(cause))
    }

    fn reset(&mut self) -> Result<(), ReplayError> {
        let (guest, mut io) = self.split();
        guest.reset(&mut io);
        self.check()?;
        self.replay.account_executed(self.guest.position())
    }

    /// The reset button, pressed between two iterations: at once, and recorded.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn press_reset(&mut self) -> Result<(), ReplayError> {
        self.replay.account_executed(self.guest.position())?;
        self.replay.checkpoint(Checkpoint::ResetRequested)?;
        self.reset()
    }
}
