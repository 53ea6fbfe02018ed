//! Memory and registers as a device sees them that is a bus master.

use super::access_trace::Initiator;
use super::hooks::{HookAccess, HookKind, Hooks};
use super::slots::AddressSpace;
use crate::cpu::{Cpu, RegisterSet};
use crate::devices::{DirectMemory, DirectRegisters};
use crate::memory::{Memory, open_bus};
use crate::units::Position;

/// RAM and ROM, with the hooks that watch them, at an instruction boundary.
pub(super) struct BusMaster<'a> {
    pub memory: &'a mut Memory,
    pub hooks: &'a mut Hooks,
    pub at: Position,
    /// The device's place on the board.
    pub slot: usize,
}

impl DirectMemory for BusMaster<'_> {
    fn read(&mut self, address: u16) -> u8 {
        let value = self.memory.read_backing(address).unwrap_or_else(|| open_bus(address));
        self.memory.note_io_read(address);
        self.note(HookKind::Read, address, None, value);
        value
    }

    fn write(&mut self, address: u16, value: u8) {
        let old = self.memory.read_backing(address);
        self.memory.note_written(address);
        self.memory.write_backing(address, value);
        self.note(HookKind::Write, address, old, value);
    }
}

impl BusMaster<'_> {
    fn note(&mut self, kind: HookKind, address: u16, old: Option<u8>, value: u8) {
        if self.hooks.any() {
            let initiator = Initiator::Device(self.slot);
            let space = AddressSpace::Memory;
            self.hooks.access(HookAccess { kind, space, address, old, value, at: self.at, initiator });
        }
    }
}

/// The processor's registers at an instruction boundary, and which of them a device has set.
pub(super) struct RegisterAccess<'a> {
    pub cpu: &'a mut Cpu,
    pub set: RegisterSet,
}

impl DirectRegisters for RegisterAccess<'_> {
    fn get(&self, name: &str) -> u16 {
        self.cpu.kind().register_by_name(name).map_or(0, |register| self.cpu.register(register))
    }

    fn set(&mut self, name: &str, value: u16) {
        if let Some(register) = self.cpu.kind().register_by_name(name) {
            self.cpu.set_register(register, value);
            self.set = self.set.union(RegisterSet::of(&[register]));
        }
    }
}
