//! What the console of a recording printed, and where.

use super::cancel::Cancel;
use crate::error::Error;
use crate::log::{Event, EventKind};
use crate::recording::Recording;
use crate::units::Position;

/// What the console printed, with the number of events up to each piece.
pub struct Console {
    bytes: Vec<u8>,
    ends: Vec<Printed>,
}

/// A piece of what the console printed.
struct Printed {
    /// Events passed when it was printed.
    events: u64,
    /// Bytes printed then.
    end: usize,
    /// Where it was printed.
    at: Position,
}

impl Console {
    /// All that the console of a recording printed.
    ///
    /// # Errors
    /// A file that cannot be read, a console that printed more than fits, a user who wants to stop.
    pub fn read(recording: &Recording, cancel: &mut Cancel<'_>) -> Result<Self, Error> {
        let bytes = recording.output_unless(|| cancel.is_over())?;
        let console = recording.console();
        let (mut ends, mut end) = (Vec::new(), 0);
        for event in recording.events_unless(Some(EventKind::CharWrite), None, None, || cancel.is_over())? {
            let event = event?;
            if let Event::CharWrite { device, bytes, .. } = &event.event
                && Some(usize::from(device.0)) == console
            {
                end += bytes.len();
                ends.push(Printed { events: event.ordinal.0 + 1, end, at: event.position });
            }
        }
        Ok(Self { bytes, ends })
    }

    /// What was printed when so many events had passed.
    pub fn before(&self, events: u64) -> &[u8] {
        let pieces = self.ends.partition_point(|piece| piece.events <= events);
        let end = pieces.checked_sub(1).map_or(0, |last| self.ends[last].end);
        self.bytes.get(..end).unwrap_or(&self.bytes)
    }

    /// Where the byte was printed that made it so many, and the event's ordinal; `None` when there were never as many.
    pub fn printed_at(&self, bytes: usize) -> Option<(Position, u64)> {
        let piece = self.ends.partition_point(|piece| piece.end < bytes);
        self.ends.get(piece).map(|piece| (piece.at, piece.events - 1))
    }
}
