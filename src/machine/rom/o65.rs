//! The o65 relocatable format, version 1.3 ("6502 binary relocation format", André Fachat, 31 March 2005): header,
//! options, text, data, undefined references, relocation tables of text and data, exported labels.
//!
//! A load address moves the text segment. Data that follows text directly, and bss that follows these, move along (the
//! header's "simple" arrangement); segments that were linked to addresses of their own stay there, and so does the zero
//! page. Without a load address everything lies where it was linked.

use super::collect::Collector;
use super::{O65Problem, Placement, RomError, RomImage, Spot};

/// How an o65 file begins.
pub(super) const MAGIC: [u8; 5] = [0x01, 0x00, b'o', b'6', b'5'];

const MODE_65816: u16 = 1 << 15;
const MODE_PAGED: u16 = 1 << 14;
const MODE_SIZE32: u16 = 1 << 13;
const MODE_CHAIN: u16 = 1 << 10;

const RELOCATE_WORD: u8 = 0x80;
const RELOCATE_HIGH: u8 = 0x40;
const RELOCATE_LOW: u8 = 0x20;
const RELOCATE_SEGMENT: u8 = 0xA0;
const RELOCATE_SEGMENT_ADDRESS: u8 = 0xC0;

type Problem<T> = Result<T, O65Problem>;

/// The address and length that the header gives a segment.
#[derive(Clone, Copy, Default)]
struct Extent {
    base: u16,
    length: u16,
}

impl Extent {
    fn end(self) -> u32 {
        u32::from(self.base) + u32::from(self.length)
    }
}

struct Header {
    mode: u16,
    text: Extent,
    data: Extent,
    bss: Extent,
}

/// How far each segment moves, modulo 64 KiB.
#[derive(Clone, Copy)]
struct Shifts {
    text: u16,
    data: u16,
    bss: u16,
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

pub(super) fn load(name: &str, bytes: &[u8], placement: Placement) -> Result<RomImage, RomError> {
    let mut cursor = Cursor { bytes, at: 0 };
    read(name, &mut cursor, placement).map_err(|failure| match failure {
        Failure::Rom(error) => error,
        Failure::O65(problem) => RomError::O65 { name: name.into(), offset: cursor.at, problem },
    })
}

/// A problem of the file (its offset is where the cursor stands) or of the addresses.
enum Failure {
    O65(O65Problem),
    Rom(RomError),
}

impl From<O65Problem> for Failure {
    fn from(problem: O65Problem) -> Self {
        Self::O65(problem)
    }
}

impl From<RomError> for Failure {
    fn from(error: RomError) -> Self {
        Self::Rom(error)
    }
}

fn read(name: &str, cursor: &mut Cursor<'_>, placement: Placement) -> Result<RomImage, Failure> {
    let header = header(cursor)?;
    options(cursor)?;
    let text_at = Spot::Offset(cursor.at);
    let mut text = cursor.take(usize::from(header.text.length), "text segment")?.to_vec();
    let data_at = Spot::Offset(cursor.at);
    let mut data = cursor.take(usize::from(header.data.length), "data segment")?.to_vec();
    if text.is_empty() && data.is_empty() {
        return Err(RomError::NoData { name: name.into() }.into());
    }
    undefined(cursor)?;
    let shifts = header.shifts(placement, name)?;
    relocate(cursor, &mut text, shifts, header.mode)?;
    relocate(cursor, &mut data, shifts, header.mode)?;
    exported(cursor)?;
    match cursor.bytes.len() - cursor.at {
        0 => {}
        left => return Err(O65Problem::Trailing(left).into()),
    }
    let mut collector = Collector::new(name);
    collector.add(text_at, u64::from(header.text.base.wrapping_add(shifts.text)), &text)?;
    collector.add(data_at, u64::from(header.data.base.wrapping_add(shifts.data)), &data)?;
    Ok(RomImage { name: name.into(), segments: collector.finish(), start: None })
}

fn header(cursor: &mut Cursor<'_>) -> Problem<Header> {
    if cursor.bytes.get(..MAGIC.len()) != Some(&MAGIC) {
        return Err(O65Problem::Magic);
    }
    cursor.at = MAGIC.len();
    match cursor.byte("header")? {
        0 => {}
        version => return Err(O65Problem::Version(version)),
    }
    let mode = cursor.word("header")?;
    if mode & MODE_65816 != 0 {
        return Err(O65Problem::Cpu65816);
    }
    if mode & MODE_SIZE32 != 0 {
        return Err(O65Problem::Size32);
    }
    if mode & MODE_CHAIN != 0 {
        return Err(O65Problem::Chained);
    }
    // 0: documented 6502, 1: 65C02, 2: 65SC02, 4: NMOS with undocumented opcodes; 3: 65CE02, 5: 65816.
    match (mode >> 4 & 0x0F) as u8 {
        0 | 1 | 2 | 4 => {}
        5 => return Err(O65Problem::Cpu65816),
        cpu => return Err(O65Problem::Cpu(cpu)),
    }
    let mut extents = [Extent::default(); 4];
    for extent in &mut extents {
        *extent = Extent { base: cursor.word("header")?, length: cursor.word("header")? };
    }
    let _stack_size = cursor.word("header")?;
    let [text, data, bss, _zero] = extents;
    Ok(Header { mode, text, data, bss })
}

/// Each option: its length with this byte, a type, data. A zero ends them.
fn options(cursor: &mut Cursor<'_>) -> Problem<()> {
    loop {
        match cursor.byte("header options")? {
            0 => return Ok(()),
            1 => return Err(O65Problem::OptionLength),
            length => cursor.take(usize::from(length) - 1, "header options")?,
        };
    }
}

fn undefined(cursor: &mut Cursor<'_>) -> Problem<()> {
    let count = usize::from(cursor.word("list of undefined references")?);
    if count > 0 {
        let symbol = cursor.name("list of undefined references")?;
        return Err(O65Problem::Undefined { symbol, count });
    }
    Ok(())
}

fn exported(cursor: &mut Cursor<'_>) -> Problem<()> {
    const WHAT: &str = "list of exported labels";
    for _ in 0..cursor.word(WHAT)? {
        cursor.name(WHAT)?;
        let _segment = cursor.byte(WHAT)?;
        let _value = cursor.word(WHAT)?;
    }
    Ok(())
}

impl Header {
    fn shifts(&self, placement: Placement, name: &str) -> Result<Shifts, Failure> {
        let data_follows = self.data.length > 0 && u32::from(self.data.base) == self.text.end();
        let block_end = if data_follows { self.data.end() } else { self.text.end() };
        let block_size = (block_end - u32::from(self.text.base)) as usize;
        let target = match placement {
            Placement::Stored => u32::from(self.text.base),
            Placement::At(address) => u32::from(address),
            Placement::EndingAt(last) => (u32::from(last) + 1)
                .checked_sub(block_size as u32)
                .ok_or_else(|| RomError::BelowZero { name: name.into(), size: block_size, last })?,
        };
        if target as usize + block_size > super::ADDRESS_SPACE {
            let (name, spot, address) = (name.into(), Spot::Offset(0), u64::from(target));
            return Err(RomError::PastEnd { name, spot, address, size: block_size }.into());
        }
        let target = target as u16; // fits, or the block is empty and nothing moves
        let shift = target.wrapping_sub(self.text.base);
        let alignment = [1, 2, 4, 256][usize::from(self.mode & 3)];
        if !shift.is_multiple_of(alignment) {
            return Err(O65Problem::Alignment { address: target, alignment }.into());
        }
        if self.mode & MODE_PAGED != 0 && shift & 0xFF != 0 {
            return Err(O65Problem::Paged { address: target }.into());
        }
        let bss_follows = u32::from(self.bss.base) == block_end;
        Ok(Shifts {
            text: shift,
            data: if data_follows { shift } else { 0 },
            bss: if bss_follows { shift } else { 0 },
        })
    }
}

/// Reads one relocation table and applies it. Each entry: the distance from the entry before (the first from one
/// before the segment; 255 means 254 and more to come), type and segment, and for HIGH the low byte.
fn relocate(cursor: &mut Cursor<'_>, segment: &mut [u8], shifts: Shifts, mode: u16) -> Problem<()> {
    const WHAT: &str = "relocation table";
    let length = segment.len();
    let outside = || O65Problem::RelocationOutside { length };
    let mut next = 0usize; // one after the entry before
    loop {
        let at = match cursor.byte(WHAT)? {
            0 => return Ok(()),
            255 => {
                next += 254;
                continue;
            }
            distance => next + usize::from(distance) - 1,
        };
        next = at + 1;
        let kind_and_segment = cursor.byte(WHAT)?;
        let shift = match kind_and_segment & 0x0F {
            1 | 5 => 0, // absolute, zero page
            2 => shifts.text,
            3 => shifts.data,
            4 => shifts.bss,
            other => return Err(O65Problem::RelocationSegment(other)),
        };
        let low = *segment.get(at).ok_or_else(outside)?;
        match kind_and_segment & 0xF0 {
            RELOCATE_WORD => {
                let high = *segment.get(at + 1).ok_or_else(outside)?;
                let moved = u16::from_le_bytes([low, high]).wrapping_add(shift);
                segment[at..at + 2].copy_from_slice(&moved.to_le_bytes());
            }
            RELOCATE_LOW => segment[at] = low.wrapping_add(shift as u8),
            RELOCATE_HIGH => {
                let below = if mode & MODE_PAGED == 0 { cursor.byte(WHAT)? } else { 0 };
                segment[at] = (u16::from_le_bytes([below, low]).wrapping_add(shift) >> 8) as u8;
            }
            RELOCATE_SEGMENT | RELOCATE_SEGMENT_ADDRESS => return Err(O65Problem::Cpu65816),
            other => return Err(O65Problem::RelocationType(other)),
        }
    }
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize, what: &'static str) -> Problem<&'a [u8]> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or(O65Problem::Truncated(what))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self, what: &'static str) -> Problem<u8> {
        Ok(self.take(1, what)?[0])
    }

    fn word(&mut self, what: &'static str) -> Problem<u16> {
        let bytes = self.take(2, what)?;
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    /// Text up to a zero byte. Its character set is the assembler's affair.
    fn name(&mut self, what: &'static str) -> Problem<String> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&byte| byte == 0).ok_or(O65Problem::Truncated(what))?;
        self.at += length + 1;
        Ok(String::from_utf8_lossy(&rest[..length]).into_owned())
    }
}
