//! The engine: a guest, the replay state machine and hosts, run by two threads under one fair lock or by one thread
//! that does both halves in turn.
//!
//! Generic over [`Guest`], so that a model checker runs the real handshake on a guest of three instructions.

mod chaos;
mod hosts;
mod idle;
mod lock;
mod outside;
mod schedule;
mod snapshots;
mod world;

pub use crate::guest::{Budget, Guest, GuestExit, StuckTimer};
pub use hosts::{Inlet, NOTHING_ATTACHED, Outlet};
pub use lock::{NotTaken, ReplayGuard, ReplayLock};
pub use outside::{OutputMatcher, Outside, Transcripts, Watch};
pub use schedule::{Engine, RunError, Scheduler};
pub use snapshots::{PartsCompared, SnapshotCheck};
pub use world::{Arrivals, Limits, Next, REPLAY_SECTION, StopReason, TIMERS, Timing, World};
