"""The command `rreplay`: `_shell_parser` has its words, `_shell_status` its exit statuses."""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

from . import Board, Divergence, Event, Machine, Recording, ReplayError, Stop, Verification, boards
from . import _shell_run as running
from ._course import GOES_ON
from ._shell_files import Sources, recording_path, without_surrogates
from ._shell_machine import rom_of
from ._shell_parser import parsed
from ._shell_signals import Signalled, Signals
from ._shell_status import BAD_INPUT, BROKEN_PIPE, BY_SIGNAL, DEFECT, FINDING, HANGUP, SUCCESS, crash_of, say_crash
from ._shell_words import say, shell_words
from ._terminal import HungUp, Output, OutputLost, Progress, count, table
from ._travel_commands import show_place, tell_difference
from .demo import run_demo
from .errors import FaultError
from .vocabulary import Scheduler

PART_INSTRUCTIONS = 1_000_000
"""A replay's output is shown at least so often."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status."""
    try:
        with Signals() as signals:
            return _main(list(sys.argv[1:] if arguments is None else arguments), signals)
    except (Signalled, KeyboardInterrupt) as ended:
        # What is not read yet may never be: the interpreter's exit must not wait for it.
        _drop_output()
        return BY_SIGNAL + (ended.number if isinstance(ended, Signalled) else signal.SIGINT)
    finally:
        _drop_lost_messages()


def _main(words: list[str], signals: Signals) -> int:
    if not _prepare_streams():
        say("standard output is closed: give it somewhere to go, if only /dev/null")
        return BAD_INPUT
    try:
        options = parsed(words)
    except SystemExit as ended:
        # After --help and --version, and for wrong usage, which is said already.
        return _flushed(ended.code if isinstance(ended.code, int) else BAD_INPUT)
    except OSError as error:
        return _output_lost(error)
    with Sources() as sources:
        options.sources = sources
        try:
            return _flushed(COMMANDS[options.command](options, signals))
        except Divergence as divergence:
            say(sources.words(shell_words(str(divergence))))
            return _flushed(FINDING)
        except ReplayError as error:
            say(sources.words(shell_words(str(error))))
            return _flushed(BAD_INPUT)
        except UnicodeError as error:
            say(f"a name or a text is not UTF-8: {error}")
            return _flushed(BAD_INPUT)
        except HungUp:
            return BY_SIGNAL + HANGUP
        except (OutputLost, OSError) as error:
            return _output_lost(error)
        except (KeyboardInterrupt, Signalled):
            raise
        except BaseException:
            # A status of its own: a program that looks for findings must not take a defect for one. The engine's own
            # panics are no `Exception`.
            with contextlib.suppress(OSError):
                traceback.print_exc()
            say("this is a defect of rreplay: please report it, with the lines above")
            return DEFECT


def _prepare_streams() -> bool:
    """Sees to it that the standard streams are there, and that names of any bytes can be printed.

    Whatever is opened first gets the number of a stream that was closed: a recording must not become standard error.

    Returns:
        Whether there is a standard output.
    """
    closed = [number for number in range(3) if not _is_open(number)]
    for _ in closed:
        os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        return False
    with contextlib.suppress(AttributeError, ValueError):
        utf8 = sys.stdout.encoding.lower().replace("-", "") == "utf8"
        sys.stdout.reconfigure(errors="surrogateescape" if utf8 else "backslashreplace")  # type: ignore[union-attr]
    return True


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError as error:
        return error.errno != errno.EBADF
    return True


def _flushed(status: int) -> int:
    """`status`, once the output is on its way; another where it is lost."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return _output_lost(error)
    return status


def _output_lost(lost: OutputLost | OSError) -> int:
    error = lost.error if isinstance(lost, OutputLost) else lost
    # Nothing more can be said there, not even by the interpreter's exit.
    _drop_output()
    if error.errno == errno.EPIPE:
        # As `head` wants it: without a word. The status is that of a program that the signal ends.
        return BY_SIGNAL + BROKEN_PIPE
    say(f"cannot write the output: {error.strerror or error}")
    return BAD_INPUT


def _demo(options: argparse.Namespace, signals: Signals) -> int:
    path = recording_path(options.path, "demo", force=options.force)
    run_demo(path, options.seed, signals)
    return SUCCESS if signals.received is None else BY_SIGNAL + signals.received


def _open(options: argparse.Namespace) -> Recording:
    recording = Recording(options.sources.recording(options.recording), salvage=options.salvage)
    if recording.damage is not None:
        say(shell_words(recording.damage))
    return recording


def _name(recording: Recording, options: argparse.Namespace) -> str:
    """What the person calls a recording."""
    name: str = options.sources.words(str(recording.path))
    return name


def _replay(options: argparse.Namespace, signals: Signals) -> int:
    recording = _open(options)
    machine = recording.replay(options.scheduler, rom=rom_of(options.rom, options.sources))
    output = Output(signals)

    def show() -> None:
        if machine._session.has_console():
            output.write(machine.console.read())

    try:
        stop, fault = _play(machine, options.instructions, show)
    except Divergence as divergence:
        # What it printed until then belongs before the report.
        show()
        if not options.json:
            raise
        report = {"ok": False, "scheduler": options.scheduler, "divergence": divergence.as_dict()}
        sys.stderr.write(json.dumps(report) + "\n")
        return FINDING
    crash = crash_of(machine, stop, fault)
    if crash is not None:
        return say_crash(crash, f"rreplay seek {options.recording}", recording)
    return machine.exit_code or SUCCESS


def _play(
    machine: Machine, instructions: int | None, show: Callable[[], None]
) -> tuple[Stop | None, FaultError | None]:
    """Plays a recording, or so many instructions of it; returns what its guest ended with."""
    left = instructions
    stop: Stop | None = None
    fault: FaultError | None = None
    while left != 0:
        before, portion = machine.icount, PART_INSTRUCTIONS if left is None else min(left, PART_INSTRUCTIONS)
        try:
            now: Stop | None = machine.run(instructions=portion)
        except FaultError as error:
            now, fault = None, error
        show()
        left = None if left is None else max(left - (machine.icount - before), 0)
        if now is not None and now.reason == "end":
            return stop or now, fault
        if now is not None and now.reason not in GOES_ON and now == stop:
            # It has stopped for good, though the recording has more, which moves nothing.
            return stop, fault
        if now is not None:
            # What came before was not the end, or the recording would have been at its own.
            stop, fault = (None if now.reason in GOES_ON else now), None
    return stop, fault


def _verify(options: argparse.Namespace, _signals: Signals) -> int:
    recording = _open(options)
    chosen: Scheduler = options.scheduler
    schedulers: tuple[Scheduler, ...] = ("threads", "inline") if options.scheduler == "both" else (chosen,)
    results: dict[Scheduler, Verification] = {}
    for scheduler in schedulers:
        try:
            with Progress(f"verifying ({scheduler})") as progress:
                results[scheduler] = recording.verify(
                    progress=progress, scheduler=scheduler, rom=rom_of(options.rom, options.sources)
                )
        except Divergence as divergence:
            if not options.json:
                raise
            print(json.dumps({"ok": False, "scheduler": scheduler, "divergence": divergence.as_dict()}))
            return FINDING
    # What is left of a damaged recording may agree as far as it goes, and is no recording that is in order.
    ok = all(result.ok for result in results.values())
    if options.json:
        print(json.dumps({"ok": ok, "schedulers": {name: _attributes(v) for name, v in results.items()}}))
        return SUCCESS if ok else FINDING
    for scheduler, result in results.items():
        verdict = "ok" if result.ok else "agrees as far as it goes, and is not whole"
        print(
            f"{_name(recording, options)}: {verdict}, {scheduler}: {count(result.icount)} instructions, "
            f"{count(result.events)} events, {count(result.digests)} digests agree, {result.wall_seconds:.2f} s"
        )
    return SUCCESS if ok else FINDING


def _attributes(thing: object) -> dict[str, Any]:
    values = {name: getattr(thing, name) for name in dir(thing) if not name.startswith("_")}
    return {name: value for name, value in values.items() if not callable(value)}


def _info(options: argparse.Namespace, _signals: Signals) -> int:
    recording = _open(options)
    info = recording.info()
    if options.json:
        print(json.dumps(info | {"path": _name(recording, options)}, default=_plain))
        return SUCCESS
    print(_name(recording, options))
    rows = [
        ("board", recording.board.name) if recording.machine is None else ("machine", recording.machine),
        (
            "complete",
            "yes" if recording.complete else "no: its recorder did not finish it, or part of it is lost",
        ),
        (
            "instructions",
            f"{count(recording.icount - recording.start_icount)} (to icount {recording.icount})",
        ),
        ("virtual time", f"{recording.duration:.6f} s"),
        ("size", f"{count(recording.size)} bytes, format version {recording.format_version}"),
    ]
    print(table(rows))
    print("events")
    print(table([(kind, f"{number:>10,}") for kind, number in info["events"].items()]))
    return SUCCESS


def _dump(options: argparse.Namespace, _signals: Signals) -> int:
    events: Iterable[Event] = _open(options).events(options.kind, options.start, options.stop)
    for number, event in enumerate(events):
        if options.limit is not None and number >= options.limit:
            break
        if options.json:
            record = {
                "icount": event.icount,
                "cycles": event.cycles,
                "ordinal": event.ordinal,
                "kind": event.kind,
            }
            print(json.dumps(record | event.payload, default=_plain))
        else:
            payload = " ".join(f"{name}={_short(value)}" for name, value in event.payload.items())
            print(f"{event.ordinal:>8} {event.icount:>12} {event.cycles:>12}  {event.kind:<13} {payload}".rstrip())
    return SUCCESS


def _plain(value: object) -> object:
    """What JSON does not have: bytes as hex, paths as text."""
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def _short(value: object) -> str:
    text = repr(value) if isinstance(value, bytes | str) else str(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


def _seek(options: argparse.Namespace, _signals: Signals) -> int:
    recording = _open(options)
    timeline = recording.timeline(rom=rom_of(options.rom, options.sources))
    timeline.seek(timeline.end_icount if options.icount is None else options.icount, cycles=options.cycles)
    show_place(timeline, as_json=options.json)
    return SUCCESS


def _diff(options: argparse.Namespace, _signals: Signals) -> int:
    a, b = (Recording(options.sources.recording(given), salvage=options.salvage) for given in (options.a, options.b))
    return FINDING if tell_difference(a, b, options.sources.words, as_json=options.json) else SUCCESS


def _boards(options: argparse.Namespace, _signals: Signals) -> int:
    if options.name is not None:
        text = Board.preset(without_surrogates(options.name, "NAME")).to_toml()
        print(text, end="" if text.endswith("\n") else "\n")
    elif options.json:
        print(json.dumps(boards()))
    else:
        print("\n".join(boards()))
    return SUCCESS


def _drop_output() -> None:
    _drop(sys.stdout)


def _drop_lost_messages() -> None:
    """Drops what standard error would not take: the interpreter's exit would try again, fail, and say 120."""
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        _drop(sys.stderr)


def _drop(stream: TextIO) -> None:
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


COMMANDS: dict[str, Callable[[argparse.Namespace, Signals], int]] = {
    "demo": _demo,
    "run": running.run,
    "record": running.record,
    "replay": _replay,
    "verify": _verify,
    "info": _info,
    "dump": _dump,
    "seek": _seek,
    "diff": _diff,
    "boards": _boards,
}


if __name__ == "__main__":
    sys.exit(main())
