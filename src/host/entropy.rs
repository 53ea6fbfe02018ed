//! Entropy that a test has chosen.

use super::attach::EntropyHost;
use std::collections::VecDeque;

/// Given bytes, and an error when there are no more.
pub struct EntropyBytes {
    bytes: VecDeque<u8>,
    /// errno after their end.
    error: i32,
}

impl EntropyBytes {
    /// Returns `bytes` one after the other, and then fails with `error`, a positive errno.
    pub fn new(bytes: &[u8], error: i32) -> Self {
        Self { bytes: bytes.iter().copied().collect(), error }
    }
}

impl EntropyHost for EntropyBytes {
    fn fill(&mut self, buffer: &mut [u8]) -> i32 {
        if self.bytes.len() < buffer.len() {
            buffer.fill(0);
            return -self.error;
        }
        let count = buffer.len();
        buffer.iter_mut().zip(self.bytes.drain(..count)).for_each(|(to, byte)| *to = byte);
        0
    }
}
