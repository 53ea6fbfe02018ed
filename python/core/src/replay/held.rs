//! Holding the replay lock from Python: a `with` block there outlives any scope of ours, so what the lock protects is
//! kept here while a thread of Python holds it.

use crate::errors::{OrRaise, named};
use pyo3::prelude::*;
use rreplay::engine::ReplayLock;
use rreplay::error::Error;
use rreplay::external::ExternalReplay;
use rreplay::sync::{Mutex, ThreadId, current_thread, lock};

/// What reports call a thread of Python that holds the lock.
const ROLE: &str = "machine of Python";

/// A state machine under the replay lock.
pub struct Holding {
    lock: ReplayLock<ExternalReplay>,
    held: Mutex<Held>,
}

/// What the thread that has the lock holds: a `with` block of Python outlives any scope of ours.
#[derive(Default)]
struct Held {
    by: Option<ThreadId>,
    /// Absent while a call works on it.
    value: Option<Box<ExternalReplay>>,
    /// The function whose host is being asked.
    asking: Option<&'static str>,
}

/// Who may call a function.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// The machine. Not while a host is asked: in play the host is not asked, and would not call.
    Machine,
    /// Hosts, also while they are asked for something.
    Host,
    /// Anybody, also when all is finished.
    Anybody,
}

impl Holding {
    pub fn new(external: ExternalReplay) -> Self {
        Self { lock: ReplayLock::new(external), held: Mutex::default() }
    }

    /// Whether the calling thread has the lock.
    pub fn holds(&self) -> bool {
        lock(&self.held).by == Some(current_thread())
    }

    /// Takes the lock, with the interpreter free for others while it waits. Signal handlers get their turn.
    pub fn take(&self, py: Python<'_>) -> PyResult<()> {
        if self.lock.is_lost() {
            let message = "another thread had the replay lock when this process was forked, and is not here to give it \
                           back: go on in the process that made this Replay";
            return Err(named(py, "StateError", message));
        }
        let mut raised = None;
        let mut signalled = || match Python::try_attach(|py| py.check_signals()) {
            Some(Ok(())) => false,
            Some(Err(error)) => {
                raised = Some(error);
                true
            }
            // Python is going away.
            None => true,
        };
        let value = self.lock.try_take(ROLE).or_else(|| py.detach(|| self.lock.take(ROLE, &mut signalled)));
        match (value, raised) {
            (Some(value), _) => {
                *lock(&self.held) = Held { by: Some(current_thread()), value: Some(value), asking: None };
                Ok(())
            }
            (None, Some(error)) => Err(error),
            (None, None) => Err(named(py, "StateError", "the wait for the replay lock was given up")),
        }
    }

    fn put_back(&self, py: Python<'_>) -> PyResult<()> {
        let value = {
            let mut held = lock(&self.held);
            (held.by, held.asking) = (None, None);
            held.value.take()
        };
        match value {
            Some(value) => {
                self.lock.put_back(value);
                Ok(())
            }
            None => {
                Err(named(py, "EngineError", "the replay lock was lost by a call that did not come back"))
            }
        }
    }

    /// Works on the state machine, under the lock; takes it unless this thread has it.
    pub fn with<T: Send>(
        &self,
        py: Python<'_>,
        caller: Caller,
        work: impl FnOnce(&mut ExternalReplay) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        let held_before = self.holds();
        if !held_before {
            self.take(py)?;
        }
        let result = self.with_held(py, caller, work);
        if !held_before {
            self.put_back(py)?;
        }
        result
    }

    fn with_held<T: Send>(
        &self,
        py: Python<'_>,
        caller: Caller,
        work: impl FnOnce(&mut ExternalReplay) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        let (value, asking) = {
            let mut held = lock(&self.held);
            (held.value.take(), held.asking)
        };
        let Some(mut value) = value else {
            return Err(named(
                py,
                "EngineError",
                "the state machine was lost by a call that did not come back",
            ));
        };
        let result = match (caller, asking) {
            (Caller::Machine, Some(function)) => Err(Error::State(format!(
                "a host that is asked for {function} called a function of the machine's own: in play no host is asked, \
                 so the call would be missing there; hosts may bring input, char_read, net_packet, block and \
                 shutdown_request"
            ))),
            (Caller::Machine | Caller::Host, _) if value.is_finished() => Err(Error::State(
                "the replay is finished: make another with rreplay.Replay.record, play or none".into(),
            )),
            _ => work(&mut value).map_err(|error| value.explained(error)),
        };
        lock(&self.held).value = Some(value);
        result.or_raise(py)
    }

    /// Takes the lock.
    pub fn acquire(&self, py: Python<'_>) -> PyResult<()> {
        if self.holds() {
            return Err(named(
                py,
                "StateError",
                "this thread holds the replay lock already, and would wait for itself: release it first",
            ));
        }
        self.take(py)
    }

    /// Releases the lock.
    pub fn release(&self, py: Python<'_>) -> PyResult<()> {
        let (held_by, asking) = {
            let held = lock(&self.held);
            (held.by, held.asking)
        };
        let problem = match (held_by, asking) {
            (Some(holder), None) if holder == current_thread() => return self.put_back(py),
            (Some(holder), Some(function)) if holder == current_thread() => {
                format!("the replay lock cannot be released while a host is asked for {function}")
            }
            (Some(_), _) => "another thread holds the replay lock: only that one can release it".to_owned(),
            (None, _) => {
                "this thread does not hold the replay lock: take it with replay.lock() first".to_owned()
            }
        };
        Err(named(py, "StateError", &problem))
    }

    /// How many threads wait for the lock.
    pub fn waiters(&self) -> u64 {
        self.lock.waiters()
    }

    /// Lets only hosts call until [`end_question`](Holding::end_question), because one is asked for `function`.
    pub fn begin_question(&self, function: &'static str) {
        lock(&self.held).asking = Some(function);
    }

    /// The host has answered.
    pub fn end_question(&self) {
        if self.holds() {
            lock(&self.held).asking = None;
        }
    }
}
