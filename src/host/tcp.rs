//! A character device on a TCP connection.
//!
//! One connection at a time. One that is lost costs what was on its way through it and nothing else: the machine goes on,
//! and the next one is taken. While there is none, bytes sent are refused with ENOTCONN, which the recording holds.

use super::attach::CharHost;
use super::error::HostError;
use super::link::{Condition, Outgoing, receive};
use crate::files::Process;
use crate::nondet::CharWritten;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// errno ENOTCONN: there is nobody to send to.
const ENOTCONN: i32 = 107;

/// How long somebody who is connected to may take to answer: one who does not accept any more never does.
pub const CONNECT_MAX: Duration = Duration::from_secs(2);

/// A numeric address and a port. A name is no address: to look it up would ask other machines.
///
/// # Errors
/// What is no numeric address.
pub fn address(host: &str, port: u16) -> Result<SocketAddr, HostError> {
    let numeric = if host == "localhost" { "127.0.0.1" } else { host };
    let ip: IpAddr = numeric.parse().map_err(|_| HostError::Name(host.to_owned()))?;
    Ok(SocketAddr::new(ip, port))
}

/// A port at which the machine is reached.
#[derive(Debug)]
pub struct TcpHost {
    listener: TcpListener,
    connection: Option<TcpStream>,
    outgoing: Outgoing,
    process: Process,
}

impl TcpHost {
    /// Listens at `address`; port 0 takes a free one, which [`address`](TcpHost::address) tells.
    ///
    /// # Errors
    /// An address that is no loopback address, unless `allow_remote`; a port that is taken or not allowed.
    pub fn listen(address: SocketAddr, allow_remote: bool) -> Result<Self, HostError> {
        HostError::check_loopback(address, allow_remote)?;
        let opened = TcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(listener)
        });
        let listener = opened.map_err(|source| HostError::Address { what: "listen", address, source })?;
        Ok(Self { listener, connection: None, outgoing: Outgoing::default(), process: Process::this() })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The operating system's.
    pub fn address(&self) -> Result<SocketAddr, HostError> {
        self.listener.local_addr().map_err(|source| HostError::Address {
            what: "listen",
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            source,
        })
    }

    fn hang_up(&mut self) {
        self.connection = None;
        self.outgoing.clear();
    }

    fn accept(&mut self) {
        if self.connection.is_some() {
            return;
        }
        let Ok((stream, _)) = self.listener.accept() else { return };
        // Single characters should not wait for company.
        let prepared = stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true));
        self.connection = prepared.is_ok().then_some(stream);
    }

    fn drain(&mut self) {
        if let Some(stream) = &mut self.connection
            && self.outgoing.drain(stream) == Condition::Gone
        {
            self.hang_up();
        }
    }
}

impl CharHost for TcpHost {
    fn write(&mut self, bytes: &[u8]) -> CharWritten {
        self.accept();
        if self.connection.is_none() {
            return CharWritten { result: -ENOTCONN, offset: 0 };
        }
        let taken = self.outgoing.take(bytes);
        self.drain();
        taken
    }

    fn poll(&mut self) -> Vec<u8> {
        self.accept();
        self.drain();
        let Some(stream) = &mut self.connection else { return Vec::new() };
        let (bytes, condition) = receive(stream);
        if condition == Condition::Gone {
            self.hang_up();
        }
        bytes
    }

    fn is_open(&self) -> bool {
        true
    }

    fn process(&self) -> Option<Process> {
        Some(self.process)
    }
}

/// A connection that the machine makes.
#[derive(Debug)]
pub struct TcpClient {
    connection: Option<TcpStream>,
    outgoing: Outgoing,
    process: Process,
}

impl TcpClient {
    /// Connects to `address`, waiting for it once, two seconds at most.
    ///
    /// # Errors
    /// An address that is no loopback address, unless `allow_remote`; nobody who listens there, or
    /// who answers.
    pub fn connect(address: SocketAddr, allow_remote: bool) -> Result<Self, HostError> {
        HostError::check_loopback(address, allow_remote)?;
        let opened = TcpStream::connect_timeout(&address, CONNECT_MAX).and_then(|stream| {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            Ok(stream)
        });
        let stream = opened.map_err(|source| HostError::Address { what: "connect to", address, source })?;
        Ok(Self { connection: Some(stream), outgoing: Outgoing::default(), process: Process::this() })
    }

    fn with(&mut self, act: impl FnOnce(&mut TcpStream, &mut Outgoing) -> Condition) {
        if let Some(stream) = &mut self.connection
            && act(stream, &mut self.outgoing) == Condition::Gone
        {
            self.connection = None;
            self.outgoing.clear();
        }
    }
}

impl CharHost for TcpClient {
    fn write(&mut self, bytes: &[u8]) -> CharWritten {
        if self.connection.is_none() {
            return CharWritten { result: -ENOTCONN, offset: 0 };
        }
        let taken = self.outgoing.take(bytes);
        self.with(|stream, outgoing| outgoing.drain(stream));
        taken
    }

    fn poll(&mut self) -> Vec<u8> {
        let mut received = Vec::new();
        self.with(|stream, outgoing| {
            if outgoing.drain(stream) == Condition::Gone {
                return Condition::Gone;
            }
            let (bytes, condition) = receive(stream);
            received = bytes;
            condition
        });
        received
    }

    fn is_open(&self) -> bool {
        self.connection.is_some()
    }

    fn process(&self) -> Option<Process> {
        Some(self.process)
    }
}
