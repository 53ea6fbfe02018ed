"""Tables that a timeline answers questions with: accesses, and where the time went."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from .. import _core
from ..arguments import index_of, require_factory
from ..copying import Handle
from ..errors import ArgumentError, NotThere
from ..errors.quote import shown

if TYPE_CHECKING:
    import numpy as np

    from .._core import Access


class NoSuchRow(ArgumentError, IndexError):
    """A table has no row of that number."""


class Accesses(Handle):
    """A table of accesses, in the order in which they were made.

    A row is an `Access`; a column is an attribute and a subscript (`table.icount`, `table["pc"]`), a NumPy array in
    which -1 stands for None. Whatever takes Arrow streams takes the whole: `polars.DataFrame(table)`.
    """

    COLUMNS = ("icount", "cycles", "pc", "address", "old", "new", "kind", "by")
    """The columns, in order."""

    __slots__ = ("_rows",)

    _instead = "pickle its rows, list(accesses), or a table made of it, such as polars.DataFrame(accesses)"

    def __init__(self, rows: _core.AccessColumns) -> None:
        require_factory(self, isinstance(rows, _core.AccessColumns), "timeline.accesses(address) returns one")
        self._rows = rows

    def __repr__(self) -> str:
        return f"<Accesses: {len(self)} rows>"

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Access]:
        return (self._rows.row(index) for index in range(len(self)))

    @overload
    def __getitem__(self, key: int) -> Access: ...
    @overload
    def __getitem__(self, key: slice) -> list[Access]: ...
    @overload
    def __getitem__(self, key: str) -> np.ndarray[Any, Any]: ...
    def __getitem__(self, key: int | slice | str) -> Access | list[Access] | np.ndarray[Any, Any]:
        if isinstance(key, str):
            return self._column(key)
        if isinstance(key, slice):
            return [self._rows.row(index) for index in range(*_indices(key, len(self)))]
        number = index_of(key)
        if number is None:
            raise ArgumentError(f"a table is asked for a row, rows or a column, and {shown(key)} is none of them")
        index = number + len(self) if number < 0 else number
        if not 0 <= index < len(self):
            raise NoSuchRow(f"there is no row {shown(key)}: the table has {len(self)}")
        return self._rows.row(index)

    def __getattr__(self, name: str) -> Any:
        if name in Accesses.COLUMNS:
            return self._column(name)
        raise AttributeError(f"a table of accesses has no {name!r}; it has {', '.join(Accesses.COLUMNS)}", name=name)

    def _column(self, name: str) -> np.ndarray[Any, Any]:
        if name not in Accesses.COLUMNS:
            raise ArgumentError(f"there is no column {shown(name)}: there are {', '.join(Accesses.COLUMNS)}")
        try:
            import numpy as np  # only who asks for columns needs it
        except ImportError:
            raise NotThere(
                "columns are NumPy arrays, and NumPy is not installed: go through the rows, or use Arrow"
            ) from None
        numbers = self._rows.numbers(name)
        if numbers is not None:
            return np.frombuffer(numbers, dtype=np.int64)
        return np.array(self._rows.texts(name), dtype=str)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The table as an Arrow C stream; the columns have the types that fit, and pc and old may be null."""
        return self._rows.arrow_c_stream()


@dataclass(frozen=True)
class Routine:
    """A part of the program, from an address up to the next one that is called or has a name."""

    address: int
    """Where it begins."""
    name: str
    """Its symbol, or its address in hex."""
    instructions: int
    """Instructions executed in it."""
    cycles: int
    """Clock cycles spent in it."""


class Profile(Handle):
    """How often the instruction at each address was executed, and the clock cycles that it took.

    What passes until the next instruction begins counts for the one before: interrupt sequences, and the time for which
    a WAI waits.
    """

    __slots__ = ("_called", "_cycles", "_executions", "_symbols")

    def __init__(
        self, executions: memoryview[int], cycles: memoryview[int], called: frozenset[int], symbols: dict[str, int]
    ) -> None:
        require_factory(self, _is_counts(executions) and _is_counts(cycles), "timeline.profile() returns one")
        self._executions = executions
        self._cycles = cycles
        self._called = called
        self._symbols = symbols

    @property
    def executions(self) -> memoryview[int]:
        """By address, 65,536 whole numbers: how often the instruction there was begun."""
        return memoryview(self._executions)

    @property
    def cycles(self) -> memoryview[int]:
        """By address, 65,536 whole numbers: clock cycles spent there."""
        return memoryview(self._cycles)

    def __repr__(self) -> str:
        return f"<Profile: {sum(self.executions)} instructions at {len(self.coverage)} addresses>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Profile):
            return NotImplemented
        ours, theirs = ((p._executions, p._cycles, p._called, p._symbols) for p in (self, other))
        return ours == theirs

    def __hash__(self) -> int:
        return hash((self._executions.tobytes(), self._cycles.tobytes()))

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _profile, (self.executions.tobytes(), self.cycles.tobytes(), self._called, self._symbols)

    @property
    def coverage(self) -> dict[int, int]:
        """The addresses of the instructions that were executed, with how often."""
        return {address: count for address, count in enumerate(self.executions) if count}

    @property
    def routines(self) -> list[Routine]:
        """Where the time went, the most first.

        A routine reaches from an address that has a symbol, or to which an executed call leads, up to the next one.
        """
        executed = self.coverage
        names = {address: name for name, address in sorted(self._symbols.items(), reverse=True)}
        starts = self._called | set(names)
        starts |= {min(executed, default=0)}
        totals: dict[int, list[int]] = {}
        order = sorted(starts)
        for address, count in executed.items():
            index = bisect.bisect_right(order, address) - 1
            total = totals.setdefault(order[max(index, 0)], [0, 0])
            total[0] += count
            total[1] += self.cycles[address]
        routines = (
            Routine(start, names.get(start, f"${start:04X}"), instructions, cycles)
            for start, (instructions, cycles) in totals.items()
        )
        return sorted(routines, key=lambda routine: (-routine.cycles, routine.address))


def _is_counts(view: object) -> bool:
    try:
        return isinstance(view, memoryview) and view.format == "Q" and len(view) == 0x10000
    except ValueError:
        # A view that was released.
        return False


def _profile(executions: bytes, cycles: bytes, called: frozenset[int], symbols: dict[str, int]) -> Profile:
    return Profile(memoryview(executions).cast("Q"), memoryview(cycles).cast("Q"), called, symbols)


def _indices(key: slice, length: int) -> tuple[int, int, int]:
    """What a slice means for so many rows."""
    try:
        return key.indices(length)
    except (TypeError, ValueError):
        raise ArgumentError(f"{shown(key)} is no slice of a table: its ends are whole numbers") from None
