//! States that a replay comes back to: keyframes, the recording's snapshots, and whole states that are compared.

use super::keyframes::Keyframe;
use super::run::Course;
use super::snapshot_index::Query;
use super::{Cancel, ReplayCursor};
use crate::error::Error;
use crate::guest::Guest;
use crate::machine::{Machine, Notes};
use crate::memory::{PAGE_SIZE, PageKind};
use crate::session::Session;
use crate::snapshot::{Composed, Snapshot};
use crate::sync::Shared;
use crate::units::Position;

/// What it costs to save a whole state and compare it, in instructions.
const STATE_WORK: u64 = 20_000;

/// All of a replay's state, to come back to and to compare with: also what no keyframe has, because no recording changes it.
#[derive(Clone)]
pub(crate) struct WholeState {
    keyframe: Keyframe,
    rom: Vec<u8>,
    timers: [Option<u64>; 3],
    course: Course,
    faults_made: usize,
}

impl WholeState {
    /// Where it is.
    pub fn position(&self) -> Position {
        self.keyframe.position
    }

    /// Whether the replay had diverged there.
    pub fn has_diverged(&self) -> bool {
        matches!(self.course, Course::Diverged(_))
    }

    /// Whether two replays stand in the same state.
    pub fn agrees_with(&self, other: &WholeState) -> bool {
        self.keyframe.is_same_state(&other.keyframe)
            && self.rom == other.rom
            && self.timers == other.timers
            && self.course == other.course
    }
}

impl ReplayCursor {
    // ---- keyframes ----

    /// Keeps the state here, to come back to.
    pub(super) fn keep_mark(&mut self, is_arrival: bool) {
        // After the end nothing can be gone on from.
        if !self.has_ended() {
            self.keyframes.keep(capture(&self.session, is_arrival));
        }
    }

    /// The last state kept from which a run comes to where `icount` instructions have just retired.
    pub(super) fn latest_before_arrival(&mut self, icount: u64) -> Option<Shared<Keyframe>> {
        latest(self.snapshot_index.before_arrival(icount), self.keyframes.before_arrival(icount))
    }

    /// The last state kept at or before a place.
    pub(super) fn latest_before(&mut self, place: Position) -> Option<Shared<Keyframe>> {
        latest(self.snapshot_index.before(place), self.keyframes.before(place))
    }

    /// Goes back to the last state kept at or before a place, and no further back than that.
    ///
    /// # Errors
    /// The same as [`seek`](ReplayCursor::seek).
    pub fn rewind(&mut self, place: Position) -> Result<Position, Error> {
        let keyframe = self.latest_before(place).unwrap_or_else(|| self.origin.clone());
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
        while let Some(next) = self.snapshot_index.after(here)
            && next.position().icount < stop
            && !self.snapshot_index.may_contain_next(wanted, here)
        {
            here = next.position();
            reached = Some(next);
        }
        reached.map_or(Ok(()), |snapshot| self.restore(&Keyframe::of_snapshot(&snapshot)))
    }

    pub(super) fn restore(&mut self, keyframe: &Keyframe) -> Result<(), Error> {
        self.lost = true;
        self.work.seeks += 1;
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
        (self.lost, self.course, self.settled) = (false, Course::GoesOn, keyframe.is_settled);
        Ok(())
    }

    // ---- another replay's state ----

    /// Comes to stand where another replay of the recording stands, in the same state but for ROM, which stays its own.
    ///
    /// # Errors
    /// A state that does not fit.
    pub(crate) fn stand_like(&mut self, other: &ReplayCursor) -> Result<(), Error> {
        let state = Keyframe { is_settled: other.settled, ..capture(&other.session, false) };
        self.restore(&state)
    }

    /// Whether both stand in the same state, whatever their ROM.
    pub(crate) fn is_like(&self, other: &ReplayCursor) -> bool {
        capture(&self.session, false).is_same_state(&capture(&other.session, false))
    }

    // ---- whole states ----

    /// Puts it to a snapshot of the recording.
    ///
    /// # Errors
    /// A snapshot that does not fit.
    pub(crate) fn resume(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        self.session.resume(snapshot)?;
        (self.lost, self.course, self.settled) = (false, Course::GoesOn, false);
        Ok(())
    }

    /// All of the state here.
    ///
    /// # Errors
    /// A user who wants to stop.
    pub(crate) fn whole_state(&mut self, cancel: &mut Cancel<'_>) -> Result<WholeState, Error> {
        cancel.spend(STATE_WORK)?;
        let keyframe = Keyframe { is_settled: self.settled, ..capture(&self.session, false) };
        let vm = self.session.vm();
        Ok(WholeState {
            keyframe,
            rom: rom(&vm.guest).map(|(_, bytes)| bytes).collect::<Vec<_>>().concat(),
            timers: timers(&vm.guest),
            course: self.course.clone(),
            faults_made: self.session.injections().made(),
        })
    }

    /// Back to a state.
    ///
    /// # Errors
    /// A state that does not fit.
    pub(crate) fn restore_whole(&mut self, state: &WholeState) -> Result<(), Error> {
        self.restore(&state.keyframe)?;
        let mut vm = self.session.vm();
        let pages: Vec<(u16, Vec<u8>)> =
            rom(&vm.guest).map(|(first, bytes)| (first, bytes.to_vec())).collect();
        for ((first, bytes), wanted) in pages.iter().zip(state.rom.chunks(PAGE_SIZE)) {
            if bytes != wanted {
                vm.guest.poke(*first, wanted)?;
            }
        }
        // From here on it is noted what is touched on the way to the next snapshot, which is compared with that.
        vm.guest.take_notes(Notes::Part);
        drop(vm);
        self.session.injections().set_made(state.faults_made);
        self.course = state.course.clone();
        Ok(())
    }
}

pub(super) fn capture(session: &Session, is_arrival: bool) -> Keyframe {
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

/// The pages of ROM, with their first addresses.
fn rom(machine: &Machine) -> impl Iterator<Item = (u16, &[u8])> {
    let memory = machine.memory();
    (0..=u8::MAX).filter(move |&page| memory.kind(page) == PageKind::Rom).map(move |page| {
        let first = u16::from(page) << 8;
        (first, &memory.bytes()[usize::from(first)..][..PAGE_SIZE])
    })
}

/// When the timers of each clock are due.
pub(crate) fn timers(machine: &Machine) -> [Option<u64>; 3] {
    use crate::nondet::ClockKind::{Host, VirtualRt};
    let on_host = |clock| machine.next_clock_timer(clock).map(i64::cast_unsigned);
    [machine.next_timer(), on_host(Host), on_host(VirtualRt)]
}
