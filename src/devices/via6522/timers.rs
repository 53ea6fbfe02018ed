//! T1, T2 and the calendar of the VIA: everything that happens by itself, worked out in closed form.
//!
//! The state holds the counters at cycle `time`. T1 counts N, N-1, ..., 0, FFFF, N, ...: it takes its latch in the
//! cycle after FFFF in both modes, so its period is N + 2. T2 goes on below FFFF; only its low byte takes its latch
//! again, and only while it clocks the shift register, whose edges come two cycles after the low byte has read FF.

use super::shift::T2_TO_EDGE;
use super::{State, Via6522, acr, flag};

impl Via6522 {
    /// Brings everything up to cycle `now`, what happens in it included.
    pub(super) fn synchronize(&mut self, now: u64) {
        if now <= self.state.time {
            return;
        }
        let (t2, t2_shift) = self.state.advance_t2(now);
        let events = [
            (flag::T1, self.state.advance_t1(now)),
            (flag::T2, t2),
            (flag::SR, t2_shift),
            (flag::SR, self.state.advance_shift(now)),
        ];
        self.state.end_pulses(now);
        self.state.time = now;
        let mut enabled_since = None;
        for (flag, at) in events {
            if let Some(at) = at {
                self.state.ifr |= flag;
                if self.state.ier & flag != 0 {
                    enabled_since = Some(enabled_since.map_or(at, |earlier: u64| earlier.min(at)));
                }
            }
        }
        self.state.irq_since = self.state.irq_since.or(enabled_since);
        self.state.follow_inputs();
        if now >= self.next_change {
            self.schedule();
        }
    }

    /// Works out when IFR changes next, and when IRQ falls next.
    pub(super) fn schedule(&mut self) {
        let state = &self.state;
        let events = [
            (flag::T1, state.next_t1_flag()),
            (flag::T2, state.next_t2_flag()),
            (flag::SR, state.next_shift_flag()),
        ];
        self.next_change = u64::MAX;
        self.next_irq = u64::MAX;
        for (flag, at) in events {
            let Some(at) = at.filter(|_| state.ifr & flag == 0) else { continue };
            // In a damaged state an edge may lie before what is worked out already. It comes late, and not for ever anew.
            let at = at.max(state.time.saturating_add(1));
            self.next_change = self.next_change.min(at);
            if state.irq_since.is_none() && state.ier & flag != 0 {
                self.next_irq = self.next_irq.min(at);
            }
        }
    }
}

impl State {
    // -- T1

    fn t1_free_run(&self) -> bool {
        self.acr & acr::T1_FREE_RUN != 0
    }

    /// The next cycle after `time` in which T1 reads FFFF because it has counted down to it.
    fn next_t1_underflow(&self) -> u64 {
        let counts =
            if self.t1_reload { u64::from(self.t1_latch) + 2 } else { u64::from(self.t1_counter) + 1 };
        self.time.saturating_add(counts)
    }

    fn next_t1_flag(&self) -> Option<u64> {
        self.t1_armed.then(|| self.next_t1_underflow())
    }

    /// The first cycle up to `now` in which T1 sets its flag.
    fn advance_t1(&mut self, now: u64) -> Option<u64> {
        let first = self.next_t1_underflow();
        if now < first {
            let counts = now - self.time;
            self.t1_counter = if self.t1_reload {
                self.t1_latch.wrapping_sub((counts - 1) as u16)
            } else {
                self.t1_counter.wrapping_sub(counts as u16)
            };
            self.t1_reload = false;
            return None;
        }
        let period = u64::from(self.t1_latch) + 2;
        let (more, since) = ((now - first) / period, (now - first) % period);
        self.t1_reload = since == 0;
        self.t1_counter = if since == 0 { 0xFFFF } else { self.t1_latch.wrapping_sub((since - 1) as u16) };
        let fires = self.t1_armed;
        self.t1_armed &= self.t1_free_run();
        if self.acr & acr::T1_PB7 != 0 && fires {
            self.t1_pb7 ^= !self.t1_armed || more % 2 == 0;
        }
        fires.then_some(first)
    }

    pub(super) fn set_t1_latch_low(&mut self, value: u8) {
        self.t1_latch = self.t1_latch & 0xFF00 | u16::from(value);
    }

    pub(super) fn set_t1_latch_high(&mut self, value: u8) {
        self.t1_latch = self.t1_latch & 0x00FF | u16::from(value) << 8;
    }

    /// A write of T1C-H.
    pub(super) fn start_t1(&mut self, value: u8) {
        self.set_t1_latch_high(value);
        self.t1_reload = true;
        self.t1_armed = true;
        if self.acr & acr::T1_PB7 != 0 {
            self.t1_pb7 = false;
        }
    }

    // -- T2

    pub(super) fn t2_counts_pulses(&self) -> bool {
        self.acr & acr::T2_PULSES != 0
    }

    /// A write of T2C-H.
    pub(super) fn start_t2(&mut self, value: u8) {
        self.t2_load = Some(u16::from(value) << 8 | u16::from(self.t2_latch_low));
        self.t2_armed = true;
    }

    /// A falling edge on PB6. True when the flag is to be set.
    pub(super) fn count_pulse(&mut self) -> bool {
        if !self.t2_counts_pulses() {
            return false;
        }
        self.t2_counter = self.t2_counter.wrapping_sub(1);
        self.t2_counter == 0xFFFF && std::mem::take(&mut self.t2_armed)
    }

    /// Whether T2's low byte runs with its own period, to clock the shift register.
    fn t2_clocks_shifter(&self) -> bool {
        self.shift_mode().under_t2() && !self.t2_counts_pulses()
    }

    /// `(cycles until T2 counts φ2, value before)` are all that both kinds of underflow need: the counter as it stands, or as it
    /// will be loaded in the next cycle; where it has just begun to count φ2, it stands still in that cycle.
    fn t2_counts(&self) -> (u64, u16) {
        match self.t2_load {
            Some(value) => (1, value),
            None => (self.pending.t2_change.into(), self.t2_counter),
        }
    }

    pub(super) fn t2_shift_period(&self) -> u64 {
        u64::from(self.t2_latch_low) + 2
    }

    /// The next cycle in which the low byte counts from 00 to FF.
    pub(super) fn next_t2_low_underflow(&self) -> Option<u64> {
        let (wait, value) = self.t2_counts();
        self.t2_clocks_shifter().then(|| self.time.saturating_add(wait + u64::from(value & 0xFF) + 1))
    }

    /// Whether T2 counts φ2 in the next cycle although it counts pulses now.
    fn t2_counts_once_more(&self) -> bool {
        self.t2_counts_pulses() && self.pending.t2_change && self.t2_load.is_none()
    }

    fn next_t2_flag(&self) -> Option<u64> {
        if !self.t2_armed {
            return None;
        }
        if self.t2_counts_pulses() {
            return (self.t2_counts_once_more() && self.t2_counter == 0).then_some(self.time + 1);
        }
        let (wait, value) = self.t2_counts();
        Some(match self.next_t2_low_underflow() {
            Some(first) => first.saturating_add(u64::from(value >> 8) * self.t2_shift_period()),
            None => self.time.saturating_add(wait + u64::from(value) + 1),
        })
    }

    /// The first cycles up to `now` in which T2 sets its flag, and in which the shift register that it clocks does.
    fn advance_t2(&mut self, now: u64) -> (Option<u64>, Option<u64>) {
        let flag = self.next_t2_flag().filter(|&at| at <= now);
        if flag.is_some() {
            self.t2_armed = false;
        }
        let underflow = self.next_t2_low_underflow().filter(|&first| first <= now);
        let shifted = self.make_edges(underflow, now);
        if let Some(first) = underflow {
            self.advance_t2_low(first, now);
        } else if self.t2_counts_pulses() {
            self.t2_counter = match self.t2_load {
                Some(value) => value,
                None => self.t2_counter.wrapping_sub(self.t2_counts_once_more().into()),
            };
            self.t2_load = None;
        } else {
            let (wait, value) = self.t2_counts();
            self.t2_counter = value.wrapping_sub((now - self.time - wait) as u16);
            self.t2_load = None;
        }
        self.pending.t2_change = false;
        (flag, shifted)
    }

    /// Low-byte underflows from `first` to `now`: each takes one from the high byte.
    fn advance_t2_low(&mut self, first: u64, now: u64) {
        let period = self.t2_shift_period();
        let (count, since) = ((now - first) / period + 1, (now - first) % period);
        let (_, value) = self.t2_counts();
        let high = (value >> 8).wrapping_sub(count as u16) << 8;
        self.t2_load = None;
        if since == 0 {
            self.t2_counter = high | 0xFF;
            self.t2_load = Some(high | u16::from(self.t2_latch_low));
        } else {
            self.t2_counter = high | u16::from(self.t2_latch_low).wrapping_sub((since - 1) as u16) & 0xFF;
        }
    }

    /// The CB1 edges up to `now`: those on their way, and those of the low-byte underflows from `first` on. Gives the cycle in
    /// which the shift counter is through.
    fn make_edges(&mut self, first: Option<u64>, now: u64) -> Option<u64> {
        let period = self.t2_shift_period();
        let on_their_way = self.edges_on_their_way();
        let old = on_their_way.clone().filter(|&at| at <= now).count() as u64;
        let new_edge = |number: u64| first.map(|first| first + number * period + T2_TO_EDGE);
        let new = match new_edge(0) {
            Some(edge) if edge <= now => (now - edge) / period + 1,
            _ => 0,
        };
        let through = self.clock_shifter(old + new).and_then(|number| {
            on_their_way.clone().nth(number as usize - 1).or_else(|| new_edge(number - 1 - old))
        });
        let later = on_their_way.filter(|&at| at > now);
        let asked_for = (new..).map_while(new_edge).take_while(|&at| at <= now + T2_TO_EDGE);
        self.pending.shift_edges = later.chain(asked_for).fold(0, |bits, at| bits | 1 << (at - now - 1));
        through
    }

    // -- pulses on CA2 and CB2

    fn end_pulses(&mut self, now: u64) {
        if self.ca2_pulse_end != 0 && now >= self.ca2_pulse_end {
            self.ca2_output = true;
            self.ca2_pulse_end = 0;
        }
        if self.cb2_pulse_end != 0 && now >= self.cb2_pulse_end {
            self.cb2_output = true;
            self.cb2_pulse_end = 0;
        }
    }
}
