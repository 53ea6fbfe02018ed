//! Where a log is written to: a file, memory, or something a test makes up.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::LogError;
use crate::files::{Claim, OwnFile, Whereabouts};

/// A place to write a log to.
pub trait Sink: Write + Send {
    /// Cuts what was written down to `length` bytes and writes on from there.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Waits until what was written is safe.
    fn sync(&mut self) -> io::Result<()>;

    /// Nothing more will be written.
    ///
    /// # Errors
    /// When the log is not found where it belongs.
    fn end(&mut self) -> Result<(), LogError> {
        Ok(())
    }

    /// The bytes written, for a sink that keeps them in memory; they are moved out.
    fn take_bytes(&mut self) -> Option<Vec<u8>> {
        None
    }
}

/// A log in memory.
#[derive(Clone, Debug, Default)]
pub struct MemorySink {
    bytes: Vec<u8>,
}

impl Write for MemorySink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for MemorySink {
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn take_bytes(&mut self) -> Option<Vec<u8>> {
        Some(std::mem::take(&mut self.bytes))
    }
}

/// A file that a log is to be written to, and that is not there yet: what is in its place stays until the log's header
/// is written, or, for one that is [kept back](LogFile::kept_back), until the log is whole.
#[derive(Debug)]
pub struct LogFile {
    file: OwnFile,
    path: PathBuf,
    keeps_back: bool,
}

/// The file of a log, whatever leads to it: what was written is read again by this, also when another file has taken its
/// path.
#[derive(Debug)]
pub struct WrittenFile {
    pub(super) file: Option<File>,
    pub(super) path: PathBuf,
}

impl WrittenFile {
    /// The path at which it was put.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl LogFile {
    /// Makes ready for a recording at `path`. Neither this nor what follows waits for anybody.
    ///
    /// # Errors
    /// A directory, a missing parent, a missing permission, what is no file, and a file that is being recorded into;
    /// nothing is left behind then.
    pub fn beside(path: &Path) -> Result<Self, LogError> {
        let file =
            OwnFile::beside(path, Claim::Recorder).map_err(|error| LogError::from_file(path, error))?;
        Ok(Self { file, path: path.to_owned(), keeps_back: false })
    }

    /// It is put in its place when all is written, and not before.
    #[must_use]
    pub fn kept_back(self) -> Self {
        Self { keeps_back: true, ..self }
    }

    /// To read what will have been written.
    ///
    /// # Errors
    /// The operating system's.
    pub fn written(&self) -> Result<WrittenFile, LogError> {
        let failed = |error| LogError::from_io(&self.path, "open", &error);
        let file = self.file.reader().map_err(failed)?;
        // The program may go to another directory meanwhile.
        Ok(WrittenFile { file, path: std::path::absolute(&self.path).map_err(failed)? })
    }

    /// Writes the log's first bytes, and puts the file in its place unless it is kept back.
    pub(super) fn start(self, start: &[u8]) -> Result<(Box<dyn Sink>, PathBuf), LogError> {
        let Self { file, path, keeps_back } = self;
        let mut sink = FileSink { file, path: path.clone(), length: 0 };
        sink.write_all(start).map_err(|error| LogError::from_io(&path, "create", &error))?;
        if !keeps_back {
            sink.put_in_place()?;
        }
        Ok((Box::new(sink), path))
    }
}

/// A log in a file.
#[derive(Debug)]
struct FileSink {
    file: OwnFile,
    path: PathBuf,
    /// What was written, and must be there when more is.
    length: u64,
}

impl FileSink {
    fn put_in_place(&mut self) -> Result<(), LogError> {
        self.file.put_in_place().map_err(|error| LogError::from_file(&self.path, error))
    }

    /// Somebody else may have emptied the file: what is written after a gap is lost, and nobody would be told.
    fn require_length(&self) -> io::Result<()> {
        match self.file.length()? {
            Some(found) if found != self.length => Err(io::Error::other(format!(
                "another program has changed it while it was recorded into: it has {found} bytes where {} were written",
                self.length
            ))),
            _ => Ok(()),
        }
    }
}

impl Write for FileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.require_length()?;
        let count = self.file.write(bytes)?;
        self.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Sink for FileSink {
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.truncate(length)?;
        self.length = self.length.min(length);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.require_length()?;
        self.file.sync()
    }

    fn end(&mut self) -> Result<(), LogError> {
        self.put_in_place()?;
        let whereabouts = self.file.whereabouts();
        self.file.give_up_claim();
        match whereabouts.map_err(|error| LogError::from_io(&self.path, "find", &error))? {
            Whereabouts::InPlace => Ok(()),
            now => Err(LogError::Displaced { path: self.path.clone(), now }),
        }
    }
}
