"""The user's own device: a Python object behind registers. What it answers is recorded; a replay does not call it."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rreplay as rr

REGISTERS = 0x7000


def board(**options: Any) -> dict[str, Any]:
    """A processor, RAM, and four registers at 7000."""
    device = {"name": "own", "kind": "user", "at": REGISTERS, "size": 4, "irq": "irq", **options}
    return {
        "name": "own",
        "cpu": {"kind": "w65c02", "clock_hz": 1_000_000, "reset_vector": 0x200},
        "region": [
            {"name": "ram", "kind": "ram", "start": 0, "end": 0x0FFF},
            {"name": "vectors", "kind": "ram", "start": 0xFF00, "end": 0xFFFF},
        ],
        "device": [device],
    }


# loop: LDA $7001; STA $7002; STA $10; INC $11; JMP loop
COPIER = bytes([0xAD, 0x01, 0x70, 0x8D, 0x02, 0x70, 0x85, 0x10, 0xE6, 0x11, 0x4C, 0x00, 0x02])
# CLI; wait: WAI; JMP wait.  Interrupt at 0280: INC $10; LDA #0; STA $7000; RTI
SLEEPER = bytes([0x58, 0xCB, 0x4C, 0x01, 0x02])
HANDLER = bytes([0xE6, 0x10, 0xA9, 0x00, 0x8D, 0x00, 0x70, 0x40])


class Numbers:
    """Counts up, and keeps what is written to it."""

    def __init__(self) -> None:
        self.next = 0
        self.calls = 0
        self.written: list[tuple[int, int]] = []

    def read(self, offset: int) -> int:
        assert offset == 1
        self.calls += 1
        self.next = (self.next * 5 + 3) % 256
        return self.next

    def write(self, offset: int, value: int) -> None:
        self.written.append((offset, value))


def machine(device: object, program: bytes = COPIER, **options: Any) -> rr.Machine:
    images: dict[str | int, bytes] = {0x200: program, 0x280: HANDLER, 0xFFFE: b"\x80\x02"}
    made = rr.Machine(board(**options), rom=images)
    made.devices["own"].attach(device)
    return made


@pytest.mark.parametrize("scheduler", ["inline", "threads"])
def test_its_answers_are_recorded_and_replayed_without_it(tmp_path: Path, scheduler: rr.Scheduler) -> None:
    numbers = Numbers()
    made = machine(numbers)
    path = tmp_path / "own.rreplay"
    with made.record(path):
        made.run(instructions=501, scheduler=scheduler)
    assert numbers.calls == 101
    expected = [3]
    while len(expected) < 100:
        expected.append((expected[-1] * 5 + 3) % 256)
    assert numbers.written == [(2, value) for value in expected]
    assert made.memory[0x10] == expected[-1]
    for replaying in ("inline", "threads"):
        replay = rr.Recording(path).replay(scheduler=replaying)
        assert replay.run().reason == "end"
        assert replay.digest() == made.digest()
    assert numbers.calls == 101


class Ticker:
    """Interrupts at every third tick."""

    def __init__(self) -> None:
        self.ticks = 0

    def tick(self) -> bool | None:
        self.ticks += 1
        return True if self.ticks % 3 == 0 else None

    def write(self, offset: int, value: int) -> bool:
        return bool(value)


def test_ticks_and_interrupts(tmp_path: Path) -> None:
    ticker = Ticker()
    made = machine(ticker, SLEEPER, tick_cycles=1000)
    path = tmp_path / "ticks.rreplay"
    with made.record(path):
        assert made.run(cycles=30_500).reason == "budget"
    assert ticker.ticks == 30
    assert made.memory[0x10] == 10
    assert rr.Recording(path).verify().ok
    assert ticker.ticks == 30


def test_methods_are_optional() -> None:
    class Lamp:
        lit: int | None = None

        def write(self, offset: int, value: int) -> None:
            self.lit = value

    lamp = Lamp()
    made = machine(lamp)
    made.run(instructions=5)
    assert lamp.lit == 0xFF
    assert made.devices["own"].state["errors"] == 0


def test_without_a_device_reads_give_ff_and_are_counted() -> None:
    made = rr.Machine(board(), rom={0x200: COPIER})
    made.run(instructions=5)
    assert made.memory[0x10] == 0xFF
    assert made.devices["own"].state["errors"] == 2


class BadError(Exception):
    pass


class Raising:
    def __init__(self, after: int, method: str) -> None:
        self.left = after
        self.method = method

    def _count(self, method: str) -> None:
        if method == self.method:
            self.left -= 1
            if self.left < 0:
                raise BadError("the device is broken")

    def read(self, offset: int) -> int:
        self._count("read")
        return 7

    def write(self, offset: int, value: int) -> None:
        self._count("write")

    def tick(self) -> None:
        self._count("tick")


@pytest.mark.parametrize("scheduler", ["inline", "threads"])
@pytest.mark.parametrize("method", ["read", "write", "tick"])
def test_one_that_raises_stops_the_run_and_the_recording_is_whole(
    tmp_path: Path, method: str, scheduler: rr.Scheduler
) -> None:
    made = machine(Raising(20, method), tick_cycles=100)
    path = tmp_path / "raises.rreplay"
    with pytest.raises(BadError, match="is broken") as raised, made.record(path):
        made.run(instructions=100_000, scheduler=scheduler)
    assert raised.traceback[-1].name == "_count"
    assert made.icount < 1000
    recording = rr.Recording(path)
    assert recording.complete
    assert recording.icount == made.icount
    assert recording.verify().ok
    errors = list(recording.events(kind="char_read_all_error"))
    assert [event.error for event in errors] == [-5]
    # The machine can go on; it is the device that cannot.
    with pytest.raises(BadError):
        made.run(instructions=100_000)


@pytest.mark.parametrize("answer", [256, -1, "A", None, 1.5, b"A"])
def test_answers_that_are_no_bytes(answer: object) -> None:
    class Odd:
        def read(self, offset: int) -> object:
            return answer

    with pytest.raises(rr.DeviceError, match=r"Odd\.read gives a byte, 0 to 255, and it gave"):
        machine(Odd()).run(instructions=10)


def test_a_device_leaves_the_machine_alone() -> None:
    class Curious:
        def __init__(self) -> None:
            self.machine: rr.Machine | None = None

        def read(self, offset: int) -> int:
            assert self.machine is not None
            return self.machine.memory[0x10]

    for scheduler in ("inline", "threads"):
        curious = Curious()
        curious.machine = machine(curious)
        with pytest.raises(rr.StateError, match="middle of an instruction"):
            curious.machine.run(instructions=10, scheduler=scheduler)


def test_other_threads_may_look_meanwhile() -> None:
    inside, go_on = threading.Event(), threading.Event()

    class Slow:
        def read(self, offset: int) -> int:
            inside.set()
            assert go_on.wait(30)
            return 1

    made = machine(Slow())
    seen: list[int] = []

    def look() -> None:
        assert inside.wait(30)
        # It waits for the instruction to end, and does not keep it from ending.
        threading.Timer(0, go_on.set).start()
        seen.append(made.memory[0x11])

    looker = threading.Thread(target=look)
    looker.start()
    made.run(instructions=10)
    looker.join(30)
    assert len(seen) == 1


@pytest.mark.parametrize("thing", [object(), 5, "device", None])
def test_things_that_cannot_be_a_device(thing: object) -> None:
    with pytest.raises(rr.ArgumentError, match=r"no method read\(offset\), write\(offset, value\)"):
        machine(thing)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 0}, "1 to 256"),
        ({"size": 257}, "1 to 256"),
        ({"tick_cycles": 9}, "10 to 1000000000"),
        ({"colour": "red"}, "size, tick_cycles"),
    ],
)
def test_bad_options(options: dict[str, Any], words: str) -> None:
    with pytest.raises(rr.BoardError, match=words):
        rr.Machine(board(**options))


def test_the_object_goes_when_it_is_taken_off() -> None:
    numbers = Numbers()
    reference = weakref.ref(numbers)
    made = machine(numbers)
    del numbers
    made.run(instructions=10)
    assert reference() is not None
    made.devices["own"].detach()
    gc.collect()
    assert reference() is None


def test_a_cycle_through_the_machine_is_collected() -> None:
    class Owner(Numbers):
        machine: rr.Machine

    def make() -> Iterator[weakref.ref[Owner]]:
        owner = Owner()
        owner.machine = machine(owner)
        yield weakref.ref(owner)

    reference = next(make())
    gc.collect()
    assert reference() is None
