//! Runs over a timeline, to breakpoints and watchpoints, in both directions.

use super::navigator::Patience;
use super::patience::Monitor;
use super::queries::Access;
use super::search::Found;
use super::timeline::Timeline;
use crate::error::Error;
use crate::machine::{HookKind, TapSpec};
use crate::sync::{Shared, lock};
use crate::units::Position;
use std::collections::BTreeMap;

/// Whether a place is to be stopped at; of a watchpoint, before the access that is given.
pub type Condition = Shared<dyn Fn(Position, Option<Access>) -> Result<bool, Error> + Send + Sync>;

/// Which accesses a watchpoint is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Watch {
    /// Data that is read.
    Reads,
    /// Data that is written, the same value too.
    Writes,
    /// Both.
    ReadsAndWrites,
    /// Writes of another value than memory holds; to a device's registers, all writes.
    Changes,
}

/// What ends a run over the timeline.
#[derive(Clone)]
struct Point {
    tap: TapSpec,
    condition: Option<Condition>,
}

/// The breakpoints and watchpoints of a timeline.
#[derive(Default)]
pub struct Points {
    points: BTreeMap<PointId, Point>,
    /// The number of the next one.
    next: u64,
}

/// A breakpoint or watchpoint, for its removal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PointId(pub u64);

/// Why and where a run over the timeline ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimelineStop {
    /// `breakpoint`, `watchpoint`, `end` or `budget`.
    pub reason: &'static str,
    /// Where.
    pub place: Position,
    /// The next instruction's address.
    pub pc: u16,
    /// The breakpoint or watchpoint.
    pub point: Option<PointId>,
    /// The access that a watchpoint saw, which is made next.
    pub access: Option<Access>,
}

impl Timeline {
    fn add(&self, tap: TapSpec, condition: Option<Condition>) -> PointId {
        let mut points = lock(&self.points);
        let id = PointId(points.next);
        points.next += 1;
        points.points.insert(id, Point { tap, condition });
        id
    }

    /// Runs stop before instructions that begin at an address.
    pub fn add_breakpoint(&self, address: u16, condition: Option<Condition>) -> PointId {
        let tap = TapSpec { executes: true, ..TapSpec::of(address, address) };
        self.add(tap, condition)
    }

    /// Runs stop before accesses to a range of addresses.
    pub fn add_watchpoint(
        &self,
        (first, last): (u16, u16),
        watch: Watch,
        condition: Option<Condition>,
    ) -> PointId {
        let reads = matches!(watch, Watch::Reads | Watch::ReadsAndWrites);
        let (writes, only_changes) = (watch != Watch::Reads, watch == Watch::Changes);
        self.add(TapSpec { reads, writes, only_changes, ..TapSpec::of(first, last) }, condition)
    }

    /// Takes a breakpoint or watchpoint away; gives whether it was there.
    pub fn remove_point(&self, id: PointId) -> bool {
        lock(&self.points).points.remove(&id).is_some()
    }

    /// Runs to the next breakpoint or watchpoint, or to the end. A run does not stop where it begins.
    ///
    /// # Errors
    /// As for [`look`](Timeline::look), or a condition's own; the timeline stands where it stood then.
    pub fn run(&self, monitor: &mut dyn Monitor) -> Result<TimelineStop, Error> {
        let found = self.find(true, monitor)?;
        match found {
            Some(found) => Ok(found),
            None => {
                let patience = &mut Patience::new(monitor);
                let end = self.search.navigator(patience)?.run_to_end(self.place(), patience)?;
                self.stop("end", end, monitor)
            }
        }
    }

    /// Runs back to the breakpoint or watchpoint before, or to the start.
    ///
    /// # Errors
    /// As for [`run`](Timeline::run).
    pub fn reverse_run(&self, monitor: &mut dyn Monitor) -> Result<TimelineStop, Error> {
        let found = self.find(false, monitor)?;
        match found {
            Some(found) => Ok(found),
            None => self.stop("end", self.start, monitor),
        }
    }

    fn find(&self, is_forward: bool, monitor: &mut dyn Monitor) -> Result<Option<TimelineStop>, Error> {
        let points: Vec<(PointId, Point)> =
            lock(&self.points).points.iter().map(|(id, point)| (*id, point.clone())).collect();
        if points.is_empty() {
            return Ok(None);
        }
        let specs: Vec<TapSpec> = points.iter().map(|(_, point)| point.tap).collect();
        let from = self.place();
        let mut accept = |found: &Found, patience: &mut Patience<'_>| match &points[found.tap].1.condition {
            // There is no place before what was done on the way to the first one.
            _ if found.sighting.kind != HookKind::Execute
                && found.sighting.at.cycles <= self.start.cycles =>
            {
                Ok(false)
            }
            // A run does not stop where it begins.
            _ if (found.place > from) != is_forward || found.place == from => Ok(false),
            None => Ok(true),
            Some(condition) => condition(found.place, self.access_of(found, patience)?),
        };
        let patience = &mut Patience::new(monitor);
        let found = if is_forward {
            self.search.forward(from, &specs, patience, &mut accept)?
        } else {
            self.search.backward(from, &specs, patience, &mut accept)?
        };
        let Some(found) = found else { return Ok(None) };
        let reason = if found.sighting.kind == HookKind::Execute { "breakpoint" } else { "watchpoint" };
        let access = self.access_of(&found, patience)?;
        let stop = self.stop(reason, found.place, monitor)?;
        Ok(Some(TimelineStop { point: Some(points[found.tap].0), access, ..stop }))
    }

    fn access_of(&self, found: &Found, patience: &mut Patience<'_>) -> Result<Option<Access>, Error> {
        if found.sighting.kind == HookKind::Execute {
            return Ok(None);
        }
        let mut navigator = self.search.navigator(patience)?;
        let sighting = navigator.explain(&found.sighting, patience)?;
        Ok(Some(navigator.access(&sighting)))
    }
}
