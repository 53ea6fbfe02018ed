//! ROM and program images: raw bytes, Intel HEX, S-records, MOS paper tape, `.prg`, o65, sim65.
//!
//! Everything here is pure: bytes in, [`RomImage`] or a [`RomError`] out. Reading files is the caller's. No length,
//! count or address in a file is believed before it is checked, and an image never reaches beyond $FFFF.

mod collect;
mod error;
mod intel_hex;
mod look;
mod o65;
mod paper_tape;
mod sim65;
mod srecord;

pub use error::{O65Problem, RomError, Spot};
pub use sim65::{Sim65Header, header as sim65_header};

pub(in crate::machine) use collect::Filled;

use collect::Collector;

/// The largest file looked at. A 64 KiB image with one byte per Intel HEX record has under 1 MiB.
pub const FILE_SIZE_MAX: usize = 4 << 20;

const ADDRESS_SPACE: usize = 0x1_0000;

/// Bytes that belong together, at their address. `address + bytes.len()` is at most $10000.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Address of the first byte.
    pub address: u16,
    /// The bytes, at least one.
    pub bytes: Vec<u8>,
}

impl Segment {
    /// The address of the last byte.
    pub fn last(&self) -> u16 {
        self.address.saturating_add(self.bytes.len().saturating_sub(1).min(0xFFFF) as u16)
    }
}

/// What a file holds, ready to be laid into memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RomImage {
    /// The name that errors show: a path, or what the caller calls these bytes.
    pub name: String,
    /// At least one, in order of address, neither touching nor overlapping.
    pub segments: Vec<Segment>,
    /// The start address, where the format has one and the file gives it. A 6502 starts at its reset vector all the
    /// same; this is for programs that have none.
    pub start: Option<u16>,
}

/// File formats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Bytes without an address.
    Bin,
    /// Intel HEX, with 16-bit, segmented or linear addresses.
    IntelHex,
    /// Motorola S-records: S19, S28, S37.
    SRecord,
    /// MOS Technology's paper tape, as a KIM-1 punches it.
    PaperTape,
    /// A little-endian load address, then bytes.
    Prg,
    /// Relocatable 6502 object or executable of André Fachat's format, version 1.3.
    O65,
    /// Program of cc65's simulator target.
    Sim65,
    /// Text that is in none of these formats. Nobody means it as an image: [`load`] refuses it.
    Text,
}

/// Where an image goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placement {
    /// Where the file says.
    Stored,
    /// Its lowest byte (o65: its text segment) at this address, whatever the file says.
    At(u16),
    /// Its highest byte at this address: how ROM images are aligned, since the vectors are their last six bytes.
    EndingAt(u16),
}

impl Format {
    /// The format that a file name's extension stands for, if it is a known one.
    pub fn from_name(name: &str) -> Option<Self> {
        let file = name.rsplit(['/', '\\']).next()?;
        let (_, extension) = file.rsplit_once('.')?;
        Some(match extension.to_ascii_lowercase().as_str() {
            "bin" | "rom" | "raw" => Self::Bin,
            "hex" | "ihx" | "ihex" => Self::IntelHex,
            "s19" | "s28" | "s37" | "srec" | "srecord" | "mot" => Self::SRecord,
            "ptp" | "pap" => Self::PaperTape,
            "prg" => Self::Prg,
            "o65" => Self::O65,
            _ => return None,
        })
    }

    /// The format that the first bytes look like; when they look like none, text or raw bytes.
    pub fn sniff(bytes: &[u8]) -> Self {
        match look::record_format(bytes) {
            _ if bytes.starts_with(&o65::MAGIC) => Self::O65,
            _ if bytes.starts_with(&sim65::MAGIC) => Self::Sim65,
            Some(format) => format,
            None if look::is_text(bytes) => Self::Text,
            None => Self::Bin,
        }
    }

    /// The format by the name's extension or, when that says nothing, by the bytes. Programs for sim65 have no extension of
    /// their own and are known by their header, whatever they are called; and of the formats made of records, whose names are
    /// used for each other, the bytes say which it is.
    pub fn detect(name: Option<&str>, bytes: &[u8]) -> Self {
        if bytes.starts_with(&sim65::MAGIC) {
            return Self::Sim65;
        }
        match name.and_then(Self::from_name) {
            Some(named) if named.is_of_records() => look::record_format(bytes).unwrap_or(named),
            Some(named) => named,
            None => Self::sniff(bytes),
        }
    }

    fn is_of_records(self) -> bool {
        matches!(self, Self::IntelHex | Self::SRecord | Self::PaperTape)
    }
}

/// Reads an image from the bytes of a file. `name` is what errors call it.
pub fn load(name: &str, bytes: &[u8], format: Format, placement: Placement) -> Result<RomImage, RomError> {
    let limit = if format == Format::Bin { ADDRESS_SPACE } else { FILE_SIZE_MAX };
    if bytes.is_empty() {
        return Err(RomError::Empty { name: name.into() });
    }
    if bytes.len() > limit {
        return Err(RomError::TooLarge { name: name.into(), size: bytes.len(), limit });
    }
    if let Some(kind) = look::unlinked(bytes) {
        return Err(RomError::Unlinked { name: name.into(), kind });
    }
    let mut image = match format {
        Format::Text => return Err(RomError::Text { name: name.into() }),
        Format::Bin => return place_raw(name, bytes, placement),
        Format::O65 => return o65::load(name, bytes, placement),
        Format::IntelHex => intel_hex::parse(name, bytes)?,
        Format::SRecord => srecord::parse(name, bytes)?,
        Format::PaperTape => paper_tape::parse(name, bytes)?,
        Format::Prg => parse_prg(name, bytes)?,
        Format::Sim65 => sim65::parse(name, bytes)?,
    };
    if image.segments.is_empty() {
        return Err(RomError::NoData { name: name.into() });
    }
    image.move_to(placement)?;
    Ok(image)
}

fn place_raw(name: &str, bytes: &[u8], placement: Placement) -> Result<RomImage, RomError> {
    let address = match placement {
        Placement::Stored => return Err(RomError::NoAddress { name: name.into() }),
        Placement::At(address) => usize::from(address),
        Placement::EndingAt(last) => (usize::from(last) + 1)
            .checked_sub(bytes.len())
            .ok_or_else(|| RomError::BelowZero { name: name.into(), size: bytes.len(), last })?,
    };
    let mut collector = Collector::new(name);
    collector.add(Spot::Offset(0), address as u64, bytes)?;
    Ok(RomImage { name: name.into(), segments: collector.finish(), start: None })
}

fn parse_prg(name: &str, bytes: &[u8]) -> Result<RomImage, RomError> {
    let Some((&[low, high], data)) = bytes.split_first_chunk() else {
        return Err(RomError::Syntax {
            name: name.into(),
            spot: Spot::Offset(0),
            reason: "a .prg begins with a two-byte load address and this file has one byte".into(),
        });
    };
    let mut collector = Collector::new(name);
    collector.add(Spot::Offset(2), u64::from(u16::from_le_bytes([low, high])), data)?;
    Ok(RomImage { name: name.into(), segments: collector.finish(), start: None })
}

impl RomImage {
    /// The lowest and highest address with a byte, if there is one.
    pub fn span(&self) -> Option<(u16, u16)> {
        Some((self.segments.first()?.address, self.segments.last()?.last()))
    }

    /// Shifts all segments together, gaps included. The caller has checked that there is one.
    fn move_to(&mut self, placement: Placement) -> Result<(), RomError> {
        let Some((first, last)) = self.span() else { return Ok(()) };
        let shift = match placement {
            Placement::Stored => return Ok(()),
            Placement::At(address) => i32::from(address) - i32::from(first),
            Placement::EndingAt(end) => i32::from(end) - i32::from(last),
        };
        let size = usize::from(last - first) + 1;
        if i32::from(first) + shift < 0 {
            let last = (i32::from(last) + shift).clamp(0, 0xFFFF) as u16;
            return Err(RomError::BelowZero { name: self.name.clone(), size, last });
        }
        if i32::from(last) + shift > 0xFFFF {
            let address = (i32::from(first) + shift) as u64;
            return Err(RomError::PastEnd { name: self.name.clone(), spot: Spot::Offset(0), address, size });
        }
        for segment in &mut self.segments {
            segment.address = segment.address.wrapping_add(shift as u16);
        }
        self.start = self.start.map(|start| start.wrapping_add(shift as u16));
        Ok(())
    }
}

/// What a line may be wrapped in: white space, and what readers of paper tape skip (blank tape, the codes that start and stop
/// them, rub-outs). Control-Z ends text files that come from CP/M and DOS.
fn trim(line: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, 0 | 0x11 | 0x13 | 0x1A | 0x7F);
    let first = line.iter().position(|byte| !is_blank(byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !is_blank(byte)).map_or(first, |last| last + 1);
    &line[first..end]
}

/// The lines of a text format with their numbers from 1; a line that is not ASCII is an error.
fn lines<'a>(name: &'a str, bytes: &'a [u8]) -> impl Iterator<Item = Result<(usize, &'a str), RomError>> {
    let bytes = look::without_mark(bytes);
    // Old tools end lines with a lone carriage return.
    let newline = if bytes.contains(&b'\n') { b'\n' } else { b'\r' };
    bytes.split(move |&byte| byte == newline).enumerate().filter_map(move |(index, line)| {
        match std::str::from_utf8(trim(line)) {
            Ok("") => None,
            Ok(line) if line.is_ascii() => Some(Ok((index + 1, line))),
            _ => Some(Err(RomError::Syntax {
                name: name.into(),
                spot: Spot::Line(index + 1),
                reason: "it is not text; is this a raw image (.bin)?".into(),
            })),
        }
    })
}

/// The bytes that an even number of hexadecimal digits stand for.
fn digits(text: &[u8]) -> Result<Vec<u8>, &'static str> {
    if !text.len().is_multiple_of(2) {
        return Err("the record ends inside a byte: the line seems to be cut off");
    }
    let value = |digit: u8| char::from(digit).to_digit(16);
    let byte = |pair: &[u8]| Some((value(pair[0])? << 4 | value(pair[1])?) as u8);
    let bytes: Option<Vec<u8>> = text.chunks_exact(2).map(byte).collect();
    bytes.ok_or("the record has characters that are no hexadecimal digits")
}

#[cfg(test)]
mod tests;
