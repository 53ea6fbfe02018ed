//! What is known when a replay does not do what its recording did.

use crate::log::event::StampedEvent;
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

/// An instruction that was executed before the divergence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Where it began.
    pub position: Position,
    /// Its address.
    pub pc: u16,
    /// The instruction, disassembled.
    pub text: String,
}

/// A register, byte or device field that has another value than it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldDifference {
    /// The subsystem (`cpu`, `memory`, `device/acia`).
    pub subsystem: String,
    /// The register, address or field.
    pub field: String,
    /// What a second replay has there.
    pub expected: String,
    /// What this replay had there.
    pub found: String,
}

/// What replaying again has found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Narrowed {
    /// A second replay of the same log goes another way: this is where the two first differ.
    First {
        /// The position at which they still agreed: just before the first differing instruction.
        position: Position,
        /// The instruction there, or what was delivered before it.
        instruction: Option<Executed>,
        /// What differs behind it.
        differences: Vec<FieldDifference>,
    },
    /// A second replay of the same log diverges at the same place: the log is of another run, or was changed between
    /// these two positions.
    InLog {
        /// The last place that is known to agree.
        from: Position,
        /// The first that is known not to.
        to: Position,
    },
}

/// A replay that left its recording: where, and what was expected and found there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Where the replay was.
    pub position: Position,
    /// The event the log has next; `None` behind its end.
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
    /// The last 16 instructions, oldest first, where there is a machine to replay.
    pub executed: Vec<Executed>,
    /// The first differing instruction, where it could be found by replaying.
    pub narrowed: Option<Narrowed>,
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
        match &self.found {
            Found::Event(what) => write!(f, "; the replay came to: {what}"),
            Found::Passed => write!(f, "; the replay ran past it"),
            Found::Stuck(why) => write!(f, "; the replay cannot get there: {why}"),
            Found::State { subsystems, .. } => {
                write!(f, "; the state differs in: {}", subsystems.join(", "))
            }
        }?;
        if let Some(position) = self.last_matching_digest {
            write!(f, ". All digests agreed up to {position}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Divergence {}
