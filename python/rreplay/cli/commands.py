"""The commands that read a recording, and the table of all commands."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

from .._core import Board, Event, Stop, Verification, boards
from ..enums import Scheduler
from ..errors import ArgumentError, Divergence, FaultError
from ..machine.machine import Machine
from ..recording.recording import Recording
from . import run_commands
from .bounded_run import GOES_ON
from .demo import run_demo
from .exit_status import BY_SIGNAL, FINDING, SUCCESS, crash_of, say_crash
from .files import recording_path, without_surrogates
from .machine_options import rom_of
from .messages import for_shell, say
from .signals import Signals
from .terminal import StandardOutput, TerminalBar, count, table
from .timeline_cli import print_difference, print_position, print_rom_difference

PART_INSTRUCTIONS = 1_000_000
"""A replay's output is shown at least so often."""


def _demo(options: argparse.Namespace, signals: Signals) -> int:
    path = recording_path(options.path, "demo", force=options.force)
    run_demo(path, options.seed, signals)
    return SUCCESS if signals.received is None else BY_SIGNAL + signals.received


def _open(options: argparse.Namespace) -> Recording:
    recording = Recording(options.files.recording(options.recording), salvage=options.salvage)
    if recording.damage is not None:
        say(for_shell(recording.damage))
    return recording


def _name(recording: Recording, options: argparse.Namespace) -> str:
    """What the person calls a recording."""
    name: str = options.files.with_given_names(str(recording.path))
    return name


def _replay(options: argparse.Namespace, signals: Signals) -> int:
    recording = _open(options)
    machine = recording.replay(options.scheduler, rom=rom_of(options.rom, options.files))
    output = StandardOutput(signals)

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
            with TerminalBar(f"verifying ({scheduler})") as progress:
                results[scheduler] = recording.verify(
                    progress=progress, scheduler=scheduler, rom=rom_of(options.rom, options.files)
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
    timeline = recording.timeline(rom=rom_of(options.rom, options.files))
    timeline.seek(timeline.end_icount if options.icount is None else options.icount, cycles=options.cycles)
    print_position(timeline, as_json=options.json)
    return SUCCESS


def _diff(options: argparse.Namespace, _signals: Signals) -> int:
    if (options.b is None) == (not options.rom):
        raise ArgumentError(
            "a recording is compared with another one, or with a changed ROM (--rom): give one of these"
        )
    if options.b is None:
        recording = Recording(options.files.recording(options.a), salvage=options.salvage)
        rom = rom_of(options.rom, options.files)
        assert rom is not None
        differs = print_rom_difference(recording, rom, options.files.with_given_names, as_json=options.json)
        return FINDING if differs else SUCCESS
    a, b = (Recording(options.files.recording(given), salvage=options.salvage) for given in (options.a, options.b))
    return FINDING if print_difference(a, b, options.files.with_given_names, as_json=options.json) else SUCCESS


def _boards(options: argparse.Namespace, _signals: Signals) -> int:
    if options.name is not None:
        text = Board.preset(without_surrogates(options.name, "NAME")).to_toml()
        print(text, end="" if text.endswith("\n") else "\n")
    elif options.json:
        print(json.dumps(boards()))
    else:
        print("\n".join(boards()))
    return SUCCESS


COMMANDS: dict[str, Callable[[argparse.Namespace, Signals], int]] = {
    "demo": _demo,
    "run": run_commands.run,
    "record": run_commands.record,
    "replay": _replay,
    "verify": _verify,
    "info": _info,
    "dump": _dump,
    "seek": _seek,
    "diff": _diff,
    "boards": _boards,
}
