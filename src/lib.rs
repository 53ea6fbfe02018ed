//! rreplay: record a run of an 8-bit machine, replay it exactly, travel in it, question it.

#[macro_use]
pub mod persist;
pub mod bus;
pub mod nondet;
pub mod sync;
pub mod units;

pub mod cpu;
pub mod devices;
pub mod log;
pub mod memory;

pub mod machine;
pub mod replay;

pub mod engine;
pub mod host;
pub mod snapshot;

pub mod error;
pub mod recording;
pub mod session;

#[cfg(feature = "testing")]
pub mod testing;
