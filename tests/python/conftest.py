from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import rreplay as rr

pytest_plugins = ["pytester"]

# The commands under test run as they do for a person, whatever the suite is run by: their output is buffered, and they
# hear Ctrl-C, which a shell makes what it runs in the background ignore.
os.environ.pop("PYTHONUNBUFFERED", None)
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

START = 0x1000

ECHO = bytes.fromhex("AD04F0 F0FB 8D01F0 4C0010")
"""LDA F004; BEQ *-3; STA F001; JMP 1000: prints each key, on py65mon."""

COUNT = bytes.fromhex("E8 D0FD C8 4C0010")
"""INX; BNE *-1; INY; JMP 1000: counts in X and Y for ever, on any board with RAM at 1000."""

STOP = bytes.fromhex("DB")
"""STP."""

Make = Callable[[bytes], rr.Machine]


def image(program: bytes) -> dict[str | int, bytes]:
    """`program` at 1000, and a reset vector that points there."""
    return {START: program, 0xFFFC: bytes([START & 0xFF, START >> 8])}


@pytest.fixture
def make() -> Make:
    """A py65mon machine that starts with the given program."""

    def machine_of(program: bytes) -> rr.Machine:
        return rr.Machine("py65mon", rom=image(program))

    return machine_of


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[rr.Machine, rr.LiveRecording]:
    """A finished conversation with the monitor, and the machine in its last state."""
    machine = rr.Machine("breadboard")
    with machine.record(tmp_path / "run.rreplay", digest_every=50_000) as recording:
        machine.console.expect(b"> ")
        machine.console.send(b"uptime\r")
        machine.console.expect(b"\n> ")
    return machine, recording
