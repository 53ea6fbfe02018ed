//! Recordings with a lie in them: checksums, index and seal are right, and so, where the forger takes the trouble, is all
//! that comes after and follows from the lie. Either a verification refuses such a file, whatever the number of its
//! jobs, or every answer of a timeline over it is that of a naive replay.

use super::forged_log::{ForgedLog, Form, State};
use super::oracle::record_scenario;
use super::scenario::{Scenario, many};
use super::sink::SmallDisk;
use super::travel::{Move, check_moves};
use super::travel_notes::{Notes, text};
use super::wrong_log::other_payload;
use crate::engine::{Limits, Next, PartsCompared, Scheduler, StopReason};
use crate::error::Error;
use crate::guest::Guest;
use crate::log::{Event, LogError, StampedEvent};
use crate::memory::{AddressSet, Page, Touched};
use crate::persist::Digest;
use crate::recording::Recording;
use crate::replay::{EventSource, Found, Replay, ReplayError};
use crate::session::Session;
use crate::snapshot::Snapshot;
use crate::sync::{Mutex, Shared, lock};
use crate::timeline::{MARKS_BUDGET, Timeline};
use crate::units::EventOrdinal;
use arbitrary::Arbitrary;
use proptest::collection::vec;
use proptest::prelude::any;
use proptest_derive::Arbitrary as Strategy;

/// Stops of a replay that goes nowhere any more.
const STALLS_MAX: u32 = 8;
/// Lies of one file, and moves over it.
const LIES_MAX: usize = 3;
const MOVES_MAX: usize = 10;

/// A recording, and the files that are forged from it: each with some lies.
#[derive(Clone, PartialEq, Eq, Debug, Arbitrary, Strategy)]
pub struct ForgeryCase {
    /// What is recorded, with as many snapshots as there can be.
    pub scenario: Scenario,
    /// The lies of each file.
    #[arbitrary(with = |u: &mut arbitrary::Unstructured<'_>| many(u, 4))]
    #[proptest(strategy = "vec(vec(any::<Lie>(), 1..3), 4..9)")]
    pub files: Vec<Vec<Lie>>,
    /// What is asked of a file that is called good.
    #[arbitrary(with = |u: &mut arbitrary::Unstructured<'_>| many(u, MOVES_MAX))]
    #[proptest(strategy = "vec(any::<Move>(), 4..10)")]
    pub moves: Vec<Move>,
}

/// Something that is not so. Numbers are taken modulo what there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, Strategy)]
#[allow(missing_docs)]
pub enum Lie {
    /// A snapshot holds another state; `carried`: all that follows is computed from it.
    #[proptest(weight = 6)]
    State { snapshot: u8, lie: StateLie, carried: bool },
    /// A snapshot says something else of the way to it.
    #[proptest(weight = 6)]
    Set { snapshot: u8, set: u8, lie: SetLie },
    /// A snapshot is put down in another form, which is no lie.
    Form { snapshot: u8, form: u8 },
    /// A digest has another hash.
    Digest { number: u16, hash: u8, bits: u8 },
    /// An event is missing, comes twice, stands elsewhere or carries something else.
    Event { number: u16, what: u8, distance: u8 },
    /// The header says something else.
    Header { lie: HeaderLie },
    /// An index entry has another field.
    Index { entry: u8, field: u8, more: u8 },
}

/// What is not so of a state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, Strategy)]
#[allow(missing_docs)]
pub enum StateLie {
    #[proptest(weight = 4)]
    Memory {
        page: u8,
        offset: u8,
        bits: u8,
    },
    #[proptest(weight = 2)]
    Part {
        part: u8,
        at: u16,
        bits: u8,
    },
    Replay {
        at: u16,
        bits: u8,
    },
    Position {
        cycles: u8,
    },
    Identity,
    Dropped {
        part: u8,
    },
    Renamed {
        part: u8,
    },
}

/// What is not so of a set of addresses: those executed, written, read of devices, or the pages written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, Strategy)]
#[allow(missing_docs)]
pub enum SetLie {
    Emptied,
    Without { number: u16 },
    With { address: u16 },
}

/// What is not so of the header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, Strategy)]
#[allow(missing_docs)]
pub enum HeaderLie {
    Clock { more: u8 },
    DeviceKind { number: u8 },
    DeviceMissing { number: u8 },
    CharName { number: u8 },
    CharMore,
    SubsystemName { number: u8 },
    DigestEvery { more: u8 },
    Start { cycles: u8 },
    Memory { at: u16, bits: u8 },
    Rom { at: u16, bits: u8 },
    Engine,
    Scheduler,
}

/// What became of the files of some cases.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ForgeryReport {
    /// Files in which something was changed.
    pub files: u64,
    /// Those that could not be opened.
    pub unreadable: u64,
    /// Those that opened and were not called good.
    pub refused: u64,
    /// Those that were called good, and whose timelines told the truth.
    pub harmless: u64,
}

/// A recording with lies in it.
///
/// # Errors
/// A recording that cannot be taken apart, or lies that cannot be written.
pub fn forge(recording: &Recording, lies: &[Lie]) -> Result<Vec<u8>, String> {
    let mut forged = ForgedLog::of(recording.reader())?;
    for lie in lies {
        forged.tell(*lie)?;
    }
    forged.write()
}

/// Checks every file of a case, and adds to the report.
///
/// # Errors
/// What does not hold, with the case.
pub fn check_forgeries(case: &ForgeryCase, report: &mut ForgeryReport) -> Result<(), String> {
    check(case, report).map_err(|what| format!("{what}\n{case:#?}"))
}

fn check(case: &ForgeryCase, report: &mut ForgeryReport) -> Result<(), String> {
    let disk = SmallDisk::default();
    let scenario = Scenario { snapshot_every: Some(960), ..case.scenario.clone() };
    record_scenario(&scenario, &disk)?;
    let honest = Recording::from_bytes(disk.contents(), true).map_err(text)?;
    if !honest.complete() {
        return Ok(());
    }
    let log = ForgedLog::of(honest.reader())?;
    check_anew(&honest, &log)?;
    for lies in &case.files {
        let lies = &lies[..lies.len().min(LIES_MAX)];
        let mut forged = log.clone();
        for lie in lies {
            forged.tell(*lie)?;
        }
        check_file(&forged, &log, &case.moves, report).map_err(|what| format!("{what}\n{lies:?}"))?;
    }
    Ok(())
}

/// What is written anew without a lie has the recorder's very snapshots and events.
fn check_anew(honest: &Recording, log: &ForgedLog) -> Result<(), String> {
    let anew = Recording::from_bytes(log.write()?, false).map_err(text)?;
    let (reader, other) = (honest.reader(), anew.reader());
    for number in 0..log.states.len() as u64 {
        if reader.read_snapshot(number) != other.read_snapshot(number) {
            return Err(format!("the forger writes snapshot {number} otherwise than the recorder"));
        }
    }
    let events = other.events().collect::<Result<Vec<_>, _>>().map_err(text)?;
    if events != log.events {
        return Err("the forger writes other events than the recorder".to_owned());
    }
    Ok(())
}

/// What a verification says, without how long it took.
fn verdict(recording: &Recording, jobs: usize) -> Result<(bool, u64, u64, u64), Error> {
    let found = recording.verify_with_jobs(jobs, Scheduler::Inline, &[], &mut |_| true)?;
    Ok((found.ok, found.icount, found.segments, found.events))
}

fn check_file(
    forged: &ForgedLog,
    honest: &ForgedLog,
    moves: &[Move],
    report: &mut ForgeryReport,
) -> Result<(), String> {
    let bytes = forged.write()?;
    if bytes == honest.write()? {
        return Ok(());
    }
    report.files += 1;
    let Ok(recording) = Recording::from_bytes(bytes, false) else {
        report.unreadable += 1;
        return Ok(());
    };
    let said = |jobs| verdict(&recording, jobs).map_err(text);
    let one = said(1);
    for jobs in [2, 4] {
        let other = said(jobs);
        if other != one {
            return Err(format!("one job says {one:?}\nand {jobs} say {other:?}"));
        }
    }
    let recording = Shared::new(recording);
    if !matches!(one, Ok((true, ..))) {
        report.refused += 1;
        return check_unverified(&recording);
    }
    if let Some(number) = lying_snapshot(forged, honest) {
        return Err(format!("it is called good, and snapshot {number} says what is not so"));
    }
    report.harmless += 1;
    let notes = Notes::take(&recording)?;
    if notes.is_short() {
        return Ok(());
    }
    let is_poor = report.harmless.is_multiple_of(2);
    check_moves(recording, notes, is_poor, true, moves)
}

/// A snapshot that holds another memory, or says that other addresses were touched.
fn lying_snapshot(forged: &ForgedLog, honest: &ForgedLog) -> Option<usize> {
    let lies = |(one, other): (&State, &State)| {
        let says_addresses = one.form == Form::Changes;
        one.pages != other.pages
            || says_addresses && (one.touched != other.touched || one.written != other.written)
    };
    // Where the run is another, so are its snapshots.
    let is_same_run = forged.header == honest.header && forged.events == honest.events;
    if is_same_run { forged.states.iter().zip(&honest.states).position(lies) } else { None }
}

/// A timeline over a file that is not what it says may be wrong, but says that nobody has verified it, and does not
/// come from one end to the other without noticing.
fn check_unverified(recording: &Shared<Recording>) -> Result<(), String> {
    let Ok(timeline) = Timeline::new(recording, &[], MARKS_BUDGET) else { return Ok(()) };
    if timeline.is_verified() {
        return Err("a timeline over a file that was refused says that it is verified".to_owned());
    }
    Ok(())
}

// ---- telling lies ----

impl ForgedLog {
    fn tell(&mut self, lie: Lie) -> Result<(), String> {
        match lie {
            Lie::State { snapshot, lie, carried } => {
                let Some(number) = usize::from(snapshot).checked_rem(self.states.len()) else {
                    return Ok(());
                };
                self.tell_of_state(number, lie);
                if carried {
                    self.carry_on(number as u64)?;
                }
            }
            Lie::Set { snapshot, set, lie } => {
                let Some(number) = usize::from(snapshot).checked_rem(self.states.len()) else {
                    return Ok(());
                };
                tell_of_set(&mut self.states[number], set, lie);
            }
            Lie::Form { snapshot, form } => {
                let Some(number) = usize::from(snapshot).checked_rem(self.states.len()) else {
                    return Ok(());
                };
                let state = &mut self.states[number];
                let ram: Vec<u8> = state.pages.iter().map(|(page, _)| page).collect();
                let page = ram[usize::from(form / 4) % ram.len()];
                state.form =
                    [Form::Whole, Form::WithoutAddresses, Form::WithPage(page), Form::WithPage(page)]
                        [usize::from(form % 4)];
            }
            Lie::Digest { number, hash, bits } => {
                let mut digests: Vec<&mut Vec<Digest>> =
                    self.events.iter_mut().filter_map(|event| hashes(&mut event.event)).collect();
                let number = usize::from(number) % digests.len().max(1);
                if let Some(digest) = digests.get_mut(number)
                    && !digest.is_empty()
                {
                    let hash = usize::from(hash) % digest.len();
                    digest[hash].0[0] ^= bits;
                }
            }
            Lie::Event { number, what, distance } => self.tell_of_event(number.into(), what, distance),
            Lie::Header { lie } => self.tell_of_header(lie),
            Lie::Index { entry, field, more } => {
                self.index_changes.push((entry.into(), field.into(), more.into()));
            }
        }
        Ok(())
    }

    fn tell_of_state(&mut self, number: usize, lie: StateLie) {
        let state = &mut self.states[number];
        let part = |part: u8, state: &State| usize::from(part) % state.parts.len();
        match lie {
            StateLie::Memory { page, offset, bits } => {
                let ram: Vec<u8> = state.pages.iter().map(|(page, _)| page).collect();
                let page = ram[usize::from(page) % ram.len()];
                if let Some(content) = state.pages.get(page) {
                    let mut content = *content.bytes();
                    content[usize::from(offset)] ^= bits;
                    state.pages = state.pages.with([(page, Shared::new(Page::new(content)))]);
                }
            }
            StateLie::Part { part: of, at, bits } => {
                let of = part(of, state);
                let (_, content) = &mut state.parts[of];
                if !content.is_empty() {
                    let at = usize::from(at) % content.len();
                    content[at] ^= bits;
                }
            }
            StateLie::Replay { at, bits } => self.replay_flips.push((number, at.into(), bits)),
            StateLie::Position { cycles } => state.position.cycles += u64::from(cycles),
            StateLie::Identity => state.identity.0[0] ^= 1,
            StateLie::Dropped { part: of } => {
                let of = part(of, state);
                // Two are left for the memory to stand behind.
                if state.parts.len() > 2 {
                    state.parts.remove(of);
                }
            }
            StateLie::Renamed { part: of } => {
                let of = part(of, state);
                state.parts[of].0.push('?');
            }
        }
    }

    fn tell_of_event(&mut self, number: usize, what: u8, distance: u8) {
        let number = number % self.events.len();
        let is_snapshot = matches!(self.events[number].event, Event::Snapshot { .. });
        match what % 4 {
            0 => drop(self.events.remove(number)),
            1 if !is_snapshot => self.events.insert(number, self.events[number].clone()),
            2 => {
                let next = self.events.get(number + 1).map(|next| next.position);
                let at = &mut self.events[number].position;
                let there = at.cycles + u64::from(distance);
                at.cycles = next.map_or(there, |next| there.min(next.cycles));
            }
            _ => {
                if let Some(other) = other_payload(&self.events[number].event) {
                    self.events[number].event = other;
                }
            }
        }
    }

    fn tell_of_header(&mut self, lie: HeaderLie) {
        let header = &mut self.header;
        let pick = |number: u8, count: usize| usize::from(number).checked_rem(count);
        match lie {
            HeaderLie::Clock { more } => header.clock_hz += u64::from(more),
            HeaderLie::DeviceKind { number } => {
                if let Some(place) = pick(number, header.devices.len()) {
                    header.devices[place].1.push('x');
                }
            }
            HeaderLie::DeviceMissing { number } => {
                if let Some(place) = pick(number, header.devices.len()) {
                    header.devices.remove(place);
                }
            }
            HeaderLie::CharName { number } => {
                if let Some(place) = pick(number, header.chars.len()) {
                    header.chars[place].push('x');
                }
            }
            HeaderLie::CharMore => header.chars.push("more".to_owned()),
            HeaderLie::SubsystemName { number } => {
                if let Some(place) = pick(number, header.subsystems.len()) {
                    header.subsystems[place].push('x');
                }
            }
            HeaderLie::DigestEvery { more } => header.digest_every += u64::from(more),
            HeaderLie::Start { cycles } => header.start.cycles += u64::from(cycles),
            HeaderLie::Memory { at, bits } => change_initial_memory(&mut header.initial_state, at, bits),
            HeaderLie::Rom { at, bits } => {
                if let Some(rom) = header.roms.first_mut()
                    && let Some(bytes) = &mut rom.bytes
                    && !bytes.is_empty()
                {
                    let at = usize::from(at) % bytes.len();
                    bytes[at] ^= bits;
                    rom.hash = *blake3::hash(bytes).as_bytes();
                }
            }
            HeaderLie::Engine => header.engine_version.push('x'),
            HeaderLie::Scheduler => header.scheduler = "chaos 7".to_owned(),
        }
    }
}

fn hashes(event: &mut Event) -> Option<&mut Vec<Digest>> {
    match event {
        Event::Digest(digests) => Some(digests),
        _ => None,
    }
}

fn tell_of_set(state: &mut State, set: u8, lie: SetLie) {
    let Touched { executed, written, io_read } = &mut state.touched;
    let set = match set % 4 {
        0 => executed,
        1 => written,
        2 => io_read,
        _ => {
            match lie {
                SetLie::Emptied => state.written = [0; 32],
                SetLie::Without { number } | SetLie::With { address: number } => {
                    state.written[usize::from(number / 8) % 32] ^= 1 << (number % 8);
                }
            }
            return;
        }
    };
    let addresses: Vec<u16> = set.iter().collect();
    *set = match lie {
        SetLie::Emptied => AddressSet::default(),
        SetLie::Without { number } => {
            let left_out = usize::from(number).checked_rem(addresses.len());
            let kept = addresses.iter().enumerate().filter(|(place, _)| Some(*place) != left_out);
            kept.map(|(_, address)| *address).collect()
        }
        SetLie::With { address } => addresses.into_iter().chain([address]).collect(),
    };
}

fn change_initial_memory(state: &mut Vec<u8>, at: u16, bits: u8) {
    let Ok(snapshot) = Snapshot::from_bytes(state) else { return };
    let mut sections = snapshot.sections().clone();
    if let Some((_, memory)) = sections.iter_mut().find(|(name, _)| name == crate::memory::MEMORY)
        && memory.len() > 32
    {
        let at = 32 + usize::from(at) % (memory.len() - 32);
        memory[at] ^= bits;
    }
    *state = Snapshot::new(snapshot.identity(), snapshot.position(), sections).to_bytes();
}

// ---- carrying on ----

/// What a replay that carries a lie on finds, and changes.
struct Carried {
    events: Vec<StampedEvent>,
    states: Vec<State>,
}

/// The log that is being changed, as its player sees it.
struct CarriedSource {
    carried: Shared<Mutex<Carried>>,
    /// The event that was last looked at.
    looked_at: Option<StampedEvent>,
    next: u64,
}

impl EventSource for CarriedSource {
    fn peek(&mut self, ahead: usize) -> Result<Option<&StampedEvent>, LogError> {
        self.looked_at = lock(&self.carried).events.get(self.next as usize + ahead).cloned();
        Ok(self.looked_at.as_ref())
    }

    fn advance(&mut self) {
        self.next += 1;
    }

    fn seek(&mut self, ordinal: EventOrdinal) -> Result<(), LogError> {
        self.next = ordinal.0;
        Ok(())
    }

    fn read_snapshot(&self, _number: u64) -> Result<Vec<u8>, LogError> {
        // The seal is made when all is written.
        Ok(Vec::new())
    }

    fn byte_offset(&self) -> Option<u64> {
        None
    }
}

impl ForgedLog {
    /// Computes the digests and snapshots after a snapshot from what stands in it, as far as a replay from there comes.
    fn carry_on(&mut self, number: u64) -> Result<(), String> {
        let Ok(recording) = Recording::from_bytes(self.write()?, false) else { return Ok(()) };
        let Ok(session) = recording.replay_from(number, &[]) else { return Ok(()) };
        let carried =
            Shared::new(Mutex::new(Carried { events: self.events.clone(), states: self.states.clone() }));
        install(&session, &carried);
        play_on(&session, &carried);
        session.world().snapshot_check = None;
        drop(session);
        let carried = lock(&carried);
        (self.events, self.states) = (carried.events.clone(), carried.states.clone());
        Ok(())
    }
}

fn install(session: &Session, carried: &Shared<Mutex<Carried>>) {
    let mut world = session.world();
    let source = carried.clone();
    world.replay.change_source(|_, next| Box::new(CarriedSource { carried: source, looked_at: None, next }));
    let carried = carried.clone();
    world.snapshot_check = Some(Box::new(move |number, machine, _| {
        let captured = machine.capture();
        if let Some(state) = lock(&carried).states.get_mut(number as usize) {
            for ((_, part), own) in state.parts.iter_mut().zip(captured.parts()) {
                part.clone_from(own);
            }
            state.pages = captured.pages().clone();
        }
        Ok(PartsCompared::default())
    }));
}

/// Goes to the end, and puts right on the way what the log has of the state.
fn play_on(session: &Session, carried: &Shared<Mutex<Carried>>) {
    let mut world = session.world();
    let (mut last, mut stalls) = (None, 0);
    world.begin_run(Limits::NONE);
    while stalls < STALLS_MAX {
        match world.vcpu_hold() {
            Next::Continue => continue,
            Next::Rest(_) | Next::Done(Ok(StopReason::End | StopReason::Halted)) => return,
            Next::Done(Ok(_)) => world.begin_run(Limits::NONE),
            Next::Done(Err(ReplayError::Divergence(divergence))) => {
                let (Found::State { .. }, Some(expected)) = (&divergence.found, &divergence.expected) else {
                    return;
                };
                let mut own = world.digests();
                own.extend(own_digests(&world.replay));
                if let Some(event) = lock(carried).events.get_mut(expected.ordinal.0 as usize)
                    && let Some(digests) = hashes(&mut event.event)
                {
                    *digests = own;
                }
            }
            Next::Done(Err(_)) => return,
        }
        let here = Some((world.guest.position(), world.replay.events_passed()));
        stalls = if last == here { stalls + 1 } else { 0 };
        last = here;
    }
}

/// The hashes of the state machine's own subsystems, from what it saves.
fn own_digests(replay: &Replay) -> Vec<Digest> {
    let Ok(parts) = Replay::saved_parts(&replay.save()) else { return Vec::new() };
    let part = |wanted: &str| parts.iter().find(|(name, _)| *name == wanted).map(|(_, part)| part.clone());
    let queue = part("queue").unwrap_or_default();
    let events = part("events").unwrap_or_default();
    // Number of events, hash, length of what is not hashed yet, and that.
    let chain = [&events[8..24], &events[28..]].concat();
    vec![Digest::of(&queue), Digest::of(&chain)]
}
