"""What the shell's exit status says of a run and of its replay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

import pytest

import rreplay as rr
from rreplay.cli import commands, main
from shell_support import image, shell, sim65_program

Recorded = tuple[rr.Machine, rr.LiveRecording]

PLAIN = """
name = "plain"
unmapped = "error"
cpu = { kind = "w65c02", clock_hz = 1000000 }
device = [{ name = "power", kind = "power", at = 0x8000, irq = "none" }]
region = [
  { name = "ram", kind = "ram", start = 0, end = 0x1FFF },
  { name = "rom", kind = "rom", start = 0xF000, end = 0xFFFF },
]
"""


def plain(path: Path, program: bytes) -> list[str]:
    """A board where nothing answers at most addresses, with a power switch, and `program` at F000."""
    board = path.with_suffix(".toml")
    board.write_text(PLAIN)
    path.write_bytes(program.ljust(0xFFC, b"\xea") + b"\x00\xf0\x00\xf0")
    return [str(board), "--rom", str(path)]


def crashes(path: Path, how: str) -> list[str]:
    """The words for a machine that crashes."""
    if how == "jam":
        return [*image(path, b"\xea\x02"), "--cpu", "6502"]
    if how == "jam of a C program":
        return [str(sim65_program(path, b"\xea\xd2"))]
    if how == "panic":
        return plain(path, bytes.fromhex("EA A908 8D0080"))
    return plain(path, bytes.fromhex("EA EA AD0040"))


CRASHES = [
    ("jam", "jammed at $0201 (JAM)", 1),
    ("jam of a C program", "jammed at $0201 (JAM)", 1),
    ("panic", "panic", 2),
    ("fault", "reads $4000", 2),
]


@pytest.mark.parametrize(("how", "words", "icount"), CRASHES)
def test_a_crash_is_3_live_and_in_replay(how: str, words: str, icount: int, tmp_path: Path) -> None:
    machine = crashes(tmp_path / "image", how)
    ran = shell("run", *machine, cwd=tmp_path)
    recorded = shell("record", *machine, "-o", "crash.rreplay", cwd=tmp_path)
    replayed = shell("replay", "crash.rreplay", cwd=tmp_path)
    through = shell("replay", "-", typed=(tmp_path / "crash.rreplay").read_bytes())
    for result in (ran, recorded, replayed, through):
        assert result.returncode == 3
        assert words in result.stderr.decode()
        assert b"look at it: " in result.stderr
    assert b"rreplay record " in ran.stderr
    # The way to look at it is one that can be gone, and leads to the instruction.
    for result in (recorded, replayed):
        look = result.stderr.decode().split("look at it: rreplay ")[1].split()
        assert look == ["seek", "crash.rreplay", str(icount)]
        seen = shell(*look, cwd=tmp_path)
        assert seen.returncode == 0
        instruction = rr.open(tmp_path / "crash.rreplay").timeline().at(icount).disassemble()[0]
        assert f"${instruction.address:04X} ({instruction.text})" in result.stderr.decode()
        assert f"=> ${instruction.address:04X}  {instruction.text}" in seen.stdout.decode()
    assert shell("verify", "crash.rreplay", cwd=tmp_path).returncode == 0


def test_a_crash_counts_more_than_what_was_waited_for(tmp_path: Path) -> None:
    machine = crashes(tmp_path / "image", "jam")
    result = shell("run", *machine, "--until", "x", "--seconds", 5, "--fail-on-limit")
    assert result.returncode == 3


def test_a_stop_is_the_guests_own_end(tmp_path: Path) -> None:
    machine = image(tmp_path / "stp", b"\xdb")
    path = tmp_path / "run.rreplay"
    assert shell("record", *machine, "-o", path).returncode == 0
    assert shell("replay", path).returncode == 0


def test_a_shutdown_is_the_guests_own_end(tmp_path: Path) -> None:
    machine = plain(tmp_path / "off", bytes.fromhex("A901 8D0080"))
    path = tmp_path / "run.rreplay"
    assert shell("record", *machine, "-o", path).returncode == 0
    assert shell("replay", path).returncode == 0


@pytest.mark.parametrize("code", [0, 1, 2, 7, 255])
def test_a_c_programs_status_is_its_own(code: int, tmp_path: Path) -> None:
    program = sim65_program(tmp_path / "exits", bytes([0xA9, code]) + bytes.fromhex("20F9FF"))
    path = tmp_path / "run.rreplay"
    assert shell("run", program).returncode == code
    assert shell("record", program, "-o", path).returncode == code
    assert shell("replay", path).returncode == code
    assert shell("replay", path, "--instructions", 1).returncode == 0
    # Success in all, and not what was asked for.
    assert shell("run", program, "--until", "x").returncode == (code or 1)


def test_a_replay_goes_on_behind_a_shutdown(tmp_path: Path) -> None:
    """In a recording that did, made in Python."""
    path = tmp_path / "run.rreplay"
    machine = rr.Machine("breadboard")
    with machine.record(path):
        machine.run(instructions=100)
        machine.shutdown("host_quit")
        assert machine.run(instructions=100).reason == "shutdown"
        machine.console.expect(b"> ")
    result = shell("replay", path)
    assert (result.returncode, result.stdout) == (0, machine.console.output)


def test_a_verification_of_what_is_left_is_no_success(recorded: Recorded, tmp_path: Path) -> None:
    path = tmp_path / "cut.rreplay"
    path.write_bytes(recorded[1].path.read_bytes()[:-40])
    assert shell("verify", path).returncode == 2
    result = shell("verify", path, "--salvage")
    assert result.returncode == 1
    assert b"is not whole" in result.stdout
    as_json = shell("verify", path, "--salvage", "--json")
    assert (as_json.returncode, json.loads(as_json.stdout)["ok"]) == (1, False)


def test_a_defect_is_no_finding(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Python ends a program with 1 for what nobody has caught, which is a divergence here."""

    def fails(*_: object) -> NoReturn:
        raise RuntimeError("of ours")

    monkeypatch.setitem(commands.COMMANDS, "boards", fails)
    assert main(["boards"]) == 70
    shown = capsys.readouterr().err
    assert "RuntimeError: of ours" in shown
    assert "defect" in shown


def test_help_lists_the_statuses() -> None:
    shown = shell("--help").stdout.decode()
    for status in ("0  ", "1  ", "2  ", "3  ", "70 ", "124", "129, 130, 143, 141"):
        assert f"\n  {status}" in shown
    assert "--quiet" in shell("run", "--help").stdout.decode()
