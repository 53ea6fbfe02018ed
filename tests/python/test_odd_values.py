"""Whatever is given to whatever is public: an answer or a `ReplayError` comes of it. See odd_values.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROUNDS = int(os.environ.get("RREPLAY_ODD_VALUES", "1"))
"""How often each call is made with values drawn for several arguments, beside those in which one is odd."""

SEED = int(os.environ.get("RREPLAY_ODD_VALUES_SEED", "6502"))

PROGRAM = Path(__file__).with_name("odd_values.py")

PARTS = 4
"""Processes that share the calls, so that several may run at a time."""


def run(directory: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROGRAM), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=directory, check=False)


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory as Linux does")


@linux
def test_what_is_wrong_is_found(tmp_path: Path) -> None:
    result = run(tmp_path, SEED, 0, "planted")
    assert result.returncode == 1, result.stderr
    for planted in ("copies with [('value', '<mmap", "fails with [('value', '1.5')]", "talks with [('value', "):
        assert f"rreplay.{planted}" in result.stdout
    assert "a message of 100" in result.stdout
    assert "MemoryError" in result.stdout


@linux
@pytest.mark.timeout(0 if ROUNDS > 1 else 300)
@pytest.mark.parametrize("part", range(PARTS))
def test_odd_values(part: int, tmp_path: Path) -> None:
    result = run(tmp_path, SEED, ROUNDS, f"{part}/{PARTS}")
    call = tmp_path / "CALL"
    last = call.read_text(errors="replace") if call.exists() else "none"
    print(result.stdout)
    assert result.returncode == 0, f"the last call was {last}\n{result.stdout[-8000:]}\n{result.stderr[-4000:]}"
    made = int(result.stdout.split()[-4])
    assert made > 80_000 / PARTS, "it finds fewer things to call than there are"
