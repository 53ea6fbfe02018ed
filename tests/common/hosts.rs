//! Hosts of the toy machine: noise, scripts, and a desk at which other threads type.

use rreplay::engine::{HostCalls, HostEvents};
use rreplay::host::{HostInput, SessionEvents};
use rreplay::log::event::AsyncEvent;
use rreplay::nondet::{BlockRequest, BlockResult, CharId, CharWritten, ClockKind, Owner, ShutdownCause};
use rreplay::sync::{Arc, Kick, Mutex, lock};
use std::collections::VecDeque;

/// Hosts whose answers differ at every call, and between two instances with other seeds.
pub struct NoisyHost(pub u64);

impl NoisyHost {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

impl HostCalls for NoisyHost {
    fn clock(&mut self, _kind: ClockKind) -> i64 {
        self.next().cast_signed()
    }

    fn random(&mut self, buffer: &mut [u8]) -> i32 {
        buffer.iter_mut().for_each(|byte| *byte = self.next() as u8);
        if self.next().is_multiple_of(5) { -5 } else { 0 }
    }

    fn char_write(&mut self, _device: CharId, bytes: &[u8]) -> CharWritten {
        if self.next().is_multiple_of(4) {
            CharWritten { result: -11, offset: 0 }
        } else {
            CharWritten { result: bytes.len() as i32, offset: bytes.len() as u32 }
        }
    }
}

/// A host on which time goes on steadily: 4 us from one look at a clock to the next, which are as many cycles.
#[derive(Default)]
pub struct SteadyHost {
    now_ns: i64,
}

impl HostCalls for SteadyHost {
    fn clock(&mut self, _kind: ClockKind) -> i64 {
        self.now_ns += 4_000;
        self.now_ns
    }

    fn random(&mut self, buffer: &mut [u8]) -> i32 {
        buffer.fill(7);
        0
    }

    fn char_write(&mut self, _device: CharId, bytes: &[u8]) -> CharWritten {
        CharWritten { result: bytes.len() as i32, offset: bytes.len() as u32 }
    }
}

/// A host that panics when it is written to: a bug of ours, in the middle of an instruction and under the lock.
pub struct PanickingHost;

/// What it says.
pub const PANIC: &str = "the host panics on purpose";

impl HostCalls for PanickingHost {
    fn clock(&mut self, _kind: ClockKind) -> i64 {
        1
    }

    fn random(&mut self, _buffer: &mut [u8]) -> i32 {
        0
    }

    fn char_write(&mut self, _device: CharId, _bytes: &[u8]) -> CharWritten {
        // Without the message of `panic!`, of which a model checker would print thousands.
        std::panic::resume_unwind(Box::new(PANIC))
    }
}

/// A host whose disk answers by way of the desk, two requests at a time and the second first.
pub struct SlowDiskHost {
    desk: Desk,
    held: Option<AsyncEvent>,
    other: NoisyHost,
}

impl SlowDiskHost {
    pub fn new(desk: &Desk) -> Self {
        Self { desk: desk.clone(), held: None, other: NoisyHost(1) }
    }
}

impl HostCalls for SlowDiskHost {
    fn clock(&mut self, kind: ClockKind) -> i64 {
        self.other.clock(kind)
    }

    fn random(&mut self, buffer: &mut [u8]) -> i32 {
        self.other.random(buffer)
    }

    fn char_write(&mut self, device: CharId, bytes: &[u8]) -> CharWritten {
        self.other.char_write(device, bytes)
    }

    fn block(&mut self, id: u64, _owner: Owner, _request: &BlockRequest) -> Option<BlockResult> {
        let completion = AsyncEvent::Block { id, result: 1, data: vec![b'A' + id as u8] };
        match self.held.take() {
            Some(held) => {
                self.desk.input.push(completion);
                self.desk.input.push(held);
            }
            None => self.held = Some(completion),
        }
        None
    }
}

/// An event that brings `bytes` to the only character device.
pub fn typed(bytes: &[u8]) -> AsyncEvent {
    AsyncEvent::CharRead { device: CharId(0), bytes: bytes.to_vec() }
}

/// Gives one batch of events at each poll until there are no more.
pub struct Script {
    pub batches: VecDeque<Vec<AsyncEvent>>,
}

impl Script {
    pub fn new(batches: impl IntoIterator<Item = Vec<AsyncEvent>>) -> Self {
        Self { batches: batches.into_iter().collect() }
    }

    pub fn typing(chunks: &[&[u8]]) -> Self {
        Self::new(chunks.iter().map(|bytes| vec![typed(bytes)]))
    }
}

impl HostEvents for Script {
    fn poll(&mut self) -> Vec<AsyncEvent> {
        self.batches.pop_front().unwrap_or_default()
    }

    fn may_deliver(&self) -> bool {
        !self.batches.is_empty()
    }

    fn interrupted(&mut self) -> bool {
        false
    }

    fn rest(&mut self, kick: &Kick) {
        if self.batches.is_empty() {
            kick.wait();
        }
    }
}

/// A place at which other threads type (through the real input of sessions) and press Ctrl-C.
#[derive(Clone)]
pub struct Desk {
    pub input: Arc<HostInput>,
    pub main: Arc<Kick>,
    stop: Arc<Mutex<bool>>,
}

impl Default for Desk {
    fn default() -> Self {
        let main = Arc::new(Kick::default());
        Self { input: Arc::new(HostInput::new(main.clone())), main, stop: Arc::new(Mutex::new(false)) }
    }
}

impl Desk {
    pub fn send(&self, bytes: &[u8]) {
        self.input.send(CharId(0), bytes);
    }

    /// Ctrl-C. Sessions look for it now and then; loom lets no time pass, so here it kicks.
    pub fn stop(&self) {
        *lock(&self.stop) = true;
        self.main.kick();
    }
}

/// The hosts of one run at a [`Desk`].
pub struct DeskEvents<'a> {
    real: SessionEvents<'a>,
    stop: Arc<Mutex<bool>>,
}

impl<'a> DeskEvents<'a> {
    pub fn new(desk: &'a Desk, never: &'a mut dyn FnMut() -> bool) -> Self {
        Self { real: SessionEvents::new(&desk.input, never), stop: desk.stop.clone() }
    }
}

impl HostEvents for DeskEvents<'_> {
    fn poll(&mut self) -> Vec<AsyncEvent> {
        self.real.poll()
    }

    fn shutdown_request(&mut self) -> Option<ShutdownCause> {
        self.real.shutdown_request()
    }

    fn may_deliver(&self) -> bool {
        self.real.may_deliver()
    }

    fn interrupted(&mut self) -> bool {
        // As a signal: whoever has seen it has taken it.
        std::mem::take(&mut *lock(&self.stop))
    }
}
