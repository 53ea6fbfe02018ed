//! Memory as a device that is a bus master sees it.

use super::hooks::{HookKind, Hooks};
use crate::devices::DirectMemory;
use crate::memory::{Memory, open_bus};
use crate::units::Position;

/// RAM and ROM, with the hooks that watch them, at an instruction boundary.
pub(super) struct BusMaster<'a> {
    pub memory: &'a mut Memory,
    pub hooks: &'a mut Hooks,
    pub at: Position,
}

impl DirectMemory for BusMaster<'_> {
    fn read(&mut self, address: u16) -> u8 {
        let value = self.memory.read_beneath(address).unwrap_or_else(|| open_bus(address));
        self.hooks.access(HookKind::Read, address, value, self.at);
        value
    }

    fn write(&mut self, address: u16, value: u8) {
        self.memory.write_beneath(address, value);
        self.hooks.access(HookKind::Write, address, value, self.at);
    }
}
