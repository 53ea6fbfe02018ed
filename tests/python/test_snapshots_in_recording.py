"""Snapshots inside a recording, from which replays start, and shutdown by the host."""

from __future__ import annotations

from pathlib import Path

import pytest

import rreplay as rr


@pytest.fixture
def recording(tmp_path: Path) -> rr.Recording:
    machine = rr.Machine("breadboard")
    machine.run(instructions=100)
    with machine.record(tmp_path / "run.rreplay", snapshot_every=20_000, digest_every=15_000) as live:
        machine.console.expect(b">", seconds=1)
        machine.console.send(b"h\r")
        machine.run(instructions=50_000)
        live.snapshot()
        machine.console.send(b"d 0000\r")
        machine.run(instructions=50_000)
    return live


def end_of(machine: rr.Machine) -> tuple[int, int, str]:
    assert machine.run().reason == "end"
    return machine.icount, machine.cycles, machine.digest()


def test_a_replay_from_any_snapshot_ends_like_one_from_the_start(recording: rr.Recording) -> None:
    assert len(recording.snapshots) >= 5
    assert recording.info()["snapshots"] == len(recording.snapshots)
    whole = end_of(recording.replay())
    for place, icount in enumerate(recording.snapshots):
        for scheduler in ("inline", "threads"):
            machine = recording.replay(scheduler, snapshot=place)
            assert machine.icount == icount
            assert machine.mode == rr.ReplayMode.PLAY
            assert end_of(machine) == whole
    assert recording.replay(snapshot=-1).icount == recording.snapshots[-1]
    assert recording.verify().ok


def test_a_wrong_snapshot_is_refused(recording: rr.Recording, tmp_path: Path) -> None:
    with pytest.raises(rr.ArgumentError, match="snapshot"):
        recording.replay(snapshot=99)
    machine = rr.Machine("breadboard")
    with machine.record(tmp_path / "plain.rreplay") as live:
        machine.run(instructions=10)
    assert live.snapshots == []
    with pytest.raises(rr.ArgumentError, match="snapshot_every"):
        live.replay(snapshot=0)
    with pytest.raises(rr.StateError, match="recording"):
        live.snapshot()


@pytest.mark.parametrize("scheduler", ["inline", "threads"])
def test_a_shutdown_by_the_host_is_replayed(tmp_path: Path, scheduler: rr.Scheduler) -> None:
    machine = rr.Machine("breadboard")
    with machine.record(tmp_path / "run.rreplay") as live:
        machine.run(instructions=1000)
        machine.shutdown("host_signal")
        stop = machine.run(instructions=1000)
        assert (stop.reason, stop.shutdown, stop.icount) == ("shutdown", "host_signal", 1000)
        machine.run(instructions=500)
    again = live.replay(scheduler)
    again.shutdown()  # a replay takes no notice of its host
    stop = again.run(instructions=10_000)
    assert (stop.reason, stop.shutdown, stop.icount) == ("shutdown", "host_signal", 1000)
    assert end_of(again)[0] == 1500


def test_a_reset_by_the_host_is_replayed_and_the_run_goes_on(tmp_path: Path) -> None:
    machine = rr.Machine("breadboard")
    with machine.record(tmp_path / "run.rreplay") as live:
        machine.run(instructions=5000)
        machine.shutdown(rr.ShutdownCause.HOST_RESET)
        assert machine.run(instructions=300).reason == "budget"
    kinds = [event.kind for event in live.events(start=5000)]
    assert kinds[:3] == ["shutdown", "checkpoint", "interrupt"]
    assert end_of(live.replay())[:2] == (machine.icount, machine.cycles)


def test_an_unknown_cause_is_refused() -> None:
    with pytest.raises(rr.ArgumentError, match="host_reset"):
        rr.Machine("breadboard").shutdown("because")
