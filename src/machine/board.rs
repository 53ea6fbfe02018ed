//! Board descriptions: which CPU, which memory, which devices, and where.
//!
//! A description is TOML, and so are the presets: whatever a preset can do, a user's own file can. `docs/boards.md` is
//! the user's page about it. The text that [`Board::to_toml`] writes is canonical: equal boards give equal texts, and
//! it is what a recording carries as the board's identity.

mod check;
mod error;
mod parse;
mod place;
mod write;

pub use crate::cpu::CpuKind;
use crate::machine::AddressSpace;
pub use check::{DeviceFacts, Window};
pub use error::{BoardError, BoardProblem};
pub use place::{ImageInput, MemoryImage, Target};

use serde::Deserialize;

/// The preset descriptions, by name.
const PRESETS: &[(&str, &str)] = &[
    ("apple1", include_str!("presets/apple1.toml")),
    ("breadboard", include_str!("presets/breadboard.toml")),
    ("lab", include_str!("presets/lab.toml")),
    ("py65mon", include_str!("presets/py65mon.toml")),
    ("sbc6850", include_str!("presets/sbc6850.toml")),
    ("sim65", include_str!("presets/sim65.toml")),
];

/// A machine's parts and how they are wired.
///
/// Fields may be changed freely (`board.cpu.kind = CpuKind::Mos6502`); [`Board::check`] says whether the result holds.
///
/// ```
/// use rreplay::machine::board::Board;
///
/// let board = Board::from_toml(
///     r#"
///     name = "bench"
///     console = "acia"
///     [cpu]
///     kind = "w65c02"
///     clock_hz = 1_000_000
///     [[region]]
///     name = "ram"
///     kind = "ram"
///     start = 0x0000
///     end = 0x7FFF
///     [[region]]
///     name = "rom"
///     kind = "rom"
///     start = 0xE000
///     end = 0xFFFF
///     [[device]]
///     name = "acia"
///     kind = "mos6551"
///     at = 0x8000
///     irq = "irq"
///     "#,
/// )?;
/// assert_eq!(board.device("acia").map(|acia| acia.at), Some(0x8000));
/// assert_eq!(Board::from_toml(&board.to_toml())?, board);
/// // What does not hold is named, with its line.
/// let wrong = Board::from_toml("name = \"bench\"\n[cpu]\nkind = \"6520\"\nclock_hz = 1").unwrap_err();
/// assert!(wrong.to_string().contains("did you mean \"6502\"?"));
/// # Ok::<(), rreplay::machine::board::BoardError>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Board {
    /// What messages and recordings call it.
    pub name: String,
    /// A sentence for people; may be empty.
    pub description: String,
    /// What happens where neither memory nor a device answers.
    pub unmapped: Unmapped,
    /// The main character device, by name.
    pub console: Option<String>,
    /// The built-in ROM that is taken when the user gives none, by name.
    pub rom: Option<String>,
    /// The processor.
    pub cpu: Cpu,
    /// RAM and ROM.
    pub regions: Vec<Region>,
    /// Everything else on the bus. Their order is the order of registration with the recorder.
    pub devices: Vec<DeviceSpec>,
}

/// The processor of a board.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cpu {
    /// Which chip.
    pub kind: CpuKind,
    /// Clock in Hz, 1 to 1,000,000,000.
    pub clock_hz: u64,
    /// Laid over the reset vector of whatever images are loaded: for programs that have none.
    pub reset_vector: Option<u16>,
}

/// What happens at an address at which nothing answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unmapped {
    /// Reads give what floats on the bus ([`crate::memory::open_bus`]), writes are lost: what the hardware does.
    #[default]
    OpenBus,
    /// The run stops with an error: what finds a stray pointer.
    Error,
}

/// A range of RAM or ROM. Begins and ends at page borders.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Region {
    /// What images are placed by.
    pub name: String,
    /// RAM or ROM.
    pub kind: RegionKind,
    /// First address, a multiple of $100.
    pub start: u16,
    /// Last address, a multiple of $100 less one.
    pub end: u16,
    /// What its bytes hold where no image says otherwise.
    pub fill: u8,
}

/// Kinds of memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionKind {
    /// Can be written, and is zero at power-on unless `fill` says otherwise.
    Ram,
    /// Cannot be written by the CPU, and is $FF (erased) unless an image or `fill` says otherwise.
    Rom,
}

/// A device on the bus. It lies on top of a region if there is one at its addresses.
#[derive(Clone, PartialEq, Debug)]
pub struct DeviceSpec {
    /// What users and recordings call it.
    pub name: String,
    /// Chip or design, one of [`crate::devices`].
    pub kind: String,
    /// Where its registers are.
    pub space: AddressSpace,
    /// Address of register 0.
    pub at: u16,
    /// Which interrupt line of the CPU it pulls.
    pub irq: IrqLine,
    /// Whatever else the description says about it, for the device to judge.
    pub options: toml::Table,
}

/// Interrupt lines of the CPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IrqLine {
    /// Not connected.
    #[default]
    None,
    /// IRQB, held low by any number of devices.
    Irq,
    /// NMIB, taken at the falling edge.
    Nmi,
}

impl Board {
    /// Reads and checks a description.
    pub fn from_toml(text: &str) -> Result<Self, BoardError> {
        let board = parse::board(text)?;
        board.check_devices()?;
        Ok(board)
    }

    /// Checks a description that is a table already: a Python mapping, a part of a larger file.
    pub fn from_table(table: &toml::Table) -> Result<Self, BoardError> {
        Self::from_toml(&table.to_string())
    }

    /// Writes the description, canonically: `from_toml(to_toml(b)) == b` for each board that passes [`Board::check`].
    pub fn to_toml(&self) -> String {
        write::board(self)
    }

    /// A preset by its name.
    pub fn preset(name: &str) -> Result<Self, BoardError> {
        match PRESETS.iter().find(|(preset, _)| *preset == name) {
            Some((_, text)) => Self::from_toml(text),
            None => Err(BoardProblem::NoPreset {
                name: name.into(),
                known: error::list(Self::presets()),
                suggestion: error::suggestion(name, Self::presets()),
            }
            .into()),
        }
    }

    /// The presets' names, in alphabetical order.
    pub fn presets() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(name, _)| *name)
    }

    /// This board with another processor, by a name that descriptions know (`6502`, `w65c02`, `nmos6502`, `65c02`).
    ///
    /// # Errors
    /// An unknown processor.
    pub fn with_cpu(mut self, kind: &str) -> Result<Self, BoardError> {
        self.cpu.kind = parse::cpu_kind(kind)?;
        Ok(self)
    }

    /// This board with the arguments that a C program's `main` is given, the program's name first.
    ///
    /// # Errors
    /// A board without a device that serves C programs.
    pub fn with_arguments(mut self, arguments: Vec<String>) -> Result<Self, BoardError> {
        let Some(device) = self.devices.iter_mut().find(|device| device.kind == "sim65") else {
            return Err(BoardProblem::NoArguments { board: self.name }.into());
        };
        let arguments = arguments.into_iter().map(toml::Value::String).collect();
        device.options.insert("arguments".into(), toml::Value::Array(arguments));
        Ok(self)
    }

    /// The region with that name.
    pub fn region(&self, name: &str) -> Option<&Region> {
        self.regions.iter().find(|region| region.name == name)
    }

    /// The region at an address.
    pub fn region_at(&self, address: u16) -> Option<&Region> {
        self.regions.iter().find(|region| (region.start..=region.end).contains(&address))
    }

    /// The device with that name.
    pub fn device(&self, name: &str) -> Option<&DeviceSpec> {
        self.devices.iter().find(|device| device.name == name)
    }
}

impl Region {
    /// Bytes in it.
    pub fn size(&self) -> usize {
        usize::from(self.end.saturating_sub(self.start)) + 1
    }
}

impl RegionKind {
    /// The name in a description.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ram => "ram",
            Self::Rom => "rom",
        }
    }

    /// What a region holds where nothing else is said.
    pub const fn default_fill(self) -> u8 {
        match self {
            Self::Ram => 0x00,
            Self::Rom => 0xFF,
        }
    }
}

impl Unmapped {
    /// The name in a description.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenBus => "open_bus",
            Self::Error => "error",
        }
    }
}

impl IrqLine {
    /// The name in a description.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Irq => "irq",
            Self::Nmi => "nmi",
        }
    }
}

#[cfg(test)]
mod tests;
