//! Who writes a file, as the processes of this machine tell each other.
//!
//! The operating system's advisory locks go with the open file, and so with the process that has it, however that ends.
//! A forked child has the same open file: the lock would last until the child ends too, so it is given back expressly.

use super::FileError;
use std::fs::File;

/// How a file is claimed while it is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claim {
    /// By a host: others may write there as well, and answer for what comes of it, but no recorder.
    Host,
    /// By a recorder: nobody else.
    Recorder,
}

/// Claims an open file. Where the file system has no locks nobody is refused.
///
/// # Errors
/// [`FileError::Busy`], at once, when somebody has it.
pub(super) fn claim(file: &File, claim: Claim) -> Result<(), FileError> {
    #[cfg(unix)]
    {
        use rustix::fs::{FlockOperation, flock};
        let operation = match claim {
            Claim::Host => FlockOperation::NonBlockingLockShared,
            Claim::Recorder => FlockOperation::NonBlockingLockExclusive,
        };
        loop {
            match flock(file, operation) {
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => return Err(FileError::Busy),
                _ => return Ok(()),
            }
        }
    }
    #[cfg(not(unix))]
    {
        let _ = (file, claim);
        Ok(())
    }
}

/// Returns a claim back.
pub(super) fn release(file: &File) {
    #[cfg(unix)]
    {
        // Without a lock there is nothing to give back.
        let _ = rustix::fs::flock(file, rustix::fs::FlockOperation::Unlock);
    }
    #[cfg(not(unix))]
    let _ = file;
}
