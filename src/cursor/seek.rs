//! Going to a place, and by single steps from one.

use super::keyframes::Keyframe;
use super::run::Ends;
use super::{Cancel, ReplayCursor};
use crate::engine::Limits;
use crate::error::Error;
use crate::machine::HookKind;
use crate::sync::Shared;
use crate::units::Position;

/// Instructions between the nearest keyframe that is left on the way to a place, and that place.
const NEAREST_MARK: u64 = 512;

impl ReplayCursor {
    /// Goes to where `icount` instructions have just retired and what is due there is done; returns the place.
    ///
    /// # Errors
    /// A divergence, a file that cannot be read, a user who wants to stop.
    pub fn seek(&mut self, icount: u64, cancel: &mut Cancel<'_>) -> Result<Position, Error> {
        let icount = icount.clamp(self.start.icount, self.end.icount);
        let base = self.latest_before_arrival(icount);
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
        let base = self.latest_before(place);
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
        if self.lost || self.has_ended() || here >= place || base.position > here {
            self.restore(&base)?;
        }
        Ok(self.position())
    }

    /// The place `count` instructions after another, or the end.
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

    /// The place before another: before the wait, where it stands after one.
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

    /// Where, after a place, another instruction begins before one retires: after the wait there, or after the reset of a
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
        if self.has_ended() {
            return Ok(false);
        }
        let here = self.position();
        let waits = self.waits();
        self.set_hooks(|machine| {
            let hooks = machine.hooks_mut();
            hooks.add(HookKind::Execute, 0, u16::MAX);
            if !waits {
                hooks.pass_execution(here);
            }
        });
        let outcome = self.run_until(Limits::NONE, Ends::AtHook, cancel);
        let found = !self.session.vm().guest.take_hits().is_empty();
        self.unwatch();
        outcome?;
        Ok(found && self.position().icount == here.icount)
    }

    /// Leaves keyframes on a long way, ever closer to its goal: who goes back from there comes to them one after the other.
    fn approach(&mut self, goal: u64, cancel: &mut Cancel<'_>) -> Result<(), Error> {
        loop {
            let left = goal.saturating_sub(self.position().icount);
            if left < NEAREST_MARK * 2 || self.has_ended() {
                return Ok(());
            }
            self.run(Limits { icount: goal - left / 2, cycles: u64::MAX }, cancel)?;
            self.keep_mark(true);
        }
    }

    fn keep_distant_mark(&mut self, from: Position, is_arrival: bool) {
        if self.position().icount - from.icount >= NEAREST_MARK {
            self.keep_mark(is_arrival);
        }
    }
}
