//! The fuzz target `board_toml`: any text is a board or an error that helps; a board that is accepted can be written
//! down, built, run, recorded and put back.
//!
//! Bytes that begin with 0, which no text does, are no text but a board that was made otherwise ([`any_board`]).

use super::any_board::any_board;
use super::sink::SmallDisk;
use super::targets::Finding;
use arbitrary::Unstructured;
use rreplay::error::Error;
use rreplay::log::{LogWriter, Options};
use rreplay::machine::board::{Board, BoardError, ImageInput, Region, Target};
use rreplay::machine::rom::Format;
use rreplay::recording::Recording;
use rreplay::session::{RecordOptions, RunRequest, Session};
use rreplay::snapshot::Snapshot;

/// How far a board is run, and how far again after its state was put back.
const INSTRUCTIONS: u64 = 1000;
const INSTRUCTIONS_AGAIN: u64 = 100;
/// A run ends here too, should the program do nothing but wait.
const CYCLES_MAX: u64 = 50_000;
/// The program's image, which ends where the ROM ends.
const PROGRAM_BYTES: usize = 256;
/// Devices that the program looks at.
const DEVICES_MAX: usize = 10;

/// Judges a text, whose bytes need not be UTF-8, or a board.
pub(super) fn check(input: &[u8]) -> Result<(), Finding> {
    let board = if let [0, rest @ ..] = input {
        let board = any_board(&mut Unstructured::new(rest)).map_err(|error| error.to_string())?;
        if let Err(error) = board.check().and_then(|()| board.check_devices()) {
            return Ok(check_refused_board(board, &error)?);
        }
        board
    } else {
        let text = String::from_utf8_lossy(input);
        match Board::from_toml(&text) {
            Ok(board) => board,
            Err(error) => return Ok(check_error(&text, &error)?),
        }
    };
    check_round_trip(&board)?;
    check_session(&board, vec![])?;
    let image = program(&board).map_or_else(Vec::new, |image| vec![image]);
    check_session(&board, image)?;
    Ok(())
}

/// A board that does not hold is refused as a text too, and cannot be built.
fn check_refused_board(board: Board, error: &BoardError) -> Result<(), String> {
    let text = board.to_toml();
    match Board::from_toml(&text) {
        Err(refused) => check_error(&text, &refused)?,
        Ok(_) => return Err(format!("{board:#?} is refused with {error}, and read from\n{text}")),
    }
    // The images are looked at before the devices are made.
    match Session::new(board, vec![]) {
        Err(other) => check_refusal(&other),
        Ok(_) => Err(format!("the board is refused with {error}, and yet built")),
    }
}

/// The error says where, as far as it knows, and names something.
fn check_error(text: &str, error: &BoardError) -> Result<(), String> {
    let message = error.to_string();
    let lines = text.matches('\n').count() + 1;
    if error.line.is_some_and(|line| line == 0 || line > lines) {
        return Err(format!("the text has {lines} lines: {message}"));
    }
    // A line, a quoted word, an address or a number.
    let named = message.contains(|letter: char| "\"`$".contains(letter) || letter.is_ascii_digit());
    let said = error.problem.to_string();
    if said.is_empty() || !named && !message.contains("[[region]]") {
        return Err(format!("the error names nothing: {message:?}"));
    }
    Ok(())
}

/// Written and read it is the same board, and the same text.
fn check_round_trip(board: &Board) -> Result<(), String> {
    let text = board.to_toml();
    match Board::from_toml(&text) {
        Ok(again) if again == *board && again.to_toml() == text => Ok(()),
        Ok(again) => Err(format!("{board:#?} is written as\n{text}\nand read as {again:#?}")),
        Err(error) => Err(format!("{board:#?} is written as\n{text}\nwhich is refused: {error}")),
    }
}

/// The board cannot be built, and an error says why; or it runs, and its state can be saved and put back.
fn check_session(board: &Board, images: Vec<ImageInput>) -> Result<(), Finding> {
    let build = || Session::new(board.clone(), images.clone());
    let session = match build() {
        Ok(session) => session,
        Err(error) => return Ok(check_refusal(&error)?),
    };
    check_recorded(&session)?;
    let snapshot = Snapshot::from_bytes(&session.snapshot().to_bytes()).map_err(|error| error.to_string())?;
    let other = build().map_err(|error| format!("built again: {error}"))?;
    other.restore(&snapshot).map_err(|error| format!("restoring: {error}"))?;
    if other.snapshot() != snapshot || other.digest() != session.digest() {
        return Err(Finding::from(format!("restored at {} it is another state", session.position())));
    }
    run(&session, INSTRUCTIONS_AGAIN)?;
    run(&other, INSTRUCTIONS_AGAIN)?;
    if other.digests() != session.digests() {
        let (here, there) = (session.position(), other.position());
        return Err(Finding::from(format!(
            "restored it runs to {there}, the first to {here}, or to another state"
        )));
    }
    Ok(())
}

fn check_refusal(error: &Error) -> Result<(), String> {
    let typed = matches!(error, Error::Board(_) | Error::Rom(_)) && !error.to_string().is_empty();
    if typed { Ok(()) } else { Err(format!("building gives {error:?}")) }
}

/// Records the run, and replays it.
fn check_recorded(session: &Session) -> Result<(), Finding> {
    let disk = SmallDisk::default();
    let sink = Box::new(disk.clone());
    let options = RecordOptions { digest_every: Some(250), ..RecordOptions::default() };
    let create = |header: &_| LogWriter::with_sink(sink, "<memory>", header, Options::default());
    match session.record_with(options, create) {
        Ok(()) => {}
        // Names and numbers of parts have bounds in the log that a board has not.
        Err(Error::Log(_)) => return Ok(run(session, INSTRUCTIONS)?),
        Err(error) => return Err(Finding::from(format!("recording: {error}"))),
    }
    if session.has_console() {
        session.send(b"?").map_err(|error| error.to_string())?;
    }
    let check = || {
        run(session, INSTRUCTIONS)?;
        session.finish().map_err(|error| format!("finishing: {error}"))?;
        let recording = Recording::from_bytes(disk.contents(), false).map_err(|error| error.to_string())?;
        if recording.board().map_err(|error| error.to_string())? != session.board() {
            return Err("the recording has another board".to_owned());
        }
        let verified = recording.verify(rreplay::engine::Scheduler::Inline, &[], &mut |_| true);
        match verified {
            Ok(verified) if verified.ok => Ok(()),
            Ok(verified) => Err(format!("replaying: {verified:?}")),
            Err(error) => Err(format!("replaying: {error}")),
        }
    };
    check().map_err(|what| Finding { what, recording: Some(disk.contents()) })
}

/// Runs; a program may do what its board forbids.
fn run(session: &Session, instructions: u64) -> Result<(), String> {
    let goal = session.position().icount + instructions;
    let cycles = session.position().cycles + CYCLES_MAX;
    while session.position().icount < goal && session.position().cycles < cycles {
        let before = session.position();
        let request = RunRequest {
            instructions: Some(goal - before.icount),
            cycles: Some(cycles - before.cycles),
            ..RunRequest::default()
        };
        match session.run(request, &mut || false) {
            Ok(stop) if stop.reason == "budget" => {}
            Ok(_) => break,
            Err(Error::Fault(_)) if session.position() > before => {}
            Err(error) => return Err(format!("running at {}: {error}", session.position())),
        }
    }
    Ok(())
}

/// A ROM whose program reads and writes the registers of the devices, and what lies after them, for ever.
fn program(board: &Board) -> Option<ImageInput> {
    let region: &Region = board.main_region()?;
    let size = region.size().min(PROGRAM_BYTES);
    let start = (usize::from(region.end) + 1 - size) as u16;
    let mut code = vec![0x58, 0xA2, 0x00]; // CLI, LDX #0
    for device in board.devices.iter().take(DEVICES_MAX) {
        let [low, high] = device.at.to_le_bytes();
        code.extend([0xAD, low, high, 0xBD, low, high, 0x9D, low, high]); // LDA at, LDA at,X, STA at,X
    }
    let [low, high] = (start + 3).to_le_bytes();
    code.extend([0xE8, 0x4C, low, high]); // INX, JMP after LDX
    let irq_handler = (usize::from(start) + code.len()).to_le_bytes();
    code.push(0x40); // RTI
    let mut bytes = vec![0xEA; size];
    bytes[..code.len()].copy_from_slice(&code);
    let [low, high] = start.to_le_bytes();
    let vectors = bytes.len() - 6;
    bytes[vectors..].copy_from_slice(&[
        irq_handler[0],
        irq_handler[1],
        low,
        high,
        irq_handler[0],
        irq_handler[1],
    ]);
    Some(ImageInput { target: Target::Main, name: "program".into(), bytes, format: Format::Bin })
}
