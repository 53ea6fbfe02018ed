//! The two replays that a search compares, taken step by step.

use super::state_differences as differences;
use crate::cursor::{Cancel, ReplayCursor, WholeState};
use crate::engine::Limits;
use crate::error::Error;
use crate::log::StampedEvent;
use crate::replay::{Cause, Diagnosis, Executed};
use crate::units::Position;

/// Events of one turn that are looked through for the first that differs.
const EVENTS_COMPARED: usize = 256;

/// Reference and suspect, or their states.
pub(super) struct Lockstep<T> {
    pub reference: T,
    pub suspect: T,
}

impl Lockstep<WholeState> {
    /// Whether the two stand in the same state.
    pub fn agree(&self) -> bool {
        self.reference.agrees_with(&self.suspect)
    }

    /// Where the reference stands.
    pub fn icount(&self) -> u64 {
        self.reference.position().icount
    }
}

/// What the logs of both have next, and how much was taken from them.
struct LogPosition {
    taken: Lockstep<u64>,
    next: Lockstep<Vec<StampedEvent>>,
}

impl Lockstep<ReplayCursor> {
    /// Back to these states.
    pub fn restore(&mut self, marks: &Lockstep<WholeState>) -> Result<(), Error> {
        self.reference.restore_whole(&marks.reference)?;
        self.suspect.restore_whole(&marks.suspect)
    }

    /// The states of both.
    pub fn marks(&mut self, cancel: &mut Cancel<'_>) -> Result<Lockstep<WholeState>, Error> {
        Ok(Lockstep {
            reference: self.reference.whole_state(cancel)?,
            suspect: self.suspect.whole_state(cancel)?,
        })
    }

    fn log_position(&self) -> Result<LogPosition, Error> {
        Ok(LogPosition {
            taken: Lockstep {
                reference: self.reference.events_passed(),
                suspect: self.suspect.events_passed(),
            },
            next: Lockstep {
                reference: self.reference.upcoming(EVENTS_COMPARED)?,
                suspect: self.suspect.upcoming(EVENTS_COMPARED)?,
            },
        })
    }

    /// What is due here, then the injected faults, then the way to the next boundary: the first of these that makes the
    /// two differ. `instruction` is the one that comes next, once it is known.
    pub fn step(
        &mut self,
        goal: Limits,
        instruction: &mut Option<Executed>,
        cancel: &mut Cancel<'_>,
    ) -> Result<Option<Diagnosis>, Error> {
        let (here, before) = (self.reference.position(), self.log_position()?);
        self.reference.deliver(cancel)?;
        self.suspect.deliver(cancel)?;
        if !self.marks(cancel)?.agree() {
            return Ok(Some(self.difference(here, self.cause(&before, false), None)));
        }
        let here = self.reference.position();
        self.suspect.make_due_faults()?;
        if !self.marks(cancel)?.agree() {
            return Ok(Some(self.difference(here, Cause::Outside, None)));
        }
        let before = self.log_position()?;
        // Both in the same step, so that states are compared which belong together.
        let goal = self.suspect.limits(goal);
        self.reference.iterate(goal, cancel)?;
        self.suspect.iterate(goal, cancel)?;
        if !self.marks(cancel)?.agree() {
            let advanced =
                [&self.reference, &self.suspect].map(|replay| replay.position().icount > here.icount);
            let instruction = instruction.take().filter(|_| advanced.contains(&true));
            return Ok(Some(self.difference(here, self.cause(&before, instruction.is_some()), instruction)));
        }
        *instruction = self.reference.last_seen().cloned();
        Ok(None)
    }

    /// What made the two differ: the first event that one of them took and the other did not, else the instruction,
    /// else the time that passed.
    fn cause(&self, before: &LogPosition, executed: bool) -> Cause {
        let taken = |replay: &ReplayCursor, before: u64| (replay.events_passed() - before) as usize;
        let expected: Vec<_> =
            before.next.reference.iter().take(taken(&self.reference, before.taken.reference)).collect();
        let found: Vec<_> =
            before.next.suspect.iter().take(taken(&self.suspect, before.taken.suspect)).collect();
        let same = expected.iter().zip(&found).take_while(|(one, other)| one == other).count();
        // What each has next, taken or not.
        let (next, other) = (before.next.reference.get(same), before.next.suspect.get(same));
        let is_same_event = next.zip(other).is_some_and(|(one, other)| one.ordinal == other.ordinal);
        let is_due = |replay: &ReplayCursor, event: Option<&StampedEvent>| {
            event.is_some_and(|event| event.position <= replay.position())
        };
        match (expected.get(same).copied(), found.get(same).copied()) {
            // The suspect has it too, but what comes after it in its log holds it up.
            (Some(_), None) if next == other => {
                let (ahead, behind) = (&before.next.reference[same..], &before.next.suspect[same..]);
                let differing = ahead.iter().zip(behind).find(|(one, other)| one != other);
                Cause::of_events(
                    differing.map(|lockstep| lockstep.0).or(next),
                    differing.map(|lockstep| lockstep.1),
                )
            }
            // The suspect may have it elsewhere, or otherwise, or another one before it.
            (Some(event), None) => {
                let in_place = |other: &&StampedEvent| is_same_event || other.position <= event.position;
                Cause::of_events(next, other.filter(in_place))
            }
            // One of them ends here; the suspect cannot get past an event that is wrong, or has waited for it.
            (None, None)
                if next != other
                    && (self.reference.is_over()
                        || self.suspect.is_over()
                        || is_due(&self.suspect, other)) =>
            {
                let expected = next.filter(|_| is_same_event || is_due(&self.reference, next));
                Cause::of_events(expected, other)
            }
            (None, None) if executed => Cause::Instruction,
            (None, None) => Cause::Waiting,
            (expected, found) => Cause::of_events(expected, found),
        }
    }

    /// The finding: they agreed at `position`, and do not now.
    pub fn difference(&self, position: Position, cause: Cause, instruction: Option<Executed>) -> Diagnosis {
        let mut expected = self.reference.session().vm();
        let mut found = self.suspect.session().vm();
        let differences = differences::vms(&mut expected, &mut found);
        Diagnosis::First { position, cause, instruction, differences }
    }
}
