from __future__ import annotations

import gc
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

import rreplay as rr
from conftest import COUNT, ECHO, Make, image

Recorded = tuple[rr.Machine, rr.LiveRecording]
SCHEDULERS: list[rr.Scheduler] = ["inline", "threads"]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_replay_is_the_same_run(recorded: Recorded, scheduler: rr.Scheduler) -> None:
    machine, recording = recorded
    again = recording.replay(scheduler)
    assert again.mode is rr.ReplayMode.PLAY
    assert again.icount == recording.start_icount
    assert again.run().reason == "end"
    assert again.digests() == machine.digests()
    assert (again.icount, again.cycles) == (machine.icount, machine.cycles) == (recording.icount, recording.cycles)
    assert again.console.output == machine.console.output == recording.output


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_verify_compares_everything(recorded: Recorded, scheduler: rr.Scheduler) -> None:
    _, recording = recorded
    seen: list[tuple[int, int]] = []
    result = recording.verify(scheduler=scheduler, jobs=2, progress=lambda done, total: seen.append((done, total)))
    assert result.ok
    assert result.icount == recording.icount
    assert result.segments == 1
    assert result.digests >= 2
    assert result.events == sum(1 for _ in recording.events())
    assert all(0 <= done <= total == recording.icount - recording.start_icount for done, total in seen)


@pytest.mark.parametrize("seed", range(12))
def test_a_session_typed_at_random_moments(tmp_path: Path, seed: int) -> None:
    """The host's moments differ each time; whatever they were, both schedulers must replay them."""
    machine = rr.Machine("breadboard")
    typed = [b"ver\r", b"x 8000.80FF\r", b"sum 8000 80FF\r", b"uptime\r", b"wait 3\r", b"stat\r", b"halt\r"]

    def type_all() -> None:
        dice = random.Random(seed)
        for line in typed:
            for start in range(0, len(line), 3):
                machine.console.send(line[start : start + 3])
                for _ in range(dice.randrange(2000)):
                    pass

    typist = threading.Thread(target=type_all)
    with machine.record(tmp_path / "run.rreplay", digest_every=20_000) as recording:
        typist.start()
        machine.run(seconds=20.0, scheduler="threads", wait_for_input=True)
        typist.join()
    for scheduler in SCHEDULERS:
        again = recording.replay(scheduler)
        again.run()
        assert again.digests() == machine.digests()
        assert again.console.output == machine.console.output
        assert again.icount == machine.icount
        assert recording.verify(scheduler=scheduler).ok


def test_what_a_recording_says_of_itself(recorded: Recorded) -> None:
    machine, live = recorded
    recording = rr.Recording(live.path)
    assert recording.complete
    assert recording.damage is None
    assert recording.board == machine.board
    assert recording.path == live.path
    assert recording.size == live.path.stat().st_size
    assert recording.format_version >= 1
    assert recording.duration == pytest.approx(machine.time, abs=1e-3)
    info = recording.info()
    kinds = Counter(event.kind for event in recording.events())
    assert info["events"] == dict(kinds)
    assert recording.board.name in repr(recording)


def test_events_are_stamped_and_in_order(recorded: Recorded) -> None:
    _, recording = recorded
    events = list(recording.events())
    assert [event.ordinal for event in events] == list(range(len(events)))
    assert events == sorted(events, key=lambda event: (event.icount, event.cycles))
    assert events[-1].kind == "end"
    typed = list(recording.events(kind="char_read"))
    assert b"".join(event.data for event in typed) == b"uptime\r"
    assert all(event.payload == {"device": "acia", "data": event.data} for event in typed)
    assert b"".join(event.data for event in recording.events("char_write")) == recording.output
    middle = recording.icount // 2
    assert [e.ordinal for e in recording.events(start=middle)] == [e.ordinal for e in events if e.icount >= middle]
    assert [e.ordinal for e in recording.events(stop=middle)] == [e.ordinal for e in events if e.icount < middle]
    digest = next(recording.events("digest"))
    assert "memory" in digest.digests
    with pytest.raises(AttributeError, match="carries digests"):
        _ = digest.device


def test_an_unknown_kind_of_event(recorded: Recorded) -> None:
    with pytest.raises(rr.ArgumentError, match="no event kind|char_read"):
        recorded[1].events("keystroke")  # type: ignore[arg-type]


def test_a_recording_may_begin_in_the_middle(tmp_path: Path, make: Make) -> None:
    machine = make(ECHO)
    machine.console.send(b"before")
    machine.console.expect(b"before")
    with machine.record(tmp_path / "run.rreplay") as recording:
        machine.console.send(b"after")
        machine.console.expect(b"after")
    assert recording.start_icount > 0
    assert recording.output.endswith(b"after")
    again = recording.replay()
    again.run()
    assert again.digest() == machine.digest()


def test_the_recording_is_finished_when_the_body_raises(tmp_path: Path, make: Make) -> None:
    machine = make(COUNT)
    recording = machine.record(tmp_path / "run.rreplay")
    with pytest.raises(LookupError), recording:
        machine.run(instructions=1000)
        raise LookupError
    assert machine.mode is rr.ReplayMode.NONE
    assert recording.complete
    assert recording.verify().ok
    assert recording.icount == 1000


def test_a_live_recording_cannot_be_looked_into(tmp_path: Path, make: Make) -> None:
    recording = make(COUNT).record(tmp_path / "run.rreplay")
    assert recording.path == tmp_path / "run.rreplay"
    assert "in progress" in repr(recording)
    with pytest.raises(rr.StateError, match="still being recorded"):
        _ = recording.icount
    recording.finish()
    recording.finish()
    assert recording.finished
    assert recording.open().icount == recording.icount


def test_an_abandoned_recording_can_still_be_opened(tmp_path: Path, make: Make) -> None:
    machine = make(COUNT)
    path = tmp_path / "run.rreplay"
    machine.record(path)
    machine.run(instructions=1000)
    del machine
    assert rr.Recording(path, salvage=True).board.name == "py65mon"


def test_poking_a_recorded_machine_is_refused(tmp_path: Path, make: Make) -> None:
    machine = make(COUNT)
    snapshot = machine.snapshot()
    with machine.record(tmp_path / "run.rreplay"):
        with pytest.raises(rr.StateError):
            machine.memory[0x200] = 1
        with pytest.raises(rr.StateError):
            machine.cpu.a = 1
        with pytest.raises(rr.StateError):
            machine.restore(snapshot)
        with pytest.raises(rr.StateError):
            machine.record(tmp_path / "other.rreplay")
    assert not (tmp_path / "other.rreplay").exists()


def test_typing_into_a_replay_is_refused(recorded: Recorded) -> None:
    with pytest.raises(rr.StateError, match="recording"):
        recorded[1].replay().console.send(b"x")


def test_a_reset_is_replayed(tmp_path: Path, make: Make) -> None:
    machine = make(COUNT)
    with machine.record(tmp_path / "run.rreplay") as recording:
        machine.run(instructions=700)
        machine.reset()
        machine.run(instructions=300)
    for scheduler in SCHEDULERS:
        assert recording.verify(scheduler=scheduler).ok
    again = recording.replay()
    again.run()
    assert again.digest() == machine.digest()


def test_a_replay_stops_where_it_is_told(recorded: Recorded) -> None:
    _, recording = recorded
    middle = recording.icount // 2
    first, second = recording.replay(), recording.replay()
    first.run(instructions=middle)
    while second.icount < middle:
        second.run(instructions=min(977, middle - second.icount))
    assert first.snapshot() == second.snapshot()
    copy = first.copy()
    assert copy.mode is rr.ReplayMode.NONE
    copy.memory[0x3000] = 1
    first.run()
    assert first.digest() == recorded[0].digest()


def test_an_output_pattern_stops_a_replay(recorded: Recorded) -> None:
    again = recorded[1].replay()
    assert again.run(output=b"uptime").reason == "output"
    assert again.console.output.endswith(b"uptime")


@pytest.mark.parametrize("embed", [True, False])
def test_roms_may_stay_outside(tmp_path: Path, embed: bool) -> None:
    machine = rr.Machine("breadboard")
    with machine.record(tmp_path / "run.rreplay", embed_roms=embed) as recording:
        machine.console.expect(b"> ")
    if embed:
        assert recording.verify().ok
    else:
        with pytest.raises(rr.MismatchError, match="rom"):
            recording.verify()
        with pytest.raises(rr.MismatchError, match="recorded"):
            recording.replay(rom=bytes(0x8000))
        rom = machine.memory[0x8000:0x10000]
        assert recording.verify(rom=rom).ok
        again = recording.replay(rom=rom)
        again.run()
        assert again.digest() == machine.digest()
        assert recording.output == machine.console.output


@pytest.mark.parametrize("option", ["digest_every", "snapshot_every"])
@pytest.mark.parametrize("value", [0, -1, "often"])
def test_distances_are_positive(tmp_path: Path, make: Make, option: str, value: object) -> None:
    with pytest.raises(rr.ArgumentError, match=option):
        make(COUNT).record(tmp_path / "run.rreplay", **{option: value})  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_many_machines_record_and_replay_at_once(tmp_path: Path) -> None:
    failures: list[str] = []

    def one(number: int) -> None:
        machine = rr.Machine("py65mon", rom=image(ECHO))
        text = b"machine %d" % number
        with machine.record(tmp_path / f"{number}.rreplay") as recording:
            machine.console.send(text)
            machine.console.expect(text, scheduler=SCHEDULERS[number % 2])
        recording.verify(scheduler=SCHEDULERS[number % 2])
        if recording.output != text:
            failures.append(f"{number}: {recording.output!r}")

    threads = [threading.Thread(target=one, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


KILLED_RECORDER = """
import os, signal, sys
import rreplay as rr

machine = rr.Machine("breadboard")
recording = machine.record(sys.argv[1], digest_every=1000)
machine.console.expect(b"> ")
for _ in range(int(sys.argv[2])):
    machine.console.send(b"help\\r")
    machine.run(seconds=1.0)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("rounds", [0, 40])
def test_a_killed_recorder_leaves_what_replays(tmp_path: Path, rounds: int) -> None:
    """However the last chunk was cut, the replay ends where the file does."""
    path = tmp_path / "killed.rreplay"
    killed = subprocess.run([sys.executable, "-c", KILLED_RECORDER, str(path), str(rounds)], check=False)
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(rr.DamagedLog):
        rr.open(path)
    left = rr.open(path, salvage=True)
    assert left.icount > 0, "what an earlier run recorded is in the file"
    for scheduler in SCHEDULERS:
        again = left.replay(scheduler)
        assert again.run().reason == "end"
        assert again.icount >= left.icount
        assert again.run(instructions=5).reason == "end"
        assert again.console.output.startswith(left.output)
    assert not left.verify().ok


def test_a_recorder_that_is_killed_at_once_leaves_the_start(tmp_path: Path, recorded: Recorded) -> None:
    _, recording = recorded
    path = tmp_path / "header.rreplay"
    path.write_bytes(recording.path.read_bytes()[: recording.info()["header_bytes"]])
    left = rr.open(path, salvage=True)
    assert left.icount == 0
    assert left.replay().run().reason == "end"


def test_a_long_paste_is_recorded_in_pieces(tmp_path: Path) -> None:
    machine = rr.Machine("breadboard")
    with machine.record(tmp_path / "run.rreplay") as recording:
        machine.console.send(bytes(3_000_000))
        machine.run(instructions=1000)
    assert sum(len(event.payload["data"]) for event in recording.events(kind="char_read")) == 3_000_000
    assert recording.verify().ok


def test_a_machine_that_goes_away_finishes_its_recording(tmp_path: Path) -> None:
    machine = rr.Machine("breadboard")
    machine.record(tmp_path / "run.rreplay")
    machine.run(instructions=500)
    del machine
    gc.collect()
    recording = rr.open(tmp_path / "run.rreplay")
    assert recording.complete
    assert recording.icount == 500


def test_progress_is_told_the_end_of_a_short_recording(recorded: Recorded) -> None:
    _, recording = recorded
    seen: list[tuple[int, int]] = []
    recording.verify(progress=lambda done, total: seen.append((done, total)))
    length = recording.icount - recording.start_icount
    assert seen[-1] == (length, length)


def test_a_recording_is_found_from_another_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with rr.Machine("breadboard").record("run.rreplay") as recording:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
    assert recording.path == tmp_path / "run.rreplay"
    assert recording.verify().ok


def test_a_run_into_a_fault_replays_and_verifies(tmp_path: Path) -> None:
    """LDA 4800; JMP 1000 on a board that forbids it: the recorded run went on after each error."""
    text = rr.Board.preset("breadboard").to_toml().replace("open_bus", "error")
    machine = rr.Machine(rr.Board.from_toml(text), rom=image(bytes.fromhex("AD0048 4C0010")))
    with machine.record(tmp_path / "run.rreplay") as recording:
        for _ in range(3):
            with pytest.raises(rr.FaultError):
                machine.run()
    assert recording.verify().ok
    again = recording.replay()
    for _ in range(3):
        with pytest.raises(rr.FaultError):
            again.run(instructions=100)
    assert again.run().reason == "end"
    assert again.digest() == machine.digest()
    again = recording.replay()
    assert again.run().reason == "end", "a replay without limits goes past what stopped the recorded machine"
    assert again.digest() == machine.digest()


def test_input_that_comes_with_the_end_is_in_the_recording(tmp_path: Path) -> None:
    """A typist never pauses, so that now and then a byte is taken in when the last run is through."""
    for attempt in range(60):
        machine = rr.Machine("breadboard")
        done = threading.Event()

        def type_on(machine: rr.Machine = machine, done: threading.Event = done) -> None:
            while not done.is_set():
                machine.console.send(b"x")

        typist = threading.Thread(target=type_on)
        with machine.record(tmp_path / "run.rreplay") as recording:
            typist.start()
            machine.run(instructions=50 + attempt, scheduler="threads")
            done.set()
            typist.join()
        again = recording.replay()
        assert again.run().reason == "end"
        assert again.digests() == machine.digests()


def test_a_hook_on_the_last_instruction_is_called_in_a_replay_too(tmp_path: Path, make: Make) -> None:
    """LDA #41; STA F001; JMP 1000, recorded up to the STA."""
    machine = make(bytes.fromhex("A941 8D01F0 4C0010"))
    with machine.record(tmp_path / "run.rreplay") as recording:
        machine.run(instructions=2)
    again = recording.replay()
    written: list[int | None] = []

    @again.on_write(0xF001)
    def _(event: rr.HookEvent) -> None:
        written.append(event.value)

    assert again.run().reason == "end"
    assert written == [0x41]


def test_an_open_recording_stays_the_one_that_was_opened(tmp_path: Path, make: Make) -> None:
    path = tmp_path / "run.rreplay"

    def recorded(instructions: int) -> rr.Recording:
        machine = make(COUNT)
        with machine.record(path):
            machine.run(instructions=instructions)
        return rr.open(path)

    first, second = recorded(100), recorded(1000)
    assert [recording.icount for recording in (first, second)] == [100, 1000]
    assert [list(recording.events())[-1].icount for recording in (first, second)] == [100, 1000]
    assert first.verify().icount == 100
