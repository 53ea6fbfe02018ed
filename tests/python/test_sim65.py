"""C programs of cc65's simulator target: their calls, their files, their exit code, live and in replay."""

from __future__ import annotations

from pathlib import Path

import pytest

import rreplay as rr
from shell_support import shell as command

CALLS = Path(__file__).parents[2] / "guests/programs/sim65_calls.bin"


def program(*arguments: str) -> rr.Machine:
    return rr.Machine("sim65", rom=CALLS, arguments=["calls", *arguments])


def test_every_call_live_and_in_replay(tmp_path: Path) -> None:
    directory = tmp_path / "files"
    directory.mkdir()
    machine = program("one", "two words")
    machine.devices["host"].attach(rr.Directory(directory))
    path = tmp_path / "calls.rreplay"
    with machine.record(path):
        machine.console.send(b"typed\nand more")
        assert machine.run().reason == "shutdown"
    assert machine.console.output == b"calls\none\ntwo words\nkept\ntyped\nand more"
    assert machine.exit_code == 7
    assert (directory / "out.txt").read_bytes() == b"kept\n"
    (directory / "out.txt").unlink()
    directory.rmdir()
    recording = rr.Recording(path)
    assert recording.verify().ok
    replay = recording.replay()
    assert replay.run().reason == "shutdown"
    assert replay.console.output == machine.console.output
    assert replay.exit_code == 7
    assert not directory.exists()


def test_without_a_directory_there_are_no_files() -> None:
    machine = program()
    machine.run()
    assert machine.console.output == b"calls\nno file\n"
    assert machine.exit_code == 7


def test_no_way_leads_out_of_the_directory(tmp_path: Path) -> None:
    directory = tmp_path / "inside"
    directory.mkdir()
    (tmp_path / "out.txt").write_bytes(b"secret\n")
    machine = program("escape")
    machine.devices["host"].attach(rr.Directory(directory))
    machine.run()
    assert machine.console.output == b"calls\nescape\nno file\n"
    # Nor does a link.
    (directory / "out.txt").symlink_to(tmp_path / "out.txt")
    machine = program()
    machine.devices["host"].attach(rr.Directory(directory))
    machine.run()
    assert machine.console.output == b"calls\nno file\n"
    assert (tmp_path / "out.txt").read_bytes() == b"secret\n"


def test_the_header_says_which_processor_and_where() -> None:
    content = bytearray(CALLS.read_bytes())
    content[6] = 1
    assert rr.Machine("sim65", rom=bytes(content)).board.cpu == "w65c02"
    assert program().board.cpu == "6502"
    assert program().registers["pc"] == 0x200


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [(5, 3, "version 3"), (6, 9, "processor 9"), (9, 0xFF, "FFFF")],
)
def test_bad_headers(at: int, value: int, words: str) -> None:
    content = bytearray(CALLS.read_bytes())
    content[at] = value
    with pytest.raises(rr.RomError, match=words):
        rr.Machine("sim65", rom=bytes(content))


def test_a_header_that_is_cut_off() -> None:
    with pytest.raises(rr.RomError, match="header of 12 bytes"):
        rr.Machine("sim65", rom=CALLS.read_bytes()[:11])


def test_bad_arguments() -> None:
    with pytest.raises(rr.BoardError, match="no program on it can be given arguments"):
        rr.Machine("breadboard", arguments=["x"])
    with pytest.raises(rr.BoardError, match="at most 64"):
        program(*["x"] * 64)
    with pytest.raises(rr.BoardError, match="zero byte"):
        program("a\0b")
    with pytest.raises(rr.HostError, match="open the directory /nowhere"):
        program().devices["host"].attach(rr.Directory("/nowhere"))
    with pytest.raises(rr.DeviceError, match="cannot be joined"):
        rr.Machine("breadboard").devices["acia"].attach(rr.Directory("."))


def test_output_is_seen_in_the_middle_of_what_is_written_at_once() -> None:
    """A call writes many bytes: what a run waits for need not be their end."""
    machine = program("one", "two words")
    assert machine.run(output=b"wo wor").reason == "output"
    assert machine.console.output == b"calls\none\ntwo words"
    assert machine.run(output=b"ds").reason != "output"


def test_the_command_line(tmp_path: Path) -> None:
    done = command("run", CALLS, "a", "b", typed=b"line\n")
    assert done.stdout == f"{CALLS}\na\nb\nno file\nline\n".encode()
    assert done.returncode == 7
    path = tmp_path / "c.rreplay"
    done = command("record", CALLS, "-o", path, "--directory", tmp_path)
    assert done.stdout == f"{CALLS}\nkept\n".encode()
    assert done.returncode == 7
    (tmp_path / "out.txt").unlink()
    assert command("verify", path).returncode == 0
    assert command("replay", path).stdout == f"{CALLS}\nkept\n".encode()


@pytest.mark.parametrize(
    "words",
    [
        [CALLS, "a", "b", "--seconds", 5],
        ["--seconds", 5, CALLS, "a", "b"],
        [CALLS, "--seconds", 5, "a", "b"],
        [CALLS, "a", "--seconds", 5, "b"],
        [CALLS, "--seconds", 5, "--", "a", "b"],
    ],
    ids=["behind", "before", "between", "among", "dashes"],
)
def test_options_stand_where_they_like(words: list[str | Path | int]) -> None:
    assert command("run", *words).stdout == f"{CALLS}\na\nb\nno file\n".encode()


def test_arguments_may_look_like_options() -> None:
    assert command("run", CALLS, "--", "-x", "--seconds").stdout == f"{CALLS}\n-x\n--seconds\nno file\n".encode()
    refused = command("run", CALLS, "-x")
    assert refused.returncode == 2
    assert b"-x" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "breadboard", "x"], b"only a C program takes arguments"),
        (["run", "breadboard", "--directory", "."], b"serves any"),
        (["run", CALLS, "--rom", CALLS], b"without --rom"),
    ],
)
def test_wrong_use_of_the_command_line(arguments: list[str | Path], words: bytes) -> None:
    done = command(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
