//! The real-time clock, from its data sheet.

use super::Bench;
use crate::devices::mc146818::{ALARM, DATA, INDEX, IRQF, PERIODIC, SET, UIP, UPDATE, register};
use crate::nondet::ClockKind;

const SECOND: i64 = 1_000_000_000;
/// Saturday 2026-02-28 23:59:58 UTC.
const LEAVING_FEBRUARY: i64 = 1_772_323_198 * SECOND;

fn get(bench: &mut Bench, cycle: u64, register: u8) -> u8 {
    bench.write(cycle, INDEX, register);
    bench.read(cycle + 1, DATA)
}

fn set(bench: &mut Bench, cycle: u64, register: u8, value: u8) {
    bench.write(cycle, INDEX, register);
    bench.write(cycle + 1, DATA, value);
}

/// Hours, minutes, seconds, day of the week, date, month, year.
fn time(bench: &mut Bench, cycle: u64) -> [u8; 7] {
    [4, 2, 0, 6, 7, 8, 9].map(|register| get(bench, cycle, register))
}

fn at(host: i64) -> Bench {
    let mut bench = Bench::made("mc146818", "");
    bench.host.host_clock = host;
    bench
}

#[test]
fn shows_the_hosts_time_in_decimal_digits() {
    let mut bench = at(LEAVING_FEBRUARY);
    assert_eq!(time(&mut bench, 10), [0x23, 0x59, 0x58, 0x07, 0x28, 0x02, 0x26]);
    bench.host.host_clock += 2 * SECOND;
    assert_eq!(time(&mut bench, 20), [0x00, 0x00, 0x00, 0x01, 0x01, 0x03, 0x26]);
}

#[test]
fn the_calendar_agrees_with_another_one() {
    // Every 29 hours and some, over the whole century; the expected dates are counted up one by one.
    let mut bench = at(0);
    set(&mut bench, 0, register::B, 0x06);
    let (mut year, mut month, mut date) = (0_u8, 1_u8, 1_u8);
    for day in 0..36_525_i64 {
        if day % 5 == 0 || date > 27 {
            bench.host.host_clock = (946_684_800 + day * 86_400 + 45_296) * SECOND;
            let expected = [12, 34, 56, ((day + 6) % 7) as u8 + 1, date, month, year];
            assert_eq!(time(&mut bench, 10), expected, "day {day}");
        }
        let days = match month {
            2 => 28 + u8::from(year.is_multiple_of(4)),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        (date, month) = if date == days { (1, month + 1) } else { (date + 1, month) };
        (month, year) = if month == 13 { (1, year + 1) } else { (month, year) };
    }
}

#[test]
fn twelve_hours_have_a_bit_for_the_afternoon() {
    for (hour, decimal) in [(0, 0x12), (1, 0x01), (11, 0x11), (12, 0x92), (13, 0x81), (23, 0x91)] {
        let mut bench = at((946_684_800 + hour * 3600) * SECOND);
        set(&mut bench, 0, register::B, 0x00);
        assert_eq!(get(&mut bench, 10, register::HOURS), decimal, "hour {hour}");
        set(&mut bench, 20, register::HOURS, decimal);
        set(&mut bench, 30, register::B, 0x06);
        assert_eq!(get(&mut bench, 40, register::HOURS), hour as u8);
    }
}

#[test]
fn stands_still_while_it_is_set_and_goes_on_from_there() {
    let mut bench = at(LEAVING_FEBRUARY + SECOND / 4);
    set(&mut bench, 0, register::B, SET | 0x02);
    bench.host.host_clock += 100 * SECOND;
    assert_eq!(get(&mut bench, 10, register::SECONDS), 0x58);
    assert_eq!(get(&mut bench, 12, register::A) & UIP, 0);
    for (register, value) in [(4, 0x08), (2, 0x15), (0, 0x30), (6, 0x02), (7, 0x31), (8, 0x12), (9, 0x99)] {
        set(&mut bench, 20, register, value);
    }
    set(&mut bench, 30, register::B, 0x02);
    assert_eq!(time(&mut bench, 40), [0x08, 0x15, 0x30, 0x02, 0x31, 0x12, 0x99]);
    // A quarter of the second was gone, and still is.
    bench.host.host_clock += 3 * SECOND / 4 - 1;
    assert_eq!(get(&mut bench, 50, register::SECONDS), 0x30);
    bench.host.host_clock += 1;
    assert_eq!(get(&mut bench, 60, register::SECONDS), 0x31);
    bench.host.host_clock += 86_400 * SECOND;
    assert_eq!(time(&mut bench, 70), [0x08, 0x15, 0x31, 0x03, 0x01, 0x01, 0x00]);
}

#[test]
fn the_first_update_comes_half_a_second_after_the_dividers_are_let_go() {
    let mut bench = at(LEAVING_FEBRUARY);
    set(&mut bench, 0, register::A, 0x76);
    bench.host.host_clock += 10 * SECOND;
    assert_eq!(get(&mut bench, 10, register::SECONDS), 0x58);
    set(&mut bench, 20, register::A, 0x26);
    bench.host.host_clock += SECOND / 2 - 1;
    assert_eq!(get(&mut bench, 30, register::SECONDS), 0x58);
    bench.host.host_clock += 1;
    assert_eq!(get(&mut bench, 40, register::SECONDS), 0x59);
}

#[test]
fn an_update_in_progress_shows_before_the_second_ends() {
    let mut bench = at(LEAVING_FEBRUARY);
    for (part, expected) in [(0, 0), (997_771_999, 0), (997_772_000, UIP), (999_999_999, UIP)] {
        bench.host.host_clock = LEAVING_FEBRUARY + part;
        assert_eq!(get(&mut bench, 10, register::A), 0x26 | expected, "{part} ns");
    }
}

#[test]
fn the_end_of_an_update_interrupts_once_a_second() {
    let mut bench = at(LEAVING_FEBRUARY + SECOND / 2);
    set(&mut bench, 0, register::B, 0x02 | UPDATE);
    get(&mut bench, 5, register::C);
    assert_eq!(bench.device.next_clock_timer(ClockKind::Host), Some(LEAVING_FEBRUARY + SECOND));
    assert_eq!(bench.device.next_clock_timer(ClockKind::VirtualRt), None);
    assert_eq!(bench.device.irq(), None);
    bench.host.host_clock = LEAVING_FEBRUARY + SECOND + 1;
    bench.ring(100);
    assert_eq!(bench.device.irq(), Some(100));
    assert_eq!(bench.device.next_clock_timer(ClockKind::Host), None, "until it is acknowledged");
    assert_eq!(get(&mut bench, 110, register::C), IRQF | UPDATE);
    assert_eq!(bench.device.irq(), None);
    assert_eq!(bench.device.next_clock_timer(ClockKind::Host), Some(LEAVING_FEBRUARY + 2 * SECOND));
}

#[test]
fn the_alarm_rings_at_its_time_and_where_it_does_not_care() {
    for (alarm, after) in [
        ([0x00, 0x00, 0x00], 2),
        ([0xFF, 0xFF, 0xFF], 1),
        ([0x05, 0xC0, 0xFF], 7),
        ([0x58, 0x59, 0x23], 86_400),
        ([0x57, 0xFF, 0xFF], 59),
        ([0x30, 0x15, 0xFF], 932),
    ] {
        let mut bench = at(LEAVING_FEBRUARY);
        for (register, value) in (1..=5).step_by(2).zip(alarm) {
            set(&mut bench, 0, register, value);
        }
        get(&mut bench, 5, register::C);
        set(&mut bench, 10, register::B, 0x02 | ALARM);
        let due = LEAVING_FEBRUARY + after * SECOND;
        assert_eq!(bench.device.next_clock_timer(ClockKind::Host), Some(due), "{alarm:02X?}");
        bench.host.host_clock = due;
        bench.ring(50);
        assert_eq!(bench.device.irq(), Some(50));
        assert_eq!(get(&mut bench, 60, register::C) & ALARM, ALARM);
    }
    let mut bench = at(LEAVING_FEBRUARY);
    set(&mut bench, 0, register::SECONDS_ALARM, 0x77);
    set(&mut bench, 10, register::B, 0x02 | ALARM);
    assert_eq!(bench.device.next_clock_timer(ClockKind::Host), None, "there is no second 77");
}

#[test]
fn the_alarm_flag_is_set_though_nobody_wants_the_interrupt() {
    let mut bench = at(LEAVING_FEBRUARY);
    set(&mut bench, 0, register::SECONDS_ALARM, 0x10);
    set(&mut bench, 2, register::MINUTES_ALARM, 0xFF);
    set(&mut bench, 4, register::HOURS_ALARM, 0xFF);
    get(&mut bench, 6, register::C);
    bench.host.host_clock += 11 * SECOND;
    assert_eq!(get(&mut bench, 10, register::C), UPDATE);
    bench.host.host_clock += 5 * SECOND;
    assert_eq!(get(&mut bench, 20, register::C), UPDATE | ALARM);
    assert_eq!(get(&mut bench, 30, register::C), 0);
}

#[test]
fn the_periodic_interrupt_has_the_rates_of_table_5() {
    // Clock of 32.768 kHz * 100, so that every period is a whole number of cycles.
    for (rate, ticks) in [(1, 128), (2, 256), (3, 4), (6, 32), (9, 256), (15, 16_384)] {
        let mut bench = at(0);
        bench.clock_hz = 3_276_800;
        set(&mut bench, 0, register::A, 0x20);
        set(&mut bench, 0, register::B, 0x02 | PERIODIC);
        set(&mut bench, 10, register::A, 0x20 | rate);
        let due = 11 + ticks * 100;
        assert_eq!(bench.device.next_timer(), Some(due), "rate {rate}");
        bench.run_to(due);
        assert_eq!(bench.device.irq(), Some(due));
        assert_eq!(bench.device.next_timer(), None);
        assert_eq!(get(&mut bench, due + 10, register::C) & (IRQF | PERIODIC), IRQF | PERIODIC);
        assert_eq!(bench.device.next_timer(), Some(due + ticks * 100), "no period is lost or gained");
    }
    let mut bench = at(0);
    set(&mut bench, 0, register::B, 0x02 | PERIODIC);
    set(&mut bench, 10, register::A, 0x20);
    assert_eq!(bench.device.next_timer(), None, "rate 0 is off");
}

#[test]
fn uneven_periods_are_exact_on_average() {
    let mut bench = at(0);
    set(&mut bench, 0, register::B, 0x02 | PERIODIC);
    set(&mut bench, 10, register::A, 0x23);
    let mut due = 0;
    for _ in 0..8192 {
        due = bench.device.next_timer().expect("it is on");
        bench.run_to(due);
        get(&mut bench, due, register::C);
    }
    // 8192 a second at 1 MHz.
    assert_eq!(due, 11 + 1_000_000);
}

#[test]
fn a_reset_takes_the_interrupts_away_and_nothing_else() {
    let mut bench = at(LEAVING_FEBRUARY);
    set(&mut bench, 0, 14, 0xA5);
    set(&mut bench, 2, 63, 0x5A);
    set(&mut bench, 4, register::B, 0x7A);
    get(&mut bench, 6, register::C);
    bench.host.host_clock += SECOND;
    bench.ring(20);
    assert!(bench.device.irq().is_some());
    bench.device.reset(30);
    assert_eq!(bench.device.irq(), None);
    assert_eq!(get(&mut bench, 40, register::B), 0x02);
    assert_eq!(get(&mut bench, 42, register::C), 0);
    assert_eq!(get(&mut bench, 44, 14), 0xA5);
    assert_eq!(get(&mut bench, 46, 63), 0x5A);
    assert_eq!(get(&mut bench, 48, register::D), 0x80);
    assert_eq!(get(&mut bench, 50, register::SECONDS), 0x59);
}
