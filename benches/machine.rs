//! Instructions a second of whole machines: bare, recording and replaying, beside robo6502 and mos6502 on the same guest
//! work, interleaved in one process; and what a recording weighs.
//!
//! `cargo bench --bench machine` runs our own programs. `RREPLAY_FUNCTIONAL_TEST=image.bin` adds a 64 KiB image that is
//! started at $0400. `RREPLAY_BENCH_ROUNDS` sets the rounds; the best of each column counts.
//!
//! The machine is an NMOS 6502 with 64 KiB of RAM and an MC6850 with all its timing: the engine's turns, the lock, timers,
//! dirty pages and digests are all on. The other cores have a status bit and a counter in its place.

#![allow(clippy::disallowed_methods)] // a benchmark reads the clock

mod common;

use common::machine::{run, session};
use common::{Done, ORIGIN, mos, robo, timed, works};
use rreplay::cpu::mos6502::Variant;
use rreplay::engine::Scheduler;
use rreplay::recording::Recording;
use rreplay::session::RecordOptions;

fn main() {
    let rounds = std::env::var("RREPLAY_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let directory = tempfile::tempdir().expect("a directory for recordings");
    let path = directory.path().join("bench.rreplay");
    println!(
        "million guest instructions a second, best of {rounds} interleaved rounds; log bytes per million\n"
    );
    println!(
        "{:16} {:>8} {:>8} {:>8} {:>9} {:>8} {:>8} {:>9} {:>9} {:>8}",
        "", "bare", "record", "replay", "replay 2", "robo6502", "mos6502", "to robo", "rec/bare", "log"
    );
    for work in works() {
        let count = work.instructions;
        let mut best = [0.0f64; 6];
        let mut log_bytes = 0;
        for _ in 0..rounds {
            let bare = session(&work);
            let (bare_speed, _) = timed(|| run(&bare, count));
            let recorded = session(&work);
            recorded.record(&path, RecordOptions::default()).expect("the recording starts");
            let (record_speed, _) = timed(|| {
                let done = run(&recorded, count);
                recorded.finish().expect("the recording is written");
                done
            });
            assert_eq!(recorded.digest(), bare.digest(), "recording changes nothing");
            let recording = Recording::open(&path, false).expect("the recording opens");
            log_bytes = recording.info().chunk_bytes;
            let [replay_speed, threads_speed] = [Scheduler::Inline, Scheduler::Threads].map(|scheduler| {
                let verify =
                    || recording.verify(scheduler, &[], &mut |_| true).expect("the recording replays");
                timed(|| Done { instructions: verify().icount, cycles: 0, check: 0 }).0
            });
            let (robo_speed, _) = timed(|| robo(Variant::Nmos6502, &work.image, ORIGIN, count, work.serial));
            let (mos_speed, _) = timed(|| mos(&work.image, ORIGIN, count / 4));
            let now = [bare_speed, record_speed, replay_speed, threads_speed, robo_speed, mos_speed];
            best.iter_mut().zip(now).for_each(|(best, now)| *best = best.max(now));
        }
        let [bare, record, replay, threads, robo, mos] = best;
        println!(
            "{:16} {bare:8.0} {record:8.0} {replay:8.0} {threads:9.0} {robo:8.0} {mos:8.0} {:8.2}x {:9.2} {:8}",
            work.name,
            bare / robo,
            record / bare,
            log_bytes * 1_000_000 / count
        );
    }
}
