//! Making sessions from boards and images.

use super::Session;
use crate::devices;
use crate::engine::{ReplayIo, RunSignals, Transcripts};
use crate::error::Error;
use crate::host::SystemHost;
use crate::machine::board::{
    Board, BoardError, ImageInput, IrqLine, MemoryImage, RegionKind, Target, Unmapped,
};
use crate::machine::rom::Format;
use crate::machine::{self, Machine, Slot, Wire, number_char_devices, number_net_devices};
use crate::persist::Digest;
use crate::replay::Replay;
use crate::sync::Shared;

/// Images and where they go.
pub type Images = Vec<ImageInput>;

/// Our own monitor, the default ROM of `breadboard`.
const MONITOR: &[u8] = include_bytes!("../../guests/monitor/monitor.bin");

/// The suite of the devices, the default ROM of `lab`.
const SUITE: &[u8] = include_bytes!("../../guests/lab/suite.bin");

/// The built-in ROM of a name.
pub fn default_rom(name: &str) -> Option<&'static [u8]> {
    match name {
        "monitor" => Some(MONITOR),
        "suite" => Some(SUITE),
        _ => None,
    }
}

impl Session {
    /// A machine at power-on. The board's built-in ROM, if it has one, is there unless an image takes its place.
    ///
    /// # Errors
    /// A board that does not hold, or images that do not fit it.
    pub fn new(board: Board, images: Images) -> Result<Session, Error> {
        let board = board.configured_by(&images)?;
        board.check()?;
        let image = match built_in(&board)? {
            Some(built_in) => board.place_over(&images, &built_in)?,
            None => board.place(&images)?,
        };
        let machine = build_machine(&board, &image)?;
        let identity = identity(&board, &machine);
        Ok(Self::assemble(Shared::new(board), identity, machine, Replay::none()))
    }
}

/// The ROM that the board has when the user's images leave it empty.
fn built_in(board: &Board) -> Result<Option<ImageInput>, Error> {
    let Some(name) = &board.rom else { return Ok(None) };
    let Some(bytes) = default_rom(name) else {
        return Err(Error::Board(BoardError::unknown(name, ["monitor", "suite"])));
    };
    Ok(Some(ImageInput {
        target: Target::Main,
        name: format!("the built-in ROM {name}"),
        bytes: bytes.to_vec(),
        format: Format::Bin,
    }))
}

/// Builds the machine of a board with its memory filled.
pub(crate) fn build_machine(board: &Board, image: &MemoryImage) -> Result<Machine, Error> {
    let created = board.create_devices(|kind, options| devices::create(kind, options.clone()))?;
    let mut slots: Vec<Slot> = board
        .devices
        .iter()
        .zip(created)
        .map(|(spec, device)| Slot::new(&spec.name, spec.at, wire(spec.irq), device).in_space(spec.space))
        .collect();
    number_char_devices(&mut slots);
    number_net_devices(&mut slots);
    let memory = board.memory(image, &[])?;
    let unmapped = match board.unmapped {
        Unmapped::OpenBus => machine::Unmapped::OpenBus,
        Unmapped::Error => machine::Unmapped::Error,
    };
    // Power-on reads the reset vector through the bus; nothing is recorded yet.
    let (mut replay, mut host_calls) = (Replay::none(), SystemHost::default());
    let (mut transcripts, mut signals) = (Transcripts::default(), RunSignals::default());
    let mut io = ReplayIo {
        replay: &mut replay,
        host_calls: &mut host_calls,
        transcripts: &mut transcripts,
        signals: &mut signals,
    };
    Ok(Machine::new(board.cpu.kind, board.cpu.clock_hz, memory, slots, unmapped, &mut io))
}

fn wire(line: IrqLine) -> Wire {
    match line {
        IrqLine::Irq => Wire::Irq,
        IrqLine::Nmi => Wire::Nmi,
        IrqLine::None => Wire::None,
    }
}

/// The ROM regions' bytes, as they are now.
pub(crate) fn rom_contents(board: &Board, machine: &Machine) -> Vec<(String, Vec<u8>)> {
    let roms = board.regions.iter().filter(|region| region.kind == RegionKind::Rom);
    roms.map(|region| {
        let bytes = &machine.memory().bytes()[usize::from(region.start)..=usize::from(region.end)];
        (region.name.clone(), bytes.to_vec())
    })
    .collect()
}

/// The hash of board and ROM.
pub(crate) fn identity(board: &Board, machine: &Machine) -> Digest {
    let mut bytes = board.to_toml().into_bytes();
    for (_, rom) in rom_contents(board, machine) {
        bytes.extend(rom);
    }
    Digest::of(&bytes)
}
