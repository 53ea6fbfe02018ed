//! Reading a file from front to back: finding its chunks, and what is left of a damaged one.

use std::fmt;

use super::codec::ChunkDecoder;
use super::event::{Event, EventKind, StampedEvent};
use super::frame::{self, CHECKSUM_LENGTH, FOOTER_LENGTH, FRAME_HEADER_MAX, FrameHeader, SYNC, frame_type};
use super::index::{ChunkInfo, Totals, decode_index};
use super::limits::{MAX_CHUNKS, MAX_RESYNC_ATTEMPTS};
use super::source::Source;
use super::varint::CodecError;
use crate::units::{EventOrdinal, Position};

/// What is left of a damaged or unfinished file, and what is lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// Why reading stopped.
    pub reason: DamageReason,
    /// The first byte that cannot be used.
    pub offset: u64,
    /// Bytes from there to the end of the file.
    pub bytes_lost: u64,
    /// Events that are left.
    pub events: u64,
    /// Place of the last of them; the start of the run when there is none.
    pub last: Position,
    /// Events known to be lost, from whole chunks after the damage. There may be more.
    pub events_lost: u64,
}

/// Why reading a file stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DamageReason {
    /// Everything can be read, but the recording was not finished: there is no `end` event.
    Unfinished,
    /// The file ends inside a frame.
    Truncated,
    /// Bytes break a rule of the format.
    Broken(CodecError),
}

impl fmt::Display for DamageReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DamageReason::Unfinished => f.write_str("the recording was not finished (it has no end event)"),
            DamageReason::Truncated => f.write_str("it was cut off"),
            DamageReason::Broken(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}; ", self.reason, self.offset)?;
        match self.events {
            0 => write!(f, "no event is left")?,
            events => write!(f, "{events} events up to {} are left", self.last)?,
        }
        write!(f, ", {} bytes are lost", self.bytes_lost)?;
        if self.events_lost > 0 {
            write!(f, " with at least {} events", self.events_lost)?;
        }
        f.write_str("; open it with salvage to use what is left")
    }
}

/// How far the index of a file is good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IndexState {
    /// There is none: the chunks were found by a scan.
    Missing,
    /// The frame is there but the footer that points to it is not.
    NoFooter,
    /// Index and footer are good.
    Good,
}

/// Bytes of the file that are walked over between two questions whether to go on.
const BYTES_BETWEEN_QUESTIONS: u64 = 8 << 20;

/// What a walk over all frames has found.
pub(super) struct Scan {
    pub chunks: Vec<ChunkInfo>,
    pub index: IndexState,
    /// From the index, where there is one.
    pub totals: Option<Totals>,
    /// Where the walk ended, and why when that is not the end of the file.
    pub offset: u64,
    pub stopped: Option<DamageReason>,
}

impl Scan {
    /// Walks over the frames after the header and checks lengths, checksums and order. Payloads are not decoded.
    /// `goes_on` is asked now and then, and ends the walk where it stands.
    pub fn run(
        source: &Source,
        start: u64,
        seed: [u8; 4],
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<Self, std::io::Error> {
        let scan = Self {
            chunks: Vec::new(),
            index: IndexState::Missing,
            totals: None,
            offset: start,
            stopped: None,
        };
        let mut walk = Walk { scan, source, start, seed, buffer: Vec::new(), index_offset: 0 };
        let mut asked_at = start;
        while walk.scan.stopped.is_none() && walk.scan.offset < source.length() {
            if walk.scan.offset - asked_at >= BYTES_BETWEEN_QUESTIONS {
                asked_at = walk.scan.offset;
                if !goes_on() {
                    break;
                }
            }
            if let Err(reason) = walk.step()? {
                walk.scan.stopped = Some(reason);
            }
        }
        Ok(walk.scan)
    }
}

struct Walk<'a> {
    scan: Scan,
    source: &'a Source,
    start: u64,
    seed: [u8; 4],
    buffer: Vec<u8>,
    index_offset: u64,
}

impl Walk<'_> {
    /// One frame or the footer. The outer error is the operating system's, the inner one the file's.
    fn step(&mut self) -> Result<Result<(), DamageReason>, std::io::Error> {
        let offset = self.scan.offset;
        if self.scan.index != IndexState::Missing {
            return self.footer(offset);
        }
        let (header, header_length) = match read_frame(self.source, offset, &mut self.buffer)? {
            Ok(found) => found,
            Err(reason) => return Ok(Err(reason)),
        };
        Ok(self.accept(&header, header_length).map_err(DamageReason::Broken))
    }

    fn accept(&mut self, header: &FrameHeader, header_length: usize) -> Result<(), CodecError> {
        frame::check_frame(&self.buffer, header_length, header, &self.seed)?;
        let chunk = ChunkInfo::new(header, header_length, self.scan.offset);
        match header.frame_type {
            frame_type::EVENTS | frame_type::SNAPSHOT => {
                self.check_order(&chunk)?;
                self.scan.chunks.push(chunk);
            }
            frame_type::INDEX => self.accept_index(header)?,
            frame_type::HEADER => return Err(CodecError::Disagrees("a second header stands in the file")),
            _ => {}
        }
        self.scan.offset = chunk.end();
        Ok(())
    }

    fn check_order(&self, chunk: &ChunkInfo) -> Result<(), CodecError> {
        let next_ordinal = self.scan.chunks.last().map_or(0, ChunkInfo::end_ordinal);
        let last = self.scan.chunks.last().map_or(Position::default(), |last| last.first);
        if chunk.first_ordinal != next_ordinal {
            return Err(CodecError::Disagrees("a chunk is missing, doubled or out of order"));
        }
        if chunk.first.icount < last.icount || chunk.first.cycles < last.cycles {
            return Err(CodecError::Disagrees("a chunk's place is before that of the one before it"));
        }
        if self.scan.chunks.len() >= MAX_CHUNKS {
            let (value, max) = (MAX_CHUNKS as u64 + 1, MAX_CHUNKS as u64);
            return Err(CodecError::TooLarge { field: "the number of chunks", value, max });
        }
        Ok(())
    }

    fn accept_index(&mut self, header: &FrameHeader) -> Result<(), CodecError> {
        let raw = frame::decode_frame(&self.buffer, &self.seed)?.raw;
        let mut found = self.scan.chunks.iter();
        let totals = decode_index(&raw, self.start, self.scan.offset, |entry| match found.next() {
            Some(chunk) if *chunk == entry => Ok(()),
            _ => Err(CodecError::Disagrees("the index does not agree with the chunks")),
        })?;
        if found.next().is_some() {
            return Err(CodecError::Disagrees("the index does not have all chunks"));
        }
        check_index_place(header, &totals)?;
        self.scan.totals = Some(totals);
        self.scan.index = IndexState::NoFooter;
        self.index_offset = self.scan.offset;
        Ok(())
    }

    fn footer(&mut self, offset: u64) -> Result<Result<(), DamageReason>, std::io::Error> {
        if self.scan.index == IndexState::Good {
            let reason = CodecError::Disagrees("bytes stand after the end of the recording");
            return Ok(Err(DamageReason::Broken(reason)));
        }
        self.source.read_up_to(offset, FOOTER_LENGTH, &mut self.buffer)?;
        if self.buffer.len() < FOOTER_LENGTH {
            return Ok(Err(DamageReason::Truncated));
        }
        if frame::parse_footer(&self.buffer, &self.seed) != Some(self.index_offset) {
            return Ok(Err(DamageReason::Broken(CodecError::Disagrees("the footer is damaged"))));
        }
        self.scan.index = IndexState::Good;
        self.scan.offset += FOOTER_LENGTH as u64;
        Ok(Ok(()))
    }
}

/// Reads a whole frame, from its sync marker through its CRC, into `buffer`, and parses its header. Nothing is
/// allocated for a frame that does not lie inside the file.
pub(super) fn read_frame(
    source: &Source,
    offset: u64,
    buffer: &mut Vec<u8>,
) -> Result<Result<(FrameHeader, usize), DamageReason>, std::io::Error> {
    source.read_up_to(offset, FRAME_HEADER_MAX, buffer)?;
    let (header, header_length) = match FrameHeader::parse(buffer) {
        Ok(parsed) => parsed,
        Err(CodecError::Short(_)) => return Ok(Err(DamageReason::Truncated)),
        Err(error) => return Ok(Err(DamageReason::Broken(error))),
    };
    let length = header_length + header.stored as usize + CHECKSUM_LENGTH;
    if length as u64 > source.length() - offset {
        return Ok(Err(DamageReason::Truncated));
    }
    source.read_up_to(offset, length, buffer)?;
    // The file may have become shorter since its length was looked at.
    Ok(if buffer.len() == length { Ok((header, header_length)) } else { Err(DamageReason::Truncated) })
}

/// Checks that an index frame stands where the last event does.
pub(super) fn check_index_place(header: &FrameHeader, totals: &Totals) -> Result<(), CodecError> {
    if header.first_ordinal != totals.events() || header.first != totals.last {
        return Err(CodecError::Disagrees("the index frame's place is not that of the last event"));
    }
    Ok(())
}

/// What the events of a chunk must agree with elsewhere in the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Surroundings {
    /// Hashes of a digest event: the header's number of subsystems, where the format version asks for it.
    pub hashes: Option<usize>,
    /// Number and place of the snapshot frame just before the chunk.
    pub snapshot: Option<(u64, Position)>,
}

impl Surroundings {
    /// Checks one event. The first of a chunk refers to the snapshot frame before it, and no other refers to any.
    pub fn check(&self, chunk: &ChunkInfo, event: &StampedEvent) -> Result<(), CodecError> {
        let refers_to = match event.event {
            Event::Snapshot { number } => Some((number, event.position)),
            _ => None,
        };
        let expected = self.snapshot.filter(|_| event.ordinal.0 == chunk.first_ordinal);
        if refers_to != expected {
            return Err(CodecError::Disagrees(
                "a snapshot frame and the snapshot events do not fit together",
            ));
        }
        match (&event.event, self.hashes) {
            (Event::Digest(digests), Some(hashes)) if digests.len() != hashes => {
                Err(CodecError::Disagrees("a digest does not have one hash for each subsystem"))
            }
            _ => Ok(()),
        }
    }
}

/// Decodes the events of a chunk, adding them to `totals`, which hold those before it.
pub(super) fn count_chunk(
    raw: &[u8],
    chunk: &ChunkInfo,
    surroundings: Surroundings,
    totals: &mut Totals,
) -> Result<(), CodecError> {
    check_follows(chunk, totals.last)?;
    let first_ordinal = EventOrdinal(chunk.first_ordinal);
    let mut decoder = ChunkDecoder::new(raw, chunk.first, first_ordinal, chunk.events).without_bytes();
    let mut counted = totals.clone();
    let mut before = decoder.offset();
    while let Some(event) = decoder.next_event()? {
        if counted.ended {
            return Err(CodecError::Disagrees("an event stands after the end event"));
        }
        surroundings.check(chunk, &event)?;
        counted.add(event.event.kind(), event.position, decoder.offset() - before);
        before = decoder.offset();
    }
    *totals = counted;
    Ok(())
}

/// Checks that a chunk does not start before the last event of the one before.
pub(super) fn check_follows(chunk: &ChunkInfo, last: Position) -> Result<(), CodecError> {
    if chunk.first.icount < last.icount || chunk.first.cycles < last.cycles {
        return Err(CodecError::Disagrees("a chunk starts before the last event of the one before it"));
    }
    Ok(())
}

/// Looks for whole events frames after a damaged place and returns the ordinal after the last one that it finds.
///
/// Only for the report: events after a gap are never used.
pub(super) fn events_behind(
    source: &Source,
    offset: u64,
    seed: [u8; 4],
) -> Result<Option<u64>, std::io::Error> {
    let mut buffer = Vec::new();
    let mut at = offset;
    let mut failures = 0;
    let mut end_ordinal = None;
    while failures < MAX_RESYNC_ATTEMPTS {
        let Some(found) = find_sync(source, at, &mut buffer)? else { break };
        at = found;
        match read_frame(source, at, &mut buffer)? {
            Ok((header, length)) if frame::check_frame(&buffer, length, &header, &seed).is_ok() => {
                if header.frame_type == frame_type::EVENTS {
                    end_ordinal = Some(header.first_ordinal.saturating_add(u64::from(header.events)));
                }
                at += buffer.len() as u64;
            }
            _ => {
                failures += 1;
                at += 1;
            }
        }
    }
    Ok(end_ordinal)
}

/// The offset of the next sync marker from `from` on.
fn find_sync(source: &Source, from: u64, buffer: &mut Vec<u8>) -> Result<Option<u64>, std::io::Error> {
    const WINDOW: usize = 64 << 10;
    // Frames stand back to back: a whole window for each would cost far more than small frames are long.
    let mut size = SYNC.len();
    let mut at = from;
    loop {
        source.read_up_to(at, size, buffer)?;
        if let Some(found) = buffer.windows(SYNC.len()).position(|bytes| bytes == SYNC) {
            return Ok(Some(at + found as u64));
        }
        if buffer.len() < size {
            return Ok(None);
        }
        at += (size - SYNC.len() + 1) as u64;
        size = WINDOW;
    }
}

/// Whether totals say that the recording was finished.
pub(super) fn is_ended(totals: &Totals) -> bool {
    totals.ended && totals.of(EventKind::End).events == 1
}
