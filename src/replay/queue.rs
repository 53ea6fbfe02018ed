//! The async queue: what came from outside and waits for the one flush point.

use crate::events::AsyncEvent;
use std::collections::VecDeque;

/// First-in first-out queue of async events.
#[derive(Clone, Debug, Default)]
pub struct AsyncQueue {
    events: VecDeque<AsyncEvent>,
}

impl AsyncQueue {
    /// Appends an event.
    pub fn push(&mut self, event: AsyncEvent) {
        self.events.push_back(event);
    }

    /// The oldest event, removed.
    pub fn pop(&mut self) -> Option<AsyncEvent> {
        self.events.pop_front()
    }

    /// Removes the oldest event that the machine itself scheduled (a deferred call, a block completion) and that the
    /// log names. Their data stay the log's.
    pub fn take_matching(&mut self, logged: &AsyncEvent) -> Option<AsyncEvent> {
        let index = self.events.iter().position(|queued| same_request(queued, logged))?;
        self.events.remove(index)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The events that wait, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &AsyncEvent> {
        self.events.iter()
    }
}

fn same_request(queued: &AsyncEvent, logged: &AsyncEvent) -> bool {
    match (queued, logged) {
        (AsyncEvent::Bh { id: a }, AsyncEvent::Bh { id: b })
        | (AsyncEvent::BhOneshot { id: a }, AsyncEvent::BhOneshot { id: b })
        | (AsyncEvent::Block { id: a, .. }, AsyncEvent::Block { id: b, .. }) => a == b,
        _ => false,
    }
}
