//! A second replay of a recording, which is moved about to find out where the first one went wrong.
//!
//! It takes the turns of the vCPU itself, one scheduler's half without the other: nothing comes from any host in play.

use super::fault_injection::FaultInjections;
use super::{Origin, Session};
use crate::engine::{Limits, StopReason, VcpuAction};
use crate::error::Error;
use crate::guest::Guest;
use crate::log::StampedEvent;
use crate::machine::{HookKind, Machine};
use crate::memory::PageKind;
use crate::replay::{Divergence, Executed, ReplayError};
use crate::snapshot::Snapshot;
use crate::sync::lock;
use crate::units::Position;
use std::collections::VecDeque;

/// Stops at one place, each for another reason, behind which a replay will not go on any more.
const STALLS_MAX: u32 = 4;
/// Instructions that a watched replay remembers.
const SEEN_MAX: usize = 64;

/// Why a search was not carried through: what to tell the user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct GivenUp(pub String);

impl From<Error> for GivenUp {
    fn from(error: Error) -> Self {
        GivenUp(error.to_string())
    }
}

impl From<ReplayError> for GivenUp {
    fn from(error: ReplayError) -> Self {
        GivenUp(error.to_string())
    }
}

/// Work that a search may do, in instructions executed: about half a minute.
const WORK_MAX: u64 = 4_000_000_000;
/// Work between two questions to the user.
const WORK_BETWEEN_QUESTIONS: u64 = 1_000_000;
/// What a turn of the loop costs beside its instructions.
const TURN_WORK: u64 = 50;
/// What it costs to save the state and compare it.
const STATE_WORK: u64 = 20_000;

/// Counts the work of a search, and ends it when it is too much or the user wants to stop.
pub(crate) struct Meter<'a> {
    left: u64,
    unasked: u64,
    interrupted: &'a mut dyn FnMut() -> bool,
}

impl<'a> Meter<'a> {
    /// For one search.
    pub fn new(interrupted: &'a mut dyn FnMut() -> bool) -> Self {
        Self { left: WORK_MAX, unasked: 0, interrupted }
    }

    fn spend(&mut self, work: u64) -> Result<(), GivenUp> {
        self.unasked += work;
        if self.unasked >= WORK_BETWEEN_QUESTIONS {
            self.unasked = 0;
            if (self.interrupted)() {
                return Err(GivenUp("it was stopped".to_owned()));
            }
        }
        self.left = self.left.checked_sub(work).ok_or_else(|| {
            GivenUp(
                "it takes too long from where the replay can start; snapshots in a recording \
                 (snapshot_every=...) bring that nearer"
                    .to_owned(),
            )
        })?;
        Ok(())
    }
}

/// Whether a replay goes on.
#[derive(Clone, PartialEq, Debug)]
enum Status {
    Goes,
    /// It has come to the recording's end.
    Ended,
    Diverged(Box<Divergence>),
}

/// A state to come back to and to compare with.
#[derive(Clone)]
pub(crate) struct Mark {
    snapshot: Snapshot,
    rom: Vec<u8>,
    timers: [Option<u64>; 3],
    status: Status,
    made: usize,
}

impl Mark {
    /// Where it was made.
    pub fn position(&self) -> Position {
        self.snapshot.position()
    }

    /// Whether the replay had diverged there.
    pub fn has_diverged(&self) -> bool {
        matches!(self.status, Status::Diverged(_))
    }

    /// Whether two replays stand in the same state.
    pub fn agrees_with(&self, other: &Mark) -> bool {
        self.snapshot == other.snapshot
            && self.rom == other.rom
            && self.timers == other.timers
            && self.status == other.status
    }
}

/// A replay that the search moves about.
pub(crate) struct Twin {
    pub session: Session,
    status: Status,
    /// While it is watched: the last instructions that were come to, oldest first.
    seen: VecDeque<Executed>,
}

impl Twin {
    /// A replay at its start, in which nothing is changed from outside.
    pub fn reference(origin: &Origin) -> Result<Self, GivenUp> {
        Self::suspect(origin, &FaultInjections::default())
    }

    /// A replay at its start, in which all is changed again that was changed in the first one.
    pub fn suspect(origin: &Origin, fault_injections: &FaultInjections) -> Result<Self, GivenUp> {
        let session = Session::play(origin.reader.clone(), &origin.images)?;
        #[cfg(feature = "testing")]
        if let Some(change) = &fault_injections.source {
            session.vm().replay.change_source(&**change);
        }
        *lock(&session.fault_injections) = fault_injections.anew();
        Ok(Self { session, status: Status::Goes, seen: VecDeque::new() })
    }

    /// Puts it to a snapshot of the recording.
    pub fn resume(&mut self, snapshot: &Snapshot) -> Result<(), GivenUp> {
        Ok(self.session.resume(snapshot)?)
    }

    /// Where it stands.
    pub fn position(&self) -> Position {
        self.session.position()
    }

    /// How it diverged, if it did.
    pub fn divergence(&self) -> Option<&Divergence> {
        match &self.status {
            Status::Diverged(divergence) => Some(divergence),
            _ => None,
        }
    }

    /// Whether it has come to its end, good or bad.
    pub fn is_over(&self) -> bool {
        self.status != Status::Goes
    }

    /// Events taken from the log.
    pub fn events_taken(&self) -> u64 {
        self.session.vm().replay.events_passed()
    }

    /// What the log has next.
    pub fn upcoming(&self, count: usize) -> Result<Vec<StampedEvent>, GivenUp> {
        Ok(self.session.vm().replay.upcoming(count)?)
    }

    // ---- marks ----

    /// The state here.
    pub fn mark(&mut self, meter: &mut Meter<'_>) -> Result<Mark, GivenUp> {
        meter.spend(STATE_WORK)?;
        let mut vm = self.session.vm();
        Ok(Mark {
            snapshot: vm.save(),
            rom: rom(&vm.guest).map(|(_, bytes)| bytes).collect::<Vec<_>>().concat(),
            timers: timers(&vm.guest),
            status: self.status.clone(),
            made: lock(&self.session.fault_injections).made(),
        })
    }

    /// Back to a state.
    pub fn restore(&mut self, mark: &Mark) -> Result<(), GivenUp> {
        let mut vm = self.session.vm();
        vm.resume(&mark.snapshot).map_err(GivenUp)?;
        let pages: Vec<(u16, Vec<u8>)> =
            rom(&vm.guest).map(|(first, bytes)| (first, bytes.to_vec())).collect();
        for ((first, bytes), wanted) in pages.iter().zip(mark.rom.chunks(crate::memory::PAGE_SIZE)) {
            if bytes != wanted {
                vm.guest.poke(*first, wanted).map_err(Error::from)?;
            }
        }
        // It grows with every pass over the same stretch, and nobody reads it.
        vm.transcripts = Default::default();
        lock(&self.session.fault_injections).set_made(mark.made);
        self.status = mark.status.clone();
        Ok(())
    }

    // ---- moving ----

    /// Goes on until `goal` is reached and what is due there is done, or it is over. Makes the injected faults on the way.
    pub fn run_to(&mut self, goal: Limits, meter: &mut Meter<'_>) -> Result<(), GivenUp> {
        let (mut last_stop, mut stalls) = (None, 0);
        while !self.is_over() {
            match self.stretch(goal, meter)? {
                Some(StopReason::Budget) => {
                    self.intervene()?;
                    if goal.reached(self.position()) {
                        break;
                    }
                }
                Some(_) => {
                    // Shut down, at a fault, before an instruction that is watched: the log goes on behind it, or never.
                    let here = Some((self.position(), self.events_taken()));
                    stalls = if last_stop == here { stalls + 1 } else { 0 };
                    last_stop = here;
                    if stalls == STALLS_MAX {
                        self.status = Status::Ended;
                    }
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Where a run to `goal` must end, so that the next injected fault is made in its place.
    pub fn limits(&self, goal: Limits) -> Limits {
        let vm = self.session.vm();
        lock(&self.session.fault_injections).limits(vm.guest.position(), goal)
    }

    /// Goes on to where a run would stop by itself, at `goal`, or before the next injected fault.
    fn stretch(&mut self, goal: Limits, meter: &mut Meter<'_>) -> Result<Option<StopReason>, GivenUp> {
        {
            let limits = self.limits(goal);
            self.session.vm().begin_run(limits);
        }
        loop {
            let reason = self.hold(meter)?;
            if reason.is_some() || self.is_over() {
                return Ok(reason);
            }
        }
    }

    /// What the vCPU does under one hold of the lock; gives why the run stops, if it does.
    fn hold(&mut self, meter: &mut Meter<'_>) -> Result<Option<StopReason>, GivenUp> {
        let mut vm = self.session.vm();
        let before = vm.guest.position().icount;
        let next = vm.run_vcpu_quantum();
        vm.guest.take_fault();
        let hits = vm.guest.take_hits();
        self.seen.extend(hits.iter().map(|hit| executed(&vm.guest, hit.at, hit.address)));
        if self.seen.len() > SEEN_MAX {
            self.seen.pop_front();
        }
        let executed = vm.guest.position().icount - before;
        drop(vm);
        meter.spend(executed + TURN_WORK)?;
        match next {
            VcpuAction::Continue => Ok(None),
            // There are no hosts to wait for.
            VcpuAction::Rest(_) | VcpuAction::Done(Ok(StopReason::End | StopReason::Halted)) => {
                self.status = Status::Ended;
                Ok(None)
            }
            VcpuAction::Done(Ok(reason)) => Ok(Some(reason)),
            VcpuAction::Done(Err(ReplayError::Divergence(divergence))) => {
                self.status = Status::Diverged(divergence);
                Ok(None)
            }
            VcpuAction::Done(Err(error)) => Err(error.into()),
        }
    }

    /// One turn: what is due here, then at most the way to `goal`.
    pub fn iteration(&mut self, goal: Limits, meter: &mut Meter<'_>) -> Result<(), GivenUp> {
        if self.is_over() {
            return Ok(());
        }
        let iterations = {
            let mut vm = self.session.vm();
            vm.begin_run(goal);
            std::mem::replace(&mut vm.iterations_per_quantum, 1)
        };
        let held = self.hold(meter);
        self.session.vm().iterations_per_quantum = iterations;
        held.map(|_| ())
    }

    /// Does what is due here, and executes nothing.
    pub fn deliver(&mut self, meter: &mut Meter<'_>) -> Result<(), GivenUp> {
        let here = self.position();
        self.iteration(Limits { icount: here.icount, cycles: here.cycles }, meter)
    }

    /// Makes the injected faults that are due here.
    pub fn intervene(&mut self) -> Result<(), GivenUp> {
        let mut vm = self.session.vm();
        Ok(lock(&self.session.fault_injections).make_due(&mut vm)?)
    }

    // ---- watching ----

    /// From now on every instruction is seen before it is executed, and ends the turn.
    pub fn watch(&mut self) {
        let mut vm = self.session.vm();
        // Anew, and not only added: hooks remember where they were hit, and the machine may have been put back since.
        *vm.guest.hooks_mut() = Default::default();
        vm.guest.hooks_mut().add(HookKind::Execute, 0, u16::MAX);
        vm.guest.apply_hooks();
        self.seen.clear();
    }

    /// Ends that.
    pub fn unwatch(&mut self) {
        let mut vm = self.session.vm();
        *vm.guest.hooks_mut() = Default::default();
        vm.guest.apply_hooks();
    }

    /// The last instruction that it has come to; it may not be executed yet.
    pub fn last_seen(&self) -> Option<&Executed> {
        self.seen.back()
    }

    /// The last `count` instructions seen that began before `end`.
    pub fn trail(&self, end: Position, count: usize) -> Vec<Executed> {
        let before = self.seen.iter().filter(|seen| seen.position < end);
        let skipped = before.clone().count().saturating_sub(count);
        before.skip(skipped).cloned().collect()
    }
}

fn executed(machine: &Machine, position: Position, pc: u16) -> Executed {
    let instruction = machine.cpu().kind().decode(pc, |address| machine.peek(address));
    let text = instruction.text();
    Executed { position, pc, bytes: instruction.bytes, text }
}

/// The pages of ROM, with their first addresses.
fn rom(machine: &Machine) -> impl Iterator<Item = (u16, &[u8])> {
    let memory = machine.memory();
    (0..=u8::MAX).filter(move |&page| memory.kind(page) == PageKind::Rom).map(move |page| {
        let first = u16::from(page) << 8;
        (first, &memory.bytes()[usize::from(first)..][..crate::memory::PAGE_SIZE])
    })
}

/// When the timers of each clock are due.
pub(crate) fn timers(machine: &Machine) -> [Option<u64>; 3] {
    use crate::nondet::ClockKind::{Host, VirtualRt};
    let on_host = |clock| machine.next_clock_timer(clock).map(i64::cast_unsigned);
    [machine.next_timer(), on_host(Host), on_host(VirtualRt)]
}
