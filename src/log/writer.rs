//! Writing a recording.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::codec::ChunkEncoder;
use super::error::{LogError, is_full};
use super::event::{Event, EventKind};
use super::frame::{self, FrameEncoder, FrameHeader, frame_type};
use super::header::{Header, RecordingId};
use super::index::{ChunkInfo, Totals, encode_index};
use super::limits::{
    FORMAT_VERSION, MAX_CHUNK_RAW, MAX_CHUNKS, MAX_EVENT_BYTES, MAX_FRAME_RAW, MAX_SUBSYSTEMS,
    MIN_READER_VERSION,
};
use super::sink::{LogFile, MemorySink, Sink};
use crate::files::Process;
use crate::units::{EventOrdinal, Position};

/// How a recording is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Bytes of events, before compression, that end a chunk. A kill loses at most the chunk being filled.
    pub chunk_bytes: usize,
    /// Compression: 0 (store), 1 (fast) to 9 (small).
    pub level: u32,
}

impl Default for Options {
    fn default() -> Self {
        // Level 3 halves the repetitive log of a polled device at 8 million events a second; 6 saves another tenth of
        // the file for three times the work.
        Self { chunk_bytes: 64 << 10, level: 3 }
    }
}

/// What the writer may still do.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Phase {
    Writing,
    /// The `end` event is in.
    Ended,
    /// Index and footer are on the disk.
    Finished,
    /// Writing failed; the error is given again to whoever asks for more.
    Failed(LogError),
}

/// Writes events to a recording, in order.
///
/// Events are encoded at once into the current chunk; a full chunk is compressed and written. [`LogWriter::finish`]
/// completes the file; dropping a writer that was not finished writes the events it holds, if it can, but no index, so
/// that the file counts as unfinished.
pub struct LogWriter {
    sink: Box<dyn Sink>,
    path: PathBuf,
    /// Who may write: a forked child has the same file.
    owner: Process,
    id: RecordingId,
    options: Options,
    /// The header frame's CRC, which those of all other frames go on from.
    seed: [u8; 4],
    /// Hashes of a digest event.
    subsystems: usize,
    frames: FrameEncoder,
    chunk: ChunkEncoder,
    /// Totals of the chunk, added to those of the file once the chunk is written.
    totals: Totals,
    written_totals: Totals,
    chunks: Vec<ChunkInfo>,
    snapshots: u64,
    frames_start: u64,
    /// Length of the file through its last whole frame.
    length: u64,
    next_ordinal: u64,
    last: Position,
    phase: Phase,
    scratch: Vec<u8>,
}

impl LogWriter {
    /// Creates the file `path` with its header.
    ///
    /// An existing recording is replaced, once the header of the new one is written. Neither path nor header is
    /// trusted: the errors are those of a directory, a missing parent, a missing permission, a full disk, a file that is
    /// being recorded into, and [`LogError::Header`]; after each of them the directory is as it was.
    pub fn create(path: impl AsRef<Path>, header: &Header, options: Options) -> Result<Self, LogError> {
        Self::in_file(LogFile::beside(path.as_ref())?, header, options)
    }

    /// As [`create`](LogWriter::create), in a file that was made ready before.
    ///
    /// # Errors
    /// The same as [`create`](LogWriter::create).
    pub fn in_file(file: LogFile, header: &Header, options: Options) -> Result<Self, LogError> {
        let start = FileStart::new(header, options)?;
        let (sink, path) = file.start(&start.bytes)?;
        Ok(Self::begin(sink, &path, header, options, &start))
    }

    /// Writes to any sink; `name` stands for the path in errors.
    pub fn with_sink(
        mut sink: Box<dyn Sink>,
        name: impl AsRef<Path>,
        header: &Header,
        options: Options,
    ) -> Result<Self, LogError> {
        let start = FileStart::new(header, options)?;
        sink.write_all(&start.bytes).map_err(|error| LogError::from_io(name.as_ref(), "write to", &error))?;
        Ok(Self::begin(sink, name.as_ref(), header, options, &start))
    }

    /// Writes to memory; [`LogWriter::take_bytes`] gives the result.
    pub fn in_memory(header: &Header, options: Options) -> Result<Self, LogError> {
        Self::with_sink(Box::new(MemorySink::default()), "<memory>", header, options)
    }

    fn begin(sink: Box<dyn Sink>, path: &Path, header: &Header, options: Options, start: &FileStart) -> Self {
        let length = start.bytes.len() as u64;
        let totals = Totals::starting_at(header.start);
        Self {
            sink,
            path: path.to_owned(),
            owner: Process::this(),
            id: start.id,
            options,
            seed: start.seed,
            subsystems: header.subsystems.len(),
            frames: FrameEncoder::new(options.level),
            chunk: ChunkEncoder::new(),
            written_totals: totals.clone(),
            totals,
            chunks: Vec::new(),
            snapshots: 0,
            frames_start: length,
            length,
            next_ordinal: 0,
            last: header.start,
            phase: Phase::Writing,
            scratch: Vec::new(),
        }
    }

    /// Begins the file anew with another header, before anything is logged.
    ///
    /// # Errors
    /// [`LogError::Ended`] when something is logged, [`LogError::Header`], or the disk's.
    pub fn restart(&mut self, header: &Header) -> Result<(), LogError> {
        if self.phase != Phase::Writing || self.next_ordinal > 0 {
            return Err(self.refusal());
        }
        self.require_owner()?;
        let start = FileStart::new(header, self.options)?;
        let rewritten = self.sink.truncate(0).and_then(|()| self.sink.write_all(&start.bytes));
        self.length = 0;
        rewritten.map_err(|error| self.fail(&error))?;
        self.id = start.id;
        self.seed = start.seed;
        self.subsystems = header.subsystems.len();
        self.totals = Totals::starting_at(header.start);
        self.written_totals.clone_from(&self.totals);
        self.frames_start = start.bytes.len() as u64;
        self.length = self.frames_start;
        self.last = header.start;
        Ok(())
    }

    /// A forked child that wrote, or wrote only on its way out, would write into the middle of what its parent writes.
    fn require_owner(&self) -> Result<(), LogError> {
        if self.owner.is_this() {
            return Ok(());
        }
        Err(LogError::OtherProcess { path: self.path.clone(), owner: self.owner })
    }

    /// Adds an event at `position`, which is not before that of the event before.
    ///
    /// # Errors
    /// [`LogError::BackInTime`], [`LogError::EventTooLarge`], [`LogError::DigestCount`] and
    /// [`LogError::SnapshotAlone`] leave the log as it was. After an error of the disk the log stops: every later call
    /// gives that error again, and what is on the disk opens with salvage.
    #[inline]
    pub fn append(&mut self, position: Position, event: &Event) -> Result<EventOrdinal, LogError> {
        if let Event::Snapshot { number } = *event
            && self.phase == Phase::Writing
        {
            return Err(LogError::SnapshotAlone { number });
        }
        self.append_any(position, event)
    }

    #[inline]
    fn append_any(&mut self, position: Position, event: &Event) -> Result<EventOrdinal, LogError> {
        if self.phase != Phase::Writing {
            return Err(self.refusal());
        }
        if position.icount < self.last.icount || position.cycles < self.last.cycles {
            return Err(LogError::BackInTime { position, last: self.last });
        }
        let heap_bytes = event.heap_bytes();
        if heap_bytes > 0 {
            check_size(event, heap_bytes)?;
        }
        if let Event::Digest(digests) = event
            && digests.len() != self.subsystems
        {
            return Err(LogError::DigestCount { hashes: digests.len(), subsystems: self.subsystems });
        }
        if heap_bytes > 0 {
            if !self.chunk.has_room_for(event)
                || self.chunk.raw().len() + heap_bytes > MAX_CHUNK_RAW as usize / 2
            {
                self.end_chunk()?;
            }
        } else if !self.chunk.has_room_for(event) {
            self.end_chunk()?;
        }
        let bytes = self.chunk.push(position, event);
        let kind = event.kind();
        self.totals.add(kind, position, bytes);
        self.last = position;
        let ordinal = EventOrdinal(self.next_ordinal);
        self.next_ordinal += 1;
        if self.chunk.raw().len() >= self.options.chunk_bytes.min(MAX_CHUNK_RAW as usize / 2) {
            self.end_chunk()?;
        }
        if kind == EventKind::End {
            self.phase = Phase::Ended;
        }
        Ok(ordinal)
    }

    /// Adds a snapshot frame and the event that refers to it. Gives the snapshot's number and the event's ordinal.
    pub fn append_snapshot(
        &mut self,
        position: Position,
        container: &[u8],
    ) -> Result<(u64, EventOrdinal), LogError> {
        if self.phase != Phase::Writing {
            return Err(self.refusal());
        }
        if position.icount < self.last.icount || position.cycles < self.last.cycles {
            return Err(LogError::BackInTime { position, last: self.last });
        }
        if container.len() > MAX_FRAME_RAW as usize {
            return Err(LogError::SnapshotTooLarge { bytes: container.len(), max: MAX_FRAME_RAW as usize });
        }
        self.end_chunk()?;
        let header = self.frame_header(frame_type::SNAPSHOT, 0, position);
        self.write_chunk(header, container)?;
        let number = self.snapshots;
        self.snapshots += 1;
        let ordinal = self.append_any(position, &Event::Snapshot { number })?;
        Ok((number, ordinal))
    }

    /// Bytes in the file of the last events or snapshot frame.
    pub fn last_frame_bytes(&self) -> usize {
        self.chunks.last().map_or(0, |chunk| chunk.length as usize)
    }

    /// Ends the current chunk and hands it to the operating system, so that killing this process cannot lose it.
    pub fn flush(&mut self) -> Result<(), LogError> {
        match self.phase {
            Phase::Failed(_) => Err(self.refusal()),
            Phase::Finished => Ok(()),
            Phase::Writing | Phase::Ended => self.end_chunk(),
        }
    }

    /// Writes what is left, the index and the footer, and waits until all is on the disk. A second call does nothing.
    ///
    /// The `end` event is the caller's to append before; without it the file counts as unfinished.
    ///
    /// # Errors
    /// The disk's, and [`LogError::Displaced`] for a recording that is whole and not where it should be.
    pub fn finish(&mut self) -> Result<(), LogError> {
        match self.phase {
            Phase::Failed(_) => return Err(self.refusal()),
            Phase::Finished => return Ok(()),
            Phase::Writing | Phase::Ended => {}
        }
        self.end_chunk()?;
        let index = encode_index(&self.chunks, self.frames_start, &self.totals);
        let index_offset = self.length;
        self.scratch.clear();
        // An index that breaks the bound of a frame is left out: a reader then scans.
        if index.len() <= MAX_FRAME_RAW as usize {
            let header = self.frame_header(frame_type::INDEX, 0, self.last);
            self.frames.encode(header, &index, &self.seed, &mut self.scratch);
            self.scratch.extend_from_slice(&frame::footer(index_offset, &self.seed));
        }
        self.write_scratch()?;
        let synced = self.sink.flush().and_then(|()| self.sink.sync());
        synced.map_err(|error| self.fail(&error))?;
        self.phase = Phase::Finished;
        self.sink.end()
    }

    /// The file's bytes, when the sink keeps them: finish first.
    pub fn take_bytes(&mut self) -> Option<Vec<u8>> {
        self.sink.take_bytes()
    }

    /// The recording's identity.
    pub fn id(&self) -> RecordingId {
        self.id
    }

    /// The file, or the sink's name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Events added so far, which is the next event's ordinal.
    pub fn events(&self) -> u64 {
        self.next_ordinal
    }

    /// Place of the last event.
    pub fn last_position(&self) -> Position {
        self.last
    }

    /// Bytes written so far; those of the current chunk are not among them.
    pub fn file_bytes(&self) -> u64 {
        self.length
    }

    /// Events and bytes by kind, the current chunk included.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The error that stopped the writing, if one did.
    pub fn failure(&self) -> Option<&LogError> {
        match &self.phase {
            Phase::Failed(error) => Some(error),
            _ => None,
        }
    }

    fn frame_header(&self, frame_type: u8, events: u32, first: Position) -> FrameHeader {
        let first_ordinal = self.next_ordinal - u64::from(events);
        FrameHeader { frame_type, deflate: false, stored: 0, raw: 0, first_ordinal, events, first }
    }

    fn end_chunk(&mut self) -> Result<(), LogError> {
        if self.chunk.events() == 0 {
            return Ok(());
        }
        let header = self.frame_header(frame_type::EVENTS, self.chunk.events(), self.chunk.first());
        let mut chunk = std::mem::take(&mut self.chunk);
        let written = self.write_chunk(header, chunk.raw());
        chunk.clear();
        self.chunk = chunk;
        written?;
        self.written_totals.clone_from(&self.totals);
        Ok(())
    }

    fn write_chunk(&mut self, header: FrameHeader, raw: &[u8]) -> Result<(), LogError> {
        if self.chunks.len() >= MAX_CHUNKS {
            let error = LogError::TooManyChunks { path: self.path.clone(), chunks: self.chunks.len() };
            self.phase = Phase::Failed(error.clone());
            return Err(error);
        }
        let offset = self.length;
        self.scratch.clear();
        self.frames.encode(header, raw, &self.seed, &mut self.scratch);
        self.write_scratch()?;
        self.chunks.push(ChunkInfo {
            is_snapshot: header.frame_type == frame_type::SNAPSHOT,
            events: header.events,
            offset,
            length: self.scratch.len() as u32,
            raw_length: raw.len() as u32,
            first_ordinal: header.first_ordinal,
            first: header.first,
        });
        Ok(())
    }

    fn write_scratch(&mut self) -> Result<(), LogError> {
        self.require_owner()?;
        // `write_all` goes on after a short or an interrupted write.
        let written = self.sink.write_all(&self.scratch);
        written.map_err(|error| self.fail(&error))?;
        self.length += self.scratch.len() as u64;
        Ok(())
    }

    /// Stops writing: cuts a frame that was written in part, and keeps the error for every later call.
    fn fail(&mut self, error: &io::Error) -> LogError {
        // Best effort: a reader finds the last whole frame in any case.
        let _ = self.sink.truncate(self.length);
        let error = if is_full(error) {
            LogError::Full {
                path: self.path.clone(),
                events: self.written_totals.events(),
                last: self.written_totals.last,
            }
        } else {
            LogError::from_io(&self.path, "write to", error)
        };
        self.phase = Phase::Failed(error.clone());
        error
    }

    #[cold]
    fn refusal(&self) -> LogError {
        match &self.phase {
            Phase::Failed(error) => error.clone(),
            _ => LogError::Ended { path: self.path.clone() },
        }
    }
}

#[cold]
fn check_size(event: &Event, bytes: usize) -> Result<(), LogError> {
    let max = if let Event::Digest(_) = event { MAX_SUBSYSTEMS * 16 } else { MAX_EVENT_BYTES };
    if bytes > max { Err(LogError::EventTooLarge { kind: event.kind(), bytes, max }) } else { Ok(()) }
}

/// The encoded start of a file: prologue and header frame.
struct FileStart {
    bytes: Vec<u8>,
    id: RecordingId,
    seed: [u8; 4],
}

impl FileStart {
    fn new(header: &Header, options: Options) -> Result<Self, LogError> {
        let encoded = header.encode().map_err(LogError::Header)?;
        let prologue = frame::prologue(FORMAT_VERSION, MIN_READER_VERSION);
        let frame_header = FrameHeader {
            frame_type: frame_type::HEADER,
            deflate: false,
            stored: 0,
            raw: 0,
            first_ordinal: 0,
            events: 0,
            first: header.start,
        };
        let mut bytes = prologue.to_vec();
        // Written once and mostly text and empty memory: worth a better level than events.
        let mut encoder = FrameEncoder::new(if options.level == 0 { 0 } else { options.level.max(6) });
        let crc = encoder.encode(frame_header, &encoded, &prologue, &mut bytes);
        Ok(Self { bytes, id: RecordingId::of(&encoded), seed: crc.to_le_bytes() })
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        // The error cannot be reported from here; whoever cares calls finish. A forked child is refused.
        let _ = self.flush();
    }
}

impl fmt::Debug for LogWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogWriter")
            .field("path", &self.path)
            .field("events", &self.next_ordinal)
            .field("last", &self.last)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}
