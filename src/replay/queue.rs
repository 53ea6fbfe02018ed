//! The async queue: what came from outside, or was asked for, and waits for the one flush point.

use crate::events::{AsyncEvent, Delivery};
use crate::nondet::Owner;
use crate::persist::{Field, PersistError, Reader};
use std::collections::VecDeque;

/// First-in first-out queue of deliveries.
#[derive(Clone, Debug, Default)]
pub struct AsyncQueue {
    deliveries: VecDeque<Delivery>,
}

impl AsyncQueue {
    /// Appends a delivery.
    pub fn push(&mut self, delivery: Delivery) {
        self.deliveries.push_back(delivery);
    }

    /// The oldest delivery, removed.
    pub fn pop(&mut self) -> Option<Delivery> {
        self.deliveries.pop_front()
    }

    /// Removes the oldest request of the machine that the log names, if it is among the `first` ones.
    pub fn take_matching(&mut self, logged: &AsyncEvent, first: usize) -> Option<Delivery> {
        let mut queued = self.deliveries.iter().take(first);
        let index = queued.position(|queued| same_request(&queued.event, logged))?;
        self.deliveries.remove(index)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
    }

    /// Number of deliveries that wait.
    pub fn len(&self) -> usize {
        self.deliveries.len()
    }

    /// What waits, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Delivery> {
        self.deliveries.iter()
    }

    /// The deferred calls that wait, as saved and hashed. Only they are part of the machine's state: what comes from
    /// the host is not there yet, and block requests are kept with their owners elsewhere.
    pub(super) fn save_calls(&self, out: &mut Vec<u8>) {
        let calls = || self.iter().filter_map(|queued| call(&queued.event).zip(queued.owner));
        (calls().count() as u32).put(out);
        for ((oneshot, id), owner) in calls() {
            oneshot.put(out);
            id.put(out);
            owner.0.put(out);
        }
    }

    pub(super) fn restore_calls(reader: &mut Reader<'_>) -> Result<Self, PersistError> {
        let mut queue = Self::default();
        for _ in 0..u32::take(reader, "queued calls")? {
            let oneshot = bool::take(reader, "queued call")?;
            let id = u64::take(reader, "queued call")?;
            let owner = Some(Owner(u16::take(reader, "queued call")?));
            let event = if oneshot { AsyncEvent::BhOneshot { id } } else { AsyncEvent::Bh { id } };
            queue.push(Delivery { event, owner });
        }
        Ok(queue)
    }
}

fn call(event: &AsyncEvent) -> Option<(bool, u64)> {
    match event {
        AsyncEvent::Bh { id } => Some((false, *id)),
        AsyncEvent::BhOneshot { id } => Some((true, *id)),
        _ => None,
    }
}

fn same_request(queued: &AsyncEvent, logged: &AsyncEvent) -> bool {
    match (queued, logged) {
        (AsyncEvent::Bh { id: a }, AsyncEvent::Bh { id: b })
        | (AsyncEvent::BhOneshot { id: a }, AsyncEvent::BhOneshot { id: b }) => a == b,
        _ => false,
    }
}
