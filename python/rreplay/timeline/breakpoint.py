"""Breakpoints and watchpoints of a timeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from .. import _core
from ..arguments import require_factory
from ..copying import Part
from ..moments.moment import Moment

Condition: TypeAlias = "Callable[[Moment], object]"
"""Called at each position where a run might stop; the run stops where it returns something true."""


class Breakpoint(Part):
    """A breakpoint or watchpoint of a timeline; `remove()` takes it off."""

    __slots__ = ("_core", "_description", "_number")

    _instead = "add it again, to the timeline that is meant"

    def __init__(self, core: _core.TimelineCore, number: int, description: str) -> None:
        require_factory(self, isinstance(core, _core.TimelineCore), "timeline.add_breakpoint(address) returns one")
        self._core = core
        self._number = number
        self._description = description

    @property
    def number(self) -> int:
        """Its number, which a `Stop` that it caused has as its `point`."""
        return self._number

    @property
    def description(self) -> str:
        """Where it stops."""
        return self._description

    def __repr__(self) -> str:
        return f"<{self.description}>"

    def remove(self) -> None:
        """Takes it off; a second time does nothing."""
        self._core.remove_point(self.number)
