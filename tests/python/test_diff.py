"""Where two recordings part."""

from __future__ import annotations

import _thread
from pathlib import Path

import pytest

import rreplay as rr


def record(path: Path, typed: bytes, *, snapshot_every: int | None = None) -> rr.Recording:
    machine = rr.Machine()
    with machine.record(path, snapshot_every=snapshot_every):
        machine.run(seconds=0.03)
        machine.console.send(typed)
        machine.run(seconds=0.05)
    return rr.open(path)


def test_the_same_run_has_no_difference_however_it_was_recorded(tmp_path: Path) -> None:
    one = record(tmp_path / "a.rreplay", b"help\r")
    other = record(tmp_path / "b.rreplay", b"help\r", snapshot_every=1000)
    assert rr.diff(one, other) is None


def test_a_letter_more_or_less_is_found_at_its_instruction(tmp_path: Path) -> None:
    a, b = record(tmp_path / "a.rreplay", b"hel\r"), record(tmp_path / "b.rreplay", b"hex\r")
    found = rr.diff(a, b)
    assert found is not None
    assert found.a.event is not None
    assert found.b.event is not None
    assert found.a.event.kind == "char_read"
    assert (found.a.event.icount, found.a.event.data) != (found.b.event.icount, found.b.event.data)
    assert found.icount is not None
    timelines = a.timeline(), b.timeline()
    for icount in (0, found.icount // 2, found.icount):
        one, other = (timeline.at(icount).digests() for timeline in timelines)
        assert one == other
    behind = [timeline.at(found.icount + 1).digests() for timeline in timelines]
    assert behind[0] != behind[1]
    assert found.a.after == found.a.after
    assert found.devices["acia"] or found.registers or found.memory
    text = str(found)
    assert f"the same until icount {found.icount}" in text
    assert str(a.path) in text


def test_differing_bytes_name_their_writers(tmp_path: Path) -> None:
    program = bytes([0xA5, 0x10, 0x85, 0x11, 0x4C, 0x04, 0x80])  # LDA $10, STA $11, JMP *
    image = program.ljust(0x7FFA, b"\xea") + bytes([0x00, 0x80, 0x00, 0x80, 0x00, 0x80])
    recordings = []
    for number in (1, 2):
        machine = rr.Machine("breadboard", rom=image)
        machine.memory[0x10] = number
        with machine.record(tmp_path / f"{number}.rreplay"):
            machine.run(instructions=20)
        recordings.append(rr.open(tmp_path / f"{number}.rreplay"))
    found = rr.diff(*recordings)
    assert found is not None
    assert found.icount is None, "they differ from the start"
    assert [byte.address for byte in found.memory] == [0x10]
    assert (found.memory[0].a, found.memory[0].b, found.memory[0].writer_a) == (1, 2, None)
    assert "differ from the start" in str(found)


def test_a_run_that_goes_on_is_longer_by_its_events(tmp_path: Path) -> None:
    a = record(tmp_path / "a.rreplay", b"")
    machine = rr.Machine()
    with machine.record(tmp_path / "b.rreplay"):
        machine.run(seconds=0.2)
    found = rr.diff(a, rr.open(tmp_path / "b.rreplay"))
    assert found is not None
    assert found.a.event is not None
    assert found.a.event.kind == "shutdown"
    assert found.icount is None
    assert "the same state as far as both go" in str(found)


def test_different_boards_have_nothing_to_compare(tmp_path: Path) -> None:
    a = record(tmp_path / "a.rreplay", b"")
    machine = rr.Machine("lab")
    with machine.record(tmp_path / "b.rreplay"):
        machine.run(instructions=10)
    with pytest.raises(rr.ArgumentError, match="breadboard and lab"):
        rr.diff(a, rr.open(tmp_path / "b.rreplay"))


def test_what_hears_of_it_and_a_signal_end_it(tmp_path: Path) -> None:
    a, b = record(tmp_path / "a.rreplay", b"hel\r"), record(tmp_path / "b.rreplay", b"hex\r")

    def enough(done: int, total: int) -> None:
        raise InterruptedError(done)

    with pytest.raises(InterruptedError):
        rr.diff(a, b, progress=enough)
    with pytest.raises(KeyboardInterrupt):
        rr.diff(a, b, progress=lambda done, total: _thread.interrupt_main())
