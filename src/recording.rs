//! Recordings as users see them: opened, listed, verified, replayed.

use crate::compare;
use crate::error::Error;
use crate::external::machine_name;
use crate::log::{
    Damage, Event, EventCursor, EventKind, Header, LogInfo, LogReader, RecordingId, StampedEvent, WrittenFile,
};
use crate::machine::board::{Board, ImageInput};
use crate::nondet::CharId;
use crate::persist::Digest;
use crate::replay::OWN_SUBSYSTEMS;
use crate::session::{CHAOS, Session, Start};
use crate::snapshot::{self, Snapshot};
use crate::sync::{Lazy, Mutex, Shared, lock};
use crate::units::{EventOrdinal, Position};
use std::fmt;
use std::path::Path;

mod segments;
#[cfg(feature = "testing")]
mod test_access;

pub use segments::JOBS_MAX;

/// The longest transcript that is put together in memory: a small file may hold any amount of it, compressed.
pub const OUTPUT_BYTES_MAX: usize = 16 << 20;

/// Events at a recording's end that tell it from others: its shutdown, digest and end.
const FINGERPRINT_EVENTS: u64 = 3;

/// A recording file, opened for reading. Opening it executes nothing. A clone is another handle on the same.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Shared with every replay and iterator: all read the file that was opened, even if another takes its path.
    reader: Shared<LogReader>,
    origin: Shared<Origin>,
    /// Set once all of it was found to be right.
    verified: Shared<Lazy<()>>,
    /// Where replays without images of their own start, once one was asked for.
    start: Shared<Ready>,
}

#[derive(Default)]
struct Ready(Mutex<Option<Start>>);

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").finish_non_exhaustive()
    }
}

/// What a recording was made on.
#[derive(Debug)]
enum Origin {
    Board(Box<Board>),
    /// The name of a machine that is not ours.
    Machine(String),
}

/// What a verification has found.
#[derive(Clone, PartialEq, Debug)]
pub struct Verification {
    /// Whether the recording is complete and replayed to its end, and can be trusted to be what was recorded: its last
    /// digest stands at the very end and covers all events.
    pub ok: bool,
    /// Where the replay ended.
    pub icount: u64,
    /// Parts from a snapshot, or the start, to the next, or the end: each ends in the state that the next begins with.
    pub segments: u64,
    /// Events consumed.
    pub events: u64,
    /// Digests compared.
    pub digests: u64,
    /// Real time it took.
    pub wall_seconds: f64,
}

impl Recording {
    /// Opens a recording. With `salvage` a damaged one gives what is left.
    ///
    /// # Errors
    /// A file that is missing, no recording, of a later version, or (without `salvage`) damaged.
    pub fn open(path: &Path, salvage: bool) -> Result<Recording, Error> {
        Self::open_with(path, salvage, &mut |_, _| true)
    }

    /// As [`open`](Recording::open). `progress` is told now and then how many bytes of the recording have been checked, and
    /// how many there are (0 before that is known); `false` stops.
    ///
    /// # Errors
    /// The same as [`open`](Recording::open), or [`LogError::Stopped`](crate::log::LogError::Stopped).
    pub fn open_with(
        path: &Path,
        salvage: bool,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Recording, Error> {
        Self::from_reader(match salvage {
            true => LogReader::open_salvage_with(path, progress)?,
            false => LogReader::open_with(path, progress)?,
        })
    }

    /// As [`open_with`](Recording::open_with), for what was just recorded: from its own file, whatever its path leads to by
    /// now.
    ///
    /// # Errors
    /// The same as [`open_with`](Recording::open_with).
    pub fn open_written(
        written: &WrittenFile,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Recording, Error> {
        Self::from_reader(LogReader::open_written(written, progress)?)
    }

    /// As [`open`](Recording::open), for a recording in memory.
    ///
    /// # Errors
    /// The same as [`open`](Recording::open).
    pub fn from_bytes(bytes: Vec<u8>, salvage: bool) -> Result<Recording, Error> {
        Self::from_reader(if salvage {
            LogReader::salvage_bytes(bytes)?
        } else {
            LogReader::from_bytes(bytes)?
        })
    }

    fn from_reader(reader: LogReader) -> Result<Recording, Error> {
        let described = &reader.header().board_toml;
        let origin = match machine_name(described) {
            Some(name) => Origin::Machine(name),
            None => Origin::Board(Box::new(Board::from_toml(described)?)),
        };
        let origin = Shared::new(origin);
        Ok(Self {
            reader: Shared::new(reader),
            origin,
            verified: Shared::default(),
            start: Shared::default(),
        })
    }

    /// The file's reader, shared by all that reads it.
    pub(crate) fn reader(&self) -> &Shared<LogReader> {
        &self.reader
    }

    /// The file; `<memory>` for a recording in memory.
    pub fn path(&self) -> &Path {
        self.reader.path()
    }

    /// The board it was made on.
    ///
    /// # Errors
    /// [`Error::State`] for a recording of a machine that is not ours: only that machine can replay it.
    pub fn board(&self) -> Result<&Board, Error> {
        match &*self.origin {
            Origin::Board(board) => Ok(board),
            Origin::Machine(name) => Err(Error::State(format!(
                "{} was recorded on a machine of its own, {name:?}, and not on a board of rreplay: that machine \
                 replays it, with rreplay.Replay.play(path)",
                self.path().display()
            ))),
        }
    }

    /// The name of the machine it was made on, when that is an external one; see [`crate::external`].
    pub fn machine(&self) -> Option<&str> {
        match &*self.origin {
            Origin::Board(_) => None,
            Origin::Machine(name) => Some(name),
        }
    }

    /// What tells it from every other recording.
    pub fn id(&self) -> RecordingId {
        self.reader.id()
    }

    /// A hash by which it is told from every other recording, also from one of the same machine at the same start: of its
    /// header, its extent, and its last events, the last digest of which has a hash of all events before it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn fingerprint(&self) -> Result<Digest, Error> {
        let (end, count) = (self.end(), self.reader.events_count());
        let mut told = format!("{} {} {} {count}", self.id(), self.size(), end);
        for event in self.reader.events_from(EventOrdinal(count.saturating_sub(FINGERPRINT_EVENTS)))? {
            let StampedEvent { position, event, .. } = event?;
            told += &format!(" {position} {event}");
        }
        Ok(Digest::of(told.as_bytes()))
    }

    /// What the file says of itself.
    pub fn header(&self) -> &Header {
        self.reader.header()
    }

    /// Where it starts.
    pub fn start(&self) -> Position {
        self.reader.header().start
    }

    /// Where it ends.
    pub fn end(&self) -> Position {
        self.reader.last_position()
    }

    /// Whether the recording was finished.
    pub fn complete(&self) -> bool {
        self.reader.complete()
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.reader.file_bytes()
    }

    /// Version of the file's format.
    pub fn format_version(&self) -> u16 {
        self.reader.format_version()
    }

    /// What is lost, in a recording that was opened with salvage.
    pub fn damage(&self) -> Option<&Damage> {
        self.reader.damage()
    }

    /// The seed by which everything was drawn that hardware leaves open, for a recording that was made so.
    pub fn chaos(&self) -> Option<u64> {
        self.reader.header().scheduler.strip_prefix(CHAOS)?.parse().ok()
    }

    /// Counts and sizes.
    pub fn info(&self) -> LogInfo {
        self.reader.info()
    }

    /// The name of a character device.
    pub fn char_name(&self, device: CharId) -> Option<&str> {
        self.reader.header().chars.get(usize::from(device.0)).map(String::as_str)
    }

    /// The events of a kind (all, when not given) with `start <= icount < stop`, as an iterator that owns what it
    /// needs.
    ///
    /// # Errors
    /// When the file cannot be read at `start`.
    pub fn events(
        &self,
        kind: Option<EventKind>,
        start: Option<u64>,
        stop: Option<u64>,
    ) -> Result<impl Iterator<Item = Result<StampedEvent, Error>> + Send + use<>, Error> {
        self.events_unless(kind, start, stop, || false)
    }

    /// As [`events`](Recording::events), for a user who may lose patience: of one kind there may be none in hundreds of
    /// millions. `is_stopped` is asked now and then; when it says so that is an error in the place of the next event.
    ///
    /// # Errors
    /// The same as [`events`](Recording::events).
    pub fn events_unless<S: FnMut() -> bool>(
        &self,
        kind: Option<EventKind>,
        start: Option<u64>,
        stop: Option<u64>,
        is_stopped: S,
    ) -> Result<impl Iterator<Item = Result<StampedEvent, Error>> + use<S>, Error> {
        let mut cursor = EventCursor::new(self.reader.clone());
        if let Some(start) = start {
            cursor.seek_icount(start)?;
        }
        Ok(Events { cursor, kind, stop, is_stopped, unasked: 0 })
    }

    /// The number of the console among the character devices. That of a machine that is not ours is its first one.
    pub(crate) fn console(&self) -> Option<usize> {
        let chars = &self.reader.header().chars;
        match &*self.origin {
            Origin::Board(board) => {
                board.console.as_ref().and_then(|name| chars.iter().position(|other| other == name))
            }
            Origin::Machine(_) => Some(0),
        }
    }

    /// What the console printed, without replaying. The console of a machine that is not ours is its first character
    /// device.
    ///
    /// # Errors
    /// When the file cannot be read, or when it is more than [`OUTPUT_BYTES_MAX`].
    pub fn output(&self) -> Result<Vec<u8>, Error> {
        self.output_unless(|| false)
    }

    /// As [`output`](Recording::output), for a user who may lose patience.
    ///
    /// # Errors
    /// The same as [`output`](Recording::output), and when `is_stopped`, which is asked now and then, says so.
    pub fn output_unless(&self, is_stopped: impl FnMut() -> bool) -> Result<Vec<u8>, Error> {
        let Some(console) = self.console() else { return Ok(Vec::new()) };
        // Events are not shorter than the bytes that they carry, so nothing is copied while it grows.
        let written = self.reader.totals().of(EventKind::CharWrite).bytes;
        let room = usize::try_from(written).map_or(OUTPUT_BYTES_MAX, |written| written.min(OUTPUT_BYTES_MAX));
        let mut output: Vec<u8> = Vec::with_capacity(room);
        for event in self.events_unless(Some(EventKind::CharWrite), None, None, is_stopped)? {
            if let Event::CharWrite { device, bytes, .. } = event?.event
                && usize::from(device.0) == console
            {
                if output.len() + bytes.len() > OUTPUT_BYTES_MAX {
                    return Err(Error::State(format!(
                        "{}: the console printed more than {} MiB: go through the events of the kind char_write, \
                         which are read a chunk at a time",
                        self.path().display(),
                        OUTPUT_BYTES_MAX >> 20
                    )));
                }
                output.extend(bytes);
            }
        }
        Ok(output)
    }

    /// Whether the recording ends with a digest that has the hash of all events before it: else one that was left out,
    /// moved or added after the last digest, or that the machine took no notice of, would not show.
    fn is_sealed(&self) -> Result<bool, Error> {
        let hashes_events = self.header().subsystems.ends_with(&OWN_SUBSYSTEMS.map(str::to_owned));
        let Some(before_end) = self.reader.events_count().checked_sub(2) else { return Ok(false) };
        let mut last = self.reader.events_from(EventOrdinal(before_end))?;
        Ok(match (last.next().transpose()?, last.next().transpose()?) {
            (Some(digest), Some(end)) => {
                hashes_events
                    && matches!(digest.event, Event::Digest(_))
                    && end.event == Event::End
                    && digest.position == end.position
            }
            _ => false,
        })
    }

    /// A machine in play mode, at the start.
    ///
    /// # Errors
    /// A recording that needs a ROM image, see [`replay_with`](Recording::replay_with).
    pub fn replay(&self) -> Result<Session, Error> {
        self.replay_with(&[])
    }

    /// As [`replay`](Recording::replay), on these images; they must be the ones that were recorded.
    ///
    /// # Errors
    /// [`Error::Mismatch`] names both sides when they are not.
    pub fn replay_with(&self, images: &[ImageInput]) -> Result<Session, Error> {
        let board = self.board()?;
        if !images.is_empty() {
            return Ok(Session::play(self.reader.clone(), images)?.diagnosed_by(compare::diagnose));
        }
        let mut ready = lock(&self.start.0);
        let start = match ready.take() {
            Some(start) => start,
            None => Start::of(board.clone(), &self.reader, images)?,
        };
        let session = Session::play_from(ready.insert(start), self.reader.clone(), images)?;
        Ok(session.diagnosed_by(compare::diagnose))
    }

    /// Where the snapshots in the recording were taken; a snapshot's number is its place.
    pub fn snapshots(&self) -> Vec<Position> {
        self.reader.snapshots().map(|chunk| chunk.first).collect()
    }

    /// The snapshot of a number.
    pub(crate) fn read_snapshot(&self, number: u64) -> Result<Snapshot, Error> {
        Ok(snapshot::recorded(&self.reader, number)?)
    }

    /// A machine in play mode at a snapshot, which goes on with the events after it. `images` are as for
    /// [`replay_with`](Recording::replay_with).
    ///
    /// # Errors
    /// No snapshot of that number, or one that cannot be read or is of another machine.
    pub fn replay_from(&self, number: u64, images: &[ImageInput]) -> Result<Session, Error> {
        self.board()?;
        let snapshot = self.read_snapshot(number)?;
        let session = self.replay_with(images)?;
        session.resume(&snapshot)?;
        Ok(session)
    }

    /// Whether a verification of this recording has found it to be right, all of it.
    pub fn is_verified(&self) -> bool {
        self.verified.get().is_some()
    }

    fn set_verified(&self) {
        // Once is enough.
        let _ = self.verified.set(());
    }

    fn verified(&self, icount: u64, clock: &crate::host::RunningClock) -> Result<Verification, Error> {
        let info = self.info();
        let digests = info.kinds.iter().find(|(kind, _)| *kind == EventKind::Digest);
        Ok(Verification {
            ok: self.complete() && self.is_sealed()?,
            icount,
            segments: info.snapshots + 1,
            events: info.events,
            digests: digests.map_or(0, |(_, total)| total.events),
            wall_seconds: clock.nanoseconds() as f64 / 1e9,
        })
    }
}

/// Some of the events of a recording, in order.
struct Events<S> {
    cursor: EventCursor<Shared<LogReader>>,
    kind: Option<EventKind>,
    stop: Option<u64>,
    is_stopped: S,
    /// Events since the user was asked.
    unasked: u32,
}

/// Some milliseconds of decoding.
const EVENTS_BETWEEN_QUESTIONS: u32 = 1 << 16;

impl<S: FnMut() -> bool> Iterator for Events<S> {
    type Item = Result<StampedEvent, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.unasked += 1;
            if self.unasked >= EVENTS_BETWEEN_QUESTIONS {
                self.unasked = 0;
                if (self.is_stopped)() {
                    return Some(Err(Error::State("reading the events was stopped".into())));
                }
            }
            match self.cursor.next()? {
                Err(error) => return Some(Err(error.into())),
                Ok(event) if self.stop.is_some_and(|stop| event.position.icount >= stop) => {
                    // Nothing after it belongs to the part either.
                    self.stop = Some(0);
                    return None;
                }
                Ok(event) if self.kind.is_none_or(|kind| event.event.kind() == kind) => {
                    return Some(Ok(event));
                }
                Ok(_) => {}
            }
        }
    }
}
