//! Who waits for an operation: may stop it, and hears how far it has come.

use crate::error::Error;

/// Work, in instructions, between two questions whether the user wants to stop.
pub const WORK_BETWEEN_QUESTIONS: u64 = 250_000;

/// Who waits for an operation. A closure that says whether to stop is one, who hears nothing of the progress.
pub trait Monitor {
    /// Asked now and then: whether the operation is to end now.
    fn is_cancelled(&mut self) -> bool;

    /// Where the operation's progress is kept for whoever shows it; one for a whole operation, whatever parts it has.
    fn progress(&mut self) -> Option<&mut Progress> {
        None
    }
}

impl<F: FnMut() -> bool> Monitor for F {
    fn is_cancelled(&mut self) -> bool {
        self()
    }
}

/// How far an operation has come, in instructions of the run: from 0 to a total, and never back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// The places between which it lies; backwards for a search that begins with the end. Set by the operation itself,
    /// which knows them, before any part of it can.
    span: Option<(u64, u64)>,
    done: u64,
}

impl Progress {
    /// Instructions in all, at least one; not known before the operation has begun.
    pub fn total(&self) -> Option<u64> {
        self.span.map(|(from, to)| from.abs_diff(to).max(1))
    }

    /// Instructions that are done.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// It has come to a place, as far as it is concerned.
    fn reach(&mut self, icount: u64) {
        let Some((from, to)) = self.span else { return };
        let reached = icount.clamp(from.min(to), from.max(to));
        self.done = self.done.max(from.abs_diff(reached));
    }
}

/// Whether the one who has it is the operation itself, and not a part of it: only that says how far all is.
#[must_use = "a search says how far it has come"]
pub struct Measure {
    is_whole: bool,
}

impl Measure {
    /// The operation has come to a place.
    pub fn reach(&self, icount: u64, cancel: &mut Cancel<'_>) {
        if self.is_whole
            && let Some(progress) = cancel.monitor.progress()
        {
            progress.reach(icount);
        }
    }
}

/// Asks whether the user wants to stop, now and then; a search that has a budget also ends when that is used up.
pub struct Cancel<'a> {
    unasked: u64,
    /// Work that may still be done.
    left: u64,
    monitor: &'a mut dyn Monitor,
}

impl<'a> Cancel<'a> {
    /// For one search.
    pub fn new(monitor: &'a mut dyn Monitor) -> Self {
        Self::bounded(monitor, u64::MAX)
    }

    /// For a search that may do so much work.
    pub fn bounded(monitor: &'a mut dyn Monitor, work_max: u64) -> Self {
        Self { unasked: 0, left: work_max, monitor }
    }

    /// The operation goes from one place of the run to another. What it is made of says the same of its own parts, which
    /// changes nothing any more.
    pub fn covers(&mut self, from: u64, to: u64) -> Measure {
        let progress = self.monitor.progress().filter(|progress| progress.span.is_none());
        let is_whole = progress.map(|progress| progress.span = Some((from, to))).is_some();
        Measure { is_whole }
    }

    /// The replay has come to a place: a way forwards is measured by that.
    pub fn at(&mut self, icount: u64) {
        if let Some(progress) = self.monitor.progress()
            && progress.span.is_some_and(|(from, to)| from <= to)
        {
            progress.reach(icount);
        }
    }

    /// Some work was done.
    ///
    /// # Errors
    /// When the user wants to stop, or the budget is used up.
    pub fn spend(&mut self, work: u64) -> Result<(), Error> {
        self.unasked += work;
        if self.unasked >= WORK_BETWEEN_QUESTIONS {
            self.unasked = 0;
            if self.is_over() {
                return Err(Self::stopped());
            }
        }
        self.left = self.left.checked_sub(work).ok_or_else(|| {
            Error::State(
                "it takes too long from where the replay can start; snapshots in a recording (snapshot_every=...) \
                 bring that nearer"
                    .into(),
            )
        })?;
        Ok(())
    }

    /// Whether the user wants to stop; asked at once.
    pub fn is_over(&mut self) -> bool {
        self.monitor.is_cancelled()
    }

    /// What whoever has stopped an operation is told.
    pub fn stopped() -> Error {
        Error::State("the search was stopped; the timeline stands where it stood".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Kept(Progress);

    impl Monitor for Kept {
        fn is_cancelled(&mut self) -> bool {
            false
        }

        fn progress(&mut self) -> Option<&mut Progress> {
            Some(&mut self.0)
        }
    }

    #[test]
    fn a_part_of_an_operation_does_not_say_how_far_all_of_it_is() {
        let mut kept = Kept(Progress::default());
        let mut cancel = Cancel::new(&mut kept);
        let whole = cancel.covers(1000, 100);
        let part = Cancel::new(cancel.monitor).covers(500, 600);
        let mut cancel = Cancel::new(&mut kept);
        part.reach(100, &mut cancel);
        cancel.at(600);
        whole.reach(700, &mut cancel);
        whole.reach(900, &mut cancel);
        assert_eq!((kept.0.done(), kept.0.total()), (300, Some(900)));
        whole.reach(5, &mut Cancel::new(&mut kept));
        assert_eq!(kept.0.done(), 900);
    }

    #[test]
    fn a_way_forwards_is_measured_by_where_the_replay_is() {
        let mut kept = Kept(Progress::default());
        let mut cancel = Cancel::new(&mut kept);
        let _whole = cancel.covers(10, 30);
        for (icount, done) in [(0, 0), (15, 5), (12, 5), (30, 20), (99, 20)] {
            let mut cancel = Cancel::new(&mut kept);
            cancel.at(icount);
            assert_eq!(kept.0.done(), done);
        }
        assert_eq!(kept.0.total(), Some(20));
    }
}
