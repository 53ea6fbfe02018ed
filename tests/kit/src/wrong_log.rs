//! A log in which one event is missing, doubled, elsewhere or another one, as a player sees it.

use rreplay::bus::{Exception, Interrupt};
use rreplay::events::{AsyncEvent, InputEvent};
use rreplay::log::{Event, LogError, StampedEvent};
use rreplay::nondet::{ClockKind, ShutdownCause};
use rreplay::persist::Digest;
use rreplay::replay::{Checkpoint, EventSource};
use rreplay::units::{EventOrdinal, Position};

/// What is done to an event of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EventChange {
    /// It is left out.
    Drop,
    /// It comes twice.
    Double,
    /// It stands at another position, in the same order.
    MoveTo(Position),
    /// It is another event of its kind, see [`other_payload`].
    Replace(Event),
}

/// An event of the same kind that carries something else; `None` for events that carry nothing.
pub fn other_payload(event: &Event) -> Option<Event> {
    let flipped = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes.last_mut().map(|byte| *byte ^= 0x04).map(|()| bytes)
    };
    Some(match event {
        Event::Interrupt(Interrupt::Irq) => Event::Interrupt(Interrupt::Nmi),
        Event::Interrupt(_) => Event::Interrupt(Interrupt::Irq),
        Event::Exception(Exception::Brk) => Event::Exception(Exception::Stop),
        Event::Exception(_) => Event::Exception(Exception::Brk),
        Event::Async(event) => Event::Async(other_async(event)?),
        Event::Shutdown(ShutdownCause::None) => Event::Shutdown(ShutdownCause::HostQuit),
        Event::Shutdown(_) => Event::Shutdown(ShutdownCause::None),
        Event::CharWrite { device, bytes, written } => {
            Event::CharWrite { device: *device, bytes: flipped(bytes)?, written: *written }
        }
        Event::CharReadAll { device, bytes } => {
            Event::CharReadAll { device: *device, bytes: flipped(bytes)? }
        }
        Event::CharReadAllError { device, error } => {
            Event::CharReadAllError { device: *device, error: error - 1 }
        }
        Event::AudioOut { frames } => Event::AudioOut { frames: frames + 1 },
        Event::AudioIn { recorded, samples, write_position } => Event::AudioIn {
            recorded: *recorded,
            samples: samples.clone(),
            write_position: write_position + 1,
        },
        Event::Random { result, bytes } => Event::Random { result: *result, bytes: flipped(bytes)? },
        Event::Clock { kind: ClockKind::Host, value } => {
            Event::Clock { kind: ClockKind::Host, value: value + 1_000_000 }
        }
        Event::Clock { kind, value } => Event::Clock { kind: *kind, value: value + 1_000_000 },
        Event::Checkpoint(Checkpoint::ClockVirtual) => Event::Checkpoint(Checkpoint::ClockHost),
        Event::Checkpoint(_) => Event::Checkpoint(Checkpoint::ClockVirtual),
        Event::Digest(digests) => {
            let mut digests = digests.clone();
            digests.first_mut()?.0[0] ^= 1;
            Event::Digest(digests)
        }
        Event::Snapshot { number } => Event::Snapshot { number: number + 1 },
        Event::End => return None,
    })
}

fn other_async(event: &AsyncEvent) -> Option<AsyncEvent> {
    Some(match event.clone() {
        AsyncEvent::Bh { id } => AsyncEvent::Bh { id: id + 1 },
        AsyncEvent::BhOneshot { id } => AsyncEvent::BhOneshot { id: id + 1 },
        AsyncEvent::Input(InputEvent::Key { keycode, down }) => {
            AsyncEvent::Input(InputEvent::Key { keycode, down: !down })
        }
        AsyncEvent::Input(InputEvent::Button { button, down }) => {
            AsyncEvent::Input(InputEvent::Button { button, down: !down })
        }
        AsyncEvent::Input(InputEvent::Rel { axis, value }) => {
            AsyncEvent::Input(InputEvent::Rel { axis, value: value ^ 1 })
        }
        AsyncEvent::Input(InputEvent::Abs { axis, value }) => {
            AsyncEvent::Input(InputEvent::Abs { axis, value: value ^ 1 })
        }
        AsyncEvent::InputSync => return None,
        AsyncEvent::CharRead { device, mut bytes } => {
            *bytes.last_mut()? ^= 0x04;
            AsyncEvent::CharRead { device, bytes }
        }
        AsyncEvent::Block { id, result, data } => AsyncEvent::Block { id, result: result ^ 1, data },
        AsyncEvent::Net { device, flags, bytes } => AsyncEvent::Net { device, flags: flags ^ 1, bytes },
    })
}

/// A source of events with one of them changed.
pub(super) struct WrongLog {
    log: Box<dyn EventSource>,
    /// The ordinal of the event that `log` has next.
    next: u64,
    /// Events that were given so far, the doubled one twice.
    given: u64,
    changed: u64,
    change: EventChange,
    /// The event in its place, once it was looked up.
    wrong: Option<StampedEvent>,
}

impl WrongLog {
    /// `next` is the ordinal of the event that `log` has next, `changed` that of the event to change.
    pub fn new(log: Box<dyn EventSource>, next: u64, changed: u64, change: EventChange) -> Self {
        Self { log, next, given: next, changed, change, wrong: None }
    }

    /// The ordinal, in the right log, of the event at a place of the wrong one.
    fn ordinal(&self, place: u64) -> u64 {
        match self.change {
            EventChange::Drop if place >= self.changed => place + 1,
            EventChange::Double if place > self.changed => place - 1,
            _ => place,
        }
    }

    /// The event that stands in place of the changed one, where there is one.
    fn replacement(&self, event: &StampedEvent) -> Option<StampedEvent> {
        match &self.change {
            EventChange::MoveTo(position) => Some(StampedEvent { position: *position, ..event.clone() }),
            EventChange::Replace(other) => Some(StampedEvent { event: other.clone(), ..event.clone() }),
            EventChange::Drop | EventChange::Double => None,
        }
    }
}

impl EventSource for WrongLog {
    fn identity(&self) -> Digest {
        self.log.identity()
    }

    fn peek(&mut self, ahead: usize) -> Result<Option<&StampedEvent>, LogError> {
        let ordinal = self.ordinal(self.given + ahead as u64);
        let ahead = (ordinal - self.next) as usize;
        if ordinal == self.changed && self.wrong.is_none() {
            let event = self.log.peek(ahead)?.cloned();
            self.wrong = event.and_then(|event| self.replacement(&event));
        }
        if ordinal == self.changed && self.wrong.is_some() {
            Ok(self.wrong.as_ref())
        } else {
            self.log.peek(ahead)
        }
    }

    fn advance(&mut self) {
        self.given += 1;
        while self.next < self.ordinal(self.given) {
            self.log.advance();
            self.next += 1;
        }
    }

    fn seek(&mut self, place: EventOrdinal) -> Result<(), LogError> {
        let ordinal = self.ordinal(place.0);
        self.log.seek(EventOrdinal(ordinal))?;
        (self.given, self.next) = (place.0, ordinal);
        Ok(())
    }

    fn read_snapshot(&self, number: u64) -> Result<Vec<u8>, LogError> {
        self.log.read_snapshot(number)
    }

    fn byte_offset(&self) -> Option<u64> {
        self.log.byte_offset()
    }
}
