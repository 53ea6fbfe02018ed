//! The events of a recording.

use crate::bus::{Exception, Interrupt};
pub use crate::events::{AsyncEvent, Checkpoint, InputEvent};
use crate::nondet::{CharId, CharWritten, ClockKind, ShutdownCause};
use crate::persist::Digest;
use crate::units::{EventOrdinal, Position};

/// What a log holds beside the instruction count, which stands as a delta before every event.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Event {
    Interrupt(Interrupt),
    Exception(Exception),
    Async(AsyncEvent),
    Shutdown(ShutdownCause),
    CharWrite {
        device: CharId,
        bytes: Vec<u8>,
        written: CharWritten,
    },
    CharReadAll {
        device: CharId,
        bytes: Vec<u8>,
    },
    CharReadAllError {
        device: CharId,
        error: i32,
    },
    AudioOut {
        frames: u32,
    },
    AudioIn {
        recorded: u32,
        samples: Vec<i16>,
        write_position: u32,
    },
    Random {
        result: i32,
        bytes: Vec<u8>,
    },
    Clock {
        kind: ClockKind,
        value: i64,
    },
    Checkpoint(Checkpoint),
    /// One hash per subsystem, in the order of the header's list.
    Digest(Vec<Digest>),
    /// A snapshot frame of this file, by its number, is the state here.
    Snapshot {
        number: u64,
    },
    End,
}

/// Names of event kinds, as Python, the command line and divergence reports show them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum EventKind {
    Interrupt,
    Exception,
    Bh,
    BhOneshot,
    Input,
    InputSync,
    CharRead,
    Block,
    Net,
    Shutdown,
    CharWrite,
    CharReadAll,
    CharReadAllError,
    AudioOut,
    AudioIn,
    Random,
    Clock,
    Checkpoint,
    Digest,
    Snapshot,
    End,
}

/// An event with its place in the run.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct StampedEvent {
    pub position: Position,
    pub ordinal: EventOrdinal,
    pub event: Event,
}
