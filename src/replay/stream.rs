//! Where events go to and come from.

use crate::log::event::{Event, StampedEvent};
use crate::log::{EventCursor, LogError, LogReader, LogWriter};
use crate::sync::{Arc, Mutex, lock};
use crate::units::{EventOrdinal, Position};

/// Takes the events of a run in order.
pub trait EventSink: Send {
    /// Appends one event.
    ///
    /// # Errors
    /// When it cannot be kept (a full disk); what was appended before stays whole.
    fn append(&mut self, position: Position, event: &Event) -> Result<EventOrdinal, LogError>;

    /// Makes everything appended so far survive the end of this process.
    ///
    /// # Errors
    /// As for [`append`](EventSink::append).
    fn flush(&mut self) -> Result<(), LogError>;

    /// Ends the log: index, sync.
    ///
    /// # Errors
    /// As for [`append`](EventSink::append).
    fn finish(&mut self) -> Result<(), LogError>;
}

/// Gives the events of a recorded run in order.
pub trait EventSource: Send {
    /// The `ahead`-th event after the current one, or `None` behind the last.
    ///
    /// # Errors
    /// When the log cannot be read at that point.
    fn peek(&mut self, ahead: usize) -> Result<Option<&StampedEvent>, LogError>;

    /// Goes on to the next event.
    fn advance(&mut self);

    /// File offset at which the current event can be found (that of its chunk), for reports.
    fn byte_offset(&self) -> Option<u64>;
}

/// Keeps events in memory.
pub struct MemorySink {
    events: Arc<Mutex<Vec<StampedEvent>>>,
}

impl Default for MemorySink {
    fn default() -> Self {
        Self { events: Arc::new(Mutex::new(Vec::new())) }
    }
}

impl MemorySink {
    /// A second handle on the events, to read them when the run is over.
    pub fn events(&self) -> impl Fn() -> Vec<StampedEvent> + Send + use<> {
        let events = self.events.clone();
        move || lock(&events).clone()
    }
}

impl EventSink for MemorySink {
    fn append(&mut self, position: Position, event: &Event) -> Result<EventOrdinal, LogError> {
        let mut events = lock(&self.events);
        let ordinal = EventOrdinal(events.len() as u64);
        events.push(StampedEvent { position, ordinal, event: event.clone() });
        Ok(ordinal)
    }

    fn flush(&mut self) -> Result<(), LogError> {
        Ok(())
    }

    fn finish(&mut self) -> Result<(), LogError> {
        Ok(())
    }
}

/// Plays events from memory.
pub struct MemorySource {
    events: Vec<StampedEvent>,
    next: usize,
}

impl MemorySource {
    /// Plays `events` from the first.
    pub fn new(events: Vec<StampedEvent>) -> Self {
        Self { events, next: 0 }
    }
}

impl EventSource for MemorySource {
    fn peek(&mut self, ahead: usize) -> Result<Option<&StampedEvent>, LogError> {
        Ok(self.events.get(self.next + ahead))
    }

    fn advance(&mut self) {
        self.next += 1;
    }

    fn byte_offset(&self) -> Option<u64> {
        None
    }
}

impl EventSink for LogWriter {
    fn append(&mut self, position: Position, event: &Event) -> Result<EventOrdinal, LogError> {
        LogWriter::append(self, position, event)
    }

    fn flush(&mut self) -> Result<(), LogError> {
        LogWriter::flush(self)
    }

    fn finish(&mut self) -> Result<(), LogError> {
        LogWriter::finish(self)
    }
}

impl<R: std::borrow::Borrow<LogReader> + Send> EventSource for EventCursor<R> {
    fn peek(&mut self, ahead: usize) -> Result<Option<&StampedEvent>, LogError> {
        // Asked twice because a found event would stay borrowed on the way to the failure.
        if self.peek_nth(ahead).is_none()
            && let Some(failure) = self.failure()
        {
            return Err(failure.clone());
        }
        Ok(self.peek_nth(ahead))
    }

    fn advance(&mut self) {
        self.next();
    }

    fn byte_offset(&self) -> Option<u64> {
        Some(EventCursor::byte_offset(self))
    }
}
