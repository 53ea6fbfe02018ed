//! Hosts: the only module that touches the operating system's clock, entropy and terminal.

mod attach;
mod clock;
mod input;

pub use attach::{Attachments, CharHost, DiskHost, NetHost, SoundHost};
pub use clock::{Interval, RunningClock, SystemHost};
pub use input::{HostInput, InputGate, SessionInlet};
