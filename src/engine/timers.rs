//! Timers that are due: those on the virtual clock, and those on host clocks.

use super::vm_state::VmState;
use crate::guest::Guest;
use crate::nondet::ClockKind;
use crate::replay::{Checkpoint, ReplayError, ReplayMode};

/// The subsystem that the loop adds to those of the guest: when the earliest timer of each clock is due.
pub const TIMERS: &str = "timers";

/// The timer lists on host clocks, with the checkpoint that each passes before it is processed.
pub(super) const CLOCK_LISTS: [(ClockKind, Checkpoint); 2] =
    [(ClockKind::Host, Checkpoint::ClockHost), (ClockKind::VirtualRt, Checkpoint::ClockVirtualRt)];

impl<G: Guest> VmState<G> {
    pub(super) fn run_timers(&mut self) -> Result<(), ReplayError> {
        while self.guest.next_timer().is_some_and(|due| due <= self.guest.position().cycles) {
            if !self.replay.checkpoint(Checkpoint::ClockVirtual)? {
                break;
            }
            let (guest, mut io) = self.split();
            let ran = guest.run_timer(&mut io);
            self.check()?;
            ran?;
        }
        Ok(())
    }

    /// The lists on host clocks. When to look at them is the host's affair and not logged; that they were looked at,
    /// and what the clock said then, is.
    pub(super) fn run_clock_timers(&mut self) -> Result<(), ReplayError> {
        for (clock, checkpoint) in CLOCK_LISTS {
            let Some(due) = self.guest.next_clock_timer(clock) else { continue };
            if self.replay.mode() != ReplayMode::Play && self.host_calls.clock(clock) < due {
                continue;
            }
            if !self.replay.checkpoint(checkpoint)? {
                continue;
            }
            let now = self.read_clock(clock)?;
            let (guest, mut io) = self.split();
            guest.run_clock_timers(clock, now, &mut io);
            self.check()?;
        }
        Ok(())
    }
}
