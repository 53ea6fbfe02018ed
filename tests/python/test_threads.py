"""The interpreter lock is released, Ctrl-C is heard, and nothing that is dropped stays behind."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import pytest

import rreplay as rr
from conftest import COUNT, START, Make

SCHEDULERS: list[rr.Scheduler] = ["inline", "threads"]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_python_goes_on_while_a_machine_runs(make: Make, scheduler: rr.Scheduler) -> None:
    machine = make(COUNT)
    stops: list[rr.Stop] = []
    runner = threading.Thread(target=lambda: stops.append(machine.run(scheduler=scheduler)))
    runner.start()
    seen = {machine.icount}
    # Never comes to an end if the runner keeps the lock: the test's time-out would say so.
    while len(seen) < 20:
        seen.add(machine.icount)
    while runner.is_alive():
        machine.stop()
        runner.join(0.01)
    assert stops[0].reason == "interrupted"


def test_machines_run_at_the_same_time(make: Make) -> None:
    machines = [make(COUNT) for _ in range(8)]
    threads = [threading.Thread(target=machine.run, kwargs={"instructions": 2_000_000}) for machine in machines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {machine.digest() for machine in machines} == {machines[0].digest()}
    assert machines[0].icount == 2_000_000


def test_one_run_at_a_time(make: Make) -> None:
    machine = make(COUNT)
    runner = threading.Thread(target=machine.run)
    runner.start()
    while machine.icount == 0:
        pass
    with pytest.raises(rr.StateError):
        machine.run(instructions=1)
    while runner.is_alive():
        machine.stop()
        runner.join(0.01)


CALLS = {
    "run": ("m.run(scheduler={scheduler!r})", "m.icount > 0"),
    "expect": ("m.console.expect(b'never', seconds=1e9, scheduler={scheduler!r})", "m.icount > 0"),
    "sleep": ("b.run(scheduler={scheduler!r}, sleep=True, wait_for_input=True)", "b.icount > 0"),
    "verify": ("[r.verify(scheduler={scheduler!r}, progress=progress) for _ in range(10**9)]", "begun"),
}
"""The call, and how another thread knows that it is under way."""

INTERRUPTED = """
import signal, tempfile, threading
# Whoever started the tests in the background may have told all its children to ignore the signal.
signal.signal(signal.SIGINT, signal.default_int_handler)
import rreplay as rr
m = rr.Machine("py65mon", rom={{0x1000: bytes.fromhex("E8D0FDC84C0010"), 0xFFFC: b"\\x00\\x10"}})
b = rr.Machine("breadboard")
begun = []
progress = lambda done, total: begun.append(done)
other = m.copy()
with other.record(tempfile.mkdtemp() + "/run.rreplay") as r:
    other.run(instructions=50_000_000)

def watch():
    while not ({begun}):
        pass
    print("ready", flush=True)

threading.Thread(target=watch, daemon=True).start()
try:
    {call}
except KeyboardInterrupt:
    before = m.icount
    m.run(instructions=10)
    assert m.icount == before + 10
    print("interrupted", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("call", CALLS)
def test_control_c_ends_a_long_call(call: str, scheduler: str) -> None:
    code, begun = CALLS[call]
    program = INTERRUPTED.format(call=code.format(scheduler=scheduler), begun=begun)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        try:
            out, _ = child.communicate(timeout=60)
        finally:
            child.kill()
    assert (out, child.returncode) == ("interrupted\n", 0)


def test_a_killed_recorder_leaves_a_usable_file(tmp_path: Path) -> None:
    program = """
import sys
import rreplay as rr
m = rr.Machine("py65mon", rom={0x1000: bytes.fromhex("E8D0FDC84C0010"), 0xFFFC: b"\\x00\\x10"})
m.record(sys.argv[1], digest_every=10_000)
m.run()
"""
    path = tmp_path / "run.rreplay"
    with subprocess.Popen([sys.executable, "-c", program, path]) as child:
        while child.poll() is None and not (path.exists() and path.stat().st_size > 500_000):
            pass
        child.kill()
    with pytest.raises(rr.DamagedLog):
        rr.open(path)
    recording = rr.open(path, salvage=True)
    assert not recording.complete
    assert recording.icount > 0
    assert recording.replay().run(instructions=recording.icount).icount == recording.icount


def test_a_machine_that_its_hook_refers_to_is_freed(make: Make) -> None:
    def hooked() -> weakref.ref[rr.Machine]:
        machine = make(COUNT)
        machine.on_execute(START)(lambda event: machine.icount < 0)
        machine.run(instructions=100)
        return weakref.ref(machine)

    machine = hooked()
    gc.collect()
    assert machine() is None


def test_a_program_may_end_while_a_machine_runs() -> None:
    program = """
import threading
import rreplay as rr
m = rr.Machine("py65mon", rom={0x1000: bytes.fromhex("E8D0FDC84C0010"), 0xFFFC: b"\\x00\\x10"})
for scheduler in ("inline", "threads"):
    c = m.copy()
    c.on_execute(0x1003)(lambda event: None)
    threading.Thread(target=c.run, kwargs={"scheduler": scheduler}, daemon=True).start()
while c.icount == 0:
    pass
print("leaving", flush=True)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (result.stdout, result.stderr, result.returncode) == ("leaving\n", "", 0)
