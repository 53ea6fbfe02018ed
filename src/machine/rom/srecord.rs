//! Motorola S-records: `S`, type, count, address, data, checksum.
//!
//! Taken apart here and not by a crate, because every line of a hostile or damaged file must give an error that names
//! it, whatever its header text or length.

use super::collect::Collector;
use super::{RomError, RomImage, Spot, digits, lines};

/// One record whose count and checksum hold.
struct Record {
    kind: u8,
    /// Address, data; without count and checksum.
    body: Vec<u8>,
}

pub(super) fn parse(name: &str, bytes: &[u8]) -> Result<RomImage, RomError> {
    let mut collector = Collector::new(name);
    let mut data_records = 0u32;
    let mut counted = None;
    let mut end = None;
    for line in lines(name, bytes) {
        let (number, line) = line?;
        let spot = Spot::Line(number);
        let syntax = |reason: String| RomError::Syntax { name: name.into(), spot, reason };
        if end.is_some() {
            return Err(syntax("there is text after the end record: are these two files in one?".into()));
        }
        let record = record(name, spot, line)?;
        let width = match record.kind {
            0 | 1 | 5 | 9 => 2,
            2 | 6 | 8 => 3,
            3 | 7 => 4,
            kind => return Err(syntax(format!("record type S{kind} does not exist"))),
        };
        let Some((address, data)) = record.body.split_at_checked(width) else {
            return Err(syntax("the record ends inside its address".into()));
        };
        if record.kind >= 5 && !data.is_empty() {
            return Err(syntax(
                "a count or end record has data after its address: the line seems to be damaged".into(),
            ));
        }
        let address = address.iter().fold(0u64, |value, &byte| value << 8 | u64::from(byte));
        match record.kind {
            1..=3 => {
                collector.add(spot, address, data)?;
                data_records += 1;
            }
            5 | 6 if address != u64::from(data_records) => {
                let reason = format!(
                    "{address} data records should come before this one and there are {data_records}: the file is damaged, make it anew"
                );
                return Err(syntax(reason));
            }
            5 | 6 => counted = Some(data_records),
            7..=9 => end = Some(address),
            _ => {} // S0 is a comment
        }
    }
    // A count that is right says as well as an end record that nothing is missing; some tools write only that.
    if end.is_none() && counted != Some(data_records) {
        return Err(RomError::Unfinished {
            name: name.into(),
            expected: "S9, S8 or S7, or a count S5 or S6",
        });
    }
    // Linkers that know no start address write 0: then there is none.
    let start = end.and_then(|address| u16::try_from(address).ok()).filter(|&address| address != 0);
    Ok(RomImage { name: name.into(), segments: collector.finish(), start })
}

fn record(name: &str, spot: Spot, line: &str) -> Result<Record, RomError> {
    let syntax = |reason: &str| RomError::Syntax { name: name.into(), spot, reason: reason.into() };
    let [b'S' | b's', kind @ b'0'..=b'9', text @ ..] = line.as_bytes() else {
        return Err(syntax("an S-record begins with 'S' and a digit; is this another format?"));
    };
    let bytes = digits(text).map_err(syntax)?;
    let [count, body @ .., found] = &bytes[..] else {
        return Err(syntax("the record is shorter than its fixed fields: the line seems to be cut off"));
    };
    if usize::from(*count) != body.len() + 1 {
        return Err(syntax(
            "the record has another number of bytes than it says: the line seems to be damaged",
        ));
    }
    let expected = !body.iter().fold(*count, |sum, &byte| sum.wrapping_add(byte));
    if *found != expected {
        return Err(RomError::Checksum { name: name.into(), spot, found: *found, expected });
    }
    Ok(Record { kind: kind - b'0', body: body.to_vec() })
}
