//! Joining a machine's devices to hosts.

use super::errors::OrRaise;
use super::session::PySession;
use crate::error::Error;
use crate::host::{Directory, FileHost, TcpClient, TcpHost, address};
use crate::session::Host;
use pyo3::prelude::*;
use std::path::PathBuf;

impl PySession {
    /// Makes a host and joins the device to it, detached from the interpreter.
    fn join<T: Send>(
        &self,
        py: Python<'_>,
        device: &str,
        make: impl FnOnce() -> Result<(Host, T), Error> + Send,
    ) -> PyResult<T> {
        let joined = self.ask(py, |session| {
            let (host, told) = make()?;
            session.attach(device, host)?;
            Ok::<T, Error>(told)
        });
        joined?.or_raise(py)
    }
}

/// Joins a character device to a pseudoterminal; gives its path.
#[pyfunction]
pub fn attach_pty(py: Python<'_>, session: &PySession, device: &str) -> PyResult<String> {
    #[cfg(unix)]
    return session.join(py, device, || {
        let host = crate::host::PtyHost::open()?;
        let path = host.path().to_owned();
        Ok((Host::Char(Box::new(host)), path))
    });
    #[cfg(not(unix))]
    {
        let _ = (session, device);
        Err(super::errors::named(py, "HostError", "this system has no pseudoterminals: use a TCP port"))
    }
}

/// Joins a character device to a TCP port that is listened on; gives its number.
#[pyfunction]
pub fn attach_tcp_server(
    py: Python<'_>,
    session: &PySession,
    device: &str,
    host: &str,
    port: u16,
    allow_remote: bool,
) -> PyResult<u16> {
    session.join(py, device, || {
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
    session.join(py, device, || {
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
    session.join(py, device, || {
        Ok((Host::Char(Box::new(FileHost::open(output.as_deref(), append, source.as_deref())?)), ()))
    })
}

/// Opens a directory to a device that serves a guest's file calls.
#[pyfunction]
pub fn attach_directory(py: Python<'_>, session: &PySession, device: &str, path: PathBuf) -> PyResult<()> {
    session.join(py, device, || Ok((Host::Request(Box::new(Directory::open(&path)?)), ())))
}

/// Puts a Python object behind a user's device.
#[pyfunction]
pub fn attach_object(py: Python<'_>, session: &PySession, device: &str, behind: Py<PyAny>) -> PyResult<()> {
    let host = session.callbacks().device(behind);
    session.join(py, device, || Ok((Host::Request(Box::new(host)), ())))
}

/// Parts a device from its hosts.
#[pyfunction]
pub fn detach(py: Python<'_>, session: &PySession, device: &str) -> PyResult<()> {
    session.ask(py, |session| session.detach(device))?.or_raise(py)
}
