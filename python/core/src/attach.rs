//! Joining a machine's devices to hosts.

use super::errors::OrRaise;
use super::session::PySession;
use pyo3::prelude::*;
use rreplay::host::{
    Directory, DiskImage, EntropyBytes, FileHost, HostError, PcapHost, TcpClient, TcpHost, UdpHost, WavInput,
    WavOutput, address,
};
use rreplay::session::{Host, HostSort};
use std::path::PathBuf;

impl PySession {
    /// Makes a host and joins the device to it, detached from the interpreter.
    fn join<T: Send>(
        &self,
        py: Python<'_>,
        device: &str,
        sort: HostSort,
        make: impl FnOnce() -> Result<(Host, T), HostError> + Send,
    ) -> PyResult<T> {
        self.ask(py, |session| session.attach_made(device, sort, make))?.or_raise(py)
    }
}

/// Joins a character device to a pseudoterminal; returns its path.
#[pyfunction]
pub fn attach_pty(py: Python<'_>, session: &PySession, device: &str) -> PyResult<String> {
    #[cfg(unix)]
    return session.join(py, device, HostSort::Char, || {
        let host = rreplay::host::PtyHost::open()?;
        let path = host.path().to_owned();
        Ok((Host::Char(Box::new(host)), path))
    });
    #[cfg(not(unix))]
    {
        let _ = (session, device);
        Err(super::errors::named(py, "HostError", "this system has no pseudoterminals: use a TCP port"))
    }
}

/// Joins a character device to a TCP port that is listened on; returns its number.
#[pyfunction]
pub fn attach_tcp_server(
    py: Python<'_>,
    session: &PySession,
    device: &str,
    host: &str,
    port: u16,
    allow_remote: bool,
) -> PyResult<u16> {
    session.join(py, device, HostSort::Char, || {
        let host = TcpHost::listen(address(host, port)?, allow_remote)?;
        let port = host.address()?.port();
        Ok((Host::Char(Box::new(host)), port))
    })
}

/// Joins a character device to a TCP connection that is made.
#[pyfunction]
pub fn attach_tcp_client(
    py: Python<'_>,
    session: &PySession,
    device: &str,
    host: &str,
    port: u16,
    allow_remote: bool,
) -> PyResult<()> {
    session.join(py, device, HostSort::Char, || {
        Ok((Host::Char(Box::new(TcpClient::connect(address(host, port)?, allow_remote)?)), ()))
    })
}

/// Joins a character device to files.
#[pyfunction]
#[pyo3(signature = (session, device, output, append, source))]
pub fn attach_files(
    py: Python<'_>,
    session: &PySession,
    device: &str,
    output: Option<PathBuf>,
    append: bool,
    source: Option<PathBuf>,
) -> PyResult<()> {
    session.join(py, device, HostSort::Char, || {
        Ok((Host::Char(Box::new(FileHost::open(output.as_deref(), append, source.as_deref())?)), ()))
    })
}

/// Opens a directory to a device that serves a guest's file calls.
#[pyfunction]
pub fn attach_directory(py: Python<'_>, session: &PySession, device: &str, path: PathBuf) -> PyResult<()> {
    session.join(py, device, HostSort::Calls, || Ok((Host::Request(Box::new(Directory::open(&path)?)), ())))
}

/// Joins a disk to an image.
#[pyfunction]
pub fn attach_disk(
    py: Python<'_>,
    session: &PySession,
    device: &str,
    path: PathBuf,
    writable: bool,
) -> PyResult<()> {
    session.join(py, device, HostSort::Disk, || {
        Ok((Host::Disk(Box::new(DiskImage::open(&path, writable)?)), ()))
    })
}

/// Joins a network device to a UDP port; returns its number.
#[pyfunction]
pub fn attach_udp(
    py: Python<'_>,
    session: &PySession,
    device: &str,
    local: (String, u16),
    peer: (String, u16),
    allow_remote: bool,
) -> PyResult<u16> {
    session.join(py, device, HostSort::Net, || {
        let (local, peer) = (address(&local.0, local.1)?, address(&peer.0, peer.1)?);
        let host = UdpHost::open(local, peer, allow_remote)?;
        let port = host.port();
        Ok((Host::Net(Box::new(host)), port))
    })
}

/// Joins a network device to capture files.
#[pyfunction]
#[pyo3(signature = (session, device, output, source))]
pub fn attach_pcap(
    py: Python<'_>,
    session: &PySession,
    device: &str,
    output: Option<PathBuf>,
    source: Option<PathBuf>,
) -> PyResult<()> {
    session.join(py, device, HostSort::Net, || {
        Ok((Host::Net(Box::new(PcapHost::open(output.as_deref(), source.as_deref())?)), ()))
    })
}

/// Puts a Python function behind a network device.
#[pyfunction]
pub fn attach_network(
    py: Python<'_>,
    session: &PySession,
    device: &str,
    function: Py<PyAny>,
) -> PyResult<()> {
    let host = session.callbacks().network(function);
    session.join(py, device, HostSort::Net, || Ok((Host::Net(Box::new(host)), ())))
}

/// Joins a sound device to a file that takes what is played.
#[pyfunction]
pub fn attach_wav_output(
    py: Python<'_>,
    session: &PySession,
    device: &str,
    path: PathBuf,
    rate: u32,
) -> PyResult<()> {
    session.join(py, device, HostSort::SoundOut, || {
        Ok((Host::SoundOut(Box::new(WavOutput::create(&path, rate)?)), ()))
    })
}

/// Joins a sound device to a file that it hears.
#[pyfunction]
pub fn attach_wav_input(py: Python<'_>, session: &PySession, device: &str, path: PathBuf) -> PyResult<()> {
    session.join(py, device, HostSort::SoundIn, || Ok((Host::SoundIn(Box::new(WavInput::open(&path)?)), ())))
}

/// Returns a port of entropy chosen bytes, and an error after them.
#[pyfunction]
pub fn attach_entropy(
    py: Python<'_>,
    session: &PySession,
    device: &str,
    data: &[u8],
    error: i32,
) -> PyResult<()> {
    session.join(py, device, HostSort::Entropy, || {
        Ok((Host::Entropy(Box::new(EntropyBytes::new(data, error))), ()))
    })
}

/// Puts a Python object behind a user's device.
#[pyfunction]
pub fn attach_object(py: Python<'_>, session: &PySession, device: &str, behind: Py<PyAny>) -> PyResult<()> {
    let host = session.callbacks().device(behind);
    session.join(py, device, HostSort::Object, || Ok((Host::Request(Box::new(host)), ())))
}

/// Parts a device from its hosts.
#[pyfunction]
pub fn detach(py: Python<'_>, session: &PySession, device: &str) -> PyResult<()> {
    session.ask(py, |session| session.detach(device))?.or_raise(py)
}
