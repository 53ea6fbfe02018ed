"""The smallest input that still shows something: delta debugging on forks of a recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import _core
from ..arguments import PathLike, function, instance, path_or_none
from ..errors import ArgumentError, FaultError, StateError
from ..progress import Progress, ProgressLike, progress_callback
from ..recording.recording import Recording

if TYPE_CHECKING:
    from .._core import Event
    from ..moments.moment import Moment

INPUT_KINDS = frozenset({"char_read", "input", "input_sync", "net"})
"""Events that bring something from outside which can as well be left out."""


@dataclass(frozen=True)
class _Input:
    """A piece of input, and the clock cycle at which it comes."""

    cycles: int
    pieces: tuple[tuple[Event, bytes | None], ...]


def minimize(
    recording: Recording,
    predicate: Callable[[Recording], object],
    path: PathLike | None = None,
    *,
    progress: ProgressLike = None,
) -> Recording:
    """A recording with less input for which `predicate(recording)` is still true.

    The machine runs again from the recording's start, with fewer and fewer of the bytes, keys and packets that came in,
    each at its old moment; then those that are left are brought together, each to the moment of the one before. Clocks
    and entropy are those of the new runs.

    Args:
        recording: One for which the predicate holds.
        predicate: Called with each recording that is tried; its file is gone afterwards.
        path: Where the result goes; beside the recording, as `NAME.min.rreplay`, unless given.
        progress: Called with the pieces of input that are settled, and twice all of them: each is left out or kept, and
            then moved or not. True for a bar on standard error.

    Raises:
        ArgumentError: The predicate does not hold for the recording.
        StateError: It does not hold for a run with the same input: something else makes the difference.
    """
    instance("recording", recording, Recording, "an opened recording")
    function("the predicate", predicate, "a recording")
    wanted_path = path_or_none("path", path)
    callback = progress_callback(progress, "minimizing")
    if not predicate(recording):
        raise ArgumentError(f"the predicate does not hold for {recording.path}: there is nothing to keep")
    target = Path(wanted_path) if wanted_path is not None else recording.path.with_suffix(".min.rreplay")
    timeline = recording.timeline()
    search = _Search(timeline.at(timeline.start_icount), recording, predicate)
    everything = _inputs(recording)
    settled = Progress(callback, 2 * len(everything))
    if not search.holds(everything):
        raise StateError(
            "a run with the same input does not show it: a clock, entropy, or a request to a host makes the difference"
        )
    left = _minimal_subset(everything, search.holds, settled)
    kept = _merged_moments(left, search.holds, settled)
    search.record(kept, target)
    settled.finish()
    return Recording(target)


def _inputs(recording: Recording) -> list[_Input]:
    """The pieces that are left out or kept: bytes one by one, packets of input events as a whole."""
    inputs: list[_Input] = []
    packet: list[tuple[Event, bytes | None]] = []
    for event in recording.events():
        if event.kind not in INPUT_KINDS:
            continue
        if event.kind == "char_read":
            inputs.extend(_Input(event.cycles, ((event, bytes([byte])),)) for byte in event.payload["data"])
        elif event.kind == "net":
            inputs.append(_Input(event.cycles, ((event, None),)))
        else:
            packet.append((event, None))
            if event.kind == "input_sync":
                inputs.append(_Input(event.cycles, tuple(packet)))
                packet = []
    return inputs


class _Search:
    """Runs the machine again with less input, and calls the predicate."""

    def __init__(self, start: Moment, recording: Recording, predicate: Callable[[Recording], object]) -> None:
        self._start = start
        self._end = recording.cycles
        self._predicate = predicate

    def holds(self, inputs: Sequence[_Input]) -> bool:
        import tempfile  # takes long to import, and only `minimize` needs it

        with tempfile.TemporaryDirectory(prefix="rreplay-") as directory:
            path = Path(directory) / "tried.rreplay"
            self.record(inputs, path)
            return bool(self._predicate(Recording(path)))

    def record(self, inputs: Sequence[_Input], path: Path) -> None:
        """Runs from the start to the cycle at which the recording ends, with this input."""
        machine = self._start.fork()
        with machine.record(path):
            try:
                for piece in inputs:
                    if piece.cycles > machine.cycles:
                        machine.run(cycles=piece.cycles - machine.cycles)
                    for event, data in piece.pieces:
                        _core.repeat_event(machine._session, event, data)
                if self._end > machine.cycles:
                    machine.run(cycles=self._end - machine.cycles)
            except FaultError:
                # What the board forbids ends the run, and may be just what is looked for.
                pass


def _minimal_subset(
    inputs: Sequence[_Input], holds: Callable[[Sequence[_Input]], bool], settled: Progress
) -> list[_Input]:
    """Delta debugging (Zeller and Hildebrandt, 2002): none of what is left can be left out alone."""
    if holds([]):
        return []
    left = list(inputs)
    parts = 2
    while len(left) > 1:
        size = -(-len(left) // parts)
        chunks = [left[start : start + size] for start in range(0, len(left), size)]
        for chunk in range(len(chunks)):
            rest = [piece for number, other in enumerate(chunks) if number != chunk for piece in other]
            # What is left out stays out; what is kept is settled only in the last round.
            settled.reach(len(inputs) - len(left) + (chunk if size == 1 else 0))
            if holds(rest):
                left, parts = rest, max(parts - 1, 2)
                break
        else:
            if size == 1:
                break
            parts = min(parts * 2, len(left))
    return left


def _merged_moments(
    inputs: Sequence[_Input], holds: Callable[[Sequence[_Input]], bool], settled: Progress
) -> list[_Input]:
    """Brings each piece to the moment of the one before, where that changes nothing."""
    merged = list(inputs)
    before = settled.total - settled.total // 2
    for place in range(1, len(merged)):
        settled.reach(before + place)
        if merged[place].cycles == merged[place - 1].cycles:
            continue
        tried = list(merged)
        tried[place] = _Input(merged[place - 1].cycles, merged[place].pieces)
        if holds(tried):
            merged = tried
    return merged
