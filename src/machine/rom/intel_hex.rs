//! Intel HEX: `:` count, address, type, data, checksum. Records are taken apart by the `ihex` crate, one line at a
//! time so that errors name the line; addresses and order are checked here.

use ihex::{ReaderError, Record};

use super::collect::Collector;
use super::{RomError, RomImage, Spot, lines};

pub(super) fn parse(name: &str, bytes: &[u8]) -> Result<RomImage, RomError> {
    let mut collector = Collector::new(name);
    let mut base = 0u64;
    let mut start = None;
    let mut ended = false;
    for line in lines(name, bytes) {
        let (number, line) = line?;
        let spot = Spot::Line(number);
        let syntax = |reason: String| RomError::Syntax { name: name.into(), spot, reason };
        if ended {
            return Err(syntax("there is text after the end record: are these two files in one?".into()));
        }
        match Record::from_record_string(line).map_err(|error| record_error(name, spot, error))? {
            Record::Data { offset, value } => collector.add(spot, base + u64::from(offset), &value)?,
            Record::ExtendedSegmentAddress(segment) => base = u64::from(segment) << 4,
            Record::ExtendedLinearAddress(high) => base = u64::from(high) << 16,
            Record::StartSegmentAddress { cs, ip } => start = Some((u64::from(cs) << 4) + u64::from(ip)),
            Record::StartLinearAddress(address) => start = Some(u64::from(address)),
            Record::EndOfFile => ended = true,
        }
    }
    if !ended {
        return Err(RomError::Unfinished { name: name.into(), expected: ":00000001FF" });
    }
    // A start address beyond 64 KiB is a compiler's for another CPU: nothing a 6502 could use.
    let start = start.and_then(|address| u16::try_from(address).ok());
    Ok(RomImage { name: name.into(), segments: collector.finish(), start })
}

fn record_error(name: &str, spot: Spot, error: ReaderError) -> RomError {
    let reason = match error {
        ReaderError::ChecksumMismatch(expected, found) => {
            return RomError::Checksum { name: name.into(), spot, found, expected };
        }
        ReaderError::MissingStartCode => "an Intel HEX record begins with ':'; is this another format?",
        ReaderError::ContainsInvalidCharacters => "the record has characters that are no hexadecimal digits",
        ReaderError::RecordTooShort => {
            "the record is shorter than its fixed fields: the line seems to be cut off"
        }
        ReaderError::RecordTooLong => "the record is longer than 255 data bytes allow",
        ReaderError::RecordNotEvenLength => "the record ends inside a byte: the line seems to be cut off",
        ReaderError::PayloadLengthMismatch => "the record has another number of data bytes than it says",
        ReaderError::InvalidLengthForType => "the record's type does not go with that many data bytes",
        ReaderError::UnsupportedRecordType(kind) => {
            let reason = format!("record type {kind:02X} is not one of Intel HEX (00 to 05)");
            return RomError::Syntax { name: name.into(), spot, reason };
        }
    };
    RomError::Syntax { name: name.into(), spot, reason: reason.into() }
}
