//! The 6821 from its data sheet, and the Apple-1's keyboard and display on it.

use super::super::mc6821::register::{CONTROL_A, CONTROL_B, PORT_A, PORT_B};
use super::{Bench, Value};

fn bench() -> Bench {
    Bench::made("mc6821", "")
}

/// The Apple-1's PIA as its monitor sets it up.
fn apple1(options: &str) -> Bench {
    let mut bench = Bench::made("mc6821", &format!("peripheral = \"apple1\"\n{options}"));
    bench.write(10, PORT_B, 0x7F);
    bench.write(14, CONTROL_A, 0xA7);
    bench.write(18, CONTROL_B, 0xA7);
    bench
}

#[test]
fn control_bit_2_chooses_between_data_and_direction() {
    for (port, control) in [(PORT_A, CONTROL_A), (PORT_B, CONTROL_B)] {
        let mut bench = bench();
        bench.write(10, port, 0xF0);
        assert_eq!(bench.read(11, port), 0xF0, "the direction");
        bench.write(12, control, 0x04);
        bench.line(13, if port == PORT_A { "port_a" } else { "port_b" }, 0x3C);
        bench.write(14, port, 0xAA);
        assert_eq!(bench.read(15, port), 0xAC, "outputs from the latch, inputs from the pins");
        bench.write(16, control, 0x00);
        assert_eq!(bench.read(17, port), 0xF0);
    }
}

#[test]
fn c1_flags_its_edge_and_interrupts_if_enabled() {
    for (port, control, line) in [(PORT_A, CONTROL_A, "ca1"), (PORT_B, CONTROL_B, "cb1")] {
        for (rising, enabled) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut bench = bench();
            bench.write(10, control, 0x04 | u8::from(rising) << 1 | u8::from(enabled));
            bench.line(20, line, 1);
            assert_eq!(bench.read(21, control) & 0x80 != 0, rising);
            bench.line(30, line, 0);
            assert_eq!(bench.read(31, control) & 0x80, 0x80);
            let since = if rising { 20 } else { 30 };
            assert_eq!(bench.device.irq(), enabled.then_some(since));
            bench.read(40, port);
            assert_eq!(bench.read(41, control) & 0x80, 0, "a read of the data clears it");
            assert_eq!(bench.device.irq(), None);
        }
    }
}

#[test]
fn an_interrupt_that_is_enabled_later_comes_then() {
    let mut bench = bench();
    bench.write(10, CONTROL_B, 0x04);
    bench.line(20, "cb1", 1);
    bench.line(30, "cb1", 0);
    assert_eq!(bench.device.irq(), None);
    bench.write(40, CONTROL_B, 0x05);
    assert_eq!(bench.device.irq(), Some(40));
    bench.write(50, CONTROL_B, 0xC4);
    assert_eq!((bench.device.irq(), bench.read(51, CONTROL_B)), (None, 0x84), "flags cannot be written");
}

#[test]
fn c2_as_an_input() {
    for (port, control, line) in [(PORT_A, CONTROL_A, "ca2"), (PORT_B, CONTROL_B, "cb2")] {
        let mut bench = bench();
        bench.write(10, control, 0x04 | 0x10 | 0x08);
        bench.line(20, line, 1);
        assert_eq!((bench.read(21, control), bench.device.irq()), (0x5C, Some(20)));
        bench.line(22, line, 0);
        bench.read(23, port);
        assert_eq!((bench.read(24, control), bench.device.irq()), (0x1C, None));
        bench.write(25, control, 0x04 | 0x08);
        bench.line(26, line, 1);
        assert_eq!(bench.device.irq(), None, "not this edge");
        bench.line(27, line, 0);
        assert_eq!(bench.device.irq(), Some(27));
    }
}

#[test]
fn c2_as_an_output() {
    let mut bench = bench();
    let ca2 = |bench: &mut Bench, cycle| bench.field(cycle, "ca2_output");
    bench.write(10, CONTROL_A, 0x34);
    assert_eq!(ca2(&mut bench, 11), Value::Bool(false), "set low by hand");
    bench.write(12, CONTROL_A, 0x3C);
    assert_eq!(ca2(&mut bench, 13), Value::Bool(true), "set high by hand");
    bench.write(14, CONTROL_A, 0x24);
    assert_eq!(ca2(&mut bench, 15), Value::Bool(true));
    bench.read(16, PORT_A);
    assert_eq!(ca2(&mut bench, 17), Value::Bool(false), "the handshake: low at a read of port A");
    bench.line(18, "ca1", 1);
    assert_eq!(ca2(&mut bench, 19), Value::Bool(false), "not the active edge");
    bench.line(20, "ca1", 0);
    assert_eq!(ca2(&mut bench, 21), Value::Bool(true), "high at CA1's edge");
    bench.write(22, CONTROL_A, 0x2C);
    bench.read(23, PORT_A);
    assert_eq!(ca2(&mut bench, 24), Value::Bool(true), "a pulse is over");
    // Port B answers to writes.
    bench.write(30, CONTROL_B, 0x24);
    bench.read(31, PORT_B);
    assert_eq!(bench.field(32, "cb2_output"), Value::Bool(true));
    bench.write(33, PORT_B, 1);
    assert_eq!(bench.field(34, "cb2_output"), Value::Bool(false));
    // An output makes no flag.
    bench.line(35, "cb2", 1);
    bench.line(36, "cb2", 0);
    assert_eq!(bench.read(37, CONTROL_B), 0x24);
}

#[test]
fn reset_clears_the_registers() {
    let mut bench = bench();
    bench.write(10, PORT_A, 0xFF);
    bench.write(11, CONTROL_A, 0x07);
    bench.line(12, "ca1", 1);
    assert_eq!(bench.device.irq(), Some(12));
    bench.device.reset(20);
    assert_eq!(bench.device.irq(), None);
    for register in 0..4 {
        assert_eq!(bench.read(21 + u64::from(register), register), 0);
    }
}

#[test]
fn lines_and_options_that_are_wrong() {
    let mut bench = bench();
    let wrong = bench.with(10, |device, context| device.set_line("ca3", 1, context)).unwrap_err();
    assert!(wrong.to_string().contains("ca1, ca2, cb1, cb2, port_a, port_b"), "{wrong}");
    let wrong = bench.with(10, |device, context| device.set_line("ca1", 2, context)).unwrap_err();
    assert!(wrong.to_string().contains("set it to 0 or 1"), "{wrong}");
    let mut keyboard = apple1("");
    let wrong = keyboard.with(20, |device, context| device.set_line("ca1", 1, context)).unwrap_err();
    assert!(wrong.to_string().contains("it has none"), "{wrong}");
    for (options, words) in [
        ("peripheral = \"apple2\"", "apple1"),
        ("addresses = 6", "multiple of 4"),
        ("addresses = 0", "multiple of 4"),
        ("addresses = 4100", "multiple of 4"),
        ("display_cycles = 1000000001", "at most 1000000000"),
    ] {
        let made = super::super::create("mc6821", options.parse().unwrap());
        let wrong = made.map(|_| ()).unwrap_err().to_string();
        assert!(wrong.contains(words), "{options}: {wrong}");
    }
}

#[test]
fn keys_come_one_by_one_in_capitals() {
    let mut bench = apple1("");
    assert!(bench.device.is_char());
    assert_eq!(bench.read(30, CONTROL_A) & 0x80, 0);
    bench.receive(100, b"a1\r\n\n");
    assert_eq!(bench.device.pending_input(), 4, "the LF of a CR LF is not a key");
    let mut now = 100;
    for key in [b'A', b'1', 0x0D, 0x0D] {
        assert_eq!(bench.read(now + 1, CONTROL_A) & 0x80, 0x80);
        assert_eq!(bench.read(now + 2, PORT_A), key | 0x80);
        assert_eq!(bench.read(now + 3, CONTROL_A) & 0x80, 0);
        assert_eq!(bench.read(now + 4, PORT_A), key | 0x80, "it stays for a while");
        now += 1002;
        assert_eq!(bench.device.next_timer(), (bench.device.pending_input() > 0).then_some(now));
        bench.run_to(now);
    }
    assert_eq!(bench.device.pending_input(), 0);
}

#[test]
fn the_display_takes_its_time() {
    let mut bench = apple1("display_cycles = 500");
    assert!(bench.host.written.is_empty(), "the direction register is not the display");
    assert_eq!(bench.read(100, PORT_B), 0x00);
    bench.write(101, PORT_B, 0xC1);
    assert_eq!(bench.host.written, [(101, b'A')]);
    assert_eq!(bench.read(102, PORT_B), 0xC1, "busy, and the outputs as they are");
    bench.write(103, PORT_B, 0xC2);
    assert_eq!(bench.sent(), b"A", "what comes while it is busy is lost");
    assert_eq!(bench.read(600, PORT_B) & 0x80, 0x80);
    assert_eq!(bench.read(601, PORT_B) & 0x80, 0);
    for (cycle, value) in [(1000, 0x8D), (2000, b'a'), (3000, 0x07), (4000, 0x7F), (5000, 0xA0)] {
        bench.write(cycle, PORT_B, value);
    }
    assert_eq!(bench.sent(), b"A\r\nA ", "a return, a capital; what it has no picture for is not shown");
}

#[test]
fn the_registers_repeat_where_the_decoder_does_not_look() {
    let mut bench = apple1("addresses = 240");
    assert_eq!(bench.device.register_count(), 240);
    // From D010 on: D0F2 is the display, D020 is not decoded.
    assert!(bench.device.claims(0xE2, true) && !bench.device.claims(0x10, true));
    bench.write(100, 0xE2, b'!' | 0x80);
    assert_eq!(bench.sent(), b"!");
    assert_eq!(bench.read(101, 0xE2) & 0x80, 0x80);
}
