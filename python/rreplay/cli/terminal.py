"""A person's terminal, or pipes in its place: raw mode that is always undone, output, progress, and plain tables."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TextIO

from ..errors import HostError
from .signals import Signalled, Signals

ESCAPE_KEY = b"\x1d"
"""Ctrl-], which leaves the guest's console."""

WRITE_BYTES_MAX = 4096
"""A pipe that takes anything takes so much without making the writer wait."""


class OutputLost(Exception):
    """Standard output does not take what was written to it; `error` says why."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


class TerminalClosed(Exception):
    """The terminal has gone."""


def is_device(stream: TextIO) -> bool:
    """Whether a stream is a device for characters: a terminal is, also when it has gone and is no terminal any more."""
    try:
        return stat.S_ISCHR(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False


def is_hangup(stream: TextIO, error: OSError) -> bool:
    """Whether an error comes of a terminal that has gone."""
    return error.errno == errno.EIO and is_device(stream)


class TerminalBar:
    """A bar on standard error, on a terminal only; nothing at all elsewhere."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._visible = sys.stderr.isatty()
        self._drawn_at = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Draws `done` of `total`, at most twenty times a second."""
        now = time.monotonic()
        if not self._visible or now - self._drawn_at < 0.05:
            return
        self._drawn_at = now
        share = min(done / total, 1.0) if total else 1.0
        filled = int(share * 30)
        self._draw(f"\r{self._title} [{'#' * filled}{'.' * (30 - filled)}] {share:4.0%}")

    def __enter__(self) -> TerminalBar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._visible and self._drawn_at:
            self._draw("\r\x1b[K")

    def _draw(self, text: str) -> None:
        # A bar that cannot be drawn is no reason to end the work that it shows.
        with contextlib.suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()


class StandardInput:
    """Standard input without waiting: raw bytes from a terminal, or what a pipe holds."""

    def __init__(self) -> None:
        self.ended = False
        """Whether a pipe is at its end."""
        try:
            self._descriptor = sys.stdin.fileno()
        except (OSError, ValueError):
            # No file of the system's, as in a notebook: nothing will come.
            self._descriptor = -1
            self.ended = True
        self.interactive = not self.ended and os.isatty(self._descriptor)

    def read(self, seconds: float) -> bytes:
        """What arrives within `seconds`; empty when nothing did. Sets `ended` at the end of a pipe.

        Raises:
            TerminalClosed: It was a terminal, which has gone.
            HostError: It cannot be read.
        """
        if self.ended:
            return b""
        try:
            ready, _, _ = select.select([self._descriptor], [], [], seconds)
            if not ready:
                return b""
            data = os.read(self._descriptor, 4096)
        except BlockingIOError:
            return b""
        except OSError as error:
            if is_hangup(sys.stdin, error):
                raise TerminalClosed from None
            raise HostError(f"cannot read standard input: {error.strerror}") from None
        self.ended = not data
        if self.ended and self.interactive:
            # No key of a raw terminal means its end.
            raise TerminalClosed
        return data

    def require_terminal(self) -> None:
        """Looks whether the terminal is there, if it is or was one, without reading from it.

        Raises:
            TerminalClosed: It has gone.
        """
        if is_device(sys.stdin):
            poll = select.poll()
            poll.register(self._descriptor, 0)
            if any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0)):
                raise TerminalClosed

    @contextlib.contextmanager
    def raw(self) -> Iterator[None]:
        """Every key to the guest at once; the terminal is as before on every way out.

        What is printed goes through the terminal as before: a guest that ends its lines with LF alone is readable, and
        one that ends them with CR and LF is so still.
        """
        import termios
        import tty

        before = termios.tcgetattr(self._descriptor)
        try:
            tty.setraw(self._descriptor, termios.TCSADRAIN)
            now = termios.tcgetattr(self._descriptor)
            now[tty.OFLAG] = before[tty.OFLAG]
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, now)
            yield
        finally:
            # A terminal that has gone needs nothing put back.
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._descriptor, termios.TCSANOW, before)


class StandardOutput:
    """The guest's output to standard output, byte for byte; a reader that stalls keeps no signal from being heard."""

    def __init__(self, signals: Signals) -> None:
        self._signals = signals

    def write(self, data: bytes) -> None:
        """Writes all of it or, once a signal has come, what is taken without waiting.

        Raises:
            OutputLost: Nobody reads it any more, or it cannot be kept.
            TerminalClosed: It was a terminal, which has gone.
        """
        if not data:
            return
        try:
            sys.stdout.flush()
            self._write(data)
        except OSError as error:
            if is_hangup(sys.stdout, error):
                raise TerminalClosed from None
            raise OutputLost(error) from None

    def _write(self, data: bytes) -> None:
        try:
            descriptor = sys.stdout.fileno()
        except (OSError, ValueError):
            # No file of the system's, as in a notebook or under a test's capture.
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            return
        left = memoryview(data)
        while left:
            try:
                with self._signals.breakable():
                    patience = None if self._signals.received is None else 0.0
                    if not select.select([], [descriptor], [], patience)[1]:
                        return
                    written = os.write(descriptor, left[:WRITE_BYTES_MAX])
            except BlockingIOError:
                continue
            except Signalled:
                if self._signals.received is None:
                    # Nothing is recorded: the command ends here.
                    raise
                continue
            left = left[written:]


def table(rows: Sequence[tuple[str, str]], indent: str = "  ") -> str:
    """Two columns, the first padded."""
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{indent}{name:<{width}}  {value}" for name, value in rows)


def bold(text: str) -> str:
    """`text`, bold on a terminal that may be told so."""
    coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return f"\x1b[1m{text}\x1b[0m" if coloured else text


def count(number: float) -> str:
    """1234567 as 1,234,567."""
    return f"{number:,.0f}"
