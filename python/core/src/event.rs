//! The events of a recording as Python objects.

use super::callbacks::Callbacks;
use super::errors::OrRaise;
use super::given;
use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use rreplay::error::Error;
use rreplay::log::event::{AsyncEvent, Event, InputEvent, StampedEvent};
use rreplay::sync::{Arc, Mutex, lock};

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
    pub(super) names: Arc<Names>,
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
        for (name, value) in carried(&self.event.event, &self.names) {
            payload.set_item(name, value.to_python(py)?)?;
        }
        Ok(payload)
    }

    fn __getattr__<'py>(&self, py: Python<'py>, name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let payload = self.payload(py)?;
        let missing = || {
            let known: Vec<String> = payload.keys().iter().map(|key| key.to_string()).collect();
            let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
            PyAttributeError::new_err(format!(
                "a {} event has no {}; it carries {known}",
                self.kind(),
                given::shown(name)
            ))
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

/// A value that an event carries.
pub enum Value {
    Text(String),
    Bytes(Vec<u8>),
    Number(i64),
    Id(u64),
    Flag(bool),
    Samples(Vec<i16>),
    Digests(Vec<(String, String)>),
}

impl Value {
    fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(match self {
            Self::Text(text) => text.into_pyobject(py)?.into_any(),
            Self::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
            Self::Number(number) => number.into_pyobject(py)?.into_any(),
            Self::Id(number) => number.into_pyobject(py)?.into_any(),
            Self::Flag(flag) => flag.into_pyobject(py)?.to_owned().into_any(),
            Self::Samples(samples) => samples.into_pyobject(py)?,
            Self::Digests(digests) => {
                let by_name = PyDict::new(py);
                for (name, digest) in digests {
                    by_name.set_item(name, digest)?;
                }
                by_name.into_any()
            }
        })
    }
}

/// What `event` carries, by name.
pub fn carried(event: &Event, names: &Names) -> Vec<(&'static str, Value)> {
    let device = |id: u16| {
        let name = names.char_devices.get(usize::from(id)).cloned();
        ("device", Value::Text(name.unwrap_or_else(|| id.to_string())))
    };
    let name = |name: &str| Value::Text(name.to_owned());
    let data = |bytes: &[u8]| ("data", Value::Bytes(bytes.to_vec()));
    let number = |name, number: i64| (name, Value::Number(number));
    match event {
        Event::Interrupt(interrupt) => vec![("interrupt", name(interrupt.name()))],
        Event::Exception(exception) => vec![("exception", name(exception.name()))],
        Event::Async(AsyncEvent::Bh { id } | AsyncEvent::BhOneshot { id }) => vec![("id", Value::Id(*id))],
        Event::Async(AsyncEvent::Input(input)) => input_carried(*input),
        Event::Async(AsyncEvent::InputSync) | Event::End => Vec::new(),
        Event::Async(AsyncEvent::CharRead { device: id, bytes })
        | Event::CharReadAll { device: id, bytes } => vec![device(id.0), data(bytes)],
        Event::Async(AsyncEvent::Block { id, result, data: bytes }) => {
            vec![("id", Value::Id(*id)), number("result", i64::from(*result)), data(bytes)]
        }
        Event::Async(AsyncEvent::Net { device, flags, bytes }) => {
            vec![number("device", i64::from(*device)), number("flags", i64::from(*flags)), data(bytes)]
        }
        Event::Shutdown(cause) => vec![("cause", name(cause.name()))],
        Event::CharWrite { device: id, bytes, written } => vec![
            device(id.0),
            data(bytes),
            number("result", i64::from(written.result)),
            number("offset", i64::from(written.offset)),
        ],
        Event::CharReadAllError { device: id, error } => {
            vec![device(id.0), number("error", i64::from(*error))]
        }
        Event::AudioOut { frames } => vec![number("frames", i64::from(*frames))],
        Event::AudioIn { recorded, samples, write_position } => vec![
            number("recorded", i64::from(*recorded)),
            ("samples", Value::Samples(samples.clone())),
            number("write_position", i64::from(*write_position)),
        ],
        Event::Random { result, bytes } => vec![number("result", i64::from(*result)), data(bytes)],
        Event::Clock { kind, value } => vec![("clock", name(kind.name())), number("value", *value)],
        Event::Checkpoint(checkpoint) => vec![("checkpoint", name(checkpoint.name()))],
        Event::Digest(digests) => {
            let named = digests.iter().enumerate().map(|(place, digest)| {
                let name = names.subsystems.get(place).cloned();
                (name.unwrap_or_else(|| place.to_string()), digest.to_string())
            });
            vec![("digests", Value::Digests(named.collect()))]
        }
        Event::Snapshot { number } => vec![("number", Value::Id(*number))],
    }
}

fn input_carried(input: InputEvent) -> Vec<(&'static str, Value)> {
    let (name, field, second) = match input {
        InputEvent::Key { keycode, down } => {
            ("key", ("keycode", i64::from(keycode)), ("down", Value::Flag(down)))
        }
        InputEvent::Button { button, down } => {
            ("button", ("button", i64::from(button)), ("down", Value::Flag(down)))
        }
        InputEvent::Rel { axis, value } => {
            ("rel", ("axis", i64::from(axis)), ("value", Value::Number(i64::from(value))))
        }
        InputEvent::Abs { axis, value } => {
            ("abs", ("axis", i64::from(axis)), ("value", Value::Number(i64::from(value))))
        }
    };
    vec![("input", Value::Text(name.to_owned())), (field.0, Value::Number(field.1)), second]
}

type Source = Box<dyn Iterator<Item = Result<StampedEvent, Error>> + Send>;

/// The events of a recording, read as they are asked for.
#[pyclass(frozen, module = "rreplay._core", name = "EventIterator")]
pub struct PyEventIterator {
    source: Mutex<Source>,
    /// What has stopped the source is kept here.
    callbacks: Arc<Callbacks>,
    names: Arc<Names>,
}

impl PyEventIterator {
    pub fn new(source: Source, callbacks: Arc<Callbacks>, names: Arc<Names>) -> Self {
        Self { source: Mutex::new(source), callbacks, names }
    }
}

#[pymethods]
impl PyEventIterator {
    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<PyEvent>> {
        let next = py.detach(|| lock(&self.source).next());
        self.callbacks.outcome()?;
        match next {
            Some(event) => Ok(Some(PyEvent::new(event.or_raise(py)?, Arc::clone(&self.names)))),
            None => Ok(None),
        }
    }
}
