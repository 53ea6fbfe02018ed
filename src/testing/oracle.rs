//! The oracle: what is recorded replays, whoever runs it and however it is cut into slices.

use super::scenario::{CYCLES_PER_INSTRUCTION_MAX, Extent, HostOperation, Scenario};
use super::sink::SmallDisk;
use crate::engine::Scheduler;
use crate::error::Error;
use crate::log::{LogWriter, Options};
use crate::machine::HookKind;
use crate::persist::Digest;
use crate::recording::Recording;
use crate::session::{RecordOptions, RunRequest, Session, Stop};
use crate::snapshot::Snapshot;
use crate::sync::{Shared, spawn, yield_now};
use crate::units::Position;
use std::fmt;

/// What a scenario came to that held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Where the recording ended.
    pub end: Position,
    /// Events in it.
    pub events: u64,
    /// Bytes of it.
    pub log_bytes: u64,
    /// Bytes that the console printed.
    pub printed: usize,
    /// Replays that agreed with it.
    pub replays: u32,
}

/// A scenario that does not hold: what was wrong, and all that is needed to see it again.
pub struct Failure {
    /// What was wrong.
    pub what: String,
    /// The scenario.
    pub scenario: Scenario,
    /// The recording, as far as there is one. Written to a file it can be opened like any other.
    pub recording: Vec<u8>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nscenario: {:#?}\nrecording: {} bytes", self.what, self.scenario, self.recording.len())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Failure {}

/// Slices of a replay between which everything is looked at, and then every so many again: looking takes longer than
/// running.
const SLICES_LOOKED_BETWEEN: u64 = 16;
const SLICES_BETWEEN_LOOKS: u64 = 128;

/// How a replay is run.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// In one run.
    Whole(Scheduler),
    /// In runs of so many instructions, everything looked at in between.
    Sliced(u64),
}

/// What must agree.
#[derive(Clone, PartialEq, Debug)]
struct State {
    position: Position,
    output: Vec<u8>,
    digests: Vec<(String, Digest)>,
    snapshot: Snapshot,
}

impl State {
    fn of(session: &Session) -> Self {
        Self {
            position: session.position(),
            output: session.output(),
            digests: session.digests(),
            snapshot: session.snapshot(),
        }
    }

    /// Says how `other` differs.
    fn compare(&self, other: &State, whose: &str) -> Result<(), String> {
        if self == other {
            return Ok(());
        }
        let digests = self.digests.iter().zip(&other.digests);
        let parts: Vec<&str> = digests.filter(|(a, b)| a != b).map(|(a, _)| a.0.as_str()).collect();
        let sections = self.snapshot.sections().iter().zip(other.snapshot.sections());
        let sections: Vec<_> = sections.filter(|(a, b)| a != b).map(|(a, _)| a.0.as_str()).collect();
        Err(format!(
            "{whose} ended at {} instead of {}, with other digests in {parts:?}, other state in {sections:?}; \
             printed {:?} instead of {:?}",
            other.position,
            self.position,
            other.output.escape_ascii().to_string(),
            self.output.escape_ascii().to_string(),
        ))
    }
}

/// Records the scenario and replays it under both schedulers, and once more in slices with everything looked at between
/// them. All must agree in digests (the player compares those in the log), transcript, events, position and state. A
/// scenario that does the same each time must also run in the same way unrecorded.
///
/// # Errors
/// What did not agree, with the scenario and the recording.
pub fn check_record_replay(scenario: &Scenario) -> Result<Report, Box<Failure>> {
    let disk = SmallDisk::default();
    check(scenario, &disk)
        .map_err(|what| Box::new(Failure { what, scenario: scenario.clone(), recording: disk.contents() }))
}

fn check(scenario: &Scenario, disk: &SmallDisk) -> Result<Report, String> {
    let (recorded, stops) = record(scenario, disk)?;
    let bytes = disk.contents();
    let log_bytes = bytes.len() as u64;
    let recording = Recording::from_bytes(bytes, false).map_err(|error| format!("reopening: {error}"))?;
    if recording.end() != recorded.position {
        return Err(format!(
            "the recording ends at {}, its machine at {}",
            recording.end(),
            recorded.position
        ));
    }
    let output = recording.output().map_err(|error| format!("its transcript: {error}"))?;
    if output != recorded.output {
        return Err(format!("the recording's transcript is {:?}", output.escape_ascii().to_string()));
    }
    let manners = [
        Manner::Whole(Scheduler::Inline),
        Manner::Whole(Scheduler::Threads),
        Manner::Sliced(scenario.replay_slice()),
    ];
    for manner in manners {
        let replayed = replay(&recording, manner).map_err(|what| format!("replay {manner:?}: {what}"))?;
        recorded.compare(&replayed, &format!("the replay {manner:?}"))?;
    }
    if scenario.is_repeatable() {
        let (state, plain) = run_unrecorded(scenario)?;
        if plain != stops {
            return Err(format!("the recorded runs ended {stops:?}, unrecorded they end {plain:?}"));
        }
        recorded.compare(&state, "the unrecorded run")?;
    }
    let (end, printed) = (recorded.position, recorded.output.len());
    Ok(Report { end, events: recording.info().events, log_bytes, printed, replays: manners.len() as u32 })
}

/// Records the scenario to `disk`, and does nothing else with it: to look at what a scenario does.
///
/// # Errors
/// What went wrong; the disk then has what was recorded until there.
pub fn record_scenario(scenario: &Scenario, disk: &SmallDisk) -> Result<(), String> {
    record(scenario, disk).map(|_| ())
}

type Stops = Vec<(&'static str, Position)>;

fn record(scenario: &Scenario, disk: &SmallDisk) -> Result<(State, Stops), String> {
    let session = Shared::new(scenario.session().map_err(|error| format!("building: {error}"))?);
    let options = RecordOptions { digest_every: Some(scenario.digest_every()), ..RecordOptions::default() };
    let sink = Box::new(disk.clone());
    session
        .record_with(options, |header| LogWriter::with_sink(sink, "<memory>", header, Options::default()))
        .map_err(|error| format!("starting to record: {error}"))?;
    let stops = drive(&session, scenario).map_err(|what| format!("recording: {what}"))?;
    // What came in too late for a run is the recording's last input.
    session.finish().map_err(|error| format!("finishing: {error}"))?;
    Ok((State::of(&session), stops))
}

fn run_unrecorded(scenario: &Scenario) -> Result<(State, Stops), String> {
    let session = Shared::new(scenario.session().map_err(|error| format!("building: {error}"))?);
    let stops = drive(&session, scenario).map_err(|what| format!("unrecorded: {what}"))?;
    Ok((State::of(&session), stops))
}

fn replay(recording: &Recording, manner: Manner) -> Result<State, String> {
    let session = recording.replay().map_err(|error| error.to_string())?;
    let mut before = None;
    for slice in 0_u64.. {
        let request = match manner {
            Manner::Whole(scheduler) => RunRequest { scheduler: Some(scheduler), ..RunRequest::default() },
            Manner::Sliced(instructions) => {
                if slice < SLICES_LOOKED_BETWEEN || slice % SLICES_BETWEEN_LOOKS == 0 {
                    look_at(&session);
                }
                RunRequest { instructions: Some(instructions), ..RunRequest::default() }
            }
        };
        let stop = match session.run(request, &mut || false) {
            Ok(stop) => stop.reason,
            // The program does again what its board forbids.
            Err(Error::Fault(_)) => "fault",
            Err(error) => return Err(error.to_string()),
        };
        let consumed = session.world().replay.events_passed();
        if stop == "end" {
            // `end` itself is only looked at.
            let events = recording.info().events;
            if consumed + 1 != events {
                return Err(format!("it used {consumed} of {events} events"));
            }
            return Ok(State::of(&session));
        }
        let now = Some((session.position(), consumed));
        if now == before {
            return Err(format!("it stops for {stop:?} at {} again and again", session.position()));
        }
        before = now;
    }
    Err("it has no end".to_owned())
}

/// Does what the scenario says, recorded or not.
fn drive(session: &Shared<Session>, scenario: &Scenario) -> Result<Stops, String> {
    let mut stops = Vec::new();
    for operation in scenario.operations() {
        match operation {
            HostOperation::Run { extent, threads } => {
                let scheduler = if *threads { Scheduler::Threads } else { Scheduler::Inline };
                stops.push(run(session, scenario, *extent, scheduler)?);
            }
            HostOperation::Type(bytes) => session.send(bytes).map_err(|error| error.to_string())?,
            HostOperation::TypeAt { address, bytes, extent } => {
                let hook = type_at(session, scenario.program.address(*address), bytes.clone());
                stops.push(run(session, scenario, *extent, Scheduler::Inline)?);
                session.remove_hook(hook);
            }
            HostOperation::Race { bytes, extent } => {
                let (typist, bytes) = (session.clone(), bytes.clone());
                let gate = session.open_gate();
                let typing = spawn("typist", move || {
                    for byte in bytes {
                        typist.send(&[byte]).map_err(|error| error.to_string())?;
                        yield_now();
                    }
                    drop(gate);
                    Ok::<(), String>(())
                });
                let typing = typing.map_err(|error| error.to_string())?;
                let stop = run(session, scenario, *extent, Scheduler::Threads);
                typing.join().map_err(|_| "the typist panicked".to_owned())??;
                stops.push(stop?);
            }
            HostOperation::Reset => session.reset().map_err(|error| error.to_string())?,
            HostOperation::Look => look_at(session),
            HostOperation::Trace(count) => {
                match session.trace_bus(u64::from(*count % 32), &mut || false) {
                    Ok(_) => stops.push(("traced", session.position())),
                    Err(Error::Fault(_)) => stops.push(("fault", session.position())),
                    Err(error) => return Err(error.to_string()),
                };
            }
            HostOperation::Watch { page } => {
                let first = u16::from(*page) << 8;
                for kind in [HookKind::Read, HookKind::Write] {
                    session.add_hook(kind, first, first | 0xFF, Box::new(|_| true));
                }
            }
        }
    }
    Ok(stops)
}

/// Types one byte each time the guest comes to an address.
fn type_at(session: &Shared<Session>, address: u16, bytes: Vec<u8>) -> crate::machine::HookId {
    // The hook is kept by the session, and so must not keep it.
    let typist = Shared::downgrade(session);
    let mut bytes = bytes.into_iter();
    let callback = move |_| {
        if let (Some(session), Some(byte)) = (typist.upgrade(), bytes.next()) {
            // The console was there when the first byte was typed, and nobody finishes the recording meanwhile.
            let _ = session.send(&[byte]);
        }
        true
    };
    session.add_hook(HookKind::Execute, address, address, Box::new(callback))
}

fn run(
    session: &Session,
    scenario: &Scenario,
    extent: Extent,
    scheduler: Scheduler,
) -> Result<(&'static str, Position), String> {
    let start = session.position();
    let (instructions, cycles) = extent.limits();
    let mut request = RunRequest {
        instructions: (instructions != u64::MAX).then_some(instructions),
        cycles: Some(cycles),
        scheduler: Some(scheduler),
        ..RunRequest::default()
    };
    match extent {
        Extent::Address(low) => request.pc = Some(scenario.program.address(low)),
        Extent::Output(more) => {
            let wanted = session.output_length() + usize::from(more % 8) + 1;
            request.output = Some(Box::new(move |printed| printed.len() >= wanted));
        }
        Extent::Instructions(_) | Extent::Cycles(_) => {}
    }
    let stop = match session.run(request, &mut || false) {
        Ok(stop) => stop,
        Err(Error::Fault(_)) => return Ok(("fault", session.position())),
        Err(error) => return Err(error.to_string()),
    };
    check_stop(&stop, start, instructions, cycles, session)?;
    Ok((stop.reason, stop.position))
}

/// A run is never too long, and too short only for a reason.
fn check_stop(
    stop: &Stop,
    start: Position,
    instructions: u64,
    cycles: u64,
    session: &Session,
) -> Result<(), String> {
    let icount_end = start.icount.saturating_add(instructions);
    let cycles_end = start.cycles.saturating_add(cycles);
    let at = stop.position;
    if at != session.position() || at < start {
        return Err(format!(
            "the run from {start} says that it ended at {at}, and is at {}",
            session.position()
        ));
    }
    if at.icount > icount_end || at.cycles >= cycles_end + CYCLES_PER_INSTRUCTION_MAX {
        return Err(format!(
            "the run from {start} for {instructions} instructions, {cycles} cycles ended at {at}"
        ));
    }
    if stop.reason == "budget" && at.icount < icount_end && at.cycles < cycles_end {
        return Err(format!("the run from {start} ended at {at}, before its {instructions} instructions"));
    }
    Ok(())
}

/// Looks at everything.
fn look_at(session: &Session) {
    session.digest();
    session.snapshot();
    session.memory(0, 1 << 16);
    session.disassemble(None, 3);
    for (name, _) in session.devices() {
        let _ = session.device_state(&name);
    }
    session.input_pending();
    session.registers();
}
