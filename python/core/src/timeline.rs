//! A timeline, as `rreplay.Timeline` uses it. A place is a pair (icount, cycles).

use super::callbacks::Callbacks;
use super::errors::OrRaise;
use super::event::{Names, PyEvent};
use super::recording::PyRecordingFile;
use super::session::{Image, PySession, digests_dict, fields_dict, images, registers_dict};
use super::table::PyAccessColumns;
use super::values::{PyAccess, PyInstruction, PyStop};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use rreplay::error::Error;
use rreplay::session::Session;
use rreplay::sync::{Arc, Mutex, Shared, lock};
use rreplay::timeline::{
    Access, AccessQuery, BreakpointId, Condition, Monitor, OriginNode, Progress, Timeline, TimelineStop,
    WatchedAccesses,
};
use rreplay::units::Position;
use std::collections::BTreeMap;
use std::path::PathBuf;

pub(super) type Place = (u64, u64);

fn position((icount, cycles): Place) -> Position {
    Position::new(icount, cycles)
}

pub(super) fn place(position: Position) -> Place {
    (position.icount, position.cycles)
}

/// A node of an origin's graph: kind, icount, cycles, value, words, pc, address, event, and the places of its sources.
type OriginRow =
    (&'static str, u64, u64, Option<u16>, String, Option<u16>, Option<u16>, Option<PyEvent>, Vec<usize>);

/// A recording to move in.
#[pyclass(frozen, module = "rreplay._core", name = "TimelineCore")]
pub struct PyTimeline {
    pub(super) timeline: Timeline,
    pub(super) names: Arc<Names>,
    pub(super) callbacks: Arc<Callbacks>,
    /// The conditions of breakpoints and watchpoints, where Python's collector sees them.
    conditions: Arc<Mutex<BTreeMap<u64, Py<PyAny>>>>,
    next_condition: Mutex<u64>,
    /// What tells its recording from every other.
    fingerprint: String,
}

/// Called with how much of an operation is done, and how much there is in all.
pub(super) type Hearer = Option<Py<PyAny>>;

/// Who waits for an operation, in Python.
struct Waiting<'a> {
    callbacks: &'a Arc<Callbacks>,
    hearer: Hearer,
    progress: Progress,
}

impl Monitor for Waiting<'_> {
    fn is_cancelled(&mut self) -> bool {
        let done_of = self.progress.total().map(|total| (self.progress.done(), total));
        !self.callbacks.progress(self.hearer.as_ref(), done_of)
    }

    fn progress(&mut self) -> Option<&mut Progress> {
        Some(&mut self.progress)
    }
}

impl PyTimeline {
    /// Does something that may take long, detached from the interpreter; Ctrl-C ends it.
    pub(super) fn work<T: Send>(
        &self,
        py: Python<'_>,
        hearer: Hearer,
        work: impl FnOnce(&Timeline, &mut dyn Monitor) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        self.callbacks.begin();
        // What stops this call is this call's own: another thread may be asking the timeline too.
        let own = Arc::new(Callbacks::default());
        let mut waiting = Waiting { callbacks: &own, hearer, progress: Progress::default() };
        let result = py.detach(|| work(&self.timeline, &mut waiting));
        own.outcome()?;
        self.callbacks.outcome()?;
        let result = result.or_raise(py)?;
        if let Some(hearer) = waiting.hearer {
            // Much of a search may not have been needed.
            let total = waiting.progress.total().unwrap_or(1);
            hearer.call1(py, (total, total))?;
        }
        Ok(result)
    }

    /// Does something without conditions and without progress. Conditions do so too, within a run: what that run has to
    /// say is left alone.
    fn ask<T: Send>(
        &self,
        py: Python<'_>,
        question: impl FnOnce(&Timeline, &mut dyn Monitor) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        let own = Callbacks::default();
        let answer = py.detach(|| question(&self.timeline, &mut || own.signalled()));
        own.outcome()?;
        answer.or_raise(py)
    }

    fn look<T: Send>(
        &self,
        py: Python<'_>,
        at: Place,
        question: impl FnOnce(&Session) -> T + Send,
    ) -> PyResult<T> {
        self.ask(py, |timeline, monitor| timeline.look(position(at), monitor, |session, _| question(session)))
    }

    fn stop(
        &self,
        py: Python<'_>,
        hearer: Hearer,
        go: impl FnOnce(&Timeline, &mut dyn Monitor) -> Result<TimelineStop, Error> + Send,
    ) -> PyResult<PyStop> {
        self.work(py, hearer, go).map(PyStop::from)
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
        let (timeline, fingerprint) = py
            .detach(|| Ok((Timeline::new(&recording, &images, budget)?, recording.fingerprint()?)))
            .or_raise(py)?;
        let (conditions, next_condition) = (Arc::default(), Mutex::new(0));
        let (names, fingerprint) = (Arc::clone(&file.get().names), fingerprint.to_string());
        Ok(Self { timeline, names, callbacks: Arc::default(), conditions, next_condition, fingerprint })
    }

    #[getter]
    fn fingerprint(&self) -> &str {
        &self.fingerprint
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

    /// States kept in memory, and an upper bound of their bytes.
    fn kept(&self, py: Python<'_>) -> PyResult<(usize, usize)> {
        self.ask(py, Timeline::kept)
    }

    // ---- moving ----

    fn place_at(
        &self,
        py: Python<'_>,
        icount: u64,
        cycles: Option<u64>,
        progress: Hearer,
    ) -> PyResult<Place> {
        self.work(py, progress, |timeline, monitor| timeline.place_at(icount, cycles, monitor)).map(place)
    }

    fn go_to(&self, py: Python<'_>, to: Place, progress: Hearer) -> PyResult<()> {
        self.work(py, progress, |timeline, monitor| timeline.go_to(position(to), monitor))
    }

    /// The last place before an access.
    fn place_before(&self, py: Python<'_>, access: Place, progress: Hearer) -> PyResult<Place> {
        let access = position(access);
        self.work(py, progress, |timeline, monitor| timeline.place_before(access, monitor)).map(place)
    }

    fn place_before_event(
        &self,
        py: Python<'_>,
        at: Place,
        ordinal: u64,
        progress: Hearer,
    ) -> PyResult<Place> {
        let at = position(at);
        self.work(py, progress, |timeline, monitor| timeline.place_before_event(at, ordinal, monitor))
            .map(place)
    }

    fn step(&self, py: Python<'_>, count: u64, progress: Hearer) -> PyResult<PyStop> {
        self.stop(py, progress, |timeline, monitor| timeline.step(count, monitor))
    }

    fn reverse_step(&self, py: Python<'_>, count: u64, progress: Hearer) -> PyResult<PyStop> {
        self.stop(py, progress, |timeline, monitor| timeline.reverse_step(count, monitor))
    }

    fn step_over(&self, py: Python<'_>, progress: Hearer) -> PyResult<PyStop> {
        self.stop(py, progress, Timeline::step_over)
    }

    fn reverse_step_over(&self, py: Python<'_>, progress: Hearer) -> PyResult<PyStop> {
        self.stop(py, progress, Timeline::reverse_step_over)
    }

    fn step_out(&self, py: Python<'_>, progress: Hearer) -> PyResult<PyStop> {
        self.stop(py, progress, Timeline::step_out)
    }

    fn reverse_step_out(&self, py: Python<'_>, progress: Hearer) -> PyResult<PyStop> {
        self.stop(py, progress, Timeline::reverse_step_out)
    }

    fn run(&self, py: Python<'_>, progress: Hearer) -> PyResult<PyStop> {
        self.stop(py, progress, Timeline::run)
    }

    fn reverse_run(&self, py: Python<'_>, progress: Hearer) -> PyResult<PyStop> {
        self.stop(py, progress, Timeline::reverse_run)
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
            "r" => WatchedAccesses::Reads,
            "w" => WatchedAccesses::Writes,
            "rw" => WatchedAccesses::ReadsAndWrites,
            "change" => WatchedAccesses::Changes,
            _ => {
                let what = format!("access is 'r', 'w', 'rw' or 'change', and not {access:?}");
                return Err(Error::Argument(what)).or_raise(py);
            }
        };
        let condition = self.condition(condition);
        Ok(self.timeline.add_watchpoint((first, last), watch, condition).0)
    }

    fn remove_point(&self, point: u64) -> bool {
        self.timeline.remove_point(BreakpointId(point))
    }

    // ---- questions ----

    fn last_write(
        &self,
        py: Python<'_>,
        address: u16,
        before: Place,
        progress: Hearer,
    ) -> PyResult<Option<PyAccess>> {
        let before = Some(position(before));
        let found =
            self.work(py, progress, |timeline, monitor| timeline.last_write(address, before, monitor))?;
        Ok(found.map(PyAccess::from))
    }

    /// The graph of where a byte comes from: the byte first, each node before its sources.
    fn origin(
        &self,
        py: Python<'_>,
        address: u16,
        before: Place,
        progress: Hearer,
    ) -> PyResult<Vec<OriginRow>> {
        let before = Some(position(before));
        let nodes = self.work(py, progress, |timeline, monitor| timeline.origin(address, before, monitor))?;
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
        progress: Hearer,
    ) -> PyResult<PyAccessColumns> {
        let query = AccessQuery { first, last, reads, writes, start, stop };
        let mut rows = Vec::new();
        self.work(py, progress, |timeline, monitor| {
            timeline.accesses(&query, monitor, &mut |access| rows.push(access))
        })?;
        Ok(PyAccessColumns::new(rows))
    }

    /// Executions and cycles by address, each as 65,536 64-bit numbers in the machine's byte order.
    fn profile<'py>(
        &self,
        py: Python<'py>,
        start: Option<u64>,
        stop: Option<u64>,
        progress: Hearer,
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let profile = self.work(py, progress, |timeline, monitor| timeline.profile(start, stop, monitor))?;
        let bytes =
            |numbers: &[u64]| numbers.iter().flat_map(|number| number.to_ne_bytes()).collect::<Vec<u8>>();
        Ok((PyBytes::new(py, &bytes(&profile.executions)), PyBytes::new(py, &bytes(&profile.cycles))))
    }

    fn first(&self, py: Python<'_>, predicate: Py<PyAny>, progress: Hearer) -> PyResult<Option<Place>> {
        let callbacks = Arc::clone(&self.callbacks);
        let mut ask = |at: Position| {
            let answer = callbacks.call(|py| predicate.call1(py, (place(at),))?.bind(py).is_truthy());
            answer.ok_or_else(|| Error::State("the predicate has raised an exception".into()))
        };
        let found = self.work(py, progress, |timeline, monitor| timeline.first(monitor, &mut ask))?;
        Ok(found.map(place))
    }

    // ---- looking ----

    /// Where the calls lead to that stand at these addresses at a place.
    fn call_targets(&self, py: Python<'_>, at: Place, addresses: Vec<u16>) -> PyResult<Vec<u16>> {
        self.look(py, at, |session| session.call_targets(&addresses))
    }

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
        self.ask(py, |timeline, monitor| timeline.look(position(at), monitor, |_, events| events))
    }

    fn console_output<'py>(&self, py: Python<'py>, at: Place) -> PyResult<Bound<'py, PyBytes>> {
        let output = self.ask(py, |timeline, monitor| timeline.console_output(position(at), monitor))?;
        Ok(PyBytes::new(py, &output))
    }

    /// Where the console printed the byte that made it so many, and the event's ordinal.
    fn printed_at(&self, py: Python<'_>, length: usize) -> PyResult<Option<(Place, u64)>> {
        let found = self.ask(py, |timeline, monitor| timeline.printed_at(length, monitor))?;
        Ok(found.map(|(at, ordinal)| (place(at), ordinal)))
    }

    /// The part that was cut out, from its own file.
    fn cut(
        &self,
        py: Python<'_>,
        start: u64,
        stop: u64,
        path: PathBuf,
        progress: Hearer,
    ) -> PyResult<PyRecordingFile> {
        self.work(py, progress, |timeline, monitor| {
            let written = timeline.cut(start, stop, &path, monitor)?;
            PyRecordingFile::of_written(&written, &mut || true)
        })
    }

    fn fork(&self, py: Python<'_>, at: Place) -> PyResult<PySession> {
        self.ask(py, |timeline, monitor| timeline.fork(position(at), monitor)).map(PySession::new)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Ok(conditions) = self.conditions.try_lock() {
            for condition in conditions.values() {
                visit.call(condition)?;
            }
        }
        Ok(())
    }

    fn __clear__(&self) {
        let conditions = std::mem::take(&mut *lock(&self.conditions));
        drop(conditions);
    }
}
