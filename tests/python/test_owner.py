"""One recording, one owner, one file: second recorders, names that change hands, and other threads."""

from __future__ import annotations

import gc
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import rreplay as rr
from conftest import COUNT, Make
from fork_support import FORKING, names, script

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links to open files, and forks")

# ---- two who write


@pytest.fixture
def recording(tmp_path: Path, make: Make) -> rr.Recording:
    machine = make(COUNT)
    with machine.record(tmp_path / "whole.rreplay") as recording:
        machine.run(instructions=5000)
    return recording


def test_what_is_recorded_into_is_refused_to_everybody_else(
    tmp_path: Path, make: Make, recording: rr.Recording
) -> None:
    path = tmp_path / "run.rreplay"
    picture = rr.Machine("lab").devices["display"]
    assert isinstance(picture, rr.Display)
    lab = rr.Machine("lab")

    def attach(device: str, host: rr.Host) -> Callable[[], object]:
        return lambda: lab.devices[device].attach(host)

    others: list[tuple[type[rr.ReplayError], Callable[[], object]]] = [
        (rr.LogError, lambda: make(COUNT).record(path)),
        (rr.LogError, lambda: rr.Replay.record(path)),
        (rr.LogError, lambda: recording.cut(10, 20, path)),
        (rr.HostError, lambda: picture.image.to_png(path)),
        (rr.HostError, attach("acia", rr.Files(path))),
        (rr.HostError, attach("acia", rr.Files(path, append=True))),
        (rr.HostError, attach("sound", rr.WavOutput(path))),
        (rr.HostError, attach("network", rr.Pcap(path))),
        (rr.HostError, attach("disk", rr.DiskImage(path, writable=True))),
    ]
    machine = make(COUNT)
    with machine.record(path) as live:
        machine.run(instructions=1000)
        for kind, other in others:
            with pytest.raises(kind, match="run.rreplay.*another path"):
                other()
        machine.run(instructions=1000)
    assert live.icount == 2000
    assert live.verify().ok
    assert names(tmp_path) == ["run.rreplay", "whole.rreplay"]
    # And so is what another machine of Python's own records into.
    with rr.Replay.record(path) as replay:
        replay.start()
        for kind, other in others:
            with pytest.raises(kind, match="run.rreplay"):
                other()
    assert rr.open(path).complete


def test_a_recorder_in_another_process_is_one_too(tmp_path: Path, make: Make) -> None:
    path = tmp_path / "run.rreplay"
    program = """
    machine = rr.Machine("breadboard")
    recording = machine.record(sys.argv[1])
    print("recording", flush=True)
    sys.stdin.read()
    """
    command = [sys.executable, "-c", FORKING + textwrap.dedent(program), str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"recording\n"
        with pytest.raises(rr.LogError, match="another path"):
            make(COUNT).record(path)
        other.kill()
    # It is nobody's any more.
    make(COUNT).record(path).finish()
    assert rr.open(path).complete


def test_a_recording_that_nobody_finished_holds_its_path_until_it_is_collected(tmp_path: Path, make: Make) -> None:
    path = tmp_path / "run.rreplay"
    first = make(COUNT).record(path)
    with pytest.raises(rr.LogError, match="not finished"):
        make(COUNT).record(path)
    del first
    gc.collect()
    make(COUNT).record(path).finish()


def test_a_live_recording_is_the_file_it_wrote(tmp_path: Path, make: Make) -> None:
    path = tmp_path / "run.rreplay"
    machine, other = make(COUNT), make(COUNT)
    with machine.record(path) as live:
        machine.run(instructions=100)
    with other.record(path):
        other.run(instructions=333)
    assert live.icount == 100
    assert live.open().icount == 100
    again = live.replay()
    assert again.run().reason == "end"
    assert again.digest() == machine.digest()
    assert rr.open(path).icount == 333


def test_a_live_recording_takes_no_snapshot_and_no_end_for_another(tmp_path: Path, make: Make) -> None:
    machine = make(COUNT)
    with machine.record(tmp_path / "first.rreplay") as first:
        machine.run(instructions=10)
    with machine.record(tmp_path / "second.rreplay") as second:
        with pytest.raises(rr.StateError, match="finished"):
            first.snapshot()
        first.finish()
        assert machine.mode is rr.ReplayMode.RECORD
        machine.run(instructions=10)
    assert (first.snapshots, second.snapshots, second.icount) == ([], [], 20)


@pytest.mark.parametrize("change", ["unlinked", "replaced", "renamed"])
def test_a_file_that_is_taken_away_meanwhile_is_told_at_the_end(tmp_path: Path, make: Make, change: str) -> None:
    path, elsewhere = tmp_path / "run.rreplay", tmp_path / "elsewhere"
    machine = make(COUNT)

    def take_away() -> None:
        if change == "unlinked":
            path.unlink()
        elif change == "renamed":
            path.rename(elsewhere)
        else:
            elsewhere.write_bytes(b"somebody else's")
            elsewhere.replace(path)

    def record() -> rr.LiveRecording:
        with machine.record(path) as live:
            kept.append(live)
            machine.run(instructions=1000)
            take_away()
            machine.run(instructions=1000)
        return live

    kept: list[rr.LiveRecording] = []
    with pytest.raises(rr.LogError, match="renamed, replaced or removed") as told:
        record()
    # It is whole, and here.
    (live,) = kept
    assert live.finished
    assert live.icount == 2000
    assert live.verify().ok
    if change == "renamed":
        assert (str(elsewhere) in str(told.value)) == (sys.platform == "linux")
        assert rr.open(elsewhere).complete
    if change == "replaced":
        assert path.read_bytes() == b"somebody else's"
    assert machine.mode is rr.ReplayMode.NONE


def test_a_recording_that_cannot_be_read_can_still_be_shown(tmp_path: Path, make: Make) -> None:
    """Debuggers and pytest show whatever there is, also where the end went wrong."""
    path, machine = tmp_path / "run.rreplay", make(COUNT)
    live = machine.record(path)
    machine.run(instructions=1000)
    path.write_bytes(b"")
    with pytest.raises(rr.LogError, match="another program has changed it"):
        live.finish()
    assert repr(live) == f"<LiveRecording {path}: finished, and cannot be read>"
    device = machine.record("/dev/null")
    device.finish()
    assert repr(device) == "<LiveRecording /dev/null: finished, and cannot be read>"


def test_a_recording_goes_on_where_its_program_goes_to_another_directory(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    machine = make(COUNT)
    with machine.record("run.rreplay") as live:
        monkeypatch.chdir("there")
        machine.run(instructions=100)
    assert live.path == tmp_path / "run.rreplay"
    assert (live.icount, live.open().path) == (100, live.path)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_permissions_are_kept(tmp_path: Path, make: Make, recording: rr.Recording, mode: int) -> None:
    path = tmp_path / "run.rreplay"
    for write in (
        lambda: make(COUNT).record(path).finish(),
        lambda: rr.Replay.record(path).finish(),
        lambda: recording.cut(10, 20, path),
    ):
        path.touch()
        path.chmod(mode)
        write()
        assert path.stat().st_mode & 0o777 == mode


def test_a_cut_that_is_stopped_leaves_what_was_there(tmp_path: Path) -> None:
    program = """
    import signal
    whole, part = sys.argv[1:]
    machine = rr.Machine("breadboard")
    with machine.record(whole) as recording:
        machine.console.send(b"sum 8000 FFFF\\r")
        machine.run(instructions=20_000_000)

    def stop(*_):
        raise KeyboardInterrupt

    timeline = recording.timeline()
    with open(part, "wb") as file:
        file.write(b"an earlier part")
    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    try:
        recording.cut(1000, recording.icount - 1000, part)
    except KeyboardInterrupt:
        print("stopped")
    with open(part, "rb") as file:
        print(file.read())
    print(sorted(os.listdir(os.path.dirname(part))))
    """
    lines = script(program, tmp_path / "whole.rreplay", tmp_path / "part.rreplay")
    assert lines == ["stopped", "b'an earlier part'", "['part.rreplay', 'whole.rreplay']"]


# ---- threads


CHANGES: dict[str, Callable[[rr.Machine], object]] = {
    "set": lambda machine: setattr(machine.cpu, "x", (machine.cpu.x + 1) & 0xFF),
    "write": lambda machine: machine.memory.__setitem__(0x200, machine.cpu.x),
    "restore": lambda machine: machine.restore(machine.snapshot()),
    "reset": lambda machine: machine.reset(),
    "copy": lambda machine: machine.copy().digest(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_another_thread_sets_while_a_recording_starts_is_in_it_or_refused(
    tmp_path: Path, make: Make, change: str
) -> None:
    """A net with a coarse mesh: tests/session/owner.rs and tests/models/shuttle/main.rs have the finer ones."""
    machine, done = make(COUNT), threading.Event()

    def keep_changing() -> None:
        while not done.is_set():
            try:
                CHANGES[change](machine)
            except rr.StateError:
                continue

    changing = threading.Thread(target=keep_changing)
    changing.start()
    try:
        for _ in range(20):
            # What the other thread does in a moment, a reset, is waited for.
            with machine.record(tmp_path / "run.rreplay") as recording:
                machine.run(instructions=100)
            assert recording.verify().ok
    finally:
        done.set()
        changing.join()


def test_who_is_refused_leaves_the_other_thread_its_order_to_stop_and_its_error(make: Make) -> None:
    machine = make(COUNT)
    running = threading.Thread(target=machine.run)
    running.start()
    while not machine.icount:
        pass
    machine.stop()
    for _ in range(3):
        try:
            machine.run(instructions=1)
        except rr.StateError:
            continue
    # The order was for the run that went on; it would go on for ever.
    running.join()

    raised: list[BaseException] = []
    entered, goes_on = threading.Event(), threading.Event()

    @machine.on_execute(range(0x1000, 0x1007))
    def fail(_: rr.HookEvent) -> None:
        entered.set()
        goes_on.wait()
        raise ZeroDivisionError

    def run() -> None:
        try:
            machine.run()
        except ZeroDivisionError as error:
            raised.append(error)

    running = threading.Thread(target=run)
    running.start()
    entered.wait()
    for _ in range(3):
        with pytest.raises(rr.StateError, match="running already"):
            machine.trace_bus(1)
    goes_on.set()
    running.join()
    assert len(raised) == 1


def test_a_part_of_a_recording_whose_file_is_gone(tmp_path: Path, recording: rr.Recording) -> None:
    (tmp_path / "part.rreplay").touch()
    recording.path.unlink()
    assert recording.cut(10, 20, tmp_path / "part.rreplay").icount == 20
