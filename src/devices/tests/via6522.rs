//! 6522 timers and shift register, from its data sheet.

use super::super::via6522::{Via6522, flag, register::*};
use super::{Bench, Host, context_at};
use crate::devices::Device;
use crate::persist::Value;
use crate::units::Position;

fn bench() -> Bench {
    Bench::made("via6522", "")
}

/// Starts T1 with `count` by the write of T1C-H in cycle `at`.
fn start_t1(bench: &mut Bench, at: u64, count: u16) {
    bench.write(at - 4, T1C_L, count as u8);
    bench.write(at, T1C_H, (count >> 8) as u8);
}

fn start_t2(bench: &mut Bench, at: u64, count: u16) {
    bench.write(at - 4, T2C_L, count as u8);
    bench.write(at, T2C_H, (count >> 8) as u8);
}

fn counter(bench: &mut Bench, at: u64, low: u16) -> u16 {
    u16::from(bench.device.peek(low, at)) | u16::from(bench.device.peek(low + 1, at)) << 8
}

#[test]
fn t1_counts_down_and_takes_its_latch_again() {
    let mut bench = bench();
    start_t1(&mut bench, 100, 3);
    let counts: Vec<u16> = (101..113).map(|cycle| counter(&mut bench, cycle, T1C_L)).collect();
    assert_eq!(counts, [3, 2, 1, 0, 0xFFFF, 3, 2, 1, 0, 0xFFFF, 3, 2]);
}

#[test]
fn t1_one_shot_interrupts_once_after_n_and_a_half_cycles() {
    let mut bench = bench();
    bench.write(0, IER, 0x80 | flag::T1);
    start_t1(&mut bench, 100, 1000);
    // N + 1.5 cycles from the end of cycle 100 is the middle of cycle 1102.
    assert_eq!(bench.device.next_timer(), Some(1102));
    assert_eq!(bench.read(1101, IFR), 0);
    assert_eq!(bench.read(1102, IFR), flag::ANY | flag::T1);
    assert_eq!(bench.device.irq(), Some(1102));
    assert_eq!(bench.device.next_timer(), None);
    bench.read(1200, T1C_L);
    assert_eq!((bench.device.irq(), bench.device.next_timer()), (None, None));
    assert_eq!(bench.read(1_000_000, IFR), 0, "no second time");
    start_t1(&mut bench, 1_000_100, 0);
    assert_eq!(bench.device.next_timer(), Some(1_000_102));
}

#[test]
fn t1_free_run_has_a_period_of_n_plus_two() {
    let mut bench = bench();
    bench.write(0, ACR, 0x40);
    bench.write(1, IER, 0x80 | flag::T1);
    start_t1(&mut bench, 100, 998);
    let mut due = Vec::new();
    for _ in 0..4 {
        let next = bench.device.next_timer().unwrap();
        due.push(next);
        bench.run_to(next);
        assert_eq!(bench.device.irq(), Some(next));
        bench.write(next + 5, IFR, flag::T1);
        assert_eq!(bench.device.irq(), None);
    }
    assert_eq!(due, [1100, 2100, 3100, 4100]);
    assert_eq!(bench.read(1_000_000_000_000, IFR), flag::ANY | flag::T1, "a long sleep is no loop");
    assert_eq!(bench.device.irq(), Some(5100));
}

#[test]
fn latches_written_while_t1_runs_take_effect_at_the_next_time_out() {
    let mut bench = bench();
    bench.write(0, ACR, 0x40);
    bench.write(1, IER, 0x80 | flag::T1);
    start_t1(&mut bench, 100, 98);
    bench.write(150, T1L_L, 48);
    assert_eq!([bench.read(151, T1L_L), bench.read(152, T1L_H)], [48, 0]);
    assert_eq!(bench.device.next_timer(), Some(200));
    bench.run_to(200);
    bench.write(201, T1L_H, 0);
    assert_eq!(bench.device.irq(), None, "a write of T1L-H clears the flag");
    assert_eq!(bench.device.next_timer(), Some(250));
    // In the very cycle of FFFF, before the reload: in time.
    bench.run_to(249);
    bench.write(250, T1L_L, 8);
    assert_eq!(bench.read(251, T1C_L), 8);
    assert_eq!(bench.device.next_timer(), Some(260));
}

#[test]
fn what_clears_the_timer_flags() {
    for (register, write, clears) in [
        (T1C_L, false, true),
        (T1C_H, false, false),
        (T1L_L, false, false),
        (T1L_H, false, false),
        (T1C_L, true, false),
        (T1C_H, true, true),
        (T1L_L, true, false),
        (T1L_H, true, true),
    ] {
        let mut bench = bench();
        start_t1(&mut bench, 10, 5);
        assert_eq!(bench.read(30, IFR), flag::T1);
        if write {
            bench.write(31, register, 0xFF);
        } else {
            bench.read(31, register);
        }
        assert_eq!(bench.read(32, IFR) == 0, clears, "register {register}, write {write}");
    }
    for (register, write, clears) in
        [(T2C_L, false, true), (T2C_H, false, false), (T2C_L, true, false), (T2C_H, true, true)]
    {
        let mut bench = bench();
        start_t2(&mut bench, 10, 5);
        assert_eq!(bench.read(30, IFR), flag::T2);
        if write {
            bench.write(31, register, 0xFF);
        } else {
            bench.read(31, register);
        }
        assert_eq!(bench.read(32, IFR) == 0, clears, "register {register}, write {write}");
    }
}

#[test]
fn pb7_is_a_pulse_in_one_shot_and_a_square_wave_in_free_run() {
    let pb7 = |bench: &mut Bench, cycle| bench.device.peek(ORB, cycle) >> 7;
    let mut one_shot = bench();
    one_shot.write(0, ACR, 0x80);
    assert_eq!(pb7(&mut one_shot, 50), 1);
    start_t1(&mut one_shot, 100, 10);
    assert_eq!([101, 111, 112, 500].map(|cycle| pb7(&mut one_shot, cycle)), [0, 0, 1, 1]);
    let mut free = bench();
    free.write(0, ACR, 0xC0);
    free.write(1, ORB, 0);
    free.write(2, DDRB, 0x80);
    start_t1(&mut free, 100, 8);
    let levels = [101, 109, 110, 119, 120, 129, 130].map(|cycle| pb7(&mut free, cycle));
    assert_eq!(levels, [0, 0, 1, 1, 0, 0, 1], "ORB7 and DDRB7 do not matter");
    assert_eq!(pb7(&mut free, 110 + 10 * 1_000_001), 0);
    free.write(20_000_000, ACR, 0);
    assert_eq!(pb7(&mut free, 20_000_001), 0, "ORB7 again");
}

#[test]
fn t2_one_shot_interrupts_once_and_counts_on() {
    let mut bench = bench();
    bench.write(0, IER, 0x80 | flag::T2);
    start_t2(&mut bench, 100, 0x0123);
    assert_eq!(counter(&mut bench, 101, T2C_L), 0x0123);
    assert_eq!(bench.device.next_timer(), Some(102 + 0x0123));
    let counts: Vec<u16> = (0..4).map(|cycle| counter(&mut bench, 101 + 0x0123 + cycle, T2C_L)).collect();
    assert_eq!(counts, [0, 0xFFFF, 0xFFFE, 0xFFFD], "it does not take its latch again");
    bench.run_to(1000);
    assert_eq!(bench.device.irq(), Some(102 + 0x0123));
    bench.read(1000, T2C_L);
    assert_eq!(bench.read(1_000_000, IFR), 0);
}

#[test]
fn t2_counts_falling_edges_on_pb6() {
    let mut bench = bench();
    bench.write(0, ACR, 0x20);
    bench.write(0, IER, 0x80 | flag::T2);
    start_t2(&mut bench, 100, 2);
    let mut flags = Vec::new();
    for pulse in 0..4 {
        let cycle = 200 + 10 * pulse;
        bench.line(cycle, "port_b", 0xBF);
        flags.push(bench.read(cycle + 1, IFR));
        bench.line(cycle + 2, "port_b", 0xFF);
    }
    assert_eq!(flags, [0, 0, 0xA0, 0xA0], "the flag comes when it counts past zero");
    assert_eq!(bench.device.irq(), Some(220));
    assert_eq!(counter(&mut bench, 1000, T2C_L), 0xFFFE);
    // Back to counting cycles, from where it stands.
    bench.write(1000, ACR, 0);
    assert_eq!(counter(&mut bench, 1002, T2C_L), 0xFFFD);
}

#[test]
fn ier_sets_and_clears_by_bit_7_and_ifr_by_ones() {
    let mut bench = bench();
    assert_eq!(bench.read(0, IER), 0x80);
    bench.write(1, IER, 0xE2);
    assert_eq!(bench.read(2, IER), 0xE2);
    bench.write(3, IER, 0x22);
    assert_eq!(bench.read(4, IER), 0xC0);
    start_t1(&mut bench, 10, 1);
    start_t2(&mut bench, 20, 1);
    assert_eq!(bench.read(40, IFR), 0xE0);
    bench.write(41, IFR, 0x80);
    assert_eq!(bench.read(42, IFR), 0xE0, "bit 7 is no flag");
    bench.write(43, IFR, 0x40);
    assert_eq!(bench.read(44, IFR), 0x20, "T2 is not enabled");
    assert_eq!(bench.device.irq(), None);
    bench.write(45, IER, 0xA0);
    assert_eq!(bench.device.irq(), Some(45));
    bench.write(46, IER, 0x20);
    assert_eq!(bench.device.irq(), None);
}

#[test]
fn the_earlier_of_two_flags_holds_the_line() {
    let mut bench = bench();
    bench.write(0, IER, 0xE0);
    start_t2(&mut bench, 20, 50);
    start_t1(&mut bench, 30, 20);
    bench.device.catch_up(1000);
    assert_eq!(bench.device.irq(), Some(52));
}

#[test]
fn reset_spares_timers_and_shift_register() {
    let mut bench = bench();
    for (register, value) in
        [(ORB, 1), (ORA, 2), (DDRB, 0x0F), (DDRA, 0xF0), (SR, 0x5A), (PCR, 0xEE), (IER, 0xFF)]
    {
        bench.write(1, register, value);
    }
    start_t1(&mut bench, 100, 0x1234);
    bench.device.reset(103);
    for register in [DDRB, DDRA, ACR, PCR, IFR] {
        assert_eq!(bench.read(104, register), 0, "register {register}");
    }
    assert_eq!(bench.read(104, IER), 0x80);
    assert_eq!(bench.read(104, SR), 0x5A);
    assert_eq!(counter(&mut bench, 104, T1C_L), 0x1231);
    assert_eq!([bench.read(105, T1L_L), bench.read(106, T1L_H)], [0x34, 0x12]);
    assert_eq!(bench.read(100_000, IFR), 0, "but T1 no longer interrupts");
}

// -- the shift register

/// CB1 and CB2 cycle by cycle.
struct Wires {
    via: Via6522,
    host: Host,
}

impl Wires {
    fn new(acr: u8) -> Self {
        let mut wires = Self { via: Via6522::default(), host: Host::default() };
        wires.write(0, ACR, acr);
        wires
    }

    fn write(&mut self, cycle: u64, register: u16, value: u8) {
        let Self { via, host } = self;
        let at = Position::new(0, cycle);
        via.write(register, value, &mut context_at(at, host));
    }

    fn read(&mut self, cycle: u64, register: u16) -> u8 {
        let Self { via, host } = self;
        let at = Position::new(0, cycle);
        via.read(register, &mut context_at(at, host))
    }

    /// Cycles of CB1's edges, and the byte that CB2 carries at the rising ones.
    fn watch(&self, cycles: std::ops::Range<u64>) -> (Vec<u64>, u8) {
        let (mut edges, mut byte, mut level) = (Vec::new(), 0u8, true);
        for cycle in cycles {
            let pins = self.via.pins(cycle);
            if pins.cb1 != level {
                edges.push(cycle);
                if pins.cb1 {
                    byte = byte << 1 | u8::from(pins.cb2);
                }
            }
            level = pins.cb1;
        }
        (edges, byte)
    }

    /// Feeds a byte to CB2, a bit before each rising edge that the VIA makes on CB1.
    fn feed(&mut self, byte: u8, cycles: std::ops::Range<u64>) {
        let mut bits = (0..8).rev().map(|bit| byte >> bit & 1 != 0);
        let mut level = true;
        for cycle in cycles {
            let now = self.via.pins(cycle).cb1;
            if level && !now {
                self.via.set_cb2(bits.next().unwrap_or(true), cycle);
            }
            level = now;
        }
    }
}

#[test]
fn shift_out_under_phi2_takes_sixteen_edges() {
    let mut wires = Wires::new(0x18);
    wires.write(100, SR, 0xA6);
    let (edges, byte) = wires.watch(100..200);
    assert_eq!(edges, (102..118).collect::<Vec<_>>());
    assert_eq!(byte, 0xA6);
    assert_eq!([wires.read(116, IFR), wires.read(117, IFR)], [0, flag::SR]);
    assert_eq!(wires.read(300, SR), 0xA6, "it has come round");
    assert_eq!(wires.read(301, IFR), 0, "the read cleared the flag and started again");
    assert_eq!(wires.read(400, IFR), flag::SR);
}

#[test]
fn shift_in_under_phi2() {
    let mut wires = Wires::new(0x08);
    wires.read(100, SR);
    wires.feed(0x3D, 100..130);
    assert_eq!(wires.read(200, SR), 0x3D);
}

#[test]
fn shift_out_under_t2_has_edges_n_plus_two_apart() {
    let mut wires = Wires::new(0x14);
    wires.write(50, T2C_L, 8);
    wires.write(60, T2C_H, 0);
    wires.write(1, IER, 0x80 | flag::SR);
    wires.write(65, SR, 0xC5);
    let (edges, byte) = wires.watch(65..400);
    // T2's low byte reads FF in cycle 60 + 8 + 2 and every ten cycles, and the edge comes two cycles later.
    assert_eq!(edges, (7..23).map(|edge| edge * 10 + 2).collect::<Vec<_>>());
    assert_eq!(byte, 0xC5);
    assert_eq!(wires.via.next_timer(), Some(222));
    assert_eq!(wires.read(222, IFR), 0x80 | flag::SR | flag::T2);
    assert_eq!(wires.via.irq(), Some(222));
}

#[test]
fn shift_in_under_t2() {
    let mut wires = Wires::new(0x04);
    wires.write(50, T2C_L, 3);
    wires.write(60, T2C_H, 0xFF);
    wires.read(61, SR);
    wires.feed(0x96, 61..400);
    assert_eq!(wires.read(400, IFR), flag::SR | flag::CB2, "CB2 is still an input of its own");
    assert_eq!(wires.read(401, SR), 0x96);
}

#[test]
fn free_running_shift_goes_round_without_a_flag() {
    let mut wires = Wires::new(0x10);
    wires.write(50, T2C_L, 0);
    wires.write(60, T2C_H, 0);
    wires.write(61, SR, 0x71);
    // A read of SR in this mode shows how far it has turned: an edge every second cycle from 64.
    let turned = |wires: &mut Wires, edges: u64| wires.read(64 + 2 * (edges - 1), SR);
    assert_eq!(turned(&mut wires, 1), 0xE2);
    assert_eq!(turned(&mut wires, 2), 0xE2);
    assert_eq!(turned(&mut wires, 3), 0xC5);
    assert_eq!(turned(&mut wires, 16), 0x71);
    assert_eq!(turned(&mut wires, 16_000_000_000), 0x71);
    assert_eq!(turned(&mut wires, 16_000_000_001), 0xE2);
    let mut jump = Wires::new(0x10);
    jump.write(1, T2C_L, 0);
    jump.write(2, T2C_H, 0);
    jump.write(3, SR, 0x0E);
    // Edges at 6, 8, ..: sixteen by 36, the last bit out is bit 0.
    assert_eq!([35, 37].map(|cycle| jump.via.pins(cycle).cb2), [false, false]);
    assert!(!jump.via.pins(4 + 2 * 160).cb2, "after ten whole turns in one stride too");
    assert_eq!(wires.read(40_000_000_000, IFR) & flag::SR, 0);
}

#[test]
fn shift_under_an_external_clock_counts_eight_and_goes_on() {
    let clock = |wires: &mut Wires, cycle: u64, bit: bool| {
        wires.via.set_cb1(false, cycle);
        let out = wires.via.pins(cycle).cb2;
        wires.via.set_cb2(bit, cycle + 1);
        wires.via.set_cb1(true, cycle + 2);
        out
    };
    let mut input = Wires::new(0x0C);
    input.read(1, SR);
    for (number, bit) in [1, 0, 1, 1, 0, 0, 1, 0].into_iter().enumerate() {
        assert_eq!(input.read(9 + 10 * number as u64, IFR) & flag::SR, 0);
        clock(&mut input, 10 + 10 * number as u64, bit != 0);
    }
    assert_eq!(input.read(100, IFR) & flag::SR, flag::SR);
    clock(&mut input, 110, true);
    assert_eq!(input.read(120, SR), 0b0110_0101, "a ninth pulse still shifts");
    assert_eq!(input.read(121, IFR) & flag::SR, 0);

    let mut output = Wires::new(0x1C);
    output.write(1, SR, 0x9A);
    let bits =
        (0..8).fold(0u8, |byte, number| byte << 1 | u8::from(clock(&mut output, 10 + 10 * number, true)));
    assert_eq!(bits, 0x9A);
    assert_eq!(output.read(100, IFR) & flag::SR, flag::SR);
}

#[test]
fn the_disabled_shift_register_shifts_in_without_a_flag() {
    let mut wires = Wires::new(0x00);
    wires.write(1, SR, 0);
    for number in 0..8 {
        wires.via.set_cb1(false, 10 + 10 * number);
        wires.via.set_cb1(true, 15 + 10 * number);
    }
    assert_eq!(wires.read(100, SR), 0xFF);
    assert_eq!(wires.read(101, IFR) & flag::SR, 0);
}

#[test]
fn state_goes_by_data_sheet_names() {
    let mut bench = bench();
    start_t1(&mut bench, 100, 1000);
    bench.write(101, DDRA, 0xF0);
    assert_eq!(bench.field(200, "t1_counter"), Value::Unsigned(901));
    assert_eq!(bench.field(200, "t1_latch"), Value::Unsigned(1000));
    assert_eq!(bench.field(200, "ddra"), Value::Unsigned(0xF0));
    for name in ["orb", "irb", "ora", "ira", "ddrb", "t2_counter", "sr", "acr", "pcr", "ifr", "ier"] {
        bench.field(200, name);
    }
}
