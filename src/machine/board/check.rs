//! Whether a board holds together.

use super::error::{list, suggestion};
use super::parse::DEVICE_KEYS;
use super::{AddressSpace, Board, BoardError, BoardProblem, DeviceSpec};
use crate::cpu::ResetTarget;
use crate::devices::Device;

/// The fastest clock that is taken for a number and not for a mistake.
const CLOCK_HZ_MAX: u64 = 1_000_000_000;

/// What a problem is about, for its line.
#[derive(Clone, Copy)]
pub(super) enum Subject {
    Board,
    Console,
    Clock,
    Region(usize),
    Device(usize),
}

/// What the board must know of a device to wire it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeviceFacts {
    /// Number of register addresses.
    pub register_count: u16,
    /// Whether it has a character host side.
    pub is_char: bool,
}

/// The addresses of a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// Its place in [`Board::devices`].
    pub device: usize,
    /// Where the addresses are.
    pub space: AddressSpace,
    /// First address.
    pub first: u16,
    /// Last address.
    pub last: u16,
}

/// Devices on one board: the bus numbers them with a byte, and a recording hashes each beside the machine's own parts.
const MAX_DEVICES: usize = 200;

impl Board {
    /// Checks all that can be checked without knowing the device models. [`Board::from_toml`] has done so already.
    pub fn check(&self) -> Result<(), BoardError> {
        self.find_problem().map_or(Ok(()), |(_, problem)| Err(problem.into()))
    }

    /// Checks the devices with their models: kinds, options, windows, console.
    ///
    /// # Errors
    /// The first problem.
    pub fn check_devices(&self) -> Result<(), BoardError> {
        self.create_devices(|kind, options| crate::devices::create(kind, options.clone())).map(|_| ())
    }

    /// Makes all devices, in the board's order, and checks what depends on them: kinds, options, windows, console.
    ///
    /// `create` makes a device of a kind from its options; its refusal is part of the error.
    pub fn create_devices<E: std::fmt::Display>(
        &self,
        mut create: impl FnMut(&str, &toml::Table) -> Result<Box<dyn Device>, E>,
    ) -> Result<Vec<Box<dyn Device>>, BoardError> {
        if self.devices.len() > MAX_DEVICES {
            let count = self.devices.len();
            return Err(BoardProblem::TooManyDevices { count, limit: MAX_DEVICES }.into());
        }
        let mut devices = Vec::with_capacity(self.devices.len());
        for DeviceSpec { name, kind, options, .. } in &self.devices {
            let refused = |reason| BoardProblem::Device { name: name.clone(), kind: kind.clone(), reason };
            let device = create(kind, options).map_err(|error| refused(error.to_string()))?;
            let cpu = self.cpu.kind;
            let lacks = |register: &&&str| cpu.register_by_name(register).is_none();
            if let Some(register) = device.processor_registers().iter().find(lacks) {
                let cpu = cpu.name();
                return Err(refused(format!(
                    "it goes by the processor's register {register}, and a {cpu} has none"
                ))
                .into());
            }
            devices.push(device);
        }
        let facts = |device: &dyn Device| DeviceFacts {
            register_count: device.register_count(),
            is_char: device.is_char(),
        };
        self.windows(&devices.iter().map(|device| facts(&**device)).collect::<Vec<_>>())?;
        Ok(devices)
    }

    /// Where each device answers, in the board's order. `facts` are the devices', in that order.
    pub fn windows(&self, facts: &[DeviceFacts]) -> Result<Vec<Window>, BoardError> {
        let mut windows: Vec<Window> = Vec::with_capacity(facts.len());
        for (index, (device, facts)) in self.devices.iter().zip(facts).enumerate() {
            let count = facts.register_count;
            let end = match device.space {
                AddressSpace::Memory => u16::MAX,
                AddressSpace::Io => self.last_port(device)?,
            };
            let last = device.at.checked_add(count.saturating_sub(1)).filter(|last| *last <= end);
            let last = last.ok_or_else(|| {
                let name = device.name.clone();
                BoardProblem::DevicePastEnd { name, at: device.at, count, end }
            })?;
            let window = Window { device: index, space: device.space, first: device.at, last };
            let overlaps = |other: &&Window| {
                other.space == window.space && other.first <= window.last && window.first <= other.last
            };
            let other = windows.iter().find(overlaps);
            if let Some(other) = other {
                return Err(self.devices_overlap(other, &window).into());
            }
            windows.push(window);
            if self.console.as_ref() == Some(&device.name) && !facts.is_char {
                let (console, kind) = (device.name.clone(), device.kind.clone());
                return Err(BoardProblem::ConsoleKind { console, kind }.into());
            }
        }
        Ok(windows)
    }

    /// The last I/O port of the processor, for a device that is to be at one.
    fn last_port(&self, device: &DeviceSpec) -> Result<u16, BoardProblem> {
        self.cpu
            .kind
            .last_port()
            .ok_or_else(|| BoardProblem::NoPorts { name: device.name.clone(), cpu: self.cpu.kind.name() })
    }

    fn devices_overlap(&self, first: &Window, second: &Window) -> BoardProblem {
        BoardProblem::DevicesOverlap {
            first: self.devices[first.device].name.clone(),
            first_start: first.first,
            first_end: first.last,
            second: self.devices[second.device].name.clone(),
            second_start: second.first,
            second_end: second.last,
        }
    }

    /// The first problem, and what it is about.
    pub(super) fn find_problem(&self) -> Option<(Subject, BoardProblem)> {
        if self.name.is_empty() {
            return Some((Subject::Board, BoardProblem::Unnamed { what: "board" }));
        }
        let clock_hz = self.cpu.clock_hz;
        if !(1..=CLOCK_HZ_MAX).contains(&clock_hz) {
            return Some((Subject::Clock, BoardProblem::Clock { clock_hz }));
        }
        if self.regions.is_empty() {
            return Some((Subject::Board, BoardProblem::Empty));
        }
        self.region_problem()
            .or_else(|| self.device_problem())
            .or_else(|| {
                let target = self.cpu.kind.reset_target();
                let (first, last) = target.bytes();
                let is_covered = (first..=last).all(|address| self.region_at(address).is_some());
                match target {
                    _ if is_covered => None,
                    ResetTarget::Vector(_) => {
                        Some((Subject::Board, BoardProblem::ResetVector { first, last }))
                    }
                    ResetTarget::Address(_) => {
                        Some((Subject::Board, BoardProblem::ResetAddress { address: first }))
                    }
                }
            })
            .or_else(|| {
                let is_fixed = matches!(self.cpu.kind.reset_target(), ResetTarget::Address(_));
                let cpu = self.cpu.kind.name();
                (is_fixed && self.cpu.reset_vector.is_some())
                    .then_some((Subject::Clock, BoardProblem::NoResetVector { cpu }))
            })
    }

    fn region_problem(&self) -> Option<(Subject, BoardProblem)> {
        for (index, region) in self.regions.iter().enumerate() {
            let (name, start, end) = (region.name.clone(), region.start, region.end);
            let before = &self.regions[..index];
            let overlapped = before.iter().find(|other| other.start <= end && start <= other.end);
            let problem = if name.is_empty() {
                BoardProblem::Unnamed { what: "region" }
            } else if before.iter().any(|other| other.name == name) {
                BoardProblem::SameName { what: "region", name }
            } else if end < start {
                BoardProblem::Backward { name, start, end }
            } else if start & 0xFF != 0x00 || end & 0xFF != 0xFF {
                BoardProblem::Unaligned { name, start, end }
            } else if let Some(other) = overlapped {
                BoardProblem::RegionsOverlap {
                    first: other.name.clone(),
                    first_start: other.start,
                    first_end: other.end,
                    second: name,
                    second_start: start,
                    second_end: end,
                }
            } else {
                continue;
            };
            return Some((Subject::Region(index), problem));
        }
        None
    }

    fn device_problem(&self) -> Option<(Subject, BoardProblem)> {
        for (index, device) in self.devices.iter().enumerate() {
            let name = device.name.clone();
            let problem = if name.is_empty() {
                BoardProblem::Unnamed { what: "device" }
            } else if self.devices[..index].iter().any(|other| other.name == name) {
                BoardProblem::SameName { what: "device", name }
            } else if let Some(key) = DEVICE_KEYS.iter().find(|key| device.options.contains_key(**key)) {
                let reason = format!("the option \"{key}\" is the board's own key: use the field");
                BoardProblem::Device { name, kind: device.kind.clone(), reason }
            } else {
                continue;
            };
            return Some((Subject::Device(index), problem));
        }
        let console = self.console.as_ref().filter(|console| self.device(console).is_none())?;
        let names = || self.devices.iter().map(|device| device.name.as_str());
        let (known, suggestion) = (list(names()), suggestion(console, names()));
        Some((Subject::Console, BoardProblem::NoConsole { console: console.clone(), known, suggestion }))
    }
}
