//! T1, T2 and the calendar of the VIA: everything that happens by itself, worked out in closed form.
//!
//! The state holds the counters at cycle `time`. T1 counts N, N-1, ..., 0, FFFF, N, ...: it takes its latch in the
//! cycle after FFFF in both modes, so its period is N + 2. T2 goes on below FFFF; only its low byte takes its latch
//! again, and only while it clocks the shift register.

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
        (self.t1_free_run() || self.t1_armed).then(|| self.next_t1_underflow())
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
        let fires = self.t1_free_run() || self.t1_armed;
        if self.acr & acr::T1_PB7 != 0 && fires {
            self.t1_pb7 = if self.t1_free_run() { self.t1_pb7 ^ (more % 2 == 0) } else { true };
        }
        if !self.t1_free_run() {
            self.t1_armed = false;
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

    /// A write of T2C-H. A pulse counter has no cycle to wait for.
    pub(super) fn start_t2(&mut self, value: u8) {
        self.t2_load = Some(u16::from(value) << 8 | u16::from(self.t2_latch_low));
        self.t2_armed = true;
        if self.t2_counts_pulses() {
            self.finish_t2_load();
        }
    }

    pub(super) fn finish_t2_load(&mut self) {
        if let Some(value) = self.t2_load.take() {
            self.t2_counter = value;
        }
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

    /// `(cycles until it reads its last value before FFFF or FF, that is 0, plus one; value before)` are all that both
    /// kinds of underflow need: the counter as it stands, or as it will be loaded in the next cycle.
    fn t2_counts(&self) -> (u64, u16) {
        match self.t2_load {
            Some(value) => (1, value),
            None => (0, self.t2_counter),
        }
    }

    fn t2_shift_period(&self) -> u64 {
        u64::from(self.t2_latch_low) + 2
    }

    /// The next cycle in which the low byte counts from 00 to FF.
    pub(super) fn next_t2_low_underflow(&self) -> Option<u64> {
        let (wait, value) = self.t2_counts();
        self.t2_clocks_shifter().then(|| self.time.saturating_add(wait + u64::from(value & 0xFF) + 1))
    }

    fn next_t2_flag(&self) -> Option<u64> {
        if !self.t2_armed || self.t2_counts_pulses() {
            return None;
        }
        let (wait, value) = self.t2_counts();
        Some(match self.next_t2_low_underflow() {
            Some(first) => first.saturating_add(u64::from(value >> 8) * self.t2_shift_period()),
            None => self.time.saturating_add(wait + u64::from(value) + 1),
        })
    }

    /// The first cycles up to `now` in which T2 sets its flag, and in which the shift register that it clocks does.
    fn advance_t2(&mut self, now: u64) -> (Option<u64>, Option<u64>) {
        if self.t2_counts_pulses() {
            return (None, None);
        }
        let flag = self.next_t2_flag().filter(|&at| at <= now);
        if flag.is_some() {
            self.t2_armed = false;
        }
        let shifted = match self.next_t2_low_underflow() {
            Some(first) if first <= now => Some(self.advance_t2_low(first, now)),
            _ => None,
        };
        if shifted.is_none() {
            let (wait, value) = self.t2_counts();
            self.t2_counter = value.wrapping_sub((now - self.time - wait) as u16);
            self.t2_load = None;
        }
        (flag, shifted.flatten())
    }

    /// Low-byte underflows from `first` to `now`: each takes one from the high byte and is a CB1 edge. Gives the cycle
    /// in which the shift counter is through.
    fn advance_t2_low(&mut self, first: u64, now: u64) -> Option<u64> {
        let period = self.t2_shift_period();
        let (count, since) = ((now - first) / period + 1, (now - first) % period);
        let shifted = self.clock_shifter(count).map(|edge| first + (edge - 1) * period);
        let (_, value) = self.t2_counts();
        let high = (value >> 8).wrapping_sub(count as u16) << 8;
        self.t2_load = None;
        if since == 0 {
            self.t2_counter = high | 0xFF;
            self.t2_load = Some(high | u16::from(self.t2_latch_low));
        } else {
            self.t2_counter = high | u16::from(self.t2_latch_low).wrapping_sub((since - 1) as u16) & 0xFF;
        }
        shifted
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
