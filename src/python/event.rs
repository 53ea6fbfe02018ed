//! The events of a recording as Python objects.

use super::errors::OrRaise;
use crate::error::Error;
use crate::log::event::{AsyncEvent, Event, InputEvent, StampedEvent};
use crate::sync::{Arc, Mutex, lock};
use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

/// Names that a recording's header gives to numbers.
#[derive(Default, PartialEq)]
pub struct Names {
    /// Character devices, by their id.
    pub char_devices: Vec<String>,
    /// Subsystems, in the order of the digests.
    pub subsystems: Vec<String>,
}

/// One event of a recording. Its payload's fields are attributes too: `event.data`, `event.device`, ...
#[pyclass(frozen, eq, module = "rreplay", name = "Event")]
#[derive(Clone, PartialEq)]
pub struct PyEvent {
    pub event: StampedEvent,
    names: Arc<Names>,
}

impl PyEvent {
    pub fn new(event: StampedEvent, names: Arc<Names>) -> Self {
        Self { event, names }
    }
}

#[pymethods]
impl PyEvent {
    /// Instructions retired since power-on.
    #[getter]
    fn icount(&self) -> u64 {
        self.event.position.icount
    }

    /// Clock cycles since power-on.
    #[getter]
    fn cycles(&self) -> u64 {
        self.event.position.cycles
    }

    /// The event's number in its recording, from 0.
    #[getter]
    fn ordinal(&self) -> u64 {
        self.event.ordinal.0
    }

    /// What kind of event it is: "interrupt", "char_read", "clock", ...
    #[getter]
    fn kind(&self) -> &'static str {
        self.event.event.kind().name()
    }

    /// What the event carries, by name; a new dict each time.
    #[getter]
    fn payload<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let payload = PyDict::new(py);
        fill(&payload, &self.event.event, &self.names)?;
        Ok(payload)
    }

    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let payload = self.payload(py)?;
        let missing = || {
            let known: Vec<String> = payload.keys().iter().map(|key| key.to_string()).collect();
            let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
            PyAttributeError::new_err(format!("a {} event has no '{name}'; it carries {known}", self.kind()))
        };
        payload.get_item(name)?.ok_or_else(missing)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mut text =
            format!("Event(icount={}, ordinal={}, kind='{}'", self.icount(), self.ordinal(), self.kind());
        for (name, value) in self.payload(py)? {
            text += &format!(", {name}={}", value.repr()?);
        }
        Ok(text + ")")
    }
}

/// Sets the fields that `event` carries.
fn fill(payload: &Bound<'_, PyDict>, event: &Event, names: &Names) -> PyResult<()> {
    let py = payload.py();
    let device = |id: u16| names.char_devices.get(usize::from(id)).cloned().unwrap_or_else(|| id.to_string());
    match event {
        Event::Interrupt(interrupt) => payload.set_item("interrupt", interrupt.name()),
        Event::Exception(exception) => payload.set_item("exception", exception.name()),
        Event::Async(event) => fill_async(payload, event, &device),
        Event::Shutdown(cause) => payload.set_item("cause", cause.name()),
        Event::CharWrite { device: id, bytes, written } => {
            payload.set_item("device", device(id.0))?;
            payload.set_item("data", PyBytes::new(py, bytes))?;
            payload.set_item("result", written.result)?;
            payload.set_item("offset", written.offset)
        }
        Event::CharReadAll { device: id, bytes } => {
            payload.set_item("device", device(id.0))?;
            payload.set_item("data", PyBytes::new(py, bytes))
        }
        Event::CharReadAllError { device: id, error } => {
            payload.set_item("device", device(id.0))?;
            payload.set_item("error", error)
        }
        Event::AudioOut { frames } => payload.set_item("frames", frames),
        Event::AudioIn { recorded, samples, write_position } => {
            payload.set_item("recorded", recorded)?;
            payload.set_item("samples", samples)?;
            payload.set_item("write_position", write_position)
        }
        Event::Random { result, bytes } => {
            payload.set_item("result", result)?;
            payload.set_item("data", PyBytes::new(py, bytes))
        }
        Event::Clock { kind, value } => {
            payload.set_item("clock", kind.name())?;
            payload.set_item("value", value)
        }
        Event::Checkpoint(checkpoint) => payload.set_item("checkpoint", checkpoint.name()),
        Event::Digest(digests) => {
            let by_name = PyDict::new(py);
            for (number, digest) in digests.iter().enumerate() {
                let name = names.subsystems.get(number).cloned().unwrap_or_else(|| number.to_string());
                by_name.set_item(name, digest.to_string())?;
            }
            payload.set_item("digests", by_name)
        }
        Event::Snapshot { number } => payload.set_item("number", number),
        Event::End => Ok(()),
    }
}

fn fill_async(
    payload: &Bound<'_, PyDict>,
    event: &AsyncEvent,
    device: &dyn Fn(u16) -> String,
) -> PyResult<()> {
    let py = payload.py();
    match event {
        AsyncEvent::Bh { id } | AsyncEvent::BhOneshot { id } => payload.set_item("id", id),
        AsyncEvent::Input(input) => fill_input(payload, *input),
        AsyncEvent::InputSync => Ok(()),
        AsyncEvent::CharRead { device: id, bytes } => {
            payload.set_item("device", device(id.0))?;
            payload.set_item("data", PyBytes::new(py, bytes))
        }
        AsyncEvent::Block { id, result, data } => {
            payload.set_item("id", id)?;
            payload.set_item("result", result)?;
            payload.set_item("data", PyBytes::new(py, data))
        }
        AsyncEvent::Net { device: number, flags, bytes } => {
            payload.set_item("device", number)?;
            payload.set_item("flags", flags)?;
            payload.set_item("data", PyBytes::new(py, bytes))
        }
    }
}

fn fill_input(payload: &Bound<'_, PyDict>, input: InputEvent) -> PyResult<()> {
    let (name, (first, first_value), (second, second_value)) = match input {
        InputEvent::Key { keycode, down } => {
            ("key", ("keycode", i64::from(keycode)), ("down", i64::from(down)))
        }
        InputEvent::Button { button, down } => {
            ("button", ("button", i64::from(button)), ("down", i64::from(down)))
        }
        InputEvent::Rel { axis, value } => ("rel", ("axis", i64::from(axis)), ("value", i64::from(value))),
        InputEvent::Abs { axis, value } => ("abs", ("axis", i64::from(axis)), ("value", i64::from(value))),
    };
    payload.set_item("input", name)?;
    payload.set_item(first, first_value)?;
    if second == "down" {
        return payload.set_item(second, second_value != 0);
    }
    payload.set_item(second, second_value)
}

type Source = Box<dyn Iterator<Item = Result<StampedEvent, Error>> + Send>;

/// The events of a recording, read as they are asked for.
#[pyclass(frozen, module = "rreplay._core", name = "EventIterator")]
pub struct PyEventIterator {
    source: Mutex<Source>,
    names: Arc<Names>,
}

impl PyEventIterator {
    pub fn new(source: Source, names: Arc<Names>) -> Self {
        Self { source: Mutex::new(source), names }
    }
}

#[pymethods]
impl PyEventIterator {
    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<PyEvent>> {
        match py.detach(|| lock(&self.source).next()) {
            Some(event) => Ok(Some(PyEvent::new(event.or_raise(py)?, Arc::clone(&self.names)))),
            None => Ok(None),
        }
    }
}
