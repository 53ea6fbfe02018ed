"""Exit statuses: which one a run's end maps to, and the messages about it. Nothing else decides either."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import FaultError
from ..machine.console import TAIL_BYTES
from .bounded_run import Ending, Limits
from .messages import for_shell, say

if TYPE_CHECKING:
    from .._core import Stop
    from ..machine.machine import Machine
    from ..recording.recording import Recording

SUCCESS = 0
FINDING = 1
BAD_INPUT = 2
CRASHED = 3
DEFECT = 70
OUT_OF_LIMIT = 124
BY_SIGNAL = 128
"""Plus the signal's number."""

HANGUP = 1
"""SIGHUP's number, for systems that have no such signal."""
BROKEN_PIPE = 13
"""SIGPIPE's, which Python turns into an error."""

TABLE = """\
exit status:
  0    as asked; of a C program, the status that it passed to exit
  1    a finding: --until not seen, a divergence, a difference, a failed check
  2    wrong usage or bad input, or output that cannot be written
  3    the guest crashed: it jammed, panicked, or did what its board forbids
  70   a defect of rreplay
  124  a limit was reached, with --fail-on-limit
  129, 130, 143, 141
       ended by SIGHUP, SIGINT or SIGTERM, with the recording finished, or because nobody reads the output any more
"""


@dataclass(frozen=True)
class Crash:
    """How a guest crashed."""

    what: str
    icount: int
    """Where to look at it: just before the instruction that did it."""


def crash_of(machine: Machine, stop: Stop | None, fault: FaultError | None) -> Crash | None:
    """The crash that a run ended with, if it was one."""
    if fault is not None:
        found = re.search(r"at icount (\d+)", str(fault))
        icount = int(found[1]) if found else machine.icount
        return Crash(f"{for_shell(str(fault))}; the next instruction is {_instruction(machine)}", icount)
    if stop is None:
        return None
    if stop.reason == "jammed" or (stop.reason == "end" and _is_jammed(machine)):
        return Crash(f"it jammed at {_instruction(machine)}, icount {stop.icount}", stop.icount)
    if stop.shutdown == "guest_panic":
        where = f"icount {stop.icount}; the next instruction is {_instruction(machine)}"
        return Crash(f"it reported a panic ({stop.shutdown}) before {where}", max(stop.icount - 1, 0))
    return None


def _is_jammed(machine: Machine) -> bool:
    """Whether the processor of a replay at its end has jammed: the end is all that the replay itself says."""
    return machine.copy().run(instructions=1).reason == "jammed"


def _instruction(machine: Machine) -> str:
    instruction = machine.disassemble()[0]
    return f"${instruction.address:04X} ({instruction.text})"


def exit_status(
    ending: Ending,
    machine: Machine,
    limits: Limits,
    *,
    fail_on_limit: bool,
    look: str,
    signal_number: int | None,
    recording: Recording | None = None,
) -> int:
    """Prints what there is to say about the end of a run, and returns the exit status.

    Args:
        ending: How it ended.
        machine: What ran.
        limits: What it was told.
        fail_on_limit: Whether running into a limit is a failure.
        look: The command that shows a crash, without the place.
        signal_number: The signal that ended it, if one did.
        recording: Of the run, if there is one.
    """
    if ending.why == "signal":
        return BY_SIGNAL + (signal_number or signal.SIGINT)
    crash = crash_of(machine, ending.stop, ending.fault)
    if crash is not None:
        return say_crash(crash, look, recording)
    if ending.why == "guest" and ending.stop is not None and machine.exit_code is None:
        stop = ending.stop
        cause = f" ({stop.shutdown})" if stop.shutdown else ""
        say(f"the machine stopped at icount {stop.icount}, pc {stop.pc:#06x}: {stop.reason}{cause}")
    if ending.why == "quiet":
        say(
            f"the input has ended, and the guest waits and is quiet: stopped at icount {machine.icount} "
            "(--quiet, --seconds, --instructions and --until say when else)"
        )
    unseen = limits.until is not None and ending.why != "until"
    if unseen:
        say_unseen(machine, limits)
    if ending.why == "hangup":
        return BY_SIGNAL + HANGUP
    if machine.exit_code:
        return machine.exit_code
    if ending.why == "limit" and fail_on_limit:
        say(f"a limit was reached at icount {machine.icount}, {machine.time:g} virtual seconds")
        return OUT_OF_LIMIT
    return FINDING if unseen else SUCCESS


def say_crash(crash: Crash, look: str, recording: Recording | None) -> int:
    """Prints how the guest crashed and how to look at it; returns the exit status."""
    say(f"the guest crashed: {crash.what}")
    if recording is not None:
        # What it stands before now is not what did it.
        at = recording.timeline().at(crash.icount)
        instruction = at.disassemble()[0]
        say(f"the instruction that did it: icount {at.icount}, ${instruction.address:04X} ({instruction.text})")
    say(f"look at it: {look} {crash.icount}")
    return CRASHED


def say_unseen(machine: Machine, limits: Limits) -> None:
    """Says that what was waited for has not been printed, with the console's last lines."""
    wanted = (limits.until or b"").decode(errors="backslashreplace")
    say(f"the console did not print {wanted!r} until icount {machine.icount}, {machine.time:g} virtual seconds")
    tail = machine.console.output[-TAIL_BYTES:].decode("utf-8", "backslashreplace")
    if not tail:
        say("it printed nothing at all")
        return
    say("it ended with:")
    for line in tail.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n"):
        say(f"  | {_printable(line)}".rstrip())


def _printable(text: str) -> str:
    """`text` with its control characters written out: a guest's are not this terminal's."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
