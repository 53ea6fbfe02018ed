//! What a report looks up in a state machine: the parts of it that can differ, and what the log has next.

use super::{Replay, ReplayError};
use crate::log::event::StampedEvent;
use crate::nondet::ClockKind;
use crate::persist::Field;
use crate::units::Position;

/// Bytes that the upcoming events may carry, so that a small file cannot take much memory.
const UPCOMING_BYTES_MAX: usize = 2 << 20;

impl Replay {
    /// The state machine's own state by subsystem and field, as reports show it.
    pub fn fields(&self) -> Vec<(&'static str, &'static str, String)> {
        let clock = |kind: ClockKind| self.cached_clocks[kind as usize].to_string();
        vec![
            ("clocks", "last host clock", clock(ClockKind::Host)),
            ("clocks", "last virtual_rt clock", clock(ClockKind::VirtualRt)),
            ("queue", "waiting", self.queued_descriptions().join(", ")),
            ("queue", "next block request", self.next_block.value().to_string()),
            ("events", "taken from the log", self.events_passed.to_string()),
            ("events", "hash", self.event_hash.digest().to_string()),
        ]
    }

    /// Player: up to `count` events that the log has next, or fewer where they carry much.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn upcoming(&mut self, count: usize) -> Result<Vec<StampedEvent>, ReplayError> {
        let Some(source) = &mut self.source else { return Ok(Vec::new()) };
        let (mut events, mut bytes) = (Vec::new(), 0);
        while events.len() < count
            && bytes < UPCOMING_BYTES_MAX
            && let Some(event) = source.peek(events.len())?
        {
            bytes += event.event.heap_bytes();
            events.push(event.clone());
        }
        Ok(events)
    }

    /// The last position at which all digests agreed.
    pub fn last_matching_digest(&self) -> Option<Position> {
        self.last_matching_digest
    }

    /// Puts something between the player and its log, given that and the ordinal of the event it has next. For tests of
    /// what the player makes of a wrong log.
    #[cfg(feature = "testing")]
    pub fn change_source(
        &mut self,
        change: impl FnOnce(Box<dyn super::EventSource>, u64) -> Box<dyn super::EventSource>,
    ) {
        let next = self.events_passed;
        self.source = self.source.take().map(|source| change(source, next));
        self.next_stop_ahead = None;
    }
}
