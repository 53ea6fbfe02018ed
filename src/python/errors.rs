//! The engine's errors as the exceptions that `rreplay.errors` defines.

use crate::error::Error;
use pyo3::exceptions::PyRuntimeError;
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
        exception.setattr("icount", divergence.position.icount)?;
        exception.setattr("cycles", divergence.position.cycles)?;
        exception.setattr("ordinal", divergence.expected.as_ref().map(|event| event.ordinal.0))?;
        exception.setattr("byte_offset", divergence.byte_offset)?;
        exception.setattr("expected", expected(divergence))?;
        exception.setattr("found", divergence.found.to_string())?;
        exception.setattr("pc", divergence.pc)?;
        let recent = divergence.recent.iter().map(ToString::to_string);
        exception.setattr("recent_events", PyTuple::new(py, recent.collect::<Vec<_>>())?)?;
        exception.setattr("subsystems", PyTuple::new(py, subsystems(divergence))?)?;
    }
    if let Some(damage) = error.damage() {
        exception.setattr("byte_offset", damage.offset)?;
    }
    Ok(exception)
}
