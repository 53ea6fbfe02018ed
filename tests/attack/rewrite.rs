//! Recordings written anew with something changed and every checksum right: nothing but the replay can tell. A
//! verification never calls one of them good.

use super::attack_support::*;
use super::session_support::{instructions, run};
use rreplay::bus::{Exception, Interrupt};
use rreplay::engine::Scheduler;
use rreplay::log::codec::ChunkEncoder;
use rreplay::log::{
    AsyncEvent, Checkpoint, Event, EventKind, Header, Lineage, LogError, LogReader, LogWriter, Options,
    RecordingId, RomRecord, RomTarget,
};
use rreplay::nondet::{CharId, CharWritten, ClockKind, ShutdownCause};
use rreplay::recording::Recording;
use rreplay::session::RunRequest;
use rreplay::snapshot::Snapshot;
use rreplay::units::Position;
use std::collections::BTreeMap;

/// A recording taken apart.
#[derive(Clone)]
struct Parts {
    header: Header,
    events: Vec<(Position, Event)>,
    snapshots: Vec<Vec<u8>>,
}

impl Parts {
    fn of(bytes: &[u8]) -> Self {
        let reader = LogReader::from_bytes(bytes.to_vec()).unwrap();
        let snapshots = reader.snapshots().count() as u64;
        Self {
            header: reader.header().clone(),
            events: reader.events().map(Result::unwrap).map(|event| (event.position, event.event)).collect(),
            snapshots: (0..snapshots).map(|number| reader.read_snapshot(number).unwrap()).collect(),
        }
    }

    /// The file. A snapshot's frame goes where its event goes.
    fn write(&self) -> Result<Vec<u8>, LogError> {
        let mut writer = LogWriter::in_memory(&self.header, Options { chunk_bytes: 200, level: 1 })?;
        for (position, event) in &self.events {
            match event {
                Event::Snapshot { number } => {
                    writer.append_snapshot(*position, &self.snapshots[*number as usize])?;
                }
                _ => {
                    writer.append(*position, event)?;
                }
            }
        }
        writer.finish()?;
        Ok(writer.take_bytes().unwrap())
    }
}

/// Whether a file is called good.
fn is_called_good(bytes: Vec<u8>, scheduler: Scheduler) -> bool {
    let Ok(recording) = Recording::from_bytes(bytes, false) else { return false };
    recording.verify(scheduler, &[], &mut |_| true).is_ok_and(|verification| verification.ok)
}

/// Tries changed recordings and remembers which of them nobody noticed.
struct Campaign {
    original: Vec<u8>,
    tried: u64,
    missed: BTreeMap<String, Vec<String>>,
}

impl Campaign {
    fn new(original: &Parts) -> Self {
        let original = original.write().unwrap();
        for scheduler in [Scheduler::Inline, Scheduler::Threads] {
            assert!(is_called_good(original.clone(), scheduler), "the original, written anew, must be good");
        }
        Self { original, tried: 0, missed: BTreeMap::new() }
    }

    /// A change that breaks the log's own order is not written at all, which is as good as caught.
    fn attempt(&mut self, change: &str, detail: &str, changed: &Parts) {
        let Ok(bytes) = changed.write() else { return };
        assert!(bytes != self.original, "{change}, {detail}: nothing was changed");
        self.tried += 1;
        let scheduler = if self.tried.is_multiple_of(16) { Scheduler::Threads } else { Scheduler::Inline };
        if is_called_good(bytes, scheduler) {
            self.missed.entry(change.to_owned()).or_default().push(detail.to_owned());
        }
    }

    fn conclude(self, least: u64) {
        assert!(self.tried >= least, "only {} changes were tried", self.tried);
        println!("{} changes were tried", self.tried);
        let total: usize = self.missed.values().map(Vec::len).sum();
        assert!(
            self.missed.is_empty(),
            "{total} of {} changed recordings were called good: {:#?}",
            self.tried,
            self.missed
        );
    }
}

/// With sleeping and without, so that every kind of event that a worker makes is there.
fn original() -> Parts {
    let session = worker();
    run(&session, instructions(5)).unwrap();
    Parts::of(&record_session(&session, Options::default(), |session| {
        let mut random = Random(11);
        (0..7).for_each(|_| step(session, &mut random, Scheduler::Inline, false));
        run(session, RunRequest { sleep: true, ..instructions(100) }).unwrap();
        session.reset().unwrap();
        (0..7).for_each(|_| step(session, &mut random, Scheduler::Inline, false));
    }))
}

fn moved(position: Position, icount: i64, cycles: i64) -> Option<Position> {
    Some(Position::new(
        position.icount.checked_add_signed(icount)?,
        position.cycles.checked_add_signed(cycles)?,
    ))
}

#[test]
fn the_original_has_what_is_to_be_changed() {
    let original = original();
    for kind in [
        EventKind::Interrupt,
        EventKind::CharRead,
        EventKind::CharWrite,
        EventKind::Clock,
        EventKind::Checkpoint,
        EventKind::Digest,
        EventKind::Snapshot,
        EventKind::Shutdown,
        EventKind::End,
    ] {
        assert!(original.events.iter().any(|(_, event)| event.kind() == kind), "{kind} is missing");
    }
}

#[test]
fn an_event_left_out_or_doubled_or_exchanged() {
    let original = original();
    let mut campaign = Campaign::new(&original);
    for place in 0..original.events.len() {
        let (position, event) = &original.events[place];
        let detail = format!("event {place} at {position}: {event}");
        let mut changed = original.clone();
        changed.events.remove(place);
        campaign.attempt("left out", &detail, &changed);
        let mut changed = original.clone();
        changed.events.insert(place, (*position, event.clone()));
        campaign.attempt("doubled", &detail, &changed);
        // With the next one, which then takes its place.
        if let Some((next_position, next)) = original.events.get(place + 1)
            && next != event
        {
            let mut changed = original.clone();
            changed.events[place] = (*position, next.clone());
            changed.events[place + 1] = (*next_position, event.clone());
            campaign.attempt("exchanged", &detail, &changed);
        }
    }
    campaign.conclude(2 * original.events.len() as u64);
}

#[test]
fn an_event_moved_by_one_instruction_or_one_cycle() {
    let original = original();
    let mut campaign = Campaign::new(&original);
    for place in 0..original.events.len() {
        let (position, event) = &original.events[place];
        for (icount, cycles) in [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 3), (-1, -3)] {
            let Some(moved_to) = moved(*position, icount, cycles) else { continue };
            let detail = format!("event {place} at {position} by {icount} and {cycles}: {event}");
            let mut changed = original.clone();
            changed.events[place].0 = moved_to;
            campaign.attempt("moved", &detail, &changed);
        }
        for (icount, cycles) in [(0, 1), (1, 0), (1, 3)] {
            let mut changed = original.clone();
            for (position, _) in &mut changed.events[place..] {
                *position = moved(*position, icount, cycles).unwrap();
            }
            campaign.attempt("moved with all behind it", &format!("event {place}: {event}"), &changed);
        }
    }
    campaign.conclude(4 * original.events.len() as u64);
}

/// Other events of the same kind.
fn variations(event: &Event) -> Vec<Event> {
    let flipped = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[0] ^= 1;
        bytes
    };
    match event {
        Event::Interrupt(is) => {
            Interrupt::ALL.iter().filter(|other| *other != is).map(|other| Event::Interrupt(*other)).collect()
        }
        Event::Checkpoint(is) => Checkpoint::ALL
            .iter()
            .filter(|other| *other != is)
            .map(|other| Event::Checkpoint(*other))
            .collect(),
        Event::Shutdown(is) => ShutdownCause::ALL
            .iter()
            .filter(|other| *other != is)
            .map(|other| Event::Shutdown(*other))
            .collect(),
        Event::Async(AsyncEvent::CharRead { device, bytes }) => {
            let with = |device, bytes| Event::Async(AsyncEvent::CharRead { device, bytes });
            let longer = [bytes.as_slice(), b"!"].concat();
            vec![
                with(*device, flipped(bytes)),
                with(*device, longer),
                with(*device, Vec::new()),
                with(CharId(7), bytes.clone()),
            ]
        }
        Event::CharWrite { device, bytes, written } => {
            let with = |device, bytes, written| Event::CharWrite { device, bytes, written };
            let CharWritten { result, offset } = *written;
            vec![
                with(*device, flipped(bytes), *written),
                with(CharId(3), bytes.clone(), *written),
                with(*device, bytes.clone(), CharWritten { result: result - 1, offset }),
                with(*device, bytes.clone(), CharWritten { result, offset: offset + 1 }),
            ]
        }
        Event::Clock { kind, value } => {
            let other = if *kind == ClockKind::Host { ClockKind::VirtualRt } else { ClockKind::Host };
            vec![
                Event::Clock { kind: *kind, value: value + 1 },
                Event::Clock { kind: *kind, value: value - 1 },
                Event::Clock { kind: other, value: *value },
            ]
        }
        Event::Digest(digests) => (0..digests.len())
            .map(|place| {
                let mut digests = digests.clone();
                digests[place].0[15] ^= 0x80;
                Event::Digest(digests)
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[test]
fn an_event_that_carries_something_else() {
    let original = original();
    let mut campaign = Campaign::new(&original);
    for place in 0..original.events.len() {
        for other in variations(&original.events[place].1) {
            let detail = format!("event {place} at {}: {other}", original.events[place].0);
            let mut changed = original.clone();
            changed.events[place].1 = other;
            campaign.attempt("changed", &detail, &changed);
        }
    }
    campaign.conclude(original.events.len() as u64);
}

#[test]
fn an_event_that_was_never_there() {
    let original = original();
    let mut campaign = Campaign::new(&original);
    let char_read =
        |device, byte| Event::Async(AsyncEvent::CharRead { device: CharId(device), bytes: vec![byte] });
    let new_events = [
        char_read(0, b'x'),
        char_read(9, b'x'),
        Event::Async(AsyncEvent::InputSync),
        Event::Async(AsyncEvent::Net { device: 0, flags: 0, bytes: vec![1, 2, 3] }),
        Event::Async(AsyncEvent::Block { id: 0, result: 0, data: Vec::new() }),
        Event::Async(AsyncEvent::Bh { id: 1 }),
        Event::Checkpoint(Checkpoint::ClockWarpStart),
        Event::Checkpoint(Checkpoint::SuspendRequested),
        Event::Checkpoint(Checkpoint::ResetRequested),
        Event::Interrupt(Interrupt::Irq),
        Event::Exception(Exception::Brk),
        Event::Shutdown(ShutdownCause::HostQuit),
        Event::Shutdown(ShutdownCause::None),
        Event::Clock { kind: ClockKind::Host, value: 0 },
        Event::Random { result: 0, bytes: vec![1] },
        Event::AudioOut { frames: 1 },
    ];
    for place in 0..=original.events.len() {
        // Where the event before it is, and where the next one is.
        let before = place.checked_sub(1).map(|before| original.events[before].0);
        let next = original.events.get(place).map(|next| next.0);
        for position in [before, next].into_iter().flatten() {
            let event = &new_events[(place * 5 + usize::from(Some(position) == next)) % new_events.len()];
            let mut changed = original.clone();
            changed.events.insert(place, (position, event.clone()));
            campaign.attempt("put in", &format!("before event {place} at {position}: {event}"), &changed);
        }
    }
    campaign.conclude(original.events.len() as u64);
}

#[test]
fn a_snapshot_that_holds_something_else() {
    let original = original();
    let mut campaign = Campaign::new(&original);
    assert!(original.snapshots.len() > 1);
    for number in 0..original.snapshots.len() {
        let container = &original.snapshots[number];
        for place in (0..container.len()).step_by(container.len() / 7 + 1) {
            let mut changed = original.clone();
            changed.snapshots[number][place] ^= 1;
            campaign.attempt("a flipped byte", &format!("snapshot {number}, byte {place}"), &changed);
        }
        let mut changed = original.clone();
        changed.snapshots[number] = original.snapshots[(number + 1) % original.snapshots.len()].clone();
        campaign.attempt("another snapshot's state", &format!("snapshot {number}"), &changed);
    }
    campaign.conclude(2 * original.snapshots.len() as u64);
}

type HeaderChange = (&'static str, fn(&mut Header));

#[test]
fn a_header_that_says_something_else() {
    let original = original();
    let mut campaign = Campaign::new(&original);
    let changes: &[HeaderChange] = &[
        ("engine", |header| header.engine_version.push('9')),
        ("board's description", |header| {
            header.board_toml = header.board_toml.replace("\"bench\"", "\"bank\"");
        }),
        ("board's clock", |header| {
            header.board_toml =
                header.board_toml.replace("1000000", "1000001").replace("1_000_000", "1_000_001");
        }),
        ("board's interrupts", |header| header.board_toml = header.board_toml.replace("\"nmi\"", "\"irq\"")),
        ("clock_hz", |header| header.clock_hz += 1),
        ("ROM's name", |header| header.roms[0].name.push('!')),
        ("ROM left out", |header| {
            header.roms.pop();
        }),
        ("ROM's bytes", |header| {
            let mut image = header.roms[0].bytes.clone().unwrap();
            // Never read by the program.
            image[0x100] ^= 1;
            header.roms[0] = RomRecord::new("rom", header.roms[0].target.clone(), &image, true);
        }),
        ("ROM's target", |header| header.roms[0].target = RomTarget::Address(0x400)),
        ("devices", |header| header.devices[0].0.push('x')),
        ("devices' order", |header| header.devices.reverse()),
        ("chars", |header| header.chars.push("tty".into())),
        ("subsystems", |header| header.subsystems[0].push('x')),
        ("subsystems' order", |header| header.subsystems.swap(0, 1)),
        ("digest_every", |header| header.digest_every += 1),
        ("snapshot_every", |header| header.snapshot_every = None),
        ("scheduler", |header| header.scheduler.push('x')),
        ("lineage", |header| {
            header.lineage = Some(Lineage { parent: RecordingId([1; 16]), position: header.start });
        }),
        ("start", |header| header.start = Position::default()),
    ];
    for (what, change) in changes {
        let mut changed = original.clone();
        change(&mut changed.header);
        campaign.attempt("header", what, &changed);
    }
    for place in (0..original.header.initial_state.len()).step_by(7) {
        let mut changed = original.clone();
        changed.header.initial_state[place] ^= 1;
        campaign.attempt("initial state", &format!("byte {place}"), &changed);
    }
    campaign.conclude(changes.len() as u64 + 20);
}

/// The state that a run starts from, with one byte of RAM other than it was and the container's own checksum right.
#[test]
fn an_initial_state_that_was_another() {
    let original = original();
    let mut campaign = Campaign::new(&original);
    let state = Snapshot::from_bytes(&original.header.initial_state).unwrap();
    for section in 0..state.sections().len() {
        let length = state.sections()[section].1.len();
        for place in (0..length).step_by(length / 6 + 1) {
            let mut sections = state.sections().clone();
            sections[section].1[place] ^= 1;
            let other = Snapshot::new(state.identity(), state.position(), sections);
            let mut changed = original.clone();
            changed.header.initial_state = other.to_bytes();
            campaign.attempt(
                "initial state",
                &format!("{}, byte {place}", state.sections()[section].0),
                &changed,
            );
        }
    }
    campaign.conclude(12);
}

/// The hash that sees all this, computed from docs/log-format.md.
#[test]
fn the_events_hash_is_as_documented() {
    let bytes = record_worker(3, 120, Options::default());
    let reader = LogReader::from_bytes(bytes.clone()).unwrap();
    let parts = Parts::of(&bytes);
    let short = |bytes: &[u8]| blake3::hash(bytes).as_bytes()[..16].to_vec();
    let (mut hash, mut pending) = (reader.id().0.to_vec(), Vec::new());
    let (mut checked, mut pieces) = (0, 0);
    for (position, event) in &parts.events {
        if let Event::Digest(digests) = event {
            let of_events = digests.last().unwrap();
            assert_eq!(of_events.0.to_vec(), short(&[hash.as_slice(), &pending].concat()), "{position}");
            checked += 1;
        }
        if let Event::Snapshot { number } = event {
            pending.extend(short(&parts.snapshots[*number as usize]));
        }
        pending.extend_from_slice(&position.icount.to_le_bytes());
        pending.extend_from_slice(&position.cycles.to_le_bytes());
        let mut alone = ChunkEncoder::new();
        alone.push(*position, event);
        pending.extend_from_slice(alone.raw());
        if pending.len() >= 4096 {
            hash = short(&[hash.as_slice(), &pending].concat());
            pending.clear();
            pieces += 1;
        }
    }
    assert!(checked > 20 && pieces > 2 && parts.snapshots.len() > 2, "{checked} digests, {pieces} pieces");
    assert_eq!(parts.header.subsystems.last().unwrap(), "events");
}
