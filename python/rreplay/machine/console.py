"""The board's main character device, as a person at a terminal sees it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from ..arguments import BytesLike, bytes_of, real, require_factory
from ..copying import Part
from ..errors import ExpectTimeout
from ..progress import ProgressCallback, ProgressLike, progress_callback
from .output_pattern import compiled, pattern_of

if TYPE_CHECKING:
    from .._core import Session, Stop
    from ..enums import Scheduler

TAIL_BYTES = 400
"""How much of the console's end an `ExpectTimeout` shows."""

EXPECT_SECONDS = 5.0
"""How long `expect` runs the machine unless told otherwise, in virtual seconds."""

SEND_BYTES_MAX = 4 << 20
"""Bytes that one `send` takes: as many as may wait until the guest has read them."""


class Runnable(Protocol):
    """What a console needs of its machine, which has a console and so imports this module."""

    _session: Session

    def _about_to_run(self) -> None: ...

    def _run_until_output(
        self,
        pattern: bytes | re.Pattern[bytes],
        start: int,
        seconds: float,
        scheduler: Scheduler | None,
        callback: ProgressCallback | None,
    ) -> Stop: ...


class Console(Part):
    """Type with `send`, look at `output`, wait with `expect`.

    `read` and `expect` share one position in the output: what is before it has been read.
    """

    __slots__ = ("_cursor", "_machine")

    _instead = "copy the machine, whose console is another one"

    def __init__(self, machine: Runnable) -> None:
        require_factory(self, hasattr(type(machine), "_run_until_output"), "machine.console is one")
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
        callback = progress_callback(progress, "waiting")
        start = self._cursor
        match = expression.search(self._machine._session.output_from(start))
        if match is None:
            stop = self._machine._run_until_output(wanted, start, seconds, scheduler, callback)
            match = expression.search(self._machine._session.output_from(start))
            if match is None:
                tail = self._machine._session.output()[-TAIL_BYTES:]
                raise ExpectTimeout(expression.pattern, tail, seconds, stop.icount, stop.reason)
        self._cursor = start + match.end()
        return match
