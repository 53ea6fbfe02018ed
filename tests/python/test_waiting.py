"""Nothing waits for ever: a run in which only time passes, a long file that is opened, a replay past a shutdown."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

import rreplay as rr

WAITER: Mapping[str | int, bytes] = {0x200: b"\xea\xcb\xea\xea", 0xFFFC: b"\x00\x02"}
"""NOP, WAI, NOP, NOP."""


def ticking() -> rr.Machine:
    """A processor that waits, and a device that asks for nothing but a tick each millisecond."""
    board = {
        "name": "ticking",
        "cpu": {"kind": "w65c02", "clock_hz": 1_000_000},
        "region": [{"name": "ram", "kind": "ram", "start": 0, "end": 0xFFFF}],
        "device": [{"name": "ticker", "kind": "user", "at": 0x4000, "irq": "none", "tick_cycles": 1000}],
    }
    return rr.Machine(board, rom=WAITER)


def test_a_processor_that_waits_while_only_timers_tick_ends_a_step() -> None:
    machine = ticking()
    stop = machine.step(5)
    assert stop.reason == "idle"
    assert stop.icount < 5
    assert 60.0 <= machine.time < 60.1
    assert machine.step(5, idle_seconds=2.0).reason == "idle"
    assert 62.0 <= machine.time < 62.1


def test_a_trace_ends_there_with_what_there_was() -> None:
    cycles = ticking().trace_bus(5)
    assert [cycle.address for cycle in cycles][-3:] != []
    assert len(cycles) < 20
    machine = ticking()
    machine.trace_bus(5, idle_seconds=1.0)
    assert 1.0 <= machine.time < 1.1


def test_a_limit_of_time_is_obeyed_whatever_the_processor_does() -> None:
    machine = ticking()
    assert machine.run(seconds=100).reason == "budget"
    assert 100.0 <= machine.time < 100.1
    assert ticking().run(seconds=100, idle_seconds=30).reason == "idle"
    assert ticking().run(seconds=100, idle_seconds=math.inf).reason == "budget"


@pytest.mark.parametrize("nonsense", [-1.0, math.nan, "60"])
def test_idle_seconds_are_a_number_from_zero_on(nonsense: float) -> None:
    with pytest.raises(rr.ArgumentError, match="idle_seconds"):
        ticking().run(instructions=5, idle_seconds=nonsense)


def test_the_ten_lines_hold_after_a_shutdown_in_the_middle(tmp_path: Path) -> None:
    machine = rr.Machine("breadboard")
    with machine.record(tmp_path / "run.rreplay") as recording:
        machine.console.expect(b"> ")
        machine.shutdown(rr.ShutdownCause.HOST_QUIT)
        assert machine.run(seconds=1).reason == "shutdown"
        machine.console.send(b"uptime\r")
        machine.console.expect(b"\n> ")
    again = recording.replay()
    again.run()
    assert again.digest() == machine.digest()
    assert recording.verify().ok


def test_a_timeline_says_whether_its_recording_was_verified(tmp_path: Path) -> None:
    machine = rr.Machine("breadboard")
    with machine.record(tmp_path / "run.rreplay") as recording:
        machine.run(instructions=5000)
    timeline = recording.timeline()
    assert not timeline.verified
    assert recording.verify(jobs=1) is not None
    assert timeline.verified
    assert not rr.open(tmp_path / "run.rreplay").timeline().verified, "another opening knows nothing of it"


@pytest.fixture
def long_file(tmp_path: Path) -> Path:
    """A recording of 200,000 characters."""
    # LDA #'A'; STA $F001; JMP back.
    machine = rr.Machine("py65mon", rom={0x1000: bytes.fromhex("A941 8D01F0 4C0210"), 0xFFFC: b"\x00\x10"})
    path = tmp_path / "long.rreplay"
    with machine.record(path):
        machine.run(instructions=400_000)
    return path


@pytest.mark.parametrize("cut", [0, 300])
def test_opening_says_how_far_it_is(long_file: Path, cut: int) -> None:
    if cut:
        data = long_file.read_bytes()
        long_file.write_bytes(data[:-cut])
    heard: list[tuple[int, int]] = []
    rr.Recording(long_file, salvage=True, progress=lambda done, total: heard.append((done, total)))
    assert heard == sorted(heard)
    assert {total for _, total in heard} == {heard[-1][1]}
    assert heard[-1][0] == heard[-1][1] > 100_000


def test_opening_is_stopped_by_what_the_progress_raises(long_file: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise RuntimeError(f"{done} of {total} is enough")

    with pytest.raises(RuntimeError, match="is enough"):
        rr.open(long_file, progress=stop)


def test_opening_is_interrupted_by_a_signal(long_file: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        rr.open(long_file, progress=interrupt)


class Busy:
    """A timeline that another thread is asking something that takes as long as it is told to."""

    def __init__(self, timeline: rr.Timeline) -> None:
        self.timeline = timeline
        self._asking, self._goes_on = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: timeline.profile(progress=self._hear))
        self._thread.start()
        self._asking.wait()

    def _hear(self, _done: int, _total: int) -> None:
        self._asking.set()
        self._goes_on.wait()

    def end(self) -> None:
        self._goes_on.set()
        self._thread.join()


@pytest.fixture
def busy(long_file: Path) -> Iterator[Busy]:
    busy = Busy(rr.open(long_file).timeline())
    yield busy
    busy.end()


QUESTIONS: dict[str, Callable[[rr.Timeline], object]] = {
    "registers": lambda timeline: timeline.registers,
    "moment": lambda timeline: timeline.at(1000).digest(),
    "seek": lambda timeline: timeline.seek(1000),
    "last_write": lambda timeline: timeline.last_write(0x200),
    "run": lambda timeline: timeline.run(),
    "fork": lambda timeline: timeline.moment.fork(),
}


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
@pytest.mark.parametrize("question", QUESTIONS)
def test_who_waits_for_another_threads_question_hears_signals(busy: Busy, question: str) -> None:
    """Nothing but the signal ends the wait: the other question goes on until this one has ended."""
    done = threading.Event()
    is_waiting = False

    def interrupt(*_: object) -> None:
        nonlocal is_waiting
        if is_waiting:
            is_waiting = False
            raise KeyboardInterrupt

    def keep_sending() -> None:
        while not done.wait(0.01):
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, interrupt)
    sending = threading.Thread(target=keep_sending)
    sending.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            is_waiting = True
            QUESTIONS[question](busy.timeline)
    finally:
        done.set()
        sending.join()
        signal.signal(signal.SIGINT, before)


def test_a_question_in_the_middle_of_one_is_refused(long_file: Path) -> None:
    timeline = rr.open(long_file).timeline()
    with pytest.raises(rr.StateError, match="in the middle of a question"):
        timeline.profile(progress=lambda _done, _total: timeline.registers)
    assert timeline.registers
