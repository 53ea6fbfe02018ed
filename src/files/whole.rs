//! Files that are written in one go.

use super::{Claim, FileError, OwnFile};
use std::io::Write;
use std::path::Path;

/// Writes a whole file, in the place of an earlier one once all is written.
///
/// # Errors
/// The same as [`OwnFile::beside`] and [`OwnFile::put_in_place`]; what was there is as it was then.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut file = OwnFile::beside(path, Claim::Host)?;
    file.write_all(bytes).map_err(FileError::io("write"))?;
    file.put_in_place()
}
