"""The programs of docs/own-machine.md run, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import rreplay as rr

PAGE = (Path(__file__).parents[2] / "docs" / "own-machine.md").read_text()


def test_the_pages_machine_is_recorded_and_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(programs) == 3
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for program in programs:
        exec(compile(program, "own-machine.md", "exec"), names)
    recording = rr.open(tmp_path / "dice.rreplay")
    assert recording.machine == "dice"
    assert recording.output == names["rolled"]
    assert re.fullmatch(rb"[1-6]{4}", recording.output)
    assert [event.kind for event in recording.events("random")] == ["random"] * 4


def test_the_pages_replay_notices_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine, recorded, replayed = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(machine + recorded, names)
    exec(machine.replace('"print", "loop"', '"loop"'), names)
    with pytest.raises(rr.Divergence, match="char_write"):
        exec(replayed, names)
