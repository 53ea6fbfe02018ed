"""Signals that end a command: at once where nothing can be lost, and at the next safe place while a run is recorded."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that end a command, besides SIGINT, for which Python has a handler of its own. Windows has no SIGHUP."""


class Signalled(BaseException):
    """A signal has come that ends the command. No `Exception`: nothing but the command's end may catch it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Signals:
    """What to do about SIGINT, SIGTERM and SIGHUP, while inside.

    Outside of `deferred` they raise: `Signalled`, or KeyboardInterrupt for SIGINT. An exception that may come between
    any two bytecodes would leave a recording unfinished now and then, so inside of `deferred` a signal only says that
    it has come, in `received`, and wakes whoever waits. One that was ignored when the command began (nohup) stays so.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        """The first signal that came inside of `deferred`."""
        self._is_deferred = False
        self._is_breakable = False
        self._wake: Callable[[], object] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        for number in ENDING:
            self._install(number)
        return self

    def __exit__(self, *_: object) -> None:
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)

    @contextlib.contextmanager
    def deferred(self, wake: Callable[[], object] | None = None) -> Iterator[None]:
        """While inside, a signal raises nothing: it is in `received`, and `wake` is called, on the main thread."""
        self._wake = wake
        self._is_deferred = True
        self._install(signal.SIGINT)
        try:
            yield
        finally:
            if signal.SIGINT in self._before:
                signal.signal(signal.SIGINT, self._before.pop(signal.SIGINT))
            self._is_deferred = False
            self._wake = None

    @contextlib.contextmanager
    def breakable(self) -> Iterator[None]:
        """While inside, a signal raises even so: for a system call that may wait for ever, and would be begun again."""
        self._is_breakable = True
        try:
            yield
        finally:
            self._is_breakable = False

    def _install(self, number: int) -> None:
        # Python lets the main thread alone have handlers; a handler of None is not Python's.
        on_main_thread = threading.current_thread() is threading.main_thread()
        if on_main_thread and signal.getsignal(number) not in (signal.SIG_IGN, None):
            self._before[number] = signal.signal(number, self._arrived)

    def _arrived(self, number: int, _frame: FrameType | None) -> None:
        if not self._is_deferred:
            raise Signalled(number)
        first = self.received is None
        if first:
            self.received = number
        if self._wake is not None:
            self._wake()
        if self._is_breakable:
            raise Signalled(number)
