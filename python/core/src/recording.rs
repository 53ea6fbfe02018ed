//! A recording's file, as `rreplay.Recording` uses it.

use super::board::PyBoard;
use super::callbacks::Callbacks;
use super::errors::{OrRaise, named};
use super::event::{Names, PyEventIterator};
use super::session::{Image, PySession, images, scheduler};
use super::table::PyEventColumns;
use super::values::PyVerification;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use rreplay::engine::Scheduler;
use rreplay::error::Error;
use rreplay::log::{EventKind, WrittenFile};
use rreplay::recording::Recording;
use rreplay::session::Recorded;
use rreplay::sync::{Arc, Shared};
use std::collections::BTreeMap;
use std::path::PathBuf;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn event_kind(py: Python<'_>, kind: Option<&str>) -> PyResult<Option<EventKind>> {
    let kind = kind.map(str::parse::<EventKind>).transpose();
    kind.map_err(|unknown| named(py, "ArgumentError", &unknown.to_string()))
}

/// An opened recording.
#[pyclass(frozen, module = "rreplay._core", name = "RecordingFile")]
pub struct PyRecordingFile {
    pub recording: Shared<Recording>,
    pub names: Arc<Names>,
}

impl PyRecordingFile {
    fn new(recording: Recording) -> Self {
        let header = recording.header();
        let names = Names { char_devices: header.chars.clone(), subsystems: header.subsystems.clone() };
        Self { recording: Shared::new(recording), names: Arc::new(names) }
    }

    /// What was just written, whatever its path leads to by now. `goes_on` is asked now and then.
    pub fn of_written(written: &WrittenFile, goes_on: &mut dyn FnMut() -> bool) -> Result<Self, Error> {
        Recording::open_written(written, &mut |_, _| goes_on()).map(Self::new)
    }
}

/// A recording that a machine has begun.
#[pyclass(frozen, module = "rreplay._core", name = "Recorded")]
pub struct PyRecorded {
    recorded: Recorded,
}

impl PyRecorded {
    pub fn new(recorded: Recorded) -> Self {
        Self { recorded }
    }

    pub fn recorded(&self) -> &Recorded {
        &self.recorded
    }
}

#[pymethods]
impl PyRecorded {
    /// The file's absolute path.
    #[getter]
    fn path(&self) -> PathBuf {
        self.recorded.file().path().to_owned()
    }

    /// What was written, whatever the path leads to by now.
    fn open(&self, py: Python<'_>) -> PyResult<PyRecordingFile> {
        let callbacks = Arc::new(Callbacks::default());
        let mut goes_on = || !callbacks.signalled();
        let opened = py.detach(|| PyRecordingFile::of_written(self.recorded.file(), &mut goes_on));
        callbacks.outcome()?;
        opened.or_raise(py)
    }
}

#[pymethods]
impl PyRecordingFile {
    #[new]
    #[pyo3(signature = (path, salvage, progress))]
    fn open(py: Python<'_>, path: PathBuf, salvage: bool, progress: Option<Py<PyAny>>) -> PyResult<Self> {
        let callbacks = Arc::new(Callbacks::default());
        // How much there is in all is not known while the frames are being found.
        let mut report = |done: u64, total: u64| {
            callbacks.progress(progress.as_ref(), (total > 0).then_some((done, total)))
        };
        let opened = py.detach(|| Recording::open_with(&path, salvage, &mut report));
        callbacks.outcome()?;
        opened.or_raise(py).map(Self::new)
    }

    #[getter]
    fn path(&self) -> PathBuf {
        self.recording.path().to_owned()
    }

    #[getter]
    fn board(&self, py: Python<'_>) -> PyResult<PyBoard> {
        let board = self.recording.board().or_raise(py)?.clone();
        Ok(PyBoard { board })
    }

    /// The name of the machine, when it is not one of ours.
    #[getter]
    fn machine(&self) -> Option<&str> {
        self.recording.machine()
    }

    #[getter]
    fn clock_hz(&self) -> u64 {
        self.recording.header().clock_hz
    }

    #[getter]
    fn start(&self) -> (u64, u64) {
        let position = self.recording.start();
        (position.icount, position.cycles)
    }

    #[getter]
    fn end(&self) -> (u64, u64) {
        let position = self.recording.end();
        (position.icount, position.cycles)
    }

    #[getter]
    fn complete(&self) -> bool {
        self.recording.complete()
    }

    #[getter]
    fn damage(&self) -> Option<String> {
        self.recording.damage().map(ToString::to_string)
    }

    #[getter]
    fn size(&self) -> u64 {
        self.recording.size()
    }

    #[getter]
    fn format_version(&self) -> u16 {
        self.recording.format_version()
    }

    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let log = self.recording.info();
        let header = self.recording.header();
        let info = PyDict::new(py);
        info.set_item("path", self.recording.path())?;
        info.set_item("board", self.recording.board().ok().map(|board| &board.name))?;
        info.set_item("machine", self.recording.machine())?;
        info.set_item("engine_version", &header.engine_version)?;
        info.set_item("format_version", log.format_version)?;
        info.set_item("complete", log.complete)?;
        info.set_item("damage", self.damage())?;
        info.set_item("clock_hz", header.clock_hz)?;
        info.set_item("start_icount", self.recording.start().icount)?;
        info.set_item("start_cycles", self.recording.start().cycles)?;
        info.set_item("icount", self.recording.end().icount)?;
        info.set_item("cycles", self.recording.end().cycles)?;
        info.set_item("size", log.file_bytes)?;
        info.set_item("header_bytes", log.header_bytes)?;
        info.set_item("event_bytes", log.chunk_bytes)?;
        info.set_item("event_bytes_uncompressed", log.event_bytes)?;
        info.set_item("chunks", log.chunks)?;
        info.set_item("snapshots", log.snapshots)?;
        info.set_item("digest_every", header.digest_every)?;
        info.set_item("chaos", self.recording.chaos())?;
        info.set_item("identity", hex(&self.recording.id().0))?;
        let lineage = header.lineage.map(|lineage| {
            let of_parent = PyDict::new(py);
            of_parent.set_item("parent", hex(&lineage.parent.0))?;
            of_parent.set_item("icount", lineage.position.icount)?;
            of_parent.set_item("cycles", lineage.position.cycles)?;
            PyResult::Ok(of_parent)
        });
        info.set_item("lineage", lineage.transpose()?)?;
        info.set_item("devices", header.devices.iter().cloned().collect::<BTreeMap<_, _>>())?;
        info.set_item("subsystems", &header.subsystems)?;
        let roms = header.roms.iter().map(|rom| (rom.name.clone(), hex(&rom.hash)));
        info.set_item("roms", roms.collect::<BTreeMap<_, _>>())?;
        let events = PyDict::new(py);
        for (kind, total) in &log.kinds {
            events.set_item(kind.name(), total.events)?;
        }
        info.set_item("events", events)?;
        Ok(info)
    }

    #[pyo3(signature = (kind, start, stop))]
    fn events(
        &self,
        py: Python<'_>,
        kind: Option<&str>,
        start: Option<u64>,
        stop: Option<u64>,
    ) -> PyResult<PyEventIterator> {
        let kind = event_kind(py, kind)?;
        let callbacks = Arc::new(Callbacks::default());
        let asked = Arc::clone(&callbacks);
        let events = py.detach(|| self.recording.events_unless(kind, start, stop, move || asked.signalled()));
        Ok(PyEventIterator::new(Box::new(events.or_raise(py)?), callbacks, Arc::clone(&self.names)))
    }

    #[pyo3(signature = (kind, start, stop))]
    fn event_columns(
        &self,
        py: Python<'_>,
        kind: Option<&str>,
        start: Option<u64>,
        stop: Option<u64>,
    ) -> PyResult<PyEventColumns> {
        Ok(PyEventColumns {
            recording: Shared::clone(&self.recording),
            names: Arc::clone(&self.names),
            kind: event_kind(py, kind)?,
            start,
            stop,
        })
    }

    /// What tells it from every other recording, by what is in it.
    fn fingerprint(&self, py: Python<'_>) -> PyResult<String> {
        Ok(py.detach(|| self.recording.fingerprint()).or_raise(py)?.to_string())
    }

    fn output<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let callbacks = Callbacks::default();
        let output = py.detach(|| self.recording.output_unless(|| callbacks.signalled()));
        callbacks.outcome()?;
        Ok(PyBytes::new(py, &output.or_raise(py)?))
    }

    /// The icount of each snapshot.
    #[getter]
    fn snapshots(&self) -> Vec<u64> {
        self.recording.snapshots().into_iter().map(|position| position.icount).collect()
    }

    #[pyo3(signature = (images, snapshot))]
    fn replay(&self, py: Python<'_>, images: Vec<Image>, snapshot: Option<u64>) -> PyResult<PySession> {
        let images = self::images(images);
        let session = py.detach(|| match snapshot {
            None => self.recording.replay_with(&images),
            Some(number) => self.recording.replay_from(number, &images),
        });
        session.or_raise(py).map(PySession::new)
    }

    #[pyo3(signature = (jobs, scheduler, images, progress))]
    fn verify(
        &self,
        py: Python<'_>,
        jobs: usize,
        scheduler: &str,
        images: Vec<Image>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<PyVerification> {
        let scheduler = self::scheduler(py, Some(scheduler))?.unwrap_or(Scheduler::Inline);
        let images = self::images(images);
        let callbacks = Arc::new(Callbacks::default());
        let (start, end) = (self.recording.start().icount, self.recording.end().icount);
        let total = end.saturating_sub(start);
        let mut report = |icount: u64| {
            let done = icount.saturating_sub(start).min(total);
            callbacks.progress(progress.as_ref(), Some((done, total)))
        };
        let verified = py.detach(|| self.recording.verify_with_jobs(jobs, scheduler, &images, &mut report));
        callbacks.outcome()?;
        verified.or_raise(py).map(PyVerification::from)
    }
}
