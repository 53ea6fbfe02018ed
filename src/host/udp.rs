//! A network device on UDP: each packet is the payload of a datagram, as emulators do it among each other.

use super::attach::NetHost;
use super::error::HostError;
use crate::files::Process;
use std::net::{SocketAddr, UdpSocket};

/// The longest packet that is taken.
const PACKET_MAX: usize = 2048;
/// Packets taken in one look.
const PACKETS_MAX: usize = 64;

/// A port that talks to one other port.
pub struct UdpHost {
    socket: UdpSocket,
    process: Process,
}

impl UdpHost {
    /// Takes the port `local` (0 for a free one, which its address tells) to talk to `peer`; packets of
    /// others are not seen.
    ///
    /// # Errors
    /// An address that is no loopback address, unless `allow_remote`; a port that is taken or not allowed.
    pub fn open(local: SocketAddr, peer: SocketAddr, allow_remote: bool) -> Result<Self, HostError> {
        HostError::check_loopback(local, allow_remote)?;
        HostError::check_loopback(peer, allow_remote)?;
        let bound = UdpSocket::bind(local);
        let socket = bound.map_err(|source| HostError::Address { what: "take", address: local, source })?;
        let connected = socket.connect(peer).and_then(|()| socket.set_nonblocking(true));
        connected.map_err(|source| HostError::Address { what: "talk to", address: peer, source })?;
        Ok(Self { socket, process: Process::this() })
    }

    /// The port that it has.
    pub fn port(&self) -> u16 {
        self.socket.local_addr().map_or(0, |address| address.port())
    }
}

impl NetHost for UdpHost {
    /// A packet that the operating system does not take is lost, as on a wire.
    fn send(&mut self, _flags: u32, packet: &[u8]) {
        let _lost = self.socket.send(packet);
    }

    fn poll(&mut self) -> Vec<(u32, Vec<u8>)> {
        let mut packets = Vec::new();
        let mut buffer = [0; PACKET_MAX];
        // An error may be the news that an earlier packet did not arrive; the next one may.
        for _ in 0..PACKETS_MAX {
            match self.socket.recv(&mut buffer) {
                Ok(length) => packets.push((0, buffer[..length].to_vec())),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {}
                Err(_) => break,
            }
        }
        packets
    }

    fn is_open(&self) -> bool {
        true
    }

    fn process(&self) -> Option<Process> {
        Some(self.process)
    }
}
