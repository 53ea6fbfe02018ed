//! What kinds of devices have of their own: pictures, keys, packets.

use super::errors::{OrRaise, named};
use super::session::PySession;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rreplay::error::Error;
use rreplay::events::{AsyncEvent, InputEvent};
use rreplay::host::PACKET_MAX;
use std::path::PathBuf;

/// The keys of a keyboard: name and code.
#[pyfunction]
pub fn keys() -> Vec<(&'static str, u16)> {
    rreplay::session::KEYS.to_vec()
}

/// Brings a packet of input events: `(kind, code, value)`, a press being 1 and a release 0.
#[pyfunction]
pub fn send_input(py: Python<'_>, session: &PySession, events: Vec<(String, u16, i32)>) -> PyResult<()> {
    let events = events.into_iter().map(|(kind, code, value)| {
        let number = u8::try_from(code).unwrap_or(u8::MAX);
        match kind.as_str() {
            "key" => Ok(InputEvent::Key { keycode: code, down: value != 0 }),
            "button" => Ok(InputEvent::Button { button: number, down: value != 0 }),
            "rel" => Ok(InputEvent::Rel { axis: number, value }),
            "abs" => Ok(InputEvent::Abs { axis: number, value }),
            _ => Err(named(py, "ArgumentError", &format!("there is no input event {kind:?}"))),
        }
    });
    let events = events.collect::<PyResult<Vec<InputEvent>>>()?;
    let sent = session.ask(py, |session| {
        for event in events {
            session.arrive(AsyncEvent::Input(event))?;
        }
        session.arrive(AsyncEvent::InputSync)
    })?;
    sent.or_raise(py)
}

/// Brings a packet from the network.
#[pyfunction]
pub fn inject_packet(py: Python<'_>, session: &PySession, device: &str, packet: Vec<u8>) -> PyResult<()> {
    if packet.len() > PACKET_MAX {
        let message = format!("a packet of {} bytes is no packet: {PACKET_MAX} is the most", packet.len());
        return Err(named(py, "ArgumentError", &message));
    }
    let sent = session.ask(py, |session| {
        let net = session.net_id(device)?;
        session.arrive(AsyncEvent::Net { device: net.0, flags: 0, bytes: packet })
    })?;
    sent.or_raise(py)
}

/// What a device's screen shows: width, height, and the bytes of the pixels.
#[pyfunction]
pub fn device_frame<'py>(
    py: Python<'py>,
    session: &PySession,
    device: &str,
) -> PyResult<(u32, u32, Bound<'py, PyBytes>)> {
    let frame = session.ask(py, |session| session.frame(device))?.or_raise(py)?;
    Ok((frame.width, frame.height, PyBytes::new(py, &frame.rgba)))
}

/// Pixels as the bytes of a PNG file.
#[pyfunction]
pub fn encode_png<'py>(
    py: Python<'py>,
    width: u32,
    height: u32,
    rgba: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let encoded = py.detach(|| {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        let written = encoder.write_header().and_then(|mut writer| {
            writer.write_image_data(rgba)?;
            writer.finish()
        });
        written.map(|()| bytes)
    });
    let bytes = encoded.map_err(|error| named(py, "ArgumentError", &format!("no picture: {error}")))?;
    Ok(PyBytes::new(py, &bytes))
}

/// Writes a whole file, in the place of an earlier one.
#[pyfunction]
pub fn write_file(py: Python<'_>, path: PathBuf, data: &[u8]) -> PyResult<()> {
    py.detach(|| rreplay::host::write_file(&path, data)).map_err(Error::from).or_raise(py)
}
