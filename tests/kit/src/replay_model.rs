//! A naive model of the state machine: a list of events and what stands in docs/replay.md, written without looking at
//! how [`Replay`](rreplay::replay::Replay) does it. No chunks, no look-ahead, no hashes.

use rreplay::events::{AsyncEvent, Delivery};
use rreplay::log::Event;
use rreplay::nondet::{CharWritten, ClockKind, Owner, ShutdownCause};
use rreplay::persist::Digest;
use rreplay::replay::ReplayMode;
use rreplay::units::Position;
use std::collections::{BTreeMap, VecDeque};

/// What a question gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    Nothing,
    Flag(bool),
    Number(u64),
    Clock(i64),
    Bytes(i32, Vec<u8>),
    Written(CharWritten),
    Samples(u32, u32, Vec<i16>),
    GivenBack(Option<Delivery>),
    Delivered(Vec<Delivery>),
    Cause(Option<ShutdownCause>),
    At(Option<Position>),
    /// Whether a digest and a snapshot were due.
    Kept(bool, bool),
    State(Option<Vec<u8>>),
    Refused,
    Diverged,
    /// A player has asked the host.
    HostAsked,
}

/// What is asked for and answered later, as it is hashed into digests.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Requests {
    calls: Vec<Delivery>,
    blocks: BTreeMap<u64, Owner>,
    next_block: u64,
}

/// An event of the model's log. A digest has what is hashed instead of the hashes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Logged {
    Event(Event),
    Digest(Digest, Requests),
    Snapshot(u64),
}

/// The model.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub mode: ReplayMode,
    pub position: Position,
    pub log: Vec<(Position, Logged)>,
    /// Player: the event that comes next. Recorder: the events so far.
    pub next: usize,
    pub enabled: bool,
    pub nets: Vec<bool>,
    queue: VecDeque<Delivery>,
    requests: BTreeMap<u64, Owner>,
    next_block: u64,
    clocks: [i64; 2],
    pub break_at: Option<u64>,
    shutdown_logged: bool,
    snapshot_requested: bool,
    digest_every: u64,
    next_digest: u64,
    snapshot_every: Option<u64>,
    next_snapshot: u64,
    snapshots: Vec<Vec<u8>>,
    finished: bool,
}

impl Model {
    pub fn new(mode: ReplayMode, digest_every: u64, snapshot_every: Option<u64>) -> Self {
        Self {
            mode,
            position: Position::default(),
            log: Vec::new(),
            next: 0,
            enabled: mode != ReplayMode::None,
            nets: Vec::new(),
            queue: VecDeque::new(),
            requests: BTreeMap::new(),
            next_block: 0,
            clocks: [0; 2],
            break_at: None,
            shutdown_logged: false,
            snapshot_requested: false,
            digest_every,
            next_digest: 0,
            snapshot_every,
            next_snapshot: snapshot_every.unwrap_or(u64::MAX),
            snapshots: Vec::new(),
            finished: false,
        }
    }

    /// A player of the recorder's log.
    pub fn player(recorder: &Model) -> Self {
        let log = recorder.log.clone();
        Self { log, snapshots: recorder.snapshots.clone(), ..Self::new(ReplayMode::Play, 0, None) }
    }

    /// A player of the whole log, at the place at which the recorder was when it was as `then`.
    pub fn resumed(whole: &Model, then: &Model) -> Self {
        let mut player = Self::player(whole);
        player.next = then.log.len();
        player.position = then.position;
        player.clocks = then.clocks;
        player.queue = then.calls().cloned().collect();
        (player.requests, player.next_block) = (then.requests.clone(), then.next_block);
        (player.enabled, player.nets, player.break_at) = (then.enabled, then.nets.clone(), then.break_at);
        player
    }

    // ---- the log ----

    fn put(&mut self, at: Position, logged: Logged) {
        self.log.push((at, logged));
    }

    /// Player: whether this comes next, at `at`.
    fn is_next(&self, at: Position, wanted: impl Fn(&Event) -> bool) -> bool {
        self.next_event(at).is_some_and(wanted)
    }

    fn next_event(&self, at: Position) -> Option<&Event> {
        match self.log.get(self.next) {
            Some((position, Logged::Event(event))) if *position == at => Some(event),
            _ => None,
        }
    }

    pub fn calls(&self) -> impl Iterator<Item = &Delivery> {
        let is_call = |delivery: &&Delivery| {
            matches!(delivery.event, AsyncEvent::Bh { .. } | AsyncEvent::BhOneshot { .. })
        };
        self.queue.iter().filter(is_call)
    }

    fn requests(&self) -> Requests {
        Requests {
            calls: self.calls().cloned().collect(),
            blocks: self.requests.clone(),
            next_block: self.next_block,
        }
    }

    // ---- the guest's side ----

    /// What carries no answer.
    pub fn pass(&mut self, at: Position, event: Event) -> bool {
        match self.mode {
            ReplayMode::None => true,
            ReplayMode::Record => {
                self.put(at, Logged::Event(event));
                true
            }
            ReplayMode::Play => {
                let next = self.is_next(at, |logged| *logged == event);
                self.next += usize::from(next);
                next
            }
        }
    }

    pub fn has(&self, at: Position, wanted: impl Fn(&Event) -> bool) -> bool {
        self.mode != ReplayMode::Play || self.is_next(at, wanted)
    }

    /// What a look into the log shows; there is none in the other modes.
    pub fn sees(&self, at: Position, wanted: impl Fn(&Event) -> bool) -> bool {
        self.mode == ReplayMode::Play && self.is_next(at, wanted)
    }

    /// What is answered by the host, with `event`, or by the log, with an event of which `fits` gives the answer.
    pub fn ask(&mut self, at: Position, event: Event, fits: impl Fn(&Event) -> Option<Answer>) -> Answer {
        let of_host = fits(&event).unwrap_or(Answer::Diverged);
        match self.mode {
            ReplayMode::None => of_host,
            ReplayMode::Record => {
                self.put(at, Logged::Event(event));
                of_host
            }
            ReplayMode::Play => match self.next_event(at).and_then(fits) {
                Some(answer) => {
                    self.next += 1;
                    answer
                }
                None => Answer::Diverged,
            },
        }
    }

    pub fn clock(&mut self, at: Position, kind: ClockKind, value: i64) -> Answer {
        let of_kind = |event: &Event| match event {
            Event::Clock { kind: of, value } if *of == kind => Some(Answer::Clock(*value)),
            _ => None,
        };
        match self.ask(at, Event::Clock { kind, value }, of_kind) {
            Answer::Clock(value) => {
                self.clocks[kind as usize] = value;
                Answer::Clock(value)
            }
            _ => Answer::Clock(self.clocks[kind as usize]),
        }
    }

    pub fn guest_shutdown(&mut self, at: Position, cause: ShutdownCause) -> bool {
        let acts = self.pass(at, Event::Shutdown(cause));
        self.shutdown_logged |= acts;
        acts
    }

    // ---- the loop's side ----

    /// Player: whether an event was passed without being consumed.
    pub fn account(&mut self, to: Position) -> Answer {
        self.position = to;
        let passed = self.mode == ReplayMode::Play
            && self.log.get(self.next).is_some_and(|(position, _)| *position < to);
        if passed { Answer::Diverged } else { Answer::Nothing }
    }

    pub fn host_shutdown(&mut self, cause: ShutdownCause) -> bool {
        if self.mode == ReplayMode::Play {
            return false;
        }
        self.guest_shutdown(self.position, cause)
    }

    pub fn logged_shutdown(&mut self) -> Option<ShutdownCause> {
        if self.mode != ReplayMode::Play {
            return None;
        }
        match self.next_event(self.position) {
            Some(Event::Shutdown(cause)) if !cause.is_of_guest() => {
                let cause = *cause;
                self.next += 1;
                Some(cause)
            }
            _ => None,
        }
    }

    /// What comes from the host by itself.
    pub fn arrives(&mut self, event: AsyncEvent) -> Option<Delivery> {
        let delivery = Delivery::from(event);
        if let AsyncEvent::Net { device, .. } = delivery.event
            && self.nets.get(usize::from(device)) != Some(&true)
        {
            return None;
        }
        if !self.enabled {
            return Some(delivery);
        }
        if self.mode == ReplayMode::Record {
            self.queue.push_back(delivery);
        }
        None
    }

    pub fn call(&mut self, event: AsyncEvent, owner: Owner) -> Option<Delivery> {
        let delivery = Delivery { event, owner: Some(owner) };
        if !self.enabled {
            return Some(delivery);
        }
        self.queue.push_back(delivery);
        None
    }

    pub fn next_block(&mut self, owner: Owner) -> u64 {
        self.requests.insert(self.next_block, owner);
        self.next_block += 1;
        self.next_block - 1
    }

    pub fn block(&mut self, id: u64, result: i32, data: Vec<u8>) -> Answer {
        if self.mode == ReplayMode::Play && self.enabled {
            return Answer::GivenBack(None);
        }
        let is_queued =
            |delivery: &Delivery| matches!(delivery.event, AsyncEvent::Block { id: of, .. } if of == id);
        let owner = self.requests.get(&id).copied();
        if owner.is_none() || self.queue.iter().any(is_queued) {
            return Answer::Refused;
        }
        let delivery = Delivery { event: AsyncEvent::Block { id, result, data }, owner };
        if self.enabled {
            self.queue.push_back(delivery);
            return Answer::GivenBack(None);
        }
        self.requests.remove(&id);
        Answer::GivenBack(Some(delivery))
    }

    pub fn flush(&mut self) -> Vec<Delivery> {
        let mut delivered = Vec::new();
        if self.mode != ReplayMode::Play {
            while let Some(delivery) = self.queue.pop_front() {
                self.put(self.position, Logged::Event(Event::Async(delivery.event.clone())));
                self.forget(&delivery.event);
                delivered.push(delivery);
            }
            return delivered;
        }
        while let Some(Event::Async(event)) = self.next_event(self.position) {
            let event = event.clone();
            let owner = match &event {
                AsyncEvent::Bh { .. } | AsyncEvent::BhOneshot { .. } => {
                    let Some(at) = self.queue.iter().position(|queued| queued.event == event) else { break };
                    self.queue.remove(at).and_then(|queued| queued.owner)
                }
                AsyncEvent::Block { id, .. } => {
                    let Some(owner) = self.requests.get(id) else { break };
                    Some(*owner)
                }
                _ => None,
            };
            self.forget(&event);
            self.next += 1;
            delivered.push(Delivery { event, owner });
        }
        delivered
    }

    fn forget(&mut self, event: &AsyncEvent) {
        if let AsyncEvent::Block { id, .. } = event {
            self.requests.remove(id);
        }
    }

    // ---- digests, snapshots, the end ----

    pub fn request_snapshot(&mut self) -> Answer {
        if self.mode != ReplayMode::Record {
            return Answer::Refused;
        }
        self.snapshot_requested = true;
        Answer::Nothing
    }

    fn snapshot_due(&self) -> bool {
        let wanted = self.snapshot_requested || self.position.icount >= self.next_snapshot;
        wanted && self.queue.is_empty()
    }

    /// A digest and a snapshot, where they are due.
    pub fn keep(&mut self, hash: Digest) -> Answer {
        let here = self.position;
        match self.mode {
            ReplayMode::None => Answer::Kept(false, false),
            ReplayMode::Record => {
                let snapshot = self.snapshot_due();
                let digest = snapshot || here.icount >= self.next_digest;
                if digest {
                    if here.icount >= self.next_digest {
                        self.next_digest = multiple_behind(here.icount, self.digest_every);
                    }
                    self.put(here, Logged::Digest(hash, self.requests()));
                }
                if snapshot {
                    self.snapshot_requested = false;
                    if let Some(every) = self.snapshot_every {
                        self.next_snapshot = multiple_behind(here.icount, every);
                    }
                    self.put_snapshot(Vec::new());
                }
                Answer::Kept(digest, snapshot)
            }
            ReplayMode::Play => {
                let mut kept = (false, false);
                if let Some((position, Logged::Digest(logged, requests))) = self.log.get(self.next)
                    && *position == here
                {
                    if *logged != hash || *requests != self.requests() {
                        return Answer::Diverged;
                    }
                    self.next += 1;
                    kept.0 = true;
                }
                if let Some((position, Logged::Snapshot(_))) = self.log.get(self.next)
                    && *position == here
                {
                    self.next += 1;
                    kept.1 = true;
                }
                Answer::Kept(kept.0, kept.1)
            }
        }
    }

    fn put_snapshot(&mut self, state: Vec<u8>) {
        self.put(self.position, Logged::Snapshot(self.snapshots.len() as u64));
        self.snapshots.push(state);
    }

    pub fn vmstate_init(&mut self, state: Vec<u8>) -> Answer {
        match self.mode {
            ReplayMode::None => Answer::State(None),
            ReplayMode::Record => {
                self.put_snapshot(state);
                Answer::State(None)
            }
            ReplayMode::Play => match self.log.get(self.next) {
                Some((position, Logged::Snapshot(number))) if *position == self.position => {
                    self.next += 1;
                    Answer::State(self.snapshots.get(*number as usize).cloned())
                }
                _ => Answer::Diverged,
            },
        }
    }

    pub fn finish(&mut self, hash: Digest) -> Vec<Delivery> {
        if std::mem::replace(&mut self.finished, true) {
            return Vec::new();
        }
        self.enabled = false;
        if self.mode == ReplayMode::Record {
            if !self.shutdown_logged {
                self.put(self.position, Logged::Event(Event::Shutdown(ShutdownCause::None)));
            }
            self.put(self.position, Logged::Digest(hash, self.requests()));
            self.put(self.position, Logged::Event(Event::End));
        }
        self.mode = ReplayMode::None;
        self.queue.drain(..).collect()
    }

    // ---- how far ----

    pub fn take_break(&mut self) -> bool {
        let reached = self.break_at.is_some_and(|at| at <= self.position.icount);
        if reached {
            self.break_at = None;
        }
        reached
    }

    pub fn until_next(&self) -> u64 {
        let here = self.position.icount;
        let next = match (self.mode, self.log.get(self.next)) {
            (ReplayMode::Play, Some((position, _))) => position.icount.saturating_sub(here),
            _ => u64::MAX,
        };
        next.min(self.break_at.map_or(u64::MAX, |at| at.saturating_sub(here)))
    }

    /// Player of a finished log: where the guest cannot get past by itself.
    pub fn next_stop(&self) -> Option<Position> {
        if self.mode != ReplayMode::Play {
            return None;
        }
        let by_guest = |logged: &Logged| match logged {
            Logged::Event(Event::Shutdown(cause)) => cause.is_of_guest(),
            Logged::Event(event) => !matches!(event, Event::Async(_) | Event::Checkpoint(_) | Event::End),
            Logged::Digest(..) | Logged::Snapshot(_) => false,
        };
        self.log[self.next..].iter().find(|(_, logged)| !by_guest(logged)).map(|(position, _)| *position)
    }

    pub fn at_end(&self) -> bool {
        self.mode == ReplayMode::Play
            && (self.next >= self.log.len() || self.is_next(self.position, |event| *event == Event::End))
    }

    pub fn can_snapshot(&self) -> bool {
        self.queue.is_empty()
    }
}

/// The next multiple of `every`; 0 for never.
fn multiple_behind(icount: u64, every: u64) -> u64 {
    icount.checked_div(every).map_or(u64::MAX, |intervals| (intervals + 1) * every)
}
