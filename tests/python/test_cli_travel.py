"""The commands that travel: `rreplay seek` and `rreplay diff`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rreplay as rr
from rreplay.cli import main

Recorded = tuple[rr.Machine, rr.LiveRecording]


def test_seek_shows_the_end(recorded: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    machine, recording = recorded
    assert main(["seek", str(recording.path)]) == 0
    shown = capsys.readouterr().out
    assert f"icount {machine.icount} of {machine.icount}" in shown
    assert f"=> ${machine.cpu.pc:04X}" in shown
    assert shown.splitlines()[-1].endswith("| >")


def test_seek_as_json_is_what_the_timeline_says(recorded: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    _, recording = recorded
    timeline = recording.timeline()
    timeline.seek(5000)
    assert main(["seek", str(recording.path), "5000", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["registers"] == timeline.registers
    assert told["digest"] == timeline.digest()
    assert (told["icount"], told["cycles"]) == (5000, timeline.cycles)
    assert told["console_bytes"] == len(timeline.console_output)


@pytest.mark.parametrize("where", ["-1", "999999999999"])
def test_seek_says_what_is_in_the_recording(where: str, recorded: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    _, recording = recorded
    assert main(["seek", str(recording.path), "--", where]) == 2
    assert where in capsys.readouterr().err


def test_diff_of_one_run_and_of_two(recorded: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    machine, recording = recorded
    again = recording.timeline().at(2_000).fork()
    with again.record(tmp_path / "other.rreplay") as other:
        again.console.send(b"!")
        again.run(instructions=4_000)
    cut = recording.cut(2_000, machine.icount, tmp_path / "cut.rreplay")

    assert main(["diff", str(recording.path), str(recording.path)]) == 0
    assert "same run" in capsys.readouterr().out
    assert main(["diff", str(cut.path), str(other.path)]) == 1
    assert str(rr.diff(cut, other)) in capsys.readouterr().out
    assert main(["diff", str(cut.path), str(other.path), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    found = rr.diff(cut, other)
    assert found is not None
    assert not told["same"]
    assert told["difference"]["icount"] == found.icount
    assert told["difference"]["b"]["recording"] == str(other.path)


def test_diff_of_different_boards_is_bad_input(
    recorded: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, recording = recorded
    machine = rr.Machine("lab")
    with machine.record(tmp_path / "lab.rreplay") as other:
        machine.run(instructions=100)
    assert main(["diff", str(recording.path), str(other.path)]) == 2
    assert "different boards, breadboard and lab" in capsys.readouterr().err
    faster = rr.Machine({"preset": "breadboard", "cpu": {"kind": "w65c02", "clock_hz": 2_000_000}})
    with faster.record(tmp_path / "faster.rreplay") as other:
        faster.run(instructions=100)
    assert main(["diff", str(recording.path), str(other.path)]) == 2
    assert (
        "both called breadboard, with 'clock_hz = 1000000' in the one and 'clock_hz = 2000000' in the other"
        in capsys.readouterr().err
    )
