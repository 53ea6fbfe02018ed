//! The Python shell: the extension module `rreplay._core`.
//!
//! Conversion and detaching only. The public classes are Python, in `python/rreplay`; they stand on what is here.
//! Every call that may wait for the machine's lock is made detached from the interpreter, because a callback on the
//! other side of that lock may be waiting to attach.

mod attach;
mod board;
mod callbacks;
mod compare;
mod devices;
mod errors;
mod event;
mod given;
mod pickled;
mod recording;
mod replay;
mod session;
mod table;
mod timeline;
mod values;

use pyo3::prelude::*;

#[pymodule]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::attach::{
        attach_directory, attach_disk, attach_entropy, attach_files, attach_network, attach_object,
        attach_pcap, attach_pty, attach_tcp_client, attach_tcp_server, attach_udp, attach_wav_input,
        attach_wav_output, detach,
    };
    #[pymodule_export]
    use super::board::{PyBoard, boards};
    #[pymodule_export]
    use super::compare::{first_difference, minimize, rom_difference};
    #[pymodule_export]
    use super::devices::{device_frame, encode_png, inject_packet, keys, send_input, write_file};
    #[pymodule_export]
    use super::event::{PyEvent, PyEventIterator};
    #[pymodule_export]
    use super::pickled::{event_state, restored, restored_event};
    #[pymodule_export]
    use super::recording::{PyRecorded, PyRecordingFile};
    #[pymodule_export]
    use super::replay::PyReplayCore;
    #[pymodule_export]
    use super::session::{PyInputGate, PySession};
    #[pymodule_export]
    use super::table::{PyAccessColumns, PyEventColumns};
    #[pymodule_export]
    use super::timeline::PyTimeline;
    #[pymodule_export]
    use super::values::{
        PyAccess, PyBusCycle, PyHookEvent, PyInstruction, PySnapshot, PyStop, PyVerification,
    };

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
