//! Corners of the state machine that nothing else looks into: what it tells of itself, and the texts of reports.

use rreplay::engine::ReplayLock;
use rreplay::events::{AsyncEvent, Delivery};
use rreplay::log::LogError;
use rreplay::log::event::{Event, StampedEvent};
use rreplay::nondet::{CharId, Owner};
use rreplay::replay::{
    Diagnosis, Differences, Divergence, EventSource, FieldDifference, Found, MemoryLog, MemorySink,
    MemorySource, PlayConfig, RecordConfig, Replay,
};
use rreplay::sync::{Arc, spawn};
use rreplay::units::{EventOrdinal, Position};

const HERE: Position = Position::new(10, 30);

fn recorder() -> Replay {
    let config = RecordConfig { start: HERE, ..RecordConfig::default() };
    let mut replay = Replay::record(Box::new(MemorySink::default()), config);
    replay.start().unwrap();
    replay
}

#[test]
fn the_queue_tells_what_waits() {
    let mut replay = recorder();
    assert!(!replay.has_queued_events());
    assert_eq!(replay.queued_bytes(), 0);
    assert!(replay.char_read(CharId(0), b"hello".to_vec()).is_none());
    assert!(replay.char_read(CharId(0), b"!".to_vec()).is_none());
    assert!(replay.has_queued_events());
    assert_eq!(replay.queued_bytes(), 6);
    replay.flush(drop).unwrap();
    assert!(!replay.has_queued_events());
    assert_eq!(replay.queued_bytes(), 0);
}

#[test]
fn requests_that_are_on_their_way() {
    let mut replay = Replay::none();
    assert!(replay.requests().is_empty(), "none was ever made");
    assert_eq!(replay.outstanding_requests().count(), 0);
    let ids = [replay.next_block_id(Owner(5)), replay.next_block_id(Owner(7))];
    let made: Vec<(u64, Owner)> = replay.outstanding_requests().collect();
    assert_eq!(made, [(ids[0], Owner(5)), (ids[1], Owner(7))]);
    assert!(!replay.requests().is_empty());
}

#[test]
fn its_own_fields_have_names_and_values() {
    let mut replay = recorder();
    let _ = replay.next_block_id(Owner(0));
    let fields = replay.fields();
    let names: Vec<(&str, &str)> = fields.iter().map(|(part, name, _)| (*part, *name)).collect();
    assert_eq!(
        names,
        [
            ("clocks", "last host clock"),
            ("clocks", "last virtual_rt clock"),
            ("queue", "waiting"),
            ("queue", "next block request"),
            ("events", "taken from the log"),
            ("events", "hash"),
        ]
    );
    assert_eq!(fields[0].2, "0");
    assert!(fields[3].2.starts_with("1 "), "{}", fields[3].2);
}

/// Calls are found in the log by kind and by the icount of their scheduling, in whatever order they were asked for.
#[test]
fn calls_are_told_apart_by_kind_and_id() {
    let at = |icount| Position::new(icount, icount * 3);
    let calls = [
        AsyncEvent::Bh { id: 12 },
        AsyncEvent::BhOneshot { id: 10 },
        AsyncEvent::Bh { id: 10 },
        AsyncEvent::BhOneshot { id: 12 },
    ];
    let stamp = |(ordinal, event): (usize, &AsyncEvent)| StampedEvent {
        position: at(12),
        ordinal: EventOrdinal(ordinal as u64),
        event: Event::Async(event.clone()),
    };
    let events = calls.iter().enumerate().map(stamp).collect();
    let config =
        PlayConfig { start: at(10), subsystems: Replay::recorded_subsystems(Vec::new()), chars: None };
    let source = MemorySource::new(MemoryLog { events, snapshots: Vec::new() });
    let mut replay = Replay::play(Box::new(source), config);
    replay.start().unwrap();
    assert!(replay.schedule_bh(at(10), Owner(1)).is_none());
    assert!(replay.schedule_bh_oneshot(at(10), Owner(2)).is_none());
    replay.account_executed(at(12)).unwrap();
    assert!(replay.schedule_bh(at(12), Owner(3)).is_none());
    assert!(replay.schedule_bh_oneshot(at(12), Owner(4)).is_none());
    let mut delivered: Vec<Delivery> = Vec::new();
    replay.flush(|delivery| delivered.push(delivery)).unwrap();
    let expected = calls.into_iter().zip([3, 2, 1, 4].map(Owner));
    let expected: Vec<Delivery> =
        expected.map(|(event, owner)| Delivery { event, owner: Some(owner) }).collect();
    assert_eq!(delivered, expected);
}

#[test]
fn a_log_in_memory_has_an_end_and_no_file() {
    let event = |ordinal| StampedEvent {
        position: HERE,
        ordinal: EventOrdinal(ordinal),
        event: Event::Async(AsyncEvent::InputSync),
    };
    let log = MemoryLog { events: vec![event(0), event(1)], snapshots: Vec::new() };
    let mut source = MemorySource::new(log);
    assert_eq!(source.byte_offset(), None);
    source.seek(EventOrdinal(2)).unwrap();
    assert!(source.peek(0).unwrap().is_none(), "just behind the last is its end");
    let beyond = source.seek(EventOrdinal(3));
    assert!(matches!(beyond, Err(LogError::NoSuchEvent { ordinal: 3, events: 2 })));
}

/// Whoever gives up waiting for the replay lock is passed over by those behind it.
#[test]
fn the_lock_passes_over_those_who_left() {
    let lock = Arc::new(ReplayLock::new(7));
    let held = lock.take("holder", &mut || panic!("it is free")).unwrap();
    assert_eq!((*held, lock.holder()), (7, Some("holder")));
    assert!(lock.try_take("another").is_none());
    let leavers: Vec<_> = (0..3)
        .map(|_| {
            let lock = lock.clone();
            spawn("leaver", move || lock.take("leaver", &mut || true).is_none()).unwrap()
        })
        .collect();
    for leaver in leavers {
        assert!(leaver.join().unwrap(), "it gave up");
    }
    assert_eq!(lock.waiters(), 0);
    assert!(lock.try_take("another").is_none(), "still held");
    lock.put_back(held);
    assert_eq!(lock.holder(), None);
    let again = lock.try_take("another").expect("those who left are passed over");
    assert_eq!(lock.holder(), Some("another"));
    lock.put_back(again);
    for _ in 0..3 {
        let value = lock.try_take("one by one").expect("it is free again");
        lock.put_back(value);
    }
    assert_eq!(*lock.lock("at last"), 7);
}

fn divergence(found: Found) -> Divergence {
    Divergence {
        position: Position::new(1000, 2666),
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

/// Numbered letters, so that a text that was cut tells where.
fn ruler(length: usize) -> String {
    (0..length).map(|n| char::from(b'a' + (n % 26) as u8)).collect()
}

#[test]
fn long_values_are_cut_in_the_middle() {
    let value = ruler(100);
    let listed = vec![FieldDifference {
        subsystem: "acia".to_owned(),
        field: "data".to_owned(),
        expected: value.clone(),
        found: ruler(30),
    }];
    let differences = Differences { listed, ..Differences::default() };
    let diagnosis = Diagnosis::Unrepeated { position: Position::new(1, 2), differences };
    let state = Found::State { subsystems: vec!["acia".to_owned()], matching: vec![] };
    let report = Divergence { diagnosis: Some(diagnosis), ..divergence(state) }.report().to_string();
    // 30 columns: 13 characters of each end around three dots.
    let cut = format!("{}...{}", &value[..13], &value[87..]);
    assert!(report.contains(&format!("  {cut} ")), "{report}");
    assert!(report.contains(&ruler(30)), "what just fits is whole: {report}");
}

#[test]
fn a_long_queue_is_cut_to_three_such_values() {
    let queued = vec![ruler(60), ruler(60)];
    let whole = queued.join(", ");
    let stuck = Divergence { queued, ..divergence(Found::Stuck("nothing can move".to_owned())) };
    let report = stuck.report().to_string();
    // 90 columns: 43 characters of each end.
    let cut = format!("{}...{}", &whole[..43], &whole[whole.len() - 43..]);
    assert!(report.contains(&cut), "{report}");
}
