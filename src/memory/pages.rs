//! Frozen pages and tables of them.

use crate::sync::{Lazy, Shared as Arc};

use super::{PAGE_COUNT, PAGE_SIZE, pages};
use crate::persist::{Digest, PersistError, Reader};

/// 256 bytes that never change again, with their hash once it was asked for.
#[derive(Debug)]
pub struct Page {
    bytes: [u8; PAGE_SIZE],
    digest: Lazy<Digest>,
}

impl PartialEq for Page {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Page {}

impl Page {
    /// Freezes bytes.
    pub fn new(bytes: [u8; PAGE_SIZE]) -> Self {
        Self { bytes, digest: Lazy::new() }
    }

    /// The page of zeros, of which a machine at power-on has more than of all others.
    fn empty() -> Arc<Self> {
        static EMPTY: Lazy<Arc<Page>> = Lazy::new();
        EMPTY.get_or_init(|| Arc::new(Self::new([0; PAGE_SIZE]))).clone()
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8; PAGE_SIZE] {
        &self.bytes
    }

    /// Their hash.
    pub fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| Digest::of(&self.bytes))
    }
}

/// The RAM of one moment: for each of the 256 pages a shared frozen page, or nothing where there is no RAM.
///
/// A clone is one reference count. Two tables of one run share every page that did not change between them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pages(Arc<[Option<Arc<Page>>; PAGE_COUNT]>);

impl Pages {
    /// A table without RAM.
    pub fn empty() -> Self {
        Self(Arc::new([const { None }; PAGE_COUNT]))
    }

    /// The page with that number, `None` where there is no RAM.
    pub fn get(&self, page: u8) -> Option<&Arc<Page>> {
        self.0[usize::from(page)].as_ref()
    }

    /// The RAM pages with their numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &Arc<Page>)> {
        (0..=u8::MAX).filter_map(|number| self.get(number).map(|page| (number, page)))
    }

    /// The pages that differ in content from `older`'s or are not RAM there: what a delta against it must hold.
    pub fn changed_since<'a>(&'a self, older: &'a Pages) -> impl Iterator<Item = (u8, &'a Arc<Page>)> {
        self.iter().filter(|&(number, page)| {
            older.get(number).is_none_or(|other| !Arc::ptr_eq(page, other) && page != other)
        })
    }

    /// This table with some pages replaced: the inverse of [`Pages::changed_since`].
    pub fn with(&self, changes: impl IntoIterator<Item = (u8, Arc<Page>)>) -> Self {
        let mut table = self.clone();
        for (number, page) in changes {
            Arc::make_mut(&mut table.0)[usize::from(number)] = Some(page);
        }
        table
    }

    /// As [`with`](Pages::with), with the contents of pages that are RAM in this table.
    ///
    /// # Errors
    /// A page that is not RAM here.
    pub fn with_contents<'a>(
        &self,
        contents: impl IntoIterator<Item = (u8, &'a [u8])>,
    ) -> Result<Self, PersistError> {
        let frozen = contents.into_iter().map(|(number, content)| {
            let content = content.try_into().map_err(|_| PersistError::Short("ram"))?;
            self.get(number).ok_or(PersistError::Invalid("pages changed"))?;
            Ok((number, Arc::new(Page::new(content))))
        });
        Ok(self.with(frozen.collect::<Result<Vec<_>, PersistError>>()?))
    }

    /// The table that a saved memory holds: 32 bytes with a bit for each page that is RAM, then those pages in order.
    ///
    /// # Errors
    /// Another length than the bits say.
    pub fn from_section(section: &[u8]) -> Result<Self, PersistError> {
        let mut reader = Reader::new(section);
        let map = reader.array("ram_map")?;
        let frozen = pages(&map).map(|number| Ok((number, Arc::new(Page::new(reader.array("ram")?)))));
        let frozen = frozen.collect::<Result<Vec<_>, PersistError>>()?;
        reader.finish()?;
        Ok(Self::empty().with(frozen))
    }

    /// The inverse of [`from_section`](Pages::from_section).
    pub fn to_section(&self) -> Vec<u8> {
        let mut map = [0; PAGE_COUNT / 8];
        self.iter().for_each(|(number, _)| map[usize::from(number / 8)] |= 1 << (number % 8));
        let mut section = map.to_vec();
        self.iter().for_each(|(_, page)| section.extend_from_slice(page.bytes()));
        section
    }

    /// The addresses at which two tables differ, in order, with both bytes. Pages that only one of them has as RAM are
    /// left out.
    pub fn differences<'a>(&'a self, other: &'a Pages) -> impl Iterator<Item = (u16, u8, u8)> + 'a {
        self.changed_since(other)
            .filter_map(|(number, page)| Some((number, page, other.get(number)?)))
            .flat_map(|(number, ours, theirs)| {
                let pairs = ours.bytes().iter().zip(theirs.bytes());
                pairs.enumerate().filter(|(_, (our, their))| our != their).map(
                    move |(offset, (&our, &their))| {
                        (u16::from(number) * PAGE_SIZE as u16 + offset as u16, our, their)
                    },
                )
            })
    }

    /// A hash of the page numbers and the pages' hashes.
    pub fn digest(&self) -> Digest {
        let mut list = Vec::with_capacity(PAGE_COUNT * 17);
        for (number, page) in self.iter() {
            list.push(number);
            list.extend_from_slice(&page.digest().0);
        }
        Digest::of(&list)
    }

    /// Takes over a page's present bytes; `false` when they are what the table has already.
    pub(super) fn freeze(&mut self, page: u8, bytes: &[u8]) -> bool {
        if self.get(page).is_some_and(|old| old.bytes()[..] == *bytes) {
            return false;
        }
        let bytes = bytes.try_into().expect("a page has 256 bytes");
        let frozen = if bytes == [0; PAGE_SIZE] { Page::empty() } else { Arc::new(Page::new(bytes)) };
        Arc::make_mut(&mut self.0)[usize::from(page)] = Some(frozen);
        true
    }

    /// Forgets a page that is to be mapped anew.
    pub(super) fn clear(&mut self, page: u8) {
        if self.get(page).is_some() {
            Arc::make_mut(&mut self.0)[usize::from(page)] = None;
        }
    }

    /// Whether both tables hold the very same frozen page.
    pub fn shares(&self, other: &Pages, page: u8) -> bool {
        match (self.get(page), other.get(page)) {
            (Some(ours), Some(theirs)) => Arc::ptr_eq(ours, theirs),
            _ => false,
        }
    }
}
