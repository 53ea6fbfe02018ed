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

/// What the guest side of the machine may ask of the outside, each question with the position it is asked at.
pub trait Nondet {
    /// Reads a host clock, in nanoseconds.
    fn clock(&mut self, at: Position, kind: ClockKind) -> i64;

    /// Fills `buffer` with host entropy and gives the host call's return code (0, or a negative errno with `buffer`
    /// zeroed).
    fn random(&mut self, at: Position, buffer: &mut [u8]) -> i32;

    /// Sends bytes of a character device to its host.
    fn char_write(&mut self, at: Position, device: CharId, bytes: &[u8]) -> CharWritten;

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
