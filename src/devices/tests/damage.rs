//! Saved bytes that somebody has changed, with checksums that hold: an error, or a device that runs on.
//!
//! A device in a state that its program cannot have brought about may answer what it likes. It must not panic, it must
//! not take for ever over one call, and a timer that has run must not still be due: the run would never come past it.

use super::super::KINDS;
use super::Bench;
use super::purity::{
    DISK, DISPLAY, MC6821, MC6850, MC146818, MOS6551, NETWORK, POWER, SOUND, Step, VIA6522, arrive, steps,
};
use crate::persist::Reader;
use proptest::prelude::*;

/// What is written over saved bytes, and where.
#[derive(Clone, Debug)]
enum Damage {
    Byte(u8),
    /// A whole number: a time before all others, soon, or after all others.
    Number(u64),
}

fn damage() -> impl Strategy<Value = Damage> {
    let number = prop_oneof![
        Just(0),
        Just(u64::MAX),
        Just(u64::MAX - 1),
        Just(1 << 63),
        0u64..4000,
        100_000u64..5_000_000,
        any::<u64>(),
    ];
    prop_oneof![2 => any::<u8>().prop_map(Damage::Byte), 1 => number.prop_map(Damage::Number)]
}

fn meaningful(kind: &str) -> &'static [(u16, u8)] {
    match kind {
        "mos6551" => MOS6551,
        "mc6850" => MC6850,
        "via6522" => VIA6522,
        "mc6821" => MC6821,
        "mc146818" => MC146818,
        "disk" => DISK,
        "network" => NETWORK,
        "sound" => SOUND,
        "display" => DISPLAY,
        "power" => POWER,
        _ => &[(0, 1), (1, 1), (2, 0x80), (3, 0xFF)],
    }
}

/// A device with options under which it has most that can be damaged.
fn options(kind: &str) -> &'static str {
    match kind {
        "mc6821" => "peripheral = \"apple1\"\ndisplay_cycles = 50",
        _ => "",
    }
}

fn drive(bench: &mut Bench, steps: &[Step], mut now: u64) -> u64 {
    for step in steps {
        run_timers(bench, now);
        arrive(bench, now, &step.received);
        for &(when, register, value) in &step.accesses {
            let (cycle, register) = (now + when, register % bench.device.register_count());
            match value {
                Some(value) => bench.write(cycle, register, value),
                None => {
                    bench.with(cycle, |device, context| device.read(register, context));
                }
            }
        }
        now += 40 + step.cycles;
    }
    run_timers(bench, now);
    bench.device.catch_up(now);
    now
}

/// Twelve days at 1 MHz, which no device may take cycle by cycle.
const LONG: u64 = 1 << 40;

fn run_timers(bench: &mut Bench, now: u64) {
    bench.with(now, |device, context| device.run_timer(context));
    let next = bench.device.next_timer();
    assert!(next.is_none_or(|due| due > now), "the timer of {next:?} has run at {now} and is still due");
}

proptest! {
    // A failure prints its whole minimal run, which is worth more than a seed in a file.
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_state_is_refused_or_runs(
        (kind, before, after) in prop::sample::select(KINDS).prop_flat_map(|kind| {
            (Just(kind), steps(meaningful(kind)), steps(meaningful(kind)))
        }),
        damage in prop::collection::vec((any::<prop::sample::Index>(), damage()), 1..8),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        let mut bench = Bench::made(kind, options(kind));
        let now = drive(&mut bench, &before, 100);
        let mut bytes = bench.saved();
        for (index, damage) in damage {
            let index = index.index(bytes.len());
            match damage {
                Damage::Byte(byte) => bytes[index] = byte,
                Damage::Number(number) => {
                    let room = bytes.len() - index;
                    let number = number.to_le_bytes();
                    let count = room.min(number.len());
                    bytes[index..index + count].copy_from_slice(&number[..count]);
                }
            }
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if bench.device.restore(&mut Reader::new(&bytes)).is_ok() {
            let now = drive(&mut bench, &after, now);
            drive(&mut bench, &[], now + LONG);
        }
    }
}
