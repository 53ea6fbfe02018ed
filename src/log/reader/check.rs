//! Checking a whole file: every frame, every event, and how far the index tells the truth.

use super::{Buffers, LogReader};
use crate::log::error::LogError;
use crate::log::index::Totals;
use crate::log::salvage::{self, Damage, DamageReason, IndexState, Scan};
use crate::log::varint::CodecError;

/// Bytes that are checked between two questions whether to go on: some milliseconds.
const BYTES_BETWEEN_QUESTIONS: u64 = 1 << 20;

impl LogReader {
    /// Walks over the whole file and settles what of it is good.
    pub(super) fn check_all(mut self, progress: &mut dyn FnMut(u64, u64) -> bool) -> Result<Self, LogError> {
        let mut goes_on = true;
        // How much there is to check is known when all frames are found.
        let mut found = || {
            goes_on = progress(0, 0);
            goes_on
        };
        let scan = Scan::run(&self.source, self.frames_start, self.seed, &mut found);
        let scan = scan.map_err(|error| self.read_error(&error))?;
        if !goes_on {
            return Err(LogError::Stopped { path: self.path });
        }
        self.set_chunks(scan.chunks);
        self.index = scan.index;
        let mut offset = scan.offset;
        let mut stopped = scan.stopped;
        if let Some((place, reason)) = self.count_all(progress)? {
            offset = self.chunks[place].offset;
            let mut left = std::mem::take(&mut self.chunks);
            left.truncate(place);
            self.set_chunks(left);
            stopped = Some(DamageReason::Broken(reason));
            self.index = IndexState::Missing;
        }
        if stopped.is_none() && scan.totals.is_some_and(|totals| totals != self.totals) {
            let reason = CodecError::Disagrees("the index does not agree with the events");
            stopped = Some(DamageReason::Broken(reason));
            self.index = IndexState::Missing;
        }
        if stopped.is_none() && !self.totals.ended {
            stopped = Some(DamageReason::Unfinished);
        }
        if let Some(reason) = stopped {
            self.damage = Some(self.describe(reason, offset)?);
        }
        Ok(self)
    }

    /// Checks a snapshot frame against the events before it.
    fn check_snapshot(&self, place: usize, before: &Totals) -> Result<(), CodecError> {
        if before.ended {
            return Err(CodecError::Disagrees("a snapshot stands after the end event"));
        }
        if self.surroundings(place).snapshot.is_some() {
            return Err(CodecError::Disagrees("a snapshot frame has no snapshot event"));
        }
        salvage::check_follows(&self.chunks[place], before.last)
    }

    /// Decodes all chunks; returns the first that cannot be, and why.
    fn count_all(
        &mut self,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Option<(usize, CodecError)>, LogError> {
        let mut totals = Totals::starting_at(self.header.start);
        let mut broken = None;
        let total = self.chunks.iter().map(|chunk| u64::from(chunk.raw_length)).sum();
        let (mut done, mut told) = (0, 0);
        let mut buffers = Buffers::default();
        for (place, chunk) in self.chunks.iter().enumerate() {
            let counted = self.read_into(chunk, &mut buffers)?.and_then(|()| match chunk.is_snapshot {
                true => self.check_snapshot(place, &totals),
                false => salvage::count_chunk(&buffers.raw, chunk, self.surroundings(place), &mut totals),
            });
            if let Err(reason) = counted {
                broken = Some((place, reason));
                break;
            }
            done += u64::from(chunk.raw_length);
            if done - told >= BYTES_BETWEEN_QUESTIONS || done == total {
                told = done;
                if !progress(done, total) {
                    return Err(LogError::Stopped { path: self.path.clone() });
                }
            }
        }
        self.totals = totals;
        Ok(broken)
    }

    fn describe(&self, reason: DamageReason, offset: u64) -> Result<Damage, LogError> {
        let events = self.totals.events();
        let behind = salvage::events_behind(&self.source, offset, self.seed);
        let behind = behind.map_err(|error| self.read_error(&error))?;
        Ok(Damage {
            reason,
            offset,
            bytes_lost: self.source.length() - offset,
            events,
            last: self.totals.last,
            events_lost: behind.map_or(0, |end| end.saturating_sub(events)),
        })
    }
}
