//! The shift register of the VIA: eight modes, by ACR bits 4-2.
//!
//! CB1 falls and rises eight times for a byte. Data goes out on CB2 with the falling edge, bit 7 first, and comes round
//! to bit 0; data comes in from CB2 to bit 0 with the rising edge.

use super::{State, flag};

/// CB1 edges in a byte.
pub(super) const EDGES: u8 = 16;

/// Cycles from the one in which T2's low byte reads FF to the edge that it makes.
pub(super) const T2_TO_EDGE: u64 = 2;

/// ACR bits 4-2.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Mode(u8);

impl Mode {
    pub(super) fn disabled(self) -> bool {
        self.0 == 0
    }

    /// Clocked by T2's low byte: 001, 100, 101.
    pub(super) fn under_t2(self) -> bool {
        matches!(self.0, 1 | 4 | 5)
    }

    /// Clocked by φ2: 010, 110.
    pub(super) fn under_phi2(self) -> bool {
        matches!(self.0, 2 | 6)
    }

    /// Clocked from outside: 011, 111, and in the disabled mode.
    fn external(self) -> bool {
        matches!(self.0, 0 | 3 | 7)
    }

    /// 100: never stops, never sets the flag.
    fn free_running(self) -> bool {
        self.0 == 4
    }

    pub(super) fn drives_cb1(self) -> bool {
        !self.external()
    }

    /// Shifts out: 100 to 111.
    pub(super) fn drives_cb2(self) -> bool {
        self.0 & 4 != 0
    }
}

impl State {
    pub(super) fn shift_mode(&self) -> Mode {
        Mode(self.acr >> 2 & 7)
    }

    /// A read or write of SR: counts the next byte. A byte that is on its way goes on; where CB1 is an input, the counter only
    /// counts, and begins anew.
    pub(super) fn start_shifting(&mut self, now: u64) {
        let mode = self.shift_mode();
        if mode.disabled() || mode.free_running() || (self.sr_edges != 0 && !mode.external()) {
            return;
        }
        self.sr_edges = EDGES;
        if !mode.external() {
            self.sr_cb1 = true;
        }
        if mode.under_phi2() {
            self.sr_edge_at = now + 2;
        }
    }

    /// Another mode is chosen, or the chip is reset.
    pub(super) fn stop_shifting(&mut self) {
        self.sr_edges = 0;
        self.sr_edge_at = 0;
        self.pending.shift_edges = 0;
        self.sr_cb1 = true;
        self.sr_cb2 = true;
    }

    /// The next cycle in which the shift register sets its flag without anything from outside.
    pub(super) fn next_shift_flag(&self) -> Option<u64> {
        let last = self.sr_edges.checked_sub(1)?;
        if self.sr_edge_at != 0 {
            return Some(self.sr_edge_at.saturating_add(u64::from(last)));
        }
        let on_their_way = self.edges_on_their_way();
        if let Some(at) = on_their_way.clone().nth(last.into()) {
            return Some(at);
        }
        let more = u64::from(last) - on_their_way.count() as u64;
        let first = self.next_t2_low_underflow()?;
        Some(first.saturating_add(more * self.t2_shift_period() + T2_TO_EDGE))
    }

    /// The cycles of the edges that T2 has asked for.
    pub(super) fn edges_on_their_way(&self) -> impl Iterator<Item = u64> + Clone + use<> {
        let (time, edges) = (self.time, self.pending.shift_edges);
        (0..2).filter(move |bit| edges >> bit & 1 != 0).map(move |bit| time + 1 + bit)
    }

    /// Edges under φ2, one a cycle, up to `now`. Gives the cycle in which the counter is through.
    pub(super) fn advance_shift(&mut self, now: u64) -> Option<u64> {
        while self.sr_edge_at != 0 && self.sr_edge_at <= now {
            let at = self.sr_edge_at;
            self.sr_edge_at = at.saturating_add(1);
            if self.internal_edge() {
                self.sr_edge_at = 0;
                return Some(at);
            }
        }
        None
    }

    /// `count` clocks from T2. Gives the number of the one (from 1) with which the counter is through.
    pub(super) fn clock_shifter(&mut self, count: u64) -> Option<u64> {
        if self.shift_mode().free_running() {
            // 16 edges are one turn of the register and bring everything back, but the first of them may find CB2 at
            // a level from before.
            let turn = u64::from(EDGES);
            for _ in 0..if count < turn { count } else { turn + count % turn } {
                self.edge(!self.sr_cb1);
            }
            return None;
        }
        (1..=count.min(u64::from(self.sr_edges))).find(|_| self.internal_edge())
    }

    /// An edge that the chip makes. True when it was the last.
    fn internal_edge(&mut self) -> bool {
        if self.sr_edges == 0 {
            return false;
        }
        self.edge(!self.sr_cb1);
        self.sr_edges -= 1;
        self.sr_edges == 0
    }

    /// An edge at the CB1 pin, in the modes in which it is an input. True when the flag is to be set. The counter only
    /// counts: the ninth bit goes on shifting, and a byte later the flag is set again.
    pub(super) fn external_shift_edge(&mut self, level: bool) -> bool {
        self.edge(level);
        if self.shift_mode().disabled() {
            return false;
        }
        self.sr_edges = self.sr_edges.checked_sub(1).unwrap_or(EDGES - 1);
        self.sr_edges == 0 && self.ifr & flag::SR == 0
    }

    fn edge(&mut self, level: bool) {
        self.sr_cb1 = level;
        let out = self.shift_mode().drives_cb2();
        if out && !level {
            self.sr_cb2 = self.sr & 0x80 != 0;
            self.sr = self.sr.rotate_left(1);
        } else if !out && level {
            self.sr = self.sr << 1 | u8::from(self.cb2_input);
        }
    }
}
