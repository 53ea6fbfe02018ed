//! The snapshots in a recording, read once and kept as page tables that share what did not change.

use super::marks::Mark;
use crate::error::Error;
use crate::log::LogReader;
use crate::machine::{Captured, TapSpec};
use crate::memory::{
    AddressSet, MEMORY, MEMORY_CHANGES, Memory, PAGE_COUNT, PAGE_SIZE, Page, Pages, TOUCHED, Touched,
    page_of, pages,
};
use crate::persist::Sections;
use crate::planted::{Bug, is_planted};
use crate::snapshot::{Changes, Snapshot, SnapshotError};
use crate::sync::Shared;
use crate::units::Position;

/// The part of a timeline's memory that may be spent on what its stretches have touched.
const TOUCHED_SHARE: usize = 4;

/// One snapshot of the recording.
struct Stored {
    mark: Shared<Mark>,
    /// What the run touched between the snapshot before, or the start, and this one.
    stretch: Known,
}

/// What is known of a stretch of the run.
#[derive(Clone)]
enum Known {
    /// Every address that was touched.
    Touched(Shared<Touched>),
    /// The addresses that may have been written to.
    Written(AddressSet),
    Nothing,
}

impl Known {
    /// Whether anything that a tap looks at may be in the stretch.
    fn may_show(&self, wanted: &Wanted) -> bool {
        let (executes, reads, writes) = match self {
            Known::Touched(touched) => {
                (Some(&touched.executed), Some(&touched.io_read), Some(&touched.written))
            }
            Known::Written(written) => (None, None, Some(written)),
            Known::Nothing => (None, None, None),
        };
        let may =
            |set: Option<&AddressSet>, spec: &TapSpec| set.is_none_or(|set| set.meets(spec.first, spec.last));
        wanted.0.iter().any(|(spec, is_io)| {
            spec.executes && may(executes, spec)
                || spec.writes && may(writes, spec)
                // Of other reads nothing is noted.
                || spec.reads && may(reads.filter(|_| *is_io), spec)
        })
    }
}

/// What a search looks for: its taps, and whether there are devices in all pages of their ranges.
pub struct Wanted(Vec<(TapSpec, bool)>);

impl Wanted {
    /// What these taps look at, on a machine with this memory.
    pub fn new(specs: &[TapSpec], memory: &Memory) -> Self {
        let is_io =
            |spec: &TapSpec| (page_of(spec.first)..=page_of(spec.last)).all(|page| memory.is_io(page));
        Self(specs.iter().map(|spec| (*spec, is_io(spec))).collect())
    }
}

/// The snapshots of a recording that can be gone back to.
pub struct StoredSnapshots {
    snapshots: Vec<Stored>,
}

impl StoredSnapshots {
    /// Reads them all, up to so many bytes: a recording that has more (it is damaged, or was made to have) is gone through
    /// without them.
    ///
    /// # Errors
    /// A file that cannot be read, or snapshots that do not hold.
    pub fn read(reader: &LogReader, bytes_max: usize) -> Result<Self, Error> {
        let bytes = reader.snapshots().fold(0u64, |sum, chunk| sum + u64::from(chunk.raw_length) * 2);
        let mut snapshots: Vec<Stored> = Vec::new();
        if bytes > bytes_max as u64 {
            return Ok(Self { snapshots });
        }
        let (mut before, mut last_touched) = (None::<Before>, None);
        let mut room = bytes_max / TOUCHED_SHARE;
        for number in 0..reader.snapshots().count() as u64 {
            let container = reader.read_snapshot(number)?;
            let (mark, pages, mut stretch) = if Changes::is_changes(&container) {
                let before = match before.take() {
                    Some(before) => before,
                    None => Before::start(&Snapshot::from_bytes(&reader.header().initial_state)?)?,
                };
                changed(&Changes::from_bytes(&container)?, &before)?
            } else {
                let (mark, pages) = whole(&Snapshot::from_bytes(&container)?)?;
                (mark, pages, Known::Nothing)
            };
            let touched = match &stretch {
                Known::Touched(touched) => touched.clone(),
                _ => Shared::default(),
            };
            // What is the same in many stretches is kept once.
            let is_shared = last_touched.as_ref().is_some_and(|last| Shared::ptr_eq(last, &touched));
            match room.checked_sub(if is_shared { 0 } else { touched.bytes() }) {
                Some(left) => room = left,
                None => stretch = Known::Nothing,
            }
            last_touched = Some(touched.clone());
            before = Some(Before { pages, touched });
            snapshots.push(Stored { mark: Shared::new(mark), stretch });
        }
        Ok(Self { snapshots })
    }

    /// The last snapshot at or before a position.
    pub fn before(&self, position: Position) -> Option<Shared<Mark>> {
        let behind = self.snapshots.partition_point(|stored| stored.mark.position <= position);
        behind.checked_sub(1).map(|place| self.snapshots[place].mark.clone())
    }

    /// The last snapshot before `icount` instructions have retired.
    pub fn before_arrival(&self, icount: u64) -> Option<Shared<Mark>> {
        let behind = self.snapshots.partition_point(|stored| stored.mark.position.icount < icount);
        behind.checked_sub(1).map(|place| self.snapshots[place].mark.clone())
    }

    /// The first snapshot behind a position.
    pub fn behind(&self, position: Position) -> Option<Shared<Mark>> {
        let place = self.snapshots.partition_point(|stored| stored.mark.position <= position);
        self.snapshots.get(place).map(|stored| stored.mark.clone())
    }

    /// Whether anything that is wanted may have happened on the way from a position to the first snapshot behind it.
    pub fn may_show_next(&self, wanted: &Wanted, from: Position) -> bool {
        let place = self.snapshots.partition_point(|stored| stored.mark.position <= from);
        // Behind the last snapshot nothing is known.
        self.snapshots.get(place).is_none_or(|stored| stored.stretch.may_show(wanted))
    }

    /// Where the next stretch begins, behind a position, in which nothing that is wanted has happened.
    pub fn shown_until(&self, wanted: &Wanted, from: Position) -> Option<Position> {
        let place = self.snapshots.partition_point(|stored| stored.mark.position <= from);
        let unshown = self.snapshots[place..].iter().position(|stored| !stored.stretch.may_show(wanted))?;
        (place + unshown).checked_sub(1).map(|place| self.snapshots[place].mark.position)
    }

    /// The end of the last stretch before a position in which something that is wanted may have happened: the position
    /// itself, if that lies in it. `None` when there is no such stretch.
    ///
    /// `is_done`: everything that is done at the position counts, also what comes behind a snapshot there.
    pub fn last_shown(&self, wanted: &Wanted, before: Position, is_done: bool) -> Option<Position> {
        let own = self.snapshots.partition_point(|stored| {
            stored.mark.position < before || is_done && stored.mark.position == before
        });
        if self.snapshots.get(own).is_none_or(|stored| stored.stretch.may_show(wanted)) {
            return Some(before);
        }
        let passed = own.saturating_sub(usize::from(is_planted(Bug::SearchSkipsStretch)));
        let shown = self.snapshots[..passed].iter().rfind(|stored| stored.stretch.may_show(wanted));
        shown.map(|stored| stored.mark.position)
    }

    /// The last snapshot between two positions that ends a stretch in which nothing that is wanted has happened; the first
    /// position when there is none.
    pub fn shown_from(&self, wanted: &Wanted, first: Position, last: Position) -> Position {
        let from = self.snapshots.partition_point(|stored| stored.mark.position <= first);
        let reach = self.snapshots.partition_point(|stored| stored.mark.position < last);
        let between = self.snapshots.get(from..reach).unwrap_or_default();
        let unshown = between.iter().rfind(|stored| !stored.stretch.may_show(wanted));
        unshown.map_or(first, |stored| stored.mark.position)
    }
}

/// What the changes of a snapshot refer to.
struct Before {
    pages: Pages,
    touched: Shared<Touched>,
}

impl Before {
    /// The recording's start.
    fn start(initial: &Snapshot) -> Result<Self, Error> {
        Ok(Self { pages: whole_memory(initial.sections())?, touched: Shared::default() })
    }
}

fn damaged(what: &str) -> Error {
    Error::Snapshot(SnapshotError::Damaged(what.to_owned()))
}

/// A snapshot's parts: those of the machine but for the memory, and the state machine's, which is the last.
fn parts(sections: &Sections) -> Result<(Vec<Vec<u8>>, Vec<u8>), Error> {
    let Some(((_, replay), of_machine)) = sections.split_last() else { return Err(damaged("it is empty")) };
    let of_machine =
        of_machine.iter().filter(|(name, _)| ![MEMORY, MEMORY_CHANGES, TOUCHED].contains(&name.as_str()));
    Ok((of_machine.map(|(_, content)| content.clone()).collect(), replay.clone()))
}

fn changed(changes: &Changes, before: &Before) -> Result<(Mark, Pages, Known), Error> {
    let memory = changes.memory()?;
    let frozen = memory.pages().map(|(number, content)| (number, page(content)));
    let pages = before.pages.with(frozen);
    let known = match changes.touched(&before.touched)? {
        None => Known::Written(AddressSet::of_pages(&memory.written)),
        Some(touched) if touched == *before.touched => Known::Touched(before.touched.clone()),
        Some(touched) => Known::Touched(Shared::new(touched)),
    };
    Ok((mark(changes.position(), changes.sections(), pages.clone())?, pages, known))
}

fn whole(snapshot: &Snapshot) -> Result<(Mark, Pages), Error> {
    let pages = whole_memory(snapshot.sections())?;
    Ok((mark(snapshot.position(), snapshot.sections(), pages.clone())?, pages))
}

fn mark(position: Position, sections: &Sections, pages: Pages) -> Result<Mark, Error> {
    let (parts, replay) = parts(sections)?;
    Ok(Mark { position, is_arrival: false, is_settled: false, machine: Captured::new(parts, pages), replay })
}

fn page(content: &[u8]) -> Shared<Page> {
    let mut bytes = [0; PAGE_SIZE];
    bytes.copy_from_slice(content);
    Shared::new(Page::new(bytes))
}

/// The page table of a section `memory`: 32 bytes with a bit for each page that is RAM, then those pages in order.
fn whole_memory(sections: &Sections) -> Result<Pages, Error> {
    let found = sections.iter().find(|(name, _)| name == MEMORY);
    let (_, bytes) = found.ok_or_else(|| damaged("it has no memory"))?;
    let Some((map, contents)) = bytes.split_first_chunk::<{ PAGE_COUNT / 8 }>() else {
        return Err(damaged("its memory is cut off"));
    };
    if contents.len() != pages(map).count() * PAGE_SIZE {
        return Err(damaged("its memory has another length than it says"));
    }
    let frozen = contents.chunks_exact(PAGE_SIZE).map(page);
    Ok(Pages::empty().with(pages(map).zip(frozen)))
}
