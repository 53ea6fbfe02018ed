"""What `copy` and `pickle` do with our objects: the right thing, or a refusal that says why and what to do instead.

There are three sorts. A *value* (a stop, an event, a snapshot, ...) never changes: its copy is equal, and it goes to
other processes. A *handle* to something that never changes (a recording, a moment) is its own copy; only some of them
mean anything in another process. A *part* of something that runs (a machine's memory, a timeline, a lock) is there
once: a copy would be a second name for the same thing, which is what nobody means who copies.
"""

from __future__ import annotations

import copyreg
from typing import Any, NoReturn

from . import _core
from .errors import NotCopyable

VALUES: dict[type, tuple[str, ...]] = {
    _core.Stop: ("reason", "icount", "cycles", "pc", "shutdown", "access", "point"),
    _core.Access: ("icount", "cycles", "pc", "address", "old", "new", "kind", "by"),
    _core.Instruction: ("address", "bytes", "mnemonic", "operand", "target", "flow", "text"),
    _core.BusCycle: ("address", "value", "kind", "cycle"),
    _core.HookEvent: ("icount", "cycles", "address", "value"),
    _core.Verification: ("ok", "icount", "segments", "events", "digests", "wall_seconds"),
}
"""The engine's plain results, with the fields that they are pickled as."""

PARTS = (
    _core.AccessColumns,
    _core.EventColumns,
    _core.EventIterator,
    _core.InputGate,
    _core.RecordingFile,
    _core.ReplayCore,
    _core.Session,
    _core.TimelineCore,
)
"""The engine's own handles."""


class Part:
    """A part of something that runs: not copied, and not pickled."""

    __slots__ = ()

    _instead = ""
    """What to do instead, as the end of a sentence."""

    def __copy__(self) -> Any:
        raise _refusal(self, "copied")

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        raise _refusal(self, "copied")

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise _refusal(self, "pickled")


class Handle(Part):
    """A handle to something that never changes: it is its own copy, and not pickled."""

    __slots__ = ()

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self


def _refusal(thing: object, what: str) -> NotCopyable:
    instead = getattr(type(thing), "_instead", "")
    name = type(thing).__name__
    return NotCopyable(f"{'an' if name[0] in 'AEIOU' else 'a'} {name} cannot be {what}: {instead}")


def _reduce_value(value: object) -> tuple[Any, ...]:
    kind = type(value)
    return _core.restored, (kind.__name__, tuple(getattr(value, field) for field in VALUES[kind]))


def _reduce_event(event: _core.Event) -> tuple[Any, ...]:
    return _core.restored_event, _core.event_state(event)


def _reduce_snapshot(snapshot: _core.Snapshot) -> tuple[Any, ...]:
    return _core.Snapshot.from_bytes, (snapshot.to_bytes(),)


def _reduce_board(board: _core.Board) -> tuple[Any, ...]:
    return _core.Board.from_toml, (board.to_toml(),)


def _refuse(part: object) -> NoReturn:
    raise NotCopyable(
        f"a {type(part).__name__} belongs to this process and cannot be copied or pickled: make a list of what it holds"
    )


for _kind in VALUES:
    copyreg.pickle(_kind, _reduce_value)

copyreg.pickle(_core.Event, _reduce_event)

copyreg.pickle(_core.Snapshot, _reduce_snapshot)

copyreg.pickle(_core.Board, _reduce_board)

for _kind in PARTS:
    copyreg.pickle(_kind, _refuse)
