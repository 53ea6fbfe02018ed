"""A program that records is killed without warning: what it leaves is told as it is, and can be used."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

import rreplay as rr

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")

RECORDER = """
import os, random, sys
import rreplay as rr

path, scheduler = sys.argv[1:]
machine = rr.Machine("breadboard")
dice = random.Random(7)
live = machine.record(path, digest_every=2000, snapshot_every=50_000)
start = os.path.getsize(path)
print("recording", flush=True)
while True:
    machine.console.send(dice.choice([b"x 8000.80FF\\r", b"uptime\\r", b"sum 8000 80FF\\r"]))
    machine.run(instructions=dice.randrange(1, 20_000), scheduler=scheduler)
    # What is in the file now was handed to the operating system.
    if os.path.getsize(path) > start:
        print(os.path.getsize(path), machine.icount, flush=True)
"""
"""Records into a file for ever, and tells how much of it is written."""


def record_and_kill(path: Path, scheduler: rr.Scheduler, reports: int) -> int:
    """Kills a recorder behind so many of its reports; gives the length that the file surely has."""
    command = [sys.executable, "-c", RECORDER, str(path), scheduler]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as recorder:
        assert recorder.stdout is not None
        try:
            assert recorder.stdout.readline() == "recording\n"
            told = [recorder.stdout.readline() for _ in range(reports)]
        finally:
            recorder.kill()
        assert recorder.wait() == -signal.SIGKILL
    return int(told[-1].split()[0]) if told else 0


@pytest.mark.parametrize("scheduler", ["inline", "threads"])
@pytest.mark.parametrize("reports", [0, 1, 40])
def test_what_a_killed_recorder_leaves(tmp_path: Path, reports: int, scheduler: rr.Scheduler) -> None:
    path = tmp_path / "run.rreplay"
    flushed = record_and_kill(path, scheduler, reports)
    assert path.stat().st_size >= flushed
    with pytest.raises(rr.DamagedLog, match=r"was not finished|was cut off") as refused:
        rr.Recording(path)
    assert "salvage" in str(refused.value)
    recording = rr.Recording(path, salvage=True)
    assert not recording.complete
    assert recording.damage is not None
    assert "bytes are lost" in recording.damage
    events = list(recording.events())
    assert len(events) == sum(recording.info()["events"].values())
    if reports:
        assert len(events) > 1
    again = recording.replay(scheduler)
    assert again.run().reason == "end"
    assert again.icount in (recording.icount, recording.icount + 1)
    assert again.console.output == recording.output
    result = recording.verify()
    assert not result.ok
    for place in range(len(recording.snapshots)):
        later = recording.replay(snapshot=place)
        assert later.run().reason == "end"


def test_a_killed_recording_is_a_finding_on_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "run.rreplay"
    record_and_kill(path, "inline", 2)
    run = subprocess.run(
        [sys.executable, "-m", "rreplay", "verify", str(path)], capture_output=True, text=True, check=False
    )
    assert run.returncode != 0
    assert "salvage" in run.stderr + run.stdout
