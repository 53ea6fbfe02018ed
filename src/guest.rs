//! What runs: a machine as the engine sees it.

use crate::events::Delivery;
use crate::nondet::{ClockKind, Nondet, Owner};
use crate::persist::{Digest, Sections};
use crate::units::Position;

/// How far a guest may run.
///
/// It stops at the first instruction boundary whose position is at or after `stop` (instructions first, then cycles),
/// or at which `cycles` have passed. A guest that is there already does nothing. `stop.icount` is never passed: where
/// it is reached and `stop.cycles` is not, all that can stand between is an interrupt sequence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// The position at which to stop.
    pub stop: Position,
    /// The cycle at or after which to stop, passed by less than one instruction.
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

/// A timer that is still due after its callback has run: the device is in a state that its program cannot have brought about.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the timer of device {device:?} is due at cycle {due} and still is after it has run at cycle {at}: its state was restored from a \
     damaged snapshot, so restore another one"
)]
pub struct StuckTimer {
    /// The device's name.
    pub device: String,
    /// When the timer is due.
    pub due: u64,
    /// The instruction boundary at which it has run.
    pub at: u64,
}

/// A machine as the engine runs it: it knows nothing of logs, threads or hosts.
///
/// Everything it does must follow from its state, the events delivered to it and the answers of [`Nondet`]; never from
/// how its run is cut into slices.
///
/// A machine whose instructions take two cycles each and add up:
///
/// ```
/// use rreplay::events::Delivery;
/// use rreplay::guest::{Budget, Guest, GuestExit, StuckTimer};
/// use rreplay::nondet::Nondet;
/// use rreplay::persist::{Digest, Field, Sections};
/// use rreplay::units::Position;
///
/// #[derive(Default)]
/// struct Adder {
///     icount: u64,
///     sum: u64,
/// }
///
/// impl Guest for Adder {
///     fn position(&self) -> Position {
///         Position::new(self.icount, 2 * self.icount)
///     }
///     fn clock_hz(&self) -> u64 {
///         1_000_000
///     }
///     fn run(&mut self, budget: Budget, outside: &mut dyn Nondet) -> GuestExit {
///         while self.position() < budget.stop
///             && self.position().cycles < budget.cycles
///             && !outside.wants_break()
///         {
///             self.sum += self.icount;
///             self.icount += 1;
///         }
///         GuestExit::Budget
///     }
///     fn next_timer(&self) -> Option<u64> {
///         None
///     }
///     fn run_timer(&mut self, _outside: &mut dyn Nondet) -> Result<(), StuckTimer> {
///         Ok(())
///     }
///     fn deliver(&mut self, _delivery: &Delivery, _outside: &mut dyn Nondet) {}
///     fn is_idle(&self) -> bool {
///         false
///     }
///     fn advance_idle(&mut self, _cycles: u64) {}
///     fn reset(&mut self, _outside: &mut dyn Nondet) {
///         self.sum = 0;
///     }
///     fn subsystems(&self) -> Vec<String> {
///         vec!["adder".to_owned()]
///     }
///     fn digests(&mut self) -> Vec<Digest> {
///         self.save().iter().map(|(_, bytes)| Digest::of(bytes)).collect()
///     }
///     fn save(&mut self) -> Sections {
///         let mut bytes = Vec::new();
///         (self.icount.put(&mut bytes), self.sum.put(&mut bytes));
///         vec![("adder".to_owned(), bytes)]
///     }
///     fn restore(&mut self, sections: &[(String, Vec<u8>)]) -> Result<(), String> {
///         let [(_, bytes)] = sections else { return Err("an adder has one section".to_owned()) };
///         let (icount, sum) = bytes.split_at_checked(8).ok_or("the section is too short")?;
///         let number = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).map_err(|_| "8 bytes each");
///         (self.icount, self.sum) = (number(icount)?, number(sum)?);
///         Ok(())
///     }
/// }
///
/// let mut adder = Adder { icount: 4, sum: 6 };
/// let saved = adder.save();
/// let mut other = Adder::default();
/// other.restore(&saved)?;
/// assert_eq!((other.position(), other.digests()), (adder.position(), adder.digests()));
/// # Ok::<(), String>(())
/// ```
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

    /// Runs the callback of the earliest timer, which is due. It is then off, or due later than it was.
    ///
    /// # Errors
    ///
    /// [`StuckTimer`] where a run would never come past it.
    fn run_timer(&mut self, outside: &mut dyn Nondet) -> Result<(), StuckTimer>;

    /// The reading of a host clock, in nanoseconds, at which the earliest timer on that clock is due. `None` when no
    /// timer is active on it.
    fn next_clock_timer(&self, _clock: ClockKind) -> Option<i64> {
        None
    }

    /// Runs the callbacks of all timers on a host clock that are due at its reading `now`, the earliest first.
    fn run_clock_timers(&mut self, _clock: ClockKind, _now: i64, _outside: &mut dyn Nondet) {}

    /// Delivers an event from outside, or the answer to a request, at the current instruction boundary.
    fn deliver(&mut self, delivery: &Delivery, outside: &mut dyn Nondet);

    /// A block request that this guest has made is on its way and has this number: told after its state was restored.
    fn number_request(&mut self, _id: u64, _owner: Owner) {}

    /// Whether the CPU waits and no line would wake it, so that only time or an event can.
    fn is_idle(&self) -> bool;

    /// Whether an interrupt sequence, and no instruction, is what the CPU does next.
    fn is_interrupted(&mut self, _outside: &mut dyn Nondet) -> bool {
        false
    }

    /// Whether the CPU's wait ends here and now without an interrupt sequence: the next [`run`](Guest::run) ends it, takes no
    /// time, and comes back before the instruction after the wait.
    fn wakes_here(&mut self, _outside: &mut dyn Nondet) -> bool {
        false
    }

    /// The guest's request to be suspended is granted: it is idle until a line or a delivery wakes it.
    fn suspend(&mut self) {}

    /// Lets time pass for a CPU that waits: the clock goes to `cycles`.
    fn advance_idle(&mut self, cycles: u64);

    /// The machine's reset line.
    fn reset(&mut self, outside: &mut dyn Nondet);

    /// One hash per subsystem, always the same subsystems in the same order.
    fn digests(&mut self) -> Vec<Digest>;

    /// Names of the subsystems of [`digests`](Guest::digests).
    fn subsystems(&self) -> Vec<String>;

    /// Everything that the run depends on, in named sections. Brings lazily computed state up to date.
    fn save(&mut self) -> Sections;

    /// What [`save_changes`](Guest::save_changes) gives next refers to the state now.
    fn begin_changes(&mut self) {}

    /// Sections in which the memory is what has changed since the last call of this or of
    /// [`begin_changes`](Guest::begin_changes). `None` for a guest that can only be saved whole.
    fn save_changes(&mut self) -> Option<Sections> {
        None
    }

    /// Becomes what [`save`](Guest::save) saw on a guest of the same make.
    ///
    /// # Errors
    /// Says what does not fit; the guest is then as it was.
    fn restore(&mut self, sections: &[(String, Vec<u8>)]) -> Result<(), String>;

    /// Bytes from character hosts that wait inside the machine to be read.
    fn pending_input(&self) -> usize {
        0
    }

    /// Address of the next instruction, for reports.
    fn pc(&self) -> Option<u16> {
        None
    }
}
