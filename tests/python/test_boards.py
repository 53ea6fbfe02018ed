from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import rreplay as rr
from rreplay._sources import BoardSource, to_toml


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
