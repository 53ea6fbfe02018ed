//! Logs made from a fuzzer's bytes, and what may happen to their files.

use super::scenario::many;
use arbitrary::{Arbitrary, Result as Taken, Unstructured};
use rreplay::bus::{Exception, Interrupt};
use rreplay::log::{
    AsyncEvent, Checkpoint, Event, EventKind, Header, InputEvent, LogError, LogReader, LogWriter, Options,
    StampedEvent,
};
use rreplay::nondet::{CharId, CharWritten, ClockKind, ShutdownCause};
use rreplay::persist::Digest;
use rreplay::units::{EventOrdinal, Position};

/// Events of one log.
const EVENTS_MAX: usize = 64;
/// Bytes, samples or hashes of one event.
const PAYLOAD_MAX: usize = 20;

/// A log to be written, and how.
#[derive(Clone, PartialEq, Eq, Debug, Arbitrary)]
pub(super) struct GeneratedLog {
    start: (u8, u8),
    /// Bytes of events that end a chunk.
    chunk_bytes: u8,
    /// Compression, modulo 10.
    level: u8,
    /// Hashes of each digest, modulo 12.
    subsystems: u8,
    name: String,
    #[arbitrary(with = |u: &mut Unstructured<'_>| many(u, EVENTS_MAX))]
    steps: Vec<Step>,
    ending: Ending,
}

/// An event, and how long after the one before it.
#[derive(Clone, PartialEq, Eq, Debug, Arbitrary)]
struct Step {
    delta: Delta,
    /// Whether the chunk ends before the event.
    flush: bool,
    #[arbitrary(with = any_event)]
    event: Event,
}

/// A distance between two events.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary)]
enum Delta {
    None,
    Waited(u16),
    /// Instructions, and three times as many cycles and so many more.
    Ran(u8, u8),
    Any(u32, u32),
    Far(u64, u64),
}

/// How the writing ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary)]
enum Ending {
    /// With `end`, index and footer.
    Finished,
    /// With index and footer, without `end`.
    WithoutEnd,
    /// As a killed recorder leaves it: whole chunks.
    Killed,
    /// As a recorder leaves it that was killed when only the index was missing.
    KilledAfterEnd,
}

/// The container of the snapshot with a number.
fn container(number: u64) -> Vec<u8> {
    format!("the container of snapshot {number}").into_bytes()
}

impl GeneratedLog {
    fn header(&self) -> Header {
        Header {
            engine_version: "0".into(),
            board_toml: self.name.clone(),
            clock_hz: 1_000_000,
            chars: vec!["acia".into()],
            subsystems: (0..self.subsystems % 12).map(|number| format!("subsystem {number}")).collect(),
            start: Position::new(self.start.0.into(), self.start.1.into()),
            ..Header::default()
        }
    }

    /// The events in their places, snapshots with their right numbers and digests with a hash for each subsystem.
    fn events(&self) -> Vec<(Position, Event)> {
        let mut at = self.header().start;
        let mut snapshots = 0;
        let mut events = Vec::new();
        for step in &self.steps {
            at = step.delta.after(at);
            let mut event = step.event.clone();
            match &mut event {
                Event::Snapshot { number } => {
                    *number = snapshots;
                    snapshots += 1;
                }
                Event::Digest(digests) => digests.resize(usize::from(self.subsystems % 12), Digest([0; 16])),
                _ => {}
            }
            events.push((at, event));
        }
        if matches!(self.ending, Ending::Finished | Ending::KilledAfterEnd) {
            events.push((at, Event::End));
        }
        events
    }

    /// The file.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, LogError> {
        let options = Options { chunk_bytes: self.chunk_bytes.into(), level: u32::from(self.level % 10) };
        let mut writer = LogWriter::in_memory(&self.header(), options)?;
        let flushes = self.steps.iter().map(|step| step.flush).chain([false]);
        for ((position, event), flush) in self.events().into_iter().zip(flushes) {
            if flush {
                writer.flush()?;
            }
            match event {
                Event::Snapshot { number } => {
                    writer.append_snapshot(position, &container(number))?;
                }
                event => {
                    writer.append(position, &event)?;
                }
            }
        }
        match self.ending {
            Ending::Finished | Ending::WithoutEnd => writer.finish()?,
            Ending::Killed | Ending::KilledAfterEnd => writer.flush()?,
        }
        Ok(writer.take_bytes().unwrap_or_default())
    }

    /// Checks that the file has in it what was written.
    pub(super) fn check_read(&self, bytes: &[u8]) -> Result<(), String> {
        let ended = matches!(self.ending, Ending::Finished | Ending::KilledAfterEnd);
        let opened = LogReader::from_bytes(bytes.to_vec());
        let reader = LogReader::salvage_bytes(bytes.to_vec()).map_err(|error| error.to_string())?;
        match (opened, reader.damage()) {
            (Ok(_), None) if ended => {}
            (Err(LogError::Damaged { damage, .. }), Some(found)) if !ended && *damage == *found => {
                if found.events_lost != 0 || found.bytes_lost != 0 && self.ending == Ending::Killed {
                    return Err(format!("nothing is lost, and it says {found:?}"));
                }
            }
            (opened, damage) => {
                return Err(format!("it opens as {:?} with the damage {damage:?}", opened.map(|_| ())));
            }
        }
        if reader.complete() != (self.ending == Ending::Finished) {
            return Err(format!("complete is {}", reader.complete()));
        }
        let (last, all) = self.check_prefix(&reader)?;
        if !all || last != reader.last_position() {
            return Err(format!("it ends with event {} at {last}", reader.events_count()));
        }
        self.check_totals(&reader)
    }

    fn check_totals(&self, reader: &LogReader) -> Result<(), String> {
        for kind in EventKind::ALL {
            let count = self.events().iter().filter(|(_, event)| event.kind() == *kind).count() as u64;
            if reader.totals().of(*kind).events != count {
                return Err(format!("it counts {:?} events {kind}, not {count}", reader.totals().of(*kind)));
            }
        }
        Ok(())
    }

    /// Checks that a damaged file is refused, or salvaged to a true beginning that says what is missing.
    pub(super) fn check_damaged(&self, good: &[u8], bad: &[u8]) -> Result<(), String> {
        if good == bad {
            return Ok(());
        }
        if let Ok(reader) = LogReader::from_bytes(bad.to_vec()) {
            let (_, all) = self.check_prefix(&reader)?;
            if !all {
                return Err(format!(
                    "it opens with {} events, as if nothing were lost",
                    reader.events_count()
                ));
            }
        }
        let Ok(reader) = LogReader::salvage_bytes(bad.to_vec()) else { return Ok(()) };
        let (last, all) = self.check_prefix(&reader)?;
        match reader.damage() {
            Some(damage) if (damage.events, damage.last) == (reader.events_count(), last) => Ok(()),
            Some(damage) => Err(format!("{} events are left, it says {damage:?}", reader.events_count())),
            None if all => Ok(()),
            None => Err(format!("only {} events are left, and it says nothing", reader.events_count())),
        }
    }

    /// Checks that a file's events are the first of those written. Returns the place of the last, and whether it is the
    /// last of all.
    fn check_prefix(&self, reader: &LogReader) -> Result<(Position, bool), String> {
        if *reader.header() != self.header() {
            return Err(format!("its header is {:?}", reader.header()));
        }
        let written = self.events();
        let mut last = reader.header().start;
        let mut count = 0;
        for found in reader.events() {
            let found = found.map_err(|error| error.to_string())?;
            let wanted = written.get(count).map(|(position, event)| StampedEvent {
                position: *position,
                ordinal: EventOrdinal(count as u64),
                event: event.clone(),
            });
            if wanted.as_ref() != Some(&found) {
                return Err(format!("it has {found:?} where {wanted:?} was written"));
            }
            if let Event::Snapshot { number } = found.event
                && reader.read_snapshot(number).map_err(|error| error.to_string())? != container(number)
            {
                return Err(format!("the container of snapshot {number} is another"));
            }
            last = found.position;
            count += 1;
        }
        Ok((last, count == written.len()))
    }
}

impl Delta {
    fn after(self, at: Position) -> Position {
        let (icount, cycles) = match self {
            Delta::None => (0, 0),
            Delta::Waited(cycles) => (0, cycles.into()),
            Delta::Ran(instructions, more) => {
                (instructions.into(), u64::from(instructions) * 3 + u64::from(more))
            }
            Delta::Any(icount, cycles) => (icount.into(), cycles.into()),
            Delta::Far(icount, cycles) => (icount, cycles),
        };
        Position::new(at.icount.saturating_add(icount), at.cycles.saturating_add(cycles))
    }
}

/// One change of a file.
#[derive(Clone, PartialEq, Eq, Debug, Arbitrary)]
pub(super) enum Damage {
    /// Bits of up to four bytes in a row are flipped. More would let a fuzzer write a checksum that is right.
    Flip(u16, [u8; 4]),
    /// The file ends here.
    Cut(u16),
    /// Up to three bytes come in between.
    Insert(u16, u8, [u8; 3]),
    /// Bytes are missing.
    Remove(u16, u16),
    /// Bytes stand twice.
    Repeat(u16, u16),
    /// What stands before the place and what stands after it, so many bytes each, change places.
    Swap(u16, u8),
}

impl Damage {
    pub(super) fn applied_to(&self, good: &[u8]) -> Vec<u8> {
        let mut bad = good.to_vec();
        let place = |at: u16| usize::from(at) % good.len();
        let range = |at: u16, count: u16| place(at)..(place(at) + usize::from(count)).min(good.len());
        match self {
            Damage::Flip(at, bits) => {
                bad[place(*at)..].iter_mut().zip(bits).for_each(|(byte, bits)| *byte ^= bits);
            }
            Damage::Cut(at) => bad.truncate(place(*at)),
            Damage::Insert(at, count, bytes) => {
                let bytes = &bytes[..usize::from(count % 4)];
                bad.splice(place(*at)..place(*at), bytes.iter().copied());
            }
            Damage::Remove(at, count) => drop(bad.drain(range(*at, *count))),
            Damage::Repeat(at, count) => {
                let range = range(*at, *count);
                let again = good[range.clone()].to_vec();
                bad.splice(range.end..range.end, again);
            }
            Damage::Swap(at, count) => {
                let middle = place(*at);
                let count = usize::from(*count).min(middle).min(good.len() - middle);
                bad[middle - count..middle + count].rotate_left(count);
            }
        }
        bad
    }
}

/// Any event but `end`.
fn any_event(u: &mut Unstructured<'_>) -> Taken<Event> {
    let kind = *u.choose(&EventKind::ALL[..EventKind::ALL.len() - 1])?;
    Ok(match kind {
        EventKind::Interrupt => Event::Interrupt(*u.choose(Interrupt::ALL)?),
        EventKind::Exception => Event::Exception(*u.choose(Exception::ALL)?),
        EventKind::Bh => Event::Async(AsyncEvent::Bh { id: number(u)? }),
        EventKind::BhOneshot => Event::Async(AsyncEvent::BhOneshot { id: number(u)? }),
        EventKind::Input => Event::Async(AsyncEvent::Input(any_input(u)?)),
        EventKind::InputSync => Event::Async(AsyncEvent::InputSync),
        EventKind::CharRead => Event::Async(AsyncEvent::CharRead { device: device(u)?, bytes: bytes(u)? }),
        EventKind::Block => {
            let (id, data) = (number(u)?, bytes(u)?);
            let result = if u.arbitrary()? { data.len() as i32 } else { u.arbitrary()? };
            Event::Async(AsyncEvent::Block { id, result, data })
        }
        EventKind::Net => {
            Event::Async(AsyncEvent::Net { device: u.arbitrary()?, flags: u.arbitrary()?, bytes: bytes(u)? })
        }
        EventKind::Shutdown => Event::Shutdown(*u.choose(ShutdownCause::ALL)?),
        EventKind::CharWrite => {
            let (device, bytes) = (device(u)?, bytes(u)?);
            let whole = CharWritten { result: bytes.len() as i32, offset: bytes.len() as u32 };
            let partial = CharWritten { result: u.arbitrary()?, offset: u.arbitrary()? };
            Event::CharWrite { device, bytes, written: if partial.result == 0 { whole } else { partial } }
        }
        EventKind::CharReadAll => Event::CharReadAll { device: device(u)?, bytes: bytes(u)? },
        EventKind::CharReadAllError => Event::CharReadAllError { device: device(u)?, error: u.arbitrary()? },
        EventKind::AudioOut => Event::AudioOut { frames: u.arbitrary()? },
        EventKind::AudioIn => Event::AudioIn {
            recorded: u.arbitrary()?,
            samples: many(u, PAYLOAD_MAX)?,
            write_position: u.arbitrary()?,
        },
        EventKind::Random => {
            let result = if u.arbitrary()? { 0 } else { u.arbitrary()? };
            Event::Random { result, bytes: bytes(u)? }
        }
        EventKind::Clock => Event::Clock { kind: *u.choose(ClockKind::ALL)?, value: u.arbitrary()? },
        EventKind::Checkpoint => Event::Checkpoint(*u.choose(Checkpoint::ALL)?),
        // Few different hashes, so that some are those of the digest before.
        EventKind::Digest => {
            let digests: Vec<u8> = many(u, PAYLOAD_MAX)?;
            Event::Digest(digests.into_iter().map(|byte| Digest([byte & 3; 16])).collect())
        }
        EventKind::Snapshot | EventKind::End => Event::Snapshot { number: 0 },
    })
}

fn any_input(u: &mut Unstructured<'_>) -> Taken<InputEvent> {
    Ok(match u.int_in_range(0..=3)? {
        0 => InputEvent::Key { keycode: u.arbitrary()?, down: u.arbitrary()? },
        1 => InputEvent::Button { button: u.arbitrary()?, down: u.arbitrary()? },
        2 => InputEvent::Rel { axis: u.arbitrary()?, value: u.arbitrary()? },
        _ => InputEvent::Abs { axis: u.arbitrary()?, value: u.arbitrary()? },
    })
}

fn bytes(u: &mut Unstructured<'_>) -> Taken<Vec<u8>> {
    many(u, PAYLOAD_MAX)
}

/// Mostly the first.
fn device(u: &mut Unstructured<'_>) -> Taken<CharId> {
    Ok(CharId(if u.arbitrary()? { u.arbitrary()? } else { 0 }))
}

/// Small, or any.
fn number(u: &mut Unstructured<'_>) -> Taken<u64> {
    Ok(if u.arbitrary()? { u.arbitrary()? } else { u64::from(u.arbitrary::<u8>()?) })
}
