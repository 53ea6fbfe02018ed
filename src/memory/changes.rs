//! What was written to a memory between two snapshots, and what came of it.

use super::{PAGE_SIZE, PageBits};
use crate::persist::{Field, PersistError, Reader};

/// The section of a whole snapshot that holds the memory.
pub const MEMORY: &str = "memory";
/// The section that stands in its place.
pub const MEMORY_CHANGES: &str = "memory_changes";

/// Whether a page is in a set.
pub fn has_page(set: &PageBits, page: u8) -> bool {
    set[usize::from(page / 8)] & 1 << (page % 8) != 0
}

/// The pages of a set, in order.
pub fn pages(set: &PageBits) -> impl Iterator<Item = u8> + '_ {
    (0..=u8::MAX).filter(|&page| has_page(set, page))
}

/// The section `memory_changes`, taken apart.
#[derive(Clone, Copy, Debug)]
pub struct MemoryChanges<'a> {
    /// Pages that were written to, whether or not their content is another now.
    pub written: PageBits,
    /// Pages whose content has changed.
    pub changed: PageBits,
    /// Their content, in order.
    pub contents: &'a [u8],
}

impl<'a> MemoryChanges<'a> {
    /// Reads the section's content.
    ///
    /// # Errors
    /// When it is of another length than its sets say.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PersistError> {
        let mut reader = Reader::new(bytes);
        let written = reader.array("pages written")?;
        let changed: PageBits = reader.array("pages changed")?;
        let contents = reader.take(pages(&changed).count() * PAGE_SIZE, "changed pages")?;
        reader.finish()?;
        Ok(Self { written, changed, contents })
    }

    /// The section's content.
    pub fn put(&self, out: &mut Vec<u8>) {
        self.written.put(out);
        self.changed.put(out);
        out.extend_from_slice(self.contents);
    }

    /// The changed pages with their content.
    pub fn pages(&self) -> impl Iterator<Item = (u8, &'a [u8])> {
        let changed = self.changed;
        let numbers = (0..=u8::MAX).filter(move |&page| has_page(&changed, page));
        numbers.zip(self.contents.chunks_exact(PAGE_SIZE))
    }
}
