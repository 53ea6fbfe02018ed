//! Damaged files: every cut and every flipped byte gives an error or a good prefix, never a recording called whole.

use super::log_support::{
    any_run, append_all, cases, events_of, forge, header, record, sample_events, small_chunks,
};
use proptest::prelude::*;
use rreplay::log::{
    Damage, DamageReason, Event, IndexState, LogError, LogReader, LogWriter, Options, limits,
};
use rreplay::units::Position;

/// What a damaged file gives: nothing (no header), or a prefix with what is said of it.
fn salvage(bytes: &[u8]) -> Option<LogReader> {
    match LogReader::salvage_bytes(bytes.to_vec()) {
        Ok(reader) => Some(reader),
        Err(
            LogError::NotARecording { .. } | LogError::HeaderDamaged { .. } | LogError::NewerVersion { .. },
        ) => None,
        Err(other) => panic!("salvage gave {other}"),
    }
}

/// Checks that a changed file is refused, and that what salvage gives is a true prefix and truly described.
fn check_refused(whole: &[(Position, Event)], changed: &[u8], what: &str) -> Option<Damage> {
    let error = LogReader::from_bytes(changed.to_vec()).expect_err(what);
    let reader = salvage(changed)?;
    let damage =
        reader.damage().unwrap_or_else(|| panic!("{what}: salvage does not say what is lost")).clone();
    assert!(!reader.complete(), "{what}");
    match error {
        LogError::Damaged { damage: told, .. } => assert_eq!(*told, damage, "{what}"),
        other => panic!("{what}: open gave {other}"),
    }
    let events = events_of(&reader);
    assert!(whole.starts_with(&events), "{what}: not a prefix");
    assert_eq!(damage.events, events.len() as u64, "{what}");
    assert_eq!(damage.last, events.last().map_or(reader.header().start, |last| last.0), "{what}");
    assert_eq!(damage.offset + damage.bytes_lost, changed.len() as u64, "{what}");
    assert_eq!(*reader.header(), header(), "{what}");
    Some(damage)
}

#[test]
fn a_cut_at_every_length() {
    let events = sample_events();
    let bytes = record(&header(), &events, small_chunks());
    let reader = LogReader::from_bytes(bytes.clone()).unwrap();
    let header_end = reader.info().header_bytes;
    let chunks = reader.chunks();
    let chunks_end = chunks.last().unwrap().end();
    let index_end = bytes.len() as u64 - 20;
    for length in 0..bytes.len() as u64 {
        let cut = &bytes[..length as usize];
        if length == chunks_end || length == index_end {
            // All events are there and nothing is half there: the file opens, but does not count as complete.
            let reader = LogReader::from_bytes(cut.to_vec()).unwrap();
            assert_eq!(events_of(&reader), events);
            assert!(!reader.complete() && reader.damage().is_none());
            let state = if length == chunks_end { IndexState::Missing } else { IndexState::NoFooter };
            assert_eq!(reader.index_state(), state);
            continue;
        }
        let damage = check_refused(&events, cut, &format!("cut to {length}"));
        let Some(damage) = damage else {
            assert!(length < header_end, "cut to {length}: nothing was salvaged");
            continue;
        };
        // Exactly the whole chunks are left.
        let whole = chunks.iter().filter(|chunk| chunk.end() <= length);
        let (events_left, end) =
            whole.fold((0, header_end), |(events, _), chunk| (events + chunk.events, chunk.end()));
        assert_eq!(damage.events, u64::from(events_left), "cut to {length}");
        assert_eq!(damage.offset, end.max(if length > index_end { index_end } else { 0 }), "cut to {length}");
        let reason = if length == end { DamageReason::Unfinished } else { DamageReason::Truncated };
        assert_eq!(damage.reason, reason, "cut to {length}");
    }
}

#[test]
fn every_byte_flipped() {
    let events = sample_events();
    let bytes = record(&header(), &events, small_chunks());
    let reader = LogReader::from_bytes(bytes.clone()).unwrap();
    for place in 0..bytes.len() {
        for mask in [0x01, 0x80, 0xFF, 0x20] {
            let mut changed = bytes.clone();
            changed[place] ^= mask;
            let what = format!("byte {place} changed by {mask:02x}");
            let Some(damage) = check_refused(&events, &changed, &what) else {
                assert!((place as u64) < reader.info().header_bytes, "{what}: nothing was salvaged");
                continue;
            };
            // All chunks before the one that was hit are left, and the events behind it are known to be lost.
            let hit = reader.chunks().iter().find(|chunk| chunk.end() > place as u64);
            let left = hit.map_or(events.len() as u64, |chunk| chunk.first_ordinal);
            assert_eq!(damage.events, left, "{what}");
            let is_last = hit.is_none_or(|chunk| chunk.end_ordinal() == events.len() as u64);
            let lost = if is_last { 0 } else { events.len() as u64 - left };
            assert_eq!(damage.events_lost, lost, "{what}: {damage}");
        }
    }
}

#[test]
fn chunks_dropped_doubled_swapped_or_from_another_recording() {
    let events = sample_events();
    let bytes = record(&header(), &events, small_chunks());
    let mut other_header = header();
    other_header.scheduler = "inline".into();
    let other = record(&other_header, &events, small_chunks());
    let reader = LogReader::from_bytes(bytes.clone()).unwrap();
    let other_reader = LogReader::from_bytes(other.clone()).unwrap();
    let part = |place: usize| {
        let chunk = reader.chunks()[place];
        chunk.offset as usize..chunk.end() as usize
    };
    for place in 0..reader.chunks().len() {
        let range = part(place);
        let mut dropped = bytes.clone();
        dropped.drain(range.clone());
        check_refused(&events, &dropped, &format!("chunk {place} dropped"));
        let mut doubled = bytes.clone();
        doubled.splice(range.end..range.end, bytes[range.clone()].to_vec());
        check_refused(&events, &doubled, &format!("chunk {place} doubled"));
        if place + 1 < reader.chunks().len() {
            let next = part(place + 1);
            let mut swapped = bytes[next.clone()].to_vec();
            swapped.extend_from_slice(&bytes[range.clone()]);
            let mut changed = bytes.clone();
            changed.splice(range.start..next.end, swapped);
            check_refused(&events, &changed, &format!("chunks {place} and the next swapped"));
        }
        let theirs = other_reader.chunks()[place];
        let mut foreign = bytes.clone();
        foreign.splice(range, other[theirs.offset as usize..theirs.end() as usize].to_vec());
        check_refused(&events, &foreign, &format!("chunk {place} of another recording"));
    }
    let mut trailing = bytes.clone();
    trailing.push(0);
    check_refused(&events, &trailing, "a byte behind the end");
    let twice = [bytes.as_slice(), bytes.as_slice()].concat();
    check_refused(&events, &twice, "two files in one");
}

#[test]
fn a_killed_recorder_leaves_all_flushed_chunks() {
    let events = sample_events();
    for killed_after in 0..events.len() {
        let mut writer = LogWriter::in_memory(&header(), small_chunks()).unwrap();
        append_all(&mut writer, &events[..killed_after]);
        let in_chunks = {
            // What is on the disk at the kill: the memory sink's bytes, without the chunk being filled.
            let reader = LogReader::salvage_bytes(writer.take_bytes().unwrap()).unwrap();
            assert_eq!(reader.damage().unwrap().reason, DamageReason::Unfinished);
            assert_eq!(reader.damage().unwrap().bytes_lost, 0);
            events_of(&reader)
        };
        assert!(events.starts_with(&in_chunks));
        assert!(killed_after - in_chunks.len() <= 20, "more than one chunk was lost");

        let mut writer = LogWriter::in_memory(&header(), Options::default()).unwrap();
        append_all(&mut writer, &events[..killed_after]);
        writer.flush().unwrap();
        let bytes = writer.take_bytes().unwrap();
        let reader = LogReader::salvage_bytes(bytes).unwrap();
        assert_eq!(events_of(&reader), events[..killed_after], "a flush loses nothing");
    }
}

#[test]
fn a_dropped_writer_leaves_what_it_had() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dropped.rreplay");
    let events = sample_events();
    let mut writer = LogWriter::create(&path, &header(), Options::default()).unwrap();
    append_all(&mut writer, &events[..events.len() - 1]);
    drop(writer);
    let error = LogReader::open(&path).unwrap_err().to_string();
    assert!(error.contains("was not finished") && error.contains("salvage"), "{error}");
    assert!(LogReader::open_indexed(&path).is_err());
    let reader = LogReader::open_salvage(&path).unwrap();
    assert_eq!(events_of(&reader), events[..events.len() - 1]);
}

#[test]
fn a_damaged_chunk_shows_when_it_is_read_through_the_index() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.rreplay");
    let mut bytes = record(&header(), &sample_events(), small_chunks());
    let chunk = LogReader::from_bytes(bytes.clone()).unwrap().chunks()[2];
    bytes[chunk.offset as usize + 20] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let reader = LogReader::open_indexed(&path).unwrap();
    let mut cursor = reader.events();
    let good = cursor.by_ref().take_while(Result::is_ok).count();
    assert_eq!(good as u64, chunk.first_ordinal);
    assert!(matches!(cursor.failure(), Some(LogError::Chunk { offset, .. }) if *offset == chunk.offset));
    assert_eq!(cursor.byte_offset(), chunk.offset);
    assert!(cursor.next().is_none(), "the error is given once");
    assert!(cursor.seek(rreplay::units::EventOrdinal(chunk.first_ordinal)).is_err());
    cursor.seek(rreplay::units::EventOrdinal(chunk.end_ordinal())).unwrap();
    assert!(cursor.peek().is_some(), "chunks behind it can be read");
}

#[test]
fn an_index_that_lies_is_found_out() {
    let end = {
        let mut encoder = rreplay::log::codec::ChunkEncoder::new();
        encoder.push(header().start, &Event::Random { result: 0, bytes: vec![1, 2] });
        encoder.raw().to_vec()
    };
    let (mut bytes, seed) = forge::file(header().encode().unwrap());
    let start = bytes.len() as u64;
    let frame = forge::Forged::new(2, 1, end).bytes(&seed);
    bytes.extend_from_slice(&frame);
    let offset = bytes.len() as u64;
    // The index says that the only event is an `end`.
    let mut index = vec![1, 2, 0];
    for value in [frame.len() as u64, u64::from(frame[7]), 1, 5, 17] {
        forge::varint(&mut index, value);
    }
    index.extend_from_slice(&[1, 20, 1, 1, 5, 17, 1]);
    bytes.extend_from_slice(
        &forge::Forged { first_ordinal: 1, ..forge::Forged::new(4, 0, index) }.bytes(&seed),
    );
    bytes.extend_from_slice(&forge::footer(offset, &seed));
    let damage = match LogReader::from_bytes(bytes.clone()) {
        Err(LogError::Damaged { damage, .. }) => damage,
        other => panic!("{other:?}"),
    };
    assert!(damage.to_string().contains("the index does not agree with the events"), "{damage}");
    assert_eq!((damage.events, start < damage.offset), (1, true));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("liar.rreplay");
    std::fs::write(&path, bytes).unwrap();
    assert!(LogReader::open_indexed(&path).is_err());
}

#[test]
fn files_that_are_something_else() {
    let looks = |bytes: &[u8]| match LogReader::from_bytes(bytes.to_vec()) {
        Err(error @ LogError::NotARecording { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(looks(b"").contains("it is empty"));
    assert!(looks(b"\x1f\x8b\x08\x00").contains("gzip"));
    assert!(looks(b"name = \"breadboard\"\n").contains("it is text"));
    assert!(looks(&[0; 100]).contains("zeros"));
    assert!(looks(&[0xEA; 100]).contains("[ea, ea"));
    let bytes = record(&header(), &sample_events(), Options::default());
    assert!(looks(&bytes[..5]).contains("cut off after 5 bytes"));
    let text_mode: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != b'\r').collect();
    assert!(looks(&text_mode).contains("text mode"));
    let seven_bits: Vec<u8> = bytes.iter().map(|byte| byte & 0x7F).collect();
    assert!(looks(&seven_bits).contains("text mode"));
    assert!(looks(String::from_utf8_lossy(&bytes).as_bytes()).contains("text mode"));
}

#[test]
fn versions() {
    let version = |version, needs| {
        let mut bytes = forge::prologue(version, needs);
        let frame = forge::Forged::new(1, 0, header().encode().unwrap()).bytes(&bytes.clone());
        let seed = frame[frame.len() - 4..].to_vec();
        bytes.extend_from_slice(&frame);
        // A frame type and a header of the future are skipped.
        bytes.extend_from_slice(&forge::Forged::new(77, 0, b"from the future".to_vec()).bytes(&seed));
        bytes.extend_from_slice(&forge::Forged::new(2, 1, vec![20]).bytes(&seed));
        LogReader::from_bytes(bytes)
    };
    let reader = version(1, 1).unwrap();
    assert_eq!((events_of(&reader), reader.format_version()), (vec![(header().start, Event::End)], 1));
    assert_eq!(version(9, 1).unwrap().format_version(), 9);
    assert_eq!(version(9, limits::FORMAT_VERSION).unwrap().format_version(), 9);
    let needs = limits::FORMAT_VERSION + 1;
    let error = version(9, needs).unwrap_err();
    assert_eq!(error, LogError::NewerVersion { path: "<memory>".into(), version: 9, needs });
    assert!(error.to_string().contains("install a newer rreplay"));
    assert!(matches!(version(0, 0), Err(LogError::HeaderDamaged { .. })));
    assert!(matches!(version(0, 1), Err(LogError::HeaderDamaged { .. })));
}

proptest! {
    #![proptest_config(cases(200))]

    /// Any handful of bytes changed, cut or put in: an error or a prefix.
    #[test]
    fn any_damage_gives_an_error_or_a_prefix(
        events in any_run(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..6),
    ) {
        let bytes = record(&header(), &events, Options { chunk_bytes: 60, level: 6 });
        let mut changed = bytes.clone();
        for (place, value, how) in changes {
            let place = place.index(changed.len());
            match how {
                0 => changed[place] = value,
                1 => changed.insert(place, value),
                _ => { changed.remove(place); }
            }
        }
        if changed != bytes {
            check_refused(&events, &changed, "changed");
        }
    }
}
