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
            Found::State { subsystems } => {
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
