//! Going on while the run is watched, counted, or written into a recording of its own.

use super::run::Ends;
use super::{Cancel, Goal, ReplayCursor};
use crate::engine::Limits;
use crate::error::Error;
use crate::log::{Header, LogError, LogWriter};
use crate::machine::{AccessTrace, FrameEnd, Machine, Profile, TraceFilter};

impl ReplayCursor {
    /// Sets hooks anew, none but these.
    pub(super) fn set_hooks(&self, set: impl FnOnce(&mut Machine)) {
        let mut vm = self.session.vm();
        *vm.guest.hooks_mut() = Default::default();
        set(&mut vm.guest);
        vm.guest.apply_hooks();
    }

    pub(super) fn unwatch(&self) {
        self.set_hooks(|_| {});
    }

    /// Goes on to where a frame ends, or to the recording's end.
    ///
    /// # Errors
    /// The same as [`seek`](ReplayCursor::seek).
    pub fn run_to_frame_end(&mut self, end: FrameEnd, cancel: &mut Cancel<'_>) -> Result<(), Error> {
        self.set_hooks(|machine| {
            let kind = machine.cpu().kind();
            machine.hooks_mut().set_frame_end(Some((end, kind)));
        });
        let outcome = self.run_until(Limits::NONE, Ends::Hook, cancel);
        self.unwatch();
        outcome
    }

    /// Goes on to a goal while the run is watched; returns what was seen.
    ///
    /// # Errors
    /// The same as [`seek`](ReplayCursor::seek).
    pub fn watch(
        &mut self,
        specs: &[TraceFilter],
        to: Goal,
        cancel: &mut Cancel<'_>,
    ) -> Result<Vec<AccessTrace>, Error> {
        self.set_hooks(|machine| {
            machine.hooks_mut().set_traces(specs.iter().map(|spec| AccessTrace::new(*spec)).collect());
        });
        let outcome = self.run_to_goal(to, cancel);
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
        self.set_hooks(|machine| {
            machine.hooks_mut().set_profile(Some(Profile::default()));
        });
        let outcome = self.run(self.limits_before(stop, stop > self.end.icount), cancel);
        let profile = self.session.vm().guest.hooks_mut().set_profile(None);
        self.unwatch();
        outcome?;
        let mut profile = profile.unwrap_or_default();
        profile.ends(self.position());
        Ok(profile)
    }

    /// Writes what happens between two places to a writer, as a recording of its own.
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
        let outcome = self.run(self.limits_before(stop, stop >= self.end.icount), cancel);
        match outcome {
            Ok(()) => self.session.finish_cut(),
            failed => {
                // What is replayed from here on is no part of it.
                self.session.abandon_cut();
                failed
            }
        }
    }

    fn limits_before(&self, stop: u64, is_all: bool) -> Limits {
        if is_all { Limits::NONE } else { Limits { icount: stop, cycles: u64::MAX } }
    }
}
