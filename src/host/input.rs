//! What comes in from other threads: bytes for character devices, typed by a script or a terminal.

use super::attach::Attachments;
use crate::engine::HostEvents;
use crate::events::AsyncEvent;
use crate::nondet::{CharId, ShutdownCause};
use crate::sync::{Arc, Kick, Mutex, lock};
use std::time::Duration;

#[cfg(feature = "shuttle")]
use crate::sync::model::Instant;
#[cfg(not(feature = "shuttle"))]
use std::time::Instant;

/// How often a run looks whether the user wants to stop: well within the 50 ms that Ctrl-C may take.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(10);

/// The most bytes that one event carries: far below what a log allows, far above what is typed at once.
const LONGEST_PIECE: usize = 64 << 10;

#[derive(Debug, Default)]
struct Waiting {
    events: Vec<AsyncEvent>,
    shutdown: Option<ShutdownCause>,
    /// Gates that are open: sources that may bring more by themselves.
    open_gates: usize,
}

/// Input on its way to a machine. Any thread may add to it; the main loop takes it out.
#[derive(Debug)]
pub struct HostInput {
    waiting: Mutex<Waiting>,
    main: Arc<Kick>,
}

impl HostInput {
    /// Input for the machine whose main loop rests on `main`.
    pub fn new(main: Arc<Kick>) -> Self {
        Self { waiting: Mutex::new(Waiting::default()), main }
    }

    /// Adds bytes for a character device. What is long becomes several events, for one of a log has a bound.
    pub fn send(&self, device: CharId, bytes: &[u8]) {
        let piece = |bytes: &[u8]| AsyncEvent::CharRead { device, bytes: bytes.to_vec() };
        lock(&self.waiting).events.extend(bytes.chunks(LONGEST_PIECE).map(piece));
        self.main.kick();
    }

    /// Adds an event of any kind.
    pub fn push(&self, event: AsyncEvent) {
        lock(&self.waiting).events.push(event);
        self.main.kick();
    }

    /// Asks for a shutdown or a reset. Of several before the machine looks, the first counts.
    pub fn shut_down(&self, cause: ShutdownCause) {
        lock(&self.waiting).shutdown.get_or_insert(cause);
        self.main.kick();
    }

    /// Bytes for character devices that the main loop has not taken yet.
    pub fn waiting(&self) -> usize {
        let bytes = |event: &AsyncEvent| match event {
            AsyncEvent::CharRead { bytes, .. } => bytes.len(),
            _ => 0,
        };
        lock(&self.waiting).events.iter().map(bytes).sum()
    }

    /// Opens a gate: while it is open, a machine that waits for input keeps waiting.
    pub fn open_gate(input: &Arc<Self>) -> InputGate {
        lock(&input.waiting).open_gates += 1;
        InputGate(input.clone())
    }

    fn take(&self) -> Vec<AsyncEvent> {
        std::mem::take(&mut lock(&self.waiting).events)
    }

    /// Whether more may come: bytes on their way, or an open gate.
    pub fn may_come(&self) -> bool {
        let waiting = lock(&self.waiting);
        waiting.open_gates > 0 || !waiting.events.is_empty()
    }

    fn is_open(&self) -> bool {
        let waiting = lock(&self.waiting);
        waiting.open_gates > 0
    }
}

/// A source that may bring more; closed when dropped.
#[derive(Debug)]
pub struct InputGate(Arc<HostInput>);

impl Drop for InputGate {
    fn drop(&mut self) {
        lock(&self.0.waiting).open_gates -= 1;
        self.0.main.kick();
    }
}

/// The hosts of one run, as the main loop polls them.
pub struct SessionEvents<'a> {
    input: &'a HostInput,
    attached: Option<&'a Mutex<Attachments>>,
    interrupted: &'a mut dyn FnMut() -> bool,
    last_asked: Instant,
    /// Devices that read at once, and so must be told when nothing more will come.
    readers: &'a [CharId],
    /// Whether more could come when this was last looked at.
    was_open: bool,
}

impl<'a> SessionEvents<'a> {
    /// Polls `input`, and asks `interrupted` about every 10 ms on the thread that runs the main loop.
    #[allow(clippy::disallowed_methods, reason = "paces polling of the operating system; no guest sees it")]
    pub fn new(input: &'a HostInput, interrupted: &'a mut dyn FnMut() -> bool) -> Self {
        let last_asked = Instant::now();
        Self { input, attached: None, interrupted, last_asked, readers: &[], was_open: true }
    }

    /// Polls the hosts of `attached` too. `readers` are the devices that read at once, and so are told when nothing more
    /// will come.
    pub fn with_hosts(mut self, attached: &'a Mutex<Attachments>, readers: &'a [CharId]) -> Self {
        self.attached = Some(attached);
        self.readers = readers;
        self
    }
}

impl HostEvents for SessionEvents<'_> {
    fn poll(&mut self) -> Vec<AsyncEvent> {
        let mut events = self.input.take();
        if let Some(attached) = self.attached {
            events.append(&mut lock(attached).poll());
        }
        let is_open = self.may_deliver();
        if self.was_open && !is_open {
            // No bytes: a program that waits for some looks again, and is told that this was the end.
            let end = |&device: &CharId| AsyncEvent::CharRead { device, bytes: Vec::new() };
            events.extend(self.readers.iter().map(end));
        }
        self.was_open = is_open;
        events
    }

    fn shutdown_request(&mut self) -> Option<ShutdownCause> {
        lock(&self.input.waiting).shutdown.take()
    }

    fn may_deliver(&self) -> bool {
        self.input.is_open() || self.attached.is_some_and(|attached| lock(attached).is_open())
    }

    fn interrupted(&mut self) -> bool {
        if self.last_asked.elapsed() < SIGNAL_INTERVAL {
            return false;
        }
        self.last_asked += self.last_asked.elapsed();
        (self.interrupted)()
    }
}
