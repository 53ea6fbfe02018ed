"""The session of docs/time-travel.md, as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import rreplay as rr
from race_support import recorded

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def race(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("race") / "race.rreplay"
    _, machine = recorded(path)
    assert not machine.console.output.endswith(b"6F\r\n")
    return path


def test_the_session_finds_the_race(
    race: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs/time-travel.md").read_text(encoding="utf-8")
    match = re.search(r"```python\n(.*?)```\n\n((?:    [^\n]*\n)+)", page, re.DOTALL)
    assert match is not None
    session, printed = match.groups()
    assert len(session.splitlines()) < 10
    monkeypatch.chdir(race.parent)
    exec(session, {"rr": rr})
    lines = capsys.readouterr().out.splitlines()
    # The figures are those of one seed; the instructions are the mistake.
    assert lines[-1] == printed.splitlines()[-1].strip()
    assert re.fullmatch(r"(\d+) (?!\1$)\d+", lines[0])
    assert "address=0x0000" in lines[1]
