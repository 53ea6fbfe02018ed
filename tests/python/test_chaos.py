"""Chaos: what hardware leaves open is drawn by a seed, so that a rare race comes up, is kept, and replays."""

from __future__ import annotations

from pathlib import Path

import pytest

import rreplay as rr
from race_support import ANSWER, FIRST_SEED, HEISENBUG, TYPED, first_seed, recorded, run

HEAD, TAIL = 0x00, 0x01


@pytest.fixture(scope="module")
def failure(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path, rr.Machine]:
    """A seed that shows the race, with its recording."""
    path = tmp_path_factory.mktemp("chaos") / "heisenbug.rreplay"
    seed, machine = recorded(path)
    return seed, path, machine


@pytest.mark.deep
def test_the_search_finds_the_seed_that_is_known(tmp_path: Path) -> None:
    assert first_seed(tmp_path / "heisenbug.rreplay") == FIRST_SEED


def test_chaos_finds_the_heisenbug(failure: tuple[int, Path, rr.Machine]) -> None:
    _, _, machine = failure
    # An answer is missing, and the byte that it is for lies in the ring, over which the program sleeps.
    assert ANSWER.startswith(machine.console.output)
    assert machine.memory[HEAD] != machine.memory[TAIL]


def test_without_chaos_it_does_not_show(tmp_path: Path) -> None:
    machine = run(tmp_path / "plain.rreplay", None)
    assert machine.console.output == ANSWER
    assert rr.Recording(tmp_path / "plain.rreplay").info()["chaos"] is None


@pytest.mark.parametrize("scheduler", ["inline", "threads"])
def test_the_failure_replays(failure: tuple[int, Path, rr.Machine], scheduler: rr.Scheduler) -> None:
    seed, path, machine = failure
    recording = rr.Recording(path)
    assert recording.info()["chaos"] == seed
    assert recording.verify().ok
    replay = recording.replay(scheduler=scheduler)
    assert replay.run().reason == "end"
    assert replay.digest() == machine.digest()
    assert replay.console.output == machine.console.output


def test_a_seed_draws_the_same_again(failure: tuple[int, Path, rr.Machine], tmp_path: Path) -> None:
    seed, path, machine = failure
    again = run(tmp_path / "again.rreplay", seed)
    assert again.digest() == machine.digest()

    def events(of: Path) -> list[tuple[int, int, str]]:
        return [(event.icount, event.cycles, event.kind) for event in rr.Recording(of).events()]

    assert events(tmp_path / "again.rreplay") == events(path)


def test_seeds_differ_and_lose_nothing(tmp_path: Path) -> None:
    text = bytes(range(33, 127))
    arrivals = set()
    for seed in range(8):
        machine = rr.Machine("breadboard", rom=HEISENBUG.with_name("echo.bin"))
        path = tmp_path / f"{seed}.rreplay"
        with machine.record(path, chaos=seed):
            machine.console.send(text)
            machine.run(seconds=20, scheduler="threads" if seed % 2 else "inline")
        assert machine.console.output == text
        received = list(rr.Recording(path).events(kind="char_read"))
        assert b"".join(event.data for event in received) == text
        arrivals.add(tuple((event.icount, event.data) for event in received))
    assert len(arrivals) == 8


def test_what_is_held_belongs_to_the_recording(tmp_path: Path) -> None:
    machine = rr.Machine("breadboard", rom=HEISENBUG.with_name("echo.bin"))
    path = tmp_path / "short.rreplay"
    with machine.record(path, chaos=1):
        machine.console.send(TYPED)
        machine.step(1)
        assert machine.console.pending == len(TYPED)
    received = [event.data for event in rr.Recording(path).events(kind="char_read")]
    assert b"".join(received) == TYPED
    assert rr.Recording(path).verify().ok
    # Nothing is held any more: the machine goes on with what was typed.
    machine.run(seconds=1)
    assert machine.console.output == TYPED


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "7", True])
def test_bad_seeds(tmp_path: Path, seed: int) -> None:
    with pytest.raises(rr.ArgumentError, match="chaos"):
        rr.Machine("breadboard").record(tmp_path / "bad.rreplay", chaos=seed)
    assert not list(tmp_path.iterdir())
