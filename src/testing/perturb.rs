//! Planted bugs: a door through which a test changes a machine behind the recorder's back.
//!
//! A net that cannot fail is no net: the tests change a replaying machine here and assert that the replay says so.

use crate::error::Error;
use crate::session::Session;

/// A change that no log knows of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Perturbation {
    /// Flips bits of a byte of RAM or ROM.
    Memory {
        /// The byte.
        address: u16,
        /// The bits that are flipped.
        bits: u8,
    },
    /// Flips bits of the accumulator.
    Accumulator {
        /// The bits that are flipped.
        bits: u8,
    },
    /// Flips bits of Y.
    IndexY {
        /// The bits that are flipped.
        bits: u8,
    },
    /// The device with this number in board order takes a byte from the host that nobody sent.
    Input {
        /// Place in the order of character devices.
        device: u16,
        /// What it receives.
        byte: u8,
    },
}

impl Session {
    /// Changes the machine in any mode, unrecorded. For tests of what catches that; only with the feature `testing`.
    ///
    /// # Errors
    /// When nothing is mapped at the address.
    pub fn perturb(&self, perturbation: Perturbation) -> Result<(), Error> {
        use crate::engine::Guest;
        use crate::log::AsyncEvent;
        use crate::nondet::CharId;
        let mut world = self.world();
        match perturbation {
            Perturbation::Memory { address, bits } => {
                let flipped = world.guest.memory().bytes()[usize::from(address)] ^ bits;
                world.guest.poke(address, &[flipped])?;
            }
            Perturbation::Accumulator { bits } => world.guest.cpu_mut().a ^= bits,
            Perturbation::IndexY { bits } => world.guest.cpu_mut().y ^= bits,
            Perturbation::Input { device, byte } => {
                let (guest, mut outside) = world.split();
                guest.deliver(
                    &AsyncEvent::CharRead { device: CharId(device), bytes: vec![byte] }.into(),
                    &mut outside,
                );
            }
        }
        Ok(())
    }
}
