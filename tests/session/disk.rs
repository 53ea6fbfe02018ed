//! A disk that fills up while a machine is recorded.

use super::session_support::*;
use rreplay::error::Error;
use rreplay::log::{LogError, LogReader, LogWriter, Options};
use rreplay::machine::board::{Board, ImageInput, Target};
use rreplay::machine::rom::Format;
use rreplay::recording::Recording;
use rreplay::replay::ReplayMode;
use rreplay::session::{RecordOptions, RunRequest, Session};
use rreplay_kit::SmallDisk;

/// Records printing onto a disk of some size; gives the first error of `record`, `run` or `finish`.
fn record_onto(disk: &SmallDisk, session: &Session) -> Result<(), (&'static str, Error)> {
    let options = RecordOptions { digest_every: Some(50), ..RecordOptions::default() };
    // Small chunks, so that something is written while the machine runs.
    let small_chunks = Options { chunk_bytes: 256, ..Options::default() };
    let sink = Box::new(disk.clone());
    session
        .record_with(options, |header| LogWriter::with_sink(sink, "disk", header, small_chunks))
        .map_err(|error| ("record", error))?;
    session.send(b"typed").map_err(|error| ("send", error))?;
    for _ in 0..4 {
        run(session, instructions(1000)).map_err(|error| ("run", error))?;
    }
    session.finish().map_err(|error| ("finish", error))
}

#[test]
fn a_full_disk_ends_the_recording_and_not_the_machine() {
    let disk = SmallDisk::default();
    record_onto(&disk, &machine(&PRINTER)).unwrap();
    let whole = disk.contents().len();
    let header = LogReader::from_bytes(disk.contents()).unwrap().info().header_bytes as usize;
    let mut refused_by = std::collections::BTreeMap::new();
    let sizes = (0..header).step_by(97).chain((header..whole).step_by(53)).chain([whole - 1]);
    for size in sizes {
        let (disk, session) = (SmallDisk::of_size(size), machine(&PRINTER));
        let (by, error) = record_onto(&disk, &session).expect_err("the disk is too small");
        *refused_by.entry(by).or_insert(0) += 1;
        assert!(matches!(error, Error::Log(LogError::Full { .. })), "disk of {size}, {by}: {error}");
        assert_eq!(by == "record", size < header, "disk of {size}");
        // The machine goes on, unrecorded.
        assert_eq!(session.mode(), ReplayMode::None, "disk of {size}, {by}");
        session.finish().unwrap();
        session.set_register("y", 1).unwrap();
        assert_eq!(reason(&session, instructions(100)), "budget");
        if by == "record" {
            continue;
        }
        // What is on the disk replays as far as it goes.
        let recording = Recording::from_bytes(disk.contents(), true).unwrap();
        let end = recording.end();
        let replaying = recording.replay().unwrap();
        assert_eq!(reason(&replaying, RunRequest::default()), "end", "disk of {size}");
        assert_eq!(replaying.position(), end, "disk of {size}");
        assert_eq!(replaying.output(), recording.output().unwrap());
        assert!(machine_output(4000).starts_with(&replaying.output()));
    }
    assert_eq!(refused_by.keys().copied().collect::<Vec<_>>(), ["finish", "record", "run"]);
}

fn machine_output(count: u64) -> Vec<u8> {
    let session = machine(&PRINTER);
    run(&session, instructions(count)).unwrap();
    session.output()
}

#[cfg(unix)]
#[test]
fn a_full_device_is_refused_and_the_machine_goes_on() {
    let session = machine(&PRINTER);
    let (class, text) = refused(session.record("/dev/full".as_ref(), RecordOptions::default()));
    assert!(class == "LogError" && text.contains("no space left"), "{text}");
    assert_eq!(session.mode(), ReplayMode::None);
    assert_eq!(reason(&session, instructions(100)), "budget");
}

/// Chaos ends with the recording that it was for, and what it held back arrives all the same.
#[test]
fn a_full_disk_ends_chaos_and_loses_no_input() {
    let rom = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/guests/programs/echo.bin")).unwrap();
    let image = ImageInput { target: Target::Main, name: "echo".into(), bytes: rom, format: Format::Bin };
    for seed in 0..20 {
        let session = Session::new(Board::preset("breadboard").unwrap(), vec![image.clone()]).unwrap();
        let disk = SmallDisk::of_size(20_000);
        let options = RecordOptions { digest_every: Some(50), chaos: Some(seed), ..RecordOptions::default() };
        let small_chunks = Options { chunk_bytes: 256, ..Options::default() };
        let sink = Box::new(disk.clone());
        session
            .record_with(options, |header| LogWriter::with_sink(sink, "disk", header, small_chunks))
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        session.send(b"typed").unwrap();
        let error = session.run(instructions(100_000), &mut || false).expect_err("the disk is too small");
        assert!(matches!(error, Error::Log(LogError::Full { .. })), "seed {seed}: {error}");
        assert_eq!(session.mode(), ReplayMode::None);
        // Five characters at 19,200 baud: some 2,600 cycles.
        assert_eq!(reason(&session, instructions(4_000)), "budget");
        assert_eq!(session.output(), b"typed", "seed {seed}");
    }
}
