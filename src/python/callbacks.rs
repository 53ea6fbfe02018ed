//! Python functions that the engine calls while a machine runs.
//!
//! A hook runs between two instructions with no lock held, so it may look at its machine. What a callback raises ends
//! the run, and is kept until the run has come back.

use super::values::PyHookEvent;
use crate::session::HookEvent;
use crate::sync::{Arc, Mutex, lock};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes};

/// A regular expression is shown at most so many of the last bytes printed.
const PATTERN_WINDOW: usize = 4096;

/// What one machine's callbacks share.
#[derive(Default)]
pub struct Callbacks {
    raised: Mutex<Option<PyErr>>,
}

impl Callbacks {
    /// Forgets what an earlier run left, at the start of a run.
    pub fn begin(&self) {
        lock(&self.raised).take();
    }

    /// What a callback or a signal handler raised during the run.
    pub fn outcome(&self) -> PyResult<()> {
        lock(&self.raised).take().map_or(Ok(()), Err)
    }

    /// Keeps the first error of a run.
    fn keep(&self, error: PyErr) {
        lock(&self.raised).get_or_insert(error);
    }

    /// Gives Python's signal handlers their turn; whether one of them raised. Also true once Python is going away.
    pub fn signalled(&self) -> bool {
        let checked = Python::try_attach(|py| py.check_signals());
        match checked {
            Some(Ok(())) => false,
            Some(Err(error)) => {
                self.keep(error);
                true
            }
            None => true,
        }
    }

    /// Reports progress to `progress`, after a look at the signals; false when either raised, and the work must end.
    pub fn progress(self: &Arc<Self>, progress: Option<&Py<PyAny>>, icount: u64) -> bool {
        let Some(progress) = progress else { return !self.signalled() };
        !self.signalled() && self.call(|py| progress.call1(py, (icount,)).map(|_| true)).unwrap_or(false)
    }

    /// A hook that calls `callback`: it stops the run by returning False or by raising.
    pub fn hook(self: &Arc<Self>, callback: Py<PyAny>) -> Box<dyn FnMut(HookEvent) -> bool + Send> {
        let callbacks = Arc::clone(self);
        Box::new(move |event| {
            let goes_on = callbacks.call(|py| {
                let answer = callback.call1(py, (PyHookEvent::from(event),))?;
                Ok(!answer.bind(py).is(PyBool::new(py, false)))
            });
            goes_on.unwrap_or(false)
        })
    }

    /// A test of the console's transcript from `start` on: for the bytes of `wanted`, or by calling it.
    pub fn output_test(
        self: &Arc<Self>,
        wanted: &Bound<'_, PyAny>,
        start: usize,
    ) -> PyResult<Box<dyn FnMut(&[u8]) -> bool + Send>> {
        if let Ok(literal) = wanted.cast::<PyBytes>() {
            let literal = literal.as_bytes().to_vec();
            return Ok(Box::new(move |transcript| {
                transcript.get(start..).is_some_and(|fresh| fresh.ends_with(&literal))
            }));
        }
        let callbacks = Arc::clone(self);
        let test = wanted.clone().unbind();
        Ok(Box::new(move |transcript| {
            let from = start.max(transcript.len().saturating_sub(PATTERN_WINDOW));
            let tail = transcript.get(from..).unwrap_or_default();
            let seen = callbacks.call(|py| test.call1(py, (PyBytes::new(py, tail),))?.is_truthy(py));
            seen.unwrap_or(true)
        }))
    }

    /// Calls into Python. None when it raised (kept for the run's end) or Python is going away; both end the run.
    fn call(self: &Arc<Self>, work: impl FnOnce(Python<'_>) -> PyResult<bool>) -> Option<bool> {
        Python::try_attach(|py| {
            work(py).map_err(|error| self.keep(error)).ok()
        })
        .flatten()
    }
}
