//! Python functions that the engine calls while a machine runs.
//!
//! A hook runs between two instructions with no lock held, so it may look at its machine. What a callback raises ends
//! the run, and is kept until the run has come back.

use super::given;
use super::values::PyHookEvent;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyList};
use rreplay::engine::OutputMatcher;
use rreplay::host::{NetHost, PACKET_MAX, RequestHost};
use rreplay::nondet::CharRequest;
use rreplay::session::HookCallback;
use rreplay::sync::{Arc, Mutex, ThreadId, current_thread, lock};
use std::collections::BTreeMap;

/// A regular expression is shown at most so many of the last bytes printed.
const PATTERN_WINDOW: usize = 4096;

/// What one machine's callbacks share.
#[derive(Default)]
pub struct Callbacks {
    raised: Mutex<Option<PyErr>>,
    /// The hooks' functions stand here and not in the engine's closures, so that Python's collector sees them.
    functions: Mutex<BTreeMap<u64, Py<PyAny>>>,
    /// The thread that is inside a method of a user's device.
    in_device: Mutex<Option<ThreadId>>,
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

    /// For whoever cannot raise what a signal handler has raised: a Ctrl-C is heard once more, when Python goes on. Whatever
    /// else it was has at least ended the work.
    pub fn raise_afterwards(&self) {
        let raised = lock(&self.raised).take();
        let again = Python::try_attach(|py| match raised {
            Some(error) if error.is_instance_of::<PyKeyboardInterrupt>(py) => {
                py.import("_thread")?.call_method0("interrupt_main").map(|_| ())
            }
            _ => Ok(()),
        });
        // Where that is not to be had the work has ended all the same.
        drop(again);
    }

    /// Keeps the first error of a run.
    fn keep(&self, error: PyErr) {
        lock(&self.raised).get_or_insert(error);
    }

    /// Returns Python's signal handlers their turn; whether one of them raised. Also true once Python is going away.
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

    /// Tells `hearer` how much is done and how much there is in all, after a look at the signals; false when either
    /// raised, and the work must end.
    pub fn progress(self: &Arc<Self>, hearer: Option<&Py<PyAny>>, done_of: Option<(u64, u64)>) -> bool {
        let (Some(hearer), Some(done_of)) = (hearer, done_of) else { return !self.signalled() };
        !self.signalled() && self.call(|py| hearer.call1(py, done_of).map(|_| true)).unwrap_or(false)
    }

    /// A hook that calls `function`: it stops the run by returning False or by raising. Also gives the key under which
    /// [`Callbacks::forget`] drops the function.
    pub fn hook(self: &Arc<Self>, function: Py<PyAny>) -> (u64, HookCallback) {
        let key = self.keep_object(function);
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

    /// Keeps an object that the engine will call, where Python's collector sees it, and returns the key to it.
    fn keep_object(&self, object: Py<PyAny>) -> u64 {
        let mut functions = lock(&self.functions);
        let key = functions.last_key_value().map_or(0, |(last, _)| last + 1);
        functions.insert(key, object);
        key
    }

    /// The host of a user's device that asks `object`.
    pub fn device(self: &Arc<Self>, object: Py<PyAny>) -> PyDevice {
        PyDevice { key: self.keep_object(object), callbacks: Arc::clone(self), failed: false }
    }

    /// The host of a network device that gives what it sends to `function`.
    pub fn network(self: &Arc<Self>, function: Py<PyAny>) -> PyNetwork {
        let key = self.keep_object(function);
        PyNetwork { key, callbacks: Arc::clone(self), answers: Vec::new(), failed: false }
    }

    /// Whether this thread is inside a method of a user's device.
    pub fn is_in_device(&self) -> bool {
        *lock(&self.in_device) == Some(current_thread())
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
            let mut looked_at = start;
            return Ok(Box::new(move |transcript| {
                // A device that stands in for an operating system prints many bytes at once.
                let from = looked_at.saturating_sub(literal.len()).max(start);
                looked_at = transcript.len();
                let fresh = transcript.get(from..).unwrap_or_default();
                fresh.windows(literal.len().max(1)).any(|place| place == literal)
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
    pub(super) fn call(self: &Arc<Self>, work: impl FnOnce(Python<'_>) -> PyResult<bool>) -> Option<bool> {
        Python::try_attach(|py| work(py).map_err(|error| self.keep(error)).ok()).flatten()
    }
}

/// A device that is a Python object with `read(offset)`, `write(offset, value)` and `tick()`, each of them optional.
pub struct PyDevice {
    key: u64,
    callbacks: Arc<Callbacks>,
    failed: bool,
}

/// errno EIO: the object raised.
const EIO: i32 = 5;

impl PyDevice {
    fn ask(&self, py: Python<'_>, request: CharRequest<'_>) -> PyResult<Option<u8>> {
        let object = lock(&self.callbacks.functions).get(&self.key).map(|object| object.clone_ref(py));
        let Some(object) = object else { return Ok(None) };
        let object = object.bind(py);
        let (method, answer) = match request {
            CharRequest::RegisterRead { offset } if object.hasattr("read")? => {
                ("read", object.call_method1("read", (offset,))?)
            }
            CharRequest::RegisterWrite { offset, value } if object.hasattr("write")? => {
                ("write", object.call_method1("write", (offset, value))?)
            }
            CharRequest::Tick if object.hasattr("tick")? => ("tick", object.call_method0("tick")?),
            _ => return Ok(None),
        };
        if answer.is_none() && method != "read" {
            return Ok(None);
        }
        // NumPy's bytes and truths are taken too.
        let level = if method == "read" { None } else { answer.extract::<bool>().ok().map(u8::from) };
        level.map_or_else(|| answer.extract::<u8>(), Ok).map(Some).map_err(|_| {
            let expected = if method == "read" {
                "a byte, 0 to 255"
            } else {
                "None, or the level of its interrupt output: True or False"
            };
            let shown = given::shown(&answer);
            let class =
                object.get_type().name().map_or_else(|_| "device".to_owned(), |name| name.to_string());
            let message = format!("{class}.{method} gives {expected}, and it gave {shown}");
            super::errors::named(py, "DeviceError", &message)
        })
    }
}

impl RequestHost for PyDevice {
    fn serves(&self) -> &'static str {
        "user"
    }

    fn request(&mut self, request: CharRequest<'_>, buffer: &mut [u8]) -> i32 {
        let before = lock(&self.callbacks.in_device).replace(current_thread());
        let answer =
            Python::try_attach(|py| self.ask(py, request).map_err(|error| self.callbacks.keep(error)).ok());
        *lock(&self.callbacks.in_device) = before;
        match (answer.flatten(), buffer.first_mut()) {
            (Some(Some(byte)), Some(first)) => {
                *first = byte;
                1
            }
            (Some(_), _) => 0,
            (None, _) => {
                self.failed = true;
                -EIO
            }
        }
    }

    fn has_failed(&mut self) -> bool {
        std::mem::take(&mut self.failed)
    }
}

impl Drop for PyDevice {
    /// The object goes with the device, and Python with neither.
    fn drop(&mut self) {
        self.callbacks.forget(self.key);
    }
}

/// A network that is a Python function: it is given each packet, and what it gives back are packets.
pub struct PyNetwork {
    key: u64,
    callbacks: Arc<Callbacks>,
    answers: Vec<(u32, Vec<u8>)>,
    failed: bool,
}

impl PyNetwork {
    fn ask(&self, py: Python<'_>, packet: &[u8]) -> PyResult<Vec<Vec<u8>>> {
        let function = lock(&self.callbacks.functions).get(&self.key).map(|function| function.clone_ref(py));
        let Some(function) = function else { return Ok(Vec::new()) };
        let answer = function.bind(py).call1((PyBytes::new(py, packet),))?;
        if answer.is_none() {
            return Ok(Vec::new());
        }
        let packets = match answer.cast::<PyList>() {
            Ok(list) => list.iter().map(|packet| given::bytes("a packet", &packet)).collect(),
            Err(_) => given::bytes("a packet", &answer).map(|packet| vec![packet]),
        };
        let fits = |packets: &Vec<Vec<u8>>| packets.iter().all(|packet| packet.len() <= PACKET_MAX);
        packets.ok().filter(fits).ok_or_else(|| {
            let shown = given::shown(&answer);
            let message = format!(
                "a function behind a network gives None, a packet (bytes, up to {PACKET_MAX}) or a list of packets, \
                 and it gave {shown}"
            );
            super::errors::named(py, "DeviceError", &message)
        })
    }
}

impl NetHost for PyNetwork {
    fn send(&mut self, _flags: u32, packet: &[u8]) {
        let before = lock(&self.callbacks.in_device).replace(current_thread());
        let answer =
            Python::try_attach(|py| self.ask(py, packet).map_err(|error| self.callbacks.keep(error)).ok());
        *lock(&self.callbacks.in_device) = before;
        match answer.flatten() {
            Some(packets) => self.answers.extend(packets.into_iter().map(|packet| (0, packet))),
            None => self.failed = true,
        }
    }

    fn poll(&mut self) -> Vec<(u32, Vec<u8>)> {
        std::mem::take(&mut self.answers)
    }

    /// It only answers.
    fn is_open(&self) -> bool {
        !self.answers.is_empty()
    }

    fn has_failed(&mut self) -> bool {
        std::mem::take(&mut self.failed)
    }
}

impl Drop for PyNetwork {
    fn drop(&mut self) {
        self.callbacks.forget(self.key);
    }
}
