"""The guest's console joined to this program's standard input and output."""

from __future__ import annotations

import sys
import threading

from ._terminal import ESCAPE_KEY, Keyboard, write_bytes
from ._core import Stop
from .machine import Machine

POLL_SECONDS = 0.01
"""How long the main thread waits for a key before it looks for output."""

QUIET_SECONDS = 1.0
"""Piped input has been answered when the guest has printed nothing for so long, in virtual seconds."""


def converse(
    machine: Machine, *, seconds: float | None, instructions: int | None, until: bytes | None
) -> Stop | None:
    """Runs `machine` with its console on standard input and output.

    On a terminal: two threads at the board's own speed, until Ctrl-]. From a pipe: as fast as it goes, until the
    input has been read and answered. The limits, where given, end either.

    Returns:
        Why the machine stopped; None when the person at the terminal left.
    """
    keyboard = Keyboard()
    if keyboard.interactive:
        return _talk(machine, keyboard, seconds, instructions, until)
    return _feed(machine, keyboard, seconds, instructions, until)


def _talk(
    machine: Machine, keyboard: Keyboard, seconds: float | None, instructions: int | None, until: bytes | None
) -> Stop | None:
    sys.stderr.write("[Ctrl-] leaves]\r\n")
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
            machine.stop()
            runner.join()
            write_bytes(machine.console.read())
    sys.stderr.write("\n")
    result = outcome[0]
    if isinstance(result, BaseException):
        raise result
    return None if left else result


def _feed(
    machine: Machine, keyboard: Keyboard, seconds: float | None, instructions: int | None, until: bytes | None
) -> Stop:
    typed = sys.stdin.buffer.read()
    if typed:
        machine.console.send(typed)
    if seconds is not None or instructions is not None or until is not None:
        stop = machine.run(seconds=seconds, instructions=instructions, output=until)
        write_bytes(machine.console.read())
        return stop
    while True:
        stop = machine.run(seconds=QUIET_SECONDS)
        fresh = machine.console.read()
        write_bytes(fresh)
        if stop.reason != "budget" or (not fresh and machine.console.pending == 0):
            return stop
