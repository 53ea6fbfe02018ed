//! The functions of [`Replay`] in any order, against a naive model: recorded into memory, played with the same
//! questions, from every state that was saved on the way, and played with other questions.

use super::replay_asking::{Asking, Functions};
use super::replay_model::{Answer, Logged, Model};
use super::scenario::many;
use arbitrary::{Arbitrary, Unstructured};
use proptest::collection::vec;
use proptest::prelude::any;
use rreplay::log::Event;
use rreplay::replay::{
    MemoryLog, MemorySink, MemorySource, PlayConfig, RecordConfig, Replay, ReplayError, ReplayMode, Snapshots,
};

/// Operations of one sequence.
const OPERATIONS_MAX: usize = 60;
/// Saved states that are played from.
const RESUMED_MAX: usize = 4;
/// The one subsystem of the model's machine.
const SUBSYSTEM: &str = "machine";

/// What is asked of the state machine, recorded, and what is then asked of a player instead.
#[derive(Clone, PartialEq, Eq, Debug, Arbitrary, proptest_derive::Arbitrary)]
pub struct ReplayApiCase {
    /// Recorded, and played.
    #[arbitrary(with = |u: &mut Unstructured<'_>| many(u, OPERATIONS_MAX))]
    #[proptest(strategy = "vec(any::<ReplayOperation>(), 0..40)")]
    pub operations: Vec<ReplayOperation>,
    /// Asked of a player of that log after as many of the first operations as `shared` says, modulo their number.
    #[arbitrary(with = |u: &mut Unstructured<'_>| many(u, OPERATIONS_MAX))]
    #[proptest(strategy = "vec(any::<ReplayOperation>(), 0..12)")]
    pub other: Vec<ReplayOperation>,
    /// How many are the same.
    pub shared: u8,
    /// Modulo 32: instructions between digests.
    pub digest_every: u8,
    /// Modulo 32: instructions between snapshots.
    pub snapshot_every: Option<u8>,
    /// Whether the log begins with an initial state.
    pub initial_state: Option<u8>,
}

/// A call of one function, or of two that belong together. Numbers are taken modulo what there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, proptest_derive::Arbitrary)]
#[allow(missing_docs, reason = "the names of docs/replay.md")]
pub enum ReplayOperation {
    /// The guest goes on by so many instructions, modulo 16, and cycles.
    #[proptest(weight = 4)]
    Go(u8, u8),
    Interrupt(u8),
    HasInterrupt,
    Exception(u8),
    HasException,
    Clock(bool, i64),
    HasClock(bool),
    Random(u8, i32),
    CharWrite(u8, i32, u32),
    CharReadAll(u8, u8, i32),
    NetSend(u8),
    AudioOut(u32),
    AudioIn(u8, u8, u32),
    GuestShutdown(u8),
    HostShutdown(u8),
    /// Only among the other questions: a player has its own place for it, after `HostShutdown`.
    LoggedShutdown,
    Checkpoint(u8),
    HasCheckpoint(u8),
    #[proptest(weight = 2)]
    Bh(bool, u8),
    Input(u8, i32),
    InputSync,
    CharRead(u8, u8),
    RegisterNet,
    UnregisterNet(u8),
    NetPacket(u8, u8),
    #[proptest(weight = 2)]
    NextBlock(u8),
    #[proptest(weight = 2)]
    Block(u8, i32, u8),
    #[proptest(weight = 4)]
    Flush,
    EnableEvents,
    DisableEvents,
    /// A digest and a snapshot, where they are due.
    #[proptest(weight = 3)]
    Keep,
    RequestSnapshot,
    CanSnapshot,
    BreakAt(Option<u8>),
    TakeBreak,
    UntilNext,
    NextStop,
    AtEnd,
    /// Saves the state, to play from it later.
    Save,
}

/// The target `replay_api`: the case that these bytes stand for holds.
///
/// # Errors
/// What does not hold, with the case.
pub fn replay_api(bytes: &[u8]) -> Result<(), String> {
    let case = ReplayApiCase::arbitrary_take_rest(Unstructured::new(bytes))
        .map_err(|error| format!("these bytes are no case: {error}"))?;
    check_replay_api(&case)
}

/// Checks what recorder and players answer; see [`ReplayApiCase`].
///
/// # Errors
/// What does not hold, with the case.
pub fn check_replay_api(case: &ReplayApiCase) -> Result<(), String> {
    check(case).map_err(|what| format!("{what}\n{case:#?}"))
}

fn check(case: &ReplayApiCase) -> Result<(), String> {
    let recorded = record(case)?;
    play(case, &recorded)?;
    for saved in recorded.saved.iter().rev().take(RESUMED_MAX) {
        resume(case, &recorded, saved)
            .map_err(|what| format!("resumed after operation {}: {what}", saved.index))?;
    }
    ask_otherwise(case, &recorded)
}

/// A state that was saved, and what the model was then.
struct Saved {
    index: usize,
    state: Vec<u8>,
    pair: (Model, Asking),
}

struct Recorded {
    log: MemoryLog,
    model: Model,
    answers: Vec<Answer>,
    saved: Vec<Saved>,
}

fn recorder(case: &ReplayApiCase, sink: MemorySink) -> Replay {
    let config = RecordConfig {
        subsystems: vec![SUBSYSTEM.to_owned()],
        digest_every: (case.digest_every % 32).into(),
        snapshots: case
            .snapshot_every
            .map_or(Snapshots::OnRequest, |every| Snapshots::Every(u64::from(every % 32) + 1)),
        ..RecordConfig::default()
    };
    Replay::record(Box::new(sink), config)
}

fn player(log: &MemoryLog) -> Replay {
    let subsystems = Replay::recorded_subsystems(vec![SUBSYSTEM.to_owned()]);
    let config = PlayConfig { subsystems, ..PlayConfig::default() };
    Replay::play(Box::new(MemorySource::new(log.clone())), config)
}

fn record(case: &ReplayApiCase) -> Result<Recorded, String> {
    let sink = MemorySink::default();
    let log = sink.log();
    let mut replay = recorder(case, sink);
    replay.start().map_err(|error| error.to_string())?;
    let snapshot_every = case.snapshot_every.map(|every| u64::from(every % 32) + 1);
    let mut model = Model::new(ReplayMode::Record, (case.digest_every % 32).into(), snapshot_every);
    let mut asking = Asking::default();
    if let Some(byte) = case.initial_state {
        let given = vmstate_init(&mut replay, byte);
        agree("vmstate_init", &given, &model.vmstate_init(vec![byte; 3]))?;
    }
    let (mut answers, mut saved) = (Vec::new(), Vec::new());
    for (index, &operation) in case.operations.iter().take(OPERATIONS_MAX).enumerate() {
        if operation == ReplayOperation::LoggedShutdown {
            answers.push(Answer::Nothing);
            continue;
        }
        answers.push(both(&mut replay, &mut model, &mut asking, operation, index)?);
        if operation == ReplayOperation::Save {
            saved.push(Saved { index, state: replay.save(), pair: (model.clone(), asking) });
        }
    }
    both(&mut replay, &mut model, &mut asking, ReplayOperation::Flush, usize::MAX)?;
    let hash = asking.hash();
    let left = replay.finish(|| vec![hash]).map_err(|error| error.to_string())?;
    if left != model.finish(hash) || !left.is_empty() {
        return Err(format!("finish gives back {left:?}"));
    }
    let log = log();
    compare_logs(&log, &model)?;
    Ok(Recorded { log, model, answers, saved })
}

fn compare_logs(log: &MemoryLog, model: &Model) -> Result<(), String> {
    if log.events.len() != model.log.len() {
        return Err(format!("the log has {} events, the model's {}", log.events.len(), model.log.len()));
    }
    for (found, (position, wanted)) in log.events.iter().zip(&model.log) {
        let same = found.position == *position
            && match (&found.event, wanted) {
                (Event::Digest(found), Logged::Digest(hash, _)) => found.len() == 3 && found[0] == *hash,
                (Event::Snapshot { number }, Logged::Snapshot(wanted)) => number == wanted,
                (found, Logged::Event(wanted)) => found == wanted,
                _ => false,
            };
        if !same {
            return Err(format!("the log has {found}, the model {wanted:?} at {position}"));
        }
    }
    Ok(())
}

/// The same questions have the same answers, and the whole log is used.
fn play(case: &ReplayApiCase, recorded: &Recorded) -> Result<(), String> {
    let mut replay = player(&recorded.log);
    replay.start().map_err(|error| error.to_string())?;
    let mut model = Model::player(&recorded.model);
    let mut asking = Asking::default();
    if let Some(byte) = case.initial_state {
        let given = vmstate_init(&mut replay, 0);
        agree("vmstate_init, played", &given, &model.vmstate_init(Vec::new()))?;
        agree("the initial state", &given, &Answer::State(Some(vec![byte; 3])))?;
    }
    let (mut delivered, mut awaited) = (Vec::new(), Vec::new());
    for (index, (&operation, wanted)) in case.operations.iter().zip(&recorded.answers).enumerate() {
        if operation == ReplayOperation::LoggedShutdown {
            continue;
        }
        let answer = both(&mut replay, &mut model, &mut asking, operation, index)?;
        if answer == Answer::Diverged {
            return Err(format!("{index}: it diverges in {operation:?}"));
        }
        match (&answer, wanted) {
            // The log may have more at the same place than had come when this was recorded, and never less.
            (Answer::Delivered(now), Answer::Delivered(then)) => {
                delivered.extend(now.clone());
                awaited.extend(then.clone());
                if !delivered.starts_with(&awaited) {
                    return Err(format!("{index}: delivered {delivered:?} instead of {awaited:?}"));
                }
            }
            _ if answers_alike(operation) => {
                agree(&format!("{index}: {operation:?}, as recorded"), &answer, wanted)?;
            }
            _ => {}
        }
    }
    come_to_the_end(&mut replay, &mut model, &mut asking)
}

/// Whether a player gives the same answer as a recorder.
fn answers_alike(operation: ReplayOperation) -> bool {
    use ReplayOperation as Op;
    !matches!(
        operation,
        Op::HasInterrupt
            | Op::HasException
            | Op::HasClock(_)
            | Op::HasCheckpoint(_)
            | Op::Block(..)
            | Op::Keep
            | Op::RequestSnapshot
            | Op::CanSnapshot
            | Op::UntilNext
            | Op::NextStop
            | Op::AtEnd
    )
}

/// What the loop does at the end of a log.
fn come_to_the_end(replay: &mut Replay, model: &mut Model, asking: &mut Asking) -> Result<(), String> {
    use ReplayOperation as Op;
    for operation in [Op::Flush, Op::LoggedShutdown, Op::Keep] {
        let answer = both(replay, model, asking, operation, usize::MAX)?;
        if answer == Answer::Diverged {
            return Err(format!("it diverges at the end, in {operation:?}"));
        }
    }
    let ended = both(replay, model, asking, Op::AtEnd, usize::MAX)?;
    agree("the end", &ended, &Answer::Flag(true))?;
    let events = model.log.len() as u64;
    if replay.events_passed() + 1 != events {
        return Err(format!("{} of {events} events were used", replay.events_passed()));
    }
    let left = replay.finish(Vec::new).map_err(|error| error.to_string())?;
    if left.is_empty() { Ok(()) } else { Err(format!("a player that finishes gives back {left:?}")) }
}

/// From a saved state on, the rest has the same answers and uses the rest of the log.
fn resume(case: &ReplayApiCase, recorded: &Recorded, saved: &Saved) -> Result<(), String> {
    let mut replay = player(&recorded.log);
    let (then, asking) = &saved.pair;
    let (mut model, mut asking) = (Model::resumed(&recorded.model, then), *asking);
    for (number, registered) in model.nets.iter().enumerate() {
        let net = replay.register_net("net").map_err(|error| error.to_string())?;
        if !registered {
            replay.unregister_net(net).map_err(|error| format!("{number}: {error}"))?;
        }
    }
    replay.start().map_err(|error| error.to_string())?;
    replay.resume(&saved.state).map_err(|error| error.to_string())?;
    if !model.enabled {
        replay.disable_events(|_| {}).map_err(|error| error.to_string())?;
    }
    replay.break_at(model.break_at);
    for (index, &operation) in case.operations.iter().take(OPERATIONS_MAX).enumerate().skip(saved.index + 1) {
        if operation != ReplayOperation::LoggedShutdown {
            let answer = both(&mut replay, &mut model, &mut asking, operation, index)?;
            if answer == Answer::Diverged {
                return Err(format!("{index}: it diverges in {operation:?}"));
            }
        }
    }
    come_to_the_end(&mut replay, &mut model, &mut asking)
}

/// Other questions have the answers of the mode table, until one has none: that is a divergence, once and for all, and
/// whatever is asked then is answered too.
fn ask_otherwise(case: &ReplayApiCase, recorded: &Recorded) -> Result<(), String> {
    let mut replay = player(&recorded.log);
    replay.start().map_err(|error| error.to_string())?;
    let mut model = Model::player(&recorded.model);
    let mut asking = Asking::default();
    let mut diverged = false;
    if case.initial_state.is_some() {
        diverged = vmstate_init(&mut replay, 0) == Answer::Diverged;
        model.vmstate_init(Vec::new());
    }
    let shared = usize::from(case.shared) % (case.operations.len().min(OPERATIONS_MAX) + 1);
    let sequence = case.operations[..shared].iter().chain(case.other.iter().take(OPERATIONS_MAX));
    for (index, &operation) in sequence.enumerate() {
        if diverged {
            asking.ask(&mut replay, operation);
        } else {
            diverged = both(&mut replay, &mut model, &mut asking, operation, index)? == Answer::Diverged;
        }
    }
    let _ = replay.finish(Vec::new);
    Ok(())
}

/// Asks the state machine and the model, which must agree.
fn both(
    replay: &mut Replay,
    model: &mut Model,
    asking: &mut Asking,
    operation: ReplayOperation,
    index: usize,
) -> Result<Answer, String> {
    let mut modelled = *asking;
    let answer = asking.ask(replay, operation);
    let wanted = modelled.ask(model, operation);
    agree(&format!("{index}: {operation:?}"), &answer, &wanted)?;
    if Functions::mode(replay) != model.mode {
        return Err(format!("{index}: {operation:?}: it is in mode {}", model.mode.name()));
    }
    Ok(answer)
}

fn vmstate_init(replay: &mut Replay, byte: u8) -> Answer {
    match replay.vmstate_init(|| vec![byte; 3]) {
        Ok(state) => Answer::State(state),
        Err(ReplayError::Divergence(_)) => Answer::Diverged,
        Err(_) => Answer::Refused,
    }
}

fn agree(what: &str, found: &Answer, wanted: &Answer) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what}: {found:?} instead of {wanted:?}")) }
}
