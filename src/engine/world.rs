//! The two halves of a run, as turns taken under the replay lock. Both schedulers call these and nothing else, so a
//! recording made under either replays under both.

use super::chaos::Chaos;
use super::hosts::Outlet;
use super::outside::{Outside, Transcripts, Watch};
use super::snapshots::SnapshotCheck;
use crate::events::{AsyncEvent, Delivery};
use crate::guest::{Budget, Guest, GuestExit};
use crate::log::Event;
use crate::nondet::{ClockKind, ShutdownCause};
use crate::persist::{Digest, Field};
use crate::planted::{Bug, is_planted};
use crate::replay::{Checkpoint, Found, Replay, ReplayError, ReplayMode};
use crate::units::Position;
use std::time::Duration;

/// Instructions a slice may take: it bounds how long the main loop waits for the lock (well under a millisecond) and
/// keeps the cost of a turn out of sight.
const SLICE_INSTRUCTIONS: u64 = 50_000;

/// Turns that the vCPU takes under one hold of the lock, within the instructions of one slice. A transmitter ends a
/// slice every few dozen instructions; to let go of the lock and poll the hosts each time would cost more than they do.
/// One under a model checker, which must see every place where the threads can meet.
const TURNS_PER_HOLD: u32 = if cfg!(any(loom, shuttle)) { 1 } else { 64 };

/// The subsystem that the loop adds to those of the guest: when the earliest timer of each clock is due.
pub const TIMERS: &str = "timers";

/// Who holds the replay lock while a turn is taken, in reports.
pub(super) const VCPU: &str = "vCPU";

/// The section of a snapshot that holds the state machine's part.
pub const REPLAY_SECTION: &str = "replay";

/// Rounds of deferred calls at the end of a recording: each may ask for another.
const LAST_ROUNDS: u32 = 64;

/// The timer lists on host clocks, with the checkpoint that each passes before it is processed.
pub(super) const CLOCK_LISTS: [(ClockKind, Checkpoint); 2] =
    [(ClockKind::Host, Checkpoint::ClockHost), (ClockKind::VirtualRt, Checkpoint::ClockVirtualRt)];

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

/// How an idle machine spends its time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timing {
    /// The virtual clock jumps to the next deadline: as fast as possible.
    Jump,
    /// The machine sleeps until the deadline in real time, and the virtual clock moves by what passed.
    Sleep,
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

/// What the vCPU does after a turn.
#[derive(Debug)]
pub enum Next {
    /// Another turn.
    Continue,
    /// Nothing until an event comes in or, where given, that much real time has passed.
    Rest(Option<Duration>),
    /// The run has ended.
    Done(Result<StopReason, ReplayError>),
}

/// What one look at the hosts has brought.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// Events, in order.
    pub events: Vec<AsyncEvent>,
    /// Whether more may come by itself.
    pub may_deliver: bool,
    /// Whether the user wants to stop.
    pub interrupted: bool,
    /// A shutdown or reset that a host has asked for.
    pub shutdown: Option<ShutdownCause>,
}

/// Everything that a run touches, owned by whoever holds the replay lock.
pub struct World<G> {
    /// The machine.
    pub guest: G,
    /// The state machine.
    pub replay: Replay,
    /// The hosts that answer at once.
    pub outlet: Box<dyn Outlet>,
    /// What was printed.
    pub transcripts: Transcripts,
    /// What the run is watched for.
    pub watch: Watch,
    /// Where the run ends.
    pub limits: Limits,
    /// Whether a run that is limited in instructions ends where the next instruction begins, behind an interrupt sequence
    /// that comes before it: what is shown as next is then what comes next.
    pub ends_on_instruction: bool,
    /// Cycles that the CPU may wait without an instruction before the run ends; `u64::MAX` for no limit.
    pub idle_limit: u64,
    /// How idle time passes.
    pub timing: Timing,
    /// Whether a host may bring more by itself.
    pub may_deliver: bool,
    /// Turns under one hold of the lock.
    pub turns_per_hold: u32,
    /// The hash of board and ROM, for the snapshots in a recording.
    pub identity: Digest,
    /// Player: compares the run with the recording's snapshots.
    pub snapshot_check: Option<SnapshotCheck<G>>,
    /// Set from either side to end the run.
    pub stop_request: Option<StopReason>,
    /// Why the run ends at the top of the next turn.
    ending: Option<StopReason>,
    /// A shutdown or reset that a host has asked for.
    host_shutdown: Option<ShutdownCause>,
    /// Whether the guest has asked for a reset that is not done yet.
    reset_requested: bool,
    /// Recorder: where the CPU was last seen to go to sleep, so that it is logged once.
    pub(super) idle_since: Option<Position>,
    /// The place from which on no instruction has retired: its icount, and the cycle at which it was noticed.
    waiting_since: Option<Position>,
    /// The reading of the virtual_rt clock, not logged, at which a wait began that only timers on host clocks can end.
    pub(super) waiting_since_ns: Option<i64>,
    /// The reading of the virtual_rt clock at which an idle CPU went to sleep.
    pub(super) warp_start: Option<i64>,
    /// Player: the position after the last turn, to catch a turn that moves nothing.
    pub(super) last_progress: Option<(Position, u64)>,
}

/// Whether a replay has come to the end of a log that was cut off, as a killed recorder leaves it: a finished log has
/// `end` as its last event, which is never taken out. The cut may lie between two events of one instruction, so the
/// guest is the first to notice.
fn is_torn_end(error: &ReplayError) -> bool {
    matches!(error, ReplayError::Divergence(divergence) if divergence.expected.is_none())
}

impl<G: Guest> World<G> {
    /// A world in which nothing has happened yet.
    pub fn new(guest: G, replay: Replay, outlet: Box<dyn Outlet>) -> Self {
        Self {
            guest,
            replay,
            outlet,
            transcripts: Transcripts::default(),
            watch: Watch::default(),
            limits: Limits::NONE,
            ends_on_instruction: false,
            idle_limit: u64::MAX,
            timing: Timing::Jump,
            may_deliver: false,
            turns_per_hold: TURNS_PER_HOLD,
            identity: Digest([0; 16]),
            snapshot_check: None,
            stop_request: None,
            ending: None,
            host_shutdown: None,
            reset_requested: false,
            idle_since: None,
            waiting_since: None,
            waiting_since_ns: None,
            warp_start: None,
            last_progress: None,
        }
    }

    /// Prepares a run with new limits; forgets what ended the last one.
    pub fn begin_run(&mut self, limits: Limits) {
        self.limits = limits;
        self.ends_on_instruction = false;
        self.idle_limit = u64::MAX;
        self.waiting_since = None;
        self.waiting_since_ns = None;
        self.watch.output_seen = false;
        self.watch.shutdown = None;
        self.stop_request = None;
        self.ending = None;
        self.idle_since = None;
        self.last_progress = None;
    }

    /// The guest beside everything it may ask.
    pub fn split(&mut self) -> (&mut G, Outside<'_>) {
        (
            &mut self.guest,
            Outside {
                replay: &mut self.replay,
                outlet: &mut *self.outlet,
                transcripts: &mut self.transcripts,
                watch: &mut self.watch,
            },
        )
    }

    /// A sleep that a run was stopped in is not accounted for: the machine has been put into another state.
    pub fn forget_sleep(&mut self) {
        self.warp_start = None;
        self.idle_since = None;
        self.watch.given_back.retain(|delivery| delivery.owner.is_none());
        self.watch.suspend = false;
        self.reset_requested = false;
    }

    /// Bytes from hosts that have come in and were not delivered yet.
    pub fn undelivered_bytes(&self) -> usize {
        let given_back = self.watch.given_back.iter().map(|delivery| match &delivery.event {
            AsyncEvent::CharRead { bytes, .. } => bytes.len(),
            _ => 0,
        });
        let held = self.watch.chaos.as_ref().map_or(0, Chaos::held_bytes);
        given_back.sum::<usize>() + self.replay.queued_bytes() + held
    }

    /// Names of the hashes of [`digests`](World::digests).
    pub fn subsystems(&self) -> Vec<String> {
        let mut names = self.guest.subsystems();
        names.push(TIMERS.to_owned());
        names
    }

    /// One hash a subsystem of the guest, and that of its timers.
    pub fn digests(&mut self) -> Vec<Digest> {
        let mut digests = self.guest.digests();
        // The first recordings did not have it.
        if self.replay.mode() != ReplayMode::Play || self.replay.has_subsystem(TIMERS) {
            let mut due = Vec::new();
            self.guest.next_timer().put(&mut due);
            for (clock, _) in CLOCK_LISTS {
                self.guest.next_clock_timer(clock).map(i64::cast_unsigned).put(&mut due);
            }
            digests.push(Digest::of(&due));
        }
        digests
    }

    /// Ends recording or playing here. What was still queued becomes the recording's last input.
    ///
    /// # Errors
    /// When the log cannot be written; its prefix stays usable.
    pub fn finish(&mut self) -> Result<(), ReplayError> {
        self.replay.account_executed(self.guest.position())?;
        // What came in after the last turn is the recording's last input: delivered behind it, the machine would not
        // be in the state that the recording ends with. If it cannot be logged, the end cannot either.
        let released = self.end_chaos();
        let flushed = if self.replay.mode() == ReplayMode::Record { self.last_flushes() } else { Ok(()) };
        let digests = self.digests();
        let queued = self.replay.finish(|| digests)?;
        released.and(flushed)?;
        self.warp_start = None;
        for delivery in &queued {
            let (guest, mut outside) = self.split();
            guest.deliver(delivery, &mut outside);
        }
        self.check()
    }

    /// A delivery may ask for another call, which still belongs to the recording, within reason.
    fn last_flushes(&mut self) -> Result<(), ReplayError> {
        for _ in 0..LAST_ROUNDS {
            self.flush()?;
            if !self.replay.has_queued_events() {
                break;
            }
        }
        Ok(())
    }

    /// After a panic in the middle of a turn: a recording ends with what it has, as that of a recorder that was killed.
    /// Its final digest would be of a state that no replay comes to.
    pub(super) fn abandon_recording(&mut self) {
        if self.replay.mode() == ReplayMode::Record {
            // An error leaves a shorter prefix; the panic is what is reported.
            let _ = self.replay.flush_log();
            self.replay = Replay::none();
            let _ = self.end_chaos();
        }
    }

    // ---- the main loop's half ----

    /// One turn of the main loop: takes in what its hosts have brought. Gives whether the vCPU should be woken.
    pub fn main_turn(&mut self, arrivals: Arrivals) -> bool {
        let wake = !arrivals.events.is_empty()
            || arrivals.interrupted
            || arrivals.shutdown.is_some()
            || arrivals.may_deliver != self.may_deliver;
        self.may_deliver = arrivals.may_deliver;
        for event in arrivals.events {
            if let Err(error) = self.receive(event) {
                self.watch.failure.get_or_insert(error);
            }
        }
        let waiting = self.guest.pending_input() + self.undelivered_bytes();
        self.outlet.input_waits(waiting);
        if arrivals.interrupted {
            self.stop_request.get_or_insert(StopReason::Interrupted);
        }
        if let Some(cause) = arrivals.shutdown {
            self.host_shutdown.get_or_insert(cause);
        }
        wake
    }

    // ---- the vCPU's half ----

    /// What the vCPU does under one hold of the lock: some turns, each of them flush, warp, timers, digest, budget, and a
    /// slice or idle time.
    pub fn vcpu_hold(&mut self) -> Next {
        let until = self.guest.position().icount.saturating_add(SLICE_INSTRUCTIONS);
        let turns = if self.watch.chaos.is_some() { 1 } else { self.turns_per_hold };
        for _ in 1..turns {
            match self.turn() {
                Ok(Next::Continue) if self.guest.position().icount < until => {}
                result => return self.conclude(result),
            }
        }
        let last = self.turn();
        self.conclude(last)
    }

    fn conclude(&self, result: Result<Next, ReplayError>) -> Next {
        match result {
            Ok(next) => next,
            Err(error) if is_torn_end(&error) => Next::Done(Ok(StopReason::End)),
            Err(error) => Next::Done(Err(self.explain(error))),
        }
    }

    fn turn(&mut self) -> Result<Next, ReplayError> {
        self.check()?;
        let events_before = self.replay.events_passed();
        if std::mem::take(&mut self.watch.host_failed) {
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
            return Ok(Next::Continue);
        }
        // A character that left while the CPU waited, and that the run was to end at.
        if self.watch.output_seen {
            self.ending.get_or_insert(StopReason::Output);
        }
        // Before what the log ends or asks for here: a hook or a fault of the last instruction is not lost to it.
        if let Some(reason) = self.ending.take() {
            return Ok(Next::Done(Ok(reason)));
        }
        if let Some(reason) = self.host_requests()? {
            return Ok(Next::Done(Ok(reason)));
        }
        if let Some(reason) = self.stop_request.take() {
            return Ok(Next::Done(Ok(reason)));
        }
        if self.replay.take_break() {
            return Ok(Next::Done(Ok(StopReason::Breakpoint)));
        }
        if self.reset_requested {
            self.require_progress()?;
            return Ok(Next::Continue);
        }
        if self.limits.reached(self.guest.position()) {
            // Player: all that the log has here is done before a run ends here.
            if self.replay.events_passed() != events_before && self.has_more_here()? {
                return Ok(Next::Continue);
            }
            if self.take_interrupt()? {
                return Ok(Next::Continue);
            }
            return Ok(Next::Done(Ok(StopReason::Budget)));
        }
        match self.guest.is_idle() {
            true if self.guest.position().cycles >= self.idle_end() => Ok(Next::Done(Ok(StopReason::Idle))),
            true => self.idle(),
            false => self.slice(),
        }
    }

    /// The cycle at which a CPU that waits here has waited as long as it may.
    pub(super) fn idle_end(&mut self) -> u64 {
        let here = self.guest.position();
        let since = self.waiting_since.filter(|since| since.icount == here.icount);
        if since.is_none() {
            self.waiting_since_ns = None;
        }
        self.waiting_since.insert(since.unwrap_or(here)).cycles.saturating_add(self.idle_limit)
    }

    fn flush(&mut self) -> Result<(), ReplayError> {
        self.watch.wants_turn = false;
        // The guest is delivered to while the queue is borrowed, so the events are taken out first.
        let mut due: Vec<Delivery> = std::mem::take(&mut self.watch.given_back);
        self.replay.flush(|delivery| due.push(delivery))?;
        if is_planted(Bug::BlockOutOfOrder) && self.replay.mode() == ReplayMode::Record {
            due.sort_by_key(|delivery| match delivery.event {
                AsyncEvent::Block { id, .. } => u64::MAX - id,
                _ => 0,
            });
        }
        for delivery in &due {
            let (guest, mut outside) = self.split();
            guest.deliver(delivery, &mut outside);
            self.check()?;
        }
        Ok(())
    }

    /// The lists on host clocks. When to look at them is the host's affair and not logged; that they were looked at,
    /// and what the clock said then, is.
    fn run_clock_timers(&mut self) -> Result<(), ReplayError> {
        for (clock, checkpoint) in CLOCK_LISTS {
            let Some(due) = self.guest.next_clock_timer(clock) else { continue };
            if self.replay.mode() != ReplayMode::Play && self.outlet.clock(clock) < due {
                continue;
            }
            if !self.replay.checkpoint(checkpoint)? {
                continue;
            }
            let now = self.read_clock(clock)?;
            let (guest, mut outside) = self.split();
            guest.run_clock_timers(clock, now, &mut outside);
            self.check()?;
        }
        Ok(())
    }

    fn run_timers(&mut self) -> Result<(), ReplayError> {
        while self.guest.next_timer().is_some_and(|due| due <= self.guest.position().cycles) {
            if !self.replay.checkpoint(Checkpoint::ClockVirtual)? {
                break;
            }
            let (guest, mut outside) = self.split();
            let ran = guest.run_timer(&mut outside);
            self.check()?;
            ran?;
        }
        Ok(())
    }

    /// Resets and suspension, as they were asked for or, in play, as the log has them, and a shutdown that a callback has
    /// asked for. Gives whether there is more to be done at this boundary.
    fn guest_requests(&mut self) -> Result<bool, ReplayError> {
        let played = self.replay.mode() == ReplayMode::Play;
        if let Some(cause) = self.watch.shutdown.take()
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
        if (std::mem::take(&mut self.watch.suspend) || played)
            && self.replay.checkpoint(Checkpoint::SuspendRequested)?
        {
            self.guest.suspend();
        }
        Ok(self.watch.wants_turn)
    }

    /// Shutdowns and resets that hosts have asked for or, in play, that the log has.
    fn host_requests(&mut self) -> Result<Option<StopReason>, ReplayError> {
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
    fn shut_down(&mut self, cause: ShutdownCause) -> Option<StopReason> {
        self.reset_requested |= cause.is_reset();
        (!cause.is_reset()).then_some(StopReason::Shutdown(cause))
    }

    fn reset(&mut self) -> Result<(), ReplayError> {
        let (guest, mut outside) = self.split();
        guest.reset(&mut outside);
        self.check()?;
        self.replay.account_executed(self.guest.position())
    }

    /// The reset button, pressed between two turns: at once, and recorded.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn press_reset(&mut self) -> Result<(), ReplayError> {
        self.replay.account_executed(self.guest.position())?;
        self.replay.checkpoint(Checkpoint::ResetRequested)?;
        self.reset()
    }

    fn slice(&mut self) -> Result<Next, ReplayError> {
        let mut budget = self.budget()?;
        let here = self.guest.position();
        if here >= budget.stop && self.wake_is_next()? {
            // It takes no time, and may be the last that happens before the stop.
            budget.stop = Position::new(here.icount, here.cycles + 1);
        }
        let (guest, mut outside) = self.split();
        let exit = guest.run(budget, &mut outside);
        self.check()?;
        if is_planted(Bug::FlushMisplaced) {
            self.flush()?;
        }
        self.replay.account_executed(self.guest.position())?;
        // A run ends at the top of the next turn, when what is due here has been done: whoever looks at the machine
        // then, or saves it, finds nothing half done.
        let shutdown = self.watch.shutdown.take().and_then(|cause| self.shut_down(cause));
        self.ending = match exit {
            _ if self.watch.output_seen => Some(StopReason::Output),
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
        Ok(Next::Continue)
    }

    /// Where a run ends it takes a wake that takes no time, so that it comes to the same in pieces and whole; and after its
    /// last instruction the interrupt sequence that stands before the next one, if the cycles reach. Returns whether there was
    /// one.
    fn take_interrupt(&mut self) -> Result<bool, ReplayError> {
        let here = self.guest.position();
        let may_take_time =
            self.ends_on_instruction && here.icount >= self.limits.icount && here.cycles < self.limits.cycles;
        let (guest, mut outside) = self.split();
        let comes = guest.wakes_here(&mut outside) || may_take_time && guest.is_interrupted(&mut outside);
        if !comes || !self.logs_interrupt()? {
            return Ok(false);
        }
        let (guest, mut outside) = self.split();
        let budget = Budget { stop: Position::new(here.icount, here.cycles + 1), cycles: u64::MAX };
        let exit = guest.run(budget, &mut outside);
        self.check()?;
        self.replay.account_executed(self.guest.position())?;
        // What it pushes somebody may watch, or nothing may be mapped there.
        self.ending = match exit {
            GuestExit::Hook => Some(StopReason::Hook),
            GuestExit::Fault => Some(StopReason::Fault),
            _ => None,
        };
        // A player refuses an interrupt that the log does not have here.
        Ok(self.guest.position() != here)
    }

    /// Player: whether the CPU's wait ends here without taking time, and the log has that next.
    fn wake_is_next(&mut self) -> Result<bool, ReplayError> {
        let (guest, mut outside) = self.split();
        Ok(guest.wakes_here(&mut outside) && self.logs_interrupt()?)
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
    fn has_more_here(&mut self) -> Result<bool, ReplayError> {
        let here = self.guest.position();
        Ok(self.replay.mode() == ReplayMode::Play
            && self.replay.next_stop()?.is_some_and(|next| next <= here))
    }

    /// A CPU that only a reset can start again. In play the log's end, or that reset, comes before this is final.
    fn stopped(&mut self, reason: StopReason) -> Result<Next, ReplayError> {
        if self.replay.mode() == ReplayMode::Play {
            self.require_progress()?;
            return Ok(Next::Continue);
        }
        Ok(Next::Done(Ok(reason)))
    }

    fn budget(&mut self) -> Result<Budget, ReplayError> {
        let here = self.guest.position();
        let slice = self.watch.chaos.as_mut().map_or(SLICE_INSTRUCTIONS, Chaos::slice);
        let icount = here.icount.saturating_add(slice).min(self.limits.icount);
        let icount = icount.min(self.replay.next_due()).min(self.replay.break_icount().unwrap_or(u64::MAX));
        let mut stop = Position::new(icount, 0);
        if let Some(next) = self.replay.next_stop()? {
            stop = stop.min(next);
        }
        Ok(Budget { stop, cycles: self.limits.cycles.min(self.next_held()) })
    }

    // ---- errors ----

    /// An error that a call of the guest left behind.
    pub(super) fn check(&mut self) -> Result<(), ReplayError> {
        self.watch.failure.take().map_or(Ok(()), Err)
    }

    /// Player: a turn that neither moves the guest nor consumes an event will never do so.
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
                // Whoever takes a turn holds the lock as the vCPU, and the main loop waits for it.
                divergence.lock_holder = Some(VCPU);
                ReplayError::Divergence(divergence)
            }
            other => other,
        }
    }
}
