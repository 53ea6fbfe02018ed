"""The board's main character device, as a person at a terminal sees it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

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


class Console:
    """Type with `send`, look at `output`, wait with `expect`.

    One place in the output, moved by `read` and `expect`, parts what has been read from what has not.
    """

    __slots__ = ("_cursor", "_machine")

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._cursor = 0

    def __repr__(self) -> str:
        return f"<Console: {self._machine._session.output_length()} bytes of output>"

    def send(self, data: bytes) -> None:
        """Types `data`: the bytes arrive one after the other at the line's speed, while the machine runs.

        May be called from any thread, at any time. In a recording they are events.

        Raises:
            StateError: The machine replays a recording, which has its own input.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise ArgumentError(f"the console takes bytes, not {type(data).__name__}: write b'...' or .encode()")
        self._machine._about_to_run()
        self._machine._session.send(bytes(data))

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
        pattern: bytes | re.Pattern[bytes],
        *,
        seconds: float = EXPECT_SECONDS,
        scheduler: Scheduler | None = None,
    ) -> re.Match[bytes]:
        """Runs the machine until the unread output contains `pattern`, and reads up to the pattern's end.

        Args:
            pattern: Literal bytes, or a compiled regular expression over bytes (which sees the last 4,096 bytes
                printed).
            seconds: How long to wait, in virtual seconds.
            scheduler: How to run meanwhile; see `Machine.run`.

        Returns:
            The match, over the unread output.

        Raises:
            ExpectTimeout: The time was up, or the machine stopped for good; the error shows the output's tail.
        """
        compiled = compile_pattern(pattern)
        start = self._cursor
        match = compiled.search(self._machine._session.output_from(start))
        if match is None:
            stop = self._machine._run_until_output(pattern, start, seconds, scheduler)
            match = compiled.search(self._machine._session.output_from(start))
            if match is None:
                tail = self._machine._session.output()[-TAIL_BYTES:]
                raise ExpectTimeout(compiled.pattern, tail, seconds, stop.icount, stop.reason)
        self._cursor = start + match.end()
        return match


def compile_pattern(pattern: bytes | re.Pattern[bytes]) -> re.Pattern[bytes]:
    """Literal bytes as an expression that matches just them; a compiled expression as it is.

    Raises:
        ArgumentError: Anything else, or an empty pattern, which would match before anything is printed.
    """
    if isinstance(pattern, re.Pattern):
        if not isinstance(pattern.pattern, bytes):
            raise ArgumentError("the console shows bytes: compile the expression from bytes, re.compile(b'...')")
        return pattern
    if not isinstance(pattern, bytes):
        raise ArgumentError(f"wait for bytes or for re.compile(b'...'), not for {type(pattern).__name__}")
    if not pattern:
        raise ArgumentError("an empty pattern is there before anything is printed; wait for at least one byte")
    return re.compile(re.escape(pattern))
