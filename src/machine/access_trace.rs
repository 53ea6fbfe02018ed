//! Notes of what a stretch of a run has touched, for whoever searches it: unlike a hook, a trace ends no slice.

use super::hooks::HookKind;
use super::slots::AddressSpace;
use crate::cpu::RegisterSet;
use crate::units::Position;
use std::collections::VecDeque;

/// Who made an access.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Initiator {
    /// An instruction.
    Instruction,
    /// The CPU itself, on its way into an interrupt handler.
    Interrupt,
    /// A device that is a bus master, by its place on the board.
    Device(usize),
}

/// What a trace has noted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccessRecord {
    /// What happened.
    pub kind: HookKind,
    /// Instructions retired before it, and the exact cycle.
    pub at: Position,
    /// Where the address is.
    pub space: AddressSpace,
    /// The address executed, read or written.
    pub address: u16,
    /// What memory held before a write; `None` where a device answers.
    pub old: Option<u8>,
    /// The value read or written; 0 for an execution.
    pub value: u8,
    /// Where the instruction begins that did it; `None` when it was no instruction, or instructions are not looked at.
    pub pc: Option<u16>,
    /// Who did it. Where instructions are not looked at, an interrupt sequence passes for one.
    pub initiator: Initiator,
}

/// Registers that a device has set at an instruction boundary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RegistersSet {
    /// The boundary.
    pub at: Position,
    /// The device, by its place on the board.
    pub slot: usize,
    /// Which.
    pub registers: RegisterSet,
}

/// What a trace looks at, and how much of it is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceFilter {
    /// Instructions that begin in the range.
    pub executes: bool,
    /// Data read from the range.
    pub reads: bool,
    /// Data written to the range.
    pub writes: bool,
    /// Data read from and written to I/O ports, whatever the range.
    pub ports: bool,
    /// Of writes, only those that change what memory held; where a device answers, all.
    pub only_changes: bool,
    /// The first address.
    pub first: u16,
    /// The last address.
    pub last: u16,
    /// The last cycle that is looked at.
    pub last_cycle: u64,
    /// Records kept, the latest: older ones are counted and dropped.
    pub kept_max: usize,
    /// Whether each access is to know its instruction. Every instruction is then looked at, which costs speed.
    pub with_pc: bool,
}

impl TraceFilter {
    /// Looks at nothing of a range yet, to the end of the run, and keeps all.
    pub const fn of(first: u16, last: u16) -> Self {
        Self {
            executes: false,
            reads: false,
            writes: false,
            ports: false,
            only_changes: false,
            first,
            last,
            last_cycle: u64::MAX,
            kept_max: usize::MAX,
            with_pc: false,
        }
    }

    /// Looks at data written to a range.
    pub const fn writes_to(first: u16, last: u16) -> Self {
        Self { writes: true, ..Self::of(first, last) }
    }
}

/// A trace with its notes.
#[derive(Clone, Debug)]
pub struct AccessTrace {
    spec: TraceFilter,
    seen: VecDeque<AccessRecord>,
    dropped: u64,
    /// The instruction that was begun last.
    current: Option<(Position, u16)>,
    registers: Vec<RegistersSet>,
}

impl AccessTrace {
    /// A trace that has noted nothing.
    pub fn new(spec: TraceFilter) -> Self {
        Self { spec, seen: VecDeque::new(), dropped: 0, current: None, registers: Vec::new() }
    }

    /// What was noted, oldest first.
    pub fn seen(&self) -> impl DoubleEndedIterator<Item = &AccessRecord> {
        self.seen.iter()
    }

    /// What devices did to the registers, in order: noted where all instructions are.
    pub fn registers(&self) -> &[RegistersSet] {
        &self.registers
    }

    /// How many records were too many to be kept.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn watches_execution(&self, page: u8) -> bool {
        self.spec.with_pc || (self.spec.executes && self.reaches(page))
    }

    pub(super) fn watches_data(&self, page: u8) -> (bool, bool) {
        let reaches = self.reaches(page);
        (reaches && self.spec.reads, reaches && self.spec.writes)
    }

    fn reaches(&self, page: u8) -> bool {
        (self.spec.first >> 8..=self.spec.last >> 8).contains(&u16::from(page))
    }

    fn covers(&self, address: u16) -> bool {
        (self.spec.first..=self.spec.last).contains(&address)
    }

    pub(super) fn executes(&mut self, pc: u16, at: Position) {
        // Asked again where a run goes on before the same instruction.
        if self.current == Some((at, pc)) {
            return;
        }
        self.current = Some((at, pc));
        if self.spec.executes && self.covers(pc) {
            let (kind, initiator) = (HookKind::Execute, Initiator::Instruction);
            let space = AddressSpace::Memory;
            self.note(AccessRecord {
                kind,
                at,
                space,
                address: pc,
                old: None,
                value: 0,
                pc: Some(pc),
                initiator,
            });
        }
    }

    pub(super) fn accesses(&mut self, mut record: AccessRecord) {
        let wanted = match (record.space, record.kind) {
            (_, HookKind::Execute) => false,
            (AddressSpace::Io, _) => self.spec.ports,
            (AddressSpace::Memory, HookKind::Read) => self.spec.reads && self.covers(record.address),
            (AddressSpace::Memory, HookKind::Write) => {
                let is_change = !(self.spec.only_changes && record.old == Some(record.value));
                self.spec.writes && is_change && self.covers(record.address)
            }
        };
        if !wanted {
            return;
        }
        if self.spec.with_pc && record.initiator == Initiator::Instruction {
            record.pc = self
                .current
                .filter(|(begun, _)| begun.icount == record.at.icount && begun.cycles <= record.at.cycles)
                .map(|(_, pc)| pc);
            if record.pc.is_none() {
                record.initiator = Initiator::Interrupt;
            }
        }
        self.note(record);
    }

    pub(super) fn registers_set(&mut self, set: RegistersSet) {
        if self.spec.executes && self.spec.with_pc {
            self.registers.push(set);
        }
    }

    fn note(&mut self, record: AccessRecord) {
        if record.at.cycles > self.spec.last_cycle {
            return;
        }
        if self.seen.len() == self.spec.kept_max {
            self.seen.pop_front();
            self.dropped += 1;
        }
        self.seen.push_back(record);
    }
}
