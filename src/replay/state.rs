//! [`Replay`]: its state, its life from start to finish, and where it is.

use super::digest::next_multiple;
use super::event_hash::EventHash;
use super::extract::LogExtract;
use super::{AsyncQueue, Divergence, EventSink, EventSource, Found, ReplayError, ReplayMode};
use crate::events::Delivery;
use crate::log::event::{Event, StampedEvent};
use crate::nondet::{CharId, NetId, Owner, ShutdownCause};
use crate::persist::Digest;
use crate::units::Position;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many events a divergence report looks back.
const RECENT_EVENTS: usize = 16;

/// How much these events carry at most, so that a small file does not cost much memory.
const RECENT_BYTES_MAX: usize = 2 << 20;

/// Subsystems that the state machine adds to those of the guest: requests that wait, and the hash of all events so far.
pub const OWN_SUBSYSTEMS: [&str; 2] = ["queue", "events"];

/// What a recording is made with.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RecordConfig {
    /// Where it starts.
    pub start: Position,
    /// Names of the guest's hashes in a digest, in their order.
    pub subsystems: Vec<String>,
    /// Instructions between digests; 0 leaves them to the start and the end.
    pub digest_every: u64,
    /// Which snapshots are taken without being asked for.
    pub snapshots: Snapshots,
}

/// Which snapshots are taken without being asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Snapshots {
    /// None.
    #[default]
    OnRequest,
    /// One at each multiple of so many instructions.
    Every(u64),
    /// So many that each instruction is near one, and so few that the file stays small.
    Automatic,
}

impl Snapshots {
    /// When the next one is due, after one at `here` that took so many bytes.
    pub(super) fn next(self, here: u64, bytes: usize) -> u64 {
        match self {
            Snapshots::OnRequest => u64::MAX,
            Snapshots::Every(every) => next_multiple(here, every),
            Snapshots::Automatic => {
                let worth = (bytes as u64).saturating_mul(INSTRUCTIONS_PER_SNAPSHOT_BYTE);
                here.saturating_add(worth.max(AUTOMATIC_SNAPSHOTS_MIN))
            }
        }
    }
}

/// Instructions between automatic snapshots, at least: what replays in some 10 ms.
const AUTOMATIC_SNAPSHOTS_MIN: u64 = 2_500_000;

/// Instructions that pay for a byte of an automatic snapshot: 0.005 bytes an instruction at the most.
const INSTRUCTIONS_PER_SNAPSHOT_BYTE: u64 = 200;

/// What a recording is played with: what its header says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PlayConfig {
    /// Where it starts.
    pub start: Position,
    /// Names of the hashes in the recording's digests.
    pub subsystems: Vec<String>,
    /// The character devices that the recording registered; `None` when it is not known.
    pub chars: Option<Vec<String>>,
}

/// The record/replay state machine of one machine.
///
/// ```
/// use rreplay::nondet::ClockKind;
/// use rreplay::replay::{MemorySink, MemorySource, PlayConfig, RecordConfig, Replay, ReplayError};
/// use rreplay::units::Position;
///
/// // A machine that has executed 3 instructions in 10 cycles reads the host's clock.
/// fn run(replay: &mut Replay, host_clock: impl FnOnce() -> i64) -> Result<i64, ReplayError> {
///     let at = Position::new(3, 10);
///     replay.start()?;
///     replay.account_executed(at)?;
///     let time = replay.clock(at, ClockKind::Host, host_clock)?;
///     replay.finish(Vec::new)?;
///     Ok(time)
/// }
///
/// let sink = MemorySink::default();
/// let log = sink.log();
/// let mut recorder = Replay::record(Box::new(sink), RecordConfig::default());
/// assert_eq!(run(&mut recorder, || 1_700_000_000)?, 1_700_000_000);
///
/// // In the replay the log answers, and the host is not asked.
/// let mut player = Replay::play(Box::new(MemorySource::new(log())), PlayConfig::default());
/// assert_eq!(run(&mut player, || unreachable!())?, 1_700_000_000);
/// # Ok::<(), ReplayError>(())
/// ```
pub struct Replay {
    pub(super) mode: ReplayMode,
    pub(super) position: Position,
    /// The position accounted before, for a seeded fault.
    pub(super) position_before: Position,
    pub(super) sink: Option<Box<dyn EventSink>>,
    pub(super) source: Option<Box<dyn EventSource>>,
    /// Player: what is consumed goes there too.
    pub(super) extract: Option<LogExtract>,
    pub(super) queue: AsyncQueue,
    pub(super) events_enabled: bool,
    pub(super) flushing: bool,
    finished: bool,
    pub(super) shutdown_logged: bool,
    pub(super) cached_clocks: [i64; 2],
    chars: Vec<String>,
    recorded_chars: Option<Vec<String>>,
    nets: Vec<Option<String>>,
    /// Block requests that have not completed, with who made them.
    pub(super) outstanding: BTreeMap<u64, Owner>,
    /// Requests of the machine's that it has not made in the state it was put into.
    pub(super) abandoned: BTreeSet<u64>,
    pub(super) next_block: u64,
    blockers: Vec<String>,
    pub(super) recent: VecDeque<StampedEvent>,
    pub(super) subsystems: Vec<String>,
    /// Whether digests have [`OWN_SUBSYSTEMS`]; the first recordings did not.
    pub(super) hashes_events: bool,
    pub(super) event_hash: EventHash,
    pub(super) digest_every: u64,
    pub(super) next_digest: u64,
    pub(super) snapshots: Snapshots,
    pub(super) next_snapshot: u64,
    pub(super) snapshot_requested: bool,
    pub(super) last_matching_digest: Option<Position>,
    /// Player: distance from the current event to the next one that ends a slice, once looked up.
    pub(super) next_stop_ahead: Option<usize>,
    break_at: Option<u64>,
    /// Events logged or consumed so far: the ordinal of the next.
    pub(super) events_passed: u64,
    /// Player: the format version of a log of an older engine, for reports.
    older_format: Option<u16>,
}

impl Replay {
    fn new(mode: ReplayMode) -> Self {
        Self {
            mode,
            position: Position::default(),
            position_before: Position::default(),
            sink: None,
            source: None,
            extract: None,
            queue: AsyncQueue::default(),
            events_enabled: false,
            flushing: false,
            finished: false,
            shutdown_logged: false,
            cached_clocks: [0; 2],
            chars: Vec::new(),
            recorded_chars: None,
            nets: Vec::new(),
            outstanding: BTreeMap::new(),
            abandoned: BTreeSet::new(),
            next_block: 0,
            blockers: Vec::new(),
            recent: VecDeque::with_capacity(RECENT_EVENTS),
            subsystems: Vec::new(),
            hashes_events: true,
            event_hash: EventHash::starting_with(Digest([0; 16])),
            digest_every: 0,
            next_digest: u64::MAX,
            snapshots: Snapshots::OnRequest,
            next_snapshot: u64::MAX,
            snapshot_requested: false,
            last_matching_digest: None,
            next_stop_ahead: None,
            break_at: None,
            events_passed: 0,
            older_format: None,
        }
    }

    /// The state machine in mode `none`.
    pub fn none() -> Self {
        Self::new(ReplayMode::None)
    }

    /// Records into `sink`.
    pub fn record(sink: Box<dyn EventSink>, config: RecordConfig) -> Self {
        let start = config.start.icount;
        Self {
            event_hash: EventHash::starting_with(sink.identity()),
            sink: Some(sink),
            position: config.start,
            subsystems: Self::recorded_subsystems(config.subsystems),
            digest_every: config.digest_every,
            next_digest: start,
            snapshots: config.snapshots,
            next_snapshot: match config.snapshots {
                Snapshots::Every(every) => start.saturating_add(every),
                other => other.next(start, 0),
            },
            ..Self::new(ReplayMode::Record)
        }
    }

    /// The names of a recording's hashes: the guest's, and the state machine's own.
    pub fn recorded_subsystems(mut of_guest: Vec<String>) -> Vec<String> {
        of_guest.extend(OWN_SUBSYSTEMS.map(str::to_owned));
        of_guest
    }

    /// Plays `source`.
    pub fn play(source: Box<dyn EventSource>, config: PlayConfig) -> Self {
        Self {
            event_hash: EventHash::starting_with(source.identity()),
            source: Some(source),
            position: config.start,
            hashes_events: config.subsystems.ends_with(&OWN_SUBSYSTEMS.map(str::to_owned)),
            subsystems: config.subsystems,
            recorded_chars: config.chars,
            ..Self::new(ReplayMode::Play)
        }
    }

    /// Whether the digests have the hash of all events.
    pub fn hashes_events(&self) -> bool {
        self.hashes_events
    }

    /// Whether the digests have a hash of that name.
    pub fn has_subsystem(&self, name: &str) -> bool {
        self.subsystems.iter().any(|subsystem| subsystem == name)
    }

    /// The current mode.
    pub fn mode(&self) -> ReplayMode {
        self.mode
    }

    /// Instructions retired, as last accounted.
    pub fn current_icount(&self) -> u64 {
        self.position.icount
    }

    /// The position last accounted.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Registers a character device; numbers follow the order of registration.
    ///
    /// # Errors
    /// In play, when the recording has another device under this number.
    pub fn register_char(&mut self, name: &str) -> Result<CharId, ReplayError> {
        let number = self.chars.len();
        if self.mode == ReplayMode::Play
            && let Some(recorded) = &self.recorded_chars
            && recorded.get(number).is_none_or(|recorded| recorded != name)
        {
            return Err(ReplayError::CharDevice {
                number,
                registered: name.to_owned(),
                recorded: recorded.get(number).cloned().unwrap_or_default(),
            });
        }
        if number > usize::from(u16::MAX) {
            return Err(ReplayError::TooManyDevices { name: name.to_owned() });
        }
        self.chars.push(name.to_owned());
        Ok(CharId(number as u16))
    }

    /// The character devices registered, in order.
    pub fn chars(&self) -> &[String] {
        &self.chars
    }

    /// Registers a network device; numbers follow the order of registration and are not used again.
    ///
    /// # Errors
    /// When there are 65,536 already.
    pub fn register_net(&mut self, name: &str) -> Result<NetId, ReplayError> {
        let number = u16::try_from(self.nets.len())
            .map_err(|_| ReplayError::TooManyDevices { name: name.to_owned() })?;
        self.nets.push(Some(name.to_owned()));
        Ok(NetId(number))
    }

    /// Takes a network device away: its packets are dropped from now on.
    ///
    /// # Errors
    /// When it was never registered, or is gone already.
    pub fn unregister_net(&mut self, device: NetId) -> Result<(), ReplayError> {
        let name = self.nets.get_mut(usize::from(device.0)).and_then(Option::take);
        name.map(|_| ()).ok_or(ReplayError::NoSuchNet { number: device.0 })
    }

    /// Whether a network device is registered.
    pub fn has_net(&self, device: NetId) -> bool {
        self.nets.get(usize::from(device.0)).is_some_and(Option::is_some)
    }

    /// Remembers why this machine cannot be recorded; [`start`](Replay::start) then fails with every reason.
    pub fn add_blocker(&mut self, reason: &str) {
        self.blockers.push(reason.to_owned());
    }

    /// Starts recording or playing: enables async events. A no-op in mode none.
    ///
    /// # Errors
    /// [`ReplayError::Blocked`] when somebody added a blocker.
    pub fn start(&mut self) -> Result<(), ReplayError> {
        if self.mode == ReplayMode::None {
            return Ok(());
        }
        if !self.blockers.is_empty() {
            return Err(ReplayError::Blocked { reasons: self.blockers.clone() });
        }
        self.events_enabled = true;
        Ok(())
    }

    /// Ends a recording at the current position: what was queued is returned, to be run unlogged, `shutdown` is
    /// logged if nothing was, then the final digest, `end`, index and sync. A player is closed. Does nothing when
    /// called again.
    ///
    /// # Errors
    /// When the log cannot be written; the prefix stays usable.
    pub fn finish(&mut self, digests: impl FnOnce() -> Vec<Digest>) -> Result<Vec<Delivery>, ReplayError> {
        if std::mem::replace(&mut self.finished, true) {
            return Ok(Vec::new());
        }
        self.events_enabled = false;
        self.source = None;
        let ended = match self.mode {
            ReplayMode::Record => self.end_log(digests),
            ReplayMode::None | ReplayMode::Play => Ok(()),
        };
        self.mode = ReplayMode::None;
        self.sink = None;
        ended?;
        Ok(std::iter::from_fn(|| self.queue.pop()).collect())
    }

    fn end_log(&mut self, digests: impl FnOnce() -> Vec<Digest>) -> Result<(), ReplayError> {
        if !self.shutdown_logged {
            self.log(self.position, Event::Shutdown(ShutdownCause::None))?;
        }
        let digests = self.with_own_digests(digests());
        self.log(self.position, Event::Digest(digests))?;
        self.log(self.position, Event::End)?;
        if let Some(sink) = &mut self.sink {
            sink.finish()?;
        }
        Ok(())
    }

    /// Makes everything recorded so far survive the end of this process.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn flush_log(&mut self) -> Result<(), ReplayError> {
        match &mut self.sink {
            Some(sink) => Ok(sink.flush()?),
            None => Ok(()),
        }
    }

    // ---- instructions ----

    /// Instructions that may run before something must happen: until the next event in play, until the break in any
    /// mode, else without limit.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn instructions_until_next_event(&mut self) -> Result<u64, ReplayError> {
        let here = self.position.icount;
        // Only a player has a source to peek into.
        let next = self.peek()?.map_or(u64::MAX, |event| event.position.icount.saturating_sub(here));
        let until_break = self.break_at.map_or(u64::MAX, |at| at.saturating_sub(here));
        Ok(next.min(until_break))
    }

    /// Sets or deletes the icount at which a run ends, once.
    pub fn break_at(&mut self, icount: Option<u64>) {
        self.break_at = icount;
    }

    /// The icount of the break, if there is one.
    pub fn break_icount(&self) -> Option<u64> {
        self.break_at
    }

    /// Whether the break is reached; it is then deleted.
    pub fn take_break(&mut self) -> bool {
        self.break_at.take_if(|at| *at <= self.position.icount).is_some()
    }

    /// Advances by what the guest has executed, to `position`.
    ///
    /// # Errors
    /// In play, a divergence when the log has an event before `position` that was not consumed.
    pub fn account_executed(&mut self, position: Position) -> Result<(), ReplayError> {
        debug_assert!(position >= self.position, "the guest runs forward");
        if self.mode == ReplayMode::Play
            && let Some(next) = self.peek()?
            && next.position < position
        {
            self.position = position;
            return Err(self.diverged(Found::Passed));
        }
        if position != self.position {
            self.position_before = std::mem::replace(&mut self.position, position);
        }
        Ok(())
    }

    // ---- divergence ----

    /// A divergence here: the replay found something other than the next event of the log.
    pub fn diverged(&mut self, found: Found) -> ReplayError {
        let byte_offset = self.source.as_ref().and_then(|source| source.byte_offset());
        let expected = self.peek().ok().flatten().cloned();
        ReplayError::Divergence(Box::new(Divergence {
            position: self.position,
            expected,
            byte_offset,
            found,
            pc: None,
            recent: self.recent.iter().cloned().collect(),
            last_matching_digest: self.last_matching_digest,
            queued: self.queued_descriptions(),
            lock_holder: None,
            executed: Vec::new(),
            diagnosis: None,
            likely_cause: self.older_format.map(recorded_by_an_older_engine),
        }))
    }

    /// Player: the log is of an engine whose chips did some things otherwise, in files of this version. A divergence says so.
    pub fn is_of_older_engine(&mut self, format_version: u16) {
        self.older_format = Some(format_version);
    }

    /// A divergence at `at`: the guest came to `what`, and the log has something else next.
    pub fn unexpected(&mut self, at: Position, what: String) -> ReplayError {
        self.position = at;
        self.diverged(Found::Event(what))
    }

    // ---- log access ----

    /// Whether the log has such an event next, at `at`. True in the other modes.
    pub(super) fn next_here(
        &mut self,
        at: Position,
        wanted: impl FnOnce(&Event) -> bool,
    ) -> Result<bool, ReplayError> {
        if self.mode != ReplayMode::Play {
            return Ok(true);
        }
        Ok(self.peek()?.is_some_and(|next| next.position == at && wanted(&next.event)))
    }

    /// Player: whether the log has such an event next, at `at`. False in the other modes, for they have no log to look
    /// into: what asks this wants to know what the log has, and not whether something may be done.
    pub(super) fn has_next(
        &mut self,
        at: Position,
        wanted: impl FnOnce(&Event) -> bool,
    ) -> Result<bool, ReplayError> {
        Ok(self.mode == ReplayMode::Play && self.next_here(at, wanted)?)
    }

    /// Player: the next event, whatever it is.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn peek(&mut self) -> Result<Option<&StampedEvent>, ReplayError> {
        match &mut self.source {
            Some(source) => Ok(source.peek(0)?),
            None => Ok(None),
        }
    }

    /// Player: the `ahead`-th event after the next one.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn peek_ahead(&mut self, ahead: usize) -> Result<Option<&StampedEvent>, ReplayError> {
        match &mut self.source {
            Some(source) => Ok(source.peek(ahead)?),
            None => Ok(None),
        }
    }

    pub(super) fn log(&mut self, at: Position, event: Event) -> Result<(), ReplayError> {
        if let Some(sink) = &mut self.sink {
            sink.append(at, &event)?;
            self.passed(at, &event);
        }
        Ok(())
    }

    /// An event is in the log, or taken from it.
    pub(super) fn passed(&mut self, at: Position, event: &Event) {
        if self.hashes_events {
            self.event_hash.add(at, event);
        }
        self.events_passed += 1;
    }

    pub(super) fn consume(&mut self) -> Result<Event, ReplayError> {
        let Some(next) = self.peek()?.cloned() else {
            return Err(self.diverged(Found::Event("an event after the end of the log".to_owned())));
        };
        if let Some(source) = &mut self.source {
            if let Event::Snapshot { number } = next.event
                && self.hashes_events
            {
                self.event_hash.add_container(&source.read_snapshot(number)?);
            }
            source.advance();
        }
        self.passed(next.position, &next.event);
        if let Some(extract) = &mut self.extract {
            extract.take(&next)?;
        }
        self.next_stop_ahead = self.next_stop_ahead.and_then(|ahead| ahead.checked_sub(1));
        let event = next.event.clone();
        self.remember(next);
        Ok(event)
    }

    /// For reports. Heavy events push out more than one.
    fn remember(&mut self, event: StampedEvent) {
        if event.event.heap_bytes() > RECENT_BYTES_MAX / RECENT_EVENTS {
            let mut room = RECENT_BYTES_MAX.saturating_sub(event.event.heap_bytes());
            let fits = |event: &&StampedEvent| {
                room = room.saturating_sub(event.event.heap_bytes());
                room > 0
            };
            let kept = self.recent.iter().rev().take_while(fits).count();
            self.recent.drain(..self.recent.len() - kept);
        }
        if self.recent.len() == RECENT_EVENTS {
            self.recent.pop_front();
        }
        self.recent.push_back(event);
    }

    /// Events logged, or consumed, so far: the ordinal of the next.
    pub fn events_passed(&self) -> u64 {
        self.events_passed
    }
}

/// What is likely to make a recording of an older engine diverge.
fn recorded_by_an_older_engine(version: u16) -> String {
    format!(
        "it was recorded in format version {version}, by an older engine, whose chips behaved otherwise in some cycles; \
         a release that writes version {version} replays it"
    )
}
