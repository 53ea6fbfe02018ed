//! What a path leads to, and how it is opened without waiting.

use super::FileError;
use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

/// What a path leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Kind {
    File,
    Directory,
    Fifo,
    Socket,
    Terminal,
    /// A character device, such as `/dev/null`.
    Device,
    /// A block device.
    Disk,
}

impl Kind {
    fn of(about: &Metadata) -> Self {
        let of = about.file_type();
        #[cfg(unix)]
        {
            use std::os::unix::fs::FileTypeExt;
            if of.is_fifo() {
                return Kind::Fifo;
            }
            if of.is_socket() {
                return Kind::Socket;
            }
            if of.is_block_device() {
                return Kind::Disk;
            }
            if of.is_char_device() {
                return Kind::Device;
            }
        }
        if of.is_dir() {
            Kind::Directory
        } else if of.is_file() {
            Kind::File
        } else {
            Kind::Device
        }
    }

    /// As [`of`](Kind::of); a terminal is told from other devices once it is open.
    fn of_open(file: &File) -> io::Result<Self> {
        let kind = Kind::of(&file.metadata()?);
        #[cfg(unix)]
        if kind == Kind::Device && rustix::termios::isatty(file) {
            return Ok(Kind::Terminal);
        }
        Ok(kind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::File => "an ordinary file",
            Kind::Directory => "a directory",
            Kind::Fifo => "a FIFO",
            Kind::Socket => "a socket",
            Kind::Terminal => "a terminal",
            Kind::Device => "a device",
            Kind::Disk => "a block device",
        })
    }
}

/// What may be at a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// An ordinary file.
    File,
    /// An ordinary file, or a device that takes what is written at once, such as `/dev/null`.
    FileOrDevice,
    /// Whatever has bytes or takes them, a FIFO and a terminal too: what is opened does not wait.
    Stream,
}

impl Wanted {
    fn check(self, kind: Kind) -> Result<(), FileError> {
        let fits = match self {
            Wanted::File => kind == Kind::File,
            Wanted::FileOrDevice => matches!(kind, Kind::File | Kind::Device),
            Wanted::Stream => matches!(kind, Kind::File | Kind::Device | Kind::Fifo | Kind::Terminal),
        };
        if fits { Ok(()) } else { Err(FileError::Kind(kind)) }
    }
}

/// What is at a path, links followed; `None` for nothing.
pub(super) fn look(path: &Path) -> io::Result<Option<(Kind, Metadata)>> {
    match fs::metadata(path) {
        Ok(about) => Ok(Some((Kind::of(&about), about))),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Opens what is at a path, and says what it is. Neither this nor a read or write of what is opened waits: a FIFO or a
/// terminal without anything answers `WouldBlock`. `options` must not truncate: what is there may be somebody's.
///
/// # Errors
/// Something else than is wanted, which is then not even opened: to open a FIFO wakes whoever waits at its other end.
pub fn open(path: &Path, options: &mut OpenOptions, wanted: Wanted) -> Result<(File, Kind), FileError> {
    let failed = FileError::io("open");
    if let Some((kind, _)) = look(path).map_err(&failed)? {
        wanted.check(kind)?;
    }
    let file = without_waiting(options).open(path).map_err(&failed)?;
    let kind = Kind::of_open(&file).map_err(&failed)?;
    wanted.check(kind)?;
    Ok((file, kind))
}

/// With flags by which neither a missing other end nor a modem line is waited for, and no terminal becomes the
/// process's own.
pub(super) fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed());
    }
    options
}
