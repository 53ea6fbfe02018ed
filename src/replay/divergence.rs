//! What is known when a replay does not do what its recording did.

use super::report::Report;
use crate::log::event::{Event, StampedEvent};
use crate::units::Position;
use std::fmt;

/// What the replay did instead of the next event of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It asked for, or did, something else.
    Event(String),
    /// It ran past the event's position without it.
    Passed,
    /// It cannot get to the event: nothing is left that could move it.
    Stuck(String),
    /// It reached a digest with other hashes in these subsystems.
    State {
        /// Names of the subsystems that differ.
        subsystems: Vec<String>,
        /// Names of the subsystems that agree.
        matching: Vec<String>,
    },
}

impl Found {
    /// The kind in one word: `event`, `passed`, `stuck` or `state`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Found::Event(_) => "event",
            Found::Passed => "passed",
            Found::Stuck(_) => "stuck",
            Found::State { .. } => "state",
        }
    }
}

/// What the replay did, as the end of a sentence that begins with "the replay".
impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Found::Event(what) => write!(f, "came to {what}"),
            Found::Passed => write!(f, "ran past it"),
            Found::Stuck(why) => write!(f, "cannot get there: {why}"),
            Found::State { subsystems, .. } => {
                write!(f, "has another state in {}", subsystems.join(", "))
            }
        }
    }
}

/// An instruction that was executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Where it began.
    pub position: Position,
    /// Its address.
    pub pc: u16,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Mnemonic and operand.
    pub text: String,
}

/// A register, byte or device field that has another value than it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldDifference {
    /// The subsystem (`cpu`, `lines`, `memory`, `rom`, `device/acia`, `timers`, `queue`, `events`).
    pub subsystem: String,
    /// The register, address or field.
    pub field: String,
    /// What a second replay, or the recording, has there.
    pub expected: String,
    /// What this replay had there.
    pub found: String,
}

/// What differs, up to a limit.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Differences {
    /// The first ones, in the order of the subsystems.
    pub listed: Vec<FieldDifference>,
    /// How many bytes and fields there are beside those.
    pub left_out: usize,
}

/// What happened between the last state that agreed and the first that does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The instruction did something else, although it began in the same state.
    Instruction,
    /// An event of the log: one of the two has it here, or has another one.
    Event {
        /// What the recording has here.
        expected: Option<StampedEvent>,
        /// What was taken by this replay, or what it has in place of the expected event.
        found: Option<StampedEvent>,
    },
    /// No instruction, no event: time passed while the CPU waited.
    Waiting,
    /// Nothing at all: the machine was changed from outside, or began in another state.
    Outside,
}

impl Cause {
    /// The cause where two replays take other events.
    pub fn of_events(expected: Option<&StampedEvent>, found: Option<&StampedEvent>) -> Self {
        Cause::Event { expected: expected.cloned(), found: found.cloned() }
    }

    /// The name in Python: `instruction`, `event`, `waiting` or `outside`.
    pub const fn name(&self) -> &'static str {
        match self {
            Cause::Instruction => "instruction",
            Cause::Event { .. } => "event",
            Cause::Waiting => "waiting",
            Cause::Outside => "outside",
        }
    }
}

/// What replaying again has found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Diagnosis {
    /// A second replay of the same log goes another way: this is where the two first differ.
    First {
        /// The position at which they still agreed: just before the first differing instruction.
        position: Position,
        /// What happened there.
        cause: Cause,
        /// The instruction that was executed there, if one was.
        instruction: Option<Executed>,
        /// What differs after it.
        differences: Differences,
    },
    /// A second replay of the same log diverges at the same place: the log is of another run, or was changed between
    /// these two positions.
    InLog {
        /// The last place that is known to agree.
        from: Position,
        /// The first that is known not to.
        to: Position,
        /// How the replay's state there differs from the recorded one, where the log has a snapshot to compare with.
        differences: Differences,
    },
    /// A second replay of the same log does not diverge there, and nothing is known that would make it: the machine of
    /// the first one was changed without the log's knowledge.
    Unrepeated {
        /// Where the first replay stood when it diverged.
        position: Position,
        /// What differs there.
        differences: Differences,
    },
    /// Replaying again was not possible, or was stopped.
    GivenUp {
        /// Why, and what can be done.
        reason: String,
    },
}

impl Diagnosis {
    /// The name in Python: `first`, `in_log`, `unrepeated` or `given_up`.
    pub const fn name(&self) -> &'static str {
        match self {
            Diagnosis::First { .. } => "first",
            Diagnosis::InLog { .. } => "in_log",
            Diagnosis::Unrepeated { .. } => "unrepeated",
            Diagnosis::GivenUp { .. } => "given_up",
        }
    }
}

/// A replay that left its recording: where, and what was expected and found there.
///
/// Its [`Display`](fmt::Display) is one line; [`report`](Divergence::report) is everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Where the replay was.
    pub position: Position,
    /// The event the log has next; `None` after its end.
    pub expected: Option<StampedEvent>,
    /// File offset of the chunk that holds the expected event.
    pub byte_offset: Option<u64>,
    /// What the replay did.
    pub found: Found,
    /// Address of the instruction the CPU was at, where there is a CPU.
    pub pc: Option<u16>,
    /// The last 16 events that still agreed, oldest first.
    pub recent: Vec<StampedEvent>,
    /// The last position at which all digests agreed.
    pub last_matching_digest: Option<Position>,
    /// What waits in the async queue, and block requests that have not completed.
    pub queued: Vec<String>,
    /// Who held the replay lock, where there is one.
    pub lock_holder: Option<&'static str>,
    /// The last 16 instructions, oldest first, where there is a machine to replay.
    pub executed: Vec<Executed>,
    /// The first differing instruction, where it could be found by replaying.
    pub diagnosis: Option<Diagnosis>,
    /// What has probably led here, and what to do about it, where that can be told.
    pub likely_cause: Option<String>,
}

impl Divergence {
    /// The whole report, laid out for a terminal: at most some 40 lines.
    pub fn report(&self) -> Report<'_> {
        Report(self)
    }

    /// The number of the snapshot that is not the state that the replay came to, where that is what is wrong: all events
    /// before it agree.
    pub fn at_snapshot(&self) -> Option<u64> {
        let Some(StampedEvent { event: Event::Snapshot { number }, .. }) = &self.expected else {
            return None;
        };
        let Found::State { subsystems, .. } = &self.found else { return None };
        (!subsystems.iter().any(|name| name == "events")).then_some(*number)
    }

    /// Whether the replay has passed the position of the expected event. Where it then notices depends on how the run
    /// was cut into slices: the place that means something is the event's.
    pub fn has_passed(&self) -> Option<Position> {
        self.expected.as_ref().map(|event| event.position).filter(|&expected| expected < self.position)
    }

    /// Whether another replay of the same log has diverged at the same event in the same way.
    pub fn is_same_place(&self, other: &Divergence) -> bool {
        let ordinal = |divergence: &Divergence| divergence.expected.as_ref().map(|event| event.ordinal);
        let same_way = match (self.has_passed(), other.has_passed()) {
            (Some(one), Some(other)) => one == other,
            (None, None) => self.position == other.position && self.found == other.found,
            _ => false,
        };
        same_way && ordinal(self) == ordinal(other)
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the replay diverged at {}", self.position)?;
        if let Some(pc) = self.pc {
            write!(f, ", pc ${pc:04X}")?;
        }
        match &self.expected {
            Some(expected) => {
                write!(f, ": the log has event {}, {}", expected.ordinal, expected.event)?;
                if expected.position != self.position {
                    write!(f, ", at {}", expected.position)?;
                }
                if let Some(offset) = self.byte_offset {
                    write!(f, " (chunk at byte {offset} of the file)")?;
                }
            }
            None => write!(f, ": the log has no more events")?,
        }
        write!(f, "; the replay {}", self.found)?;
        if let Some(position) = self.last_matching_digest {
            write!(f, ". All digests agreed up to {position}")?;
        }
        if let Some(cause) = &self.likely_cause {
            write!(f, ". Likely cause: {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Divergence {}
