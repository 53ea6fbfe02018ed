"""The commands `rreplay run` and `rreplay record`."""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ArgumentError
from .bounded_run import Ending, Limits
from .console_session import run_with_console
from .exit_status import exit_status
from .files import choosing_in, recording_path
from .machine_options import machine_of, program_name
from .messages import say
from .terminal import count

if TYPE_CHECKING:
    from ..machine.machine import Machine
    from ..recording.live import LiveRecording
    from .signals import Signals


def run(options: argparse.Namespace, signals: Signals) -> int:
    """Runs a board or a program on this terminal; returns the exit status."""
    machine, limits = _prepared(options)
    again = shlex.join(["rreplay", "record", *options.words[1:]])
    with signals.deferred(machine.stop):
        ending = run_with_console(machine, limits, signals)
    return exit_status(
        ending,
        machine,
        limits,
        fail_on_limit=options.fail_on_limit,
        look=f"record it ({again}), then rreplay seek FILE",
        signal_number=signals.received,
    )


def record(options: argparse.Namespace, signals: Signals) -> int:
    """Runs and records; returns the exit status."""
    machine, limits = _prepared(options)
    with signals.deferred(machine.stop):
        recording = _started(machine, options)
        try:
            ending = Ending("signal") if signals.received is not None else run_with_console(machine, limits, signals)
        finally:
            # Whatever came, a signal or an error: what is recorded until then is whole.
            recording.finish()
            say(f"recorded {count(recording.icount)} instructions in {count(recording.size)} bytes: {recording.path}")
    return exit_status(
        ending,
        machine,
        limits,
        fail_on_limit=options.fail_on_limit,
        look=shlex.join(["rreplay", "seek", _from_here(recording.path)]),
        signal_number=signals.received,
        recording=recording,
    )


def _from_here(path: Path) -> str:
    """`path` as one would write it here."""
    try:
        return os.path.relpath(path)
    except OSError:
        return str(path)


def _prepared(options: argparse.Namespace) -> tuple[Machine, Limits]:
    """The machine and its limits, with all checked that can be before a file is made."""
    until = None if options.until is None else os.fsencode(options.until)
    limits = Limits(options.seconds, options.instructions, until, options.quiet)
    if options.fail_on_limit and limits.seconds is None and limits.instructions is None:
        raise ArgumentError("--fail-on-limit is about --seconds and --instructions, and neither is given")
    machine = machine_of(options)
    if until is not None and not machine._session.has_console():
        raise ArgumentError(f"--until waits for what the console prints, and the board {machine.board.name} has none")
    return machine, limits


def _started(machine: Machine, options: argparse.Namespace) -> LiveRecording:
    given = options.output
    with choosing_in(Path(given or ".").parent):
        path = recording_path(given, program_name(options.board), force=options.force)
        return machine.record(
            path, snapshot_every=options.snapshot_every, digest_every=options.digest_every, chaos=options.chaos
        )
