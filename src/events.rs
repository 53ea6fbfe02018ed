//! What comes to a machine from outside, and the checkpoints at which its two halves agree on an order.

use crate::nondet::{CharId, Owner};

/// Where the main loop and the vCPU loop agree on an order. The number is the one the log carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Checkpoint {
    ClockWarpStart = 0,
    ClockWarpAccount = 1,
    ResetRequested = 2,
    SuspendRequested = 3,
    ClockVirtual = 4,
    ClockHost = 5,
    ClockVirtualRt = 6,
    Init = 7,
    Reset = 8,
}

/// An event that comes from outside while the guest runs, and waits in the async queue until the one flush point.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum AsyncEvent {
    /// A deferred call of a device; `id` is the icount at scheduling.
    Bh { id: u64 },
    /// A deferred call that happens once and belongs to no device.
    BhOneshot { id: u64 },
    /// One input event of a packet.
    Input(InputEvent),
    /// The end of an input packet.
    InputSync,
    /// Bytes from the host side of a character device.
    CharRead { device: CharId, bytes: Vec<u8> },
    /// A block request has completed with a result (bytes, or a negative errno) and, for reads, its data.
    Block { id: u64, result: i32, data: Vec<u8> },
    /// A packet from the host side of a network device.
    Net { device: u16, flags: u32, bytes: Vec<u8> },
}

impl AsyncEvent {
    /// Whether the machine itself asked for it, so that in play it waits for the log to name it, while what comes from
    /// the host by itself is dropped.
    pub fn was_requested(&self) -> bool {
        matches!(self, AsyncEvent::Bh { .. } | AsyncEvent::BhOneshot { .. } | AsyncEvent::Block { .. })
    }
}

/// An async event on its way to the guest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// What comes.
    pub event: AsyncEvent,
    /// Who asked for it; `None` for what comes by itself.
    pub owner: Option<Owner>,
}

impl From<AsyncEvent> for Delivery {
    fn from(event: AsyncEvent) -> Self {
        Self { event, owner: None }
    }
}

/// One input event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum InputEvent {
    Key { keycode: u16, down: bool },
    Button { button: u8, down: bool },
    Rel { axis: u8, value: i32 },
    Abs { axis: u8, value: i32 },
}
