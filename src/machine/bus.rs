//! The machine's bus as the CPU sees it: plain RAM and ROM inline, everything else out of line.

use super::access_trace::Initiator;
use super::hooks::{HookAccess, HookKind, Hooks};
use super::lines::Lines;
use super::slots::{AddressSpace, Slots};
use super::{Fault, Unmapped};
use crate::bus::{Bus, Exception, Interrupt};
use crate::memory::{Memory, Written, open_bus};
use crate::nondet::Nondet;
use crate::units::Position;

/// One cycle on the bus.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BusCycle {
    /// The address.
    pub address: u16,
    /// The value read or written.
    pub value: u8,
    /// Whether it is a write.
    pub write: bool,
    /// The clock cycle.
    pub cycle: u64,
    /// What it is for.
    pub purpose: Purpose,
    /// Where the address is.
    pub space: AddressSpace,
}

/// What a cycle on the bus is for: hooks see data and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// The instruction's operand, or what it writes.
    Data,
    /// A byte of the instruction itself.
    Fetch,
    /// Nothing: the chip throws the value away, or puts back what it has just read.
    Dummy,
}

/// What is read from an I/O port at which no device answers.
const NO_PORT: u8 = 0xFF;

pub(super) struct MachineBus<'a, const TRACED: bool> {
    pub memory: &'a mut Memory,
    pub slots: &'a mut Slots,
    pub lines: &'a mut Lines,
    pub hooks: &'a mut Hooks,
    pub fault: &'a mut Option<Fault>,
    pub trace: &'a mut Option<Vec<BusCycle>>,
    pub unmapped: Unmapped,
    pub clock_hz: u64,
    pub deadline: u64,
    pub outside: &'a mut dyn Nondet,
}

impl<const TRACED: bool> MachineBus<'_, TRACED> {
    /// Out of line but not `#[cold]`: a program that polls a chip comes here every few instructions.
    #[inline(never)]
    fn read_slow(&mut self, address: u16, at: Position, purpose: Purpose) -> u8 {
        let value = match self.slots.quiet_again(address, at.cycles) {
            Some(value) => value,
            None => self.read_anew(address, at, purpose),
        };
        if purpose == Purpose::Data {
            self.memory.note_io_read(address);
            if self.hooks.any() {
                self.note_access(HookKind::Read, address, None, value, at);
            }
        }
        value
    }

    #[inline]
    fn read_anew(&mut self, address: u16, at: Position, purpose: Purpose) -> u8 {
        let Some((slot, register)) = self.slots.at(address, false) else {
            return self.read_no_device(address, at, purpose);
        };
        match self.slots.quiet_read(slot, register, address, at.cycles) {
            Some(value) => value,
            None => self.read_device(slot, register, at),
        }
    }

    #[cold]
    #[inline(never)]
    fn read_no_device(&mut self, address: u16, at: Position, purpose: Purpose) -> u8 {
        match self.memory.read_backing(address) {
            Some(value) => value,
            None => {
                self.unmapped(address, false, at, purpose);
                open_bus(address)
            }
        }
    }

    #[inline(never)]
    fn write_slow(&mut self, address: u16, value: u8, at: Position, purpose: Purpose) {
        let mut old = None;
        match self.slots.at(address, true) {
            Some((slot, register)) => self.write_device(slot, register, value, at),
            None => {
                old = self.memory.read_backing(address);
                if self.memory.write_backing(address, value) == Written::Unmapped {
                    self.unmapped(address, true, at, purpose);
                }
            }
        }
        if purpose == Purpose::Data && self.hooks.any() {
            self.note_access(HookKind::Write, address, old, value, at);
        }
    }

    #[cold]
    #[inline(never)]
    fn note_access(&mut self, kind: HookKind, address: u16, old: Option<u8>, value: u8, at: Position) {
        let (space, initiator) = (AddressSpace::Memory, Initiator::Instruction);
        if self.hooks.access(HookAccess { kind, space, address, old, value, at, initiator }) {
            self.deadline = 0;
        }
    }

    /// What hooks and traces are told of an access to an I/O port.
    fn note_port(&mut self, kind: HookKind, port: u16, value: u8, at: Position) {
        let (space, initiator) = (AddressSpace::Io, Initiator::Instruction);
        self.hooks.access(HookAccess { kind, space, address: port, old: None, value, at, initiator });
        if TRACED {
            let (write, purpose) = (kind == HookKind::Write, Purpose::Data);
            self.note(BusCycle { address: port, value, write, cycle: at.cycles, purpose, space });
        }
    }

    /// What the lines were before this access follows from the devices as they are before it.
    #[inline]
    fn before_access(&mut self, at: Position) {
        if self.lines.next_change() < at.cycles {
            self.lines.catch_up(at.cycles, self.slots);
        }
    }

    fn read_device(&mut self, slot: usize, register: u16, at: Position) -> u8 {
        self.before_access(at);
        let mut outside = Asked { outside: &mut *self.outside, asked: false };
        let value = self.slots.with_device(slot, at, self.clock_hz, &mut outside, None, |device, context| {
            device.read(register, context)
        });
        let asked = outside.asked;
        self.after_access(slot, at, asked);
        value
    }

    fn write_device(&mut self, slot: usize, register: u16, value: u8, at: Position) {
        self.before_access(at);
        let mut outside = Asked { outside: &mut *self.outside, asked: false };
        self.slots.with_device(slot, at, self.clock_hz, &mut outside, None, |device, context| {
            device.write(register, value, context);
        });
        let asked = outside.asked;
        self.after_access(slot, at, asked);
    }

    /// An access may have changed the device's line and timer, and somebody outside may want the CPU back.
    #[inline]
    fn after_access(&mut self, slot: usize, at: Position, asked: bool) {
        if self.slots.refresh(slot, at.cycles) && self.lines.hear(slot, self.slots, at.cycles) {
            self.deadline = 0;
        }
        if let Some(timer) = self.slots.next_timer() {
            self.deadline = self.deadline.min(timer);
        }
        if asked && self.outside.wants_break() {
            self.deadline = 0;
        }
    }

    fn unmapped(&mut self, address: u16, write: bool, at: Position, purpose: Purpose) {
        // What the chip does with the bus on its own is no mistake of the program.
        if self.unmapped == Unmapped::Error && purpose != Purpose::Dummy {
            self.fault.get_or_insert(Fault { address, write, at });
            self.deadline = 0;
        }
    }

    #[inline(always)]
    fn read_for(&mut self, address: u16, at: Position, purpose: Purpose) -> u8 {
        let value = match self.memory.read_fast(address) {
            Some(value) => value,
            None => self.read_slow(address, at, purpose),
        };
        if TRACED {
            let space = AddressSpace::Memory;
            self.note(BusCycle { address, value, write: false, cycle: at.cycles, purpose, space });
        }
        value
    }

    #[inline(always)]
    fn write_for(&mut self, address: u16, value: u8, at: Position, purpose: Purpose) {
        if !self.memory.write_fast(address, value) {
            self.write_slow(address, value, at, purpose);
        }
        if TRACED {
            let space = AddressSpace::Memory;
            self.note(BusCycle { address, value, write: true, cycle: at.cycles, purpose, space });
        }
    }

    #[cold]
    #[inline(never)]
    fn note(&mut self, cycle: BusCycle) {
        if let Some(trace) = self.trace {
            trace.push(cycle);
        }
    }
}

impl<const TRACED: bool> Bus for MachineBus<'_, TRACED> {
    #[inline(always)]
    fn read(&mut self, address: u16, at: Position) -> u8 {
        self.read_for(address, at, Purpose::Data)
    }

    #[inline(always)]
    fn write(&mut self, address: u16, value: u8, at: Position) {
        if !TRACED && self.memory.write_ready(address, value) {
            return;
        }
        self.memory.note_written(address);
        self.write_for(address, value, at, Purpose::Data);
    }

    #[inline(always)]
    fn plain_code(&self, pc: u16) -> bool {
        !TRACED && self.memory.is_plain_code(pc)
    }

    #[inline(always)]
    fn is_ready(&self, pc: u16) -> bool {
        !TRACED && self.memory.is_ready_code(pc)
    }

    #[inline(always)]
    fn code(&self, address: u16) -> u8 {
        self.memory.bytes()[usize::from(address)]
    }

    #[inline(always)]
    fn note_executed(&mut self, pc: u16) {
        self.memory.note_executed(pc);
    }

    #[inline(always)]
    fn fetch(&mut self, address: u16, at: Position) -> u8 {
        self.read_for(address, at, Purpose::Fetch)
    }

    #[inline(always)]
    fn dummy_read(&mut self, address: u16, at: Position) {
        // Only a device notices a read whose value is thrown away.
        if TRACED || self.memory.read_fast(address).is_none() {
            self.read_for(address, at, Purpose::Dummy);
        }
    }

    #[inline(always)]
    fn dummy_write(&mut self, address: u16, value: u8, at: Position) {
        // Memory holds the value already; the write that follows marks the page.
        if TRACED || self.memory.read_fast(address).is_none() {
            self.write_for(address, value, at, Purpose::Dummy);
        }
    }

    #[inline(always)]
    fn deadline(&self) -> u64 {
        self.deadline
    }

    fn lower_deadline(&mut self) {
        self.deadline = 0;
    }

    fn irq_at(&mut self, cycle: u64) -> bool {
        self.lines.irq_at(cycle, self.slots)
    }

    fn nmi_at(&mut self, cycle: u64) -> bool {
        self.lines.nmi_at(cycle, self.slots)
    }

    fn lines_active(&mut self, now: u64) -> bool {
        self.lines.matter_at(now, self.slots)
    }

    fn acknowledge_nmi(&mut self, through: u64) {
        self.lines.acknowledge_nmi(through, self.slots);
    }

    fn overlook_nmi(&mut self, first: u64, last: u64) {
        self.lines.overlook_nmi(first, last, self.slots);
    }

    fn accept(&mut self, interrupt: Interrupt, at: Position) -> bool {
        self.outside.interrupt(at, interrupt)
    }

    fn exception(&mut self, exception: Exception, at: Position) {
        self.outside.exception(at, exception);
        if self.outside.wants_break() {
            self.deadline = 0;
        }
    }

    fn port_in(&mut self, port: u16, at: Position) -> u8 {
        let value = match self.slots.at_port(port, false) {
            Some((slot, register)) => self.read_device(slot, register, at),
            None => NO_PORT,
        };
        self.note_port(HookKind::Read, port, value, at);
        value
    }

    fn port_out(&mut self, port: u16, value: u8, at: Position) {
        if let Some((slot, register)) = self.slots.at_port(port, true) {
            self.write_device(slot, register, value, at);
        }
        self.note_port(HookKind::Write, port, value, at);
    }

    fn before_instruction(&mut self, pc: u16, stack_pointer: u16, at: Position) -> bool {
        if !self.hooks.notices_execution() {
            return false;
        }
        let byte = |address: u16| self.memory.bytes()[usize::from(address)];
        let ends_frame = self.hooks.frame_ends(pc, stack_pointer, byte);
        self.hooks.before_instruction(pc, at) || ends_frame
    }
}

/// Notices whether the outside was asked at all, which is rare, so that the common access need not look further.
struct Asked<'a> {
    outside: &'a mut dyn Nondet,
    asked: bool,
}

macro_rules! forward {
    ($($method:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        impl Nondet for Asked<'_> {
            $(fn $method(&mut self, at: Position, $($argument: $type),*) -> $result {
                self.asked = true;
                self.outside.$method(at, $($argument),*)
            })*

            fn wants_break(&self) -> bool {
                self.outside.wants_break()
            }
        }
    };
}

forward! {
    clock(kind: crate::nondet::ClockKind) -> i64;
    random(buffer: &mut [u8]) -> i32;
    char_write(device: crate::nondet::CharId, bytes: &[u8]) -> crate::nondet::CharWritten;
    interrupt(interrupt: Interrupt) -> bool;
    exception(exception: Exception) -> bool;
    shutdown_request(cause: crate::nondet::ShutdownCause) -> ();
    char_read_all(device: crate::nondet::CharId, buffer: &mut [u8]) -> i32;
    char_request(
        device: crate::nondet::CharId,
        request: crate::nondet::CharRequest<'_>,
        buffer: &mut [u8]
    ) -> i32;
    audio_out(samples: &[i16]) -> u32;
    audio_in(samples: &mut [i16]) -> crate::nondet::AudioRead;
    net_send(device: crate::nondet::NetId, flags: u32, packet: &[u8]) -> ();
    block(owner: crate::nondet::Owner, request: crate::nondet::BlockRequest) -> u64;
    schedule_bh(owner: crate::nondet::Owner) -> ();
    schedule_bh_oneshot(owner: crate::nondet::Owner) -> ();
    suspend_request() -> ();
}
