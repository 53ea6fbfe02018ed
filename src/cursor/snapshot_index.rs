//! The snapshots in a recording, read once and kept as page tables that share what did not change.

use crate::error::Error;
use crate::log::LogReader;
use crate::machine::TraceFilter;
use crate::memory::{AddressSet, Memory, PageKind, Touched, page_of};
use crate::seeded_faults::{SeededFault, is_seeded};
use crate::snapshot::{Composed, Composer, TouchedSet};
use crate::sync::Shared;
use crate::units::Position;

/// The part of a timeline's memory that may be spent on what its stretches have touched.
const TOUCHED_SHARE: usize = 4;

/// One snapshot of the recording.
struct IndexedSnapshot {
    composed: Shared<Composed>,
    /// What the run touched between the snapshot before, or the start, and this one.
    stretch: SegmentTouched,
}

/// What is known of a stretch of the run.
enum SegmentTouched {
    /// Every address that was touched.
    Touched(Shared<Touched>),
    /// The addresses that may have been written to.
    Written(AddressSet),
    Nothing,
}

impl SegmentTouched {
    fn new(touched: &TouchedSet) -> Self {
        match touched {
            TouchedSet::Exact(touched, _) => SegmentTouched::Touched(touched.clone()),
            TouchedSet::PagesWritten(written) => SegmentTouched::Written(AddressSet::of_pages(written)),
            TouchedSet::Unknown => SegmentTouched::Nothing,
        }
    }

    /// Whether anything that a trace looks at may be in the stretch.
    fn may_contain(&self, wanted: &Query) -> bool {
        wanted.0.iter().any(|looked_for| {
            let QueryTerm { spec, is_io, is_ram } = looked_for;
            let meets = |set: &AddressSet| set.meets(spec.first, spec.last);
            match self {
                SegmentTouched::Touched(touched) => {
                    spec.executes && meets(&touched.executed)
                        || spec.writes && meets(&touched.written)
                        // Of other reads nothing is noted.
                        || spec.reads && (!is_io || meets(&touched.io_read))
                }
                // Of what is no RAM, no page says whether it was written to.
                SegmentTouched::Written(written) => {
                    spec.executes || spec.reads || spec.writes && (!is_ram || meets(written))
                }
                SegmentTouched::Nothing => true,
            }
        })
    }
}

/// What a search looks for: its traces, and what answers in all pages of their ranges.
pub struct Query(Vec<QueryTerm>);

struct QueryTerm {
    spec: TraceFilter,
    /// There are devices in all of them.
    is_io: bool,
    /// All of them are RAM, and no device is in any.
    is_ram: bool,
}

impl Query {
    /// What these traces look at, on a machine with this memory.
    pub fn new(specs: &[TraceFilter], memory: &Memory) -> Self {
        let looked_for = |spec: &TraceFilter| {
            let mut pages = page_of(spec.first)..=page_of(spec.last);
            let is_io = pages.clone().all(|page| memory.is_io(page));
            let is_ram = pages.all(|page| memory.kind(page) == PageKind::Ram && !memory.is_io(page));
            QueryTerm { spec: *spec, is_io, is_ram }
        };
        Self(specs.iter().map(looked_for).collect())
    }
}

/// The snapshots of a recording that can be gone back to.
#[derive(Default)]
pub struct SnapshotIndex {
    snapshots: Vec<IndexedSnapshot>,
}

impl SnapshotIndex {
    /// Reads them all, up to so many bytes: a recording that has more (it is damaged, or was made to have) is gone through
    /// without them.
    ///
    /// # Errors
    /// A file that cannot be read, or snapshots that do not hold.
    pub fn read(reader: &Shared<LogReader>, bytes_max: usize) -> Result<Self, Error> {
        let bytes = reader.snapshots().fold(0u64, |sum, chunk| sum + u64::from(chunk.raw_length) * 2);
        let mut snapshots: Vec<IndexedSnapshot> = Vec::new();
        if bytes > bytes_max as u64 {
            return Ok(Self { snapshots });
        }
        let mut composer = Composer::new(reader.clone());
        let mut last_touched = None;
        let mut room = bytes_max / TOUCHED_SHARE;
        for _ in reader.snapshots() {
            let mut composed = composer.compose_next()?;
            let mut stretch = SegmentTouched::new(composed.touched());
            if let SegmentTouched::Touched(touched) = &stretch {
                // What is the same in many stretches is kept once.
                let is_shared = last_touched.as_ref().is_some_and(|last| Shared::ptr_eq(last, touched));
                last_touched = Some(touched.clone());
                match room.checked_sub(if is_shared { 0 } else { touched.bytes() }) {
                    Some(left) => room = left,
                    None => {
                        composed.forget_touched();
                        stretch = SegmentTouched::Nothing;
                    }
                }
            }
            snapshots.push(IndexedSnapshot { composed: Shared::new(composed), stretch });
        }
        Ok(Self { snapshots })
    }

    /// Whether there are none, or none are kept.
    pub fn is_empty(&self) -> bool {
        self.snapshots.is_empty()
    }

    /// The snapshot with a number; `None` where they are gone through without.
    pub fn composed(&self, number: u64) -> Option<Shared<Composed>> {
        let snapshot_index = self.snapshots.get(usize::try_from(number).ok()?)?;
        Some(snapshot_index.composed.clone())
    }

    /// The last snapshot at or before a position.
    pub fn before(&self, position: Position) -> Option<Shared<Composed>> {
        let behind =
            self.snapshots.partition_point(|snapshot_index| snapshot_index.composed.position() <= position);
        behind.checked_sub(1).map(|place| self.snapshots[place].composed.clone())
    }

    /// The last snapshot before `icount` instructions have retired.
    pub fn before_arrival(&self, icount: u64) -> Option<Shared<Composed>> {
        let behind = self
            .snapshots
            .partition_point(|snapshot_index| snapshot_index.composed.position().icount < icount);
        behind.checked_sub(1).map(|place| self.snapshots[place].composed.clone())
    }

    /// The first snapshot after a position.
    pub fn after(&self, position: Position) -> Option<Shared<Composed>> {
        let place =
            self.snapshots.partition_point(|snapshot_index| snapshot_index.composed.position() <= position);
        self.snapshots.get(place).map(|snapshot_index| snapshot_index.composed.clone())
    }

    /// Whether anything that is wanted may have happened on the way from a position to the first snapshot after it.
    pub fn may_contain_next(&self, wanted: &Query, from: Position) -> bool {
        let place =
            self.snapshots.partition_point(|snapshot_index| snapshot_index.composed.position() <= from);
        // After the last snapshot nothing is known.
        self.snapshots.get(place).is_none_or(|snapshot_index| snapshot_index.stretch.may_contain(wanted))
    }

    /// Where the next stretch begins, after a position, in which nothing that is wanted has happened.
    pub fn next_gap(&self, wanted: &Query, from: Position) -> Option<Position> {
        let place =
            self.snapshots.partition_point(|snapshot_index| snapshot_index.composed.position() <= from);
        let unshown = self.snapshots[place..]
            .iter()
            .position(|snapshot_index| !snapshot_index.stretch.may_contain(wanted))?;
        (place + unshown).checked_sub(1).map(|place| self.snapshots[place].composed.position())
    }

    /// The end of the last stretch before a position in which something that is wanted may have happened: the position
    /// itself, if that lies in it. `None` when there is no such stretch.
    ///
    /// `is_done`: everything that is done at the position counts, also what comes after a snapshot there.
    pub fn last_shown(&self, wanted: &Query, before: Position, is_done: bool) -> Option<Position> {
        let own = self.snapshots.partition_point(|snapshot_index| {
            snapshot_index.composed.position() < before
                || is_done && snapshot_index.composed.position() == before
        });
        if self.snapshots.get(own).is_none_or(|snapshot_index| snapshot_index.stretch.may_contain(wanted)) {
            return Some(before);
        }
        let passed = own.saturating_sub(usize::from(is_seeded(SeededFault::SearchSkipsStretch)));
        let shown = self.snapshots[..passed]
            .iter()
            .rfind(|snapshot_index| snapshot_index.stretch.may_contain(wanted));
        shown.map(|snapshot_index| snapshot_index.composed.position())
    }

    /// The last snapshot between two positions that ends a stretch in which nothing that is wanted has happened; the first
    /// position when there is none.
    pub fn shown_from(&self, wanted: &Query, first: Position, last: Position) -> Position {
        let from =
            self.snapshots.partition_point(|snapshot_index| snapshot_index.composed.position() <= first);
        let reach =
            self.snapshots.partition_point(|snapshot_index| snapshot_index.composed.position() < last);
        let between = self.snapshots.get(from..reach).unwrap_or_default();
        let unshown = between.iter().rfind(|snapshot_index| !snapshot_index.stretch.may_contain(wanted));
        unshown.map_or(first, |snapshot_index| snapshot_index.composed.position())
    }
}
