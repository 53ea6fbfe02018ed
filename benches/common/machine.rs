//! A whole machine that runs the programs of the benchmarks: an NMOS 6502, 64 KiB of RAM and an MC6850.

use super::{Done, Work};
use rreplay::machine::board::{Board, ImageInput, Target};
use rreplay::machine::rom::Format;
use rreplay::session::{RunRequest, Session};

const BOARD: &str = r#"
name = "bench"
console = "acia"

[cpu]
kind = "6502"
clock_hz = 1_843_200
reset_vector = 0x0300

[[region]]
name = "ram"
kind = "ram"
start = 0x0000
end = 0xFFFF

[[device]]
name = "acia"
kind = "mc6850"
at = 0xA000
"#;

/// LDA #$15, STA $A000: 8 data bits, clock / 16, no interrupts; JMP $0400.
const START: [u8; 8] = [0xA9, 0x15, 0x8D, 0x00, 0xA0, 0x4C, 0x00, 0x04];

/// A machine that runs a program.
pub fn session(work: &Work) -> Session {
    let mut image = work.image.clone();
    image[0x0300..0x0308].copy_from_slice(&START);
    let board = Board::from_toml(BOARD).expect("the board is sound");
    let image = ImageInput {
        target: Target::Main,
        name: work.name.to_owned(),
        bytes: image.to_vec(),
        format: Format::Bin,
    };
    Session::new(board, vec![image]).expect("the image fits")
}

/// Runs so many instructions.
pub fn run(session: &Session, instructions: u64) -> Done {
    let before = session.position();
    let request = RunRequest { instructions: Some(instructions), ..RunRequest::default() };
    session.run(request, &mut || false).expect("the program runs");
    let after = session.position();
    assert_eq!(after.icount - before.icount, instructions);
    Done { instructions, cycles: after.cycles - before.cycles, check: 0 }
}
