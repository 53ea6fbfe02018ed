//! What can be wrong with a host that somebody attaches.

use crate::files::{FileError, Kind};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A host that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A file that the operating system refuses.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried: `read`, `write`, ...
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// A path that leads to something else than is needed.
    #[error("cannot {what} {}: it is {found}, and {needed}", path.display())]
    Kind {
        /// What was tried.
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// What it leads to.
        found: Kind,
        /// What the host needs.
        needed: &'static str,
    },
    /// A file that somebody writes.
    #[error(
        "cannot {what} {}: it is being recorded into, or written by a host of a machine; finish the recording, or choose \
         another path", path.display()
    )]
    Busy {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A directory that is not there.
    #[error("cannot {what} {}: there is no directory {}; create it first", path.display(), parent.display())]
    NoParent {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The directory.
        parent: PathBuf,
    },
    /// An address that the operating system refuses.
    #[error("cannot {what} {address}: {source}; choose another port, or end the program that has this one")]
    Address {
        /// What was tried: `listen`, `connect to`, ...
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// An address that others can reach.
    #[error(
        "{0} is no address of this machine alone: take 127.0.0.1, or say that others may come (allow_remote)"
    )]
    Remote(SocketAddr),
    /// A name where an address must be.
    #[error("{0:?} is no numeric address: give \"127.0.0.1\" or the like")]
    Name(String),
    /// A disk image that is no disk.
    #[error("{} has {bytes} bytes, and a disk has sectors of 512: give an ordinary file of a whole number of them, at least one", path.display())]
    Sectors {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// Sound that is not as the sound device has it.
    #[error("{} has {channels} channels of {bits} bits, and the sound device has one of 16: convert it first", path.display())]
    Wave {
        /// The file.
        path: PathBuf,
        /// Its channels.
        channels: u16,
        /// Bits of each sample.
        bits: u16,
    },
    /// A file that is not of its format.
    #[error("{} cannot {what}: {problem}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What was tried: `be read as ...`.
        what: &'static str,
        /// What the library says.
        problem: String,
    },
    /// A pseudoterminal that cannot be had.
    #[error("cannot open a pseudoterminal: {0}")]
    Terminal(std::io::Error),
}

impl HostError {
    pub(super) fn io(what: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }

    /// Classes the reason for which a file cannot be had; `needed` says what would have done.
    pub(super) fn file(what: &'static str, path: &Path, needed: &'static str, error: FileError) -> Self {
        let path = path.to_owned();
        match error {
            FileError::Kind(found) => Self::Kind { what, path, found, needed },
            FileError::Busy => Self::Busy { what, path },
            FileError::NoParent(parent) => Self::NoParent { what, path, parent },
            FileError::WriteProtected => {
                let source = std::io::Error::new(std::io::ErrorKind::PermissionDenied, error.to_string());
                Self::Io { what, path, source }
            }
            FileError::Io { source, .. } => Self::Io { what, path, source },
        }
    }

    pub(super) fn format(path: &Path, what: &'static str, problem: &dyn std::error::Error) -> Self {
        Self::Format { path: path.to_owned(), what, problem: problem.to_string() }
    }

    /// Loopback unless somebody has said otherwise: a guest is nobody's to talk to by accident.
    pub(super) fn check_loopback(address: SocketAddr, allow_remote: bool) -> Result<(), Self> {
        if allow_remote || address.ip().is_loopback() { Ok(()) } else { Err(Self::Remote(address)) }
    }
}
