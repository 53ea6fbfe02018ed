//! One replay of a recording, moved about: it goes to any place by the shortest way from a state that is kept.

pub use super::cancel::Cancel;
use super::keyframes::{Keyframe, KeyframeCache};
use super::snapshot_index::{Query, SnapshotIndex};
use crate::engine::{Limits, StopReason, VcpuAction, VmState};
use crate::error::Error;
use crate::guest::Guest;
use crate::log::{Header, LogError, LogReader, LogWriter};
use crate::machine::{AccessTrace, FrameEnd, HookKind, Machine, Notes, Profile, TraceFilter};
use crate::seeded_faults::{SeededFault, is_seeded};
use crate::session::Session;
use crate::session::snapshot_check::{SnapshotSource, snapshot_check};
use crate::snapshot::Composed;
use crate::sync::Shared;
use crate::units::Position;

/// What a stop of the loop costs beside its instructions.
const STOP_WORK: u64 = 200;
/// Instructions between the nearest keyframe that is left on the way to a place, and that place.
const NEAREST_MARK: u64 = 512;
/// Stops at one place, each for another reason, behind which a replay will not go on any more.
const STALLS_MAX: u32 = 4;

/// Where a stretch of the run ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Goal {
    /// Where so many instructions have just retired.
    Arrival(u64),
    /// The first place at or behind a position.
    Place(Position),
}

/// A replay that goes where it is told.
pub struct ReplayCursor {
    session: Session,
    keyframes: KeyframeCache,
    snapshot_index: Shared<SnapshotIndex>,
    /// The recording's own start, before anything was done: never let go.
    origin: Shared<Keyframe>,
    start: Position,
    end: Position,
    /// Whether it has come to the recording's end.
    ended: bool,
    /// Whether all that is due where it stands is done.
    settled: bool,
    /// After an error the machine is in no state to go on from.
    lost: bool,
}

impl ReplayCursor {
    /// A replay at its start, with a budget for the states that it keeps, in bytes.
    ///
    /// # Errors
    /// A recording that cannot be replayed, or snapshots in it that do not hold.
    pub fn new(session: Session, reader: &Shared<LogReader>, budget: usize) -> Result<Self, Error> {
        let snapshot_index = Shared::new(SnapshotIndex::read(reader, budget)?);
        check_snapshots(&session, reader, &snapshot_index);
        let origin = Keyframe { is_settled: false, ..capture(&session, true) };
        let mut cursor = Self {
            session,
            origin: Shared::new(origin),
            keyframes: KeyframeCache::new(budget),
            snapshot_index,
            start: reader.header().start,
            end: reader.last_position(),
            ended: false,
            settled: false,
            lost: false,
        };
        // What is due at the start belongs to the first place.
        cursor
            .run(Limits { icount: cursor.start.icount, cycles: u64::MAX }, &mut Cancel::new(&mut || false))?;
        cursor.start = cursor.position();
        Ok(cursor)
    }

    /// A second one, on a replay of the same recording at its start, which keeps no states of its own.
    pub fn beside(&self, session: Session, reader: &Shared<LogReader>) -> Self {
        check_snapshots(&session, reader, &self.snapshot_index);
        Self {
            session,
            keyframes: KeyframeCache::new(0),
            snapshot_index: self.snapshot_index.clone(),
            origin: self.origin.clone(),
            ended: false,
            settled: false,
            lost: true,
            ..*self
        }
    }

    /// Where the recording's first place is.
    pub fn start(&self) -> Position {
        self.start
    }

    /// Where the recording ends.
    pub fn end(&self) -> Position {
        self.end
    }

    /// Where it stands.
    pub fn position(&self) -> Position {
        self.session.position()
    }

    /// The replay, standing where it was brought.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Events that the replay has taken from the log where it stands.
    pub fn events_passed(&self) -> u64 {
        self.session.vm().replay.events_passed()
    }

    /// Keyframes kept in memory, and an upper bound of their bytes.
    pub fn marks_size(&self) -> (usize, usize) {
        self.keyframes.size()
    }

    /// Whether no instruction begins where it stands: the CPU waits, or is stopped until a reset.
    pub fn waits(&self) -> bool {
        let vm = self.session.vm();
        vm.guest.waits() || vm.guest.is_stopped()
    }

    /// Whether several instructions may begin where it stands before one retires: one that ends a wait, or one behind the
    /// reset of a processor that this one has jammed.
    fn may_begin_again(&self) -> bool {
        self.waits() || !is_seeded(SeededFault::JamPassedOver) && self.session.vm().guest.may_jam()
    }

    /// The recording's snapshots.
    pub fn snapshot_index(&self) -> &SnapshotIndex {
        &self.snapshot_index
    }

    // ---- going ----

    /// Goes to where `icount` instructions have just retired and what is due there is done; gives the place.
    ///
    /// # Errors
    /// A divergence, a file that cannot be read, a user who wants to stop.
    pub fn seek(&mut self, icount: u64, cancel: &mut Cancel<'_>) -> Result<Position, Error> {
        let icount = icount.clamp(self.start.icount, self.end.icount);
        let base = latest(self.snapshot_index.before_arrival(icount), self.keyframes.before_arrival(icount));
        let from = self.start_from(base, Position::new(icount, 0))?;
        let _ = cancel.covers(from.icount, icount);
        self.approach(icount, cancel)?;
        self.run(Limits { icount, cycles: u64::MAX }, cancel)?;
        self.keep_distant_mark(from, true);
        self.take_the_end(cancel)?;
        Ok(self.position())
    }

    /// At the recording's end all that the log has there is done, however one has come there.
    fn take_the_end(&mut self, cancel: &mut Cancel<'_>) -> Result<(), Error> {
        if self.position() == self.end { self.run(Limits::NONE, cancel) } else { Ok(()) }
    }

    /// Goes to a place where it was before.
    ///
    /// # Errors
    /// The same as [`seek`](ReplayCursor::seek).
    pub fn go_to(&mut self, place: Position, cancel: &mut Cancel<'_>) -> Result<(), Error> {
        let here = self.position();
        if here == place && self.settled && !self.lost {
            return self.take_the_end(cancel);
        }
        let base = latest(self.snapshot_index.before(place), self.keyframes.before(place));
        let from = self.start_from(base, place)?;
        let _ = cancel.covers(from.icount, place.icount);
        self.approach(place.icount, cancel)?;
        self.run_on_to(place, cancel)?;
        let here = self.position();
        if here != place {
            self.lost = true;
            return Err(Error::Engine(format!("a replay that was to go to {place} came to {here}")));
        }
        self.keep_distant_mark(from, false);
        self.take_the_end(cancel)
    }

    /// Where the shortest way to a place begins: at the keyframe, or here.
    fn start_from(&mut self, base: Option<Shared<Keyframe>>, place: Position) -> Result<Position, Error> {
        let here = self.position();
        let base = base.unwrap_or_else(|| self.origin.clone());
        if self.lost || self.ended || here >= place || base.position > here {
            self.restore(&base)?;
        }
        Ok(self.position())
    }

    /// Goes on to the first place at or behind a position.
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
        if !self.ended {
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

    /// Gives what happens between two places to a writer, as a recording of its own.
    ///
    /// # Errors
    /// The same as [`seek`](ReplayCursor::seek), or a file that cannot be written.
    pub fn cut(
        &mut self,
        start: u64,
        stop: u64,
        create: impl FnOnce(&Header) -> Result<LogWriter, LogError>,
        cancel: &mut Cancel<'_>,
    ) -> Result<(), Error> {
        let _ = cancel.covers(start, stop);
        self.seek(start, cancel)?;
        self.session.start_cut(create)?;
        let run =
            if stop >= self.end.icount { Limits::NONE } else { Limits { icount: stop, cycles: u64::MAX } };
        let outcome = self.run(run, cancel);
        match outcome {
            Ok(()) => self.session.finish_cut(),
            failed => {
                // What is replayed from here on is no part of it.
                self.session.abandon_cut();
                failed
            }
        }
    }

    /// The place `count` instructions behind another, or the end.
    ///
    /// # Errors
    /// The same as [`seek`](ReplayCursor::seek).
    pub fn step(&mut self, from: Position, count: u64, cancel: &mut Cancel<'_>) -> Result<Position, Error> {
        if count == 0 {
            return Ok(from);
        }
        let goal = from.icount.saturating_add(count);
        if goal > self.end.icount {
            return self.run_to_end(from, cancel);
        }
        // A step goes on from here; a longer way leaves keyframes.
        if count == 1 {
            self.go_to(from, cancel)?;
            self.run_to_arrival(goal, cancel)?;
            return Ok(self.position());
        }
        self.seek(goal, cancel)
    }

    /// The place before another: before the wait, where it stands behind one.
    ///
    /// # Errors
    /// The same as [`seek`](ReplayCursor::seek).
    pub fn step_back(&mut self, from: Position, cancel: &mut Cancel<'_>) -> Result<Position, Error> {
        let before = from.icount.saturating_sub(1).max(self.start.icount);
        self.seek(before, cancel)?;
        if before == from.icount {
            return Ok(self.start);
        }
        let before = self.position();
        self.run_to_arrival(from.icount, cancel)?;
        let arrival = self.position();
        Ok(if arrival < from { arrival } else { before })
    }

    /// Where the instruction that retires after so many is about to begin: after each wait there, and after the reset of a
    /// processor that jams there. Where the CPU waits, or jams, when none does.
    ///
    /// # Errors
    /// The same as [`seek`](ReplayCursor::seek).
    pub fn instruction_place(&mut self, icount: u64, cancel: &mut Cancel<'_>) -> Result<Position, Error> {
        self.seek(icount, cancel)?;
        self.go_to_last(cancel, |_| true)
    }

    /// Where, behind a place, another instruction begins before one retires: after the wait there, or after the reset of a
    /// processor that jams there. `None` where there is no such place.
    ///
    /// # Errors
    /// The same as [`seek`](ReplayCursor::seek).
    pub fn begun_behind(
        &mut self,
        place: Position,
        cancel: &mut Cancel<'_>,
    ) -> Result<Option<Position>, Error> {
        self.go_to(place, cancel)?;
        Ok((self.may_begin_again() && self.go_to_instruction(cancel)?).then(|| self.position()))
    }

    /// Goes on to the last place, of where it stands and those where further instructions begin before one retires, up to
    /// which something holds; that it holds where it stands is taken for granted.
    ///
    /// # Errors
    /// The same as [`seek`](ReplayCursor::seek).
    pub fn go_to_last(
        &mut self,
        cancel: &mut Cancel<'_>,
        holds: impl Fn(&Self) -> bool,
    ) -> Result<Position, Error> {
        let mut place = self.position();
        while self.may_begin_again() && self.go_to_instruction(cancel)? && holds(self) {
            place = self.position();
        }
        self.go_to(place, cancel)?;
        Ok(place)
    }

    /// Goes on to where the next instruction is about to begin, after a wait, the interrupt or reset that ends it, and an
    /// instruction that jams. Returns whether there is one before an instruction has retired.
    fn go_to_instruction(&mut self, cancel: &mut Cancel<'_>) -> Result<bool, Error> {
        if self.ended {
            return Ok(false);
        }
        let here = self.position();
        let waits = self.waits();
        {
            let mut vm = self.session.vm();
            *vm.guest.hooks_mut() = Default::default();
            vm.guest.hooks_mut().add(HookKind::Execute, 0, u16::MAX);
            if !waits {
                vm.guest.hooks_mut().pass_execution(here);
            }
            vm.guest.apply_hooks();
        }
        let outcome = self.run_until(Limits::NONE, true, cancel);
        let found = !self.session.vm().guest.take_hits().is_empty();
        self.unwatch();
        outcome?;
        Ok(found && self.position().icount == here.icount)
    }

    /// Goes on to where a frame ends, or to the recording's end.
    ///
    /// # Errors
    /// The same as [`seek`](ReplayCursor::seek).
    pub fn run_to_frame_end(&mut self, end: FrameEnd, cancel: &mut Cancel<'_>) -> Result<(), Error> {
        {
            let mut vm = self.session.vm();
            *vm.guest.hooks_mut() = Default::default();
            let kind = vm.guest.cpu().kind();
            vm.guest.hooks_mut().set_frame_end(Some((end, kind)));
            vm.guest.apply_hooks();
        }
        let outcome = self.run_until(Limits::NONE, true, cancel);
        self.unwatch();
        outcome
    }

    /// Goes on to a goal while the run is watched; gives what was seen.
    ///
    /// # Errors
    /// The same as [`seek`](ReplayCursor::seek).
    pub fn watch(
        &mut self,
        specs: &[TraceFilter],
        to: Goal,
        cancel: &mut Cancel<'_>,
    ) -> Result<Vec<AccessTrace>, Error> {
        {
            let mut vm = self.session.vm();
            *vm.guest.hooks_mut() = Default::default();
            vm.guest.hooks_mut().set_traces(specs.iter().map(|spec| AccessTrace::new(*spec)).collect());
            vm.guest.apply_hooks();
        }
        let outcome = match to {
            Goal::Arrival(icount) => self.run(Limits { icount, cycles: u64::MAX }, cancel),
            Goal::Place(place) => self.run_on_to(place, cancel),
        };
        let traces = self.session.vm().guest.hooks_mut().set_traces(Vec::new());
        self.unwatch();
        outcome.map(|()| traces)
    }

    /// Counts the instructions with `start <= icount < stop`, and the cycles that they take.
    ///
    /// # Errors
    /// The same as [`seek`](ReplayCursor::seek).
    pub fn profile(&mut self, start: u64, stop: u64, cancel: &mut Cancel<'_>) -> Result<Profile, Error> {
        let _ = cancel.covers(start, stop.min(self.end.icount));
        self.seek(start, cancel)?;
        {
            let mut vm = self.session.vm();
            *vm.guest.hooks_mut() = Default::default();
            vm.guest.hooks_mut().set_profile(Some(Profile::default()));
            vm.guest.apply_hooks();
        }
        let outcome = if stop > self.end.icount {
            self.run(Limits::NONE, cancel)
        } else {
            self.run(Limits { icount: stop, cycles: u64::MAX }, cancel)
        };
        let profile = self.session.vm().guest.hooks_mut().set_profile(None);
        self.unwatch();
        outcome?;
        let mut profile = profile.unwrap_or_default();
        profile.ends(self.position());
        Ok(profile)
    }

    fn unwatch(&self) {
        let mut vm = self.session.vm();
        *vm.guest.hooks_mut() = Default::default();
        vm.guest.apply_hooks();
    }

    /// Whether the recording's end is reached.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Leaves keyframes on a long way, ever closer to its goal: who goes back from there comes to them one after the other.
    fn approach(&mut self, goal: u64, cancel: &mut Cancel<'_>) -> Result<(), Error> {
        loop {
            let left = goal.saturating_sub(self.position().icount);
            if left < NEAREST_MARK * 2 || self.ended {
                return Ok(());
            }
            self.run(Limits { icount: goal - left / 2, cycles: u64::MAX }, cancel)?;
            self.keep_mark(true);
        }
    }

    fn run(&mut self, limits: Limits, cancel: &mut Cancel<'_>) -> Result<(), Error> {
        self.run_until(limits, false, cancel)
    }

    /// Goes on until a limit is reached and what is due there is done, or the recording has ended; or until a hook is hit.
    fn run_until(&mut self, limits: Limits, to_hook: bool, cancel: &mut Cancel<'_>) -> Result<(), Error> {
        if self.ended {
            return Ok(());
        }
        // Until it is known that all went well.
        self.lost = true;
        let (mut last_stop, mut stalls) = (None, 0);
        let mut vm = self.session.vm();
        begin(&mut vm, limits);
        if vm.guest.notes() == Notes::Useless && self.comes_to_snapshot(vm.guest.position(), limits) {
            // What was noted is of another way: from here on it is of the one to that snapshot.
            vm.guest.take_notes(Notes::Part);
        }
        loop {
            let before = vm.guest.position().icount;
            let next = vm.run_vcpu_quantum();
            vm.guest.take_fault();
            let icount = vm.guest.position().icount;
            cancel.at(icount);
            cancel.spend(icount - before + STOP_WORK)?;
            match next {
                VcpuAction::Continue => {}
                VcpuAction::Done(Ok(StopReason::Budget)) => break,
                VcpuAction::Done(Ok(StopReason::Hook | StopReason::Breakpoint)) if to_hook => break,
                // There are no hosts to wait for.
                VcpuAction::Rest(_) | VcpuAction::Done(Ok(StopReason::End | StopReason::Halted)) => {
                    self.ended = true;
                    break;
                }
                VcpuAction::Done(Ok(_)) => {
                    // Shut down, or at a fault: the log goes on behind it, or never.
                    let here = Some((vm.guest.position(), vm.replay.events_passed()));
                    stalls = if last_stop == here { stalls + 1 } else { 0 };
                    last_stop = here;
                    if stalls == STALLS_MAX {
                        self.ended = true;
                        break;
                    }
                    begin(&mut vm, limits);
                }
                VcpuAction::Done(Err(error)) => return Err(error.into()),
            }
        }
        // It grows with every pass over the same stretch, and nobody reads it.
        vm.transcripts = Default::default();
        (self.lost, self.settled) = (false, true);
        Ok(())
    }

    /// Whether a run from a position to its limits comes to a snapshot of the recording.
    fn comes_to_snapshot(&self, here: Position, limits: Limits) -> bool {
        let next = self.snapshot_index.behind(here).map(|snapshot| snapshot.position());
        next.is_some_and(|next| next.icount <= limits.icount && next.cycles <= limits.cycles)
    }

    // ---- keyframes ----

    /// Keeps the state here, to come back to.
    fn keep_mark(&mut self, is_arrival: bool) {
        // Behind the end nothing can be gone on from.
        if !self.ended {
            self.keyframes.keep(capture(&self.session, is_arrival));
        }
    }

    fn keep_distant_mark(&mut self, from: Position, is_arrival: bool) {
        if self.position().icount - from.icount >= NEAREST_MARK {
            self.keep_mark(is_arrival);
        }
    }

    /// Goes back to the last state kept at or before a place, and no further back than that.
    ///
    /// # Errors
    /// The same as [`seek`](ReplayCursor::seek).
    pub fn rewind(&mut self, place: Position) -> Result<Position, Error> {
        let keyframe = latest(self.snapshot_index.before(place), self.keyframes.before(place));
        let keyframe = keyframe.unwrap_or_else(|| self.origin.clone());
        self.restore(&keyframe)?;
        Ok(keyframe.position)
    }

    /// Where [`rewind`](ReplayCursor::rewind) goes to.
    pub fn base_before(&mut self, place: Position) -> Position {
        let stored = self.snapshot_index.before(place).map(|snapshot| snapshot.position());
        let kept = self.keyframes.before(place).map(|keyframe| keyframe.position);
        stored.max(kept).unwrap_or(self.origin.position)
    }

    /// Goes ahead over the recording's snapshots before `stop` as long as nothing that is wanted has happened, without running
    /// there.
    ///
    /// # Errors
    /// The same as [`seek`](ReplayCursor::seek).
    pub fn skip_irrelevant(&mut self, wanted: &Query, stop: u64) -> Result<(), Error> {
        let mut here = self.position();
        let mut reached = None;
        while let Some(next) = self.snapshot_index.behind(here)
            && next.position().icount < stop
            && !self.snapshot_index.may_contain_next(wanted, here)
        {
            here = next.position();
            reached = Some(next);
        }
        reached.map_or(Ok(()), |snapshot| self.restore(&Keyframe::of_snapshot(&snapshot)))
    }

    fn restore(&mut self, keyframe: &Keyframe) -> Result<(), Error> {
        self.lost = true;
        let mut vm = self.session.vm();
        vm.guest.reinstate(&keyframe.machine)?;
        vm.replay.resume(&keyframe.replay)?;
        vm.number_requests();
        let (machine, log) = (vm.guest.position(), vm.replay.position());
        if machine != keyframe.position || log != keyframe.position {
            return Err(Error::Mismatch(format!(
                "the snapshot at {} is of a machine at {machine} and a log at {log}: the file is damaged",
                keyframe.position
            )));
        }
        vm.forget_sleep();
        drop(vm);
        (self.lost, self.ended, self.settled) = (false, false, keyframe.is_settled);
        Ok(())
    }
}

/// Makes a replay compare itself with the recording's snapshots as they are kept, in whatever order it comes to them.
/// Where they are not kept it reads them from the file, as every replay does.
fn check_snapshots(session: &Session, reader: &Shared<LogReader>, snapshot_index: &Shared<SnapshotIndex>) {
    if snapshot_index.is_empty() {
        return;
    }
    let (snapshot_index, damaged) = (snapshot_index.clone(), reader.clone());
    let source: SnapshotSource = Box::new(move |number| {
        snapshot_index.composed(number).ok_or_else(|| damaged.snapshot_error(number, &"it was not read"))
    });
    session.vm().snapshot_check = Some(snapshot_check(reader.clone(), source));
}

fn begin(vm: &mut VmState<Machine>, limits: Limits) {
    vm.begin_run(limits);
    vm.ends_on_instruction = limits.icount != u64::MAX;
}

fn capture(session: &Session, is_arrival: bool) -> Keyframe {
    let mut vm = session.vm();
    let replay = vm.replay.save();
    Keyframe {
        position: vm.guest.position(),
        is_arrival,
        is_settled: true,
        machine: vm.guest.capture(),
        replay,
    }
}

/// The later one of a recording's snapshot and a keyframe.
fn latest(
    snapshot_index: Option<Shared<Composed>>,
    kept: Option<Shared<Keyframe>>,
) -> Option<Shared<Keyframe>> {
    match (snapshot_index, kept) {
        (Some(snapshot_index), Some(kept)) if kept.position >= snapshot_index.position() => Some(kept),
        (Some(snapshot_index), _) => Some(Shared::new(Keyframe::of_snapshot(&snapshot_index))),
        (None, kept) => kept,
    }
}
