//! Events to bytes and back, one chunk at a time (docs/log-format.md, "Events").
//!
//! An event is one byte with its kind, the form of its place and one bit for its short form; then its place as deltas;
//! then what it carries. Deltas refer to earlier events of the same chunk only, so that each chunk decodes alone.
//!
//! The encoding is canonical: a chunk that decodes gives the same bytes when it is encoded again.

mod decode;
mod encode;

pub use decode::ChunkDecoder;
pub use encode::ChunkEncoder;

use crate::persist::Digest;
use crate::units::Position;

const KIND_MASK: u8 = 0x1F;
const PLACE_SHIFT: u8 = 5;
const SHORT: u8 = 0x80;

/// The event stands where the previous one does.
const PLACE_SAME: u8 = 0;
/// Cycles have passed but no instruction has retired.
const PLACE_WAITED: u8 = 1;
/// Instructions have retired.
const PLACE_RAN: u8 = 2;

/// Cycles an instruction, in 1/256, before anything was seen: three, which is usual for a 6502.
const RATE_START: u64 = 3 * 256;
/// A rate above this is a wait and not a property of the code, so it does not move the estimate.
const RATE_MAX: u64 = 16 * 256;

/// What deltas in a chunk refer to. Starts afresh in every chunk.
#[derive(Clone, Debug)]
struct Reference {
    position: Position,
    rate: u64,
    clocks: [i64; 2],
    char_device: u16,
    block_id: u64,
    digests: Vec<Digest>,
}

impl Reference {
    fn new(first: Position) -> Self {
        Self {
            position: first,
            rate: RATE_START,
            clocks: [0; 2],
            char_device: 0,
            block_id: 0,
            digests: Vec::new(),
        }
    }

    /// The cycles that `instructions` should take, going by the events before (modulo 2^64).
    fn predicted(&self, instructions: u64) -> u64 {
        ((u128::from(instructions) * u128::from(self.rate)) >> 8) as u64
    }

    fn learn(&mut self, instructions: u64, cycles: u64) {
        // A division of 128 bits takes longer than all the rest of an event.
        let seen = match cycles.checked_mul(256) {
            Some(cycles) => u128::from(cycles / instructions),
            None => (u128::from(cycles) << 8) / u128::from(instructions),
        };
        if seen <= u128::from(RATE_MAX) {
            self.rate = (self.rate + seen as u64) / 2;
        }
    }
}

/// What input event it is, as the first number of its payload. A key is its keycode above these, in the same number.
const INPUT_BUTTON: u64 = 0;
const INPUT_REL: u64 = 1;
const INPUT_ABS: u64 = 2;
const INPUT_KEY: u64 = 3;
