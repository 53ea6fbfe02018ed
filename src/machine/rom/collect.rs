//! Gathering the bytes of records into segments.

use super::{ADDRESS_SPACE, RomError, Segment, Spot};
use std::collections::BTreeMap;

/// Bytes at some addresses.
#[derive(Default)]
pub(in crate::machine) struct Filled {
    /// Runs that do not overlap, by their first address.
    runs: BTreeMap<usize, Vec<u8>>,
}

impl Filled {
    /// Puts bytes at an address, with room for them after it.
    ///
    /// # Errors
    /// The first address that has one already; nothing is changed then.
    pub fn fill(&mut self, start: usize, bytes: &[u8]) -> Result<(), u16> {
        if self.has(start as u16) {
            return Err(start as u16);
        }
        if let Some((taken, _)) = self.runs.range(start..start + bytes.len()).next() {
            return Err(*taken as u16);
        }
        match self.runs.range_mut(..start).next_back() {
            // Records mostly come in order.
            Some((first, run)) if first + run.len() == start => run.extend_from_slice(bytes),
            _ => drop(self.runs.insert(start, bytes.to_vec())),
        }
        Ok(())
    }

    /// Puts a byte at an address, whatever is there.
    pub fn set(&mut self, address: u16, byte: u8) {
        let at = usize::from(address);
        match self.runs.range_mut(..=at).next_back() {
            Some((first, run)) if at - first < run.len() => run[at - first] = byte,
            _ => drop(self.runs.insert(at, vec![byte])),
        }
    }

    /// Whether there is a byte at an address.
    pub fn has(&self, address: u16) -> bool {
        let at = usize::from(address);
        self.runs.range(..=at).next_back().is_some_and(|(first, run)| at - first < run.len())
    }

    /// The bytes in order of address, in segments that do not touch.
    pub fn segments(self) -> Vec<Segment> {
        let mut segments: Vec<Segment> = Vec::new();
        for (first, bytes) in self.runs {
            match segments.last_mut() {
                Some(last) if usize::from(last.address) + last.bytes.len() == first => {
                    last.bytes.extend(bytes);
                }
                _ => segments.push(Segment { address: first as u16, bytes }),
            }
        }
        segments
    }
}

/// Bytes by address; refuses what leaves the address space or comes twice.
pub(super) struct Collector<'a> {
    name: &'a str,
    bytes: Filled,
}

impl<'a> Collector<'a> {
    pub(super) fn new(name: &'a str) -> Self {
        Self { name, bytes: Filled::default() }
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
        let overlap = |address| RomError::Overlap { name: self.name.into(), spot, address };
        self.bytes.fill(address as usize, bytes).map_err(overlap)
    }

    /// The runs of bytes, in order of address.
    pub(super) fn finish(self) -> Vec<Segment> {
        self.bytes.segments()
    }
}
