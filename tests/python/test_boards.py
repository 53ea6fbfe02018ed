from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import rreplay as rr
from rreplay.machine.resolve import BoardSource, ImageSource, to_toml


def test_presets_are_listed_and_can_be_built() -> None:
    assert {"breadboard", "sbc6850", "py65mon"} <= set(rr.boards())
    for name in rr.boards():
        assert rr.Board.preset(name).name == name


@pytest.mark.parametrize("name", rr.boards())
def test_a_board_survives_its_own_toml(name: str) -> None:
    board = rr.Board.preset(name)
    again = rr.Board.from_toml(board.to_toml())
    assert again == board
    assert again.to_toml() == board.to_toml()


def test_a_machine_is_made_from_each_kind_of_source(tmp_path: Path) -> None:
    board = rr.Board.preset("breadboard")
    path = tmp_path / "mine.toml"
    path.write_text(board.to_toml())
    sources: list[BoardSource] = ["breadboard", board, path, str(path), tomllib.loads(board.to_toml())]
    digests = {rr.Machine(source).digest() for source in sources}
    assert len(digests) == 1


def test_a_mapping_becomes_the_same_toml() -> None:
    mapping = {
        "name": 'a "b"\\\n\x7f',
        "n": 3,
        "f": 1.5,
        "yes": True,
        "list": [{"a": 1}, {"b": [1, 2]}],
        "t": {"x y": 0},
    }
    assert tomllib.loads(to_toml(mapping)) == mapping


def test_boards_compare_by_what_they_describe() -> None:
    assert rr.Board.preset("breadboard") == rr.Board.preset("breadboard")
    assert rr.Board.preset("breadboard") != rr.Board.preset("py65mon")
    assert len({rr.Board.preset("breadboard"), rr.Board.preset("breadboard")}) == 1


BRANCH_OR_NOP: dict[str | int, ImageSource] = {0x0200: bytes([0x80, 2, 0, 0]), 0xFFFC: b"\x00\x02"}
"""Opcode 80 branches on a W65C02 and is a NOP of two bytes on the NMOS chip."""


@pytest.mark.parametrize(
    ("make", "pc"),
    [
        (lambda: rr.Machine("py65mon", rom=BRANCH_OR_NOP), 0x0204),
        (lambda: rr.Machine("py65mon", rom=BRANCH_OR_NOP, cpu="65c02"), 0x0204),
        (lambda: rr.Machine("py65mon", rom=BRANCH_OR_NOP, cpu="6502"), 0x0202),
        (lambda: rr.Machine(rr.Board.preset("py65mon").with_cpu("nmos6502"), rom=BRANCH_OR_NOP), 0x0202),
        (lambda: rr.Machine({"preset": "py65mon", "cpu": "6502"}, rom=BRANCH_OR_NOP), 0x0202),
        (lambda: rr.Machine({"preset": "py65mon", "cpu": {"kind": "6502"}}, rom=BRANCH_OR_NOP), 0x0202),
    ],
)
def test_the_processor_can_be_chosen(make: Callable[[], rr.Machine], pc: int) -> None:
    m = make()
    m.step()
    assert m.cpu.pc == pc
    assert m.board.cpu == ("w65c02" if pc == 0x0204 else "6502")


def test_a_mapping_over_a_preset() -> None:
    board = rr.Machine({"preset": "breadboard", "name": "fast", "cpu": {"clock_hz": 4_000_000}}).board
    assert (board.name, board.clock_hz, board.cpu) == ("fast", 4_000_000, "w65c02")


@pytest.mark.parametrize("bad", [{"preset": 1}, {"preset": "none such"}, {"preset": "breadboard", "colour": "red"}])
def test_a_wrong_mapping_over_a_preset(bad: dict[str, object]) -> None:
    with pytest.raises(rr.BoardError):
        rr.Machine(bad)


def test_an_unknown_processor() -> None:
    with pytest.raises(rr.BoardError, match="z80.*known are"):
        rr.Machine("breadboard", cpu="z80")


def test_a_board_with_more_devices_than_the_bus_can_number() -> None:
    devices = [{"name": f"c{i}", "kind": "mc6850", "at": 0x7000 + 2 * i} for i in range(300)]
    board = {
        "name": "crowded",
        "cpu": {"kind": "6502", "clock_hz": 1},
        "region": [{"name": "ram", "kind": "ram", "start": 0, "end": 0xFFFF}],
        "device": devices,
    }
    with pytest.raises(rr.BoardError, match="300 devices"):
        rr.Machine(board, rom=b"\xea")
    board["device"] = devices[:200]
    machine = rr.Machine(board)
    assert len(machine.devices) == 200


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ('kind = "mos6551"|kind = "mos6552"', "mos6552"),
        ("at = 0x6000|at = 0x5002", "acia.*via"),
        ('console = "acia"|console = "via"', "via"),
        ("at = 0x6000|at = 0x6000\ncolour = 3", "colour"),
    ],
)
def test_a_board_is_checked_when_it_is_read(change: str, says: str) -> None:
    text = rr.Board.preset("breadboard").to_toml()
    old, new = change.split("|")
    assert old in text
    with pytest.raises(rr.BoardError, match=says):
        rr.Board.from_toml(text.replace(old, new))
