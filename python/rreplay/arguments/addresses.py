"""Addresses of the guest, and ranges of them."""

from __future__ import annotations

from ..errors import AddressError
from ..errors.quote import shown
from .numbers import U16, index_of


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
