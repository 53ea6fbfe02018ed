"""Where two recordings part: the first event and the first instruction that differ, with both sides explained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .. import _core
from ..errors import ArgumentError
from ..errors.quote import shown
from ..moments.moment import Moment
from ..progress import ProgressLike, progress_callback
from ..recording.recording import Recording

if TYPE_CHECKING:
    from .._core import Access, Event, Instruction

BYTES_SHOWN_MAX = 16
"""Differing bytes that `str()` shows; no more have their last writes."""


@dataclass(frozen=True)
class Side:
    """One recording where the two part."""

    recording: Recording
    event: Event | None
    """Its first event that the other has not in this place; None where it has no more."""
    instruction: Instruction | None
    """The instruction after which the machines differ."""
    before: Moment
    """The last moment at which they are the same."""
    after: Moment
    """The first moment at which they differ."""


@dataclass(frozen=True)
class ByteDifference:
    """A byte of memory that differs, with the last write to it on each side."""

    address: int
    a: int
    b: int
    writer_a: Access | None
    writer_b: Access | None


@dataclass(frozen=True)
class Difference:
    """How two recordings differ first. `str()` of it tells the whole story."""

    a: Side
    b: Side
    icount: int | None
    """The last number of instructions at which the machines are in one state; None when they always are, or never."""
    registers: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Registers that differ after that instruction."""
    memory: list[ByteDifference] = field(default_factory=list)
    """Bytes that differ there; only the first ones have their last writes."""
    devices: dict[str, dict[str, tuple[object, object]]] = field(default_factory=dict)
    """Fields of devices that differ there."""

    def __str__(self) -> str:
        return "\n".join(_report(self))


def diff(a: Recording, b: Recording, *, progress: ProgressLike = None) -> Difference | None:
    """The first difference between two recordings of one board: None when they are of the same run.

    Events are compared in order, but for checkpoints, digests and snapshots; then the moment at which the machines part
    is found by bisection, assuming that machines which have parted do not come together again.

    Args:
        a: One recording.
        b: The other.
        progress: Called with the instructions for which it is settled whether the machines are the same, and all that
            both recordings have; True for a bar on standard error.

    Raises:
        ArgumentError: The recordings are of different boards.
        StateError: One of them is in progress, or of a machine of its own.
        Divergence: One of them does not replay.
    """
    for name, recording in (("a", a), ("b", b)):
        if not isinstance(recording, Recording):
            raise ArgumentError(
                f"two recordings are compared, and {name}={shown(recording)} is none: open its file with rreplay.open"
            )
    callback = progress_callback(progress, "comparing")
    cores = a.timeline()._core, b.timeline()._core
    found = _core.first_difference(*cores, callback)
    if found is None:
        return None
    icount, row_a, row_b, registers, memory, fields = found
    side_a, side_b = (
        Side(recording, event, instruction, Moment(core, before), Moment(core, after))
        for recording, core, (event, instruction, before, after) in zip((a, b), cores, (row_a, row_b), strict=True)
    )
    devices: dict[str, dict[str, tuple[object, object]]] = {}
    for device, name, value, other in fields:
        devices.setdefault(device, {})[name] = (value, other)
    return Difference(
        side_a,
        side_b,
        icount,
        {name: (value, other) for name, value, other in registers},
        [ByteDifference(*row) for row in memory],
        devices,
    )


def _report(difference: Difference) -> Iterator[str]:
    a, b = difference.a, difference.b
    yield f"a: {a.recording.path}"
    yield f"b: {b.recording.path}"
    if a.event is not None or b.event is not None:
        yield "the first events that differ"
        yield f"  a  {a.event if a.event is not None else 'has no more'}"
        yield f"  b  {b.event if b.event is not None else 'has no more'}"
    if a.instruction is None and difference.icount is None and not difference.registers and not difference.memory:
        yield "the machines are in the same state as far as both go"
        return
    if difference.icount is None:
        yield "the machines differ from the start"
    else:
        yield f"the same until icount {difference.icount}, and not after it"
        yield f"  a  ${a.before.pc:04X}  {a.instruction.text if a.instruction else ''}"
        yield f"  b  ${b.before.pc:04X}  {b.instruction.text if b.instruction else ''}"
    for name, (one, other) in difference.registers.items():
        yield f"  {name}: {one:#x} and {other:#x}"
    for byte in difference.memory[:BYTES_SHOWN_MAX]:
        yield f"  ${byte.address:04X}: {byte.a:#04x} and {byte.b:#04x}{_writers(byte)}"
    if len(difference.memory) > BYTES_SHOWN_MAX:
        yield f"  and {len(difference.memory) - BYTES_SHOWN_MAX} bytes more"
    for device, fields in difference.devices.items():
        for key, values in fields.items():
            yield f"  {device}.{key}: {values[0]!r} and {values[1]!r}"


def _writers(byte: ByteDifference) -> str:
    def described(access: Access | None) -> str:
        if access is None:
            return "never written"
        return f"icount {access.icount}, {access.by}" + (f" at ${access.pc:04X}" if access.pc is not None else "")

    return f"; last written: a {described(byte.writer_a)}; b {described(byte.writer_b)}"
