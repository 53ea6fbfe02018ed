"""Each wrong input gives its own error, which names the thing and says what to do, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import rreplay as rr
from conftest import COUNT, Make

Recorded = tuple[rr.Machine, rr.LiveRecording]

BASE: dict[str, Any] = {
    "name": "mine",
    "cpu": {"kind": "w65c02", "clock_hz": 1_000_000},
    "region": [
        {"name": "ram", "kind": "ram", "start": 0, "end": 0x7FFF},
        {"name": "rom", "kind": "rom", "start": 0xC000, "end": 0xFFFF},
    ],
    "device": [{"name": "acia", "kind": "mc6850", "at": 0xA000}],
}


def board(**changes: Any) -> dict[str, Any]:
    return {**BASE, **changes}


def test_the_base_board_is_sound() -> None:
    rr.Machine(board(), rom=bytes([0xEA]) * 0x3FFC + b"\x00\xc0\x00\xc0")


def test_missing_rom(tmp_path: Path) -> None:
    with pytest.raises(rr.RomError, match=r"absent\.bin.*check the path"):
        rr.Machine("sbc6850", rom=tmp_path / "absent.bin")


def test_no_rom_at_all() -> None:
    with pytest.raises(rr.RomError, match="rom"):
        rr.Machine("sbc6850")


def test_rom_that_is_a_directory(tmp_path: Path) -> None:
    with pytest.raises(rr.RomError, match="directory"):
        rr.Machine("sbc6850", rom=tmp_path)


def test_empty_rom(tmp_path: Path) -> None:
    path = tmp_path / "empty.bin"
    path.write_bytes(b"")
    with pytest.raises(rr.RomError, match=r"empty\.bin is empty"):
        rr.Machine("sbc6850", rom=path)


@pytest.mark.parametrize("size", [0x4001, 1 << 20, (4 << 20) + 1])
def test_oversized_rom(tmp_path: Path, size: int) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(bytes(size))
    with pytest.raises(rr.RomError, match=r"large\.bin"):
        rr.Machine("sbc6850", rom=path)


@pytest.mark.parametrize("rom", [{"attic": b"x"}, {0x1_0000: b"x"}, {-1: b"x"}, {1.5: b"x"}, {True: b"x"}, 7])
def test_rom_with_no_place(rom: Any) -> None:
    with pytest.raises(rr.RomError):
        rr.Machine("sbc6850", rom=rom)


def test_damaged_hex_file(tmp_path: Path) -> None:
    path = tmp_path / "rom.hex"
    path.write_text(":0300300002337A1F\n:00000001FF\n")
    with pytest.raises(rr.RomError, match=r"rom\.hex"):
        rr.Machine("py65mon", rom=path)


def test_unknown_preset() -> None:
    with pytest.raises(rr.BoardError, match="breadbord.*breadboard"):
        rr.Machine("breadbord")


def test_missing_board_file(tmp_path: Path) -> None:
    with pytest.raises(rr.BoardError, match=r"mine\.toml"):
        rr.Machine(tmp_path / "mine.toml")


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b"= 1", b"x" * (2 << 20)])
def test_bad_toml(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(rr.BoardError, match=r"mine\.toml"):
        rr.Machine(path)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"colour": "green"}, "colour"),
        ({"cpu": {"kind": "w65c02", "clock_hz": 1_000_000, "turbo": True}}, "turbo"),
        ({"cpu": {"kind": "8080", "clock_hz": 1_000_000}}, "8080"),
        ({"cpu": {"kind": "w65c02", "clock_hz": 0}}, "clock_hz"),
        (
            {"region": [*BASE["region"], {"name": "more", "kind": "ram", "start": 0x4000, "end": 0x9FFF}]},
            "overlap",
        ),
        (
            {"region": [*BASE["region"], {"name": "ram", "kind": "ram", "start": 0x8000, "end": 0x9FFF}]},
            "two regions",
        ),
        ({"device": [*BASE["device"], {"name": "acia", "kind": "mc6850", "at": 0xA100}]}, "two devices"),
        ({"device": [*BASE["device"], {"name": "via", "kind": "via6522", "at": 0xA000}]}, "overlap"),
        ({"device": [{"name": "sid", "kind": "sid", "at": 0xA000}]}, "sid"),
        ({"console": "sid"}, "sid"),
        ({"name": object()}, "object"),
    ],
)
def test_impossible_boards(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(rr.BoardError, match=named):
        rr.Machine(board(**changes), rom=bytes(0x4000))


def test_no_recording_there(tmp_path: Path) -> None:
    with pytest.raises(rr.LogError, match=r"absent\.rreplay"):
        rr.open(tmp_path / "absent.rreplay")


@pytest.mark.parametrize("content", [b"", b"hello, world", bytes(10_000), b"\x7fELF" * 100])
@pytest.mark.parametrize("salvage", [False, True])
def test_a_file_that_is_no_recording(tmp_path: Path, content: bytes, salvage: bool) -> None:
    path = tmp_path / "other.rreplay"
    path.write_bytes(content)
    with pytest.raises(rr.NotARecording, match=r"other\.rreplay"):
        rr.open(path, salvage=salvage)


def test_a_truncated_recording(recorded: Recorded, tmp_path: Path) -> None:
    whole = recorded[1].path.read_bytes()
    path = tmp_path / "cut.rreplay"
    path.write_bytes(whole[: len(whole) * 9 // 10])
    with pytest.raises(rr.DamagedLog, match="salvage") as caught:
        rr.open(path)
    assert caught.value.byte_offset is not None
    left = rr.open(path, salvage=True)
    assert not left.complete
    assert left.damage
    assert list(left.events()) == list(recorded[1].events())[: len(list(left.events()))]


def test_a_damaged_recording_never_opens_silently(recorded: Recorded, tmp_path: Path) -> None:
    whole = recorded[1].path.read_bytes()
    path = tmp_path / "bad.rreplay"
    for place in range(0, len(whole), max(len(whole) // 40, 1)):
        broken = bytearray(whole)
        broken[place] ^= 0x10
        path.write_bytes(broken)
        with pytest.raises(rr.LogError):
            rr.open(path).verify()


def test_a_directory_that_is_not_there(tmp_path: Path, make: Make) -> None:
    with pytest.raises(rr.LogError, match="nowhere"):
        make(COUNT).record(tmp_path / "nowhere" / "run.rreplay")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no directory that refuses even root")
def test_a_directory_without_write_permission(make: Make) -> None:
    machine = make(COUNT)
    with pytest.raises(rr.LogError, match="/proc/self"):
        machine.record("/proc/self/run.rreplay")
    assert machine.mode is rr.ReplayMode.NONE
    assert machine.run(instructions=10).reason == "budget"


def test_a_directory_in_the_place_of_the_file(tmp_path: Path, make: Make) -> None:
    with pytest.raises(rr.LogError):
        make(COUNT).record(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk(make: Make) -> None:
    machine = make(COUNT)
    with pytest.raises(rr.LogError, match="/dev/full"):
        recording = machine.record("/dev/full", digest_every=1000)
        machine.run(instructions=1_000_000)
        recording.finish()
    assert machine.mode is rr.ReplayMode.NONE
    assert machine.run(instructions=10).reason == "budget"


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files as POSIX does")
def test_a_disk_that_fills_up_while_recording(tmp_path: Path) -> None:
    """The recording ends with a typed error, and what was written before is still good."""
    program = """
import resource, signal, sys
import rreplay as rr
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
machine = rr.Machine("py65mon", rom={0x1000: bytes.fromhex("E8D0FDC84C0010"), 0xFFFC: b"\\x00\\x10"})
resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, 120_000))
try:
    with machine.record(sys.argv[1], digest_every=1_000):
        machine.run(instructions=20_000_000)
except rr.LogError as error:
    print("typed:", error)
print(machine.mode, machine.run(instructions=10).reason)
"""
    path = tmp_path / "run.rreplay"
    result = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, timeout=120, check=False
    )
    assert "typed:" in result.stdout, result.stderr
    assert "run.rreplay" in result.stdout
    assert result.stdout.endswith("none budget\n")
    if path.exists():
        assert rr.open(path, salvage=True).board.name == "py65mon"


def test_a_recording_of_another_rom() -> None:
    """A snapshot or a ROM of another machine is told apart by identity, not by luck."""
    one = rr.Machine("py65mon", rom={0x1000: COUNT, 0xFFFC: b"\x00\x10"})
    other = rr.Machine("sbc6850", rom=bytes(0x3FFC) + b"\x00\xc0\x00\xc0")
    with pytest.raises(rr.MismatchError):
        other.restore(one.snapshot())
