"""The guest's address space, as subscripts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, overload

from .errors import AddressError, ArgumentError

__all__ = ["Memory"]

SIZE = 0x10000


class AddressSpace(Protocol):
    """What has bytes at addresses."""

    def read_memory(self, start: int, length: int, /) -> bytes: ...
    def write_memory(self, start: int, data: bytes, /) -> None: ...


class Memory:
    """`memory[0x200]` is an int, `memory[0x200:0x210]` is bytes; both can be assigned.

    Looking has no side effects: a device register shows what a read would give, and no more happens. Assigning to an
    address writes RAM, and ROM too; a device register cannot be assigned.
    """

    __slots__ = ("_session",)

    def __init__(self, session: AddressSpace) -> None:
        self._session = session

    def __len__(self) -> int:
        return SIZE

    def __repr__(self) -> str:
        return "<Memory: 65536 bytes>"

    @overload
    def __getitem__(self, address: int) -> int: ...
    @overload
    def __getitem__(self, address: slice) -> bytes: ...
    def __getitem__(self, address: int | slice) -> int | bytes:
        start, stop = _bounds(address)
        content = self._session.read_memory(start, stop - start)
        return content if isinstance(address, slice) else content[0]

    @overload
    def __setitem__(self, address: int, value: int) -> None: ...
    @overload
    def __setitem__(self, address: slice, value: int | bytes | bytearray | Iterable[int]) -> None: ...
    def __setitem__(self, address: int | slice, value: int | bytes | bytearray | Iterable[int]) -> None:
        start, stop = _bounds(address)
        length = stop - start
        try:
            content = bytes([value]) * length if isinstance(value, int) else bytes(value)
        except (ValueError, TypeError):
            raise ArgumentError(
                f"memory holds bytes: {value!r} is not one of 0..255, bytes, or a list of such numbers"
            ) from None
        if len(content) != length:
            raise ArgumentError(
                f"{len(content)} bytes do not fit {length} addresses from {start:#06x}: the lengths must agree"
            )
        self._session.write_memory(start, content)


def _bounds(address: object) -> tuple[int, int]:
    if isinstance(address, slice):
        if address.step not in (None, 1):
            raise AddressError("memory is read and written in whole ranges: a slice has no step")
        start = 0 if address.start is None else address.start
        stop = SIZE if address.stop is None else address.stop
        if not (isinstance(start, int) and isinstance(stop, int) and 0 <= start <= stop <= SIZE):
            raise AddressError(f"[{start!r}:{stop!r}] is no range of addresses: they are 0..0xFFFF, in order")
        return start, stop
    if isinstance(address, bool) or not isinstance(address, int) or not 0 <= address < SIZE:
        shown = hex(address) if isinstance(address, int) else repr(address)
        raise AddressError(f"{shown} is no address: they are 0..0xFFFF")
    return address, address + 1
