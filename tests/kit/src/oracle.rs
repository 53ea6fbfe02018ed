//! The oracle: what is recorded replays, from the start and from every snapshot, whoever runs it and however it is cut
//! into slices.

use super::host::TestHosts;
use super::runner::{Runner, Stops};
use super::scenario::Scenario;
use super::sink::SmallDisk;
use rreplay::engine::Scheduler;
use rreplay::error::Error;
use rreplay::log::{Event, EventKind, LogWriter};
use rreplay::persist::{Digest, Value};
use rreplay::recording::Recording;
use rreplay::session::{RecordOptions, RunRequest, Session};
use rreplay::snapshot::Snapshot;
use rreplay::units::Position;
use std::fmt;

/// What a scenario came to that held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Where the recording ended.
    pub end: Position,
    /// Events in it.
    pub events: u64,
    /// How often each kind of event is in it.
    pub kinds: Vec<(EventKind, u64)>,
    /// Bytes of it.
    pub log_bytes: u64,
    /// Bytes that the console printed.
    pub printed: usize,
    /// Snapshots in it.
    pub snapshots: u64,
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

/// Snapshots that one recording is replayed from: the first, the last, and some in between that `Scenario::replay_slice`
/// chooses.
const SNAPSHOTS_TRIED_MAX: usize = 6;

/// How a recording is replayed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manners {
    /// Whether in one run, and whether that has two threads.
    pub whole: Option<Scheduler>,
    /// Whether in runs of so many instructions, from 1 on.
    pub slice: Option<u64>,
}

/// How a replay is run.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// In one run.
    Whole(Scheduler),
    /// In runs of so many instructions, and of three times as many cycles, by turns; everything looked at in between.
    Sliced(u64),
}

/// What must agree.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct State {
    position: Position,
    output: Vec<u8>,
    digests: Vec<(String, Digest)>,
    snapshot: Snapshot,
    /// The devices' fields, by `device.field`.
    fields: Vec<(String, Value)>,
}

impl State {
    pub fn of(session: &Session) -> Self {
        let fields = session.devices().into_iter().flat_map(|(device, _)| {
            let fields = session.device_state(&device).unwrap_or_default();
            fields.into_iter().map(move |(field, value)| (format!("{device}.{field}"), value))
        });
        Self {
            fields: fields.collect(),
            position: session.position(),
            output: session.output(),
            digests: session.digests(),
            snapshot: session.snapshot(),
        }
    }

    /// For machines that have not printed the same, because they were not there from the beginning.
    pub fn without_output(self) -> Self {
        Self { output: Vec::new(), ..self }
    }

    /// Says how `other` differs.
    pub fn compare(&self, other: &State, whose: &str) -> Result<(), String> {
        if self == other {
            return Ok(());
        }
        let digests = self.digests.iter().zip(&other.digests);
        let parts: Vec<&str> = digests.filter(|(a, b)| a != b).map(|(a, _)| a.0.as_str()).collect();
        let sections = self.snapshot.sections().iter().zip(other.snapshot.sections());
        let sections: Vec<String> =
            sections.filter(|(a, b)| a != b).map(|(a, b)| differing_bytes(&a.0, &a.1, &b.1)).collect();
        let fields = self.fields.iter().zip(&other.fields).filter(|(a, b)| a != b);
        let fields: Vec<String> =
            fields.map(|(a, b)| format!("{}: {} instead of {}", a.0, b.1, a.1)).collect();
        Err(format!(
            "{whose} ended at {} instead of {}, with other digests in {parts:?}, other state in {sections:?}, devices: [{}]; \
             printed {:?} instead of {:?}",
            other.position,
            self.position,
            fields.join("; "),
            other.output.escape_ascii().to_string(),
            self.output.escape_ascii().to_string(),
        ))
    }
}

/// Where two saved parts differ, up to a few bytes.
fn differing_bytes(name: &str, expected: &[u8], found: &[u8]) -> String {
    const SHOWN_MAX: usize = 8;
    let pairs = expected.iter().zip(found).enumerate().filter(|(_, (a, b))| a != b);
    let bytes: Vec<String> =
        pairs.take(SHOWN_MAX).map(|(at, (a, b))| format!("{at}: {b:02X} instead of {a:02X}")).collect();
    format!("{name} ({} and {} bytes; {})", found.len(), expected.len(), bytes.join(", "))
}

/// Records the scenario and replays it whole (one in eight on two threads) and in slices with everything looked at between
/// them, then from its snapshots. All must agree in digests (the player compares those in the log), transcript, events,
/// position and state, and ask no host. A scenario that does the same each time must also run in the same way unrecorded,
/// whole and in pieces.
///
/// # Errors
/// What did not agree, with the scenario and the recording.
pub fn check_record_replay(scenario: &Scenario) -> Result<Report, Box<Failure>> {
    check_with(scenario, None)
}

/// As [`check_record_replay`], of a recording in which everything that hardware leaves open is drawn by `seed`.
///
/// # Errors
/// What did not agree, with the scenario and the recording.
pub fn check_record_replay_in_chaos(scenario: &Scenario, seed: u64) -> Result<Report, Box<Failure>> {
    check_with(scenario, Some(seed))
}

fn check_with(scenario: &Scenario, chaos: Option<u64>) -> Result<Report, Box<Failure>> {
    let disk = SmallDisk::default();
    check(scenario, &disk, chaos)
        .map_err(|what| Box::new(Failure { what, scenario: scenario.clone(), recording: disk.contents() }))
}

fn check(scenario: &Scenario, disk: &SmallDisk, chaos: Option<u64>) -> Result<Report, String> {
    let blank = scenario.session().map_err(|error| format!("building: {error}"))?;
    let (session, stops) = record(Runner::on(blank.copy(), scenario), scenario, disk, chaos)?;
    let bytes = disk.contents();
    let log_bytes = bytes.len() as u64;
    let recording = Recording::from_bytes(bytes, false).map_err(|error| format!("reopening: {error}"))?;
    let replays = check_replays(&recording, &session, scenario.manners())?;
    let recorded = State::of(&session);
    // In chaos the same input comes at other moments, and the program may do something else.
    if scenario.is_repeatable() && chaos.is_none() {
        for pieces in [None, Some(scenario.replay_slice())] {
            let runner = Runner { pieces, ..Runner::on(blank.copy(), scenario) };
            let whose = format!("the unrecorded run in pieces of {pieces:?}");
            // What is due is done where a recording begins.
            let begin = || runner.run_cycles(0).map(|_| ());
            let plain = runner.run_scenario(scenario, begin).map_err(|what| format!("{whose}: {what}"))?;
            if plain != stops {
                return Err(format!("the recorded runs ended {stops:?}, {whose} ends {plain:?}"));
            }
            recorded.compare(&State::of(&runner.session), &whose)?;
        }
    }
    let info = recording.info();
    Ok(Report {
        end: recorded.position,
        events: info.events,
        kinds: info.kinds.iter().map(|(kind, total)| (*kind, total.events)).collect(),
        log_bytes,
        printed: recorded.output.len(),
        snapshots: info.snapshots,
        replays,
    })
}

/// Replays a finished recording in these manners, and from its snapshots, and compares each with the machine that was
/// recorded, as it is at the recording's end. Gives the number of replays.
///
/// # Errors
/// What did not agree.
pub fn check_replays(recording: &Recording, recorded: &Session, manners: Manners) -> Result<u32, String> {
    let recorded = State::of(recorded);
    if recording.end() != recorded.position {
        let end = recording.end();
        return Err(format!("the recording ends at {end}, its machine at {}", recorded.position));
    }
    let log = Contents::of(recording)?;
    if !recorded.output.ends_with(&log.output) {
        let found = log.output.escape_ascii();
        return Err(format!("the recording's transcript is \"{found}\""));
    }
    // What was printed before the recording began is not in it.
    let recorded = State { output: log.output.clone(), ..recorded };
    let Manners { whole, slice } = manners;
    let manners: Vec<Manner> =
        whole.map(Manner::Whole).into_iter().chain(slice.map(Manner::Sliced)).collect();
    let seed = slice.unwrap_or_default();
    for &manner in &manners {
        let replayed = recording
            .replay()
            .map_err(|error| error.to_string())
            .and_then(|session| replay(&session, log.events, manner))
            .map_err(|what| format!("replay {manner:?}: {what}"))?;
        recorded.compare(&replayed, &format!("the replay {manner:?}"))?;
    }
    let tried = log.snapshots_tried(seed);
    for &number in &tried {
        let (position, printed) = log.snapshots[number];
        let manner = manners[(number + seed as usize) % manners.len()];
        let recorded = State { output: log.output[printed..].to_vec(), ..recorded.clone() };
        let whose = format!("the replay {manner:?} from snapshot {number}");
        let replayed = replay_from(recording, number, position, log.events, manner)
            .map_err(|what| format!("{whose}: {what}"))?;
        recorded.compare(&replayed, &whose)?;
    }
    Ok((manners.len() + tried.len()) as u32)
}

/// As [`check_replays`], under both schedulers, and in runs of so many instructions.
///
/// # Errors
/// What did not agree.
pub fn check_replays_in_all_manners(
    recording: &Recording,
    recorded: &Session,
    slice: u64,
) -> Result<u32, String> {
    let schedulers = [Scheduler::Inline, Scheduler::Threads];
    let manners = schedulers.map(|scheduler| Manners { whole: Some(scheduler), slice: Some(slice) });
    manners.into_iter().try_fold(0, |replays, manners| {
        check_replays(recording, recorded, manners).map(|more| replays + more)
    })
}

/// What a recording says of itself.
struct Contents {
    events: u64,
    output: Vec<u8>,
    /// Where each snapshot was taken, and how much was printed until there.
    snapshots: Vec<(Position, usize)>,
}

impl Contents {
    fn of(recording: &Recording) -> Result<Self, String> {
        let mut contents = Self { events: 0, output: Vec::new(), snapshots: Vec::new() };
        let board = recording.board().map_err(|error| error.to_string())?;
        let console = board.console.as_deref();
        for event in recording.events(None, None, None).map_err(|error| error.to_string())? {
            let event = event.map_err(|error| error.to_string())?;
            contents.events += 1;
            match event.event {
                Event::CharWrite { device, bytes, .. }
                    if console.is_some() && recording.char_name(device) == console =>
                {
                    contents.output.extend(bytes);
                }
                Event::Snapshot { number } if number == contents.snapshots.len() as u64 => {
                    contents.snapshots.push((event.position, contents.output.len()));
                }
                Event::Snapshot { number } => return Err(format!("{number} is not the next snapshot")),
                _ => {}
            }
        }
        let positions: Vec<Position> = contents.snapshots.iter().map(|(position, _)| *position).collect();
        if recording.snapshots() != positions {
            let listed = recording.snapshots();
            return Err(format!("its snapshots are listed at {listed:?}, its events at {positions:?}"));
        }
        if recording.output().map_err(|error| error.to_string())? != contents.output {
            return Err("its transcript is not what its events printed".to_owned());
        }
        Ok(contents)
    }

    fn snapshots_tried(&self, seed: u64) -> Vec<usize> {
        let count = self.snapshots.len();
        if count <= SNAPSHOTS_TRIED_MAX {
            return (0..count).collect();
        }
        let between = (1..SNAPSHOTS_TRIED_MAX - 1)
            .map(|which| 1 + (seed as usize * 31 + which * (count / SNAPSHOTS_TRIED_MAX)) % (count - 2));
        let mut tried: Vec<usize> = between.chain([0, count - 1]).collect();
        tried.sort_unstable();
        tried.dedup();
        tried
    }
}

/// Records the scenario to `disk`, and does nothing else with it: to look at what a scenario does.
///
/// # Errors
/// What went wrong; the disk then has what was recorded until there.
pub fn record_scenario(scenario: &Scenario, disk: &SmallDisk) -> Result<(), String> {
    record(Runner::new(scenario)?, scenario, disk, None).map(|_| ())
}

fn record(
    runner: Runner,
    scenario: &Scenario,
    disk: &SmallDisk,
    chaos: Option<u64>,
) -> Result<(rreplay::sync::Shared<Session>, Stops), String> {
    let options = RecordOptions {
        digest_every: Some(scenario.digest_every()),
        snapshot_every: scenario.snapshot_every(),
        chaos,
        ..RecordOptions::default()
    };
    let begin = || {
        let sink = Box::new(disk.clone());
        runner
            .session
            .record_with(options, |header| {
                LogWriter::with_sink(sink, "<memory>", header, scenario.log_options())
            })
            .map_err(|error| format!("starting to record: {error}"))
    };
    let stops = runner.run_scenario(scenario, begin).map_err(|what| format!("recording: {what}"))?;
    // What came in too late for a run is the recording's last input.
    runner.session.finish().map_err(|error| format!("finishing: {error}"))?;
    Ok((runner.session, stops))
}

fn replay_from(
    recording: &Recording,
    number: usize,
    position: Position,
    events: u64,
    manner: Manner,
) -> Result<State, String> {
    let session = recording.replay_from(number as u64, &[]).map_err(|error| error.to_string())?;
    if session.position() != position {
        return Err(format!("it starts at {} and not at {position}", session.position()));
    }
    replay(&session, events, manner)
}

/// Replays to the end, and counts the events that were used.
fn replay(session: &Session, events: u64, manner: Manner) -> Result<State, String> {
    let host = session.detach_host();
    let mut before = None;
    for slice in 0_u64.. {
        let request = match manner {
            Manner::Whole(scheduler) => RunRequest { scheduler: Some(scheduler), ..RunRequest::default() },
            Manner::Sliced(instructions) => {
                if slice < SLICES_LOOKED_BETWEEN || slice % SLICES_BETWEEN_LOOKS == 0 {
                    look_at(session);
                }
                let (instructions, cycles) =
                    if slice % 2 == 0 { (Some(instructions), None) } else { (None, Some(instructions * 3)) };
                RunRequest { instructions, cycles, ..RunRequest::default() }
            }
        };
        let stop = match session.run(request, &mut || false) {
            Ok(stop) => stop.reason,
            // The program does again what its board forbids.
            Err(Error::Fault(_)) => "fault",
            Err(error) => return Err(error.to_string()),
        };
        let consumed = session.lock_vm().replay.events_passed();
        if stop == "end" {
            // `end` itself is only looked at.
            if consumed + 1 != events {
                return Err(format!("it used {consumed} of {events} events"));
            }
            if !host.asked().is_empty() {
                return Err(format!("it asked the host for {:?}", host.asked()));
            }
            return Ok(State::of(session));
        }
        let now = Some((session.position(), consumed));
        if now == before {
            return Err(format!("it stops for {stop:?} at {} again and again", session.position()));
        }
        before = now;
    }
    Err("it has no end".to_owned())
}

/// Looks at everything.
pub(super) fn look_at(session: &Session) {
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
