//! What time travel costs, on a long recording of a BASIC-like interpreter: opening, seeking, stepping back, last writes,
//! running back; and what its snapshots weigh.
//!
//! `cargo bench --bench timeline` records 10^9 instructions; `RREPLAY_BENCH_INSTRUCTIONS` sets another number. Medians and
//! 99th percentiles; places and addresses are drawn with a fixed seed.

#![allow(clippy::disallowed_methods)] // a benchmark reads the clock

mod common;

use common::machine::{run, session};
use common::{ORIGIN, Work, filler, works};
use rreplay::engine::Scheduler;
use rreplay::recording::Recording;
use rreplay::session::RecordOptions;
use rreplay::sync::Shared;
use rreplay::timeline::{AccessQuery, KEYFRAMES_BUDGET, Timeline, WatchedAccesses};
use std::time::{Duration, Instant};

/// Random numbers that are the same every time (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }
}

fn clocked<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let done = work();
    (start.elapsed(), done)
}

/// One line of the report.
fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
    println!("{what:44} {:10.3} {:10.3} {:10.3} {:6}", at(50), at(99), at(100), times.len());
}

/// Verifying with one job and with two.
fn verifying(recording: &Shared<Recording>) {
    let mut best = [Duration::MAX; 2];
    for _ in 0..2 {
        for (best, jobs) in best.iter_mut().zip([1, 2]) {
            let verify = || recording.verify_with_jobs(jobs, Scheduler::Inline, &[], &mut |_| true);
            let (time, found) = clocked(|| verify().expect("the recording replays"));
            assert!(found.ok);
            *best = (*best).min(time);
        }
    }
    let [one, two] = best.map(|time| time.as_secs_f64());
    println!("verify: one job {one:.2} s, two jobs {two:.2} s; ratio {:.2}", one / two);
}

fn main() {
    let instructions = std::env::var("RREPLAY_BENCH_INSTRUCTIONS").ok();
    let instructions = instructions.and_then(|text| text.parse().ok()).unwrap_or(1_000_000_000);
    let directory = tempfile::tempdir().expect("a directory for recordings");
    let path = directory.path().join("bench.rreplay");
    let work = works().into_iter().find(|work| work.name == "interpreter").expect("the program is there");

    let recorded = session(&work);
    recorded.record(&path, RecordOptions::default()).expect("the recording starts");
    let (recording_time, _) = clocked(|| {
        run(&recorded, instructions);
        recorded.finish().expect("the recording is written");
    });
    snapshot_cost(&path.with_extension("costs"));

    let (opening, recording) = clocked(|| Recording::open(&path, false).expect("the recording opens"));
    let info = recording.info();
    println!(
        "{instructions} instructions recorded in {:.2} s; {} bytes, {:.5} an instruction; {} snapshots\n",
        recording_time.as_secs_f64(),
        info.file_bytes,
        info.file_bytes as f64 / instructions as f64,
        info.snapshots
    );
    let recording = Shared::new(recording);
    println!("{:44} {:>10} {:>10} {:>10} {:>6}", "milliseconds", "median", "p99", "most", "times");
    report("opening", vec![opening]);
    let (made, timeline) =
        clocked(|| Timeline::new(&recording, &[], KEYFRAMES_BUDGET).expect("the recording replays"));
    report("timeline", vec![made]);

    let mut random = Random(7);
    let never = &mut || false;
    let seeks = (0..400).map(|_| {
        let icount = random.below(instructions);
        clocked(|| timeline.seek(icount, None, never).expect("it is in the recording")).0
    });
    report("random seek", seeks.collect());

    let (mut first, mut further) = (Vec::new(), Vec::new());
    for _ in 0..40 {
        timeline.seek(1000 + random.below(instructions - 1000), None, never).expect("it is in the recording");
        for number in 0..500 {
            let (time, _) = clocked(|| timeline.reverse_step(1, never).expect("there is a place before"));
            if number == 0 { first.push(time) } else { further.push(time) }
        }
    }
    report("first reverse step at a random place", first);
    report("further reverse steps", further);
    last_writes(&timeline, instructions, &mut random);
    running_back(&recording, &timeline, instructions);
    verifying(&recording);
    let (marks, bytes) = timeline.kept(never).expect("nobody stops it");
    println!("\n{marks} states in memory, at most {:.1} MiB", bytes as f64 / f64::from(1 << 20));
    drop(timeline);
    filling(directory.path(), instructions / 5);
}

/// What a snapshot costs the recorder, digest included: two recordings of the same run, one with many.
fn snapshot_cost(path: &std::path::Path) {
    const INSTRUCTIONS: u64 = 40_000_000;
    const EVERY: u64 = 20_000;
    let work = works().into_iter().find(|work| work.name == "interpreter").expect("the program is there");
    let mut best = [Duration::MAX; 2];
    for _ in 0..3 {
        for (best, snapshot_every) in best.iter_mut().zip([None, Some(EVERY)]) {
            let recorded = session(&work);
            let options = RecordOptions { snapshot_every, ..RecordOptions::default() };
            recorded.record(path, options).expect("the recording starts");
            *best = (*best).min(clocked(|| run(&recorded, INSTRUCTIONS)).0);
            recorded.finish().expect("the recording is written");
        }
    }
    let each = (best[1].saturating_sub(best[0])).as_secs_f64() * 1e6 / (INSTRUCTIONS / EVERY) as f64;
    println!("a snapshot while recording costs {each:.1} microseconds, its digest included");
}

/// The last write to addresses that the program writes to, from random places.
fn last_writes(timeline: &Timeline, instructions: u64, random: &mut Random) {
    let never = &mut || false;
    let start = instructions / 2;
    let query = AccessQuery {
        first: 0,
        last: 0xFFFF,
        reads: false,
        writes: true,
        start: Some(start),
        stop: Some(start + 200_000),
    };
    let mut written = Vec::new();
    timeline
        .accesses(&query, never, &mut |access| written.push(access.address))
        .expect("the part is replayed");
    written.sort_unstable();
    written.dedup();
    let times = (0..200).map(|_| {
        let address = written[random.below(written.len() as u64) as usize];
        timeline.seek(random.below(instructions), None, never).expect("it is in the recording");
        clocked(|| timeline.last_write(address, None, never).expect("it is found or not")).0
    });
    report(&format!("last_write, any of {} addresses", written.len()), times.collect());
    let times = (0..100).map(|_| {
        let address = random.below(0x1_0000) as u16;
        timeline.seek(random.below(instructions), None, never).expect("it is in the recording");
        clocked(|| timeline.last_write(address, None, never).expect("it is found or not")).0
    });
    report("last_write, any of 65536 addresses", times.collect());
}

/// From the end back to what happened at the very beginning, or never, beside a forward replay of it all.
fn running_back(recording: &Recording, timeline: &Timeline, instructions: u64) {
    let (forward, _) =
        clocked(|| recording.verify(Scheduler::Inline, &[], &mut |_| true).expect("the recording replays"));
    println!("\nforward replay of all: {:.2} s; from the end back:", forward.as_secs_f64());
    let says = |what: &str, time: Duration| {
        let (back, ratio) = (time.as_secs_f64() * 1e3, forward.as_secs_f64() / time.as_secs_f64());
        println!("  {what:56} {back:9.2} ms, {ratio:.0} times as fast");
    };
    let end = |timeline: &Timeline| {
        timeline.seek(instructions, None, &mut || false).expect("it is in the recording")
    };
    // The first is executed once, the other is the second byte of an instruction in the middle of the interpreter.
    for (address, reason, what) in [
        (0x0305, "breakpoint", "to a breakpoint at the start"),
        (ORIGIN + 1, "end", "to a breakpoint that is never met"),
    ] {
        end(timeline);
        let point = timeline.add_breakpoint(address, None);
        let (back, stop) = clocked(|| timeline.reverse_run(&mut || false).expect("the recording replays"));
        assert_eq!(stop.reason, reason);
        timeline.remove_point(point);
        says(what, back);
    }
    // The chip's control register is written once, by the third instruction.
    end(timeline);
    let (back, found) =
        clocked(|| timeline.last_write(0xA000, None, &mut || false).expect("the recording replays"));
    assert_eq!(found.map(|access| access.icount), Some(1));
    says("to the last write of a register written at the start", back);
    // It ends in a subroutine.
    end(timeline);
    timeline.reverse_step_out(&mut || false).expect("the recording replays");
    let (back, place) =
        clocked(|| timeline.reverse_step_out(&mut || false).expect("the recording replays").place);
    assert_eq!(place, timeline.start());
    says("out of the main program, which nobody has called", back);
    // Reads of RAM are not noted: all of the run is searched, two stretches at a time.
    end(timeline);
    let point = timeline.add_watchpoint((0x7000, 0x7000), WatchedAccesses::Reads, None);
    let (back, stop) = clocked(|| timeline.reverse_run(&mut || false).expect("the recording replays"));
    assert_eq!(stop.reason, "end");
    timeline.remove_point(point);
    says("to a byte of RAM that is never read", back);
}

/// What a program costs that writes to all of its memory again and again, which is as much as a snapshot can hold.
fn filling(directory: &std::path::Path, instructions: u64) {
    let path = directory.join("filling.rreplay");
    let work = Work { name: "filler", image: filler(), serial: false, instructions };
    let recorded = session(&work);
    recorded.record(&path, RecordOptions::default()).expect("the recording starts");
    run(&recorded, instructions);
    recorded.finish().expect("the recording is written");
    let recording = Shared::new(Recording::open(&path, false).expect("the recording opens"));
    let info = recording.info();
    println!(
        "\na program that fills 48 KiB with noise, {instructions} instructions: {:.5} bytes an instruction, {} snapshots",
        info.file_bytes as f64 / instructions as f64,
        info.snapshots
    );
    let timeline = Timeline::new(&recording, &[], KEYFRAMES_BUDGET).expect("the recording replays");
    let mut random = Random(11);
    let mut seek =
        || clocked(|| timeline.seek(random.below(instructions), None, &mut || false).expect("it is there")).0;
    report("random seek", (0..200).map(|_| seek()).collect());
    let mut random = Random(13);
    let mut last_write = || {
        timeline.seek(random.below(instructions), None, &mut || false).expect("it is in the recording");
        let address = 0x1000 + random.below(0x6000) as u16;
        clocked(|| timeline.last_write(address, None, &mut || false).expect("it is found or not")).0
    };
    report("last_write, anywhere in what is filled", (0..100).map(|_| last_write()).collect());
}
