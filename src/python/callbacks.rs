//! Python functions that the engine calls while a machine runs.
//!
//! A hook runs between two instructions with no lock held, so it may look at its machine. What a callback raises ends
//! the run, and is kept until the run has come back.

use super::values::PyHookEvent;
use crate::engine::OutputMatcher;
use crate::session::HookCallback;
use crate::sync::{Arc, Mutex, lock};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes};
use std::collections::BTreeMap;

/// A regular expression is shown at most so many of the last bytes printed.
const PATTERN_WINDOW: usize = 4096;

/// What one machine's callbacks share.
#[derive(Default)]
pub struct Callbacks {
    raised: Mutex<Option<PyErr>>,
    /// The hooks' functions stand here and not in the engine's closures, so that Python's collector sees them.
    functions: Mutex<BTreeMap<u64, Py<PyAny>>>,
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

    /// A hook that calls `function`: it stops the run by returning False or by raising. Also gives the key under which
    /// [`Callbacks::forget`] drops the function.
    pub fn hook(self: &Arc<Self>, function: Py<PyAny>) -> (u64, HookCallback) {
        let mut functions = lock(&self.functions);
        let key = functions.last_key_value().map_or(0, |(last, _)| last + 1);
        functions.insert(key, function);
        let callbacks = Arc::clone(self);
        let callback = Box::new(move |event| {
            let goes_on = callbacks.call(|py| {
                let function = lock(&callbacks.functions).get(&key).map(|function| function.clone_ref(py));
                let Some(function) = function else { return Ok(true) };
                let answer = function.call1(py, (PyHookEvent::from(event),))?;
                Ok(!answer.bind(py).is(PyBool::new(py, false)))
            });
            goes_on.unwrap_or(false)
        });
        (key, callback)
    }

    /// Drops a hook's function.
    pub fn forget(&self, key: u64) {
        let function = lock(&self.functions).remove(&key);
        // Dropped behind the lock: whatever Python does then may come back here.
        drop(function);
    }

    /// Shows Python's collector the functions. Never waits: what it cannot see now it keeps.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Ok(functions) = self.functions.try_lock() {
            for function in functions.values() {
                visit.call(function)?;
            }
        }
        Ok(())
    }

    /// Drops all functions, on behalf of Python's collector.
    pub fn clear(&self) {
        let functions = std::mem::take(&mut *lock(&self.functions));
        drop(functions);
    }

    /// A test of the console's transcript from `start` on: for the bytes of `wanted`, or by calling it.
    pub fn output_test(self: &Arc<Self>, wanted: &Bound<'_, PyAny>, start: usize) -> PyResult<OutputMatcher> {
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
        Python::try_attach(|py| work(py).map_err(|error| self.keep(error)).ok()).flatten()
    }
}
