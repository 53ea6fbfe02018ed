//! Events and states on their way between Python and the state machine.

use crate::errors::named;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use rreplay::events::{AsyncEvent, Delivery, InputEvent};
use rreplay::external::{Part, State};
use rreplay::persist::Digest;
use std::str::FromStr;

/// A part of a machine's state: its subsystem, its bytes, and whether they are a hash.
pub type GivenPart = (String, Vec<u8>, bool);

/// An event to be delivered: its kind's name, then who asked for it where somebody did, then what it carries.
pub type PyDelivery<'py> = Bound<'py, PyTuple>;

/// The state as the engine takes it.
pub fn parts(py: Python<'_>, given: Vec<GivenPart>) -> PyResult<Vec<Part>> {
    let part = |(name, bytes, is_hash): GivenPart| {
        let state = match (is_hash, <[u8; 16]>::try_from(bytes.as_slice())) {
            (false, _) => State::Bytes(bytes),
            (true, Ok(hash)) => State::Hash(Digest(hash)),
            (true, Err(_)) => {
                let message = format!("the hash of {name:?} has {} bytes: 16 are wanted", bytes.len());
                return Err(named(py, "ArgumentError", &message));
            }
        };
        Ok(Part { name, state })
    };
    given.into_iter().map(part).collect()
}

/// A name of the vocabulary.
pub fn member<T: FromStr<Err: ToString>>(py: Python<'_>, name: &str) -> PyResult<T> {
    name.parse().map_err(|unknown: T::Err| named(py, "ArgumentError", &unknown.to_string()))
}

/// An event for Python to deliver.
pub fn delivery(py: Python<'_>, delivery: Delivery) -> PyResult<PyDelivery<'_>> {
    let owner = delivery.owner.map(|owner| owner.0);
    let kind = delivery.event.kind().name();
    let bytes = |bytes: &[u8]| PyBytes::new(py, bytes);
    match delivery.event {
        AsyncEvent::Bh { .. } | AsyncEvent::BhOneshot { .. } => (kind, owner).into_pyobject(py),
        AsyncEvent::Input(event) => {
            let (what, first, second) = match event {
                InputEvent::Key { keycode, down } => ("key", i64::from(keycode), i64::from(down)),
                InputEvent::Button { button, down } => ("button", i64::from(button), i64::from(down)),
                InputEvent::Rel { axis, value } => ("rel", i64::from(axis), i64::from(value)),
                InputEvent::Abs { axis, value } => ("abs", i64::from(axis), i64::from(value)),
            };
            (kind, what, first, second).into_pyobject(py)
        }
        AsyncEvent::InputSync => (kind,).into_pyobject(py),
        AsyncEvent::CharRead { device, bytes: data } => (kind, device.0, bytes(&data)).into_pyobject(py),
        AsyncEvent::Block { id, result, data } => (kind, owner, id, result, bytes(&data)).into_pyobject(py),
        AsyncEvent::Net { device, flags, bytes: data } => {
            (kind, device, flags, bytes(&data)).into_pyobject(py)
        }
    }
}

/// An input event as Python gives it: its kind, then its two numbers.
pub fn input(py: Python<'_>, kind: &str, first: u16, second: i32) -> PyResult<InputEvent> {
    let small = || {
        u8::try_from(first).map_err(|_| {
            named(
                py,
                "ArgumentError",
                &format!("a button or axis is a number from 0 to 255, and {first} is not"),
            )
        })
    };
    Ok(match kind {
        "key" => InputEvent::Key { keycode: first, down: second != 0 },
        "button" => InputEvent::Button { button: small()?, down: second != 0 },
        "rel" => InputEvent::Rel { axis: small()?, value: second },
        "abs" => InputEvent::Abs { axis: small()?, value: second },
        other => {
            let message = format!("there is no input {other:?}: use key, button, rel or abs");
            return Err(named(py, "ArgumentError", &message));
        }
    })
}

/// The next event of a recording (in words, icount, cycles, ordinal) and its last icount.
pub type StillToCome = (String, u64, u64, u64, u64);

/// A machine's state, by subsystem, on its way to Python.
pub type Loaded<'py> = Vec<(String, Bound<'py, PyBytes>)>;

pub fn loaded(py: Python<'_>, state: Vec<(String, Vec<u8>)>) -> Loaded<'_> {
    state.into_iter().map(|(name, bytes)| (name, PyBytes::new(py, &bytes))).collect()
}
