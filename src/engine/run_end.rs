//! What ends a run: the limits, and what still comes at the boundary at which it ends.

use super::iteration::VcpuAction;
use super::vm_state::VmState;
use crate::guest::{Budget, Guest, GuestExit};
use crate::log::Event;
use crate::nondet::ShutdownCause;
use crate::replay::{ReplayError, ReplayMode};
use crate::units::Position;

/// Why a run ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum StopReason {
    /// The instructions, cycles or seconds asked for have passed.
    Budget,
    /// The console printed what was waited for.
    Output,
    /// The guest came to an address at which the caller wants to stop.
    Breakpoint,
    /// A hook was hit; the run can go on with the same limits.
    Hook,
    /// The guest did what its board forbids.
    Fault,
    /// The CPU waits or has stopped, and nothing will come that could wake it.
    Halted,
    /// The CPU has come to a JAM opcode.
    Jammed,
    /// The machine was shut down.
    Shutdown(ShutdownCause),
    /// The recording that is played has ended.
    End,
    /// The CPU has waited as long as it may without an instruction, and only time passes.
    Idle,
    /// The user asked.
    Interrupted,
}

/// Where a run ends at the latest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Instructions retired, `u64::MAX` for no limit.
    pub icount: u64,
    /// Cycles passed, `u64::MAX` for no limit.
    pub cycles: u64,
}

impl Limits {
    /// No limit.
    pub const NONE: Limits = Limits { icount: u64::MAX, cycles: u64::MAX };

    /// Whether a run that stands at `position` has come to its end.
    pub fn reached(self, position: Position) -> bool {
        position.icount >= self.icount || position.cycles >= self.cycles
    }
}

impl<G: Guest> VmState<G> {
    /// The cycle at which a CPU that waits here has waited as long as it may.
    pub(super) fn idle_end(&mut self) -> u64 {
        let here = self.guest.position();
        let since = self.waiting_since.filter(|since| since.icount == here.icount);
        if since.is_none() {
            self.waiting_since_ns = None;
        }
        self.waiting_since.insert(since.unwrap_or(here)).cycles.saturating_add(self.idle_limit)
    }

    /// Takes what still belongs to a run that ends here, so that a run in pieces comes to the same as a whole one: a wake
    /// of the CPU that takes no time; and, after the last instruction, the interrupt sequence that comes before the next
    /// one, if the cycles reach. Returns whether there was any.
    pub(super) fn take_interrupt(&mut self) -> Result<bool, ReplayError> {
        let here = self.guest.position();
        let may_take_time =
            self.ends_on_instruction && here.icount >= self.limits.icount && here.cycles < self.limits.cycles;
        let (guest, mut io) = self.split();
        let comes = guest.wakes_here(&mut io) || may_take_time && guest.is_interrupted(&mut io);
        if !comes || !self.logs_interrupt()? {
            return Ok(false);
        }
        let (guest, mut io) = self.split();
        let budget = Budget { stop: Position::new(here.icount, here.cycles + 1), cycles: u64::MAX };
        let exit = guest.run(budget, &mut io);
        self.check()?;
        self.replay.account_executed(self.guest.position())?;
        // A hook may watch the stack that it pushes to, or nothing may be mapped there.
        self.ending = match exit {
            GuestExit::Hook => Some(StopReason::Hook),
            GuestExit::Fault => Some(StopReason::Fault),
            _ => None,
        };
        // A player refuses an interrupt that the log does not have here.
        Ok(self.guest.position() != here)
    }

    /// Player: whether the CPU's wait ends here without taking time, and the log has that next.
    pub(super) fn wake_is_next(&mut self) -> Result<bool, ReplayError> {
        let (guest, mut io) = self.split();
        Ok(guest.wakes_here(&mut io) && self.logs_interrupt()?)
    }

    /// Player: whether the log has an interrupt next, at this boundary. True in the other modes.
    fn logs_interrupt(&mut self) -> Result<bool, ReplayError> {
        if self.replay.mode() != ReplayMode::Play {
            return Ok(true);
        }
        let icount = self.guest.position().icount;
        let next = self.replay.peek()?;
        Ok(next
            .is_some_and(|next| next.position.icount == icount && matches!(next.event, Event::Interrupt(_))))
    }

    /// Player: whether the log has something for the loop next, at this boundary.
    pub(super) fn has_more_here(&mut self) -> Result<bool, ReplayError> {
        let here = self.guest.position();
        Ok(self.replay.mode() == ReplayMode::Play
            && self.replay.next_stop()?.is_some_and(|next| next <= here))
    }

    /// A CPU that only a reset can start again. In play the log's end, or that reset, comes before this is final.
    pub(super) fn stopped(&mut self, reason: StopReason) -> Result<VcpuAction, ReplayError> {
        if self.replay.mode() == ReplayMode::Play {
            self.require_progress()?;
            return Ok(VcpuAction::Continue);
        }
        Ok(VcpuAction::Done(Ok(reason)))
    }
}
