"""What the parts of `Replay` share: the lock, the questions to hosts, the delivery of events, checks of arguments."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from .. import _core
from ..arguments import I32, BytesLike, bytes_of
from ..copying import Part
from ..errors import ArgumentError, StateError
from ..errors.quote import shown
from .values import Abs, BlockResult, Button, InputEvent, InputSync, Key, Rel

if TYPE_CHECKING:
    from types import TracebackType

State: TypeAlias = "BytesLike | Mapping[str, BytesLike | str]"

SavedPart: TypeAlias = tuple[str, bytes, bool]

T = TypeVar("T")

EVENT_BYTES_MAX = 1 << 20
"""Bytes that one event may carry."""

OWNERS_MAX = 1 << 16
"""Requests that can wait at a time: their numbers have 16 bits."""


class Hold:
    """Holds the replay lock for a block, unless the thread has it already."""

    __slots__ = ("_core", "_took")

    def __init__(self, core: _core.ReplayCore) -> None:
        self._core = core
        self._took = False

    def __enter__(self) -> None:
        self._took = self._core.enter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._took:
            self._core.release()


class ReplayBase(Part):
    """The state machine, with those who are told of what it delivers."""

    def __init__(self, core: _core.ReplayCore) -> None:
        self._core = core
        self._flushing = False
        self._input: Callable[[InputEvent | InputSync], object] | None = None
        self._chars: dict[int, Callable[[bytes], object]] = {}
        self._nets: dict[int, Callable[[int, bytes], object]] = {}
        # Who asked for what is delivered later, by the number that the log and the digests know them by.
        self._owners: dict[int, Callable[..., object]] = {}

    def _hold(self) -> Hold:
        return Hold(self._core)

    def _answer(self, function: str, ask: Callable[[], T]) -> T | None:
        """The host's answer in the modes in which the host is asked, None where the log answers."""
        if not self._core.begin_question(function):
            return None
        try:
            return ask()
        finally:
            self._core.end_question()

    # ---- delivery ----

    def _ask_for(self, callback: Callable[..., object], request: Callable[[int], T]) -> T:
        """Makes a request on behalf of `callback`, which is known by the smallest free number, in a replay too."""
        if not callable(callback):
            raise ArgumentError(f"{shown(callback)} cannot be called: give the function that is to be told")
        number = next((number for number in range(OWNERS_MAX) if number not in self._owners), None)
        if number is None:
            raise StateError(f"{OWNERS_MAX} calls and block requests wait already: flush first")
        self._owners[number] = callback
        try:
            return request(number)
        except BaseException:
            del self._owners[number]
            raise

    def _deliver(self, delivery: tuple[Any, ...] | None) -> None:
        """Calls those who are told of an event; nobody may be."""
        match delivery:
            case ("bh" | "bh_oneshot", owner):
                self._owner(owner)()
            case ("block", owner, _, result, data):
                self._owner(owner)(BlockResult(result, data))
            case ("input", kind, first, second) if self._input is not None:
                self._input(_input_event(kind, first, second))
            case ("input_sync",) if self._input is not None:
                self._input(InputSync())
            case ("char_read", device, data) if device in self._chars:
                self._chars[device](data)
            case ("net", device, flags, packet) if device in self._nets:
                self._nets[device](flags, packet)

    def _owner(self, number: int) -> Callable[..., object]:
        callback = self._owners.pop(number, None)
        if callback is None:
            raise StateError(
                "a block request that was under way at the snapshot has completed, and nobody is told: "
                "say who is with await_block(id, complete) when the state is loaded"
            )
        return callback


def _input_event(kind: str, first: int, second: int) -> InputEvent:
    match kind:
        case "key":
            return Key(first, bool(second))
        case "button":
            return Button(first, bool(second))
        case "rel":
            return Rel(first, second)
        case _:
            return Abs(first, second)


# ---- arguments ----


def event_bytes(name: str, value: object) -> bytes:
    """Bytes that one event can carry.

    Raises:
        ArgumentError: They are something else, or too many.
    """
    return bytes_of(name, value, most=EVENT_BYTES_MAX)


def packet_of(iov: object) -> bytes:
    """A packet, from its bytes or from pieces of it.

    Raises:
        ArgumentError: It is something else, or more than an event carries.
    """
    if not isinstance(iov, list | tuple):
        return event_bytes("the packet", iov)
    packet = b""
    for piece in iov:
        packet += event_bytes("a piece of the packet", piece)
        if len(packet) > EVENT_BYTES_MAX:
            raise ArgumentError(f"the packet is longer than the {EVENT_BYTES_MAX} bytes that an event carries")
    return packet


def error_number(error: OSError) -> int:
    """A host's error as the log has it: a negative errno."""
    number = error.errno
    # Only the system's own numbers mean anything to who replays it.
    return -number if isinstance(number, int) and 0 < number <= I32 else -errno.EIO
