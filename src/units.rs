//! Units of position and time.
//!
//! A position in a run is `(icount, cycles, event ordinal)`. While the CPU waits (WAI, STP) `icount` stands still
//! and `cycles` go on, so neither alone is enough.

use std::fmt;

/// Instructions retired since power-on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Icount(pub u64);

/// CPU clock cycles since power-on: the virtual clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Cycles(pub u64);

/// Nanoseconds of virtual time: cycles divided by the clock frequency.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct VirtualNs(pub u64);

/// Number of a log event, counted from 0 at the start of the log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct EventOrdinal(pub u64);

/// Where the guest is: `icount` instructions have retired and `cycles` clock cycles have passed.
///
/// During an instruction `icount` is the number retired *before* it and `cycles` the exact bus cycle of the access.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Position {
    /// Instructions retired.
    pub icount: u64,
    /// Clock cycles passed.
    pub cycles: u64,
}

/// More instructions or cycles than any machine has had: at 1 GHz it would run for a century. A saved state that says more is
/// refused, so that sums of a time and a span need no look at their end.
pub(crate) const COUNT_MAX: u64 = 1 << 62;

impl Position {
    /// A position from raw counts.
    pub const fn new(icount: u64, cycles: u64) -> Self {
        Self { icount, cycles }
    }
}

impl Cycles {
    /// The virtual time of this cycle on a clock of `clock_hz`, rounded down.
    pub const fn to_ns(self, clock_hz: u64) -> VirtualNs {
        VirtualNs((self.0 as u128 * 1_000_000_000 / clock_hz as u128) as u64)
    }
}

impl VirtualNs {
    /// The number of whole cycles of `clock_hz` in this time, rounded up, so that a wait never ends early.
    pub const fn to_cycles(self, clock_hz: u64) -> Cycles {
        Cycles((self.0 as u128 * clock_hz as u128).div_ceil(1_000_000_000) as u64)
    }
}

impl fmt::Display for Icount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Cycles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for EventOrdinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "icount {} (cycle {})", self.icount, self.cycles)
    }
}
