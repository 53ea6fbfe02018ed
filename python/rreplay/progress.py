"""How far a long call has come: `progress=` is a function that takes what is done and what there is in all, or True.

Both are counts (of instructions, unless a call says otherwise) for the whole call, whatever it does in turn: the first
grows and never shrinks, the second stays. The last call says that all is done, also when less was needed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeAlias

from .errors import ArgumentError
from .errors.quote import shown

ProgressCallback: TypeAlias = "Callable[[int, int], object]"
"""Called with what is done and what there is in all; what it raises ends the call."""

ProgressLike: TypeAlias = "ProgressCallback | bool | None"
"""True shows a bar on standard error."""

BAR = 30
"""Characters of the bar."""

DRAWN_EVERY = 0.05
"""Seconds between two drawings on a terminal."""


def progress_callback(progress: object, title: str) -> ProgressCallback | None:
    """The function that a call reports its progress to: None for None and False, a bar for True.

    Raises:
        ArgumentError: It is something else that cannot be called.
    """
    if progress is None or progress is False:
        return None
    if progress is True:
        return Bar(title)
    if callable(progress):
        return progress
    raise ArgumentError(
        f"progress is True, or a function that takes what is done and what there is in all, and {shown(progress)} "
        "cannot be called"
    )


class Bar:
    """A line on standard error: drawn over and over on a terminal, and one line a tenth of the way elsewhere."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._is_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._drawn_at = -1.0
        self._tenths = 0

    def __call__(self, done: int, total: int) -> None:
        """Draws it."""
        if sys.stderr is None:
            return
        if self._is_terminal:
            self._draw(done, total)
        else:
            tenths = done * 10 // total
            if tenths > self._tenths:
                self._tenths = tenths
                sys.stderr.write(f"{self._title}: {tenths * 10} %\n")

    def _draw(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done < total and now - self._drawn_at < DRAWN_EVERY:
            return
        self._drawn_at = now
        filled = done * BAR // total
        end = "\n" if done >= total else ""
        sys.stderr.write(f"\r{self._title} [{'#' * filled}{'.' * (BAR - filled)}] {done * 100 // total:3} %{end}")
        sys.stderr.flush()


class Progress:
    """The progress of a call that does several things in turn: one count for all of them."""

    def __init__(self, callback: ProgressCallback | None, total: int) -> None:
        self._callback = callback
        self._total = max(total, 1)
        self._done = 0
        self._told_all = False

    @property
    def total(self) -> int:
        """How much there is in all."""
        return self._total

    def reach(self, done: int) -> None:
        """Reports that so much of the whole is done."""
        done = min(max(done, self._done), self._total)
        self._done = done
        self._tell()

    def _tell(self) -> None:
        if self._callback is not None and not self._told_all:
            self._told_all = self._done == self._total
            self._callback(self._done, self._total)

    def part(self, until: int) -> ProgressCallback | None:
        """The callback for the next step, after which `until` of the whole is done."""
        if self._callback is None:
            return None
        start = self._done

        def hear(done: int, total: int) -> None:
            self.reach(start + (until - start) * done // max(total, 1))

        return hear

    def finish(self) -> None:
        """Reports that all is done, also when less was needed."""
        self.reach(self._total)


def without_instant_calls(callback: ProgressCallback) -> ProgressCallback:
    """A callback that leaves out calls which report nothing but their end, because they were over at once."""
    is_under_way = False

    def hear(done: int, total: int) -> None:
        nonlocal is_under_way
        if done < total:
            is_under_way = True
        if is_under_way:
            callback(done, total)

    return hear
