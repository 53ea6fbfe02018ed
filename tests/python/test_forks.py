"""Forked children: what they leave, raise, collect or run changes nothing that their parent has open."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import rreplay as rr
from fork_support import names, script

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")

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
    "send": lambda: machine.console.send(b"from the child"),
    "shutdown": lambda: machine.shutdown(),
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
        ("send", "StateError"),
        ("shutdown", "StateError"),
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
        # An alarm that has come already would set the next one.
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except Gone:
        del recording, machine
        gc.collect()
        os._exit(0)
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


def test_a_child_that_is_forked_in_the_middle_of_another_threads_question_does_not_wait_for_it(tmp_path: Path) -> None:
    program = """
    import threading
    machine = rr.Machine("breadboard")
    with machine.record(sys.argv[1]) as recording:
        machine.console.expect(b"> ")
        machine.run(instructions=600_000)
    timeline = recording.timeline()
    asking, goes_on = threading.Event(), threading.Event()

    def hear(done, total):
        asking.set()
        goes_on.wait()

    thread = threading.Thread(target=lambda: timeline.profile(progress=hear))
    thread.start()
    asking.wait()
    own = "another thread was asking this timeline something"
    assert own in child(lambda: timeline.registers)
    assert own in child(lambda: timeline.last_write(0x1FF))
    assert own in child(lambda: timeline.at(5).digest())
    # What is the child's own, answers.
    assert child(lambda: recording.timeline().seek(1000)) == "nothing"
    goes_on.set()
    thread.join()
    assert timeline.registers
    """
    assert len(script(program, tmp_path / "run.rreplay")) == 4


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
