"""One recording, one owner, one file: forked children, second recorders, names that change hands, threads."""

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

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks, and links to open files")

PATIENCE_SECONDS = 120
"""What a script may take: far more than it does, so that one which hangs is a failure."""

FORKING = """
import gc, os, sys
import rreplay as rr

def child(act):
    '''Forks a child that does this and goes away in the usual way; says what it raised.'''
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(receive)
        try:
            try:
                act()
            finally:
                error = sys.exc_info()[1]
                os.write(send, f"{type(error).__name__}: {error}".encode() if error else b"nothing")
                os.close(send)
        except rr.ReplayError:
            pass
        # As a program ends, with everything collected on the way.
        sys.exit(0)
    os.close(send)
    with os.fdopen(receive) as answer:
        said = answer.read()
    assert os.waitpid(pid, 0)[1] == 0, said
    print(said)
    return said
"""


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def script(text: str, *arguments: object) -> list[str]:
    """Runs a program in a process of its own; the lines it prints."""
    command = [sys.executable, "-c", FORKING + textwrap.dedent(text), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


RECORDS = """
way, path = sys.argv[1:]
machine = rr.Machine("breadboard")
recording = machine.record(path, digest_every=1000)
machine.console.send(b"uptime\\r")
machine.run(instructions=30_000)

def leave():
    with recording:
        pass

def leave_with(error):
    with recording:
        raise error

def collect():
    global machine, recording
    del machine, recording
    gc.collect()

ways = {
    "leave": leave,
    "raise": lambda: leave_with(ValueError("of the child's own")),
    "exit": lambda: leave_with(SystemExit(0)),
    "collect": collect,
    "nothing": lambda: None,
    "finish": lambda: recording.finish(),
    "snapshot": lambda: recording.snapshot(),
    "run": lambda: machine.run(instructions=200_000),
    "step": lambda: machine.step(),
    "trace": lambda: machine.trace_bus(),
    "reset": lambda: machine.reset(),
    "record": lambda: machine.record(path + ".child"),
    "copy": lambda: machine.copy().record(path),
}
if way == "raise":
    try:
        child(ways[way])
    except ValueError:
        sys.exit(0)
elif way != "alone":
    child(ways[way])
machine.run(instructions=50_000)
recording.finish()
assert recording.verify().ok and recording.icount == 80_000
assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
"""


def contents(path: Path) -> list[str]:
    """All that a recording holds, whenever its chunks were written."""
    recording = rr.open(path)
    assert recording.complete
    return [f"{event.icount} {event.cycles} {event.kind} {event.payload}" for event in recording.events()]


@pytest.fixture(scope="module")
def unforked(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a program records that forks no child."""
    path = tmp_path_factory.mktemp("unforked") / "run.rreplay"
    assert script(RECORDS, "alone", path) == []
    return contents(path)


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("leave", "StateError"),
        ("raise", "ValueError: of the child's own"),
        ("exit", "SystemExit: 0"),
        ("collect", "nothing"),
        ("nothing", "nothing"),
        ("finish", "StateError"),
        ("snapshot", "StateError"),
        ("run", "StateError"),
        ("step", "StateError"),
        ("trace", "StateError"),
        ("reset", "StateError"),
        ("record", "StateError"),
        ("copy", "LogError"),
    ],
)
def test_a_forked_child_writes_nothing_into_its_parents_recording(
    tmp_path: Path, unforked: list[str], way: str, said: str
) -> None:
    path = tmp_path / "run.rreplay"
    (answer,) = script(RECORDS, way, path)
    assert answer.startswith(said)
    if said == "StateError":
        assert "forked from it" in answer
        assert "copy()" in answer
    assert contents(path) == unforked


OWN_MACHINE = """
way, path = sys.argv[1:]
replay = rr.Replay.record(path, machine="toy")
device = replay.register_char("tty", receive=lambda data: None)
began = way.startswith("late ")
way = way.removeprefix("late ")

def go_on(instructions):
    for _ in range(instructions):
        replay.account_executed(1)
        replay.flush()
        replay.char_write(device, b"x", lambda data: len(data))

def begin():
    replay.start()
    go_on(10)

def leave():
    with replay:
        pass

def leave_with(error):
    with replay:
        raise error

def collect():
    global replay
    del replay
    gc.collect()

ways = {
    "leave": leave,
    "exit": lambda: leave_with(SystemExit(0)),
    "collect": collect,
    "nothing": lambda: None,
    "finish": lambda: replay.finish(),
    "start": lambda: replay.start(),
    "run": lambda: go_on(10_000),
    "sync": lambda: replay.sync(),
}
if began:
    begin()
if way != "alone":
    child(ways[way])
if not began:
    begin()
go_on(100)
replay.finish()
assert rr.Recording(path).complete
assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
"""


@pytest.mark.parametrize("late", ["", "late "])
@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("leave", "StateError"),
        ("exit", "SystemExit: 0"),
        ("collect", "nothing"),
        ("nothing", "nothing"),
        ("finish", "StateError"),
        ("start", "StateError"),
        ("run", "StateError"),
        ("sync", "StateError"),
    ],
)
def test_nor_into_that_of_a_machine_of_ones_own(tmp_path: Path, late: str, way: str, said: str) -> None:
    for name in ("forked", "alone"):
        (tmp_path / name).mkdir()
    path, alone = tmp_path / "forked/run.rreplay", tmp_path / "alone/run.rreplay"
    (answer,) = script(OWN_MACHINE, late + way, path)
    assert answer.startswith(said)
    assert script(OWN_MACHINE, late + "alone", alone) == []
    assert contents(path) == contents(alone)


HOSTS = r"""
what, way, path = sys.argv[1:]
machine = rr.Machine("lab")
if what == "disk":
    with open(path, "wb") as image:
        image.write(bytes(range(256)) * 16)
device, host, letter = {
    "files": lambda: ("acia", rr.Files(path), "?"),
    "disk": lambda: ("disk", rr.DiskImage(path, writable=True), "d"),
    "wav": lambda: ("sound", rr.WavOutput(path), "t"),
    "pcap": lambda: ("network", rr.Pcap(path), "n"),
}[what]()
machine.devices[device].attach(host)

def command():
    machine.console.send(letter.encode())
    if what == "pcap":
        machine.run(seconds=0.05)
        machine.devices["network"].inject(bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9]) + b"\x88\xb5" + b"payload")
    assert machine.run(output=b"\n> ", seconds=10).reason == "output"

def detach():
    machine.devices[device].detach()
    machine.run(instructions=100)

assert machine.run(output=b"> ", seconds=1).reason == "output"
command()
ways = {"nothing": lambda: None, "run": lambda: machine.run(instructions=100), "detach": detach,
        "copy": lambda: machine.copy().run(instructions=100)}
before = open(path, "rb").read()
if way != "alone":
    child(ways[way])
    assert open(path, "rb").read() == before, "the child has written"
command()
detach()
"""


@pytest.mark.parametrize("what", ["files", "disk", "wav", "pcap"])
@pytest.mark.parametrize("way", ["nothing", "run", "detach", "copy"])
def test_nor_what_hosts_have_open(tmp_path: Path, what: str, way: str) -> None:
    forked, alone = tmp_path / "forked", tmp_path / "alone"
    (answer,) = script(HOSTS, what, way, forked)
    assert answer.startswith("StateError" if way == "run" else "nothing"), answer
    assert ("detach it" in answer) == (way == "run")
    assert script(HOSTS, what, "alone", alone) == []
    if what == "pcap":
        # Captures tell the time of day.
        assert forked.read_bytes().count(b"payload") == alone.read_bytes().count(b"payload") == 2
        assert forked.stat().st_size == alone.stat().st_size
    else:
        assert forked.read_bytes() == alone.read_bytes()


def test_a_child_that_is_forked_in_the_middle_of_a_cut_leaves_it_alone(tmp_path: Path) -> None:
    program = """
    import signal
    whole, part = sys.argv[1:]
    machine = rr.Machine("breadboard")
    with machine.record(whole) as recording:
        machine.console.send(b"sum 8000 FFFF\\r")
        machine.run(instructions=20_000_000, pc=0xFFFF)
    forks = 0

    class Gone(BaseException):
        pass

    def fork(*_):
        global forks
        pid = os.fork()
        if pid == 0:
            raise Gone
        forks += os.waitpid(pid, 0)[1] == 0
        signal.setitimer(signal.ITIMER_REAL, 0.02)

    signal.signal(signal.SIGALRM, fork)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    try:
        cut = rr.open(whole).cut(1000, recording.icount - 1000, part)
    except Gone:
        del recording, machine
        gc.collect()
        os._exit(0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert cut.verify().ok
    print(forks > 0)
    """
    assert script(program, tmp_path / "whole.rreplay", tmp_path / "part.rreplay") == ["True"]
    assert names(tmp_path) == ["part.rreplay", "whole.rreplay"]


def test_a_child_that_is_forked_while_threads_run_the_machine_does_not_wait_for_them(tmp_path: Path) -> None:
    program = """
    import threading
    path = sys.argv[1]
    machine = rr.Machine("breadboard")
    recording = machine.record(path)
    running = threading.Thread(target=machine.run, kwargs={"wait_for_input": True, "scheduler": "threads"})
    running.start()
    calls = [lambda: machine.registers, lambda: machine.memory[0], lambda: machine.copy(), recording.finish,
             recording.snapshot, lambda: machine.run(instructions=1), lambda: machine.console.output]

    def all_of_them():
        for call in calls:
            try:
                call()
            except rr.StateError:
                pass

    try:
        for _ in range(30):
            assert child(all_of_them) == "nothing"
    finally:
        machine.stop()
        running.join()
    recording.finish()
    assert recording.verify().ok
    """
    script(program, tmp_path / "run.rreplay")


def test_a_child_may_read_what_was_finished_before_and_go_on_with_what_is_free(tmp_path: Path) -> None:
    program = """
    path = sys.argv[1]
    machine = rr.Machine("breadboard")
    with machine.record(path) as recording:
        machine.run(instructions=1000)

    def use():
        assert recording.verify().ok and recording.icount == 1000
        with machine.record(path + ".child") as own:
            machine.run(instructions=1000)
        assert own.verify().ok

    assert child(use) == "nothing"
    assert rr.open(path + ".child").icount == 2000
    """
    script(program, tmp_path / "run.rreplay")


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_program_that_is_started_inherits_nothing(tmp_path: Path) -> None:
    program = r"""
    import subprocess
    place = sys.argv[1]
    LOOK = (
        "import os\n"
        "for number in range(3, 200):\n"
        "    try: print(os.readlink(f'/proc/self/fd/{number}'))\n"
        "    except FileNotFoundError: pass\n"
    )

    def inherited():
        command = [sys.executable, "-c", LOOK]
        return subprocess.run(command, close_fds=False, capture_output=True, text=True, check=True).stdout

    with open(place + "/disk", "wb") as image:
        image.write(bytes(512))
    before = inherited()
    machine, other = rr.Machine("lab"), rr.Machine("lab")
    recording = machine.record(place + "/run.rreplay")
    own = rr.Replay.record(place + "/own.rreplay")
    hosts = {
        "acia": rr.Files(place + "/output", input=place + "/disk"),
        "serial": rr.Pty(),
        "sound": rr.WavOutput(place + "/wav"),
        "disk": rr.DiskImage(place + "/disk", writable=True),
        "network": rr.Pcap(place + "/pcap"),
    }
    for device, host in hosts.items():
        machine.devices[device].attach(host)
    other.devices["acia"].attach(rr.TcpServer())
    other.devices["network"].attach(rr.Udp(9))
    machine.run(instructions=1000)
    print(inherited() == before or inherited())
    """
    assert script(program, tmp_path) == ["True"]


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


def unless_busy(act: Callable[[], object]) -> None:
    """A reset in another thread holds the machine for a moment."""
    while True:
        try:
            act()
        except rr.StateError as busy:
            if "running already" not in str(busy):
                raise
        else:
            return


def test_what_another_thread_sets_while_a_recording_starts_is_in_it_or_refused(tmp_path: Path, make: Make) -> None:
    """A net with a coarse mesh: tests/session_owner.rs and tests/shuttle.rs have the finer ones."""
    changes: dict[str, Callable[[rr.Machine], object]] = {
        "set": lambda machine: setattr(machine.cpu, "x", (machine.cpu.x + 1) & 0xFF),
        "write": lambda machine: machine.memory.__setitem__(0x200, machine.cpu.x),
        "restore": lambda machine: machine.restore(machine.snapshot()),
        "reset": lambda machine: machine.reset(),
        "copy": lambda machine: machine.copy().digest(),
    }
    for name, change in changes.items():
        machine, done = make(COUNT), threading.Event()

        def keep_changing(
            machine: rr.Machine = machine,
            done: threading.Event = done,
            change: Callable[[rr.Machine], object] = change,
        ) -> None:
            while not done.is_set():
                try:
                    change(machine)
                except rr.StateError:
                    continue

        changing = threading.Thread(target=keep_changing)
        changing.start()
        try:
            for _ in range(20):
                kept: list[rr.LiveRecording] = []
                unless_busy(lambda kept=kept, machine=machine: kept.append(machine.record(tmp_path / "run.rreplay")))
                unless_busy(lambda machine=machine: machine.run(instructions=100))
                unless_busy(kept[0].finish)
                assert kept[0].verify().ok, name
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
