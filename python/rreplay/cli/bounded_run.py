"""A run with limits, over as many calls of `Machine.run` as it takes, and how it ended."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..errors import FaultError

if TYPE_CHECKING:
    from .._core import Stop
    from ..machine.machine import Machine

GOES_ON = ("budget", "idle", "breakpoint", "interrupted")
"""Reasons for which a part of a run ends, and not the run: parts have ends of their own."""


@dataclass(frozen=True)
class Limits:
    """What ends a run; None for a limit that was not given."""

    seconds: float | None = None
    """Virtual seconds."""
    instructions: int | None = None
    until: bytes | None = None
    """What the console is to print."""
    quiet: float | None = None
    """Virtual seconds, for a guest that waits when its input has ended."""

    @property
    def are_given(self) -> bool:
        """Whether there is a limit that ends the run even while input comes."""
        return self.seconds is not None or self.instructions is not None or self.until is not None


@dataclass(frozen=True)
class Ending:
    """Why a run ended."""

    why: Literal["until", "limit", "guest", "quiet", "left", "signal", "hangup"]
    """The console has printed what was waited for; a limit of time or instructions; the guest's own end; it was quiet
    after its input's end; the person left; a signal; the terminal has gone."""
    stop: Stop | None = None
    """For a guest's own end: what the machine says of it."""
    fault: FaultError | None = None
    """For a guest that did what its board forbids: what that was."""


class BoundedRun:
    """A run within its limits, counted from where the machine stands now."""

    def __init__(self, machine: Machine, limits: Limits) -> None:
        self._machine = machine
        self._until = limits.until
        self._first_output = machine._session.output_length()
        self._end_cycles: int | None = None
        if limits.seconds is not None:
            self._end_cycles = machine.cycles + round(limits.seconds * machine.board.clock_hz)
        self._end_icount = None if limits.instructions is None else machine.icount + limits.instructions

    def run(self, *, seconds: float | None = None, instructions: int | None = None, **how: Any) -> Ending | None:
        """Runs for at most `seconds` or `instructions`, within the limits; returns None if the run can go on.

        Args:
            seconds: Virtual seconds.
            instructions: How many.
            **how: What else `Machine.run` takes.
        """
        cycles = None if seconds is None else max(round(seconds * self._machine.board.clock_hz), 1)
        try:
            stop = self._machine.run(
                instructions=_least(instructions, self._left(self._end_icount, self._machine.icount)),
                cycles=_least(cycles, self._left(self._end_cycles, self._machine.cycles)),
                output=self._wanted(),
                **how,
            )
        except FaultError as fault:
            return Ending("guest", fault=fault)
        if stop.reason == "output":
            return Ending("until", stop)
        if stop.reason not in GOES_ON:
            return Ending("guest", stop)
        at_cycles = self._end_cycles is not None and self._machine.cycles >= self._end_cycles
        at_icount = self._end_icount is not None and self._machine.icount >= self._end_icount
        return Ending("limit", stop) if at_cycles or at_icount else None

    @staticmethod
    def _left(end: int | None, here: int) -> int | None:
        return None if end is None else max(end - here, 0)

    def _wanted(self) -> bytes | re.Pattern[bytes] | None:
        """What ends this part of the run when the console prints it: `until`, or what is still missing of it."""
        if self._until is None:
            return None
        session = self._machine._session
        longest = len(self._until) - 1
        printed = session.output_from(max(self._first_output, session.output_length() - longest))
        begun = [length for length in range(1, longest + 1) if printed.endswith(self._until[:length])]
        if not begun:
            return self._until
        rests = b"|".join(re.escape(self._until[length:]) for length in begun)
        return re.compile(rb"\A(?:" + rests + rb")\Z|" + re.escape(self._until))


def _least(one: int | None, other: int | None) -> int | None:
    return min((value for value in (one, other) if value is not None), default=None)
