"""Questions that a timeline answers about its recording."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from ..arguments import choice, function
from ..moments.moment import Moment
from ..moments.positions import Where
from ..progress import ProgressLike
from .cursor import TimelineCursor
from .origin import Origin, from_rows
from .tables import Accesses, Profile

if TYPE_CHECKING:
    from .._core import Access


class TimelineQueries(TimelineCursor):
    """Questions about the recorded run. None of them moves the timeline."""

    def last_write(
        self, addr: int | str, before: Where | None = None, *, progress: ProgressLike = None
    ) -> Access | None:
        """The last write to an address before here (or before another position).

        Writes of the same value count, and so do writes of devices and those on the way into an interrupt handler; `by`
        says whose it was. None when there was none in the recording.
        """
        address, position = self.address(addr), self._position_or_here("before", before)
        return self._core.last_write(address, position, self._callback_for(progress, "searching"))

    def origin(self, addr: int | str, before: Where | None = None, *, progress: ProgressLike = None) -> Origin:
        """Where the byte at an address comes from, as it stands here (or at another position): a small graph.

        The walk goes back from the last write through loads, arithmetic, transfers and the stack, to constants, bytes
        of ROM, input, and what the recording found. It follows values, not flags or decisions: a carry that was added,
        and a branch that was taken, are not in it.
        """
        address, position = self.address(addr), self._position_or_here("before", before)
        return from_rows(self._core.origin(address, position, self._callback_for(progress, "searching")))

    def accesses(
        self,
        where: int | str | range | slice,
        access: Literal["r", "w", "rw"] = "w",
        start: Where | None = None,
        stop: Where | None = None,
        *,
        progress: ProgressLike = None,
    ) -> Accesses:
        """All accesses to an address, a range or a device with `start <= icount < stop`, as a table."""
        first, last = self._addresses(where)
        kinds = choice("access", access, ("r", "w", "rw"))
        since, until = self._bounds(start, stop)
        callback = self._callback_for(progress, "searching")
        return Accesses(self._core.accesses(first, last, "r" in kinds, "w" in kinds, since, until, callback))

    def _bounds(self, start: object, stop: object) -> tuple[int | None, int | None]:
        since = None if start is None else self._icount("start", start)
        return since, None if stop is None else self._icount("stop", stop)

    def history(
        self,
        addr: int | str,
        start: Where | None = None,
        stop: Where | None = None,
        *,
        progress: ProgressLike = None,
    ) -> list[tuple[int, int]]:
        """The values that a byte of RAM has had, each with the icount of the write: [(icount, value), ...]."""
        values: list[tuple[int, int]] = []
        for row in self.accesses(self.address(addr), "w", start, stop, progress=progress):
            if not values or values[-1][1] != row.new:
                values.append((row.icount, row.new))
        return values

    def profile(
        self, start: Where | None = None, stop: Where | None = None, *, progress: ProgressLike = None
    ) -> Profile:
        """How often each instruction with `start <= icount < stop` was executed, and how long it took."""
        since, until = self._bounds(start, stop)
        executions, cycles = self._core.profile(since, until, self._callback_for(progress, "counting"))
        end = self.end_icount if until is None else min(until, self.end_icount)
        counts = memoryview(executions).cast("Q")
        executed = [address for address, count in enumerate(counts) if count]
        called = self.at(end)._call_targets(executed)
        return Profile(counts, memoryview(cycles).cast("Q"), frozenset(called), self.symbols)

    def first(self, predicate: Callable[[Moment], object], *, progress: ProgressLike = None) -> Moment | None:
        """The earliest moment of the recording at which `predicate(moment)` is true; None when there is none.

        The predicate is called for every position, from the start on: narrow a long recording with a breakpoint or
        watchpoint first.
        """
        function("the predicate", predicate, "a moment")
        core = self._core
        position = core.first(
            lambda position: predicate(Moment(core, position)), self._callback_for(progress, "searching")
        )
        return None if position is None else Moment(core, position)
