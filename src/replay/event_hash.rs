//! A running hash of all events of a log, so that one which is left out, moved or doubled shows at the next digest even
//! if the machine takes no notice of it.

use crate::log::codec::ChunkEncoder;
use crate::log::event::Event;
use crate::persist::{Digest, Field, PersistError, Reader};
use crate::units::Position;

/// Events are hashed in pieces of at least so many bytes: one call of the hash costs as much as some hundred of them.
const PIECE_BYTES: usize = 4096;

/// The running hash (docs/log-format.md, "The events hash").
#[derive(Clone, Debug)]
pub struct EventHash {
    hash: Digest,
    /// Events since the last piece, encoded.
    pending: Vec<u8>,
    encoder: ChunkEncoder,
}

impl EventHash {
    /// The hash of a log that has no event yet; it begins with the identity of its header.
    pub fn starting_with(identity: Digest) -> Self {
        Self { hash: identity, pending: Vec::new(), encoder: ChunkEncoder::new() }
    }

    /// Takes in the container of the snapshot whose event comes next.
    pub fn add_container(&mut self, container: &[u8]) {
        Digest::of(container).0.put(&mut self.pending);
    }

    /// Takes in the next event.
    pub fn add(&mut self, position: Position, event: &Event) {
        position.icount.put(&mut self.pending);
        position.cycles.put(&mut self.pending);
        // As the only event of a chunk: what stands before it in the file has no influence.
        self.encoder.clear();
        self.encoder.push(position, event);
        self.pending.extend_from_slice(self.encoder.raw());
        if self.pending.len() >= PIECE_BYTES {
            self.hash = self.digest();
            self.pending.clear();
        }
    }

    /// The hash of all events so far.
    pub fn digest(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.hash.0).update(&self.pending);
        Digest::from_hash(hasher.finalize())
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        self.hash.0.put(out);
        self.pending.put(out);
    }

    pub(super) fn restore(reader: &mut Reader<'_>) -> Result<Self, PersistError> {
        let hash = Digest(Field::take(reader, "events hash")?);
        Ok(Self { pending: Vec::take(reader, "events hash")?, ..Self::starting_with(hash) })
    }
}
