//! A recording's file, as `rreplay.Recording` uses it.

use super::board::PyBoard;
use super::callbacks::Callbacks;
use super::errors::OrRaise;
use super::event::{Names, PyEventIterator};
use super::session::{PySession, scheduler};
use super::values::PyVerification;
use crate::engine::Scheduler;
use crate::recording::Recording;
use crate::sync::Arc;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::path::PathBuf;

/// An opened recording.
#[pyclass(frozen, module = "rreplay._core", name = "RecordingFile")]
pub struct PyRecordingFile {
    recording: Recording,
    names: Arc<Names>,
}

#[pymethods]
impl PyRecordingFile {
    #[new]
    fn open(py: Python<'_>, path: PathBuf, salvage: bool) -> PyResult<Self> {
        let recording = py.detach(|| Recording::open(&path, salvage)).or_raise(py)?;
        let header = recording.header();
        let names = Names {
            char_devices: header.char_devices.clone(),
            subsystems: header.subsystems.clone(),
        };
        Ok(Self { recording, names: Arc::new(names) })
    }

    #[getter]
    fn path(&self) -> PathBuf {
        self.recording.path().to_owned()
    }

    #[getter]
    fn board(&self) -> PyBoard {
        PyBoard { board: self.recording.board().clone() }
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

    #[pyo3(signature = (kind, start, stop))]
    fn events(
        &self,
        py: Python<'_>,
        kind: Option<&str>,
        start: Option<u64>,
        stop: Option<u64>,
    ) -> PyResult<PyEventIterator> {
        let kind = kind.map(|name| name.parse()).transpose().map_err(crate::error::Error::from).or_raise(py)?;
        let source = Box::new(self.recording.events(kind, start, stop));
        Ok(PyEventIterator::new(source, Arc::clone(&self.names)))
    }

    fn output<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let output = py.detach(|| self.recording.output()).or_raise(py)?;
        Ok(PyBytes::new(py, &output))
    }

    fn replay(&self, py: Python<'_>) -> PyResult<PySession> {
        py.detach(|| self.recording.replay()).or_raise(py).map(PySession::new)
    }

    #[pyo3(signature = (scheduler, progress))]
    fn verify(&self, py: Python<'_>, scheduler: &str, progress: Option<Py<PyAny>>) -> PyResult<PyVerification> {
        let scheduler = self::scheduler(py, Some(scheduler))?.unwrap_or(Scheduler::Inline);
        let callbacks = Arc::new(Callbacks::default());
        let mut report = |icount: u64| callbacks.progress(progress.as_ref(), icount);
        let verified = py.detach(|| self.recording.verify(scheduler, &mut report));
        callbacks.outcome()?;
        verified.or_raise(py).map(PyVerification::from)
    }
}
