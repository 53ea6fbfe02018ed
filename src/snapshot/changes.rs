//! What has changed between two snapshots of one recording, and how the later one is put together from it.
//!
//! Layout, all numbers little-endian: magic `RRSNAP\r\n` (8 bytes), version 3 (u16), identity of board and ROM (16 bytes),
//! icount (u64), cycles (u64), sections as in a whole snapshot but not compressed (the file's frames are), CRC-32 of all
//! before (u32). The section `memory_changes` stands in the place of `memory`: a bit for each page that was written to
//! (32 bytes, page 0 is bit 0 of byte 0), a bit for each page whose content has changed (32 bytes), then those pages. The
//! section `touched`, which version 2 does not have, holds the addresses that were executed, written and read
//! ([`Touched`]).

use super::{MAGIC, Snapshot, SnapshotError, put_sections, take_sections};
use crate::log::{LogError, LogReader};
use crate::memory::{MEMORY, MEMORY_CHANGES, MemoryChanges, TOUCHED, Touched};
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

    /// The whole snapshot, given the one before.
    ///
    /// # Errors
    /// When the two do not belong together.
    pub fn apply_to(self, before: &Snapshot) -> Result<Snapshot, SnapshotError> {
        let damaged = |what: &str| Err(SnapshotError::Damaged(what.to_owned()));
        if before.identity != self.identity || before.position > self.position {
            return damaged("the snapshot before it is of another machine, or lies behind it");
        }
        let Some((_, memory)) = before.sections.iter().find(|(name, _)| name == MEMORY) else {
            return damaged("the snapshot before it has no memory");
        };
        let mut memory = memory.clone();
        self.memory()?.apply(&mut memory)?;
        let mut memory = Some(memory);
        let mut sections = self.sections;
        sections.retain(|(name, _)| name != TOUCHED);
        for (name, content) in &mut sections {
            if name == MEMORY_CHANGES {
                let Some(memory) = memory.take() else { return damaged("it says two things of the memory") };
                (*name, *content) = (MEMORY.to_owned(), memory);
            }
        }
        Ok(Snapshot::new(self.identity, self.position, sections))
    }
}

/// Why a recording's snapshot cannot be given.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RecordedError {
    /// The file cannot be read there.
    #[error(transparent)]
    Log(#[from] LogError),
    /// What stands there does not hold.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// The snapshot with a number in a recording, put together from the last whole one before it.
///
/// # Errors
/// No snapshot of that number, a file that cannot be read, or snapshots that do not hold.
pub fn recorded(reader: &LogReader, number: u64) -> Result<Snapshot, RecordedError> {
    let mut whole = number;
    let mut snapshot = loop {
        let container = reader.read_snapshot(whole)?;
        if !Changes::is_changes(&container) {
            break Snapshot::from_bytes(&container)?;
        }
        match whole.checked_sub(1) {
            Some(before) => whole = before,
            None => {
                break Changes::from_bytes(&container)?
                    .apply_to(&Snapshot::from_bytes(&reader.header().initial_state)?)?;
            }
        }
    };
    for number in whole + 1..=number {
        snapshot = Changes::from_bytes(&reader.read_snapshot(number)?)?.apply_to(&snapshot)?;
    }
    Ok(snapshot)
}
