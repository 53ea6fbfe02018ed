"""Bytes, from anything that has a buffer of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from ..errors import ArgumentError
from ..errors.quote import shown
from .numbers import index_of
from .sequences import listed_up_to

BytesLike: TypeAlias = bytes | bytearray | memoryview
"""Anything with a buffer of bytes does: NumPy arrays of `uint8`, `array.array("B")`, memory maps, ..."""

BYTES_MAX = 16 << 20
"""Bytes that one argument may bring, unless the function says otherwise: more is refused before it is copied."""


def bytes_of(name: str, value: object, *, most: int = BYTES_MAX) -> bytes:
    """Bytes, of anything that has a contiguous buffer of them. What is too much is refused before it is copied.

    Raises:
        ArgumentError: It is something else (a number, a text, a list of numbers), or too much.
    """
    view = _buffer(name, value)
    if view is None:
        advice = "; encode the text first" if isinstance(value, str) else ""
        raise ArgumentError(f"{name} is bytes, and {shown(value)} is not{advice}")
    with view:
        if view.nbytes > most:
            raise ArgumentError(f"{name} has {view.nbytes} bytes, and takes up to {most}")
        return value if type(value) is bytes else bytes(view)


def _buffer(name: str, value: object) -> memoryview | None:
    """The buffer of a value; None for one that has none.

    A single number of NumPy's or of `ctypes` has one too, which holds how the number is stored.

    Raises:
        ArgumentError: Its items are not bytes, or lie apart.
    """
    try:
        view = memoryview(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, BufferError):
        # No buffer; or one that was released, or a memory map that was closed.
        return None
    is_scalar = type(value).__module__ == "numpy" and not hasattr(type(value), "__len__")
    if is_scalar or (view.ndim == 0 and not isinstance(value, bytes)):
        return None
    if view.itemsize != 1:
        raise ArgumentError(
            f"{name} is bytes, and {shown(value)} has items of {view.itemsize} bytes: "
            "make them bytes first, such as with .astype('uint8')"
        )
    if not view.c_contiguous:
        raise ArgumentError(f"{name} is bytes in one piece, and {shown(value)} lies apart: take a copy of it")
    return view


def bytes_to_fill(name: str, value: object, length: int) -> bytes:
    """`length` bytes: one number that all of them get, bytes, or so many numbers from 0 to 255.

    Raises:
        ArgumentError: It is something else, or of another length.
    """
    number = index_of(value)
    if number is not None and 0 <= number <= 0xFF:
        return bytes([number]) * length
    if number is None and not isinstance(value, str):
        view = _buffer(name, value)
        if view is not None:
            with view:
                _require_length(name, view.nbytes, length)
                return bytes(view)
        numbers = _numbers(value, length)
        if numbers is not None:
            _require_length(name, len(numbers), length, more=len(numbers) > length)
            return bytes(numbers)
    raise ArgumentError(f"{name} is a byte, 0 to 255, or bytes, or a list of such numbers, and {shown(value)} is not")


def _numbers(value: object, length: int) -> list[int] | None:
    """The numbers of an iterable, one more than wanted at the most; None when it is none, or holds something else."""
    if isinstance(value, Mapping | set | frozenset) or not isinstance(value, Iterable):
        return None
    listed = listed_up_to(value, length + 1)
    if listed is None:
        return None
    numbers = [index_of(item) for item in listed]
    if all(number is not None and 0 <= number <= 0xFF for number in numbers):
        return [number for number in numbers if number is not None]
    return None


def _require_length(name: str, given: int, wanted: int, *, more: bool = False) -> None:
    if given != wanted:
        told = f"more than {wanted}" if more else str(given)
        raise ArgumentError(f"{name} has {told} bytes for {wanted} addresses: the lengths must agree")
