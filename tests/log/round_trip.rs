//! What is written is read again: every kind of event, in chunks of every size, from any place.

use std::fmt::Debug;

use super::log_support::{
    any_run, any_run_with, append_all, cases, events_of, header, record, sample_events, small_chunks,
};
use proptest::prelude::*;
use rreplay::log::codec::{ChunkDecoder, ChunkEncoder};
use rreplay::log::{
    AsyncEvent, Event, EventCursor, EventKind, Header, IndexState, LogError, LogReader, LogWriter, Options,
    limits,
};
use rreplay::nondet::{CharId, CharWritten, ClockKind};
use rreplay::persist::Digest;
use rreplay::units::{EventOrdinal, Position};

#[test]
fn the_sample_has_every_kind() {
    let kinds: Vec<_> = sample_events().iter().map(|(_, event)| event.kind()).collect();
    for kind in EventKind::ALL {
        assert!(kinds.contains(kind), "{kind} is missing");
    }
}

#[test]
fn header_events_and_figures_come_back() {
    let events = sample_events();
    for chunk_bytes in [1, 40, 100, 1 << 20] {
        for level in [0, 1, 6, 9] {
            let bytes = record(&header(), &events, Options { chunk_bytes, level });
            let length = bytes.len() as u64;
            let reader = LogReader::from_bytes(bytes).unwrap();
            assert_eq!(*reader.header(), header());
            assert_eq!(events_of(&reader), events);
            assert!(reader.complete() && reader.damage().is_none());
            assert_eq!(reader.index_state(), IndexState::Good);
            let info = reader.info();
            assert_eq!((info.events, info.snapshots, info.file_bytes), (events.len() as u64, 1, length));
            assert_eq!(info.last, events.last().unwrap().0);
            assert_eq!(info.kinds.iter().map(|(_, total)| total.events).sum::<u64>(), info.events);
            assert_eq!(info.kinds.iter().map(|(_, total)| total.bytes).sum::<u64>(), info.event_bytes);
            assert_eq!(reader.read_snapshot(0).unwrap(), b"a snapshot's container");
            assert_eq!(reader.read_snapshot(1), Err(LogError::NoSuchSnapshot { number: 1, snapshots: 1 }));
        }
    }
}

#[test]
fn the_identity_is_that_of_the_header() {
    let id = |header: &Header| {
        LogReader::from_bytes(record(header, &sample_events(), small_chunks())).unwrap().id()
    };
    let mut other = header();
    other.digest_every += 1;
    assert_eq!(id(&header()), id(&header()));
    assert_ne!(id(&header()), id(&other));
}

#[test]
fn an_empty_header_and_no_events_but_the_end() {
    let header = Header::default();
    let events = [(Position::default(), Event::End)];
    let reader = LogReader::from_bytes(record(&header, &events, Options::default())).unwrap();
    assert_eq!(*reader.header(), header);
    assert_eq!(events_of(&reader), events);
}

#[test]
fn usual_events_are_small() {
    let mut encoder = ChunkEncoder::new();
    let at = |step: u64| Position::new(step * 300, step * 1042);
    let written = CharWritten { result: 1, offset: 1 };
    let char_write = Event::CharWrite { device: CharId(0), bytes: vec![b'a'], written };
    encoder.push(at(0), &char_write);
    encoder.push(at(1), &char_write);
    assert!(encoder.push(at(9), &char_write) <= 6);
    assert!(encoder.push(at(10), &Event::Interrupt(rreplay::bus::Interrupt::Irq)) <= 5);
    let clock = |value| Event::Clock { kind: ClockKind::Host, value };
    encoder.push(at(11), &clock(1_700_000_000_000_000_000));
    assert!(encoder.push(at(12), &clock(1_700_000_000_001_042_000)) <= 7);
    let digests: Vec<_> = (0..8).map(|n| Digest([n; 16])).collect();
    assert!(encoder.push(at(12), &Event::Digest(digests.clone())) <= 3 + 8 * 16);
    assert!(encoder.push(at(12), &Event::Digest(digests)) <= 2);
}

#[test]
fn a_cursor_looks_ahead_over_chunks_and_moves() {
    let events = sample_events();
    let bytes = record(&header(), &events, small_chunks());
    let reader = LogReader::from_bytes(bytes).unwrap();
    assert!(reader.chunks().len() > 5);
    let offsets: Vec<_> = reader.chunks().iter().map(|chunk| chunk.offset).collect();
    let mut cursor = reader.into_cursor();
    for (place, (position, event)) in events.iter().enumerate() {
        for ahead in [0, 1, 7, events.len()] {
            let expected = events.get(place + ahead).map(|(_, event)| event);
            assert_eq!(cursor.peek_nth(ahead).map(|stamped| &stamped.event), expected);
        }
        assert_eq!(cursor.ordinal(), EventOrdinal(place as u64));
        assert!(offsets.contains(&cursor.byte_offset()));
        assert_eq!(cursor.peek().map(|stamped| &stamped.event), Some(event));
        let taken = cursor.next().unwrap().unwrap();
        assert_eq!((taken.position, &taken.event), (*position, event));
    }
    assert_eq!((cursor.peek(), cursor.failure()), (None, None));
    assert!(cursor.next().is_none());
    assert_eq!(cursor.ordinal().0, events.len() as u64);
    for place in (0..events.len()).rev() {
        cursor.seek(EventOrdinal(place as u64)).unwrap();
        assert_eq!(cursor.peek().unwrap().ordinal.0, place as u64);
        assert_eq!(cursor.ordinal().0, place as u64);
        assert_eq!(cursor.peek().unwrap().event, events[place].1);
    }
    cursor.seek(EventOrdinal(events.len() as u64)).unwrap();
    assert!(cursor.peek().is_none());
    let beyond = events.len() as u64 + 1;
    let error = LogError::NoSuchEvent { ordinal: beyond, events: beyond - 1 };
    assert_eq!(cursor.seek(EventOrdinal(beyond)), Err(error));
}

#[test]
fn events_are_found_by_icount() {
    let events = sample_events();
    let reader = LogReader::from_bytes(record(&header(), &events, small_chunks())).unwrap();
    let mut wanted: Vec<u64> =
        events.iter().flat_map(|(at, _)| [at.icount.saturating_sub(1), at.icount]).collect();
    wanted.extend([0, u64::MAX]);
    for icount in wanted {
        let expected = events.iter().position(|(position, _)| position.icount >= icount);
        let cursor = reader.events_from_icount(icount).unwrap();
        assert_eq!(cursor.ordinal().0, expected.unwrap_or(events.len()) as u64, "icount {icount}");
    }
    let tail: Vec<_> =
        reader.events_from(EventOrdinal(30)).unwrap().map(|event| event.unwrap().event).collect();
    assert_eq!(tail, events[30..].iter().map(|(_, event)| event.clone()).collect::<Vec<_>>());
}

#[test]
fn a_file_opens_by_its_index_as_by_a_scan() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.rreplay");
    let mut writer = LogWriter::create(&path, &header(), small_chunks()).unwrap();
    append_all(&mut writer, &sample_events());
    writer.finish().unwrap();
    writer.finish().unwrap();
    let (scanned, indexed) = (LogReader::open(&path).unwrap(), LogReader::open_indexed(&path).unwrap());
    assert_eq!(scanned.chunks(), indexed.chunks());
    assert_eq!(scanned.info(), indexed.info());
    assert_eq!(events_of(&indexed), sample_events());
    assert_eq!(indexed.path(), path);
}

#[test]
fn readers_and_writers_move_between_threads() {
    fn check<T: Send + Debug>() {}
    check::<LogWriter>();
    check::<LogReader>();
    check::<EventCursor>();
    check::<EventCursor<std::sync::Arc<LogReader>>>();
    fn check_sync<T: Sync>() {}
    check_sync::<LogReader>();
}

#[test]
fn bounds_hold_when_writing() {
    let header = Header { subsystems: vec!["part".into(); limits::MAX_SUBSYSTEMS], ..header() };
    let mut writer = LogWriter::in_memory(&header, Options::default()).unwrap();
    let at = |icount| Position::new(icount, icount * 3 + 2);
    let random = |length| Event::Random { result: 0, bytes: vec![0; length] };
    let before = Position::new(4, 17);
    let last = header.start;
    assert_eq!(writer.append(before, &Event::End), Err(LogError::BackInTime { position: before, last }));
    writer.append(at(10), &random(limits::MAX_EVENT_BYTES)).unwrap();
    let too_large = writer.append(at(11), &random(limits::MAX_EVENT_BYTES + 1)).unwrap_err();
    assert!(too_large.to_string().contains("random event of 1048577 bytes"), "{too_large}");
    let digests = Event::Digest(vec![Digest([0; 16]); limits::MAX_SUBSYSTEMS + 1]);
    assert!(matches!(writer.append(at(11), &digests), Err(LogError::EventTooLarge { .. })));
    let short = Event::Digest(vec![Digest([0; 16]); limits::MAX_SUBSYSTEMS - 1]);
    let (hashes, subsystems) = (limits::MAX_SUBSYSTEMS - 1, limits::MAX_SUBSYSTEMS);
    assert_eq!(writer.append(at(11), &short), Err(LogError::DigestCount { hashes, subsystems }));
    let alone = LogError::SnapshotAlone { number: 0 };
    assert_eq!(writer.append(at(11), &Event::Snapshot { number: 0 }), Err(alone));
    assert!(matches!(writer.append(at(9), &Event::End), Err(LogError::BackInTime { .. })));
    let snapshot = vec![0; limits::MAX_FRAME_RAW as usize + 1];
    assert!(matches!(writer.append_snapshot(at(11), &snapshot), Err(LogError::SnapshotTooLarge { .. })));
    // None of these errors has hurt the log.
    for icount in 11..16 {
        writer.append(at(icount), &random(limits::MAX_EVENT_BYTES)).unwrap();
    }
    let digests = Event::Digest(vec![Digest([0; 16]); limits::MAX_SUBSYSTEMS]);
    for _ in 0..limits::MAX_CHUNK_EVENTS {
        writer.append(at(17), &digests).unwrap();
    }
    writer.append(at(18), &Event::End).unwrap();
    assert!(matches!(writer.append(at(19), &Event::End), Err(LogError::Ended { .. })));
    writer.finish().unwrap();
    assert!(matches!(writer.append(at(19), &Event::End), Err(LogError::Ended { .. })));
    let reader = LogReader::from_bytes(writer.take_bytes().unwrap()).unwrap();
    assert_eq!(reader.events_count(), 6 + u64::from(limits::MAX_CHUNK_EVENTS) + 1);
    assert!(reader.events().all(|event| event.is_ok()));
}

#[test]
fn neither_count_goes_back() {
    let mut writer = LogWriter::in_memory(&header(), Options::default()).unwrap();
    let last = Position::new(10, 32);
    writer.append(last, &Event::Random { result: 0, bytes: vec![1] }).unwrap();
    for position in [Position::new(9, 32), Position::new(9, 40), Position::new(10, 31), Position::new(11, 31)]
    {
        let back = Err(LogError::BackInTime { position, last });
        assert_eq!(writer.append(position, &Event::End).map(|_| ()), back, "an event");
        assert_eq!(writer.append_snapshot(position, b"state").map(|_| ()), back, "a snapshot");
    }
    writer.append_snapshot(last, b"state").unwrap();
    writer.append(last, &Event::End).unwrap();
}

#[test]
fn no_event_of_any_kind_is_larger_than_a_reader_takes() {
    const MAX: usize = limits::MAX_EVENT_BYTES;
    let events = |length: usize| {
        let bytes = vec![0; length];
        let samples = vec![0i16; length.div_ceil(2)];
        [
            Event::Random { result: 0, bytes: bytes.clone() },
            Event::CharWrite {
                device: CharId(0),
                bytes: bytes.clone(),
                written: CharWritten { result: length as i32, offset: length as u32 },
            },
            Event::CharReadAll { device: CharId(0), bytes: bytes.clone() },
            Event::AudioIn { recorded: samples.len() as u32, samples, write_position: 0 },
            Event::Async(AsyncEvent::CharRead { device: CharId(0), bytes: bytes.clone() }),
            Event::Async(AsyncEvent::Net { device: 0, flags: 0, bytes: bytes.clone() }),
            Event::Async(AsyncEvent::Block { id: 1, result: 0, data: bytes }),
        ]
    };
    for (largest, larger) in events(MAX).into_iter().zip(events(MAX + 1)) {
        let kind = larger.kind().name();
        let mut writer = LogWriter::in_memory(&header(), Options::default()).unwrap();
        let error = writer.append(Position::new(10, 32), &larger).unwrap_err();
        assert!(matches!(error, LogError::EventTooLarge { .. }), "{kind}: {error}");
        writer.append(Position::new(10, 32), &largest).unwrap();
        writer.append(Position::new(10, 32), &Event::End).unwrap();
        writer.finish().unwrap();
        let reader = LogReader::from_bytes(writer.take_bytes().unwrap()).unwrap();
        assert!(reader.events().next().unwrap().unwrap().event == largest, "{kind}");
    }
}

#[test]
fn a_chunk_has_no_more_events_than_a_reader_takes() {
    let options = Options { chunk_bytes: limits::MAX_CHUNK_RAW as usize, ..Options::default() };
    let mut writer = LogWriter::in_memory(&header(), options).unwrap();
    let here = Position::new(10, 32);
    for _ in 0..=limits::MAX_CHUNK_EVENTS {
        writer.append(here, &Event::Async(AsyncEvent::InputSync)).unwrap();
    }
    writer.append(here, &Event::End).unwrap();
    writer.finish().unwrap();
    let reader = LogReader::from_bytes(writer.take_bytes().unwrap()).unwrap();
    let events: Vec<u32> = reader.chunks().iter().map(|chunk| chunk.events).collect();
    assert_eq!(events, [limits::MAX_CHUNK_EVENTS, 2]);
    assert!(reader.events().all(|event| event.is_ok()));
}

#[test]
fn the_largest_snapshot_comes_back() {
    let mut writer = LogWriter::in_memory(&header(), Options::default()).unwrap();
    let snapshot: Vec<u8> = (0..limits::MAX_FRAME_RAW).map(|at| (at >> 8) as u8 ^ at as u8).collect();
    writer.append_snapshot(Position::new(10, 32), &snapshot).unwrap();
    writer.append(Position::new(10, 32), &Event::End).unwrap();
    writer.finish().unwrap();
    let reader = LogReader::from_bytes(writer.take_bytes().unwrap()).unwrap();
    assert!(reader.read_snapshot(0).unwrap() == snapshot);
}

#[test]
fn a_log_in_a_file_gives_no_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.rreplay");
    let mut writer = LogWriter::create(&path, &header(), Options::default()).unwrap();
    writer.append(Position::new(10, 32), &Event::End).unwrap();
    writer.finish().unwrap();
    assert_eq!(writer.take_bytes(), None);
}

#[test]
fn bounds_of_the_header_hold_when_writing() {
    let refused = |change: fn(&mut Header)| {
        let mut header = header();
        change(&mut header);
        matches!(LogWriter::in_memory(&header, Options::default()), Err(LogError::Header(_)))
    };
    assert!(!refused(|_| ()));
    assert!(refused(|header| header.initial_state = vec![0; limits::MAX_FRAME_RAW as usize]));
    assert!(!refused(|header| header.board_toml = " ".repeat(limits::MAX_BOARD_BYTES)));
    assert!(refused(|header| header.board_toml = " ".repeat(limits::MAX_BOARD_BYTES + 1)));
    assert!(refused(|header| header.chars = vec![String::new(); limits::MAX_HEADER_ITEMS + 1]));
    assert!(refused(|header| header.subsystems = vec![String::new(); limits::MAX_SUBSYSTEMS + 1]));
    assert!(refused(|header| header.scheduler = "x".repeat(limits::MAX_NAME_BYTES + 1)));
    assert!(refused(|header| header.devices[0].1 = "x".repeat(limits::MAX_NAME_BYTES + 1)));
    assert!(refused(|header| header.roms[0].bytes = Some(b"another image".to_vec())));
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn any_run_comes_back(
        events in any_run(),
        chunk_bytes in 1usize..600,
        level in 0u32..=9,
        flush_every in 1usize..50,
    ) {
        let mut writer = LogWriter::in_memory(&header(), Options { chunk_bytes, level }).unwrap();
        for (place, (position, event)) in events.iter().enumerate() {
            prop_assert_eq!(writer.append(*position, event).unwrap().0, place as u64);
            if place % flush_every == 0 {
                writer.flush().unwrap();
            }
        }
        writer.finish().unwrap();
        let totals = writer.totals().clone();
        let reader = LogReader::from_bytes(writer.take_bytes().unwrap()).unwrap();
        prop_assert_eq!(events_of(&reader), events);
        prop_assert_eq!(reader.totals(), &totals);
        prop_assert!(reader.complete());
    }

    /// Bytes that decode are the only ones for their events, whatever was changed in them.
    #[test]
    fn decoding_is_canonical(
        events in any_run_with(0..20),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let mut encoder = ChunkEncoder::new();
        events.iter().for_each(|(position, event)| { encoder.push(*position, event); });
        let (first, count) = (encoder.first(), encoder.events());
        let mut raw = encoder.raw().to_vec();
        for (place, value) in &changes {
            let place = place.index(raw.len());
            raw[place] = *value;
        }
        let mut decoder = ChunkDecoder::new(&raw, first, EventOrdinal(0), count);
        let mut encoder = ChunkEncoder::new();
        let mut decoded = 0;
        while let Ok(Some(event)) = decoder.next_event() {
            encoder.push(event.position, &event.event);
            prop_assert_eq!(encoder.raw(), &raw[..decoder.offset()]);
            decoded += 1;
        }
        prop_assert!(decoded == count || !changes.is_empty());
    }
}
