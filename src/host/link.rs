//! What the byte streams of the operating system have in common: bytes wait, in both directions, within bounds.

use crate::nondet::CharWritten;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};

/// Bytes that wait for a reader that is slow, until the guest is told so.
pub(super) const OUTGOING_MAX: usize = 64 << 10;

/// Bytes taken in one look at a stream.
const INCOMING_MAX: usize = 16 << 10;

/// errno EAGAIN: nothing more is taken now.
const EAGAIN: i32 = 11;

/// errno EIO, for errors without a number.
const EIO: i32 = 5;

/// The number of an error, negative.
pub(super) fn errno(error: &std::io::Error) -> i32 {
    -error.raw_os_error().unwrap_or(EIO)
}

/// What became of a stream that was looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// It goes on.
    Open,
    /// The other side has closed it, or it broke.
    Gone,
}

/// Bytes on their way to a stream.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    bytes: VecDeque<u8>,
}

impl Outgoing {
    /// Takes as many bytes as there is room for.
    pub fn take(&mut self, bytes: &[u8]) -> CharWritten {
        let taken = bytes.len().min(OUTGOING_MAX - self.bytes.len().min(OUTGOING_MAX));
        self.bytes.extend(&bytes[..taken]);
        if taken == 0 && !bytes.is_empty() {
            return CharWritten { result: -EAGAIN, offset: 0 };
        }
        CharWritten { result: taken as i32, offset: taken as u32 }
    }

    /// Whether bytes wait.
    pub fn is_waiting(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// Forgets what waits: its reader has gone.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Returns the stream what it takes without waiting.
    pub fn drain(&mut self, stream: &mut impl Write) -> Condition {
        while !self.bytes.is_empty() {
            match stream.write(self.bytes.as_slices().0) {
                Ok(0) => return Condition::Gone,
                Ok(written) => drop(self.bytes.drain(..written)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Condition::Open,
                Err(_) => return Condition::Gone,
            }
        }
        Condition::Open
    }
}

/// What a stream has, without waiting.
pub(super) fn receive(stream: &mut impl Read) -> (Vec<u8>, Condition) {
    let mut bytes = vec![0; INCOMING_MAX];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return (Vec::new(), Condition::Gone),
            Ok(count) => {
                bytes.truncate(count);
                return (bytes, Condition::Open);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return (Vec::new(), Condition::Open),
            Err(_) => return (Vec::new(), Condition::Gone),
        }
    }
}
