//! A character device on a pseudoterminal: `screen /dev/pts/7` talks to the guest.

use super::attach::CharHost;
use super::error::HostError;
use super::link::{Condition, Outgoing, receive};
use crate::files::Process;
use crate::nondet::CharWritten;
use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl, open};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use std::fs::File;
use std::os::fd::OwnedFd;

/// The controlling side of a pseudoterminal.
#[derive(Debug)]
pub struct PtyHost {
    controller: File,
    /// Kept open, so that the terminal stays raw, and stays at all, while nobody is at the other side.
    _terminal: OwnedFd,
    path: String,
    outgoing: Outgoing,
    gone: bool,
    process: Process,
}

impl PtyHost {
    /// Opens a pseudoterminal in raw mode: bytes pass as they are.
    ///
    /// # Errors
    /// When the system has none to give.
    pub fn open() -> Result<Self, HostError> {
        Self::try_open().map_err(|errno| HostError::Terminal(errno.into()))
    }

    fn try_open() -> rustix::io::Result<Self> {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&controller)?;
        unlockpt(&controller)?;
        let path = ptsname(&controller, Vec::new())?;
        let terminal = open(path.as_c_str(), OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        let mut settings = tcgetattr(&terminal)?;
        settings.make_raw();
        tcsetattr(&terminal, OptionalActions::Now, &settings)?;
        // Else each program that is started has it too, and nobody at the other side is told that this one has gone.
        fcntl_setfd(&controller, FdFlags::CLOEXEC)?;
        let flags = fcntl_getfl(&controller)?;
        fcntl_setfl(&controller, flags | OFlags::NONBLOCK)?;
        Ok(Self {
            controller: controller.into(),
            _terminal: terminal,
            path: path.to_string_lossy().into_owned(),
            outgoing: Outgoing::default(),
            gone: false,
            process: Process::this(),
        })
    }

    /// The device file of the other side.
    pub fn path(&self) -> &str {
        &self.path
    }

    fn drain(&mut self) {
        self.gone |= self.outgoing.drain(&mut self.controller) == Condition::Gone;
    }
}

impl CharHost for PtyHost {
    fn write(&mut self, bytes: &[u8]) -> CharWritten {
        let taken = self.outgoing.take(bytes);
        self.drain();
        taken
    }

    fn poll(&mut self) -> Vec<u8> {
        if self.outgoing.is_waiting() {
            self.drain();
        }
        let (bytes, condition) = receive(&mut self.controller);
        self.gone |= condition == Condition::Gone;
        bytes
    }

    fn is_open(&self) -> bool {
        !self.gone
    }

    fn process(&self) -> Option<Process> {
        Some(self.process)
    }
}
