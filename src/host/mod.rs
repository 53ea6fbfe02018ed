//! Hosts: the only module that touches the operating system: clocks, entropy, files, terminals, sockets.

mod attach;
mod clock;
mod directory;
mod error;
mod file;
mod input;
mod link;
#[cfg(unix)]
mod pty;
mod tcp;

pub use attach::{Attachments, CharHost, DiskHost, NetHost, RequestHost, SoundHost};
pub use clock::{Interval, RunningClock, SystemHost};
pub use directory::Directory;
pub use error::HostError;
pub use file::FileHost;
pub use input::{HostInput, InputGate, SessionInlet};
#[cfg(unix)]
pub use pty::PtyHost;
pub use tcp::{TcpClient, TcpHost, address};
