"""A person's terminal: raw mode that is always undone, progress, and plain tables."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from types import FrameType

ESCAPE_KEY = b"\x1d"
"""Ctrl-], which leaves the guest's console."""


class Progress:
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
        sys.stderr.write(f"\r{self._title} [{'#' * filled}{'.' * (30 - filled)}] {share:4.0%}")
        sys.stderr.flush()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._visible and self._drawn_at:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


class Keyboard:
    """Standard input without waiting: raw bytes from a terminal, or what a pipe holds."""

    def __init__(self) -> None:
        self._descriptor = sys.stdin.fileno()
        self.interactive = os.isatty(self._descriptor)
        self.ended = False

    def read(self, seconds: float) -> bytes:
        """What arrives within `seconds`; empty when nothing did. Sets `ended` at the end of a pipe."""
        if self.ended:
            time.sleep(seconds)
            return b""
        ready, _, _ = select.select([self._descriptor], [], [], seconds)
        if not ready:
            return b""
        data = os.read(self._descriptor, 4096)
        self.ended = not data
        return data

    @contextlib.contextmanager
    def raw(self) -> Iterator[None]:
        """Every key to the guest at once; the terminal is as before on every way out, signals included."""
        if not self.interactive:
            yield
            return
        import termios
        import tty

        before = termios.tcgetattr(self._descriptor)
        with _signals_raise(signal.SIGTERM, signal.SIGHUP):
            try:
                tty.setraw(self._descriptor)
                yield
            finally:
                termios.tcsetattr(self._descriptor, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _signals_raise(*signals: signal.Signals) -> Iterator[None]:
    """While inside, these signals end the program by an exception, so that `finally` clauses run."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def write_bytes(data: bytes) -> None:
    """Guest output to standard output, byte for byte."""
    if data:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


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
