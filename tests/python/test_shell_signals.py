"""A signal ends `rreplay record` with the recording finished and whole, wherever it comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import rreplay as rr
from shell_support import COMMAND, WAIT_SECONDS, image, piped, read_until, shell, sim65_program, terminal

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and terminals of POSIX")

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]

TALK = bytes.fromhex("A93E 8D01F0 80F9")
"""LDA #'>'; STA F001; BRA -7: prints for ever, without a pause."""

BUSY = bytes.fromhex("A93E 8D01F0 E8 80FD")
"""Prints one character and computes for ever."""

SILENT = bytes.fromhex("4C0002")


def assert_whole(path: Path) -> None:
    recording = rr.open(path)
    assert recording.complete
    assert recording.verify().ok


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("limits", [[], ["--seconds", "1000000"], ["--until", "never"]])
def test_while_it_waits_for_input(number: signal.Signals, limits: list[str], tmp_path: Path) -> None:
    path = tmp_path / "run.rreplay"
    with piped("record", "breadboard", "-o", path, *limits) as process:
        assert process.stdout is not None
        assert read_until(process.stdout.fileno(), b"\n> ").endswith(b"\n> ")
        process.send_signal(number)
        assert process.wait(WAIT_SECONDS) == 128 + number
        assert process.stderr is not None
        assert b"recorded" in process.stderr.read()
    assert_whole(path)
    assert rr.open(path).output.endswith(b"\n> ")


@pytest.mark.parametrize("number", SIGNALS)
def test_while_it_computes(number: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "run.rreplay"
    with piped("record", *image(tmp_path / "busy", BUSY), "-o", path) as process:
        assert process.stdout is not None
        assert read_until(process.stdout.fileno(), b">") == b">"
        process.send_signal(number)
        assert process.wait(WAIT_SECONDS) == 128 + number
    assert_whole(path)


@pytest.mark.parametrize("number", SIGNALS)
def test_while_nobody_reads_the_output(number: signal.Signals, tmp_path: Path) -> None:
    """The pipe is full, and the command waits for its reader."""
    path = tmp_path / "run.rreplay"
    with piped("record", *image(tmp_path / "talk", TALK), "-o", path) as process:
        assert process.stdout is not None
        wait_until_blocked(process)
        process.send_signal(number)
        assert process.wait(WAIT_SECONDS) == 128 + number
    assert_whole(path)


def wait_until_blocked(process: subprocess.Popen[bytes]) -> None:
    """Until the command's output has filled its pipe, to which no more is added however often one looks."""
    import fcntl
    import termios

    assert process.stdout is not None
    waiting = same = 0
    while waiting < 1 << 12 or same < 20_000:
        answer = fcntl.ioctl(process.stdout.fileno(), termios.FIONREAD, bytes(4))
        before, waiting = waiting, int.from_bytes(answer, sys.byteorder)
        same = same + 1 if waiting == before else 0
        assert process.poll() is None


@pytest.mark.parametrize("number", SIGNALS)
def test_a_replay_whose_output_nobody_reads(number: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "run.rreplay"
    assert shell("record", *image(tmp_path / "talk", TALK), "-o", path, "--seconds", 2).returncode == 0
    with piped("replay", path) as process:
        wait_until_blocked(process)
        process.send_signal(number)
        assert process.wait(WAIT_SECONDS) == 128 + number


@pytest.mark.parametrize("number", SIGNALS)
def test_a_dump_that_nobody_reads(number: signal.Signals, tmp_path: Path) -> None:
    """What waits in the interpreter's own buffer must not keep it from ending."""
    path = tmp_path / "run.rreplay"
    assert shell("record", "-o", path, "--seconds", 20).returncode == 0
    with piped("dump", path, environment={"PYTHONUNBUFFERED": ""}) as process:
        wait_until_blocked(process)
        process.send_signal(number)
        assert process.wait(WAIT_SECONDS) == 128 + number


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("program", [SILENT, bytes.fromhex("A900 A200 20F6FF 4C0002")], ids=["computes", "reads"])
def test_a_c_program(number: signal.Signals, program: bytes, tmp_path: Path) -> None:
    path = tmp_path / "run.rreplay"
    with piped("record", sim65_program(tmp_path / "loop", program), "-o", path) as process:
        while not path.exists():
            assert process.poll() is None
        process.send_signal(number)
        assert process.wait(WAIT_SECONDS) == 128 + number
    assert_whole(path)


@pytest.mark.parametrize("number", SIGNALS)
def test_on_a_terminal(number: signal.Signals, tmp_path: Path) -> None:
    import termios

    path = tmp_path / "run.rreplay"
    with terminal("record", "-o", path) as at:
        before = termios.tcgetattr(at.terminal)
        assert at.read_until(b"\n> ").endswith(b"\n> ")
        at.process.send_signal(number)
        assert at.wait() == 128 + number
        assert termios.tcgetattr(at.terminal) == before
    assert_whole(path)


@pytest.mark.parametrize("number", SIGNALS)
def test_many_signals_are_as_one(number: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "run.rreplay"
    with piped("record", "breadboard", "-o", path) as process:
        assert process.stdout is not None
        read_until(process.stdout.fileno(), b"\n> ")
        while process.poll() is None:
            process.send_signal(number)
        assert process.returncode == 128 + number or process.returncode == -number
    assert_whole(path)


def test_a_terminal_that_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "run.rreplay"
    with terminal("record", "-o", path) as at:
        at.read_until(b"\n> ")
        at.hang_up()
        assert at.wait() == 128 + signal.SIGHUP
    assert_whole(path)


def test_a_terminal_that_is_closed_on_a_c_program(tmp_path: Path) -> None:
    path = tmp_path / "run.rreplay"
    with terminal("record", sim65_program(tmp_path / "loop", SILENT), "-o", path) as at:
        while not path.exists():
            assert at.process.poll() is None
        at.hang_up()
        assert at.wait() == 128 + signal.SIGHUP
    assert_whole(path)


@pytest.mark.parametrize("what", ["board", "program", "no console", "before the first output"])
def test_a_terminal_that_is_closed_and_sends_no_signal(tmp_path: Path, what: str) -> None:
    """It is no controlling terminal, as under many a supervisor: that it has gone is all there is to see."""
    path = tmp_path / "run.rreplay"
    plain = tmp_path / "plain.toml"
    plain.write_text(
        'name = "plain"\ncpu = { kind = "w65c02", clock_hz = 1000000 }\n'
        'region = [{ name = "ram", kind = "ram", start = 0, end = 0xFFFF }]\n'
    )
    of_each: dict[str, list[object]] = {
        "board": ["breadboard"],
        "before the first output": ["breadboard"],
        "program": [sim65_program(tmp_path / "loop", SILENT)],
        "no console": [plain, *image(tmp_path / "silent", SILENT)[1:]],
    }
    with terminal("record", *of_each[what], "-o", path, controls=False) as at:
        while what != "before the first output" and not path.exists():
            assert at.process.poll() is None
        at.hang_up()
        assert at.wait() == 128 + signal.SIGHUP
    if what != "before the first output" or path.exists():
        assert_whole(path)


def test_ctrl_c_ends_a_c_program(tmp_path: Path) -> None:
    """Its terminal is not raw: the key is the terminal's own."""
    path = tmp_path / "run.rreplay"
    with terminal("record", sim65_program(tmp_path / "loop", SILENT), "-o", path) as at:
        while not path.exists():
            assert at.process.poll() is None
        at.type(b"\x03")
        assert at.wait() == 128 + signal.SIGINT
    assert_whole(path)


def test_nohup_goes_on(tmp_path: Path) -> None:
    """A signal that was ignored when the command began is ignored by it."""
    path = tmp_path / "run.rreplay"
    with subprocess.Popen(
        ["nohup", *COMMAND, "record", "-o", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        read_until(process.stdout.fileno(), b"\n> ")
        process.send_signal(signal.SIGHUP)
        process.stdin.write(b"ver\n")
        process.stdin.close()
        assert b"W65C02" in process.stdout.read()
        assert process.wait(WAIT_SECONDS) == 0
    assert_whole(path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo(number: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "demo.rreplay"
    with piped("demo", "--path", path) as process:
        while not path.exists():
            assert process.poll() is None
        process.send_signal(number)
        assert process.wait(WAIT_SECONDS) == 128 + number
    assert_whole(path)


@pytest.mark.parametrize("number", SIGNALS)
def test_other_commands_end_too(number: signal.Signals, tmp_path: Path) -> None:
    """And leave nothing of what they keep while they work."""
    with piped("info", "-", environment={"TMPDIR": str(tmp_path)}) as process:
        while not list(tmp_path.glob("*/piped")):
            assert process.poll() is None
        process.send_signal(number)
        assert process.wait(WAIT_SECONDS) == 128 + number
    assert list(tmp_path.iterdir()) == []
