//! The first difference of a replay that diverged, found by replaying again.
//!
//! Two more replays are made of the same recording: the *reference*, and the *suspect*, in which all is done again that was
//! done to the first replay and is in no log. Where the reference goes further than the suspect, the interval between
//! the last digest that agreed and the divergence is bisected, comparing whole states, down to one instruction, one
//! delivery or one change. Where the reference diverges in the same place, the log is to blame.
//!
//! What it costs: the way from the nearest snapshot or the start to the divergence, once for each of the two, and the interval
//! once more. A dozen states are kept, which share what is the same in them. The work is bounded and the user may stop it
//! ([`Cancel`]); the divergence is reported in any case.

use super::lockstep::Lockstep;
use super::state_differences as differences;
use crate::cursor::{Cancel, ReplayCursor, WholeState};
use crate::engine::Limits;
use crate::error::Error;
use crate::replay::{Cause, Diagnosis, Differences, Divergence, Executed, Found};
use crate::session::fault_injection::FaultInjections;
use crate::session::{Origin, Session};
use crate::snapshot::{self, Snapshot};
use crate::units::Position;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How many instructions a report looks back.
const INSTRUCTIONS: usize = 16;
/// Cycles of waiting that are gone through turn by turn.
const CYCLES_STEPPED: u64 = 64;
/// Turns that are gone through one by one: there are no more in so many cycles, unless events come without end.
const ITERATIONS_MAX: u32 = 10_000;

/// Work that a search may do, in instructions executed: about half a minute.
const WORK_MAX: u64 = 4_000_000_000;

/// Finds out about a divergence of a replay what can be found out by replaying again.
pub(crate) fn diagnose(
    session: &Session,
    divergence: &mut Divergence,
    interrupted: &mut dyn FnMut() -> bool,
) {
    let Some(origin) = session.origin() else { return };
    let is_stopped = Cell::new(false);
    let mut monitor = || {
        is_stopped.set(is_stopped.get() || interrupted());
        is_stopped.get()
    };
    let search = Search { session, origin, cancel: Cancel::bounded(&mut monitor, WORK_MAX) };
    // Whatever goes wrong here, the divergence is reported.
    let diagnosis = catch_unwind(AssertUnwindSafe(|| search.bisect(divergence)));
    divergence.diagnosis = Some(match diagnosis {
        Ok(Ok(diagnosis)) => diagnosis,
        Ok(Err(_)) if is_stopped.get() => Diagnosis::GivenUp { reason: "it was stopped".to_owned() },
        Ok(Err(error)) => Diagnosis::GivenUp { reason: error.to_string() },
        Err(_) => Diagnosis::GivenUp { reason: "it panicked, which is a bug of rreplay".to_owned() },
    });
    take_pc(divergence);
}

/// A replay at its start, in which nothing is changed from outside.
fn reference(origin: &Origin) -> Result<ReplayCursor, Error> {
    suspect(origin, &FaultInjections::default())
}

/// A replay at its start, in which all is changed again that was changed in the first one.
fn suspect(origin: &Origin, fault_injections: &FaultInjections) -> Result<ReplayCursor, Error> {
    let session = Session::play(origin.reader.clone(), &origin.images)?;
    #[cfg(feature = "testing")]
    if let Some(change) = &fault_injections.source {
        session.vm().replay.change_source(&**change);
    }
    *session.injections() = fault_injections.anew();
    Ok(ReplayCursor::without_keyframes(session, &origin.reader))
}

/// The CPU stands after the instruction in which it diverged; the report is about that instruction.
fn take_pc(divergence: &mut Divergence) {
    if let Some(last) = divergence.executed.last()
        && last.position.icount == divergence.position.icount
        && matches!(divergence.found, Found::Event(_))
    {
        divergence.pc = Some(last.pc);
    }
}

/// The same divergence as another replay has come to it, in small steps: with its exact place. What was before, the first replay
/// knows better.
fn refine(divergence: &mut Divergence, replay: &Divergence) {
    if divergence.is_same_place(replay) {
        let Divergence { recent, last_matching_digest, .. } = std::mem::replace(divergence, replay.clone());
        (divergence.recent, divergence.last_matching_digest) = (recent, last_matching_digest);
    }
}

/// The places between the last agreement and the divergence.
struct Way {
    /// Where all is known to agree.
    agreed: Position,
    /// The icount from which on instructions are watched.
    watched_from: u64,
    /// After the last instruction that counts: where the divergence is, or the event that was passed.
    end: Position,
    /// The icount at which the first replay noticed.
    noticed: u64,
}

impl Way {
    fn to(divergence: &Divergence, agreed: Position) -> Self {
        let end = match divergence.has_passed() {
            Some(expected) => Position::new(expected.icount, expected.cycles.saturating_add(1)),
            None => divergence.position,
        };
        let watched_from = end.icount.saturating_sub(INSTRUCTIONS as u64);
        Self { agreed, watched_from, end, noticed: divergence.position.icount }
    }

    /// The last instructions of a replay that has gone it.
    fn trail(&self, replay: &ReplayCursor) -> Vec<Executed> {
        replay.trail(replay.divergence().map_or(self.end, |divergence| divergence.position), INSTRUCTIONS)
    }

    /// Where a replay must begin at the latest.
    fn first(&self) -> Position {
        self.agreed.min(Position::new(self.watched_from, u64::MAX))
    }
}

struct Search<'a> {
    session: &'a Session,
    origin: &'a Origin,
    cancel: Cancel<'a>,
}

fn at_icount(icount: u64) -> Limits {
    Limits { icount, cycles: u64::MAX }
}

impl Search<'_> {
    fn bisect(mut self, divergence: &mut Divergence) -> Result<Diagnosis, Error> {
        if let Some(number) = divergence.at_snapshot()
            && self.session.injections().is_empty()
        {
            // The digest before it agreed, so the run is right and the snapshot is not.
            return self.wrong_snapshot(number, divergence.position);
        }
        // A replay that began at a snapshot of the file, and has come to no digest since, may have begun wrong.
        let unproven = self.unproven_start(divergence);
        let agreed = match &unproven {
            Some(snapshot) => snapshot.position(),
            None => self.last_agreement(divergence),
        };
        let way = Way::to(divergence, agreed);
        let base = self.base(way.first(), unproven.is_none())?;

        let mut reference = reference(self.origin)?;
        let expected = self.go(&mut reference, base.as_ref(), &way)?;
        if let Some(snapshot) = &unproven
            && let Some(wrong) = self.wrong_start(&mut reference, &expected, snapshot, &way, divergence)?
        {
            return Ok(wrong);
        }
        if let Some(other) = reference.divergence()
            && !goes_further(other, divergence)
        {
            let to = other.position;
            refine(divergence, other);
            divergence.executed = way.trail(&reference);
            return self.in_log(agreed, to, &mut reference);
        }

        let fault_injections = self.session.injections().clone();
        if fault_injections.is_empty() && unproven.is_none() {
            divergence.executed = way.trail(&reference);
            return self.unrepeated(&mut reference, &expected);
        }
        let mut suspect = suspect(self.origin, &fault_injections)?;
        let found = self.go(&mut suspect, unproven.as_ref().or(base.as_ref()), &way)?;
        let Some(same) = suspect.divergence().filter(|other| other.is_same_place(divergence)) else {
            divergence.executed = way.trail(&reference);
            return self.unrepeated(&mut reference, &expected);
        };
        refine(divergence, same);
        divergence.executed = way.trail(&suspect);
        let mut both = Lockstep { reference, suspect };
        let agreement = Lockstep { reference: expected, suspect: found };
        self.first_difference(&mut both, agreement, divergence)
    }

    // ---- where to begin ----

    fn unproven_start(&self, divergence: &Divergence) -> Option<Snapshot> {
        let resumed = self.session.resumed()?;
        let from = resumed.position();
        let proven = |digest: Position| from <= digest && digest <= divergence.position;
        (!divergence.last_matching_digest.is_some_and(proven) && from <= divergence.position)
            .then_some(resumed)
    }

    fn last_agreement(&self, divergence: &Divergence) -> Position {
        let start = self.origin.reader.header().start;
        // A session that was put back knows of digests that lie ahead.
        let behind = |digest: &Position| (start..=divergence.position).contains(digest);
        divergence.last_matching_digest.filter(behind).unwrap_or(start)
    }

    /// The snapshot of the recording to begin with: the last one before `until`, or at it.
    fn base(&self, until: Position, inclusive: bool) -> Result<Option<Snapshot>, Error> {
        let reader = &self.origin.reader;
        let fits = |at: Position| at < until || inclusive && at == until;
        let number = reader.snapshots().take_while(|chunk| fits(chunk.first)).count();
        let Some(number) = number.checked_sub(1) else { return Ok(None) };
        Ok(Some(snapshot::recorded(reader, number as u64)?))
    }

    /// Brings a replay from a snapshot, or the start, to the divergence, and after it where it does not diverge. Gives the
    /// state at the place that is known to agree. The last instructions are watched.
    fn go(
        &mut self,
        replay: &mut ReplayCursor,
        base: Option<&Snapshot>,
        way: &Way,
    ) -> Result<WholeState, Error> {
        if let Some(snapshot) = base {
            replay.resume(snapshot)?;
        }
        let watched_from = at_icount(way.watched_from);
        let early = way.watched_from < way.agreed.icount;
        if early {
            replay.try_to(watched_from, &mut self.cancel)?;
            replay.note_trail();
        }
        let mark = self.approach(replay, way.agreed)?;
        if !early {
            replay.try_to(watched_from, &mut self.cancel)?;
            replay.note_trail();
        }
        for last in [way.end.icount, way.noticed] {
            replay.try_to(at_icount(last.saturating_add(1)), &mut self.cancel)?;
        }
        replay.end_trail();
        Ok(mark)
    }

    /// Brings a replay to a position, where the CPU may wait.
    fn approach(&mut self, replay: &mut ReplayCursor, to: Position) -> Result<WholeState, Error> {
        replay.try_to(at_icount(to.icount), &mut self.cancel)?;
        if replay.position() < to {
            let goal = Limits { icount: to.icount.saturating_add(1), cycles: to.cycles };
            replay.try_to(goal, &mut self.cancel)?;
        }
        replay.whole_state(&mut self.cancel)
    }

    /// Whether the first replay began in a state that is not the recording's there: its snapshot is wrong.
    fn wrong_start(
        &mut self,
        reference: &mut ReplayCursor,
        expected: &WholeState,
        snapshot: &Snapshot,
        way: &Way,
        divergence: &mut Divergence,
    ) -> Result<Option<Diagnosis>, Error> {
        let fault_injections = self.session.injections().clone();
        let mut suspect = suspect(self.origin, &fault_injections)?;
        let found = self.go(&mut suspect, Some(snapshot), way)?;
        // The reference has perhaps found out by itself, where it came to that snapshot.
        let is_found = reference.divergence().is_some_and(|other| other.at_snapshot().is_some());
        if !is_found && expected.has_diverged() || expected.agrees_with(&found) {
            return Ok(None);
        }
        divergence.executed = way.trail(&suspect);
        reference.restore_whole(expected)?;
        suspect.restore_whole(&found)?;
        let mut expected = reference.session().vm();
        let mut found = suspect.session().vm();
        let differences = match is_found {
            // The event of the snapshot is still to come there.
            true => differences::machines(&mut expected.guest, &mut found.guest),
            false => differences::vms(&mut expected, &mut found),
        };
        let position = snapshot.position();
        Ok(Some(Diagnosis::First { position, cause: Cause::Outside, instruction: None, differences }))
    }

    // ---- the log is to blame, or nobody ----

    fn in_log(
        &mut self,
        agreed: Position,
        to: Position,
        reference: &mut ReplayCursor,
    ) -> Result<Diagnosis, Error> {
        let from = if agreed <= to { agreed } else { self.origin.reader.header().start };
        Ok(Diagnosis::InLog { from, to, differences: self.recorded_differences(to, reference)? })
    }

    /// Where the log has a snapshot at the digest that does not agree, how the state differs from it.
    fn recorded_differences(&self, at: Position, reference: &mut ReplayCursor) -> Result<Differences, Error> {
        let reader = &self.origin.reader;
        let state_differs =
            reference.divergence().is_some_and(|divergence| matches!(divergence.found, Found::State { .. }));
        let Some(number) = reader.snapshots().position(|chunk| chunk.first == at).filter(|_| state_differs)
        else {
            return Ok(Differences::default());
        };
        self.differences_to_snapshot(number as u64, reference.session())
    }

    fn wrong_snapshot(&self, number: u64, at: Position) -> Result<Diagnosis, Error> {
        let reader = &self.origin.reader;
        let before = number.checked_sub(1).and_then(|before| reader.snapshot_position(before));
        let from = before.unwrap_or(reader.header().start);
        let differences = self.differences_to_snapshot(number, self.session)?;
        Ok(Diagnosis::InLog { from, to: at, differences })
    }

    /// How the state of a replay differs from that of a snapshot of the recording.
    fn differences_to_snapshot(&self, number: u64, replay: &Session) -> Result<Differences, Error> {
        let snapshot = snapshot::recorded(&self.origin.reader, number)?;
        let mut recorded = reference(self.origin)?;
        recorded.resume(&snapshot)?;
        let mut expected = recorded.session().vm();
        let mut found = replay.vm();
        Ok(differences::machines(&mut expected.guest, &mut found.guest))
    }

    fn unrepeated(&mut self, reference: &mut ReplayCursor, from: &WholeState) -> Result<Diagnosis, Error> {
        let position = self.session.position();
        reference.restore_whole(from)?;
        self.approach(reference, position)?;
        let mut expected = reference.session().vm();
        let mut found = self.session.vm();
        Ok(Diagnosis::Unrepeated {
            position,
            differences: differences::machines(&mut expected.guest, &mut found.guest),
        })
    }

    // ---- bisecting ----

    fn first_difference(
        &mut self,
        both: &mut Lockstep<ReplayCursor>,
        agreement: Lockstep<WholeState>,
        divergence: &Divergence,
    ) -> Result<Diagnosis, Error> {
        if agreement.agree() {
            return self.between(both, agreement, divergence.position.icount.saturating_add(1));
        }
        // Digests do not see everything: ROM is not in them. The whole recording is looked through.
        let start = self.starts(both)?;
        if start.agree() {
            return self.between(both, start, agreement.reference.position().icount);
        }
        both.restore(&start)?;
        Ok(both.difference(both.reference.position(), Cause::Outside, None))
    }

    /// Both anew at the recording's start, before anything is delivered there.
    fn starts(&mut self, both: &mut Lockstep<ReplayCursor>) -> Result<Lockstep<WholeState>, Error> {
        let fault_injections = self.session.injections().clone();
        both.reference = reference(self.origin)?;
        both.suspect = suspect(self.origin, &fault_injections)?;
        both.marks(&mut self.cancel)
    }

    /// The first difference after the states `low`, which agree; at the instruction count `high` they do not.
    fn between(
        &mut self,
        both: &mut Lockstep<ReplayCursor>,
        mut low: Lockstep<WholeState>,
        mut high: u64,
    ) -> Result<Diagnosis, Error> {
        while high.saturating_sub(low.icount()) > 1 {
            let middle = low.icount() + (high - low.icount()) / 2;
            let marks = self.both_to(both, &low, at_icount(middle))?;
            if marks.agree() && marks.icount() > low.icount() { low = marks } else { high = middle }
        }
        let low = self.within_a_wait(both, low, high)?;
        self.single_out(both, &low, at_icount(high))
    }

    /// While the CPU waits, the instruction count stands still and cycles go on: bisects those.
    fn within_a_wait(
        &mut self,
        both: &mut Lockstep<ReplayCursor>,
        mut low: Lockstep<WholeState>,
        icount: u64,
    ) -> Result<Lockstep<WholeState>, Error> {
        let end = self.both_to(both, &low, at_icount(icount))?;
        let mut high = end.reference.position().cycles.max(end.suspect.position().cycles);
        while high.saturating_sub(low.reference.position().cycles) > CYCLES_STEPPED {
            let from = low.reference.position().cycles;
            let middle = from + (high - from) / 2;
            let marks = self.both_to(both, &low, Limits { icount, cycles: middle })?;
            let reached = marks.reference.position().cycles;
            if marks.agree() && from < reached && reached < high { low = marks } else { high = middle }
        }
        Ok(low)
    }

    fn both_to(
        &mut self,
        both: &mut Lockstep<ReplayCursor>,
        low: &Lockstep<WholeState>,
        goal: Limits,
    ) -> Result<Lockstep<WholeState>, Error> {
        both.restore(low)?;
        both.reference.try_to(goal, &mut self.cancel)?;
        both.suspect.try_to(goal, &mut self.cancel)?;
        both.marks(&mut self.cancel)
    }

    /// Turn by turn from states that agree to the first that do not.
    fn single_out(
        &mut self,
        both: &mut Lockstep<ReplayCursor>,
        low: &Lockstep<WholeState>,
        goal: Limits,
    ) -> Result<Diagnosis, Error> {
        both.restore(low)?;
        both.reference.note_trail();
        both.suspect.note_trail();
        let mut instruction = None;
        for _ in 0..ITERATIONS_MAX {
            if let Some(first) = both.step(goal, &mut instruction, &mut self.cancel)? {
                return Ok(first);
            }
            if both.reference.is_over() {
                break;
            }
        }
        Err(Error::Engine("the two replays differ, but not in what can be compared".to_owned()))
    }
}

/// Whether the reference, which has diverged too, came further than the first replay.
fn goes_further(reference: &Divergence, first: &Divergence) -> bool {
    let place = |divergence: &Divergence| {
        (divergence.position, divergence.expected.as_ref().map(|event| event.ordinal))
    };
    place(reference) > place(first)
}
