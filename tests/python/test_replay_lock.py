"""The fair lock of `rr.Replay`, from Python's threads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import rreplay as rr


@pytest.fixture
def replay() -> rr.Replay:
    return rr.Replay.none()


def test_one_thread_cannot_take_it_twice(replay: rr.Replay) -> None:
    with replay.lock():
        with pytest.raises(rr.StateError, match="this thread holds the replay lock already"), replay.lock():
            raise AssertionError
        with pytest.raises(rr.StateError, match="holds the replay lock already"):
            replay.lock().acquire()
        assert replay.lock().held
    assert not replay.lock().held


def test_it_is_released_by_its_holder_only(replay: rr.Replay) -> None:
    lock = replay.lock()
    with pytest.raises(rr.StateError, match="does not hold the replay lock"):
        lock.release()
    lock.acquire()
    problems: list[str] = []

    def other() -> None:
        with pytest.raises(rr.StateError) as caught:
            lock.release()
        problems.append(str(caught.value))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert "another thread holds the replay lock" in problems[0]
    lock.release()
    with pytest.raises(rr.StateError, match="does not hold"):
        lock.release()


def test_a_body_that_raises_releases_it(replay: rr.Replay) -> None:
    with pytest.raises(ZeroDivisionError), replay.lock():
        assert 1 // 0
    with replay.lock():
        pass


def test_who_waits_is_served_in_order_and_before_the_holder_comes_again(replay: rr.Replay) -> None:
    served: list[int] = []
    lock = replay.lock()
    lock.acquire()
    threads = []
    for number in range(6):
        waits = threading.Event()

        def wait(number: int = number, waits: threading.Event = waits) -> None:
            waits.set()
            with lock:
                served.append(number)

        before = tickets(replay)
        threads.append(threading.Thread(target=wait))
        threads[-1].start()
        # Each draws its ticket before the next one starts.
        while tickets(replay) == before:
            pass
    lock.release()
    with lock:
        served.append(99)
    for thread in threads:
        thread.join()
    assert served == [0, 1, 2, 3, 4, 5, 99]


def tickets(replay: rr.Replay) -> int:
    return replay.lock().waiters


def test_what_is_done_under_it_stays_together(tmp_path: Path) -> None:
    path = tmp_path / "run.rreplay"
    with rr.Replay.record(path) as replay:
        replay.start()

        def both(kind: str) -> None:
            for _ in range(200):
                with replay.lock():
                    assert replay.checkpoint(kind)
                    assert replay.checkpoint(kind)

        threads = [threading.Thread(target=both, args=(kind,)) for kind in ("init", "reset", "clock_host")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    checkpoints = [event.checkpoint for event in rr.open(path).events("checkpoint")]
    assert len(checkpoints) == 1200
    assert checkpoints[::2] == checkpoints[1::2]


def test_a_machine_and_a_host_on_two_threads(tmp_path: Path) -> None:
    """The host types while the machine runs; the replay hears each key at the same instruction."""
    path = tmp_path / "run.rreplay"

    class Machine:
        def __init__(self, replay: rr.Replay) -> None:
            self.replay, self.heard = replay, b""
            self.keyboard = replay.register_char("keyboard", receive=self.receive)
            replay.vmstate_init(self.save, lambda state: None)
            replay.start()

        def receive(self, data: bytes) -> None:
            self.heard += b"%d:%s " % (self.replay.current_icount(), data)

        def save(self) -> bytes:
            return self.heard

        def run(self) -> None:
            while not self.replay.at_end():
                with self.replay.lock():
                    # Asked under the lock, so that nothing is executed after the request.
                    if self.replay.shutdown is not None:
                        break
                    self.replay.flush()
                    self.replay.keep_state()
                    for _ in range(min(20, self.replay.instructions_until_next_stop())):
                        self.replay.account_executed(1)

    with rr.Replay.record(path, digest_every=100) as replay:
        machine = Machine(replay)

        def host() -> None:
            for number in range(50):
                replay.char_read(machine.keyboard, b"%d" % number)
                heard = replay.current_icount()
                while replay.current_icount() == heard:
                    pass
            replay.shutdown_request(rr.ShutdownCause.HOST_QUIT)

        thread = threading.Thread(target=host)
        thread.start()
        machine.run()
        thread.join()
    assert machine.heard.count(b":") == 50
    with rr.Replay.play(path) as replay:
        again = Machine(replay)
        again.run()
        assert replay.shutdown is rr.ShutdownCause.HOST_QUIT
    assert again.heard == machine.heard


INTERRUPTED = """
import signal, threading
signal.signal(signal.SIGINT, signal.default_int_handler)
import rreplay as rr
replay = rr.Replay.none()
held, done = threading.Event(), threading.Event()

def hold():
    with replay.lock():
        held.set()
        while not replay.lock().waiters:
            pass
        print("ready", flush=True)
        done.wait()

holder = threading.Thread(target=hold)
holder.start()
held.wait()
try:
    {call}
except KeyboardInterrupt:
    assert not replay.lock().waiters
    done.set()
    holder.join()
    with replay.lock():
        print("interrupted", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
@pytest.mark.parametrize("call", ["replay.lock().acquire()", "replay.random(3)", "replay.current_icount()"])
def test_control_c_ends_the_wait_for_it(call: str) -> None:
    program = INTERRUPTED.format(call=call)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        try:
            out, _ = child.communicate(timeout=60)
        finally:
            child.kill()
    assert (out, child.returncode) == ("interrupted\n", 0)


def test_a_killed_recorder_leaves_what_was_synced(tmp_path: Path) -> None:
    path = tmp_path / "run.rreplay"
    program = """
import os, sys
import rreplay as rr
replay = rr.Replay.record(sys.argv[1], machine="toy")
for number in range(10):
    replay.random(1)
    replay.account_executed(1)
replay.sync()
replay.random(1)
os._exit(1)
"""
    subprocess.run([sys.executable, "-c", program, path], check=False, timeout=60)
    with pytest.raises(rr.DamagedLog):
        rr.Replay.play(path)
    with rr.Replay.play(path, salvage=True) as replay:
        while not replay.at_end():
            replay.random(1)
            replay.account_executed(1)
        assert replay.current_icount() == 10
