//! Plain results that were sent to another process, or kept in a file: made anew from their fields.
//!
//! `rreplay._copying` says what each is pickled as.

use super::errors::named;
use super::event::{Names, PyEvent};
use super::values::{PyAccess, PyBusCycle, PyHookEvent, PyInstruction, PyStop, PyVerification};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rreplay::log::codec::{ChunkDecoder, ChunkEncoder};
use rreplay::sync::Arc;
use rreplay::units::{EventOrdinal, Position};

/// An event's position (icount, cycles), ordinal, bytes as in a recording, and the names that its recording has.
type EventState<'py> = (u64, u64, u64, Bound<'py, PyBytes>, Vec<String>, Vec<String>);

/// What an event is pickled as.
#[pyfunction]
pub fn event_state<'py>(py: Python<'py>, event: &PyEvent) -> EventState<'py> {
    let stamped = &event.event;
    let mut encoder = ChunkEncoder::new();
    encoder.push(stamped.position, &stamped.event);
    let Names { char_devices, subsystems } = &*event.names;
    let raw = PyBytes::new(py, encoder.raw());
    let Position { icount, cycles } = stamped.position;
    (icount, cycles, stamped.ordinal.0, raw, char_devices.clone(), subsystems.clone())
}

/// The event that was pickled so.
#[pyfunction]
pub fn restored_event(
    py: Python<'_>,
    icount: u64,
    cycles: u64,
    ordinal: u64,
    raw: &[u8],
    char_devices: Vec<String>,
    subsystems: Vec<String>,
) -> PyResult<PyEvent> {
    let mut decoder = ChunkDecoder::new(raw, Position::new(icount, cycles), EventOrdinal(ordinal), 1);
    let broken =
        |problem: String| named(py, "ArgumentError", &format!("the pickled event is damaged: {problem}"));
    let event = decoder.next_event().map_err(|error| broken(error.to_string()))?;
    let event = event.ok_or_else(|| broken("it is empty".to_owned()))?;
    Ok(PyEvent::new(event, Arc::new(Names { char_devices, subsystems })))
}

/// A result of a kind, from its fields in their order.
#[pyfunction]
pub fn restored<'py>(py: Python<'py>, kind: &str, fields: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    Ok(match kind {
        "Stop" => {
            let (reason, icount, cycles, pc, shutdown, access, point): (
                String,
                u64,
                u64,
                u16,
                Option<String>,
                Option<PyAccess>,
                Option<u64>,
            ) = fields.extract()?;
            let (reason, shutdown) = (reason.into(), shutdown.map(Into::into));
            Bound::new(py, PyStop { reason, icount, cycles, pc, shutdown, access, point })?.into_any()
        }
        "Access" => {
            let (icount, cycles, pc, address, old, new, kind, by): (
                u64,
                u64,
                Option<u16>,
                u16,
                Option<u8>,
                u8,
                String,
                String,
            ) = fields.extract()?;
            let kind = kind.into();
            Bound::new(py, PyAccess { icount, cycles, pc, address, old, new, kind, by })?.into_any()
        }
        "Instruction" => {
            let (address, bytes, mnemonic, operand, target, flow, text): (
                u16,
                Vec<u8>,
                String,
                String,
                Option<u16>,
                String,
                String,
            ) = fields.extract()?;
            let flow = flow.into();
            Bound::new(py, PyInstruction { address, bytes, mnemonic, operand, target, flow, text })?
                .into_any()
        }
        "BusCycle" => {
            let (address, value, kind, cycle): (u16, u8, String, u64) = fields.extract()?;
            Bound::new(py, PyBusCycle { address, value, kind: kind.into(), cycle })?.into_any()
        }
        "HookEvent" => {
            let (icount, cycles, address, value) = fields.extract()?;
            Bound::new(py, PyHookEvent { icount, cycles, address, value })?.into_any()
        }
        "Verification" => {
            let (ok, icount, segments, events, digests, wall_seconds) = fields.extract()?;
            let found = PyVerification { ok, icount, segments, events, digests, wall_seconds };
            Bound::new(py, found)?.into_any()
        }
        other => {
            return Err(named(py, "ArgumentError", &format!("there is no pickled result {other:?}")));
        }
    })
}
