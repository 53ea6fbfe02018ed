"""The command line: its commands and options, and the values that they take."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn, get_args

from .._core import __version__
from ..enums import EventKind, Scheduler
from ..machine.output_pattern import PATTERN_WINDOW
from .exit_status import BAD_INPUT, TABLE
from .messages import say

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

MOST = (1 << 64) - 1
"""The most that the engine counts to."""

SECONDS_MAX = 1e9
"""Virtual seconds, some thirty years."""


class Parser(argparse.ArgumentParser):
    """Reports what is wrong on one line, with where to read more, as all other errors are reported."""

    def error(self, message: str) -> NoReturn:
        """Ends the program with the status for bad input."""
        say(f"{message}; {self.prog} --help says what there is")
        self.exit(BAD_INPUT)

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        # The inherited one is silent about a help that cannot be written.
        if message and file is not None:
            file.write(message)


def whole(least: int = 0, most: int = MOST) -> Callable[[str], int]:
    """A whole number within bounds, as `type=` of an argument."""

    def parse(text: str) -> int:
        try:
            number = int(text) if len(text) <= 40 else None
        except ValueError:
            number = None
        if number is None or not least <= number <= most:
            end = "on" if most == MOST else f"to {most}"
            raise argparse.ArgumentTypeError(f"takes a whole number from {least} {end}, and {_quoted(text)} is not")
        return number

    return parse


def seconds(text: str) -> float:
    """Virtual seconds, as `type=` of an argument."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= SECONDS_MAX:
        raise argparse.ArgumentTypeError(f"takes seconds from 0 to {SECONDS_MAX:,.0f}, and {_quoted(text)} is not")
    return number


def some_seconds(text: str) -> float:
    """The same, but for none at all."""
    number = seconds(text)
    if number == 0:
        raise argparse.ArgumentTypeError("takes more than no time")
    return number


def printed(text: str) -> str:
    """What a console may print, as `type=` of an argument."""
    if not 0 < len(os.fsencode(text)) <= PATTERN_WINDOW:
        raise argparse.ArgumentTypeError(f"waits for 1 to {PATTERN_WINDOW} bytes, and {_quoted(text)} is not as long")
    return text


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def parsed(words: Sequence[str]) -> argparse.Namespace:
    """The command line's options; `command` is the command's name, and `words` are the words themselves.

    Options may stand between a C program and its arguments.

    Raises:
        SystemExit: The words are wrong, which is said, or ask for help alone.
    """
    top = _parser()
    options, rest = top.parse_known_args(words)
    if rest and options.command in ("run", "record"):
        dashes = rest.index("--") if "--" in rest else len(rest)
        if not any(word.startswith("-") for word in rest[:dashes]):
            options.arguments += rest[:dashes] + rest[dashes + 1 :]
            rest = []
    if rest:
        top.prog += f" {options.command}"
        top.error(f"there is no use here for {' '.join(rest)}")
    options.words = list(words)
    return options


def _parser() -> Parser:
    top = Parser(
        prog="rreplay",
        description="Record a run of an 8-bit machine, replay it exactly, look into it.",
        epilog=TABLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"rreplay {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND", dest="command")

    demo = commands.add_parser("demo", help="boot, record, replay and verify a session, and show what happened")
    demo.add_argument("--path", help="where to keep the recording (default: demo.rreplay, demo-1.rreplay, ...)")
    demo.add_argument("--force", action="store_true", help="replace a recording that is there")
    demo.add_argument("--seed", type=whole(), help="of the random typing moments (default: another each time)")

    run = commands.add_parser("run", help="run a board with its console on this terminal", epilog=ENDS)
    _machine_options(run)

    record = commands.add_parser("record", help="run, and record into a file", epilog=ENDS)
    _machine_options(record)
    record.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="the recording (default: the name of BOARD or PROGRAM with .rreplay, then with -1, -2, ...)",
    )
    record.add_argument("--force", action="store_true", help="replace a recording that is there; never another file")
    record.add_argument("--digest-every", type=whole(1), metavar="N", help="instructions between two digests")
    record.add_argument("--snapshot-every", type=whole(1), metavar="N", help="instructions between two snapshots")
    record.add_argument(
        "--chaos",
        type=whole(),
        metavar="SEED",
        help="draw by SEED what hardware leaves open, so that rare orders come up",
    )
    _recordings(commands)

    listing = commands.add_parser("boards", help="the preset boards, or one of them as TOML")
    listing.add_argument("name", nargs="?", help="print this preset's description")
    listing.add_argument("--json", action="store_true", help="one JSON list")
    return top


ENDS = (
    "A run ends by --seconds, --instructions or --until, if any is given, or by the guest's own end, and by nothing "
    "else. Otherwise it ends at a terminal with Ctrl-], and from a pipe when the input is at its end and the guest has "
    "been quiet for --quiet virtual seconds: it prints nothing, and waits. A guest that computes is not quiet."
)


def _machine_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "board",
        metavar="BOARD|PROGRAM",
        nargs="?",
        default="breadboard",
        help="preset, .toml file, or C program of cc65's target sim6502 (default: breadboard)",
    )
    command.add_argument(
        "arguments", nargs="*", metavar="ARGUMENT", help="for the C program's main; after -- if they begin with -"
    )
    command.add_argument(
        "--directory", metavar="DIR", help="let the C program's file calls reach DIR and what is below it"
    )
    command.add_argument(
        "--rom",
        action="append",
        default=[],
        metavar="[PLACE=]FILE",
        help="image for the main ROM, or for a region or load address (0x8000=image.bin); may be repeated",
    )
    command.add_argument("--cpu", metavar="CPU", help="another processor: 6502 (NMOS) or 65c02")
    command.add_argument("--seconds", type=seconds, metavar="S", help="stop after S virtual seconds")
    command.add_argument("--instructions", type=whole(), metavar="N", help="stop after N instructions")
    command.add_argument("--until", type=printed, metavar="TEXT", help="stop when the console has printed TEXT")
    command.add_argument("--quiet", type=some_seconds, metavar="S", help="see below (default: 1)")
    command.add_argument(
        "--fail-on-limit", action="store_true", help="exit status 124 if --seconds or --instructions ends the run"
    )


def _recordings(commands: argparse._SubParsersAction[Parser]) -> None:
    """The commands that read a recording."""
    replay = commands.add_parser("replay", help="play a recording; its console goes to standard output")
    _recording_option(replay)
    _replay_rom_option(replay)
    replay.add_argument("--scheduler", choices=get_args(Scheduler), default="inline")
    replay.add_argument("--instructions", type=whole(), metavar="N", help="stop after N instructions")
    replay.add_argument("--json", action="store_true", help="a divergence as one JSON object, on standard error")

    verify = commands.add_parser("verify", help="replay a recording and compare every event and digest")
    _recording_option(verify)
    _replay_rom_option(verify)
    verify.add_argument(
        "--scheduler", choices=[*get_args(Scheduler), "both"], default="inline", help="(default: inline)"
    )
    verify.add_argument("--json", action="store_true", help="one JSON object")

    info = commands.add_parser("info", help="what a recording holds, without replaying it")
    _recording_option(info)
    info.add_argument("--json", action="store_true", help="one JSON object")

    dump = commands.add_parser("dump", help="the events of a recording, one a line")
    _recording_option(dump)
    dump.add_argument("--kind", choices=get_args(EventKind), metavar="KIND", help="only this kind of event")
    dump.add_argument("--start", type=whole(), metavar="N", help="only events at or after this icount")
    dump.add_argument("--stop", type=whole(), metavar="N", help="only events before this icount")
    dump.add_argument("--limit", type=whole(), metavar="N", help="at most N events")
    dump.add_argument("--json", action="store_true", help="one JSON object a line")

    seek = commands.add_parser("seek", help="the machine at a place of a recording: registers, code, console")
    _recording_option(seek)
    seek.add_argument("icount", type=whole(), nargs="?", help="instructions retired (default: the end)")
    seek.add_argument("--cycles", type=whole(), metavar="N", help="where the processor waits there: at this cycle")
    _replay_rom_option(seek)
    seek.add_argument("--json", action="store_true", help="one JSON object")

    diff = commands.add_parser(
        "diff",
        help="where two recordings part: the first event, the first instruction; of two ROMs, where these differ",
        epilog="With --rom in place of B: where the ROM differs from the recorded one, and the first instruction "
        "of the recording that has another effect with it.",
    )
    diff.add_argument("a", help="an rreplay recording; - for standard input")
    diff.add_argument("b", nargs="?", help="another one, of the same board")
    diff.add_argument(
        "--rom",
        action="append",
        default=[],
        metavar="[PLACE=]FILE",
        help="in place of B: a changed image, for the main ROM, or for a region or load address; may be repeated",
    )
    diff.add_argument("--salvage", action="store_true", help="open what is left of a damaged file")
    diff.add_argument("--json", action="store_true", help="one JSON object")


def _recording_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("recording", help="an rreplay recording; - for standard input")
    command.add_argument("--salvage", action="store_true", help="open what is left of a damaged file")


def _replay_rom_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--rom",
        action="append",
        default=[],
        metavar="[PLACE=]FILE",
        help="the recorded image, for a recording that holds only its hash; another image is refused",
    )
