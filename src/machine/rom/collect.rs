//! Gathering the bytes of records into segments.

use super::{ADDRESS_SPACE, RomError, Segment, Spot};

/// Bytes by address; refuses what leaves the address space or comes twice.
pub(super) struct Collector<'a> {
    name: &'a str,
    bytes: Vec<Option<u8>>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(name: &'a str) -> Self {
        Self { name, bytes: vec![None; ADDRESS_SPACE] }
    }

    /// Adds the bytes of one record.
    pub(super) fn add(&mut self, spot: Spot, address: u64, bytes: &[u8]) -> Result<(), RomError> {
        let room = (ADDRESS_SPACE as u64).saturating_sub(address);
        if bytes.len() as u64 > room {
            let (name, size) = (self.name.into(), bytes.len());
            return Err(RomError::PastEnd { name, spot, address, size });
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let start = address as usize;
        for (offset, (place, &byte)) in self.bytes[start..].iter_mut().zip(bytes).enumerate() {
            if place.replace(byte).is_some() {
                let address = (start + offset) as u16;
                return Err(RomError::Overlap { name: self.name.into(), spot, address });
            }
        }
        Ok(())
    }

    /// The runs of bytes, in order of address.
    pub(super) fn finish(self) -> Vec<Segment> {
        segments_of(self.bytes)
    }
}

/// The runs of bytes in an address space that begins at 0.
pub(in crate::machine) fn segments_of(bytes: impl IntoIterator<Item = Option<u8>>) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    let mut open = false;
    for (address, byte) in bytes.into_iter().enumerate() {
        match (byte, segments.last_mut()) {
            (Some(byte), Some(segment)) if open => segment.bytes.push(byte),
            (Some(byte), _) => segments.push(Segment { address: address as u16, bytes: vec![byte] }),
            (None, _) => {}
        }
        open = byte.is_some();
    }
    segments
}
