//! A stretch of the run with everything noted that values go through, to be walked back over.

use super::cursor::{Cancel, Goal, ReplayCursor};
use crate::cpu::instruction::{Instruction, Operation};
use crate::cpu::{CpuKind, INSTRUCTION_BYTES_MAX, Register};
use crate::error::Error;
use crate::machine::{
    AccessRecord, AddressSpace, BusCycle, HookKind, Initiator, Purpose, RegistersSet, TraceFilter,
};
use crate::units::Position;

/// An instruction that was executed.
#[derive(Clone, Copy, Debug)]
pub struct TracedInstruction {
    /// Where it began.
    pub at: Position,
    /// Its address.
    pub pc: u16,
    /// Its bytes as they were fetched; those past its length are 0.
    pub bytes: [u8; INSTRUCTION_BYTES_MAX],
}

impl TracedInstruction {
    /// What it does.
    pub fn operation(&self, kind: CpuKind) -> &'static Operation {
        kind.operation(self.pc, |address| self.byte(address))
    }

    /// The instruction.
    pub fn decode(&self, kind: CpuKind) -> Instruction {
        kind.decode(self.pc, |address| self.byte(address))
    }

    fn byte(&self, address: u16) -> u8 {
        self.bytes[usize::from(address.wrapping_sub(self.pc)) % INSTRUCTION_BYTES_MAX]
    }
}

/// What has given a register its value.
#[derive(Clone, Copy, Debug)]
pub enum ReachingDefinition {
    /// An instruction.
    TracedInstruction(TracedInstruction),
    /// A device, at an instruction boundary.
    Device(RegistersSet),
    /// The processor on its way into a handler, or a reset.
    Interrupt(Position),
}

/// All of a stretch of the run.
pub struct ExecutionTrace {
    /// Where it begins: what was done by then is not in it.
    pub base: Position,
    until: Position,
    /// Whether there is nothing before it in the recording.
    pub is_first: bool,
    steps: Vec<TracedInstruction>,
    accesses: Vec<AccessRecord>,
    registers: Vec<RegistersSet>,
}

const EVERYTHING: TraceFilter = TraceFilter {
    executes: true,
    reads: true,
    ports: true,
    with_pc: true,
    ..TraceFilter::writes_to(0, u16::MAX)
};

impl ExecutionTrace {
    /// The trace of the last `length` instructions before a place.
    ///
    /// # Errors
    /// A divergence, a file that cannot be read, a user who wants to stop.
    pub fn take(
        cursor: &mut ReplayCursor,
        kind: CpuKind,
        until: Position,
        length: u64,
        cancel: &mut Cancel<'_>,
    ) -> Result<Self, Error> {
        let first = until.icount.saturating_sub(length);
        let is_first = first <= cursor.start().icount;
        if is_first {
            // From before what is done on the way to the first place.
            cursor.rewind(Position::default())?;
        } else {
            cursor.seek(first, cancel)?;
        }
        let base = cursor.position();
        // The bytes of instructions stand in the trace: memory may have changed since, and a device may have given them.
        cursor.session().vm().guest.start_trace();
        let traces = cursor.watch(&[EVERYTHING], Goal::Place(until), cancel);
        let trace = cursor.session().vm().guest.take_trace();
        let traces = traces?;
        let (mut steps, mut accesses): (Vec<TracedInstruction>, Vec<AccessRecord>) = Default::default();
        for record in traces.iter().flat_map(|trace| trace.seen()) {
            if record.kind == HookKind::Execute {
                let bytes = fetched(&trace, kind, record.address, record.at).ok_or_else(|| {
                    Error::Engine(format!("the instruction at {} was not traced", record.at))
                })?;
                steps.push(TracedInstruction { at: record.at, pc: record.address, bytes });
                continue;
            }
            let mut record = *record;
            let jammed = steps.last().is_some_and(|step| !step.operation(kind).retires);
            if jammed && record.initiator == Initiator::Instruction {
                // A jammed processor does nothing but its reset, which counts no instruction.
                record.initiator = Initiator::Interrupt;
            }
            accesses.push(record);
        }
        let registers = traces.iter().flat_map(|trace| trace.registers()).copied().collect();
        Ok(Self { base, until: cursor.position(), is_first, steps, accesses, registers })
    }

    /// Whether what was done last before a place, or at it, may be in it.
    pub fn reaches(&self, place: Position) -> bool {
        (self.base < place || self.is_first) && place <= self.until
    }

    /// What has given a register the value that it has at a place.
    pub fn setting(&self, register: Register, place: Position, kind: CpuKind) -> Option<ReachingDefinition> {
        let stack_pointer = kind.stack_pointer();
        let begun = self.steps.partition_point(|step| step.at.cycles < place.cycles);
        let step = self.steps[..begun]
            .iter()
            .rfind(|step| step.operation(kind).definition(register, stack_pointer).is_some());
        let set = self
            .registers
            .iter()
            .rfind(|set| set.at.cycles <= place.cycles && set.registers.contains(register));
        let interrupt = self.accesses_before(place).iter().rfind(|access| {
            register == stack_pointer
                && access.initiator == Initiator::Interrupt
                && access.at.cycles < place.cycles
        });
        // At one position a device comes before the instruction.
        let step = step.map(|step| (step.at, 1, ReachingDefinition::TracedInstruction(*step)));
        let set = set.map(|set| (set.at, 0, ReachingDefinition::Device(*set)));
        let interrupt = interrupt.map(|access| (access.at, 2, ReachingDefinition::Interrupt(access.at)));
        let all = [step, set, interrupt].into_iter().flatten();
        all.max_by_key(|(at, rank, _)| (*at, *rank)).map(|(.., setting)| setting)
    }

    /// The last of the writes to an address that were made when the machine stood at a place.
    pub fn last_write(
        &self,
        address: u16,
        place: Position,
        counts: impl Fn(Initiator) -> bool,
    ) -> Option<AccessRecord> {
        let is_it = |access: &&AccessRecord| {
            let is_there = access.space == AddressSpace::Memory && access.address == address;
            access.kind == HookKind::Write && is_there && counts(access.initiator)
        };
        self.accesses_before(place).iter().rfind(is_it).copied()
    }

    fn accesses_before(&self, place: Position) -> &[AccessRecord] {
        &self.accesses[..self.accesses.partition_point(|access| access.at.cycles <= place.cycles)]
    }

    /// The instruction that has made an access, or who else; `None` when the access is not here.
    pub fn initiator(&self, access: &AccessRecord) -> Option<Result<TracedInstruction, Initiator>> {
        let same = |other: &&AccessRecord| {
            (other.at, other.kind, other.space, other.address)
                == (access.at, access.kind, access.space, access.address)
        };
        let initiator = self.accesses.iter().rfind(same)?.initiator;
        if initiator != Initiator::Instruction {
            return Some(Err(initiator));
        }
        let begun = self.steps.partition_point(|step| step.at.cycles <= access.at.cycles);
        self.steps[..begun].last().map(|step| Ok(*step))
    }

    /// What an instruction has read last of data: its operand, after the pointers to it.
    pub fn operand(&self, step: &TracedInstruction) -> Option<AccessRecord> {
        let first = self.accesses.partition_point(|access| access.at.cycles <= step.at.cycles);
        let own = self.accesses[first..].iter().take_while(|access| access.at.icount == step.at.icount);
        own.filter(|access| access.kind == HookKind::Read && access.initiator == Initiator::Instruction)
            .last()
            .copied()
    }
}

/// The bytes of the instruction that began at a position.
fn fetched(trace: &[BusCycle], kind: CpuKind, pc: u16, at: Position) -> Option<[u8; INSTRUCTION_BYTES_MAX]> {
    let first = trace.partition_point(|cycle| cycle.cycle < at.cycles);
    let own = trace.get(first..)?;
    own.first().filter(|cycle| cycle.cycle == at.cycles)?;
    let mut bytes = [0; INSTRUCTION_BYTES_MAX];
    // More than its own at first: those of the next instruction may follow.
    for (byte, cycle) in bytes.iter_mut().zip(own.iter().filter(|cycle| cycle.purpose == Purpose::Fetch)) {
        *byte = cycle.value;
    }
    let byte = |address: u16| bytes[usize::from(address.wrapping_sub(pc)) % INSTRUCTION_BYTES_MAX];
    let length = usize::from(kind.length(pc, byte));
    bytes[length..].fill(0);
    Some(bytes)
}
