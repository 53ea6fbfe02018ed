//! States of a replay that are kept in memory, to go back to.

use crate::machine::Captured;
use crate::memory::Pages;
use crate::snapshot::Composed;
use crate::sync::Shared;
use crate::units::Position;
use std::collections::BTreeMap;

/// Bytes that a page costs: its content, its hash, its reference counts.
const PAGE_BYTES: usize = 256 + 48;
/// Bytes that a keyframe costs beside its pages and parts: the table of pages, and the maps that it stands in.
const MARK_BYTES: usize = 256 * 8 + 512;

/// A state to go back to.
#[derive(Clone, Debug)]
pub struct Keyframe {
    /// Where it is.
    pub position: Position,
    /// Whether it is where a run comes to when it has retired so many instructions; else one comes there later, because
    /// the CPU waits.
    pub is_arrival: bool,
    /// Whether all that is due there is done.
    pub is_settled: bool,
    /// The machine.
    pub machine: Captured,
    /// The state machine, as it saves itself.
    pub replay: Vec<u8>,
}

impl Keyframe {
    /// The state of a recording's snapshot. What is due there is not done.
    pub fn of_snapshot(snapshot: &Composed) -> Self {
        let parts = snapshot.parts().iter().map(|(_, content)| content.clone()).collect();
        Self {
            position: snapshot.position(),
            is_arrival: false,
            is_settled: false,
            machine: Captured::new(parts, snapshot.pages().clone()),
            replay: snapshot.replay().to_vec(),
        }
    }

    /// Whether two are of the same state of machine and log.
    pub fn is_same_state(&self, other: &Keyframe) -> bool {
        self.position == other.position
            && self.machine.parts() == other.machine.parts()
            && self.machine.pages() == other.machine.pages()
            && self.replay == other.replay
    }
}

struct Kept {
    keyframe: Shared<Keyframe>,
    /// When it was last of use.
    used: u64,
    /// What it costs beyond the keyframe before it in the run.
    bytes: usize,
}

/// Keyframes by position, within a budget: those that were of no use for longest go first.
pub struct KeyframeCache {
    kept: BTreeMap<Position, Kept>,
    bytes: usize,
    budget: usize,
    clock: u64,
}

impl KeyframeCache {
    /// No keyframes yet, and room for so many bytes.
    pub fn new(budget: usize) -> Self {
        Self { kept: BTreeMap::new(), bytes: 0, budget, clock: 0 }
    }

    /// How many there are, and an upper bound of their bytes.
    pub fn size(&self) -> (usize, usize) {
        (self.kept.len(), self.bytes)
    }

    /// The last keyframe at or before a position.
    pub fn before(&mut self, position: Position) -> Option<Shared<Keyframe>> {
        self.used(|keyframes| keyframes.range(..=position).next_back().map(|(at, _)| *at))
    }

    /// The last keyframe from which a run comes to where `icount` instructions have just retired.
    pub fn before_arrival(&mut self, icount: u64) -> Option<Shared<Keyframe>> {
        self.used(|keyframes| {
            let until = keyframes.range(..Position::new(icount, 0)).next_back().map(|(at, _)| *at);
            let there = keyframes.range(Position::new(icount, 0)..=Position::new(icount, u64::MAX));
            there.filter(|(_, kept)| kept.keyframe.is_arrival).map(|(at, _)| *at).next().or(until)
        })
    }

    fn used(
        &mut self,
        find: impl FnOnce(&BTreeMap<Position, Kept>) -> Option<Position>,
    ) -> Option<Shared<Keyframe>> {
        let at = find(&self.kept)?;
        self.clock += 1;
        let kept = self.kept.get_mut(&at)?;
        kept.used = self.clock;
        Some(kept.keyframe.clone())
    }

    /// Keeps a keyframe.
    pub fn keep(&mut self, keyframe: Keyframe) {
        let at = keyframe.position;
        if self.kept.contains_key(&at) {
            return;
        }
        self.clock += 1;
        self.kept.insert(at, Kept { keyframe: Shared::new(keyframe), used: self.clock, bytes: 0 });
        self.weigh(at);
        self.weigh_behind(at);
        if self.bytes > self.budget {
            self.shrink();
        }
    }

    /// What a keyframe costs is counted anew: the keyframe before it in the run is another.
    fn weigh(&mut self, at: Position) {
        let before = self.kept.range(..at).next_back().map(|(_, kept)| kept.keyframe.machine.pages().clone());
        let Some(kept) = self.kept.get_mut(&at) else { return };
        let own = own_pages(kept.keyframe.machine.pages(), before.as_ref());
        let bytes =
            MARK_BYTES + kept.keyframe.replay.len() + kept.keyframe.machine.part_bytes() + own * PAGE_BYTES;
        self.bytes = self.bytes + bytes - std::mem::replace(&mut kept.bytes, bytes);
    }

    fn weigh_behind(&mut self, at: Position) {
        let behind = self.kept.range(at..).map(|(other, _)| *other).find(|other| *other > at);
        if let Some(behind) = behind {
            self.weigh(behind);
        }
    }

    /// Drops a quarter of the keyframes, the least used.
    fn shrink(&mut self) {
        let mut by_use: Vec<(u64, Position)> = self.kept.iter().map(|(at, kept)| (kept.used, *at)).collect();
        by_use.sort_unstable();
        // The last one used is what somebody is just about to go on from.
        let dropped = by_use.len().div_ceil(4).min(by_use.len() - 1);
        for (_, at) in &by_use[..dropped] {
            if let Some(kept) = self.kept.remove(at) {
                self.bytes -= kept.bytes;
                self.weigh_behind(*at);
            }
        }
    }
}

/// Pages that are not shared with those of the state before.
fn own_pages(pages: &Pages, before: Option<&Pages>) -> usize {
    match before {
        Some(before) => pages.iter().filter(|(number, _)| !pages.shares(before, *number)).count(),
        None => pages.iter().count(),
    }
}
