//! The adversary against the log: an event that is missing, doubled, moved or another one is named with its place. Where
//! it is so in the file itself, the report says that the log is to blame, and between which places.

use super::divergence_support::*;
use rreplay::engine::Scheduler;
use rreplay::log::{Event, EventKind, StampedEvent};
use rreplay::recording::Recording;
use rreplay::replay::{Cause, Diagnosis, Divergence, Found};
use rreplay::units::Position;
use rreplay_kit::{EventChange, Perturb, other_payload};
use std::collections::BTreeMap;

const SEED: u64 = 7_110_923;
const TRIALS: usize = 400;
const REWRITES: usize = 120;

/// Where the first difference must be: the instruction before which the event stands, or in which it happens, or in
/// which its new place is passed.
fn place(recording: &Recording, event: &StampedEvent, change: &EventChange) -> u64 {
    let EventChange::MoveTo(to) = change else { return event.position.icount };
    let before = &events(recording)[event.ordinal.0 as usize - 1];
    if *to > event.position {
        event.position.icount
    } else if before.position > *to {
        // It is looked at when the one before it is done.
        before.position.icount
    } else {
        // Between two boundaries, the instruction before is the one that runs over it.
        to.icount - u64::from(*to < position_at(recording, to.icount))
    }
}

fn check(
    recording: &Recording,
    event: &StampedEvent,
    change: &EventChange,
    scheduler: Scheduler,
) -> Divergence {
    let context = format!("{event}, {change:?}, {scheduler:?}");
    let session = recording.replay().unwrap();
    session.perturb_event(event.ordinal.0, change.clone()).unwrap();
    let divergence = match finish(&session, scheduler) {
        Ok(stop) => panic!("{context}: came to {stop:?}"),
        Err(error) => error.divergence().unwrap_or_else(|| panic!("{context}: {error}")).clone(),
    };
    let context = format!("{context}\n{}", divergence.report());
    let Some(Diagnosis::First { position, cause, .. }) = &divergence.diagnosis else { panic!("{context}") };
    assert_eq!(position.icount, place(recording, event, change), "{context}");
    let Cause::Event { expected, found } = cause else { panic!("{context}") };
    let ordinals = [expected, found].map(|event| event.as_ref().map(|event| event.ordinal));
    assert!(ordinals.contains(&Some(event.ordinal)), "{context}");
    if let Some(expected) = expected
        && expected.ordinal == event.ordinal
    {
        assert_eq!(expected, event, "{context}");
    }
    match change {
        // What is taken in its place is the next one, where that stands at the same position.
        EventChange::Drop => {
            assert_eq!(expected.as_ref(), Some(event), "{context}");
            let next = |found: &StampedEvent| found.ordinal.0 == event.ordinal.0 + 1;
            assert!(found.as_ref().is_none_or(next), "{context}");
        }
        EventChange::Double => assert_eq!(found.as_ref(), Some(event), "{context}"),
        EventChange::MoveTo(to) => {
            assert!(found.as_ref().is_none_or(|found| found.position == *to), "{context}");
        }
        EventChange::Replace(other) => {
            assert_eq!(found.as_ref().map(|found| &found.event), Some(other), "{context}");
        }
    }
    divergence
}

fn any_change(random: &mut Random, recording: &Recording, event: &StampedEvent) -> EventChange {
    let at = event.position;
    let boundary = |icount: u64| position_at(recording, icount.min(recording.end().icount));
    match random.below(7) {
        0 => EventChange::Drop,
        1 => EventChange::Double,
        2 => EventChange::MoveTo(Position::new(at.icount, at.cycles + 1)),
        3 => EventChange::MoveTo(Position::new(at.icount, at.cycles.saturating_sub(1))),
        4 => EventChange::MoveTo(boundary(at.icount + 1)),
        5 => EventChange::MoveTo(boundary(at.icount.saturating_sub(1).max(recording.start().icount))),
        _ => other_payload(&event.event).map_or(EventChange::Drop, EventChange::Replace),
    }
}

/// Whether a change is none: the last event of all is where a replay ends whether it is there or not.
fn is_none(event: &StampedEvent, change: &EventChange) -> bool {
    matches!(change, EventChange::MoveTo(to) if *to == event.position)
        || event.event == Event::End && matches!(change, EventChange::Drop | EventChange::Double)
}

#[test]
fn an_event_that_is_missing_doubled_moved_or_another_is_named_with_its_place() {
    let recordings =
        [record(BUSY_PLAN), record(Plan { snapshot_every: Some(1500), instructions: 4000, ..BUSY_PLAN })];
    let mut random = Random(SEED);
    let mut kinds: BTreeMap<EventKind, u32> = BTreeMap::new();
    let mut ways: BTreeMap<&str, u32> = BTreeMap::new();
    let mut without_effect = 0;
    for trial in 0..TRIALS {
        let recording = &recordings[trial % 2];
        // The first two are taken when the machine is made.
        let events = events(recording);
        let event = random.pick(&events[2..]);
        let change = any_change(&mut random, recording, event);
        if is_none(event, &change) {
            without_effect += 1;
            continue;
        }
        let divergence = check(recording, event, &change, *random.pick(&SCHEDULERS));
        *kinds.entry(event.event.kind()).or_default() += 1;
        *ways.entry(divergence.found.kind()).or_default() += 1;
    }
    println!("seed {SEED}: of {TRIALS} changes {without_effect} were none; {kinds:?}; found as {ways:?}");
    for kind in [EventKind::Interrupt, EventKind::Checkpoint, EventKind::CharRead, EventKind::CharWrite] {
        assert!(kinds.contains_key(&kind), "{kinds:?}");
    }
}

#[test]
fn every_kind_of_event_of_a_log_is_missed() {
    let recording = record(Plan { snapshot_every: Some(1500), ..BUSY_PLAN });
    let events = events(&recording);
    let mut seen = BTreeMap::new();
    for event in events.iter().skip(2).filter(|event| event.event != Event::End) {
        seen.insert(event.event.kind(), event);
    }
    assert!(seen.len() >= 7, "{:?}", seen.keys());
    for event in seen.values() {
        for scheduler in SCHEDULERS {
            check(&recording, event, &EventChange::Drop, scheduler);
        }
    }
}

#[test]
fn a_log_without_its_last_digest_is_not_called_good() {
    let bytes = record_bytes(BUSY_PLAN);
    let recording = Recording::from_bytes(bytes.clone(), false).unwrap();
    let events = events(&recording);
    let last = events.iter().rfind(|event| matches!(event.event, Event::Digest(_))).unwrap();
    for scheduler in SCHEDULERS {
        let divergence = check(&recording, last, &EventChange::Drop, scheduler);
        assert_eq!(divergence.expected.as_ref().unwrap().event, Event::End);
        assert!(matches!(&divergence.found, Found::Event(what) if what.contains("without the digest")));
    }
    // In the file too.
    let place = last.ordinal.0 as usize;
    let tampered = rewrite(&bytes, |events| drop(events.remove(place)));
    assert!(tampered.complete());
    let error = tampered.verify(Scheduler::Inline, &[], &mut |_| true).unwrap_err();
    assert!(error.to_string().contains("without the digest"), "{error}");
}

// ---- the file itself ----

fn in_log(recording: &Recording, scheduler: Scheduler) -> (Divergence, Position, Position) {
    let error = recording.verify(scheduler, &[], &mut |_| true).expect_err("the log is wrong");
    let divergence = error.divergence().unwrap_or_else(|| panic!("{error}")).clone();
    match divergence.diagnosis {
        Some(Diagnosis::InLog { from, to, .. }) => (divergence, from, to),
        _ => panic!("{}", divergence.report()),
    }
}

#[test]
fn a_tampered_file_is_told_from_a_changed_machine() {
    let bytes = record_bytes(BUSY_PLAN);
    let original = events(&Recording::from_bytes(bytes.clone(), false).unwrap());
    let mut random = Random(SEED);
    for _ in 0..REWRITES {
        let place = 2 + random.below(original.len() as u64 - 3) as usize;
        let StampedEvent { position, event, .. } = &original[place];
        let scheduler = *random.pick(&SCHEDULERS);
        let way = random.below(3);
        let tampered = rewrite(&bytes, |events| match (way, other_payload(event)) {
            (0, _) => drop(events.remove(place)),
            (1, Some(other)) => events[place].event = other,
            _ => events.insert(place, original[place].clone()),
        });
        let context = format!("event {place}, {event}, way {way}, {scheduler:?}");
        let (divergence, from, to) = in_log(&tampered, scheduler);
        assert!(from <= *position && position.icount <= to.icount, "{context}: {}", divergence.report());
        // No wider than the interval between digests, with the instruction that runs past the end of it.
        let intervals = if matches!(event, Event::Digest(_)) { 2 } else { 1 };
        let widest = intervals * BUSY_PLAN.digest_every + 1;
        assert!(to.icount - from.icount <= widest, "{context}: {}", divergence.report());
        assert!(divergence.executed.len() == 16 || divergence.position.icount < 16, "{context}");
    }
}

#[test]
fn where_the_log_has_a_snapshot_the_bytes_that_differ_are_named() {
    // What is typed is kept in 20, and nobody looks at it: only digests and snapshots know.
    let plan = Plan { snapshot_every: Some(500), digest_every: 500, ..BUSY_PLAN };
    let bytes = record_bytes(plan);
    let typed = |event: &StampedEvent| event.event.kind() == EventKind::CharRead;
    let at = events(&Recording::from_bytes(bytes.clone(), false).unwrap()).into_iter().rfind(typed).unwrap();
    let tampered = rewrite(&bytes, |events| {
        let event = events.iter_mut().rfind(|event| typed(event)).unwrap();
        event.event = other_payload(&event.event).unwrap();
    });
    for scheduler in SCHEDULERS {
        let (divergence, from, to) = in_log(&tampered, scheduler);
        let Found::State { subsystems, .. } = &divergence.found else { panic!("{}", divergence.report()) };
        assert!(subsystems.contains(&"events".to_owned()), "{subsystems:?}");
        assert!(from <= at.position && at.position <= to);
        let Some(Diagnosis::InLog { differences, .. }) = &divergence.diagnosis else { unreachable!() };
        let names = names(differences);
        assert!(names.contains(&"memory.$0020".to_owned()), "{}", divergence.report());
    }
}
