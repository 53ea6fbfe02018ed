//! The devices of a board: where each sits, which line it drives, and what was last heard of it.

use crate::devices::{Context, Device, DirectMemory, DirectRegisters, Outputs, QuietRead};
use crate::guest::StuckTimer;
use crate::nondet::{CharId, NetId, Nondet, Owner};
use crate::units::Position;

/// The interrupt line that a device's output is wired to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Wire {
    /// IRQB.
    Irq,
    /// NMIB.
    Nmi,
    /// Not connected.
    None,
}

/// Where an address is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum AddressSpace {
    /// Among memory.
    #[default]
    Memory,
    /// Among the I/O ports, where the processor has some.
    Io,
}

impl AddressSpace {
    /// Its name in board files.
    pub const fn name(self) -> &'static str {
        match self {
            AddressSpace::Memory => "memory",
            AddressSpace::Io => "io",
        }
    }
}

/// A device in its place.
#[derive(Clone)]
pub struct Slot {
    /// The board's name for it.
    pub name: String,
    /// Where its registers are.
    pub space: AddressSpace,
    /// Address of its first register.
    pub first: u16,
    /// The line it drives.
    pub wire: Wire,
    /// Its number as a character device.
    pub char_id: Option<CharId>,
    /// Its number as a network device.
    pub net_id: Option<NetId>,
    /// The chip.
    pub device: Box<dyn Device>,
    /// [`Device::irq`] as of the last call that could change it.
    pub(super) irq: Option<u64>,
    /// [`Device::next_line_change`] as of the last call that could change it; `u64::MAX` for none.
    pub(super) line_change: u64,
    /// [`Device::next_timer`] as of the last call that could change it; `u64::MAX` for none.
    timer: u64,
    /// Whether the device leaves some of its addresses to what lies beneath.
    has_gaps: bool,
}

impl Slot {
    /// A device whose first register is at the address `first` of memory.
    pub fn new(name: &str, first: u16, wire: Wire, device: Box<dyn Device>) -> Self {
        let Outputs { irq, line_change, timer } = device.outputs(0);
        let has_gaps = (0..device.register_count())
            .any(|offset| !device.claims(offset, false) || !device.claims(offset, true));
        Self {
            name: name.to_owned(),
            space: AddressSpace::Memory,
            first,
            wire,
            char_id: None,
            net_id: None,
            device,
            irq,
            line_change,
            timer,
            has_gaps,
        }
    }

    /// The same device in another address space.
    pub fn in_space(self, space: AddressSpace) -> Self {
        Self { space, ..self }
    }

    /// Address of its last register.
    pub fn last(&self) -> u16 {
        self.first.saturating_add(self.device.register_count() - 1)
    }
}

/// Holds at no cycle.
const NOT_QUIET: QuietRead = QuietRead { value: 0, until: 0 };

/// Marks a page without a device.
const NO_SLOT: u8 = u8::MAX;

/// Where devices answer in an address space.
#[derive(Clone)]
struct Windows {
    /// First and last address and slot, by address.
    windows: Vec<(u16, u16, u8)>,
    /// For each page the first window that reaches into it.
    first_window: [u8; 256],
}

impl Windows {
    fn of(slots: &[Slot], space: AddressSpace) -> Self {
        let here = slots.iter().enumerate().filter(|(_, slot)| slot.space == space);
        let mut windows: Vec<_> = here.map(|(index, slot)| (slot.first, slot.last(), index as u8)).collect();
        windows.sort_unstable();
        let mut first_window = [NO_SLOT; 256];
        for (page, entry) in first_window.iter_mut().enumerate() {
            let in_page = |&(first, last, _): &(u16, u16, u8)| {
                usize::from(first >> 8) <= page && page <= usize::from(last >> 8)
            };
            *entry = windows.iter().position(in_page).map_or(NO_SLOT, |index| index as u8);
        }
        Self { windows, first_window }
    }

    /// The device that answers at `address`, and its register.
    #[inline]
    fn at(&self, slots: &[Slot], address: u16, write: bool) -> Option<(usize, u16)> {
        let mut window = usize::from(self.first_window[usize::from(address >> 8)]);
        while let Some(&(first, last, slot)) = self.windows.get(window) {
            if address < first {
                return None;
            }
            if address <= last {
                let offset = address - first;
                let index = usize::from(slot);
                let slot = &slots[index];
                return (!slot.has_gaps || slot.device.claims(offset, write)).then_some((index, offset));
            }
            window += 1;
        }
        None
    }
}

/// All devices, findable by address.
#[derive(Clone)]
pub(super) struct Slots {
    /// In board order, which is the order of sections and of character devices.
    slots: Vec<Slot>,
    memory: Windows,
    ports: Windows,
    /// The register that was read last with nothing else done to any device since: its address, and what it returned.
    quiet: (u16, QuietRead),
    /// The earliest timer of all; `u64::MAX` for none.
    next_timer: u64,
}

impl std::ops::Index<usize> for Slots {
    type Output = Slot;

    fn index(&self, index: usize) -> &Slot {
        &self.slots[index]
    }
}

impl Slots {
    pub fn new(slots: Vec<Slot>) -> Self {
        let (memory, ports) =
            (Windows::of(&slots, AddressSpace::Memory), Windows::of(&slots, AddressSpace::Io));
        let mut slots = Self { slots, memory, ports, quiet: (0, NOT_QUIET), next_timer: u64::MAX };
        slots.find_next_timer();
        slots
    }

    pub fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter()
    }

    pub fn has_page(&self, page: u8) -> bool {
        self.memory.first_window[usize::from(page)] != NO_SLOT
    }

    /// The device that answers at `address`, and its register.
    #[inline]
    pub fn at(&self, address: u16, write: bool) -> Option<(usize, u16)> {
        self.memory.at(&self.slots, address, write)
    }

    /// What a read of `address` at cycle `now` returns, if it was read last and is still quiet.
    #[inline]
    pub fn quiet_again(&self, address: u16, now: u64) -> Option<u8> {
        let (last, QuietRead { value, until }) = self.quiet;
        (last == address && now < until).then_some(value)
    }

    /// What a read of a device's register returns, if that changes nothing; `address` is the register's.
    #[inline]
    pub fn quiet_read(&mut self, index: usize, register: u16, address: u16, now: u64) -> Option<u8> {
        let quiet = self.slots[index].device.quiet_read(register, now)?;
        self.quiet = (address, quiet);
        Some(quiet.value)
    }

    /// The device that answers at an I/O port, and its register.
    pub fn at_port(&self, port: u16, write: bool) -> Option<(usize, u16)> {
        self.ports.at(&self.slots, port, write)
    }

    pub fn of_char(&self, id: CharId) -> Option<usize> {
        self.slots.iter().position(|slot| slot.char_id == Some(id))
    }

    pub fn of_net(&self, id: NetId) -> Option<usize> {
        self.slots.iter().position(|slot| slot.net_id == Some(id))
    }

    pub fn next_timer(&self) -> Option<u64> {
        (self.next_timer != u64::MAX).then_some(self.next_timer)
    }

    /// Whether the timer of a device that has run it at cycle `at` lies after that.
    pub fn past_timer(&self, index: usize, at: u64) -> Result<(), StuckTimer> {
        let Slot { name, timer, .. } = &self.slots[index];
        if *timer > at { Ok(()) } else { Err(StuckTimer { device: name.clone(), due: *timer, at }) }
    }

    /// The device whose timer comes first; of several at one cycle the first in board order.
    pub fn earliest(&self) -> Option<usize> {
        self.slots
            .iter()
            .position(|slot| slot.timer == self.next_timer)
            .filter(|_| self.next_timer != u64::MAX)
    }

    #[inline]
    pub fn with_device<T>(
        &mut self,
        index: usize,
        at: Position,
        clock_hz: u64,
        outside: &mut dyn Nondet,
        boundary: Option<(&mut dyn DirectMemory, &mut dyn DirectRegisters)>,
        body: impl FnOnce(&mut dyn Device, &mut Context<'_>) -> T,
    ) -> T {
        self.quiet.1 = NOT_QUIET;
        let slot = &mut self.slots[index];
        let (memory, cpu) = match boundary {
            Some((memory, cpu)) => {
                (Some(memory as &mut dyn DirectMemory), Some(cpu as &mut dyn DirectRegisters))
            }
            None => (None, None),
        };
        let mut context = Context {
            at,
            clock_hz,
            char_id: slot.char_id.unwrap_or(CharId(u16::MAX)),
            net_id: slot.net_id.unwrap_or(NetId(u16::MAX)),
            owner: Owner(index as u16),
            outside,
            memory,
            cpu,
        };
        body(&mut *slot.device, &mut context)
    }

    /// Hears what a device has to say after a call in cycle `at`, or at the boundary before it, that could change it. Returns
    /// whether the lines must be told.
    #[inline]
    pub fn refresh(&mut self, index: usize, at: u64) -> bool {
        let slot = &mut self.slots[index];
        let Outputs { irq, line_change, timer } = slot.device.outputs(at);
        let changed = irq != slot.irq || line_change != slot.line_change;
        (slot.irq, slot.line_change) = (irq, line_change);
        if timer != slot.timer {
            slot.timer = timer;
            self.find_next_timer();
        }
        changed
    }

    pub fn reset(&mut self, now: u64) {
        self.devices_mut().for_each(|slot| slot.device.reset(now));
        self.refresh_all(now);
    }

    /// Brings lazily computed registers up to date, so that what is saved is canonical.
    pub fn catch_up(&mut self, now: u64) {
        self.devices_mut().for_each(|slot| slot.device.catch_up(now));
    }

    /// To be called when devices were restored, in the state that they had at cycle `now`.
    pub fn refresh_all(&mut self, now: u64) {
        (0..self.slots.len()).for_each(|index| {
            self.refresh(index, now);
        });
    }

    pub fn devices_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.quiet.1 = NOT_QUIET;
        self.slots.iter_mut()
    }

    fn find_next_timer(&mut self) {
        self.next_timer = self.slots.iter().map(|slot| slot.timer).min().unwrap_or(u64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::{Slot, Slots, StuckTimer, Wire};

    #[test]
    fn a_timer_that_is_due_after_it_has_run_is_told_of() {
        let options = "size = 1\ntick_cycles = 1000".parse().unwrap();
        let user = crate::devices::create("user", options).unwrap();
        let slots = Slots::new(vec![Slot::new("knob", 0x5000, Wire::Irq, user)]);
        assert_eq!(slots.past_timer(0, 999), Ok(()));
        for at in [1000, 1005] {
            let stuck = StuckTimer { device: "knob".to_owned(), due: 1000, at };
            assert_eq!(slots.past_timer(0, at), Err(stuck));
        }
    }
}
