//! The interrupt lines: wired-or of the devices' outputs, cycle by cycle.
//!
//! What a line was in a cycle that is over follows from what the devices drove in it, also when nobody has called them since:
//! each says when its output changes next by itself ([`Device::next_line_change`](crate::devices::Device::next_line_change)).
//! So a poll in the middle of an instruction sees a timer that has just run out, and a line that was released after the
//! poll was held at the poll.

use super::slots::{Slots, Wire};
use crate::bus::POLL_DEPTH;

/// The cycles that a history holds.
const DEPTH: u64 = u8::BITS as u64;

/// The part of a history that the polls at an instruction boundary look at.
pub(super) const POLLED: u8 = (1 << POLL_DEPTH) - 1;

/// One line.
#[derive(Clone, Debug, Default)]
struct Line {
    /// Whether some device holds it in the cycle `Lines::time`, as far as is known.
    held: bool,
    /// The cycles before: bit 0 is the last one, bit 1 the one before it.
    past: u8,
}

impl Line {
    fn pass(&mut self, cycles: u64) {
        let level = if self.held { u8::MAX } else { 0 };
        self.past = match cycles {
            0 => self.past,
            1..DEPTH => self.past << cycles | level >> (DEPTH - cycles),
            _ => level,
        };
    }

    /// The level so many cycles before `Lines::time`.
    fn ago(&self, cycles: u64) -> bool {
        (1..=DEPTH).contains(&cycles) && self.past >> (cycles - 1) & 1 != 0
    }

    /// Has been held for so many cycles, as turns out now.
    fn was_held(&mut self, cycles: u64) {
        self.past |= u8::MAX.checked_shr((DEPTH - cycles.min(DEPTH)) as u32).unwrap_or(0);
    }
}

/// What a device does to its line.
#[derive(Clone, Debug)]
struct Drive {
    wire: Wire,
    held: bool,
    /// The next cycle in which it does the other thing; `u64::MAX` when it goes on.
    change: u64,
}

/// What is saved of the lines.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct SavedLines {
    /// The cycle since which some device holds IRQB.
    pub irq_since: Option<u64>,
    /// Whether some device holds NMIB: the next edge comes after all have released it.
    pub nmi_held: bool,
    /// The cycle of an NMI edge that the CPU has not taken yet.
    pub nmi_edge: Option<u64>,
    /// IRQB in the cycles before, bit 0 in the last one. `None` where `irq_since` says all of it.
    pub irq_past: Option<u8>,
}

/// IRQB and NMIB as the CPU sees them.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    /// All cycles before this one are worked out.
    time: u64,
    irq: Line,
    nmi: Line,
    irq_since: Option<u64>,
    /// The cycle of the first NMI edge that the CPU has not taken yet.
    nmi_edge: Option<u64>,
    /// The next cycle in which a device changes its output by itself.
    next_change: u64,
    /// One for each device.
    drives: Vec<Drive>,
}

impl Lines {
    /// The lines of devices that nobody has listened to before cycle `now`.
    pub fn new(slots: &Slots, now: u64) -> Self {
        let drives =
            slots.iter().map(|slot| Drive { wire: slot.wire, held: false, change: u64::MAX }).collect();
        let mut lines = Self {
            time: now,
            irq: Line::default(),
            nmi: Line::default(),
            irq_since: None,
            nmi_edge: None,
            next_change: u64::MAX,
            drives,
        };
        (0..slots.iter().count()).for_each(|index| {
            lines.hear(index, slots, now);
        });
        lines
    }

    /// The lines as they were saved at cycle `now`, of devices in the state that they had then.
    pub fn restored(saved: &SavedLines, slots: &Slots, now: u64) -> Self {
        let mut lines = Self::new(slots, now);
        lines.irq_since = saved.irq_since;
        lines.nmi_edge = saved.nmi_edge;
        lines.nmi.held = saved.nmi_held;
        lines.irq.past = saved.irq_past.unwrap_or_else(|| past_since(saved.irq_since, now));
        lines
    }

    /// What is to be saved at cycle `now`, up to which everything is worked out.
    pub fn saved(&self, now: u64) -> SavedLines {
        let past = self.irq.past & POLLED;
        SavedLines {
            irq_since: self.irq_since,
            nmi_held: self.nmi.held,
            nmi_edge: self.nmi_edge,
            irq_past: (past != past_since(self.irq_since, now)).then_some(past),
        }
    }

    /// The next cycle in which a line changes by itself: before a device is touched in a later one, [`catch_up`] is due.
    ///
    /// [`catch_up`]: Lines::catch_up
    #[inline]
    pub fn next_change(&self) -> u64 {
        self.next_change
    }

    /// Works out all cycles before `to`, in which nobody has touched a device since it was last heard.
    pub fn catch_up(&mut self, to: u64, slots: &Slots) {
        while self.next_change < to {
            let cycle = self.next_change.max(self.time);
            self.pass(cycle);
            for (drive, slot) in self.drives.iter_mut().zip(slots.iter()) {
                if drive.change <= cycle {
                    drive.held = !drive.held;
                    let next = slot.device.next_line_change(cycle);
                    drive.change = next.map_or(u64::MAX, |next| next.max(cycle + 1));
                }
            }
            self.follow(cycle);
        }
        self.pass(to);
    }

    /// A device was touched in cycle `at`, or at the boundary before it. Returns whether a line has become active.
    pub fn hear(&mut self, index: usize, slots: &Slots, at: u64) -> bool {
        self.catch_up(at, slots);
        let (slot, drive) = (&slots[index], &mut self.drives[index]);
        if slot.wire == Wire::None {
            return false;
        }
        drive.held = slot.irq.is_some();
        drive.change = slot.line_change;
        self.irq_since = slots.iter().filter(|slot| slot.wire == Wire::Irq).filter_map(|slot| slot.irq).min();
        let (irq, nmi) = (self.irq.held, self.nmi.held);
        // A device that acts at boundaries may say that it should have acted before.
        let since = slot.irq.map_or(at, |since| since.min(at));
        self.follow(since);
        let raised = [(&mut self.irq, irq), (&mut self.nmi, nmi)].map(|(line, before)| {
            let raised = line.held && !before;
            if raised {
                line.was_held(self.time.saturating_sub(since));
            }
            raised
        });
        raised[0] || raised[1]
    }

    /// Whether IRQ is held or an NMI edge waits, as the devices stand.
    pub fn are_active(&self) -> bool {
        self.irq.held || self.nmi_edge.is_some()
    }

    /// Whether a CPU that waits at cycle `now` is woken: by what is active, or by what was so in the last cycles before.
    pub fn wake_at(&self, now: u64, cycles_before: u64) -> bool {
        let quiet = now.saturating_sub(self.time).min(DEPTH);
        self.are_active() || (1..=cycles_before).any(|ago| ago > quiet && self.irq.ago(ago - quiet))
    }

    /// See [`Bus::lines_active`](crate::bus::Bus::lines_active).
    #[inline]
    pub fn matter_at(&mut self, now: u64, slots: &Slots) -> bool {
        // Where nothing is held and nothing changes, nothing was held lately either.
        let quiet = !self.are_active() && self.next_change > now && self.irq.past & POLLED == 0;
        !quiet && self.were_active_at(now, slots)
    }

    fn were_active_at(&mut self, now: u64, slots: &Slots) -> bool {
        self.catch_up(now, slots);
        self.are_active() || self.next_change <= now || self.irq.past & POLLED != 0
    }

    /// See [`Bus::irq_at`](crate::bus::Bus::irq_at).
    pub fn irq_at(&mut self, cycle: u64, slots: &Slots) -> bool {
        self.catch_up(cycle, slots);
        if cycle < self.time { self.irq.ago(self.time - cycle) } else { self.driven_in(cycle, Wire::Irq) }
    }

    /// See [`Bus::nmi_at`](crate::bus::Bus::nmi_at).
    pub fn nmi_at(&mut self, cycle: u64, slots: &Slots) -> bool {
        self.catch_up(cycle, slots);
        self.nmi_edge.is_some_and(|edge| edge <= cycle)
            || (cycle == self.time && !self.nmi.held && self.driven_in(cycle, Wire::Nmi))
    }

    /// See [`Bus::acknowledge_nmi`](crate::bus::Bus::acknowledge_nmi).
    pub fn acknowledge_nmi(&mut self, through: u64, slots: &Slots) {
        self.catch_up(through + 1, slots);
        let falls = |&cycle: &u64| {
            let ago = self.time - cycle;
            self.nmi.ago(ago) && !self.nmi.ago(ago + 1)
        };
        self.nmi_edge = (through + 1..self.time).find(falls);
    }

    /// See [`Bus::overlook_nmi`](crate::bus::Bus::overlook_nmi).
    pub fn overlook_nmi(&mut self, first: u64, last: u64, slots: &Slots) {
        self.catch_up(last + 2, slots);
        if self.nmi_edge.is_some_and(|edge| (first..=last).contains(&edge)) {
            self.nmi_edge = self.nmi.ago(self.time - (last + 1)).then_some(last + 1);
        }
    }

    /// Lets the time come to `to` with the lines as they are.
    fn pass(&mut self, to: u64) {
        let cycles = to.saturating_sub(self.time);
        self.irq.pass(cycles);
        self.nmi.pass(cycles);
        self.time += cycles;
    }

    /// Takes over what the devices do in cycle `cycle`.
    fn follow(&mut self, cycle: u64) {
        let held = |wire| self.drives.iter().any(|drive| drive.wire == wire && drive.held);
        self.irq.held = held(Wire::Irq);
        let nmi = held(Wire::Nmi);
        if nmi && !self.nmi.held {
            self.nmi_edge.get_or_insert(cycle);
        }
        self.nmi.held = nmi;
        self.next_change = self.drives.iter().map(|drive| drive.change).min().unwrap_or(u64::MAX);
    }

    /// Whether a line is held in the cycle `time`, with what its devices do by themselves in it.
    fn driven_in(&self, cycle: u64, wire: Wire) -> bool {
        self.drives.iter().any(|drive| drive.wire == wire && (drive.held != (drive.change <= cycle)))
    }
}

/// What the cycles before `now` were of a line that was not held before `since`.
fn past_since(since: Option<u64>, now: u64) -> u8 {
    let mut line = Line::default();
    line.was_held(since.map_or(0, |since| now.saturating_sub(since)));
    line.past & POLLED
}
