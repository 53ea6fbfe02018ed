"""The events of a recording as a table."""

from __future__ import annotations

from .. import _core
from ..arguments import require_factory
from ..copying import Handle


class Events(Handle):
    """The events of a recording as a table, for whatever takes Arrow streams: `polars.DataFrame(recording.to_arrow())`.

    A row is an event: its icount, cycles, ordinal and kind, and a column for each attribute that events have, null
    where this one has it not (`samples` are lists; the digests are left out). The file is read anew each time.
    """

    __slots__ = ("_columns",)

    _instead = "make a table of it first, such as polars.DataFrame(events)"

    def __init__(self, columns: _core.EventColumns) -> None:
        require_factory(self, isinstance(columns, _core.EventColumns), "recording.to_arrow() returns one")
        self._columns = columns

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The table as an Arrow C stream."""
        return self._columns.arrow_c_stream()
