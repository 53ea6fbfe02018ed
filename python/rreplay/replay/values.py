"""What passes between `Replay`, a machine of your own and its hosts: input events, and the answers of hosts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias


@dataclass(frozen=True, slots=True)
class Key:
    """A key goes down or up."""

    keycode: int
    """Which key: 0 to 65535, the machine's own numbering."""
    down: bool


@dataclass(frozen=True, slots=True)
class Button:
    """A button of a pointer goes down or up."""

    button: int
    """Which button: 0 to 255."""
    down: bool


@dataclass(frozen=True, slots=True)
class Rel:
    """A relative axis (a mouse, a wheel) has moved."""

    axis: int
    """Which axis: 0 to 255."""
    value: int
    """By how much: 32 bits, signed."""


@dataclass(frozen=True, slots=True)
class Abs:
    """An absolute axis (a tablet, a joystick) has a new value."""

    axis: int
    """Which axis: 0 to 255."""
    value: int
    """The value: 32 bits, signed."""


@dataclass(frozen=True, slots=True)
class InputSync:
    """The end of a packet of input events, which belong together."""


InputEvent: TypeAlias = Key | Button | Rel | Abs
"""One input event."""


class RandomResult(NamedTuple):
    """A host's answer to a request for entropy."""

    code: int
    """The host call's return code: 0, or a negative errno."""
    data: bytes
    """The bytes; zeros where the host returned none."""


class CharWritten(NamedTuple):
    """What a host did with bytes that a character device sent."""

    result: int
    """Number of bytes taken, or a negative errno."""
    offset: int
    """Bytes taken before the host stopped; equal to `result` when that is not negative."""


class AudioRead(NamedTuple):
    """What an audio input has recorded."""

    samples: Sequence[int]
    """The samples that were recorded: 16 bits, signed, one channel."""
    write_position: int
    """Where the host's ring buffer is written next, in frames."""


class BlockResult(NamedTuple):
    """How a block request ended."""

    result: int
    """Bytes transferred, or a negative errno."""
    data: bytes = b""
    """What was read; empty for other requests."""
