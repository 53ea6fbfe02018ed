"""The recording format is described well enough for a second reader: see docs/log-format.md."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

TESTS = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def second_reader() -> ModuleType:
    spec = importlib.util.spec_from_file_location("log_second_reader", TESTS / "log_second_reader.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("golden", sorted((TESTS / "golden").glob("*.rreplay")), ids=lambda path: path.stem)
def test_golden_recordings_read_the_same(second_reader: ModuleType, golden: Path) -> None:
    expected = json.loads(golden.with_suffix(".json").read_text())
    assert second_reader.read(golden.read_bytes()) == expected


def test_every_flipped_byte_and_every_cut_is_refused(second_reader: ModuleType) -> None:
    data = (TESTS / "golden" / "v1.rreplay").read_bytes()
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 0x10
        for damaged in (bytes(changed), data[:place]):
            with pytest.raises((second_reader.FormatError, UnicodeDecodeError)):
                second_reader.read(damaged)
