//! The record/replay state machine. It knows no CPU and no board: whoever runs a guest tells it positions, asks it for
//! everything nondeterministic, and obeys its answers.
//!
//! | mode | what answers a question |
//! |---|---|
//! | `none` | the host's answer |
//! | `record` | the host's answer, which is logged with its position |
//! | `play` | the log's answer; the host is not asked |
//!
//! Sources and sinks of events are traits, so that the same state machine runs over a file, over memory and inside a
//! model checker.

mod async_events;
mod digest;
mod divergence;
mod error;
mod event_hash;
mod extract;
mod inspect;
mod queue;
mod report;
mod state;
mod stream;
mod sync_queries;
mod table;

pub use crate::log::event::Checkpoint;
pub use async_events::{FlushSteps, made_by_guest};
pub use divergence::{Cause, Diagnosis, Differences, Divergence, Executed, FieldDifference, Found};
pub use error::ReplayError;
pub use queue::AsyncQueue;
pub use report::Report;
pub use state::{OWN_SUBSYSTEMS, PlayConfig, RecordConfig, Replay, Snapshots};
pub use stream::{EventSink, EventSource, MemoryLog, MemorySink, MemorySource};
pub use table::{Action, Function, mode_table_markdown};

/// What the state machine does with the outside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ReplayMode {
    /// The host's answers are used and forgotten.
    None,
    /// The host's answers are used and logged.
    Record,
    /// The log's answers are used.
    Play,
}

impl ReplayMode {
    /// The name in Python and in messages.
    pub const fn name(self) -> &'static str {
        match self {
            ReplayMode::None => "none",
            ReplayMode::Record => "record",
            ReplayMode::Play => "play",
        }
    }
}
