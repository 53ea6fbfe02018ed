//! The engine: a guest, the replay state machine and hosts, run by two threads under one fair lock or by one thread
//! that does both halves in turn.
//!
//! Generic over [`Guest`], so that a model checker runs the real handshake on a guest of three instructions.

mod chaos;
mod hosts;
mod idle;
mod iteration;
mod lock;
mod replay_io;
mod requests;
mod run_end;
mod schedule;
mod snapshots;
mod timers;
mod vm_state;

pub use crate::guest::{Budget, Guest, GuestExit, StuckTimer};
pub use hosts::{HostCalls, HostEvents, NOTHING_ATTACHED};
pub use iteration::VcpuAction;
pub use lock::{NotTaken, ReplayGuard, ReplayLock};
pub use replay_io::{OutputMatcher, ReplayIo, RunSignals, Transcripts};
pub use run_end::{Limits, StopReason};
pub use schedule::{Engine, RunError, Scheduler};
pub use snapshots::{PartsCompared, SnapshotCheck};
pub use timers::TIMERS;
pub use vm_state::{Arrivals, REPLAY_SECTION, Timing, VmState};
