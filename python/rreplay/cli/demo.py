"""`rreplay demo`: a session typed at random moments, recorded on two threads, replayed on two and on one."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..enums import Scheduler
from ..errors import Divergence, EngineError
from ..machine.machine import Machine
from ..recording.live import LiveRecording
from ..recording.recording import open as open_recording
from .signals import Signals
from .terminal import TerminalBar, bold, count, table

PROMPT = b"> "

LINES = (
    b"ver",
    b"x 8000.800f",
    b"d 400 48 65 6C 6C 6F 2C 20 77 6F 72 6C 64 21 0D 0A 00",
    b"x 400.40f",
    b"d 500 A9 00 A2 04 20 0C 80 60",
    b"g 500",
    b"wait 25",
    b"uptime",
    b"sum 8000 FFFF",
    b"x 70G",
    b"stat",
)
"""What is typed: look at ROM, put a string and a program that prints it, run that, wait in WAI, ask the time, err."""

LAST_LINE = b"halt"

DIGEST_EVERY = 50_000
"""Instructions between two digests; far more of them than a recording needs, to show how they agree."""

PROMPT_SECONDS_MAX = 20.0
"""How long the typist waits for a prompt, in real seconds."""


@dataclass
class Typist(threading.Thread):
    """Types the session from a thread of its own, in pieces of random length at random moments."""

    machine: Machine
    seed: int
    failure: str | None = None

    def __post_init__(self) -> None:
        super().__init__(name="typist", daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        """Types each line once the prompt for it is there."""
        dice = random.Random(self.seed)
        for number, line in enumerate((*LINES, LAST_LINE), start=1):
            if not self._prompts_seen(number):
                self.failure = f"no prompt for {line.decode()!r} within {PROMPT_SECONDS_MAX:g} s"
                self.machine.stop()
                return
            self._type(line + b"\r", dice)

    def _prompts_seen(self, number: int) -> bool:
        deadline = time.monotonic() + PROMPT_SECONDS_MAX
        while self.machine.console.output.count(b"\n" + PROMPT) < number:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.002)
        return True

    def _type(self, line: bytes, dice: random.Random) -> None:
        while line:
            length = dice.randint(1, 4)
            self.machine.console.send(line[:length])
            line = line[length:]
            time.sleep(dice.uniform(0.0, 0.03))


def run_demo(path: Path, seed: int | None, signals: Signals) -> None:
    """Records, replays, verifies, and prints what happened.

    Args:
        path: Where to keep the recording.
        seed: Of the typing moments; another each time unless given.
        signals: One that comes while the session is recorded ends it there, with the recording finished.

    Raises:
        ReplayError: Something did not work; nothing is hidden.
    """
    seed = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    machine = Machine("breadboard")
    print(bold("rreplay demo"))
    print(
        f"A {machine.board.clock_hz / 1e6:g} MHz W65C02 boots our monitor ROM. A session is typed into its serial\n"
        f"port, from another thread, at random moments (seed {seed}), while timers and interrupts run.\n"
    )
    recording, seconds = _record(machine, path, seed, signals)
    if signals.received is not None:
        return
    _show_transcript(recording)
    _show_recording(recording, seconds)
    _show_replays(recording, machine)
    _show_reopening(recording)


def _record(machine: Machine, path: Path, seed: int, signals: Signals) -> tuple[LiveRecording, float]:
    typist = Typist(machine, seed)
    start = time.perf_counter()
    with signals.deferred(machine.stop), machine.record(path, digest_every=DIGEST_EVERY) as recording:
        typist.start()
        machine.run(scheduler="threads", sleep=True, wait_for_input=True)
    if signals.received is None:
        typist.join()
        if typist.failure is not None:
            raise EngineError(typist.failure)
    return recording, time.perf_counter() - start


def _show_transcript(recording: LiveRecording) -> None:
    print(bold("What the serial port said"))
    text = recording.output.decode("ascii", errors="backslashreplace").replace("\r", "")
    print("\n".join(f"  | {line}" for line in text.strip().split("\n")))
    print()


def _show_recording(recording: LiveRecording, seconds: float) -> None:
    instructions = recording.icount - recording.start_icount
    info = recording.info()
    kinds = Counter(_describe(event.kind, event.payload) for event in recording.events())
    print(bold("What was recorded"))
    rows = [
        ("time", f"{seconds:.2f} s on two threads, {recording.duration:.2f} s in the machine"),
        ("instructions", count(instructions)),
        (
            "file",
            f"{count(recording.size)} bytes: {count(info['header_bytes'])} for board, ROM and first state,",
        ),
        ("", f"{count(info['event_bytes'])} for the events, the rest to find and to check them"),
        ("events", count(sum(kinds.values()))),
    ]
    print(table(rows))
    print(table([(f"  {kind}", f"{number:>6,}") for kind, number in kinds.most_common()]))
    print()


def _describe(kind: str, payload: dict[str, object]) -> str:
    """An event's kind, and for some the kind within."""
    detail = next(
        (payload[name] for name in ("interrupt", "exception", "clock", "checkpoint") if name in payload), None
    )
    return kind if detail is None else f"{kind} {detail}"


def _show_replays(recording: LiveRecording, machine: Machine) -> None:
    """Replays under both schedulers, with `run` and with `verify`."""
    print(bold("Replays"))
    instructions = recording.icount - recording.start_icount
    schedulers: tuple[Scheduler, ...] = ("threads", "inline")
    for scheduler in schedulers:
        again = recording.replay(scheduler)
        start = time.perf_counter()
        again.run()
        seconds = time.perf_counter() - start
        same = again.digest() == machine.digest() and again.console.output == recording.output
        with TerminalBar(f"verifying ({scheduler})") as progress:
            result = recording.verify(progress=progress, scheduler=scheduler)
        print(
            f"  {scheduler:<8} {'identical' if same else 'DIFFERENT'}: {count(result.events)} events and "
            f"{count(result.digests)} digests agree; {instructions / seconds / 1e6:.0f} million instructions a second,"
        )
        print(f"  {'':<8} {count(recording.duration / seconds)} times as fast as the machine itself")
        if not same:
            raise Divergence("the replay ended in another state than the recording")
    print(f"  digest   {machine.digest()}")
    print()


def _relative(path: str) -> str:
    """`path` relative to the current directory, if it is below that."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path


def _show_reopening(recording: LiveRecording) -> None:
    print(bold("Open it yourself"))
    print(f"  {open_recording(recording.path).path.resolve()}")
    print()
    print(f"  $ {_relative(sys.executable)}")
    print("  import rreplay")
    print(f"  recording = rreplay.open({str(recording.path)!r})")
    print("  print(recording.replay().run(), recording.output.decode())")
