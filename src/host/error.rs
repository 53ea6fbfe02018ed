//! What can be wrong with a host that somebody attaches.

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

    pub(super) fn format(path: &Path, what: &'static str, problem: &dyn std::error::Error) -> Self {
        Self::Format { path: path.to_owned(), what, problem: problem.to_string() }
    }

    /// Loopback unless somebody has said otherwise: a guest is nobody's to talk to by accident.
    pub(super) fn check_loopback(address: SocketAddr, allow_remote: bool) -> Result<(), Self> {
        if allow_remote || address.ip().is_loopback() { Ok(()) } else { Err(Self::Remote(address)) }
    }
}
