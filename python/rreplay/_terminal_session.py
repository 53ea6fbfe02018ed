"""The guest's console joined to this program's standard input and output."""

from __future__ import annotations

import os
import sys
import threading

from ._core import Stop
from ._terminal import ESCAPE_KEY, Keyboard, write_bytes
from .machine import Machine

POLL_SECONDS = 0.01
"""How long the main thread waits for a key before it looks for output."""

LINE_QUIET_SECONDS = 0.1
"""A line of piped input has been answered when nothing has been printed for so long, in virtual seconds."""

QUIET_SECONDS = 1.0
"""The same for the last line, which nothing follows."""


def converse(machine: Machine, *, seconds: float | None, instructions: int | None, until: bytes | None) -> Stop | None:
    """Runs `machine` with its console on standard input and output.

    On a terminal: two threads in real time, until Ctrl-]. From a pipe: as fast as it goes, a line at a time (its end
    becomes CR, the Enter key), until all has been read and answered. The limits, where given, end either.

    Returns:
        Why the machine stopped; None when the person at the terminal left.
    """
    keyboard = Keyboard()
    if keyboard.interactive:
        return _talk(machine, keyboard, seconds, instructions, until)
    return _feed(machine, keyboard, seconds, instructions, until)


def run_program(machine: Machine, *, seconds: float | None, instructions: int | None, until: bytes | None) -> Stop:
    """Runs a C program on the board "sim65" as a command of this terminal: lines in, to their end, and output out."""
    gate = machine._session.open_gate()

    def read_input() -> None:
        try:
            while typed := os.read(sys.stdin.fileno(), 4096):
                machine.console.send(typed)
        except (OSError, ValueError):
            pass  # Standard input is closed, which is its end.
        finally:
            gate.close()

    outcome: list[Stop | BaseException] = []

    def run() -> None:
        try:
            outcome.append(machine.run(seconds=seconds, instructions=instructions, output=until))
        except BaseException as error:
            outcome.append(error)

    # What the person types is read by a thread that nothing can wake: it must not keep the command from ending.
    threading.Thread(target=read_input, name="rreplay-input", daemon=True).start()
    runner = threading.Thread(target=run, name="rreplay-machine")
    runner.start()
    try:
        while runner.is_alive():
            runner.join(POLL_SECONDS)
            write_bytes(machine.console.read())
    finally:
        while runner.is_alive():
            machine.stop()
            runner.join(POLL_SECONDS)
    write_bytes(machine.console.read())
    result = outcome[0]
    if isinstance(result, BaseException):
        raise result
    return result


def _talk(
    machine: Machine, keyboard: Keyboard, seconds: float | None, instructions: int | None, until: bytes | None
) -> Stop | None:
    sys.stderr.write("(Ctrl-] leaves)\r\n")
    sys.stderr.flush()
    outcome: list[Stop | BaseException] = []

    def run() -> None:
        try:
            outcome.append(
                machine.run(
                    seconds=seconds,
                    instructions=instructions,
                    output=until,
                    scheduler="threads",
                    sleep=True,
                    wait_for_input=True,
                )
            )
        except BaseException as error:
            outcome.append(error)

    runner = threading.Thread(target=run, name="rreplay-machine")
    left = False
    with keyboard.raw():
        runner.start()
        try:
            while runner.is_alive() and not left:
                keys = keyboard.read(POLL_SECONDS)
                before, escape, _ = keys.partition(ESCAPE_KEY)
                if before:
                    machine.console.send(before)
                left = bool(escape) or keyboard.ended
                write_bytes(machine.console.read())
        finally:
            while runner.is_alive():
                # Asked again and again, since the first may come before the run has begun.
                machine.stop()
                runner.join(POLL_SECONDS)
            write_bytes(machine.console.read())
    sys.stderr.write("\n")
    result = outcome[0]
    if isinstance(result, BaseException):
        raise result
    return None if left else result


def _feed(
    machine: Machine, keyboard: Keyboard, seconds: float | None, instructions: int | None, until: bytes | None
) -> Stop:
    """Piped input, a line at a time and each once the one before has been answered, or lines would be overrun."""
    limits = _Limits(machine, seconds, instructions)
    typed = b""
    while True:
        line, newline, rest = typed.partition(b"\n")
        if not newline and not keyboard.ended:
            typed += keyboard.read(0.0 if machine.console.pending else POLL_SECONDS)
            line, newline, rest = typed.partition(b"\n")
        if newline or (keyboard.ended and line):
            machine.console.send(line + (b"\r" if newline else b""))
            typed = rest
        more = bool(typed) or not keyboard.ended
        stop = _until_quiet(machine, limits, until, LINE_QUIET_SECONDS if more else QUIET_SECONDS)
        if stop.reason != "budget" or limits.reached() or not more:
            return stop


def _until_quiet(machine: Machine, limits: _Limits, until: bytes | None, quiet: float) -> Stop:
    """Runs until all input is read and nothing has been printed for `quiet` virtual seconds, or a limit is reached."""
    while True:
        stop = machine.run(seconds=limits.seconds_at_most(quiet), instructions=limits.instructions(), output=until)
        fresh = machine.console.read()
        write_bytes(fresh)
        if stop.reason != "budget" or limits.reached() or (not fresh and machine.console.pending == 0):
            return stop


class _Limits:
    """How far a piped session may still go."""

    def __init__(self, machine: Machine, seconds: float | None, instructions: int | None) -> None:
        self._machine = machine
        self._end_time = None if seconds is None else machine.time + seconds
        self._end_icount = None if instructions is None else machine.icount + instructions

    def seconds_at_most(self, seconds: float) -> float:
        """`seconds`, or what is left."""
        return seconds if self._end_time is None else max(min(seconds, self._end_time - self._machine.time), 0.0)

    def instructions(self) -> int | None:
        """What is left, if it is limited."""
        return None if self._end_icount is None else max(self._end_icount - self._machine.icount, 0)

    def reached(self) -> bool:
        """Whether nothing is left."""
        return self.seconds_at_most(1.0) <= 0.0 or self.instructions() == 0
