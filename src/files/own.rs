//! A file that one process writes.

use super::kind::{look, open};
use super::lock::{claim, release};
use super::partial::Partial;
use super::{Claim, FileError, Kind, Process, Wanted};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A file that is written by the process that opened it and by no other: in a forked child every read and write fails,
/// and dropping it changes nothing.
#[derive(Debug)]
pub struct OwnFile {
    file: File,
    place: Place,
    process: Process,
    is_claimed: bool,
}

#[derive(Debug)]
enum Place {
    /// Beside where it belongs, under a name of its own; removed if nothing comes of it.
    Beside(Box<Partial>),
    /// Where it belongs.
    At(PathBuf),
    /// A device, which nobody replaces or removes.
    Device,
}

/// Where a file is that was put in its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whereabouts {
    /// In its place.
    InPlace,
    /// Its place was given to another file, or to none; it has this name now.
    Moved(PathBuf),
    /// As before, and its name cannot be told.
    Elsewhere,
    /// No name leads to it any more.
    Removed,
}

impl OwnFile {
    /// A new file to take the place of whatever is at `path`, and not there yet: what is there stays as it is until
    /// [`put_in_place`](OwnFile::put_in_place), and stays for good when that does not come. Links are followed. A device
    /// is written to as it is.
    ///
    /// # Errors
    /// What cannot be replaced, and what somebody writes whose claim does not go with this one.
    pub fn beside(path: &Path, how: Claim) -> Result<Self, FileError> {
        let found = look(path).map_err(FileError::io("create"))?;
        if let Some((Kind::Device, _)) = found {
            let (file, _) = open(path, OpenOptions::new().write(true), Wanted::FileOrDevice)?;
            return Ok(Self { file, place: Place::Device, process: Process::this(), is_claimed: false });
        }
        let (partial, file) = match found {
            Some((Kind::File, about)) => Partial::replacing(path, &about, how)?,
            Some((kind, _)) => return Err(FileError::Kind(kind)),
            None => Partial::new(path, how)?,
        };
        // Under way from here on: what fails removes it.
        let mut own = Self {
            file,
            place: Place::Beside(Box::new(partial)),
            process: Process::this(),
            is_claimed: false,
        };
        claim(&own.file, how)?;
        own.is_claimed = true;
        Ok(own)
    }

    /// What is at `path`, to be changed as a host does: in place, beside other hosts, and not while a recorder writes it.
    /// `options` must not truncate; see [`truncate`](OwnFile::truncate).
    ///
    /// # Errors
    /// The same as [`open`], and [`FileError::Busy`].
    pub fn open(path: &Path, options: &mut OpenOptions, wanted: Wanted) -> Result<(Self, Kind), FileError> {
        let (file, kind) = open(path, options, wanted)?;
        let is_claimed = kind == Kind::File;
        if is_claimed {
            claim(&file, Claim::Host)?;
        }
        Ok((Self { file, place: Place::At(path.to_owned()), process: Process::this(), is_claimed }, kind))
    }

    /// What is at `path`, to be read.
    ///
    /// # Errors
    /// The same as [`open`].
    pub fn open_to_read(path: &Path, wanted: Wanted) -> Result<(Self, Kind), FileError> {
        let (file, kind) = open(path, OpenOptions::new().read(true), wanted)?;
        let place = Place::At(path.to_owned());
        Ok((Self { file, place, process: Process::this(), is_claimed: false }, kind))
    }

    /// Puts the file where it belongs, in the place of what was there. A second time does nothing.
    ///
    /// # Errors
    /// When somebody else has put a file there meanwhile, or the operating system refuses; what is there stays then.
    pub fn put_in_place(&mut self) -> Result<(), FileError> {
        self.require_own_process().map_err(FileError::io("create"))?;
        if let Place::Beside(partial) = &mut self.place {
            self.place = Place::At(partial.put()?);
        }
        Ok(())
    }

    /// Where the file is now.
    ///
    /// # Errors
    /// The operating system's.
    pub fn whereabouts(&self) -> io::Result<Whereabouts> {
        let Place::At(path) = &self.place else { return Ok(Whereabouts::InPlace) };
        let own = self.file.metadata()?;
        if is_same(path, &own) {
            return Ok(Whereabouts::InPlace);
        }
        if let Some(name) = current_name(&self.file).filter(|name| is_same(name, &own)) {
            return Ok(Whereabouts::Moved(name));
        }
        Ok(if has_a_name(&own) { Whereabouts::Elsewhere } else { Whereabouts::Removed })
    }

    /// A second handle on the file, to read what was written even when its path leads elsewhere; `None` for a device.
    ///
    /// # Errors
    /// The operating system's.
    pub fn reader(&self) -> io::Result<Option<File>> {
        match self.place {
            Place::Device => Ok(None),
            Place::Beside(_) | Place::At(_) => self.file.try_clone().map(Some),
        }
    }

    /// The file's length; `None` for a device.
    ///
    /// # Errors
    /// The operating system's.
    pub fn length(&self) -> io::Result<Option<u64>> {
        match self.place {
            Place::Device => Ok(None),
            Place::Beside(_) | Place::At(_) => self.file.metadata().map(|about| Some(about.len())),
        }
    }

    /// Cuts the file down to `length` bytes and writes on from there; a device stays as it is.
    ///
    /// # Errors
    /// The operating system's; in another process always.
    pub fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.require_own_process()?;
        // What somebody else has cut is not filled up with zeros.
        let Some(now) = self.length()? else { return Ok(()) };
        self.file.set_len(length.min(now))?;
        self.file.seek(SeekFrom::Start(length.min(now))).map(|_| ())
    }

    /// Waits until what was written is safe.
    ///
    /// # Errors
    /// The operating system's; in another process always.
    pub fn sync(&self) -> io::Result<()> {
        use io::ErrorKind::{InvalidInput, Unsupported};
        self.require_own_process()?;
        match self.file.sync_all() {
            // Devices have nothing to sync.
            Err(error) if matches!(error.kind(), InvalidInput | Unsupported) => Ok(()),
            result => result,
        }
    }

    /// Nothing more will be written: others may have the file now.
    pub fn give_up_claim(&mut self) {
        if self.process.is_this() && std::mem::take(&mut self.is_claimed) {
            release(&self.file);
        }
    }

    /// The process that may use it.
    pub fn process(&self) -> Process {
        self.process
    }

    fn require_own_process(&self) -> io::Result<()> {
        if self.process.is_this() {
            return Ok(());
        }
        let message =
            format!("it was opened by {}, and this is {}, forked from it", self.process, Process::this());
        Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
    }
}

impl Write for OwnFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.require_own_process()?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for OwnFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.require_own_process()?;
        self.file.read(buffer)
    }
}

impl Seek for OwnFile {
    fn seek(&mut self, place: SeekFrom) -> io::Result<u64> {
        // The place is one for all who have the file open.
        self.require_own_process()?;
        self.file.seek(place)
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        self.give_up_claim();
        if let Place::Beside(partial) = &mut self.place
            && self.process.is_this()
        {
            partial.remove();
        }
    }
}

/// Whether a path leads to a file that is open.
pub(super) fn is_same(path: &Path, open: &Metadata) -> bool {
    let found = fs::metadata(path);
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        found.is_ok_and(|found| (found.dev(), found.ino()) == (open.dev(), open.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = open;
        found.is_ok()
    }
}

fn has_a_name(open: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        open.nlink() > 0
    }
    #[cfg(not(unix))]
    {
        let _ = open;
        true
    }
}

/// The name under which an open file is found now, where the operating system tells.
fn current_name(file: &File) -> Option<PathBuf> {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = file;
        None
    }
}
