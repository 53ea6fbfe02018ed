//! A recording and what is done on its timeline, as a test or a fuzzer draws it; and what was met on the way.

use super::notes::Notes;
use crate::scenario::Scenario;
use arbitrary::Arbitrary;
use proptest_derive::Arbitrary as Strategy;

/// A recording, and what is done with it.
#[derive(Clone, PartialEq, Eq, Debug, Arbitrary, Strategy)]
pub struct TimelineCase {
    /// What is recorded.
    pub scenario: Scenario,
    /// Whether the timeline can keep hardly anything in memory.
    pub is_poor: bool,
    /// Whether searches go through it in short stretches, two at a time, and the recording has many snapshots.
    pub is_hasty: bool,
    /// The moves and questions.
    #[proptest(strategy = "proptest::collection::vec(proptest::arbitrary::any::<Move>(), 1..24)")]
    pub moves: Vec<Move>,
}

/// A move or a question. Places and addresses are drawn from those that the run has, one in four places at its corners, now
/// and then an address from all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, Strategy)]
#[allow(missing_docs)]
pub enum Move {
    Seek {
        place: u16,
    },
    Step {
        count: u8,
    },
    ReverseStep {
        count: u8,
    },
    StepOver,
    ReverseStepOver,
    StepOut,
    ReverseStepOut,
    SeekInWait {
        place: u16,
        cycles: u8,
    },
    AfterWait {
        place: u16,
    },
    #[proptest(weight = 3)]
    Run {
        point: Point,
    },
    #[proptest(weight = 3)]
    ReverseRun {
        point: Point,
    },
    Output {
        place: u16,
    },
    Profile {
        start: u16,
        stop: u16,
    },
    #[proptest(weight = 3)]
    LastWrite {
        address: Pick,
    },
    Accesses {
        address: Pick,
        length: u8,
        reads: bool,
        start: u16,
        stop: u16,
    },
    First {
        place: u16,
    },
    Event {
        number: u16,
    },
    Fork {
        instructions: u8,
    },
    Cut {
        start: u16,
        stop: u16,
    },
    Origin {
        address: Pick,
    },
}

/// Where a run is to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, Strategy)]
#[allow(missing_docs)]
pub enum Point {
    Break { address: Pick, every: u8 },
    Watch { address: Pick, length: u8, watch: u8, every: u8 },
}

/// An address: one that the run has used, one that it has used a few times only, or any.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, Strategy)]
#[allow(missing_docs)]
pub enum Pick {
    Used(u16),
    Rare(u16),
    Any(u16),
}

/// What journeys have met: a net that meets nothing catches nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TimelineCoverage {
    /// Recordings that were coverage in.
    pub recordings: u64,
    /// Recordings too long to be noted whole: nothing was asked of them.
    pub too_long: u64,
    /// Moves and questions.
    pub moves: u64,
    /// Recordings with an instruction that begins after a wait.
    pub with_waits: u64,
    /// Recordings with an instruction that begins after the reset of a processor that had jammed.
    pub with_jams: u64,
    /// Moves and questions in those.
    pub moves_with_jams: u64,
}

impl std::ops::AddAssign for TimelineCoverage {
    fn add_assign(&mut self, more: Self) {
        self.recordings += more.recordings;
        self.too_long += more.too_long;
        self.moves += more.moves;
        self.with_waits += more.with_waits;
        self.with_jams += more.with_jams;
        self.moves_with_jams += more.moves_with_jams;
    }
}

impl TimelineCoverage {
    pub(super) fn through(notes: &Notes, moves: usize) -> Self {
        let moves = moves as u64;
        let (waits, jams) = notes.begun_later();
        Self {
            recordings: 1,
            moves,
            with_waits: u64::from(!waits.is_empty()),
            with_jams: u64::from(!jams.is_empty()),
            moves_with_jams: if jams.is_empty() { 0 } else { moves },
            ..Self::default()
        }
    }
}
