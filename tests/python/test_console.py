from __future__ import annotations

import pickle
import re
import threading

import pytest

import rreplay as rr
from conftest import COUNT, ECHO, STOP, Make

SCHEDULERS: list[rr.Scheduler] = ["inline", "threads"]


def test_the_monitor_boots_to_its_prompt() -> None:
    machine = rr.Machine("breadboard")
    match = machine.console.expect(b"> ")
    assert b"monitor" in match.string
    assert machine.console.output.endswith(b"> ")


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_conversation(scheduler: rr.Scheduler) -> None:
    console = rr.Machine("breadboard").console
    console.expect(b"> ", scheduler=scheduler)
    console.send(b"x 8000.800F\r")
    match = console.expect(re.compile(rb"8000: ((?:[0-9A-F]{2} ){16})"), scheduler=scheduler)
    assert len(bytes.fromhex(match[1].decode())) == 16
    console.send(b"nonsense\r")
    console.expect(b"? unknown command", scheduler=scheduler)


def test_read_and_expect_share_one_place(make: Make) -> None:
    machine = make(ECHO)
    console = machine.console
    console.send(b"one two three")
    console.expect(b"one")
    console.expect(b"two")
    assert console.read() == b""
    console.expect(b"re")
    assert console.read() == b""
    machine.run(seconds=1.0)
    assert console.read() == b"e"
    assert console.output == b"one two three"
    assert console.pending == 0


def test_expect_looks_at_what_is_unread_first(make: Make) -> None:
    machine = make(ECHO)
    machine.console.send(b"ready")
    machine.run(seconds=1.0)
    icount = machine.icount
    assert machine.console.expect(b"ad").end() == 4
    assert machine.icount == icount


def test_pending_counts_what_the_guest_has_not_read(make: Make) -> None:
    machine = make(COUNT)
    machine.console.send(b"abc")
    assert machine.console.pending == 3


def test_a_timeout_shows_the_tail(make: Make) -> None:
    machine = make(ECHO)
    machine.console.send(b"hello")
    with pytest.raises(rr.ExpectTimeout, match=r"0.5 virtual seconds.*hello") as caught:
        machine.console.expect(b"goodbye", seconds=0.5)
    error = caught.value
    assert (error.pattern, error.tail, error.reason) == (b"goodbye", b"hello", "budget")
    assert error.icount == machine.icount
    assert isinstance(error, TimeoutError)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.tail) == (str(error), b"hello")
    assert machine.time == pytest.approx(0.5, abs=1e-3)


def test_a_halted_machine_does_not_wait_for_the_time_to_pass(make: Make) -> None:
    machine = make(STOP)
    with pytest.raises(rr.ExpectTimeout, match="halted") as caught:
        machine.console.expect(b"x", seconds=1e6)
    assert caught.value.reason == "halted"


@pytest.mark.parametrize("pattern", ["text", b"", re.compile("text"), 7])
def test_patterns_are_bytes(make: Make, pattern: object) -> None:
    with pytest.raises(rr.ArgumentError):
        make(ECHO).console.expect(pattern)  # type: ignore[arg-type]


def test_the_console_takes_bytes(make: Make) -> None:
    with pytest.raises(rr.ArgumentError, match="bytes"):
        make(ECHO).console.send("text")  # type: ignore[arg-type]


def test_typing_from_another_thread_while_it_runs(make: Make) -> None:
    machine = make(ECHO)

    def type_all() -> None:
        for character in b"from afar!":
            machine.console.send(bytes([character]))

    typist = threading.Thread(target=type_all)
    typist.start()
    stop = machine.run(output=b"afar!", scheduler="threads", wait_for_input=True)
    typist.join()
    assert stop.reason == "output"
    assert machine.console.output == b"from afar!"


def test_stop_ends_a_run_from_another_thread(make: Make) -> None:
    machine = make(COUNT)
    stops: list[rr.Stop] = []
    runner = threading.Thread(target=lambda: stops.append(machine.run()))
    runner.start()
    while runner.is_alive():
        machine.stop()
        runner.join(0.01)
    assert stops[0].reason == "interrupted"
