//! Where a log is written to: a file, memory, or something a test makes up.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::LogError;

/// A place to write a log to.
pub trait Sink: Write + Send {
    /// Cuts what was written down to `length` bytes and writes on from there.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Waits until what was written is safe.
    fn sync(&mut self) -> io::Result<()>;

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

/// A log in a file.
#[derive(Debug)]
struct FileSink(File);

impl Write for FileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Sink for FileSink {
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        use io::{Seek, SeekFrom};
        self.0.set_len(length)?;
        self.0.seek(SeekFrom::Start(length)).map(|_| ())
    }

    fn sync(&mut self) -> io::Result<()> {
        use io::ErrorKind::{InvalidInput, Unsupported};
        match self.0.sync_all() {
            // Pipes and devices have nothing to sync.
            Err(error) if matches!(error.kind(), InvalidInput | Unsupported) => Ok(()),
            result => result,
        }
    }
}

/// Creates the file of a recording with `start`, its first bytes, in it.
///
/// An earlier recording of that name is replaced only once `start` is written, by a rename: when anything fails the
/// earlier one is as it was, nothing new is left behind, and whoever is reading the earlier one goes on reading it.
pub(super) fn create_file(path: &Path, start: &[u8]) -> Result<Box<dyn Sink>, LogError> {
    let target = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Err(LogError::IsDirectory { path: path.to_owned() }),
        Ok(metadata) if metadata.is_file() => {
            if metadata.permissions().readonly() {
                let message = "the file is write-protected".to_owned();
                return Err(LogError::Permission { path: path.to_owned(), operation: "overwrite", message });
            }
            fs::canonicalize(path).map_err(|error| LogError::from_io(path, "overwrite", &error))?
        }
        // A device or a pipe is written to as it is, and never renamed over or removed.
        Ok(_) => return write_special(path, start),
        Err(_) => path.to_owned(),
    };
    check_parent(path, &target)?;
    let (partial, file) =
        create_partial(&target).map_err(|error| LogError::from_io(path, "create", &error))?;
    let mut sink = FileSink(file);
    let written = sink.write_all(start).and_then(|()| fs::rename(&partial, &target));
    if let Err(error) = written {
        // Best effort: the first error is the one to report.
        let _ = fs::remove_file(&partial);
        return Err(LogError::from_io(path, "create", &error));
    }
    Ok(Box::new(sink))
}

fn write_special(path: &Path, start: &[u8]) -> Result<Box<dyn Sink>, LogError> {
    if would_block(path) {
        return Err(LogError::NotAFile { path: path.to_owned() });
    }
    let file = OpenOptions::new().write(true).open(path);
    let mut sink = FileSink(file.map_err(|error| LogError::from_io(path, "open", &error))?);
    sink.write_all(start).map_err(|error| LogError::from_io(path, "write to", &error))?;
    Ok(Box::new(sink))
}

fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn check_parent(path: &Path, target: &Path) -> Result<(), LogError> {
    let parent = parent_of(target);
    match fs::metadata(&parent) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(LogError::from_io(path, "create", &error))
        }
        _ => Err(LogError::NoParent { path: path.to_owned(), parent }),
    }
}

/// Opens a file of an unused name beside the target.
fn create_partial(target: &Path) -> io::Result<(PathBuf, File)> {
    const ATTEMPTS: u32 = 1000;
    let parent = parent_of(target);
    for attempt in 0..ATTEMPTS {
        let partial = parent.join(format!(".rreplay-{}-{attempt}.partial", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&partial) {
            Ok(file) => return Ok((partial, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many unfinished recordings lie in the directory"))
}

/// Whether opening the path could wait for somebody at the other end.
fn would_block(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        fs::metadata(path)
            .is_ok_and(|metadata| metadata.file_type().is_fifo() || metadata.file_type().is_socket())
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}
