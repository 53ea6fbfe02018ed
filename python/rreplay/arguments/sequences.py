"""Lists and pairs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from ..errors import ArgumentError
from ..errors.quote import shown


def items(name: str, value: object, *, most: int, of: str) -> list[Any]:
    """The items of any iterable but a text or bytes, up to a number of them.

    Raises:
        ArgumentError: It is something else, or has more.
    """
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, Iterable):
        told = (
            f", such as [{shown(value)}], and not one text"
            if isinstance(value, str)
            else f", and {shown(value)} is not"
        )
        raise ArgumentError(f"{name} is a list of {of}{told}")
    listed = listed_up_to(value, most + 1)
    if listed is None:
        raise ArgumentError(f"{name} is a list of {of}, and {shown(value)} is not")
    if len(listed) > most:
        raise ArgumentError(f"{name} is a list of up to {most} {of}, and this one is longer")
    return listed


def listed_up_to(value: Iterable[Any], most: int) -> list[Any] | None:
    """The first items; None for what cannot be iterated after all: an array without dimensions, a released buffer."""
    try:
        return list(islice(value, most))
    except (TypeError, ValueError, SystemError):
        return None


def pair(name: str, value: object, of: str) -> tuple[Any, Any]:
    """The two items of a sequence of two.

    Raises:
        ArgumentError: It is something else.
    """
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        both = listed_up_to(value, 3)
        if both is not None and len(both) == 2:
            return both[0], both[1]
    raise ArgumentError(f"{name} is a pair of {of}, and {shown(value)} is not")


def length_of(name: str, value: object, *, most: int) -> int:
    """How many items a sequence has, without a look at them.

    Raises:
        ArgumentError: It has no length, or more than that.
    """
    try:
        length = len(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise ArgumentError(f"{name} is a sequence of up to {most} items, and {shown(value)} is not") from None
    if length > most:
        raise ArgumentError(f"{name} has {length} items, and takes up to {most}")
    return length
