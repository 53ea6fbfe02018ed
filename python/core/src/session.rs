//! A machine, as `rreplay.Machine` uses it.

use super::board::PyBoard;
use super::callbacks::Callbacks;
use super::errors::{OrRaise, named};
use super::recording::PyRecorded;
use super::values::{PyBusCycle, PyInstruction, PySnapshot, PyStop};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use rreplay::cpu::Registers;
use rreplay::engine::Scheduler;
use rreplay::error::Error;
use rreplay::host::InputGate;
use rreplay::machine::board::{ImageInput, Target};
use rreplay::machine::rom::Format;
use rreplay::machine::{HookId, HookKind};
use rreplay::nondet::ShutdownCause;
use rreplay::persist::{Digest, Value};
use rreplay::session::{RecordOptions, RunRequest, Running, Session};
use rreplay::sync::{Arc, Mutex, lock};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A machine. Every method may be called from any thread.
#[pyclass(frozen, module = "rreplay._core", name = "Session")]
pub struct PySession {
    session: Arc<Session>,
    callbacks: Arc<Callbacks>,
    /// Set by `stop`, from another thread.
    stop: Mutex<bool>,
    /// The engine's hooks by the keys of their functions.
    hooks: Mutex<BTreeMap<u64, HookId>>,
}

/// An image as Python gives it: where it goes (None: the board's main region), what errors call it, its bytes.
pub type Image = (Option<Place>, String, Vec<u8>);

/// The images as the engine takes them.
pub fn images(images: Vec<Image>) -> Vec<ImageInput> {
    let image = |(place, name, bytes): Image| {
        let target = match place {
            None => Target::Main,
            Some(Place::Region(region)) => Target::Region(region),
            Some(Place::Address(address)) => Target::Address(address),
        };
        let format = match Format::detect(Some(&name), &bytes) {
            // Whoever gives an address to text wants its bytes there.
            Format::Text if matches!(target, Target::Address(_)) => Format::Bin,
            format => format,
        };
        ImageInput { target, name, bytes, format }
    };
    images.into_iter().map(image).collect()
}

/// Where an image goes.
#[derive(FromPyObject)]
pub enum Place {
    Address(u16),
    Region(String),
}

impl PySession {
    pub fn new(session: Session) -> Self {
        Self {
            session: Arc::new(session),
            callbacks: Arc::default(),
            stop: Mutex::new(false),
            hooks: Mutex::default(),
        }
    }

    /// Asks the machine something, detached from the interpreter.
    ///
    /// A device of the user's is called in the middle of an instruction, with the machine in the engine's hands: there
    /// is nothing to look at then, and to wait for it would be to wait for oneself.
    pub(super) fn ask<T: Send>(
        &self,
        py: Python<'_>,
        question: impl FnOnce(&Session) -> T + Send,
    ) -> PyResult<T> {
        if self.callbacks.is_in_device() {
            let message = "the machine is in the middle of an instruction while it asks a device: a device's methods \
                           answer from what they are given, and leave the machine alone";
            return Err(named(py, "StateError", message));
        }
        self.session.require_whole().or_raise(py)?;
        Ok(py.detach(|| question(&self.session)))
    }

    /// Where the functions are kept that the engine calls.
    pub(super) fn callbacks(&self) -> &Arc<Callbacks> {
        &self.callbacks
    }

    /// Runs the machine in some way, detached from the interpreter; what its callbacks raised is raised. Whoever is refused
    /// because another thread runs it leaves that run what was raised in it, and its order to stop.
    fn run_by<T: Send>(
        &self,
        py: Python<'_>,
        run: impl FnOnce(&Running<'_>) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        let ran = self.ask(py, |session| {
            session.start_running().map(|running| {
                self.callbacks.begin();
                *lock(&self.stop) = false;
                let result = run(&running);
                // Taken before another thread may begin.
                (result, self.callbacks.outcome())
            })
        })?;
        let (result, raised) = ran.or_raise(py)?;
        raised?;
        result.or_raise(py)
    }

    /// Whether the run in progress should end early.
    fn interrupted(&self) -> bool {
        *lock(&self.stop) || self.callbacks.signalled()
    }
}

/// Registers by name.
pub fn registers_dict(py: Python<'_>, registers: Registers) -> PyResult<Bound<'_, PyDict>> {
    let by_name = PyDict::new(py);
    for (register, value) in registers.iter() {
        by_name.set_item(register.name, value)?;
    }
    Ok(by_name)
}

/// Hashes by part.
pub fn digests_dict(py: Python<'_>, digests: Vec<(String, Digest)>) -> PyResult<Bound<'_, PyDict>> {
    let by_name = PyDict::new(py);
    for (name, digest) in digests {
        by_name.set_item(name, digest.to_string())?;
    }
    Ok(by_name)
}

/// A device's fields by name.
pub fn fields_dict<'py>(py: Python<'py>, fields: Vec<(&'static str, Value)>) -> PyResult<Bound<'py, PyDict>> {
    let state = PyDict::new(py);
    for (field, value) in fields {
        match value {
            Value::Unsigned(number) => state.set_item(field, number)?,
            Value::Bool(flag) => state.set_item(field, flag)?,
            Value::Bytes(bytes) => state.set_item(field, PyBytes::new(py, &bytes))?,
            Value::Absent => state.set_item(field, py.None())?,
        }
    }
    Ok(state)
}

/// The scheduler of a name, or the default one.
pub fn scheduler(py: Python<'_>, name: Option<&str>) -> PyResult<Option<Scheduler>> {
    match name {
        None => Ok(None),
        Some("threads") => Ok(Some(Scheduler::Threads)),
        Some("inline") => Ok(Some(Scheduler::Inline)),
        Some(other) => {
            let message = format!("there is no scheduler {other:?}: use 'threads' or 'inline'");
            Err(named(py, "ArgumentError", &message))
        }
    }
}

#[pymethods]
impl PySession {
    #[new]
    fn make(py: Python<'_>, board: &Bound<'_, PyBoard>, images: Vec<Image>) -> PyResult<Self> {
        let images = self::images(images);
        let board = board.get().board.clone();
        Ok(Self::new(py.detach(|| Session::new(board, images)).or_raise(py)?))
    }

    #[getter]
    fn board(&self) -> PyBoard {
        PyBoard { board: self.session.board().clone() }
    }

    #[getter]
    fn mode(&self, py: Python<'_>) -> PyResult<&'static str> {
        self.ask(py, |session| session.mode().name())
    }

    #[getter]
    fn clock_hz(&self) -> u64 {
        self.session.clock_hz()
    }

    fn position(&self, py: Python<'_>) -> PyResult<(u64, u64)> {
        let position = self.ask(py, Session::position)?;
        Ok((position.icount, position.cycles))
    }

    fn registers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        registers_dict(py, self.ask(py, Session::registers)?)
    }

    /// The processor's registers: name, bits, what it is for.
    fn register_table(&self) -> Vec<(&'static str, u8, &'static str)> {
        let registers = self.session.board().cpu.kind.registers();
        registers.iter().map(|register| (register.name, register.bits, register.meaning)).collect()
    }

    /// Where the next byte pushed goes.
    fn stack_pointer(&self, py: Python<'_>) -> PyResult<u16> {
        self.ask(py, Session::stack_pointer)
    }

    /// Where the processor's interrupts lead now.
    fn interrupt_handlers(&self, py: Python<'_>) -> PyResult<Vec<u16>> {
        self.ask(py, Session::interrupt_handlers)
    }

    fn set_register(&self, py: Python<'_>, name: &str, value: u32) -> PyResult<()> {
        self.ask(py, |session| session.set_register(name, value))?.or_raise(py)
    }

    #[pyo3(signature = (address, count))]
    fn disassemble(
        &self,
        py: Python<'_>,
        address: Option<u16>,
        count: usize,
    ) -> PyResult<Vec<PyInstruction>> {
        let instructions = self.ask(py, |session| session.disassemble(address, count))?;
        Ok(instructions.into_iter().map(PyInstruction::from).collect())
    }

    #[pyo3(signature = (instructions, idle_seconds))]
    fn trace_bus(
        &self,
        py: Python<'_>,
        instructions: u64,
        idle_seconds: Option<f64>,
    ) -> PyResult<Vec<PyBusCycle>> {
        let request = RunRequest { instructions: Some(instructions), idle_seconds, ..RunRequest::default() };
        let cycles = self.run_by(py, |running| running.trace_bus(request, &mut || self.interrupted()))?;
        Ok(cycles.into_iter().map(PyBusCycle::from).collect())
    }

    fn read_memory<'py>(&self, py: Python<'py>, start: u16, length: usize) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.ask(py, |session| session.memory(start, length))?))
    }

    fn write_memory(&self, py: Python<'_>, start: u16, data: &[u8]) -> PyResult<()> {
        self.ask(py, |session| session.write_memory(start, data))?.or_raise(py)
    }

    fn reset(&self, py: Python<'_>) -> PyResult<()> {
        self.ask(py, Session::reset)?.or_raise(py)
    }

    fn shutdown(&self, py: Python<'_>, cause: &str) -> PyResult<()> {
        let cause = cause.parse::<ShutdownCause>();
        let cause = cause.map_err(|unknown| named(py, "ArgumentError", &unknown.to_string()))?;
        self.ask(py, |session| session.shutdown(cause))?.or_raise(py)
    }

    fn request_snapshot(&self, py: Python<'_>) -> PyResult<()> {
        self.ask(py, Session::request_snapshot)?.or_raise(py)
    }

    #[pyo3(signature = (
        *, instructions, cycles, seconds, pc, output, output_start, scheduler, sleep, wait_for_input, idle_seconds,
        progress
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of a Python method")]
    fn run(
        &self,
        py: Python<'_>,
        instructions: Option<u64>,
        cycles: Option<u64>,
        seconds: Option<f64>,
        pc: Option<u16>,
        output: Option<&Bound<'_, PyAny>>,
        output_start: Option<usize>,
        scheduler: Option<&str>,
        sleep: bool,
        wait_for_input: bool,
        idle_seconds: Option<f64>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<PyStop> {
        let start = match output_start {
            Some(start) => start,
            None => self.ask(py, Session::output_length)?,
        };
        let output = output.map(|wanted| self.callbacks.output_test(wanted, start)).transpose()?;
        let scheduler = self::scheduler(py, scheduler)?;
        let request = RunRequest {
            instructions,
            cycles,
            seconds,
            pc,
            output,
            scheduler,
            sleep,
            wait_for_input,
            idle_seconds,
        };
        let extent = match progress {
            Some(_) => {
                let bounds = RunRequest { instructions, cycles, seconds, ..RunRequest::default() };
                self.ask(py, move |session| session.extent(&bounds))?
            }
            None => None,
        };
        let stop = self.run_by(py, |running| {
            let mut interrupted = || {
                let done_of =
                    extent.map(|extent| (extent.done(self.session.position()), extent.total.max(1)));
                *lock(&self.stop) || !self.callbacks.progress(progress.as_ref(), done_of)
            };
            running.run(request, &mut interrupted)
        })?;
        if let Some(hearer) = progress {
            // What has ended it before its limit was what it was for.
            let total = extent.map_or(1, |extent| extent.total.max(1));
            hearer.call1(py, (total, total))?;
        }
        Ok(PyStop::from(stop))
    }

    fn stop(&self) {
        *lock(&self.stop) = true;
    }

    fn open_gate(&self) -> PyInputGate {
        PyInputGate(Mutex::new(Some(self.session.open_gate())))
    }

    fn has_console(&self) -> bool {
        self.session.has_console()
    }

    fn send(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        self.ask(py, |session| session.send(data))?.or_raise(py)
    }

    fn output<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.ask(py, Session::output)?))
    }

    fn output_length(&self, py: Python<'_>) -> PyResult<usize> {
        self.ask(py, Session::output_length)
    }

    fn output_from<'py>(&self, py: Python<'py>, start: usize) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.ask(py, |session| session.output_from(start))?))
    }

    fn input_pending(&self, py: Python<'_>) -> PyResult<usize> {
        self.ask(py, Session::input_pending)
    }

    fn devices(&self, py: Python<'_>) -> PyResult<Vec<(String, &'static str)>> {
        self.ask(py, Session::devices)
    }

    fn device_state<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyDict>> {
        fields_dict(py, self.ask(py, |session| session.device_state(name))?.or_raise(py)?)
    }

    fn snapshot(&self, py: Python<'_>) -> PyResult<PySnapshot> {
        Ok(PySnapshot { snapshot: self.ask(py, Session::snapshot)? })
    }

    fn restore(&self, py: Python<'_>, snapshot: &Bound<'_, PySnapshot>) -> PyResult<()> {
        let snapshot = &snapshot.get().snapshot;
        self.ask(py, |session| session.restore(snapshot))?.or_raise(py)
    }

    fn copy(&self, py: Python<'_>) -> PyResult<Self> {
        Ok(Self::new(self.ask(py, Session::copy)?))
    }

    fn digest(&self, py: Python<'_>) -> PyResult<String> {
        self.ask(py, |session| session.digest().to_string())
    }

    fn digests<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        digests_dict(py, self.ask(py, Session::digests)?)
    }

    #[pyo3(signature = (path, *, digest_every, snapshot_every, automatic_snapshots, embed_roms, chaos))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of a Python method")]
    fn record(
        &self,
        py: Python<'_>,
        path: PathBuf,
        digest_every: Option<u64>,
        snapshot_every: Option<u64>,
        automatic_snapshots: bool,
        embed_roms: bool,
        chaos: Option<u64>,
    ) -> PyResult<PyRecorded> {
        let options = RecordOptions { digest_every, snapshot_every, automatic_snapshots, embed_roms, chaos };
        self.ask(py, |session| session.record(&path, options))?.or_raise(py).map(PyRecorded::new)
    }

    fn finish(&self, py: Python<'_>, recorded: &Bound<'_, PyRecorded>) -> PyResult<()> {
        let recorded = recorded.get().recorded();
        self.ask(py, |session| session.finish_recording(recorded))?.or_raise(py)
    }

    fn add_hook(
        &self,
        py: Python<'_>,
        kind: &str,
        first: u16,
        last: u16,
        callback: Py<PyAny>,
    ) -> PyResult<u64> {
        let kind = match kind {
            "execute" => HookKind::Execute,
            "read" => HookKind::Read,
            "write" => HookKind::Write,
            other => {
                let message = format!("there is no hook {other:?}: use 'execute', 'read' or 'write'");
                return Err(named(py, "ArgumentError", &message));
            }
        };
        let (key, callback) = self.callbacks.hook(callback);
        let id = self.ask(py, |session| session.add_hook(kind, first, last, callback))?;
        lock(&self.hooks).insert(key, id);
        Ok(key)
    }

    fn remove_hook(&self, py: Python<'_>, hook: u64) -> PyResult<()> {
        let id = lock(&self.hooks).remove(&hook);
        if let Some(id) = id {
            self.ask(py, |session| session.remove_hook(id))?;
        }
        self.callbacks.forget(hook);
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.callbacks.traverse(&visit)
    }

    fn __clear__(&self) {
        self.callbacks.clear();
    }
}

/// While it is open, a machine that waits for input keeps waiting.
#[pyclass(frozen, module = "rreplay._core", name = "InputGate")]
pub struct PyInputGate(Mutex<Option<InputGate>>);

#[pymethods]
impl PyInputGate {
    /// No more will come; a second time does nothing.
    fn close(&self, py: Python<'_>) {
        py.detach(|| drop(lock(&self.0).take()));
    }
}
