//! The disk controller.

use super::Bench;
use crate::devices::disk::*;
use crate::nondet::BlockRequest;
use crate::persist::Reader;

fn start(bench: &mut Bench, command: u8, sector: u32, address: u16, count: u8) {
    for (register, byte) in (SECTOR..).zip(sector.to_le_bytes()) {
        bench.write(10, register, byte);
    }
    let [low, high] = address.to_le_bytes();
    bench.write(11, ADDRESS_LOW, low);
    bench.write(12, ADDRESS_HIGH, high);
    bench.write(13, COUNT, count);
    bench.write(14, COMMAND, command);
}

fn call(bench: &mut Bench, cycle: u64) {
    bench.with(cycle, |device, context| device.deferred_call(context));
}

#[test]
fn reads_into_memory_when_the_host_is_through() {
    let mut bench = Bench::made("disk", "");
    bench.write(5, CONTROL, INTERRUPT);
    start(&mut bench, command::READ, 0x0102_0304, 0x2000, 2);
    assert_eq!((bench.host.calls.0, bench.host.blocks.len()), (1, 0), "it waits for the bus");
    assert_eq!(bench.read(15, STATUS), status::BUSY);
    call(&mut bench, 16);
    assert_eq!(bench.host.blocks, [BlockRequest::Read { sector: 0x0102_0304, count: 2 }]);
    let data: Vec<u8> = (0..1024_u32).map(|index| (index / 4) as u8).collect();
    bench.block_result(40, 1024, &data);
    assert_eq!(&bench.ram.0[0x2000..0x2400], data);
    assert_eq!((bench.ram.0[0x1FFF], bench.ram.0[0x2400]), (0, 0));
    assert_eq!(bench.device.irq(), Some(40));
    assert_eq!(bench.read(41, STATUS), status::DONE | status::IRQ);
    assert_eq!((bench.read(42, COMPLETED), bench.read(43, ERROR)), (2, error::NONE));
    bench.write(44, STATUS, status::DONE);
    assert_eq!((bench.device.irq(), bench.read(45, STATUS)), (None, 0));
}

#[test]
fn writes_what_memory_held_when_it_had_the_bus() {
    let mut bench = Bench::made("disk", "");
    for (index, byte) in bench.ram.0[0xFF00..].iter_mut().enumerate() {
        *byte = index as u8;
    }
    bench.ram.0[..0x100].fill(0xEE);
    start(&mut bench, command::WRITE, 7, 0xFF00, 1);
    call(&mut bench, 16);
    bench.ram.0[0xFF00] = 0x77;
    let Some(BlockRequest::Write { sector: 7, data }) = bench.host.blocks.pop() else { panic!("a write") };
    let expected: Vec<u8> = (0..=255).chain([0xEE; 256]).collect();
    assert_eq!(data, expected, "memory goes around");
    bench.block_result(30, 512, &[]);
    assert_eq!((bench.read(31, STATUS), bench.read(32, COMPLETED)), (status::DONE, 1));
}

#[test]
fn a_flush_moves_nothing() {
    let mut bench = Bench::made("disk", "");
    start(&mut bench, command::FLUSH, 0, 0, 0);
    call(&mut bench, 16);
    assert_eq!(bench.host.blocks, [BlockRequest::Flush]);
    bench.block_result(20, 0, &[]);
    assert_eq!((bench.read(21, STATUS), bench.read(22, COMPLETED)), (status::DONE, 0));
}

#[test]
fn says_why_it_failed() {
    for (errno, expected) in [
        (6, error::NO_DISK),
        (22, error::NO_SECTOR),
        (28, error::NO_SECTOR),
        (30, error::PROTECTED),
        (5, error::HOST),
    ] {
        let mut bench = Bench::made("disk", "");
        start(&mut bench, command::READ, 0, 0x2000, 1);
        call(&mut bench, 16);
        bench.block_result(20, -errno, &[]);
        assert_eq!((bench.read(21, STATUS), bench.read(22, ERROR)), (status::DONE | status::ERROR, expected));
        assert_eq!(bench.read(23, COMPLETED), 0);
    }
    for (command, count, expected) in [
        (0, 1, error::COMMAND),
        (4, 1, error::COMMAND),
        (command::READ, 0, error::COUNT),
        (command::WRITE, 129, error::COUNT),
    ] {
        let mut bench = Bench::made("disk", "");
        start(&mut bench, command, 0, 0x2000, count);
        assert_eq!((bench.read(21, STATUS), bench.read(22, ERROR)), (status::DONE | status::ERROR, expected));
        assert_eq!(bench.host.calls.0, 0);
    }
}

#[test]
fn a_command_too_early_does_not_disturb_the_one_before() {
    let mut bench = Bench::made("disk", "");
    start(&mut bench, command::READ, 1, 0x2000, 1);
    start(&mut bench, command::WRITE, 2, 0x4000, 3);
    assert_eq!(bench.read(15, ERROR), error::BUSY);
    assert_eq!(bench.host.calls.0, 1);
    call(&mut bench, 16);
    assert_eq!(bench.host.blocks, [BlockRequest::Read { sector: 1, count: 1 }]);
    bench.block_result(20, 512, &[0x33; 512]);
    assert_eq!((bench.ram.0[0x2000], bench.ram.0[0x4000]), (0x33, 0));
    assert_eq!((bench.read(21, ERROR), bench.read(22, COMPLETED)), (error::NONE, 1));
}

#[test]
fn a_short_read_counts_what_it_moved() {
    let mut bench = Bench::made("disk", "");
    start(&mut bench, command::READ, 0, 0x2000, 4);
    call(&mut bench, 16);
    bench.block_result(20, 1024, &[0x11; 1024]);
    assert_eq!((bench.read(21, ERROR), bench.read(22, COMPLETED)), (error::HOST, 2));
    assert_eq!((bench.ram.0[0x23FF], bench.ram.0[0x2400]), (0x11, 0));
}

#[test]
fn what_arrives_after_a_reset_goes_nowhere() {
    let mut bench = Bench::made("disk", "");
    start(&mut bench, command::READ, 0, 0x2000, 1);
    call(&mut bench, 16);
    bench.device.reset(17);
    bench.block_result(20, 512, &[0x11; 512]);
    assert_eq!((bench.ram.0[0x2000], bench.read(21, STATUS)), (0, 0));
    // Nor does a call that was on its way start anything.
    call(&mut bench, 22);
    assert_eq!(bench.host.blocks.len(), 1);
}

#[test]
fn its_registers_read_as_they_were_written() {
    let mut bench = Bench::made("disk", "");
    start(&mut bench, command::READ, 0x0403_0201, 0x6605, 7);
    bench.write(20, CONTROL, 0xFF);
    let read: Vec<u8> = (0..12).map(|register| bench.read(21, register)).collect();
    assert_eq!(read, [command::READ, status::BUSY, INTERRUPT, 0, 1, 2, 3, 4, 0x05, 0x66, 7, 0]);
}

/// A request in flight of a controller that has made so many requests before.
fn waiting(before: usize) -> Bench {
    let mut bench = Bench::made("disk", "");
    for _ in 0..before {
        start(&mut bench, command::FLUSH, 0, 0, 0);
        call(&mut bench, 16);
        bench.block_result(20, 0, &[]);
    }
    start(&mut bench, command::READ, 3, 0x2000, 1);
    call(&mut bench, 30);
    bench
}

#[test]
fn the_number_of_a_request_is_no_state_of_the_controller() {
    assert_eq!(saved(&waiting(0)), saved(&waiting(4)));
    let (mut first, mut restored) = (waiting(1), Bench::made("disk", ""));
    let bytes = saved(&first);
    restored.device.restore(&mut Reader::new(&bytes)).expect("it was saved");
    assert_eq!(saved(&restored), bytes);
    restored.with(40, |device, context| device.block_completed(7, 512, &[9; 512], context));
    assert_eq!(restored.read(41, STATUS), status::BUSY, "it does not know yet which request it waits for");
    restored.device.number_request(7);
    restored.with(42, |device, context| device.block_completed(7, 512, &[9; 512], context));
    assert_eq!(restored.read(43, STATUS), status::DONE);
    first.block_result(42, 512, &[9; 512]);
    first.read(43, STATUS);
    assert_eq!(saved(&restored), saved(&first));
}

fn saved(bench: &Bench) -> Vec<u8> {
    let mut bytes = Vec::new();
    bench.device.save(&mut bytes);
    bytes
}
