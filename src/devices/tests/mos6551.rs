//! MOS 6551, from its data sheet. The CPU runs at 1 MHz; 9600 baud is 104 1/6 cycles a bit.

use super::super::mos6551::status::{DCD, DSR, IRQ, OVRN, RDRF, TDRE};
use super::Bench;
use crate::persist::Value;

const DATA: u16 = 0;
const STATUS: u16 = 1;
const COMMAND: u16 = 2;
const CONTROL: u16 = 3;

/// 8 bits, 1 stop bit, 9600 baud.
const CONTROL_9600: u8 = 0x1E;
/// DTR and RTS low, no interrupts.
const POLLED: u8 = 0x0B;

fn bench(options: &str, control: u8, command: u8) -> Bench {
    let mut bench = Bench::made("mos6551", options);
    bench.write(0, CONTROL, control);
    bench.write(0, COMMAND, command);
    bench
}

#[test]
fn hardware_reset_leaves_an_empty_disabled_chip() {
    let mut bench = bench("", CONTROL_9600, 0xE9);
    bench.write(1, DATA, b'a');
    bench.write(2, DATA, b'b');
    bench.receive(3, b"xyz");
    bench.device.reset(100);
    assert_eq!([bench.read(101, STATUS), bench.read(101, COMMAND), bench.read(101, CONTROL)], [TDRE, 0, 0]);
    bench.run_to(100_000);
    assert_eq!(bench.sent(), b"a", "the byte in the data register is gone");
    assert_eq!(bench.device.pending_input(), 3, "a sender that looks sends the broken character again");
}

#[test]
fn programmed_reset_clears_the_low_command_bits_and_overrun_only() {
    let mut bench = bench("flow = \"none\"", CONTROL_9600, 0xEB);
    bench.receive(0, b"ab");
    assert_eq!(bench.read(5000, STATUS), TDRE | RDRF | OVRN);
    bench.write(5001, STATUS, 0);
    assert_eq!(bench.read(5002, STATUS), TDRE | RDRF);
    assert_eq!([bench.read(5003, COMMAND), bench.read(5003, CONTROL)], [0xE0, CONTROL_9600]);
}

#[test]
fn transmit_is_double_buffered_and_exact() {
    let mut bench = bench("", CONTROL_9600, POLLED);
    bench.write(0, DATA, b'1');
    assert_eq!(bench.read(1, STATUS), TDRE, "the shift register took it at once");
    assert_eq!(bench.device.next_timer(), None, "nothing left to do by itself");
    bench.write(2, DATA, b'2');
    assert_eq!(bench.read(3, STATUS), 0);
    assert_eq!(bench.device.next_timer(), Some(1042));
    assert_eq!(bench.read(1041, STATUS), 0);
    assert_eq!(bench.read(1042, STATUS), TDRE, "the access itself does what is due");
    assert_eq!(bench.host.written, [(0, b'1'), (1042, b'2')]);
    bench.write(1500, DATA, b'3');
    bench.write(1501, DATA, b'4');
    bench.run_to(10_000);
    assert_eq!(bench.host.written[2..], [(2084, b'4')], "3 was overwritten before it was sent");
    bench.write(20_000, DATA, b'5');
    assert_eq!(bench.host.written[3], (20_000, b'5'));
}

#[test]
fn a_long_row_of_characters_keeps_its_phase() {
    let mut bench = bench("", CONTROL_9600, POLLED);
    bench.write(0, DATA, 0);
    for number in 1..=3000u64 {
        bench.write(number * 3125 / 3 - 500, DATA, number as u8);
        bench.run_to(number * 3125 / 3 + 1);
    }
    assert_eq!(bench.host.written.last(), Some(&(3_125_000, 3000u64 as u8)));
    assert_eq!(bench.host.written.len(), 3001);
}

#[test]
fn character_length_follows_the_format() {
    // (control without the rate, command, 16ths of a bit)
    let formats = [
        (0x00, POLLED, 160),        // 8N1
        (0x80, POLLED, 176),        // 8N2
        (0x00, POLLED | 0x20, 176), // 8O1
        (0x80, POLLED | 0x60, 176), // 8E with the stop bit select on: still one
        (0x20, POLLED, 144),        // 7N1
        (0xA0, POLLED | 0x20, 176), // 7O2
        (0x40, POLLED, 128),        // 6N1
        (0x60, POLLED, 112),        // 5N1
        (0xE0, POLLED, 120),        // 5N1.5
        (0xE0, POLLED | 0x20, 144), // 5O2
    ];
    for (control, command, sixteenths) in formats {
        let mut bench = bench("", control | CONTROL_9600, command);
        bench.write(0, DATA, 0xFF);
        bench.write(0, DATA, 0xFF);
        let exact: u64 = sixteenths * 12 * 1_000_000;
        assert_eq!(
            bench.device.next_timer(),
            Some(exact.div_ceil(1_843_200)),
            "control {control:02X} {command:02X}"
        );
        let bits = 8 - (control >> 5 & 3);
        assert_eq!(bench.sent(), [0xFF >> (8 - bits)]);
    }
}

#[test]
fn baud_rates_are_those_of_the_data_sheet() {
    let rates = [
        50.0, 75.0, 109.92, 134.58, 150.0, 300.0, 600.0, 1200.0, 1800.0, 2400.0, 3600.0, 4800.0, 7200.0,
        9600.0, 19200.0,
    ];
    for (sbr, rate) in (1u8..).zip(rates) {
        let mut bench = bench("", 0x10 | sbr, POLLED);
        bench.clock_hz = 100_000_000;
        bench.write(0, DATA, 0);
        bench.write(0, DATA, 0);
        let cycles = bench.device.next_timer().unwrap() as f64;
        let baud = 10.0 * 1e8 / cycles;
        assert!((baud / rate - 1.0).abs() < 1e-4, "SBR {sbr}: {baud} baud, {rate} in the data sheet");
    }
}

#[test]
fn rate_0_is_the_external_16x_clock() {
    let mut bench1 = bench("", 0x10, POLLED);
    bench1.write(0, DATA, 0);
    bench1.write(0, DATA, 0);
    assert_eq!(bench1.device.next_timer(), Some(87), "115200 baud from the crystal");
    let mut bench2 = bench("external_clock_hz = 160000", 0x0E, POLLED);
    bench2.write(0, DATA, 0);
    bench2.write(0, DATA, 0);
    assert_eq!(bench2.device.next_timer(), Some(1042), "the transmitter runs on the crystal");
    bench2.receive(10_000, b"x");
    assert_eq!(bench2.read(10_000 + 956, STATUS) & RDRF, 0);
    assert_eq!(
        bench2.read(10_000 + 957, STATUS) & RDRF,
        RDRF,
        "the receiver on RxC: 153 periods of 6.25 cycles"
    );
}

#[test]
fn a_received_character_is_seen_nine_sixteenths_into_its_stop_bit() {
    let mut bench = bench("", CONTROL_9600, POLLED);
    bench.receive(100, b"Q");
    assert_eq!(bench.read(100 + 996, STATUS), TDRE);
    assert_eq!(bench.read(100 + 997, STATUS), TDRE | RDRF, "153/16 bits are 996.09 cycles");
    assert_eq!(bench.read(1200, DATA), b'Q');
    assert_eq!(bench.read(1201, STATUS), TDRE);
}

#[test]
fn a_sender_that_looks_never_overruns() {
    let mut bench = bench("", CONTROL_9600, POLLED);
    bench.receive(0, b"abc");
    assert_eq!(bench.read(100_000, STATUS), TDRE | RDRF);
    assert_eq!(bench.device.pending_input(), 3);
    assert_eq!(bench.read(100_000, DATA), b'a');
    assert_eq!(bench.read(100_996, STATUS), TDRE);
    assert_eq!(bench.read(100_997, STATUS), TDRE | RDRF, "b started when a was read");
    assert_eq!(bench.read(100_998, DATA), b'b');
    // The stop bit of b ends at 101041.67, only then c can start.
    assert_eq!(bench.read(102_037, STATUS), TDRE);
    assert_eq!(bench.read(102_038, STATUS), TDRE | RDRF);
}

#[test]
fn a_sender_that_looks_waits_for_dtr_and_rts() {
    for command in [0x00, 0x03, 0x0A] {
        let mut bench = bench("", CONTROL_9600, command);
        bench.receive(0, b"a");
        assert_eq!(bench.read(100_000, STATUS), TDRE, "command {command:02X}");
        bench.write(200_000, COMMAND, POLLED);
        assert_eq!(bench.read(200_997, STATUS), TDRE | RDRF);
    }
}

#[test]
fn a_sender_that_does_not_look_overruns() {
    let mut bench = bench("flow = \"none\"", CONTROL_9600, POLLED);
    bench.receive(0, b"abcd");
    assert_eq!(bench.read(2038, STATUS), TDRE | RDRF | OVRN, "the second at 2037.8");
    assert_eq!(bench.read(2500, DATA), b'a', "the first stays");
    assert_eq!(bench.read(2501, STATUS), TDRE | OVRN, "until a character comes without an error");
    assert_eq!(bench.read(3080, STATUS), TDRE | RDRF, "the third at 3079.4");
    assert_eq!(bench.read(3081, DATA), b'c');
    assert_eq!(bench.read(9999, DATA), b'd');
}

#[test]
fn characters_for_a_disabled_receiver_are_lost_at_line_rate() {
    let mut bench = bench("flow = \"none\"", CONTROL_9600, 0x0A);
    bench.receive(0, b"abc");
    bench.write(2100, COMMAND, POLLED);
    assert_eq!(bench.read(3000, STATUS), TDRE);
    assert_eq!(bench.read(9000, DATA), b'c');
    assert_eq!(bench.device.pending_input(), 0);
}

#[test]
fn receiver_interrupt_is_cleared_by_reading_status() {
    let mut bench = bench("", CONTROL_9600, 0x09);
    bench.receive(0, b"ab");
    assert_eq!(bench.device.next_timer(), Some(997));
    bench.run_to(1200);
    assert_eq!(bench.device.irq(), Some(997));
    assert_eq!(bench.device.next_timer(), None);
    assert_eq!(bench.read(1200, STATUS), IRQ | TDRE | RDRF);
    assert_eq!(bench.device.irq(), None);
    assert_eq!(bench.read(1201, STATUS), TDRE | RDRF);
    assert_eq!(bench.read(1202, DATA), b'a');
    bench.run_to(3000);
    assert_eq!(bench.device.irq(), Some(2199));
    bench.read(3000, DATA);
    assert_eq!(bench.device.irq(), Some(2199), "reading the data does not clear it");
}

#[test]
fn enabling_an_interrupt_whose_condition_is_there_requests_it() {
    let mut bench = bench("", CONTROL_9600, POLLED);
    bench.receive(0, b"a");
    bench.run_to(2000);
    assert_eq!(bench.device.irq(), None);
    bench.write(2000, COMMAND, 0x09);
    assert_eq!(bench.device.irq(), Some(2000));
}

#[test]
fn transmitter_interrupt_comes_with_every_character_time() {
    let mut bench = bench("", CONTROL_9600, POLLED);
    bench.write(100, COMMAND, 0x07);
    assert_eq!(bench.device.irq(), Some(100), "the register is empty");
    assert_eq!(bench.read(110, STATUS), IRQ | TDRE);
    assert_eq!(bench.device.next_timer(), Some(1142), "an idle transmitter goes on asking");
    bench.write(200, DATA, b'1');
    assert_eq!(bench.device.irq(), Some(200), "taken by the shift register at once");
    bench.read(201, STATUS);
    bench.write(202, DATA, b'2');
    assert_eq!(bench.device.irq(), None);
    bench.run_to(1300);
    assert_eq!(bench.device.irq(), Some(1242));
    assert_eq!(bench.host.written, [(200, b'1'), (1242, b'2')]);
    bench.read(1300, STATUS);
    bench.run_to(2400);
    assert_eq!(bench.device.irq(), Some(2284), "at the end of 2, with nothing to send");
    assert_eq!(bench.read(200_000, STATUS), IRQ | TDRE);
    // 200.0 + n * 1041.67: the next end of a character time after 200000 is n = 192.
    bench.run_to(201_000);
    assert_eq!(bench.device.irq(), Some(200_200));
}

#[test]
fn a_transmitter_that_is_off_keeps_its_byte() {
    for command in [0x03, 0x0F, 0x13] {
        let mut bench = bench("", CONTROL_9600, command);
        bench.write(5, DATA, b'z');
        assert_eq!(bench.read(100_000, STATUS), 0, "command {command:02X}");
        assert!(bench.sent().is_empty());
        bench.write(100_001, COMMAND, POLLED);
        assert_eq!(bench.host.written, [(100_001, b'z')]);
    }
}

#[test]
fn cts_holds_the_next_character() {
    let mut bench = bench("", CONTROL_9600, POLLED);
    bench.write(0, DATA, b'1');
    bench.write(1, DATA, b'2');
    bench.line(500, "cts", 1);
    assert_eq!(bench.device.next_timer(), None);
    assert_eq!(bench.read(5000, STATUS), 0);
    bench.line(6000, "cts", 0);
    assert_eq!(bench.host.written, [(0, b'1'), (6000, b'2')]);
}

#[test]
fn echo_sends_back_what_comes_in() {
    let mut bench = bench("", CONTROL_9600, 0x13);
    bench.receive(0, b"hi");
    assert_eq!(bench.device.next_timer(), Some(997));
    bench.run_to(1000);
    assert_eq!(bench.read(1000, DATA), b'h');
    bench.run_to(5000);
    assert_eq!(bench.sent(), b"hi");
}

#[test]
fn an_overrun_character_is_not_echoed() {
    let mut bench = bench("flow = \"none\"", CONTROL_9600, 0x13);
    bench.receive(0, b"hi");
    bench.run_to(50_000);
    assert_eq!(bench.sent(), b"h");
}

#[test]
fn modem_lines_interrupt_and_are_held_until_read() {
    let mut bench = bench("", CONTROL_9600, POLLED);
    bench.line(10, "dcd", 1);
    assert_eq!(bench.device.irq(), Some(10), "no enable but DTR");
    bench.line(20, "dcd", 0);
    bench.line(20, "dsr", 1);
    assert_eq!(bench.read(30, STATUS), IRQ | TDRE | DCD);
    assert_eq!(bench.device.irq(), Some(30), "the later change shows now, with an interrupt of its own");
    assert_eq!(bench.read(31, STATUS), IRQ | TDRE | DSR);
    assert_eq!(bench.read(32, STATUS), TDRE | DSR);
    bench.write(40, COMMAND, 0);
    bench.line(50, "dsr", 0);
    assert_eq!(bench.device.irq(), None);
    assert_eq!(bench.read(51, STATUS), TDRE);
}

#[test]
fn state_goes_by_data_sheet_names() {
    let mut bench = bench("", CONTROL_9600, POLLED);
    bench.write(1, DATA, 0x55);
    assert_eq!(bench.field(2, "control"), Value::Unsigned(0x1E));
    assert_eq!(bench.field(2, "transmit_data"), Value::Unsigned(0x55));
    assert_eq!(bench.field(2, "status"), Value::Unsigned(0x10));
}

#[test]
fn saved_state_goes_on_as_the_original() {
    let mut original = bench("flow = \"none\"", CONTROL_9600, 0x05);
    original.write(1, DATA, b'1');
    original.write(2, DATA, b'2');
    original.receive(700, b"abcdef");
    original.device.catch_up(900);
    let mut copy = Bench::made("mos6551", "flow = \"none\"");
    super::restore(copy.device.as_mut(), &original.saved());
    copy.host = original.host.clone();
    for bench in [&mut original, &mut copy] {
        bench.run_to(4000);
        bench.read(4000, DATA);
        bench.run_to(20_000);
        bench.device.catch_up(20_000);
    }
    assert_eq!(original.host, copy.host);
    assert_eq!(original.saved(), copy.saved());
}
