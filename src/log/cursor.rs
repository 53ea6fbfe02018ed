//! Walking over the events of a recording.

use std::borrow::Borrow;

use super::error::LogError;
use super::event::StampedEvent;
use super::index::ChunkInfo;
use super::reader::LogReader;
use crate::units::EventOrdinal;

/// A place between two events of a recording, which can look ahead and move.
///
/// It owns its reader (the player), borrows it, or shares it. The chunk of the next event is always decoded, so that
/// [`EventCursor::peek`] costs nothing; beside it at most one that was looked ahead into.
///
/// As an iterator it gives each event, then, if a chunk cannot be read, that error once, then nothing.
#[derive(Debug)]
pub struct EventCursor<R: Borrow<LogReader> = LogReader> {
    reader: R,
    /// The chunk of the next event, unless there is none.
    current: Option<Loaded>,
    /// The chunk that was last looked ahead into. Without events it is one that cannot be read.
    ahead: Option<Loaded>,
    /// Place of the next chunk to load in [`LogReader::chunks`].
    next_chunk: usize,
    ordinal: u64,
    failure: Option<LogError>,
    failure_given: bool,
}

/// A decoded chunk. Its events stay when they are passed: whoever goes back and forth in it need not decode it again.
#[derive(Debug)]
struct Loaded {
    /// Place in [`LogReader::chunks`].
    place: usize,
    events: Vec<StampedEvent>,
    /// How many of them are passed.
    passed: usize,
}

impl Loaded {
    fn rest(&self) -> &[StampedEvent] {
        &self.events[self.passed..]
    }
}

impl<R: Borrow<LogReader>> EventCursor<R> {
    /// Stands before the first event.
    pub fn new(reader: R) -> Self {
        let mut cursor = Self {
            reader,
            current: None,
            ahead: None,
            next_chunk: 0,
            ordinal: 0,
            failure: None,
            failure_given: false,
        };
        cursor.settle();
        cursor
    }

    /// The recording.
    pub fn reader(&self) -> &LogReader {
        self.reader.borrow()
    }

    /// The next event. `None` at the end, and where the next chunk cannot be read: see [`EventCursor::failure`].
    #[inline]
    pub fn peek(&self) -> Option<&StampedEvent> {
        self.current.as_ref()?.rest().first()
    }

    /// The event `n` after the next one (0 is the next one itself). `None` after the last, and where its chunk cannot
    /// be read. However far it is, no more than one other chunk is kept in memory.
    pub fn peek_nth(&mut self, n: usize) -> Option<&StampedEvent> {
        if n < self.current.as_ref()?.rest().len() {
            return self.current.as_ref()?.rest().get(n);
        }
        let wanted = self.ordinal.checked_add(n as u64)?;
        let reader = self.reader.borrow();
        let place = reader.chunks().partition_point(|chunk| chunk.end_ordinal() <= wanted);
        let first_ordinal = reader.chunks().get(place)?.first_ordinal;
        if self.ahead.as_ref().is_none_or(|ahead| ahead.place != place) {
            // Dropped first: two chunks that nobody asks for are one too many.
            self.ahead = None;
            // An error is told when the cursor comes to the chunk.
            let events = reader.load_chunk(place).unwrap_or_default();
            self.ahead = Some(Loaded { place, events, passed: 0 });
        }
        self.ahead.as_ref()?.events.get((wanted - first_ordinal) as usize)
    }

    /// Why there is no next event although the recording has more.
    pub fn failure(&self) -> Option<&LogError> {
        if self.peek().is_some() { None } else { self.failure.as_ref() }
    }

    /// The next event's ordinal; at the end, the number of events.
    pub fn ordinal(&self) -> EventOrdinal {
        EventOrdinal(self.ordinal)
    }

    /// Where in the file the chunk of the next event starts; at the end, where the last chunk ends.
    pub fn byte_offset(&self) -> u64 {
        let reader = self.reader.borrow();
        match &self.current {
            Some(chunk) => reader.chunks()[chunk.place].offset,
            None => match reader.chunks().get(self.next_chunk) {
                Some(chunk) => chunk.offset,
                None => reader.chunks().last().map_or(reader.info().header_bytes, ChunkInfo::end),
            },
        }
    }

    /// Moves before the event with an ordinal; the number of events is the end.
    ///
    /// # Errors
    /// [`LogError::NoSuchEvent`], or that of a chunk that cannot be read; the cursor then stands where it failed.
    pub fn seek(&mut self, ordinal: EventOrdinal) -> Result<(), LogError> {
        let reader = self.reader.borrow();
        let events = reader.events_count();
        if ordinal.0 > events {
            return Err(LogError::NoSuchEvent { ordinal: ordinal.0, events });
        }
        let place = reader.chunks().partition_point(|chunk| chunk.end_ordinal() <= ordinal.0);
        if let Some(current) = self.current.as_mut().filter(|current| current.place == place) {
            current.passed = (ordinal.0 - reader.chunks()[place].first_ordinal) as usize;
            self.ordinal = ordinal.0;
            return Ok(());
        }
        self.restart(place);
        self.skip_while(|event| event.ordinal < ordinal)
    }

    /// Moves before the first event that stands at `icount` or later; after the last event when there is none.
    pub fn seek_icount(&mut self, icount: u64) -> Result<(), LogError> {
        let chunks = self.reader.borrow().chunks();
        let later = chunks.partition_point(|chunk| chunk.first.icount < icount);
        // The last chunk that starts before may reach beyond.
        let place = chunks[..later].iter().rposition(|chunk| !chunk.is_snapshot).unwrap_or(later);
        self.restart(place);
        self.skip_while(|event| event.position.icount < icount)
    }

    fn restart(&mut self, place: usize) {
        let reader = self.reader.borrow();
        self.ordinal = reader.chunks().get(place).map_or(reader.events_count(), |chunk| chunk.first_ordinal);
        self.current = None;
        self.ahead = None;
        self.next_chunk = place;
        self.failure = None;
        self.failure_given = false;
        self.settle();
    }

    fn skip_while(&mut self, wanted: impl Fn(&StampedEvent) -> bool) -> Result<(), LogError> {
        while self.peek().is_some_and(&wanted) {
            self.pass();
        }
        self.failure().map_or(Ok(()), |failure| Err(failure.clone()))
    }

    /// Goes over the next event, if there is one.
    #[inline]
    pub fn pass(&mut self) {
        let Some(chunk) = self.current.as_mut() else { return };
        self.ordinal += 1;
        chunk.passed += 1;
        if chunk.rest().is_empty() {
            self.current = None;
            self.settle();
        }
    }

    /// Makes sure that the next event, if there is one, is decoded.
    fn settle(&mut self) {
        let reader = self.reader.borrow();
        let left = reader.chunks().get(self.next_chunk..).unwrap_or_default();
        let Some(skipped) = left.iter().position(|chunk| !chunk.is_snapshot) else {
            self.next_chunk = reader.chunks().len();
            return;
        };
        let place = self.next_chunk + skipped;
        self.next_chunk = place;
        self.current = self.ahead.take_if(|ahead| ahead.place == place && !ahead.events.is_empty());
        if self.current.is_none() {
            match reader.load_chunk(place) {
                Ok(events) => self.current = Some(Loaded { place, events, passed: 0 }),
                Err(error) => {
                    self.failure = Some(error);
                    return;
                }
            }
        }
        self.next_chunk += 1;
    }
}

impl<R: Borrow<LogReader>> Iterator for EventCursor<R> {
    type Item = Result<StampedEvent, LogError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(event) = self.peek().cloned() {
            self.pass();
            return Some(Ok(event));
        }
        match &self.failure {
            Some(failure) if !self.failure_given => {
                self.failure_given = true;
                Some(Err(failure.clone()))
            }
            _ => None,
        }
    }
}
