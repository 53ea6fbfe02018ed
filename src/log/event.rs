//! The events of a recording.

use crate::bus::{Exception, Interrupt};
use crate::nondet::{CharId, CharWritten, ClockKind, ShutdownCause};
use crate::persist::Digest;
use crate::units::{EventOrdinal, Position};

/// Where the main loop and the vCPU loop agree on an order. The number is the one the log carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Checkpoint {
    ClockWarpStart = 0,
    ClockWarpAccount = 1,
    ResetRequested = 2,
    SuspendRequested = 3,
    ClockVirtual = 4,
    ClockHost = 5,
    ClockVirtualRt = 6,
    Init = 7,
    Reset = 8,
}

/// An event that comes from outside while the guest runs, and waits in the async queue until the one flush point.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum AsyncEvent {
    /// A deferred call of a device; `id` is the icount at scheduling.
    Bh { id: u64 },
    /// A deferred call that happens once and belongs to no device.
    BhOneshot { id: u64 },
    /// One input event of a packet.
    Input(InputEvent),
    /// The end of an input packet.
    InputSync,
    /// Bytes from the host side of a character device.
    CharRead { device: CharId, bytes: Vec<u8> },
    /// A block request has completed with a result (bytes, or a negative errno) and, for reads, its data.
    Block { id: u64, result: i32, data: Vec<u8> },
    /// A packet from the host side of a network device.
    Net { device: u16, flags: u32, bytes: Vec<u8> },
}

/// One input event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum InputEvent {
    Key { keycode: u16, down: bool },
    Button { button: u8, down: bool },
    Rel { axis: u8, value: i32 },
    Abs { axis: u8, value: i32 },
}

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
