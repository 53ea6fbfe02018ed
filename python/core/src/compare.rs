//! Comparison of recordings, as `rreplay.diff`, `rreplay.diff_rom` and `rreplay.minimize` use it.

use super::event::PyEvent;
use super::session::{Image, fields_dict, images};
use super::timeline::{Hearer, Place, PyTimeline, place};
use super::values::{PyAccess, PyInstruction};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rreplay::compare::{ByteDifference, FirstEffect, RomDifference, RomSpan, RunDifference, Side};
use rreplay::error::Error;
use rreplay::sync::Arc;
use std::path::{Path, PathBuf};

/// The event and the instruction of one side, and the places before and after.
type SideRow = (Option<PyEvent>, Option<PyInstruction>, Place, Place);

/// A byte's address, both values and both last writes.
type ByteRow = (u16, u8, u8, Option<PyAccess>, Option<PyAccess>);

/// The last icount at which both are the same, both sides, and what differs: registers, bytes, fields of devices.
type DifferenceRow<'py> =
    (Option<u64>, SideRow, SideRow, Vec<(&'static str, u16, u16)>, Vec<ByteRow>, Vec<FieldRow<'py>>);

/// A device's name and a field's, with both values.
type FieldRow<'py> = (String, &'static str, Bound<'py, PyAny>, Bound<'py, PyAny>);

/// First and last address, what was recorded and what is there now.
type SpanRow<'py> = (u16, u16, Bound<'py, PyBytes>, Bound<'py, PyBytes>);

/// All of it in words, the places, and the first effect.
type RomRow<'py> = (String, Vec<SpanRow<'py>>, Option<EffectRow>);

/// The place, the instruction of the recording and of the changed ROM, whether an interrupt leads to them, the fields that
/// differ after it, and how the run leaves the recording.
type EffectRow =
    (Place, PyInstruction, PyInstruction, bool, Vec<(String, String, String, String)>, Option<String>);

fn side(side: Side, timeline: &PyTimeline) -> SideRow {
    let Side { event, instruction, before, after } = side;
    let event = event.map(|event| PyEvent::new(event, Arc::clone(&timeline.names)));
    (event, instruction.map(PyInstruction::from), place(before), place(after))
}

/// Where the recordings of two timelines part.
#[pyfunction]
pub fn first_difference<'py>(
    py: Python<'py>,
    a: &PyTimeline,
    b: &PyTimeline,
    progress: Hearer,
) -> PyResult<Option<DifferenceRow<'py>>> {
    let found = a.work(py, progress, |timeline, monitor| timeline.diff(&b.timeline, monitor))?;
    let Some(RunDifference { a: side_a, b: side_b, icount, registers, memory, devices }) = found else {
        return Ok(None);
    };
    let byte = |byte: ByteDifference| {
        let (writer_a, writer_b) = (byte.writer_a.map(PyAccess::from), byte.writer_b.map(PyAccess::from));
        (byte.address, byte.a, byte.b, writer_a, writer_b)
    };
    let mut fields = Vec::new();
    for difference in devices {
        let value = |value| {
            let only = fields_dict(py, vec![(difference.field, value)])?;
            only.get_item(difference.field).map(|value| value.unwrap_or_else(|| py.None().into_bound(py)))
        };
        fields.push((difference.device, difference.field, value(difference.a)?, value(difference.b)?));
    }
    let sides = (side(side_a, a), side(side_b, b));
    Ok(Some((icount, sides.0, sides.1, registers, memory.into_iter().map(byte).collect(), fields)))
}

/// Where a changed ROM differs from the recorded one, and its first effect, with all of it in words.
#[pyfunction]
pub fn rom_difference<'py>(
    py: Python<'py>,
    timeline: &PyTimeline,
    images: Vec<Image>,
    progress: Hearer,
) -> PyResult<Option<RomRow<'py>>> {
    let images = self::images(images);
    let found = timeline.work(py, progress, |timeline, monitor| timeline.changed_rom(&images, monitor))?;
    let Some(difference) = found else { return Ok(None) };
    let text = difference.to_string();
    let RomDifference { spans, effect } = difference;
    let span = |span: RomSpan| {
        let RomSpan { first, last, recorded, changed } = span;
        (first, last, PyBytes::new(py, &recorded), PyBytes::new(py, &changed))
    };
    let effect = effect.map(|effect| {
        let FirstEffect { place: at, recorded, changed, is_interrupt, differences, divergence } = effect;
        let fields =
            differences.into_iter().map(|field| (field.subsystem, field.field, field.expected, field.found));
        (place(at), recorded.into(), changed.into(), is_interrupt, fields.collect(), divergence)
    });
    Ok(Some((text, spans.into_iter().map(span).collect(), effect)))
}

/// Records the run with the least input for which `predicate` is true, which is called with the paths of recordings.
#[pyfunction]
pub fn minimize(
    py: Python<'_>,
    timeline: &PyTimeline,
    predicate: Py<PyAny>,
    tried: PathBuf,
    target: PathBuf,
    progress: Hearer,
) -> PyResult<()> {
    let callbacks = Arc::clone(&timeline.callbacks);
    let mut shows = |path: &Path| {
        let answer = callbacks.call(|py| predicate.call1(py, (path,))?.bind(py).is_truthy());
        answer.ok_or_else(|| Error::State("the predicate has raised an exception".into()))
    };
    timeline.work(py, progress, |timeline, monitor| timeline.minimize(&tried, &target, &mut shows, monitor))
}
