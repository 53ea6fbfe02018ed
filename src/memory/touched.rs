//! Which addresses a stretch of a run has touched, exact to the byte: what a search needs to pass over the stretch.

use super::{ADDRESS_SPACE, PAGE_COUNT, PAGE_SIZE, PageBits, pages};
use crate::persist::{Field, PersistError, Reader};

/// The section of a snapshot's changes that holds what was touched.
pub const TOUCHED: &str = "touched";

/// Bytes of a set with a bit for each address.
const SET_BYTES: usize = ADDRESS_SPACE / 8;
/// Bytes of such a set that are a page's.
const PAGE_BITS: usize = PAGE_SIZE / 8;
/// Zeros that are not worth a new run of bytes in a saved set.
const GAP_MIN: usize = 4;

/// In a note: the address was touched.
pub(super) const NOTED: u8 = 1 << 0;
/// In a note: it was, and its page has no slow bit for such accesses.
pub(super) const READY: u8 = 1 << 1;

/// Notes by address, made as the run goes.
#[derive(Clone)]
pub(super) struct Marks {
    pub executed: [u8; ADDRESS_SPACE],
    pub written: [u8; ADDRESS_SPACE],
    pub io_read: [u8; ADDRESS_SPACE],
}

impl Marks {
    pub fn new() -> Self {
        let nothing = [0; ADDRESS_SPACE];
        Self { executed: nothing, written: nothing, io_read: nothing }
    }

    /// What was noted since the last call.
    pub fn take(&mut self) -> Touched {
        Touched {
            executed: take_set(&mut self.executed),
            written: take_set(&mut self.written),
            io_read: take_set(&mut self.io_read),
        }
    }
}

/// From now on accesses to a page need a look at it again.
pub(super) fn set_unready(marks: &mut [u8; ADDRESS_SPACE], page: u8) {
    let first = usize::from(page) * PAGE_SIZE;
    marks[first..first + PAGE_SIZE].iter_mut().for_each(|mark| *mark &= NOTED);
}

fn take_set(marks: &mut [u8; ADDRESS_SPACE]) -> AddressSet {
    let mut set = AddressSet::default();
    for (number, page) in (0..=u8::MAX).zip(marks.chunks_exact_mut(PAGE_SIZE)) {
        if page == [0; PAGE_SIZE] {
            continue;
        }
        let mut bits = [0; PAGE_BITS];
        for (bits, marks) in bits.iter_mut().zip(page.as_chunks::<8>().0) {
            let noted = u64::from_le_bytes(*marks) & u64::from_le_bytes([NOTED; 8]);
            // The lowest bits of eight bytes, side by side in the highest one of the product.
            let product = noted.wrapping_mul(0x0102_0408_1020_4080);
            *bits = (product >> 56) as u8;
        }
        set.pages.push((number, bits));
        page.fill(0);
    }
    set
}

/// A set of addresses: those pages of which any is in it, with a bit for each address.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AddressSet {
    pages: Vec<(u8, [u8; PAGE_BITS])>,
}

impl AddressSet {
    /// Every address of a set of pages.
    pub fn of_pages(set: &PageBits) -> Self {
        Self { pages: pages(set).map(|page| (page, [0xFF; PAGE_BITS])).collect() }
    }

    /// The addresses, in order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        let of_page = |(page, bits): &(u8, [u8; PAGE_BITS])| {
            let (first, bits) = (u16::from(*page) << 8, *bits);
            (0..PAGE_SIZE as u16)
                .filter(move |offset| bits[usize::from(offset / 8)] & 1 << (offset % 8) != 0)
                .map(move |offset| first | offset)
        };
        self.pages.iter().flat_map(of_page)
    }

    /// Whether any address of `first..=last` is in it.
    pub fn meets(&self, first: u16, last: u16) -> bool {
        let from = self.pages.partition_point(|(page, _)| u16::from(*page) < first >> 8);
        self.pages[from..].iter().take_while(|(page, _)| u16::from(*page) <= last >> 8).any(|(page, bits)| {
            let start = u16::from(*page) << 8;
            let (low, high) = (first.max(start) - start, last.min(start | 0xFF) - start);
            (low..=high).any(|offset| bits[usize::from(offset / 8)] & 1 << (offset % 8) != 0)
        })
    }

    /// Whether every address of another set is in it.
    pub fn contains_all(&self, other: &Self) -> bool {
        let own = |page: u8| {
            let place = self.pages.binary_search_by_key(&page, |(number, _)| *number).ok()?;
            Some(&self.pages[place].1)
        };
        other.pages.iter().all(|(page, bits)| {
            own(*page).is_some_and(|own| own.iter().zip(bits).all(|(own, bits)| bits & !own == 0))
        })
    }

    /// Bytes that it takes in memory.
    pub fn bytes(&self) -> usize {
        self.pages.len() * size_of::<(u8, [u8; PAGE_BITS])>()
    }

    /// The bits in which two sets differ, all 8,192 bytes of them.
    fn difference(&self, other: &Self) -> [u8; SET_BYTES] {
        let mut bytes = [0; SET_BYTES];
        for (page, bits) in self.pages.iter().chain(&other.pages) {
            let of_page = bytes.chunks_exact_mut(PAGE_BITS).nth(usize::from(*page));
            of_page.into_iter().flatten().zip(bits).for_each(|(byte, bits)| *byte ^= bits);
        }
        bytes
    }

    fn from_bits(bytes: &[u8; SET_BYTES]) -> Self {
        let all = (0..=u8::MAX).zip(bytes.as_chunks::<PAGE_BITS>().0);
        Self {
            pages: all
                .filter(|(_, bits)| **bits != [0; PAGE_BITS])
                .map(|(page, bits)| (page, *bits))
                .collect(),
        }
    }

    /// Saved form, given the set before: the bits that differ, as runs of bytes. Each is a `u16` of zero bytes passed
    /// over, a `u16` of bytes, and those; the last one has none.
    fn put(&self, before: &Self, out: &mut Vec<u8>) {
        let bytes = self.difference(before);
        let mut done = 0;
        while let Some(start) = next_touched(&bytes, done) {
            let mut end = start + 1;
            while let Some(more) = (end..(end + GAP_MIN).min(SET_BYTES)).rfind(|at| bytes[*at] != 0) {
                end = more + 1;
            }
            ((start - done) as u16).put(out);
            ((end - start) as u16).put(out);
            out.extend_from_slice(&bytes[start..end]);
            done = end;
        }
        [0u8; 4].put(out);
    }

    fn take(reader: &mut Reader<'_>, before: &Self) -> Result<Self, PersistError> {
        let mut bytes = before.difference(&Self::default());
        let mut at = 0;
        loop {
            let skipped = usize::from(u16::take(reader, "addresses passed over")?);
            let count = usize::from(u16::take(reader, "addresses touched")?);
            if count == 0 {
                break;
            }
            at += skipped;
            let room = bytes.get_mut(at..at + count).ok_or(PersistError::Invalid("addresses touched"))?;
            let run = reader.take(count, "addresses touched")?;
            room.iter_mut().zip(run).for_each(|(byte, bits)| *byte ^= bits);
            at += count;
        }
        Ok(Self::from_bits(&bytes))
    }
}

impl FromIterator<u16> for AddressSet {
    fn from_iter<I: IntoIterator<Item = u16>>(addresses: I) -> Self {
        let mut bytes = [0; SET_BYTES];
        addresses.into_iter().for_each(|at| bytes[usize::from(at / 8)] |= 1 << (at % 8));
        Self::from_bits(&bytes)
    }
}

/// The first byte from a place on that is not 0: most are, so eight are looked at at once.
fn next_touched(bytes: &[u8; SET_BYTES], from: usize) -> Option<usize> {
    let aligned = from.next_multiple_of(8);
    let words = bytes[aligned..].as_chunks::<8>().0;
    let in_word = |at: usize| (at..at + 8).find(|at| bytes[*at] != 0);
    (from..aligned).find(|at| bytes[*at] != 0).or_else(|| {
        words.iter().position(|word| *word != [0; 8]).and_then(|word| in_word(aligned + word * 8))
    })
}

/// What a stretch of a run has touched.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Touched {
    /// Where instructions began.
    pub executed: AddressSet,
    /// Where data was written, by instructions, on the way into interrupt handlers, or by devices.
    pub written: AddressSet,
    /// Where data was read, of those pages in which a device answers. Other reads are not noted.
    pub io_read: AddressSet,
}

impl Touched {
    /// Saved form, given what the stretch before had touched: programs do the same things again and again.
    pub fn put(&self, before: &Self, out: &mut Vec<u8>) {
        self.executed.put(&before.executed, out);
        self.written.put(&before.written, out);
        self.io_read.put(&before.io_read, out);
    }

    /// Reads what [`put`](Touched::put) gave.
    ///
    /// # Errors
    /// When the bytes do not hold.
    pub fn parse(bytes: &[u8], before: &Self) -> Result<Self, PersistError> {
        let mut reader = Reader::new(bytes);
        let touched = Self {
            executed: AddressSet::take(&mut reader, &before.executed)?,
            written: AddressSet::take(&mut reader, &before.written)?,
            io_read: AddressSet::take(&mut reader, &before.io_read)?,
        };
        reader.finish()?;
        Ok(touched)
    }

    /// Bytes that it takes in memory.
    pub fn bytes(&self) -> usize {
        self.executed.bytes() + self.written.bytes() + self.io_read.bytes()
    }
}

const _: () = assert!(PAGE_COUNT * PAGE_BITS == SET_BYTES);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(addresses: &[u16]) -> AddressSet {
        let mut marks = Box::new([0; ADDRESS_SPACE]);
        addresses.iter().for_each(|address| marks[usize::from(*address)] = 1);
        let set = take_set(&mut marks);
        assert_eq!(*marks, [0; ADDRESS_SPACE]);
        set
    }

    fn addresses() -> impl Strategy<Value = Vec<u16>> {
        // Near each other, as those of programs are, and anywhere.
        let near = (any::<u8>(), any::<u8>())
            .prop_map(|(page, offset)| u16::from(page & 3) << 8 | u16::from(offset));
        proptest::collection::vec(prop_oneof![4 => near, 1 => any::<u16>()], 0..200)
    }

    proptest! {
        #[test]
        fn a_set_holds_what_was_marked(marked in addresses(), first: u16, length in 0u16..600) {
            let last = first.saturating_add(length);
            let met = marked.iter().any(|address| (first..=last).contains(address));
            prop_assert_eq!(set(&marked).meets(first, last), met);
        }

        #[test]
        fn a_set_contains_what_it_was_made_of(marked in addresses(), more in addresses()) {
            let all: Vec<u16> = marked.iter().chain(&more).copied().collect();
            prop_assert!(set(&all).contains_all(&set(&marked)));
            prop_assert_eq!(set(&all).iter().collect::<AddressSet>(), set(&all));
            let within = all.iter().all(|address| marked.contains(address));
            prop_assert_eq!(set(&marked).contains_all(&set(&all)), within);
        }

        #[test]
        fn what_is_saved_is_read_again(sets in proptest::collection::vec(addresses(), 6)) {
            let [a, b, c, d, e, f] = [0, 1, 2, 3, 4, 5].map(|number: usize| set(&sets[number]));
            let before = Touched { executed: a, written: b, io_read: c };
            let now = Touched { executed: d, written: e, io_read: f };
            let mut saved = Vec::new();
            now.put(&before, &mut saved);
            prop_assert_eq!(Touched::parse(&saved, &before), Ok(now));
        }

        #[test]
        fn bytes_that_nobody_saved_do_no_harm(bytes: Vec<u8>) {
            let _ = Touched::parse(&bytes, &Touched::default());
        }
    }

    #[test]
    fn ends_and_whole_pages_are_found() {
        let ends = set(&[0, 0xFFFF]);
        assert!(ends.meets(0, 0) && ends.meets(0xFFFF, 0xFFFF) && !ends.meets(1, 0xFFFE));
        let mut bits = [0; PAGE_COUNT / 8];
        bits[0] = 0b10;
        let page = AddressSet::of_pages(&bits);
        assert!(page.meets(0x1FF, 0x1FF) && page.meets(0x100, 0x100) && !page.meets(0x200, 0xFFFF));
    }

    #[test]
    fn a_run_beyond_the_end_is_an_error() {
        let bytes = [0xFF, 0x1F, 2, 0, 1, 1];
        assert_eq!(
            Touched::parse(&bytes, &Touched::default()),
            Err(PersistError::Invalid("addresses touched"))
        );
    }
}
