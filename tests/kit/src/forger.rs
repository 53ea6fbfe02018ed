//! Recordings with a lie in them: checksums, index and seal are right, and so, where the forger takes the trouble, is all
//! that comes after and follows from the lie. Either a verification refuses such a file, whatever the number of its
//! jobs, or every answer of a timeline over it is that of a naive replay.

use super::forged_log::{ForgedLog, Form, State};
use super::lies::Lie;
use super::oracle::record_scenario;
use super::scenario::{Scenario, many};
use super::sink::SmallDisk;
use super::timeline_oracle::notes::{Notes, text};
use super::timeline_oracle::{Move, check_moves};
use arbitrary::Arbitrary;
use proptest::collection::vec;
use proptest::prelude::any;
use proptest_derive::Arbitrary as Strategy;
use rreplay::engine::Scheduler;
use rreplay::error::Error;
use rreplay::recording::Recording;
use rreplay::sync::Shared;
use rreplay::timeline::{KEYFRAMES_BUDGET, Timeline};

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
    let mut forged = ForgedLog::of(recording.log_reader())?;
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
    let log = ForgedLog::of(honest.log_reader())?;
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
    let (reader, other) = (honest.log_reader(), anew.log_reader());
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
    check_moves(recording, notes, is_poor, true, moves).map(|_| ())
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
    let Ok(timeline) = Timeline::new(recording, &[], KEYFRAMES_BUDGET) else { return Ok(()) };
    if timeline.is_verified() {
        return Err("a timeline over a file that was refused says that it is verified".to_owned());
    }
    Ok(())
}
