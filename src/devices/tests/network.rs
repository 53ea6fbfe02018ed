//! The network interface.

use super::Bench;
use crate::devices::network::*;

const OURS: [u8; 6] = [2, 0, 0, 0, 0, 1];

fn frame(destination: [u8; 6], payload: &[u8]) -> Vec<u8> {
    [&destination[..], &[2, 0, 0, 0, 0, 9, 0x88, 0xB5], payload].concat()
}

fn comes(bench: &mut Bench, cycle: u64, bytes: &[u8]) {
    bench.with(cycle, |device, context| device.packet(0, bytes, context));
}

fn length(bench: &mut Bench) -> u16 {
    u16::from_le_bytes([bench.read(900, RECEIVE_LENGTH_LOW), bench.read(900, RECEIVE_LENGTH_HIGH)])
}

fn read_packet(bench: &mut Bench) -> Vec<u8> {
    let bytes = (0..length(bench)).map(|_| bench.read(900, RECEIVE_DATA)).collect();
    assert_eq!((length(bench), bench.read(901, RECEIVE_DATA)), (0, 0), "after the end there is nothing");
    bench.write(902, COMMAND, command::NEXT);
    bytes
}

#[test]
fn sends_at_the_next_boundary_and_is_done_when_the_frame_is() {
    let mut bench = Bench::made("network", "");
    bench.write(0, CONTROL, control::SEND_INTERRUPT);
    let packet = frame([0xFF; 6], &[7; 46]);
    for &byte in &packet {
        bench.write(1, SEND_DATA, byte);
    }
    assert_eq!(bench.read(2, SEND_LENGTH_LOW), 60);
    bench.write(3, COMMAND, command::SEND);
    assert_eq!(bench.read(4, STATUS), status::SENDING);
    assert_eq!((bench.host.calls.0, bench.host.sent.len()), (1, 0));
    bench.complete(10);
    assert_eq!(bench.host.sent, [(0, packet)]);
    // (60 + 24) bytes at 10 Mbit/s are 67.2 microseconds.
    assert_eq!(bench.device.next_timer(), Some(77));
    bench.run_to(77);
    assert_eq!(bench.device.irq(), Some(77));
    assert_eq!(bench.read(78, STATUS), status::SENT | status::IRQ);
    bench.write(79, STATUS, status::SENT);
    assert_eq!((bench.device.irq(), bench.read(80, STATUS)), (None, 0));
    assert_eq!(bench.read(81, SEND_LENGTH_LOW), 0);
}

#[test]
fn refuses_what_is_no_frame() {
    for bytes in [0, 13, 1515, 3000] {
        let mut bench = Bench::made("network", "");
        (0..bytes).for_each(|_| bench.write(1, SEND_DATA, 1));
        bench.write(3, COMMAND, command::SEND);
        assert_eq!((bench.read(4, STATUS), bench.host.calls.0), (status::BAD_LENGTH, 0), "{bytes} bytes");
    }
    let mut bench = Bench::made("network", "");
    (0..1514).for_each(|_| bench.write(1, SEND_DATA, 1));
    bench.write(3, COMMAND, command::SEND);
    bench.complete(10);
    assert_eq!(bench.host.sent[0].1.len(), 1514);
}

#[test]
fn receives_what_is_meant_for_it() {
    let group = [0x01, 0, 0x5E, 0, 0, 1];
    let other = [2, 0, 0, 0, 0, 2];
    for (filter, expected) in [
        (0, [false, false, false, false]),
        (control::RECEIVE, [true, true, false, false]),
        (control::RECEIVE | control::GROUPS, [true, true, true, false]),
        (control::PROMISCUOUS, [true, true, true, true]),
    ] {
        for (destination, expected) in [OURS, [0xFF; 6], group, other].into_iter().zip(expected) {
            let mut bench = Bench::made("network", "");
            bench.write(0, CONTROL, filter);
            comes(&mut bench, 10, &frame(destination, b"hello"));
            assert_eq!(bench.read(11, RECEIVED), u8::from(expected), "{filter:02X} {destination:02X?}");
        }
    }
}

#[test]
fn has_the_address_of_the_board_until_the_program_writes_another() {
    let mut bench = Bench::made("network", "address = \"0A:1b:00:00:00:ff\"");
    let address: Vec<u8> = (ADDRESS..ADDRESS + 6).map(|register| bench.read(0, register)).collect();
    assert_eq!(address, [0x0A, 0x1B, 0, 0, 0, 0xFF]);
    bench.write(1, CONTROL, control::RECEIVE);
    bench.write(2, ADDRESS, 2);
    comes(&mut bench, 10, &frame([2, 0x1B, 0, 0, 0, 0xFF], b""));
    assert_eq!(bench.read(11, RECEIVED), 1);
    bench.device.reset(12);
    assert_eq!((bench.read(13, ADDRESS), bench.read(13, RECEIVED)), (0x0A, 0));
    for wrong in [
        "",
        "02:00:00:00:00",
        "02:00:00:00:00:01:02",
        "2:0:0:0:0:1",
        "02:00:00:00:00:0g",
        "+2:00:00:00:00:01",
    ] {
        let options = format!("address = \"{wrong}\"").parse().unwrap();
        let error = crate::devices::create("network", options).err().expect("no address").to_string();
        assert!(error.contains("is no address"), "{error}");
    }
}

#[test]
fn packets_wait_in_order_and_are_read_byte_by_byte() {
    let mut bench = Bench::made("network", "");
    bench.write(0, CONTROL, control::RECEIVE | control::RECEIVE_INTERRUPT);
    let packets = [frame(OURS, b"one"), frame([0xFF; 6], &[2; 300]), frame(OURS, b"")];
    for (cycle, packet) in (10..).zip(&packets) {
        comes(&mut bench, cycle, packet);
    }
    assert_eq!(bench.device.irq(), Some(10));
    assert_eq!(bench.read(20, RECEIVED), 3);
    for packet in &packets {
        assert_eq!(read_packet(&mut bench), *packet);
    }
    assert_eq!((bench.device.irq(), bench.read(999, STATUS)), (None, 0));
    // Some of a packet may be left unread.
    comes(&mut bench, 1000, &packets[1]);
    comes(&mut bench, 1001, &packets[0]);
    bench.read(1002, RECEIVE_DATA);
    bench.write(1003, COMMAND, command::NEXT);
    assert_eq!(read_packet(&mut bench), packets[0]);
}

#[test]
fn a_full_ring_loses_what_comes_and_says_so() {
    let mut bench = Bench::made("network", "");
    bench.write(0, CONTROL, control::RECEIVE);
    let packet = frame(OURS, &[5; 1000]);
    let fit = RING_BYTES / (packet.len() + 2);
    for _ in 0..fit {
        comes(&mut bench, 10, &packet);
    }
    assert_eq!(bench.read(11, STATUS), status::RECEIVED);
    comes(&mut bench, 12, &packet);
    assert_eq!(bench.read(13, STATUS), status::RECEIVED | status::OVERRUN);
    assert_eq!(usize::from(bench.read(14, RECEIVED)), fit);
    bench.write(15, COMMAND, command::NEXT);
    comes(&mut bench, 16, &packet);
    assert_eq!(usize::from(bench.read(17, RECEIVED)), fit);
}
