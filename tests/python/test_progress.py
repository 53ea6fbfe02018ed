"""Progress: for every long call what is done and what there is in all, from nothing to all of it, and never back."""

from __future__ import annotations

import io
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rreplay as rr
from conftest import COUNT, ECHO, image
from rreplay.progress import Bar

INSTRUCTIONS = 3_000_000

Told = list[tuple[int, int]]


def record(path: Path, program: bytes, instructions: int, typed: bytes = b"", **how: Any) -> rr.Recording:
    machine = rr.Machine("py65mon", rom=image(program))
    with machine.record(path, **how):
        machine.run(instructions=100)
        if typed:
            machine.console.send(typed)
        machine.run(instructions=instructions - 100)
    return rr.open(path)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("progress")


@pytest.fixture(scope="module")
def recording(directory: Path) -> rr.Recording:
    return record(directory / "run.rreplay", COUNT, INSTRUCTIONS, snapshot_every=1_000_000)


@pytest.fixture(scope="module")
def echoes(directory: Path) -> tuple[rr.Recording, rr.Recording]:
    """Two that part, and in which something is typed and printed."""
    return (
        record(directory / "a.rreplay", ECHO, 400_000, b"abcde", snapshot_every=None),
        record(directory / "b.rreplay", ECHO, 400_000, b"abXde", snapshot_every=None),
    )


def check(told: Told, *, total: int | None = None, at_least: int = 1) -> None:
    assert len(told) >= at_least, told
    assert len({of for _, of in told}) == 1, told
    assert all(0 <= done <= of for done, of in told)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1] >= 1
    if total is not None:
        assert told[-1] == (total, total)


numbers = itertools.count()

LONG: dict[str, tuple[Callable[[rr.Recording, Any], object], int]] = {
    "verify": (lambda r, hear: r.verify(jobs=1, progress=hear), INSTRUCTIONS),
    "cut": (
        lambda r, hear: r.cut(100, INSTRUCTIONS, r.path.with_name(f"part{next(numbers)}"), progress=hear),
        2 * (INSTRUCTIONS - 100),
    ),
    "seek": (lambda r, hear: plain(r).seek(900_000, progress=hear), 900_000),
    "at": (lambda r, hear: plain(r).at(950_000, progress=hear), 950_000),
    "step": (lambda r, hear: plain(r).step(980_000, progress=hear), 980_000),
    "run": (lambda r, hear: watching(r).run(progress=hear), INSTRUCTIONS),
    "run without points": (lambda r, hear: plain(r).run(progress=hear), INSTRUCTIONS),
    "reverse_run": (lambda r, hear: watching(r, INSTRUCTIONS).reverse_run(progress=hear), INSTRUCTIONS),
    "accesses": (lambda r, hear: plain(r).accesses(0x3FFF, "r", progress=hear), INSTRUCTIONS),
    "profile": (lambda r, hear: plain(r).profile(progress=hear), INSTRUCTIONS),
    "replay": (lambda r, hear: r.replay().run(progress=hear), INSTRUCTIONS),
}


def plain(recording: rr.Recording) -> rr.Timeline:
    return recording.timeline()


def watching(recording: rr.Recording, start: int = 0) -> rr.Timeline:
    """Where memory was read is not noted in snapshots: all of the run is gone through."""
    timeline = recording.timeline()
    timeline.seek(start)
    timeline.add_watchpoint(0x3FFF, "r")
    return timeline


@pytest.mark.parametrize("name", LONG)
def test_long_calls_tell_how_far_they_are(recording: rr.Recording, name: str) -> None:
    call, total = LONG[name]
    told: Told = []
    call(recording, lambda done, of: told.append((done, of)))
    # How often a run or a verification is asked depends on time; the searches count what they do.
    check(told, total=total, at_least=1 if name in ("replay", "verify") else 3)


SHORT: dict[str, Callable[[rr.Timeline, Any], object]] = {
    "reverse_step": lambda timeline, hear: timeline.reverse_step(5, progress=hear),
    "step_over": lambda timeline, hear: timeline.step_over(progress=hear),
    "reverse_step_over": lambda timeline, hear: timeline.reverse_step_over(progress=hear),
    "step_out": lambda timeline, hear: timeline.step_out(progress=hear),
    "reverse_step_out": lambda timeline, hear: timeline.reverse_step_out(progress=hear),
    "last_write": lambda timeline, hear: timeline.last_write(0x3FFF, progress=hear),
    "origin": lambda timeline, hear: timeline.origin(0x3FFF, progress=hear),
    "history": lambda timeline, hear: timeline.history(0x3FFF, progress=hear),
    "run_to_event": lambda timeline, hear: timeline.run_to_event("char_write", progress=hear),
    "reverse_run_to_event": lambda timeline, hear: timeline.reverse_run_to_event("char_read", progress=hear),
    "run_to_output": lambda timeline, hear: timeline.run_to_output(b"e", progress=hear),
    "reverse_run_to_output": lambda timeline, hear: timeline.reverse_run_to_output(b"a", progress=hear),
    "seek": lambda timeline, hear: timeline.seek(timeline.moment, progress=hear),
    "open": lambda timeline, hear: rr.open(timeline.recording.path, progress=hear),
    "verify": lambda timeline, hear: timeline.recording.verify(progress=hear),
}


@pytest.mark.parametrize("name", SHORT)
def test_calls_that_are_over_soon_tell_that_all_is_done(echoes: tuple[rr.Recording, ...], name: str) -> None:
    timeline = echoes[0].timeline()
    timeline.seek(next(iter(echoes[0].events("char_write"))).icount + 1)
    told: Told = []
    SHORT[name](timeline, lambda done, of: told.append((done, of)))
    check(told)


def test_first_goes_from_the_start_to_the_end(directory: Path) -> None:
    timeline = record(directory / "short.rreplay", COUNT, 4_000).timeline()
    told: Told = []
    assert timeline.first(lambda moment: False, progress=lambda done, of: told.append((done, of))) is None
    check(told, total=4_000, at_least=3)


def test_diff_and_minimize(echoes: tuple[rr.Recording, ...], directory: Path) -> None:
    told: Told = []
    assert rr.diff(*echoes, progress=lambda done, of: told.append((done, of))) is not None
    check(told, total=400_000, at_least=3)
    told.clear()
    least = rr.minimize(
        echoes[0], lambda run: b"c" in run.output, directory / "least", progress=lambda d, of: told.append((d, of))
    )
    assert least.output == b"c"
    check(told, total=10, at_least=3)


def test_a_run_that_has_an_end(tmp_path: Path) -> None:
    machine = rr.Machine("py65mon", rom=image(COUNT))
    limits: list[tuple[dict[str, Any], int]] = [
        ({"instructions": 5000}, 5000),
        ({"cycles": 700}, 700),
        ({"seconds": 0.5}, 500_000),
    ]
    told: Told = []
    for limit, total in limits:
        told.clear()
        machine.run(**limit, progress=lambda done, of: told.append((done, of)))
        check(told, total=total)
    with pytest.raises(rr.ArgumentError, match="progress needs an end"):
        machine.run(progress=lambda done, of: None)
    told.clear()
    machine.run(seconds=20.0, progress=lambda done, of: told.append((done, of)), scheduler="threads")
    check(told, total=20_000_000)


@pytest.mark.parametrize("name", LONG)
def test_what_hears_of_it_may_end_it(recording: rr.Recording, name: str) -> None:
    def enough(done: int, total: int) -> None:
        raise InterruptedError(done)

    with pytest.raises(InterruptedError):
        LONG[name][0](recording, enough)


@pytest.mark.parametrize("wrong", [5, "yes", b"", [], object()])
def test_what_hears_nothing_is_refused(recording: rr.Recording, wrong: Any) -> None:
    timeline = recording.timeline()
    for call in (timeline.run, recording.verify, lambda progress: rr.open(recording.path, progress=progress)):
        with pytest.raises(rr.ArgumentError, match="progress is True, or a function"):
            call(progress=wrong)
    assert timeline.icount == 0


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> Iterator[str]:
    monkeypatch.setattr(sys, "stderr", stream)
    bar = Bar("searching")
    for done in (0, 1, 5, 10):
        bar(done, 10)
    yield stream.getvalue()


def test_a_bar(monkeypatch: pytest.MonkeyPatch, recording: rr.Recording) -> None:
    (text,) = drawn(monkeypatch, Terminal())
    assert text.startswith("\rsearching [..............................]   0 %\r")
    assert text.endswith("\rsearching [##############################] 100 %\n")
    (text,) = drawn(monkeypatch, io.StringIO())
    assert text == "searching: 10 %\nsearching: 50 %\nsearching: 100 %\n"
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    recording.timeline().accesses(0x3FFF, "r", progress=True)
    assert "100 %\n" in stream.getvalue()
    for nothing in (None, False):
        stream = Terminal()
        monkeypatch.setattr(sys, "stderr", stream)
        recording.timeline().seek(900_000, progress=nothing)
        assert stream.getvalue() == ""
    monkeypatch.setattr(sys, "stderr", None)
    recording.timeline().seek(900_000, progress=True)
