//! A disk in memory that whoever records keeps a handle of, and that may fill up.

use rreplay::log::Sink;
use rreplay::sync::{Mutex, Shared, lock};
use std::io::{self, Write};

/// A disk of some size in memory. Clones are handles of one disk: give one to
/// [`LogWriter::with_sink`](rreplay::log::LogWriter::with_sink) and keep another to read what was written.
#[derive(Clone, Debug)]
pub struct SmallDisk {
    bytes: Shared<Mutex<Vec<u8>>>,
    size: usize,
}

impl Default for SmallDisk {
    /// A disk that never fills up.
    fn default() -> Self {
        Self::of_size(usize::MAX)
    }
}

impl SmallDisk {
    /// A disk with room for `size` bytes.
    pub fn of_size(size: usize) -> Self {
        Self { bytes: Shared::new(Mutex::new(Vec::new())), size }
    }

    /// What was written.
    pub fn contents(&self) -> Vec<u8> {
        lock(&self.bytes).clone()
    }
}

impl Write for SmallDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut disk = lock(&self.bytes);
        let count = bytes.len().min(self.size - disk.len());
        if count == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        disk.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for SmallDisk {
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        lock(&self.bytes).truncate(usize::try_from(length).unwrap_or(usize::MAX));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}
