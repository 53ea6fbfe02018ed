//! Who watches the guest: execution, reads and writes of addresses. Invisible to the guest; a hit ends the slice at
//! the next instruction boundary, where whoever watches may look at everything.

use super::access_trace::{AccessRecord, AccessTrace, Initiator, RegistersSet};
use super::profile::Profile;
use super::slots::AddressSpace;
use crate::cpu::CpuKind;
use crate::cpu::instruction::ControlFlow;
use crate::memory::Watched;
use crate::units::Position;

/// What a hook watches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum HookKind {
    /// The instruction at an address is about to be executed.
    Execute,
    /// Data is read from an address (no dummy reads, no fetches).
    Read,
    /// Data is written to an address (no dummy writes).
    Write,
}

/// A hook, for its removal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HookId(pub u64);

/// What a hook has seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hit {
    /// The hook.
    pub hook: HookId,
    /// What happened.
    pub kind: HookKind,
    /// Just before the instruction, with the exact cycle of the access.
    pub at: Position,
    /// The address executed, read or written.
    pub address: u16,
    /// The value read or written.
    pub value: Option<u8>,
}

/// An access to data, as hooks and traces are told of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct HookAccess {
    pub kind: HookKind,
    pub space: AddressSpace,
    pub address: u16,
    pub old: Option<u8>,
    pub value: u8,
    pub at: Position,
    pub initiator: Initiator,
}

#[derive(Clone, Copy, Debug)]
struct Hook {
    id: HookId,
    kind: HookKind,
    first: u16,
    last: u16,
}

/// What of a subroutine's frame a run may end at, as far as the processor's
/// [stack pointer](crate::cpu::Processor::stack_pointer) tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameEnd {
    /// Before an instruction, when the stack pointer is this or above.
    Above(u16),
    /// Before an instruction that returns, when the stack pointer is this or above.
    Return(u16),
}

/// All hooks and the breakpoint of the current run.
#[derive(Clone, Debug, Default)]
pub struct Hooks {
    hooks: Vec<Hook>,
    next_id: u64,
    hits: Vec<Hit>,
    breakpoint: Option<u16>,
    /// Where the breakpoint has been reported already, or where the run has begun: it does not stop there again.
    past_breakpoint: Option<Position>,
    /// Whether the breakpoint was reached and nobody has asked yet.
    breakpoint_reached: bool,
    /// Where execution hooks have been reported already.
    past_execute: Option<Position>,
    traces: Vec<AccessTrace>,
    profile: Option<Profile>,
    /// With the processor, which says what instructions return.
    frame_end: Option<(FrameEnd, CpuKind)>,
}

impl Hooks {
    /// Adds a hook on the addresses `first..=last`.
    pub fn add(&mut self, kind: HookKind, first: u16, last: u16) -> HookId {
        let id = HookId(self.next_id);
        self.next_id += 1;
        self.hooks.push(Hook { id, kind, first, last });
        id
    }

    /// Hooks on execution pass over the instruction that begins at a position, as if they had reported it.
    pub fn pass_execution(&mut self, at: Position) {
        self.past_execute = Some(at);
    }

    /// Removes a hook; returns whether it was there.
    pub fn remove(&mut self, id: HookId) -> bool {
        let before = self.hooks.len();
        self.hooks.retain(|hook| hook.id != id);
        self.hooks.len() != before
    }

    /// Sets the address at which the run that begins at `from` stops; it does not stop where it begins. Returns whether
    /// other pages are watched now.
    pub fn set_breakpoint(&mut self, breakpoint: Option<u16>, from: Position) -> bool {
        let before = std::mem::replace(&mut self.breakpoint, breakpoint);
        self.past_breakpoint = Some(from);
        self.breakpoint_reached = false;
        before != breakpoint
    }

    /// From now on these traces note what they look at; the ones before are given back.
    pub fn set_traces(&mut self, traces: Vec<AccessTrace>) -> Vec<AccessTrace> {
        std::mem::replace(&mut self.traces, traces)
    }

    /// From now on instructions are counted, or not; the profile before is given back.
    pub fn set_profile(&mut self, profile: Option<Profile>) -> Option<Profile> {
        std::mem::replace(&mut self.profile, profile)
    }

    /// From now on runs of this processor end where a frame does, or not.
    pub fn set_frame_end(&mut self, end: Option<(FrameEnd, CpuKind)>) {
        self.frame_end = end;
    }

    /// Whether the breakpoint was reached since this was last asked: a hook may be hit at the same instruction.
    pub fn take_breakpoint_reached(&mut self) -> bool {
        std::mem::take(&mut self.breakpoint_reached)
    }

    pub(super) fn watches_page(&self, page: u8) -> Watched {
        let watches = |kind| {
            self.hooks.iter().any(|hook| {
                hook.kind == kind && (hook.first >> 8..=hook.last >> 8).contains(&u16::from(page))
            })
        };
        let mut watched = Watched {
            reads: watches(HookKind::Read),
            writes: watches(HookKind::Write),
            executes: watches(HookKind::Execute)
                || self.profile.is_some()
                || self.frame_end.is_some()
                || self.breakpoint.is_some_and(|address| address >> 8 == u16::from(page)),
        };
        for trace in &self.traces {
            let (reads, writes) = trace.watches_data(page);
            watched.reads |= reads;
            watched.writes |= writes;
            watched.executes |= trace.watches_execution(page);
        }
        watched
    }

    pub(super) fn any(&self) -> bool {
        !self.hooks.is_empty() || !self.traces.is_empty()
    }

    pub(super) fn has_hits(&self) -> bool {
        !self.hits.is_empty()
    }

    pub(super) fn take_hits(&mut self) -> Vec<Hit> {
        std::mem::take(&mut self.hits)
    }

    /// Notes an access; returns whether somebody wants to be told at once.
    pub(super) fn access(&mut self, access: HookAccess) -> bool {
        let HookAccess { kind, space, address, old, value, at, initiator } = access;
        for trace in &mut self.traces {
            trace.accesses(AccessRecord { kind, at, space, address, old, value, pc: None, initiator });
        }
        let before = self.hits.len();
        let is_memory = space == AddressSpace::Memory;
        let watching = self
            .hooks
            .iter()
            .filter(|hook| is_memory && hook.kind == kind && (hook.first..=hook.last).contains(&address));
        self.hits.extend(watching.map(|hook| Hit { hook: hook.id, kind, at, address, value: Some(value) }));
        self.hits.len() != before
    }

    /// Notes what a device has done to the processor's registers.
    pub(super) fn registers_set(&mut self, set: RegistersSet) {
        self.traces.iter_mut().for_each(|trace| trace.registers_set(set));
    }

    /// Whether an instruction may matter to somebody: else no page is watched either.
    #[inline]
    pub(super) fn notices_execution(&self) -> bool {
        self.any() || self.breakpoint.is_some() || self.profile.is_some() || self.frame_end.is_some()
    }

    /// Asked before an instruction; returns whether the frame ends there.
    pub(super) fn frame_ends(&self, pc: u16, stack_pointer: u16, read: impl Fn(u16) -> u8) -> bool {
        match self.frame_end {
            None => false,
            Some((FrameEnd::Above(least), _)) => stack_pointer >= least,
            Some((FrameEnd::Return(least), kind)) => {
                stack_pointer >= least && kind.operation(pc, read).flow == ControlFlow::Return
            }
        }
    }

    /// Asked before an instruction; returns whether the run must end before it.
    pub(super) fn before_instruction(&mut self, pc: u16, at: Position) -> bool {
        let mut ends = false;
        for trace in &mut self.traces {
            trace.executes(pc, at);
        }
        if let Some(profile) = &mut self.profile {
            profile.executes(pc, at);
        }
        if self.breakpoint == Some(pc) && self.past_breakpoint != Some(at) {
            self.past_breakpoint = Some(at);
            self.breakpoint_reached = true;
            ends = true;
        }
        if self.past_execute != Some(at) {
            let watching = self
                .hooks
                .iter()
                .filter(|hook| hook.kind == HookKind::Execute && (hook.first..=hook.last).contains(&pc));
            let before = self.hits.len();
            self.hits.extend(watching.map(|hook| Hit {
                hook: hook.id,
                kind: HookKind::Execute,
                at,
                address: pc,
                value: None,
            }));
            if self.hits.len() != before {
                self.past_execute = Some(at);
                ends = true;
            }
        }
        ends
    }
}
