//! The vCPU's half of a run: an iteration of its loop, and as many of them as one hold of the lock has.

use super::chaos::Chaos;
use super::run_end::StopReason;
use super::vm_state::VmState;
use crate::events::{AsyncEvent, Delivery};
use crate::guest::{Budget, Guest, GuestExit};
use crate::replay::{Found, ReplayError, ReplayMode};
use crate::seeded_faults::{SeededFault, is_seeded};
use crate::units::Position;
use std::time::Duration;

/// Instructions a slice may take: it bounds how long the main loop waits for the lock (well under a millisecond) and
/// makes the cost of an iteration negligible.
const SLICE_INSTRUCTIONS: u64 = 50_000;

/// Who holds the replay lock during an iteration of the vCPU, in reports.
pub(super) const VCPU: &str = "vCPU";

/// What the vCPU does after an iteration.
#[derive(Debug)]
pub enum VcpuAction {
    /// Another iteration.
    Continue,
    /// Nothing until an event comes in or, where given, that much real time has passed.
    Rest(Option<Duration>),
    /// The run has ended.
    Done(Result<StopReason, ReplayError>),
}

/// Whether a replay has come to the end of a log that was cut off, as a killed recorder leaves it: a finished log has
/// `end` as its last event, which is never taken out. The cut may lie between two events of one instruction, so the
/// guest is the first to notice.
fn is_torn_end(error: &ReplayError) -> bool {
    matches!(error, ReplayError::Divergence(divergence) if divergence.expected.is_none())
}

impl<G: Guest> VmState<G> {
    /// What the vCPU does under one hold of the lock: some iterations, each of them flush, warp, timers, digest,
    /// budget, and a slice or idle time.
    pub fn run_vcpu_quantum(&mut self) -> VcpuAction {
        let until = self.guest.position().icount.saturating_add(SLICE_INSTRUCTIONS);
        let iterations = if self.signals.chaos.is_some() { 1 } else { self.iterations_per_quantum };
        for _ in 1..iterations {
            match self.iteration() {
                Ok(VcpuAction::Continue) if self.guest.position().icount < until => {}
                result => return self.conclude(result),
            }
        }
        let last = self.iteration();
        self.conclude(last)
    }

    fn conclude(&self, result: Result<VcpuAction, ReplayError>) -> VcpuAction {
        match result {
            Ok(next) => next,
            Err(error) if is_torn_end(&error) => VcpuAction::Done(Ok(StopReason::End)),
            Err(error) => VcpuAction::Done(Err(self.explain(error))),
        }
    }

    fn iteration(&mut self) -> Result<VcpuAction, ReplayError> {
        self.check()?;
        let events_before = self.replay.events_passed();
        if std::mem::take(&mut self.signals.host_failed) {
            self.stop_request.get_or_insert(StopReason::Interrupted);
        }
        self.replay.account_executed(self.guest.position())?;
        self.release_held()?;
        self.flush()?;
        self.account_warp()?;
        self.run_timers()?;
        self.run_clock_timers()?;
        self.keep_state()?;
        if self.guest_requests()? && self.stop_request.is_none() {
            // What was done here has asked for more, which comes at this same boundary, before a run may end at it.
            self.require_progress()?;
            return Ok(VcpuAction::Continue);
        }
        // A character that left while the CPU waited, and that the run was to end at.
        if self.signals.output_seen {
            self.ending.get_or_insert(StopReason::Output);
        }
        // Before what the log ends or asks for here: a hook or a fault of the last instruction is not lost to it.
        if let Some(reason) = self.ending.take() {
            return Ok(VcpuAction::Done(Ok(reason)));
        }
        if let Some(reason) = self.host_requests()? {
            return Ok(VcpuAction::Done(Ok(reason)));
        }
        if let Some(reason) = self.stop_request.take() {
            return Ok(VcpuAction::Done(Ok(reason)));
        }
        if self.replay.take_break() {
            return Ok(VcpuAction::Done(Ok(StopReason::Breakpoint)));
        }
        if self.reset_requested {
            self.require_progress()?;
            return Ok(VcpuAction::Continue);
        }
        if self.limits.reached(self.guest.position()) {
            // Player: all that the log has here is done before a run ends here.
            if self.replay.events_passed() != events_before && self.has_more_here()? {
                return Ok(VcpuAction::Continue);
            }
            if self.take_interrupt()? {
                return Ok(VcpuAction::Continue);
            }
            return Ok(VcpuAction::Done(Ok(StopReason::Budget)));
        }
        match self.guest.is_idle() {
            true if self.guest.position().cycles >= self.idle_end() => {
                Ok(VcpuAction::Done(Ok(StopReason::Idle)))
            }
            true => self.idle(),
            false => self.slice(),
        }
    }

    pub(super) fn flush(&mut self) -> Result<(), ReplayError> {
        self.signals.wants_iteration = false;
        // The guest is delivered to while the queue is borrowed, so the events are taken out first.
        let mut due: Vec<Delivery> = std::mem::take(&mut self.signals.deliver_now);
        self.replay.flush(|delivery| due.push(delivery))?;
        if is_seeded(SeededFault::BlockOutOfOrder) && self.replay.mode() == ReplayMode::Record {
            due.sort_by_key(|delivery| match delivery.event {
                AsyncEvent::Block { id, .. } => u64::MAX - id,
                _ => 0,
            });
        }
        for delivery in &due {
            let (guest, mut io) = self.split();
            guest.deliver(delivery, &mut io);
            self.check()?;
        }
        Ok(())
    }

    fn slice(&mut self) -> Result<VcpuAction, ReplayError> {
        let mut budget = self.budget()?;
        let here = self.guest.position();
        if here >= budget.stop && self.wake_is_next()? {
            // It takes no time, and may be the last that happens before the stop.
            budget.stop = Position::new(here.icount, here.cycles + 1);
        }
        let (guest, mut io) = self.split();
        let exit = guest.run(budget, &mut io);
        self.check()?;
        if is_seeded(SeededFault::FlushMisplaced) {
            self.flush()?;
        }
        self.replay.account_executed(self.guest.position())?;
        // A run ends at the top of the next iteration, when what is due here has been done: whoever looks at the machine
        // then, or saves it, finds nothing half done.
        let shutdown = self.signals.shutdown.take().and_then(|cause| self.shut_down(cause));
        self.ending = match exit {
            _ if self.signals.output_seen => Some(StopReason::Output),
            _ if shutdown.is_some() => shutdown,
            GuestExit::Breakpoint => Some(StopReason::Breakpoint),
            GuestExit::Hook => Some(StopReason::Hook),
            GuestExit::Fault => Some(StopReason::Fault),
            GuestExit::Stopped => return self.stopped(StopReason::Halted),
            GuestExit::Jammed => return self.stopped(StopReason::Jammed),
            GuestExit::Budget | GuestExit::Waiting => None,
        };
        if self.ending.is_none() {
            self.require_progress()?;
        }
        Ok(VcpuAction::Continue)
    }

    fn budget(&mut self) -> Result<Budget, ReplayError> {
        let here = self.guest.position();
        let slice = self.signals.chaos.as_mut().map_or(SLICE_INSTRUCTIONS, Chaos::slice);
        let icount = here.icount.saturating_add(slice).min(self.limits.icount);
        let icount = icount.min(self.replay.next_due()).min(self.replay.break_icount().unwrap_or(u64::MAX));
        let mut stop = Position::new(icount, 0);
        if let Some(next) = self.replay.next_stop()? {
            stop = stop.min(next);
        }
        Ok(Budget { stop, cycles: self.limits.cycles.min(self.next_held()) })
    }

    /// An error that a call of the guest left behind.
    pub(super) fn check(&mut self) -> Result<(), ReplayError> {
        self.signals.failure.take().map_or(Ok(()), Err)
    }

    /// Player: an iteration that neither moves the guest nor consumes an event will never do so.
    pub(super) fn require_progress(&mut self) -> Result<(), ReplayError> {
        if self.replay.mode() != ReplayMode::Play {
            return Ok(());
        }
        let now = (self.guest.position(), self.replay.events_passed());
        if self.last_progress == Some(now) {
            let waiting = self.replay.queued_descriptions();
            let queue = if waiting.is_empty() { "nothing".to_owned() } else { waiting.join(", ") };
            return Err(self.replay.diverged(Found::Stuck(format!("nothing can move; queued: {queue}"))));
        }
        self.last_progress = Some(now);
        Ok(())
    }

    fn explain(&self, error: ReplayError) -> ReplayError {
        match error {
            ReplayError::Divergence(mut divergence) => {
                divergence.pc = self.guest.pc();
                // Whoever runs an iteration holds the lock as the vCPU, and the main loop waits for it.
                divergence.lock_holder = Some(VCPU);
                ReplayError::Divergence(divergence)
            }
            other => other,
        }
    }
}
