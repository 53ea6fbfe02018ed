//! Going on: until a limit is reached, and over whatever stops a run there.

use super::trail::Trail;
use super::{Cancel, Goal, ReplayCursor};
use crate::engine::{Limits, StopReason, VcpuAction, VmState};
use crate::error::Error;
use crate::guest::Guest;
use crate::machine::{Machine, Notes};
use crate::replay::{Divergence, ReplayError};
use crate::session::Session;
use crate::units::Position;

/// What a stop of the loop costs beside its instructions.
const STOP_WORK: u64 = 200;
/// Stops at one place, each for another reason, after which a replay will not go on any more.
const STALLS_MAX: u32 = 4;

/// Whether a replay goes on from where it stands.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Course {
    GoesOn,
    /// It has come to the recording's end.
    Ended,
    Diverged(Box<Divergence>),
}

/// Where a run ends beside its limits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// In the place that the engine calls its limit, even after a wait.
    Limit,
    /// Where an instruction begins, when instructions are the limit.
    Instruction,
    /// The same, or where a hook is hit.
    Hook,
}

/// Counts stops at one place: shut down, at a fault, before an instruction that is watched. The log goes on after it, or
/// never.
#[derive(Default)]
struct Stalls {
    last: Option<(Position, u64)>,
    count: u32,
}

impl Stalls {
    /// Whether a replay that has stopped once more will not go on any more.
    fn are_for_good(&mut self, vm: &VmState<Machine>) -> bool {
        let here = Some((vm.guest.position(), vm.replay.events_passed()));
        self.count = if self.last == here { self.count + 1 } else { 0 };
        self.last = here;
        self.count == STALLS_MAX
    }
}

impl ReplayCursor {
    /// Goes on to the first place at or after a position.
    ///
    /// # Errors
    /// The same as [`seek`](ReplayCursor::seek).
    pub fn run_on_to(&mut self, place: Position, cancel: &mut Cancel<'_>) -> Result<(), Error> {
        self.run(Limits { icount: place.icount, cycles: place.cycles }, cancel)?;
        if self.position() < place {
            self.run(Limits { icount: u64::MAX, cycles: place.cycles }, cancel)?;
        }
        Ok(())
    }

    /// Goes on to the recording's end.
    ///
    /// # Errors
    /// The same as [`seek`](ReplayCursor::seek).
    pub fn run_to_end(&mut self, from: Position, cancel: &mut Cancel<'_>) -> Result<Position, Error> {
        if !self.has_ended() {
            let _ = cancel.covers(from.icount, self.end.icount);
            self.go_to(from, cancel)?;
            let icount = self.end.icount;
            // By way of the last arrival, so that keyframes are left for the way back.
            self.seek(icount, cancel)?;
            self.run(Limits::NONE, cancel)?;
        }
        Ok(self.position())
    }

    /// Goes on to where so many instructions have just retired.
    ///
    /// # Errors
    /// The same as [`seek`](ReplayCursor::seek).
    pub fn run_to_arrival(&mut self, icount: u64, cancel: &mut Cancel<'_>) -> Result<(), Error> {
        self.run(Limits { icount, cycles: u64::MAX }, cancel)
    }

    pub(super) fn run_to_goal(&mut self, goal: Goal, cancel: &mut Cancel<'_>) -> Result<(), Error> {
        match goal {
            Goal::Arrival(icount) => self.run_to_arrival(icount, cancel),
            Goal::Place(place) => self.run_on_to(place, cancel),
        }
    }

    pub(super) fn run(&mut self, limits: Limits, cancel: &mut Cancel<'_>) -> Result<(), Error> {
        self.run_until(limits, Ends::Instruction, cancel)
    }

    /// Goes on until a limit is reached and what is due there is done, or the recording has ended; or until a hook is hit.
    pub(super) fn run_until(
        &mut self,
        limits: Limits,
        ends: Ends,
        cancel: &mut Cancel<'_>,
    ) -> Result<(), Error> {
        self.drive(limits, ends, cancel)?;
        match &self.course {
            Course::Diverged(divergence) => Err(Error::Divergence(divergence.clone())),
            Course::GoesOn | Course::Ended => Ok(()),
        }
    }

    /// Goes on until `goal` is reached and what is due there is done, or it is over: also by a divergence, which is no error
    /// here.
    ///
    /// # Errors
    /// A file that cannot be read, a user who wants to stop.
    pub(crate) fn try_to(&mut self, goal: Limits, cancel: &mut Cancel<'_>) -> Result<(), Error> {
        self.drive(goal, Ends::Limit, cancel)
    }

    /// Injected faults are made on the way. There are none but in the replays of tests.
    fn drive(&mut self, limits: Limits, ends: Ends, cancel: &mut Cancel<'_>) -> Result<(), Error> {
        if self.is_over() {
            return Ok(());
        }
        // Until it is known that all went well.
        self.lost = true;
        let here = self.position();
        let comes_to_snapshot = self.comes_to_snapshot(here, limits);
        let Self { session, course, trail, .. } = self;
        let mut stalls = Stalls::default();
        let mut vm = session.vm();
        begin(session, &mut vm, limits, ends);
        if vm.guest.notes() == Notes::Useless && comes_to_snapshot {
            // What was noted is of another way: from here on it is of the one to that snapshot.
            vm.guest.take_notes(Notes::Part);
        }
        while *course == Course::GoesOn {
            match quantum(&mut vm, course, trail, cancel)? {
                None => {}
                Some(StopReason::Budget) => {
                    if !intervene(session, &mut vm)? || limits.reached(vm.guest.position()) {
                        break;
                    }
                    begin(session, &mut vm, limits, ends);
                }
                Some(StopReason::Hook | StopReason::Breakpoint) if ends == Ends::Hook => break,
                Some(_) if stalls.are_for_good(&vm) => *course = Course::Ended,
                Some(_) => begin(session, &mut vm, limits, ends),
            }
        }
        // It grows with every pass over the same stretch, and nobody reads it.
        vm.transcripts = Default::default();
        drop(vm);
        self.work.instructions += self.position().icount - here.icount;
        // From a divergence there is no way but back.
        self.lost = self.divergence().is_some();
        self.settled = !self.lost;
        Ok(())
    }

    /// Whether a run from a position to its limits comes to a snapshot of the recording.
    fn comes_to_snapshot(&self, here: Position, limits: Limits) -> bool {
        let next = self.snapshot_index.after(here).map(|snapshot| snapshot.position());
        next.is_some_and(|next| next.icount <= limits.icount && next.cycles <= limits.cycles)
    }

    // ---- one iteration at a time ----

    /// Where a run to `goal` must end, so that the next injected fault is made in its place.
    pub(crate) fn limits(&self, goal: Limits) -> Limits {
        let here = self.position();
        self.session.injections().limits(here, goal)
    }

    /// One iteration: what is due here, then at most the way to `goal`.
    ///
    /// # Errors
    /// The same as [`try_to`](ReplayCursor::try_to).
    pub(crate) fn iterate(&mut self, goal: Limits, cancel: &mut Cancel<'_>) -> Result<(), Error> {
        if self.is_over() {
            return Ok(());
        }
        let mut vm = self.session.vm();
        vm.begin_run(goal);
        let iterations = std::mem::replace(&mut vm.iterations_per_quantum, 1);
        let outcome = quantum(&mut vm, &mut self.course, &mut self.trail, cancel);
        vm.iterations_per_quantum = iterations;
        outcome.map(|_| ())
    }

    /// Does what is due here, and executes nothing.
    ///
    /// # Errors
    /// The same as [`try_to`](ReplayCursor::try_to).
    pub(crate) fn deliver(&mut self, cancel: &mut Cancel<'_>) -> Result<(), Error> {
        let here = self.position();
        self.iterate(Limits { icount: here.icount, cycles: here.cycles }, cancel)
    }

    /// Makes the injected faults that are due here.
    ///
    /// # Errors
    /// The faults' own.
    pub(crate) fn make_due_faults(&mut self) -> Result<(), Error> {
        intervene(&self.session, &mut self.session.vm()).map(|_| ())
    }
}

/// The next stretch goes towards the limits, but not past an injected fault.
fn begin(session: &Session, vm: &mut VmState<Machine>, limits: Limits, ends: Ends) {
    let here = vm.guest.position();
    vm.begin_run(session.injections().limits(here, limits));
    vm.ends_on_instruction = ends != Ends::Limit && limits.icount != u64::MAX;
}

/// Makes the injected faults that are due; returns whether there are any, ever.
fn intervene(session: &Session, vm: &mut VmState<Machine>) -> Result<bool, Error> {
    let mut faults = session.injections();
    faults.make_due(vm)?;
    Ok(!faults.is_empty())
}

/// What the vCPU does under one hold of the lock; returns why the run stops, if it does.
fn quantum(
    vm: &mut VmState<Machine>,
    course: &mut Course,
    trail: &mut Trail,
    cancel: &mut Cancel<'_>,
) -> Result<Option<StopReason>, Error> {
    let before = vm.guest.position().icount;
    let next = vm.run_vcpu_quantum();
    vm.guest.take_fault();
    trail.note(&mut vm.guest);
    let icount = vm.guest.position().icount;
    cancel.at(icount);
    cancel.spend(icount - before + STOP_WORK)?;
    match next {
        VcpuAction::Continue => Ok(None),
        // There are no hosts to wait for.
        VcpuAction::Rest(_) | VcpuAction::Done(Ok(StopReason::End | StopReason::Halted)) => {
            *course = Course::Ended;
            Ok(None)
        }
        VcpuAction::Done(Ok(reason)) => Ok(Some(reason)),
        VcpuAction::Done(Err(ReplayError::Divergence(divergence))) => {
            *course = Course::Diverged(divergence);
            Ok(None)
        }
        VcpuAction::Done(Err(error)) => Err(error.into()),
    }
}
