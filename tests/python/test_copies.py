"""Copies and pickles: a value's is equal, a machine's is a machine of its own, and what is there once refuses."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rreplay as rr
from conftest import COUNT, Make


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> rr.Recording:
    path = tmp_path_factory.mktemp("copies") / "run.rreplay"
    machine = rr.Machine("breadboard")
    with machine.record(path, snapshot_every=5000, digest_every=5000):
        machine.console.expect(b"> ")
        machine.console.send(b"uptime\r")
        machine.run(instructions=20_000)
    return rr.open(path)


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_machine_is_another_machine(make: Make, way: Callable[[rr.Machine], rr.Machine]) -> None:
    machine = make(COUNT)
    machine.run(instructions=500)
    other = way(machine)
    assert other.digest() == machine.digest()
    other.run(instructions=10)
    other.memory[0x300] = 1
    assert (machine.icount, other.icount, machine.memory[0x300]) == (500, 510, 0)


def test_a_machine_in_a_container_is_copied_too(make: Make) -> None:
    kept = {"machine": make(COUNT), "notes": [1, 2]}
    deep = copy.deepcopy(kept)
    deep["machine"].step(3)  # type: ignore[attr-defined]
    assert kept["machine"].icount == 0  # type: ignore[attr-defined]


def values(recording: rr.Recording) -> dict[str, Any]:
    timeline = recording.timeline()
    machine = rr.Machine("lab")
    seen: list[rr.HookEvent] = []
    machine.on_execute(range(0x10000))(seen.append)
    machine.step(2)
    timeline.add_watchpoint(range(0x100, 0x200))
    return {
        "stop": timeline.run(),
        "stop of a machine": machine.run(instructions=5),
        "access": timeline.accesses(range(0x100, 0x200), "rw")[1],
        "instruction": machine.disassemble()[0],
        "bus cycle": machine.trace_bus()[0],
        "hook event": seen[0],
        "verification": recording.verify(),
        "snapshot": machine.snapshot(),
        "board": machine.board,
        "picture": machine.devices["display"].image,
        "origin": timeline.origin(0x1FC, timeline.end_icount),
        "accesses": list(timeline.accesses(range(0x100, 0x200))),
        "events": list(recording.events()),
        "key": rr.Key(1, True),
        "file": rr.Files("out", input="in"),
    }


def test_values_are_copied_and_pickled(recording: rr.Recording) -> None:
    for name, value in values(recording).items():
        for other in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
            assert type(other) is type(value), name
            if name != "file":
                assert other == value, name
                assert repr(other) == repr(value), name


def test_every_kind_of_event_is_pickled(recording: rr.Recording, tmp_path: Path) -> None:
    with rr.Replay.record(tmp_path / "own.rreplay", subsystems=["cpu", "ram"]) as replay:
        console, net = replay.register_char("console"), replay.register_net("eth0")
        replay.start()
        for event in (rr.Key(5, True), rr.Button(1, False), rr.Rel(0, -5), rr.Abs(1, 2**31 - 1)):
            replay.input(event)
        replay.input_sync()
        replay.char_read(console, b"typed")
        replay.net_packet(net, 7, b"packet")
        replay.schedule_bh(lambda: None)
        replay.schedule_bh_oneshot(lambda: None)
        replay.block(replay.next_block_id(lambda result: None), (-5, b"sector"))
        replay.flush()
        replay.account_executed(2**40, cycles=2**41)
        replay.interrupt()
        replay.exception("brk")
        replay.clock("host", lambda: -1)
        replay.random(5)
        replay.char_write(console, b"said")
        replay.char_read_all(console, 9, lambda n: b"read")
        replay.audio_out([1, 2, 3])
        replay.audio_in(2, lambda n: ([-1, 1], 5))
        replay.checkpoint("reset")
        replay.digest({"cpu": b"c", "ram": b"r"})
    events = list(rr.open(tmp_path / "own.rreplay").events())
    assert len({event.kind for event in events}) >= 17
    for logged in events + list(recording.events()):
        other = pickle.loads(pickle.dumps(logged))
        assert other == logged
        assert (other.payload, other.icount, other.ordinal) == (logged.payload, logged.icount, logged.ordinal)


def test_a_recording_is_pickled_as_its_file(recording: rr.Recording, tmp_path: Path) -> None:
    assert copy.copy(recording) is recording
    assert copy.deepcopy(recording) is recording
    path = tmp_path / "a.rreplay"
    path.write_bytes(recording.path.read_bytes())
    pickled = pickle.dumps(rr.open(path))
    assert list(pickle.loads(pickled).events()) == list(recording.events())
    machine = rr.Machine("breadboard")
    with machine.record(path):
        machine.step(5)
    with pytest.raises(rr.MismatchError, match="replaced since"):
        pickle.loads(pickled)


def test_a_profile_is_pickled(recording: rr.Recording) -> None:
    profile = recording.timeline(symbols={"main": 0xF000}).profile()
    other = pickle.loads(pickle.dumps(profile))
    assert other == profile
    assert hash(other) == hash(profile)
    assert other != recording.timeline(symbols={"main": 0xF001}).profile()
    assert other.coverage == profile.coverage
    assert other.routines == profile.routines
    assert copy.deepcopy(profile).coverage == profile.coverage


def test_a_deep_graph_is_pickled(make: Make, tmp_path: Path) -> None:
    """Deeper than pickle and deepcopy go by themselves."""
    with (machine := make(bytes.fromhex("EE 00 03 4C 00 10"))).record(tmp_path / "deep.rreplay"):
        machine.run(instructions=6000)
    timeline = rr.open(tmp_path / "deep.rreplay").timeline()
    origin = timeline.origin(0x300, timeline.end_icount)
    other = pickle.loads(pickle.dumps(origin))
    assert str(other) == str(origin)
    assert len(list(copy.deepcopy(origin).walk())) == len(list(origin.walk())) > 300


def test_handles_to_the_past_are_their_own_copies(recording: rr.Recording) -> None:
    timeline = recording.timeline()
    moment = timeline.at(100)
    for handle in (moment, moment.devices, timeline.accesses(0x1FC), recording.to_arrow()):
        assert copy.copy(handle) is copy.deepcopy(handle) is handle
        with pytest.raises(rr.StateError, match="cannot be pickled: pickle|cannot be pickled: make"):
            pickle.dumps(handle)


def test_what_is_there_once_refuses_with_the_reason(recording: rr.Recording, make: Make, tmp_path: Path) -> None:
    machine, lab, timeline = make(COUNT), rr.Machine("lab"), recording.timeline()
    live = machine.record(tmp_path / "live.rreplay")
    replay = rr.Replay.none()
    once: dict[str, Any] = {
        "timeline": (timeline, "recording.timeline() is another"),
        "breakpoint": (timeline.add_breakpoint(0x1000), "add it again"),
        "live": (live, "finish it first"),
        "cpu": (machine.cpu, "copy the machine"),
        "memory": (machine.memory, "copy the machine"),
        "console": (machine.console, "copy the machine"),
        "devices": (lab.devices, "copy the machine"),
        "display": (lab.devices["display"], "copy the machine"),
        "hook": (machine.on_execute(1)(lambda event: None), "hook the function again"),
        "replay": (replay, "Replay.record"),
        "lock": (replay.lock(), "one for each replay"),
        "iterator": (recording.events(), "make a list"),
    }
    for name, (thing, instead) in once.items():
        for way in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(rr.StateError, match=re.escape(instead)) as caught:
                way(thing)
            assert isinstance(caught.value, TypeError), name
    with pytest.raises(rr.StateError, match=r"m\.snapshot\(\)"):
        pickle.dumps(machine)
    live.finish()
    assert copy.copy(live) is live
    assert pickle.loads(pickle.dumps(live)).icount == live.icount


def test_hosts_are_descriptions(tmp_path: Path) -> None:
    machine = rr.Machine("breadboard")
    pty = machine.devices["acia"].attach(rr.Pty())
    assert pty.path
    assert copy.copy(pty).path is None
    assert pickle.loads(pickle.dumps(pty)).path is None
    assert copy.deepcopy(rr.TcpServer(80, allow_remote=True)).allow_remote
    assert pickle.loads(pickle.dumps(rr.WavOutput(tmp_path / "a.wav", rate=5))).rate == 5


# ---- hasattr ----


def test_hasattr_is_answered(make: Make, tmp_path: Path) -> None:
    machine = make(COUNT)
    live = machine.record(tmp_path / "live.rreplay")
    for name in ("board", "icount", "output", "snapshots", "complete", "size"):
        assert not hasattr(live, name)
        with pytest.raises(rr.StateError, match="still being recorded"):
            getattr(live, name)
    assert hasattr(live, "path")
    live.finish()
    assert hasattr(live, "icount")
    assert hasattr(machine, "console")
    ram = {"name": "ram", "kind": "ram", "start": 0, "end": 0xFFFF}
    bare = {"name": "bare", "cpu": {"kind": "w65c02", "clock_hz": 1_000_000}, "region": [ram]}
    without = rr.Machine(bare, rom={0xFFFC: b"\0\x10"})
    assert not hasattr(without, "console")
    with pytest.raises(rr.DeviceError, match="no console"):
        _ = without.console
    with rr.Replay.record(tmp_path / "own.rreplay"):
        pass
    own = rr.open(tmp_path / "own.rreplay")
    assert not hasattr(own, "board")
    assert own.machine == "machine"
    with pytest.raises(rr.StateError, match=r"Replay\.play"):
        _ = own.board
    event = next(rr.open(live.path).events())
    assert not hasattr(event, "\ud800")


# ---- places ----


def test_places_of_another_recording_are_refused_by_every_question(make: Make, tmp_path: Path) -> None:
    timelines = []
    for name, text in (("a", b"uptime\r"), ("b", b"help\r")):
        machine = rr.Machine("breadboard")
        with machine.record(tmp_path / name):
            machine.console.send(text)
            machine.run(instructions=60_000)
        timelines.append(rr.open(tmp_path / name).timeline())
    own, other = timelines
    here = own.icount
    access = other.accesses(range(0x100, 0x200), start=50_000)[-1]
    event = list(other.recording.events("char_write"))[-1]
    other.add_watchpoint(0x200)
    foreign: dict[str, Any] = {
        "moment": other.at(30_000),
        "the first moment, in the same state": other.at(0),
        "access": access,
        "event": event,
        "stop": other.run(),
    }
    questions: dict[str, Callable[[Any], object]] = {
        "seek": own.seek,
        "at": own.at,
        "last_write": lambda place: own.last_write(0x200, before=place),
        "origin": lambda place: own.origin(0x200, place),
        "accesses from": lambda place: own.accesses(0x200, start=place),
        "accesses to": lambda place: own.accesses(0x200, stop=place),
        "history": lambda place: own.history(0x200, start=place),
        "profile": lambda place: own.profile(stop=place),
        "cut from": lambda place: own.recording.cut(place, 60_000, tmp_path / "part"),
        "cut to": lambda place: own.recording.cut(0, place, tmp_path / "part"),
    }
    for kind, place in foreign.items():
        for question, ask in questions.items():
            with pytest.raises(rr.ArgumentError, match="of another recording"):
                ask(place)
                pytest.fail(f"{question} took the {kind} of another recording")
    for place in (foreign["moment"], event):
        with pytest.raises(rr.ArgumentError, match="of another recording"):
            own.recording.events(start=place)
    assert own.icount == here
    assert not (tmp_path / "part").exists()


def test_places_of_the_same_recording_are_taken_by_every_question(recording: rr.Recording, tmp_path: Path) -> None:
    timeline = recording.timeline()
    timeline.add_breakpoint(timeline.at(4000).pc)
    timeline.seek(3500)
    event = list(recording.events("char_write"))[3]
    access = timeline.accesses(range(0x100, 0x200))[40]
    same = rr.open(recording.path).timeline().at(2500)
    places: dict[str, Any] = {"moment": same, "event": event, "access": access, "stop": timeline.run()}
    for place in places.values():
        timeline.seek(place)
        assert timeline.moment == timeline.at(place)
        icount = place.icount
        assert timeline.icount <= icount
        assert timeline.last_write(0x1FC, place) == timeline.last_write(0x1FC, timeline.moment)
        assert timeline.origin(0x1FC, place) == timeline.origin(0x1FC, timeline.moment)
        assert list(timeline.accesses(0x1FC, stop=place)) == list(timeline.accesses(0x1FC, stop=icount))
        assert timeline.profile(place).coverage == timeline.profile(icount).coverage
    for place in (same, event):
        assert list(recording.events(stop=place)) == list(recording.events(stop=place.icount))
    part = recording.cut(same, same.icount + 100, tmp_path / "part")
    assert (part.start_icount, part.icount) == (2500, 2600)
    assert repr(part).endswith(": breadboard, 100 instructions from icount 2500>")


# ---- snapshots that nobody has asked for ----


def test_no_snapshots_but_those_asked_for(make: Make, tmp_path: Path) -> None:
    counts = []
    choices: list[Any] = ["auto", None]
    for every in choices:
        machine = make(COUNT)
        with machine.record(tmp_path / "run.rreplay", snapshot_every=every) as live:
            machine.run(instructions=6_000_000)
            live.snapshot()
            machine.run(instructions=4_000_000)
        counts.append(len(live.snapshots))
    assert counts[0] >= 3
    assert counts[1] == 1
    for wrong in ("often", 0, -1, 1.5, True):
        with pytest.raises(rr.ArgumentError, match="snapshot_every"):
            make(COUNT).record(tmp_path / "never", snapshot_every=wrong)  # type: ignore[arg-type]
    assert not (tmp_path / "never").exists()
