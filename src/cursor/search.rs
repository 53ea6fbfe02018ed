//! Searches of a run, forwards and backwards, for what traces see.

use super::cancel::Measure;
use super::search_worker::SearchWorker;
use super::snapshot_index::Query;
use super::{Cancel, Goal, ReplayCursor};
use crate::engine::{NotTaken, ReplayGuard, ReplayLock};
use crate::error::Error;
use crate::machine::{AccessRecord, AccessTrace, HookKind, TraceFilter};
use crate::units::Position;

/// How much of the run is replayed at a time, in instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretches {
    /// The first one; each further one is twice as long.
    pub first: u64,
    /// The longest.
    pub longest: u64,
}

impl Default for Stretches {
    fn default() -> Self {
        Self { first: 2_000, longest: 16_000_000 }
    }
}

/// Sightings that are kept of a stretch.
const KEPT_MAX: usize = 1 << 16;

/// What was found: which of the traces saw it, and what it saw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// The trace's place in the list.
    pub trace: usize,
    /// What it saw.
    pub record: AccessRecord,
}

impl Found {
    /// The last place before it: for an instruction, where that is about to be executed. For an access the replay goes there
    /// to find out, so nobody asks who does not need it.
    ///
    /// # Errors
    /// A divergence, a file that cannot be read, a user who wants to stop.
    pub fn place(&self, search: &Search, cancel: &mut Cancel<'_>) -> Result<Position, Error> {
        match self.record.kind {
            HookKind::Execute => Ok(self.record.at),
            HookKind::Read | HookKind::Write => search.cursor(cancel)?.place_before(self.record.at, cancel),
        }
    }
}

/// What searches a run: a replay, and one beside it.
pub struct Search {
    cursor: ReplayLock<ReplayCursor>,
    start: Position,
    search_worker: SearchWorker,
    stretches: Stretches,
}

/// Whether a finding is the one that is looked for. Nobody holds the replay meanwhile, so that it can be asked for what is
/// to be known.
pub type Accept<'a> = &'a mut dyn FnMut(&Found, &mut Cancel<'_>) -> Result<bool, Error>;

impl ReplayCursor {
    /// The last place before an access: for one that an instruction made, where that is about to be executed.
    ///
    /// # Errors
    /// A divergence, a file that cannot be read, a user who wants to stop.
    pub fn place_before(&mut self, at: Position, cancel: &mut Cancel<'_>) -> Result<Position, Error> {
        let arrival = self.seek(at.icount, cancel)?;
        if at.cycles <= arrival.cycles {
            // On the way into an interrupt handler, or by a device, when that many instructions had just retired.
            let before = at.icount.saturating_sub(1).max(self.start().icount);
            self.seek(before, cancel)?;
        }
        // Where the CPU waits, or jams, it was made meanwhile, or by the instruction after that.
        self.go_to_last(cancel, |there| there.position().cycles < at.cycles)
    }

    /// The last place at which an event of the log has not passed; the first place, when it has passed there.
    ///
    /// # Errors
    /// The same as [`place_before`](ReplayCursor::place_before).
    pub fn place_before_event(
        &mut self,
        at: Position,
        ordinal: u64,
        cancel: &mut Cancel<'_>,
    ) -> Result<Position, Error> {
        let mut arrival = self.seek(at.icount, cancel)?;
        if self.events_passed() > ordinal {
            arrival = self.seek(at.icount.saturating_sub(1).max(self.start().icount), cancel)?;
        }
        if self.end().icount == arrival.icount {
            // A wait, or a jam, may last to the end, which is a place too.
            let end = self.run_to_end(arrival, cancel)?;
            if self.events_passed() <= ordinal {
                return Ok(end);
            }
            self.go_to(arrival, cancel)?;
        }
        self.go_to_last(cancel, |there| there.events_passed() <= ordinal)
    }

    /// What traces look at, for the recording's snapshots to say where it may be.
    pub fn wanted(&self, specs: &[TraceFilter]) -> Query {
        Query::new(specs, self.session().vm().guest.memory())
    }

    /// The record with its instruction and initiator, where a search without them has seen it.
    ///
    /// # Errors
    /// The same as [`place_before`](ReplayCursor::place_before).
    pub fn explain(&mut self, record: &AccessRecord, cancel: &mut Cancel<'_>) -> Result<AccessRecord, Error> {
        if record.at.cycles <= self.start().cycles {
            // On the way to the first place.
            self.rewind(Position::default())?;
        } else {
            // An instruction earlier than it can have begun: on the way from there everything that may have made it is seen.
            self.seek(record.at.icount.saturating_sub(1), cancel)?;
        }
        let spec = TraceFilter {
            reads: true,
            kept_max: KEPT_MAX,
            with_pc: true,
            ..TraceFilter::writes_to(record.address, record.address)
        };
        let until = Position::new(record.at.icount.saturating_add(1), record.at.cycles + 1);
        let traces = self.watch(&[spec], Goal::Place(until), cancel)?;
        // A device makes many accesses at one place.
        let same = |other: &&AccessRecord| {
            (other.at, other.kind, other.old, other.value)
                == (record.at, record.kind, record.old, record.value)
        };
        let explained = traces.iter().flat_map(|trace| trace.seen()).rfind(same).copied();
        explained.ok_or_else(|| Error::Engine(format!("the access at {} was not made again", record.at)))
    }
}

impl Search {
    /// A search of what a cursor goes through.
    pub fn new(cursor: ReplayCursor, search_worker: SearchWorker) -> Self {
        let start = cursor.start();
        Self { cursor: ReplayLock::new(cursor), start, search_worker, stretches: Stretches::default() }
    }

    /// Searches so much at a time.
    #[cfg(feature = "testing")]
    pub fn with_stretches(self, stretches: Stretches) -> Self {
        Self { stretches, ..self }
    }

    /// How much is searched at a time.
    pub fn stretches(&self) -> Stretches {
        self.stretches
    }

    /// The recording's first place.
    pub fn start(&self) -> Position {
        self.start
    }

    /// The replay, for whoever has something to do with it. There is one: while another thread's question takes its time,
    /// the user who waits here is asked now and then whether to.
    ///
    /// # Errors
    /// A user who wants to stop, a question that comes in the middle of another one of the same thread, and in a forked
    /// child the replay that another thread of the parent had.
    pub fn cursor(&self, cancel: &mut Cancel<'_>) -> Result<ReplayGuard<'_, ReplayCursor>, Error> {
        self.cursor.lock_patiently("timeline", &mut || cancel.is_over()).map_err(|why| match why {
            NotTaken::GivenUp => Cancel::stopped(),
            NotTaken::HeldHere => Error::State(
                "the timeline is in the middle of a question, and can answer no other one: what it calls meanwhile \
                 (progress, a signal handler) uses another timeline, or waits for the answer"
                    .into(),
            ),
            NotTaken::Lost => Error::State(
                "another thread was asking this timeline something when this process was forked, and is not here to \
                 end it: take a timeline of this process's own (recording.timeline())"
                    .into(),
            ),
        })
    }

    /// The first thing seen after `from` that is accepted.
    ///
    /// # Errors
    /// A divergence, a file that cannot be read, a user who wants to stop; or those of `accept`.
    pub fn forward(
        &self,
        from: Position,
        specs: &[TraceFilter],
        cancel: &mut Cancel<'_>,
        accept: Accept<'_>,
    ) -> Result<Option<Found>, Error> {
        let specs = limited(specs, u64::MAX);
        let (wanted, end) = {
            let cursor = self.cursor(cancel)?;
            (cursor.wanted(&specs), cursor.end())
        };
        let _ = cancel.covers(from.icount, end.icount);
        let mut length = self.stretches.first;
        let mut here = from;
        loop {
            let mut nav = self.cursor(cancel)?;
            nav.go_to(here, cancel)?;
            if nav.has_ended() || here >= nav.end() {
                return Ok(None);
            }
            nav.skip_irrelevant(&wanted, u64::MAX)?;
            let goal = nav.position().icount.saturating_add(length);
            let goal = match nav.snapshot_index().next_gap(&wanted, nav.position()) {
                Some(unshown) if unshown > nav.position() && unshown.icount <= goal => Goal::Place(unshown),
                // To the end at the last, where the CPU may wait on.
                _ if goal >= nav.end().icount => Goal::Place(nav.end()),
                _ => Goal::Arrival(goal),
            };
            let traces = nav.watch(&specs, goal, cancel)?;
            if traces.iter().any(|trace| trace.dropped() > 0) && length > 1 {
                length = (length / 16).max(1);
                continue;
            }
            let (reached, ended) = (nav.position(), nav.has_ended());
            drop(nav);
            for (trace, record) in in_order(&traces).into_iter().filter(|(_, record)| record.at > from) {
                let found = Found { trace, record };
                if accept(&found, cancel)? {
                    return Ok(Some(found));
                }
            }
            if ended {
                return Ok(None);
            }
            here = reached;
            length = (length * 2).min(self.stretches.longest);
        }
    }

    /// The last thing seen before `from` that is accepted. Of a long way, two stretches are searched at a time.
    ///
    /// # Errors
    /// The same as [`forward`](Search::forward).
    pub fn backward(
        &self,
        from: Position,
        specs: &[TraceFilter],
        cancel: &mut Cancel<'_>,
        accept: Accept<'_>,
    ) -> Result<Option<Found>, Error> {
        let measure = cancel.covers(from.icount, self.start.icount);
        self.measured_backward(from, specs, &measure, cancel, accept)
    }

    /// As [`backward`](Search::backward), for an operation that has said how far it goes.
    ///
    /// # Errors
    /// The same as [`forward`](Search::forward).
    pub fn measured_backward(
        &self,
        from: Position,
        specs: &[TraceFilter],
        measure: &Measure,
        cancel: &mut Cancel<'_>,
        accept: Accept<'_>,
    ) -> Result<Option<Found>, Error> {
        let (wanted, start) = {
            let cursor = self.cursor(cancel)?;
            (cursor.wanted(specs), cursor.start())
        };
        let (mut until, mut length) = (from, self.stretches.first);
        loop {
            measure.reach(until.icount, cancel);
            let mut nav = self.cursor(cancel)?;
            let Some(late) = nav.stretch_before(&wanted, until, length, until == from) else {
                return Ok(None);
            };
            let mut early = None;
            if length == self.stretches.longest
                && let Some(stretch) = nav.stretch_before(&wanted, late.base, length, false)
            {
                early = self.search_worker.start(&nav, limited(specs, stretch.until.cycles), stretch);
            }
            nav.rewind(late.base)?;
            let traces = nav.watch(&limited(specs, late.until.cycles), Goal::Place(late.until), cancel)?;
            drop(nav);
            until = match self.last_accepted(&traces, cancel, accept)? {
                Looked::Found(found) => return Ok(Some(found)),
                Looked::Full(oldest) => {
                    until = oldest;
                    continue;
                }
                Looked::Nothing => late.base,
            };
            if let Some(running) = early {
                let searched = running.finish(cancel)?;
                until = match self.last_accepted(&searched.traces, cancel, accept)? {
                    Looked::Found(found) => return Ok(Some(found)),
                    Looked::Full(oldest) => oldest,
                    Looked::Nothing => searched.base,
                };
            }
            if until <= start {
                return Ok(None);
            }
            length = (length * 2).min(self.stretches.longest);
        }
    }

    fn last_accepted(
        &self,
        traces: &[AccessTrace],
        cancel: &mut Cancel<'_>,
        accept: Accept<'_>,
    ) -> Result<Looked, Error> {
        // What was too much to be kept lies before the oldest that is.
        let full = traces.iter().filter(|trace| trace.dropped() > 0);
        let oldest = full.filter_map(|trace| trace.seen().next()).map(|record| record.at).max();
        let mut seen = in_order(traces);
        seen.retain(|(_, record)| oldest.is_none_or(|oldest| record.at >= oldest));
        for (trace, record) in seen.into_iter().rev() {
            let found = Found { trace, record };
            if accept(&found, cancel)? {
                return Ok(Looked::Found(found));
            }
        }
        // All of those at the oldest's own cycle were looked at.
        Ok(match oldest {
            Some(oldest) => Looked::Full(Position::new(oldest.icount, oldest.cycles.saturating_sub(1))),
            None => Looked::Nothing,
        })
    }
}

/// A part of the run that is searched at once: from a state that is kept to a position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch {
    /// Where the state is.
    pub base: Position,
    /// How far it reaches.
    pub until: Position,
}

impl ReplayCursor {
    /// The last stretch of about so many instructions before a position in which something that is wanted may be. `None`
    /// when it is nowhere.
    ///
    /// `is_done`: as for [`SnapshotIndex::last_shown`](super::snapshot_index::SnapshotIndex::last_shown).
    fn stretch_before(
        &mut self,
        wanted: &Query,
        before: Position,
        length: u64,
        is_done: bool,
    ) -> Option<Stretch> {
        if before <= self.start() && !is_done {
            return None;
        }
        let until = self.snapshot_index().last_shown(wanted, before, is_done)?;
        let target = Position::new(until.icount.saturating_sub(length), 0);
        let base = self.base_before(target);
        let base = self.snapshot_index().shown_from(wanted, base, until);
        Some(Stretch { base, until })
    }
}

/// What came of looking through a stretch, backwards.
enum Looked {
    Found(Found),
    Nothing,
    /// More was seen than is kept: it lies before this position.
    Full(Position),
}

/// All records in the order in which they were made.
fn in_order(traces: &[AccessTrace]) -> Vec<(usize, AccessRecord)> {
    let mut seen: Vec<(usize, AccessRecord)> = traces
        .iter()
        .enumerate()
        .flat_map(|(trace, exec_trace)| exec_trace.seen().map(move |seen| (trace, *seen)))
        .collect();
    seen.sort_by_key(|(_, record)| record.at);
    seen
}

/// The traces, with what they keep bounded, for a stretch that ends with a cycle.
fn limited(specs: &[TraceFilter], last_cycle: u64) -> Vec<TraceFilter> {
    let limit =
        |spec: &TraceFilter| TraceFilter { kept_max: spec.kept_max.min(KEPT_MAX), last_cycle, ..*spec };
    specs.iter().map(limit).collect()
}
