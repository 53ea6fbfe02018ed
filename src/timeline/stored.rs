//! The snapshots in a recording, read once and kept as page tables that share what did not change.

use super::marks::Mark;
use crate::error::Error;
use crate::log::LogReader;
use crate::machine::Captured;
use crate::memory::{MEMORY, MEMORY_CHANGES, PAGE_COUNT, PAGE_SIZE, Page, PageBits, Pages, pages};
use crate::persist::Sections;
use crate::snapshot::{Changes, Snapshot, SnapshotError};
use crate::sync::Shared;
use crate::units::Position;

/// Every page may have been written to.
const ALL_PAGES: PageBits = [0xFF; PAGE_COUNT / 8];

/// One snapshot of the recording.
struct Stored {
    mark: Shared<Mark>,
    /// Pages written to between the snapshot before, or the start, and this one.
    written: PageBits,
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
        let mut table = None;
        for number in 0..reader.snapshots().count() as u64 {
            let container = reader.read_snapshot(number)?;
            let (stored, pages) = if Changes::is_changes(&container) {
                let before = match table.take() {
                    Some(table) => table,
                    None => whole_memory(Snapshot::from_bytes(&reader.header().initial_state)?.sections())?,
                };
                changed(&Changes::from_bytes(&container)?, &before)?
            } else {
                whole(&Snapshot::from_bytes(&container)?)?
            };
            table = Some(pages);
            snapshots.push(stored);
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

    /// Whether any page of `wanted` may have been written to between two positions.
    pub fn may_have_written(&self, wanted: &PageBits, first: Position, last: Position) -> bool {
        // The stretch that ends with each snapshot from the first one behind `first` through the first one at or behind
        // `last`; behind the last snapshot nothing is known.
        let from = self.snapshots.partition_point(|stored| stored.mark.position <= first);
        let reach = self.snapshots.partition_point(|stored| stored.mark.position < last);
        let Some(stretch) = self.snapshots.get(from..=reach) else { return true };
        stretch
            .iter()
            .any(|stored| stored.written.iter().zip(wanted).any(|(written, wanted)| written & wanted != 0))
    }
}

fn damaged(what: &str) -> Error {
    Error::Snapshot(SnapshotError::Damaged(what.to_owned()))
}

/// A snapshot's parts: those of the machine but for the memory, and the state machine's, which is the last.
fn parts(sections: &Sections, memory: &str) -> Result<(Vec<Vec<u8>>, Vec<u8>), Error> {
    let Some((_, replay)) = sections.last() else { return Err(damaged("it is empty")) };
    let of_machine = sections[..sections.len() - 1].iter().filter(|(name, _)| name != memory);
    Ok((of_machine.map(|(_, content)| content.clone()).collect(), replay.clone()))
}

fn changed(changes: &Changes, before: &Pages) -> Result<(Stored, Pages), Error> {
    let memory = changes.memory()?;
    let frozen = memory.pages().map(|(number, content)| (number, page(content)));
    let pages = before.with(frozen);
    let (parts, replay) = parts(changes.sections(), MEMORY_CHANGES)?;
    let stored = stored(changes.position(), parts, replay, pages.clone(), memory.written);
    Ok((stored, pages))
}

fn whole(snapshot: &Snapshot) -> Result<(Stored, Pages), Error> {
    let pages = whole_memory(snapshot.sections())?;
    let (parts, replay) = parts(snapshot.sections(), MEMORY)?;
    Ok((stored(snapshot.position(), parts, replay, pages.clone(), ALL_PAGES), pages))
}

fn stored(
    position: Position,
    parts: Vec<Vec<u8>>,
    replay: Vec<u8>,
    pages: Pages,
    written: PageBits,
) -> Stored {
    let machine = Captured::new(parts, pages);
    Stored {
        mark: Shared::new(Mark { position, is_arrival: false, is_settled: false, machine, replay }),
        written,
    }
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
