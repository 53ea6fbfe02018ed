//! Where a byte comes from: a slice back through stores, arithmetic and loads, as a graph.

use super::cursor::Cancel;
use super::exec_trace::{ExecutionTrace, ReachingDefinition, TracedInstruction};
use super::graph::{NodeKind, OriginNode, in_order};
use super::search::{Found, Search};
use crate::cpu::instruction::{BY_PROCESSOR, Definition, Derivation};
use crate::cpu::{CpuKind, Register};
use crate::error::Error;
use crate::log::event::StampedEvent;
use crate::log::{AsyncEvent, Event, EventKind};
use crate::machine::{AccessRecord, AddressSpace, Initiator, TraceFilter};
use crate::memory::PageKind;
use crate::recording::Recording;
use crate::units::Position;
use std::collections::{BTreeMap, BinaryHeap};

/// Instructions that are gone back over for one register.
pub const STEPS_MAX: u64 = 20_000;
/// Nodes of a graph after which no further instruction is gone into.
pub const NODES_MAX: usize = 500;

/// Instructions that are noted at a time, at first; further back ever more.
const FIRST_NOTES: u64 = 500;

/// The run that is walked back over.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    pub search: &'a Search,
    pub recording: &'a Recording,
}

/// What lies at an address, for one who reads it.
enum Backing {
    Device(usize),
    Rom,
    /// Memory, and whether what the processor writes goes there, and not to a device.
    Ram {
        is_written: bool,
    },
    Nothing,
}

/// Whose writes to an address are looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Anybody,
    Processor,
    Device,
}

impl By {
    fn counts(self, initiator: Initiator) -> bool {
        let by_device = matches!(initiator, Initiator::Device(_));
        self == By::Anybody || by_device == (self == By::Device)
    }
}

/// Where a value is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Location {
    Register(Register),
    Byte(u16),
}

/// A value whose origin is still to be found. The latest is looked for first, so that the slice goes back but once.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct PendingUse {
    place: Position,
    location: Location,
    value: u16,
    /// The node that was made from it, and as which of its sources.
    user: usize,
    source: usize,
}

/// What tells a value that was made from all others.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum DefId {
    At(Position, Location),
    Found(Location),
}

/// How the graph shows what the opcode table says.
const fn kind_of(derivation: Derivation) -> NodeKind {
    match derivation {
        Derivation::Load => NodeKind::Load,
        Derivation::Store => NodeKind::Store,
        Derivation::Compute => NodeKind::Compute,
        Derivation::Constant => NodeKind::Constant,
        Derivation::Processor => NodeKind::Processor,
    }
}

struct BackwardSlice<'a> {
    run: Run<'a>,
    cpu: CpuKind,
    start: Position,
    /// The last icount whose events are of interest.
    last: u64,
    exec_trace: Option<ExecutionTrace>,
    nodes: Vec<OriginNode>,
    made: BTreeMap<DefId, usize>,
    pending: BinaryHeap<PendingUse>,
    /// The bytes that character devices have received.
    received: Option<Vec<StampedEvent>>,
}

/// The graph of the byte at an address, as it stands at a place; see [`Timeline::origin`](super::Timeline::origin).
///
/// # Errors
/// A divergence, a file that cannot be read, a user who wants to stop.
pub fn trace(
    run: Run<'_>,
    address: u16,
    place: Position,
    cancel: &mut Cancel<'_>,
) -> Result<Vec<OriginNode>, Error> {
    let measure;
    let (cpu, start, value) = {
        let mut cursor = run.search.cursor(cancel)?;
        measure = cancel.covers(place.icount, cursor.start().icount);
        cursor.go_to(place, cancel)?;
        let vm = cursor.session().vm();
        (vm.guest.cpu().kind(), cursor.start(), vm.guest.peek(address))
    };
    let mut slice = BackwardSlice {
        run,
        cpu,
        start,
        last: place.icount,
        exec_trace: None,
        nodes: Vec::new(),
        made: BTreeMap::new(),
        pending: BinaryHeap::new(),
        received: None,
    };
    let root = slice.root(address, place, value.into(), cancel)?;
    while let Some(pending) = slice.pending.pop() {
        measure.reach(pending.place.icount, cancel);
        cancel.spend(1)?;
        let found = match pending.location {
            Location::Register(register) => slice.register(register, pending.place, pending.value, cancel)?,
            Location::Byte(address) => slice.byte(address, pending.place, pending.value, cancel)?,
        };
        slice.nodes[pending.user].sources[pending.source] = found;
    }
    Ok(in_order(slice.nodes, root))
}

impl BackwardSlice<'_> {
    // ---- bytes ----

    fn root(
        &mut self,
        address: u16,
        place: Position,
        value: u16,
        cancel: &mut Cancel<'_>,
    ) -> Result<usize, Error> {
        let Backing::Device(slot) = self.backing(address, cancel)? else {
            return self.byte(address, place, value, cancel);
        };
        // A register that is written to stands for what was written; what is read there may be something else.
        let is_written =
            self.run.search.cursor(cancel)?.session().vm().guest.device_at(address, true).is_some();
        let write = if is_written { self.last_write(address, place, By::Processor, cancel)? } else { None };
        if let Some(write) = write {
            return self.written(write, cancel);
        }
        let what = format!("${address:04X}, a register of {}", self.device(slot, cancel)?);
        Ok(self.leaf(NodeKind::Input, place, value, what, Some(address)))
    }

    /// Where a byte comes from that was read at an address, by an instruction that began at a place.
    fn byte(
        &mut self,
        address: u16,
        place: Position,
        value: u16,
        cancel: &mut Cancel<'_>,
    ) -> Result<usize, Error> {
        let found = match self.backing(address, cancel)? {
            Backing::Ram { is_written } => {
                let by = if is_written { By::Anybody } else { By::Device };
                self.last_write(address, place, by, cancel)?
            }
            Backing::Rom => {
                let what = format!("${address:04X} in ROM");
                return Ok(self.leaf(NodeKind::Rom, place, value, what, Some(address)));
            }
            Backing::Device(_) | Backing::Nothing => {
                let what = format!("what floats on the bus at ${address:04X}");
                return Ok(self.leaf(NodeKind::Processor, place, value, what, Some(address)));
            }
        };
        if let Some(write) = found {
            return self.written(write, cancel);
        }
        let made = DefId::Found(Location::Byte(address));
        let what = format!("${address:04X} as the recording found it");
        Ok(self.once(made, |slice| slice.leaf(NodeKind::Initial, slice.start, value, what, Some(address))))
    }

    fn last_write(
        &mut self,
        address: u16,
        place: Position,
        by: By,
        cancel: &mut Cancel<'_>,
    ) -> Result<Option<AccessRecord>, Error> {
        let mut before = place;
        if let Some(exec_trace) = self.exec_trace.as_ref().filter(|exec_trace| exec_trace.reaches(place)) {
            let found = exec_trace.last_write(address, place, |initiator| by.counts(initiator));
            if found.is_some() || exec_trace.is_first {
                return Ok(found);
            }
            before = exec_trace.base;
        }
        // The last one is looked for.
        let kept_max = if by == By::Anybody { 1 } else { usize::MAX };
        let spec = TraceFilter { kept_max, ..TraceFilter::writes_to(address, address) };
        let mut accept = |found: &Found, _: &mut Cancel<'_>| Ok(by.counts(found.record.initiator));
        let found = self.run.search.backward(before, &[spec], cancel, &mut accept)?;
        Ok(found.map(|found| found.record))
    }

    /// The node of a write.
    fn written(&mut self, write: AccessRecord, cancel: &mut Cancel<'_>) -> Result<usize, Error> {
        let made = DefId::At(write.at, Location::Byte(write.address));
        if let Some(node) = self.made.get(&made) {
            return Ok(*node);
        }
        let node = match self.initiator(&write, cancel)? {
            Ok(step) => {
                let stored_from = step.operation(self.cpu).stored_from;
                let node = self.node(&step, write.at, write.value.into());
                let node = OriginNode { address: Some(write.address), ..node };
                self.instruction(node, &step, stored_from, cancel)?
            }
            Err(Initiator::Device(slot)) => {
                let what = format!("written by {}", self.device(slot, cancel)?);
                self.leaf(NodeKind::Device, write.at, write.value.into(), what, Some(write.address))
            }
            Err(_) => {
                let what = "pushed on the way into an interrupt handler".to_owned();
                self.leaf(NodeKind::Interrupt, write.at, write.value.into(), what, Some(write.address))
            }
        };
        self.made.insert(made, node);
        Ok(node)
    }

    /// The instruction that made a write, or who else.
    fn initiator(
        &mut self,
        write: &AccessRecord,
        cancel: &mut Cancel<'_>,
    ) -> Result<Result<TracedInstruction, Initiator>, Error> {
        if let Initiator::Device(_) = write.initiator {
            return Ok(Err(write.initiator));
        }
        // After the instruction that makes it.
        let after = Position::new(write.at.icount.saturating_add(1), write.at.cycles + 1);
        if !self.exec_trace.as_ref().is_some_and(|exec_trace| exec_trace.reaches(write.at)) {
            let length = self.first_length();
            self.take_notes(after, length, cancel)?;
        }
        let initiator = self.exec_trace.as_ref().and_then(|exec_trace| exec_trace.initiator(write));
        initiator.ok_or_else(|| Error::Engine(format!("the access at {} was not made again", write.at)))
    }

    // ---- registers ----

    /// Where the value of a register comes from that it has at a place.
    fn register(
        &mut self,
        register: Register,
        place: Position,
        value: u16,
        cancel: &mut Cancel<'_>,
    ) -> Result<usize, Error> {
        let first = place.icount.saturating_sub(STEPS_MAX);
        let (mut until, mut length) = (place, self.first_length());
        loop {
            if !self.exec_trace.as_ref().is_some_and(|exec_trace| exec_trace.reaches(until)) {
                self.take_notes(until, length.min((until.icount - first).max(1)), cancel)?;
                length = (length * 4).min(self.run.search.stretches().longest);
            }
            let Some(exec_trace) = self.exec_trace.as_ref().filter(|exec_trace| exec_trace.reaches(until))
            else {
                return Err(Error::Engine(format!(
                    "a replay that was to go to {until} came to no end there"
                )));
            };
            let (is_first, base) = (exec_trace.is_first, exec_trace.base);
            if let Some(setting) = exec_trace.setting(register, until, self.cpu) {
                return self.set(register, setting, value, cancel);
            }
            if is_first {
                let made = DefId::Found(Location::Register(register));
                let what = format!("{} as the recording found it", self.register_name(register));
                return Ok(
                    self.once(made, |slice| slice.leaf(NodeKind::Initial, slice.start, value, what, None))
                );
            }
            if base.icount <= first {
                let what = format!("{}, {STEPS_MAX} instructions back", self.register_name(register));
                return Ok(self.leaf(NodeKind::Limit, place, value, what, None));
            }
            until = base;
        }
    }

    /// The node of what has given a register its value.
    fn set(
        &mut self,
        register: Register,
        setting: ReachingDefinition,
        value: u16,
        cancel: &mut Cancel<'_>,
    ) -> Result<usize, Error> {
        let at = match setting {
            ReachingDefinition::TracedInstruction(step) => step.at,
            ReachingDefinition::Device(set) => set.at,
            ReachingDefinition::Interrupt(at) => at,
        };
        let made = DefId::At(at, Location::Register(register));
        if let Some(node) = self.made.get(&made) {
            return Ok(*node);
        }
        let name = self.register_name(register);
        let node = match setting {
            ReachingDefinition::TracedInstruction(step) => {
                let definition = step
                    .operation(self.cpu)
                    .definition(register, self.cpu.stack_pointer())
                    .unwrap_or(BY_PROCESSOR);
                let node = self.node(&step, step.at, value);
                self.instruction(node, &step, definition, cancel)?
            }
            ReachingDefinition::Device(set) => {
                let what = format!("{name} set by {}", self.device(set.slot, cancel)?);
                self.leaf(NodeKind::Device, at, value, what, None)
            }
            ReachingDefinition::Interrupt(_) => {
                let what = format!("{name} on the way into a handler");
                self.leaf(NodeKind::Interrupt, at, value, what, None)
            }
        };
        self.made.insert(made, node);
        Ok(node)
    }

    // ---- instructions ----

    fn node(&self, step: &TracedInstruction, at: Position, value: u16) -> OriginNode {
        let what = format!("{} at ${:04X}", step.decode(self.cpu).text(), step.pc);
        OriginNode {
            kind: NodeKind::Processor,
            at,
            value: Some(value),
            what,
            pc: Some(step.pc),
            address: None,
            event: None,
            sources: Vec::new(),
        }
    }

    /// Adds the node of an instruction, and asks for what its value is made of.
    fn instruction(
        &mut self,
        mut node: OriginNode,
        step: &TracedInstruction,
        definition: Definition,
        cancel: &mut Cancel<'_>,
    ) -> Result<usize, Error> {
        node.kind = kind_of(definition.derivation);
        let number = self.nodes.len();
        if number >= NODES_MAX && (definition.operand || !definition.registers.is_empty()) {
            node.kind = NodeKind::Limit;
            node.what = "the graph is large enough".to_owned();
            self.nodes.push(node);
            return Ok(number);
        }
        self.nodes.push(node);
        if !definition.registers.is_empty() {
            let values = {
                let mut cursor = self.run.search.cursor(cancel)?;
                cursor.go_to(step.at, cancel)?;
                cursor.session().registers()
            };
            for register in definition.registers.iter() {
                self.want(number, step.at, Location::Register(register), values.get(register));
            }
        }
        if definition.operand {
            self.operand(number, step, cancel)?;
        }
        Ok(number)
    }

    fn want(&mut self, user: usize, place: Position, location: Location, value: u16) {
        let source = self.nodes[user].sources.len();
        self.nodes[user].sources.push(usize::MAX);
        self.pending.push(PendingUse { place, location, value, user, source });
    }

    /// Adds an instruction's operand to the sources of its node.
    fn operand(
        &mut self,
        user: usize,
        step: &TracedInstruction,
        cancel: &mut Cancel<'_>,
    ) -> Result<(), Error> {
        if let Some(offset) = step.decode(self.cpu).immediate {
            let (address, value) = (step.pc.wrapping_add(offset.into()), step.bytes[usize::from(offset)]);
            let what = format!("#${value:02X} at ${address:04X}");
            let leaf = self.leaf(NodeKind::Constant, step.at, value.into(), what, Some(address));
            self.nodes[user].sources.push(leaf);
            return Ok(());
        }
        let read = self.exec_trace.as_ref().and_then(|exec_trace| exec_trace.operand(step));
        let Some(read) = read else {
            return Err(Error::Engine(format!("the instruction at {} has not read its operand", step.at)));
        };
        let device = match read.space {
            AddressSpace::Io => Some(self.device_at_port(read.address, cancel)?),
            AddressSpace::Memory => match self.backing(read.address, cancel)? {
                Backing::Device(slot) => Some(Some(slot)),
                _ => None,
            },
        };
        if let Some(device) = device {
            let leaf = self.input(&read, step.pc, device, cancel)?;
            self.nodes[user].sources.push(leaf);
        } else {
            self.want(user, step.at, Location::Byte(read.address), read.value.into());
        }
        Ok(())
    }

    fn input(
        &mut self,
        read: &AccessRecord,
        pc: u16,
        slot: Option<usize>,
        cancel: &mut Cancel<'_>,
    ) -> Result<usize, Error> {
        let place = match read.space {
            AddressSpace::Memory => format!("${:04X}", read.address),
            AddressSpace::Io => format!("port ${:02X}", read.address),
        };
        let Some(slot) = slot else {
            let what = format!("read where no device answers, {place}");
            return Ok(self.leaf(NodeKind::Processor, read.at, read.value.into(), what, None));
        };
        let device = self.device(slot, cancel)?;
        if self.received.is_none() {
            let stop = self.last.saturating_add(1);
            let mut received = Vec::new();
            for event in self.run.recording.events(Some(EventKind::CharRead), None, Some(stop))? {
                cancel.spend(100)?;
                received.push(event?);
            }
            self.received = Some(received);
        }
        let brought = |event: &&StampedEvent| match &event.event {
            Event::Async(AsyncEvent::CharRead { device: of, bytes }) => {
                event.position.cycles <= read.at.cycles
                    && self.run.recording.char_name(*of) == Some(&device)
                    && bytes.contains(&read.value)
            }
            _ => false,
        };
        let event = self.received.iter().flatten().rfind(brought).cloned();
        let what = format!("read from {device}, {place}");
        let address = (read.space == AddressSpace::Memory).then_some(read.address);
        let leaf = self.leaf(NodeKind::Input, read.at, read.value.into(), what, address);
        (self.nodes[leaf].pc, self.nodes[leaf].event) = (Some(pc), event);
        Ok(leaf)
    }

    // ---- the ground ----

    fn first_length(&self) -> u64 {
        self.run.search.stretches().first.min(FIRST_NOTES)
    }

    fn take_notes(&mut self, until: Position, length: u64, cancel: &mut Cancel<'_>) -> Result<(), Error> {
        let mut cursor = self.run.search.cursor(cancel)?;
        self.exec_trace = Some(ExecutionTrace::take(&mut cursor, self.cpu, until, length, cancel)?);
        Ok(())
    }

    fn leaf(
        &mut self,
        kind: NodeKind,
        at: Position,
        value: u16,
        what: String,
        address: Option<u16>,
    ) -> usize {
        let value = Some(value);
        self.nodes.push(OriginNode {
            kind,
            at,
            value,
            what,
            pc: None,
            address,
            event: None,
            sources: Vec::new(),
        });
        self.nodes.len() - 1
    }

    fn once(&mut self, made: DefId, make: impl FnOnce(&mut Self) -> usize) -> usize {
        if let Some(node) = self.made.get(&made) {
            return *node;
        }
        let node = make(self);
        self.made.insert(made, node);
        node
    }

    fn backing(&self, address: u16, cancel: &mut Cancel<'_>) -> Result<Backing, Error> {
        let cursor = self.run.search.cursor(cancel)?;
        let guest = &cursor.session().vm().guest;
        Ok(match (guest.device_at(address, false), guest.memory().kind((address >> 8) as u8)) {
            (Some(slot), _) => Backing::Device(slot),
            (None, PageKind::Ram) => Backing::Ram { is_written: guest.device_at(address, true).is_none() },
            (None, PageKind::Rom) => Backing::Rom,
            (None, PageKind::Unmapped) => Backing::Nothing,
        })
    }

    fn device_at_port(&self, port: u16, cancel: &mut Cancel<'_>) -> Result<Option<usize>, Error> {
        let cursor = self.run.search.cursor(cancel)?;
        Ok(cursor.session().vm().guest.device_at_port(port, false))
    }

    fn register_name(&self, register: Register) -> String {
        self.cpu.register(register).name.to_uppercase()
    }

    fn device(&self, slot: usize, cancel: &mut Cancel<'_>) -> Result<String, Error> {
        let cursor = self.run.search.cursor(cancel)?;
        let name = cursor.session().vm().guest.devices().nth(slot).map(|slot| slot.name.clone());
        Ok(name.unwrap_or_else(|| "device".to_owned()))
    }
}
