//! Running: limits, stop conditions, hooks.

use super::Session;
use crate::engine::{Limits, OutputMatcher, Scheduler, StopReason, Timing, VmState};
use crate::error::Error;
use crate::guest::Guest;
use crate::host::{HostInput, SessionEvents};
use crate::log::{Event, StampedEvent};
use crate::machine::{BusCycle, Fault, Hit, HookId, HookKind, Machine};
use crate::nondet::{CharId, ShutdownCause};
use crate::replay::{Replay, ReplayMode};
use crate::sync::{Mutex, Shared, lock};
use crate::units::Position;

/// How far to run: whichever comes first; nothing at all means until something happens by itself.
#[derive(Default)]
pub struct RunRequest {
    /// Instructions from here. The run ends where the next one begins, after an interrupt sequence before it.
    pub instructions: Option<u64>,
    /// Cycles from here.
    pub cycles: Option<u64>,
    /// Virtual seconds from here.
    pub seconds: Option<f64>,
    /// An instruction address; a run does not stop where it begins.
    pub pc: Option<u16>,
    /// Called after each write, of one byte or of many, with all that the console has printed; true ends the run.
    pub output: Option<OutputMatcher>,
    /// Inline unless said otherwise.
    pub scheduler: Option<Scheduler>,
    /// An idle machine sleeps in real time instead of letting the virtual clock jump.
    pub sleep: bool,
    /// A machine that waits for input keeps waiting for what other threads may type, instead of being halted.
    pub wait_for_input: bool,
    /// Virtual seconds that the CPU may wait without an instruction before the run ends; infinite for no limit. Unless it is
    /// given it is [`IDLE_SECONDS`] where neither `cycles` nor `seconds` says how long the run may last, and nothing else
    /// is waited for; a replay waits as long as its recording did.
    pub idle_seconds: Option<f64>,
}

/// Virtual seconds without an instruction that end a run for which nothing else is said.
pub const IDLE_SECONDS: f64 = 60.0;

/// Events that mark the end of a recording: that there was no shutdown, the last digest, and the end.
const END_EVENTS: usize = 3;

/// What a run goes through at the most; see [`Session::extent`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    in_instructions: bool,
    start: u64,
    /// Instructions or cycles in all.
    pub total: u64,
}

impl Extent {
    /// How much of it is done at a position.
    pub fn done(&self, here: Position) -> u64 {
        let reached = if self.in_instructions { here.icount } else { here.cycles };
        reached.saturating_sub(self.start).min(self.total)
    }
}

/// Why and where a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stop {
    /// `budget`, `pc`, `output`, `breakpoint`, `halted`, `jammed`, `shutdown`, `end`, `idle` or `interrupted`.
    pub reason: &'static str,
    /// Where.
    pub position: Position,
    /// The next instruction's address.
    pub pc: u16,
    /// The cause of a shutdown.
    pub shutdown: Option<&'static str>,
}

/// What a hook is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HookEvent {
    /// What happened.
    pub kind: HookKind,
    /// Just before the instruction, with the exact cycle of the access.
    pub position: Position,
    /// The address executed, read or written.
    pub address: u16,
    /// The value read or written.
    pub value: Option<u8>,
}

/// Called on the thread that runs, at the instruction boundary before an executed instruction or after an access;
/// `false` ends the run. The machine may be looked at, not run.
pub type HookCallback = Box<dyn FnMut(HookEvent) -> bool + Send>;

/// A machine that a thread has claimed: until this is dropped no other runs it.
pub struct Running<'a>(&'a Session);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.claims.give_up();
    }
}

impl Running<'_> {
    /// As [`Session::run`].
    ///
    /// # Errors
    /// The same as [`Session::run`].
    pub fn run(&self, request: RunRequest, interrupted: &mut dyn FnMut() -> bool) -> Result<Stop, Error> {
        self.0.go_on(request, interrupted)
    }

    /// As [`Session::trace_bus`].
    ///
    /// # Errors
    /// The same as [`Session::run`].
    pub fn trace_bus(
        &self,
        request: RunRequest,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<Vec<BusCycle>, Error> {
        self.0.vm().guest.start_trace();
        let result = self.run(request, interrupted);
        let trace = self.0.vm().guest.take_trace();
        result.map(|_| trace)
    }
}

/// What a run was asked for, in the terms of the engine.
#[derive(Clone, Copy)]
struct RunPlan {
    limits: Limits,
    /// Whether it ends where an instruction begins.
    on_instruction: bool,
    /// Cycles that the CPU may wait without an instruction.
    idle_limit: u64,
    /// Player: whether it goes on where the recorded run ended and was taken up again.
    to_the_end: bool,
    scheduler: Scheduler,
}

impl RunPlan {
    /// For what is due within limits.
    fn within(limits: Limits) -> Self {
        Self {
            limits,
            on_instruction: false,
            idle_limit: u64::MAX,
            to_the_end: false,
            scheduler: Scheduler::Inline,
        }
    }

    fn begin(&self, vm: &mut VmState<Machine>) {
        vm.begin_run(self.limits);
        vm.ends_on_instruction = self.on_instruction;
        vm.idle_limit = self.idle_limit;
    }
}

impl RunRequest {
    /// Whether only what happens by itself ends the run.
    fn is_unlimited(&self) -> bool {
        let Self { instructions, cycles, seconds, pc, output, .. } = self;
        let limited = instructions.is_some() || cycles.is_some() || seconds.is_some();
        !limited && pc.is_none() && output.is_none()
    }
}

impl Session {
    /// Claims the machine for the calling thread. What is to be prepared for a run is prepared behind it: whoever is
    /// refused must not touch what belongs to the run that goes on.
    ///
    /// # Errors
    /// While another thread runs it, or this one; in a forked child that may not go on with it. What another thread does in
    /// a moment (a reset, the beginning and the end of a recording) is waited for.
    pub fn start_running(&self) -> Result<Running<'_>, Error> {
        self.claim(false)
    }

    /// As [`start_running`](Session::start_running), for what is done in a moment: who comes meanwhile waits for it.
    ///
    /// # Errors
    /// The same as [`start_running`](Session::start_running).
    pub(super) fn claim_briefly(&self) -> Result<Running<'_>, Error> {
        self.claim(true)
    }

    fn claim(&self, is_brief: bool) -> Result<Running<'_>, Error> {
        self.require_own_process()?;
        if self.claims.claim(is_brief) {
            return Ok(Running(self));
        }
        Err(Error::State(
            "the machine is running already: one run at a time, and none from inside a hook".into(),
        ))
    }

    /// Runs the machine. `interrupted` is asked about every 10 ms, on this thread, whether the user wants to stop.
    ///
    /// # Errors
    /// A divergence in play, a log that cannot be written in record (the recording then ends with what it has), a
    /// request that makes no sense, a machine that runs already, a guest that does what its board forbids.
    pub fn run(&self, request: RunRequest, interrupted: &mut dyn FnMut() -> bool) -> Result<Stop, Error> {
        self.start_running()?.run(request, interrupted)
    }

    fn go_on(&self, request: RunRequest, interrupted: &mut dyn FnMut() -> bool) -> Result<Stop, Error> {
        self.require_on_course()?;
        let scheduler = request.scheduler.unwrap_or_default();
        let limits = self.limits(&request)?;
        let idle_limit = self.idle_limit(&request)?;
        let on_instruction = request.instructions.is_some();
        let to_the_end = self.mode() == ReplayMode::Play && request.is_unlimited();
        if request.output.is_some() {
            self.console_id()?;
        }
        {
            let mut vm = self.vm();
            let here = vm.guest.position();
            if vm.guest.hooks_mut().set_breakpoint(request.pc, here) {
                vm.guest.apply_hooks();
            }
            vm.timing = if request.sleep { Timing::Sleep } else { Timing::Jump };
            vm.signals.output = self.console.zip(request.output);
        }
        let gate = request.wait_for_input.then(|| HostInput::open_gate(&self.input));
        let plan = RunPlan { limits, on_instruction, idle_limit, to_the_end, scheduler };
        let result = self.run_with_hooks(plan, interrupted);
        let result = result.map_err(|error| self.complete_report(error, interrupted));
        self.flush_recording();
        drop(gate);
        let mut vm = self.vm();
        vm.signals.output = None;
        let here = vm.guest.position();
        if vm.guest.hooks_mut().set_breakpoint(None, here) {
            vm.guest.apply_hooks();
        }
        drop(vm);
        result
    }

    /// How much of the run a request bounds, for who shows progress: whether it is counted in instructions (or else in
    /// cycles), where it begins, and how much it is. `None` for one without an end.
    pub fn extent(&self, request: &RunRequest) -> Option<Extent> {
        let here = self.position();
        let in_instructions = |start, total| Extent { in_instructions: true, start, total };
        if let Some(instructions) = request.instructions {
            return Some(in_instructions(here.icount, instructions));
        }
        let limit = self.limits(request).ok()?.cycles;
        if limit != u64::MAX {
            return Some(Extent { in_instructions: false, start: here.cycles, total: limit - here.cycles });
        }
        let end = self.origin.as_ref()?.reader.last_position();
        Some(in_instructions(here.icount, end.icount.saturating_sub(here.icount)))
    }

    fn limits(&self, request: &RunRequest) -> Result<Limits, Error> {
        let here = self.position();
        let mut limits = Limits::NONE;
        if let Some(instructions) = request.instructions {
            limits.icount = here.icount.saturating_add(instructions);
        }
        if let Some(cycles) = request.cycles {
            limits.cycles = here.cycles.saturating_add(cycles);
        }
        if let Some(seconds) = request.seconds {
            if !(seconds >= 0.0 && seconds.is_finite()) {
                return Err(Error::Argument(format!("seconds must be a number from 0 on, not {seconds}")));
            }
            limits.cycles = limits.cycles.min(here.cycles.saturating_add(self.cycles_of(seconds)));
        }
        Ok(limits)
    }

    /// Cycles of a virtual time; of an infinite one more than there are.
    fn cycles_of(&self, seconds: f64) -> u64 {
        (seconds * self.clock_hz() as f64).round() as u64
    }

    fn idle_limit(&self, request: &RunRequest) -> Result<u64, Error> {
        match request.idle_seconds {
            Some(seconds) if seconds >= 0.0 => Ok(self.cycles_of(seconds)),
            Some(seconds) => {
                Err(Error::Argument(format!("idle_seconds must be a number from 0 on, not {seconds}")))
            }
            None => {
                let has_limit = request.cycles.is_some() || request.seconds.is_some();
                let waits = has_limit || request.wait_for_input || self.mode() == ReplayMode::Play;
                Ok(if waits { u64::MAX } else { self.cycles_of(IDLE_SECONDS) })
            }
        }
    }

    fn run_with_hooks(&self, plan: RunPlan, interrupted: &mut dyn FnMut() -> bool) -> Result<Stop, Error> {
        let RunPlan { limits, scheduler, .. } = plan;
        // Asked now and then, on the main loop's side and without the lock.
        let mut interrupted = || {
            self.flush_recording();
            interrupted()
        };
        // Once for all stretches between hooks: a request to stop, and the time since the user was asked, outlive them.
        plan.begin(&mut self.vm());
        self.aim(limits);
        let readers = self.waiting_readers();
        let mut host_events =
            SessionEvents::new(&self.input, &mut interrupted).with_hosts(&self.attached, &readers);
        loop {
            let reason = match self.engine.run(scheduler, &mut host_events) {
                Ok(reason) => reason,
                Err(error) => {
                    let error = Error::from(error);
                    self.give_up_recording(&error);
                    return Err(error);
                }
            };
            if reason != StopReason::Hook {
                // What the last instruction did is seen also where it ends the run.
                self.call_hooks();
            }
            match reason {
                StopReason::Hook => {
                    let goes_on = self.call_hooks();
                    let at_breakpoint = self.vm().guest.hooks_mut().take_breakpoint_reached();
                    if at_breakpoint {
                        return Ok(self.stop("pc", None));
                    }
                    if !goes_on {
                        return Ok(self.stop("breakpoint", None));
                    }
                }
                StopReason::Fault | StopReason::Shutdown(_)
                    if plan.to_the_end && (reason == StopReason::Fault || !self.log_ends_here()?) =>
                {
                    // Whatever stopped the recorded run there, the recording goes on, or ends as one.
                    let mut vm = self.vm();
                    vm.guest.take_fault();
                    plan.begin(&mut vm);
                }
                StopReason::Fault => return Err(self.fault()),
                StopReason::Budget => {
                    if !self.intervene(limits)? {
                        return Ok(self.stop("budget", None));
                    }
                }
                StopReason::Output => return Ok(self.stop("output", None)),
                StopReason::Breakpoint => return Ok(self.stop("pc", None)),
                StopReason::Halted => return Ok(self.stop("halted", None)),
                StopReason::Jammed => return Ok(self.stop("jammed", None)),
                StopReason::Shutdown(cause) => return Ok(self.stop("shutdown", Some(cause.name()))),
                StopReason::End => return Ok(self.stop("end", None)),
                StopReason::Idle => return Ok(self.stop("idle", None)),
                StopReason::Interrupted => return Ok(self.stop("interrupted", None)),
            }
        }
    }

    /// Player: whether nothing is left of the recording but what marks its end here, so that a shutdown is what it ends with.
    fn log_ends_here(&self) -> Result<bool, Error> {
        let mut vm = self.vm();
        let here = vm.guest.position();
        let left = vm.replay.upcoming(END_EVENTS + 1)?;
        let is_mark = |event: &StampedEvent| {
            matches!(event.event, Event::Shutdown(ShutdownCause::None) | Event::Digest(_) | Event::End)
        };
        Ok(left.len() <= END_EVENTS && left.iter().all(|event| event.position == here && is_mark(event)))
    }

    /// Devices in which a program waits for input that it has asked for.
    fn waiting_readers(&self) -> Vec<CharId> {
        let vm = self.vm();
        let readers = vm.guest.devices().filter(|slot| slot.device.reads_at_once());
        readers.filter_map(|slot| slot.char_id).collect()
    }

    /// The next stretch goes towards `goal`, but not past a planned fault.
    fn aim(&self, goal: Limits) {
        let mut vm = self.vm();
        let here = vm.guest.position();
        vm.limits = lock(&self.fault_injections).limits(here, goal);
    }

    /// Makes the injected faults that are due where a stretch has ended; returns whether the run goes on.
    fn intervene(&self, goal: Limits) -> Result<bool, Error> {
        {
            let mut vm = self.vm();
            lock(&self.fault_injections).make_due(&mut vm)?;
        }
        self.aim(goal);
        Ok(!goal.reached(self.position()))
    }

    fn stop(&self, reason: &'static str, shutdown: Option<&'static str>) -> Stop {
        let vm = self.vm();
        Stop { reason, position: vm.guest.position(), pc: vm.guest.cpu().pc(), shutdown }
    }

    fn fault(&self) -> Error {
        let fault: Option<Fault> = self.vm().guest.take_fault();
        fault.map_or_else(|| Error::Engine("a fault without a cause".into()), Error::Fault)
    }

    /// A log that cannot be written any more ends the recording: what is in the file stays usable.
    fn give_up_recording(&self, error: &Error) {
        let mut vm = self.vm();
        if let Error::Log(failure) = error
            && vm.replay.mode() == ReplayMode::Record
        {
            lock(&self.recorder).end(Some(failure.clone()));
            // Nothing of the log is left to register with.
            vm.replay = self.registered(Replay::none()).unwrap_or_else(|_| Replay::none());
            // Without a log nothing can fail in it.
            let _ = vm.end_chaos();
        }
    }

    /// Every now and then what was recorded goes to the operating system, where it survives a kill.
    fn flush_recording(&self) {
        if lock(&self.log_flush).has_passed() {
            // An error stays with the log, which gives it again to the next event.
            let _ = self.vm().replay.flush_log();
        }
    }

    /// Processes what is due here without running an instruction.
    pub(super) fn settle(&self) -> Result<(), Error> {
        let here = self.position();
        let limits = Limits { icount: here.icount, cycles: here.cycles };
        self.run_with_hooks(RunPlan::within(limits), &mut || false).map(|_| ())
    }

    // ---- hooks ----

    /// Watches the addresses `first..=last`. The guest does not notice.
    pub fn add_hook(&self, kind: HookKind, first: u16, last: u16, callback: HookCallback) -> HookId {
        let mut hooks = lock(&self.hooks);
        let mut vm = self.vm();
        let id = vm.guest.hooks_mut().add(kind, first, last);
        vm.guest.apply_hooks();
        hooks.insert(id, Shared::new(Mutex::new(callback)));
        id
    }

    /// Ends a watch; returns whether it was there.
    pub fn remove_hook(&self, id: HookId) -> bool {
        let mut hooks = lock(&self.hooks);
        let mut vm = self.vm();
        vm.guest.hooks_mut().remove(id);
        vm.guest.apply_hooks();
        hooks.remove(&id).is_some()
    }

    /// Tells the hooks what they have seen; returns whether the run goes on. No lock is held meanwhile but the
    /// callback's own, so that it may look at the machine and add or remove hooks.
    fn call_hooks(&self) -> bool {
        let hits: Vec<Hit> = self.vm().guest.take_hits();
        if !hits.is_empty() {
            // However short the work is: what the user's functions do takes its time.
            self.claims.is_no_longer_brief();
        }
        let mut goes_on = true;
        for hit in hits {
            let callback = lock(&self.hooks).get(&hit.hook).cloned();
            if let Some(callback) = callback {
                let event =
                    HookEvent { kind: hit.kind, position: hit.at, address: hit.address, value: hit.value };
                goes_on &= (*lock(&callback))(event);
            }
        }
        goes_on
    }
}
