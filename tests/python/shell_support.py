"""The command `rreplay` as its users run it: in a process of its own, on pipes and on pseudo-terminals."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

COMMAND = (sys.executable, "-m", "rreplay")

WAIT_SECONDS = 60.0
"""No test waits longer for a process to do what it should."""

IN_SESSION = """
import fcntl, os, sys, termios
os.setsid()
if sys.argv.pop(1) == "controlled":
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "rreplay", *sys.argv[1:]])
"""
"""Becomes the command, with standard input as the terminal that controls it, or as one that sends no signals."""


def shell(
    *arguments: object, typed: bytes = b"", cwd: Path | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[bytes]:
    """Runs the command to its end."""
    return subprocess.run(
        [*COMMAND, *(a if isinstance(a, bytes) else str(a) for a in arguments)],
        input=typed,
        capture_output=True,
        timeout=timeout,
        check=False,
        cwd=cwd,
    )


def image(path: Path, program: bytes, at: int = 0x200) -> list[str]:
    """The words that put `program` on the board py65mon, in files beside `path`, and start it."""
    vector = path.with_suffix(".vector")
    path.write_bytes(program)
    vector.write_bytes(at.to_bytes(2, "little"))
    return ["py65mon", "--rom", f"{at:#x}={path}", "--rom", f"0xFFFC={vector}"]


def sim65_program(path: Path, program: bytes) -> Path:
    """A program for cc65's simulator target, which starts at 0200."""
    path.write_bytes(b"sim65" + bytes([2, 0, 0x80]) + b"\x00\x02\x00\x02" + program)
    return path


def read_until(descriptor: int, wanted: bytes) -> bytes:
    """What comes from a pipe or a terminal, until it ends with `wanted` or with nothing more."""
    seen = b""
    deadline = time.monotonic() + WAIT_SECONDS
    while not seen.endswith(wanted) and time.monotonic() < deadline:
        if not select.select([descriptor], [], [], 1.0)[0]:
            continue
        try:
            data = os.read(descriptor, 4096)
        except OSError:
            break
        if not data:
            break
        seen += data
    return seen


class Terminal:
    """The command on a pseudo-terminal, which controls it; what a person types is written to `control`."""

    def __init__(self, *arguments: object, controls: bool = True) -> None:
        self.control, self.terminal = os.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", IN_SESSION, "controlled" if controls else "alone", *map(str, arguments)],
            stdin=self.terminal,
            stdout=self.terminal,
            stderr=self.terminal,
        )

    def read_until(self, wanted: bytes) -> bytes:
        """What is on the screen since the last call, until it ends with `wanted`."""
        return read_until(self.control, wanted)

    def type(self, keys: bytes) -> None:
        """Presses keys."""
        os.write(self.control, keys)

    def hang_up(self) -> None:
        """Closes the terminal, as a window or a line is closed."""
        os.close(self.terminal)
        os.close(self.control)
        self.terminal = self.control = -1

    def wait(self) -> int:
        """The exit status, once the command has ended; what it prints meanwhile is read and dropped."""
        with contextlib.suppress(OSError):
            while self.control >= 0 and self.process.poll() is None:
                if select.select([self.control], [], [], 0.05)[0]:
                    os.read(self.control, 4096)
        return self.process.wait(WAIT_SECONDS)

    def close(self) -> None:
        """Ends what is left of it."""
        for descriptor in (self.terminal, self.control):
            if descriptor >= 0:
                os.close(descriptor)
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def terminal(*arguments: object, controls: bool = True) -> Iterator[Terminal]:
    """The command on a terminal, which is gone afterwards."""
    one = Terminal(*arguments, controls=controls)
    try:
        yield one
    finally:
        one.close()


@contextlib.contextmanager
def piped(
    *arguments: object, cwd: Path | None = None, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """The command with pipes for all its streams, killed afterwards if it has not ended."""
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
    ) as process:
        try:
            yield process
        finally:
            process.kill()
