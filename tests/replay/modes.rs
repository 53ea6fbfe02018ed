//! Every function of the state machine in every mode: what it answers, what it logs, what it consumes
//! (docs/replay.md).

use rreplay::bus::{Exception, Interrupt};
use rreplay::events::{AsyncEvent, Checkpoint, Delivery, InputEvent};
use rreplay::log::event::{Event, StampedEvent};
use rreplay::nondet::{AudioRead, BlockResult, CharId, CharWritten, ClockKind, NetId, Owner, ShutdownCause};
use rreplay::persist::Digest;
use rreplay::replay::{
    Found, Function, MemoryLog, MemorySink, MemorySource, PlayConfig, RecordConfig, Replay, ReplayError,
    ReplayMode, mode_table_markdown,
};
use rreplay::units::{EventOrdinal, Position};

/// Where the guest asks: within an instruction, a cycle behind the boundary.
const HERE: Position = Position::new(10, 31);
const BOUNDARY: Position = Position::new(10, 30);

fn none() -> Replay {
    let mut replay = Replay::none();
    replay.account_executed(BOUNDARY).unwrap();
    replay
}

fn config() -> RecordConfig {
    RecordConfig { start: BOUNDARY, ..RecordConfig::default() }
}

/// Records what `body` does at the boundary; gives its result and the log.
fn record<T>(body: impl FnOnce(&mut Replay) -> T) -> (T, MemoryLog) {
    let sink = MemorySink::default();
    let log = sink.log();
    let mut replay = Replay::record(Box::new(sink), config());
    replay.start().unwrap();
    let result = body(&mut replay);
    (result, log())
}

fn events(log: &MemoryLog) -> Vec<Event> {
    log.events.iter().map(|stamped| stamped.event.clone()).collect()
}

fn player(log: MemoryLog) -> Replay {
    let config =
        PlayConfig { start: BOUNDARY, subsystems: Replay::recorded_subsystems(Vec::new()), chars: None };
    let mut replay = Replay::play(Box::new(MemorySource::new(log)), config);
    replay.start().unwrap();
    replay
}

/// A player whose log is these events.
fn player_of(events: &[(Position, Event)]) -> Replay {
    let stamp = |(ordinal, (position, event)): (usize, &(Position, Event))| StampedEvent {
        position: *position,
        ordinal: EventOrdinal(ordinal as u64),
        event: event.clone(),
    };
    let events = events.iter().enumerate().map(stamp).collect();
    player(MemoryLog { events, snapshots: Vec::new() })
}

fn is_divergence<T>(result: Result<T, ReplayError>) -> bool {
    matches!(result, Err(ReplayError::Divergence(_)))
}

/// No host is asked in play.
fn nobody<T>() -> T {
    panic!("the host is not asked here")
}

fn left(replay: &mut Replay) -> bool {
    replay.peek().unwrap().is_some()
}

fn flushed(replay: &mut Replay) -> Vec<Delivery> {
    let mut delivered = Vec::new();
    replay.flush(|delivery| delivered.push(delivery)).unwrap();
    delivered
}

#[test]
fn the_mode_table_is_the_reviewed_one() {
    let page = include_str!("../../docs/replay.md");
    let table = mode_table_markdown();
    assert!(
        page.contains(&table),
        "the mode table has changed: if that is meant, put this into docs/replay.md\n\n{table}"
    );
    assert_eq!(Function::ALL.len(), 21);
}

#[test]
fn an_interrupt_is_true_logged_or_the_logs() {
    let ask = |replay: &mut Replay| replay.interrupt(HERE, Interrupt::Nmi).unwrap();
    let mut free = none();
    assert!(!free.has_interrupt(HERE).unwrap() && ask(&mut free), "without a log there is nothing to see");
    let (accepted, log) = record(|replay| !replay.has_interrupt(HERE).unwrap() && ask(replay));
    assert!(accepted);
    assert_eq!(events(&log), [Event::Interrupt(Interrupt::Nmi)]);
    assert_eq!(log.events[0].position, HERE);
    let mut replay = player(log.clone());
    assert!(!replay.has_interrupt(BOUNDARY).unwrap(), "it stands elsewhere");
    assert!(!replay.interrupt(HERE, Interrupt::Irq).unwrap(), "the log has another line");
    assert!(!replay.exception(HERE, Exception::Brk).unwrap());
    assert!(left(&mut replay), "what was not next is not consumed");
    assert!(replay.has_interrupt(HERE).unwrap() && ask(&mut replay));
    assert!(!left(&mut replay) && !ask(&mut replay));
}

#[test]
fn an_exception_is_true_logged_or_the_logs() {
    let ask = |replay: &mut Replay| replay.exception(HERE, Exception::Brk).unwrap();
    let mut free = none();
    assert!(!free.has_exception(HERE).unwrap() && ask(&mut free));
    let (passed, log) = record(|replay| !replay.has_exception(HERE).unwrap() && ask(replay));
    assert!(passed);
    assert_eq!(events(&log), [Event::Exception(Exception::Brk)]);
    let mut replay = player(log);
    assert!(!replay.exception(HERE, Exception::Jam).unwrap());
    assert!(replay.has_exception(HERE).unwrap() && ask(&mut replay));
    assert!(!replay.has_exception(HERE).unwrap() && !ask(&mut replay));
}

#[test]
fn a_clock_read_is_the_hosts_logged_or_the_logs() {
    for kind in [ClockKind::Host, ClockKind::VirtualRt] {
        assert_eq!(none().clock(HERE, kind, || -5).unwrap(), -5);
        let (_, log) = record(|replay| {
            assert_eq!(replay.clock(HERE, kind, || 7).unwrap(), 7);
            assert_eq!(replay.clock(HERE, kind, || 9).unwrap(), 9);
        });
        assert_eq!(events(&log), [7, 9].map(|value| Event::Clock { kind, value }), "every read is logged");
        let mut replay = player(log);
        let other = if kind == ClockKind::Host { ClockKind::VirtualRt } else { ClockKind::Host };
        assert_eq!(replay.clock(HERE, kind, nobody).unwrap(), 7);
        assert_eq!(replay.clock(HERE, other, nobody).unwrap(), 0, "no read of the other kind is next");
        assert_eq!(replay.clock(BOUNDARY, kind, nobody).unwrap(), 7, "the last value of that kind");
        assert!(replay.has_clock(HERE, kind).unwrap() && !replay.has_clock(HERE, other).unwrap());
        assert_eq!(replay.clock(HERE, kind, nobody).unwrap(), 9);
        assert_eq!(replay.clock(HERE, kind, nobody).unwrap(), 9);
    }
}

#[test]
fn entropy_is_the_hosts_logged_or_the_logs() {
    let ask = |replay: &mut Replay, code: i32| {
        let mut bytes = [0; 3];
        let result = replay.random(HERE, &mut bytes, |bytes| {
            bytes.copy_from_slice(b"xyz");
            code
        });
        (result.unwrap(), bytes)
    };
    assert_eq!(ask(&mut none(), 0), (0, *b"xyz"));
    let (_, log) = record(|replay| [ask(replay, 0), ask(replay, -4)]);
    let logged = |result| Event::Random { result, bytes: b"xyz".to_vec() };
    assert_eq!(events(&log), [logged(0), logged(-4)]);
    let mut replay = player(log);
    let mut longer = [0; 4];
    assert!(is_divergence(replay.random(HERE, &mut longer, nobody_fills)), "another length");
    assert_eq!(ask_played(&mut replay), (0, *b"xyz"));
    assert_eq!(ask_played(&mut replay), (-4, *b"xyz"), "the host call's code is kept");
    assert!(is_divergence(replay.random(HERE, &mut [0; 3], nobody_fills)), "missing");
}

fn nobody_fills(_: &mut [u8]) -> i32 {
    nobody()
}

fn ask_played(replay: &mut Replay) -> (i32, [u8; 3]) {
    let mut bytes = [0; 3];
    (replay.random(HERE, &mut bytes, nobody_fills).unwrap(), bytes)
}

#[test]
fn output_is_the_hosts_result_logged_or_the_logs() {
    let partial = CharWritten { result: -11, offset: 2 };
    let ask = |replay: &mut Replay, bytes: &[u8]| replay.char_write(HERE, CharId(1), bytes, |_| partial);
    assert_eq!(ask(&mut none(), b"abc").unwrap(), partial);
    let (_, log) = record(|replay| assert_eq!(ask(replay, b"abc").unwrap(), partial));
    assert_eq!(
        events(&log),
        [Event::CharWrite { device: CharId(1), bytes: b"abc".to_vec(), written: partial }]
    );
    let mut replay = player(log);
    assert!(is_divergence(replay.char_write(HERE, CharId(1), b"abd", |_| nobody())), "another byte");
    assert!(is_divergence(replay.char_write(HERE, CharId(0), b"abc", |_| nobody())), "another device");
    assert_eq!(replay.char_write(HERE, CharId(1), b"abc", |_| nobody()).unwrap(), partial);
}

#[test]
fn a_read_at_once_is_the_hosts_logged_or_the_logs() {
    let ask = |replay: &mut Replay, room: usize, result: i32| {
        let mut buffer = vec![0; room];
        let read = replay.char_read_all(HERE, CharId(2), &mut buffer, |buffer| {
            buffer.fill(b'r');
            result
        });
        read.map(|read| (read, buffer))
    };
    assert_eq!(ask(&mut none(), 4, 3).unwrap(), (3, b"rrr\0".to_vec()));
    let (_, log) = record(|replay| [ask(replay, 4, 3).unwrap().0, ask(replay, 4, -5).unwrap().0]);
    assert_eq!(
        events(&log),
        [
            Event::CharReadAll { device: CharId(2), bytes: b"rrr".to_vec() },
            Event::CharReadAllError { device: CharId(2), error: -5 }
        ]
    );
    let mut replay = player(log);
    assert!(is_divergence(replay.char_read_all(HERE, CharId(2), &mut [0; 2], nobody_fills)), "no room");
    assert!(is_divergence(replay.char_read_all(HERE, CharId(0), &mut [0; 4], nobody_fills)));
    let mut buffer = [0; 4];
    assert_eq!(replay.char_read_all(HERE, CharId(2), &mut buffer, nobody_fills).unwrap(), 3);
    assert_eq!(&buffer, b"rrr\0");
    assert_eq!(replay.char_read_all(HERE, CharId(2), &mut buffer, nobody_fills).unwrap(), -5);
}

#[test]
fn sound_out_is_the_hosts_count_logged_or_the_logs() {
    assert_eq!(none().audio_out(HERE, 15, || 12).unwrap(), 12);
    let (_, log) = record(|replay| replay.audio_out(HERE, 15, || 12).unwrap());
    assert_eq!(events(&log), [Event::AudioOut { frames: 12 }]);
    let mut replay = player(log);
    assert!(is_divergence(replay.audio_out(HERE, 11, nobody)), "no host takes more than it is offered");
    assert_eq!(replay.audio_out(HERE, 15, nobody).unwrap(), 12);
    assert!(is_divergence(replay.audio_out(HERE, 15, nobody)));
}

#[test]
fn sound_in_is_the_hosts_logged_or_the_logs() {
    let heard = AudioRead { recorded: 2, write_position: 9 };
    let ask = |replay: &mut Replay| {
        let mut samples = [0; 3];
        let read = replay.audio_in(HERE, &mut samples, |samples| {
            samples.copy_from_slice(&[5, -6, 7]);
            heard
        });
        (read.unwrap(), samples)
    };
    assert_eq!(ask(&mut none()), (heard, [5, -6, 0]));
    let (_, log) = record(|replay| assert_eq!(ask(replay), (heard, [5, -6, 0])));
    assert_eq!(events(&log), [Event::AudioIn { recorded: 2, samples: vec![5, -6], write_position: 9 }]);
    let mut replay = player(log);
    assert!(is_divergence(replay.audio_in(HERE, &mut [0; 1], |_| nobody())), "no room");
    let mut samples = [1; 3];
    assert_eq!(replay.audio_in(HERE, &mut samples, |_| nobody()).unwrap(), heard);
    assert_eq!(samples, [5, -6, 1]);
    // A host that claims more than there was room for is not believed.
    let (read, _) = record(|replay| {
        replay.audio_in(HERE, &mut [0; 2], |_| AudioRead { recorded: 99, write_position: 0 }).unwrap()
    });
    assert_eq!(read.recorded, 2);
}

#[test]
fn a_packet_from_the_guest_goes_to_the_host_but_in_play() {
    let send = |replay: &mut Replay| {
        let net = replay.register_net("lan").unwrap();
        let mut sent = 0;
        replay.net_send(net, || sent += 1);
        replay.unregister_net(net).unwrap();
        replay.net_send(net, || sent += 10);
        sent
    };
    assert_eq!(send(&mut none()), 1, "and nothing behind unregister_net");
    let (sent, log) = record(send);
    assert_eq!((sent, log.events.len()), (1, 0), "nothing comes back, so nothing is logged");
    assert_eq!(send(&mut player(log)), 0);
}

#[test]
fn a_packet_to_the_guest_is_delivered_queued_or_the_logs() {
    let net = |replay: &mut Replay| replay.register_net("lan").unwrap();
    let mut free = none();
    assert_eq!(free.net_packet(NetId(0), 1, b"p".to_vec()), None, "nobody is there");
    let device = net(&mut free);
    let event = AsyncEvent::Net { device: 0, flags: 1, bytes: b"p".to_vec() };
    assert_eq!(free.net_packet(device, 1, b"p".to_vec()), Some(event.clone().into()));
    free.unregister_net(device).unwrap();
    assert_eq!(free.net_packet(device, 1, b"p".to_vec()), None);
    assert!(matches!(free.unregister_net(device), Err(ReplayError::NoSuchNet { number: 0 })));
    let (_, log) = record(|replay| {
        let device = net(replay);
        assert_eq!(replay.net_packet(device, 1, b"p".to_vec()), None);
        assert_eq!(flushed(replay), [event.clone().into()]);
    });
    assert_eq!(events(&log), [Event::Async(event.clone())]);
    let mut replay = player(log);
    let device = net(&mut replay);
    assert_eq!(replay.net_packet(device, 1, b"host".to_vec()), None);
    assert_eq!(flushed(&mut replay), [event.into()], "the host's is dropped, the log's delivered");
}

/// What comes by itself: `arrive` must be delivered at once, queued and logged, or dropped for the log's.
fn check_arrival(arrive: impl Fn(&mut Replay) -> Option<Delivery>, other: AsyncEvent, event: AsyncEvent) {
    assert_eq!(arrive(&mut none()), Some(event.clone().into()));
    let (_, log) = record(|replay| {
        assert_eq!(arrive(replay), None);
        assert!(replay.has_queued_events() && !replay.can_snapshot());
        assert_eq!(flushed(replay), [event.clone().into()]);
        assert!(replay.can_snapshot() && flushed(replay).is_empty());
    });
    assert_eq!(events(&log), [Event::Async(event)]);
    assert_eq!(log.events[0].position, BOUNDARY);
    let mut replay = player_of(&[(BOUNDARY, Event::Async(other.clone()))]);
    assert_eq!(arrive(&mut replay), None);
    assert_eq!(flushed(&mut replay), [other.into()]);
    assert!(flushed(&mut replay).is_empty(), "what the host brought was dropped");
}

#[test]
fn input_is_delivered_queued_or_the_logs() {
    let down = |keycode| InputEvent::Key { keycode, down: true };
    check_arrival(|replay| replay.input(down(1)), AsyncEvent::Input(down(2)), AsyncEvent::Input(down(1)));
    check_arrival(|replay| replay.input_sync(), AsyncEvent::InputSync, AsyncEvent::InputSync);
}

#[test]
fn bytes_for_a_character_device_are_delivered_queued_or_the_logs() {
    let read = |bytes: &[u8]| AsyncEvent::CharRead { device: CharId(0), bytes: bytes.to_vec() };
    check_arrival(|replay| replay.char_read(CharId(0), b"host".to_vec()), read(b"log"), read(b"host"));
}

#[test]
fn a_deferred_call_runs_at_once_or_at_a_flush() {
    let schedules = [
        (Replay::schedule_bh as fn(&mut Replay, Position, Owner) -> Option<Delivery>, false),
        (Replay::schedule_bh_oneshot, true),
    ];
    for (schedule, oneshot) in schedules {
        let event = if oneshot { AsyncEvent::BhOneshot { id: 10 } } else { AsyncEvent::Bh { id: 10 } };
        let owned = |owner| Delivery { event: event.clone(), owner: Some(Owner(owner)) };
        assert_eq!(schedule(&mut none(), HERE, Owner(3)), Some(owned(3)), "its id is the icount");
        let (_, log) = record(|replay| {
            assert_eq!(schedule(replay, HERE, Owner(3)), None);
            assert_eq!(schedule(replay, HERE, Owner(4)), None);
            assert_eq!(flushed(replay), [owned(3), owned(4)], "first in, first out");
        });
        assert_eq!(events(&log), [Event::Async(event.clone()), Event::Async(event.clone())]);
        let mut replay = player(log);
        assert!(flushed(&mut replay).is_empty() && left(&mut replay), "never run before it is scheduled");
        assert_eq!(schedule(&mut replay, HERE, Owner(3)), None);
        assert_eq!(flushed(&mut replay), [owned(3)]);
        // One of another id or kind is not what the log names.
        assert_eq!(schedule(&mut replay, Position::new(9, 30), Owner(5)), None);
        let other = if oneshot { Replay::schedule_bh } else { Replay::schedule_bh_oneshot };
        assert_eq!(other(&mut replay, HERE, Owner(6)), None);
        assert!(flushed(&mut replay).is_empty());
        assert_eq!(schedule(&mut replay, HERE, Owner(4)), None);
        assert_eq!(flushed(&mut replay), [owned(4)]);
    }
}

#[test]
fn a_block_completion_comes_at_once_at_a_flush_or_as_logged() {
    let done = |data: &[u8]| BlockResult { result: data.len() as i32, data: data.to_vec() };
    let event = |id, data: &[u8]| AsyncEvent::Block { id, result: data.len() as i32, data: data.to_vec() };
    let owned = |id, data, owner| Delivery { event: event(id, data), owner: Some(Owner(owner)) };
    let mut free = none();
    assert_eq!(free.next_block_id(Owner(1)), 0);
    assert_eq!(free.next_block_id(Owner(2)), 1);
    assert_eq!(free.block(1, done(b"b")).unwrap(), Some(owned(1, b"b", 2)));
    assert!(
        matches!(free.block(1, done(b"b")), Err(ReplayError::NoSuchBlock { id: 1 })),
        "completed already"
    );
    assert!(matches!(free.block(7, done(b"")), Err(ReplayError::NoSuchBlock { id: 7 })), "never made");
    let (_, log) = record(|replay| {
        assert_eq!([replay.next_block_id(Owner(1)), replay.next_block_id(Owner(2))], [0, 1]);
        assert_eq!(replay.block(1, done(b"b")).unwrap(), None);
        assert!(matches!(replay.block(1, done(b"b")), Err(ReplayError::NoSuchBlock { id: 1 })));
        assert_eq!(replay.block(0, done(b"a")).unwrap(), None);
        assert_eq!(flushed(replay), [owned(1, b"b", 2), owned(0, b"a", 1)], "in the order of completion");
        assert_eq!(replay.outstanding_blocks().count(), 0);
    });
    assert_eq!(events(&log), [Event::Async(event(1, b"b")), Event::Async(event(0, b"a"))]);
    let mut replay = player(log);
    assert_eq!([replay.next_block_id(Owner(1)), replay.next_block_id(Owner(2))], [0, 1]);
    assert_eq!(replay.block(0, done(b"host")).unwrap(), None, "the host's order and data do not count");
    assert_eq!(flushed(&mut replay), [owned(1, b"b", 2), owned(0, b"a", 1)]);
    // A completion of a request that the machine has not made yet waits.
    let mut early = player_of(&[(BOUNDARY, Event::Async(event(0, b"a")))]);
    assert!(flushed(&mut early).is_empty() && left(&mut early));
    assert_eq!(early.next_block_id(Owner(8)), 0);
    assert_eq!(flushed(&mut early), [owned(0, b"a", 8)]);
}

#[test]
fn a_checkpoint_is_true_logged_or_the_logs() {
    for &checkpoint in Checkpoint::ALL {
        let mut free = none();
        assert!(free.checkpoint(checkpoint).unwrap() && !free.has_checkpoint(checkpoint).unwrap());
        let (passed, log) = record(|replay| replay.checkpoint(checkpoint).unwrap());
        assert!(passed);
        assert_eq!(events(&log), [Event::Checkpoint(checkpoint)]);
        let mut replay = player(log);
        for &other in Checkpoint::ALL.iter().filter(|&&other| other != checkpoint) {
            assert!(!replay.has_checkpoint(other).unwrap() && !replay.checkpoint(other).unwrap());
        }
        assert!(replay.has_checkpoint(checkpoint).unwrap() && replay.checkpoint(checkpoint).unwrap());
        assert!(!replay.checkpoint(checkpoint).unwrap());
    }
}

#[test]
fn a_shutdown_acts_is_logged_first_or_is_the_logs() {
    for &cause in ShutdownCause::ALL.iter().filter(|&&cause| cause != ShutdownCause::None) {
        assert!(none().shutdown_request(BOUNDARY, cause).unwrap());
        let (acts, log) = record(|replay| replay.shutdown_request(BOUNDARY, cause).unwrap());
        assert!(acts);
        assert_eq!(events(&log), [Event::Shutdown(cause)]);
        let mut replay = player(log);
        if cause.is_of_guest() {
            assert_eq!(replay.logged_shutdown().unwrap(), None, "the guest comes to it by itself");
            assert!(!replay.shutdown_request(HERE, cause).unwrap(), "not here");
            assert!(replay.shutdown_request(BOUNDARY, cause).unwrap());
        } else {
            assert!(!replay.shutdown_request(BOUNDARY, cause).unwrap(), "requests of the host are ignored");
            assert_eq!(replay.logged_shutdown().unwrap(), Some(cause), "the logged one acts");
        }
        assert!(!left(&mut replay));
    }
}

#[test]
fn a_digest_is_nothing_logged_or_compared() {
    let hash = |text: &str| vec![Digest::of(text.as_bytes())];
    let mut free = none();
    assert!(!free.digest_due().unwrap());
    free.digest(hash("a")).unwrap();
    let ((), log) = record(|replay| {
        assert!(replay.digest_due().unwrap(), "at the start");
        replay.digest(hash("a")).unwrap();
        assert!(!replay.digest_due().unwrap());
    });
    assert!(matches!(&events(&log)[..], [Event::Digest(hashes)] if hashes.len() == 3), "and two of its own");
    let subsystems = Replay::recorded_subsystems(vec!["toy".to_owned()]);
    let play = || {
        let config = PlayConfig { start: BOUNDARY, subsystems: subsystems.clone(), chars: None };
        Replay::play(Box::new(MemorySource::new(log.clone())), config)
    };
    let mut replay = play();
    assert!(replay.digest_due().unwrap());
    replay.digest(hash("a")).unwrap();
    assert!(!left(&mut replay));
    let Err(ReplayError::Divergence(divergence)) = play().digest(hash("b")) else {
        panic!("another hash must diverge")
    };
    let matching = ["queue", "events"].map(str::to_owned).to_vec();
    assert_eq!(divergence.found, Found::State { subsystems: vec!["toy".to_owned()], matching });
    assert_eq!((divergence.position, divergence.last_matching_digest), (BOUNDARY, None));
}

#[test]
fn a_snapshot_is_nothing_kept_or_passed() {
    let mut free = none();
    assert!(free.can_snapshot() && !free.snapshot_due().unwrap());
    assert!(matches!(free.request_snapshot(), Err(ReplayError::NotRecording { .. })));
    free.snapshot(|_| nobody()).unwrap();
    let (saved, log) = record(|replay| {
        assert!(!replay.snapshot_due().unwrap());
        replay.clock(HERE, ClockKind::Host, || 5).unwrap();
        replay.request_snapshot().unwrap();
        // A request that comes too early is kept until the queue is empty.
        assert_eq!(replay.input_sync(), None);
        assert!(!replay.can_snapshot() && !replay.snapshot_due().unwrap());
        replay.account_executed(Position::new(11, 33)).unwrap();
        flushed(replay);
        assert!(replay.can_snapshot() && replay.snapshot_due().unwrap());
        let mut saved = Vec::new();
        replay
            .snapshot(|state| {
                saved = state;
                b"container".to_vec()
            })
            .unwrap();
        assert!(!replay.snapshot_due().unwrap());
        assert!(replay.checkpoint(Checkpoint::ClockVirtual).unwrap());
        saved
    });
    assert_eq!(log.snapshots, [b"container".to_vec()]);
    assert_eq!(log.events.iter().filter(|event| matches!(event.event, Event::Snapshot { .. })).count(), 1);
    // From there: each event behind it once, none before it again, the last clock is known.
    let mut replay = player(log);
    replay.resume(&saved).unwrap();
    assert_eq!(replay.position(), Position::new(11, 33));
    assert_eq!(replay.clock(HERE, ClockKind::Host, nobody).unwrap(), 5);
    assert!(flushed(&mut replay).is_empty());
    assert!(replay.snapshot_due().unwrap());
    replay.snapshot(|_| nobody()).unwrap();
    assert!(replay.checkpoint(Checkpoint::ClockVirtual).unwrap());
    assert!(!left(&mut replay));
    assert!(matches!(replay.resume(b"short"), Err(ReplayError::BadState { .. })));
}

#[test]
fn the_initial_state_is_nothing_kept_or_loaded() {
    assert_eq!(none().vmstate_init(nobody).unwrap(), None);
    let (given, log) = record(|replay| replay.vmstate_init(|| b"state".to_vec()).unwrap());
    assert_eq!(given, None);
    let mut replay = player(log);
    assert_eq!(replay.vmstate_init(nobody).unwrap(), Some(b"state".to_vec()));
    assert!(is_divergence(replay.vmstate_init(nobody)), "missing");
    let mut wrong = player_of(&[(BOUNDARY, Event::Snapshot { number: 3 })]);
    assert!(matches!(wrong.vmstate_init(nobody), Err(ReplayError::Log(_))), "no such frame");
}

#[test]
fn executed_instructions_advance_and_may_not_pass_an_event() {
    let mut free = none();
    free.account_executed(Position::new(15, 50)).unwrap();
    assert_eq!((free.current_icount(), free.mode()), (15, ReplayMode::None));
    assert_eq!(free.instructions_until_next_event().unwrap(), u64::MAX);
    let ((), log) = record(|replay| {
        assert_eq!(replay.instructions_until_next_event().unwrap(), u64::MAX);
        replay.account_executed(Position::new(15, 50)).unwrap();
        assert!(replay.checkpoint(Checkpoint::ClockVirtual).unwrap());
    });
    let mut replay = player(log);
    assert_eq!(replay.instructions_until_next_event().unwrap(), 5);
    replay.account_executed(Position::new(12, 40)).unwrap();
    assert_eq!(replay.instructions_until_next_event().unwrap(), 3);
    let Err(ReplayError::Divergence(divergence)) = replay.account_executed(Position::new(16, 53)) else {
        panic!("more than the delta must diverge")
    };
    assert_eq!((divergence.found.clone(), divergence.position), (Found::Passed, Position::new(16, 53)));
    assert_eq!(divergence.expected.unwrap().position, Position::new(15, 50));
}

#[test]
fn a_break_clamps_the_budget_once_and_can_be_deleted() {
    for mut replay in [none(), record_at_boundary(), player(MemoryLog::default())] {
        replay.break_at(Some(13));
        assert_eq!(replay.break_icount(), Some(13));
        assert_eq!(replay.instructions_until_next_event().unwrap(), 3);
        assert!(!replay.take_break());
        replay.account_executed(Position::new(13, 40)).unwrap();
        assert!(replay.take_break() && !replay.take_break());
        replay.break_at(Some(20));
        replay.break_at(None);
        assert_eq!(replay.instructions_until_next_event().unwrap(), u64::MAX);
    }
}

fn record_at_boundary() -> Replay {
    let mut replay = Replay::record(Box::new(MemorySink::default()), config());
    replay.start().unwrap();
    replay
}

#[test]
fn a_blocker_stops_the_start_and_all_are_named() {
    let mut free = none();
    free.add_blocker("a disk without an image");
    free.start().unwrap();
    for mut replay in
        [Replay::record(Box::new(MemorySink::default()), config()), player(MemoryLog::default())]
    {
        replay.add_blocker("a disk without an image");
        replay.add_blocker("a shared folder");
        let message = replay.start().unwrap_err().to_string();
        assert!(message.contains("a disk without an image") && message.contains("a shared folder"));
    }
}

#[test]
fn events_are_enabled_from_start_on_and_disabling_flushes_first() {
    let mut free = none();
    free.start().unwrap();
    free.enable_events();
    assert!(!free.events_enabled());
    let ((), log) = record(|replay| {
        assert!(replay.events_enabled());
        assert_eq!(replay.input_sync(), None);
        let mut delivered = 0;
        replay.disable_events(|_| delivered += 1).unwrap();
        assert!(!replay.events_enabled() && delivered == 1);
        assert!(replay.input_sync().is_some(), "runs at once, unlogged");
        replay.enable_events();
        assert_eq!(replay.input_sync(), None);
    });
    assert_eq!(log.events.len(), 1);
    let mut before = Replay::record(Box::new(MemorySink::default()), config());
    assert!(!before.events_enabled() && before.input_sync().is_some());
}

#[test]
fn finishing_ends_the_log_once_and_gives_the_queue_back() {
    let sink = MemorySink::default();
    let log = sink.log();
    let mut replay = Replay::record(Box::new(sink), config());
    replay.start().unwrap();
    assert_eq!(replay.input_sync(), None);
    let queued = replay.finish(|| vec![Digest::of(b"end")]).unwrap();
    assert_eq!(queued, [AsyncEvent::InputSync.into()], "to be run unlogged");
    assert!(matches!(
        &events(&log())[..],
        [Event::Shutdown(ShutdownCause::None), Event::Digest(_), Event::End]
    ));
    assert!(replay.finish(nobody).unwrap().is_empty());
    assert_eq!((replay.mode(), log().events.len()), (ReplayMode::None, 3));
    let mut replay = player(log());
    assert!(!replay.at_end().unwrap());
    assert!(replay.finish(nobody).unwrap().is_empty());
    assert_eq!(replay.mode(), ReplayMode::None);
    // A shutdown that was logged is the only one.
    let ((), log) = record(|replay| {
        replay.shutdown_request(BOUNDARY, ShutdownCause::HostQuit).unwrap();
        replay.finish(Vec::new).unwrap();
    });
    let shutdowns = events(&log).into_iter().filter(|event| matches!(event, Event::Shutdown(_)));
    assert_eq!(shutdowns.count(), 1);
}

#[test]
fn character_devices_are_numbered_and_checked_by_name() {
    assert_eq!(none().register_char("console").unwrap(), CharId(0));
    let config =
        PlayConfig { chars: Some(vec!["console".into(), "printer".into()]), ..PlayConfig::default() };
    let mut replay = Replay::play(Box::new(MemorySource::new(MemoryLog::default())), config);
    assert_eq!(replay.register_char("console").unwrap(), CharId(0));
    let message = replay.register_char("modem").unwrap_err().to_string();
    assert!(message.contains("\"modem\"") && message.contains("\"printer\""), "{message}");
    assert_eq!(replay.register_char("printer").unwrap(), CharId(1));
    assert!(replay.register_char("a third").is_err());
}

#[test]
fn a_delivery_that_panics_leaves_the_log_to_be_finished() {
    let sink = MemorySink::default();
    let log = sink.log();
    let mut replay = Replay::record(Box::new(sink), config());
    replay.start().unwrap();
    assert_eq!((replay.input_sync(), replay.input_sync()), (None, None));
    let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        replay.flush(|_| panic!("in the middle of a delivery"))
    }));
    assert!(broken.is_err());
    assert_eq!(flushed(&mut replay).len(), 1, "the other one");
    replay.finish(Vec::new).unwrap();
    assert_eq!(log().events.last().map(|event| &event.event), Some(&Event::End));
}

/// An event that is left out, moved or doubled changes the running hash, even where the machine takes no notice.
#[test]
fn the_events_hash_sees_what_the_machine_does_not() {
    let digest = |replay: &mut Replay| {
        replay.digest(Vec::new()).unwrap();
    };
    let ((), log) = record(|replay| {
        replay.checkpoint(Checkpoint::ClockWarpStart).unwrap();
        digest(replay);
    });
    let mut whole = player(log.clone());
    assert!(whole.checkpoint(Checkpoint::ClockWarpStart).unwrap());
    whole.digest(Vec::new()).unwrap();
    let mut without = log;
    without.events.remove(0);
    let Err(ReplayError::Divergence(divergence)) = player(without).digest(Vec::new()) else {
        panic!("an event that is left out must diverge")
    };
    let matching = vec!["queue".to_owned()];
    assert_eq!(divergence.found, Found::State { subsystems: vec!["events".to_owned()], matching });
}

/// Numbers of devices are 16 bits in the log.
#[test]
fn no_device_is_registered_that_has_no_number() {
    let mut replay = Replay::none();
    for number in 0..=u16::MAX {
        assert_eq!(replay.register_char("line").unwrap(), CharId(number));
    }
    let error = replay.register_char("one too many").unwrap_err();
    assert!(matches!(&error, ReplayError::TooManyDevices { name } if name == "one too many"), "{error}");
    assert_eq!(replay.chars().len(), 1 << 16);
}
