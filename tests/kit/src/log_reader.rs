//! The fuzz target `log_reader`: what is no recording is refused, what is one reads back, what is damaged is never
//! taken for whole.
//!
//! Bytes that begin as a recording are read as one, as they are and once more with all their checksums made right: no
//! fuzzer guesses those. Any other bytes describe a log ([`GeneratedLog`]), which is written, read back and then
//! damaged in one place.

use super::log_gen::{Damage, GeneratedLog};
use super::scenario::many;
use super::targets::Finding;
use arbitrary::{Arbitrary, Unstructured};
use rreplay::log::frame::{self, CHECKSUM_LENGTH, FOOTER_LENGTH, FrameHeader, MAGIC, PROLOGUE_LENGTH};
use rreplay::log::{Event, LogError, LogReader, LogWriter, Options, StampedEvent};
use rreplay::recording::Recording;
use rreplay::session::RunRequest;
use rreplay::units::EventOrdinal;

/// Events that are held at once and written again. A few bytes can inflate to millions of events.
const EVENTS_HELD_MAX: usize = 4000;
/// Instructions and cycles that the replay of a hostile recording runs.
const REPLAY_INSTRUCTIONS: u64 = 2000;
const REPLAY_CYCLES: u64 = 50_000;

/// Judges bytes.
pub(super) fn check(input: &[u8]) -> Result<(), Finding> {
    let with = |recording: &[u8], what| Finding { what, recording: Some(recording.to_vec()) };
    check_file(input).map_err(|what| with(input, what))?;
    if input.starts_with(&MAGIC) {
        let right = with_right_checksums(input);
        return check_file(&right).map_err(|what| with(&right, format!("with right checksums: {what}")));
    }
    let mut input = Unstructured::new(input);
    let written = GeneratedLog::arbitrary(&mut input).map_err(|error| error.to_string())?;
    let damages = many::<Damage>(&mut input, 3).map_err(|error| error.to_string())?;
    let good = written.bytes().map_err(|what| format!("writing {written:#?}: {what}"))?;
    written.check_read(&good).map_err(|what| with(&good, format!("reading {written:#?}: {what}")))?;
    for damage in damages {
        let bad = damage.applied_to(&good);
        written
            .check_damaged(&good, &bad)
            .map_err(|what| with(&bad, format!("after {damage:?}: {what}\n{written:#?}")))?;
    }
    Ok(())
}

/// Reads a file in every way there is. None panics, and they agree.
fn check_file(bytes: &[u8]) -> Result<(), String> {
    let opened = LogReader::from_bytes(bytes.to_vec());
    let salvaged = LogReader::salvage_bytes(bytes.to_vec());
    let reader = match (&opened, &salvaged) {
        (Ok(opened), Ok(salvaged)) => {
            if salvaged.damage().is_some() || opened.damage().is_some() {
                return Err(format!("it opens, and has the damage {:?}", salvaged.damage()));
            }
            if (opened.header(), opened.info()) != (salvaged.header(), salvaged.info()) {
                return Err("opened and salvaged it is not the same".into());
            }
            salvaged
        }
        (Err(LogError::Damaged { damage, .. }), Ok(salvaged)) if salvaged.damage() == Some(damage) => {
            salvaged
        }
        (Err(opened), Err(salvaged)) if opened == salvaged => return check_refusal(bytes, opened),
        (opened, salvaged) => {
            let opened = opened.as_ref().map(LogReader::info);
            let salvaged = salvaged.as_ref().map(|reader| (reader.info(), reader.damage()));
            return Err(format!("opening gives {opened:?}, salvage {salvaged:?}"));
        }
    };
    let held = check_events(reader)?;
    check_seeking(reader, held.as_deref())?;
    let snapshots = reader.snapshots().count() as u64;
    for number in 0..=snapshots {
        if reader.read_snapshot(number).is_ok() != (number < snapshots) {
            return Err(format!(
                "there are {snapshots} snapshots, and reading number {number} does not say so"
            ));
        }
    }
    if let Some(events) = &held {
        check_written_again(reader, events)?;
    }
    check_recording(bytes)
}

/// A file that cannot be read at all says why, as a recording too.
fn check_refusal(bytes: &[u8], error: &LogError) -> Result<(), String> {
    let refused = [false, true].map(|salvage| Recording::from_bytes(bytes.to_vec(), salvage).is_err());
    let says = !error.to_string().is_empty();
    if refused == [true; 2] && says { Ok(()) } else { Err(format!("refused with {error}, and yet opened")) }
}

/// Walks over all events, which opening has found good. Gives them when they are few.
fn check_events(reader: &LogReader) -> Result<Option<Vec<StampedEvent>>, String> {
    let mut held = Vec::new();
    let mut count = 0;
    let mut last = reader.header().start;
    let mut events = reader.events();
    for event in &mut events {
        let event = event.map_err(|error| format!("it opens, and an event cannot be read: {error}"))?;
        let at = event.position;
        if event.ordinal != EventOrdinal(count) || at.icount < last.icount || at.cycles < last.cycles {
            return Err(format!("{event} stands after {count} events, the last of them at {last}"));
        }
        count += 1;
        last = at;
        if held.len() < EVENTS_HELD_MAX {
            held.push(event);
        }
    }
    if events.next().is_some() || (count, last) != (reader.events_count(), reader.last_position()) {
        let (says, place) = (reader.events_count(), reader.last_position());
        return Err(format!("it has {count} events up to {last} and says {says} up to {place}"));
    }
    Ok(Some(held).filter(|held| held.len() as u64 == count))
}

/// Moving to an event gives that event.
fn check_seeking(reader: &LogReader, events: Option<&[StampedEvent]>) -> Result<(), String> {
    let count = reader.events_count();
    for ordinal in [0, 1, count / 2, count.saturating_sub(1), count] {
        match reader.events_from(EventOrdinal(ordinal)) {
            Ok(cursor) if cursor.ordinal() == EventOrdinal(ordinal) => {}
            Ok(cursor) => return Err(format!("seeking event {ordinal} finds event {}", cursor.ordinal())),
            Err(_) if ordinal > count => {}
            Err(error) => return Err(format!("seeking event {ordinal}: {error}")),
        }
    }
    if reader.events_from(EventOrdinal(count + 1)).is_ok() {
        return Err(format!("event {} is found after the end", count + 1));
    }
    let Some(events) = events else { return Ok(()) };
    let places = [events.first(), events.get(events.len() / 2), events.last()];
    for icount in places.into_iter().flatten().map(|event| event.position.icount) {
        let wanted = events.iter().find(|event| event.position.icount >= icount);
        let cursor = reader.events_from_icount(icount).map_err(|error| format!("seeking: {error}"))?;
        if cursor.peek() != wanted {
            return Err(format!("seeking icount {icount} finds {:?} instead of {wanted:?}", cursor.peek()));
        }
    }
    Ok(())
}

/// What was read is written again and read again. Only a log that could have been written: with digests as the header
/// has them, which older versions did not ask for.
fn check_written_again(reader: &LogReader, events: &[StampedEvent]) -> Result<(), String> {
    let subsystems = reader.header().subsystems.len();
    let other_digest =
        |event: &StampedEvent| matches!(&event.event, Event::Digest(digests) if digests.len() != subsystems);
    if events.iter().any(other_digest) {
        return Ok(());
    }
    let failed = |error: LogError| format!("written again: {error}");
    let mut writer = LogWriter::in_memory(reader.header(), Options::default()).map_err(failed)?;
    for event in events {
        match event.event {
            Event::Snapshot { number } => {
                let container = reader.read_snapshot(number).map_err(failed)?;
                writer.append_snapshot(event.position, &container).map_err(failed)?;
            }
            _ => drop(writer.append(event.position, &event.event).map_err(failed)?),
        }
    }
    writer.finish().map_err(failed)?;
    let again = LogReader::salvage_bytes(writer.take_bytes().unwrap_or_default()).map_err(failed)?;
    let ended = events.last().is_some_and(|event| event.event == Event::End);
    if again.complete() != ended || again.header() != reader.header() {
        return Err("written again it is another recording".into());
    }
    let again: Result<Vec<StampedEvent>, LogError> = again.events().collect();
    if again.map_err(failed)? != events { Err("written again it has other events".into()) } else { Ok(()) }
}

/// Opens the bytes as users do, and replays a little.
fn check_recording(bytes: &[u8]) -> Result<(), String> {
    let whole = Recording::from_bytes(bytes.to_vec(), false);
    let Ok(recording) = Recording::from_bytes(bytes.to_vec(), true) else {
        return if whole.is_err() { Ok(()) } else { Err("it opens, but not with salvage".into()) };
    };
    if whole.is_ok() == recording.damage().is_some() {
        return Err(format!("it opens: {}; it has the damage {:?}", whole.is_ok(), recording.damage()));
    }
    for event in recording.events(None, None, None).map_err(|error| error.to_string())? {
        event.map_err(|error| format!("an event cannot be read: {error}"))?;
    }
    recording.output().map_err(|error| format!("the output cannot be read: {error}"))?;
    let Ok(session) = recording.replay() else { return Ok(()) };
    let request = RunRequest {
        instructions: Some(REPLAY_INSTRUCTIONS),
        cycles: Some(REPLAY_CYCLES),
        ..RunRequest::default()
    };
    let start = session.position();
    if let Ok(stop) = session.run(request, &mut || false)
        && stop.position < start
    {
        return Err(format!("its replay runs back from {start} to {}", stop.position));
    }
    Ok(())
}

/// The same bytes with the checksums of all frames and of the footer made right, as far as they have frames.
fn with_right_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let Some(prologue) = out.get(..PROLOGUE_LENGTH) else { return out };
    let mut seed = prologue.to_vec();
    let mut at = PROLOGUE_LENGTH;
    let mut index_offset = 0;
    while let Ok((header, length)) = FrameHeader::parse(&out[at..]) {
        let end = at + length + header.stored as usize;
        if out.len() < end + CHECKSUM_LENGTH {
            break;
        }
        let crc = frame::checksum(&seed, &out[at..end]).to_le_bytes();
        out[end..end + CHECKSUM_LENGTH].copy_from_slice(&crc);
        if at == PROLOGUE_LENGTH {
            seed = crc.to_vec();
        }
        if header.frame_type == frame::frame_type::INDEX {
            index_offset = at as u64;
        }
        at = end + CHECKSUM_LENGTH;
    }
    if let Some(footer) = out.get_mut(at..at + FOOTER_LENGTH) {
        footer.copy_from_slice(&frame::footer(index_offset, &seed));
    }
    out
}
