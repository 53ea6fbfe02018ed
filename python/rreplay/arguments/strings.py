"""Texts, and words of a closed set."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar, get_args

from ..enums import Scheduler
from ..errors import ArgumentError
from ..errors.quote import shown
from .sequences import items

E = TypeVar("E", bound=StrEnum)

TEXT_MAX = 1 << 20
"""Characters of a text, unless the function says otherwise."""


def text(name: str, value: object, *, most: int = TEXT_MAX) -> str:
    """A text that can be written down: no half of a surrogate pair is in it.

    Raises:
        ArgumentError: It is something else, or too long.
    """
    if not isinstance(value, str):
        advice = "; decode the bytes first" if isinstance(value, bytes | bytearray) else ""
        raise ArgumentError(f"{name} is a text, and {shown(value)} is not{advice}")
    if len(value) > most:
        raise ArgumentError(f"{name} has {len(value)} characters, and takes up to {most}: {shown(value)}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ArgumentError(
            f"{name} has half of a surrogate pair as character {error.start}, which no file can hold: {shown(value)}"
        ) from None
    return str(value)


def text_or_none(name: str, value: object, *, most: int = TEXT_MAX) -> str | None:
    """A text, or None where the argument may be left out."""
    return None if value is None else text(name, value, most=most)


def choice(name: str, value: object, options: Sequence[str]) -> str:
    """One of a few words.

    Raises:
        ArgumentError: It is none of them.
    """
    if isinstance(value, str) and value in options:
        return str(value)
    *others, last = (repr(option) for option in options)
    known = f"{', '.join(others)} or {last}" if others else last
    raise ArgumentError(f"{name} is {known}, and not {shown(value)}")


def member(kind: type[E], value: object) -> E:
    """A member of an enumeration, by itself or by its value.

    Raises:
        ArgumentError: There is no such member.
    """
    if isinstance(value, str):
        for member in kind:
            if member.value == value:
                return member
    known = ", ".join(repr(member.value) for member in kind)
    raise ArgumentError(f"there is no {kind.__name__} {shown(value)}: use one of {known}")


TEXTS_MAX = 4096
"""Texts that a list of them may have."""


def texts(name: str, value: object) -> list[str]:
    """A list of texts.

    Raises:
        ArgumentError: It is something else, such as one text, or has too many.
    """
    return [text(f"{name}[{place}]", item) for place, item in enumerate(items(name, value, most=TEXTS_MAX, of="texts"))]


def scheduler_of(value: object) -> Scheduler | None:
    """A scheduler by its name, or None for the default.

    Raises:
        ArgumentError: There is no such scheduler.
    """
    if value is None:
        return None
    chosen: Scheduler = choice("scheduler", value, get_args(Scheduler))  # type: ignore[assignment]
    return chosen
