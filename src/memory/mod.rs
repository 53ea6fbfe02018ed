//! The 64 KiB address space: flat bytes, one byte of access flags per 256-byte page, copy-on-write snapshots.
//!
//! An access is two loads and a test: the page's flags, and the byte. Everything that needs more thought (devices,
//! ROM writes, unmapped addresses, watched pages, the first write to a page since it was last frozen) has its bit in
//! the flags and goes through a cold call of the machine's:
//!
//! ```
//! # use rreplay::memory::{Memory, PageKind};
//! # let mut memory = Memory::new();
//! # memory.map(0x00, 0x3F, PageKind::Ram);
//! # fn device_or_watch(_memory: &Memory, _address: u16) -> u8 { 0 }
//! # let address = 0x0200;
//! let value = match memory.read_fast(address) {
//!     Some(value) => value,
//!     None => device_or_watch(&memory, address), // cold: devices, watches, then `read_backing`
//! };
//! # assert_eq!(value, 0);
//! ```
//!
//! **Notes cost nothing either**, once they are made. Which addresses were executed and written is noted in a byte each; that
//! byte also says that the address is on a page without a slow bit. So where the program has been before, one test stands
//! for the note and the look at the page. Whoever sets a slow bit, or takes the notes, clears it.
//!
//! **Dirty pages cost nothing.** A page that has not changed since it was frozen is `WRITE_SLOW`; the first write to it
//! goes through [`Memory::write_backing`], which marks it dirty and clears the bit. Further writes are fast.
//!
//! **Snapshots** are tables of reference-counted pages ([`Pages`]). [`Memory::collect_pages`] copies only dirty pages,
//! all others are shared with the snapshot before; [`Memory::restore_pages`] copies back only what differs. ROM and
//! unmapped pages are configuration, not state: they stand in no snapshot and in no digest.
//!
//! **Banking** is left possible: the CPU sees only the flat bytes, so a bank switch is a machine's business of freezing
//! the outgoing range into `Arc<Page>`s and copying the incoming range in, 256 bytes a page, with its kind and flags.

mod changes;
mod pages;
mod touched;

pub use changes::{MEMORY, MEMORY_CHANGES, MemoryChanges, has_page, pages};
pub use pages::{Page, Pages};
pub use touched::{AddressSet, TOUCHED, Touched};

use crate::persist::{Digest, Persist, PersistError, Reader, Value};
use touched::{Marks, NOTED, READY, set_unready};

/// Bytes in a page.
pub const PAGE_SIZE: usize = 256;
/// Pages in the address space.
pub const PAGE_COUNT: usize = 256;
/// Bytes in the address space.
pub const ADDRESS_SPACE: usize = PAGE_SIZE * PAGE_COUNT;

/// Flag: reads of this page take the slow way (device, unmapped, or watched).
pub const READ_SLOW: u8 = 1 << 0;
/// Flag: writes to this page take the slow way (device, ROM, unmapped, watched, or unchanged since it was frozen).
pub const WRITE_SLOW: u8 = 1 << 1;
/// Flag: this page or the next is read slowly, or somebody watches instructions here, so an instruction that begins here
/// must be looked at byte by byte.
pub const CODE_SLOW: u8 = 1 << 2;

const INFO_IO: u8 = 1 << 0;
const INFO_DIRTY: u8 = 1 << 1;
const INFO_WATCH_READ: u8 = 1 << 2;
const INFO_WATCH_WRITE: u8 = 1 << 3;
const INFO_WATCH_EXECUTE: u8 = 1 << 4;
const INFO_WATCHES: u8 = INFO_WATCH_READ | INFO_WATCH_WRITE | INFO_WATCH_EXECUTE;

/// What lies at a page, beneath any device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageKind {
    /// Readable and writable; part of snapshots and digests.
    Ram,
    /// Readable; writes are ignored, as on a board whose ROM has no write line.
    Rom,
    /// Nothing drives the bus.
    Unmapped,
}

/// What is watched of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Watched {
    /// Data read.
    pub reads: bool,
    /// Data written.
    pub writes: bool,
    /// Instructions that begin there.
    pub executes: bool,
}

/// What became of a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Written {
    /// RAM holds the value now.
    Stored,
    /// ROM ignored it.
    Ignored,
    /// Nothing is mapped at the address.
    Unmapped,
}

/// A wrong use of an address range or a page table.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MemoryError {
    /// Bytes were to be loaded where nothing is mapped.
    #[error("nothing is mapped at ${address:04X}: load the bytes into a RAM or ROM region")]
    Unmapped {
        /// The first unmapped address.
        address: u16,
    },
    /// Bytes were to be loaded beyond the end of the address space.
    #[error("{length} bytes at ${address:04X} go beyond $FFFF: load them lower or load fewer")]
    PastEnd {
        /// Where they begin.
        address: u16,
        /// How many they are.
        length: usize,
    },
    /// A page table of another memory map.
    #[error(
        "the page table has {} at page ${page:02X}00 and this memory has {}: restore it on the board it was taken from",
        if *.table_has_ram { "RAM" } else { "no RAM" },
        if *.table_has_ram { "none" } else { "some" }
    )]
    OtherMap {
        /// The first page that differs.
        page: u8,
        /// Whether the table is the side that has RAM there.
        table_has_ram: bool,
    },
}

/// The address space of one machine. Cloning copies 64 KiB and shares the frozen pages. It is large: keep it in a box.
#[derive(Clone)]
pub struct Memory {
    flags: [u8; PAGE_COUNT],
    /// In place and not behind a pointer: the run loop would load that pointer again after every store.
    bytes: [u8; ADDRESS_SPACE],
    kinds: [PageKind; PAGE_COUNT],
    info: [u8; PAGE_COUNT],
    /// The pages with `INFO_DIRTY`, so that nobody has to look at all of them.
    dirty: [u64; PAGE_COUNT / 64],
    frozen: Pages,
    /// Pages that were dirty when they were frozen, since this was last asked for.
    written: PageBits,
    digest: Option<Digest>,
    /// What was touched since this was last asked for: notes of the run, and no state.
    marks: Marks,
}

/// A bit for each page of the address space; page 0 is bit 0 of byte 0.
pub type PageBits = [u8; PAGE_COUNT / 8];

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = |kind| self.kinds.iter().filter(|&&other| other == kind).count();
        f.debug_struct("Memory")
            .field("ram_pages", &count(PageKind::Ram))
            .field("rom_pages", &count(PageKind::Rom))
            .finish_non_exhaustive()
    }
}

/// The page of an address.
#[inline(always)]
pub const fn page_of(address: u16) -> u8 {
    (address >> 8) as u8
}

/// What floats on the data bus when nothing drives it.
///
/// The last byte that a 6502 reads before an access to an absolute or indirect address is that address's high byte, so
/// that is what the bus still holds. (An indexed access that crosses a page reads the byte of the page before; this
/// function does not know and returns the page accessed. It depends on nothing but the address, so replay agrees.)
#[inline]
pub const fn open_bus(address: u16) -> u8 {
    page_of(address)
}

impl Memory {
    /// An address space in which nothing is mapped.
    pub fn new() -> Self {
        Self {
            bytes: [0; ADDRESS_SPACE],
            flags: [READ_SLOW | WRITE_SLOW | CODE_SLOW; PAGE_COUNT],
            kinds: [PageKind::Unmapped; PAGE_COUNT],
            info: [0; PAGE_COUNT],
            dirty: [0; PAGE_COUNT / 64],
            frozen: Pages::empty(),
            written: [0; PAGE_COUNT / 8],
            digest: None,
            marks: Marks::new(),
        }
    }

    // -- The fast path ------------------------------------------------------------------------------------------

    /// The byte at `address` if its page needs no second thought.
    #[inline(always)]
    pub fn read_fast(&self, address: u16) -> Option<u8> {
        if self.flags[usize::from(address >> 8)] & READ_SLOW == 0 {
            Some(self.bytes[usize::from(address)])
        } else {
            None
        }
    }

    /// Writes `value` if the page needs no second thought; `false` means that nothing was done.
    #[inline(always)]
    #[must_use]
    pub fn write_fast(&mut self, address: u16, value: u8) -> bool {
        let fast = self.flags[usize::from(address >> 8)] & WRITE_SLOW == 0;
        if fast {
            self.bytes[usize::from(address)] = value;
        }
        fast
    }

    /// Whether the 256 bytes from `address` on need no second thought to read.
    #[inline(always)]
    pub fn is_plain_code(&self, address: u16) -> bool {
        self.flags[usize::from(address >> 8)] & CODE_SLOW == 0
    }

    /// The access flags of a page: [`READ_SLOW`], [`WRITE_SLOW`], [`CODE_SLOW`].
    #[inline(always)]
    pub fn flags(&self, page: u8) -> u8 {
        self.flags[usize::from(page)]
    }

    /// All 64 KiB, with zeros where nothing is mapped and RAM or ROM bytes beneath devices.
    #[inline(always)]
    pub fn bytes(&self) -> &[u8; ADDRESS_SPACE] {
        &self.bytes
    }

    /// Whether an instruction at `address` is noted already, and is [plain code](Memory::is_plain_code).
    #[inline(always)]
    pub fn is_ready_code(&self, address: u16) -> bool {
        self.marks.executed[usize::from(address)] & READY != 0
    }

    /// Writes `value` if a write to `address` is noted already and its page needs no second thought; `false` means that
    /// nothing was done.
    #[inline(always)]
    #[must_use]
    pub fn write_ready(&mut self, address: u16, value: u8) -> bool {
        let is_ready = self.marks.written[usize::from(address)] & READY != 0;
        if is_ready {
            self.bytes[usize::from(address)] = value;
        }
        is_ready
    }

    /// Notes that an instruction begins at `address`.
    #[inline(always)]
    pub fn note_executed(&mut self, address: u16) {
        let is_plain = self.is_plain_code(address);
        self.marks.executed[usize::from(address)] = if is_plain { NOTED | READY } else { NOTED };
    }

    /// Notes that data is written to `address`, whatever becomes of it.
    #[inline(always)]
    pub fn note_written(&mut self, address: u16) {
        let is_fast = self.flags[usize::from(address >> 8)] & WRITE_SLOW == 0;
        self.marks.written[usize::from(address)] = if is_fast { NOTED | READY } else { NOTED };
    }

    /// Notes that data is read from `address`, if a device answers in its page.
    pub fn note_io_read(&mut self, address: u16) {
        if self.is_io(page_of(address)) {
            self.marks.io_read[usize::from(address)] = 1;
        }
    }

    // -- The slow path ------------------------------------------------------------------------------------------

    /// What RAM or ROM holds at `address`, beneath any device; `None` where nothing is mapped.
    pub fn read_backing(&self, address: u16) -> Option<u8> {
        match self.kind(page_of(address)) {
            PageKind::Ram | PageKind::Rom => Some(self.bytes[usize::from(address)]),
            PageKind::Unmapped => None,
        }
    }

    /// Writes to what lies at `address` beneath any device. The first write to a page since it was frozen marks it
    /// dirty and makes further writes fast.
    pub fn write_backing(&mut self, address: u16, value: u8) -> Written {
        let page = page_of(address);
        match self.kind(page) {
            PageKind::Rom => Written::Ignored,
            PageKind::Unmapped => Written::Unmapped,
            PageKind::Ram => {
                self.bytes[usize::from(address)] = value;
                self.mark(page, INFO_DIRTY, true);
                Written::Stored
            }
        }
    }

    // -- The map ------------------------------------------------------------------------------------------------

    /// Makes pages `first..=last` of `kind`, filled with zeros.
    pub fn map(&mut self, first: u8, last: u8, kind: PageKind) {
        for page in first..=last {
            self.kinds[usize::from(page)] = kind;
            let start = usize::from(page) * PAGE_SIZE;
            self.bytes[start..start + PAGE_SIZE].fill(0);
            self.frozen.clear(page);
            self.mark(page, INFO_DIRTY, kind == PageKind::Ram);
            self.set_flags(page);
        }
        self.digest = None;
    }

    /// Says whether a device answers to some address of the page.
    pub fn set_io(&mut self, page: u8, io: bool) {
        self.mark(page, INFO_IO, io);
    }

    /// Says what somebody watches at some address of the page. Which address exactly is for the machine to check in its
    /// slow path.
    pub fn set_watch(&mut self, page: u8, watched: Watched) {
        let bit = |on: bool, bit: u8| if on { bit } else { 0 };
        let watches = bit(watched.reads, INFO_WATCH_READ)
            | bit(watched.writes, INFO_WATCH_WRITE)
            | bit(watched.executes, INFO_WATCH_EXECUTE);
        let info = &mut self.info[usize::from(page)];
        if *info & INFO_WATCHES != watches {
            *info = *info & !INFO_WATCHES | watches;
            self.set_flags(page);
        }
    }

    /// Puts bytes into RAM or ROM, as a programmer or a loader does.
    pub fn load(&mut self, address: u16, bytes: &[u8]) -> Result<(), MemoryError> {
        let start = usize::from(address);
        let end = start + bytes.len();
        if end > ADDRESS_SPACE {
            return Err(MemoryError::PastEnd { address, length: bytes.len() });
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let pages = start / PAGE_SIZE..end.div_ceil(PAGE_SIZE);
        if let Some(page) = pages.clone().find(|&page| self.kinds[page] == PageKind::Unmapped) {
            return Err(MemoryError::Unmapped { address: (page * PAGE_SIZE).max(start) as u16 });
        }
        self.bytes[start..end].copy_from_slice(bytes);
        for page in pages.map(|page| page as u8) {
            self.mark(page, INFO_DIRTY, self.kind(page) == PageKind::Ram);
        }
        Ok(())
    }

    /// What lies at a page beneath any device.
    #[inline]
    pub fn kind(&self, page: u8) -> PageKind {
        self.kinds[usize::from(page)]
    }

    /// Whether a device answers to some address of the page.
    #[inline]
    pub fn is_io(&self, page: u8) -> bool {
        self.info[usize::from(page)] & INFO_IO != 0
    }

    /// Whether somebody watches reads of the page.
    #[inline]
    pub fn is_read_watched(&self, page: u8) -> bool {
        self.info[usize::from(page)] & INFO_WATCH_READ != 0
    }

    /// Whether somebody watches writes to the page.
    #[inline]
    pub fn is_write_watched(&self, page: u8) -> bool {
        self.info[usize::from(page)] & INFO_WATCH_WRITE != 0
    }

    /// Whether the page was written since it was last frozen.
    #[inline]
    pub fn is_dirty(&self, page: u8) -> bool {
        self.info[usize::from(page)] & INFO_DIRTY != 0
    }

    fn mark(&mut self, page: u8, bit: u8, on: bool) {
        let info = &mut self.info[usize::from(page)];
        let before = std::mem::replace(info, if on { *info | bit } else { *info & !bit });
        if *info != before {
            let (word, place) = (usize::from(page / 64), page % 64);
            let is_dirty = u64::from(*info & INFO_DIRTY != 0);
            self.dirty[word] = self.dirty[word] & !(1 << place) | is_dirty << place;
            self.set_flags(page);
        }
    }

    /// The access flags, from what lies at a page and what is known of it.
    fn set_flags(&mut self, page: u8) {
        let info = self.info[usize::from(page)];
        let kind = self.kinds[usize::from(page)];
        let read_slow = kind == PageKind::Unmapped || info & (INFO_IO | INFO_WATCH_READ) != 0;
        let write_slow =
            kind != PageKind::Ram || info & (INFO_IO | INFO_WATCH_WRITE) != 0 || info & INFO_DIRTY == 0;
        let code_slow = self.flags[usize::from(page)] & CODE_SLOW;
        let bit = |on: bool, bit: u8| if on { bit } else { 0 };
        if write_slow && self.flags[usize::from(page)] & WRITE_SLOW == 0 {
            set_unready(&mut self.marks.written, page);
        }
        self.flags[usize::from(page)] = code_slow | bit(read_slow, READ_SLOW) | bit(write_slow, WRITE_SLOW);
        self.mark_code(page);
        self.mark_code(page.wrapping_sub(1));
    }

    fn mark_code(&mut self, page: u8) {
        let next = self.flags[usize::from(page.wrapping_add(1))];
        let watched = self.info[usize::from(page)] & INFO_WATCH_EXECUTE != 0;
        let flags = &mut self.flags[usize::from(page)];
        let was_slow = *flags & CODE_SLOW != 0;
        *flags &= !CODE_SLOW;
        if watched || (*flags | next) & READ_SLOW != 0 {
            *flags |= CODE_SLOW;
            if !was_slow {
                set_unready(&mut self.marks.executed, page);
            }
        }
    }

    // -- Snapshots ----------------------------------------------------------------------------------------------

    /// Freezes what was written since the last call and returns all RAM pages. Pages that did not change, or changed
    /// back, are shared with the table returned before.
    pub fn collect_pages(&mut self) -> Pages {
        self.freeze_dirty();
        self.frozen.clone()
    }

    fn freeze_dirty(&mut self) {
        for word in 0..self.dirty.len() {
            while self.dirty[word] != 0 {
                let page = (word * 64) as u8 + self.dirty[word].trailing_zeros() as u8;
                self.written[usize::from(page / 8)] |= 1 << (page % 8);
                let start = usize::from(page) * PAGE_SIZE;
                if self.frozen.freeze(page, &self.bytes[start..start + PAGE_SIZE]) {
                    self.digest = None;
                }
                self.mark(page, INFO_DIRTY, false);
            }
        }
    }

    /// The pages that were written to since the last call, whether or not that has changed them. Freezes dirty pages.
    pub fn take_written(&mut self) -> PageBits {
        self.freeze_dirty();
        std::mem::take(&mut self.written)
    }

    /// The addresses that were touched since the last call.
    pub fn take_touched(&mut self) -> Touched {
        self.marks.take()
    }

    /// Makes RAM what it was when `table` was collected, on this memory or on a clone or another memory with the same
    /// map. Copies only pages that differ.
    pub fn restore_pages(&mut self, table: &Pages) -> Result<(), MemoryError> {
        for page in 0..=u8::MAX {
            let table_has_ram = table.get(page).is_some();
            if table_has_ram != (self.kind(page) == PageKind::Ram) {
                return Err(MemoryError::OtherMap { page, table_has_ram });
            }
        }
        for page in 0..=u8::MAX {
            let Some(wanted) = table.get(page) else { continue };
            if self.is_dirty(page) || !self.frozen.shares(table, page) {
                let start = usize::from(page) * PAGE_SIZE;
                self.bytes[start..start + PAGE_SIZE].copy_from_slice(wanted.bytes());
                self.mark(page, INFO_DIRTY, false);
            }
        }
        self.frozen = table.clone();
        self.digest = None;
        Ok(())
    }

    /// A hash of all RAM and of where it lies: equal memories give equal digests, however they came to be. Freezes dirty
    /// pages, and hashes only those.
    pub fn digest(&mut self) -> Digest {
        self.freeze_dirty();
        *self.digest.get_or_insert_with(|| self.frozen.digest())
    }

    /// Whether [`restore`](Persist::restore) takes these bytes, all of them.
    ///
    /// # Errors
    /// Those that it would have.
    pub fn check_saved(&self, bytes: &[u8]) -> Result<(), PersistError> {
        let mut reader = Reader::new(bytes);
        if reader.array::<{ PAGE_COUNT / 8 }>("ram_map")? != self.ram_map() {
            return Err(PersistError::Invalid("ram_map"));
        }
        reader.take(self.ram_pages().count() * PAGE_SIZE, "ram")?;
        reader.finish()
    }

    fn ram_pages(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=u8::MAX).filter(|&page| self.kind(page) == PageKind::Ram)
    }

    fn ram_map(&self) -> [u8; PAGE_COUNT / 8] {
        let mut map = [0; PAGE_COUNT / 8];
        self.ram_pages().for_each(|page| map[usize::from(page / 8)] |= 1 << (page % 8));
        map
    }
}

/// Saved form: 32 bytes with a bit for each page that is RAM (page 0 is bit 0 of byte 0), then those pages in order.
impl Persist for Memory {
    fn save(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.ram_map());
        for page in self.ram_pages() {
            let start = usize::from(page) * PAGE_SIZE;
            out.extend_from_slice(&self.bytes[start..start + PAGE_SIZE]);
        }
    }

    fn restore(&mut self, reader: &mut Reader<'_>) -> Result<(), PersistError> {
        if reader.array::<{ PAGE_COUNT / 8 }>("ram_map")? != self.ram_map() {
            return Err(PersistError::Invalid("ram_map"));
        }
        for page in 0..=u8::MAX {
            if self.kind(page) == PageKind::Ram {
                let start = usize::from(page) * PAGE_SIZE;
                self.bytes[start..start + PAGE_SIZE].copy_from_slice(reader.take(PAGE_SIZE, "ram")?);
                self.mark(page, INFO_DIRTY, true);
            }
        }
        Ok(())
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let ram = self.ram_pages().flat_map(|page| &self.bytes[usize::from(page) * PAGE_SIZE..][..PAGE_SIZE]);
        vec![
            ("ram_map", Value::Bytes(self.ram_map().to_vec())),
            ("ram", Value::Bytes(ram.copied().collect())),
        ]
    }
}

#[cfg(test)]
mod tests;
