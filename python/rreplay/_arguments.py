"""One conversion for each kind of argument. Every public function takes what it is given through here.

Each conversion is told the argument's name, which its message begins with, and returns what the engine takes. A
value is quoted by its beginning: an argument of any size makes a short message.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import islice
from typing import Any, NoReturn, TypeAlias, TypeVar

from ._shown import shown
from .errors import AddressError, ArgumentError

BytesLike: TypeAlias = bytes | bytearray | memoryview
"""Anything with a buffer of bytes does: NumPy arrays of `uint8`, `array.array("B")`, memory maps, ..."""

PathLike: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]

E = TypeVar("E", bound=StrEnum)
F = TypeVar("F", bound=Callable[..., object])

U16 = (1 << 16) - 1
U32 = (1 << 32) - 1
U64 = (1 << 64) - 1
I32 = (1 << 31) - 1
I64 = (1 << 63) - 1

PATH_BYTES_MAX = 4096
"""No system that this runs on opens a longer path."""

TEXT_MAX = 1 << 20
"""Characters of a text, unless the function says otherwise."""

BYTES_MAX = 16 << 20
"""Bytes that one argument may bring, unless the function says otherwise: more is refused before it is copied."""


# ---- whole numbers ----


def whole(name: str, value: object, *, least: int = 0, most: int = U64) -> int:
    """A whole number: whatever `operator.index` takes, as NumPy's and pandas' integers. True and False are none.

    Raises:
        ArgumentError: It is something else, or out of range.
    """
    number = index_of(value)
    if number is None or not least <= number <= most:
        is_too_large = number is not None and number > most
        end = "on" if most == U64 and not is_too_large else f"to {most}"
        raise ArgumentError(f"{name} is a whole number from {least} {end}, and {shown(value)} is not")
    return number


def whole_or_none(name: str, value: object, *, least: int = 0, most: int = U64) -> int | None:
    """A whole number, or None where the argument may be left out."""
    return None if value is None else whole(name, value, least=least, most=most)


def index_of(value: object) -> int | None:
    """The number that a value is; None for one that is no whole number."""
    if isinstance(value, bool):
        return None
    try:
        # An int of a subclass is taken for what it holds, whatever it prints as.
        return int(operator.index(value))  # type: ignore[arg-type]
    except TypeError:
        return None


def real(name: str, value: object, *, least: float = 0.0, infinite: bool = False) -> float:
    """A number of any kind: int, float, or what turns into one; finite, unless `infinite` allows what is not.

    Raises:
        ArgumentError: It is something else, infinite, not a number, or too small.
    """
    number = None
    if _is_real(value):
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            number = None
    if number is None or not least <= number or (number == float("inf") and not infinite):
        raise ArgumentError(f"{name} is a number from {least:g} on, and {shown(value)} is not")
    return number


REAL_KINDS = "iuf"
"""What NumPy calls the numbers with a sign, without one, and with a point. Its texts, flags, times and complex numbers
turn into floats too, and mean something else."""


def _is_real(value: object) -> bool:
    if isinstance(value, bool | complex):
        return False
    kind = getattr(getattr(value, "dtype", None), "kind", REAL_KINDS)
    turns_into_one = hasattr(type(value), "__float__") or hasattr(type(value), "__index__")
    return turns_into_one and isinstance(kind, str) and kind in REAL_KINDS


def flag(name: str, value: object) -> bool:
    """True or False, NumPy's too. A text or a number is neither: "no" would be true.

    Raises:
        ArgumentError: It is something else.
    """
    if isinstance(value, bool):
        return value
    if type(value).__module__ == "numpy" and type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    raise ArgumentError(f"{name} is True or False, and {shown(value)} is not")


# ---- addresses ----


def address(name: str, value: object) -> int:
    """An address, 0 to 0xFFFF.

    Raises:
        AddressError: It is something else.
    """
    number = index_of(value)
    if number is None or not 0 <= number <= U16:
        told = hex(number) if number is not None and abs(number) < 1 << 64 else shown(value)
        raise AddressError(f"{name} is an address, a whole number from 0 to 0xFFFF, and {told} is not")
    return number


def address_span(name: str, value: object) -> tuple[int, int]:
    """The first address, and the one after the last, of an address or a range of them (which has no step).

    Raises:
        AddressError: It is something else, out of range, or backwards.
    """
    if not isinstance(value, range | slice):
        first = address(name, value)
        return first, first + 1
    start = 0 if value.start is None else index_of(value.start)
    stop = U16 + 1 if value.stop is None else index_of(value.stop)
    if value.step is not None and index_of(value.step) != 1:
        raise AddressError(f"{name}: {shown(value)} is no address or range of addresses, for it has a step")
    if start is None or stop is None or not 0 <= start <= stop <= U16 + 1:
        raise AddressError(f"{name}: {shown(value)} is no address or range of addresses, which are 0 to 0xFFFF")
    return start, stop


def address_range(name: str, value: object) -> tuple[int, int]:
    """The first and the last address of an address, a range, or a slice: at least one.

    Raises:
        AddressError: It is something else, out of range, or empty.
    """
    first, stop = address_span(name, value)
    if first == stop:
        raise AddressError(f"{name}: {shown(value)} is no address or range of addresses, for it is empty")
    return first, stop - 1


# ---- bytes ----


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
    listed = _listed(value, length + 1)
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


# ---- text ----


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
    """A member of a vocabulary, by itself or by its name.

    Raises:
        ArgumentError: There is no such member.
    """
    if isinstance(value, str):
        for member in kind:
            if member.value == value:
                return member
    known = ", ".join(repr(member.value) for member in kind)
    raise ArgumentError(f"there is no {kind.__name__} {shown(value)}: use one of {known}")


# ---- paths ----


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


# ---- several, functions, things of ours ----


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
    listed = _listed(value, most + 1)
    if listed is None:
        raise ArgumentError(f"{name} is a list of {of}, and {shown(value)} is not")
    if len(listed) > most:
        raise ArgumentError(f"{name} is a list of up to {most} {of}, and this one is longer")
    return listed


def _listed(value: Iterable[Any], most: int) -> list[Any] | None:
    """The first items; None for what only looks as if it had some: an array without a dimension, a released buffer."""
    try:
        return list(islice(value, most))
    except (TypeError, ValueError, SystemError):
        return None


TEXTS_MAX = 4096
"""Texts that a list of them may have."""


def texts(name: str, value: object) -> list[str]:
    """A list of texts.

    Raises:
        ArgumentError: It is something else, such as one text, or has too many.
    """
    return [text(f"{name}[{place}]", item) for place, item in enumerate(items(name, value, most=TEXTS_MAX, of="texts"))]


def pair(name: str, value: object, of: str) -> tuple[Any, Any]:
    """A pair.

    Raises:
        ArgumentError: It is something else.
    """
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        both = _listed(value, 3)
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


def function(name: str, value: F, takes: str) -> F:
    """Something that can be called.

    Raises:
        ArgumentError: It cannot.
    """
    if callable(value):
        return value
    raise ArgumentError(f"{name} is a function that takes {takes}, and {shown(value)} cannot be called")


def instance(name: str, value: object, kind: type, what: str) -> Any:
    """A thing of ours.

    Raises:
        ArgumentError: It is something else.
    """
    if isinstance(value, kind):
        return value
    raise ArgumentError(f"{name} is {what}, and {shown(value)} is none")


def made_elsewhere(made: object, is_part: bool, where: str) -> None:
    """For classes whose objects are parts of something else, and are not made by hand.

    Raises:
        ArgumentError: Somebody tries.
    """
    if not is_part:
        raise ArgumentError(f"no {type(made).__name__} is made by itself: {where}")


def unknown(name: str, value: object) -> NoReturn:
    """For the end of a chain of questions: it was nothing of what is taken."""
    raise ArgumentError(f"{name}, and {shown(value)} is not")
