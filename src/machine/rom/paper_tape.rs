//! MOS Technology's paper tape, as a KIM-1 punches and reads it: `;`, count, address, data, sum of all bytes before it in 16
//! bits; last a record without data, whose address is the number of records before it.
//!
//! Source: KIM-1 user manual, appendix F.

use super::collect::Collector;
use super::{RomError, RomImage, Spot, digits, lines};

pub(super) fn parse(name: &str, bytes: &[u8]) -> Result<RomImage, RomError> {
    let mut collector = Collector::new(name);
    let mut data_records = 0u32;
    let mut ended = false;
    for line in lines(name, bytes) {
        let (number, line) = line?;
        let spot = Spot::Line(number);
        let syntax = |reason: &str| RomError::Syntax { name: name.into(), spot, reason: reason.into() };
        if ended {
            return Err(syntax("there is text after the end record: are these two files in one?"));
        }
        let Some(text) = line.strip_prefix(';') else {
            return Err(syntax("a record of a MOS paper tape begins with ';'; is this another format?"));
        };
        let record = digits(text.as_bytes()).map_err(syntax)?;
        let [count, high, low, data @ .., sum_high, sum_low] = &record[..] else {
            return Err(syntax("the record is shorter than its fixed fields: the line seems to be cut off"));
        };
        if usize::from(*count) != data.len() {
            return Err(syntax(
                "the record has another number of bytes than it says: the line seems to be damaged",
            ));
        }
        let found = u16::from_be_bytes([*sum_high, *sum_low]);
        let expected = record[..3 + data.len()].iter().fold(0u16, |sum, &byte| sum.wrapping_add(byte.into()));
        if found != expected {
            return Err(RomError::Sum { name: name.into(), spot, found, expected });
        }
        let address = u16::from_be_bytes([*high, *low]);
        if *count == 0 {
            if u32::from(address) != data_records {
                let reason = format!(
                    "{address} data records should come before this one and there are {data_records}: the file is damaged, make it anew"
                );
                return Err(RomError::Syntax { name: name.into(), spot, reason });
            }
            ended = true;
        } else {
            collector.add(spot, address.into(), data)?;
            data_records += 1;
        }
    }
    if !ended {
        return Err(RomError::Unfinished { name: name.into(), expected: "a record ;00 with their number" });
    }
    Ok(RomImage { name: name.into(), segments: collector.finish(), start: None })
}
