"""The session of docs/time-travel.md, as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import rreplay as rr

ROOT = Path(__file__).parents[2]
HEISENBUG = ROOT / "guests/programs/heisenbug.bin"
SEEDS_MAX = 30_000


@pytest.fixture(scope="module")
def race(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("race") / "race.rreplay"
    for seed in range(SEEDS_MAX):
        machine = rr.Machine("breadboard", rom=HEISENBUG)
        with machine.record(path, chaos=seed):
            machine.console.send(b"hello")
            machine.run(seconds=2)
        if not machine.console.output.endswith(b"6F\r\n"):
            return path
    pytest.fail(f"none of {SEEDS_MAX} seeds shows the race")


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
