"""The guest's address space, as subscripts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, overload

from ..arguments import BytesLike, address_span, bytes_to_fill, require_factory
from ..copying import Part

SIZE = 0x10000


class AddressSpace(Protocol):
    """What has bytes at addresses: a machine's session, or a moment of a timeline."""

    def read_memory(self, start: int, length: int, /) -> bytes:
        """`length` bytes from `start` on."""
        ...

    def write_memory(self, start: int, data: bytes, /) -> None:
        """Writes `data` from `start` on."""
        ...


class Memory(Part):
    """`memory[0x200]` is an int, `memory[0x200:0x210]` is bytes; both can be assigned.

    An address is a whole number, NumPy's and pandas' too. What is assigned is a whole number from 0 to 255, which all
    addresses of a slice get, or so many bytes: of a `bytes` or another buffer of bytes, or a list of such numbers.

    Looking has no side effects: a device register shows what a read would give, and no more happens. Assigning to an
    address writes RAM, and ROM too; a device register cannot be assigned.
    """

    __slots__ = ("_session",)

    _instead = "copy the machine, or take the bytes: memory[:]"

    def __init__(self, session: AddressSpace) -> None:
        require_factory(self, hasattr(type(session), "read_memory"), "machine.memory and timeline.memory are")
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
        start, stop = address_span("the index of a memory", address)
        content = self._session.read_memory(start, stop - start)
        return content if isinstance(address, slice | range) else content[0]

    @overload
    def __setitem__(self, address: int, value: int) -> None: ...
    @overload
    def __setitem__(self, address: slice, value: int | BytesLike | Iterable[int]) -> None: ...
    def __setitem__(self, address: int | slice, value: int | BytesLike | Iterable[int]) -> None:
        start, stop = address_span("the index of a memory", address)
        content = bytes_to_fill("what a memory is given", value, stop - start)
        if content:
            self._session.write_memory(start, content)
