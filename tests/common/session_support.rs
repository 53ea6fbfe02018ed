//! Small machines for the tests of sessions.
#![allow(dead_code, reason = "each test file uses its part")]

use rreplay::error::Error;
use rreplay::machine::board::{Board, ImageInput, Target};
use rreplay::machine::rom::Format;
use rreplay::session::{RunRequest, Session, Stop};

/// RAM everywhere but FE00-FFFF, which is ROM with the vectors; the program starts at 0400 by default.
pub const BOARD: &str = r#"
name = "bench"
console = "acia"
[cpu]
kind = "w65c02"
clock_hz = 1_000_000
[[region]]
name = "ram"
kind = "ram"
start = 0x0000
end = 0x7FFF
[[region]]
name = "rom"
kind = "rom"
start = 0xFE00
end = 0xFFFF
[[device]]
name = "acia"
kind = "mos6551"
at = 0xA000
irq = "irq"
[[device]]
name = "via"
kind = "via6522"
at = 0xA010
irq = "nmi"
"#;

pub fn bin(name: &str, target: Target, bytes: &[u8]) -> ImageInput {
    ImageInput { target, name: name.to_owned(), bytes: bytes.to_vec(), format: Format::Bin }
}

/// Vectors: NMI to FE20, reset to 0400, IRQ and BRK to FE10. The handlers: IRQ reads the ACIA's status and data into
/// 20 and counts in 21, NMI reads timer 1 away and counts in 22.
pub fn rom() -> Vec<u8> {
    let mut rom = vec![0xEA; 0x200];
    let irq = [0x48, 0xAD, 0x01, 0xA0, 0xAD, 0x00, 0xA0, 0x85, 0x20, 0xE6, 0x21, 0x68, 0x40];
    let nmi = [0x48, 0xAD, 0x14, 0xA0, 0xE6, 0x22, 0x68, 0x40];
    rom[0x10..0x10 + irq.len()].copy_from_slice(&irq);
    rom[0x20..0x20 + nmi.len()].copy_from_slice(&nmi);
    rom[0x1FA..].copy_from_slice(&[0x20, 0xFE, 0x00, 0x04, 0x10, 0xFE]);
    rom
}

/// A machine on that board with `program` at 0400.
pub fn machine(program: &[u8]) -> Session {
    machine_on(BOARD, program)
}

pub fn machine_on(board: &str, program: &[u8]) -> Session {
    let images = vec![
        bin("rom", Target::Region("rom".into()), &rom()),
        bin("program", Target::Address(0x0400), program),
    ];
    Session::new(Board::from_toml(board).unwrap(), images).unwrap()
}

pub fn instructions(count: u64) -> RunRequest {
    RunRequest { instructions: Some(count), ..RunRequest::default() }
}

pub fn run(session: &Session, request: RunRequest) -> Result<Stop, Error> {
    session.run(request, &mut || false)
}

pub fn reason(session: &Session, request: RunRequest) -> &'static str {
    run(session, request).unwrap().reason
}

/// The error's class and text.
pub fn refused<T>(result: Result<T, Error>) -> (&'static str, String) {
    match result {
        Ok(_) => panic!("this should have been refused"),
        Err(error) => (error.class(), error.to_string()),
    }
}

/// LDX #, loop: INX, STX $10, JMP loop: 3 instructions, 8 cycles a turn.
pub const COUNTER: [u8; 8] = [0xA2, 0x00, 0xE8, 0x86, 0x10, 0x4C, 0x02, 0x04];
/// Prints A, B, C ... : 19200 baud, no interrupts; waits for TDRE.
pub const PRINTER: [u8; 30] = [
    0xA9, 0x1F, 0x8D, 0x03, 0xA0, 0xA9, 0x0B, 0x8D, 0x02, 0xA0, 0xA2, 0x41, // LDA #$1F .. LDX #'A'
    0xAD, 0x01, 0xA0, 0x29, 0x10, 0xF0, 0xF9, 0x8E, 0x00, 0xA0, 0xE8, 0x4C, 0x0C, 0x04, // send loop
    0xEA, 0xEA, 0xEA, 0xEA,
];
/// Receiver interrupts on, CLI, then WAI for ever; the IRQ handler keeps the byte in 20 and counts in 21.
pub const LISTENER: [u8; 15] =
    [0xA9, 0x1F, 0x8D, 0x03, 0xA0, 0xA9, 0x09, 0x8D, 0x02, 0xA0, 0x58, 0xCB, 0x4C, 0x0B, 0x04];
