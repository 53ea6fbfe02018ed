//! The index: where each chunk is, what the file holds by kind, and how it ends.

use super::event::EventKind;
use super::frame::{CHECKSUM_LENGTH, FrameHeader, frame_type};
use super::header::{put_position, take_position};
use super::limits::{MAX_CHUNK_EVENTS, MAX_CHUNKS, MAX_FRAME_RAW};
use super::varint::{ByteReader, CodecError, put_varint};
use crate::units::Position;

/// One events or snapshot frame of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChunkInfo {
    /// Whether it holds a snapshot instead of events.
    pub is_snapshot: bool,
    /// Number of events; 0 for a snapshot.
    pub events: u32,
    /// Where its frame starts in the file.
    pub offset: u64,
    /// Length of the whole frame in the file.
    pub length: u32,
    /// Length of its payload before compression.
    pub raw_length: u32,
    /// Ordinal of its first event; for a snapshot, of the event that refers to it.
    pub first_ordinal: u64,
    /// Place of its first event; for a snapshot, of the snapshot.
    pub first: Position,
}

impl ChunkInfo {
    pub(super) fn new(header: &FrameHeader, header_length: usize, offset: u64) -> Self {
        Self {
            is_snapshot: header.frame_type == frame_type::SNAPSHOT,
            events: header.events,
            offset,
            length: (header_length + CHECKSUM_LENGTH) as u32 + header.stored,
            raw_length: header.raw,
            first_ordinal: header.first_ordinal,
            first: header.first,
        }
    }

    /// Where the frame ends in the file.
    pub fn end(&self) -> u64 {
        self.offset + u64::from(self.length)
    }

    /// The ordinal after its last event.
    pub fn end_ordinal(&self) -> u64 {
        self.first_ordinal + u64::from(self.events)
    }
}

/// Events of one kind in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct KindTotal {
    /// How many.
    pub events: u64,
    /// Their bytes before compression.
    pub bytes: u64,
}

/// Sums over all events of a file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    kinds: [KindTotal; EventKind::ALL.len()],
    /// Place of the last event.
    pub last: Position,
    /// Whether the last event is `end`.
    pub ended: bool,
}

impl Totals {
    /// The sums of a log without events that starts at a place.
    pub(super) fn starting_at(start: Position) -> Self {
        Self { last: start, ..Self::default() }
    }

    pub(super) fn add(&mut self, kind: EventKind, position: Position, bytes: usize) {
        let total = &mut self.kinds[usize::from(kind.number())];
        total.events += 1;
        total.bytes += bytes as u64;
        self.last = position;
        self.ended = kind == EventKind::End;
    }

    /// The sum for one kind.
    pub fn of(&self, kind: EventKind) -> KindTotal {
        self.kinds[usize::from(kind.number())]
    }

    /// The kinds that occur, in the order of their numbers.
    pub fn kinds(&self) -> impl Iterator<Item = (EventKind, KindTotal)> + '_ {
        EventKind::ALL.iter().map(|kind| (*kind, self.of(*kind))).filter(|(_, total)| total.events > 0)
    }

    /// Number of events; wraps only where a hostile index says so.
    pub fn events(&self) -> u64 {
        self.kinds.iter().fold(0, |sum, total| sum.wrapping_add(total.events))
    }

    /// Bytes of all events before compression.
    pub fn bytes(&self) -> u64 {
        self.kinds.iter().fold(0, |sum, total| sum.wrapping_add(total.bytes))
    }
}

/// The payload of an index frame.
pub(super) fn encode_index(chunks: &[ChunkInfo], start: u64, totals: &Totals) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, chunks.len() as u64);
    let mut before = Before::new(start);
    for chunk in chunks {
        out.push(if chunk.is_snapshot { frame_type::SNAPSHOT } else { frame_type::EVENTS });
        put_varint(&mut out, chunk.offset - before.end);
        put_varint(&mut out, u64::from(chunk.length));
        put_varint(&mut out, u64::from(chunk.raw_length));
        put_varint(&mut out, u64::from(chunk.events));
        put_varint(&mut out, chunk.first.icount - before.first.icount);
        put_varint(&mut out, chunk.first.cycles - before.first.cycles);
        before.pass(chunk);
    }
    put_varint(&mut out, totals.kinds().count() as u64);
    for (kind, total) in totals.kinds() {
        out.push(kind.number());
        put_varint(&mut out, total.events);
        put_varint(&mut out, total.bytes);
    }
    put_position(&mut out, totals.last);
    out.push(u8::from(totals.ended));
    out
}

/// What an entry's deltas refer to.
struct Before {
    is_snapshot: bool,
    end: u64,
    ordinal: u64,
    first: Position,
}

impl Before {
    fn new(start: u64) -> Self {
        Self { is_snapshot: false, end: start, ordinal: 0, first: Position::default() }
    }

    fn pass(&mut self, chunk: &ChunkInfo) {
        let is_snapshot = chunk.is_snapshot;
        *self = Self { is_snapshot, end: chunk.end(), ordinal: chunk.end_ordinal(), first: chunk.first };
    }
}

/// Reads an index and hands each entry to `entry`. `start` is where the frames after the header start and `end` where
/// the index frame does.
pub(super) fn decode_index(
    raw: &[u8],
    start: u64,
    end: u64,
    mut entry: impl FnMut(ChunkInfo) -> Result<(), CodecError>,
) -> Result<Totals, CodecError> {
    let mut reader = ByteReader::new(raw);
    let count = reader.bounded(MAX_CHUNKS as u64, "the number of index entries")?;
    let mut before = Before::new(start);
    for _ in 0..count {
        let chunk = take_entry(&mut reader, &before, end)?;
        before.pass(&chunk);
        entry(chunk)?;
    }
    let totals = take_totals(&mut reader)?;
    reader.finish()?;
    if totals.events() != before.ordinal || totals.last < before.first {
        return Err(CodecError::Disagrees("the index's totals are not those of its entries"));
    }
    Ok(totals)
}

fn take_entry(reader: &mut ByteReader<'_>, before: &Before, end: u64) -> Result<ChunkInfo, CodecError> {
    const OVERFLOW: CodecError = CodecError::Disagrees("an index entry lies outside the file");
    let is_snapshot = match reader.byte("an index entry's type")? {
        frame_type::EVENTS => false,
        frame_type::SNAPSHOT => true,
        other => {
            return Err(CodecError::Invalid { field: "an index entry's type", value: u64::from(other) });
        }
    };
    let offset = before.end.checked_add(reader.varint("an index entry's offset")?).ok_or(OVERFLOW)?;
    let length = reader.bounded(2 * u64::from(MAX_FRAME_RAW), "an index entry's length")? as u32;
    let raw_length = reader.bounded(u64::from(MAX_FRAME_RAW), "an index entry's raw length")? as u32;
    let events = reader.bounded(u64::from(MAX_CHUNK_EVENTS), "an index entry's event count")? as u32;
    let icount = before.first.icount.checked_add(reader.varint("an index entry's icount")?);
    let cycles = before.first.cycles.checked_add(reader.varint("an index entry's cycles")?);
    let (Some(icount), Some(cycles)) = (icount, cycles) else { return Err(OVERFLOW) };
    if offset.checked_add(u64::from(length)).is_none_or(|entry_end| entry_end > end) {
        return Err(OVERFLOW);
    }
    if is_snapshot != (events == 0) || length == 0 {
        return Err(CodecError::Disagrees("an index entry's event count does not fit its type"));
    }
    if is_snapshot && before.is_snapshot {
        return Err(CodecError::Disagrees("the index has a snapshot without its event"));
    }
    let first_ordinal = before.ordinal;
    first_ordinal.checked_add(u64::from(events)).ok_or(OVERFLOW)?;
    Ok(ChunkInfo {
        is_snapshot,
        events,
        offset,
        length,
        raw_length,
        first_ordinal,
        first: Position::new(icount, cycles),
    })
}

fn take_totals(reader: &mut ByteReader<'_>) -> Result<Totals, CodecError> {
    let mut totals = Totals::default();
    let kinds = reader.bounded(EventKind::ALL.len() as u64, "the index's number of kinds")?;
    let mut next_kind = 0;
    for _ in 0..kinds {
        let number = reader.byte("the index's kind")?;
        let slot = totals
            .kinds
            .get_mut(usize::from(number))
            .ok_or(CodecError::Invalid { field: "the index's kind", value: u64::from(number) })?;
        *slot = KindTotal {
            events: reader.varint("the index's event count")?,
            bytes: reader.varint("the index's byte count")?,
        };
        if slot.events == 0 || number < next_kind {
            return Err(CodecError::Disagrees("the index's kinds do not occur, or are not in order"));
        }
        next_kind = number + 1;
    }
    totals.last = take_position(reader)?;
    totals.ended = match reader.byte("the index's end mark")? {
        0 => false,
        1 => true,
        other => return Err(CodecError::Invalid { field: "the index's end mark", value: u64::from(other) }),
    };
    Ok(totals)
}
