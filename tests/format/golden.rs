//! One small recording of each format version stays readable, by this reader and by the second one in Python; and one of
//! a real session replays.
//!
//! A golden file is never rewritten. A change that breaks a test of reading is a change of the format and needs a new
//! version. A change that breaks a test of replaying makes every recording that people have useless, unless what the
//! machine did was wrong: then it needs a new golden session. The old one stays where it shows that runs which do not depend
//! on what was wrong replay; `sessions/v3_via.rreplay` is of one that does.
//! `RREPLAY_WRITE_GOLDEN=1 cargo test --test format` writes the files of a new version.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::log_support::{events_of, header, record, sample_events, sample_events_of_version_1};
use rreplay::engine::Scheduler;
use rreplay::log::limits::FORMAT_VERSION;
use rreplay::log::{
    AsyncEvent, Event, Header, InputEvent, LogReader, LogWriter, Options, RomTarget, StampedEvent,
};
use rreplay::machine::board::{Board, ImageInput, Target};
use rreplay::machine::rom::Format;
use rreplay::recording::Recording;
use rreplay::session::{RecordOptions, RunRequest, Session};
use rreplay::sync::Shared;
use rreplay::timeline::{KEYFRAMES_BUDGET, Timeline, WatchedAccesses};
use rreplay::units::Position;
use serde_json::{Value, json};

/// Every version there has been. The newest one needs golden recordings of its own: `RREPLAY_WRITE_GOLDEN=1` writes them.
const VERSIONS: std::ops::RangeInclusive<u16> = 1..=FORMAT_VERSION;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn place(position: Position) -> Value {
    json!([position.icount, position.cycles])
}

fn header_value(header: &Header) -> Value {
    let roms = header.roms.iter().map(|rom| {
        let target = match &rom.target {
            RomTarget::Region(region) => json!(region),
            RomTarget::Address(address) => json!(address),
        };
        let bytes = rom.bytes.as_ref().map(|bytes| hex(bytes));
        json!({"name": rom.name, "target": target, "hash": hex(&rom.hash), "length": rom.length, "bytes": bytes})
    });
    let lineage = header
        .lineage
        .map(|lineage| json!({"parent": lineage.parent.to_string(), "position": place(lineage.position)}));
    json!({
        "engine": header.engine_version,
        "board": header.board_toml,
        "clock_hz": header.clock_hz,
        "roms": roms.collect::<Vec<_>>(),
        "devices": header.devices,
        "chars": header.chars,
        "subsystems": header.subsystems,
        "start": place(header.start),
        "initial_state": hex(&header.initial_state),
        "digest_every": header.digest_every,
        "snapshot_every": header.snapshot_every,
        "scheduler": header.scheduler,
        "lineage": lineage,
    })
}

fn carried(event: &Event) -> Value {
    match event {
        Event::Interrupt(interrupt) => json!({"interrupt": interrupt.name()}),
        Event::Exception(exception) => json!({"exception": exception.name()}),
        Event::Async(event) => carried_async(event),
        Event::Shutdown(cause) => json!({"cause": cause.name()}),
        Event::CharWrite { device, bytes, written } => json!({
            "device": device.0, "bytes": hex(bytes), "result": written.result, "offset": written.offset,
        }),
        Event::CharReadAll { device, bytes } => json!({"device": device.0, "bytes": hex(bytes)}),
        Event::CharReadAllError { device, error } => json!({"device": device.0, "error": error}),
        Event::AudioOut { frames } => json!({"frames": frames}),
        Event::AudioIn { recorded, samples, write_position } => {
            json!({"recorded": recorded, "samples": samples, "write_position": write_position})
        }
        Event::Random { result, bytes } => json!({"result": result, "bytes": hex(bytes)}),
        Event::Clock { kind, value } => json!({"clock": kind.name(), "value": value}),
        Event::Checkpoint(checkpoint) => json!({"checkpoint": checkpoint.name()}),
        Event::Digest(digests) => {
            json!({"digests": digests.iter().map(|digest| digest.to_string()).collect::<Vec<_>>()})
        }
        Event::Snapshot { number } => json!({"number": number}),
        Event::End => json!({}),
    }
}

fn carried_async(event: &AsyncEvent) -> Value {
    match event {
        AsyncEvent::Bh { id } | AsyncEvent::BhOneshot { id } => json!({"id": id}),
        AsyncEvent::Input(InputEvent::Key { keycode, down }) => {
            json!({"input": "key", "keycode": keycode, "down": down})
        }
        AsyncEvent::Input(InputEvent::Button { button, down }) => {
            json!({"input": "button", "button": button, "down": down})
        }
        AsyncEvent::Input(InputEvent::Rel { axis, value }) => {
            json!({"input": "rel", "axis": axis, "value": value})
        }
        AsyncEvent::Input(InputEvent::Abs { axis, value }) => {
            json!({"input": "abs", "axis": axis, "value": value})
        }
        AsyncEvent::InputSync => json!({}),
        AsyncEvent::CharRead { device, bytes } => json!({"device": device.0, "bytes": hex(bytes)}),
        AsyncEvent::Block { id, result, data } => json!({"id": id, "result": result, "bytes": hex(data)}),
        AsyncEvent::Net { device, flags, bytes } => {
            json!({"device": device, "flags": flags, "bytes": hex(bytes)})
        }
    }
}

fn event_value(event: &StampedEvent) -> Value {
    let mut value = json!({
        "ordinal": event.ordinal.0,
        "icount": event.position.icount,
        "cycles": event.position.cycles,
        "kind": event.event.kind().name(),
    });
    if let (Value::Object(all), Value::Object(more)) = (&mut value, carried(&event.event)) {
        all.extend(more);
    }
    value
}

/// What the second reader prints, from the first one.
fn contents(reader: &LogReader) -> Value {
    let snapshots = reader.snapshots().count() as u64;
    json!({
        "format_version": reader.format_version(),
        "header": header_value(reader.header()),
        "events": reader.events().map(|event| event_value(&event.unwrap())).collect::<Vec<_>>(),
        "snapshots": (0..snapshots).map(|number| hex(&reader.read_snapshot(number).unwrap())).collect::<Vec<_>>(),
    })
}

fn second_reader(path: &Path) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/log_second_reader.py");
    let output = Command::new("python3").arg(script).arg(path).output().expect("python3 is on the path");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Writes the golden recording of the version that is written today, when asked to and when there is none.
fn write_golden(name: &str) {
    let (file, expected) = (golden(&format!("{name}.rreplay")), golden(&format!("{name}.json")));
    if std::env::var_os("RREPLAY_WRITE_GOLDEN").is_some() && !file.exists() {
        let bytes = record(&header(), &sample_events(), Options { chunk_bytes: 100, level: 9 });
        std::fs::write(&file, &bytes).unwrap();
        let contents = contents(&LogReader::from_bytes(bytes).unwrap());
        std::fs::write(&expected, serde_json::to_string_pretty(&contents).unwrap() + "\n").unwrap();
    }
}

fn expected(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(golden(&format!("{name}.json"))).unwrap()).unwrap()
}

#[test]
fn every_version_stays_readable() {
    write_golden(&format!("v{FORMAT_VERSION}"));
    for version in VERSIONS {
        let events = if version == 1 { sample_events_of_version_1() } else { sample_events() };
        let name = format!("v{version}");
        let reader = LogReader::open(golden(&format!("{name}.rreplay"))).unwrap();
        assert!(reader.complete());
        assert_eq!(reader.format_version(), version);
        assert_eq!(*reader.header(), header());
        assert_eq!(events_of(&reader), events);
        assert_eq!(reader.id().to_string(), "7e2bf840205ea3dc5ba541724c03ec1d");
        assert_eq!(contents(&reader), expected(&name));
    }
}

#[test]
fn the_second_reader_agrees() {
    for version in VERSIONS {
        let name = format!("v{version}");
        assert_eq!(second_reader(&golden(&format!("{name}.rreplay"))), expected(&name));
    }
}

#[test]
fn the_second_reader_reads_what_is_written_today() {
    let directory = tempfile::tempdir().unwrap();
    for (chunk_bytes, level) in [(1, 0), (60, 1), (1000, 3), (1 << 20, 9)] {
        let path = directory.path().join(format!("{chunk_bytes}.rreplay"));
        let bytes = record(&header(), &sample_events(), Options { chunk_bytes, level });
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(second_reader(&path), contents(&LogReader::from_bytes(bytes).unwrap()));
    }
}

// ---- sessions ----

/// An echo on `sbc6850`, typed at before and behind a reset.
fn record_session(path: &Path) {
    let rom = include_bytes!("../../guests/programs/mc6850_echo.bin").to_vec();
    let name = "mc6850_echo.bin".to_owned();
    let image = ImageInput { target: Target::Main, name, bytes: rom, format: Format::Bin };
    let session = Session::new(Board::preset("sbc6850").unwrap(), vec![image]).unwrap();
    let options =
        RecordOptions { digest_every: Some(500), snapshot_every: Some(1500), ..RecordOptions::default() };
    let log = Options { chunk_bytes: 400, level: 9 };
    session.record_with(options, |header| LogWriter::create(path, header, log)).unwrap();
    let run = |instructions| {
        let request = RunRequest { instructions: Some(instructions), ..RunRequest::default() };
        session.run(request, &mut || false).unwrap();
    };
    run(200);
    session.send(b"Golden\r").unwrap();
    run(1500);
    session.reset().unwrap();
    session.send(format!("v{FORMAT_VERSION}").as_bytes()).unwrap();
    run(1500);
    session.finish().unwrap();
}

#[test]
fn sessions_of_every_version_replay() {
    let newest = golden(&format!("sessions/v{FORMAT_VERSION}.rreplay"));
    if std::env::var_os("RREPLAY_WRITE_GOLDEN").is_some() && !newest.exists() {
        record_session(&newest);
    }
    for version in VERSIONS {
        let output = format!("Golden\rv{version}").into_bytes();
        let recording = Recording::open(&golden(&format!("sessions/v{version}.rreplay")), false).unwrap();
        assert!(recording.complete());
        assert_eq!((recording.format_version(), recording.end().icount), (version, 3200));
        assert_eq!(recording.output().unwrap(), output);
        for scheduler in [Scheduler::Inline, Scheduler::Threads] {
            // Without the hash of all events, as in version 1, a replay to the end proves less.
            let verification = recording.verify(scheduler, &[], &mut |_| true).unwrap();
            assert_eq!((verification.ok, verification.icount), (version >= 2, 3200));
            let session = recording.replay().unwrap();
            let request = RunRequest { scheduler: Some(scheduler), ..RunRequest::default() };
            assert_eq!(session.run(request, &mut || false).unwrap().reason, "end");
            assert_eq!((session.position(), session.output()), (recording.end(), output.to_vec()));
            for number in 0..recording.snapshots().len() as u64 {
                let middle = recording.replay_from(number, &[]).unwrap();
                assert_eq!(middle.run(RunRequest::default(), &mut || false).unwrap().reason, "end");
                assert_eq!(middle.digests(), session.digests(), "from snapshot {number}");
            }
        }
    }
    for version in VERSIONS.skip(1) {
        let path = golden(&format!("sessions/v{version}.rreplay"));
        assert_eq!(Recording::open(&path, false).unwrap().snapshots().len(), 2);
    }
}

/// A timeline goes through sessions of every version; what their snapshots do not say, it finds out.
#[test]
fn sessions_of_every_version_can_be_travelled_in() {
    for version in VERSIONS {
        let path = golden(&format!("sessions/v{version}.rreplay"));
        let recording = Shared::new(Recording::open(&path, false).unwrap());
        let timeline = Timeline::new(&recording, &[], KEYFRAMES_BUDGET).unwrap();
        let end = timeline.run(&mut || false).unwrap();
        assert_eq!((end.reason, end.place), ("end", recording.end()));
        let first = timeline.add_breakpoint(0xC000, None);
        let found = timeline.reverse_run(&mut || false).unwrap();
        assert_eq!((found.reason, found.pc), ("breakpoint", 0xC000));
        assert!(timeline.remove_point(first));
        let last = |address| timeline.last_write(address, Some(recording.end()), &mut || false).unwrap();
        assert_eq!(last(0x7FFF), None);
        assert_eq!(last(0x01FF).unwrap().by, "interrupt");
        timeline.add_watchpoint((0xA000, 0xA001), WatchedAccesses::ReadsAndWrites, None);
        timeline.go_to(recording.end(), &mut || false).unwrap();
        assert_eq!(timeline.reverse_run(&mut || false).unwrap().reason, "watchpoint");
    }
}

/// The second reader reads sessions too.
#[test]
fn the_second_reader_reads_sessions() {
    for version in VERSIONS {
        let file = golden(&format!("sessions/v{version}.rreplay"));
        assert_eq!(second_reader(&file), contents(&LogReader::open(&file).unwrap()));
    }
}

/// `v3_via` is of an engine whose 6522 went on timing out in free run although nobody had started it. Here it does not, so
/// the replay must leave the recording, and say why it may.
#[test]
fn a_recording_of_other_chips_diverges_and_says_so() {
    let recording = Recording::open(&golden("sessions/v3_via.rreplay"), false).unwrap();
    assert!(recording.complete());
    assert_eq!((recording.format_version(), recording.end().icount), (3, 400));
    let error = recording.replay().unwrap().run(RunRequest::default(), &mut || false).unwrap_err();
    let divergence = error.divergence().expect("it diverges");
    for text in [divergence.to_string(), divergence.report().to_string()] {
        assert!(text.contains("recorded in format version 3") && text.contains("older engine"), "{text}");
    }
}
