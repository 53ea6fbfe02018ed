//! Where a byte comes from: a walk back through stores, arithmetic and loads, as a graph.

use super::graph::{NodeKind, OriginNode, in_order};
use super::navigator::Patience;
use super::notes::{Notes, Setting, Step};
use super::search::{Found, Search};
use crate::cpu::Variant;
use crate::cpu::disassemble;
use crate::cpu::instruction::{BY_PROCESSOR, Definition, Derivation, Register};
use crate::cpu::mos6502::opcodes::{Mode, opcode};
use crate::cpu::mos6502::registers::{self, SP};
use crate::error::Error;
use crate::log::event::StampedEvent;
use crate::log::{AsyncEvent, Event, EventKind};
use crate::machine::{Author, Sighting, TapSpec};
use crate::memory::PageKind;
use crate::recording::Recording;
use crate::units::Position;
use std::collections::{BTreeMap, BinaryHeap};

/// Instructions that are gone back over for one register.
pub const STEPS_MAX: u64 = 20_000;
/// Nodes of a graph behind which no further instruction is gone into.
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
enum Lying {
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
    fn counts(self, author: Author) -> bool {
        let by_device = matches!(author, Author::Device(_));
        self == By::Anybody || by_device == (self == By::Device)
    }
}

/// Where a value is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Location {
    Register(Register),
    Byte(u16),
}

/// A value whose origin is still to be found. The latest is looked for first, so that the walk goes back but once.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Wanted {
    place: Position,
    location: Location,
    value: u8,
    /// The node that was made from it, and as which of its sources.
    user: usize,
    source: usize,
}

/// What tells a value that was made from all others.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Made {
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

struct Walk<'a> {
    run: Run<'a>,
    variant: Variant,
    start: Position,
    /// The last icount whose events are of interest.
    last: u64,
    notes: Option<Notes>,
    nodes: Vec<OriginNode>,
    made: BTreeMap<Made, usize>,
    wanted: BinaryHeap<Wanted>,
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
    patience: &mut Patience<'_>,
) -> Result<Vec<OriginNode>, Error> {
    let measure;
    let (variant, start, value) = {
        let mut navigator = run.search.navigator(patience)?;
        measure = patience.covers(place.icount, navigator.start().icount);
        navigator.go_to(place, patience)?;
        let vm = navigator.session().vm();
        (vm.guest.cpu().variant(), navigator.start(), vm.guest.peek(address))
    };
    let mut walk = Walk {
        run,
        variant,
        start,
        last: place.icount,
        notes: None,
        nodes: Vec::new(),
        made: BTreeMap::new(),
        wanted: BinaryHeap::new(),
        received: None,
    };
    let root = walk.root(address, place, value, patience)?;
    while let Some(wanted) = walk.wanted.pop() {
        measure.reach(wanted.place.icount, patience);
        patience.spend(1)?;
        let found = match wanted.location {
            Location::Register(register) => walk.register(register, wanted.place, wanted.value, patience)?,
            Location::Byte(address) => walk.byte(address, wanted.place, wanted.value, patience)?,
        };
        walk.nodes[wanted.user].sources[wanted.source] = found;
    }
    Ok(in_order(walk.nodes, root))
}

impl Walk<'_> {
    // ---- bytes ----

    fn root(
        &mut self,
        address: u16,
        place: Position,
        value: u8,
        patience: &mut Patience<'_>,
    ) -> Result<usize, Error> {
        let Lying::Device(slot) = self.lying(address, patience)? else {
            return self.byte(address, place, value, patience);
        };
        // A register that is written to stands for what was written; what is read there may be something else.
        let is_written =
            self.run.search.navigator(patience)?.session().vm().guest.device_at(address, true).is_some();
        let write = if is_written { self.last_write(address, place, By::Processor, patience)? } else { None };
        if let Some(write) = write {
            return self.written(write, patience);
        }
        let what = format!("${address:04X}, a register of {}", self.device(slot, patience)?);
        Ok(self.leaf(NodeKind::Input, place, value, what, Some(address)))
    }

    /// Where a byte comes from that was read at an address, by an instruction that began at a place.
    fn byte(
        &mut self,
        address: u16,
        place: Position,
        value: u8,
        patience: &mut Patience<'_>,
    ) -> Result<usize, Error> {
        let found = match self.lying(address, patience)? {
            Lying::Ram { is_written } => {
                let by = if is_written { By::Anybody } else { By::Device };
                self.last_write(address, place, by, patience)?
            }
            Lying::Rom => {
                let what = format!("${address:04X} in ROM");
                return Ok(self.leaf(NodeKind::Rom, place, value, what, Some(address)));
            }
            Lying::Device(_) | Lying::Nothing => {
                let what = format!("what floats on the bus at ${address:04X}");
                return Ok(self.leaf(NodeKind::Processor, place, value, what, Some(address)));
            }
        };
        if let Some(write) = found {
            return self.written(write, patience);
        }
        let made = Made::Found(Location::Byte(address));
        let what = format!("${address:04X} as the recording found it");
        Ok(self.once(made, |walk| walk.leaf(NodeKind::Initial, walk.start, value, what, Some(address))))
    }

    fn last_write(
        &mut self,
        address: u16,
        place: Position,
        by: By,
        patience: &mut Patience<'_>,
    ) -> Result<Option<Sighting>, Error> {
        let mut before = place;
        if let Some(notes) = self.notes.as_ref().filter(|notes| notes.reaches(place)) {
            let found = notes.last_write(address, place, |author| by.counts(author));
            if found.is_some() || notes.is_first {
                return Ok(found);
            }
            before = notes.base;
        }
        // The last one is looked for.
        let kept_max = if by == By::Anybody { 1 } else { usize::MAX };
        let spec = TapSpec { kept_max, ..TapSpec::writes_to(address, address) };
        let mut accept = |found: &Found, _: &mut Patience<'_>| Ok(by.counts(found.sighting.author));
        let found = self.run.search.backward(before, &[spec], patience, &mut accept)?;
        Ok(found.map(|found| found.sighting))
    }

    /// The node of a write.
    fn written(&mut self, write: Sighting, patience: &mut Patience<'_>) -> Result<usize, Error> {
        let made = Made::At(write.at, Location::Byte(write.address));
        if let Some(node) = self.made.get(&made) {
            return Ok(*node);
        }
        let node = match self.author(&write, patience)? {
            Ok(step) => {
                let stored = step.operation(self.variant).stored_from;
                let node =
                    OriginNode { address: Some(write.address), ..self.node(&step, write.at, write.value) };
                self.instruction(node, &step, stored, patience)?
            }
            Err(Author::Device(slot)) => {
                let what = format!("written by {}", self.device(slot, patience)?);
                self.leaf(NodeKind::Device, write.at, write.value, what, Some(write.address))
            }
            Err(_) => {
                let what = "pushed on the way into an interrupt handler".to_owned();
                self.leaf(NodeKind::Interrupt, write.at, write.value, what, Some(write.address))
            }
        };
        self.made.insert(made, node);
        Ok(node)
    }

    /// The instruction that made a write, or who else.
    fn author(
        &mut self,
        write: &Sighting,
        patience: &mut Patience<'_>,
    ) -> Result<Result<Step, Author>, Error> {
        if let Author::Device(_) = write.author {
            return Ok(Err(write.author));
        }
        // Behind the instruction that makes it.
        let behind = Position::new(write.at.icount.saturating_add(1), write.at.cycles + 1);
        if !self.notes.as_ref().is_some_and(|notes| notes.reaches(write.at)) {
            let length = self.first_length();
            self.take_notes(behind, length, patience)?;
        }
        let author = self.notes.as_ref().and_then(|notes| notes.author(write));
        author.ok_or_else(|| Error::Engine(format!("the access at {} was not made again", write.at)))
    }

    // ---- registers ----

    /// Where the value of a register comes from that it has at a place.
    fn register(
        &mut self,
        register: Register,
        place: Position,
        value: u8,
        patience: &mut Patience<'_>,
    ) -> Result<usize, Error> {
        let first = place.icount.saturating_sub(STEPS_MAX);
        let (mut until, mut length) = (place, self.first_length());
        loop {
            if !self.notes.as_ref().is_some_and(|notes| notes.reaches(until)) {
                self.take_notes(until, length.min((until.icount - first).max(1)), patience)?;
                length = (length * 4).min(self.run.search.stretches().longest);
            }
            let Some(notes) = self.notes.as_ref().filter(|notes| notes.reaches(until)) else {
                return Err(Error::Engine(format!(
                    "a replay that was to go to {until} came to no end there"
                )));
            };
            let (is_first, base) = (notes.is_first, notes.base);
            if let Some(setting) = notes.setting(register, until, self.variant) {
                return self.set(register, setting, value, patience);
            }
            if is_first {
                let made = Made::Found(Location::Register(register));
                let what = format!("{} as the recording found it", registers::NAMES[usize::from(register.0)]);
                return Ok(
                    self.once(made, |walk| walk.leaf(NodeKind::Initial, walk.start, value, what, None))
                );
            }
            if base.icount <= first {
                let what =
                    format!("{}, {STEPS_MAX} instructions back", registers::NAMES[usize::from(register.0)]);
                return Ok(self.leaf(NodeKind::Limit, place, value, what, None));
            }
            until = base;
        }
    }

    /// The node of what has given a register its value.
    fn set(
        &mut self,
        register: Register,
        setting: Setting,
        value: u8,
        patience: &mut Patience<'_>,
    ) -> Result<usize, Error> {
        let at = match setting {
            Setting::Step(step) => step.at,
            Setting::Device(set) => set.at,
            Setting::Interrupt(at) => at,
        };
        let made = Made::At(at, Location::Register(register));
        if let Some(node) = self.made.get(&made) {
            return Ok(*node);
        }
        let name = registers::NAMES[usize::from(register.0)];
        let node = match setting {
            Setting::Step(step) => {
                let definition =
                    step.operation(self.variant).definition(register, SP).unwrap_or(BY_PROCESSOR);
                let node = self.node(&step, step.at, value);
                self.instruction(node, &step, definition, patience)?
            }
            Setting::Device(set) => {
                let what = format!("{name} set by {}", self.device(set.slot, patience)?);
                self.leaf(NodeKind::Device, at, value, what, None)
            }
            Setting::Interrupt(_) => {
                let what = format!("{name} on the way into a handler");
                self.leaf(NodeKind::Interrupt, at, value, what, None)
            }
        };
        self.made.insert(made, node);
        Ok(node)
    }

    // ---- instructions ----

    fn node(&self, step: &Step, at: Position, value: u8) -> OriginNode {
        let byte = |address: u16| step.bytes[usize::from(address.wrapping_sub(step.pc))];
        let instruction = disassemble(self.variant, step.pc, byte);
        let what = format!("{} at ${:04X}", instruction.text(), step.pc);
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
        step: &Step,
        definition: Definition,
        patience: &mut Patience<'_>,
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
                let mut navigator = self.run.search.navigator(patience)?;
                navigator.go_to(step.at, patience)?;
                navigator.session().registers()
            };
            for register in definition.registers.iter() {
                let value = match register {
                    registers::A => values.a,
                    registers::X => values.x,
                    registers::Y => values.y,
                    _ => values.sp,
                };
                self.want(number, step.at, Location::Register(register), value);
            }
        }
        if definition.operand {
            self.operand(number, step, patience)?;
        }
        Ok(number)
    }

    fn want(&mut self, user: usize, place: Position, location: Location, value: u8) {
        let source = self.nodes[user].sources.len();
        self.nodes[user].sources.push(usize::MAX);
        self.wanted.push(Wanted { place, location, value, user, source });
    }

    /// Adds an instruction's operand to the sources of its node.
    fn operand(&mut self, user: usize, step: &Step, patience: &mut Patience<'_>) -> Result<(), Error> {
        if opcode(self.variant, step.bytes[0]).mode == Mode::Immediate {
            let (address, value) = (step.pc.wrapping_add(1), step.bytes[1]);
            let what = format!("#${value:02X} at ${address:04X}");
            let leaf = self.leaf(NodeKind::Constant, step.at, value, what, Some(address));
            self.nodes[user].sources.push(leaf);
            return Ok(());
        }
        let read = self.notes.as_ref().and_then(|notes| notes.operand(step));
        let Some(read) = read else {
            return Err(Error::Engine(format!("the instruction at {} has not read its operand", step.at)));
        };
        if let Lying::Device(slot) = self.lying(read.address, patience)? {
            let leaf = self.input(&read, step.pc, slot, patience)?;
            self.nodes[user].sources.push(leaf);
        } else {
            self.want(user, step.at, Location::Byte(read.address), read.value);
        }
        Ok(())
    }

    fn input(
        &mut self,
        read: &Sighting,
        pc: u16,
        slot: usize,
        patience: &mut Patience<'_>,
    ) -> Result<usize, Error> {
        let device = self.device(slot, patience)?;
        if self.received.is_none() {
            let stop = self.last.saturating_add(1);
            let mut received = Vec::new();
            for event in self.run.recording.events(Some(EventKind::CharRead), None, Some(stop))? {
                patience.spend(100)?;
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
        let what = format!("read from {device}, ${:04X}", read.address);
        let leaf = self.leaf(NodeKind::Input, read.at, read.value, what, Some(read.address));
        (self.nodes[leaf].pc, self.nodes[leaf].event) = (Some(pc), event);
        Ok(leaf)
    }

    // ---- the ground ----

    fn first_length(&self) -> u64 {
        self.run.search.stretches().first.min(FIRST_NOTES)
    }

    fn take_notes(&mut self, until: Position, length: u64, patience: &mut Patience<'_>) -> Result<(), Error> {
        let mut navigator = self.run.search.navigator(patience)?;
        self.notes = Some(Notes::take(&mut navigator, self.variant, until, length, patience)?);
        Ok(())
    }

    fn leaf(&mut self, kind: NodeKind, at: Position, value: u8, what: String, address: Option<u16>) -> usize {
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

    fn once(&mut self, made: Made, make: impl FnOnce(&mut Self) -> usize) -> usize {
        if let Some(node) = self.made.get(&made) {
            return *node;
        }
        let node = make(self);
        self.made.insert(made, node);
        node
    }

    fn lying(&self, address: u16, patience: &mut Patience<'_>) -> Result<Lying, Error> {
        let navigator = self.run.search.navigator(patience)?;
        let guest = &navigator.session().vm().guest;
        Ok(match (guest.device_at(address, false), guest.memory().kind((address >> 8) as u8)) {
            (Some(slot), _) => Lying::Device(slot),
            (None, PageKind::Ram) => Lying::Ram { is_written: guest.device_at(address, true).is_none() },
            (None, PageKind::Rom) => Lying::Rom,
            (None, PageKind::Unmapped) => Lying::Nothing,
        })
    }

    fn device(&self, slot: usize, patience: &mut Patience<'_>) -> Result<String, Error> {
        let navigator = self.run.search.navigator(patience)?;
        let name = navigator.session().vm().guest.devices().nth(slot).map(|slot| slot.name.clone());
        Ok(name.unwrap_or_else(|| "device".to_owned()))
    }
}
