"""Whatever a path leads to, nobody waits for it: FIFOs, terminals, sockets, directories, devices without an end.

Each case runs in a process of its own, which would be killed if it waited; what it answers is compared with what it
should: it works, or is refused by name.
"""

from __future__ import annotations

import os
import pty
import select
import socket
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

import rreplay as rr
from rreplay.arguments import files

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX")

PATIENCE_SECONDS = 120
"""What a process may take: far more than it does, so that one which waits is a failure."""

CALLS = """
import os, sys
import rreplay as rr

what, path = sys.argv[1:3]

def attached(device, host):
    machine = rr.Machine("lab")
    machine.devices[device].attach(host)
    machine.run(instructions=20_000)

def recorded(use):
    machine = rr.Machine("breadboard")
    with machine.record("good.rreplay") as recording:
        machine.run(instructions=100)
    return use(recording)

def sim65():
    return rr.Machine("sim65", rom=sys.argv[3]).devices["host"]

calls = {
    "Files output": lambda: attached("acia", rr.Files(path)),
    "Files append": lambda: attached("acia", rr.Files(path, append=True)),
    "Files input": lambda: attached("acia", rr.Files(input=path)),
    "DiskImage": lambda: attached("disk", rr.DiskImage(path)),
    "DiskImage writable": lambda: attached("disk", rr.DiskImage(path, writable=True)),
    "WavInput": lambda: attached("sound", rr.WavInput(path)),
    "WavOutput": lambda: attached("sound", rr.WavOutput(path)),
    "Pcap output": lambda: attached("network", rr.Pcap(path)),
    "Pcap input": lambda: attached("network", rr.Pcap(input=path)),
    "Directory": lambda: sim65().attach(rr.Directory(path)),
    "board": lambda: rr.Machine(path),
    "rom": lambda: rr.Machine("breadboard", rom=path),
    "symbols": lambda: recorded(lambda recording: recording.timeline(symbols=path)),
    "picture": lambda: rr.Machine("lab").devices["display"].image.to_png(path),
    "record": lambda: rr.Machine("breadboard").record(path),
    "Replay.record": lambda: rr.Replay.record(path),
    "cut": lambda: recorded(lambda recording: recording.cut(10, 20, path)),
    "open": lambda: rr.open(path),
    "salvage": lambda: rr.open(path, salvage=True),
    "Replay.play": lambda: rr.Replay.play(path),
}
try:
    calls[what]()
    print("done")
except rr.ReplayError as error:
    print(type(error).__name__, error)
"""

SIM65 = Path(__file__).parents[2] / "guests/programs/sim65_calls.bin"

HOST, LOG = "HostError", "LogError"

FIFO = {
    "Files output": "done",
    "Files append": "done",
    "Files input": "done",
    "DiskImage": HOST,
    "DiskImage writable": HOST,
    "WavInput": HOST,
    "WavOutput": HOST,
    "Pcap output": HOST,
    "Pcap input": HOST,
    "Directory": HOST,
    "board": "BoardError",
    "rom": "RomError",
    "symbols": "ArgumentError",
    "picture": HOST,
    "record": LOG,
    "Replay.record": LOG,
    "cut": LOG,
    "open": LOG,
    "salvage": LOG,
    "Replay.play": LOG,
}
"""What each answers where a FIFO is."""

SOCKET = FIFO | {"Files output": HOST, "Files append": HOST, "Files input": HOST}
TERMINAL = FIFO
DIRECTORY = SOCKET | {"Directory": "done"}
ENDLESS = FIFO | {
    "WavOutput": "done",
    "Pcap output": "done",
    "picture": "done",
    "record": "done",
    "Replay.record": "done",
}


def answer(directory: Path, what: str, path: Path | str) -> str:
    command = [sys.executable, "-c", CALLS, what, os.fspath(path), str(SIM65)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        # A terminal that is opened must not become the test's own.
        start_new_session=True,
    )
    assert done.returncode == 0, f"{what}: {done.stderr}"
    return done.stdout


def check(directory: Path, expected: dict[str, str], path: Path | str, kind: str) -> None:
    wrong = []
    for what, right in expected.items():
        said = answer(directory, what, path)
        named = right == "done" or (Path(path).name in said and (kind in said or right == LOG or what == "Directory"))
        if not said.startswith(right) or not named:
            wrong.append(f"{what}: {said.strip()}")
    assert wrong == []


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    # A board's file has that name, and the others do not mind.
    path = tmp_path / "odd.toml"
    os.mkfifo(path)
    return path


def test_a_fifo_without_another_end(tmp_path: Path, fifo: Path) -> None:
    check(tmp_path, FIFO, fifo, "FIFO")


def test_a_fifo_whose_other_end_is_silent_and_full(tmp_path: Path, fifo: Path) -> None:
    descriptor = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    try:
        with pytest.raises(BlockingIOError):
            while True:
                os.write(descriptor, bytes(4096))
        check(tmp_path, {what: right for what, right in FIFO.items() if what != "Files input"}, fifo, "FIFO")
        while os.read(descriptor, 65536):
            if not _readable(descriptor):
                break
        check(tmp_path, {"Files input": "done"}, fifo, "FIFO")
    finally:
        os.close(descriptor)


def _readable(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Path]:
    """A terminal at which nobody types, and whose output somebody has stopped."""
    controller, other = pty.openpty()
    termios.tcflow(other, termios.TCOOFF)
    path = tmp_path / "odd.toml"
    path.symlink_to(os.ttyname(other))
    yield path
    termios.tcflow(other, termios.TCOON)
    os.close(controller)
    os.close(other)


def test_a_terminal_that_is_stopped(tmp_path: Path, terminal: Path) -> None:
    expected = {what: right for what, right in TERMINAL.items() if what not in ("board", "rom", "symbols")}
    check(tmp_path, expected, terminal, "terminal")
    check(tmp_path, {what: TERMINAL[what] for what in ("board", "rom", "symbols")}, terminal, "device")


def test_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The names of sockets are short.
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("odd.toml")
        listener.listen()
        check(tmp_path, SOCKET, "odd.toml", "socket")


def test_what_is_called_an_ordinary_file_and_has_nothing_to_read(fifo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As /proc/kmsg is, which is not read here: others want to."""
    monkeypatch.setattr(files, "_require_ordinary", lambda _path, _about: None)
    both = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    try:
        with pytest.raises(rr.RomError, match="nothing to read"):
            rr.Machine("breadboard", rom=fifo)
        with pytest.raises(rr.BoardError, match="nothing to read"):
            rr.Machine(fifo)
    finally:
        os.close(both)


def test_a_directory(tmp_path: Path) -> None:
    path = tmp_path / "odd.toml"
    path.mkdir()
    check(tmp_path, DIRECTORY, path, "directory")


def test_a_device_without_end(tmp_path: Path) -> None:
    path = tmp_path / "odd.toml"
    path.symlink_to("/dev/zero")
    check(tmp_path, ENDLESS, path, "device")
    assert path.is_symlink()


def test_a_full_device(tmp_path: Path) -> None:
    path = tmp_path / "odd.toml"
    path.symlink_to("/dev/full")
    expected = {"Files output": "done", "WavOutput": "done", "picture": HOST, "record": LOG, "Replay.record": LOG}
    for what, right in expected.items():
        said = answer(tmp_path, what, path)
        assert said.startswith(right), f"{what}: {said}"
        assert right == "done" or "No space left" in said or "no space left" in said


def test_a_connection_to_somebody_who_does_not_accept(tmp_path: Path) -> None:
    program = """
import sys
import rreplay as rr
try:
    rr.Machine("lab").devices["acia"].attach(rr.TcpClient(int(sys.argv[1])))
    print("done")
except rr.HostError as error:
    print(error)
"""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = []
        try:
            # Until the backlog is full, and one more waits for an answer.
            for _ in range(4):
                client = socket.socket()
                client.setblocking(False)
                client.connect_ex(("127.0.0.1", port))
                waiting.append(client)
            done = subprocess.run(
                [sys.executable, "-c", program, str(port)],
                capture_output=True,
                text=True,
                timeout=PATIENCE_SECONDS,
                check=True,
            )
            assert f"cannot connect to 127.0.0.1:{port}" in done.stdout
        finally:
            for client in waiting:
                client.close()


def test_what_a_program_opens_below_its_directory_may_be_a_fifo(tmp_path: Path) -> None:
    """The guest is told that there is nobody at the other end; it does not wait, and neither does its machine."""
    program = """
import sys
import rreplay as rr
machine = rr.Machine("sim65", rom=sys.argv[1], arguments=["calls"])
machine.devices["host"].attach(rr.Directory(sys.argv[2]))
print(machine.run().reason, machine.console.output)
"""
    os.mkfifo(tmp_path / "out.txt")
    done = subprocess.run(
        [sys.executable, "-c", program, str(SIM65), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    assert done.stdout == "shutdown b'calls\\nno file\\n'\n"
