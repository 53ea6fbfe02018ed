//! The net itself: a replay that is changed behind the recorder's back says so, where and in what, within one digest
//! interval or at the first event that comes out otherwise.

mod session_support;

use rreplay::engine::Scheduler;
use rreplay::log::{Event, LogWriter, Options};
use rreplay::recording::Recording;
use rreplay::replay::{Divergence, Found};
use rreplay::session::{RecordOptions, RunRequest};
use rreplay::testing::{Perturbation, SmallDisk};
use session_support::*;

const DIGEST_EVERY: u64 = 100;

fn record(program: &[u8], typed: &[u8]) -> Recording {
    let (session, disk) = (machine(program), SmallDisk::default());
    let options = RecordOptions { digest_every: Some(DIGEST_EVERY), ..RecordOptions::default() };
    let sink = Box::new(disk.clone());
    session
        .record_with(options, |header| LogWriter::with_sink(sink, "disk", header, Options::default()))
        .unwrap();
    session.send(typed).unwrap();
    run(&session, RunRequest { cycles: Some(20_000), instructions: Some(2000), ..RunRequest::default() })
        .unwrap();
    session.finish().unwrap();
    Recording::from_bytes(disk.contents(), false).unwrap()
}

/// Replays to `icount`, plants the bug, replays on.
fn diverge(recording: &Recording, icount: u64, bug: Perturbation, scheduler: Scheduler) -> Divergence {
    let session = recording.replay().unwrap();
    run(&session, instructions(icount - recording.start().icount)).unwrap();
    session.perturb(bug).unwrap();
    let error = run(&session, RunRequest { scheduler: Some(scheduler), ..RunRequest::default() })
        .expect_err("a replay with a planted bug must diverge");
    let divergence = error.divergence().unwrap_or_else(|| panic!("{error}")).clone();
    assert!(divergence.last_matching_digest.is_some_and(|at| at.icount <= icount), "{divergence}");
    divergence
}

fn subsystems(divergence: &Divergence) -> &[String] {
    match &divergence.found {
        Found::State { subsystems, .. } => subsystems,
        other => panic!("{other:?}: {divergence}"),
    }
}

#[test]
fn a_flipped_byte_or_register_is_named_within_one_interval() {
    let (counter, printer) = (record(&COUNTER, b""), record(&PRINTER, b""));
    for scheduler in [Scheduler::Inline, Scheduler::Threads] {
        for (icount, bug, part) in [
            (150, Perturbation::Memory { address: 0x3456, bits: 0x01 }, "memory"),
            (777, Perturbation::Accumulator { bits: 0x10 }, "cpu"),
            (1999, Perturbation::IndexY { bits: 0x01 }, "cpu"),
        ] {
            let divergence = diverge(&counter, icount, bug, scheduler);
            assert_eq!(subsystems(&divergence), [part], "{bug:?}");
            assert!(
                divergence.position.icount >= icount && divergence.position.icount - icount <= DIGEST_EVERY,
                "{bug:?}: {divergence}"
            );
            assert!(divergence.pc.is_some() && divergence.byte_offset.is_some());
            assert!(matches!(divergence.expected.as_ref().unwrap().event, Event::Digest(_)));
            assert!(divergence.to_string().contains(part), "{divergence}");
        }
        // The program takes no notice of what it receives, the chip does.
        let bug = Perturbation::Input { device: 0, byte: b'!' };
        let divergence = diverge(&printer, 250, bug, scheduler);
        assert_eq!(subsystems(&divergence), ["device/acia"]);
        assert!(divergence.position.icount - 250 <= DIGEST_EVERY, "{divergence}");
    }
}

#[test]
fn a_changed_output_or_interrupt_is_found_at_its_event() {
    // The next byte that is printed is another one.
    let recording = record(&PRINTER, b"");
    let bug = Perturbation::Memory { address: 0x0416, bits: 0x20 }; // INX becomes another instruction
    let divergence = diverge(&recording, 120, bug, Scheduler::Inline);
    assert!(divergence.position.icount - 120 <= DIGEST_EVERY, "{divergence}");
    // A byte too many on the line: an interrupt that the log does not have.
    let recording = record(&LISTENER, b"a");
    let bug = Perturbation::Input { device: 0, byte: b'!' };
    for scheduler in [Scheduler::Inline, Scheduler::Threads] {
        let divergence = diverge(&recording, recording.start().icount + 8, bug, scheduler);
        assert!(!divergence.recent.is_empty(), "{divergence}");
    }
}

#[test]
fn without_a_planted_bug_nothing_diverges() {
    for (program, typed) in [(&COUNTER[..], &b""[..]), (&PRINTER, b""), (&LISTENER, b"abc")] {
        let recording = record(program, typed);
        for scheduler in [Scheduler::Inline, Scheduler::Threads] {
            assert!(recording.verify(scheduler, &[], &mut |_| true).unwrap().ok);
        }
    }
}
