//! Corners of the log that nothing else looks into: texts, sizes told, and bounds met exactly.

use super::log_support::{append_all, events_of, header, record, sample_events, small_chunks};
use rreplay::bus::Interrupt;
use rreplay::log::{
    AsyncEvent, CodecError, Damage, DamageReason, Event, Header, InputEvent, LogError, LogReader, LogWriter,
    MemorySink, Options, RecordingId, Sink, StampedEvent,
};
use rreplay::nondet::{CharId, CharWritten};
use rreplay::persist::Digest;
use rreplay::replay::{EventSink, EventSource};
use rreplay::units::{EventOrdinal, Position};
use std::io::Write;

fn char_write(bytes: &[u8], result: i32, offset: u32) -> Event {
    Event::CharWrite { device: CharId(3), bytes: bytes.to_vec(), written: CharWritten { result, offset } }
}

#[test]
fn events_as_text() {
    let input = |event| Event::Async(AsyncEvent::Input(event)).to_string();
    assert_eq!(input(InputEvent::Key { keycode: 65, down: true }), "input key 65 down");
    assert_eq!(input(InputEvent::Button { button: 2, down: false }), "input button 2 up");
    assert_eq!(input(InputEvent::Rel { axis: 1, value: -4 }), "input rel axis 1 by -4");
    assert_eq!(input(InputEvent::Abs { axis: 0, value: 9 }), "input abs axis 0 at 9");
    assert_eq!(char_write(b"ab", 2, 2).to_string(), "char_write device 3: 2 bytes \"ab\"");
    assert_eq!(char_write(b"ab", 2, 1).to_string(), "char_write device 3: 2 bytes \"ab\", result 2 at 1");
    assert_eq!(char_write(b"ab", 1, 2).to_string(), "char_write device 3: 2 bytes \"ab\", result 1 at 2");
    assert_eq!(char_write(b"ab", -11, 0).to_string(), "char_write device 3: 2 bytes \"ab\", result -11 at 0");
    let short = char_write(b"abc", 3, 3).to_string();
    assert!(!short.contains("..."), "{short}");
    let long = char_write(&[b'x'; 500], 500, 500).to_string();
    assert!(long.ends_with("...") && long.len() < 200, "{long}");
    let stamped = StampedEvent {
        position: Position::new(7, 30),
        ordinal: EventOrdinal(4),
        event: Event::Interrupt(Interrupt::Irq),
    };
    assert_eq!(stamped.to_string(), format!("event 4 at {}: interrupt irq", Position::new(7, 30)));
}

#[test]
fn what_a_full_disk_has_left() {
    let full = |events| {
        let last = Position::new(9, 40);
        LogError::Full { path: "run.rreplay".into(), events, last }.to_string()
    };
    assert!(full(0).contains("no event was kept"), "{}", full(0));
    let some = full(12);
    assert!(some.contains(&format!("its 12 events up to {} are kept", Position::new(9, 40))), "{some}");
}

#[test]
fn what_a_damaged_file_has_lost() {
    let damage = |events, events_lost| {
        let reason = DamageReason::Broken(CodecError::Checksum);
        let last = Position::new(9, 40);
        Damage { reason, offset: 100, bytes_lost: 20, events, last, events_lost }.to_string()
    };
    assert!(damage(3, 0).contains(", 20 bytes are lost; open"), "{}", damage(3, 0));
    assert!(damage(3, 5).contains(", 20 bytes are lost with at least 5 events; open"), "{}", damage(3, 5));
    assert!(damage(0, 1).contains("no event is left") && damage(0, 1).contains("with at least 1 events"));
}

#[test]
fn debug_output_is_short_and_tells_something() {
    assert_eq!(format!("{:?}", RecordingId([0xAB; 16])), "ab".repeat(16));
    let bytes = record(&header(), &sample_events(), small_chunks());
    let length = bytes.len();
    let reader = LogReader::from_bytes(bytes).unwrap();
    let shown = format!("{reader:?}");
    assert!(shown.contains(&format!("Bytes {{ length: {length} }}")), "{shown}");
}

#[test]
fn sizes_are_those_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.rreplay");
    let mut writer = LogWriter::create(&path, &header(), small_chunks()).unwrap();
    let on_disk = || std::fs::metadata(&path).unwrap().len();
    assert_eq!(writer.file_bytes(), on_disk());
    append_all(&mut writer, &sample_events());
    writer.finish().unwrap();
    assert_eq!(writer.file_bytes(), on_disk());
    let reader = LogReader::open(&path).unwrap();
    assert_eq!(reader.file_bytes(), on_disk());
    let shown = format!("{reader:?}");
    assert!(shown.contains(&format!("File {{ length: {} }}", on_disk())), "{shown}");
}

/// A name without a directory is one of the current directory.
#[test]
fn a_path_that_is_a_mere_name() {
    let name = format!("mere-name-{}.rreplay", std::process::id());
    let created = LogWriter::create(&name, &header(), Options::default());
    let there = std::path::Path::new(&name).is_file();
    std::fs::remove_file(&name).unwrap_or_default();
    assert!(created.is_ok() && there, "{:?}", created.err());
}

#[test]
fn a_sink_in_memory_can_be_cut() {
    let mut sink = MemorySink::default();
    sink.write_all(b"some bytes").unwrap();
    sink.truncate(4).unwrap();
    sink.write_all(b"thing").unwrap();
    assert_eq!(sink.take_bytes(), Some(b"something".to_vec()));
}

#[test]
fn the_start_of_a_file_tells_what_it_is() {
    let bytes = record(&header(), &sample_events(), small_chunks());
    let refused = |bytes: &[u8]| LogReader::from_bytes(bytes.to_vec()).unwrap_err();
    // As long as the prologue and no longer: it is a recording, without a header.
    let prologue = bytes.windows(4).position(|four| *four == bytes[12..16]).unwrap_or(12);
    let lengths: Vec<usize> = (8..64)
        .filter(|&length| !matches!(refused(&bytes[..length]), LogError::NotARecording { .. }))
        .collect();
    assert_eq!(lengths.first(), Some(&prologue), "and so is every longer one: {lengths:?}");
    assert_eq!(lengths.last(), Some(&63));
    // The first byte alone is no sign of a transfer in text mode, nor are the three behind it.
    let changed = |at: usize, value: u8| {
        let mut changed = bytes.clone();
        changed[at] = value;
        refused(&changed).to_string()
    };
    assert!(changed(0, bytes[0] & 0x7F).contains("text mode"), "{}", changed(0, bytes[0] & 0x7F));
    assert!(!changed(0, b'x').contains("text mode"), "{}", changed(0, b'x'));
    assert!(!changed(1, b'x').contains("text mode"), "{}", changed(1, b'x'));
}

/// A header whose frame breaks a rule, and one that is cut off, are told apart.
#[test]
fn what_is_wrong_with_a_header() {
    let bytes = record(&header(), &sample_events(), small_chunks());
    let reason = |bytes: &[u8]| match LogReader::from_bytes(bytes.to_vec()).unwrap_err() {
        LogError::HeaderDamaged { reason, .. } => reason,
        other => panic!("{other}"),
    };
    let mut flipped = bytes.clone();
    flipped[100] ^= 0x40;
    assert_eq!(reason(&flipped), CodecError::Checksum);
    assert_eq!(reason(&bytes[..100]), CodecError::Short("the header"));
    // Behind the prologue of 12 bytes: the frame's mark, its type, its flags.
    let mut no_frame = bytes.clone();
    no_frame[12] ^= 0x40;
    assert_eq!(reason(&no_frame), CodecError::NoFrame);
    let mut odd_flags = bytes;
    odd_flags[17] |= 0x80;
    assert!(matches!(reason(&odd_flags), CodecError::Invalid { field: "a frame's flags", .. }));
}

#[test]
fn a_snapshot_event_needs_its_frame_and_goes_forward() {
    let mut writer = LogWriter::in_memory(&header(), Options::default()).unwrap();
    let at = Position::new(100, 300);
    let alone = writer.append(at, &Event::Snapshot { number: 0 });
    assert_eq!(alone, Err(LogError::SnapshotAlone { number: 0 }));
    writer.append(at, &Event::Interrupt(Interrupt::Irq)).unwrap();
    for (icount, cycles) in [(100, 299), (99, 300)] {
        let position = Position::new(icount, cycles);
        let before = writer.file_bytes();
        let back = writer.append_snapshot(position, b"state");
        assert_eq!(back.map(drop), Err(LogError::BackInTime { position, last: at }));
        assert_eq!(writer.file_bytes(), before);
    }
    assert!(writer.append_snapshot(at, b"state").is_ok());
}

/// Events so large that few fit into a chunk, whatever the options say of its size.
#[test]
fn chunks_of_large_events_stay_within_the_bounds_of_readers() {
    let options = Options { chunk_bytes: usize::MAX, ..Options::default() };
    let mut events: Vec<(Position, Event)> = (0..14)
        .map(|n: u64| {
            // Hard to compress and of sizes that leave different rests of a chunk.
            let size = 600_000 + n as usize * 31_000;
            let mut state = n + 1;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            };
            let bytes = (0..size).map(|_| next()).collect();
            let event = AsyncEvent::CharRead { device: CharId(0), bytes };
            (Position::new(10 + n, 100 + n), Event::Async(event))
        })
        .collect();
    events.push((Position::new(50, 500), Event::End));
    let bytes = record(&header(), &events, options);
    let reader = LogReader::from_bytes(bytes).unwrap();
    assert!(events_of(&reader) == events, "they come back");
    assert!(reader.chunks().len() >= 4 && reader.chunks().len() < events.len(), "{}", reader.chunks().len());
}

/// A digest that is the one before takes a few bytes in the file and four KiB in memory: readers bound both.
#[test]
fn chunks_of_digests_stay_within_the_bounds_of_readers() {
    let header = Header { subsystems: (0..256).map(|n| n.to_string()).collect(), ..header() };
    let hashes: Vec<Digest> = (0..=255_u8).map(|n| Digest([n; 16])).collect();
    let mut events: Vec<(Position, Event)> =
        (0..5000).map(|n| (Position::new(10 + n, 100 + n), Event::Digest(hashes.clone()))).collect();
    events.push((Position::new(9000, 90_000), Event::End));
    let options = Options { chunk_bytes: usize::MAX, ..Options::default() };
    let reader = LogReader::from_bytes(record(&header, &events, options)).unwrap();
    assert!(events_of(&reader) == events, "they come back");
    // 20 MiB of hashes in chunks of at most 8 MiB.
    assert_eq!(reader.chunks().len(), 3);
}

#[test]
fn what_repeats_is_compressed() {
    let mut events: Vec<(Position, Event)> = (0..20_000)
        .map(|n| (Position::new(10 + n * 7, 100 + n * 23), Event::Interrupt(Interrupt::Irq)))
        .collect();
    events.push((Position::new(900_000, 9_000_000), Event::End));
    let info = LogReader::from_bytes(record(&header(), &events, Options::default())).unwrap().info();
    assert!(info.chunk_bytes * 4 < info.event_bytes, "{} of {}", info.chunk_bytes, info.event_bytes);
}

/// What a player and a recorder are told of the place in the file.
#[test]
fn sources_and_sinks_tell_their_place() {
    let bytes = record(&header(), &sample_events(), small_chunks());
    let length = bytes.len() as u64;
    let mut source: Box<dyn EventSource> = Box::new(LogReader::from_bytes(bytes).unwrap().into_cursor());
    assert!(source.peek(0).unwrap().is_some());
    let first = source.byte_offset().unwrap();
    assert!(first > 100 && first < length, "behind the header: {first} of {length}");
    for _ in 0..20 {
        source.advance();
    }
    assert!(source.peek(0).unwrap().is_some());
    assert!(source.byte_offset().unwrap() > first);
    // What is flushed has left the recorder.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.rreplay");
    let mut sink: Box<dyn EventSink> =
        Box::new(LogWriter::create(&path, &header(), Options::default()).unwrap());
    sink.append(Position::new(10, 30), &Event::Interrupt(Interrupt::Irq)).unwrap();
    sink.flush().unwrap();
    assert_eq!(LogReader::open_salvage(&path).unwrap().events_count(), 1);
}
