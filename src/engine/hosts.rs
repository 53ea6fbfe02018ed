//! What the engine needs of the hosts around a machine.

use crate::events::AsyncEvent;
use crate::nondet::{
    AudioRead, BlockRequest, BlockResult, CharId, CharRequest, CharWritten, ClockKind, NetId, Owner,
    ShutdownCause,
};
use crate::sync::Kick;
use std::time::Duration;

/// errno ENXIO: no such device.
pub const NOTHING_ATTACHED: i32 = 6;

/// The hosts as the vCPU thread sees them: calls that must be answered at once.
pub trait HostCalls: Send {
    /// Reads a host clock, in nanoseconds.
    fn clock(&mut self, kind: ClockKind) -> i64;

    /// Fills `buffer` with entropy; 0 or a negative errno.
    fn random(&mut self, buffer: &mut [u8]) -> i32;

    /// Takes bytes from a character device.
    fn char_write(&mut self, device: CharId, bytes: &[u8]) -> CharWritten;

    /// Fills `buffer` from a character device: the number of bytes, or a negative errno. Nothing is attached unless said
    /// otherwise.
    fn char_read_all(&mut self, _device: CharId, _buffer: &mut [u8]) -> i32 {
        -NOTHING_ATTACHED
    }

    /// Answers a question of a character device with bytes in `buffer` (their number), or a negative errno.
    fn char_request(&mut self, device: CharId, request: CharRequest<'_>, buffer: &mut [u8]) -> i32 {
        match request {
            CharRequest::ReadAll => self.char_read_all(device, buffer),
            _ => -NOTHING_ATTACHED,
        }
    }

    /// Plays samples and returns the number of frames taken. Without a sound card they are taken, and nobody hears them.
    fn audio_out(&mut self, samples: &[i16]) -> u32 {
        samples.len() as u32
    }

    /// Records samples. Without a sound card there is silence.
    fn audio_in(&mut self, samples: &mut [i16]) -> AudioRead {
        samples.fill(0);
        AudioRead { recorded: samples.len() as u32, write_position: 0 }
    }

    /// Sends a packet. Without a network it is lost.
    fn net_send(&mut self, _device: NetId, _flags: u32, _packet: &[u8]) {}

    /// Starts a block request. `Some` when it is through at once; else the [`HostEvents`] brings an
    /// [`AsyncEvent::Block`] with this `id`, later and in any order.
    fn block(&mut self, _id: u64, _owner: Owner, _request: &BlockRequest) -> Option<BlockResult> {
        Some(BlockResult { result: -NOTHING_ATTACHED, data: Vec::new() })
    }

    /// Told at every iteration of the main loop how many bytes of input wait for the guest.
    fn input_waits(&mut self, _bytes: usize) {}

    /// Whether a host has failed in a way that should end the run; asked once after each
    /// [`char_request`](HostCalls::char_request) and [`net_send`](HostCalls::net_send).
    fn has_failed(&mut self) -> bool {
        false
    }

    /// A run begins: the clock of running time goes on.
    fn run_starts(&mut self) {}

    /// A run has ended: the clock of running time stands still.
    fn run_ends(&mut self) {}
}

/// The hosts as the main loop sees them: sources of events.
pub trait HostEvents {
    /// Events that came in since the last call. Called without the replay lock.
    fn poll(&mut self) -> Vec<AsyncEvent>;

    /// A shutdown or reset that the host has asked for since the last call.
    fn shutdown_request(&mut self) -> Option<ShutdownCause> {
        None
    }

    /// Whether more may come by itself: a terminal that is open, a script that still types. While this holds, a
    /// machine that waits for input keeps waiting; else it is halted. A source that ends on another thread kicks the
    /// main loop.
    fn may_deliver(&self) -> bool;

    /// Whether the user wants to stop (Ctrl-C). Called without the replay lock.
    fn interrupted(&mut self) -> bool;

    /// Waits until `kick` is kicked (an event came in, the vCPU has ended), or for as long as polling may rest.
    fn rest(&mut self, kick: &Kick) {
        kick.wait_at_most(Duration::from_millis(5));
    }
}
