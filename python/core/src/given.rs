//! Arguments of the few public functions that are not Python's: converted by `rreplay.arguments`, as those of all others.

use pyo3::prelude::*;

fn convert<'py>(name: &str, value: &Bound<'py, PyAny>, conversion: &str) -> PyResult<Bound<'py, PyAny>> {
    value.py().import("rreplay.arguments")?.call_method1(conversion, (name, value))
}

/// A text.
///
/// # Errors
/// ArgumentError, with the argument's name.
pub fn text(name: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    convert(name, value, "text")?.extract()
}

/// A list of texts.
///
/// # Errors
/// The same as [`text`].
pub fn texts(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    convert(name, value, "texts")?.extract()
}

/// Bytes, of anything that has a buffer of them.
///
/// # Errors
/// The same as [`text`].
pub fn bytes(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    convert(name, value, "bytes_of")?.extract()
}

/// A value as messages show it: the beginning of its `repr`.
pub fn shown(value: &Bound<'_, PyAny>) -> String {
    let shown =
        value.py().import("rreplay.errors.quote").and_then(|module| module.call_method1("shown", (value,)));
    shown.and_then(|shown| shown.extract()).unwrap_or_else(|_| "something".to_owned())
}
