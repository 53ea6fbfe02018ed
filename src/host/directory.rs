//! Files for a guest's C library, below one directory and nowhere else.

use super::attach::RequestHost;
use super::error::HostError;
use super::link::errno;
use crate::files::Process;
use crate::nondet::CharRequest;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, OpenOptions};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// errno EBADF: no such descriptor.
const EBADF: i32 = 9;
/// errno EINVAL: no such flags, or nothing that can be a name.
const EINVAL: i32 = 22;
/// errno EMFILE: too many open files.
const EMFILE: i32 = 24;

/// Descriptors 0 to 2 are the console's.
const FIRST_DESCRIPTOR: u16 = 3;
/// One more than the last descriptor.
const DESCRIPTORS_END: u16 = 64;

/// Flags of `open`, as cc65's `fcntl.h` has them.
mod flags {
    pub const ACCESS: u16 = 0x03;
    pub const READ: u16 = 0x01;
    pub const WRITE: u16 = 0x02;
    pub const CREATE: u16 = 0x10;
    pub const TRUNCATE: u16 = 0x20;
    pub const APPEND: u16 = 0x40;
    pub const EXCLUSIVE: u16 = 0x80;
}

/// The directory, and what the guest has opened below it. Neither `..`, nor an absolute name, nor a symbolic link leads
/// out of it.
pub struct Directory {
    root: Dir,
    files: BTreeMap<u16, File>,
    process: Process,
}

impl Directory {
    /// Opens a directory for a guest.
    ///
    /// # Errors
    /// When it is not there, or is none.
    pub fn open(path: &Path) -> Result<Self, HostError> {
        let root = Dir::open_ambient_dir(path, ambient_authority())
            .map_err(|source| HostError::io("open the directory", path, source))?;
        Ok(Self { root, files: BTreeMap::new(), process: Process::this() })
    }

    fn open_file(&mut self, name: &[u8], bits: u16) -> Result<u16, i32> {
        let free = (FIRST_DESCRIPTOR..DESCRIPTORS_END).find(|number| !self.files.contains_key(number));
        let descriptor = free.ok_or(-EMFILE)?;
        let name = std::str::from_utf8(name).map_err(|_| -EINVAL)?;
        if bits & flags::ACCESS == 0 || name.is_empty() {
            return Err(-EINVAL);
        }
        let mut options = OpenOptions::new();
        let append = bits & flags::APPEND != 0;
        options
            .read(bits & flags::READ != 0)
            .write(bits & flags::WRITE != 0 && !append)
            .append(bits & flags::WRITE != 0 && append)
            .truncate(bits & flags::TRUNCATE != 0 && bits & flags::WRITE != 0)
            .create(bits & flags::CREATE != 0 && bits & flags::WRITE != 0)
            .create_new(bits & flags::CREATE != 0 && bits & flags::EXCLUSIVE != 0);
        without_waiting(&mut options);
        let file = self.root.open_with(PathBuf::from(name), &options).map_err(|error| refusal(&error))?;
        self.files.insert(descriptor, file);
        Ok(descriptor)
    }

    fn file(&mut self, descriptor: u16) -> Result<&mut File, i32> {
        self.files.get_mut(&descriptor).ok_or(-EBADF)
    }

    fn answer(&mut self, request: CharRequest<'_>, buffer: &mut [u8]) -> Result<usize, i32> {
        match request {
            CharRequest::Open { path, flags } => {
                let descriptor = self.open_file(path, flags)?;
                give(buffer, &[descriptor as u8])
            }
            CharRequest::Close { descriptor } => self.files.remove(&descriptor).map(|_| 0).ok_or(-EBADF),
            CharRequest::Read { descriptor } => {
                let file = self.file(descriptor)?;
                again(|| file.read(buffer))
            }
            CharRequest::Write { descriptor, bytes } => {
                let file = self.file(descriptor)?;
                let written = again(|| file.write(bytes))?;
                give(buffer, &(written.min(0xFFFF) as u16).to_le_bytes())
            }
            _ => Err(-EINVAL),
        }
    }
}

/// What a guest opens may be a FIFO or a terminal: it is told that there is nothing yet (EAGAIN), and does not wait.
fn without_waiting(options: &mut OpenOptions) {
    #[cfg(unix)]
    {
        use cap_std::fs::OpenOptionsExt;
        use rustix::fs::OFlags;
        options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed());
    }
    #[cfg(not(unix))]
    let _ = options;
}

/// Until it is not a signal that came in between.
fn again(mut attempt: impl FnMut() -> std::io::Result<usize>) -> Result<usize, i32> {
    loop {
        match attempt() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result.map_err(|error| errno(&error)),
        }
    }
}

/// A way out of the directory is refused without a number of the operating system.
fn refusal(error: &std::io::Error) -> i32 {
    const EACCES: i32 = 13;
    if error.raw_os_error().is_none() && error.kind() == ErrorKind::PermissionDenied {
        -EACCES
    } else {
        errno(error)
    }
}

fn give(buffer: &mut [u8], bytes: &[u8]) -> Result<usize, i32> {
    let room = buffer.get_mut(..bytes.len()).ok_or(-EINVAL)?;
    room.copy_from_slice(bytes);
    Ok(bytes.len())
}

impl RequestHost for Directory {
    fn serves(&self) -> &'static str {
        "sim65"
    }

    fn request(&mut self, request: CharRequest<'_>, buffer: &mut [u8]) -> i32 {
        match self.answer(request, buffer) {
            Ok(count) => count as i32,
            Err(error) => error,
        }
    }

    fn process(&self) -> Option<Process> {
        Some(self.process)
    }
}
