//! Divergences of every kind, under both schedulers: never a hang, an exit or a panic, always a report that says what
//! was expected, what came, and who is to blame.

use super::divergence_support::*;
use super::session_support::*;
use rreplay::engine::Scheduler;
use rreplay::log::{Event, EventKind, LogReader, StampedEvent};
use rreplay::machine::board::{Board, Target};
use rreplay::memory::{MEMORY_CHANGES, MemoryChanges};
use rreplay::recording::Recording;
use rreplay::replay::{Cause, Diagnosis, Divergence, Found};
use rreplay::session::{RunRequest, Session};
use rreplay::snapshot::Changes;
use rreplay::units::Position;
use rreplay_kit::{EventChange, Perturb, Perturbation, Register};
use std::collections::BTreeMap;

/// The divergence of a recording, which must be the same under both schedulers, in one piece and in small ones.
fn verify(recording: &Recording) -> Divergence {
    let [one, other] = SCHEDULERS.map(|scheduler| {
        let error = recording.verify(scheduler, &[], &mut |_| true).expect_err("a log that is wrong");
        assert_eq!(error.class(), "Divergence");
        error.divergence().unwrap_or_else(|| panic!("{error}")).clone()
    });
    assert_eq!(one, other, "{}\n{}", one.report(), other.report());
    let session = recording.replay().unwrap();
    let sliced = loop {
        match run(&session, instructions(7)) {
            Ok(_) => {}
            Err(error) => break error.divergence().unwrap().clone(),
        }
    };
    assert_eq!(one, sliced, "{}\n{}", one.report(), sliced.report());
    let lines = one.report().to_string().lines().count();
    assert!(lines <= 42, "{lines} lines:\n{}", one.report());
    one
}

fn place_of(events: &[StampedEvent], nth: usize, kind: EventKind) -> usize {
    let mut places = (0..events.len()).filter(|&place| events[place].event.kind() == kind);
    places.nth(nth).unwrap()
}

// ---- what was found ----

#[test]
fn another_byte_printed_is_found_where_it_is_printed() {
    let bytes = record_bytes(BUSY_PLAN);
    let tampered = rewrite(&bytes, |events| {
        let place = place_of(events, 3, EventKind::CharWrite);
        let Event::CharWrite { bytes, .. } = &mut events[place].event else { unreachable!() };
        bytes[0] ^= 1;
    });
    let divergence = verify(&tampered);
    let Found::Event(what) = &divergence.found else { panic!("{}", divergence.report()) };
    assert!(what.starts_with("char_write of "), "{what}");
    let expected = divergence.expected.as_ref().unwrap();
    assert_eq!((expected.event.kind(), expected.position), (EventKind::CharWrite, divergence.position));
    // The instruction that printed it: the report is about that one, and it is the last.
    let last = divergence.executed.last().unwrap();
    assert_eq!((divergence.pc, last.position.icount), (Some(last.pc), divergence.position.icount));
    assert_eq!(divergence.executed.len(), 16);
    assert_eq!(divergence.recent.len(), 16);
    assert!(matches!(divergence.diagnosis, Some(Diagnosis::InLog { to, .. }) if to == divergence.position));
}

#[test]
fn an_event_that_never_comes_is_passed_and_the_place_is_exact() {
    let bytes = record_bytes(Plan { program: &COUNTER, typed: b"", ..BUSY_PLAN });
    // The counter prints nothing, ever.
    let tampered = rewrite(&bytes, |events| {
        let printed = record(BUSY_PLAN);
        let written = super::divergence_support::events(&printed);
        let mut event = written[place_of(&written, 0, EventKind::CharWrite)].clone();
        let end = place_of(events, 2, EventKind::Digest);
        event.position = Position::new(1500, 4001);
        events.insert(end, event);
    });
    let divergence = verify(&tampered);
    assert_eq!(divergence.found, Found::Passed, "{}", divergence.report());
    assert_eq!(divergence.position.icount, 1501, "the first boundary behind it");
    assert_eq!(divergence.expected.as_ref().unwrap().position, Position::new(1500, 4001));
    assert_eq!(divergence.executed.last().unwrap().position.icount, 1500);
}

#[test]
fn a_cpu_that_waits_for_what_does_not_come_is_stuck_and_says_for_what() {
    let bytes = record_bytes(Plan { program: &LISTENER, typed: b"abc", ..BUSY_PLAN });
    // Nobody types: the interrupts that the log has never come, and there is no timer.
    let tampered = rewrite(&bytes, |events| {
        events.retain(|event| {
            let of_input = matches!(event.event.kind(), EventKind::CharRead | EventKind::Checkpoint);
            event.position.icount == 0 || !of_input
        });
    });
    let divergence = verify(&tampered);
    let Found::Stuck(why) = &divergence.found else { panic!("{}", divergence.report()) };
    assert!(!why.is_empty());
    let report = divergence.report().to_string();
    for part in ["interrupt irq", "cannot get there", "queued        nothing", "held by the vCPU"] {
        assert!(report.contains(part), "{part}: {report}");
    }
    assert_eq!(divergence.lock_holder, Some("vCPU"));
}

#[test]
fn another_state_names_its_subsystems_and_those_that_agree() {
    let bytes = record_bytes(BUSY_PLAN);
    let tampered = rewrite(&bytes, |events| {
        let place = place_of(events, 2, EventKind::Digest);
        let Event::Digest(digests) = &mut events[place].event else { unreachable!() };
        (digests[0].0[3], digests[2].0[3]) = (digests[0].0[3] ^ 1, digests[2].0[3] ^ 1);
    });
    let divergence = verify(&tampered);
    let Found::State { subsystems, matching } = &divergence.found else { panic!("{}", divergence.report()) };
    assert_eq!(subsystems, &["cpu", "memory"]);
    assert_eq!(matching, &["lines", "device/acia", "device/via", "timers", "queue", "events"]);
    let Some(Diagnosis::InLog { from, to, .. }) = divergence.diagnosis else { unreachable!() };
    assert_eq!((from.icount, to.icount), (1000, 2000));
}

// ---- logs that are wrong as a whole ----

#[test]
fn the_log_of_another_rom_on_the_same_board_is_to_blame() {
    // INC $22 in the handler of one, INC $23 in that of the other.
    let mut other_rom = rom();
    other_rom[0x25] = 0x23;
    let images = vec![
        bin("rom", Target::Region("rom".into()), &other_rom),
        bin("program", Target::Address(0x0400), &BUSY),
    ];
    let session = Session::new(Board::from_toml(BOARD).unwrap(), images).unwrap();
    let other = record_session(&session, BUSY_PLAN);
    let header = LogReader::from_bytes(other).unwrap().header().clone();
    let divergence = verify(&rewrite_behind(&header, &record_bytes(BUSY_PLAN), |_| {}));
    let Some(Diagnosis::InLog { from, to, .. }) = divergence.diagnosis else {
        panic!("{}", divergence.report())
    };
    // RAM is the same at the start: it is the hash of the header, which has the ROM, that tells at once.
    assert_eq!((from.icount, to.icount), (0, 0));
    assert!(matches!(&divergence.found, Found::State { subsystems, .. } if subsystems == &["events"]));
    assert!(divergence.report().to_string().contains("do not belong to the header"));
}

#[test]
fn the_log_of_another_program_is_to_blame() {
    let programs: [&[u8]; 4] = [&BUSY, &COUNTER, &PRINTER, &LISTENER];
    let recorded = programs.map(|program| record_bytes(Plan { program, ..BUSY_PLAN }));
    for (own, bytes) in recorded.iter().enumerate() {
        for (other, foreign) in recorded.iter().enumerate().filter(|(other, _)| *other != own) {
            let header = LogReader::from_bytes(bytes.clone()).unwrap().header().clone();
            let divergence = verify(&rewrite_behind(&header, foreign, |_| {}));
            let diagnosis = &divergence.diagnosis;
            let in_log = matches!(diagnosis, Some(Diagnosis::InLog { from, to, .. }) if from <= to);
            assert!(in_log, "{own} with the log of {other}: {}", divergence.report());
        }
    }
}

#[test]
fn a_log_that_ends_early_is_replayed_as_far_as_it_goes_and_not_called_good() {
    let bytes = record_bytes(Plan { instructions: 1500, ..BUSY_PLAN });
    let count = events(&Recording::from_bytes(bytes.clone(), false).unwrap()).len();
    for length in 0..count {
        let cut = rewrite(&bytes, |events| events.truncate(length));
        for scheduler in SCHEDULERS {
            let verified = cut.verify(scheduler, &[], &mut |_| true);
            let verified = verified.unwrap_or_else(|error| panic!("cut to {length} of {count}: {error}"));
            assert!(!verified.ok, "cut to {length} of {count}");
        }
    }
    // The bytes of the file cut: what opens is a prefix, and agrees.
    for length in (0..bytes.len()).step_by(37) {
        if let Ok(cut) = Recording::from_bytes(bytes[..length].to_vec(), true) {
            assert!(!cut.verify(Scheduler::Inline, &[], &mut |_| true).unwrap().ok, "cut to {length} bytes");
        }
    }
}

/// A recorded snapshot in which a page is among those that have changed.
fn with_page(container: &[u8], page: u8, content: &[u8]) -> Vec<u8> {
    let changes = Changes::from_bytes(container).unwrap();
    let mut sections = changes.sections().clone();
    let (_, section) = sections.iter_mut().find(|(name, _)| name == MEMORY_CHANGES).unwrap();
    let memory = MemoryChanges::parse(section).unwrap();
    let mut changed = memory.changed;
    changed[usize::from(page / 8)] |= 1 << (page % 8);
    let mut pages: BTreeMap<u8, &[u8]> = memory.pages().collect();
    pages.insert(page, content);
    let contents = pages.into_values().collect::<Vec<_>>().concat();
    let mut put = Vec::new();
    MemoryChanges { changed, contents: &contents, ..memory }.put(&mut put);
    *section = put;
    Changes::new(changes.identity(), changes.position(), sections).to_bytes()
}

#[test]
fn a_replay_from_a_wrong_snapshot_is_told_where_the_right_one_differs() {
    let plan = Plan { snapshot_every: Some(1500), ..BUSY_PLAN };
    let bytes = record_bytes(plan);
    let recording = Recording::from_bytes(bytes.clone(), false).unwrap();
    let changed = rewrite_with(
        &bytes,
        |_| {},
        |number, container| {
            if number != 1 {
                return container;
            }
            // Snapshots hold what has changed: this one gets a page too many, and those behind it build on it.
            let mut page = recording.replay_from(number, &[]).unwrap().memory(0x3400, 0x100);
            page[0x56] ^= 0x10;
            with_page(&container, 0x34, &page)
        },
    );
    // From the start it is not used, but compared with the state of the run there.
    let at = changed.snapshots()[1];
    let divergence = diverge(&changed.replay().unwrap(), Scheduler::Inline);
    assert!(matches!(&divergence.found, Found::State { subsystems, .. } if subsystems == &["memory"]));
    assert_eq!((divergence.at_snapshot(), divergence.position), (Some(1), at));
    let Some(Diagnosis::InLog { from, to, differences }) = &divergence.diagnosis else {
        panic!("{}", divergence.report())
    };
    assert_eq!(
        (*from, *to, names(differences)),
        (changed.snapshots()[0], at, vec!["memory.$3456".to_owned()])
    );
    assert!(divergence.report().to_string().contains("snapshot 1 of the file is not its state here"));
    for scheduler in SCHEDULERS {
        let divergence = diverge(&changed.replay_from(1, &[]).unwrap(), scheduler);
        let (position, cause, _, differences) = first(&divergence);
        assert_eq!((position, cause), (at, &Cause::Outside), "{}", divergence.report());
        assert_eq!(names(differences), ["memory.$3456"]);
        let divergence = diverge(&changed.replay_from(2, &[]).unwrap(), scheduler);
        assert!(matches!(&divergence.found, Found::State { subsystems, .. } if subsystems == &["memory"]));
    }
}

// ---- what replaying again finds out ----

#[test]
fn what_a_second_replay_does_not_do_is_said_to_be_of_this_machine_alone() {
    let recording = record(BUSY_PLAN);
    for scheduler in SCHEDULERS {
        let session = recording.replay().unwrap();
        run(&session, instructions(2345)).unwrap();
        session.perturb_once(&Perturbation::Memory { address: 0x3456, bits: 0x80 }).unwrap();
        let divergence = diverge(&session, scheduler);
        let Some(Diagnosis::Unrepeated { position, differences }) = &divergence.diagnosis else {
            panic!("{}", divergence.report())
        };
        assert_eq!((position.icount, names(differences)), (3000, vec!["memory.$3456".to_owned()]));
        assert_eq!(divergence.executed.len(), 16);
    }
}

#[test]
fn a_wrong_answer_is_named_with_the_event_and_the_instruction_that_took_it() {
    let recording = record(BUSY_PLAN);
    let events = events(&recording);
    let printed = &events[place_of(&events, 2, EventKind::CharWrite)];
    let Event::CharWrite { device, bytes, mut written } = printed.event.clone() else { unreachable!() };
    written.result = -5;
    let wrong = Event::CharWrite { device, bytes, written };
    for scheduler in SCHEDULERS {
        let session = recording.replay().unwrap();
        session.perturb_event(printed.ordinal.0, EventChange::Replace(wrong.clone())).unwrap();
        let divergence = diverge(&session, scheduler);
        let (position, cause, instruction, _) = first(&divergence);
        assert_eq!(position.icount, printed.position.icount, "{}", divergence.report());
        let Cause::Event { expected, found } = cause else { panic!("{}", divergence.report()) };
        assert_eq!(
            (expected.as_ref(), found.as_ref().map(|event| &event.event)),
            (Some(printed), Some(&wrong))
        );
        assert!(instruction.is_none_or(|instruction| instruction.position.icount == position.icount));
    }
}

#[test]
fn the_search_can_be_stopped_and_the_divergence_is_reported_all_the_same() {
    // Slices have 50,000 instructions: the digest is in the middle of one, so that nobody is asked at its place before.
    let plan = Plan { program: &COUNTER, typed: b"", instructions: 2_100_000, ..BUSY_PLAN };
    let recording = record(Plan { digest_every: 2_025_000, ..plan });
    let session = recording.replay().unwrap();
    session.perturb_at(Position::new(1000, 0), Perturbation::Memory { address: 0x3456, bits: 1 }).unwrap();
    let error = session
        .run(RunRequest::default(), &mut || session.position().icount == 2_025_000)
        .expect_err("the digest sees it");
    let divergence = error.divergence().unwrap();
    assert_eq!(divergence.position.icount, 2_025_000);
    let Some(Diagnosis::GivenUp { reason }) = &divergence.diagnosis else {
        panic!("{}", divergence.report())
    };
    assert!(reason.contains("stopped"), "{reason}");
    assert!(divergence.report().to_string().contains("was not looked for: it was stopped"));
}

#[test]
fn a_replay_that_diverged_says_the_same_again() {
    let recording = record(BUSY_PLAN);
    let session = recording.replay().unwrap();
    let at = position_at(&recording, 2222);
    session.perturb_at(at, Perturbation::Register { register: Register::Sp, bits: 0x40 }).unwrap();
    let one = diverge(&session, Scheduler::Inline);
    let again = diverge(&session, Scheduler::Threads);
    assert_eq!(one, again);
}

// ---- the text ----

#[test]
fn the_report_is_laid_out_for_a_person() {
    let recording =
        record(Plan { program: &COUNTER, typed: b"", digest_every: 500, instructions: 1500, ..BUSY_PLAN });
    let session = recording.replay().unwrap();
    let at = position_at(&recording, 777);
    session.perturb_at(at, Perturbation::Register { register: Register::A, bits: 0x10 }).unwrap();
    let divergence = diverge(&session, Scheduler::Inline);
    let offset = divergence.byte_offset.unwrap();
    let expected = format!(
        "\
the replay diverged at icount 1000 (cycle 2666), pc $0402

  the log has   event 4, digest of 8 subsystems (in the chunk at byte {offset} of the file)
  the replay    has another state in cpu
  still equal   lines, memory, device/acia, device/via, timers, queue, events
  digests       all agreed up to icount 500 (cycle 1332)

First difference, found by replaying again: at icount 777 (cycle 2071)
  No instruction and no event lies there: the machine was changed from outside.
          recorded  replayed
  cpu  a  $00       $10

The last instructions
    icount     cycle
       991      2642  0402  E8        INX
       992      2644  0403  86 10     STX $10
       993      2647  0405  4C 02 04  JMP $0402
       994      2650  0402  E8        INX
       995      2652  0403  86 10     STX $10
       996      2655  0405  4C 02 04  JMP $0402
       997      2658  0402  E8        INX
       998      2660  0403  86 10     STX $10
       999      2663  0405  4C 02 04  JMP $0402

The last events that agreed
    icount     cycle    event
         0         0        0  checkpoint init
         0         0        1  checkpoint reset
         0         0        2  digest of 8 subsystems
       500      1332        3  digest of 8 subsystems"
    );
    assert_eq!(divergence.report().to_string(), expected);
    assert_eq!(
        divergence.to_string().split(": the log").next().unwrap(),
        "the replay diverged at icount 1000 (cycle 2666), pc $0402"
    );
    assert_eq!(divergence.to_string().lines().count(), 1);
}
