"""What arguments may be: one conversion for each kind, for every function, which names the argument and is brief."""

from __future__ import annotations

import array
import ctypes
import mmap
import os
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import rreplay as rr
from conftest import COUNT, Make

PAGE = (Path(__file__).parents[2] / "docs" / "values.md").read_text()


class Index:
    """A whole number that is no int."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __index__(self) -> int:
        return self.number


@pytest.fixture
def machine(make: Make) -> rr.Machine:
    return make(COUNT)


@pytest.fixture
def timeline(make: Make, tmp_path: Path) -> rr.Timeline:
    machine = make(COUNT)
    with machine.record(tmp_path / "run.rreplay", snapshot_every=100):
        machine.run(instructions=1000)
    return rr.open(tmp_path / "run.rreplay").timeline()


# ---- whole numbers ----

NUMBERS: list[Callable[[int], Any]] = [int, Index, np.int64, np.uint16, lambda number: np.array(number)]


@pytest.mark.parametrize("number", NUMBERS)
def test_whole_numbers_are_what_index_takes(machine: rr.Machine, timeline: rr.Timeline, number: Any) -> None:
    machine.memory[number(0x200)] = number(7)
    assert machine.memory[number(0x200)] == 7
    assert machine.memory[number(0x200) : number(0x202)] == b"\7\0"
    machine.memory[0x300:0x304] = number(9)
    assert machine.memory[0x300:0x304] == b"\t" * 4
    machine.memory[0x300:0x302] = [number(1), number(2)]
    assert machine.memory[0x300:0x304] == b"\1\2\t\t"
    machine.cpu.a = number(3)
    assert machine.cpu.a == 3
    assert machine.run(instructions=number(10), cycles=number(10_000)).icount == 10
    assert machine.step(number(2)).icount == 12
    assert len(machine.disassemble(number(0x1000), number(2))) == 2
    timeline.seek(number(100))
    assert timeline.step(number(5)).icount == 105
    assert timeline.at(number(7)).icount == 7
    assert timeline.last_write(number(0x1FD), before=number(50)) is None
    assert len(timeline.accesses(number(0x200), start=number(1), stop=number(9))) == 0
    assert timeline.recording.verify(jobs=number(1)).ok
    assert rr.TcpServer(number(80)).port == 80
    assert rr.Image(number(1), number(1), b"abcd")[number(0), number(0)] == (97, 98, 99)


def test_the_packages_own_columns_are_taken(make: Make, tmp_path: Path) -> None:
    machine = make(bytes.fromhex("EE 00 03 4C 00 10"))
    with machine.record(tmp_path / "run.rreplay"):
        machine.run(instructions=100)
    timeline = rr.open(tmp_path / "run.rreplay").timeline()
    accesses = timeline.accesses(range(0x10000), "rw")
    last: Any = np.int64(-1)
    for icount, address in zip(accesses.icount[-3:], accesses.address[-3:], strict=True):
        timeline.seek(icount)
        assert timeline.icount == icount
        assert timeline.memory[address] == timeline.at(icount).memory[int(address)]
    frame = pl.DataFrame(accesses)
    timeline.seek(frame["icount"][0])
    assert accesses[last] == accesses[len(accesses) - 1]


@pytest.mark.parametrize("wrong", [1.0, "1", b"1", None, True, np.float64(1), np.bool_(1), np.array([1]), 2**70, -1])
def test_what_is_no_whole_number_is_named(machine: rr.Machine, timeline: rr.Timeline, wrong: Any) -> None:
    calls: dict[str, Callable[[], object]] = {
        "n": lambda: machine.step(wrong),
        "count": lambda: machine.disassemble(0x1000, wrong),
        "a": lambda: setattr(machine.cpu, "a", wrong),
        "target": lambda: timeline.seek(wrong),
        "rate": lambda: rr.WavOutput("x", rate=wrong),
        "error": lambda: rr.Entropy(b"", error=wrong),
        "width": lambda: rr.Image(wrong, 1, b""),
        "keycode": lambda: rr.Replay.none().input(rr.Key(wrong, True)),
        "memory_budget": lambda: timeline.recording.timeline(memory_budget=wrong),
    }
    for name, call in calls.items():
        with pytest.raises(rr.ArgumentError, match=f"{name}.* is a whole number"):
            call()
    assert (machine.icount, timeline.icount) == (0, 0)


def test_what_memory_does_not_hold_is_refused_and_nothing_is_written(machine: rr.Machine) -> None:
    machine.memory[0x20:0x28] = b"\xaa" * 8
    wrong: list[Any] = [
        256, -1, 2**70, 1.0, "a", None, {1, 2}, {1: 2}, [256] * 8, [1.5] * 8, np.arange(8), np.array([7]), np.int16(-1),
        array.array("H", [1] * 8), memoryview(b"12345678" * 2)[::2], b"short", b"far too long", True, np.bool_(True),
        ctypes.c_ubyte(5), np.datetime64("2026-01-01"), np.float64(1),
    ]  # fmt: skip
    for value in wrong:
        with pytest.raises(rr.ArgumentError):
            machine.memory[0x20:0x28] = value
        with pytest.raises(rr.ArgumentError):
            machine.memory[0x20] = value
    assert machine.memory[0x20:0x28] == b"\xaa" * 8


@pytest.mark.parametrize(
    "value",
    [
        b"abcd", bytearray(b"abcd"), memoryview(b"abcd"), array.array("B", b"abcd"), np.frombuffer(b"abcd", np.uint8),
        np.frombuffer(b"abcd", np.int8).reshape(2, 2), [97, 98, 99, 100], (97, 98, 99, 100), iter(b"abcd"),
        pl.Series([97, 98, 99, 100]), np.array([97, 98, 99, 100]).tolist(),
    ],
)  # fmt: skip
def test_bytes_are_whatever_has_them(machine: rr.Machine, value: Any) -> None:
    machine.memory[0x200:0x204] = value
    assert machine.memory[0x200:0x204] == b"abcd"


def test_a_byte_is_also_a_buffer_of_one(machine: rr.Machine) -> None:
    for value in (b"z", [122], np.array([122], np.uint8)):
        machine.memory[0x200] = 0
        machine.memory[0x200] = value  # type: ignore[call-overload]
        assert machine.memory[0x200] == 122


# ---- bytes ----


@pytest.mark.parametrize(
    "wrong",
    [
        60, "abc", [1, 2], [256], None, np.arange(3), memoryview(b"abcdef")[::2], 2**40,
        # Numbers that have a buffer: how they are stored is not what is meant.
        np.uint8(60), np.int8(60), np.bool_(True), np.array(60, np.uint8), ctypes.c_ubyte(60), np.datetime64("2026-01"),
    ],
)  # fmt: skip
def test_what_is_no_bytes_is_named(wrong: Any) -> None:
    lab = rr.Machine("lab")
    calls: dict[str, Callable[[], object]] = {
        "frame": lambda: lab.devices["network"].inject(wrong),
        "data": lambda: lab.console.send(wrong),
        "rgba": lambda: rr.Image(1, 1, wrong),
    }
    for name, call in calls.items():
        with pytest.raises(rr.ArgumentError, match=f"{name} is bytes"):
            call()
    with pytest.raises(rr.ArgumentError, match="data is bytes"):
        rr.Entropy(wrong)
    with pytest.raises(rr.ArgumentError, match="data is bytes"):
        rr.Snapshot.from_bytes(wrong)
    if not isinstance(wrong, str | None):
        with pytest.raises(rr.RomError, match="bytes"):
            rr.Machine("sbc6850", rom=wrong)


def test_a_huge_argument_is_refused_by_its_size() -> None:
    """It is not copied: there is no memory for that."""
    huge = mmap.mmap(-1, 4 << 30, prot=mmap.PROT_READ)
    machine, replay = rr.Machine("lab"), rr.Replay.none()
    device = replay.register_char("console")
    calls: list[Callable[[], object]] = [
        lambda: machine.console.send(huge),  # type: ignore[arg-type]
        lambda: machine.devices["network"].inject(huge),
        lambda: rr.Entropy(huge),  # type: ignore[arg-type]
        lambda: rr.Snapshot.from_bytes(huge),  # type: ignore[arg-type]
        lambda: rr.Image(2, 2, huge),  # type: ignore[arg-type]
        lambda: replay.char_read(device, huge),  # type: ignore[arg-type]
        lambda: replay.net_packet(0, 0, [huge, huge]),  # type: ignore[list-item]
        lambda: machine.memory.__setitem__(slice(0, 16), huge),
        lambda: rr.Machine("py65mon", rom=huge),  # type: ignore[arg-type]
    ]
    before = _resident()
    for call in calls:
        with pytest.raises(rr.ReplayError, match=str(4 << 30)):
            call()
    assert _resident() < before + (64 << 20)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


# ---- texts and paths ----

BAD_TEXTS = ["\ud800", "half \udfff", "x" * 2_000_000]


@pytest.mark.parametrize("text", BAD_TEXTS)
def test_texts_that_no_file_can_hold(text: str, tmp_path: Path) -> None:
    calls: list[Callable[[], object]] = [
        lambda: rr.Board.preset(text),
        lambda: rr.Board.from_toml(text),
        lambda: rr.Machine("breadboard", cpu=text),
        lambda: rr.Machine("sim65", arguments=[text]),
        lambda: rr.Machine({"name": text, "preset": "breadboard"}),
        lambda: rr.Machine(rom={text: b"x"}),
        lambda: rr.Replay.record(tmp_path / "r", machine=text),
        lambda: rr.Replay.record(tmp_path / "r", subsystems=[text]),
        lambda: rr.Replay.none().register_char(text),
        lambda: rr.Replay.none().add_blocker(text),
        lambda: rr.TcpServer(host=text),
        lambda: rr.Machine().devices[text],
    ]
    for call in calls:
        with pytest.raises(rr.ReplayError) as caught:
            call()
        assert len(str(caught.value)) < 1200
    assert list(tmp_path.iterdir()) == []


BAD_PATHS: list[Any] = ["a\0b", "\ud800", "", b"a\0b", 5, None, ["a"], "x" * 100_000, Path("a\0b")]


@pytest.mark.parametrize("path", BAD_PATHS)
def test_paths_that_cannot_be(path: Any, make: Make, timeline: rr.Timeline) -> None:
    calls: dict[str, Callable[[], object]] = {
        "path": lambda: make(COUNT).record(path),
        "path ": lambda: rr.open(path),
        "path  ": lambda: rr.Replay.record(path),
        "path   ": lambda: rr.Replay.play(path),
        "path    ": lambda: timeline.recording.cut(1, 2, path),
        "path     ": lambda: rr.DiskImage(path),
        "path      ": lambda: rr.WavOutput(path),
        "path       ": lambda: rr.Directory(path),
    }
    if path is not None:
        calls["output"] = lambda: rr.Files(path)
        calls["input"] = lambda: rr.Pcap(input=path)
        calls["path        "] = lambda: rr.Image(1, 1, bytes(4)).to_png(path)
    for name, call in calls.items():
        with pytest.raises(rr.ArgumentError, match=f"^{name.strip()} ") as caught:
            call()
        assert len(str(caught.value)) < 500


def test_paths_are_what_fspath_takes(make: Make, tmp_path: Path) -> None:
    kinds: list[Any] = [str, Path, os.fsencode]
    for number, kind in enumerate(kinds):
        path: Any = kind(str(tmp_path / f"{number}.rreplay"))
        machine = make(COUNT)
        with machine.record(path):
            machine.step(3)
        assert rr.open(path).verify().ok
        rr.Image(1, 1, bytes(4)).to_png(kind(str(tmp_path / "one.png")))


def test_a_picture_that_cannot_be_written(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent" / "one.png"):
        with pytest.raises(rr.HostError, match="cannot write"):
            rr.Image(1, 1, bytes(4)).to_png(path)


def test_messages_quote_the_beginning(machine: rr.Machine, timeline: rr.Timeline) -> None:
    long: Any = "x" * 100_000
    calls: list[Callable[[], object]] = [
        lambda: machine.step(long),
        lambda: machine.run(scheduler=long),
        lambda: machine.shutdown(long),
        lambda: machine.console.send(long),
        lambda: machine.devices[long],
        lambda: timeline.address(long),
        lambda: timeline.accesses(long),
        lambda: timeline.add_watchpoint(1, long),
        lambda: timeline.run_to_event(long),
        lambda: timeline.accesses(0x200)[long],
        lambda: rr.Machine(long),
        lambda: rr.Board.from_toml(long),
        lambda: rr.Board.from_toml(f'{long} = "{long}"'),
        lambda: rr.Machine("breadboard", cpu=long),
        lambda: rr.Machine({"preset": "breadboard", long: 5}),
        lambda: rr.Machine(rom={long: b"x"}),
        lambda: rr.Replay.none().checkpoint(long),
        lambda: rr.Replay.none().register_net(long),
        lambda: rr.diff(long, long),
        lambda: rr.TcpServer(long),
        lambda: machine.memory[long],
        lambda: setattr(machine.cpu, "a", 10**5000),
        lambda: machine.step([[long] * 1000] * 1000),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(rr.ReplayError) as caught:
            call()
        assert len(str(caught.value)) < 1000, str(caught.value)[:200]


# ---- True and False, functions, choices ----


@pytest.mark.parametrize("wrong", ["no", 1, 0, None, b"", [], 1.0])
def test_what_is_neither_true_nor_false(machine: rr.Machine, tmp_path: Path, wrong: Any) -> None:
    calls: dict[str, Callable[[], object]] = {
        "sleep": lambda: machine.run(instructions=1, sleep=wrong),
        "wait_for_input": lambda: machine.run(instructions=1, wait_for_input=wrong),
        "embed_roms": lambda: machine.record(tmp_path / "r", embed_roms=wrong),
        "salvage": lambda: rr.open(tmp_path / "r", salvage=wrong),
        "writable": lambda: rr.DiskImage("x", writable=wrong),
        "append": lambda: rr.Files("x", append=wrong),
        "allow_remote": lambda: rr.TcpServer(allow_remote=wrong),
        "complete": lambda: rr.Replay.none().finish(complete=wrong),
    }
    for name, call in calls.items():
        with pytest.raises(rr.ArgumentError, match=f"{name} is True or False"):
            call()
    assert machine.icount == 0
    assert machine.run(instructions=1, sleep=np.bool_(False)).icount == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "pattern", [b"monitor", bytearray(b"monitor"), np.frombuffer(b"monitor", np.uint8), re.compile(b"m[a-z]+r")]
)
def test_what_the_console_is_to_print(tmp_path: Path, pattern: Any) -> None:
    machine = rr.Machine("breadboard")
    with machine.record(tmp_path / "r") as recording:
        assert machine.run(output=pattern, seconds=10).reason == "output"
        assert machine.console.expect(pattern)[0] == b"monitor"
    timeline = recording.timeline()
    assert timeline.run_to_output(pattern)
    timeline.seek(timeline.end_icount)
    assert timeline.reverse_run_to_output(pattern)


@pytest.mark.parametrize("wrong", [60, "abc", [1], b"", np.uint8(60), re.compile("abc"), object()])
def test_what_no_console_prints(machine: rr.Machine, timeline: rr.Timeline, wrong: Any) -> None:
    calls: dict[str, Callable[[], object]] = {
        "pattern": lambda: machine.console.expect(wrong),
        "output": lambda: machine.run(output=wrong),
        "text": lambda: timeline.run_to_output(wrong),
    }
    for name, call in calls.items():
        with pytest.raises(rr.ArgumentError, match=f"^{name}"):
            call()
    assert machine.icount == 0


def test_seconds_are_any_number(machine: rr.Machine) -> None:
    for seconds in (1, 0.5, np.float32(0.5), np.int64(1), np.array(0.5), Decimal("0.5"), Fraction(1, 2)):
        assert machine.run(seconds=seconds, instructions=3).reason == "budget"  # type: ignore[arg-type]
    wrongs: list[Any] = ["1", None, [], float("nan"), float("inf"), -1.0, True, 1j, 10**400]
    wrongs += [np.bool_(True), np.str_("1"), np.timedelta64(1), np.complex128(1), np.array(True)]
    for wrong in wrongs:
        with pytest.raises(rr.ArgumentError, match="seconds is a number"):
            machine.console.expect(b"x", seconds=wrong)


def test_parts_are_not_made_by_hand(machine: rr.Machine) -> None:
    makers: list[Any] = [rr.Cpu, rr.Memory, rr.Console, rr.Devices, rr.ReplayLock, rr.Replay, rr.Accesses, rr.Events]
    for made in makers:
        with pytest.raises(rr.ArgumentError, match="is made by itself"):
            made(machine if made is not rr.Console else "console")
    with pytest.raises(rr.ArgumentError, match="recording is an opened recording"):
        rr.Timeline("run.rreplay")  # type: ignore[arg-type]


def test_the_programs_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(programs) == 2
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for program in programs:
        exec(compile(program, "values.md", "exec"), names)
