"""The command `rreplay`: exit status 0, 1 for a finding (a divergence), 2 for wrong usage or bad input."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

from . import (
    Board,
    Device,
    Directory,
    Divergence,
    Event,
    Machine,
    Recording,
    ReplayError,
    Stop,
    Verification,
    __version__,
    boards,
)
from ._sources import ImageSource, RomSource
from ._terminal import Progress, count, table, write_bytes
from ._terminal_session import converse, run_program
from ._travel_commands import show_place, tell_difference
from .demo import run_demo
from .vocabulary import EventKind, Scheduler

SUCCESS = 0
FINDING = 1
BAD_INPUT = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and gives its exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.command(options)
        sys.stdout.flush()
    except Divergence as divergence:
        _say(str(divergence))
        return FINDING
    except ReplayError as error:
        _say(str(error))
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            # Whoever reads the output has gone; nothing more can be said there, not even by the interpreter's exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return SUCCESS
        _say(f"cannot write the output: {error.strerror}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BAD_INPUT
    return status


def _say(text: str) -> None:
    print(f"rreplay: {text}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rreplay", description="Record a run of an 8-bit machine, replay it exactly, look into it."
    )
    parser.add_argument("--version", action="version", version=f"rreplay {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="boot, record, replay and verify a session, and show what happened")
    demo.add_argument("--path", type=Path, help="where to keep the recording (default: demo.rreplay)")
    demo.add_argument("--seed", type=int, help="of the random typing moments (default: another each time)")
    demo.set_defaults(command=_demo)

    run = commands.add_parser("run", help="run a board with its console on this terminal")
    _machine_options(run)
    run.set_defaults(command=_run)

    record = commands.add_parser("record", help="run, and record into a file")
    record.add_argument("recording", type=Path, help="the file to write")
    _machine_options(record)
    record.add_argument("--digest-every", type=int, metavar="N", help="instructions between two digests")
    record.add_argument(
        "--chaos", type=int, metavar="SEED", help="draw by SEED what hardware leaves open, so that rare orders come up"
    )
    record.set_defaults(command=_record)

    replay = commands.add_parser("replay", help="play a recording; its console goes to standard output")
    _recording_option(replay)
    _replay_rom_option(replay)
    replay.add_argument("--scheduler", choices=get_args(Scheduler), default="inline")
    replay.add_argument("--instructions", type=int, metavar="N", help="stop after N instructions")
    replay.add_argument("--json", action="store_true", help="a divergence as one JSON object, on standard error")
    replay.set_defaults(command=_replay)

    verify = commands.add_parser("verify", help="replay a recording and compare every event and digest")
    _recording_option(verify)
    _replay_rom_option(verify)
    verify.add_argument(
        "--scheduler", choices=[*get_args(Scheduler), "both"], default="inline", help="(default: inline)"
    )
    verify.add_argument("--json", action="store_true", help="one JSON object")
    verify.set_defaults(command=_verify)

    info = commands.add_parser("info", help="what a recording holds, without replaying it")
    _recording_option(info)
    info.add_argument("--json", action="store_true", help="one JSON object")
    info.set_defaults(command=_info)

    dump = commands.add_parser("dump", help="the events of a recording, one a line")
    _recording_option(dump)
    dump.add_argument("--kind", choices=get_args(EventKind), metavar="KIND", help="only this kind of event")
    dump.add_argument("--start", type=int, metavar="N", help="only events at or after this icount")
    dump.add_argument("--stop", type=int, metavar="N", help="only events before this icount")
    dump.add_argument("--limit", type=int, metavar="N", help="at most N events")
    dump.add_argument("--json", action="store_true", help="one JSON object a line")
    dump.set_defaults(command=_dump)

    seek = commands.add_parser("seek", help="the machine at a place of a recording: registers, code, console")
    _recording_option(seek)
    seek.add_argument("icount", type=int, nargs="?", help="instructions retired (default: the end)")
    seek.add_argument("--cycles", type=int, metavar="N", help="where the processor waits there: at this cycle")
    _replay_rom_option(seek)
    seek.add_argument("--json", action="store_true", help="one JSON object")
    seek.set_defaults(command=_seek)

    diff = commands.add_parser("diff", help="where two recordings part: the first event, the first instruction")
    diff.add_argument("a", type=Path, help="an rreplay recording")
    diff.add_argument("b", type=Path, help="another one, of the same board")
    diff.add_argument("--salvage", action="store_true", help="open what is left of a damaged file")
    diff.add_argument("--json", action="store_true", help="one JSON object")
    diff.set_defaults(command=_diff)

    listing = commands.add_parser("boards", help="the preset boards, or one of them as TOML")
    listing.add_argument("name", nargs="?", help="print this preset's description")
    listing.add_argument("--json", action="store_true", help="one JSON list")
    listing.set_defaults(command=_boards)
    return parser


def _machine_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "board",
        nargs="?",
        default="breadboard",
        help="preset, .toml file, or C program of cc65's target sim6502 (default: breadboard)",
    )
    parser.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="for the C program's main")
    parser.add_argument(
        "--directory", type=Path, metavar="DIR", help="let the C program's file calls reach DIR and what is below it"
    )
    parser.add_argument(
        "--rom",
        action="append",
        default=[],
        metavar="[PLACE=]FILE",
        help="image for the main ROM, or for a region or load address (0x8000=image.bin); may be repeated",
    )
    parser.add_argument("--cpu", metavar="CPU", help="another processor: 6502 (NMOS) or 65c02")
    parser.add_argument("--seconds", type=float, metavar="S", help="stop after S virtual seconds")
    parser.add_argument("--instructions", type=int, metavar="N", help="stop after N instructions")
    parser.add_argument("--until", metavar="TEXT", help="stop when the console has printed TEXT")


def _recording_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recording", type=Path, help="an rreplay recording")
    parser.add_argument("--salvage", action="store_true", help="open what is left of a damaged file")


def _replay_rom_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rom",
        action="append",
        default=[],
        metavar="[PLACE=]FILE",
        help="the recorded image, for a recording that holds only its hash; another image is refused",
    )


def _rom(options: Sequence[str]) -> RomSource | None:
    """The `--rom` options as `Machine` wants them."""
    if not options:
        return None
    if len(options) == 1 and "=" not in options[0]:
        return options[0]
    images: dict[str | int, ImageSource] = {}
    for option in options:
        place, equals, path = option.partition("=")
        if not equals:
            raise ReplayError(f"with several images each needs its place: --rom PLACE={option}")
        images[_place(place)] = path
    return images


def _place(text: str) -> str | int:
    if text[:1].isdigit() or text.startswith("$"):
        try:
            return int(text[1:], 16) if text.startswith("$") else int(text, 0)
        except ValueError:
            raise ReplayError(f"{text!r} is no load address: write 0x8000, $8000 or 32768") from None
    return text


def _machine(options: argparse.Namespace) -> Machine:
    if _is_program(options.board):
        if options.rom:
            raise ReplayError(f"{options.board} is a program by itself: it goes without --rom")
        # The file's header says which processor, unless somebody knows better.
        machine = Machine("sim65", rom=options.board, arguments=[options.board, *options.arguments])
    elif options.arguments:
        raise ReplayError(
            f"only a C program takes arguments ({options.arguments[0]!r}), and {options.board} is a board"
        )
    else:
        machine = Machine(options.board, rom=_rom(options.rom), cpu=options.cpu)
    if options.directory is not None:
        _file_calls(machine).attach(Directory(options.directory))
    return machine


def _is_program(name: str) -> bool:
    """Whether it is the file of a program for cc65's simulator target."""
    try:
        with Path(name).open("rb") as file:
            return file.read(5) == b"sim65"
    except OSError:
        return False


def _file_calls(machine: Machine) -> Device:
    for device in machine.devices.values():
        if device.kind == "sim65":
            return device
    raise ReplayError(
        f"--directory is for file calls, and the board {machine.board.name} has no device that serves any"
    )


def _converse(machine: Machine, options: argparse.Namespace) -> int:
    """Runs the machine on this terminal; gives the exit status."""
    until = None if options.until is None else options.until.encode()
    if machine.board.name == "sim65":
        stop: Stop | None = run_program(
            machine, seconds=options.seconds, instructions=options.instructions, until=until
        )
        if machine.exit_code is not None:
            return machine.exit_code
    else:
        stop = converse(machine, seconds=options.seconds, instructions=options.instructions, until=until)
    if stop is not None and stop.reason in ("halted", "jammed", "shutdown", "end"):
        _say(f"the machine stopped at icount {stop.icount}, pc {stop.pc:#06x}: {stop.reason}")
    return SUCCESS


def _demo(options: argparse.Namespace) -> int:
    run_demo(options.path, options.seed)
    return SUCCESS


def _run(options: argparse.Namespace) -> int:
    return _converse(_machine(options), options)


def _record(options: argparse.Namespace) -> int:
    machine = _machine(options)
    with machine.record(options.recording, digest_every=options.digest_every, chaos=options.chaos) as recording:
        status = _converse(machine, options)
    _say(f"recorded {count(recording.icount)} instructions in {count(recording.size)} bytes: {recording.path}")
    return status


def _open(options: argparse.Namespace) -> Recording:
    recording = Recording(options.recording, salvage=options.salvage)
    if recording.damage is not None:
        _say(recording.damage)
    return recording


def _replay(options: argparse.Namespace) -> int:
    recording = _open(options)
    machine = recording.replay(options.scheduler, rom=_rom(options.rom))
    left: int | None = options.instructions
    reason = "budget"
    try:
        while reason == "budget" and left != 0:
            portion = 1_000_000 if left is None else min(left, 1_000_000)
            reason = machine.run(instructions=portion).reason
            left = None if left is None else left - portion
            write_bytes(machine.console.read())
    except Divergence as divergence:
        # What it printed until then belongs before the report.
        write_bytes(machine.console.read())
        if not options.json:
            raise
        print(
            json.dumps({"ok": False, "scheduler": options.scheduler, "divergence": divergence.as_dict()}),
            file=sys.stderr,
        )
        return FINDING
    return SUCCESS


def _verify(options: argparse.Namespace) -> int:
    recording = _open(options)
    chosen: Scheduler = options.scheduler
    schedulers: tuple[Scheduler, ...] = ("threads", "inline") if options.scheduler == "both" else (chosen,)
    results: dict[Scheduler, Verification] = {}
    for scheduler in schedulers:
        try:
            with Progress(f"verifying ({scheduler})") as progress:
                results[scheduler] = recording.verify(progress=progress, scheduler=scheduler, rom=_rom(options.rom))
        except Divergence as divergence:
            if not options.json:
                raise
            print(json.dumps({"ok": False, "scheduler": scheduler, "divergence": divergence.as_dict()}))
            return FINDING
    if options.json:
        print(json.dumps({"ok": True, "schedulers": {name: _attributes(v) for name, v in results.items()}}))
        return SUCCESS
    for scheduler, result in results.items():
        verdict = "ok" if result.ok else "agrees as far as it goes"
        print(
            f"{recording.path}: {verdict}, {scheduler}: {count(result.icount)} instructions, "
            f"{count(result.events)} events, {count(result.digests)} digests agree, {result.wall_seconds:.2f} s"
        )
    return SUCCESS


def _attributes(thing: object) -> dict[str, Any]:
    values = {name: getattr(thing, name) for name in dir(thing) if not name.startswith("_")}
    return {name: value for name, value in values.items() if not callable(value)}


def _info(options: argparse.Namespace) -> int:
    recording = _open(options)
    info = recording.info()
    if options.json:
        print(json.dumps(info, default=_plain))
        return SUCCESS
    print(f"{recording.path}")
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


def _dump(options: argparse.Namespace) -> int:
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


def _seek(options: argparse.Namespace) -> int:
    recording = _open(options)
    timeline = recording.timeline(rom=_rom(options.rom))
    timeline.seek(timeline.end_icount if options.icount is None else options.icount, cycles=options.cycles)
    show_place(timeline, as_json=options.json)
    return SUCCESS


def _diff(options: argparse.Namespace) -> int:
    differ = tell_difference(options.a, options.b, as_json=options.json, salvage=options.salvage)
    return FINDING if differ else SUCCESS


def _boards(options: argparse.Namespace) -> int:
    if options.name is not None:
        text = Board.preset(options.name).to_toml()
        print(text, end="" if text.endswith("\n") else "\n")
    elif options.json:
        print(json.dumps(boards()))
    else:
        print("\n".join(boards()))
    return SUCCESS


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
