//! Reading a recording.

mod check;

use std::path::{Path, PathBuf};

use super::codec::ChunkDecoder;
use super::cursor::EventCursor;
use super::error::LogError;
use super::event::{Event, EventKind, StampedEvent};
use super::frame::{self, FOOTER_LENGTH, FrameHeader, Inflater, MAGIC, PROLOGUE_LENGTH, frame_type};
use super::header::{Header, RecordingId};
use super::index::{ChunkInfo, KindTotal, Totals, decode_index};
use super::limits::{FORMAT_VERSION, FULL_DIGESTS_VERSION};
use super::salvage::{self, Damage, DamageReason, IndexState, Surroundings};
use super::sink::WrittenFile;
use super::source::{Source, looks_like};
use super::varint::CodecError;
use crate::units::{EventOrdinal, Position};

/// What a recording holds, in figures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogInfo {
    /// The file's format version.
    pub format_version: u16,
    /// Length of the file.
    pub file_bytes: u64,
    /// Bytes of the file up to the end of the header frame.
    pub header_bytes: u64,
    /// Number of events.
    pub events: u64,
    /// Kinds that occur: how many events, and their bytes before compression.
    pub kinds: Vec<(EventKind, KindTotal)>,
    /// Bytes of all events before compression.
    pub event_bytes: u64,
    /// Bytes of all events frames in the file.
    pub chunk_bytes: u64,
    /// Number of events frames.
    pub chunks: u64,
    /// Number of snapshot frames.
    pub snapshots: u64,
    /// Place of the last event.
    pub last: Position,
    /// As [`LogReader::complete`].
    pub complete: bool,
}

/// A recording that was opened for reading.
///
/// Opening checks every rule of the format, each event included, but keeps no event: they are decoded again, a chunk at
/// a time, as they are asked for, so memory is bounded whatever the file holds.
#[derive(Debug)]
pub struct LogReader {
    source: Source,
    path: PathBuf,
    format_version: u16,
    id: RecordingId,
    header: Header,
    seed: [u8; 4],
    frames_start: u64,
    chunks: Vec<ChunkInfo>,
    /// The snapshot frames among the chunks, by number.
    snapshot_places: Vec<u32>,
    totals: Totals,
    index: IndexState,
    damage: Option<Damage>,
}

impl LogReader {
    /// Opens a recording and checks the whole file.
    ///
    /// # Errors
    /// [`LogError::Damaged`] when anything is missing or broken, an `end` event included; the error says what
    /// [`LogReader::open_salvage`] would give. A file that only lacks its index opens.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, LogError> {
        Self::open_salvage(path)?.refuse_damage()
    }

    /// Opens what is left of a recording: the chunks before the first damaged one. [`LogReader::damage`] says what is
    /// lost.
    pub fn open_salvage(path: impl AsRef<Path>) -> Result<Self, LogError> {
        Self::open_salvage_with(path, &mut |_, _| true)
    }

    /// As [`LogReader::open_salvage`]. `progress` is told now and then how many bytes of events and snapshots, before
    /// compression, have been checked, and how many there are; `false` stops.
    ///
    /// # Errors
    /// The same as [`LogReader::open_salvage`], or [`LogError::Stopped`].
    pub fn open_salvage_with(
        path: impl AsRef<Path>,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Self, LogError> {
        let path = path.as_ref();
        Self::start(Source::open(path)?, path)?.check_all(progress)
    }

    /// As [`LogReader::open`], with [`open_salvage_with`](LogReader::open_salvage_with)'s progress.
    ///
    /// # Errors
    /// The same as [`LogReader::open`], or [`LogError::Stopped`].
    pub fn open_with(
        path: impl AsRef<Path>,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Self, LogError> {
        Self::open_salvage_with(path, progress)?.refuse_damage()
    }

    /// As [`LogReader::open_with`], for what was just written: from its own file, whatever its path leads to by now.
    ///
    /// # Errors
    /// The same as [`LogReader::open_with`].
    pub fn open_written(
        written: &WrittenFile,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Self, LogError> {
        Self::start(Source::of_written(written)?, written.path())?.check_all(progress)?.refuse_damage()
    }

    /// Opens a recording by its index, without looking at the chunks: they are checked as they are read. A file without
    /// a good index is opened as [`LogReader::open`] does.
    pub fn open_indexed(path: impl AsRef<Path>) -> Result<Self, LogError> {
        let path = path.as_ref();
        let mut reader = Self::start(Source::open(path)?, path)?;
        if reader.load_index()? { Ok(reader) } else { reader.check_all(&mut |_, _| true)?.refuse_damage() }
    }

    /// [`LogReader::open`] for a recording in memory.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, LogError> {
        Self::salvage_bytes(bytes)?.refuse_damage()
    }

    /// [`LogReader::open_salvage`] for a recording in memory.
    pub fn salvage_bytes(bytes: Vec<u8>) -> Result<Self, LogError> {
        Self::start(Source::Bytes(bytes), Path::new("<memory>"))?.check_all(&mut |_, _| true)
    }

    /// Reads prologue and header.
    fn start(source: Source, path: &Path) -> Result<Self, LogError> {
        let read_error = |error: std::io::Error| LogError::from_io(path, "read", &error);
        let damaged = |reason: CodecError| LogError::HeaderDamaged { path: path.to_owned(), reason };
        let mut buffer = Vec::new();
        source.read_up_to(0, 64, &mut buffer).map_err(read_error)?;
        if buffer.len() < PROLOGUE_LENGTH || !buffer.starts_with(&MAGIC) {
            let looks_like = looks_like(&buffer);
            return Err(LogError::NotARecording { path: path.to_owned(), looks_like });
        }
        let prologue: [u8; PROLOGUE_LENGTH] =
            buffer[..PROLOGUE_LENGTH].try_into().map_err(|_| damaged(CodecError::Short("the prologue")))?;
        let version = u16::from_le_bytes([prologue[8], prologue[9]]);
        let needs = u16::from_le_bytes([prologue[10], prologue[11]]);
        if needs > FORMAT_VERSION {
            return Err(LogError::NewerVersion { path: path.to_owned(), version, needs });
        }
        if needs == 0 || version < needs {
            return Err(damaged(CodecError::Invalid { field: "the format version", value: version.into() }));
        }
        let found = salvage::read_frame(&source, PROLOGUE_LENGTH as u64, &mut buffer).map_err(read_error)?;
        let (frame_header, header_length) = found.map_err(|reason| {
            damaged(match reason {
                DamageReason::Broken(error) => error,
                _ => CodecError::Short("the header"),
            })
        })?;
        if frame_header.frame_type != frame_type::HEADER {
            return Err(damaged(CodecError::Disagrees("the first frame is not the header")));
        }
        let crc = frame::check_frame(&buffer, header_length, &frame_header, &prologue).map_err(damaged)?;
        let frames_start = (PROLOGUE_LENGTH + buffer.len()) as u64;
        let encoded = frame::decode_frame(&buffer, &prologue).map_err(damaged)?.raw;
        drop(buffer);
        let header = Header::decode(&encoded).map_err(damaged)?;
        if frame_header.first != header.start || frame_header.first_ordinal != 0 {
            return Err(damaged(CodecError::Disagrees(
                "the header frame's place is not the start of the run",
            )));
        }
        Ok(Self {
            source,
            path: path.to_owned(),
            format_version: version,
            id: RecordingId::of(&encoded),
            totals: Totals::starting_at(header.start),
            header,
            seed: crc.to_le_bytes(),
            frames_start,
            chunks: Vec::new(),
            snapshot_places: Vec::new(),
            index: IndexState::Missing,
            damage: None,
        })
    }

    /// Takes chunks and totals from the index; `false` when there is no good one.
    fn load_index(&mut self) -> Result<bool, LogError> {
        let read_error = |error: std::io::Error| LogError::from_io(&self.path, "read", &error);
        let mut buffer = Vec::new();
        let Some(footer_offset) = self.source.length().checked_sub(FOOTER_LENGTH as u64) else {
            return Ok(false);
        };
        self.source.read_up_to(footer_offset, FOOTER_LENGTH, &mut buffer).map_err(read_error)?;
        let Some(offset) = frame::parse_footer(&buffer, &self.seed) else { return Ok(false) };
        if !(self.frames_start..footer_offset).contains(&offset) {
            return Ok(false);
        }
        let Ok((header, _)) = salvage::read_frame(&self.source, offset, &mut buffer).map_err(read_error)?
        else {
            return Ok(false);
        };
        if header.frame_type != frame_type::INDEX || offset + buffer.len() as u64 != footer_offset {
            return Ok(false);
        }
        let Ok(index) = frame::decode_frame(&buffer, &self.seed) else { return Ok(false) };
        drop(buffer);
        let mut chunks = Vec::new();
        let totals = decode_index(&index.raw, self.frames_start, offset, |entry| {
            chunks.push(entry);
            Ok(())
        });
        match totals {
            Ok(totals)
                if salvage::is_ended(&totals) && salvage::check_index_place(&header, &totals).is_ok() =>
            {
                self.set_chunks(chunks);
                (self.totals, self.index) = (totals, IndexState::Good);
                Ok(self.check_last_chunk().is_ok())
            }
            _ => Ok(false),
        }
    }

    fn set_chunks(&mut self, chunks: Vec<ChunkInfo>) {
        let places = chunks.iter().enumerate().filter(|(_, chunk)| chunk.is_snapshot);
        self.snapshot_places = places.map(|(place, _)| place as u32).collect();
        self.chunks = chunks;
    }

    /// What the events of the chunk at a place must agree with.
    fn surroundings(&self, place: usize) -> Surroundings {
        let before = place.checked_sub(1).map(|before| &self.chunks[before]);
        let snapshot = before.filter(|chunk| chunk.is_snapshot).map(|chunk| {
            let snapshots = self.snapshot_places.partition_point(|snapshot| (*snapshot as usize) < place);
            (snapshots as u64 - 1, chunk.first)
        });
        let full_digests = self.format_version >= FULL_DIGESTS_VERSION;
        Surroundings { hashes: full_digests.then_some(self.header.subsystems.len()), snapshot }
    }

    /// Checks that the index tells the truth about how the recording ends.
    fn check_last_chunk(&self) -> Result<(), LogError> {
        let Some(place) = self.chunks.len().checked_sub(1) else { return Ok(()) };
        let events = self.load_chunk(place)?;
        let agrees =
            events.last().is_some_and(|last| last.position == self.totals.last && last.event == Event::End);
        let reason = CodecError::Disagrees("the index does not agree with the last event");
        if agrees { Ok(()) } else { Err(self.chunk_error(&self.chunks[place], reason)) }
    }

    fn refuse_damage(self) -> Result<Self, LogError> {
        match self.damage {
            Some(damage) => Err(LogError::Damaged { path: self.path, damage: Box::new(damage) }),
            None => Ok(self),
        }
    }

    /// A chunk's payload. The outer error is the operating system's.
    fn read_payload(&self, chunk: &ChunkInfo) -> Result<Result<Vec<u8>, CodecError>, LogError> {
        let mut buffers = Buffers::default();
        Ok(self.read_into(chunk, &mut buffers)?.map(|()| buffers.raw))
    }

    /// As [`read_payload`](LogReader::read_payload), into buffers that are used again.
    fn read_into(
        &self,
        chunk: &ChunkInfo,
        buffers: &mut Buffers,
    ) -> Result<Result<(), CodecError>, LogError> {
        let Buffers { frame, raw, inflater } = buffers;
        let found = salvage::read_frame(&self.source, chunk.offset, frame);
        let (header, header_length) = match found.map_err(|error| self.read_error(&error))? {
            Ok(found) => found,
            Err(DamageReason::Broken(reason)) => return Ok(Err(reason)),
            Err(_) => return Ok(Err(CodecError::Short("a frame"))),
        };
        if ChunkInfo::new(&header, header_length, chunk.offset) != *chunk || !is_chunk(&header) {
            return Ok(Err(CodecError::Disagrees("the index does not agree with the chunk")));
        }
        Ok(inflater.decode(frame, &self.seed, raw).map(|_| ()))
    }

    /// Reads and decodes the chunk at a place in [`LogReader::chunks`]. A snapshot has no events.
    pub fn load_chunk(&self, place: usize) -> Result<Vec<StampedEvent>, LogError> {
        let Some(chunk) = self.chunks.get(place).filter(|chunk| !chunk.is_snapshot) else {
            return Ok(Vec::new());
        };
        let decoded = self.read_payload(chunk)?.and_then(|raw| self.decode_chunk(place, chunk, &raw));
        decoded.map_err(|reason| self.chunk_error(chunk, reason))
    }

    fn decode_chunk(
        &self,
        place: usize,
        chunk: &ChunkInfo,
        raw: &[u8],
    ) -> Result<Vec<StampedEvent>, CodecError> {
        let first_ordinal = EventOrdinal(chunk.first_ordinal);
        let mut decoder = ChunkDecoder::new(raw, chunk.first, first_ordinal, chunk.events);
        let mut events = Vec::with_capacity(chunk.events as usize);
        let surroundings = self.surroundings(place);
        while let Some(event) = decoder.next_event()? {
            surroundings.check(chunk, &event)?;
            events.push(event);
        }
        salvage::check_follows(chunk, self.header.start)?;
        let last = events.last().map_or(chunk.first, |last| last.position);
        if let Some(next) = self.chunks.get(place + 1) {
            salvage::check_follows(next, last)?;
        }
        let end = events.iter().position(|event| event.event == Event::End);
        if end.is_some_and(|end| chunk.first_ordinal + end as u64 + 1 != self.events_count()) {
            return Err(CodecError::Disagrees("an event stands after the end event"));
        }
        Ok(events)
    }

    fn chunk_error(&self, chunk: &ChunkInfo, reason: CodecError) -> LogError {
        LogError::Chunk { path: self.path.clone(), offset: chunk.offset, reason }
    }

    fn read_error(&self, error: &std::io::Error) -> LogError {
        LogError::from_io(&self.path, "read", error)
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The recording's identity.
    pub fn id(&self) -> RecordingId {
        self.id
    }

    /// The file, or `<memory>`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's format version.
    pub fn format_version(&self) -> u16 {
        self.format_version
    }

    /// Length of the file in bytes.
    pub fn file_bytes(&self) -> u64 {
        self.source.length()
    }

    /// Whether nothing is missing: the `end` event is there and so are index and footer.
    pub fn complete(&self) -> bool {
        self.damage.is_none() && self.index == IndexState::Good
    }

    /// How far the index is good.
    pub fn index_state(&self) -> IndexState {
        self.index
    }

    /// What is lost, when the file is damaged and was opened with salvage.
    pub fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    /// Number of events.
    pub fn events_count(&self) -> u64 {
        self.totals.events()
    }

    /// Events and bytes by kind.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Place of the last event; the start of the run when there is none.
    pub fn last_position(&self) -> Position {
        self.totals.last
    }

    /// Events and snapshot frames in the order of the file.
    pub fn chunks(&self) -> &[ChunkInfo] {
        &self.chunks
    }

    /// Snapshot frames; a snapshot's number is its place here.
    pub fn snapshots(&self) -> impl Iterator<Item = &ChunkInfo> + '_ {
        self.snapshot_places.iter().map(|place| &self.chunks[*place as usize])
    }

    /// The container in a snapshot frame.
    pub fn read_snapshot(&self, number: u64) -> Result<Vec<u8>, LogError> {
        let snapshots = self.snapshot_places.len() as u64;
        let place = usize::try_from(number).ok().and_then(|number| self.snapshot_places.get(number));
        let Some(place) = place else { return Err(LogError::NoSuchSnapshot { number, snapshots }) };
        let chunk = &self.chunks[*place as usize];
        self.read_payload(chunk)?.map_err(|reason| self.chunk_error(chunk, reason))
    }

    /// The error for a snapshot whose container does not hold.
    pub fn snapshot_error(&self, number: u64, reason: &dyn std::fmt::Display) -> LogError {
        let at = self.snapshot_position(number).unwrap_or_default();
        LogError::Snapshot { path: self.path.clone(), number, at, reason: reason.to_string() }
    }

    /// Where the snapshot with a number stands in the run.
    pub fn snapshot_position(&self, number: u64) -> Option<Position> {
        let place = self.snapshot_places.get(usize::try_from(number).ok()?)?;
        Some(self.chunks[*place as usize].first)
    }

    /// All events, in order.
    pub fn events(&self) -> EventCursor<&LogReader> {
        EventCursor::new(self)
    }

    /// The events from an ordinal on.
    pub fn events_from(&self, ordinal: EventOrdinal) -> Result<EventCursor<&LogReader>, LogError> {
        let mut cursor = EventCursor::new(self);
        cursor.seek(ordinal)?;
        Ok(cursor)
    }

    /// The events from the first on that stands at `icount` or later.
    pub fn events_from_icount(&self, icount: u64) -> Result<EventCursor<&LogReader>, LogError> {
        let mut cursor = EventCursor::new(self);
        cursor.seek_icount(icount)?;
        Ok(cursor)
    }

    /// A cursor that owns the reader: the player's source.
    pub fn into_cursor(self) -> EventCursor<LogReader> {
        EventCursor::new(self)
    }

    /// The file in figures.
    pub fn info(&self) -> LogInfo {
        let events_chunks = || self.chunks.iter().filter(|chunk| !chunk.is_snapshot);
        LogInfo {
            format_version: self.format_version,
            file_bytes: self.source.length(),
            header_bytes: self.frames_start,
            events: self.events_count(),
            kinds: self.totals.kinds().collect(),
            event_bytes: self.totals.bytes(),
            chunk_bytes: events_chunks().map(|chunk| u64::from(chunk.length)).sum(),
            chunks: events_chunks().count() as u64,
            snapshots: self.snapshot_places.len() as u64,
            last: self.last_position(),
            complete: self.complete(),
        }
    }
}

/// What reading a frame takes, to be used again for the next.
#[derive(Default)]
struct Buffers {
    frame: Vec<u8>,
    raw: Vec<u8>,
    inflater: Inflater,
}

fn is_chunk(header: &FrameHeader) -> bool {
    matches!(header.frame_type, frame_type::EVENTS | frame_type::SNAPSHOT)
}
