//! The last instructions that a replay has come to, for who reports how it went wrong.

use super::ReplayCursor;
use crate::machine::{HookKind, Machine};
use crate::replay::Executed;
use crate::units::Position;
use std::collections::VecDeque;

/// Instructions that are remembered.
const SEEN_MAX: usize = 64;

/// The last instructions that a replay came to while that was noted, oldest first.
#[derive(Default)]
pub(super) struct Trail {
    is_noted: bool,
    seen: VecDeque<Executed>,
}

impl Trail {
    /// Notes what the hooks have seen.
    pub fn note(&mut self, machine: &mut Machine) {
        if !self.is_noted {
            return;
        }
        let hits = machine.take_hits();
        self.seen.extend(hits.iter().map(|hit| executed(machine, hit.at, hit.address)));
        while self.seen.len() > SEEN_MAX {
            self.seen.pop_front();
        }
    }
}

impl ReplayCursor {
    /// From now on every instruction is noted before it is executed, and ends the iteration.
    pub(crate) fn note_trail(&mut self) {
        // Anew, and not only added: hooks remember where they were hit, and the machine may have been put back since.
        self.set_hooks(|machine| {
            machine.hooks_mut().add(HookKind::Execute, 0, u16::MAX);
        });
        self.trail = Trail { is_noted: true, seen: VecDeque::new() };
    }

    /// Ends that; what was noted stays.
    pub(crate) fn end_trail(&mut self) {
        self.unwatch();
        self.trail.is_noted = false;
    }

    /// The last instruction that it has come to; it may not be executed yet.
    pub(crate) fn last_seen(&self) -> Option<&Executed> {
        self.trail.seen.back()
    }

    /// The last `count` instructions noted that began before `end`.
    pub(crate) fn trail(&self, end: Position, count: usize) -> Vec<Executed> {
        let before = self.trail.seen.iter().filter(|seen| seen.position < end);
        let skipped = before.clone().count().saturating_sub(count);
        before.skip(skipped).cloned().collect()
    }
}

fn executed(machine: &Machine, position: Position, pc: u16) -> Executed {
    let instruction = machine.cpu().kind().decode(pc, |address| machine.peek(address));
    let text = instruction.text();
    Executed { position, pc, bytes: instruction.bytes, text }
}
