//! Everything that a run touches, and the main loop's half of it.
//!
//! A run has two halves, the vCPU's ([`run_vcpu_quantum`](VmState::run_vcpu_quantum)) and the main loop's
//! ([`run_main_iteration`](VmState::run_main_iteration)). Each is called under the replay lock. Both schedulers call
//! these two and nothing else, so a recording made under either replays under both.

use super::chaos::Chaos;
use super::hosts::HostCalls;
use super::replay_io::{ReplayIo, RunSignals, Transcripts};
use super::run_end::{Limits, StopReason};
use super::snapshots::SnapshotCheck;
use super::timers::{CLOCK_LISTS, TIMERS};
use crate::events::AsyncEvent;
use crate::guest::Guest;
use crate::nondet::ShutdownCause;
use crate::persist::{Digest, Field};
use crate::replay::{Replay, ReplayError, ReplayMode};
use crate::units::Position;

/// Iterations of the vCPU under one hold of the lock, within the instructions of one slice. A transmitter ends a
/// slice every few dozen instructions; to let go of the lock and poll the hosts each time would cost more than they do.
/// One under a model checker, which must see every place where the threads can meet.
const ITERATIONS_PER_QUANTUM: u32 = if cfg!(any(feature = "loom", feature = "shuttle")) { 1 } else { 64 };

/// The section of a snapshot that holds the state machine's part.
pub const REPLAY_SECTION: &str = "replay";

/// Rounds of deferred calls at the end of a recording: each may ask for another.
const LAST_ROUNDS: u32 = 64;

/// How an idle machine spends its time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timing {
    /// The virtual clock jumps to the next deadline: as fast as possible.
    Jump,
    /// The machine sleeps until the deadline in real time, and the virtual clock moves by what passed.
    Sleep,
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
pub struct VmState<G> {
    /// The machine.
    pub guest: G,
    /// The state machine.
    pub replay: Replay,
    /// The hosts that answer at once.
    pub host_calls: Box<dyn HostCalls>,
    /// What was printed.
    pub transcripts: Transcripts,
    /// What the calls that pass through [`ReplayIo`] leave for the loop.
    pub signals: RunSignals,
    /// Where the run ends.
    pub limits: Limits,
    /// Whether a run that is limited in instructions ends where the next instruction begins, after an interrupt sequence
    /// that comes before it: the instruction that is shown as next is then executed next.
    pub ends_on_instruction: bool,
    /// Cycles that the CPU may wait without an instruction before the run ends; `u64::MAX` for no limit.
    pub idle_limit: u64,
    /// How idle time passes.
    pub timing: Timing,
    /// Whether a host may bring more by itself.
    pub may_deliver: bool,
    /// Iterations of the vCPU under one hold of the lock.
    pub iterations_per_quantum: u32,
    /// The hash of board and ROM, for the snapshots in a recording.
    pub identity: Digest,
    /// Player: compares the run with the recording's snapshots.
    pub snapshot_check: Option<SnapshotCheck<G>>,
    /// Set from either side to end the run.
    pub stop_request: Option<StopReason>,
    /// Why the run ends at the top of the next iteration.
    pub(super) ending: Option<StopReason>,
    /// A shutdown or reset that a host has asked for.
    pub(super) host_shutdown: Option<ShutdownCause>,
    /// Whether the guest has asked for a reset that is not done yet.
    pub(super) reset_requested: bool,
    /// Recorder: where the CPU was last seen to go to sleep, so that it is logged once.
    pub(super) idle_since: Option<Position>,
    /// The place from which on no instruction has retired: its icount, and the cycle at which it was noticed.
    pub(super) waiting_since: Option<Position>,
    /// The reading of the virtual_rt clock, not logged, at which a wait began that only timers on host clocks can end.
    pub(super) waiting_since_ns: Option<i64>,
    /// The reading of the virtual_rt clock at which an idle CPU went to sleep.
    pub(super) warp_start: Option<i64>,
    /// Player: the position after the last iteration, to catch one that moves nothing.
    pub(super) last_progress: Option<(Position, u64)>,
}

impl<G: Guest> VmState<G> {
    /// The state of a run in which nothing has happened yet.
    pub fn new(guest: G, replay: Replay, host_calls: Box<dyn HostCalls>) -> Self {
        Self {
            guest,
            replay,
            host_calls,
            transcripts: Transcripts::default(),
            signals: RunSignals::default(),
            limits: Limits::NONE,
            ends_on_instruction: false,
            idle_limit: u64::MAX,
            timing: Timing::Jump,
            may_deliver: false,
            iterations_per_quantum: ITERATIONS_PER_QUANTUM,
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
        self.signals.output_seen = false;
        self.signals.shutdown = None;
        self.stop_request = None;
        self.ending = None;
        self.idle_since = None;
        self.last_progress = None;
    }

    /// The guest beside everything it may ask.
    pub fn split(&mut self) -> (&mut G, ReplayIo<'_>) {
        (
            &mut self.guest,
            ReplayIo {
                replay: &mut self.replay,
                host_calls: &mut *self.host_calls,
                transcripts: &mut self.transcripts,
                signals: &mut self.signals,
            },
        )
    }

    /// A sleep that a run was stopped in is not accounted for: the machine has been put into another state.
    pub fn forget_sleep(&mut self) {
        self.warp_start = None;
        self.idle_since = None;
        self.signals.deliver_now.retain(|delivery| delivery.owner.is_none());
        self.signals.suspend = false;
        self.reset_requested = false;
    }

    /// Bytes from hosts that have come in and were not delivered yet.
    pub fn undelivered_bytes(&self) -> usize {
        let deliver_now = self.signals.deliver_now.iter().map(|delivery| match &delivery.event {
            AsyncEvent::CharRead { bytes, .. } => bytes.len(),
            _ => 0,
        });
        let held = self.signals.chaos.as_ref().map_or(0, Chaos::held_bytes);
        deliver_now.sum::<usize>() + self.replay.queued_bytes() + held
    }

    /// Names of the hashes of [`digests`](VmState::digests).
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
        // What came in after the last iteration is the recording's last input: delivered after its end, it would leave
        // the machine in another state than the one that the recording ends with. If it cannot be logged, the end
        // cannot either.
        let released = self.end_chaos();
        let flushed = if self.replay.mode() == ReplayMode::Record { self.last_flushes() } else { Ok(()) };
        let digests = self.digests();
        let queued = self.replay.finish(|| digests)?;
        released.and(flushed)?;
        self.warp_start = None;
        for delivery in &queued {
            let (guest, mut io) = self.split();
            guest.deliver(delivery, &mut io);
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

    /// After a panic in the middle of an iteration: a recording ends with what it has, as that of a recorder that was
    /// killed. Its final digest would be of a state that no replay comes to.
    pub(super) fn abandon_recording(&mut self) {
        if self.replay.mode() == ReplayMode::Record {
            // An error leaves a shorter prefix; the panic is what is reported.
            let _ = self.replay.flush_log();
            self.replay = Replay::none();
            let _ = self.end_chaos();
        }
    }

    // ---- the main loop's half ----

    /// One iteration of the main loop: enqueues what its hosts have brought. Returns whether the vCPU should be woken.
    pub fn run_main_iteration(&mut self, arrivals: Arrivals) -> bool {
        let wake = !arrivals.events.is_empty()
            || arrivals.interrupted
            || arrivals.shutdown.is_some()
            || arrivals.may_deliver != self.may_deliver;
        self.may_deliver = arrivals.may_deliver;
        for event in arrivals.events {
            if let Err(error) = self.receive(event) {
                self.signals.failure.get_or_insert(error);
            }
        }
        let waiting = self.guest.pending_input() + self.undelivered_bytes();
        self.host_calls.input_waits(waiting);
        if arrivals.interrupted {
            self.stop_request.get_or_insert(StopReason::Interrupted);
        }
        if let Some(cause) = arrivals.shutdown {
            self.host_shutdown.get_or_insert(cause);
        }
        wake
    }
}
