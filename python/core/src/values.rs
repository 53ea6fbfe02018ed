//! Plain results, as immutable Python objects.

use super::errors::OrRaise;
use super::given;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rreplay::cpu::Instruction;
use rreplay::error::Error;
use rreplay::machine::{AddressSpace, BusCycle};
use rreplay::recording::Verification;
use rreplay::session::{HookEvent, Stop};
use rreplay::snapshot::Snapshot;
use rreplay::timeline::{Access, TimelineStop};
use std::borrow::Cow;

/// A word of a closed set; read back from a pickle, one that was written there.
pub type Word = Cow<'static, str>;

/// Where a run stopped, and why.
#[pyclass(frozen, eq, get_all, module = "rreplay", name = "Stop")]
#[derive(Clone, PartialEq)]
pub struct PyStop {
    /// "budget", "pc", "output", "breakpoint", "watchpoint", "halted", "jammed", "shutdown", "end" or "interrupted".
    pub(super) reason: Word,
    /// Instructions retired since power-on.
    pub(super) icount: u64,
    /// Clock cycles since power-on.
    pub(super) cycles: u64,
    /// The program counter.
    pub(super) pc: u16,
    /// Why the machine shut down, if it did.
    pub(super) shutdown: Option<Word>,
    /// On a timeline, the access that a watchpoint has seen, which is made next.
    pub(super) access: Option<PyAccess>,
    /// On a timeline, the number of the breakpoint or watchpoint.
    pub(super) point: Option<u64>,
}

impl From<Stop> for PyStop {
    fn from(stop: Stop) -> Self {
        Self {
            reason: stop.reason.into(),
            icount: stop.position.icount,
            cycles: stop.position.cycles,
            pc: stop.pc,
            shutdown: stop.shutdown.map(Word::from),
            access: None,
            point: None,
        }
    }
}

impl From<TimelineStop> for PyStop {
    fn from(stop: TimelineStop) -> Self {
        Self {
            reason: stop.reason.into(),
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
#[pyclass(frozen, eq, get_all, from_py_object, module = "rreplay", name = "Access")]
#[derive(Clone, PartialEq)]
pub struct PyAccess {
    /// Instructions retired before the one that made it: `timeline.seek(access.icount)` stands on that one.
    pub(super) icount: u64,
    /// The exact clock cycle.
    pub(super) cycles: u64,
    /// The address of the instruction; None when none made it.
    pub(super) pc: Option<u16>,
    /// The address read or written.
    pub(super) address: u16,
    /// What memory held before a write; None for a read, and where a device answers.
    pub(super) old: Option<u8>,
    /// The byte read or written.
    pub(super) new: u8,
    /// "r" or "w".
    pub(super) kind: Word,
    /// "cpu", "interrupt" (the CPU on its way into a handler), or the name of a device that is a bus master.
    pub(super) by: String,
}

impl From<Access> for PyAccess {
    fn from(access: Access) -> Self {
        let Access { icount, cycles, pc, address, old, new, is_write, by } = access;
        Self { icount, cycles, pc, address, old, new, kind: if is_write { "w" } else { "r" }.into(), by }
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
    pub(super) address: u16,
    /// Opcode and operand.
    pub(super) bytes: Vec<u8>,
    /// The mnemonic, upper case.
    pub(super) mnemonic: String,
    /// The operand as an assembler writes it; empty without one.
    pub(super) operand: String,
    /// Where a branch, or a jump or a call with an address in the instruction, goes; None for all others.
    pub(super) target: Option<u16>,
    /// Where execution goes after it: "next", "branch", "jump", "call", "return" or "halt".
    pub(super) flow: Word,
    /// Mnemonic and operand.
    pub(super) text: String,
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
    pub(super) address: u16,
    /// What the data lines carried.
    pub(super) value: u8,
    /// "r" or "w"; "in" or "out" at an I/O port.
    pub(super) kind: Word,
    /// Clock cycles since power-on.
    pub(super) cycle: u64,
}

impl From<BusCycle> for PyBusCycle {
    fn from(cycle: BusCycle) -> Self {
        let kind = match (cycle.space, cycle.write) {
            (AddressSpace::Memory, false) => "r",
            (AddressSpace::Memory, true) => "w",
            (AddressSpace::Io, false) => "in",
            (AddressSpace::Io, true) => "out",
        };
        let kind = kind.into();
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
    pub(super) icount: u64,
    /// Clock cycles since power-on, at the access.
    pub(super) cycles: u64,
    /// The address executed, read or written.
    pub(super) address: u16,
    /// The byte read or written; None for execution.
    pub(super) value: Option<u8>,
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
    fn from_bytes(py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<Self> {
        let data = given::bytes("data", data)?;
        let snapshot = Snapshot::from_bytes(&data).map_err(Error::from).or_raise(py)?;
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
    pub(super) ok: bool,
    /// Instructions retired where the recording ends.
    pub(super) icount: u64,
    /// Number of pieces that were checked by themselves.
    pub(super) segments: u64,
    /// Events compared.
    pub(super) events: u64,
    /// Digests compared.
    pub(super) digests: u64,
    /// Seconds that it took, of real time.
    pub(super) wall_seconds: f64,
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
        let (text, mnemonic) = (instruction.text(), instruction.mnemonic().to_owned());
        let Instruction { address, bytes, operation, operand, target, .. } = instruction;
        Self { address, bytes, mnemonic, operand, target, flow: operation.flow.name().into(), text }
    }
}
