"""Where two recordings part: the first event and the first instruction that differ, with both sides explained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING

from ..errors import ArgumentError
from ..errors.quote import shown
from ..progress import Progress, ProgressLike, progress_callback
from ..recording.recording import Recording

if TYPE_CHECKING:
    from .._core import Access, Event, Instruction
    from ..moments.moment import Moment
    from ..timeline.timeline import Timeline

OWN_KINDS = frozenset({"checkpoint", "digest", "snapshot"})
"""Events that say how a run was recorded and in which pieces, and not what came into it or out of it."""

BYTES_EXPLAINED_MAX = 16
"""Differing bytes whose last writes are looked up."""


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


def _boards(a: Recording, b: Recording) -> str:
    """How two boards differ: by their names, or else by the first line of their descriptions."""
    if a.board.name != b.board.name:
        return f"{a.board.name} and {b.board.name}"
    lines = zip_longest(a.board.to_toml().splitlines(), b.board.to_toml().splitlines(), fillvalue="nothing")
    line, other = next(both for both in lines if both[0] != both[1])
    return f"both called {a.board.name}, with {shown(line)} in the one and {shown(other)} in the other"


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
    if a.board != b.board:
        raise ArgumentError(f"the recordings are of different boards, {_boards(a, b)}: there is nothing to compare")
    event_a, event_b = _first_events(a, b)
    timeline_a, timeline_b = a.timeline(), b.timeline()
    last = min(timeline_a.end_icount, timeline_b.end_icount)
    start = max(timeline_a.start_icount, timeline_b.start_icount)
    if start > last:
        raise ArgumentError("the recordings are of different parts of a run: they have no instruction in common")

    bar = Progress(progress_callback(progress, "comparing"), last - start)

    def same(icount: int, until: int) -> bool:
        at_a = timeline_a.at(icount, progress=bar.part(until) or False)
        return at_a.digests() == timeline_b.at(icount).digests()

    events = [event.icount for event in (event_a, event_b) if event is not None]
    likely = min(max(events[0] + 1, start) if events else last, last)
    differing = _first_differing(same, start, likely, last)
    if differing is None and event_a is None and event_b is None:
        bar.finish()
        return None
    if differing is None:
        bar.finish()
        at = min(max(min(events), start), last)
        side_a = Side(a, event_a, None, timeline_a.at(at), timeline_a.at(at))
        side_b = Side(b, event_b, None, timeline_b.at(at), timeline_b.at(at))
        return Difference(side_a, side_b, None)
    before = max(differing - 1, start)
    side_a, side_b = (
        Side(recording, event, _executed(timeline, before, differing), timeline.at(before), timeline.at(differing))
        for recording, event, timeline in ((a, event_a, timeline_a), (b, event_b, timeline_b))
    )
    found = _difference_of(side_a, side_b, None if differing == start else before, timeline_a, timeline_b)
    bar.finish()
    return found


def _first_events(a: Recording, b: Recording) -> tuple[Event | None, Event | None]:
    """The first events that are not the same; twice None when all are."""
    rest_a, rest_b = _events(a), _events(b)
    while True:
        event_a, event_b = next(rest_a, None), next(rest_b, None)
        if event_a is None or event_b is None:
            return event_a, event_b
        if _comparable(event_a) != _comparable(event_b):
            return event_a, event_b


def _events(recording: Recording) -> Iterator[Event]:
    return (event for event in recording.events() if event.kind not in OWN_KINDS)


def _comparable(event: Event) -> tuple[object, ...]:
    return event.kind, event.icount, event.cycles, event.payload


def _first_differing(same: Callable[[int, int], bool], start: int, likely: int, last: int) -> int | None:
    """The first icount at which the machines differ: searched from `start` through `likely`, then on to `last`.

    `same(icount, settled)` is also told for how many instructions all is settled after the answer, at the least.
    """
    if not same(start, 0):
        return start
    equal, differing = start, likely
    step = 1
    while same(differing, min(differing, last - differing + equal) - start):
        if differing == last:
            return None
        equal, differing = differing, min(differing + step, last)
        step *= 4
    while differing - equal > 1:
        middle = (equal + differing) // 2
        # Either half may be left.
        settled = last - start - max(differing - middle, middle - equal)
        equal, differing = (middle, differing) if same(middle, settled) else (equal, middle)
    return differing


def _executed(timeline: Timeline, before: int, differing: int) -> Instruction | None:
    return timeline.at(before).disassemble()[0] if before < differing else None


def _difference_of(
    side_a: Side, side_b: Side, icount: int | None, timeline_a: Timeline, timeline_b: Timeline
) -> Difference:
    after_a, after_b = side_a.after, side_b.after
    registers_a, registers_b = after_a.registers, after_b.registers
    registers = {name: (value, registers_b[name]) for name, value in registers_a.items() if value != registers_b[name]}
    bytes_a, bytes_b = after_a.memory[:], after_b.memory[:]
    addresses = [address for address in range(len(bytes_a)) if bytes_a[address] != bytes_b[address]]
    memory = [
        ByteDifference(
            address,
            bytes_a[address],
            bytes_b[address],
            timeline_a.last_write(address, after_a) if number < BYTES_EXPLAINED_MAX else None,
            timeline_b.last_write(address, after_b) if number < BYTES_EXPLAINED_MAX else None,
        )
        for number, address in enumerate(addresses)
    ]
    devices: dict[str, dict[str, tuple[object, object]]] = {}
    for name, device in after_a.devices.items():
        state_a, state_b = device.state, after_b.devices[name].state
        fields: dict[str, tuple[object, object]] = {
            key: (value, state_b[key]) for key, value in state_a.items() if value != state_b[key]
        }
        if fields:
            devices[name] = fields
    return Difference(side_a, side_b, icount, registers, memory, devices)


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
    for byte in difference.memory[:BYTES_EXPLAINED_MAX]:
        yield f"  ${byte.address:04X}: {byte.a:#04x} and {byte.b:#04x}{_writers(byte)}"
    if len(difference.memory) > BYTES_EXPLAINED_MAX:
        yield f"  and {len(difference.memory) - BYTES_EXPLAINED_MAX} bytes more"
    for device, fields in difference.devices.items():
        for key, values in fields.items():
            yield f"  {device}.{key}: {values[0]!r} and {values[1]!r}"


def _writers(byte: ByteDifference) -> str:
    def described(access: Access | None) -> str:
        if access is None:
            return "never written"
        return f"icount {access.icount}, {access.by}" + (f" at ${access.pc:04X}" if access.pc is not None else "")

    return f"; last written: a {described(byte.writer_a)}; b {described(byte.writer_b)}"
