//! Files: opened without ever waiting, and written by one owner.
//!
//! A path may lead to anything: a FIFO without another end, a terminal, a file that somebody else is writing. Whoever
//! opens one here is told what it is before anything waits for it, is emptied or is replaced. What is written belongs
//! to the process that opened it: a forked child holds the same descriptors, and would write, on its way out, into what
//! its parent has open.

mod kind;
mod lock;
mod own;
mod partial;
mod process;
mod whole;

pub use kind::{Kind, Wanted, open};
pub use lock::Claim;
pub use own::{OwnFile, Whereabouts};
pub use process::Process;
pub use whole::write_whole;

use std::io;
use std::path::PathBuf;

/// Why a file cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The path leads to something that is no use here.
    #[error("it is {0}")]
    Kind(Kind),
    /// A recorder has it open, or a host keeps its output there while a recorder asks for it.
    #[error("it is being written by a recorder or a host")]
    Busy,
    /// There is no directory for it.
    #[error("there is no directory {}", .0.display())]
    NoParent(PathBuf),
    /// Its permissions say that nobody may write it.
    #[error("the file is write-protected")]
    WriteProtected,
    /// The operating system's answer.
    #[error("{source}")]
    Io {
        /// What was tried: `create`, `overwrite`, ...
        operation: &'static str,
        /// The answer.
        source: io::Error,
    },
}

impl FileError {
    fn io(operation: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { operation, source }
    }

    fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}
