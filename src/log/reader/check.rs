//! Checking a whole file: every frame, every event, and how far the index tells the truth.

use super::LogReader;
use crate::log::error::LogError;
use crate::log::index::Totals;
use crate::log::salvage::{self, Damage, DamageReason, IndexState, Scan};
use crate::log::varint::CodecError;

impl LogReader {
    /// Walks over the whole file and settles what of it is good.
    pub(super) fn check_all(mut self) -> Result<Self, LogError> {
        let scan =
            Scan::run(&self.source, self.frames_start, self.seed).map_err(|error| self.read_error(&error))?;
        self.set_chunks(scan.chunks);
        self.index = scan.index;
        let mut offset = scan.offset;
        let mut stopped = scan.stopped;
        if let Some((place, reason)) = self.count_all()? {
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
            return Err(CodecError::Disagrees("a snapshot stands behind the end event"));
        }
        if self.surroundings(place).snapshot.is_some() {
            return Err(CodecError::Disagrees("a snapshot frame has no snapshot event"));
        }
        salvage::check_follows(&self.chunks[place], before.last)
    }

    /// Decodes all chunks; gives the first that cannot be, and why.
    fn count_all(&mut self) -> Result<Option<(usize, CodecError)>, LogError> {
        let mut totals = Totals::starting_at(self.header.start);
        let mut broken = None;
        for (place, chunk) in self.chunks.iter().enumerate() {
            let counted = self.read_payload(chunk)?.and_then(|raw| match chunk.is_snapshot {
                true => self.check_snapshot(place, &totals),
                false => salvage::count_chunk(&raw, chunk, self.surroundings(place), &mut totals),
            });
            if let Err(reason) = counted {
                broken = Some((place, reason));
                break;
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
