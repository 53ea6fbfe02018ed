//! What people and Python read of the state machine: names that are part of the interface, and the one line of a divergence.

use rreplay::log::event::{Event, StampedEvent};
use rreplay::replay::{Cause, Diagnosis, Differences, Divergence, Found, ReplayMode};
use rreplay::units::{EventOrdinal, Position};

const HERE: Position = Position::new(1000, 2666);

#[test]
fn names_of_the_interface() {
    let modes = [ReplayMode::None, ReplayMode::Record, ReplayMode::Play];
    assert_eq!(modes.map(ReplayMode::name), ["none", "record", "play"]);
    let state = Found::State { subsystems: vec![], matching: vec![] };
    let found = [Found::Event(String::new()), Found::Passed, Found::Stuck(String::new()), state];
    assert_eq!(found.map(|found| found.kind()), ["event", "passed", "stuck", "state"]);
    let causes = [Cause::Instruction, Cause::of_events(None, None), Cause::Waiting, Cause::Outside];
    assert_eq!(causes.map(|cause| cause.name()), ["instruction", "event", "waiting", "outside"]);
    let differences = Differences::default();
    let diagnosis = [
        Diagnosis::First {
            position: HERE,
            cause: Cause::Waiting,
            instruction: None,
            differences: differences.clone(),
        },
        Diagnosis::InLog { from: HERE, to: HERE, differences: differences.clone() },
        Diagnosis::Unrepeated { position: HERE, differences },
        Diagnosis::GivenUp { reason: String::new() },
    ];
    assert_eq!(diagnosis.map(|diagnosis| diagnosis.name()), ["first", "in_log", "unrepeated", "given_up"]);
}

fn divergence(found: Found) -> Divergence {
    Divergence {
        position: HERE,
        expected: None,
        byte_offset: None,
        found,
        pc: None,
        recent: vec![],
        last_matching_digest: None,
        queued: vec![],
        lock_holder: None,
        executed: vec![],
        diagnosis: None,
        likely_cause: None,
    }
}

#[test]
fn a_divergence_in_one_line() {
    let bare = divergence(Found::Event("an interrupt".to_owned()));
    assert_eq!(
        bare.to_string(),
        "the replay diverged at icount 1000 (cycle 2666): the log has no more events; the replay came to an interrupt"
    );
    let old = Divergence { likely_cause: Some("an older engine".to_owned()), ..bare };
    assert_eq!(
        old.to_string(),
        "the replay diverged at icount 1000 (cycle 2666): the log has no more events; the replay came to an interrupt. \
         Likely cause: an older engine"
    );
    let snapshot = |position| {
        let event = Event::Snapshot { number: 3 };
        Some(StampedEvent { position, ordinal: EventOrdinal(7), event })
    };
    let text = Event::Snapshot { number: 3 }.to_string();
    let here = Divergence { expected: snapshot(HERE), pc: Some(0x40A), ..divergence(Found::Passed) };
    assert_eq!(
        here.to_string(),
        format!(
            "the replay diverged at icount 1000 (cycle 2666), pc $040A: the log has event 7, {text}; the replay ran past it"
        )
    );
    let elsewhere = Divergence {
        expected: snapshot(Position::new(990, 2600)),
        byte_offset: Some(4711),
        last_matching_digest: Some(Position::new(500, 1300)),
        ..divergence(Found::State { subsystems: vec!["cpu".into(), "memory".into()], matching: vec![] })
    };
    assert_eq!(
        elsewhere.to_string(),
        format!(
            "the replay diverged at icount 1000 (cycle 2666): the log has event 7, {text}, at icount 990 (cycle 2600) \
             (chunk at byte 4711 of the file); the replay has another state in cpu, memory. All digests agreed up to \
             icount 500 (cycle 1300)"
        )
    );
    let stuck = divergence(Found::Stuck("the CPU waits".to_owned()));
    assert!(stuck.to_string().ends_with("the replay cannot get there: the CPU waits"), "{stuck}");
}

/// A replay that has passed the expected event is compared by that event's place: how it noticed says nothing.
#[test]
fn the_same_place_is_that_of_the_event_that_was_passed() {
    let event = |icount| {
        let position = Position::new(icount, 3 * icount);
        Some(StampedEvent { position, ordinal: EventOrdinal(7), event: Event::Snapshot { number: 3 } })
    };
    let at = |position, expected| Divergence { position, expected, ..divergence(Found::Passed) };
    let later = Position::new(1010, 2700);
    let passed = at(HERE, event(800));
    assert_eq!(passed.has_passed(), Some(Position::new(800, 2400)));
    assert!(passed.is_same_place(&at(later, event(800))));
    assert!(!passed.is_same_place(&at(later, event(801))));
    let ahead = at(HERE, event(2000));
    assert_eq!(ahead.has_passed(), None);
    assert!(ahead.is_same_place(&ahead.clone()));
    assert!(!ahead.is_same_place(&at(later, event(2000))), "neither has passed it, and they stand elsewhere");
    assert!(!ahead.is_same_place(&passed));
    let other = Divergence { found: Found::Stuck(String::new()), ..ahead.clone() };
    assert!(!ahead.is_same_place(&other));
    let mut another = ahead.clone();
    another.expected.as_mut().unwrap().ordinal = EventOrdinal(8);
    assert!(!ahead.is_same_place(&another));
}
