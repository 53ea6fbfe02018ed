//! All that a guest may ask of the outside.
//!
//! A device or a CPU reaches the host only through [`Nondet`], which the replay state machine stands behind: in record
//! the answers are logged, in play they come from the log. An input that goes around it does not compile, because
//! nothing else is passed in.

use crate::bus::{Exception, Interrupt};
use crate::units::Position;

/// Which host clock a read wants.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum ClockKind {
    /// Wall clock, nanoseconds since 1970-01-01 UTC.
    Host = 0,
    /// Host monotonic time while the machine is running, nanoseconds.
    VirtualRt = 1,
}

/// Why a machine shuts down. The number is the one the log carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum ShutdownCause {
    None = 0,
    HostError = 1,
    HostQuit = 2,
    HostReset = 3,
    HostSignal = 4,
    HostUi = 5,
    GuestShutdown = 6,
    GuestReset = 7,
    GuestPanic = 8,
    SubsystemReset = 9,
    SnapshotLoad = 10,
}

impl ShutdownCause {
    /// Whether the guest itself asks: it comes to that by itself in play too.
    pub const fn is_of_guest(self) -> bool {
        matches!(self, Self::GuestShutdown | Self::GuestReset | Self::GuestPanic)
    }

    /// Whether the machine is reset and goes on, instead of being shut down.
    pub const fn is_reset(self) -> bool {
        matches!(self, Self::HostReset | Self::GuestReset | Self::SubsystemReset)
    }
}

/// A character device, by its order of registration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CharId(pub u16);

/// What the host did with bytes that a guest wrote.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CharWritten {
    /// Number of bytes taken, or a negative errno.
    pub result: i32,
    /// Bytes taken before the host stopped, equal to `result` when that is not negative.
    pub offset: u32,
}

/// A network device, by its order of registration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NetId(pub u16);

/// Who inside the machine asked for something that is answered later (a deferred call, a block request): a number that
/// means something to the guest and to nobody else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Owner(pub u16);

/// What an audio input gave.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AudioRead {
    /// Frames recorded into the caller's buffer.
    pub recorded: u32,
    /// Where the host's ring buffer is written next.
    pub write_position: u32,
}

/// What a device asks its host for and must know at once. The answer is bytes or a negative errno, and is logged as
/// `char_read_all`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CharRequest<'a> {
    /// The bytes that the host side of the device has.
    ReadAll,
    /// A read of a register of the user's own device: one byte.
    RegisterRead {
        /// Which register.
        offset: u16,
    },
    /// A write to a register of the user's own device: nothing, or one byte, the level of its interrupt output.
    RegisterWrite {
        /// Which register.
        offset: u16,
        /// What is written.
        value: u8,
    },
    /// The user's own device asked to be called at this cycle: nothing, or one byte, the level of its interrupt output.
    Tick,
    /// Opens a file: one byte, its descriptor.
    Open {
        /// Its name, as the guest gives it.
        path: &'a [u8],
        /// POSIX flags of the guest's C library, as the device understands them.
        flags: u16,
    },
    /// Closes a descriptor: nothing.
    Close {
        /// Which.
        descriptor: u16,
    },
    /// Reads from a file: as many bytes as there are, up to the length of the buffer.
    Read {
        /// From which.
        descriptor: u16,
    },
    /// Writes to a file: two bytes, how many were written, low byte first.
    Write {
        /// To which.
        descriptor: u16,
        /// What.
        bytes: &'a [u8],
    },
}

/// What a block device is asked for. Sectors have 512 bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BlockRequest {
    /// Reads `count` sectors.
    Read {
        /// First sector.
        sector: u64,
        /// Number of sectors.
        count: u32,
    },
    /// Writes whole sectors.
    Write {
        /// First sector.
        sector: u64,
        /// Their bytes.
        data: Vec<u8>,
    },
    /// Waits until everything written is safe.
    Flush,
}

/// How a block request ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockResult {
    /// Bytes transferred, or a negative errno.
    pub result: i32,
    /// What was read; empty for the other requests.
    pub data: Vec<u8>,
}

/// What the guest side of the machine may ask of the outside, each question with the position it is asked at.
pub trait Nondet {
    /// Reads a host clock, in nanoseconds.
    fn clock(&mut self, at: Position, kind: ClockKind) -> i64;

    /// Fills `buffer` with host entropy and returns the host call's return code (0, or a negative errno with `buffer`
    /// zeroed).
    fn random(&mut self, at: Position, buffer: &mut [u8]) -> i32;

    /// Sends bytes of a character device to its host.
    fn char_write(&mut self, at: Position, device: CharId, bytes: &[u8]) -> CharWritten;

    /// Fills `buffer` from the host side of a character device, now: the number of bytes, or a negative errno.
    fn char_read_all(&mut self, at: Position, device: CharId, buffer: &mut [u8]) -> i32;

    /// Asks the host side of a character device for something else that must be known now: the number of bytes in
    /// `buffer`, or a negative errno.
    fn char_request(
        &mut self,
        at: Position,
        device: CharId,
        request: CharRequest<'_>,
        buffer: &mut [u8],
    ) -> i32;

    /// Plays samples (16 bits, one channel) and returns the number of frames that the host took.
    fn audio_out(&mut self, at: Position, samples: &[i16]) -> u32;

    /// Records samples (16 bits, one channel) into `samples`.
    fn audio_in(&mut self, at: Position, samples: &mut [i16]) -> AudioRead;

    /// Sends a packet to the host side of a network device. Nothing comes back, so nothing is logged.
    fn net_send(&mut self, at: Position, device: NetId, flags: u32, packet: &[u8]);

    /// Starts a block request and returns its number. Its completion is delivered to `owner`, at an instruction boundary.
    fn block(&mut self, at: Position, owner: Owner, request: BlockRequest) -> u64;

    /// Asks to be called back (an [`AsyncEvent::Bh`](crate::events::AsyncEvent) for `owner`) at the next instruction
    /// boundary, outside of the access that is going on.
    fn schedule_bh(&mut self, at: Position, owner: Owner);

    /// As [`schedule_bh`](Nondet::schedule_bh), for a call that is made once and belongs to no lasting object.
    fn schedule_bh_oneshot(&mut self, at: Position, owner: Owner);

    /// The guest asks to be suspended: it stands still until an interrupt line or something from outside wakes it.
    fn suspend_request(&mut self, at: Position);

    /// The CPU is about to accept an interrupt; `false` (play only) means that the log does not have it here.
    fn interrupt(&mut self, at: Position, interrupt: Interrupt) -> bool;

    /// A synchronous exception; `false` (play only) means that the log does not have it here.
    fn exception(&mut self, at: Position, exception: Exception) -> bool;

    /// The guest asks the machine to shut down or reset.
    fn shutdown_request(&mut self, at: Position, cause: ShutdownCause);

    /// Whether the guest should give up the CPU after the current instruction: a divergence, a full disk, a stop that
    /// something asked for. Checked after each of the calls above.
    fn wants_break(&self) -> bool;
}
