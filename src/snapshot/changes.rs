//! What has changed between two snapshots of one recording.
//!
//! Layout, all numbers little-endian: magic `RRSNAP\r\n` (8 bytes), version 3 (u16), identity of board and ROM (16 bytes),
//! icount (u64), cycles (u64), sections as in a whole snapshot but not compressed (the file's frames are), CRC-32 of all
//! before (u32). The section `memory_changes` stands in the place of `memory`: a bit for each page that was written to
//! (32 bytes, page 0 is bit 0 of byte 0), a bit for each page whose content has changed (32 bytes), then those pages. The
//! section `touched`, which version 2 does not have, holds the addresses that were executed, written and read
//! ([`Touched`]).

use super::{MAGIC, SnapshotError, put_sections, take_sections};
use crate::memory::{MEMORY_CHANGES, MemoryChanges, TOUCHED, Touched};
use crate::persist::{Digest, Field, Reader, Sections};
use crate::units::Position;

/// The version of a container that holds changes only.
const VERSION: u16 = 3;
/// The first such version, in which nothing says what was touched.
const UNTOUCHED_VERSION: u16 = 2;

/// What has changed since the snapshot before, or since the recording's start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Changes {
    identity: Digest,
    position: Position,
    sections: Sections,
}

impl Changes {
    /// The changes that led to a position, as the machine and the state machine gave them.
    pub fn new(identity: Digest, position: Position, sections: Sections) -> Self {
        Self { identity, position, sections }
    }

    /// Whether a container holds changes, and no whole snapshot.
    pub fn is_changes(container: &[u8]) -> bool {
        let version = container.strip_prefix(MAGIC).and_then(|rest| rest.first_chunk());
        version.is_some_and(|version| [VERSION, UNTOUCHED_VERSION].contains(&u16::from_le_bytes(*version)))
    }

    /// The hash of board and ROM it belongs to.
    pub fn identity(&self) -> Digest {
        self.identity
    }

    /// Where the machine was.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The saved parts.
    pub fn sections(&self) -> &Sections {
        &self.sections
    }

    /// The container.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = super::start(VERSION, self.identity, self.position);
        put_sections(&self.sections, &mut out);
        crc32fast::hash(&out).put(&mut out);
        out
    }

    /// Reads a container.
    ///
    /// # Errors
    /// When the bytes are no changes, of a later version, or damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let checked = super::checked(bytes)?;
        let mut reader = Reader::new(checked);
        let version = u16::take(&mut reader, "version")?;
        if version != VERSION && version != UNTOUCHED_VERSION {
            return Err(SnapshotError::Version(version));
        }
        let identity = Digest(reader.array("identity")?);
        let position = Position::new(u64::take(&mut reader, "icount")?, u64::take(&mut reader, "cycles")?);
        let sections = take_sections(reader.take(reader.remaining(), "sections")?)?;
        Ok(Self { identity, position, sections })
    }

    /// The memory's changes.
    ///
    /// # Errors
    /// When they do not hold, or are missing.
    pub fn memory(&self) -> Result<MemoryChanges<'_>, SnapshotError> {
        let found = self.sections.iter().find(|(name, _)| name == MEMORY_CHANGES);
        let (_, bytes) =
            found.ok_or_else(|| SnapshotError::Damaged("it says nothing of the memory".to_owned()))?;
        Ok(MemoryChanges::parse(bytes)?)
    }

    /// What was touched since the snapshot before, given what had been touched up to that one. `None` in a container that
    /// does not say.
    ///
    /// # Errors
    /// When it does not hold.
    pub fn touched(&self, before: &Touched) -> Result<Option<Touched>, SnapshotError> {
        let found = self.sections.iter().find(|(name, _)| name == TOUCHED);
        Ok(found.map(|(_, bytes)| Touched::parse(bytes, before)).transpose()?)
    }
}
