//! Programs of cc65's simulator target: a header, then bytes for one address.
//!
//! Source: cc65 2.19, `sim65`: "sim65", version (2), processor (0 = 6502, 1 = 65C02), zero-page address of the C stack
//! pointer, load address, reset address (both little-endian), data.

use super::collect::Collector;
use super::{RomError, RomImage, Spot};
use crate::machine::board::CpuKind;

/// How a file begins.
pub(super) const MAGIC: [u8; 5] = *b"sim65";

/// Bytes before the data.
const HEADER_SIZE: usize = 12;

/// What the header of a program asks of its machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sim65Header {
    /// The processor.
    pub cpu: CpuKind,
    /// Where in zero page the C stack pointer is.
    pub sp_address: u8,
    /// Where the data goes.
    pub load: u16,
    /// Where the program starts.
    pub reset: u16,
}

/// Reads the header.
///
/// # Errors
/// A file that is cut off, or of a version or processor that is not known.
pub fn header(name: &str, bytes: &[u8]) -> Result<Sim65Header, RomError> {
    let syntax = |offset: usize, reason: String| RomError::Syntax {
        name: name.into(),
        spot: Spot::Offset(offset),
        reason,
    };
    let Some(header) = bytes.first_chunk::<HEADER_SIZE>().filter(|header| header.starts_with(&MAGIC)) else {
        return Err(syntax(0, format!("a program for sim65 begins with a header of {HEADER_SIZE} bytes")));
    };
    let [.., version, cpu, sp_address, load_low, load_high, reset_low, reset_high] = *header;
    if version != 2 {
        return Err(syntax(5, format!("the header has version {version}, and 2 is the one that is known")));
    }
    let cpu = match cpu {
        0 => CpuKind::Mos6502,
        1 => CpuKind::W65c02,
        other => return Err(syntax(6, format!("processor {other} is neither 0 (6502) nor 1 (65C02)"))),
    };
    let load = u16::from_le_bytes([load_low, load_high]);
    let reset = u16::from_le_bytes([reset_low, reset_high]);
    Ok(Sim65Header { cpu, sp_address, load, reset })
}

pub(super) fn parse(name: &str, bytes: &[u8]) -> Result<RomImage, RomError> {
    let header = header(name, bytes)?;
    let mut collector = Collector::new(name);
    collector.add(Spot::Offset(HEADER_SIZE), header.load.into(), &bytes[HEADER_SIZE..])?;
    Ok(RomImage { name: name.into(), segments: collector.finish(), start: Some(header.reset) })
}
