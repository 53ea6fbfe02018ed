//! Device models, one chip a file: plain state with the data sheet's register names, plus what is passed in.
//!
//! A device holds no channel, callback or lock, so saving it is copying it. Time is the CPU clock: a device is never
//! ticked, it computes what happened since it was last looked at, and names the next cycle at which it must act by
//! itself ([`Device::next_timer`]).

pub mod mc6850;
pub mod mos6551;
pub mod py65_console;
pub mod serial;
pub mod via6522;

use crate::nondet::{CharId, Nondet};
use crate::persist::Persist;
use crate::units::Position;

/// What a device is given with every access.
pub struct Context<'a> {
    /// The exact bus cycle of the access, or the instruction boundary at which a timer is run.
    pub at: Position,
    /// CPU clock in Hz.
    pub clock_hz: u64,
    /// The device's own number as a character device; without meaning for others.
    pub char_id: CharId,
    /// The outside, behind the record/replay state machine.
    pub outside: &'a mut dyn Nondet,
}

/// A memory-mapped device.
///
/// Every method that is given a time must first do what was due by then, in order of time, so that the state after a
/// call depends only on the accesses and their cycles, never on how often somebody looked.
pub trait Device: Persist + Send {
    /// Chip or design, as board files name it (`mos6551`).
    fn kind(&self) -> &'static str;

    /// Number of register addresses.
    fn register_count(&self) -> u16;

    /// Whether the device answers an access of register `offset`; where it does not, what lies beneath answers.
    fn claims(&self, _offset: u16, _write: bool) -> bool {
        true
    }

    /// A CPU read of register `offset` (less than `register_count`), with its side effects.
    fn read(&mut self, offset: u16, context: &mut Context<'_>) -> u8;

    /// A CPU write of register `offset`, with its side effects.
    fn write(&mut self, offset: u16, value: u8, context: &mut Context<'_>);

    /// What a read at cycle `now` would give, without side effects: for debuggers and `m.memory`.
    fn peek(&self, offset: u16, now: u64) -> u8;

    /// The next cycle at which the device acts without being accessed: raises or drops its interrupt line, moves a
    /// byte to its host. `None` when nothing is due. An access before that cycle may change it.
    fn next_timer(&self) -> Option<u64>;

    /// Does everything due at or before `context.at.cycles`. Called at the instruction boundary at or after
    /// `next_timer`; an interrupt line raised here carries the exact cycle in [`Device::irq`].
    fn run_timer(&mut self, context: &mut Context<'_>);

    /// Brings lazily evaluated registers up to cycle `now` (the instruction boundary), so that the saved state is
    /// canonical. Never acts on the outside: whatever does is due by `next_timer` and has been done before.
    fn catch_up(&mut self, now: u64);

    /// The cycle since which the device holds its interrupt line low, or `None` while it is released.
    fn irq(&self) -> Option<u64>;

    /// The RESB pin, at a cycle.
    fn reset(&mut self, now: u64);

    /// Bytes from the host side of a character device, delivered at an instruction boundary. Only called on devices
    /// for which [`Device::is_char`] holds.
    fn receive(&mut self, _bytes: &[u8], _context: &mut Context<'_>) {}

    /// Whether the device has a character host side (and so a [`CharId`]).
    fn is_char(&self) -> bool {
        false
    }

    /// Received bytes that the guest has not read yet, in the wire and in the chip.
    fn pending_input(&self) -> usize {
        0
    }

    /// A copy, for forks.
    fn clone_box(&self) -> Box<dyn Device>;
}

impl Persist for Box<dyn Device> {
    fn save(&self, out: &mut Vec<u8>) {
        (**self).save(out);
    }
    fn restore(
        &mut self,
        reader: &mut crate::persist::Reader<'_>,
    ) -> Result<(), crate::persist::PersistError> {
        (**self).restore(reader)
    }
    fn fields(&self) -> Vec<(&'static str, crate::persist::Value)> {
        (**self).fields()
    }
}

impl Clone for Box<dyn Device> {
    fn clone(&self) -> Self {
        self.clone_box()
    }
}
