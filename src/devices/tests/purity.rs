//! The rule that replay rests on: what a device does depends on the accesses and their cycles alone, never on how often
//! somebody looked at it in between.
//!
//! A random run of instructions, accesses and inputs is done twice: once with only the calls that a machine must make,
//! once with all the calls that it may make. Every value read, every byte sent with its position, the interrupt line
//! at every boundary and the saved bytes must be the same.

use super::super::{Device, create};
use super::{Bench, Host, restore};
use crate::events::InputEvent;
use proptest::prelude::*;

/// What happens in one instruction, and at the boundary before it.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Bytes from the host at the boundary.
    pub received: Vec<u8>,
    /// A line set at the boundary: its number, and the level.
    pub line: Option<(usize, u8)>,
    pub reset: bool,
    /// Length of the instruction (or of many without I/O), in cycles.
    pub cycles: u64,
    /// `(when in the instruction, register, value to write or nothing to read)`.
    pub accesses: Vec<(u64, u16, Option<u8>)>,
    /// Which of the calls that are allowed but not needed the busy run makes.
    pub calls: u8,
}

/// What a run shows.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    reads: Vec<u8>,
    lines: Vec<Option<u64>>,
    host: Host,
    saved: Vec<u8>,
    pending: usize,
}

fn run(kind: &str, options: &str, steps: &[Step], busy: bool) -> Seen {
    let mut bench = Bench::made(kind, options);
    let (mut reads, mut lines) = (Vec::new(), Vec::new());
    let mut now = 100;
    for step in steps {
        must_run_timers(&mut bench, now);
        if busy {
            look(&mut bench, kind, options, now, step.calls);
        }
        lines.push(bench.device.irq());
        if step.reset {
            bench.device.reset(now);
        }
        arrive(&mut bench, now, &step.received);
        let names = bench.device.lines();
        if let Some((number, level)) = step.line.filter(|_| !names.is_empty()) {
            let name = names[number % names.len()];
            let level = if name.starts_with("port") { level.wrapping_mul(0x55) } else { level & 1 };
            bench.line(now, name, level);
        }
        if busy {
            look(&mut bench, kind, options, now, step.calls >> 3);
        }
        let mut last = None;
        for &(when, register, value) in &step.accesses {
            let cycle = now + when.min(step.cycles - 1);
            // One access a cycle, in order.
            if last.is_some_and(|last| last >= cycle) {
                continue;
            }
            last = Some(cycle);
            let register = register % bench.device.register_count();
            if busy && step.calls & 0x40 != 0 {
                bench.with(cycle, |device, context| device.run_timer(context));
            }
            match value {
                Some(value) => bench.write(cycle, register, value),
                None if busy => reads.push(bench.read(cycle, register)),
                None => reads.push(bench.with(cycle, |device, context| device.read(register, context))),
            }
        }
        now += step.cycles;
    }
    must_run_timers(&mut bench, now);
    bench.device.catch_up(now);
    let saved = bench.saved();
    Seen { reads, lines, pending: bench.device.pending_input(), host: bench.host, saved }
}

/// Everything that can come to a device at a boundary: what it has asked for, and of what comes by itself as much as the
/// bytes say.
pub(super) fn arrive(bench: &mut Bench, now: u64, bytes: &[u8]) {
    bench.complete(now);
    if bytes.is_empty() {
        return;
    }
    if bench.device.is_char() {
        bench.receive(now, bytes);
    }
    if bench.device.is_net() {
        bench.with(now, |device, context| device.packet(0, &[bytes, &[0xFF; 20]].concat(), context));
        bench.with(now, |device, context| device.packet(0, &[&[0xFF; 14], bytes].concat(), context));
    }
    bench.host.host_clock += i64::from(bytes[0]) * 20_000_000;
    bench.host.virtual_rt_clock += i64::from(bytes[0]) * 100_000;
    bench.ring(now);
    for &byte in bytes {
        let events = [
            InputEvent::Key { keycode: (byte & 0x7F).into(), down: byte & 0x80 != 0 },
            InputEvent::Button { button: byte & 7, down: byte & 0x80 != 0 },
            InputEvent::Rel { axis: byte & 1, value: i32::from(byte) - 100 },
            InputEvent::Abs { axis: byte & 1, value: i32::from(byte) * 300 },
        ];
        bench.with(now, |device, context| device.input(events[usize::from(byte % 4)], context));
    }
    bench.with(now, |device, context| device.input_sync(context));
}

/// The one call that a machine owes the device at a boundary. Its line has done what the device foretold.
fn must_run_timers(bench: &mut Bench, now: u64) {
    let (due, before, foretold) =
        (bench.device.next_timer(), bench.device.irq(), bench.device.next_irq().filter(|&at| at <= now));
    if let Some(due) = due.filter(|&due| due <= now) {
        bench.with(now, |device, context| device.run_timer(context));
        let after = bench.device.irq();
        // What comes after the first of several events may hang on what a host has answered.
        let later = before.is_none() && foretold.is_none() && after.is_some_and(|at| at > due);
        assert!(
            later || after == before.or(foretold),
            "IRQ at {after:?}, and {before:?}, {foretold:?} foretold"
        );
    }
    let next = bench.device.next_timer();
    assert!(next.is_none_or(|due| due > now), "a timer due at {next:?} was not run at {now}");
    if let Some(foretold) = bench.device.next_irq() {
        assert!(bench.device.irq().is_none() && foretold > now, "IRQ foretold for {foretold} at {now}");
        assert!(next.is_some_and(|next| next <= foretold), "nobody will run the timer of {foretold}");
    }
}

/// Calls that change nothing.
fn look(bench: &mut Bench, kind: &str, options: &str, now: u64, calls: u8) {
    if calls & 1 != 0 {
        bench.with(now, |device, context| device.run_timer(context));
        for register in 0..bench.device.register_count() {
            bench.device.peek(register, now + 1000);
        }
    }
    if calls & 2 != 0 {
        bench.device.catch_up(now);
        bench.device.catch_up(now);
    }
    if calls & 4 != 0 {
        bench.device.catch_up(now);
        let mut other: Box<dyn Device> = create(kind, options.parse().unwrap()).unwrap();
        restore(other.as_mut(), &bench.saved());
        bench.device = other.clone();
    }
}

/// Registers and values that mean something to a chip, among arbitrary ones.
fn access(meaningful: &'static [(u16, u8)]) -> impl Strategy<Value = (u64, u16, Option<u8>)> {
    let write = prop_oneof![
        3 => prop::sample::select(meaningful).prop_map(|(register, value)| (register, Some(value))),
        1 => (0u16..16, any::<u8>()).prop_map(|(register, value)| (register, Some(value))),
        4 => (0u16..16).prop_map(|register| (register, None)),
    ];
    (0u64..40, write).prop_map(|(when, (register, value))| (when, register, value))
}

pub(super) fn steps(meaningful: &'static [(u16, u8)]) -> impl Strategy<Value = Vec<Step>> {
    let cycles = prop_oneof![8 => 2u64..9, 4 => 9u64..400, 2 => 400u64..20_000, 1 => 20_000u64..2_000_000];
    let step = (
        prop_oneof![4 => Just(Vec::new()), 1 => prop::collection::vec(any::<u8>(), 1..6)],
        prop_oneof![6 => Just(None), 1 => (0usize..8, any::<u8>()).prop_map(Some)],
        prop::bool::weighted(0.01),
        cycles,
        prop::collection::vec(access(meaningful), 0..3),
        any::<u8>(),
    );
    let step = step.prop_map(|(received, line, reset, cycles, mut accesses, calls)| {
        accesses.sort_unstable();
        Step { received, line, reset, cycles, accesses, calls }
    });
    prop::collection::vec(step, 1..60)
}

pub(super) const MOS6551: &[(u16, u8)] = &[
    (0, b'a'),
    (0, b'b'),
    (1, 0),
    (2, 0x09),
    (2, 0x0B),
    (2, 0x05),
    (2, 0x07),
    (2, 0x01),
    (2, 0x0A),
    (2, 0x13),
    (2, 0x11),
    (2, 0x0D),
    (2, 0x29),
    (3, 0x1F),
    (3, 0x1E),
    (3, 0x10),
    (3, 0x00),
    (3, 0xFF),
    (3, 0x1A),
];

pub(super) const MC6850: &[(u16, u8)] = &[
    (0, 0x03),
    (0, 0x16),
    (0, 0x15),
    (0, 0x95),
    (0, 0xB5),
    (0, 0x35),
    (0, 0x55),
    (0, 0x75),
    (0, 0x94),
    (0, 0x91),
    (1, b'a'),
    (1, b'b'),
];

pub(super) const VIA6522: &[(u16, u8)] = &[
    (4, 0),
    (4, 3),
    (4, 200),
    (5, 0),
    (5, 1),
    (6, 7),
    (7, 0),
    (8, 0),
    (8, 2),
    (8, 250),
    (9, 0),
    (9, 1),
    (10, 0xA5),
    (11, 0x00),
    (11, 0x40),
    (11, 0xC0),
    (11, 0x80),
    (11, 0x20),
    (11, 0x04),
    (11, 0x08),
    (11, 0x0C),
    (11, 0x10),
    (11, 0xD4),
    (11, 0x18),
    (11, 0x1F),
    (12, 0x00),
    (12, 0x88),
    (12, 0xAA),
    (12, 0x11),
    (13, 0x7F),
    (13, 0x40),
    (14, 0xFF),
    (14, 0xC0),
    (14, 0xA0),
    (14, 0x84),
    (14, 0x7F),
];

/// Control registers of all kinds, so that flags, interrupts and answers come up.
pub(super) const MC6821: &[(u16, u8)] = &[
    (0, 0xF0),
    (1, 0x04),
    (1, 0x07),
    (1, 0x1F),
    (1, 0x25),
    (1, 0x2E),
    (1, 0xA7),
    (2, 0x7F),
    (2, 0xC1),
    (3, 0x05),
    (3, 0x26),
    (3, 0x3C),
    (3, 0xA7),
];

/// Registers, some times, and rates.
pub(super) const MC146818: &[(u16, u8)] = &[
    (0, 0x00),
    (0, 0x01),
    (0, 0x04),
    (0, 0x05),
    (0, 0x0A),
    (0, 0x0B),
    (0, 0x0C),
    (1, 0x00),
    (1, 0x02),
    (1, 0x12),
    (1, 0x23),
    (1, 0x26),
    (1, 0x2F),
    (1, 0x42),
    (1, 0x52),
    (1, 0x60),
    (1, 0x72),
    (1, 0x80),
    (1, 0xC0),
    (1, 0xFF),
];

pub(super) const DISK: &[(u16, u8)] =
    &[(0, 1), (0, 2), (0, 3), (0, 9), (1, 2), (2, 1), (4, 5), (9, 0x20), (10, 1), (10, 2), (10, 0)];

pub(super) const NETWORK: &[(u16, u8)] =
    &[(0, 1), (0, 2), (0, 3), (1, 0xFF), (2, 0x13), (2, 0x73), (2, 0x41), (3, 0xAA), (10, 0xFF)];

pub(super) const SOUND: &[(u16, u8)] = &[
    (0, 0x01),
    (0, 0x0F),
    (0, 0x0D),
    (0, 0x02),
    (0, 0x47),
    (0, 0x83),
    (0, 0x00),
    (1, 0xFF),
    (2, 0x00),
    (3, 0xFF),
    (3, 0x04),
    (4, 0x34),
    (5, 0x12),
    (5, 0x13),
    (5, 0x14),
    (8, 250),
    (9, 1),
];

pub(super) const DISPLAY: &[(u16, u8)] = &[
    (0, 0x01),
    (0, 0x81),
    (0, 0x82),
    (0, 0xC1),
    (0, 0x00),
    (1, 0),
    (3, 0x1F),
    (4, 0x55),
    (5, 0xFF),
    (7, 0x1E),
    (8, b'A'),
    (9, 39),
    (10, 24),
    (11, 7),
    (12, 1),
    (12, 2),
];

pub(super) const POWER: &[(u16, u8)] = &[
    (0, 0x01),
    (0, 0x02),
    (0, 0x04),
    (0, 0x08),
    (0, 0x10),
    (1, 0xFF),
    (2, 0x03),
    (2, 0x00),
    (4, 3),
    (5, 0),
    (5, 1),
];

/// Does the steps both ways, and compares.
fn check(kind: &str, options: &str, steps: &[Step]) -> Result<(), TestCaseError> {
    prop_assert_eq!(run(kind, options, steps, false), run(kind, options, steps, true));
    Ok(())
}

proptest! {
    // A failure prints its whole minimal run, which is worth more than a seed in a file.
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mos6551_with_a_sender_that_looks(steps in steps(MOS6551)) {
        check("mos6551", "", &steps)?;
    }

    #[test]
    fn mos6551_with_a_sender_that_does_not(steps in steps(MOS6551)) {
        check("mos6551", "flow = \"none\"\nexternal_clock_hz = 1000003", &steps)?;
    }

    #[test]
    fn mc6850_with_a_sender_that_looks(steps in steps(MC6850)) {
        check("mc6850", "", &steps)?;
    }

    #[test]
    fn mc6850_with_a_sender_that_does_not(steps in steps(MC6850)) {
        check("mc6850", "flow = \"none\"", &steps)?;
    }

    #[test]
    fn via6522(steps in steps(VIA6522)) {
        check("via6522", "", &steps)?;
    }

    #[test]
    fn mc6821(steps in steps(MC6821)) {
        check("mc6821", "", &steps)?;
    }

    #[test]
    fn mc6821_of_an_apple1(steps in steps(MC6821)) {
        check("mc6821", "peripheral = \"apple1\"\ndisplay_cycles = 50", &steps)?;
    }

    #[test]
    fn mc146818(steps in steps(MC146818)) {
        check("mc146818", "", &steps)?;
    }

    #[test]
    fn stopwatch(steps in steps(&[(0, 0), (0, 1), (1, 1), (2, 0), (8, 200), (9, 9), (11, 0), (11, 1)])) {
        check("stopwatch", "", &steps)?;
    }

    #[test]
    fn random_port(steps in steps(&[(0, 0)])) {
        check("random_port", "", &steps)?;
    }

    #[test]
    fn disk(steps in steps(DISK)) {
        check("disk", "", &steps)?;
    }

    #[test]
    fn network(steps in steps(NETWORK)) {
        check("network", "", &steps)?;
    }

    #[test]
    fn sound(steps in steps(SOUND)) {
        check("sound", "", &steps)?;
    }

    #[test]
    fn display(steps in steps(DISPLAY)) {
        check("display", "", &steps)?;
    }

    #[test]
    fn keyboard(steps in steps(&[(1, 0), (2, 0x01), (2, 0x80), (5, 0x41), (5, 0x09)])) {
        check("keyboard", "", &steps)?;
    }

    #[test]
    fn pointer(steps in steps(&[(10, 0), (10, 1), (11, 0)])) {
        check("pointer", "", &steps)?;
    }

    #[test]
    fn power(steps in steps(POWER)) {
        check("power", "", &steps)?;
    }

    #[test]
    fn py65_console(steps in steps(&[(0, b'a')])) {
        check("py65_console", "", &steps)?;
    }

    /// The closed form of the VIA's timers and shifter against the same code taken one cycle at a time.
    #[test]
    fn via6522_in_one_stride_or_cycle_by_cycle(
        setup in prop::collection::vec(prop::sample::select(VIA6522), 1..12),
        gaps in prop::collection::vec(1u64..2500, 1..6),
    ) {
        let mut stride = Bench::made("via6522", "");
        let mut cycles = Bench::made("via6522", "");
        let mut now = 10;
        for &(register, value) in &setup {
            stride.write(now, register, value);
            cycles.write(now, register, value);
            now += 3;
        }
        for gap in gaps {
            let next = stride.device.next_timer();
            let (start, before) = (now, stride.device.irq());
            for _ in 0..gap {
                now += 1;
                cycles.device.catch_up(now);
            }
            stride.device.catch_up(now);
            prop_assert_eq!(stride.saved(), cycles.saved(), "from {} to {}", start, now);
            prop_assert_eq!(stride.device.irq(), cycles.device.irq());
            // The line falls exactly when `next_timer` said that it would.
            prop_assert_eq!(stride.device.irq(), before.or(next.filter(|&due| due <= now)));
            for bench in [&mut stride, &mut cycles] {
                bench.read(now + 1, 4);
                bench.read(now + 2, 10);
            }
            now += 5;
        }
    }
}
