//! Hosts: the only module that touches the operating system's clock, entropy and terminal.

mod clock;
mod input;

pub use clock::{Interval, RunningClock, SystemHost};
pub use input::{HostInput, InputGate, SessionInlet};
