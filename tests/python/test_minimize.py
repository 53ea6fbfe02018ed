"""The smallest input that still shows something."""

from __future__ import annotations

import _thread
import re
from pathlib import Path

import pytest

import rreplay as rr

HEISENBUG = Path(__file__).parents[2] / "guests/programs/heisenbug.bin"
TYPED = b"jackdaws love"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> rr.Recording:
    path = tmp_path_factory.mktemp("minimize") / "run.rreplay"
    machine = rr.Machine("breadboard", rom=HEISENBUG)
    with machine.record(path):
        machine.run(seconds=0.05)
        machine.console.send(TYPED)
        machine.run(seconds=0.5)
    return rr.open(path)


def typed(recording: rr.Recording) -> bytes:
    return b"".join(event.data for event in recording.events("char_read"))


def test_what_is_left_cannot_be_left_out(recording: rr.Recording, tmp_path: Path) -> None:
    assert typed(recording) == TYPED
    # The program answers each byte with its code.
    one = rr.minimize(recording, lambda tried: b"6B" in tried.output, tmp_path / "one.rreplay")
    assert typed(one) == b"k"
    assert one.output == b"6B\r\n"
    assert one.verify().ok
    assert one.info()["lineage"]["parent"] == recording.info()["identity"]
    two = rr.minimize(recording, lambda tried: re.search(b"6B.*77", tried.output, re.DOTALL), tmp_path / "two.rreplay")
    assert typed(two) == b"kw"


def test_pieces_are_brought_together(recording: rr.Recording, tmp_path: Path) -> None:
    small = rr.minimize(recording, lambda tried: typed(tried).count(b"a") >= 2, tmp_path / "two.rreplay")
    events = list(small.events("char_read"))
    assert typed(small) == b"aa"
    assert len({event.cycles for event in events}) == 1


def test_a_predicate_that_does_not_hold_is_an_error(recording: rr.Recording, tmp_path: Path) -> None:
    with pytest.raises(rr.ArgumentError, match="does not hold"):
        rr.minimize(recording, lambda tried: False, tmp_path / "none.rreplay")
    with pytest.raises(rr.StateError, match="the same input does not show it"):
        rr.minimize(recording, lambda tried: tried.path == recording.path, tmp_path / "none.rreplay")
    assert not (tmp_path / "none.rreplay").exists()


def test_the_result_stands_beside_the_recording(recording: rr.Recording) -> None:
    small = rr.minimize(recording, lambda tried: True)
    assert small.path == recording.path.with_suffix(".min.rreplay")
    assert typed(small) == b""


def shows_k(tried: rr.Recording) -> bool:
    return b"6B" in tried.output


def test_what_is_raised_meanwhile_ends_it(recording: rr.Recording, tmp_path: Path) -> None:
    def fails(tried: rr.Recording) -> bool:
        if tried.path != recording.path:
            raise LookupError(tried.path)
        return True

    target = tmp_path / "none.rreplay"
    with pytest.raises(LookupError):
        rr.minimize(recording, fails, target)
    with pytest.raises(KeyboardInterrupt):
        rr.minimize(recording, shows_k, target, progress=lambda done, total: _thread.interrupt_main())
    assert not target.exists()
    assert typed(rr.minimize(recording, shows_k, target)) == b"k"


def test_a_recording_that_is_tried_may_be_kept_open(recording: rr.Recording, tmp_path: Path) -> None:
    seen: list[rr.Recording] = []

    def keeps(tried: rr.Recording) -> bool:
        seen.append(tried)
        return b"6B" in tried.output

    rr.minimize(recording, keeps, tmp_path / "one.rreplay")
    outputs = [tried.output for tried in seen]
    assert seen[0] is recording
    assert len({bytes(output) for output in outputs}) > 2, "each is a run of its own, and stays what it was"
    assert not any(tried.path.exists() for tried in seen[1:])
