//! Timelines of generated recordings, each answer compared with a replay of an instruction at a time.

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use rreplay_kit::{
    BoardChoice, Body, CpuChoice, Handler, HostConfig, HostOperation, Instruction, Move, OriginCase, Origins,
    Pick, Point, Program, RunLength, Scenario, Setup, TimelineCase, TimelineCoverage, check_origins,
    check_timeline,
};
use std::cell::Cell;

/// 900 cases, or as many as PROPTEST_CASES says; the same each time, or those of PROPTEST_RNG_SEED.
fn config() -> ProptestConfig {
    let told = |name| std::env::var(name).ok().and_then(|told| told.parse().ok());
    let (cases, seed) = (told("PROPTEST_CASES").unwrap_or(900), told("PROPTEST_RNG_SEED").unwrap_or(1));
    println!("{cases} cases of seed {seed}");
    ProptestConfig {
        cases: cases as u32,
        rng_seed: RngSeed::Fixed(seed),
        max_shrink_iters: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

#[test]
fn every_answer_is_that_of_a_naive_replay() {
    let all = Cell::new(TimelineCoverage::default());
    let outcome = TestRunner::new(config()).run(&any::<TimelineCase>(), |case| {
        let mut sum = all.get();
        sum += check_timeline(&case).map_err(TestCaseError::fail)?;
        all.set(sum);
        Ok(())
    });
    println!("{:?}", all.get());
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    // A net that meets nothing catches nothing.
    let TimelineCoverage { recordings, with_waits, with_jams, moves_with_jams, .. } = all.get();
    if recordings >= 200 {
        assert!(with_waits * 20 > recordings, "waits are met: {:?}", all.get());
        assert!(with_jams * 100 > recordings && moves_with_jams > 20, "so are jams: {:?}", all.get());
    }
}

/// A processor that stops in its program, and is reset twice, with a wait before: some numbers of instructions have two
/// places, and the last one has what is behind a stop that nothing ends.
fn stopped(cpu: CpuChoice, is_hasty: bool) -> TimelineCase {
    let run = || HostOperation::Run { length: RunLength::Instructions(200), threads: false };
    let setup = Setup { serial_interrupts: false, timer: None, cli: true, probe_interrupts: 0 };
    let body = [Instruction::Nap(40), Instruction::Stop(0)];
    let scenario = Scenario {
        patience: u16::MAX,
        board: BoardChoice::Breadboard,
        cpu,
        program: Program {
            in_ram: false,
            setup,
            irq: Handler::Acknowledge,
            nmi: Handler::Return,
            body: Body::Instructions(body.to_vec()),
        },
        host: vec![run(), run(), HostOperation::Snapshot, run()],
        unrecorded: 0,
        digest_every: 1000,
        snapshot_every: None,
        replay_slice: 100,
        host_config: HostConfig::Steady,
        seed: 1,
        resets_stopped: true,
    };
    TimelineCase { scenario, is_poor: false, is_hasty, moves: every_move() }
}

/// Each kind of move from and to everywhere in a short run.
fn every_move() -> Vec<Move> {
    let point = |address: Pick| Point::Break { address, every: 0 };
    let watch = |address: Pick| Point::Watch { address, length: 0, watch: 2, every: 0 };
    let around = |place: u16| {
        let address = Pick::Used(place);
        vec![
            Move::First { place },
            Move::AfterWait { place },
            Move::StepOver,
            Move::ReverseStep { count: 1 },
            Move::Seek { place },
            Move::ReverseStepOver,
            Move::SeekInWait { place, cycles: 1 },
            Move::StepOver,
            Move::ReverseStepOut,
            Move::AfterWait { place },
            Move::StepOut,
            Move::SeekInWait { place, cycles: 4 },
            Move::ReverseStepOut,
            Move::SeekInWait { place, cycles: 60 },
            Move::Run { point: point(address) },
            Move::Run { point: watch(address) },
            Move::LastWrite { address },
            Move::ReverseRun { point: watch(address) },
            Move::ReverseRun { point: point(address) },
            Move::Event { number: place },
            Move::Profile { start: place, stop: place + 3 },
            Move::Accesses { address, length: 3, reads: true, start: place, stop: place + 9 },
            Move::Cut { start: place, stop: place + 2 },
        ]
    };
    (0..100).flat_map(around).collect()
}

#[test]
fn a_processor_that_is_stopped_and_reset_begins_twice_at_one_number_of_instructions() {
    for cpu in [CpuChoice::Mos6502, CpuChoice::W65c02] {
        for is_hasty in [false, true] {
            let coverage =
                check_timeline(&stopped(cpu, is_hasty)).unwrap_or_else(|what| panic!("{}", &what[..2000]));
            println!("{cpu:?}: {coverage:?}");
            assert_eq!(coverage.with_jams, u64::from(cpu == CpuChoice::Mos6502));
            assert_eq!(coverage.with_waits, u64::from(cpu == CpuChoice::W65c02));
        }
    }
}

#[test]
fn going_back_finds_what_going_forwards_brings() {
    let all = Cell::new(Origins::default());
    let outcome = TestRunner::new(config()).run(&any::<OriginCase>(), |case| {
        let mut sum = all.get();
        sum += check_origins(&case).map_err(TestCaseError::fail)?;
        all.set(sum);
        Ok(())
    });
    println!("{:?}", all.get());
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    let Origins { compared, grown, limited, .. } = all.get();
    assert!(grown * 5 > compared, "most bytes have a history: {:?}", all.get());
    assert!(limited * 20 < compared, "few graphs are cut off: {:?}", all.get());
}
