"""Timelines, against a replay that goes one instruction at a time."""

from __future__ import annotations

import collections
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import rreplay as rr

SEED = 20_261


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> rr.Recording:
    path = tmp_path_factory.mktemp("timeline") / "run.rreplay"
    machine = rr.Machine()
    with machine.record(path, snapshot_every=3000):
        machine.run(seconds=0.03)
        machine.console.send(b"help\r")
        machine.run(seconds=0.05)
    return rr.open(path)


class Naive:
    """Every place of a recording, and every access, noted in one replay."""

    def __init__(self, recording: rr.Recording) -> None:
        machine = recording.replay()
        self.accesses: list[tuple[str, rr.HookEvent]] = []
        for kind, hook in (("r", machine.on_read), ("w", machine.on_write)):
            hook(range(0x10000))(self._noting(kind))
        self.executed: list[rr.HookEvent] = []
        machine.on_execute(range(0x10000))(lambda event: self.executed.append(event))
        self.registers = [machine.registers]
        self.cycles = [machine.cycles]
        reason: str = ""
        while reason != "end":
            reason = machine.step().reason
            if machine.icount == len(self.registers):
                self.registers.append(machine.registers)
                self.cycles.append(machine.cycles)

    def _noting(self, kind: str) -> Callable[[rr.HookEvent], None]:
        return lambda event: self.accesses.append((kind, event))


@pytest.fixture(scope="module")
def naive(recording: rr.Recording) -> Naive:
    return Naive(recording)


@pytest.fixture
def timeline(recording: rr.Recording) -> rr.Timeline:
    return recording.timeline()


def test_seeks_come_to_what_a_replay_comes_to(timeline: rr.Timeline, naive: Naive) -> None:
    draw = random.Random(SEED)
    for icount in [0, 1, 3000, 6000, len(naive.registers) - 1, *draw.choices(range(len(naive.registers)), k=60)]:
        timeline.seek(icount)
        assert timeline.icount == icount
        assert timeline.cycles == naive.cycles[icount]
        assert timeline.registers == naive.registers[icount]
        assert timeline.pc == naive.registers[icount]["pc"]


def test_a_moment_is_what_a_machine_is_there(recording: rr.Recording, timeline: rr.Timeline) -> None:
    for icount in (0, 17, 3000, 5001):
        machine = recording.replay()
        machine.run(instructions=icount)
        moment = timeline.at(icount)
        assert timeline.icount == 0, "looking moves nothing"
        assert moment.digest() == machine.digest()
        assert moment.memory[:] == machine.memory[:]
        assert moment.registers == machine.registers
        assert moment.devices["via"].state == machine.devices["via"].state
        assert moment.console_output == machine.console.output
        assert moment.snapshot() == machine.snapshot()
        assert moment.disassemble() == machine.disassemble()


def test_moments_do_not_change_and_compare(timeline: rr.Timeline) -> None:
    first, second = timeline.at(100), timeline.at(4000)
    before = first.memory[0:0x200]
    assert second.memory[0:0x200] != before
    assert first.memory[0:0x200] == before
    assert first == timeline.at(100) != second
    assert len({first, timeline.at(100), second}) == 2
    with pytest.raises(rr.StateError, match="fork"):
        first.memory[0] = 1


def test_steps_go_both_ways(timeline: rr.Timeline, naive: Naive) -> None:
    timeline.seek(2000)
    assert timeline.step().reason == "budget"
    assert timeline.reverse_step(3).icount == timeline.icount == 1998
    assert timeline.registers == naive.registers[1998]
    assert timeline.reverse_step(10**6).reason == "end"
    assert timeline.icount == 0
    assert timeline.step(10**9).reason == "end"
    assert timeline.icount == timeline.end_icount == len(naive.registers) - 1
    for _ in range(50):
        before = timeline.icount
        timeline.reverse_step()
        assert timeline.icount == before - 1
        assert timeline.registers == naive.registers[before - 1]


def test_runs_stop_at_breakpoints_in_both_directions(timeline: rr.Timeline, naive: Naive) -> None:
    address = naive.executed[3000].address
    wanted = [event.icount for event in naive.executed if event.address == address]
    point = timeline.add_breakpoint(address)
    found = []
    while (stop := timeline.run()).reason == "breakpoint":
        assert stop.pc == timeline.pc == address
        assert stop.point == point.number
        found.append(stop.icount)
    assert found == [icount for icount in wanted if icount > 0]
    assert stop.reason == "end"
    assert timeline.icount == timeline.end_icount
    back = []
    while (stop := timeline.reverse_run()).reason == "breakpoint":
        back.append(stop.icount)
    assert back == found[::-1]
    assert timeline.icount == 0
    point.remove()
    assert timeline.run().reason == "end"


def test_a_watchpoint_stands_on_the_instruction_that_makes_the_access(timeline: rr.Timeline, naive: Naive) -> None:
    address = 0x1FB
    wanted = [event for kind, event in naive.accesses if kind == "w" and event.address == address]
    timeline.seek(timeline.end_icount)
    timeline.add_watchpoint(address)
    for event in wanted[:-20:-1]:
        stop = timeline.reverse_run()
        assert (stop.reason, stop.icount) == ("watchpoint", event.icount)
        assert stop.access is not None
        assert stop.access.new == event.value
        assert timeline.pc == stop.access.pc
        assert timeline.memory[address] == stop.access.old
        assert timeline.at(stop.icount + 1).memory[address] == stop.access.new


def test_conditions_see_the_moment_and_the_access(timeline: rr.Timeline, naive: Naive) -> None:
    seen: list[int] = []

    def is_wanted(moment: rr.Moment) -> bool:
        assert moment.access is not None
        assert moment.memory[moment.access.address] == moment.access.old
        seen.append(moment.icount)
        return moment.icount > 4000

    timeline.add_watchpoint(range(0x100, 0x200), condition=is_wanted)
    stop = timeline.run()
    events = [event.icount for kind, event in naive.accesses if kind == "w" and 0x100 <= event.address < 0x200]
    assert stop.icount == min(icount for icount in events if icount > 4000)
    assert max(seen[:-1]) <= 4000


def test_a_condition_that_raises_leaves_the_timeline_where_it_was(timeline: rr.Timeline) -> None:
    def broken(moment: rr.Moment) -> bool:
        raise LookupError("no such thing")

    timeline.seek(500)
    timeline.add_watchpoint(range(0x10000), condition=broken)
    for run in (timeline.run, timeline.reverse_run):
        with pytest.raises(LookupError, match="no such thing"):
            run()
        assert timeline.icount == 500


def test_the_last_write_is_that_of_a_naive_search(timeline: rr.Timeline, naive: Naive) -> None:
    draw = random.Random(SEED)
    writes = [event for kind, event in naive.accesses if kind == "w"]
    for _ in range(40):
        icount = draw.randrange(len(naive.registers))
        address = draw.choice(writes).address
        timeline.seek(icount)
        wanted = [e for e in writes if e.address == address and e.cycles <= naive.cycles[icount]]
        found = timeline.last_write(address)
        assert timeline.icount == icount
        if not wanted:
            assert found is None
            continue
        assert found is not None
        assert (found.icount, found.cycles, found.new) == (wanted[-1].icount, wanted[-1].cycles, wanted[-1].value)
        assert timeline.last_write(address, before=icount) == found
        timeline.seek(found)
        assert timeline.pc == (found.pc if found.by == "cpu" else timeline.pc)


def test_accesses_are_those_of_hooks(timeline: rr.Timeline, naive: Naive) -> None:
    table = timeline.accesses(range(0x100, 0x200), "rw", start=1000, stop=4500)
    wanted = [
        (kind, event)
        for kind, event in naive.accesses
        if 0x100 <= event.address < 0x200 and 1000 <= event.icount < 4500
    ]
    assert len(table) == len(wanted) > 100
    for row, (kind, event) in zip(table, wanted, strict=True):
        assert (row.kind, row.icount, row.cycles) == (kind, event.icount, event.cycles)
        assert (row.address, row.new) == (event.address, event.value)
    assert table.icount.tolist() == table["icount"].tolist() == [event.icount for _, event in wanted]
    assert table["new"].dtype == np.int64
    assert set(table.kind) == {"r", "w"}
    assert table[-1] == list(table)[-1]
    assert table[1:3] == list(table)[1:3]
    assert len(timeline.accesses("acia", "rw")) > 0


def test_a_table_is_an_arrow_stream(timeline: rr.Timeline) -> None:
    table = timeline.accesses(range(0x100, 0x200))
    frame = pl.DataFrame(table)
    assert frame.columns == list(rr.Accesses.COLUMNS)
    assert frame.schema["pc"] == pl.UInt16
    for column in frame.columns:
        assert frame[column].to_list() == [getattr(row, column) for row in table]


def test_the_first_moment_at_which_something_holds(timeline: rr.Timeline, naive: Naive) -> None:
    wanted = next(icount for icount, registers in enumerate(naive.registers) if registers["x"] == 0x12)
    moment = timeline.first(lambda moment: moment.registers["x"] == 0x12)
    assert moment is not None
    assert moment.icount == wanted
    assert timeline.icount == 0
    assert timeline.first(lambda moment: False) is None


def test_subroutines_are_stepped_over_and_out_of(timeline: rr.Timeline) -> None:
    timeline.add_watchpoint("acia", "w")
    timeline.run()
    depth = timeline.registers["sp"]
    assert timeline.reverse_step_out().reason == "budget"
    call = timeline.icount
    assert timeline.disassemble()[0].mnemonic == "JSR"
    assert timeline.registers["sp"] > depth
    behind = timeline.pc + 3
    timeline.step_over()
    assert timeline.pc == behind
    after = timeline.icount
    timeline.reverse_step_over()
    assert timeline.icount == call
    timeline.step()
    timeline.step_out()
    assert (timeline.icount, timeline.pc) == (after, behind)


def test_events_and_output_are_gone_to(timeline: rr.Timeline, recording: rr.Recording) -> None:
    assert timeline.run_to_output(b"> ")
    assert not timeline.console_output.endswith(b"> ")
    timeline.step()
    assert timeline.console_output.endswith(b"> ")
    timeline.seek(timeline.end_icount)
    assert timeline.reverse_run_to_output(re.compile(rb"\n[a-z]"))
    here = timeline.icount
    assert not timeline.run_to_output(b"never printed")
    assert timeline.icount == here
    typed = list(recording.events("char_read"))
    timeline.seek(0)
    for event in typed:
        found = timeline.run_to_event("char_read")
        assert found is not None
        assert found.ordinal == event.ordinal
    assert timeline.run_to_event("char_read") is None
    found = timeline.reverse_run_to_event("char_write")
    assert found is not None
    assert found.cycles <= typed[-1].cycles


def test_a_fork_goes_its_own_way(recording: rr.Recording, tmp_path: Path) -> None:
    timeline = recording.timeline()
    moment = timeline.at(5000)
    fork = moment.fork()
    assert fork.mode == "none"
    assert fork.digest() == moment.digest()
    assert fork.console.output == moment.console_output
    with fork.record(tmp_path / "fork.rreplay"):
        fork.console.send(b"ver\r")
        fork.run(seconds=0.2)
    assert fork.console.output.startswith(moment.console_output)
    assert moment.digest() == timeline.at(5000).digest()
    forked = rr.open(tmp_path / "fork.rreplay")
    assert forked.verify().ok
    assert forked.info()["lineage"] == {"parent": recording.info()["identity"], "icount": 5000, "cycles": moment.cycles}
    assert recording.info()["lineage"] is None


def test_symbols_name_addresses(recording: rr.Recording, tmp_path: Path, naive: Naive) -> None:
    address = naive.executed[3000].address
    labels = tmp_path / "labels.txt"
    labels.write_text(f"al 00{address:04X} .here\nal 000200 .there\n")
    for symbols in ({"here": address, "there": 0x200}, labels):
        timeline = recording.timeline(symbols=symbols)
        timeline.add_breakpoint("here")
        assert timeline.run().pc == address
        with pytest.raises(rr.ArgumentError, match="nowhere.*here, there"):
            timeline.add_breakpoint("nowhere")
    with pytest.raises(rr.ArgumentError, match="label file cannot be read"):
        recording.timeline(symbols=tmp_path / "none")
    (tmp_path / "empty").write_text("nothing\n")
    with pytest.raises(rr.ArgumentError, match="no label"):
        recording.timeline(symbols=tmp_path / "empty")


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda timeline: timeline.seek(10**9), "not in the recording"),
        (lambda timeline: timeline.seek(-1), "whole number"),
        (lambda timeline: timeline.seek("here"), "whole number"),
        (lambda timeline: timeline.at(10**9), "not in the recording"),
        (lambda timeline: timeline.step(-1), "whole number"),
        (lambda timeline: timeline.add_breakpoint(0x10000), "address"),
        (lambda timeline: timeline.add_watchpoint(0x200, "x"), "'r', 'w', 'rw' or 'change'"),
        (lambda timeline: timeline.add_watchpoint("vdu"), 'no device "vdu"'),
        (lambda timeline: timeline.add_watchpoint(range(0)), "no address or range"),
        (lambda timeline: timeline.accesses(0x200, "w", start="x"), "whole number"),
    ],
)
def test_wrong_arguments_say_what_is_wrong(timeline: rr.Timeline, wrong: Any, text: str) -> None:
    timeline.seek(77)
    with pytest.raises(rr.ReplayError, match=text):
        wrong(timeline)
    assert timeline.icount == 77


def test_a_timeline_with_hardly_any_memory_gives_the_same(recording: rr.Recording, naive: Naive) -> None:
    timeline = recording.timeline(memory_budget=0)
    for icount in (4000, 100, 5000, 3999):
        timeline.seek(icount)
        assert timeline.registers == naive.registers[icount]


def test_a_timeline_of_an_unfinished_recording_goes_to_its_last_event(recording: rr.Recording, tmp_path: Path) -> None:
    cut = tmp_path / "cut.rreplay"
    cut.write_bytes(recording.path.read_bytes()[:-300])
    salvaged = rr.open(cut, salvage=True)
    timeline = salvaged.timeline()
    assert timeline.run().reason == "end"
    assert timeline.icount == salvaged.icount
    timeline.reverse_step()
    assert timeline.icount == salvaged.icount - 1


def test_a_part_is_a_recording_of_its_own(recording: rr.Recording, naive: Naive, tmp_path: Path) -> None:
    part = recording.cut(4000, 9000, tmp_path / "part.rreplay")
    assert (part.start_icount, part.icount) == (4000, 9000)
    assert part.verify().ok
    lineage = part.info()["lineage"]
    assert (lineage["parent"], lineage["icount"]) == (recording.info()["identity"], 4000)
    timeline = part.timeline()
    for icount in (4000, 5555, 9000):
        timeline.seek(icount)
        assert timeline.registers == naive.registers[icount]
    again = part.cut(5000, 6000, tmp_path / "again.rreplay")
    assert again.timeline().at(6000).registers == naive.registers[6000]
    with pytest.raises(rr.ArgumentError, match="nothing to cut"):
        recording.cut(5, 5, tmp_path / "empty.rreplay")
    with pytest.raises(rr.LogError):
        recording.cut(5, 50, tmp_path / "none" / "part.rreplay")
    assert not (tmp_path / "empty.rreplay").exists()


def test_a_profile_counts_every_instruction_and_every_cycle(
    recording: rr.Recording, timeline: rr.Timeline, naive: Naive
) -> None:
    profile = timeline.profile()
    assert profile.coverage == collections.Counter(event.address for event in naive.executed)
    assert sum(profile.cycles) == recording.cycles - naive.executed[0].cycles
    part = timeline.profile(1000, 3000)
    executed = [event for event in naive.executed if 1000 <= event.icount < 3000]
    assert part.coverage == collections.Counter(event.address for event in executed)
    assert sum(part.cycles) == naive.cycles[3000] - executed[0].cycles
    assert timeline.icount == 0
    routines = profile.routines
    assert sum(routine.cycles for routine in routines) == sum(profile.cycles)
    assert sum(routine.instructions for routine in routines) == len(naive.executed)
    assert [routine.cycles for routine in routines] == sorted((routine.cycles for routine in routines), reverse=True)
    named = recording.timeline(symbols={"busiest": routines[0].address}).profile().routines[0]
    assert named.name == "busiest"
    with pytest.raises(rr.ArgumentError, match="nothing to count"):
        timeline.profile(50, 50)


def test_long_searches_say_how_far_they_are(tmp_path: Path) -> None:
    machine = rr.Machine()
    with machine.record(tmp_path / "long.rreplay"):
        machine.run(instructions=5_000_000, scheduler="inline")
    timeline = rr.open(tmp_path / "long.rreplay").timeline()
    told: list[tuple[int, int]] = []
    timeline.on_progress(lambda done, total: told.append((done, total)))
    # Where memory was read is not noted in snapshots: all of the run is gone through.
    timeline.add_watchpoint(0x3FFF, "r")
    assert timeline.run().reason == "end"
    assert len(told) >= 4
    assert told == sorted(told)
    assert {total for _, total in told} == {5_000_000}
    assert told[-1] == (5_000_000, 5_000_000)

    def stop(done: int, total: int) -> None:
        raise InterruptedError(f"after {done} of {total}")

    timeline.on_progress(stop)
    here = timeline.icount
    with pytest.raises(InterruptedError):
        timeline.reverse_run()
    assert timeline.icount == here
    timeline.on_progress(None)
    assert timeline.reverse_run().reason == "end"
    told.clear()
    timeline.on_progress(lambda done, total: told.append((done, total)))
    timeline.seek(10)
    timeline.step_over()
    assert not told, "what is over at once is not told"


def test_a_watchpoint_may_be_for_changes_only(recording: rr.Recording, naive: Naive) -> None:
    timeline = recording.timeline()
    memory = bytearray(recording.replay().memory[0:0x100])
    changes = []
    for kind, event in naive.accesses:
        if kind == "w" and event.address < 0x100 and event.value is not None:
            if memory[event.address] != event.value:
                changes.append((event.icount, event.cycles))
            memory[event.address] = event.value
    timeline.add_watchpoint(range(0x100), "change")
    found = []
    while (stop := timeline.run()).reason == "watchpoint":
        assert stop.access is not None
        assert stop.access.old != stop.access.new
        found.append((stop.access.icount, stop.access.cycles))
    assert found == sorted(set(changes))[: len(found)]
    assert len(found) == len(set(changes)) > 20
    while (stop := timeline.reverse_run()).reason == "watchpoint":
        assert stop.access is not None
        assert (stop.access.icount, stop.access.cycles) == found.pop()
    assert not found


def test_a_watchpoint_says_which_accesses_there_are(recording: rr.Recording) -> None:
    with pytest.raises(rr.ArgumentError, match="'change'"):
        recording.timeline().add_watchpoint(0, "x")  # type: ignore[arg-type]
