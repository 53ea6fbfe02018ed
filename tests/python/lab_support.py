"""Driving the suite of the `lab` board: a command, what a person does meanwhile, and the answer."""

from __future__ import annotations

import wave
from collections.abc import Callable, Iterable
from pathlib import Path

import rreplay as rr

SUITE_ADDRESS = bytes([2, 0, 0, 0, 0, 1])
SENDER = bytes([2, 0, 0, 0, 0, 9])
SECTOR = 512


def started(machine: rr.Machine) -> rr.Machine:
    """A machine that shows the suite's first prompt."""
    assert machine.run(output=b"> ", seconds=1).reason == "output"
    return machine


def command(machine: rr.Machine, letter: str, *actions: Callable[[], object], start: int = 0) -> str:
    """Types a command and does the actions a twentieth of a second after each other.

    Gives what the command prints. Real time passes while the machine waits, for some commands wait for the host's
    clock.
    """
    start = start or len(machine.console.output)
    machine.console.send(letter.encode())
    for action in actions:
        machine.run(seconds=0.05)
        action()
    stop = machine.run(output=b"\n> ", sleep=True, seconds=10)
    printed = machine.console.output[start:].decode()
    assert stop.reason == "output", f"{letter}: {stop}, {printed!r}"
    lines = printed.split("\r\n")
    assert lines[0] == letter
    return "\n".join(lines[1:-1])


def frame(destination: bytes, source: bytes, payload: bytes) -> bytes:
    """An Ethernet frame of an experimental type."""
    return destination + source + b"\x88\xb5" + payload


def disk_image(path: Path, sectors: int = 8) -> Path:
    """A disk of which each sector begins with its number, and goes on counting."""
    path.write_bytes(b"".join(bytes((sector + i) % 256 for i in range(SECTOR)) for sector in range(sectors)))
    return path


def wav(path: Path, samples: Iterable[int], *, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(8000)
        file.writeframes(b"".join(sample.to_bytes(width, "little", signed=True) for sample in samples))
    return path


def wav_samples(path: Path) -> list[int]:
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        data = file.readframes(file.getnframes())
    return [int.from_bytes(data[at : at + 2], "little", signed=True) for at in range(0, len(data), 2)]
