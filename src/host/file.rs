//! A character device on files.

use super::attach::CharHost;
use super::error::HostError;
use super::link::{Condition, errno, receive};
use crate::nondet::CharWritten;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

/// A character device on two files: one that takes what the guest sends, one that is read to its end.
pub struct FileHost {
    output: Option<File>,
    input: Option<File>,
}

impl FileHost {
    /// Opens the files; `append` keeps what the output file holds already.
    ///
    /// # Errors
    /// A file that cannot be opened or made.
    pub fn open(output: Option<&Path>, append: bool, input: Option<&Path>) -> Result<Self, HostError> {
        let created = output.map(|path| {
            let mut options = OpenOptions::new();
            options.create(true).write(true).append(append).truncate(!append);
            options.open(path).map_err(|source| HostError::io("write", path, source))
        });
        let opened = input.map(|path| File::open(path).map_err(|source| HostError::io("read", path, source)));
        Ok(Self { output: created.transpose()?, input: opened.transpose()? })
    }
}

impl CharHost for FileHost {
    fn write(&mut self, bytes: &[u8]) -> CharWritten {
        let all = CharWritten { result: bytes.len() as i32, offset: bytes.len() as u32 };
        let Some(file) = &mut self.output else { return all };
        match file.write(bytes) {
            Ok(count) => CharWritten { result: count as i32, offset: count as u32 },
            Err(error) => CharWritten { result: errno(&error), offset: 0 },
        }
    }

    fn poll(&mut self) -> Vec<u8> {
        let Some(file) = &mut self.input else { return Vec::new() };
        let (bytes, condition) = receive(file);
        if condition == Condition::Gone {
            self.input = None;
        }
        bytes
    }

    fn is_open(&self) -> bool {
        self.input.is_some()
    }
}
