//! A timeline, as `rreplay.Timeline` uses it. A place is a pair (icount, cycles).

use super::callbacks::Callbacks;
use super::errors::OrRaise;
use super::event::{Names, PyEvent};
use super::recording::PyRecordingFile;
use super::session::{Image, PySession, digests_dict, fields_dict, images, registers_dict};
use super::table::PyAccessColumns;
use super::values::{PyAccess, PyInstruction, PyStop};
use crate::error::Error;
use crate::session::Session;
use crate::sync::{Arc, Mutex, Shared, lock};
use crate::timeline::{
    Access, AccessQuery, Condition, OriginNode, PointId, Timeline, TimelineStop, WORK_BETWEEN_QUESTIONS,
    Watch,
};
use crate::units::Position;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::collections::BTreeMap;
use std::path::PathBuf;

type Place = (u64, u64);

fn position((icount, cycles): Place) -> Position {
    Position::new(icount, cycles)
}

fn place(position: Position) -> Place {
    (position.icount, position.cycles)
}

/// A node of an origin's graph: kind, icount, cycles, value, words, pc, address, event, and the places of its sources.
type OriginRow =
    (&'static str, u64, u64, Option<u8>, String, Option<u16>, Option<u16>, Option<PyEvent>, Vec<usize>);

/// A recording to move in.
#[pyclass(frozen, module = "rreplay._core", name = "TimelineCore")]
pub struct PyTimeline {
    timeline: Timeline,
    names: Arc<Names>,
    callbacks: Arc<Callbacks>,
    /// The conditions of breakpoints and watchpoints, where Python's collector sees them.
    conditions: Arc<Mutex<BTreeMap<u64, Py<PyAny>>>>,
    next_condition: Mutex<u64>,
    /// Called now and then with the instructions that an operation has gone through so far.
    progress: Mutex<Option<Py<PyAny>>>,
}

impl PyTimeline {
    /// Does something that may take long, detached from the interpreter; Ctrl-C ends it.
    fn work<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Timeline, &mut dyn FnMut() -> bool) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        self.callbacks.begin();
        let progress = lock(&self.progress).as_ref().map(|progress| progress.clone_ref(py));
        let mut gone_through = 0;
        let mut interrupted = || {
            gone_through += WORK_BETWEEN_QUESTIONS;
            !self.callbacks.progress(progress.as_ref(), gone_through)
        };
        let result = py.detach(|| work(&self.timeline, &mut interrupted));
        self.callbacks.outcome()?;
        result.or_raise(py)
    }

    fn look<T: Send>(
        &self,
        py: Python<'_>,
        at: Place,
        question: impl FnOnce(&Session) -> T + Send,
    ) -> PyResult<T> {
        // Conditions ask too, within a run: what that run has to say is left alone.
        let mut interrupted = || self.callbacks.signalled();
        let look = || self.timeline.look(position(at), &mut interrupted, |session, _| question(session));
        py.detach(look).or_raise(py)
    }

    fn stop(
        &self,
        py: Python<'_>,
        go: impl FnOnce(&Timeline, &mut dyn FnMut() -> bool) -> Result<TimelineStop, Error> + Send,
    ) -> PyResult<PyStop> {
        self.work(py, go).map(PyStop::from)
    }

    /// A condition that asks a Python function, which is given the place and the access.
    fn condition(&self, function: Option<Py<PyAny>>) -> Option<Condition> {
        let function = function?;
        let key = {
            let mut next = lock(&self.next_condition);
            *next += 1;
            *next
        };
        lock(&self.conditions).insert(key, function);
        let (conditions, callbacks) = (Arc::clone(&self.conditions), Arc::clone(&self.callbacks));
        Some(Shared::new(move |at: Position, access: Option<Access>| {
            let answer = callbacks.call(|py| {
                let function = lock(&conditions).get(&key).map(|function| function.clone_ref(py));
                let Some(function) = function else { return Ok(false) };
                function.call1(py, (place(at), access.map(PyAccess::from)))?.bind(py).is_truthy()
            });
            answer.ok_or_else(|| Error::State("a condition has raised an exception".into()))
        }))
    }
}

#[pymethods]
impl PyTimeline {
    #[new]
    fn make(
        py: Python<'_>,
        file: &Bound<'_, PyRecordingFile>,
        images: Vec<Image>,
        budget: usize,
    ) -> PyResult<Self> {
        let recording = file.get().recording.clone();
        let images = self::images(images);
        let timeline = py.detach(|| Timeline::new(&recording, &images, budget)).or_raise(py)?;
        let (conditions, next_condition) = (Arc::default(), Mutex::new(0));
        let progress = Mutex::new(None);
        let names = Arc::clone(&file.get().names);
        Ok(Self { timeline, names, callbacks: Arc::default(), conditions, next_condition, progress })
    }

    #[getter]
    fn start(&self) -> Place {
        place(self.timeline.start())
    }

    #[getter]
    fn end(&self) -> Place {
        place(self.timeline.end())
    }

    #[getter]
    fn verified(&self) -> bool {
        self.timeline.is_verified()
    }

    #[getter]
    fn place(&self) -> Place {
        place(self.timeline.place())
    }

    fn set_progress(&self, progress: Option<Py<PyAny>>) {
        let before = std::mem::replace(&mut *lock(&self.progress), progress);
        // Dropped behind the lock: whatever Python does then may come back here.
        drop(before);
    }

    /// States kept in memory, and an upper bound of their bytes.
    fn kept(&self) -> (usize, usize) {
        self.timeline.kept()
    }

    // ---- moving ----

    fn place_at(&self, py: Python<'_>, icount: u64, cycles: Option<u64>) -> PyResult<Place> {
        self.work(py, |timeline, interrupted| timeline.place_at(icount, cycles, interrupted)).map(place)
    }

    fn seek(&self, py: Python<'_>, icount: u64, cycles: Option<u64>) -> PyResult<Place> {
        self.work(py, |timeline, interrupted| timeline.seek(icount, cycles, interrupted)).map(place)
    }

    fn go_to(&self, py: Python<'_>, to: Place) -> PyResult<()> {
        self.work(py, |timeline, interrupted| timeline.go_to(position(to), interrupted))
    }

    fn go_before(&self, py: Python<'_>, access: Place) -> PyResult<Place> {
        self.work(py, |timeline, interrupted| timeline.go_before(position(access), interrupted)).map(place)
    }

    fn place_before_event(&self, py: Python<'_>, at: Place, ordinal: u64) -> PyResult<Place> {
        let find = |timeline: &Timeline, interrupted: &mut dyn FnMut() -> bool| {
            timeline.place_before_event(position(at), ordinal, interrupted)
        };
        self.work(py, find).map(place)
    }

    fn step(&self, py: Python<'_>, count: u64) -> PyResult<PyStop> {
        self.stop(py, |timeline, interrupted| timeline.step(count, interrupted))
    }

    fn reverse_step(&self, py: Python<'_>, count: u64) -> PyResult<PyStop> {
        self.stop(py, |timeline, interrupted| timeline.reverse_step(count, interrupted))
    }

    fn step_over(&self, py: Python<'_>) -> PyResult<PyStop> {
        self.stop(py, Timeline::step_over)
    }

    fn reverse_step_over(&self, py: Python<'_>) -> PyResult<PyStop> {
        self.stop(py, Timeline::reverse_step_over)
    }

    fn step_out(&self, py: Python<'_>) -> PyResult<PyStop> {
        self.stop(py, Timeline::step_out)
    }

    fn reverse_step_out(&self, py: Python<'_>) -> PyResult<PyStop> {
        self.stop(py, Timeline::reverse_step_out)
    }

    fn run(&self, py: Python<'_>) -> PyResult<PyStop> {
        self.stop(py, Timeline::run)
    }

    fn reverse_run(&self, py: Python<'_>) -> PyResult<PyStop> {
        self.stop(py, Timeline::reverse_run)
    }

    // ---- breakpoints and watchpoints ----

    fn add_breakpoint(&self, address: u16, condition: Option<Py<PyAny>>) -> u64 {
        let condition = self.condition(condition);
        self.timeline.add_breakpoint(address, condition).0
    }

    fn add_watchpoint(
        &self,
        py: Python<'_>,
        first: u16,
        last: u16,
        access: &str,
        condition: Option<Py<PyAny>>,
    ) -> PyResult<u64> {
        let watch = match access {
            "r" => Watch::Reads,
            "w" => Watch::Writes,
            "rw" => Watch::ReadsAndWrites,
            "change" => Watch::Changes,
            _ => {
                let what = format!("access is 'r', 'w', 'rw' or 'change', and not {access:?}");
                return Err(Error::Argument(what)).or_raise(py);
            }
        };
        let condition = self.condition(condition);
        Ok(self.timeline.add_watchpoint((first, last), watch, condition).0)
    }

    fn remove_point(&self, point: u64) -> bool {
        self.timeline.remove_point(PointId(point))
    }

    // ---- questions ----

    fn last_write(&self, py: Python<'_>, address: u16, before: Option<Place>) -> PyResult<Option<PyAccess>> {
        let before = before.map(position);
        let found =
            self.work(py, |timeline, interrupted| timeline.last_write(address, before, interrupted))?;
        Ok(found.map(PyAccess::from))
    }

    /// The graph of where a byte comes from: the byte first, each node before its sources.
    fn origin(&self, py: Python<'_>, address: u16, before: Place) -> PyResult<Vec<OriginRow>> {
        let nodes = self.work(py, |timeline, interrupted| {
            timeline.origin(address, Some(position(before)), interrupted)
        })?;
        let row = |node: OriginNode| {
            let OriginNode { kind, at, value, what, pc, address, event, sources } = node;
            let event = event.map(|event| PyEvent::new(event, Arc::clone(&self.names)));
            (kind.name(), at.icount, at.cycles, value, what, pc, address, event, sources)
        };
        Ok(nodes.into_iter().map(row).collect())
    }

    #[expect(clippy::too_many_arguments, reason = "what a query asks for")]
    fn accesses(
        &self,
        py: Python<'_>,
        first: u16,
        last: u16,
        reads: bool,
        writes: bool,
        start: Option<u64>,
        stop: Option<u64>,
    ) -> PyResult<PyAccessColumns> {
        let query = AccessQuery { first, last, reads, writes, start, stop };
        let mut rows = Vec::new();
        self.work(py, |timeline, interrupted| {
            timeline.accesses(&query, interrupted, &mut |access| rows.push(access))
        })?;
        Ok(PyAccessColumns::new(rows))
    }

    /// Executions and cycles by address, each as 65,536 64-bit numbers in the machine's byte order.
    fn profile<'py>(
        &self,
        py: Python<'py>,
        start: Option<u64>,
        stop: Option<u64>,
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let profile = self.work(py, |timeline, interrupted| timeline.profile(start, stop, interrupted))?;
        let bytes =
            |numbers: &[u64]| numbers.iter().flat_map(|number| number.to_ne_bytes()).collect::<Vec<u8>>();
        Ok((PyBytes::new(py, &bytes(&profile.executions)), PyBytes::new(py, &bytes(&profile.cycles))))
    }

    fn first(&self, py: Python<'_>, predicate: Py<PyAny>) -> PyResult<Option<Place>> {
        let callbacks = Arc::clone(&self.callbacks);
        let mut ask = |at: Position| {
            let answer = callbacks.call(|py| predicate.call1(py, (place(at),))?.bind(py).is_truthy());
            answer.ok_or_else(|| Error::State("the predicate has raised an exception".into()))
        };
        let found = self.work(py, |timeline, interrupted| timeline.first(interrupted, &mut ask))?;
        Ok(found.map(place))
    }

    // ---- looking ----

    fn registers<'py>(&self, py: Python<'py>, at: Place) -> PyResult<Bound<'py, PyDict>> {
        registers_dict(py, self.look(py, at, Session::registers)?)
    }

    fn read_memory<'py>(
        &self,
        py: Python<'py>,
        at: Place,
        start: u16,
        length: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.look(py, at, |session| session.memory(start, length))?))
    }

    fn digest(&self, py: Python<'_>, at: Place) -> PyResult<String> {
        self.look(py, at, |session| session.digest().to_string())
    }

    fn digests<'py>(&self, py: Python<'py>, at: Place) -> PyResult<Bound<'py, PyDict>> {
        let digests = self.look(py, at, Session::digests)?;
        digests_dict(py, digests)
    }

    fn snapshot(&self, py: Python<'_>, at: Place) -> PyResult<super::values::PySnapshot> {
        let snapshot = self.look(py, at, Session::snapshot)?;
        Ok(super::values::PySnapshot { snapshot })
    }

    fn device_names(&self, py: Python<'_>) -> PyResult<Vec<(String, &'static str)>> {
        self.look(py, self.place(), Session::devices)
    }

    /// The first and the last address of a device's registers.
    fn device_window(&self, py: Python<'_>, name: &str) -> PyResult<(u16, u16)> {
        self.look(py, self.place(), |session| session.device_window(name))?.or_raise(py)
    }

    fn device_state<'py>(&self, py: Python<'py>, at: Place, name: &str) -> PyResult<Bound<'py, PyDict>> {
        let fields = self.look(py, at, |session| session.device_state(name))?.or_raise(py)?;
        fields_dict(py, fields)
    }

    fn disassemble(
        &self,
        py: Python<'_>,
        at: Place,
        address: Option<u16>,
        count: usize,
    ) -> PyResult<Vec<PyInstruction>> {
        let instructions = self.look(py, at, |session| session.disassemble(address, count))?;
        Ok(instructions.into_iter().map(PyInstruction::from).collect())
    }

    /// Events of the log that have passed.
    fn events_passed(&self, py: Python<'_>, at: Place) -> PyResult<u64> {
        let mut interrupted = || self.callbacks.signalled();
        let look = || self.timeline.look(position(at), &mut interrupted, |_, events| events);
        py.detach(look).or_raise(py)
    }

    fn console_output<'py>(&self, py: Python<'py>, at: Place) -> PyResult<Bound<'py, PyBytes>> {
        let mut interrupted = || self.callbacks.signalled();
        let output =
            py.detach(|| self.timeline.console_output(position(at), &mut interrupted)).or_raise(py)?;
        Ok(PyBytes::new(py, &output))
    }

    /// Where the console printed the byte that made it so many, and the event's ordinal.
    fn printed_at(&self, py: Python<'_>, length: usize) -> PyResult<Option<(Place, u64)>> {
        let found = py.detach(|| self.timeline.printed_at(length)).or_raise(py)?;
        Ok(found.map(|(at, ordinal)| (place(at), ordinal)))
    }

    fn cut(&self, py: Python<'_>, start: u64, stop: u64, path: PathBuf) -> PyResult<()> {
        self.work(py, |timeline, interrupted| timeline.cut(start, stop, &path, interrupted))
    }

    fn fork(&self, py: Python<'_>, at: Place) -> PyResult<PySession> {
        let mut interrupted = || self.callbacks.signalled();
        let fork = py.detach(|| self.timeline.fork(position(at), &mut interrupted)).or_raise(py)?;
        Ok(PySession::new(fork))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Ok(conditions) = self.conditions.try_lock() {
            for condition in conditions.values() {
                visit.call(condition)?;
            }
        }
        if let Ok(progress) = self.progress.try_lock()
            && let Some(progress) = &*progress
        {
            visit.call(progress)?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        self.set_progress(None);
        let conditions = std::mem::take(&mut *lock(&self.conditions));
        drop(conditions);
    }
}
