//! Exact time on the serial line.

use super::super::serial::{LineClock, LineTime};
use proptest::prelude::*;

#[test]
fn characters_in_a_row_do_not_drift() {
    // 10 bits at 9600 baud on a 1 MHz CPU: 1041 and 2/3 cycles.
    let clock = LineClock::new(&[1_843_200]);
    let character = clock.span(160 * 12, 1_843_200, 1_000_000);
    let mut time = LineTime::at(0);
    let mut due = Vec::new();
    for _ in 0..3_000_000 {
        time = clock.add(time, character);
        if due.len() < 3 {
            due.push(time.due());
        }
    }
    assert_eq!(due, [1042, 2084, 3125]);
    assert_eq!(time, LineTime::at(3_125_000_000));
}

#[test]
fn two_clocks_share_one_exact_time() {
    let clock = LineClock::new(&[1_843_200, 1_000_000]);
    let third = clock.span(1, 1_843_200, 614_400);
    let half = clock.span(1, 1_000_000, 500_000);
    let time = clock.add(clock.add(clock.add(LineTime::at(5), third), third), third);
    assert_eq!(time, LineTime::at(6));
    assert_eq!(clock.add(clock.add(time, half), half), LineTime::at(7));
    assert_eq!(clock.add(time, half).due(), 7);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn repetition_in_closed_form_is_repetition(
        ticks in 1u64..40_000,
        hz in 1u64..5_000_000,
        cpu_hz in 1u64..20_000_000,
        start in 0u64..100,
        steps in 0u64..200,
        extra in 0u64..50,
    ) {
        let clock = LineClock::new(&[hz]);
        let span = clock.span(ticks, hz, cpu_hz);
        let start = clock.add(LineTime::at(start), clock.span(1, hz, cpu_hz));
        let mut now = start;
        for _ in 0..steps {
            now = clock.add(now, span);
        }
        // Far enough for `steps` repetitions, and a little more, but never endless.
        let now = now.cycle.min(start.cycle + 1_000_000) + extra.min(span_cycles(&clock, span) * 50);
        let mut slow = start;
        let mut turns = 0;
        while slow.due() <= now && turns < 2_000_000 {
            slow = clock.add(slow, span);
            turns += 1;
        }
        prop_assume!(turns < 2_000_000);
        prop_assert_eq!(clock.repeat_past(start, span, now), slow);
    }
}

/// Whole cycles of a span, by adding it to nothing.
fn span_cycles(clock: &LineClock, span: super::super::serial::Span) -> u64 {
    clock.add(LineTime::at(0), span).cycle
}
