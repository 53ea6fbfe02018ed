//! Forged recordings: everything that follows from a lie is right, so that nothing but the run can tell. A verification
//! refuses them, whatever its number of jobs, or they do no harm.

use super::session_support::{COUNTER, instructions, machine, run};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rreplay::engine::Scheduler;
use rreplay::error::Error;
use rreplay::log::{LogWriter, Options};
use rreplay::recording::{Recording, Verification};
use rreplay::session::RecordOptions;
use rreplay::sync::Shared;
use rreplay::timeline::{KEYFRAMES_BUDGET, Timeline};
use rreplay_kit::{ForgeryCase, ForgeryReport, Lie, SetLie, SmallDisk, StateLie, check_forgeries, forge};
use std::cell::Cell;

/// 60 recordings, of each some six files, or as many as PROPTEST_CASES says.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(60);
    ProptestConfig { cases, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn a_file_that_is_called_good_answers_as_its_run_does() {
    let all = Cell::new(ForgeryReport::default());
    let outcome = TestRunner::new(config()).run(&any::<ForgeryCase>(), |case| {
        let mut report = all.get();
        let outcome = check_forgeries(&case, &mut report);
        all.set(report);
        outcome.map_err(TestCaseError::fail)
    });
    let report = all.get();
    println!("{report:?}");
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    let ForgeryReport { files, refused, harmless, .. } = report;
    assert!(refused * 2 > files, "most lies are of the kind that only the run can tell");
    assert!(harmless > 0, "some change nothing");
}

/// A counting program of 4,000 instructions, with a snapshot after each 1,000.
fn honest() -> Shared<Recording> {
    let disk = SmallDisk::default();
    let session = machine(&COUNTER);
    let options = RecordOptions { snapshot_every: Some(1000), ..RecordOptions::default() };
    let sink = Box::new(disk.clone());
    let create = |header: &_| LogWriter::with_sink(sink, "<memory>", header, Options::default());
    session.record_with(options, create).unwrap();
    run(&session, instructions(4000)).unwrap();
    session.finish().unwrap();
    Shared::new(Recording::from_bytes(disk.contents(), false).unwrap())
}

fn verify(recording: &Recording, jobs: usize) -> Result<Verification, Error> {
    recording.verify_with_jobs(jobs, Scheduler::Inline, &[], &mut |_| true)
}

fn subsystems(error: &Error) -> Vec<String> {
    let divergence = error.divergence().unwrap_or_else(|| panic!("{error}"));
    match &divergence.found {
        rreplay::replay::Found::State { subsystems, .. } => subsystems.clone(),
        found => panic!("{found:?}"),
    }
}

#[test]
fn another_byte_in_a_snapshot_in_the_middle_is_found_by_any_number_of_jobs() {
    let lie = StateLie::Memory { page: 0x30, offset: 0x12, bits: 4 };
    for carried in [false, true] {
        let lies = [Lie::State { snapshot: 1, lie, carried }];
        let forged = Recording::from_bytes(forge(&honest(), &lies).unwrap(), false).unwrap();
        for jobs in 1..6 {
            assert_eq!(subsystems(&verify(&forged, jobs).unwrap_err()), ["memory"], "{jobs} jobs");
        }
    }
}

#[test]
fn what_was_touched_is_recomputed() {
    let names = ["addresses executed", "addresses written", "device addresses read", "pages written"];
    let honest = honest();
    for (set, name) in (0..).zip(names) {
        for lie in [SetLie::Emptied, SetLie::With { address: 0x3456 }] {
            let bytes = forge(&honest, &[Lie::Set { snapshot: 2, set, lie }]).unwrap();
            let forged = Recording::from_bytes(bytes, false).unwrap();
            for jobs in [1, 4] {
                match verify(&forged, jobs) {
                    Err(error) => assert_eq!(subsystems(&error), [name]),
                    // It reads no device: to say so is no lie.
                    Ok(verified) => assert!(verified.ok && (set, lie) == (2, SetLie::Emptied)),
                }
            }
        }
    }
}

#[test]
fn what_a_verification_says_does_not_depend_on_its_jobs() {
    let honest = honest();
    let said = |jobs| {
        let Verification { ok, icount, segments, events, digests, .. } = verify(&honest, jobs).unwrap();
        (ok, icount, segments, events, digests)
    };
    let one = said(1);
    assert_eq!((one.0, one.1, one.2), (true, 4000, 5));
    for jobs in 2..20 {
        assert_eq!(said(jobs), one, "{jobs} jobs");
    }
}

#[test]
fn a_timeline_says_whether_its_recording_was_verified() {
    let honest = honest();
    let timeline = Timeline::new(&honest, &[], KEYFRAMES_BUDGET).unwrap();
    assert!(!timeline.is_verified());
    assert!(verify(&honest, 2).unwrap().ok);
    assert!(timeline.is_verified());

    let lies = [Lie::Set { snapshot: 1, set: 1, lie: SetLie::Emptied }];
    let forged = Shared::new(Recording::from_bytes(forge(&honest, &lies).unwrap(), false).unwrap());
    let timeline = Timeline::new(&forged, &[], KEYFRAMES_BUDGET).unwrap();
    verify(&forged, 2).unwrap_err();
    assert!(!timeline.is_verified());
}

#[test]
fn a_question_that_replays_a_segment_finds_that_its_snapshot_lies_about_it() {
    let honest = honest();
    for lie in [
        Lie::Set { snapshot: 1, set: 1, lie: SetLie::Emptied },
        Lie::Set { snapshot: 1, set: 0, lie: SetLie::Without { number: 0 } },
        Lie::State { snapshot: 1, lie: StateLie::Memory { page: 0x30, offset: 0, bits: 1 }, carried: true },
    ] {
        let forged = Shared::new(Recording::from_bytes(forge(&honest, &[lie]).unwrap(), false).unwrap());
        let timeline = Timeline::new(&forged, &[], KEYFRAMES_BUDGET).unwrap();
        // Each instruction counts, so all of it is replayed.
        let profile = timeline.profile(None, None, &mut || false);
        let error = profile.map(|_| ()).expect_err("it was replayed without a word");
        assert!(!subsystems(&error).is_empty());
    }
}
