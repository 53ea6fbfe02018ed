//! Recording, then replaying: generated scenarios, and our monitor typed at from another thread.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rreplay::engine::Scheduler;
use rreplay::events::Checkpoint;
use rreplay::host::InputGate;
use rreplay::log::{Event, EventKind, LogWriter, Options};
use rreplay::machine::board::Board;
use rreplay::nondet::ShutdownCause;
use rreplay::recording::Recording;
use rreplay::session::{RecordOptions, RunRequest, Session};
use rreplay_kit::{Scenario, SmallDisk, check_record_replay, check_record_replay_in_chaos, record_scenario};
use std::collections::BTreeMap;

/// 900 scenarios, or as many as PROPTEST_CASES says.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(900);
    ProptestConfig { cases, max_shrink_iters: 2000, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_recorded_replays(scenario in any::<Scenario>()) {
        if let Err(failure) = check_record_replay(&scenario) {
            return Err(TestCaseError::fail(failure.to_string()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: config().cases / 3, ..config() })]

    #[test]
    fn what_is_recorded_in_chaos_replays(scenario in any::<Scenario>(), seed in any::<u64>()) {
        if let Err(failure) = check_record_replay_in_chaos(&scenario, seed) {
            return Err(TestCaseError::fail(failure.to_string()));
        }
    }
}

/// Scenarios whose recordings together have everything that a log can hold.
const SCENARIOS: u32 = 800;

#[test]
fn generated_scenarios_reach_all_that_a_log_can_hold() {
    let mut runner = TestRunner::deterministic();
    let scenarios = any::<Scenario>();
    let (mut kinds, mut checkpoints, mut causes) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for _ in 0..SCENARIOS {
        let scenario = scenarios.new_tree(&mut runner).unwrap().current();
        let disk = SmallDisk::default();
        record_scenario(&scenario, &disk).unwrap_or_else(|what| panic!("{what}: {scenario:#?}"));
        let recording = Recording::from_bytes(disk.contents(), false).unwrap();
        for event in recording.events(None, None, None).unwrap() {
            let event = event.unwrap().event;
            *kinds.entry(event.kind()).or_insert(0) += 1;
            match event {
                Event::Checkpoint(checkpoint) => *checkpoints.entry(checkpoint).or_insert(0) += 1,
                Event::Shutdown(cause) => *causes.entry(cause).or_insert(0) += 1,
                _ => {}
            }
        }
    }
    println!("{kinds:?}\n{checkpoints:?}\n{causes:?}");
    assert_eq!(kinds.len(), EventKind::ALL.len());
    assert_eq!(checkpoints.len(), Checkpoint::ALL.len());
    assert_eq!(causes.len(), ShutdownCause::ALL.len());
}

const RECORDINGS: u64 = 200;
/// Every so many recordings an idle machine sleeps in real time, so that the host's clock is read and logged.
const SLEEPING_EVERY: u64 = 10;
/// More than any of these conversations needs: a hang becomes a failure.
const INSTRUCTIONS_MAX: u64 = 200_000_000;

/// xorshift64*, so that a printed seed is enough to see a conversation again. Its moments are the threads' own.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }
}

/// Commands of the monitor, fewer bytes than its ring buffer holds, so that none is lost; `halt` comes last.
fn conversation(random: &mut Random) -> Vec<u8> {
    const COMMANDS: [&str; 12] = [
        "help\r",
        "x 8000.801f\r",
        "d 400 A9 2A 20 00 80 60\r",
        "g 400\r",
        "uptime\r",
        "wait 2\r",
        "wai\rk",
        "stat\r",
        "regs\r",
        "fill 500 5ff 3C\r",
        "sum 400 7ff\r",
        "nonsense\x08\x08!\r",
    ];
    let mut typed = b"d 400 A9 2B 60\r".to_vec();
    for _ in 0..2 + random.below(7) {
        typed.extend(COMMANDS[random.below(COMMANDS.len() as u64) as usize].bytes());
    }
    typed.extend(b"halt\r");
    assert!(typed.len() < 255);
    typed
}

/// Types in chunks, at moments that the seed and the operating system's scheduler choose.
fn type_at_random(session: &Session, mut random: Random, typed: &[u8], patience: u64, gate: InputGate) {
    let mut rest = typed;
    while !rest.is_empty() {
        let (chunk, behind) = rest.split_at(rest.len().min(1 + random.below(9) as usize));
        match random.below(4) {
            0 => {}
            1 | 2 => (0..random.below(20_000)).for_each(|_| std::hint::spin_loop()),
            _ => {
                // Each look takes the lock from the machine, so there is some time between two.
                let until = session.position().cycles + random.below(patience);
                while session.position().cycles < until {
                    (0..2000).for_each(|_| std::hint::spin_loop());
                }
            }
        }
        session.send(chunk).unwrap();
        rest = behind;
    }
    drop(gate);
}

#[derive(PartialEq, Debug)]
struct Outcome {
    position: rreplay::units::Position,
    digests: Vec<(String, rreplay::persist::Digest)>,
    transcript: String,
}

fn outcome(session: &Session) -> Outcome {
    Outcome {
        position: session.position(),
        digests: session.digests(),
        transcript: String::from_utf8_lossy(&session.output()).into_owned(),
    }
}

fn record_conversation(seed: u64, disk: &SmallDisk) -> Outcome {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let typed = conversation(&mut random);
    let sleep = seed.is_multiple_of(SLEEPING_EVERY);
    let session = Session::new(Board::preset("breadboard").unwrap(), vec![]).unwrap();
    let options = RecordOptions { digest_every: Some(1000 + random.below(9000)), ..RecordOptions::default() };
    let sink = Box::new(disk.clone());
    session
        .record_with(options, |header| LogWriter::with_sink(sink, "<memory>", header, Options::default()))
        .unwrap();
    let stop = std::thread::scope(|scope| {
        let gate = session.open_gate();
        let patience = if sleep { 3000 } else { 30_000 };
        let (session, typed) = (&session, &typed);
        scope.spawn(move || type_at_random(session, random, typed, patience, gate));
        let request = RunRequest {
            instructions: Some(INSTRUCTIONS_MAX),
            scheduler: Some(Scheduler::Threads),
            sleep,
            ..RunRequest::default()
        };
        session.run(request, &mut || false).unwrap()
    });
    assert_eq!(stop.reason, "halted", "printed so far:\n{}", outcome(&session).transcript);
    let outcome = outcome(&session);
    session.finish().unwrap();
    outcome
}

#[test]
fn a_session_typed_at_random_times_on_two_threads_replays_under_both_schedulers() {
    let (mut sleeps, mut positions) = (0, std::collections::BTreeSet::new());
    for seed in 0..RECORDINGS {
        println!("seed {seed}"); // shown when it fails
        let disk = SmallDisk::default();
        let recorded = record_conversation(seed, &disk);
        assert!(recorded.transcript.ends_with("halted\r\n"), "{}", recorded.transcript);
        let recording = Recording::from_bytes(disk.contents(), false).unwrap();
        assert_eq!(recording.end(), recorded.position);
        assert_eq!(recording.output().unwrap(), recorded.transcript.as_bytes());
        for scheduler in [Scheduler::Threads, Scheduler::Inline] {
            let session = recording.replay().unwrap();
            let request = RunRequest { scheduler: Some(scheduler), ..RunRequest::default() };
            let stop = session.run(request, &mut || false).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(stop.reason, "end");
            assert_eq!(outcome(&session), recorded);
        }
        let kinds = recording.info().kinds;
        sleeps += kinds.iter().filter(|(kind, _)| *kind == EventKind::Clock).count();
        positions.insert(recorded.position);
    }
    assert!(sleeps > 0, "no recording has read the host's clock");
    println!("{} different ends of {RECORDINGS} recordings", positions.len());
    assert!(positions.len() > 1, "all recordings are the same: nothing was random");
}
