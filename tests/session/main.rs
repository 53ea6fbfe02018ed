//! Machines as users hold them: recorded, replayed, diverging.
//!
//! Nothing here starts a program: it would inherit the open files of the tests beside it, and with them their locks.

#[path = "../common/session_support.rs"]
mod session_support;

mod compare;
mod disk;
mod diverge;
mod diverge_events;
mod divergence_support;
#[cfg(not(feature = "mutants"))]
mod owner;
#[cfg(not(feature = "mutants"))]
mod perturbed;
mod record;
mod run;
mod third_processor;
