"""What the parts of `Replay` share: the lock, the questions to hosts, the delivery of events, checks of arguments."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from . import _core
from .errors import ArgumentError, StateError
from .machine import whole_number
from .replay_values import Abs, BlockResult, Button, InputEvent, InputSync, Key, Rel

if TYPE_CHECKING:
    from types import TracebackType

BytesLike: TypeAlias = bytes | bytearray | memoryview
State: TypeAlias = "BytesLike | Mapping[str, BytesLike | str]"
Part: TypeAlias = tuple[str, bytes, bool]

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

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


class ReplayBase:
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
            raise ArgumentError(f"{callback!r} cannot be called: give the function that is to be told")
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


def number(name: str, value: object, least: int, most: int) -> int:
    """A whole number in a range.

    Raises:
        ArgumentError: It is something else.
    """
    if value is None:
        raise ArgumentError(f"{name} is a whole number from {least} to {most}, and None is not")
    whole_number(name, value, least=least, most=most)
    assert isinstance(value, int)
    return int(value)


def member(kind: type[E], value: object) -> E:
    """A member of the vocabulary, by itself or by its name.

    Raises:
        ArgumentError: There is no such member.
    """
    for member in kind:
        if member == value:
            return member
    known = ", ".join(repr(member.value) for member in kind)
    raise ArgumentError(f"there is no {kind.__name__} {value!r}: use one of {known}")


def some_bytes(name: str, value: object) -> bytes:
    """Bytes, from anything that holds bytes.

    Raises:
        ArgumentError: It is something else, such as text.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    advice = "; encode the text first" if isinstance(value, str) else ""
    raise ArgumentError(f"{name} is bytes, and {value!r} is not{advice}")


def event_bytes(name: str, value: object) -> bytes:
    """Bytes that one event can carry.

    Raises:
        ArgumentError: They are something else, or too many.
    """
    data = some_bytes(name, value)
    if len(data) > EVENT_BYTES_MAX:
        raise ArgumentError(f"{name} has {len(data)} bytes, and an event carries up to {EVENT_BYTES_MAX}: split it")
    return data


def error_number(error: OSError) -> int:
    """A host's error as the log has it: a negative errno."""
    return -(error.errno or errno.EIO)


def name_of(what: str, value: object) -> str:
    """A name.

    Raises:
        ArgumentError: It is no text.
    """
    if isinstance(value, str):
        return value
    raise ArgumentError(f"{what} is a text, and {value!r} is not")
