//! Where a log is read from. Reads name their place, so that any number of cursors can share a reader.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use super::error::LogError;
use super::frame::MAGIC;
use super::sink::WrittenFile;
use crate::files::{Wanted, open};

/// A file or bytes in memory, of a length looked at once.
pub(super) enum Source {
    File { file: File, length: u64 },
    Bytes(Vec<u8>),
}

impl fmt::Debug for Source {
    /// The length only: a recording in memory would fill the screen.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if let Source::File { .. } = self { "File" } else { "Bytes" };
        f.debug_struct(name).field("length", &self.length()).finish()
    }
}

impl Source {
    pub fn open(path: &Path) -> Result<Self, LogError> {
        let opened = open(path, OpenOptions::new().read(true), Wanted::File);
        let (file, _) = opened.map_err(|error| LogError::from_file(path, error))?;
        Self::of_file(file, path)
    }

    /// What was written, from its own file: its path may lead to another by now.
    pub fn of_written(written: &WrittenFile) -> Result<Self, LogError> {
        let path = written.path();
        let Some(file) = &written.file else { return Err(LogError::NotAFile { path: path.to_owned() }) };
        let second = file.try_clone().map_err(|error| LogError::from_io(path, "open", &error))?;
        Self::of_file(second, path)
    }

    fn of_file(file: File, path: &Path) -> Result<Self, LogError> {
        let about = file.metadata().map_err(|error| LogError::from_io(path, "open", &error))?;
        Ok(Source::File { file, length: about.len() })
    }

    pub fn length(&self) -> u64 {
        match self {
            Source::File { length, .. } => *length,
            Source::Bytes(bytes) => bytes.len() as u64,
        }
    }

    /// Fills `buffer` with the bytes from `offset` on, `count` of them or as many as there are.
    pub fn read_up_to(&self, offset: u64, count: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
        let left = usize::try_from(self.length().saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = count.min(left);
        buffer.clear();
        match self {
            Source::Bytes(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                buffer.extend_from_slice(&bytes[start..start + count]);
            }
            Source::File { file, .. } => {
                buffer.resize(count, 0);
                let filled = read_at_most(file, offset, buffer)?;
                buffer.truncate(filled);
            }
        }
        Ok(())
    }
}

fn read_at_most(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match read_at(file, &mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

/// Says what bytes that are no recording look like.
pub(super) fn looks_like(start: &[u8]) -> String {
    const KNOWN: &[(&[u8], &str)] = &[
        (b"\x1f\x8b", "it is gzip-compressed; unpack it first"),
        (b"\x28\xb5\x2f\xfd", "it is zstd-compressed; unpack it first"),
        (b"\xfd7zXZ", "it is xz-compressed; unpack it first"),
        (b"BZh", "it is bzip2-compressed; unpack it first"),
        (b"PK\x03\x04", "it is a zip archive; unpack it first"),
        (b"\x89PNG", "it is a PNG image"),
        (b"\x7fELF", "it is an executable"),
        (b"SQLite format 3", "it is an SQLite database"),
        (b"version https://git-lfs", "it is a Git LFS pointer; fetch the file itself"),
        (b"sim65", "it is a cc65 program; load it as a rom"),
        (b"S0", "it looks like an S-record ROM; load it as a rom"),
        (b"S1", "it looks like an S-record ROM; load it as a rom"),
        (b":10", "it looks like an Intel HEX ROM; load it as a rom"),
    ];
    if start.is_empty() {
        return "it is empty".to_owned();
    }
    if MAGIC.starts_with(start) {
        return format!("it was cut off after {} bytes", start.len());
    }
    let name =
        |bytes: &[u8]| bytes.len() >= 4 && bytes[0] & 0x7F == MAGIC[0] & 0x7F && bytes[1..4] == MAGIC[1..4];
    if name(start) || start.starts_with(b"\xC2\x8ERRP") || start.starts_with(b"\xEF\xBF\xBDRRP") {
        return "its first bytes were changed as a transfer in text mode does; copy it in binary mode"
            .to_owned();
    }
    if let Some((_, what)) = KNOWN.iter().find(|(magic, _)| start.starts_with(magic)) {
        return (*what).to_owned();
    }
    if start.iter().all(|byte| *byte == 0) {
        return "it begins with zeros only".to_owned();
    }
    if str::from_utf8(start)
        .is_ok_and(|text| text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace()))
    {
        return format!("it is text and begins with \"{}\"", start[..start.len().min(16)].escape_ascii());
    }
    format!("it begins with the bytes {:02x?}", &start[..start.len().min(8)])
}
