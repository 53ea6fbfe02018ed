//! Power, the stopwatch and the port of entropy.

use super::Bench;
use crate::devices::{power, random_port, stopwatch};
use crate::nondet::{ClockKind, ShutdownCause};
use power::{command, status};

#[test]
fn each_command_asks_for_its_own() {
    let mut bench = Bench::made("power", "");
    bench.write(1, power::COMMAND, command::SHUTDOWN);
    bench.write(2, power::COMMAND, command::PANIC);
    bench.write(3, power::COMMAND, command::RESET);
    let expected = [ShutdownCause::GuestShutdown, ShutdownCause::GuestPanic, ShutdownCause::GuestReset];
    assert_eq!(bench.host.shutdowns, expected);
    assert_eq!((bench.host.suspensions, bench.read(4, power::STATUS)), (0, 0));
    bench.write(5, power::COMMAND, command::SUSPEND);
    assert_eq!((bench.host.suspensions, bench.read(6, power::STATUS)), (1, status::SUSPENDED));
    bench.write(7, power::COMMAND, 0x03);
    assert_eq!(bench.host.shutdowns.len(), 3, "no such command");
}

#[test]
fn tells_the_programs_reset_from_the_buttons() {
    let mut bench = Bench::made("power", "");
    bench.write(3, power::COMMAND, command::RESET);
    bench.device.reset(10);
    assert_eq!(bench.read(11, power::STATUS), status::RESET);
    bench.device.reset(20);
    assert_eq!(bench.read(21, power::STATUS), 0);
}

#[test]
fn a_call_comes_once() {
    let mut bench = Bench::made("power", "");
    bench.write(1, power::CONTROL, status::CALLED);
    bench.write(2, power::COMMAND, command::CALL);
    assert_eq!((bench.host.calls, bench.device.irq()), ((0, 1), None));
    bench.complete(5);
    assert_eq!(bench.device.irq(), Some(5));
    assert_eq!(bench.read(6, power::STATUS), status::CALLED | status::IRQ);
    bench.write(7, power::STATUS, status::CALLED);
    assert_eq!((bench.read(8, power::STATUS), bench.device.irq()), (0, None));
}

#[test]
fn the_alarm_rings_after_its_milliseconds() {
    let mut bench = Bench::made("power", "");
    bench.write(1, power::CONTROL, 0xFF);
    assert_eq!(bench.read(2, power::CONTROL), status::ALARM | status::CALLED);
    bench.write(9, power::ALARM_LOW, 0x2C);
    assert_eq!(bench.device.next_timer(), None, "half a number sets nothing");
    bench.write(10, power::ALARM_HIGH, 0x01);
    assert_eq!(bench.device.next_timer(), Some(10 + 300_000));
    bench.run_to(300_010);
    assert_eq!(bench.device.irq(), Some(300_010));
    assert_eq!(bench.device.next_timer(), None);
    bench.write(300_020, power::ALARM_LOW, 5);
    bench.write(300_021, power::ALARM_HIGH, 0);
    bench.write(300_022, power::ALARM_LOW, 0);
    bench.write(300_023, power::ALARM_HIGH, 0);
    assert_eq!(bench.device.next_timer(), None, "0 takes it away");
}

#[test]
fn entropy_comes_byte_by_byte_and_so_do_its_errors() {
    let mut bench = Bench::made("random_port", "");
    bench.host.entropy = vec![0xC3];
    assert_eq!((bench.read(1, random_port::DATA), bench.read(2, random_port::STATUS)), (0xC3, 0));
    bench.host.entropy_error = -5;
    assert_eq!((bench.read(3, random_port::DATA), bench.read(4, random_port::STATUS)), (0, 5));
    bench.host.entropy_error = -4096;
    assert_eq!((bench.read(5, random_port::DATA), bench.read(6, random_port::STATUS)), (0, 255));
    bench.host.entropy_error = 0;
    assert_eq!((bench.read(7, random_port::DATA), bench.read(8, random_port::STATUS)), (0xC3, 0));
}

#[test]
fn the_stopwatch_counts_microseconds_of_running_time() {
    let mut bench = Bench::made("stopwatch", "");
    bench.host.virtual_rt_clock = 7_000_000;
    bench.write(1, stopwatch::START, 0);
    bench.host.virtual_rt_clock += 0x0102_0304 * 1000 + 999;
    bench.read(2, stopwatch::TIME);
    bench.host.virtual_rt_clock += 1_000_000;
    let time: Vec<u8> = (0..4).map(|index| bench.device.peek(stopwatch::TIME + index, 3)).collect();
    assert_eq!(time, [4, 3, 2, 1], "all four are of one moment");
    assert_eq!(bench.read(4, stopwatch::TIME + 1), 3);
}

#[test]
fn the_stopwatchs_alarm_is_on_the_hosts_clock() {
    let mut bench = Bench::made("stopwatch", "");
    bench.host.virtual_rt_clock = 50_000;
    bench.write(1, stopwatch::CONTROL, stopwatch::INTERRUPT);
    for (index, byte) in [0xE8, 0x03, 0, 0].into_iter().enumerate() {
        bench.write(2, stopwatch::ALARM + index as u16, byte);
    }
    assert_eq!(bench.device.next_clock_timer(ClockKind::VirtualRt), Some(1_050_000));
    assert_eq!(bench.device.next_clock_timer(ClockKind::Host), None);
    assert_eq!(bench.read(3, stopwatch::STATUS), stopwatch::status::ARMED);
    bench.host.virtual_rt_clock = 1_050_000;
    bench.ring(20);
    assert_eq!(bench.device.irq(), Some(20));
    assert_eq!(bench.read(21, stopwatch::STATUS), stopwatch::status::ALARM | stopwatch::status::IRQ);
    bench.write(22, stopwatch::STATUS, stopwatch::status::ALARM);
    assert_eq!((bench.device.irq(), bench.read(23, stopwatch::STATUS)), (None, 0));
}

#[test]
fn registers_read_as_they_were_written() {
    let mut bench = Bench::made("power", "");
    bench.write(1, power::ALARM_LOW, 0x7B);
    assert_eq!((bench.read(2, power::ALARM_LOW), bench.read(2, power::ALARM_HIGH)), (0x7B, 0));
    assert_eq!(bench.read(3, power::COMMAND), 0);
    let mut bench = Bench::made("stopwatch", "");
    for (register, value) in [(8, 0x11), (9, 0x22), (10, 0x33), (11, 0x44), (0, 1)] {
        bench.write(1, register, value);
    }
    let read: Vec<u8> = (0..12).map(|register| bench.read(2, register)).collect();
    assert_eq!(read[..4], [1, stopwatch::status::ARMED, 0, 0]);
    assert_eq!(read[8..], [0x11, 0x22, 0x33, 0x44]);
}
