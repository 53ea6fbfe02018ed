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
    /// A pseudoterminal that cannot be had.
    #[error("cannot open a pseudoterminal: {0}")]
    Terminal(std::io::Error),
}

impl HostError {
    pub(super) fn io(what: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }

    /// Loopback unless somebody has said otherwise: a guest is nobody's to talk to by accident.
    pub(super) fn check_loopback(address: SocketAddr, allow_remote: bool) -> Result<(), Self> {
        if allow_remote || address.ip().is_loopback() { Ok(()) } else { Err(Self::Remote(address)) }
    }
}
