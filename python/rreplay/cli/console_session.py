"""The guest's console joined to this program's standard input and output."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from .bounded_run import BoundedRun, Ending, Limits
from .messages import say
from .terminal import ESCAPE_KEY, StandardInput, StandardOutput, TerminalClosed
from .wait_detection import WaitDetector

if TYPE_CHECKING:
    from ..machine.machine import Machine
    from .signals import Signals

POLL_SECONDS = 0.01
"""How long the main thread waits for a key before it looks for output."""

LINE_QUIET_SECONDS = 0.1
"""A line of piped input has been answered when the guest has waited silently for so long, in virtual seconds."""

QUIET_SECONDS = 1.0
"""The same for the last line, which nothing follows, unless told otherwise."""

PART_SECONDS_MAX = 1.0
"""A busy guest is looked at so often, in virtual seconds; one that waits, more often."""

BUSY_SECONDS = 60.0
"""For so many virtual seconds a guest may be busy and silent before its next line is typed all the same, and before the
person is told what the command waits for."""

INPUT_AHEAD_MAX = 1 << 18
"""Bytes that are typed before the guest has read those before: a machine holds some more, and drops the rest."""

LINE_END = re.compile(rb"\r\n?|\n")

LINE_BYTES_MAX = 1024
"""Input without an end of line is typed in pieces of so many bytes."""


def run_with_console(machine: Machine, limits: Limits, signals: Signals) -> Ending:
    """Runs `machine` with its console on standard input and output.

    A C program runs as a command: lines in, to their end, and output out. Otherwise, on a terminal: two threads in real
    time, until Ctrl-]. From a pipe: as fast as it goes, a line at a time (its end becomes CR, the Enter key), until a
    limit is reached; without limits, until all has been read and the guest is quiet. A signal ends each.

    Raises:
        OutputLost: Standard output takes no more.
    """
    session = ConsoleSession(machine, limits, signals)
    try:
        session.input.require_terminal()
        if any(device.kind == "sim65" for device in machine.devices.values()):
            return session.as_command()
        if session.input.interactive:
            return session.at_terminal()
        return session.from_pipe()
    except TerminalClosed:
        return Ending("hangup")


class ConsoleSession:
    """A machine whose console is joined to standard input and output."""

    def __init__(self, machine: Machine, limits: Limits, signals: Signals) -> None:
        self.input = StandardInput()
        self._machine = machine
        self._limits = limits
        self._signals = signals
        self._output = StandardOutput(signals)
        self._run = BoundedRun(machine, limits)
        self._has_console = machine._session.has_console()
        self._detector = WaitDetector(machine, self._step)
        self._ending: Ending | None = None
        self._is_told = False
        self._after_return = False
        # Set when the machine's thread has ended. Not Thread.is_alive(), which may be wrong for ever where a join was
        # interrupted (CPython before 3.13).
        self._done = threading.Event()

    # -- with the machine on a thread of its own

    def as_command(self) -> Ending:
        """A C program: what is typed is read by a thread, and the program waits for it or for its end."""
        gate = self._machine._session.open_gate()

        def read_input() -> None:
            try:
                while typed := os.read(sys.stdin.fileno(), 4096):
                    while self._pending() > INPUT_AHEAD_MAX and not self._done.wait(POLL_SECONDS):
                        pass
                    self._machine.console.send(typed)
            except (OSError, ValueError):
                pass  # Standard input is closed, which is its end.
            finally:
                gate.close()

        # What the person types is read by a thread that nothing can wake: it must not keep the command from ending.
        threading.Thread(target=read_input, name="rreplay-input", daemon=True).start()
        # A program that waits uses up its seconds as they pass, and not at once.
        sleeps = self._limits.seconds is not None
        return self._in_background(lambda: self._run.run(sleep=sleeps), self._nobody_leaves)

    def at_terminal(self) -> Ending:
        """A person's terminal: each key to the guest at once."""
        if not self._has_console:
            say("the board has no console (Ctrl-C ends)")
            return self._in_background(self._in_real_time, self._nobody_leaves)

        def left() -> bool:
            keys, escape, _ = self.input.read(POLL_SECONDS).partition(ESCAPE_KEY)
            if keys:
                self._machine.console.send(keys)
            return bool(escape)

        with self.input.raw():
            with contextlib.suppress(OSError):
                sys.stderr.write("(Ctrl-] leaves)\n")
                sys.stderr.flush()
            ending = self._in_background(self._in_real_time, left)
        with contextlib.suppress(OSError):
            sys.stderr.write("\n")
        return ending

    def _in_real_time(self) -> Ending | None:
        return self._run.run(scheduler="threads", sleep=True, wait_for_input=True)

    def _nobody_leaves(self) -> bool:
        self._done.wait(POLL_SECONDS)
        # Nobody reads keys here, and so nobody else would see it go.
        self.input.require_terminal()
        return False

    def _in_background(self, run: Callable[[], Ending | None], left: Callable[[], bool]) -> Ending:
        """Repeats `run` on a thread until it returns an ending, a signal comes, or `left()` is true."""
        outcome: list[Ending | BaseException] = []
        stopping = threading.Event()

        def work() -> None:
            try:
                ending = run()
                while ending is None and not stopping.is_set():
                    ending = run()
                outcome.append(ending or Ending("left"))
            except BaseException as error:
                outcome.append(error)
            finally:
                self._done.set()

        threading.Thread(target=work, name="rreplay-machine").start()
        ending: Ending | None = None
        try:
            while ending is None and not self._done.is_set():
                if self._signals.received is not None:
                    ending = Ending("signal")
                elif left():
                    ending = Ending("left")
                self._show()
        finally:
            stopping.set()
            while not self._done.is_set():
                # Asked again and again, since the first may come before the run has begun.
                self._machine.stop()
                self._done.wait(POLL_SECONDS)
        self._show()
        if isinstance(outcome[0], BaseException):
            raise outcome[0]
        return ending or outcome[0]

    # -- with the machine on this thread

    def from_pipe(self) -> Ending:
        """Piped input, line by line: each is typed once the guest has answered the last, so that none is overrun."""
        quiet = self._limits.quiet
        if quiet is None and not self._limits.are_given:
            quiet = QUIET_SECONDS
        typed = b""
        # What is typed while a machine starts may be lost.
        self._until_quiet(LINE_QUIET_SECONDS, is_last=False)
        while self._ending is None:
            if not LINE_END.search(typed) and len(typed) < LINE_BYTES_MAX and not self.input.ended:
                typed += self.input.read(0.0 if self._pending() else POLL_SECONDS)
            if self._pending() > INPUT_AHEAD_MAX:
                say("the guest does not read what is typed: the rest of the input is left")
                self.input.ended = True
                typed = b""
            line, typed = self._next_line(typed)
            if line:
                self._type(line)
            more = bool(typed) or not self.input.ended
            self._until_quiet(LINE_QUIET_SECONDS if more else quiet, is_last=not more)
            if not more and self._ending is None:
                self._ending = Ending("quiet")
        return self._ending

    def _next_line(self, typed: bytes) -> tuple[bytes, bytes]:
        """The next line to type, with CR for its end, or a piece of a long one; and what is left."""
        if self._after_return:
            # Both are one end of a line, though they may come one by one.
            self._after_return = not typed
            typed = typed.removeprefix(b"\n")
        ended = LINE_END.search(typed, 0, LINE_BYTES_MAX + 1)
        if ended:
            self._after_return = ended[0] == b"\r"
            return typed[: ended.start()] + b"\r", typed[ended.end() :]
        if self.input.ended or len(typed) >= LINE_BYTES_MAX:
            return typed[:LINE_BYTES_MAX], typed[LINE_BYTES_MAX:]
        return b"", typed

    def _pending(self) -> int:
        """How much of what was typed the guest has not read."""
        return self._machine.console.pending if self._has_console else 0

    def _type(self, line: bytes) -> None:
        if self._has_console:
            self._detector.stop()
            self._machine.console.send(line)
        elif not self._is_told:
            self._is_told = True
            say("the board has no console: what comes from standard input is not read")

    def _until_quiet(self, quiet: float | None, *, is_last: bool) -> None:
        """Runs until the guest has waited silently for `quiet` virtual seconds, if they are given, or until the end."""
        silent = waited = 0.0
        part = LINE_QUIET_SECONDS
        pending = -1
        while self._ending is None:
            seconds = part if quiet is None else min(part, quiet)
            before = self._machine.icount
            if self._go(seconds=seconds):
                return
            last_pending, pending = pending, self._pending()
            # What a guest does not read, while it waits for something else, it will not read.
            if self._show() or (pending and pending != last_pending):
                silent = waited = 0.0
                part = LINE_QUIET_SECONDS
                self._detector.stop()
                continue
            silent += seconds
            if quiet is None:
                part = PART_SECONDS_MAX
            elif self._machine.icount == before or self._detector.waits():
                waited += seconds
                if waited >= quiet * 0.999:
                    return
            else:
                waited = 0.0
                if self._detector.search():
                    return
                # To look costs as much as to run for a while.
                part = LINE_QUIET_SECONDS if self._detector.waits() else min(2 * part, PART_SECONDS_MAX)
            if silent >= BUSY_SECONDS:
                if not is_last:
                    return
                self._explain_waiting()

    def _step(self) -> bool:
        """One instruction, or a wait for as long as a guest must be quiet; True where the run is over."""
        return self._go(instructions=1, seconds=self._limits.quiet or QUIET_SECONDS)

    def _go(self, *, seconds: float, instructions: int | None = None) -> bool:
        self._ending = self._run.run(seconds=seconds, instructions=instructions)
        if self._ending is None and self._signals.received is not None:
            self._ending = Ending("signal")
        if self._ending is not None:
            self._show()
        return self._ending is not None

    def _explain_waiting(self) -> None:
        """Says once why a run without limits of time or instructions goes on."""
        if self._is_told or self._limits.seconds is not None or self._limits.instructions is not None:
            return
        self._is_told = True
        until = "" if self._limits.until is None else " has not printed what --until waits for, and"
        say(
            f"the input has ended, and the guest{until} goes on without a word since {BUSY_SECONDS:g} virtual seconds; "
            "--seconds or --instructions limit a run, Ctrl-C ends this one"
        )

    # -- output

    def _show(self) -> bool:
        """Writes what the guest has printed since the last call; returns whether there was anything."""
        if not self._has_console:
            return False
        fresh = self._machine.console.read()
        self._output.write(fresh)
        return bool(fresh)
