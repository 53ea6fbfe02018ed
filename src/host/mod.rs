//! Hosts: the only module that touches the operating system: clocks, entropy, files, terminals, sockets.

mod attach;
mod clock;
mod directory;
mod disk_image;
mod entropy;
mod error;
mod file;
mod input;
mod link;
mod pcap;
#[cfg(unix)]
mod pty;
mod tcp;
mod udp;
mod wav;

pub use attach::{Attachments, CharHost, DiskHost, EntropyHost, NetHost, PACKET_MAX, RequestHost, SoundHost};
pub use clock::{Interval, RunningClock, SystemHost};
pub use directory::Directory;
pub use disk_image::DiskImage;
pub use entropy::EntropyBytes;
pub use error::HostError;
pub use file::FileHost;
pub use input::{HostInput, InputGate, SessionEvents};
pub use pcap::PcapHost;
#[cfg(unix)]
pub use pty::PtyHost;
pub use tcp::{TcpClient, TcpHost, address};
pub use udp::UdpHost;
pub use wav::{WavInput, WavOutput};

use crate::files::write_whole;
use std::path::Path;

/// Writes a whole file, in the place of an earlier one once all is written: a picture, for one.
///
/// # Errors
/// A file that cannot be made, that is no ordinary file, or that is being recorded into; what was there is as it was.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), HostError> {
    write_whole(path, bytes)
        .map_err(|error| HostError::file("write", path, "an ordinary file is needed", error))
}
