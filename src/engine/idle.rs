//! Idle time: how a CPU that waits lets the clock go on, in a jump or asleep, and how a sleep is accounted for.

use super::iteration::VcpuAction;
use super::run_end::StopReason;
use super::timers::CLOCK_LISTS;
use super::vm_state::{Timing, VmState};
use crate::guest::Guest;
use crate::nondet::{ClockKind, Nondet};
use crate::replay::{Checkpoint, Found, ReplayError, ReplayMode};
use crate::units::{Cycles, VirtualNs};
use std::time::Duration;

impl<G: Guest> VmState<G> {
    pub(super) fn idle(&mut self) -> Result<VcpuAction, ReplayError> {
        let here = self.guest.position();
        // A kick or a coarse clock may wake a sleeping CPU before any cycle has passed: it falls asleep again.
        let falls_asleep = self.replay.mode() == ReplayMode::Play
            || self.timing == Timing::Sleep
            || self.idle_since != Some(here);
        if self.warp_start.is_none()
            && falls_asleep
            && self.replay.checkpoint(Checkpoint::ClockWarpStart)?
            && self.sleeps_here()?
        {
            let now = self.read_clock(ClockKind::VirtualRt)?;
            self.warp_start = Some(now);
        }
        self.idle_since = Some(here);
        if self.warp_start.is_some() && self.replay.mode() == ReplayMode::Play {
            // The log holds how long the sleep took; it is accounted at the next iteration.
            self.require_progress()?;
            return Ok(VcpuAction::Continue);
        }
        let deadline = self.next_timer_or_limit();
        if self.warp_start.is_some() {
            let wait = (deadline != u64::MAX).then(|| {
                let cycles = Cycles(deadline.saturating_sub(here.cycles));
                Duration::from_nanos(cycles.to_ns(self.guest.clock_hz()).0)
            });
            let until_clock_timer = self.until_clock_timer();
            return Ok(VcpuAction::Rest(wait.into_iter().chain(until_clock_timer).min()));
        }
        // The limit on idle time does not count here: it ends a wait, but it is nothing to wait for.
        let something = self.guest.next_timer().unwrap_or(u64::MAX).min(self.limits.cycles);
        let is_nothing = something.min(self.next_held()) == u64::MAX;
        let deadline = self.clamp_to_log(if is_nothing { u64::MAX } else { deadline })?;
        if deadline == u64::MAX {
            return self.nothing_to_wait_for();
        }
        self.guest.advance_idle(deadline);
        self.require_progress()?;
        Ok(VcpuAction::Continue)
    }

    /// The cycle up to which a CPU that waits can wait at once.
    fn next_timer_or_limit(&mut self) -> u64 {
        let timer = self.guest.next_timer().unwrap_or(u64::MAX);
        timer.min(self.limits.cycles).min(self.next_held()).min(self.idle_end())
    }

    /// Whether idle time is slept here: as configured, or as the log did it.
    pub(super) fn sleeps_here(&mut self) -> Result<bool, ReplayError> {
        let here = self.guest.position();
        match self.replay.mode() {
            ReplayMode::Play => self.replay.has_clock(here, ClockKind::VirtualRt),
            ReplayMode::None | ReplayMode::Record => Ok(self.timing == Timing::Sleep
                && (self.something_may_come()
                    || self.guest.next_timer().is_some()
                    || self.next_held() != u64::MAX
                    || self.until_clock_timer().is_some())),
        }
    }

    /// Real time until the earliest timer on a host clock is due.
    pub(super) fn until_clock_timer(&mut self) -> Option<Duration> {
        let until = |(clock, _)| {
            let due: i64 = self.guest.next_clock_timer(clock)?;
            let left = due.saturating_sub(self.host_calls.clock(clock)).max(0);
            Some(Duration::from_nanos(left.cast_unsigned()))
        };
        CLOCK_LISTS.into_iter().filter_map(until).min()
    }

    pub(super) fn nothing_to_wait_for(&mut self) -> Result<VcpuAction, ReplayError> {
        match self.replay.mode() {
            ReplayMode::Play if self.replay.peek()?.is_some() => {
                Err(self.replay.diverged(Found::Stuck("the CPU waits, and no timer will wake it".to_owned())))
            }
            ReplayMode::Play => Ok(VcpuAction::Done(Ok(StopReason::Halted))),
            ReplayMode::None | ReplayMode::Record => Ok(match self.until_clock_timer() {
                Some(until) => match self.idle_time_left() {
                    Some(Duration::ZERO) => VcpuAction::Done(Ok(StopReason::Idle)),
                    left => VcpuAction::Rest(Some(left.map_or(until, |left| until.min(left)))),
                },
                None if self.something_may_come() => VcpuAction::Rest(None),
                None => VcpuAction::Done(Ok(StopReason::Halted)),
            }),
        }
    }

    /// Real time that a CPU which waits for timers on host clocks alone may go on waiting: its own clock stands. `None`
    /// without a limit.
    fn idle_time_left(&mut self) -> Option<Duration> {
        if self.idle_limit == u64::MAX {
            return None;
        }
        let now = self.host_calls.clock(ClockKind::VirtualRt);
        let waited = now.saturating_sub(*self.waiting_since_ns.get_or_insert(now)).max(0);
        let limit = Duration::from_nanos(Cycles(self.idle_limit).to_ns(self.guest.clock_hz()).0);
        Some(limit.saturating_sub(Duration::from_nanos(waited.cast_unsigned())))
    }

    /// Whether a CPU that waits has anything to wait for: a host that may bring something, or the answer to a request of
    /// its own, of which the main loop need not know.
    pub(super) fn something_may_come(&self) -> bool {
        self.may_deliver || self.replay.outstanding_blocks().next().is_some()
    }

    /// Moves the virtual clock by the real time that an idle CPU has slept.
    pub(super) fn account_warp(&mut self) -> Result<(), ReplayError> {
        let Some(start) = self.warp_start else { return Ok(()) };
        if !self.replay.checkpoint(Checkpoint::ClockWarpAccount)? {
            return Ok(());
        }
        self.warp_start = None;
        let slept = self.read_clock(ClockKind::VirtualRt)?.saturating_sub(start);
        let slept = VirtualNs(u64::try_from(slept).unwrap_or(0)).to_cycles(self.guest.clock_hz()).0;
        let here = self.guest.position().cycles;
        let mut target = here.saturating_add(slept);
        if self.guest.is_idle() {
            target = target.min(self.next_timer_or_limit()).max(here);
            target = self.clamp_to_log(target)?.max(here);
            self.guest.advance_idle(target);
            self.replay.account_executed(self.guest.position())?;
        }
        Ok(())
    }

    pub(super) fn read_clock(&mut self, clock: ClockKind) -> Result<i64, ReplayError> {
        let here = self.guest.position();
        let (_, mut io) = self.split();
        let now = io.clock(here, clock);
        self.check()?;
        Ok(now)
    }

    /// Player: idle time ends where the log has its next event, for input that came while the CPU waited must come
    /// at its cycle.
    pub(super) fn clamp_to_log(&mut self, cycles: u64) -> Result<u64, ReplayError> {
        if self.replay.mode() != ReplayMode::Play {
            return Ok(cycles);
        }
        let here = self.guest.position();
        Ok(match self.replay.peek()? {
            Some(next) if next.position.icount == here.icount => cycles.min(next.position.cycles),
            Some(_) => cycles,
            // Cut off while the CPU waited: how long it did is not known, and the next iteration finds the end.
            None => here.cycles,
        })
    }
}
