//! What can go wrong in the state machine.

use super::Divergence;
use crate::guest::StuckTimer;
use crate::log::LogError;
use crate::persist::PersistError;

/// Why the state machine cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A replay left its recording.
    #[error(transparent)]
    Divergence(#[from] Box<Divergence>),
    /// The log cannot be written or read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// `start` while somebody said that this machine cannot be recorded.
    #[error("recording cannot start: {}", reasons.join("; "))]
    Blocked {
        /// Every reason.
        reasons: Vec<String>,
    },
    /// A recording names another character device under this number.
    #[error("character device {number} is {registered:?} here but {recorded:?} in the recording")]
    CharDevice {
        /// Registration order, from 0.
        number: usize,
        /// The name being registered.
        registered: String,
        /// The recording's name, empty when it has none under this number.
        recorded: String,
    },
    /// Device numbers have 16 bits.
    #[error("{name:?} cannot be registered: there are 65536 devices of its kind already")]
    TooManyDevices {
        /// The name being registered.
        name: String,
    },
    /// A network device that is not there.
    #[error("there is no network device {number}: register it first, and take it away only once")]
    NoSuchNet {
        /// Registration order, from 0.
        number: u16,
    },
    /// A completion of a block request that nobody waits for.
    #[error(
        "block request {id} was never made or has completed already: take its number from next_block_id first"
    )]
    NoSuchBlock {
        /// The request's number.
        id: u64,
    },
    /// Something that only a recording has.
    #[error("{what} needs a recording: this machine is not being recorded")]
    NotRecording {
        /// What was asked for.
        what: &'static str,
    },
    /// A snapshot whose part for the state machine does not hold.
    #[error("the snapshot's log position cannot be restored: {problem}")]
    BadState {
        /// What is wrong.
        problem: PersistError,
    },
    /// A timer that a run would never come past.
    #[error(transparent)]
    StuckTimer(#[from] StuckTimer),
}
