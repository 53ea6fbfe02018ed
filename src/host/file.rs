//! A character device on files, or on what behaves like a line: FIFOs, terminals and other devices.
//!
//! Whatever it is, nothing waits: a FIFO without a reader takes what its buffer holds, one without a writer has nothing
//! yet, and a terminal that is stopped takes nothing.

use super::attach::CharHost;
use super::error::HostError;
use super::link::{Condition, errno, receive};
use crate::files::{Kind, OwnFile, Process, Wanted};
use crate::nondet::CharWritten;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

/// What a character device on files needs, for those who name something else.
const NEEDED: &str =
    "a character device is joined to an ordinary file, a FIFO, a terminal or another character device";

/// A character device on two files: one that takes what the guest sends, one that is read to its end.
pub struct FileHost {
    output: Option<OwnFile>,
    input: Option<Input>,
}

struct Input {
    file: OwnFile,
    kind: Kind,
    /// A FIFO that nobody has opened for writing yet: that nothing comes is not its end.
    awaits_writer: bool,
}

impl FileHost {
    /// Opens the files; `append` keeps what the output file holds already.
    ///
    /// # Errors
    /// A file that cannot be opened or made, or that is a directory, a socket or a block device; an output that is being
    /// recorded into.
    pub fn open(output: Option<&Path>, append: bool, input: Option<&Path>) -> Result<Self, HostError> {
        // The input first: when it is not there, the output keeps what it holds.
        let input = input.map(Input::open).transpose()?;
        let output = output.map(|path| open_output(path, append)).transpose()?;
        Ok(Self { output, input })
    }
}

fn open_output(path: &Path, append: bool) -> Result<OwnFile, HostError> {
    let mut options = OpenOptions::new();
    // A FIFO that is open for both has a reader, so that it need not have another yet.
    options.write(true).read(is_fifo(path)).append(append).create(true);
    let opened = OwnFile::open(path, &mut options, Wanted::Stream);
    let (mut file, kind) = opened.map_err(|error| HostError::file("write", path, NEEDED, error))?;
    if kind == Kind::File && !append {
        file.truncate(0).map_err(|source| HostError::io("write", path, source))?;
    }
    Ok(file)
}

fn is_fifo(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        std::fs::metadata(path).is_ok_and(|about| about.file_type().is_fifo())
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

impl Input {
    fn open(path: &Path) -> Result<Self, HostError> {
        let opened = OwnFile::open_to_read(path, Wanted::Stream);
        let (file, kind) = opened.map_err(|error| HostError::file("read", path, NEEDED, error))?;
        Ok(Self { file, kind, awaits_writer: kind == Kind::Fifo })
    }

    fn poll(&mut self) -> (Vec<u8>, Condition) {
        let mut watched = Watched { file: &mut self.file, would_wait: false };
        let (bytes, condition) = receive(&mut watched);
        // A writer who has written nothing yet holds a reader up; without one a FIFO is at its end at once.
        self.awaits_writer &= bytes.is_empty() && !watched.would_wait;
        (bytes, if self.awaits_writer { Condition::Open } else { condition })
    }
}

/// Notes whether a read would have waited.
struct Watched<'a> {
    file: &'a mut OwnFile,
    would_wait: bool,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer);
        self.would_wait |= read.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        read
    }
}

impl CharHost for FileHost {
    /// What is not taken at once is not taken: the system's buffers are the line's.
    fn write(&mut self, bytes: &[u8]) -> CharWritten {
        let all = CharWritten { result: bytes.len() as i32, offset: bytes.len() as u32 };
        let Some(file) = &mut self.output else { return all };
        loop {
            match file.write(bytes) {
                Ok(count) => return CharWritten { result: count as i32, offset: count as u32 },
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return CharWritten { result: errno(&error), offset: 0 },
            }
        }
    }

    fn poll(&mut self) -> Vec<u8> {
        let Some(input) = &mut self.input else { return Vec::new() };
        let (bytes, condition) = input.poll();
        if condition == Condition::Gone {
            self.input = None;
        }
        bytes
    }

    fn is_open(&self) -> bool {
        self.input.is_some()
    }

    /// Of a file it is known that its bytes are there; at the other end of a line there may be nobody for ever.
    fn is_waited_for(&self) -> bool {
        self.input.as_ref().is_some_and(|input| input.kind == Kind::File)
    }

    fn process(&self) -> Option<Process> {
        let input = self.input.as_ref().map(|input| input.file.process());
        self.output.as_ref().map(OwnFile::process).or(input)
    }
}
