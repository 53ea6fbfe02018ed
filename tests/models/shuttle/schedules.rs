//! Runs a test under many random schedules, says how many, and runs a failing schedule again.

use rreplay::persist::Digest;
use shuttle::scheduler::{
    PctScheduler, RandomScheduler, ReplayScheduler, Scheduler, UncontrolledNondeterminismCheckScheduler,
};
use shuttle::{Config, Runner};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// Preemptions that the PCT schedules place: most faults of threads need one or two.
const PCT_DEPTH: usize = 3;
/// The main thread and the others run on stacks of this size.
const STACK_BYTES: usize = 4 << 20;
/// Decisions in one schedule: far above what any takes, so that one which never ends is a failure.
const STEPS_MAX: usize = 2_000_000;
/// More schedules than usual: `SHUTTLE_SCHEDULES=20` runs twenty times as many.
const FACTOR: &str = "SHUTTLE_SCHEDULES";
/// A file with a schedule that failed, to run once more.
const REPLAY: &str = "SHUTTLE_REPLAY";
/// Where the schedules start; another number gives others.
const SEED: &str = "SHUTTLE_SEED";

fn number(name: &str, usual: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")),
        Err(_) => usual,
    }
}

fn run(scheduler: impl Scheduler + 'static, test: impl Fn() + Send + Sync + 'static) -> usize {
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    config.max_steps = shuttle::MaxSteps::FailAfter(STEPS_MAX);
    // That the value of a static goes with its execution is what the host's model wants.
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(test)
}

/// How many schedules to run, and how many of them must come to something of their own.
#[derive(Clone, Copy)]
pub struct Amount {
    pub schedules: u64,
    pub distinct_at_least: usize,
}

/// Set by `make test-deep` and `make shuttle`: all schedules are run, and not a quarter of them.
const DEEP: &str = "RREPLAY_DEEP";

impl Amount {
    /// All schedules and their floor in `make test-deep`, a quarter of both in `make test`: fewer schedules come to no
    /// smaller a share of different recordings.
    pub fn by_depth(schedules: u64, distinct_at_least: usize) -> Amount {
        let parts = if std::env::var_os(DEEP).is_some() { 1 } else { 4 };
        Amount {
            schedules: schedules / parts,
            distinct_at_least: (distinct_at_least / parts as usize).max(1),
        }
    }
}

/// Runs `test` under so many schedules, half of them random, half of them chosen as PCT does (few preemptions, in
/// places that matter), and prints how many. `test` gives the recording it made.
///
/// # Panics
/// When the test fails or deadlocks under one of them; the schedule is printed then, and in a file is run again with
/// `SHUTTLE_REPLAY=FILE`. When the schedules come to too few different recordings: then they no longer reach the places
/// they are for.
pub fn explore(name: &str, amount: Amount, test: impl Fn() -> Vec<u8> + Send + Sync + 'static) {
    // Of std, and so outside of shuttle's view.
    let recordings = Arc::new(Mutex::new(BTreeSet::new()));
    let keep = recordings.clone();
    let test = Arc::new(move || {
        let recording = Digest::of(&test());
        keep.lock().unwrap().insert(recording);
    });
    let run = |scheduler: Box<dyn Scheduler + Send>| {
        let test = test.clone();
        run(scheduler, move || test())
    };
    if let Ok(file) = std::env::var(REPLAY) {
        let scheduler =
            ReplayScheduler::new_from_file(&file).unwrap_or_else(|error| panic!("{REPLAY}={file}: {error}"));
        run(Box::new(scheduler));
        println!("shuttle: {name}: the schedule in {file} passed");
        return;
    }
    let seed = number(SEED, 1);
    let half = usize::try_from((amount.schedules * number(FACTOR, 1)).div_ceil(2)).expect("fits");
    let random = run(Box::new(RandomScheduler::new_from_seed(seed, half)));
    let pct = run(Box::new(PctScheduler::new_from_seed(seed, PCT_DEPTH, half)));
    let distinct = recordings.lock().unwrap().len();
    println!(
        "shuttle: {name}: {random} random and {pct} PCT schedules from seed {seed} made {distinct} different recordings"
    );
    assert_eq!((random, pct), (half, half), "all were run");
    assert!(distinct >= amount.distinct_at_least, "{name}: only {distinct} different recordings");
}

/// Runs each of so many schedules twice and compares every decision: what is not shuttle's would show.
pub fn explore_twice(name: &str, schedules: usize, test: impl Fn() -> Vec<u8> + Send + Sync + 'static) {
    let recordings = Arc::new(Mutex::new(Vec::new()));
    let keep = recordings.clone();
    let random = RandomScheduler::new_from_seed(number(SEED, 1), schedules);
    run(UncontrolledNondeterminismCheckScheduler::new(random), move || {
        let recording = Digest::of(&test());
        keep.lock().unwrap().push(recording);
    });
    let recordings = recordings.lock().unwrap();
    assert_eq!(recordings.len(), 2 * schedules);
    assert!(recordings.chunks(2).all(|pair| pair[0] == pair[1]), "one schedule, two recordings");
    println!("shuttle: {name}: {schedules} schedules did the same twice");
}
