"""`rreplay diff` of two firmwares: that the ROMs differ and where, then what was printed, side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rreplay as rr
from rreplay.cli import main
from shell_support import shell, sim65_program

MONITOR = (Path(__file__).parents[2] / "guests/monitor/monitor.bin").read_bytes()
VERSION = MONITOR.index(b"monitor 1.0") + len(b"monitor ")


def record(path: Path, changes: dict[int, bytes], *, embed_roms: bool = True) -> Path:
    """A conversation with our monitor, in which some bytes are others."""
    rom = bytearray(MONITOR)
    for offset, data in changes.items():
        rom[offset : offset + len(data)] = data
    machine = rr.Machine("breadboard", rom=bytes(rom))
    with machine.record(path, embed_roms=embed_roms):
        machine.console.expect(b"> ")
        machine.console.send(b"uptime\r")
        machine.console.expect(b"> ")
    return path


def test_the_roms_differ_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = record(tmp_path / "a.rreplay", {})
    b = record(tmp_path / "b.rreplay", {VERSION: b"2.7", 0x7000: b"unused"})
    assert main(["diff", str(a), str(b)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [f"a: {a}", f"b: {b}"]
    assert lines[2].startswith("the ROMs differ")
    changed = sum(one != other for one, other in zip(MONITOR[0x7000:], b"unused", strict=False)) + 2
    at = 0x8000 + VERSION
    assert lines[3] == f"  rom ($8000-$FFFF): {changed} bytes differ, in 2 places, first at ${at:04X}"
    assert lines[4].split() == [f"${at:04X}-${at + 2:04X}", "31", "2e", "30", "<>", "32", "2e", "37"]
    output = lines.index("the outputs part in line 1, after 16 bytes that are the same")
    assert lines[output + 1].split("<>") == [f"  {'rreplay monitor 1.0':<38} ", " rreplay monitor 2.7"]
    assert [line.split()[0][:4] for line in lines[output + 2 :]] == [">", "0:00", ">"]


def test_the_outputs_may_be_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = record(tmp_path / "a.rreplay", {})
    b = record(tmp_path / "b.rreplay", {0x7000: bytes([MONITOR[0x7000] ^ 1])})
    assert main(["diff", str(a), str(b)]) == 1
    shown = capsys.readouterr().out
    assert "1 byte differs, in 1 place, first at $F000" in shown
    assert shown.endswith("the outputs are the same\n")


def test_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = record(tmp_path / "a.rreplay", {})
    b = record(tmp_path / "b.rreplay", {VERSION: b"2.7"})
    assert main(["diff", str(a), str(b), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["same"], told["difference"]) == (False, None)
    (region,) = told["roms"]
    assert (region["region"], region["count"]) == ("rom", 2)
    assert region["places"] == [{"first": 0x8000 + VERSION, "last": 0x8002 + VERSION, "a": "312e30", "b": "322e37"}]
    assert told["output"]["offset"] == 16
    assert told["output"]["b"][0] == "rreplay monitor 2.7"


def test_many_places_are_told_by_the_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = record(tmp_path / "a.rreplay", {})
    b = record(tmp_path / "b.rreplay", {at: bytes([MONITOR[at] ^ 0xFF]) for at in range(0x5000, 0x7000, 0x100)})
    assert main(["diff", str(a), str(b)]) == 1
    shown = capsys.readouterr().out
    assert "32 bytes differ, in 32 places" in shown
    assert "and 24 places more" in shown


def test_hashes_alone_tell_that_they_differ(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = record(tmp_path / "a.rreplay", {}, embed_roms=False)
    b = record(tmp_path / "b.rreplay", {VERSION: b"2.7"}, embed_roms=False)
    assert main(["diff", str(a), str(b)]) == 1
    assert "recorded by their hashes alone, which differ" in capsys.readouterr().out


def test_c_programs(tmp_path: Path) -> None:
    """Their board has no ROM: the program in RAM is compared, and what it was given."""
    one = sim65_program(tmp_path / "one", bytes.fromhex("A900 20F9FF"))
    two = sim65_program(tmp_path / "two", bytes.fromhex("A901 20F9FF"))
    for name, words in (("a", [one]), ("b", [two]), ("c", [one, "x"])):
        shell("record", *words, "-o", tmp_path / name)
    different = shell("diff", tmp_path / "a", tmp_path / "b")
    assert different.returncode == 1
    assert b"the programs in RAM differ" in different.stdout
    assert b"$0201        00  <>  01" in different.stdout
    arguments = shell("diff", tmp_path / "a", tmp_path / "c")
    assert arguments.returncode == 1
    assert b"set up otherwise: host.arguments is ['" in arguments.stdout
    assert b"the outputs are the same" in arguments.stdout
    assert shell("diff", tmp_path / "a", tmp_path / "a").returncode == 0


def test_memory_that_was_changed_before_a_recording_is_no_firmware(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of such machines it is told where they part, as before."""
    paths = []
    for value in (1, 2):
        machine = rr.Machine("breadboard")
        machine.memory[0x3000] = value
        paths.append(str(tmp_path / str(value)))
        with machine.record(paths[-1]):
            machine.run(instructions=100)
    assert main(["diff", *paths]) == 1
    shown = capsys.readouterr().out
    assert "ROM" not in shown
    assert "$3000: 0x1 and 0x2" in shown or "$3000: 0x01 and 0x02" in shown
