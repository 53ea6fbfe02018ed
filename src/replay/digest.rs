//! Digests and snapshots: the state machine's part of them.

use super::event_hash::EventHash;
use super::table::{Action, Function};
use super::{AsyncQueue, Found, Replay, ReplayError, ReplayMode};
use crate::log::event::{Event, StampedEvent};
use crate::nondet::Owner;
use crate::persist::{Digest, Field, PersistError, Reader};
use crate::seeded_faults::{SeededFault, is_seeded};
use crate::units::{EventOrdinal, Position};
use std::collections::BTreeMap;

impl Replay {
    // ---- digests ----

    /// Recorder: the icount at which the next digest or snapshot is due, `u64::MAX` for none.
    pub fn next_due(&self) -> u64 {
        if self.mode == ReplayMode::Record { self.next_digest.min(self.next_snapshot) } else { u64::MAX }
    }

    /// Whether a digest belongs here: due in record, next in the log in play.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn digest_due(&mut self) -> Result<bool, ReplayError> {
        match self.action(Function::Digest) {
            Action::Log => Ok(self.position.icount >= self.next_digest || self.snapshot_is_due()),
            Action::Compare => self.next_here(self.position, |event| matches!(event, Event::Digest(_))),
            _ => Ok(false),
        }
    }

    /// Logs the digests of all subsystems of the guest and the state machine's own, or compares them with the log's.
    ///
    /// # Errors
    /// In play a divergence that names the subsystems that differ.
    pub fn digest(&mut self, of_guest: Vec<Digest>) -> Result<(), ReplayError> {
        let digests = self.with_own_digests(of_guest);
        match self.action(Function::Digest) {
            Action::Log => {
                if self.position.icount >= self.next_digest {
                    self.next_digest = next_multiple(self.position.icount, self.digest_every);
                }
                self.log(self.position, Event::Digest(digests))
            }
            Action::Compare => self.compare_digests(&digests),
            _ => Ok(()),
        }
    }

    /// The hashes of [`OWN_SUBSYSTEMS`](super::OWN_SUBSYSTEMS) after the guest's.
    pub(super) fn with_own_digests(&self, mut digests: Vec<Digest>) -> Vec<Digest> {
        if self.hashes_events {
            let mut requests = Vec::new();
            self.save_requests(&mut requests);
            digests.extend([Digest::of(&requests), self.event_hash.digest()]);
        }
        digests
    }

    fn compare_digests(&mut self, found: &[Digest]) -> Result<(), ReplayError> {
        let Some(StampedEvent { event: Event::Digest(logged), .. }) = self.peek()? else {
            return Err(self.unexpected(self.position, "a digest".to_owned()));
        };
        let logged = logged.clone();
        let subsystems: Vec<String> = (0..logged.len().max(found.len()))
            .filter(|&index| logged.get(index) != found.get(index))
            .map(|index| self.subsystems.get(index).cloned().unwrap_or_else(|| format!("subsystem {index}")))
            .collect();
        if !subsystems.is_empty() {
            let matching =
                self.subsystems.iter().filter(|name| !subsystems.contains(name)).cloned().collect();
            return Err(self.diverged(Found::State { subsystems, matching }));
        }
        self.consume()?;
        self.last_matching_digest = Some(self.position);
        Ok(())
    }

    // ---- snapshots ----

    /// Whether a snapshot can be taken here: nothing waits in the async queue.
    pub fn can_snapshot(&self) -> bool {
        self.queue.is_empty()
    }

    /// Asks for a snapshot in the log. It is taken at the next top of the vCPU loop at which it can be.
    ///
    /// # Errors
    /// When nothing is recorded.
    pub fn request_snapshot(&mut self) -> Result<(), ReplayError> {
        if self.mode != ReplayMode::Record {
            return Err(ReplayError::NotRecording { what: "a snapshot in the log" });
        }
        self.snapshot_requested = true;
        Ok(())
    }

    fn snapshot_is_due(&self) -> bool {
        (self.snapshot_requested || self.position.icount >= self.next_snapshot) && self.can_snapshot()
    }

    /// Whether a snapshot belongs here: due in record, next in the log in play. A digest stands before it, so that what
    /// is restored is known to be right.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn snapshot_due(&mut self) -> Result<bool, ReplayError> {
        match self.action(Function::Snapshot) {
            Action::Log => Ok(self.snapshot_is_due()),
            Action::PassIfNext => {
                self.next_here(self.position, |event| matches!(event, Event::Snapshot { .. }))
            }
            _ => Ok(false),
        }
    }

    /// Puts a snapshot into the log: `container` is given the saved state of this state machine and adds the guest's.
    /// In play passes the one that the log has here.
    ///
    /// # Errors
    /// When the log cannot be written or read.
    pub fn snapshot(&mut self, container: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Result<(), ReplayError> {
        match self.action(Function::Snapshot) {
            Action::Log => {
                self.snapshot_requested = false;
                let container = container(self.save());
                let logged = self.log_snapshot(&container);
                let bytes = logged.as_ref().map_or(container.len(), |bytes| *bytes);
                self.next_snapshot = self.snapshots.next(self.position.icount, bytes);
                logged.map(|_| ())
            }
            Action::PassIfNext => self.consume().map(|_| ()),
            _ => Ok(()),
        }
    }

    /// Returns the bytes that it takes in the log.
    fn log_snapshot(&mut self, container: &[u8]) -> Result<usize, ReplayError> {
        let Some(sink) = &mut self.sink else { return Ok(0) };
        let (number, bytes) = sink.append_snapshot(self.position, container)?;
        self.event_hash.add_container(container);
        self.passed(self.position, &Event::Snapshot { number });
        Ok(bytes)
    }

    /// The state that the run starts from. In record what `save` returns is put into the log, to be called at the start;
    /// in play the log's is returned, to be loaded. `None` in mode none and record.
    ///
    /// # Errors
    /// When the log cannot be written or read; in play a divergence when it does not start with such a state.
    pub fn vmstate_init(&mut self, save: impl FnOnce() -> Vec<u8>) -> Result<Option<Vec<u8>>, ReplayError> {
        match self.action(Function::Snapshot) {
            Action::Log => self.log_snapshot(&save()).map(|_| None),
            Action::PassIfNext => {
                let here = self.position;
                let number = match self.peek()? {
                    Some(StampedEvent { position, event: Event::Snapshot { number }, .. })
                        if *position == here =>
                    {
                        *number
                    }
                    _ => return Err(self.unexpected(here, "the initial state (vmstate_init)".to_owned())),
                };
                let state = match &self.source {
                    Some(source) => source.read_snapshot(number)?,
                    None => Vec::new(),
                };
                self.consume()?;
                Ok(Some(state))
            }
            _ => Ok(None),
        }
    }

    /// What a snapshot holds of this state machine.
    pub fn save(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.events_passed.put(&mut out);
        self.position.icount.put(&mut out);
        self.position.cycles.put(&mut out);
        self.cached_clocks.iter().for_each(|value| value.cast_unsigned().put(&mut out));
        self.save_requests(&mut out);
        self.event_hash.save(&mut out);
        out
    }

    /// What [`save`](Replay::save) has returned, by subsystem.
    ///
    /// # Errors
    /// Bytes that are no such state.
    pub fn saved_parts(saved: &[u8]) -> Result<[(&'static str, Vec<u8>); 4], ReplayError> {
        let parts = || -> Result<_, PersistError> {
            let reader = &mut Reader::new(saved);
            let ordinal = reader.take(8, "event ordinal")?;
            let position = reader.take(16, "position")?;
            let clocks = reader.take(16, "last clocks")?;
            let requests = reader.clone();
            AsyncQueue::restore_calls(reader)?;
            take_blocks(reader)?;
            let length = requests.remaining() - reader.remaining();
            let queue = requests.clone().take(length, "requests")?;
            let chain = reader.take(reader.remaining(), "events hash")?;
            let events = [ordinal, chain].concat();
            Ok([
                ("position", position.to_vec()),
                ("clocks", clocks.to_vec()),
                ("queue", queue.to_vec()),
                ("events", events),
            ])
        };
        parts().map_err(|problem| ReplayError::BadState { problem })
    }

    /// The block requests that are on their way when a recording starts, for its initial state; empty when none was
    /// ever made.
    pub fn requests(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.next_block > 0 {
            self.save_blocks(&mut out);
        }
        out
    }

    /// Player: goes on with the requests of [`requests`](Replay::requests).
    ///
    /// # Errors
    /// Bytes that are no such requests.
    pub fn restore_requests(&mut self, saved: &[u8]) -> Result<(), ReplayError> {
        let reader = &mut Reader::new(saved);
        let restored = take_blocks(reader).and_then(|blocks| reader.clone().finish().map(|()| blocks));
        (self.next_block, self.outstanding) =
            restored.map_err(|problem| ReplayError::BadState { problem })?;
        Ok(())
    }

    fn save_requests(&self, out: &mut Vec<u8>) {
        self.queue.save_calls(out);
        self.save_blocks(out);
    }

    fn save_blocks(&self, out: &mut Vec<u8>) {
        self.next_block.put(out);
        (self.outstanding.len() as u32).put(out);
        for (id, owner) in &self.outstanding {
            id.put(out);
            owner.0.put(out);
        }
    }

    /// Player: goes to where [`save`](Replay::save) was called. The log goes on with the event that comes next there:
    /// each is applied exactly once.
    ///
    /// # Errors
    /// Bytes that are no such state, or a log that cannot be read there.
    pub fn resume(&mut self, saved: &[u8]) -> Result<(), ReplayError> {
        let ordinal = self.restore(saved).map_err(|problem| ReplayError::BadState { problem })?;
        if let Some(source) = &mut self.source {
            let skipped = u64::from(is_seeded(SeededFault::SnapshotSkipsEvent));
            source.seek(EventOrdinal(ordinal + skipped))?;
        }
        self.next_stop_ahead = None;
        self.recent.clear();
        // A copy that was not finished does not go on elsewhere.
        self.extract = None;
        Ok(())
    }

    fn restore(&mut self, saved: &[u8]) -> Result<u64, PersistError> {
        let reader = &mut Reader::new(saved);
        let ordinal = u64::take(reader, "event ordinal")?;
        let position = Position::new(u64::take(reader, "icount")?, u64::take(reader, "cycles")?);
        let mut clocks = [0; 2];
        for value in &mut clocks {
            *value = u64::take(reader, "last clock")?.cast_signed();
        }
        let queue = AsyncQueue::restore_calls(reader)?;
        let (next_block, outstanding) = take_blocks(reader)?;
        let event_hash = EventHash::restore(reader)?;
        reader.clone().finish()?;
        (self.position, self.cached_clocks, self.queue) = (position, clocks, queue);
        (self.next_block, self.outstanding, self.event_hash) = (next_block, outstanding, event_hash);
        self.events_passed = ordinal;
        Ok(ordinal)
    }
}

/// The next request's number, and who waits for which.
fn take_blocks(reader: &mut Reader<'_>) -> Result<(u64, BTreeMap<u64, Owner>), PersistError> {
    let next_block = u64::take(reader, "next block request")?;
    let mut outstanding = BTreeMap::new();
    for _ in 0..u32::take(reader, "block requests")? {
        let id = u64::take(reader, "block request")?;
        outstanding.insert(id, Owner(u16::take(reader, "block request")?));
    }
    Ok((next_block, outstanding))
}

/// The next multiple of `every` after `icount`; 0 means never.
pub(super) fn next_multiple(icount: u64, every: u64) -> u64 {
    match every {
        0 => u64::MAX,
        every => (icount - icount % every).saturating_add(every),
    }
}
