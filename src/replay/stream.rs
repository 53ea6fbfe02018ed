//! Where events go to and come from.

use crate::log::event::{Event, StampedEvent};
use crate::log::{EventCursor, LogError, LogReader, LogWriter};
use crate::persist::Digest;
use crate::sync::{Arc, Mutex, lock};
use crate::units::{EventOrdinal, Position};

/// Takes the events of a run in order.
pub trait EventSink: Send {
    /// What identifies the log's header; zeros for a log that has none.
    fn identity(&self) -> Digest {
        Digest([0; 16])
    }

    /// Appends one event.
    ///
    /// # Errors
    /// When it cannot be kept (a full disk); what was appended before stays whole.
    fn append(&mut self, position: Position, event: &Event) -> Result<EventOrdinal, LogError>;

    /// Appends a snapshot and the event that refers to it; returns the snapshot's number, and the bytes that it takes.
    ///
    /// # Errors
    /// When it cannot be kept; what was appended before stays whole.
    fn append_snapshot(&mut self, position: Position, container: &[u8]) -> Result<(u64, usize), LogError>;

    /// Makes everything appended so far survive the end of this process.
    ///
    /// # Errors
    /// When it cannot be kept; what was appended before stays whole.
    fn flush(&mut self) -> Result<(), LogError>;

    /// Ends the log: index, sync.
    ///
    /// # Errors
    /// When it cannot be kept; what was appended before stays whole.
    fn finish(&mut self) -> Result<(), LogError>;
}

/// The events of a recorded run, in order.
pub trait EventSource: Send {
    /// The same as [`EventSink::identity`].
    fn identity(&self) -> Digest {
        Digest([0; 16])
    }

    /// The `ahead`-th event after the current one, or `None` after the last.
    ///
    /// # Errors
    /// When the log cannot be read at that point.
    fn peek(&mut self, ahead: usize) -> Result<Option<&StampedEvent>, LogError>;

    /// Goes on to the next event.
    fn advance(&mut self);

    /// Goes to the event with an ordinal.
    ///
    /// # Errors
    /// When there is no such event, or the log cannot be read there.
    fn seek(&mut self, ordinal: EventOrdinal) -> Result<(), LogError>;

    /// The snapshot with a number.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    fn read_snapshot(&self, number: u64) -> Result<Vec<u8>, LogError>;

    /// File offset at which the current event can be found (that of its chunk), for reports.
    fn byte_offset(&self) -> Option<u64>;
}

/// A log in memory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MemoryLog {
    /// The events, in order.
    pub events: Vec<StampedEvent>,
    /// The snapshots, by number.
    pub snapshots: Vec<Vec<u8>>,
}

/// Keeps a log in memory.
pub struct MemorySink {
    log: Arc<Mutex<MemoryLog>>,
}

impl Default for MemorySink {
    fn default() -> Self {
        Self { log: Arc::new(Mutex::new(MemoryLog::default())) }
    }
}

impl MemorySink {
    /// A second handle on the log, to read it when the run is over.
    pub fn log(&self) -> impl Fn() -> MemoryLog + Send + use<> {
        let log = self.log.clone();
        move || lock(&log).clone()
    }
}

impl EventSink for MemorySink {
    fn append(&mut self, position: Position, event: &Event) -> Result<EventOrdinal, LogError> {
        let events = &mut lock(&self.log).events;
        let ordinal = EventOrdinal(events.len() as u64);
        events.push(StampedEvent { position, ordinal, event: event.clone() });
        Ok(ordinal)
    }

    fn append_snapshot(&mut self, position: Position, container: &[u8]) -> Result<(u64, usize), LogError> {
        let number = {
            let snapshots = &mut lock(&self.log).snapshots;
            snapshots.push(container.to_vec());
            snapshots.len() as u64 - 1
        };
        self.append(position, &Event::Snapshot { number })?;
        Ok((number, container.len()))
    }

    fn flush(&mut self) -> Result<(), LogError> {
        Ok(())
    }

    fn finish(&mut self) -> Result<(), LogError> {
        Ok(())
    }
}

/// Plays a log from memory.
pub struct MemorySource {
    log: MemoryLog,
    next: usize,
}

impl MemorySource {
    /// Plays `log` from its first event.
    pub fn new(log: MemoryLog) -> Self {
        Self { log, next: 0 }
    }
}

impl EventSource for MemorySource {
    fn peek(&mut self, ahead: usize) -> Result<Option<&StampedEvent>, LogError> {
        Ok(self.log.events.get(self.next + ahead))
    }

    fn advance(&mut self) {
        self.next += 1;
    }

    fn seek(&mut self, ordinal: EventOrdinal) -> Result<(), LogError> {
        let events = self.log.events.len() as u64;
        if ordinal.0 > events {
            return Err(LogError::NoSuchEvent { ordinal: ordinal.0, events });
        }
        self.next = ordinal.0 as usize;
        Ok(())
    }

    fn read_snapshot(&self, number: u64) -> Result<Vec<u8>, LogError> {
        let snapshots = self.log.snapshots.len() as u64;
        let found = usize::try_from(number).ok().and_then(|number| self.log.snapshots.get(number));
        found.cloned().ok_or(LogError::NoSuchSnapshot { number, snapshots })
    }

    fn byte_offset(&self) -> Option<u64> {
        None
    }
}

impl EventSink for LogWriter {
    fn identity(&self) -> Digest {
        Digest(self.id().0)
    }

    fn append(&mut self, position: Position, event: &Event) -> Result<EventOrdinal, LogError> {
        LogWriter::append(self, position, event)
    }

    fn append_snapshot(&mut self, position: Position, container: &[u8]) -> Result<(u64, usize), LogError> {
        let (number, _) = LogWriter::append_snapshot(self, position, container)?;
        Ok((number, self.last_frame_bytes()))
    }

    fn flush(&mut self) -> Result<(), LogError> {
        LogWriter::flush(self)
    }

    fn finish(&mut self) -> Result<(), LogError> {
        LogWriter::finish(self)
    }
}

impl<R: std::borrow::Borrow<LogReader> + Send> EventSource for EventCursor<R> {
    fn identity(&self) -> Digest {
        Digest(self.reader().id().0)
    }

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
        self.pass();
    }

    fn seek(&mut self, ordinal: EventOrdinal) -> Result<(), LogError> {
        EventCursor::seek(self, ordinal)
    }

    fn read_snapshot(&self, number: u64) -> Result<Vec<u8>, LogError> {
        self.reader().read_snapshot(number)
    }

    fn byte_offset(&self) -> Option<u64> {
        Some(EventCursor::byte_offset(self))
    }
}
