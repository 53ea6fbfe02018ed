//! What the engine needs of a machine, and of the hosts around it.

use crate::log::event::AsyncEvent;
use crate::nondet::{CharId, CharWritten, ClockKind, Nondet};
use crate::persist::Digest;
use crate::sync::Kick;
use crate::units::Position;
use std::time::Duration;

/// How far a guest may run.
///
/// It stops at the first instruction boundary whose position is at or behind `stop` (instructions first, then cycles),
/// or at which `cycles` have passed. A guest that is there already does nothing. `stop.icount` is never passed: where
/// it is reached and `stop.cycles` is not, all that can stand between is an interrupt sequence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// The position at which to stop.
    pub stop: Position,
    /// The cycle at or behind which to stop, passed by less than one instruction.
    pub cycles: u64,
}

/// Why a guest gave back the CPU.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum GuestExit {
    /// The budget is used, a timer is due, or something asked for a break.
    Budget,
    /// The CPU waits for an interrupt (WAI); time goes on.
    Waiting,
    /// The CPU has stopped until a reset (STP).
    Stopped,
    /// The CPU has stopped until a reset (an NMOS JAM opcode).
    Jammed,
    /// An instruction address was reached at which the caller wants to stop.
    Breakpoint,
    /// Somebody who watches the guest wants to be told what was seen.
    Hook,
    /// The guest did what its board forbids; the guest knows what.
    Fault,
}

/// A machine as the engine runs it: it knows nothing of logs, threads or hosts.
///
/// Everything it does must follow from its state, the events delivered to it and the answers of [`Nondet`]; never from
/// how its run is cut into slices.
pub trait Guest: Send {
    /// Where the machine is: an instruction boundary.
    fn position(&self) -> Position;

    /// Clock frequency in Hz.
    fn clock_hz(&self) -> u64;

    /// Runs until the budget is used, a virtual timer is due, the CPU waits, or `outside` wants a break. A guest that
    /// waits and sees no reason to wake gives back `Waiting` at once.
    fn run(&mut self, budget: Budget, outside: &mut dyn Nondet) -> GuestExit;

    /// The cycle at which the earliest timer on the virtual clock is due.
    fn next_timer(&self) -> Option<u64>;

    /// Runs the callback of the earliest timer, which is due.
    fn run_timer(&mut self, outside: &mut dyn Nondet);

    /// Delivers an event from outside, at the current instruction boundary.
    fn deliver(&mut self, event: &AsyncEvent, outside: &mut dyn Nondet);

    /// Whether the CPU waits and no line would wake it, so that only time or an event can.
    fn is_idle(&self) -> bool;

    /// Lets time pass for a CPU that waits: the clock goes to `cycles`.
    fn advance_idle(&mut self, cycles: u64);

    /// The machine's reset line.
    fn reset(&mut self, outside: &mut dyn Nondet);

    /// One hash per subsystem, always the same subsystems in the same order.
    fn digests(&mut self) -> Vec<Digest>;

    /// Names of the subsystems of [`digests`](Guest::digests).
    fn subsystems(&self) -> Vec<String>;

    /// Address of the next instruction, for reports.
    fn pc(&self) -> Option<u16> {
        None
    }
}

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
