//! Plain results, as immutable Python objects.

use super::errors::OrRaise;
use crate::cpu::Instruction;
use crate::error::Error;
use crate::machine::BusCycle;
use crate::recording::Verification;
use crate::session::{HookEvent, Stop};
use crate::snapshot::Snapshot;
use crate::timeline::{Access, TimelineStop};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Where a run stopped, and why.
#[pyclass(frozen, eq, get_all, module = "rreplay", name = "Stop")]
#[derive(Clone, PartialEq)]
pub struct PyStop {
    /// "budget", "pc", "output", "breakpoint", "watchpoint", "halted", "jammed", "shutdown", "end" or "interrupted".
    reason: &'static str,
    /// Instructions retired since power-on.
    icount: u64,
    /// Clock cycles since power-on.
    cycles: u64,
    /// The program counter.
    pc: u16,
    /// Why the machine shut down, if it did.
    shutdown: Option<&'static str>,
    /// On a timeline, the access that a watchpoint has seen, which is made next.
    access: Option<PyAccess>,
    /// On a timeline, the number of the breakpoint or watchpoint.
    point: Option<u64>,
}

impl From<Stop> for PyStop {
    fn from(stop: Stop) -> Self {
        Self {
            reason: stop.reason,
            icount: stop.position.icount,
            cycles: stop.position.cycles,
            pc: stop.pc,
            shutdown: stop.shutdown,
            access: None,
            point: None,
        }
    }
}

impl From<TimelineStop> for PyStop {
    fn from(stop: TimelineStop) -> Self {
        Self {
            reason: stop.reason,
            icount: stop.place.icount,
            cycles: stop.place.cycles,
            pc: stop.pc,
            shutdown: None,
            access: stop.access.map(PyAccess::from),
            point: stop.point.map(|point| point.0),
        }
    }
}

/// A read or a write of a byte.
#[pyclass(frozen, eq, get_all, module = "rreplay", name = "Access")]
#[derive(Clone, PartialEq)]
pub struct PyAccess {
    /// Instructions retired before the one that made it: `timeline.seek(access.icount)` stands on that one.
    icount: u64,
    /// The exact clock cycle.
    cycles: u64,
    /// The address of the instruction; None when none made it.
    pc: Option<u16>,
    /// The address read or written.
    address: u16,
    /// What memory held before a write; None for a read, and where a device answers.
    old: Option<u8>,
    /// The byte read or written.
    new: u8,
    /// "r" or "w".
    kind: &'static str,
    /// "cpu", "interrupt" (the CPU on its way into a handler), or the name of a device that is a bus master.
    by: String,
}

impl From<Access> for PyAccess {
    fn from(access: Access) -> Self {
        let Access { icount, cycles, pc, address, old, new, is_write, by } = access;
        Self { icount, cycles, pc, address, old, new, kind: if is_write { "w" } else { "r" }, by }
    }
}

#[pymethods]
impl PyAccess {
    fn __repr__(&self) -> String {
        let pc = self.pc.map_or("None".to_owned(), |pc| format!("{pc:#06x}"));
        let old = self.old.map_or("None".to_owned(), |old| format!("{old:#04x}"));
        let Self { icount, cycles, address, new, kind, by, .. } = self;
        format!(
            "Access(icount={icount}, cycles={cycles}, pc={pc}, address={address:#06x}, old={old}, new={new:#04x}, \
             kind='{kind}', by='{by}')"
        )
    }
}

#[pymethods]
impl PyStop {
    fn __repr__(&self) -> String {
        let Self { reason, icount, cycles, pc, .. } = self;
        format!("Stop(reason='{reason}', icount={icount}, cycles={cycles}, pc={pc:#06x})")
    }
}

/// One disassembled instruction.
#[pyclass(frozen, eq, get_all, module = "rreplay", name = "Instruction")]
#[derive(Clone, PartialEq)]
pub struct PyInstruction {
    /// Address of the opcode.
    address: u16,
    /// Opcode and operand.
    bytes: Vec<u8>,
    /// The mnemonic, upper case.
    mnemonic: String,
    /// The operand as an assembler writes it; empty without one.
    operand: String,
    /// Where a branch, or a JMP or JSR with an address, goes; None for all others.
    target: Option<u16>,
    /// Mnemonic and operand.
    text: String,
}

#[pymethods]
impl PyInstruction {
    fn __str__(&self) -> &str {
        &self.text
    }

    fn __repr__(&self) -> String {
        format!("<Instruction {:04X}: {}>", self.address, self.text)
    }
}

/// One bus cycle.
#[pyclass(frozen, eq, get_all, module = "rreplay", name = "BusCycle")]
#[derive(Clone, PartialEq)]
pub struct PyBusCycle {
    /// What the address lines carried.
    address: u16,
    /// What the data lines carried.
    value: u8,
    /// "r" or "w".
    kind: &'static str,
    /// Clock cycles since power-on.
    cycle: u64,
}

impl From<BusCycle> for PyBusCycle {
    fn from(cycle: BusCycle) -> Self {
        let kind = if cycle.write { "w" } else { "r" };
        Self { address: cycle.address, value: cycle.value, kind, cycle: cycle.cycle }
    }
}

#[pymethods]
impl PyBusCycle {
    fn __repr__(&self) -> String {
        format!("BusCycle(address={:#06x}, value={:#04x}, kind='{}')", self.address, self.value, self.kind)
    }
}

/// What a hook is called with.
#[pyclass(frozen, eq, get_all, module = "rreplay", name = "HookEvent")]
#[derive(Clone, PartialEq)]
pub struct PyHookEvent {
    /// Instructions retired before the one that is at work.
    icount: u64,
    /// Clock cycles since power-on, at the access.
    cycles: u64,
    /// The address executed, read or written.
    address: u16,
    /// The byte read or written; None for execution.
    value: Option<u8>,
}

impl From<HookEvent> for PyHookEvent {
    fn from(event: HookEvent) -> Self {
        Self {
            icount: event.position.icount,
            cycles: event.position.cycles,
            address: event.address,
            value: event.value,
        }
    }
}

#[pymethods]
impl PyHookEvent {
    fn __repr__(&self) -> String {
        let value = self.value.map_or("None".to_owned(), |value| format!("{value:#04x}"));
        format!("HookEvent(icount={}, address={:#06x}, value={value})", self.icount, self.address)
    }
}

/// A machine's whole state. Immutable, hashable; equal when the states are.
#[pyclass(frozen, eq, hash, module = "rreplay", name = "Snapshot")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PySnapshot {
    pub snapshot: Snapshot,
}

#[pymethods]
impl PySnapshot {
    /// The snapshot that `to_bytes` saved. Raises StateError when the bytes are no snapshot.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        let snapshot = Snapshot::from_bytes(data).map_err(Error::from).or_raise(py)?;
        Ok(Self { snapshot })
    }

    /// The snapshot as bytes, to be kept anywhere.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.snapshot.to_bytes())
    }

    /// Instructions retired since power-on.
    #[getter]
    fn icount(&self) -> u64 {
        self.snapshot.position().icount
    }

    /// Clock cycles since power-on.
    #[getter]
    fn cycles(&self) -> u64 {
        self.snapshot.position().cycles
    }

    /// A hash of the state, and of the board and ROM it belongs to, as hex.
    #[getter]
    fn digest(&self) -> String {
        self.snapshot.digest().to_string()
    }

    fn __repr__(&self) -> String {
        format!("<Snapshot at icount {}: {}>", self.icount(), self.digest())
    }
}

/// What verifying a recording came to.
#[pyclass(frozen, eq, get_all, module = "rreplay", name = "Verification")]
#[derive(Clone, PartialEq)]
pub struct PyVerification {
    /// Whether the recording is complete and was replayed to its end; a replay that differs raises Divergence.
    ok: bool,
    /// Instructions retired where the recording ends.
    icount: u64,
    /// Number of pieces that were checked by themselves.
    segments: u64,
    /// Events compared.
    events: u64,
    /// Digests compared.
    digests: u64,
    /// Seconds that it took, of real time.
    wall_seconds: f64,
}

impl From<Verification> for PyVerification {
    fn from(found: Verification) -> Self {
        let Verification { ok, icount, segments, events, digests, wall_seconds } = found;
        Self { ok, icount, segments, events, digests, wall_seconds }
    }
}

#[pymethods]
impl PyVerification {
    fn __repr__(&self) -> String {
        let Self { ok, icount, segments, events, digests, wall_seconds } = self;
        let ok = if *ok { "True" } else { "False" };
        format!(
            "Verification(ok={ok}, icount={icount}, segments={segments}, events={events}, digests={digests}, \
             wall_seconds={wall_seconds:.3})"
        )
    }
}

impl From<Instruction> for PyInstruction {
    fn from(instruction: Instruction) -> Self {
        let Instruction { address, bytes, mnemonic, operand, target, .. } = instruction;
        let text = if operand.is_empty() { mnemonic.clone() } else { format!("{mnemonic} {operand}") };
        Self { address, bytes, mnemonic, operand, target, text }
    }
}
