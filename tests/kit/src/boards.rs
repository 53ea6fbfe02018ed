//! The boards that scenarios run on, and what a program must know of them.

use rreplay::error::Error;
use rreplay::machine::board::{Board, CpuKind, Unmapped};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// A board of a scenario.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, arbitrary::Arbitrary, proptest_derive::Arbitrary,
)]
pub enum BoardChoice {
    /// The preset `breadboard`.
    Breadboard,
    /// The preset `sbc6850`.
    Sbc6850,
    /// The preset `py65mon`.
    Py65mon,
    /// The preset `lab`.
    #[proptest(weight = 4)]
    Lab,
    /// The serial chips, the VIA and the probe, with the VIA on NMI; `strict`: unmapped addresses end the run.
    #[proptest(weight = 5)]
    Workshop {
        /// Whether unmapped addresses end the run.
        strict: bool,
    },
}

/// The processor of a scenario.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, arbitrary::Arbitrary, proptest_derive::Arbitrary,
)]
pub enum CpuChoice {
    /// The W65C02.
    W65c02,
    /// The NMOS 6502.
    Mos6502,
}

/// A chip that a program talks to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Chip {
    Mos6551,
    Mc6850,
    Via6522,
    Py65Console,
    Probe,
    Mc146818,
    Keyboard,
    Pointer,
    /// A design with its status in register 1, where flags are cleared by writing them as 1.
    Plain {
        registers: u16,
        /// The register that lets it interrupt.
        control: u16,
    },
}

/// A chip in its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub chip: Chip,
    pub at: u16,
}

thread_local! {
    static BOARDS: RefCell<BTreeMap<(BoardChoice, CpuChoice), Board>> = const { RefCell::new(BTreeMap::new()) };
}

const WORKSHOP: &str = include_str!("workshop.toml");

impl BoardChoice {
    /// The board with that processor. Read once a thread: to read one takes longer than many a scenario.
    ///
    /// # Errors
    /// None, unless a preset does not hold.
    pub fn board(self, cpu: CpuChoice) -> Result<Board, Error> {
        let known = BOARDS.with_borrow(|boards| boards.get(&(self, cpu)).cloned());
        if let Some(board) = known {
            return Ok(board);
        }
        let board = self.read(cpu)?;
        BOARDS.with_borrow_mut(|boards| boards.insert((self, cpu), board.clone()));
        Ok(board)
    }

    fn read(self, cpu: CpuChoice) -> Result<Board, Error> {
        let mut board = match self {
            BoardChoice::Breadboard => Board::preset("breadboard")?,
            BoardChoice::Sbc6850 => Board::preset("sbc6850")?,
            BoardChoice::Py65mon => Board::preset("py65mon")?,
            BoardChoice::Lab => Board::preset("lab")?,
            BoardChoice::Workshop { strict } => {
                let mut board = Board::from_toml(WORKSHOP)?;
                if strict {
                    board.unmapped = Unmapped::Error;
                }
                board
            }
        };
        board.cpu.kind = match cpu {
            CpuChoice::W65c02 => CpuKind::W65c02,
            CpuChoice::Mos6502 => CpuKind::Mos6502,
        };
        Ok(board)
    }
}

/// The chips of a board that programs know how to use, the console first.
pub(super) fn places(board: &Board) -> Vec<Place> {
    let known = board.devices.iter().filter_map(|device| {
        let chip = match device.kind.as_str() {
            "mos6551" => Chip::Mos6551,
            "mc6850" => Chip::Mc6850,
            "via6522" => Chip::Via6522,
            "py65_console" => Chip::Py65Console,
            "probe" => Chip::Probe,
            "mc146818" => Chip::Mc146818,
            "keyboard" => Chip::Keyboard,
            "pointer" => Chip::Pointer,
            "random_port" => Chip::Plain { registers: 2, control: 0 },
            "stopwatch" => Chip::Plain { registers: 12, control: 0 },
            "power" => Chip::Plain { registers: 6, control: 2 },
            "disk" => Chip::Plain { registers: 12, control: 2 },
            "network" => Chip::Plain { registers: 16, control: 2 },
            "sound" | "display" => Chip::Plain { registers: 16, control: 0 },
            _ => return None,
        };
        Some((board.console.as_ref() != Some(&device.name), Place { chip, at: device.at }))
    });
    let mut places: Vec<_> = known.collect();
    places.sort_by_key(|(behind, place)| (*behind, place.at));
    places.into_iter().map(|(_, place)| place).collect()
}

impl Chip {
    /// Number of register addresses.
    pub const fn registers(self) -> u16 {
        match self {
            Chip::Mc6850 | Chip::Mc146818 => 2,
            Chip::Keyboard => 8,
            Chip::Pointer => 12,
            Chip::Plain { registers, .. } => registers,
            Chip::Mos6551 | Chip::Py65Console => 4,
            Chip::Via6522 | Chip::Probe => 16,
        }
    }
}
