"""Positions in a recording as callers name them, resolved the same way for all questions.

A position is an icount; or a moment, event, access or stop, which stands for where it is. What belongs to another
recording is refused: there, its icount would mean something else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from .. import _core
from ..arguments import U64, text, whole
from ..errors import ArgumentError
from ..errors.quote import shown
from .moment import Moment

if TYPE_CHECKING:
    from ..progress import ProgressCallback

Where: TypeAlias = "int | Moment | _core.Event | _core.Access | _core.Stop"
"""An icount, or a moment, event, access or stop of the recording."""

Position: TypeAlias = "tuple[int, int]"
"""Instructions retired, and clock cycles passed."""


def event_kind(kind: object) -> str | None:
    """A kind of event; None for all.

    Raises:
        ArgumentError: It is no text.
    """
    if kind is not None and not isinstance(kind, str):
        raise ArgumentError(f"a kind of event is a name such as 'interrupt', and {shown(kind)} is not")
    return None if kind is None else text("kind", kind, most=64)


def icount_or_none(name: str, where: object, file: _core.RecordingFile) -> int | None:
    """The icount of a position that needs no replay to be looked up; None where it is left out.

    Raises:
        ArgumentError: It is something else, or of another recording.
    """
    if where is None:
        return None
    if isinstance(where, Moment):
        if where._core.fingerprint != file.fingerprint():
            raise of_another_recording(name, where)
        return where.icount
    if isinstance(where, _core.Event):
        require_event(name, where, file)
        return where.icount
    if isinstance(where, _core.Access | _core.Stop):
        raise ArgumentError(f"{name} is an icount, a moment or an event here: give the icount of {shown(where)}")
    return whole(name, where)


def require_event(name: str, event: _core.Event, file: _core.RecordingFile) -> None:
    """Checks that an event is one of a recording.

    Raises:
        ArgumentError: It is not.
    """
    for other in file.events(event.kind, event.icount, _after(event.icount)):
        if other.ordinal >= event.ordinal:
            if other == event:
                return
            break
    raise of_another_recording(name, event)


def _after(icount: int) -> int | None:
    return icount + 1 if icount < U64 else None


def of_another_recording(name: str, where: object) -> ArgumentError:
    """The error for something that belongs to another recording."""
    return ArgumentError(f"{name} is {shown(where)}, which is of another recording: give one of this, or an icount")


class PositionResolver:
    """Resolves positions in the recording of one timeline."""

    __slots__ = ("_core", "_file")

    def __init__(self, core: _core.TimelineCore, file: _core.RecordingFile) -> None:
        self._core = core
        self._file = file

    def resolve(
        self, name: str, where: object, cycles: object = None, callback: ProgressCallback | None = None
    ) -> Position:
        """Where something is: for an event or access, the last position before it.

        Args:
            name: The argument, for messages.
            where: What was given.
            cycles: With an icount at which the processor waits: the first position in the wait at or after this cycle.
            callback: Called with the progress.

        Raises:
            ArgumentError: It is something else, not in the recording, or of another one.
        """
        if not isinstance(where, Moment | _core.Event | _core.Access | _core.Stop):
            return self._at(name, where, cycles, callback)
        if cycles is not None:
            raise ArgumentError(f"cycles go with an icount, and {name} is {shown(where)}, which has its own")
        if isinstance(where, Moment):
            position = self._of_moment(name, where)
            if callback is not None:
                callback(1, 1)
            return position
        if isinstance(where, _core.Event):
            require_event(name, where, self._file)
            return self._core.place_before_event((where.icount, where.cycles), where.ordinal, callback)
        if isinstance(where, _core.Access):
            self._require_access(name, where)
            return self._core.place_before((where.icount, where.cycles), callback)
        return self._of_stop(name, where, callback)

    def icount(self, name: str, where: object) -> int:
        """The icount of a position that bounds a part of the run, which may lie outside of the recording.

        Raises:
            ArgumentError: It is something else, or of another recording.
        """
        if isinstance(where, Moment):
            return self._of_moment(name, where)[0]
        if isinstance(where, _core.Event):
            require_event(name, where, self._file)
            return where.icount
        if isinstance(where, _core.Access):
            self._require_access(name, where)
            return where.icount
        if isinstance(where, _core.Stop):
            return self._of_stop(name, where, None)[0]
        return whole(name, where)

    def _at(self, name: str, where: object, cycles: object, callback: ProgressCallback | None) -> Position:
        icount = whole(name, where)
        least = None if cycles is None else whole("cycles", cycles)
        position = self._core.place_at(icount, least, callback)
        if position[0] != icount or (least is not None and position[1] < least):
            raise ArgumentError(
                f"cycle {least} is not at icount {icount}: the processor waits there no longer; "
                "leave the cycles out, or give those of a wait"
            )
        return position

    def _of_moment(self, name: str, moment: Moment) -> Position:
        position = (moment.icount, moment.cycles)
        if moment._core is self._core:
            return position
        is_same = moment._core.fingerprint == self._core.fingerprint
        # What a recorder that was killed has left may begin like another recording and end like it too.
        if (
            not is_same
            or self._core.place_at(*position, None) != position
            or self._core.digest(position) != moment.digest()
        ):
            raise of_another_recording(name, moment)
        return position

    def _of_stop(self, name: str, stop: _core.Stop, callback: ProgressCallback | None) -> Position:
        position = (stop.icount, stop.cycles)
        start, end = self._core.start, self._core.end
        is_here = start <= position <= end and self._core.place_at(*position, callback) == position
        if not is_here or self._core.registers(position)["pc"] != stop.pc:
            raise of_another_recording(name, stop)
        return position

    def _require_access(self, name: str, access: _core.Access) -> None:
        reads, writes = access.kind == "r", access.kind == "w"
        icount = access.icount
        rows = self._core.accesses(access.address, access.address, reads, writes, icount, _after(icount), None)
        if not any(rows.row(index) == access for index in range(len(rows))):
            raise of_another_recording(name, access)
