//! Seeded faults: known mistakes that tests switch on, to see that their nets catch them. A net that cannot fail is no
//! net.
//!
//! They exist only with the feature `testing` and under the model checker; elsewhere [`is_seeded`] is `false` to the
//! compiler and nothing is left of them. tests/seeded_faults.rs and tests/models/loom_seeded_faults.rs say which net catches
//! which.

macro_rules! faults {
    ($($(#[$meta:meta])* $fault:ident $name:literal,)*) => {
        /// A mistake that could have been made.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum SeededFault {
            $($(#[$meta])* $fault),*
        }

        impl SeededFault {
            /// All of them.
            pub const ALL: &'static [SeededFault] = &[$(SeededFault::$fault),*];

            /// What it is, in words.
            pub const fn name(self) -> &'static str {
                match self { $(SeededFault::$fault => $name),* }
            }
        }
    };
}

faults! {
    /// Whoever comes when the lock is free takes it, whatever the tickets say.
    UnfairLock "an unfair lock",
    /// A kick that comes before the wait is forgotten.
    LostKick "a lost kick",
    /// Input is stamped with the position that the main loop saw before it had the lock.
    EventOutsideLock "an event written outside the lock",
    /// Interrupts are logged one instruction late.
    LateInterrupt "an interrupt one instruction late",
    /// Reads of the host clock are not logged.
    UnloggedClock "a clock read not logged",
    /// The player returns the value of the read before.
    StaleClock "a stale cached clock",
    /// A long distance between two events is written one instruction short.
    DeltaOffByOne "an off-by-one in the delta",
    /// Block completions are logged in one order and delivered in the other.
    BlockOutOfOrder "a block completion out of order",
    /// The first device has no part in the digests.
    DigestSkipsDevice "a digest that skips a device",
    /// The async queue is flushed after a slice, before the slice is accounted.
    FlushMisplaced "a flush in the wrong place",
    /// The wake of a CPU whose interrupts are masked is not logged.
    WakeNotLogged "a wake from waiting not logged",
    /// A replay from a snapshot goes on one event too late.
    SnapshotSkipsEvent "an event at a snapshot's position skipped",
    /// The checkpoint before a timer is not logged.
    CheckpointNotLogged "a timer's checkpoint not logged",
    /// A search passes over a stretch that it should look through.
    SearchSkipsStretch "a stretch passed over",
    /// An instruction that begins after the reset of a jammed processor is taken for no place.
    JamPassedOver "a place after a jam passed over",
    /// A replay does not look at what a snapshot says was touched.
    TouchedNotCompared "what was touched not compared",
    /// A replay does not compare its state with that of a snapshot.
    SnapshotNotCompared "a snapshot not compared with the run",
    /// A snapshot does not say what was written before it.
    TouchForgotten "writes left out of what was touched",
}

/// Whether the mistake is made.
#[cfg(not(any(feature = "testing", feature = "loom")))]
#[inline(always)]
pub const fn is_seeded(_fault: SeededFault) -> bool {
    false
}

/// Whether the mistake is made.
#[cfg(any(feature = "testing", feature = "loom"))]
pub fn is_seeded(fault: SeededFault) -> bool {
    switch::SEEDED.load(crate::sync::PlainOrdering::Relaxed) == fault as u8 + 1
}

#[cfg(any(feature = "testing", feature = "loom"))]
pub use switch::seed_fault;

#[cfg(any(feature = "testing", feature = "loom"))]
mod switch {
    use super::SeededFault;
    use crate::sync::{PlainAtomicU8, PlainOrdering};

    /// 0 for none, else the number of the fault and 1.
    pub(super) static SEEDED: PlainAtomicU8 = PlainAtomicU8::new(0);

    /// Seeds a fault in the whole process, or takes it out again.
    pub fn seed_fault(fault: Option<SeededFault>) {
        SEEDED.store(fault.map_or(0, |fault| fault as u8 + 1), PlainOrdering::Relaxed);
    }
}
