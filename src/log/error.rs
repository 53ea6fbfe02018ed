//! What can go wrong with a recording file, each with what to do.

use std::io;
use std::path::{Path, PathBuf};

use super::event::EventKind;
use super::names::UnknownName;
use super::salvage::Damage;
use super::varint::CodecError;
use crate::files::{FileError, Kind, Process, Whereabouts};
use crate::units::Position;

/// An error of the recording file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// A recording was to be written to, or read from, a directory.
    #[error("{path} is a directory: name a file, such as {}", path.join("run.rreplay").display())]
    IsDirectory {
        /// The path.
        path: PathBuf,
    },
    /// The path is a pipe, a socket, a terminal, a block device or, for reading, any device.
    #[error("{path} is a pipe, a socket, a terminal or a device: a recording is an ordinary file")]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The directory of a new recording does not exist.
    #[error("cannot record to {path}: there is no directory {parent}; create it first")]
    NoParent {
        /// The recording.
        path: PathBuf,
        /// The directory that is missing.
        parent: PathBuf,
    },
    /// Somebody records into the file, or a host writes it.
    #[error(
        "{path} is being written: by a recording that is not finished, or by a host that is attached to a machine; \
         finish that recording (`finish()`, or the end of its `with` block), or choose another path"
    )]
    Busy {
        /// The path.
        path: PathBuf,
    },
    /// The recording is another process's.
    #[error(
        "{path} is recorded by {owner}, and this is a process that was forked from it: only {owner} writes to it; \
         take a copy of the machine, which is free, and record that to another path"
    )]
    OtherProcess {
        /// The recording.
        path: PathBuf,
        /// Whose it is.
        owner: Process,
    },
    /// The path leads elsewhere by the end of its recording.
    #[error("{path} was renamed, replaced or removed while it was recorded into: {}", where_now(.now))]
    Displaced {
        /// The path.
        path: PathBuf,
        /// Where the recording is.
        now: Whereabouts,
    },
    /// There is no such file.
    #[error("there is no file {path}: check the name and the current directory")]
    NotFound {
        /// The path.
        path: PathBuf,
    },
    /// The file system forbids it.
    #[error("no permission to {operation} {path}: {message}; choose another place or change its permissions")]
    Permission {
        /// The path.
        path: PathBuf,
        /// What was tried (`write`).
        operation: &'static str,
        /// What the system says.
        message: String,
    },
    /// The disk, or the quota, is full.
    #[error(
        "no space left for {path}: {}; make space and record again", kept(*.events, *.last)
    )]
    Full {
        /// The recording.
        path: PathBuf,
        /// Events in whole chunks on the disk.
        events: u64,
        /// The place of the last of them.
        last: Position,
    },
    /// Another error of the operating system.
    #[error("cannot {operation} {path}: {message}; check the disk and try again")]
    Io {
        /// The path.
        path: PathBuf,
        /// What was tried.
        operation: &'static str,
        /// The system's kind of error.
        kind: io::ErrorKind,
        /// What the system says.
        message: String,
    },
    /// The file is something else.
    #[error(
        "{path} is not a recording: {looks_like}; recordings are written by `Machine.record` or `rreplay record`"
    )]
    NotARecording {
        /// The path.
        path: PathBuf,
        /// What it looks like.
        looks_like: String,
    },
    /// The file needs a newer reader.
    #[error(
        "{path} has format version {version} and needs a reader of version {needs} or later; this one reads up to \
         {}: install a newer rreplay",
        super::limits::FORMAT_VERSION
    )]
    NewerVersion {
        /// The path.
        path: PathBuf,
        /// The file's version.
        version: u16,
        /// The oldest reader that can read it.
        needs: u16,
    },
    /// The header is damaged, and without it nothing can be read.
    #[error(
        "{path} cannot be read, not even in part: its header is damaged ({reason}); take it from a backup"
    )]
    HeaderDamaged {
        /// The path.
        path: PathBuf,
        /// Which rule it breaks.
        reason: CodecError,
    },
    /// The file is damaged after its header. Salvage opens what is left.
    #[error("{path} is damaged: {damage}")]
    Damaged {
        /// The path.
        path: PathBuf,
        /// What is left and what is lost.
        damage: Box<Damage>,
    },
    /// A chunk that was whole when the file was opened cannot be read.
    #[error("{path}: the chunk at byte {offset} cannot be read ({reason}); open the file with salvage")]
    Chunk {
        /// The path.
        path: PathBuf,
        /// Where the chunk's frame starts.
        offset: u64,
        /// Which rule it breaks.
        reason: CodecError,
    },
    /// A snapshot in the file is no state that this recording can have been in.
    #[error(
        "{path}: snapshot {number}, at {at}, does not hold ({reason}); replay the recording from its start, or take the \
         file from a backup"
    )]
    Snapshot {
        /// The path.
        path: PathBuf,
        /// The snapshot's number.
        number: u64,
        /// Where it stands in the run.
        at: Position,
        /// What is wrong with it.
        reason: String,
    },
    /// Whoever opened the file did not want to wait any longer.
    #[error("{path} was not opened: it was stopped while the file was checked")]
    Stopped {
        /// The path.
        path: PathBuf,
    },
    /// A header that is to be written breaks a bound.
    #[error("the recording's header cannot be written: {0}")]
    Header(CodecError),
    /// An event that is to be written carries too much.
    #[error("a {kind} event of {bytes} bytes is above the bound of {max} bytes: split it")]
    EventTooLarge {
        /// The event's kind.
        kind: EventKind,
        /// What it carries.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// A snapshot that is to be written is too large.
    #[error("a snapshot of {bytes} bytes is above the bound of {max} bytes")]
    SnapshotTooLarge {
        /// Its size.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// A digest that is to be written has another number of hashes than the header says.
    #[error(
        "a digest of {hashes} hashes does not fit the header, which names {subsystems} subsystems: give one hash for \
         each, in their order"
    )]
    DigestCount {
        /// Hashes given.
        hashes: usize,
        /// Subsystems in the header.
        subsystems: usize,
    },
    /// A snapshot event was to be written by itself.
    #[error("the event of snapshot {number} cannot be written without its frame: use append_snapshot")]
    SnapshotAlone {
        /// The number that it carries.
        number: u64,
    },
    /// An event was given a place before that of the event before it.
    #[error("an event at {position} cannot follow one at {last}: the log only goes forward")]
    BackInTime {
        /// The place given.
        position: Position,
        /// The place of the last event.
        last: Position,
    },
    /// An event was given to a log that has its `end`, or that was finished.
    #[error("the recording {path} has ended: start a new one")]
    Ended {
        /// The recording.
        path: PathBuf,
    },
    /// The file has the most chunks it may have.
    #[error("the recording {path} has {chunks} chunks, the most there may be: finish it and start a new one")]
    TooManyChunks {
        /// The recording.
        path: PathBuf,
        /// How many it has.
        chunks: usize,
    },
    /// A place was asked for that the log does not have.
    #[error("event {ordinal} is not in the recording, which has {events} events")]
    NoSuchEvent {
        /// The ordinal asked for.
        ordinal: u64,
        /// Events in the log.
        events: u64,
    },
    /// A snapshot frame was asked for that the log does not have.
    #[error("snapshot {number} is not in the recording, which has {snapshots}")]
    NoSuchSnapshot {
        /// The number asked for.
        number: u64,
        /// Snapshots in the log.
        snapshots: u64,
    },
    /// A name is not in the vocabulary.
    #[error(transparent)]
    Name(#[from] UnknownName),
}

impl LogError {
    /// Classes the reason for which a file cannot be had.
    pub(super) fn from_file(path: &Path, error: FileError) -> Self {
        match error {
            FileError::Kind(Kind::Directory) => LogError::IsDirectory { path: path.to_owned() },
            FileError::Kind(_) => LogError::NotAFile { path: path.to_owned() },
            FileError::Busy => LogError::Busy { path: path.to_owned() },
            FileError::NoParent(parent) => LogError::NoParent { path: path.to_owned(), parent },
            FileError::WriteProtected => LogError::Permission {
                path: path.to_owned(),
                operation: "overwrite",
                message: error.to_string(),
            },
            FileError::Io { operation, source } => LogError::from_io(path, operation, &source),
        }
    }

    /// Classes an error of the operating system; `operation` completes "cannot ...".
    pub(crate) fn from_io(path: &Path, operation: &'static str, error: &io::Error) -> Self {
        use io::ErrorKind::{IsADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem};
        let path = path.to_owned();
        match error.kind() {
            _ if is_full(error) => LogError::Full { path, events: 0, last: Position::default() },
            NotFound => LogError::NotFound { path },
            IsADirectory => LogError::IsDirectory { path },
            PermissionDenied | ReadOnlyFilesystem => {
                LogError::Permission { path, operation, message: error.to_string() }
            }
            kind => LogError::Io { path, operation, kind, message: error.to_string() },
        }
    }
}

/// Where a recording is whose path leads elsewhere.
fn where_now(now: &Whereabouts) -> String {
    match now {
        Whereabouts::Moved(name) => format!("the whole recording is in {}", name.display()),
        Whereabouts::Elsewhere => "the whole recording has another name now, which is not known".to_owned(),
        Whereabouts::InPlace | Whereabouts::Removed => {
            "no name leads to the recording any more, and it is lost with what `record` returned; record again"
                .to_owned()
        }
    }
}

/// What a recording that ran out of space has left.
fn kept(events: u64, last: Position) -> String {
    match events {
        0 => "no event was kept".to_owned(),
        _ => format!("recording stopped, its {events} events up to {last} are kept and open with salvage"),
    }
}

/// Whether an error means that there is no space: disk, quota or file size limit.
pub(crate) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull, WriteZero};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge | WriteZero)
}
