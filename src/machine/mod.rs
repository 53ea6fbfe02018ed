//! A machine: CPU, memory and devices on one bus, with interrupt lines and timers. It implements the engine's
//! [`Guest`] and knows no log, no thread and no host.
//!
//! What the guest does follows from the machine's state and from what is passed in. How a run is cut into slices has
//! no influence: devices compute from exact cycles and say when their lines change, and the CPU decides by what the lines
//! were in the cycles in which it polls them.

mod access_trace;
pub mod board;
mod bus;
mod bus_master;
mod hooks;
mod lines;
mod profile;
pub mod rom;
mod slots;
mod state;

pub use access_trace::{AccessRecord, AccessTrace, Initiator, RegistersSet, TraceFilter};
pub use bus::{BusCycle, Purpose};
pub use hooks::{FrameEnd, Hit, HookId, HookKind};
pub use profile::Profile;
pub use slots::{AddressSpace, Slot, Wire};
pub use state::{Captured, Noted, Notes, SectionError};

use crate::bus::Interrupt;
use crate::cpu::{Cpu, CpuKind, Exit, Halt, RegisterSet};
use crate::devices::{Context, Device, DirectMemory, DirectRegisters};
use crate::events::{AsyncEvent, Delivery};
use crate::guest::{Budget, Guest, GuestExit, StuckTimer};
use crate::memory::{Memory, PAGE_SIZE, PageKind, open_bus, page_of};
use crate::nondet::{CharId, ClockKind, NetId, Nondet, Owner};
use crate::persist::{Digest, Sections};
use crate::units::Position;
use bus::MachineBus;
use bus_master::{BusMaster, RegisterAccess};
use hooks::Hooks;
use lines::Lines;
use slots::Slots;
use state::Since;

/// Bytes that may wait in the devices of a machine until the guest reads them. What comes on top of them is dropped, here
/// and in a replay: a recording that is small, for it is compressed, must not fill the memory.
pub const INPUT_PENDING_MAX: usize = 4 << 20;

/// What an access to an address gives where nothing answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unmapped {
    /// What floats on the bus.
    OpenBus,
    /// The run ends with an error that names the access.
    Error,
}

/// A guest's access that the board forbids.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the program {} ${address:04X} at {at}, where nothing is mapped; the board says unmapped = \"error\"",
    if *.write { "writes to" } else { "reads" }
)]
pub struct Fault {
    /// The address.
    pub address: u16,
    /// Whether it was a write.
    pub write: bool,
    /// When.
    pub at: Position,
}

/// A processor with memory and devices.
#[derive(Clone)]
pub struct Machine {
    cpu: Cpu,
    memory: Box<Memory>,
    slots: Slots,
    lines: Lines,
    /// Whether the machine stands still until a line or something from outside wakes it.
    suspended: bool,
    clock_hz: u64,
    unmapped: Unmapped,
    hooks: Hooks,
    /// Whether the memory has been told of pages that somebody watches.
    is_watched: bool,
    fault: Option<Fault>,
    trace: Option<Vec<BusCycle>>,
    /// What the next changes refer to.
    since: Since,
}

impl Machine {
    /// Puts a machine together and powers it on. `memory` has its regions mapped and its images loaded.
    pub fn new(
        kind: CpuKind,
        clock_hz: u64,
        mut memory: Box<Memory>,
        devices: Vec<Slot>,
        unmapped: Unmapped,
        outside: &mut dyn Nondet,
    ) -> Self {
        let slots = Slots::new(devices);
        let lines = Lines::new(&slots, 0);
        for page in 0..=u8::MAX {
            memory.set_io(page, slots.has_page(page));
        }
        let mut machine = Self {
            cpu: Cpu::new(kind),
            memory,
            slots,
            lines,
            suspended: false,
            clock_hz,
            unmapped,
            hooks: Hooks::default(),
            is_watched: false,
            fault: None,
            trace: None,
            since: Since::default(),
        };
        machine.with_bus::<false, _>(u64::MAX, outside, |cpu, bus| cpu.power_on(bus));
        // The clock was set back after the reset sequence.
        machine.slots.refresh_all(0);
        machine.lines = Lines::new(&machine.slots, 0);
        machine.fault = None;
        machine
    }

    /// The processor's registers and counters.
    pub fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    /// The processor, to set registers between runs.
    pub fn cpu_mut(&mut self) -> &mut Cpu {
        &mut self.cpu
    }

    /// The address space.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// What stands at an address, without any side effect: a device's register as a read would give it, else memory.
    pub fn peek(&self, address: u16) -> u8 {
        match self.slots.at(address, false) {
            Some((slot, offset)) => self.slots[slot].device.peek(offset, self.cpu.cycles()),
            None => self.memory.read_backing(address).unwrap_or_else(|| open_bus(address)),
        }
    }

    /// `length` bytes from `start` on, each as [`peek`](Machine::peek) returns it; wraps at FFFF.
    pub fn peek_range(&self, start: u16, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let at = start.wrapping_add(bytes.len() as u16);
            let page = page_of(at);
            let count = (PAGE_SIZE - usize::from(at) % PAGE_SIZE).min(length - bytes.len());
            if self.slots.has_page(page) {
                bytes.extend((0..count as u16).map(|offset| self.peek(at + offset)));
            } else if self.memory.kind(page) == PageKind::Unmapped {
                bytes.resize(bytes.len() + count, open_bus(at));
            } else {
                bytes.extend_from_slice(&self.memory.bytes()[usize::from(at)..][..count]);
            }
        }
        bytes
    }

    /// Puts bytes into RAM or ROM, beneath any device.
    ///
    /// # Errors
    /// Where nothing is mapped, or beyond FFFF; nothing is written then.
    pub fn poke(&mut self, address: u16, bytes: &[u8]) -> Result<(), crate::memory::MemoryError> {
        self.memory.load(address, bytes)
    }

    /// The devices, in board order.
    pub fn devices(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter()
    }

    /// The device that an access to an address of memory goes to, by its place on the board.
    pub fn device_at(&self, address: u16, is_write: bool) -> Option<usize> {
        self.slots.at(address, is_write).map(|(slot, _)| slot)
    }

    /// The device that an access to an I/O port goes to, by its place on the board.
    pub fn device_at_port(&self, port: u16, is_write: bool) -> Option<usize> {
        self.slots.at_port(port, is_write).map(|(slot, _)| slot)
    }

    /// A machine in the same state that nobody watches.
    pub fn clone_without_hooks(&self) -> Self {
        let mut copy = self.clone();
        copy.hooks = Hooks::default();
        copy.apply_hooks();
        copy.trace = None;
        copy
    }

    /// Hooks and breakpoints.
    pub fn hooks_mut(&mut self) -> &mut Hooks {
        &mut self.hooks
    }

    /// Whether no instruction is executed until something comes: the CPU waits, or the machine is suspended.
    pub fn waits(&self) -> bool {
        self.cpu.halt() == Halt::Waiting || self.suspended
    }

    /// Whether the CPU is stopped or jammed, until a reset.
    pub fn is_stopped(&self) -> bool {
        matches!(self.cpu.halt(), Halt::Stopped | Halt::Jammed)
    }

    /// Whether the instruction at the program counter may stop the CPU without ever retiring. What a device is read for
    /// may be another thing each time, so there it may.
    pub fn may_jam(&self) -> bool {
        let (kind, pc) = (self.cpu.kind(), self.cpu.pc());
        let operation = || kind.operation(pc, |address| self.peek(address));
        kind.may_jam() && (self.device_at(pc, false).is_some() || !operation().retires)
    }

    /// Tells the memory which pages are watched; to be called when hooks have changed.
    pub fn apply_hooks(&mut self) {
        let watches = self.hooks.notices_execution();
        if !watches && !self.is_watched {
            return;
        }
        self.is_watched = watches;
        for page in 0..=u8::MAX {
            self.memory.set_watch(page, self.hooks.watches_page(page));
        }
    }

    /// What the hooks have seen since the last call.
    pub fn take_hits(&mut self) -> Vec<Hit> {
        self.hooks.take_hits()
    }

    /// The access that ended the run, once.
    pub fn take_fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }

    /// From now on every bus cycle is kept.
    pub fn start_trace(&mut self) {
        self.trace = Some(Vec::new());
    }

    /// Ends the trace and returns its cycles.
    pub fn take_trace(&mut self) -> Vec<BusCycle> {
        self.trace.take().unwrap_or_default()
    }

    fn with_bus<const TRACED: bool, T>(
        &mut self,
        deadline: u64,
        outside: &mut dyn Nondet,
        body: impl FnOnce(&mut Cpu, &mut MachineBus<'_, TRACED>) -> T,
    ) -> T {
        let mut bus = MachineBus {
            memory: &mut self.memory,
            slots: &mut self.slots,
            lines: &mut self.lines,
            hooks: &mut self.hooks,
            fault: &mut self.fault,
            trace: &mut self.trace,
            unmapped: self.unmapped,
            clock_hz: self.clock_hz,
            deadline,
            outside,
        };
        body(&mut self.cpu, &mut bus)
    }

    /// Something happens to a device at this instruction boundary.
    fn with_slot(
        &mut self,
        slot: usize,
        outside: &mut dyn Nondet,
        body: impl FnOnce(&mut dyn Device, &mut Context<'_>),
    ) {
        let at = self.cpu.position();
        if self.lines.next_change() < at.cycles {
            self.lines.catch_up(at.cycles, &self.slots);
        }
        let mut memory = BusMaster { memory: &mut self.memory, hooks: &mut self.hooks, at, slot };
        let mut registers = RegisterAccess { cpu: &mut self.cpu, set: RegisterSet::NONE };
        let boundary: Option<(&mut dyn DirectMemory, &mut dyn DirectRegisters)> =
            Some((&mut memory, &mut registers));
        self.slots.with_device(slot, at, self.clock_hz, outside, boundary, body);
        let registers = registers.set;
        if !registers.is_empty() {
            self.hooks.registers_set(RegistersSet { at, slot, registers });
        }
        if self.slots.refresh(slot, at.cycles) {
            self.lines.hear(slot, &self.slots, at.cycles);
        }
        self.wake_by_line();
    }

    /// A suspended machine wakes as soon as a line is held: not when somebody comes to run it, which would show in its
    /// state.
    fn wake_by_line(&mut self) {
        self.suspended &= !self.lines.are_active();
    }

    fn run_cpu(&mut self, deadline: u64, outside: &mut dyn Nondet) -> Exit {
        if self.trace.is_some() {
            self.with_bus::<true, _>(deadline, outside, |cpu, bus| cpu.run(bus))
        } else {
            self.with_bus::<false, _>(deadline, outside, |cpu, bus| cpu.run(bus))
        }
    }

    /// Room for so many bytes of input, or as many as there is room for.
    fn input_room(&mut self, wanted: usize) -> usize {
        let room = |slots: &Slots| {
            let pending: usize = slots.iter().map(|slot| slot.device.pending_input()).sum();
            INPUT_PENDING_MAX.saturating_sub(pending)
        };
        if room(&self.slots) < wanted {
            // Exactly as many as there are now, whoever has looked at the devices before.
            self.slots.catch_up(self.cpu.cycles());
        }
        room(&self.slots).min(wanted)
    }

    /// What the last window of execution has to say to the caller, if anything.
    fn noticed(&mut self, exit: Exit) -> Option<GuestExit> {
        if self.fault.is_some() {
            return Some(GuestExit::Fault);
        }
        if self.hooks.has_hits() {
            return Some(GuestExit::Hook);
        }
        match exit {
            Exit::Deadline => None,
            Exit::Waiting => Some(GuestExit::Waiting),
            Exit::Stopped => Some(GuestExit::Stopped),
            Exit::Jammed => Some(GuestExit::Jammed),
            Exit::Break => Some(GuestExit::Breakpoint),
        }
    }
}

impl Guest for Machine {
    fn position(&self) -> Position {
        self.cpu.position()
    }

    fn clock_hz(&self) -> u64 {
        self.clock_hz
    }

    fn run(&mut self, budget: Budget, outside: &mut dyn Nondet) -> GuestExit {
        loop {
            let here = self.cpu.position();
            let timer = self.slots.next_timer().unwrap_or(u64::MAX);
            let until = budget.cycles.min(timer);
            if here >= budget.stop || here.cycles >= until || outside.wants_break() {
                return GuestExit::Budget;
            }
            if self.hooks.has_hits() {
                // A device that is a bus master has touched what somebody watches.
                return GuestExit::Hook;
            }
            if self.suspended {
                return GuestExit::Waiting;
            }
            // The CPU counts down cycles only. A deadline that so many of the shortest instructions would just reach is
            // never passed by more than that number of any, so a few ever shorter windows end exactly there.
            let left = budget.stop.icount.saturating_sub(here.icount);
            let room = left.saturating_mul(self.cpu.kind().shortest_instruction()).max(1);
            let exit = self.run_cpu(until.min(here.cycles.saturating_add(room)), outside);
            if let Some(exit) = self.noticed(exit) {
                return exit;
            }
            if self.cpu.position() == here {
                // An interrupt that the log does not have here.
                return GuestExit::Budget;
            }
        }
    }

    fn next_timer(&self) -> Option<u64> {
        self.slots.next_timer()
    }

    fn run_timer(&mut self, outside: &mut dyn Nondet) -> Result<(), StuckTimer> {
        let Some(slot) = self.slots.earliest() else { return Ok(()) };
        self.with_slot(slot, outside, |device, context| device.run_timer(context));
        self.slots.past_timer(slot, self.cpu.cycles())
    }

    fn next_clock_timer(&self, clock: ClockKind) -> Option<i64> {
        self.slots.iter().filter_map(|slot| slot.device.next_clock_timer(clock)).min()
    }

    fn run_clock_timers(&mut self, clock: ClockKind, now: i64, outside: &mut dyn Nondet) {
        // Each device at most once a deadline: a timer that is set anew and due again comes at the next turn.
        let mut due: Vec<(i64, usize)> = self
            .slots
            .iter()
            .enumerate()
            .filter_map(|(index, slot)| Some((slot.device.next_clock_timer(clock)?, index)))
            .filter(|(due, _)| *due <= now)
            .collect();
        due.sort_unstable();
        for (_, slot) in due {
            self.with_slot(slot, outside, |device, context| device.run_clock_timer(clock, now, context));
        }
    }

    fn deliver(&mut self, delivery: &Delivery, outside: &mut dyn Nondet) {
        self.suspended = false;
        let owner =
            delivery.owner.map(|owner| usize::from(owner.0)).filter(|slot| *slot < self.slots.iter().count());
        match &delivery.event {
            AsyncEvent::CharRead { device, bytes } => {
                if let Some(slot) = self.slots.of_char(*device) {
                    let taken = &bytes[..bytes.len().min(self.input_room(bytes.len()))];
                    self.with_slot(slot, outside, |device, context| device.receive(taken, context));
                }
            }
            AsyncEvent::Net { device, flags, bytes } => {
                if let Some(slot) = self.slots.of_net(NetId(*device)) {
                    self.with_slot(slot, outside, |device, context| device.packet(*flags, bytes, context));
                }
            }
            AsyncEvent::Input(event) => {
                for slot in 0..self.slots.iter().count() {
                    self.with_slot(slot, outside, |device, context| device.input(*event, context));
                }
            }
            AsyncEvent::InputSync => {
                for slot in 0..self.slots.iter().count() {
                    self.with_slot(slot, outside, |device, context| device.input_sync(context));
                }
            }
            AsyncEvent::Bh { .. } | AsyncEvent::BhOneshot { .. } => {
                if let Some(slot) = owner {
                    self.with_slot(slot, outside, |device, context| device.deferred_call(context));
                }
            }
            AsyncEvent::Block { id, result, data } => {
                if let Some(slot) = owner {
                    self.with_slot(slot, outside, |device, context| {
                        device.block_completed(*id, *result, data, context);
                    });
                }
            }
        }
    }

    fn number_request(&mut self, id: u64, owner: Owner) {
        if let Some(slot) = self.slots.devices_mut().nth(owner.0.into()) {
            slot.device.number_request(id);
        }
    }

    fn suspend(&mut self) {
        self.suspended = true;
        self.wake_by_line();
    }

    fn save(&mut self) -> Sections {
        self.save_sections()
    }

    fn begin_changes(&mut self) {
        self.begin_changed_sections();
    }

    fn save_changes(&mut self) -> Option<Sections> {
        Some(self.save_changed_sections())
    }

    fn restore(&mut self, sections: &[(String, Vec<u8>)]) -> Result<(), String> {
        self.restore_sections(sections).map_err(|error| error.to_string())
    }

    fn is_idle(&self) -> bool {
        let wakes = || self.lines.wake_at(self.cpu.cycles(), self.cpu.kind().wake_cycles());
        self.suspended || self.cpu.halt() == Halt::Waiting && !wakes()
    }

    fn is_interrupted(&mut self, outside: &mut dyn Nondet) -> bool {
        !self.suspended && self.with_bus::<false, _>(u64::MAX, outside, |cpu, bus| cpu.is_interrupted(bus))
    }

    fn wakes_here(&mut self, outside: &mut dyn Nondet) -> bool {
        !self.suspended && self.with_bus::<false, _>(u64::MAX, outside, |cpu, bus| cpu.wakes_here(bus))
    }

    fn advance_idle(&mut self, cycles: u64) {
        self.cpu.advance_idle(cycles.saturating_sub(self.cpu.cycles()));
        self.wake_by_line();
    }

    fn reset(&mut self, outside: &mut dyn Nondet) {
        if !outside.interrupt(self.cpu.position(), Interrupt::Reset) {
            return;
        }
        self.suspended = false;
        self.slots.reset(self.cpu.cycles());
        self.lines = Lines::new(&self.slots, self.cpu.cycles());
        self.with_bus::<false, _>(u64::MAX, outside, |cpu, bus| cpu.reset(bus));
    }

    fn digests(&mut self) -> Vec<Digest> {
        self.digest_sections()
    }

    fn subsystems(&self) -> Vec<String> {
        self.section_names()
    }

    fn pending_input(&self) -> usize {
        self.slots.iter().map(|slot| slot.device.pending_input()).sum()
    }

    fn pc(&self) -> Option<u16> {
        Some(self.cpu.pc())
    }
}

/// Returns network devices their numbers: their places among the network devices, in board order.
pub(crate) fn number_net_devices(slots: &mut [Slot]) {
    let nets = slots.iter_mut().filter(|slot| slot.device.is_net());
    nets.zip(0..).for_each(|(slot, number)| slot.net_id = Some(NetId(number)));
}

/// Returns character devices their numbers: their places among the character devices, in board order.
pub(crate) fn number_char_devices(slots: &mut [Slot]) -> Vec<String> {
    let mut names = Vec::new();
    for slot in slots.iter_mut().filter(|slot| slot.device.is_char()) {
        slot.char_id = Some(CharId(names.len() as u16));
        names.push(slot.name.clone());
    }
    names
}
