//! A guest of a few instructions, hosts for it, and the oracle over them: for the engine's tests and for its models.
#![allow(dead_code, unused_imports, reason = "each test crate uses its part")]

#[cfg(feature = "loom")]
pub mod explore;
mod hosts;
#[cfg(feature = "loom")]
pub mod models;
mod rig;
mod toy;

pub use hosts::{Desk, DeskEvents, NoisyHost, PANIC, PanickingHost, Script, SlowDiskHost, SteadyHost, typed};
pub use rig::{Outcome, Rig, play, record, record_with};
pub use toy::{CHAIN_CALLS, Op, Toy};
