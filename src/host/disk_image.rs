//! A disk on a raw image: sector after sector, 512 bytes each.

use super::attach::DiskHost;
use super::error::HostError;
use super::link::errno;
use crate::files::{OwnFile, Process, Wanted};
use crate::nondet::{BlockRequest, BlockResult};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// What a disk needs, for those who name something else.
const NEEDED: &str = "a disk image is an ordinary file of whole sectors: copy it to one first";

/// Bytes of a sector.
const SECTOR: usize = 512;
/// errno EINVAL: sectors after the end.
const EINVAL: i32 = 22;
/// The most sectors that one request may ask for: what a log carries in one event.
const REQUEST_SECTORS_MAX: u64 = 2048;

/// A disk image. What a guest writes stays in memory, unless the image was opened to be written.
pub struct DiskImage {
    file: OwnFile,
    sectors: u64,
    writes_through: bool,
    /// Sectors that were written and that the file does not have.
    written: BTreeMap<u64, Box<[u8; SECTOR]>>,
}

impl DiskImage {
    /// Opens an image; `writable` lets the guest change the file.
    ///
    /// # Errors
    /// A file that cannot be opened, is no ordinary file, is empty or holds no whole number of sectors; one that is being
    /// recorded into and is to be written.
    pub fn open(path: &Path, writable: bool) -> Result<Self, HostError> {
        let what = if writable { "write" } else { "read" };
        let opened = if writable {
            OwnFile::open(path, OpenOptions::new().read(true).write(true), Wanted::File)
        } else {
            OwnFile::open_to_read(path, Wanted::File)
        };
        let (file, _) = opened.map_err(|error| HostError::file(what, path, NEEDED, error))?;
        let bytes = file.length().map_err(|source| HostError::io(what, path, source))?.unwrap_or(0);
        if bytes == 0 || !bytes.is_multiple_of(SECTOR as u64) {
            return Err(HostError::Sectors { path: path.to_owned(), bytes });
        }
        let sectors = bytes / SECTOR as u64;
        Ok(Self { file, sectors, writes_through: writable, written: BTreeMap::new() })
    }

    fn is_inside(&self, sector: u64, count: u64) -> bool {
        count <= REQUEST_SECTORS_MAX && sector.checked_add(count).is_some_and(|end| end <= self.sectors)
    }

    fn read(&mut self, sector: u64, count: u64) -> std::io::Result<Vec<u8>> {
        let mut data = vec![0; count as usize * SECTOR];
        self.file.seek(SeekFrom::Start(sector * SECTOR as u64))?;
        self.file.read_exact(&mut data)?;
        for (&at, written) in self.written.range(sector..sector + count) {
            let offset = (at - sector) as usize * SECTOR;
            data[offset..offset + SECTOR].copy_from_slice(&written[..]);
        }
        Ok(data)
    }

    fn write(&mut self, sector: u64, data: &[u8]) -> std::io::Result<()> {
        if self.writes_through {
            self.file.seek(SeekFrom::Start(sector * SECTOR as u64))?;
            return self.file.write_all(data);
        }
        let (sectors, _) = data.as_chunks::<SECTOR>();
        self.written.extend((sector..).zip(sectors.iter().map(|sector| Box::new(*sector))));
        Ok(())
    }

    fn carry_out(&mut self, request: &BlockRequest) -> std::io::Result<BlockResult> {
        let done = |data: Vec<u8>, bytes: usize| BlockResult { result: bytes as i32, data };
        let outside = BlockResult { result: -EINVAL, data: Vec::new() };
        Ok(match request {
            &BlockRequest::Read { sector, count } if self.is_inside(sector, count.into()) => {
                let data = self.read(sector, count.into())?;
                let bytes = data.len();
                done(data, bytes)
            }
            BlockRequest::Write { sector, data }
                if data.len().is_multiple_of(SECTOR)
                    && self.is_inside(*sector, (data.len() / SECTOR) as u64) =>
            {
                self.write(*sector, data)?;
                done(Vec::new(), data.len())
            }
            BlockRequest::Flush => {
                if self.writes_through {
                    self.file.sync()?;
                }
                done(Vec::new(), 0)
            }
            BlockRequest::Read { .. } | BlockRequest::Write { .. } => outside,
        })
    }
}

impl DiskHost for DiskImage {
    fn request(&mut self, request: &BlockRequest) -> BlockResult {
        self.carry_out(request)
            .unwrap_or_else(|error| BlockResult { result: errno(&error), data: Vec::new() })
    }

    fn process(&self) -> Option<Process> {
        Some(self.file.process())
    }
}
