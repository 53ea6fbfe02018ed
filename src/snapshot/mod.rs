//! Snapshots: a machine's state at one position, in a container that says what it is.
//!
//! Layout, all numbers little-endian: magic `RRSNAP\r\n` (8 bytes), version (u16), identity of board and ROM (16 bytes),
//! icount (u64), cycles (u64), length of the body before compression (u32), body (zlib), CRC-32 of all before (u32).
//! The body is a list of sections: name (u16 length, UTF-8), content (u32 length, bytes).

mod changes;
mod composed;

pub use changes::Changes;
pub use composed::{Composed, Composer, TouchedSet, recorded};

use crate::persist::{Digest, Field, PersistError, Reader, Sections};
use crate::sync::{Lazy, Shared};
use crate::units::Position;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use std::io::{Read, Write};

const MAGIC: &[u8; 8] = b"RRSNAP\r\n";
const VERSION: u16 = 1;
/// The highest version of a container.
const VERSIONS: u16 = 3;
/// The largest body that is believed: 64 KiB of RAM and all devices have room many times over.
const BODY_BYTES_MAX: usize = 16 << 20;
const SECTIONS_MAX: usize = 1024;

/// Bytes that are no snapshot, or not a whole one.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SnapshotError {
    /// They begin otherwise.
    #[error("these bytes are no snapshot: they do not begin with the snapshot magic")]
    NotASnapshot,
    /// A later version wrote them.
    #[error(
        "the snapshot has version {0}, and version {VERSION} is wanted here: a later one needs a later rreplay, and one \
         of version 2 or 3 needs the recording that it stands in"
    )]
    Version(u16),
    /// They were cut off or changed.
    #[error("the snapshot is damaged: {0}")]
    Damaged(String),
}

impl From<PersistError> for SnapshotError {
    fn from(error: PersistError) -> Self {
        SnapshotError::Damaged(error.to_string())
    }
}

/// A machine's state at one position. Immutable; a clone is a reference count.
#[derive(Clone, Debug)]
pub struct Snapshot(Shared<Content>);

#[derive(Debug)]
struct Content {
    identity: Digest,
    position: Position,
    sections: Sections,
    /// Of all of it, once it was asked for.
    digest: Lazy<Digest>,
}

impl PartialEq for Snapshot {
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (&*self.0, &*other.0);
        (one.identity, one.position) == (other.identity, other.position) && one.sections == other.sections
    }
}

impl Eq for Snapshot {}

impl std::hash::Hash for Snapshot {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.digest().hash(state);
    }
}

impl Snapshot {
    /// A snapshot of the machine with that identity (a hash of board and ROM).
    pub fn new(identity: Digest, position: Position, sections: Sections) -> Self {
        Self(Shared::new(Content { identity, position, sections, digest: Lazy::new() }))
    }

    /// The hash of board and ROM it belongs to.
    pub fn identity(&self) -> Digest {
        self.0.identity
    }

    /// Where the machine was.
    pub fn position(&self) -> Position {
        self.0.position
    }

    /// The hash of everything in it.
    pub fn digest(&self) -> Digest {
        let Content { identity, position, sections, digest } = &*self.0;
        *digest.get_or_init(|| {
            // Of the body's bytes, but without a copy of all of them.
            let mut hasher = blake3::Hasher::new();
            hasher.update(&identity.0);
            hasher.update(&position.icount.to_le_bytes()).update(&position.cycles.to_le_bytes());
            each_piece(sections, |piece| {
                hasher.update(piece);
            });
            Digest::from_hash(hasher.finalize())
        })
    }

    /// The saved parts.
    pub fn sections(&self) -> &Sections {
        &self.0.sections
    }

    /// The container.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.packed(Compression::default())
    }

    /// The container for whoever compresses it again.
    pub(crate) fn to_bytes_fast(&self) -> Vec<u8> {
        self.packed(Compression::fast())
    }

    fn packed(&self, level: Compression) -> Vec<u8> {
        let mut body = Vec::new();
        put_sections(&self.0.sections, &mut body);
        let mut out = start(VERSION, self.0.identity, self.0.position);
        (body.len() as u32).put(&mut out);
        let mut encoder = ZlibEncoder::new(out, level);
        encoder.write_all(&body).expect("a vector takes all bytes");
        let mut out = encoder.finish().expect("a vector takes all bytes");
        crc32fast::hash(&out).put(&mut out);
        out
    }

    /// Reads a container.
    ///
    /// # Errors
    /// When the bytes are no snapshot, of a later version, or damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let checked = checked(bytes)?;
        let mut reader = Reader::new(checked);
        let version = u16::take(&mut reader, "version")?;
        if version != VERSION {
            return Err(SnapshotError::Version(version));
        }
        let identity = Digest(reader.array("identity")?);
        let position = Position::new(u64::take(&mut reader, "icount")?, u64::take(&mut reader, "cycles")?);
        let length = u32::take(&mut reader, "length")? as usize;
        let packed = reader.take(reader.remaining(), "body")?;
        let sections = take_sections(&unpack(packed, length)?)?;
        Ok(Self::new(identity, position, sections))
    }
}

/// What every container begins with.
fn start(version: u16, identity: Digest, position: Position) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    version.put(&mut out);
    identity.0.put(&mut out);
    position.icount.put(&mut out);
    position.cycles.put(&mut out);
    out
}

/// What stands between a container's magic and its checksum, which is right.
fn checked(bytes: &[u8]) -> Result<&[u8], SnapshotError> {
    if !bytes.starts_with(MAGIC) {
        return Err(SnapshotError::NotASnapshot);
    }
    let Some((checked, crc)) = bytes.split_last_chunk::<4>() else {
        return Err(SnapshotError::Damaged("it is too short".to_owned()));
    };
    // A later version may end otherwise.
    let version = checked.get(MAGIC.len()..MAGIC.len() + 2).and_then(|version| version.try_into().ok());
    if let Some(version) = version.map(u16::from_le_bytes)
        && version > VERSIONS
    {
        return Err(SnapshotError::Version(version));
    }
    if crc32fast::hash(checked) != u32::from_le_bytes(*crc) {
        return Err(SnapshotError::Damaged("its checksum is wrong".to_owned()));
    }
    Ok(&checked[MAGIC.len()..])
}

fn unpack(packed: &[u8], length: usize) -> Result<Vec<u8>, SnapshotError> {
    if length > BODY_BYTES_MAX {
        return Err(SnapshotError::Damaged(format!("it claims {length} bytes, more than any machine has")));
    }
    let mut body = Vec::with_capacity(length);
    let read = ZlibDecoder::new(packed).take(length as u64 + 1).read_to_end(&mut body);
    match read {
        Ok(read) if read == length => Ok(body),
        Ok(_) => Err(SnapshotError::Damaged("its body has another length than it says".to_owned())),
        Err(error) => Err(SnapshotError::Damaged(error.to_string())),
    }
}

/// The body, piece by piece.
fn each_piece(sections: &Sections, mut piece: impl FnMut(&[u8])) {
    piece(&(sections.len() as u32).to_le_bytes());
    for (name, content) in sections {
        piece(&(name.len() as u16).to_le_bytes());
        piece(name.as_bytes());
        piece(&(content.len() as u32).to_le_bytes());
        piece(content);
    }
}

fn put_sections(sections: &Sections, out: &mut Vec<u8>) {
    each_piece(sections, |piece| out.extend_from_slice(piece));
}

fn take_sections(body: &[u8]) -> Result<Sections, SnapshotError> {
    let mut reader = Reader::new(body);
    let count = u32::take(&mut reader, "section count")? as usize;
    if count > SECTIONS_MAX {
        return Err(SnapshotError::Damaged(format!("it claims {count} sections")));
    }
    let mut sections = Vec::with_capacity(count);
    for _ in 0..count {
        let length = u16::take(&mut reader, "section name")?;
        let name = String::from_utf8_lossy(reader.take(usize::from(length), "section name")?).into_owned();
        sections.push((name, Vec::take(&mut reader, "section content")?));
    }
    reader.finish()?;
    Ok(sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Snapshot {
        let sections = vec![("cpu".to_owned(), vec![1, 2, 3]), ("memory".to_owned(), vec![0; 5000])];
        Snapshot::new(Digest([7; 16]), Position::new(10, 33), sections)
    }

    #[test]
    fn bytes_and_back() {
        let snapshot = Snapshot::from_bytes(&sample().to_bytes()).unwrap();
        assert_eq!(snapshot, sample());
        assert_eq!(snapshot.sections(), sample().sections());
        assert_eq!(snapshot.position(), Position::new(10, 33));
    }

    #[test]
    fn every_truncation_and_every_flipped_byte_is_an_error() {
        let good = sample().to_bytes();
        for length in 0..good.len() {
            assert!(Snapshot::from_bytes(&good[..length]).is_err(), "cut to {length}");
        }
        for index in 0..good.len() {
            let mut bad = good.clone();
            bad[index] ^= 0x40;
            assert!(Snapshot::from_bytes(&bad).is_err(), "byte {index} flipped");
        }
    }

    #[test]
    fn a_body_that_unpacks_to_more_than_it_says_is_refused() {
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&vec![0; 1 << 20]).unwrap();
        assert!(unpack(&packed.finish().unwrap(), 100).is_err());
    }
}
