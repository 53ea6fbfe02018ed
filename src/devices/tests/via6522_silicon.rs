//! What a 6522 does and its data sheets leave out, or say otherwise: from dumps of the chips in a VIC-20 and in 1541 drives.

use super::super::via6522::{Via6522, flag, register::*};
use super::Bench;

fn bench() -> Bench {
    Bench::made("via6522", "")
}

/// Starts a timer by the write of its high byte in cycle `at`.
fn start(bench: &mut Bench, low: u16, at: u64, count: u16) {
    bench.write(at - 4, low, count as u8);
    bench.write(at, low + 1, (count >> 8) as u8);
}

fn peeked(bench: &Bench, register: u16, cycles: std::ops::Range<u64>) -> Vec<u8> {
    cycles.map(|cycle| bench.device.peek(register, cycle)).collect()
}

#[test]
fn only_a_write_of_t1c_h_arms_t1() {
    // From power-on T1 counts, and in free run it does so for ever, without a flag.
    let mut bench = bench();
    bench.write(10, ACR, 0x40);
    assert_eq!(bench.read(1_000_000, IFR), 0);
    // A one-shot that has timed out stays so in free run.
    bench.write(1_000_000, ACR, 0);
    start(&mut bench, T1C_L, 1_000_100, 20);
    assert_eq!(bench.read(1_000_200, IFR), flag::T1);
    bench.write(1_000_210, IFR, 0x7F);
    bench.write(1_000_220, ACR, 0x40);
    assert_eq!((bench.read(2_000_000, IFR), bench.device.next_timer()), (0, None));
    // One that has not goes on in free run, and a free run ends with one more.
    start(&mut bench, T1C_L, 2_000_100, 20);
    bench.write(2_000_110, ACR, 0x00);
    bench.write(2_000_115, ACR, 0x40);
    for time_out in [2_000_122, 2_000_144, 2_000_166] {
        assert_eq!([time_out - 1, time_out].map(|at| bench.device.peek(IFR, at)), [0, flag::T1]);
        bench.write(time_out + 3, IFR, flag::T1);
    }
    bench.write(2_000_170, ACR, 0x00);
    assert_eq!(bench.read(2_000_188, IFR), flag::T1);
    bench.write(2_000_190, IFR, flag::T1);
    assert_eq!(bench.read(3_000_000, IFR), 0);
}

#[test]
fn pb7_toggles_at_each_time_out_that_counts() {
    let pb7 = |bench: &Bench, cycle| bench.device.peek(ORB, cycle) >> 7;
    // Switched on after the start it is 1, and 0 after the time-out of a one-shot; then nothing moves it.
    let mut bench = bench();
    start(&mut bench, T1C_L, 100, 30);
    bench.write(110, ACR, 0x80);
    assert_eq!([111, 131, 132, 164, 100_000].map(|at| pb7(&bench, at)), [1, 1, 0, 0, 0]);
    // A start brings it to 0, and the time-out to 1.
    start(&mut bench, T1C_L, 200, 30);
    assert_eq!([201, 231, 232, 264].map(|at| pb7(&bench, at)), [0, 0, 1, 1]);
    // Off and on again it is 1.
    start(&mut bench, T1C_L, 300, 30);
    bench.write(310, ACR, 0x00);
    bench.write(320, ACR, 0x80);
    assert_eq!([321, 332].map(|at| pb7(&bench, at)), [1, 0]);
    // In free run from the start, or on the way, each time-out toggles it; without a start none does.
    bench.write(350, ACR, 0xC0);
    assert_eq!([351, 10_000].map(|at| pb7(&bench, at)), [0, 0]);
    start(&mut bench, T1C_L, 400, 30);
    assert_eq!([401, 431, 432, 463, 464, 496].map(|at| pb7(&bench, at)), [0, 0, 1, 1, 0, 1]);
    assert_eq!(pb7(&bench, 432 + 32 * 100_001), 0);
}

#[test]
fn t2_starts_and_stops_a_cycle_after_acr5_has_changed() {
    let mut bench = bench();
    bench.write(0, ACR, 0x20);
    start(&mut bench, T2C_L, 100, 0x20);
    assert_eq!(peeked(&bench, T2C_L, 101..104), [0x20, 0x20, 0x20]);
    bench.write(110, ACR, 0x00);
    assert_eq!(peeked(&bench, T2C_L, 111..115), [0x20, 0x1F, 0x1E, 0x1D]);
    bench.write(115, ACR, 0x20);
    assert_eq!(peeked(&bench, T2C_L, 115..119), [0x1C, 0x1B, 0x1B, 0x1B]);
    // The last count may be the one that sets the flag.
    start(&mut bench, T2C_L, 200, 0);
    bench.write(210, ACR, 0x00);
    bench.write(211, ACR, 0x20);
    assert_eq!(peeked(&bench, T2C_L, 211..215), [0, 0xFF, 0xFF, 0xFF]);
    assert_eq!(peeked(&bench, IFR, 211..213), [0, flag::T2]);
    // Two changes in two cycles, as an INC makes them, come to one cycle without a count, or with one.
    start(&mut bench, T2C_L, 300, 0x20);
    bench.write(310, ACR, 0x00);
    bench.write(311, ACR, 0x20);
    bench.write(312, ACR, 0x00);
    assert_eq!(peeked(&bench, T2C_L, 312..316), [0x1F, 0x1F, 0x1E, 0x1D]);
    // RESB clears ACR5 too.
    bench.write(330, ACR, 0x20);
    let held = bench.read(332, T2C_L);
    bench.device.reset(340);
    assert_eq!(peeked(&bench, T2C_L, 341..344), [held, held - 1, held - 2]);
}

#[test]
fn an_access_to_sr_does_not_start_a_byte_again_that_is_on_its_way() {
    // Out under φ2: an edge a cycle from the second cycle after the access that starts.
    let mut bench = bench();
    bench.write(0, SR, 0x01);
    bench.write(4, ACR, 0x18);
    let seen: Vec<u8> = (0..5).map(|number| bench.read(100 + 7 * number, SR)).collect();
    assert_eq!(seen, [0x01, 0x08, 0x80, 0x01, 0x08]);
    // In under φ2, CB2 high: a bit with each second edge.
    let mut bench = self::bench();
    bench.write(0, SR, 0x00);
    bench.write(4, ACR, 0x08);
    let seen: Vec<u8> = (0..4).map(|number| bench.read(100 + 6 * number, SR)).collect();
    assert_eq!(seen, [0x00, 0x03, 0x1F, 0xFF]);
    // Under T2, out: the flag comes with the sixteenth edge from the first access, whatever happens in between, and every
    // access clears it.
    for (mode, after) in [(0x14, 0x01), (0x04, 0xFF)] {
        let mut bench = self::bench();
        bench.write(0, SR, 0x01);
        bench.write(4, ACR, mode);
        start(&mut bench, T2C_L, 50, 0xFF08);
        bench.read(55, SR);
        // The low byte reads FF in cycle 60 and every tenth; the edges are in 62, 72, ... 212.
        for cycle in [70, 111, 155, 199] {
            bench.read(cycle, SR);
        }
        assert_eq!(peeked(&bench, IFR, 211..213), [0, flag::SR], "mode {mode:02X}");
        assert_eq!(bench.device.peek(SR, 212), after);
        assert_eq!(bench.device.peek(SR, 500), after, "it stands");
    }
}

#[test]
fn under_t2_bits_move_two_cycles_after_its_low_byte_reads_ff() {
    let mut bench = bench();
    bench.write(0, ACR, 0x10);
    bench.write(4, SR, 0x01);
    start(&mut bench, T2C_L, 100, 20);
    assert_eq!(peeked(&bench, T2C_L, 120..124), [1, 0, 0xFF, 20]);
    assert_eq!(peeked(&bench, SR, 122..126), [0x01, 0x01, 0x02, 0x02]);
    // With the shortest period an edge is asked for while another is on its way.
    start(&mut bench, T2C_L, 200, 0);
    bench.write(201, SR, 0x71);
    let turned: Vec<u8> = [203, 204, 206, 208].map(|cycle| bench.device.peek(SR, cycle)).to_vec();
    assert_eq!(turned, [0x71, 0xE2, 0xE2, 0xC5]);
}

/// What takes effect later is part of the state while it is on its way, and the state has its old form before and after.
#[test]
fn what_is_on_its_way_is_saved() {
    let mut bench = bench();
    bench.write(0, ACR, 0x10);
    start(&mut bench, T2C_L, 100, 20);
    let mut lengths = Vec::new();
    for cycle in 120..126 {
        bench.device.catch_up(cycle);
        let saved = bench.saved();
        let mut other: Box<dyn crate::devices::Device> = Box::new(Via6522::default());
        super::restore(other.as_mut(), &saved);
        assert_eq!(other.peek(SR, 10_000), bench.device.peek(SR, 10_000));
        lengths.push(saved.len());
    }
    let usual = lengths[0];
    // The cycle of the underflow has the latch's value waiting as well.
    assert_eq!(lengths, [usual, usual, usual + 2 + 1, usual + 1, usual, usual]);
    // Nothing but the three bits stands there.
    for wrong in [0, 8, 0xFF] {
        let bytes = [&bench.saved()[..], &[wrong]].concat();
        let mut other: Box<dyn crate::devices::Device> = Box::new(Via6522::default());
        assert!(other.restore(&mut crate::persist::Reader::new(&bytes)).is_err(), "{wrong:02X}");
    }
}
