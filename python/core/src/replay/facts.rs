//! Where a state machine is, as `Replay.info` tells it.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use rreplay::external::ExternalReplay;
use rreplay::units::Position;

/// Where a state machine is, for `info`.
pub struct Facts {
    position: Position,
    ordinal: u64,
    events_enabled: bool,
    finished: bool,
    queued: Vec<String>,
    chars: Vec<String>,
    break_icount: Option<u64>,
    last_matching: Option<u64>,
}

impl Facts {
    pub fn of(own: &ExternalReplay) -> Self {
        let replay = own.inspect();
        Self {
            position: own.position(),
            ordinal: replay.events_passed(),
            events_enabled: replay.events_enabled(),
            finished: own.is_finished(),
            queued: replay.queued_descriptions(),
            chars: replay.chars().to_vec(),
            break_icount: replay.break_icount(),
            last_matching: replay.last_matching_digest().map(|position| position.icount),
        }
    }

    pub fn put(self, info: &Bound<'_, PyDict>) -> PyResult<()> {
        info.set_item("icount", self.position.icount)?;
        info.set_item("cycles", self.position.cycles)?;
        info.set_item("event_ordinal", self.ordinal)?;
        info.set_item("events_enabled", self.events_enabled)?;
        info.set_item("finished", self.finished)?;
        info.set_item("queued", self.queued)?;
        info.set_item("chars", self.chars)?;
        info.set_item("break_icount", self.break_icount)?;
        info.set_item("last_matching_icount", self.last_matching)
    }
}
