"""Paths of files."""

from __future__ import annotations

import os
from typing import TypeAlias

from ..errors import ArgumentError
from ..errors.quote import shown

PathLike: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]

PATH_BYTES_MAX = 4096
"""No system that this runs on opens a longer path."""


def path(name: str, value: object) -> str:
    """The path of a file: a text, bytes, or anything that `os.fspath` takes.

    Raises:
        ArgumentError: It is something else, empty, too long, or has a NUL or half of a surrogate pair in it.
    """
    try:
        given: object = os.fspath(value)  # type: ignore[call-overload]
    except TypeError:
        given = None
    if not isinstance(given, str | bytes):
        raise ArgumentError(f"{name} is the path of a file, and {shown(value)} is none")
    if len(given) > PATH_BYTES_MAX:
        raise ArgumentError(f"{name} is too long to be a path: {shown(given)}")
    try:
        decoded = os.fsdecode(given)
        encoded = os.fsencode(given)
    except UnicodeError:
        raise ArgumentError(f"{name} has a character in it that no path of this system has: {shown(given)}") from None
    if not encoded:
        raise ArgumentError(f"{name} is the path of a file, and it is empty")
    if b"\0" in encoded:
        raise ArgumentError(f"{name} has a NUL character in it, and no path has one: {shown(given)}")
    if len(encoded) > PATH_BYTES_MAX:
        raise ArgumentError(f"{name} is too long to be a path: {shown(given)}")
    return decoded


def path_or_none(name: str, value: object) -> str | None:
    """A path, or None where the argument may be left out."""
    return None if value is None else path(name, value)
