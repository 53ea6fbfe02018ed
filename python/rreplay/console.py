"""The board's main character device, as a person at a terminal sees it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ._arguments import BytesLike, bytes_of, made_elsewhere, real
from ._copying import Part
from ._progress import ProgressLike, hearer_of
from .errors import ArgumentError, ExpectTimeout

if TYPE_CHECKING:
    from .machine import Machine
    from .vocabulary import Scheduler

__all__ = ["Console"]

TAIL_BYTES = 400
"""How much of the console's end an `ExpectTimeout` shows."""

EXPECT_SECONDS = 5.0
"""How long `expect` runs the machine unless told otherwise, in virtual seconds."""

PATTERN_WINDOW = 4096
"""A regular expression sees at most so many of the last bytes printed, so that a long run stays linear."""


SEND_BYTES_MAX = 4 << 20
"""Bytes that one `send` takes: as many as may wait until the guest has read them."""


class Console(Part):
    """Type with `send`, look at `output`, wait with `expect`.

    One place in the output, moved by `read` and `expect`, parts what has been read from what has not.
    """

    __slots__ = ("_cursor", "_machine")

    _instead = "copy the machine, whose console is another one"

    def __init__(self, machine: Machine) -> None:
        made_elsewhere(self, hasattr(type(machine), "_run_until_output"), "machine.console is one")
        self._machine = machine
        self._cursor = 0

    def __repr__(self) -> str:
        return f"<Console: {self._machine._session.output_length()} bytes of output>"

    def send(self, data: BytesLike) -> None:
        """Types `data`: the bytes arrive one after the other at the line's speed, while the machine runs.

        May be called from any thread, at any time. In a recording they are events. At most 4 MiB wait to be read.

        Raises:
            ArgumentError: It is no bytes, or too many.
            StateError: The machine replays a recording, which has its own input.
        """
        content = bytes_of("data", data, most=SEND_BYTES_MAX)
        self._machine._about_to_run()
        self._machine._session.send(content)

    @property
    def output(self) -> bytes:
        """All that the guest has printed since the machine was made."""
        return self._machine._session.output()

    @property
    def pending(self) -> int:
        """How many sent bytes the guest has not read yet."""
        return self._machine._session.input_pending()

    def read(self) -> bytes:
        """What was printed since the last `read` or `expect`."""
        fresh = self._machine._session.output_from(self._cursor)
        self._cursor += len(fresh)
        return fresh

    def expect(
        self,
        pattern: BytesLike | re.Pattern[bytes],
        *,
        seconds: float = EXPECT_SECONDS,
        scheduler: Scheduler | None = None,
        progress: ProgressLike = None,
    ) -> re.Match[bytes]:
        """Runs the machine until the unread output contains `pattern`, and reads up to the pattern's end.

        Args:
            pattern: Literal bytes, at most 4,096, or a compiled regular expression over bytes (which sees the last
                4,096 bytes printed).
            seconds: How long to wait, in virtual seconds.
            scheduler: How to run meanwhile; see `Machine.run`.
            progress: Called with the cycles that have passed and those after which the time is up; True for a bar.

        Returns:
            The match, over the unread output.

        Raises:
            ExpectTimeout: The time was up, or the machine stopped for good; the error shows the output's tail.
        """
        wanted = pattern_of("pattern", pattern)
        expression = compiled(wanted)
        seconds = real("seconds", seconds)
        hearer = hearer_of(progress, "waiting")
        start = self._cursor
        match = expression.search(self._machine._session.output_from(start))
        if match is None:
            stop = self._machine._run_until_output(wanted, start, seconds, scheduler, hearer)
            match = expression.search(self._machine._session.output_from(start))
            if match is None:
                tail = self._machine._session.output()[-TAIL_BYTES:]
                raise ExpectTimeout(expression.pattern, tail, seconds, stop.icount, stop.reason)
        self._cursor = start + match.end()
        return match


def pattern_of(name: str, value: object, *, most: int = PATTERN_WINDOW) -> bytes | re.Pattern[bytes]:
    """What the console may be waited for to print: bytes, or an expression over bytes that was compiled.

    Raises:
        ArgumentError: Anything else, or an empty pattern, which would match before anything is printed.
    """
    if isinstance(value, re.Pattern):
        if not isinstance(value.pattern, bytes):
            raise ArgumentError(
                f"{name}: the console shows bytes; compile the expression from bytes, re.compile(b'...')"
            )
        return value
    try:
        literal = bytes_of(name, value, most=most)
    except ArgumentError as error:
        raise ArgumentError(f"{error} (or a regular expression, re.compile(b'...'))") from None
    if not literal:
        raise ArgumentError(f"{name} is empty, which is there before anything is printed; wait for at least one byte")
    return literal


def compiled(pattern: bytes | re.Pattern[bytes]) -> re.Pattern[bytes]:
    """Literal bytes as an expression that matches just them; a compiled expression as it is."""
    return pattern if isinstance(pattern, re.Pattern) else re.compile(re.escape(pattern))
