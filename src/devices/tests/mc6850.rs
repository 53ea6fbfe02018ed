//! MC6850, from its data sheet. With its clock at 1.8432 MHz and a divide of 64 it runs at 28800 baud: on a 1 MHz CPU
//! a bit is 34.72 cycles.

use super::super::mc6850::status::{CTS, DCD, IRQ, OVRN, RDRF, TDRE};
use super::Bench;
use crate::persist::Value;

const CONTROL: u16 = 0;
const STATUS: u16 = 0;
const DATA: u16 = 1;

/// Divide by 64, 8 bits, 1 stop bit, RTS low, no interrupts.
const POLLED: u8 = 0x16;

fn bench(options: &str, control: u8) -> Bench {
    let mut bench = Bench::made("mc6850", options);
    bench.write(0, CONTROL, 0x03);
    bench.write(0, CONTROL, control);
    bench
}

#[test]
fn the_power_on_reset_lasts_until_the_control_register_is_written() {
    for first in [POLLED, 0x03] {
        let mut bench = Bench::made("mc6850", "");
        assert_eq!(bench.read(0, STATUS), 0, "TDRE is held too");
        bench.write(1, DATA, b'x');
        assert_eq!(bench.read(2, STATUS), 0);
        bench.write(3, CONTROL, first);
        assert_eq!(bench.read(4, STATUS), if first == POLLED { TDRE } else { 0 });
        bench.write(5, CONTROL, POLLED);
        assert_eq!(bench.read(6, STATUS), TDRE);
        assert!(bench.sent().is_empty());
    }
}

#[test]
fn resb_does_not_reach_the_chip() {
    let mut bench = bench("", POLLED);
    bench.write(1, DATA, b'1');
    bench.write(2, DATA, b'2');
    bench.device.reset(10);
    assert_eq!(bench.read(11, STATUS), 0);
    bench.run_to(1000);
    assert_eq!(bench.sent(), b"12");
}

#[test]
fn master_reset_drops_everything_but_the_pins() {
    let mut bench = bench("flow = \"none\"", POLLED);
    bench.line(1, "cts", 1);
    bench.receive(2, b"ab");
    bench.write(3, DATA, b'1');
    bench.write(4, DATA, b'2');
    bench.write(399, DATA, b'3');
    assert_eq!(bench.read(400, STATUS), RDRF | CTS);
    bench.write(401, CONTROL, 0x03);
    assert_eq!(bench.read(402, STATUS), CTS);
    bench.line(403, "cts", 0);
    bench.write(404, CONTROL, POLLED);
    assert_eq!(bench.read(5000, STATUS), TDRE, "the character that was coming in is lost");
    assert_eq!(bench.sent(), b"12");
}

#[test]
fn the_divide_sets_the_bit_time() {
    for (select, divide) in [(0u8, 1u64), (1, 16), (2, 64)] {
        let mut bench = bench("", 0x14 | select);
        bench.write(0, DATA, 1);
        bench.write(0, DATA, 2);
        let exact = 10 * divide * 1_000_000;
        assert_eq!(bench.device.next_timer(), Some(exact.div_ceil(1_843_200)), "divide by {divide}");
    }
}

#[test]
fn the_word_select_sets_bits_parity_and_stop_bits() {
    let words =
        [(11, 0x7F), (11, 0x7F), (10, 0x7F), (10, 0x7F), (11, 0xFF), (10, 0xFF), (11, 0xFF), (11, 0xFF)];
    for (select, (bits, mask)) in (0u8..).zip(words) {
        let mut bench = bench("clock_hz = 640000", select << 2 | 2);
        bench.write(0, DATA, 0xFF);
        bench.write(0, DATA, 0xFF);
        assert_eq!(bench.device.next_timer(), Some(bits * 100), "word select {select}");
        bench.receive(0, &[0xFF]);
        assert_eq!(bench.read(5000, DATA), mask);
        assert_eq!(bench.sent()[0], mask);
    }
}

#[test]
fn a_character_is_received_in_the_middle_of_its_first_stop_bit() {
    // 8 bits, 2 stop bits, 100 cycles a bit.
    let mut bench = bench("clock_hz = 640000", 0x12);
    bench.receive(10, b"ab");
    assert_eq!(bench.read(959, STATUS), TDRE);
    assert_eq!(bench.read(960, STATUS), TDRE | RDRF);
    assert_eq!(bench.read(961, DATA), b'a');
    // The line is free at 1110, then 950 more.
    assert_eq!(bench.read(2059, STATUS), TDRE);
    assert_eq!(bench.read(2060, STATUS), TDRE | RDRF);
}

#[test]
fn a_divide_of_1_samples_between_cycles_of_its_clock() {
    let mut bench = bench("clock_hz = 1000000", 0x14);
    bench.receive(0, b"a");
    assert_eq!(bench.read(9, STATUS), TDRE, "9.5 periods");
    assert_eq!(bench.read(10, STATUS), TDRE | RDRF);
}

#[test]
fn transmit_is_double_buffered() {
    let mut bench = bench("", POLLED);
    bench.write(0, DATA, b'1');
    assert_eq!(bench.read(1, STATUS), TDRE);
    assert_eq!(bench.device.next_timer(), None);
    bench.write(2, DATA, b'2');
    assert_eq!(bench.read(3, STATUS), 0);
    assert_eq!(bench.read(347, STATUS), 0);
    assert_eq!(bench.read(348, STATUS), TDRE, "10 bits are 347.2 cycles");
    assert_eq!(bench.host.written, [(0, b'1'), (348, b'2')]);
}

#[test]
fn overrun_shows_after_the_last_valid_character_is_read() {
    let mut bench = bench("flow = \"none\"", POLLED);
    bench.receive(0, b"abc");
    assert_eq!(bench.read(2000, STATUS), TDRE | RDRF, "b and c are lost, but a has not been read");
    assert_eq!(bench.read(2001, DATA), b'a');
    assert_eq!(bench.read(2002, STATUS), TDRE | RDRF | OVRN, "RDRF stays with the overrun");
    assert_eq!(bench.read(2003, DATA), b'a');
    assert_eq!(bench.read(2004, STATUS), TDRE);
    bench.receive(2005, b"d");
    assert_eq!(bench.read(2400, STATUS), TDRE | RDRF);
    assert_eq!(bench.read(2401, DATA), b'd');
    assert_eq!(bench.read(2402, STATUS), TDRE);
}

#[test]
fn overrun_keeps_the_interrupt() {
    let mut bench = bench("flow = \"none\"", POLLED | 0x80);
    bench.receive(0, b"ab");
    bench.run_to(1000);
    assert_eq!(bench.device.irq(), Some(330), "9.5 bits");
    bench.read(1000, DATA);
    assert_eq!(bench.device.irq(), Some(330));
    assert_eq!(bench.read(1001, STATUS), IRQ | TDRE | RDRF | OVRN);
    bench.read(1002, DATA);
    assert_eq!(bench.device.irq(), None);
}

#[test]
fn a_sender_that_looks_waits_for_rts_and_never_overruns() {
    let mut bench = bench("", 0x56);
    bench.receive(0, b"ab");
    assert_eq!(bench.read(5000, STATUS), TDRE, "RTS is high");
    bench.write(5000, CONTROL, POLLED);
    assert_eq!(bench.read(5330, STATUS), TDRE | RDRF);
    assert_eq!(bench.read(20_000, DATA), b'a');
    assert_eq!(bench.read(20_001, STATUS), TDRE);
    assert_eq!(bench.read(30_000, DATA), b'b');
}

#[test]
fn receive_interrupt_follows_rdrf() {
    let mut bench = bench("", POLLED | 0x80);
    bench.receive(100, b"a");
    assert_eq!(bench.device.next_timer(), Some(430));
    bench.run_to(500);
    assert_eq!(bench.device.irq(), Some(430));
    assert_eq!(bench.read(500, STATUS), IRQ | TDRE | RDRF);
    assert_eq!(bench.device.irq(), Some(430), "reading status does not clear it");
    bench.read(501, DATA);
    assert_eq!(bench.device.irq(), None);
}

#[test]
fn transmit_interrupt_follows_tdre() {
    let mut bench = bench("", POLLED);
    bench.write(10, CONTROL, POLLED | 0x20);
    assert_eq!(bench.device.irq(), Some(10));
    bench.write(20, DATA, b'1');
    assert_eq!(bench.device.irq(), Some(20), "empty again at once");
    bench.write(30, DATA, b'2');
    assert_eq!(bench.device.irq(), None);
    bench.run_to(1000);
    assert_eq!(bench.device.irq(), Some(368));
    bench.line(1000, "cts", 1);
    assert_eq!(bench.device.irq(), None, "CTS inhibits TDRE");
    assert_eq!(bench.read(1001, STATUS), CTS);
    bench.line(1002, "cts", 0);
    assert_eq!(bench.device.irq(), Some(1002));
}

#[test]
fn a_break_swallows_what_is_sent() {
    let mut bench = bench("", POLLED | 0x60);
    bench.write(1, DATA, b'1');
    bench.write(2, DATA, b'2');
    assert_eq!(bench.device.next_timer(), None);
    assert_eq!(bench.read(1000, STATUS), TDRE);
    bench.write(1001, CONTROL, POLLED);
    bench.write(1002, DATA, b'3');
    assert_eq!(bench.sent(), b"3");
}

#[test]
fn lost_carrier_is_cleared_by_status_then_data() {
    let mut bench = bench("", POLLED | 0x80);
    bench.line(10, "dcd", 1);
    assert_eq!(bench.device.irq(), Some(10));
    bench.line(20, "dcd", 0);
    bench.read(21, DATA);
    assert_eq!(bench.device.irq(), Some(10), "status has not been read");
    assert_eq!(bench.read(22, STATUS), IRQ | TDRE | DCD);
    bench.read(23, DATA);
    assert_eq!(bench.device.irq(), None);
    assert_eq!(bench.read(24, STATUS), TDRE);
}

#[test]
fn without_carrier_nothing_is_received() {
    let mut bench = bench("flow = \"none\"", POLLED);
    bench.line(10, "dcd", 1);
    bench.receive(20, b"ab");
    assert_eq!(bench.read(500, STATUS), TDRE | DCD);
    bench.line(600, "dcd", 0);
    assert_eq!(bench.device.pending_input(), 1, "a is lost");
    assert_eq!(bench.read(5000, DATA), b'b', "b began before the carrier came back: this model lets it in");
}

#[test]
fn state_goes_by_data_sheet_names() {
    let mut bench = bench("", POLLED);
    bench.receive(0, b"K");
    assert_eq!(bench.field(1000, "receive_data"), Value::Unsigned(u64::from(b'K')));
    assert_eq!(bench.field(1000, "control"), Value::Unsigned(0x16));
    assert_eq!(bench.field(1000, "status"), Value::Unsigned(3));
}
