"""Breakpoints and watchpoints of a timeline: adding and removing them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from ..arguments import choice, function
from ..moments.moment import Moment
from .breakpoint import Breakpoint, Condition
from .cursor import TimelineCursor

if TYPE_CHECKING:
    from .._core import Access


class BreakpointControl(TimelineCursor):
    """Where the runs of a timeline stop."""

    def add_breakpoint(self, where: int | str, condition: Condition | None = None) -> Breakpoint:
        """Stops runs before the instruction at an address or symbol.

        Args:
            where: The address, or its name in `symbols`.
            condition: Called with the moment; runs stop only where it returns something true.
        """
        address = self.address(where)
        number = self._core.add_breakpoint(address, self._condition(condition))
        return self._added(number, f"Breakpoint at ${address:04X}")

    def add_watchpoint(
        self,
        where: int | str | range | slice,
        access: Literal["r", "w", "rw", "change"] = "w",
        condition: Condition | None = None,
    ) -> Breakpoint:
        """Stops runs on instructions that read or write an address, a range, or the registers of a device.

        Args:
            where: An address, a range of addresses, a symbol, or the name of a device.
            access: "w" for writes (those of the same value too), "r" for reads, "rw" for both, "change" for writes of
                another value than memory holds (of a device's registers, all writes).
            condition: Called with the moment before the access, which is its `access`; runs stop only where it returns
                something true.
        """
        first, last = self._addresses(where)
        access = choice("access", access, ("r", "w", "rw", "change"))  # type: ignore[assignment]
        number = self._core.add_watchpoint(first, last, access, self._condition(condition))
        return self._added(number, f"Watchpoint ({access}) on ${first:04X}-${last:04X}")

    def _added(self, number: int, description: str) -> Breakpoint:
        point = Breakpoint(self._core, number, description)
        self._points.append(point)
        return point

    def clear_breakpoints(self) -> None:
        """Takes off all breakpoints and watchpoints."""
        for point in self._points:
            point.remove()
        self._points.clear()

    def _condition(self, condition: Condition | None) -> Callable[[tuple[int, int], Access | None], object] | None:
        if condition is None:
            return None
        function("a condition", condition, "a moment")
        core = self._core
        return lambda position, access: condition(Moment(core, position, access))
