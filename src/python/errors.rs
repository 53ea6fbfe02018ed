//! The engine's errors as the exceptions that `rreplay.errors` defines.

use crate::error::Error;
use crate::replay::{Divergence, Found};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// The exception for `error`: its class by name, its message, and its facts as attributes.
pub fn raise(py: Python<'_>, error: &Error) -> PyErr {
    match exception(py, error) {
        Ok(exception) => PyErr::from_value(exception),
        Err(broken) => broken,
    }
}

/// An exception of the class `name` of `rreplay.errors`, with a message.
pub fn named(py: Python<'_>, name: &str, message: &str) -> PyErr {
    let class = py.import("rreplay.errors").and_then(|module| module.getattr(name));
    match class.and_then(|class| class.call1((message,))) {
        Ok(exception) => PyErr::from_value(exception),
        Err(broken) => broken,
    }
}

/// Turns the engine's result into Python's.
pub trait OrRaise<T> {
    /// The value, or the exception for the error.
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for Result<T, Error> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| raise(py, &error))
    }
}

fn exception<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    let class = py.import("rreplay.errors")?.getattr(error.class())?;
    let exception = class.call1((error.to_string(),))?;
    if let Some(divergence) = error.divergence() {
        describe_divergence(&exception, divergence)?;
    }
    if let Some(damage) = error.damage() {
        exception.setattr("byte_offset", damage.offset)?;
        exception.setattr("icount", damage.last.icount)?;
        exception.setattr("events", damage.events)?;
    }
    Ok(exception)
}

fn describe_divergence(exception: &Bound<'_, PyAny>, divergence: &Divergence) -> PyResult<()> {
    let py = exception.py();
    exception.setattr("icount", divergence.position.icount)?;
    exception.setattr("cycles", divergence.position.cycles)?;
    exception.setattr("byte_offset", divergence.byte_offset)?;
    exception.setattr("pc", divergence.pc)?;
    if let Some(expected) = &divergence.expected {
        exception.setattr("ordinal", expected.ordinal.0)?;
        exception.setattr("expected", expected.event.to_string())?;
    }
    let (found, subsystems) = match &divergence.found {
        Found::Event(what) => (what.clone(), &[][..]),
        Found::Passed => ("the replay ran past it".to_owned(), &[][..]),
        Found::Stuck(why) => (why.clone(), &[][..]),
        Found::State { subsystems, .. } => {
            (format!("another state in {}", subsystems.join(", ")), &subsystems[..])
        }
    };
    exception.setattr("found", found)?;
    exception.setattr("subsystems", PyTuple::new(py, subsystems)?)?;
    exception
        .setattr("last_matching_icount", divergence.last_matching_digest.map(|position| position.icount))?;
    let recent: Vec<String> = divergence.recent.iter().map(ToString::to_string).collect();
    exception.setattr("recent_events", PyTuple::new(py, recent)?)
}
