"""What timelines do with arguments that make no sense, and with callbacks that use the timeline that asks them."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest

import rreplay as rr


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> rr.Recording:
    path = tmp_path_factory.mktemp("misuse") / "run.rreplay"
    machine = rr.Machine()
    with machine.record(path, snapshot_every=500):
        machine.run(instructions=2500)
        machine.console.send(b"ver\r")
        machine.run(instructions=1500)
    return rr.open(path)


@pytest.fixture
def timeline(recording: rr.Recording) -> rr.Timeline:
    timeline = recording.timeline()
    timeline.seek(77)
    return timeline


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda timeline: timeline.seek(None), "None is not"),
        (lambda timeline: timeline.at(None), "None is not"),
        (lambda timeline: timeline.step(None), "None is not"),
        (lambda timeline: timeline.reverse_step(None), "None is not"),
        (lambda timeline: timeline.seek(100, cycles=10**9), "waits there no longer"),
        (lambda timeline: timeline.at(100, cycles=10**9), "waits there no longer"),
        (lambda timeline: timeline.at(100, cycles=timeline.at(100).cycles + 1), "waits there no longer"),
        (lambda timeline: timeline.add_breakpoint(None), "None is not"),
        (lambda timeline: timeline.add_breakpoint(0x8000, 1), "cannot be called"),
        (lambda timeline: timeline.add_watchpoint(0x200, "w", "x"), "cannot be called"),
        (lambda timeline: timeline.add_watchpoint(True), "address"),
        (lambda timeline: timeline.accesses(True), "address"),
        (lambda timeline: timeline.last_write(None), "None is not"),
        (lambda timeline: timeline.origin(None), "None is not"),
        (lambda timeline: timeline.first(None), "cannot be called"),
        (lambda timeline: timeline.on_progress(5), "cannot be called"),
        (lambda timeline: timeline.run_to_event(1), "kind of event"),
        (lambda timeline: timeline.reverse_run_to_event(b"clock"), "kind of event"),
        (lambda timeline: timeline.run_to_output("ver"), "bytes"),
        (lambda timeline: timeline.run_to_output(b""), "empty"),
        (lambda timeline: timeline.reverse_run_to_output(re.compile("ver")), "bytes"),
        (lambda timeline: timeline.reverse_run_to_output(b""), "empty"),
        (lambda timeline: timeline.devices["vdu"], "no device 'vdu'"),
        (lambda timeline: timeline.disassemble(0x8000, None), "None is not"),
        (lambda timeline: timeline.recording.timeline(symbols=5), "label file"),
        (lambda timeline: timeline.recording.timeline(symbols={"here": -1}), "'here'"),
        (lambda timeline: timeline.recording.timeline(symbols={"here": "there"}), "'here'"),
        (lambda timeline: timeline.recording.timeline(memory_budget=None), "None is not"),
        (lambda timeline: timeline.recording.cut(None, 50, "part.rreplay"), "None is not"),
        (lambda timeline: rr.diff(timeline.recording, timeline), "is none"),
    ],
)
def test_wrong_arguments_say_what_is_wrong(timeline: rr.Timeline, wrong: Any, text: str) -> None:
    with pytest.raises(rr.ReplayError, match=text):
        wrong(timeline)
    assert timeline.icount == 77


def test_moments_of_other_timelines_are_taken_if_they_are_of_the_same_recording(
    recording: rr.Recording, timeline: rr.Timeline, tmp_path: Path
) -> None:
    mark = recording.timeline().at(1234)
    timeline.seek(mark)
    assert timeline.icount == 1234
    found = timeline.last_write(0x1FD)
    timeline.seek(0)
    assert timeline.last_write(0x1FD, before=mark) == found
    machine = rr.Machine()
    with machine.record(tmp_path / "other.rreplay"):
        machine.run(instructions=5000)
    other = rr.open(tmp_path / "other.rreplay").timeline().at(4000)
    for use in (timeline.seek, lambda moment: timeline.last_write(0x1FD, before=moment)):
        with pytest.raises(rr.ArgumentError, match="recording"):
            use(other)
    assert timeline.icount == 0


def test_what_matches_nothing_is_not_gone_to(timeline: rr.Timeline) -> None:
    assert not timeline.reverse_run_to_output(re.compile(b"x*"))
    assert not timeline.run_to_output(re.compile(b"@*"))
    assert timeline.icount == 77


def test_a_part_does_not_take_its_recordings_place(recording: rr.Recording, tmp_path: Path) -> None:
    path = tmp_path / "run.rreplay"
    path.write_bytes(recording.path.read_bytes())
    (tmp_path / "link").symlink_to(path)
    for target in (path, tmp_path / "link", f"{tmp_path}/../{tmp_path.name}/run.rreplay"):
        with pytest.raises(rr.ArgumentError, match="another path"):
            rr.open(path).cut(10, 20, target)
    assert path.read_bytes() == recording.path.read_bytes()


def test_conditions_may_use_the_timeline_that_asks(timeline: rr.Timeline) -> None:
    address = timeline.at(300).pc
    seen: list[tuple[int, int]] = []

    def look(moment: rr.Moment) -> bool:
        assert timeline.icount == 77, "it has not arrived yet"
        fork = moment.fork()
        fork.run(instructions=3)
        assert fork.icount == moment.icount + 3
        assert timeline.at(100).icount == 100
        timeline.last_write(0x1FD, before=moment)
        timeline.accesses(0x1FD, stop=moment.icount)
        seen.append((moment.icount, moment.cycles))
        return moment.icount >= 300

    timeline.add_breakpoint(address, look)
    stop = timeline.run()
    assert (stop.reason, stop.icount) == ("breakpoint", seen[-1][0])
    assert seen == sorted(seen)


def test_conditions_may_take_breakpoints_off(timeline: rr.Timeline) -> None:
    asked: list[int] = []

    def once(moment: rr.Moment) -> bool:
        asked.append(moment.icount)
        timeline.clear_breakpoints()
        return True

    timeline.add_breakpoint(timeline.at(300).pc, once)
    timeline.run()
    timeline.seek(77)
    asked.clear()
    assert timeline.run().reason == "end"
    assert not asked


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, StopIteration, ZeroDivisionError])
def test_whatever_a_callback_raises_comes_out(timeline: rr.Timeline, error: type[BaseException]) -> None:
    def broken(moment: rr.Moment) -> bool:
        raise error

    timeline.add_breakpoint(timeline.at(300).pc, broken)
    for ask in (timeline.run, lambda: timeline.first(broken)):
        with pytest.raises(error):
            ask()
        assert timeline.icount == 77


def test_threads_share_a_timeline(recording: rr.Recording, timeline: rr.Timeline) -> None:
    wanted = {icount: recording.timeline().at(icount).digest() for icount in range(0, 4000, 250)}
    writes = len(timeline.accesses(range(0x100, 0x200)))
    wrong: list[object] = []

    def work(first: int) -> None:
        try:
            for icount in list(wanted)[first:] * 4:
                timeline.seek(icount)
                if timeline.at(icount).digest() != wanted[icount]:
                    wrong.append(icount)
                timeline.reverse_step()
                if len(timeline.accesses(range(0x100, 0x200))) != writes:
                    wrong.append("accesses")
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
