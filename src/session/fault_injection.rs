//! Changes of a playing machine that no log knows of, made at fixed positions.
//!
//! Nothing but a test plans any. They are kept here, and not only made, so that a second replay can make them again and
//! the search for the first difference ([`compare`](crate::compare)) has a replay that goes wrong at will.

use crate::engine::{Limits, VmState};
use crate::error::Error;
use crate::guest::Guest;
use crate::machine::Machine;
use crate::replay::EventSource;
use crate::sync::Shared;
use crate::units::Position;

/// Changes a machine.
pub type Change = Shared<dyn Fn(&mut VmState<Machine>) -> Result<(), Error> + Send + Sync>;

/// Puts something between a player and its log, which has the event with that ordinal next.
pub type SourceChange = Shared<dyn Fn(Box<dyn EventSource>, u64) -> Box<dyn EventSource> + Send + Sync>;

/// A change at a position.
#[derive(Clone)]
pub struct FaultInjection {
    /// At the first boundary at or after this position at which the loop has done what is due there.
    pub at: Position,
    /// Whether it changes what no snapshot holds (ROM), so that it is there after a snapshot too.
    pub is_lasting: bool,
    /// What is done.
    pub change: Change,
}

/// The changes of one machine, in order, and how many of them were made.
#[derive(Clone, Default)]
pub struct FaultInjections {
    planned: Vec<FaultInjection>,
    made: usize,
    /// What stands between the player and its log.
    pub source: Option<SourceChange>,
}

impl FaultInjections {
    /// Whether there are none, ever.
    pub fn is_empty(&self) -> bool {
        self.planned.is_empty() && self.source.is_none()
    }

    /// The same plan, of which nothing is made yet.
    pub fn anew(&self) -> Self {
        Self { made: 0, ..self.clone() }
    }

    /// Adds a change after those that are planned for the same position. Those that were made stay made.
    #[cfg(feature = "testing")]
    pub fn plan(&mut self, fault_injection: FaultInjection) {
        let place = self.planned.partition_point(|earlier| earlier.at <= fault_injection.at).max(self.made);
        self.planned.insert(place, fault_injection);
    }

    /// How many were made.
    pub fn made(&self) -> usize {
        self.made
    }

    /// The machine is put back to where that many were made.
    pub fn set_made(&mut self, made: usize) {
        self.made = made;
    }

    /// Where a run from `here` to `goal` must end at the latest, so that the next change is made in its place.
    pub fn limits(&self, here: Position, goal: Limits) -> Limits {
        let Some(next) = self.planned.get(self.made) else { return goal };
        let at = next.at;
        let icount = if here.icount < at.icount { at.icount } else { at.icount.saturating_add(1) };
        let cycles = if here.icount < at.icount { u64::MAX } else { at.cycles };
        Limits { icount: goal.icount.min(icount), cycles: goal.cycles.min(cycles) }
    }

    /// Makes the changes that are due.
    ///
    /// # Errors
    /// The change's own.
    pub fn make_due(&mut self, vm: &mut VmState<Machine>) -> Result<(), Error> {
        let here = vm.guest.position();
        while let Some(next) = self.planned.get(self.made)
            && next.at <= here
        {
            (next.change)(vm)?;
            self.made += 1;
        }
        Ok(())
    }

    /// The machine has been put to the state of a snapshot: of what lies before it only the lasting changes are there.
    ///
    /// # Errors
    /// The change's own.
    pub fn skip_to_here(&mut self, vm: &mut VmState<Machine>) -> Result<(), Error> {
        let here = vm.guest.position();
        self.made = self.planned.partition_point(|fault_injection| fault_injection.at < here);
        self.planned[..self.made]
            .iter()
            .filter(|earlier| earlier.is_lasting)
            .try_for_each(|earlier| (earlier.change)(vm))
    }
}
