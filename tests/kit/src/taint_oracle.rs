//! The origins of bytes, against an oracle that goes through the run forwards: for each register and each byte of memory
//! it carries along the set of all that its value was made from, an instruction at a time.

use super::exec_trace::{ExecTrace, Fact, Ground, Touch, TraceEntry};
use super::oracle::record_scenario;
use super::scenario::{Scenario, many};
use super::sink::SmallDisk;
use super::timeline_oracle::Pick;
use arbitrary::{Arbitrary, Unstructured};
use rreplay::cpu::Registers;
use rreplay::cpu::mos6502::opcodes::Mode;
use rreplay::cpu::mos6502::registers::{A, SP, X, Y};
use rreplay::recording::Recording;
use rreplay::session::Session;
use rreplay::sync::Shared;
use rreplay::timeline::{KEYFRAMES_BUDGET, NODES_MAX, NodeKind, OriginNode, Timeline};
use rreplay::units::Position;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Instructions of a recording that is gone through.
const FACTS_MAX: usize = 8_000;
/// Questions about one recording.
const QUESTIONS_MAX: usize = 24;
/// Kinds of nodes.
const KINDS: usize = NodeKind::Limit as usize + 1;

/// A recording, and bytes whose origins are asked for.
#[derive(Clone, PartialEq, Eq, Debug, Arbitrary, proptest_derive::Arbitrary)]
pub struct OriginCase {
    /// What is recorded.
    pub scenario: Scenario,
    /// Whether the walk goes back in short stretches.
    pub is_hasty: bool,
    /// Places and addresses.
    #[arbitrary(with = |u: &mut Unstructured<'_>| many(u, QUESTIONS_MAX))]
    #[proptest(strategy = "proptest::collection::vec(proptest::arbitrary::any::<(u16, Pick)>(), 1..16)")]
    pub questions: Vec<(u16, Pick)>,
}

/// What was asked, and how much there was to compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Origins {
    /// Graphs that were compared.
    pub compared: u64,
    /// Of them, those with more than one node.
    pub grown: u64,
    /// Their nodes, by kind.
    pub nodes: [u64; KINDS],
    /// Graphs that are cut off, and were not compared.
    pub limited: u64,
}

impl std::ops::AddAssign for Origins {
    fn add_assign(&mut self, more: Self) {
        self.compared += more.compared;
        self.grown += more.grown;
        self.nodes.iter_mut().zip(more.nodes).for_each(|(sum, count)| *sum += count);
        self.limited += more.limited;
    }
}

/// Checks the origins of bytes at places of a recording.
///
/// # Errors
/// What does not hold, with the case.
pub fn check_origins(case: &OriginCase) -> Result<Origins, String> {
    origins(case).map_err(|what| format!("{what}\n{case:#?}"))
}

fn origins(case: &OriginCase) -> Result<Origins, String> {
    let disk = SmallDisk::default();
    record_scenario(&case.scenario, &disk)?;
    let text = |error: rreplay::error::Error| error.to_string();
    let recording = Shared::new(Recording::from_bytes(disk.contents(), true).map_err(text)?);
    let (start, end) = (recording.start().icount, recording.end().icount);
    let mut found = Origins::default();
    if end - start > FACTS_MAX as u64 {
        return Ok(found);
    }
    let exec_trace = ExecTrace::take(&recording)?;
    let timeline = Timeline::new(&recording, &[], KEYFRAMES_BUDGET).map_err(text)?;
    let timeline = if case.is_hasty { timeline.with_stretches(4, 64) } else { timeline };
    for (place, pick) in &case.questions {
        let icount = start + u64::from(*place) % (end - start + 1);
        timeline.seek(icount, None, &mut || false).map_err(text)?;
        found += exec_trace.check_origin(&timeline, exec_trace.pick(*pick, icount))?;
    }
    Ok(found)
}

/// Something that a value comes from in the end. Fields that do not distinguish leaves of a kind are 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Leaf {
    kind: NodeKind,
    at: Position,
    address: Option<u16>,
    value: Option<u8>,
    /// The first letter of a register's name.
    register: Option<char>,
}

type Leaves = Rc<BTreeSet<Leaf>>;

impl Leaf {
    fn new(kind: NodeKind, at: Position, address: u16, value: u8) -> Leaves {
        let leaf = Leaf { kind, at, address: Some(address), value: Some(value), register: None };
        Rc::new(BTreeSet::from([leaf]))
    }

    fn of_register(kind: NodeKind, at: Position, register: char, value: Option<u8>) -> Leaves {
        Rc::new(BTreeSet::from([Leaf { kind, at, address: None, value, register: Some(register) }]))
    }

    fn of_node(node: &OriginNode) -> Self {
        // Whatever has moved the stack pointer.
        let letter = if node.pc.is_some() { 'S' } else { node.what.chars().next().unwrap_or('?') };
        let is_register = node.address.is_none();
        Leaf {
            kind: node.kind,
            at: node.at,
            address: node.address,
            value: node
                .value
                .map(|value| value as u8)
                .filter(|_| !is_register || node.kind == NodeKind::Initial),
            register: is_register.then_some(letter),
        }
    }
}

/// The data flow of an instruction: `a=am` says that A is made from A and the operand. Registers are a, x, y and s; m
/// is the operand on the right and the byte written on the left; 0 is a constant, and ! the processor's own.
fn data_flow(name: &str, mode: Mode) -> &'static str {
    let in_accumulator = mode == Mode::Accumulator;
    match name {
        "LDA" => "a=m",
        "LDX" => "x=m",
        "LDY" => "y=m",
        "LAX" => "a=m x=m",
        "STA" => "m=a",
        "STX" | "SHX" => "m=x",
        "STY" | "SHY" => "m=y",
        "SAX" | "SHA" => "m=ax",
        "STZ" => "m=0",
        "TAS" => "s=ax m=ax",
        "LAS" => "a=sm x=sm s=sm",
        "PHA" => "m=a s=!",
        "PHX" => "m=x s=!",
        "PHY" => "m=y s=!",
        "PLA" => "a=m s=!",
        "PLX" => "x=m s=!",
        "PLY" => "y=m s=!",
        "PHP" | "JSR" | "BRK" => "m=! s=!",
        "PLP" | "RTS" | "RTI" => "s=!",
        "TAX" => "x=a",
        "TAY" => "y=a",
        "TXA" => "a=x",
        "TYA" => "a=y",
        "TSX" => "x=s",
        "TXS" => "s=x",
        "INX" | "DEX" => "x=x",
        "INY" | "DEY" => "y=y",
        "INC" | "DEC" | "ASL" | "LSR" | "ROL" | "ROR" if in_accumulator => "a=a",
        "INC" | "DEC" | "ASL" | "LSR" | "ROL" | "ROR" | "DCP" | "RMB" | "SMB" => "m=m",
        "TSB" | "TRB" => "m=ma",
        "SLO" | "RLA" | "SRE" | "RRA" | "ISC" => "m=m a=am",
        "ADC" | "SBC" | "AND" | "ORA" | "EOR" | "ANC" | "ALR" | "ARR" => "a=am",
        "ANE" => "a=axm",
        "LXA" => "a=am x=am",
        "SBX" => "x=axm",
        _ => "",
    }
}

/// What everything was made from, at one place of the run.
struct Carried<'a> {
    exec_trace: &'a ExecTrace,
    registers: BTreeMap<char, Leaves>,
    memory: BTreeMap<u16, Leaves>,
    /// What was written to registers of devices.
    given: BTreeMap<u16, Leaves>,
    /// What registers hold that were not written to since they were last seen.
    expected: BTreeMap<char, u8>,
}

fn values(registers: &Registers) -> [(char, u8); 4] {
    [('a', A), ('x', X), ('y', Y), ('s', SP)].map(|(name, register)| (name, registers.get(register) as u8))
}

impl<'a> Carried<'a> {
    fn at_start(exec_trace: &'a ExecTrace) -> Self {
        let initial = |(name, value): (char, u8)| {
            let letter = name.to_ascii_uppercase();
            (name, Leaf::of_register(NodeKind::Initial, Position::default(), letter, Some(value)))
        };
        let registers = values(&exec_trace.registers).into_iter().map(initial).collect();
        let (memory, given) = Default::default();
        Self { exec_trace, registers, memory, given, expected: values(&exec_trace.registers).into() }
    }

    /// Registers that no instruction has changed, as far as the table knows, hold what they held.
    fn expect(&mut self, executed: &TraceEntry) -> Result<(), String> {
        for (register, value) in values(&executed.before) {
            let expected = self.expected.insert(register, value);
            if expected.is_some_and(|expected| expected != value) {
                return Err(format!("before {executed:?} nothing has changed {register} from {expected:?}"));
            }
        }
        Ok(())
    }

    /// A byte as one reads it at a place, when the access is none to a device.
    fn byte(&self, address: u16, at: Position) -> Leaves {
        let initial = self.exec_trace.memory[usize::from(address)];
        match self.exec_trace.grounds[usize::from(address)] {
            Ground::Rom => Leaf::new(NodeKind::Rom, at, address, initial),
            Ground::Nothing => Leaf::new(NodeKind::Processor, at, address, (address >> 8) as u8),
            Ground::Ram => self
                .memory
                .get(&address)
                .cloned()
                .unwrap_or_else(|| Leaf::new(NodeKind::Initial, Position::default(), address, initial)),
        }
    }

    fn put(&mut self, address: u16, by_device: bool, leaves: Leaves) {
        let is_given = self.exec_trace.devices[usize::from(address)].1 && !by_device;
        let to = if is_given { &mut self.given } else { &mut self.memory };
        to.insert(address, leaves);
    }

    fn set(&mut self, register: char, leaves: Leaves) {
        self.registers.insert(register, leaves);
        self.expected.remove(&register);
    }

    fn propagate(&mut self, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Pushed(touch) => {
                let leaf = Leaf::new(NodeKind::Interrupt, touch.at, touch.address, touch.value);
                self.put(touch.address, false, leaf);
            }
            Fact::Entered(_) => {
                self.set('s', Leaf::of_register(NodeKind::Interrupt, Position::default(), 'S', None))
            }
            Fact::ByDevice(touch) => {
                let leaf = Leaf::new(NodeKind::Device, touch.at, touch.address, touch.value);
                self.put(touch.address, true, leaf);
            }
            Fact::Executed(executed) => {
                self.expect(executed)?;
                self.execute(executed)?;
            }
        }
        Ok(())
    }

    fn operand(&self, executed: &TraceEntry) -> Result<Leaves, String> {
        if executed.mode == Mode::Immediate {
            let address = executed.pc.wrapping_add(1);
            return Ok(Leaf::new(NodeKind::Constant, executed.at, address, executed.second));
        }
        let read = executed.touches.iter().rfind(|touch| !touch.is_write);
        let Touch { at, address, value, .. } =
            *read.ok_or_else(|| format!("nothing was read by {executed:?}"))?;
        if self.exec_trace.devices[usize::from(address)].0 {
            return Ok(Leaf::new(NodeKind::Input, at, address, value));
        }
        Ok(self.byte(address, executed.at))
    }

    fn execute(&mut self, executed: &TraceEntry) -> Result<(), String> {
        let flow = data_flow(&executed.name, executed.mode);
        let writes = || executed.touches.iter().filter(|touch| touch.is_write);
        let mut results: Vec<(char, Leaves)> = Vec::new();
        for (to, from) in flow.split_whitespace().filter_map(|part| part.split_once('=')) {
            let to = to.chars().next().unwrap_or('?');
            let mut parts = Vec::new();
            for from in from.chars() {
                parts.push(match from {
                    'm' => self.operand(executed)?,
                    '!' | '0' if to == 'm' => {
                        let kind = if from == '0' { NodeKind::Constant } else { NodeKind::Processor };
                        for touch in writes() {
                            self.put(
                                touch.address,
                                false,
                                Leaf::new(kind, touch.at, touch.address, touch.value),
                            );
                        }
                        continue;
                    }
                    '!' => Leaf::of_register(NodeKind::Processor, executed.at, 'S', None),
                    register => self.registers[&register].clone(),
                });
            }
            match &parts[..] {
                [] => {}
                [one] => results.push((to, one.clone())),
                several => {
                    let all = several.iter().flat_map(|leaves| leaves.iter().copied());
                    results.push((to, Rc::new(all.collect())));
                }
            }
        }
        for (to, leaves) in results {
            if to != 'm' {
                self.set(to, leaves);
                continue;
            }
            for touch in writes() {
                self.put(touch.address, false, leaves.clone());
            }
        }
        Ok(())
    }
}

impl ExecTrace {
    /// Mostly an address that was written to before so many instructions have retired, now and then any.
    fn pick(&self, pick: Pick, icount: u64) -> u16 {
        let (Pick::Used(number) | Pick::Rare(number) | Pick::Any(number)) = pick;
        let (mut made, mut others) = (Vec::new(), Vec::new());
        for fact in &self.facts {
            match fact {
                Fact::Executed(executed) if executed.at.icount < icount => {
                    let writes = executed.touches.iter().filter(|touch| touch.is_write);
                    let from_nothing = matches!(data_flow(&executed.name, executed.mode), "m=! s=!" | "m=0");
                    let to = if from_nothing { &mut others } else { &mut made };
                    to.extend(writes.map(|touch| touch.address));
                }
                Fact::Pushed(touch) | Fact::ByDevice(touch) => others.push(touch.address),
                _ => {}
            }
        }
        let chosen = |addresses: &[u16]| {
            let number = usize::from(number) * 7 % addresses.len().max(1);
            addresses.get(number).copied()
        };
        match pick {
            Pick::Any(_) if number % 4 == 0 => number,
            Pick::Used(_) if number % 4 == 0 => chosen(&others).unwrap_or(number),
            _ => chosen(&made).unwrap_or(number),
        }
    }

    /// What the byte at an address was made from, when the machine stood at a place. `None` for what a device shows.
    fn leaves(&self, address: u16, place: Position) -> Result<Option<Leaves>, String> {
        let mut carried = Carried::at_start(self);
        for fact in &self.facts {
            let is_behind = match fact {
                Fact::Executed(executed) => executed.at.cycles >= place.cycles,
                Fact::Entered(at) => at.cycles > place.cycles,
                Fact::Pushed(touch) | Fact::ByDevice(touch) => touch.at.cycles > place.cycles,
            };
            if is_behind {
                break;
            }
            carried.propagate(fact)?;
        }
        let (shows, takes) = self.devices[usize::from(address)];
        if shows {
            return Ok(if takes { carried.given.get(&address).cloned() } else { None });
        }
        Ok(Some(carried.byte(address, place)))
    }

    /// Compares the origin of a byte, where a timeline stands, with what was carried to it.
    pub fn check_origin(&self, timeline: &Timeline, address: u16) -> Result<Origins, String> {
        let place = timeline.place();
        let graph = timeline.origin(address, None, &mut || false).map_err(|error| error.to_string())?;
        let wrong = |what: &str| Err(format!("${address:04X} at {place}: {what}\n{graph:#?}"));
        if timeline.place() != place {
            return wrong("the question has moved the timeline");
        }
        if let Some(what) = self.is_sound(&graph) {
            return wrong(&what);
        }
        let shown = timeline.look(place, &mut || false, |session: &Session, _| session.memory(address, 1)[0]);
        let shown = shown.map_err(|error| error.to_string())?;
        if !self.devices[usize::from(address)].0 && graph[0].value != Some(shown.into()) {
            return wrong(&format!("it holds {shown:02X}"));
        }
        let leaves = graph.iter().filter(|node| node.sources.is_empty());
        if leaves.clone().any(|node| node.kind == NodeKind::Limit) {
            return Ok(Origins { limited: 1, ..Origins::default() });
        }
        let found: BTreeSet<Leaf> = leaves.map(Leaf::of_node).map(|leaf| self.comparable(leaf)).collect();
        let wanted = match self.leaves(address, place)? {
            Some(leaves) => leaves,
            None => Leaf::new(NodeKind::Input, place, address, shown),
        };
        let wanted: BTreeSet<Leaf> = wanted.iter().map(|leaf| self.comparable(*leaf)).collect();
        if found != wanted {
            let missing: Vec<_> = wanted.difference(&found).collect();
            let more: Vec<_> = found.difference(&wanted).collect();
            return wrong(&format!("missing {missing:#?}, and too many {more:#?}"));
        }
        let mut nodes = [0; KINDS];
        graph.iter().for_each(|node| nodes[node.kind as usize] += 1);
        Ok(Origins { compared: 1, grown: u64::from(graph.len() > 1), nodes, limited: 0 })
    }

    /// The leaf without what only one side knows: where the recording's first place is, and the cycles within a sequence.
    fn comparable(&self, leaf: Leaf) -> Leaf {
        match (leaf.kind, leaf.register) {
            (NodeKind::Initial, _) => Leaf { at: Position::default(), ..leaf },
            (NodeKind::Interrupt, Some(_)) => Leaf { at: Position::default(), ..leaf },
            _ => leaf,
        }
    }

    /// What is wrong with a graph as such.
    fn is_sound(&self, graph: &[OriginNode]) -> Option<String> {
        if graph.len() > NODES_MAX * 4 {
            return Some(format!("{} nodes", graph.len()));
        }
        for (number, node) in graph.iter().enumerate() {
            if node.sources.iter().any(|source| *source <= number || *source >= graph.len()) {
                return Some(format!("node {number} has sources {:?}", node.sources));
            }
            let unchanged = node.kind == NodeKind::Load
                || node.kind == NodeKind::Store && node.sources.len() == 1 && !node.what.starts_with("SH");
            let from: Vec<_> = node.sources.iter().map(|source| graph[*source].value).collect();
            if unchanged && from != [node.value] {
                return Some(format!("node {number} moves {:?}, and has {from:?} moved", node.value));
            }
            if let Some(what) = self.is_executed(node) {
                return Some(format!("node {number}: {what}"));
            }
        }
        let used: BTreeSet<usize> = graph.iter().flat_map(|node| node.sources.iter().copied()).collect();
        (used.len() + 1 != graph.len()).then(|| "there are nodes that nothing was made from".to_owned())
    }

    /// A node of an instruction stands where that was executed.
    fn is_executed(&self, node: &OriginNode) -> Option<String> {
        let pc = node.pc?;
        let executed = self.facts.iter().rev().find_map(|fact| match fact {
            Fact::Executed(executed) if executed.at.cycles <= node.at.cycles => Some(executed),
            _ => None,
        });
        let is_it = executed.is_some_and(|it| {
            let named = node.kind == NodeKind::Input
                || node.kind == NodeKind::Limit
                || node.what.starts_with(&it.name);
            it.at.icount == node.at.icount && it.pc == pc && named
        });
        (!is_it).then(|| format!("{executed:?} was executed then"))
    }
}
