//! One error for users: what went wrong, named, with what to do.

use crate::engine::RunError;
use crate::host::HostError;
use crate::log::{Damage, LogError};
use crate::machine::board::BoardError;
use crate::machine::rom::RomError;
use crate::machine::{Fault, SectionError};
use crate::memory::MemoryError;
use crate::replay::{Divergence, ReplayError};
use crate::snapshot::SnapshotError;

/// Whatever can go wrong in the use of a [`Session`](crate::session::Session) or a
/// [`Recording`](crate::recording::Recording).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A board description that does not hold.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// An image that cannot be loaded.
    #[error(transparent)]
    Rom(#[from] RomError),
    /// A recording that cannot be written or read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A recording and a machine that do not belong together.
    #[error("{0}")]
    Mismatch(String),
    /// A replay that left its recording.
    #[error(transparent)]
    Divergence(#[from] Box<Divergence>),
    /// Something that cannot be done now.
    #[error("{0}")]
    State(String),
    /// A value that makes no sense.
    #[error("{0}")]
    Argument(String),
    /// Bytes that are no snapshot, or a snapshot of another machine.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// A guest that did what its board forbids.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// A host that cannot be had.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A host that cannot be attached.
    #[error("the device {device} of the board {board} cannot be attached: {source}")]
    Attach {
        /// The board's name.
        board: String,
        /// The device's name.
        device: String,
        /// Why.
        source: Box<HostError>,
    },
    /// A device that cannot do what was asked of it.
    #[error("{0}")]
    Device(String),
    /// The engine itself.
    #[error("{0}")]
    Engine(String),
}

impl Error {
    /// The name of the exception class that Python raises for it.
    pub fn class(&self) -> &'static str {
        match self {
            Error::Board(_) => "BoardError",
            Error::Rom(_) => "RomError",
            Error::Log(LogError::NotARecording { .. }) => "NotARecording",
            Error::Log(
                LogError::Damaged { .. }
                | LogError::HeaderDamaged { .. }
                | LogError::Chunk { .. }
                | LogError::Snapshot { .. },
            ) => "DamagedLog",
            Error::Log(LogError::NewerVersion { .. }) | Error::Mismatch(_) => "MismatchError",
            Error::Log(LogError::OtherProcess { .. }) => "StateError",
            Error::Log(_) => "LogError",
            Error::Divergence(_) => "Divergence",
            Error::State(_) => "StateError",
            Error::Argument(_) => "ArgumentError",
            Error::Snapshot(_) => "SnapshotError",
            Error::Fault(_) => "FaultError",
            Error::Host(_) | Error::Attach { .. } => "HostError",
            Error::Device(_) => "DeviceError",
            Error::Engine(_) => "EngineError",
        }
    }

    /// The report of a divergence.
    pub fn divergence(&self) -> Option<&Divergence> {
        match self {
            Error::Divergence(divergence) => Some(divergence),
            _ => None,
        }
    }

    /// What is left of a damaged recording.
    pub fn damage(&self) -> Option<&Damage> {
        match self {
            Error::Log(LogError::Damaged { damage, .. }) => Some(damage),
            _ => None,
        }
    }
}

impl From<ReplayError> for Error {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Divergence(divergence) => Error::Divergence(divergence),
            ReplayError::Log(error) => Error::Log(error),
            ReplayError::Blocked { .. } | ReplayError::NotRecording { .. } => Error::State(error.to_string()),
            ReplayError::CharDevice { .. } => Error::Mismatch(error.to_string()),
            ReplayError::TooManyDevices { .. }
            | ReplayError::NoSuchNet { .. }
            | ReplayError::NoSuchBlock { .. } => Error::Argument(error.to_string()),
            ReplayError::BadState { .. } | ReplayError::StuckTimer(_) => {
                Error::Snapshot(SnapshotError::Damaged(error.to_string()))
            }
        }
    }
}

impl From<RunError> for Error {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Replay(error) => error.into(),
            RunError::Thread(_) | RunError::Panicked(_) => Error::Engine(error.to_string()),
        }
    }
}

impl From<SectionError> for Error {
    fn from(error: SectionError) -> Self {
        match error {
            SectionError::Parts { .. } => Error::Mismatch(error.to_string()),
            SectionError::Content { .. } => Error::Snapshot(SnapshotError::Damaged(error.to_string())),
        }
    }
}

impl From<MemoryError> for Error {
    fn from(error: MemoryError) -> Self {
        Error::Argument(error.to_string())
    }
}
