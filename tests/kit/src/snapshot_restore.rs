//! Snapshots as bytes: a machine that is restored from them runs on as the one they were taken of, and bytes that were
//! tampered with give an error or a machine that runs.

use super::host::{HostConfig, TestHosts};
use super::oracle::{Manners, State, check_replays};
use super::runner::Runner;
use super::scenario::{Scenario, many};
use super::sink::SmallDisk;
use arbitrary::{Arbitrary, Unstructured};
use proptest::collection::vec;
use proptest::prelude::any;
use rreplay::error::Error;
use rreplay::log::LogWriter;
use rreplay::persist::{Digest, Sections};
use rreplay::recording::Recording;
use rreplay::session::{RecordOptions, RunRequest, Session};
use rreplay::snapshot::Snapshot;
use rreplay::sync::Shared;
use rreplay::units::Position;

/// The longest run after a snapshot, in cycles.
const CYCLES_MAX: u16 = 8000;
/// Changes of one snapshot.
const TAMPERINGS_MAX: usize = 6;
/// A tampered machine may do anything, but not for ever.
const TAMPERED_CYCLES: u64 = 3000;

/// A snapshot in the life of a machine.
#[derive(Clone, PartialEq, Eq, Debug, Arbitrary, proptest_derive::Arbitrary)]
pub struct SnapshotCase {
    /// What the machine does before; its recording too has snapshots.
    pub scenario: Scenario,
    /// Modulo 8000: cycles that it runs on after the snapshot.
    pub cycles: u16,
    /// Modulo 500, from 1 on: instructions of the pieces in which the restored machine runs.
    pub pieces: u16,
    /// What is done to a copy of the snapshot.
    #[arbitrary(with = |u: &mut Unstructured<'_>| many(u, TAMPERINGS_MAX))]
    #[proptest(strategy = "vec(any::<Tampering>(), 1..4)")]
    pub tamperings: Vec<Tampering>,
    /// A byte of the container that is flipped, and how.
    pub flip: (u16, u8),
}

/// A change of a snapshot's content.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, proptest_derive::Arbitrary)]
pub enum Tampering {
    /// Flips bits of a byte of a section.
    #[proptest(weight = 4)]
    Flip(u8, u16, u8),
    /// Puts eight bytes into a section: few, or many bits set.
    #[proptest(weight = 4)]
    Put(u8, u16, u64),
    /// Fills eight bytes of a section with ones, but for the last few bits.
    #[proptest(weight = 2)]
    Ones(u8, u16, u8),
    /// Cuts a section off.
    Cut(u8, u16),
    /// Makes a section longer.
    Extend(u8, u8),
    /// Leaves a section out.
    Remove(u8),
    /// Has a section twice.
    Double(u8),
    /// Swaps two sections.
    Swap(u8, u8),
    /// Returns a section another name.
    Rename(u8),
    /// Says that it is of another place.
    Position(u64, u64),
    /// Says that it is of another machine.
    Identity,
}

impl Tampering {
    fn apply(self, position: &mut Position, identity: &mut Digest, sections: &mut Sections) {
        let count = sections.len().max(1);
        let place = |section: u8| usize::from(section) % count;
        match self {
            Tampering::Flip(section, at, bits) => {
                if let Some((_, content)) = sections.get_mut(place(section))
                    && !content.is_empty()
                {
                    let at = usize::from(at) % content.len();
                    content[at] ^= bits;
                }
            }
            Tampering::Put(section, at, value) => put(sections, place(section), at, value),
            Tampering::Ones(section, at, less) => put(sections, place(section), at, !u64::from(less)),
            Tampering::Cut(section, length) => {
                if let Some((_, content)) = sections.get_mut(place(section)) {
                    content.truncate(length.into());
                }
            }
            Tampering::Extend(section, count) => {
                if let Some((_, content)) = sections.get_mut(place(section)) {
                    content.resize(content.len() + usize::from(count), count);
                }
            }
            Tampering::Remove(section) if !sections.is_empty() => drop(sections.remove(place(section))),
            Tampering::Double(section) if !sections.is_empty() => {
                let again = sections[place(section)].clone();
                sections.push(again);
            }
            Tampering::Swap(one, other) if !sections.is_empty() => sections.swap(place(one), place(other)),
            Tampering::Rename(section) if !sections.is_empty() => sections[place(section)].0.push('?'),
            Tampering::Position(icount, cycles) => *position = Position::new(icount, cycles),
            Tampering::Identity => identity.0[0] ^= 1,
            Tampering::Remove(_) | Tampering::Double(_) | Tampering::Swap(..) | Tampering::Rename(_) => {}
        }
    }
}

fn put(sections: &mut Sections, section: usize, at: u16, value: u64) {
    if let Some((_, content)) = sections.get_mut(section)
        && content.len() >= 8
    {
        let at = usize::from(at) % (content.len() - 7);
        content[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
}

/// The target `snapshot_restore`: the case that these bytes stand for holds.
///
/// # Errors
/// What does not hold, with the case.
pub fn snapshot_restore(bytes: &[u8]) -> Result<(), String> {
    let case = SnapshotCase::arbitrary_take_rest(Unstructured::new(bytes))
        .map_err(|error| format!("these bytes are no case: {error}"))?;
    check_snapshot_restore(&case)
}

/// Checks all that a snapshot must do; see [`SnapshotCase`].
///
/// # Errors
/// What does not hold, with the case.
pub fn check_snapshot_restore(case: &SnapshotCase) -> Result<(), String> {
    check(case).map_err(|what| format!("{what}\n{case:#?}"))
}

fn check(case: &SnapshotCase) -> Result<(), String> {
    let scenario = &case.scenario.clone().with_patience_over(2, u16::MAX);
    let blank = scenario.session().map_err(|error| error.to_string())?;
    let runner = Runner::on(blank.copy(), scenario);
    let disk = SmallDisk::default();
    let options = RecordOptions { snapshot_every: scenario.snapshot_every(), ..RecordOptions::default() };
    runner.run_scenario(scenario, || record(scenario, &runner.session, options, &disk))?;
    runner.session.finish().map_err(|error| error.to_string())?;
    // From here on nothing comes by itself, and what has come is delivered before the snapshot, which would not have it.
    let original = Runner { host: runner.host.fork(HostConfig::Steady), ..runner };
    original.session.attach_host(&original.host);
    // One run delivers it all, unless it begins with a shutdown that ends the run.
    while original.run_cycles(0)?.0 == "shutdown" {}
    let snapshot = original.session.snapshot();
    let snapshot = read_again(case, &snapshot)?;
    runs_on(case, &blank, &original, &snapshot)?;
    survives_tampering(case, &blank, &snapshot)?;
    if scenario.takes_snapshots() { survives_tampering_in_recording(case, &disk) } else { Ok(()) }
}

/// One in eight snapshots as it is read from its bytes; and these, changed, are refused. To compress one takes longer than
/// to run on from it.
fn read_again(case: &SnapshotCase, snapshot: &Snapshot) -> Result<Snapshot, String> {
    if !case.scenario.compresses() {
        return Ok(snapshot.clone());
    }
    let mut bytes = snapshot.to_bytes();
    let read = Snapshot::from_bytes(&bytes).map_err(|error| error.to_string())?;
    if read != *snapshot || read.digest() != snapshot.digest() {
        return Err("a snapshot is another one when it was bytes".to_owned());
    }
    let (at, bits) = case.flip;
    let at = usize::from(at) % bytes.len();
    bytes[at] ^= bits;
    match Snapshot::from_bytes(&bytes) {
        Ok(_) if bits != 0 => Err(format!("a snapshot with byte {at} flipped passes as good")),
        Err(error) if bits == 0 => Err(error.to_string()),
        _ => Ok(read),
    }
}

fn record(
    scenario: &Scenario,
    session: &Session,
    options: RecordOptions,
    disk: &SmallDisk,
) -> Result<(), String> {
    let sink = Box::new(disk.clone());
    let create = |header: &_| LogWriter::with_sink(sink, "<memory>", header, scenario.log_options());
    session.record_with(options, create).map_err(|error| error.to_string())
}

/// The original, one restored from the snapshot, and a copy all go on in the same way, the restored one recorded and in
/// pieces.
fn runs_on(
    case: &SnapshotCase,
    blank: &Session,
    original: &Runner,
    snapshot: &Snapshot,
) -> Result<(), String> {
    let cycles = u64::from(case.cycles % CYCLES_MAX).min(case.scenario.cycles_beside());
    let fresh = |session: Session| {
        let host = original.host.fork(HostConfig::Steady);
        session.attach_host(&host);
        Runner { session: Shared::new(session), host, pieces: None }
    };
    let restored = fresh(blank.copy());
    restored.session.restore(snapshot).map_err(|error| format!("restoring: {error}"))?;
    if restored.session.snapshot() != *snapshot {
        return Err("a machine is not what it was restored to".to_owned());
    }
    let copied = fresh(original.session.copy());
    original.session.restore(snapshot).map_err(|error| format!("restoring itself: {error}"))?;
    let disk = SmallDisk::default();
    record(&case.scenario, &restored.session, RecordOptions::default(), &disk)?;
    let stop = original.run_cycles(cycles)?;
    let found = copied.run_cycles(cycles)?;
    if found != stop {
        return Err(format!("the original run ended {stop:?}, that of its copy {found:?}"));
    }
    let pieces = u64::from(case.pieces % 500) + 1;
    let found = restored.run_cycles_in_pieces(cycles, pieces)?;
    if found != stop {
        return Err(format!("the original run ended {stop:?}, that of the restored machine {found:?}"));
    }
    let state = State::of(&original.session).without_output();
    state.compare(&State::of(&copied.session).without_output(), "the copy")?;
    state.compare(&State::of(&restored.session).without_output(), "the restored machine")?;
    restored.session.finish().map_err(|error| error.to_string())?;
    let recording = Recording::from_bytes(disk.contents(), false).map_err(|error| error.to_string())?;
    // It was run in pieces, so that a replay in one run says all.
    let manners = Manners { slice: None, ..case.scenario.manners() };
    check_replays(&recording, &restored.session, manners).map(|_| ())
}

/// A snapshot with other content, and a checksum that is right.
fn tampered(case: &SnapshotCase, snapshot: &Snapshot) -> Result<Snapshot, String> {
    let (mut position, mut identity) = (snapshot.position(), snapshot.identity());
    let mut sections = snapshot.sections().clone();
    for tampering in case.tamperings.iter().take(TAMPERINGS_MAX) {
        tampering.apply(&mut position, &mut identity, &mut sections);
    }
    read_again(case, &Snapshot::new(identity, position, sections))
}

/// Whatever the machine has become, it runs, and can be looked at, saved and recorded.
fn survives_tampering(case: &SnapshotCase, blank: &Session, snapshot: &Snapshot) -> Result<(), String> {
    let tampered = tampered(case, snapshot)?;
    let machine = Runner::on(blank.copy(), &case.scenario);
    let before = machine.session.digest();
    if machine.session.restore(&tampered).is_err() {
        let unchanged = machine.session.digest() == before;
        return unchanged.then_some(()).ok_or("a refused snapshot has changed the machine".to_owned());
    }
    let disk = SmallDisk::default();
    record(&case.scenario, &machine.session, RecordOptions::default(), &disk)?;
    machine.run_cycles(case.scenario.cycles_beside().min(TAMPERED_CYCLES))?;
    machine.session.finish().map_err(|error| error.to_string())?;
    let recording = Recording::from_bytes(disk.contents(), false).map_err(|error| error.to_string())?;
    let Manners { whole, .. } = case.scenario.manners();
    let manners = if case.pieces.is_multiple_of(2) {
        Manners { whole, slice: None }
    } else {
        Manners { whole: None, slice: Some(100) }
    };
    check_replays(&recording, &machine.session, manners).map_err(|what| format!("tampered: {what}"))?;
    Ok(())
}

/// A player that is sent to a tampered snapshot of its recording refuses, diverges, or runs to the end.
fn survives_tampering_in_recording(case: &SnapshotCase, disk: &SmallDisk) -> Result<(), String> {
    let recording = Recording::from_bytes(disk.contents(), false).map_err(|error| error.to_string())?;
    let Some(number) = recording.snapshots().len().checked_sub(1) else { return Ok(()) };
    let number = u64::from(case.pieces) % (number as u64 + 1);
    let taken = recording.composed_snapshot(number).map_err(|error| error.to_string())?;
    let tampered = tampered(case, &taken)?;
    let session = recording.replay().map_err(|error| error.to_string())?;
    if session.resume_from(&tampered).is_err() {
        return Ok(());
    }
    let cycles = case.scenario.cycles_beside().min(TAMPERED_CYCLES);
    let limit = session.position().cycles.saturating_add(cycles);
    while session.position().cycles < limit {
        let request = RunRequest {
            cycles: Some(limit.saturating_sub(session.position().cycles)),
            instructions: Some(cycles),
            ..RunRequest::default()
        };
        match session.run(request, &mut || false) {
            Ok(stop) if stop.reason == "end" => break,
            Ok(_) | Err(Error::Fault(_)) => {}
            Err(Error::Divergence(_)) => break,
            Err(error) => return Err(format!("tampered, in play: {error}")),
        }
    }
    Ok(())
}
