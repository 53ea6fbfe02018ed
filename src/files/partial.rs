//! A file beside its place: until it is whole enough to take it, and removed if it never is.

use super::kind::{open, without_waiting};
use super::lock::{claim, release};
use super::own::is_same;
use super::{Claim, FileError, Process, Wanted};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// The name that a file has until it is put in its place.
#[derive(Debug)]
pub(super) struct Partial {
    /// `None` once it is put in its place, or removed.
    name: Option<PathBuf>,
    target: PathBuf,
    /// What is in the place now, claimed so that of several who want it one gets it.
    replaced: Option<Replaced>,
    how: Claim,
}

#[derive(Debug)]
struct Replaced {
    file: File,
    about: Metadata,
    /// Whose claim it is.
    process: Process,
}

impl Drop for Replaced {
    fn drop(&mut self) {
        if self.process.is_this() {
            release(&self.file);
        }
    }
}

impl Partial {
    /// Beside a place where nothing is.
    pub fn new(path: &Path, how: Claim) -> Result<(Self, File), FileError> {
        let target = resolve(path)?;
        let (name, file) = create_beside(&target, None).map_err(FileError::io("create"))?;
        Ok((Self { name: Some(name), target, replaced: None, how }, file))
    }

    /// Beside a file that it is to replace, with that file's permissions.
    pub fn replacing(path: &Path, about: &Metadata, how: Claim) -> Result<(Self, File), FileError> {
        if about.permissions().readonly() {
            return Err(FileError::WriteProtected);
        }
        let target = resolve(path)?;
        let replaced = claim_present(&target, how)?;
        let created = create_beside(&target, Some(&replaced.about));
        let (name, file) = created.map_err(FileError::io("create"))?;
        Ok((Self { name: Some(name), target, replaced: Some(replaced), how }, file))
    }

    /// Returns the file its place, which is returned.
    pub fn put(&mut self) -> Result<PathBuf, FileError> {
        const ATTEMPTS: u32 = 100;
        for _ in 0..ATTEMPTS {
            let Some(name) = &self.name else { return Ok(self.target.clone()) };
            let put = match &self.replaced {
                Some(replaced) if is_same(&self.target, &replaced.about) => fs::rename(name, &self.target),
                Some(_) => Err(io::ErrorKind::AlreadyExists.into()),
                None => put_where_nothing_is(name, &self.target),
            };
            match put {
                Ok(()) => {
                    self.name = None;
                    self.replaced = None;
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    // Somebody was quicker: a recorder, or anybody. Of several hosts the last one has its file there.
                    self.replaced = match claim_present(&self.target, self.how) {
                        Ok(_) if self.how == Claim::Recorder => {
                            return Err(FileError::io("create")(taken_meanwhile()));
                        }
                        Ok(present) => Some(present),
                        // Or took away what was there.
                        Err(error) if error.is_not_found() => None,
                        Err(error) => return Err(error),
                    };
                }
                Err(error) => return Err(FileError::io("create")(error)),
            }
        }
        Err(FileError::Busy)
    }

    /// Nothing has come of it. Best effort: there is an error to report already, or nobody to report one to.
    pub fn remove(&mut self) {
        if let Some(name) = self.name.take() {
            let _ = fs::remove_file(name);
        }
    }
}

/// What somebody else has put there meanwhile is not replaced, as it would be by a mere rename.
fn put_where_nothing_is(name: &Path, target: &Path) -> io::Result<()> {
    match rename_to_nothing(name, target) {
        Some(Ok(())) => return Ok(()),
        Some(Err(error)) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
        // There are file systems that cannot do that, and systems that have no such call.
        _ => {}
    }
    match fs::hard_link(name, target) {
        Ok(()) => {
            // Both names lead to the whole file: one too many is no harm.
            let _ = fs::remove_file(name);
            Ok(())
        }
        // There are file systems that have no second names.
        Err(error)
            if error.kind() != io::ErrorKind::AlreadyExists && fs::symlink_metadata(target).is_err() =>
        {
            fs::rename(name, target)
        }
        Err(error) => Err(error),
    }
}

/// A rename that replaces nothing; `None` where there is none. The file is then found under its new name by whoever has
/// it open, as it is not behind a second name.
fn rename_to_nothing(name: &Path, target: &Path) -> Option<io::Result<()>> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        Some(renameat_with(CWD, name, CWD, target, RenameFlags::NOREPLACE).map_err(io::Error::from))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (name, target);
        None
    }
}

fn taken_meanwhile() -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, "another program has just put a file there")
}

/// Opens and claims the file at a place, so that it is the one that is there once it is claimed.
fn claim_present(target: &Path, how: Claim) -> Result<Replaced, FileError> {
    const ATTEMPTS: u32 = 100;
    for _ in 0..ATTEMPTS {
        // Opened for writing: whoever may not change the file may not replace it either.
        let (file, _) = open(target, OpenOptions::new().write(true), Wanted::File).map_err(overwriting)?;
        claim(&file, how)?;
        let about = file.metadata().map_err(FileError::io("overwrite"))?;
        if is_same(target, &about) {
            return Ok(Replaced { file, about, process: Process::this() });
        }
        release(&file);
    }
    Err(FileError::Busy)
}

fn overwriting(error: FileError) -> FileError {
    match error {
        FileError::Io { source, .. } => FileError::Io { operation: "overwrite", source },
        other => other,
    }
}

fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Whether a path ends as only that of a directory does. Its last name would be taken for a file's.
fn names_a_directory(path: &Path) -> bool {
    let text = path.as_os_str().as_encoded_bytes();
    let ends = |byte: u8| std::path::is_separator(byte.into());
    match text {
        [.., before, b'.'] => ends(*before),
        [.., last] => ends(*last),
        [] => false,
    }
}

/// The place that a path leads to, absolute: links are followed, also those to where nothing is yet.
fn resolve(path: &Path) -> Result<PathBuf, FileError> {
    const LINKS_MAX: u32 = 40;
    let failed = FileError::io("create");
    if names_a_directory(path) {
        return Err(FileError::NoParent(path.to_owned()));
    }
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let name = path.file_name().ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?.to_owned();
        let parent = parent_of(&path);
        let directory = match fs::canonicalize(&parent) {
            Ok(directory) if directory.is_dir() => directory,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(failed(error)),
            _ => return Err(FileError::NoParent(parent)),
        };
        let place = directory.join(name);
        match fs::read_link(&place) {
            Ok(link) => path = directory.join(link),
            Err(_) => return Ok(place),
        }
    }
    Err(failed(io::Error::other("too many symbolic links lead on from there")))
}

/// Creates a file of an unused name beside the target. One that replaces another has its permissions from the start:
/// nobody may read the new one who could not read the old one.
fn create_beside(target: &Path, like: Option<&Metadata>) -> io::Result<(PathBuf, File)> {
    const ATTEMPTS: u32 = 1000;
    let parent = parent_of(target);
    for attempt in 0..ATTEMPTS {
        let name = parent.join(format!(".rreplay-{}-{attempt}.partial", std::process::id()));
        let mut options = OpenOptions::new();
        without_waiting(options.read(true).write(true).create_new(true));
        #[cfg(unix)]
        if like.is_some() {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        match options.open(&name) {
            Ok(file) => {
                if let Some(like) = like {
                    make_alike(&file, like);
                }
                return Ok((name, file));
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many unfinished files lie in the directory"))
}

/// Returns a file the permissions of another, and its owner, as far as this user and the file system can.
fn make_alike(file: &File, like: &Metadata) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
        let differs = |own: &Metadata| (own.uid(), own.gid()) != (like.uid(), like.gid());
        if file.metadata().is_ok_and(|own| differs(&own)) {
            let _not_allowed = fchown(file, Some(like.uid()), Some(like.gid()))
                .or_else(|_| fchown(file, None, Some(like.gid())));
        }
        // Bits that make a program run as somebody else are of no use to what is no program.
        let _unknown_there = file.set_permissions(fs::Permissions::from_mode(like.mode() & 0o777));
    }
    #[cfg(not(unix))]
    let _unknown_there = file.set_permissions(like.permissions());
}
