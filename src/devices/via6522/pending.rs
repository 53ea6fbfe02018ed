//! What has been decided and takes effect a cycle or two later.

use crate::persist::{Field, Persist, PersistError, Reader, Value};

/// Nothing, most of the time: then nothing of it is saved, so that the state has the form of the time before this was known.
#[derive(Clone, Debug, Default)]
pub(super) struct Pending {
    /// ACR5 has changed in the cycle `time`: T2 counts, or does not, as before for one cycle more.
    pub t2_change: bool,
    /// CB1 edges that T2 has asked for: bit 0 is made in the next cycle, bit 1 in the one after it.
    pub shift_edges: u8,
}

impl Persist for Pending {
    fn save(&self, out: &mut Vec<u8>) {
        let bits = self.shift_edges << 1 | u8::from(self.t2_change);
        if bits != 0 {
            bits.put(out);
        }
    }

    fn restore(&mut self, reader: &mut Reader<'_>) -> Result<(), PersistError> {
        if reader.remaining() > 0 {
            let bits = u8::take(reader, "pending")?;
            if !(1..8).contains(&bits) {
                return Err(PersistError::Invalid("pending"));
            }
            (self.t2_change, self.shift_edges) = (bits & 1 != 0, bits >> 1);
        }
        Ok(())
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![("t2_change", self.t2_change.value()), ("shift_edges", self.shift_edges.value())]
    }
}
