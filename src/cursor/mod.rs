//! One replay of a recording, moved about: it goes to any place by the shortest way from a state that is kept.
//!
//! It takes the iterations of the vCPU itself, one scheduler's half without the other: nothing comes from any host in play.
//! Timelines search and look with it; [`compare`](crate::compare) moves two of them side by side. What both do, to go on to
//! a limit and to come back to a state, is here once (`run.rs`, `states.rs`).

pub mod cancel;
mod keyframes;
pub mod queries;
mod run;
pub mod search;
pub mod search_worker;
mod seek;
pub mod snapshot_index;
mod states;
mod trail;
mod watch;

pub use cancel::Cancel;
pub(crate) use states::{WholeState, timers};

use crate::error::Error;
use crate::log::{LogReader, StampedEvent};
use crate::replay::Divergence;
use crate::seeded_faults::{SeededFault, is_seeded};
use crate::session::Session;
use crate::session::snapshot_check::{SnapshotSource, snapshot_check};
use crate::sync::Shared;
use crate::units::Position;
use keyframes::{Keyframe, KeyframeCache};
use run::Course;
use snapshot_index::SnapshotIndex;
use trail::Trail;

/// Where a stretch of the run ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Goal {
    /// Where so many instructions have just retired.
    Arrival(u64),
    /// The first place at or after a position.
    Place(Position),
}

/// How much a replay was moved about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Work {
    /// How often it was put back, or ahead, to a state that is kept.
    pub seeks: u64,
    /// Instructions that it has executed, again and again.
    pub instructions: u64,
}

/// A replay that goes where it is told.
pub struct ReplayCursor {
    session: Session,
    keyframes: KeyframeCache,
    snapshot_index: Shared<SnapshotIndex>,
    /// The recording's own start, before anything was done: never let go.
    origin: Shared<Keyframe>,
    start: Position,
    end: Position,
    /// Whether it goes on from where it stands.
    course: Course,
    /// Whether all that is due where it stands is done.
    settled: bool,
    /// After an error the machine is in no state to go on from.
    lost: bool,
    /// The instructions that it came to last, while that is noted.
    trail: Trail,
    work: Work,
}

impl ReplayCursor {
    /// A replay at its first place, with a budget for the states that it keeps, in bytes.
    ///
    /// # Errors
    /// A recording that cannot be replayed, or snapshots in it that do not hold.
    pub fn new(session: Session, reader: &Shared<LogReader>, budget: usize) -> Result<Self, Error> {
        let snapshot_index = Shared::new(SnapshotIndex::read(reader, budget)?);
        check_snapshots(&session, reader, &snapshot_index);
        let keyframes = KeyframeCache::new(budget);
        let mut cursor = Self { snapshot_index, keyframes, ..Self::without_keyframes(session, reader) };
        // What is due at the start belongs to the first place.
        cursor.run_to_arrival(cursor.start.icount, &mut Cancel::new(&mut || false))?;
        cursor.start = cursor.position();
        Ok(cursor)
    }

    /// A replay at its start, before anything is done there. It keeps no states by itself, and believes no snapshot of the
    /// recording: for who compares replays, and wants to find out whether one is wrong.
    pub fn without_keyframes(session: Session, reader: &LogReader) -> Self {
        let origin = Keyframe { is_settled: false, ..states::capture(&session, true) };
        Self {
            session,
            origin: Shared::new(origin),
            keyframes: KeyframeCache::new(0),
            snapshot_index: Shared::new(SnapshotIndex::default()),
            start: reader.header().start,
            end: reader.last_position(),
            course: Course::GoesOn,
            settled: false,
            lost: false,
            trail: Trail::default(),
            work: Work::default(),
        }
    }

    /// A second one, on a replay of the same recording at its start, which keeps no states of its own.
    pub fn beside(&self, session: Session, reader: &Shared<LogReader>) -> Self {
        check_snapshots(&session, reader, &self.snapshot_index);
        Self {
            session,
            keyframes: KeyframeCache::new(0),
            snapshot_index: self.snapshot_index.clone(),
            origin: self.origin.clone(),
            course: Course::GoesOn,
            settled: false,
            lost: true,
            trail: Trail::default(),
            work: Work::default(),
            ..*self
        }
    }

    /// Where the recording's first place is.
    pub fn start(&self) -> Position {
        self.start
    }

    /// Where the recording ends.
    pub fn end(&self) -> Position {
        self.end
    }

    /// Where it stands.
    pub fn position(&self) -> Position {
        self.session.position()
    }

    /// The replay, standing where it was brought.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Events that the replay has taken from the log where it stands.
    pub fn events_passed(&self) -> u64 {
        self.session.events_passed()
    }

    /// What the log has next.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn upcoming(&self, count: usize) -> Result<Vec<StampedEvent>, Error> {
        Ok(self.session.vm().replay.upcoming(count)?)
    }

    /// How much it was moved about until now.
    pub fn work(&self) -> Work {
        self.work
    }

    /// Keyframes kept in memory, and an upper bound of their bytes.
    pub fn marks_size(&self) -> (usize, usize) {
        self.keyframes.size()
    }

    /// The recording's snapshots.
    pub fn snapshot_index(&self) -> &SnapshotIndex {
        &self.snapshot_index
    }

    /// Whether the recording's end is reached.
    pub fn has_ended(&self) -> bool {
        self.course == Course::Ended
    }

    /// Whether it has come to its end, good or bad.
    pub fn is_over(&self) -> bool {
        self.course != Course::GoesOn
    }

    /// How it has diverged where it stands, if it did.
    pub fn divergence(&self) -> Option<&Divergence> {
        match &self.course {
            Course::Diverged(divergence) => Some(divergence),
            Course::GoesOn | Course::Ended => None,
        }
    }

    /// Whether no instruction begins where it stands: the CPU waits, or is stopped until a reset.
    pub fn waits(&self) -> bool {
        let vm = self.session.vm();
        vm.guest.waits() || vm.guest.is_stopped()
    }

    /// Whether several instructions may begin where it stands before one retires: one that ends a wait, or one after the
    /// reset of a processor that this one has jammed.
    fn may_begin_again(&self) -> bool {
        self.waits() || !is_seeded(SeededFault::JamPassedOver) && self.session.vm().guest.may_jam()
    }
}

/// Makes a replay compare itself with the recording's snapshots as they are kept, in whatever order it comes to them.
/// Where they are not kept it reads them from the file, as every replay does.
fn check_snapshots(session: &Session, reader: &Shared<LogReader>, snapshot_index: &Shared<SnapshotIndex>) {
    if snapshot_index.is_empty() {
        return;
    }
    let (snapshot_index, damaged) = (snapshot_index.clone(), reader.clone());
    let source: SnapshotSource = Box::new(move |number| {
        snapshot_index.composed(number).ok_or_else(|| damaged.snapshot_error(number, &"it was not read"))
    });
    session.vm().snapshot_check = Some(snapshot_check(reader.clone(), source));
}
