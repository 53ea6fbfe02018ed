//! What the engine needs of the hosts around a machine.

use crate::events::AsyncEvent;
use crate::nondet::{CharId, CharWritten, ClockKind};
use crate::sync::Kick;
use std::time::Duration;

/// The hosts as the vCPU thread sees them: calls that must be answered at once.
pub trait Outlet: Send {
    /// Reads a host clock, in nanoseconds.
    fn clock(&mut self, kind: ClockKind) -> i64;

    /// Fills `buffer` with entropy; 0 or a negative errno.
    fn random(&mut self, buffer: &mut [u8]) -> i32;

    /// Takes bytes from a character device.
    fn char_write(&mut self, device: CharId, bytes: &[u8]) -> CharWritten;

    /// A run begins: the clock of running time goes on.
    fn run_starts(&mut self) {}

    /// A run has ended: the clock of running time stands still.
    fn run_ends(&mut self) {}
}

/// The hosts as the main loop sees them: sources of events.
pub trait Inlet {
    /// Events that came in since the last call. Called without the replay lock.
    fn poll(&mut self) -> Vec<AsyncEvent>;

    /// Whether more may come by itself: a terminal that is open, a script that still types. While this holds, a
    /// machine that waits for input keeps waiting; else it is halted. A source that ends on another thread kicks the
    /// main loop.
    fn may_deliver(&self) -> bool;

    /// Whether the user wants to stop (Ctrl-C). Called without the replay lock.
    fn interrupted(&mut self) -> bool;

    /// Waits until `kick` is kicked (an event came in, the vCPU has ended), or for as long as polling may rest.
    fn rest(&mut self, kick: &Kick) {
        kick.wait_at_most(Duration::from_millis(5));
    }
}
