"""Numbers, and True and False."""

from __future__ import annotations

import operator

from ..errors import ArgumentError
from ..errors.quote import shown

U16 = (1 << 16) - 1
U32 = (1 << 32) - 1
U64 = (1 << 64) - 1
I32 = (1 << 31) - 1
I64 = (1 << 63) - 1


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
