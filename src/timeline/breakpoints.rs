//! Runs over a timeline, to breakpoints and watchpoints, in both directions.

use super::cancel::Monitor;
use super::cursor::Cancel;
use super::queries::Access;
use super::search::Found;
use super::timeline::Timeline;
use crate::error::Error;
use crate::machine::{HookKind, TraceFilter};
use crate::sync::{Shared, lock};
use crate::units::Position;
use std::collections::BTreeMap;

/// Whether a place is to be stopped at; of a watchpoint, before the access that is given.
pub type Condition = Shared<dyn Fn(Position, Option<Access>) -> Result<bool, Error> + Send + Sync>;

/// Which accesses a watchpoint is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WatchedAccesses {
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
struct Breakpoint {
    trace: TraceFilter,
    condition: Option<Condition>,
}

/// The breakpoints and watchpoints of a timeline.
#[derive(Default)]
pub struct Breakpoints {
    points: BTreeMap<BreakpointId, Breakpoint>,
    /// The number of the next one.
    next: u64,
}

/// A breakpoint or watchpoint, for its removal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BreakpointId(pub u64);

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
    pub point: Option<BreakpointId>,
    /// The access that a watchpoint saw, which is made next.
    pub access: Option<Access>,
}

impl Timeline {
    fn add(&self, trace: TraceFilter, condition: Option<Condition>) -> BreakpointId {
        let mut points = lock(&self.points);
        let id = BreakpointId(points.next);
        points.next += 1;
        points.points.insert(id, Breakpoint { trace, condition });
        id
    }

    /// Runs stop before instructions that begin at an address.
    pub fn add_breakpoint(&self, address: u16, condition: Option<Condition>) -> BreakpointId {
        let trace = TraceFilter { executes: true, ..TraceFilter::of(address, address) };
        self.add(trace, condition)
    }

    /// Runs stop before accesses to a range of addresses.
    pub fn add_watchpoint(
        &self,
        (first, last): (u16, u16),
        watch: WatchedAccesses,
        condition: Option<Condition>,
    ) -> BreakpointId {
        let reads = matches!(watch, WatchedAccesses::Reads | WatchedAccesses::ReadsAndWrites);
        let (writes, only_changes) = (watch != WatchedAccesses::Reads, watch == WatchedAccesses::Changes);
        self.add(TraceFilter { reads, writes, only_changes, ..TraceFilter::of(first, last) }, condition)
    }

    /// Takes a breakpoint or watchpoint away; returns whether it was there.
    pub fn remove_point(&self, id: BreakpointId) -> bool {
        lock(&self.points).points.remove(&id).is_some()
    }

    /// Runs to the next breakpoint or watchpoint, or to the end. A run does not stop where it begins.
    ///
    /// # Errors
    /// The same as [`look`](Timeline::look), or a condition's own; the timeline stands where it stood then.
    pub fn run(&self, monitor: &mut dyn Monitor) -> Result<TimelineStop, Error> {
        let found = self.find(true, monitor)?;
        match found {
            Some(found) => Ok(found),
            None => {
                let cancel = &mut Cancel::new(monitor);
                let end = self.search.cursor(cancel)?.run_to_end(self.place(), cancel)?;
                self.stop("end", end, monitor)
            }
        }
    }

    /// Runs back to the breakpoint or watchpoint before, or to the start.
    ///
    /// # Errors
    /// The same as [`run`](Timeline::run).
    pub fn reverse_run(&self, monitor: &mut dyn Monitor) -> Result<TimelineStop, Error> {
        let found = self.find(false, monitor)?;
        match found {
            Some(found) => Ok(found),
            None => self.stop("end", self.start, monitor),
        }
    }

    fn find(&self, is_forward: bool, monitor: &mut dyn Monitor) -> Result<Option<TimelineStop>, Error> {
        let points: Vec<(BreakpointId, Breakpoint)> =
            lock(&self.points).points.iter().map(|(id, point)| (*id, point.clone())).collect();
        if points.is_empty() {
            return Ok(None);
        }
        let specs: Vec<TraceFilter> = points.iter().map(|(_, point)| point.trace).collect();
        let from = self.place();
        let mut stopped_at = from;
        let mut accept = |found: &Found, cancel: &mut Cancel<'_>| {
            if found.record.kind != HookKind::Execute && found.record.at.cycles <= self.start.cycles {
                // There is no place before what was done on the way to the first one.
                return Ok(false);
            }
            stopped_at = found.place(&self.search, cancel)?;
            match &points[found.trace].1.condition {
                // A run does not stop where it begins.
                _ if (stopped_at > from) != is_forward || stopped_at == from => Ok(false),
                None => Ok(true),
                Some(condition) => condition(stopped_at, self.access_of(found, cancel)?),
            }
        };
        let cancel = &mut Cancel::new(monitor);
        let found = if is_forward {
            self.search.forward(from, &specs, cancel, &mut accept)?
        } else {
            self.search.backward(from, &specs, cancel, &mut accept)?
        };
        let Some(found) = found else { return Ok(None) };
        let reason = if found.record.kind == HookKind::Execute { "breakpoint" } else { "watchpoint" };
        let access = self.access_of(&found, cancel)?;
        let stop = self.stop(reason, stopped_at, monitor)?;
        Ok(Some(TimelineStop { point: Some(points[found.trace].0), access, ..stop }))
    }

    fn access_of(&self, found: &Found, cancel: &mut Cancel<'_>) -> Result<Option<Access>, Error> {
        if found.record.kind == HookKind::Execute {
            return Ok(None);
        }
        let mut cursor = self.search.cursor(cancel)?;
        let record = cursor.explain(&found.record, cancel)?;
        Ok(Some(cursor.access(&record)))
    }
}
