//! Where a byte comes from, as a graph: the byte, what it was made from, and so on back.

use crate::log::event::StampedEvent;
use crate::units::Position;

/// What a node of the graph is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum NodeKind {
    /// An instruction that wrote a register to memory.
    Store,
    /// An instruction that brought a value into a register as it was.
    Load,
    /// An instruction that made a value of others.
    Compute,
    /// A byte of an instruction, or a zero stored by one.
    Constant,
    /// A byte read from ROM.
    Rom,
    /// What stood in memory or a register when the recording began.
    Initial,
    /// A byte read from a device.
    Input,
    /// Written by a device, to memory or to a register.
    Device,
    /// Made by the processor on its way into a handler.
    Interrupt,
    /// The processor's own: return addresses, flags, the stack pointer, what floats on the bus.
    Processor,
    /// As far back as was looked.
    Limit,
}

impl NodeKind {
    /// Its name, as users see it.
    pub const fn name(self) -> &'static str {
        match self {
            NodeKind::Store => "store",
            NodeKind::Load => "load",
            NodeKind::Compute => "compute",
            NodeKind::Constant => "constant",
            NodeKind::Rom => "rom",
            NodeKind::Initial => "initial",
            NodeKind::Input => "input",
            NodeKind::Device => "device",
            NodeKind::Interrupt => "interrupt",
            NodeKind::Processor => "processor",
            NodeKind::Limit => "limit",
        }
    }
}

/// A byte, what made it, and the bytes that it was made from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OriginNode {
    /// What it is.
    pub kind: NodeKind,
    /// Where it was made: the beginning of the instruction, or the access.
    pub at: Position,
    /// The value that was made there.
    pub value: Option<u16>,
    /// In words: the instruction, or the place.
    pub what: String,
    /// Where the instruction begins.
    pub pc: Option<u16>,
    /// The address, of a byte of memory.
    pub address: Option<u16>,
    /// Of an input: the last event before it that brought this byte, as far as can be told.
    pub event: Option<StampedEvent>,
    /// What it was made from, by place in the list: all of them stand after it.
    pub sources: Vec<usize>,
}

/// The nodes so that each stands before its sources.
pub fn in_order(mut nodes: Vec<OriginNode>, root: usize) -> Vec<OriginNode> {
    let mut behind = Vec::with_capacity(nodes.len());
    let mut seen = vec![false; nodes.len()];
    let mut open = vec![(root, 0)];
    seen[root] = true;
    while let Some((node, next)) = open.pop() {
        match nodes[node].sources.get(next) {
            None => behind.push(node),
            Some(&source) => {
                open.push((node, next + 1));
                if !std::mem::replace(&mut seen[source], true) {
                    open.push((source, 0));
                }
            }
        }
    }
    let mut places = vec![0; nodes.len()];
    for (place, node) in behind.iter().rev().enumerate() {
        places[*node] = place;
    }
    let mut ordered = Vec::with_capacity(behind.len());
    for node in behind.into_iter().rev() {
        let sources = std::mem::take(&mut nodes[node].sources);
        let sources = sources.into_iter().map(|source| places[source]).collect();
        ordered.push(OriginNode { sources, ..nodes[node].clone() });
    }
    ordered
}
