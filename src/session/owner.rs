//! Whose a machine is: the recording that it makes, and the process that may go on with it.

use super::Session;
use crate::error::Error;
use crate::files::Process;
use crate::log::{LogError, WrittenFile};
use crate::sync::{ThreadId, current_thread, lock};

/// A recording that a machine has begun: by this it is ended, and no other in its place, and what was written is read
/// again.
#[derive(Debug)]
pub struct Recorded {
    number: u64,
    file: WrittenFile,
}

impl Recorded {
    pub(super) fn new(number: u64, file: WrittenFile) -> Self {
        Self { number, file }
    }

    /// What was written.
    pub fn file(&self) -> &WrittenFile {
        &self.file
    }
}

/// The recording that is being made, or was made last.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    number: u64,
    /// Who makes it, until it ends.
    owner: Option<Process>,
    /// What ended it before its time.
    failure: Option<LogError>,
}

impl Recorder {
    /// A recording begins; returns its number.
    pub fn begin(&mut self) -> u64 {
        *self = Self { number: self.number + 1, owner: Some(Process::this()), failure: None };
        self.number
    }

    /// It has ended, perhaps because it could not go on.
    pub fn end(&mut self, failure: Option<LogError>) {
        self.owner = None;
        self.failure = failure;
    }
}

/// The thread that runs a machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Runner {
    process: Process,
    thread: ThreadId,
}

impl Runner {
    /// The calling thread.
    pub fn this() -> Self {
        Self { process: Process::this(), thread: current_thread() }
    }

    /// Whether it is a thread of the process that this one was forked from, and not the one that forked.
    fn is_lost(self) -> bool {
        !self.process.is_this() && self.thread != current_thread()
    }
}

impl Session {
    /// Ends the recording that `recorded` stands for, here. Does nothing when it has ended.
    ///
    /// # Errors
    /// As for [`finish`](Session::finish), and what has ended the recording before, if something did.
    pub fn finish_recording(&self, recorded: &Recorded) -> Result<(), Error> {
        self.require_own_process()?;
        let failure = {
            let recorder = lock(&self.recorder);
            if recorder.number != recorded.number {
                return Ok(());
            }
            recorder.failure.clone()
        };
        match failure {
            Some(failure) => Err(failure.into()),
            None => self.finish(),
        }
    }

    /// A forked child has a copy of everything, and half of that is of no use to it: threads that hold locks are not
    /// there, and files, terminals and sockets are those of its parent. Checked before any lock is waited for.
    ///
    /// # Errors
    /// In a forked child: while the parent records, while a host is attached that the parent has opened, and for a
    /// machine that another thread was running or looking at.
    pub fn require_own_process(&self) -> Result<(), Error> {
        if self.process.is_this() {
            return Ok(());
        }
        self.require_whole()?;
        let (process, this) = (self.process, Process::this());
        if let Some(owner) = lock(&self.recorder).owner.filter(|owner| !owner.is_this()) {
            return Err(Error::State(format!(
                "the machine is recorded by {owner}, and this is {this}, forked from it: only {owner} goes on with it and \
                 writes the recording; take a copy here (copy()), which is free"
            )));
        }
        if lock(&self.attached).is_of_other_process() {
            return Err(Error::State(format!(
                "a device of the machine is attached to a host that {process} has opened, and this is {this}, forked \
                 from it: detach it, or take a copy (copy()), which has no hosts"
            )));
        }
        Ok(())
    }

    /// Whether there is a machine to look at: a fork leaves none where another thread has it in its hands.
    ///
    /// # Errors
    /// In a forked child, when that was so.
    pub fn require_whole(&self) -> Result<(), Error> {
        let is_lost = || self.engine.is_lost() || lock(&self.running).is_some_and(Runner::is_lost);
        if self.process.is_this() || !is_lost() {
            return Ok(());
        }
        Err(Error::State(format!(
            "another thread of {} had the machine in its hands when {} was forked from it, so there is only half of a \
             machine here: make a new one, or fork while no thread runs this one",
            self.process,
            Process::this()
        )))
    }
}
