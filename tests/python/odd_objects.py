"""Live objects of each kind, and odd values to give them: for odd_values.py."""

from __future__ import annotations

import array
import decimal
import io
import itertools
import math
import mmap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import rreplay as rr

HUGE = 4 << 30
"""Bytes of the largest argument, of which none is in memory until it is read."""

JAM = bytes.fromhex("02")
"""No run of it ends by a limit: the processor stops at once."""

WRITES = bytes.fromhex("A9 05 8D 00 02 E8 D0 FA 8D 01 02 02")
"""LDA #5; STA 0200; INX; BNE *-5; STA 0201; then it jams."""


class Mine(Exception):
    """What the callables of the pool raise."""


class NoRepr:
    def __repr__(self) -> str:
        raise Mine


class LongRepr:
    def __repr__(self) -> str:
        return "r" * 10_000_000


class Index:
    """A whole number that is no int, as NumPy's are."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __index__(self) -> int:
        return self.number


class OddPath:
    def __init__(self, path: object) -> None:
        self.path = path

    def __fspath__(self) -> Any:
        return self.path


class Text(str):
    __slots__ = ()

    def __repr__(self) -> str:
        raise Mine


def raises(*arguments: object, **named: object) -> Any:
    raise Mine


def answers(*arguments: object, **named: object) -> Any:
    return Ellipsis


def released() -> memoryview:
    view = memoryview(b"released")
    view.release()
    return view


def nested() -> list[Any]:
    inner: list[Any] = []
    inner.append(inner)
    return inner


def endless() -> Iterator[int]:
    return itertools.repeat(7)


def own_recording(path: Path) -> rr.Recording:
    with rr.Replay.record(path, machine="toy") as replay:
        console = replay.register_char("console", receive=lambda data: None)
        replay.vmstate_init(lambda: b"state", lambda state: None)
        replay.start()
        replay.char_read(console, b"in")
        replay.flush()
        replay.random(3)
        replay.audio_out([1, 2])
        replay.account_executed(5)
        replay.char_write(console, b"out")
    return rr.open(path)


def jammed(program: bytes = JAM) -> rr.Machine:
    return rr.Machine("py65mon", rom={0x1000: program, 0xFFFC: b"\x00\x10"}, cpu="6502")


def recorded(path: Path, program: bytes = WRITES) -> rr.Recording:
    machine = jammed(program)
    with machine.record(path, snapshot_every=100, digest_every=50):
        machine.console.send(b"typed")
        machine.run(instructions=900)
    return rr.open(path)


class World:
    """Live objects of each kind, made anew now and then; files go into the current directory."""

    def __init__(self) -> None:
        self.numbers = itertools.count()
        self.recording = recorded(Path("one.rreplay"))
        self.other = recorded(Path("other.rreplay"), WRITES.replace(b"\x05", b"\x06"))
        self.own = own_recording(Path("own.rreplay"))
        self.timeline = self.recording.timeline()
        self.other_timeline = self.other.timeline()
        self.huge = mmap.mmap(-1, HUGE, prot=mmap.PROT_READ)
        self.objects: dict[str, Any] = {}
        self.lasting = self._lasting()

    def path(self) -> Path:
        return Path(f"made-{next(self.numbers)}.rreplay")

    def renew(self, name: str) -> Any:
        """The object of a kind, fresh."""
        for made in MAKERS:
            if made.__name__ == name:
                self.objects[name] = made(self)
                return self.objects[name]
        raise KeyError(name)

    def pool(self) -> list[Any]:
        """Odd values. Those that a call may use up are made anew each time."""
        return [*self.lasting, released(), endless(), (n for n in "ab"), io.BytesIO(b"x"), bytearray(b"ab")]

    def _lasting(self) -> list[Any]:
        numbers = [-(2**70), -1, 0, 1, 7, 255, 256, 0xFFFF, 0x10000, 2**31, 2**32, 2**63, 2**64 - 1, 2**64, 2**70]
        texts = ["", "abc", "a\0b", "\ud800", "\udcff", "x" * 100_000, Text("abc"), "\n", "console", "irq", "host", "w"]
        bytes_like = [b"", b"abc", bytes(100_000), memoryview(b"abcdef")[::2], self.huge]
        arrays = [array.array("H", [1, 2]), np.arange(4), np.arange(4, dtype=np.uint8), np.zeros((2, 2)), np.array(3)]
        scalars = [np.uint8(200), np.int64(-5), np.float64(0.5), np.bool_(True), Index(3), Index(2**65), True, 10**5000]
        reals = [1.5, math.nan, math.inf, -math.inf, 1e308, 1 + 2j, decimal.Decimal("1.5"), decimal.Decimal("NaN")]
        many = [[], [256], ["abc"], nested(), (1, 2), {}, {"a": nested()}, {"preset": "sim65", "cpu": nested()}, {3}]
        ranges = [range(5), range(2**40), range(0, 10, 3), slice(None), slice(1, 2, 3), slice("a", "b"), slice(2**70)]
        paths = [Path(), Path("absent/file"), OddPath("a\0b"), OddPath(5), OddPath(b"bytes"), b"/absent/x", "/dev/zero"]
        objects = [None, object(), Ellipsis, NotImplemented, NoRepr(), LongRepr(), raises, answers]
        recordings = [self.other_timeline.at(300), self.other_timeline.run(), self.other, self.own]
        logged = [next(iter(self.other.events("char_read"))), self.other_timeline.accesses(0x200)[0]]
        states = [jammed().snapshot(), rr.Machine("breadboard").snapshot()]
        odd_key: Any = (-1, 5)
        records = [rr.Key(*odd_key), rr.Rel(0, 2**40), rr.BlockResult(2**40, b""), rr.ReplayMode.PLAY]
        hosts = [rr.Pty(), rr.TcpServer()]
        sorts: list[list[Any]] = [
            numbers, texts, bytes_like, arrays, scalars, reals, many, ranges, paths, objects, recordings, logged,
            states, records, hosts,
        ]  # fmt: skip
        return [value for sort in sorts for value in sort]


# ---- live objects ----


def machine(world: World) -> Any:
    return jammed()


def machine_that_records(world: World) -> Any:
    made = jammed(WRITES)
    made.record(world.path())
    return made


def machine_that_plays(world: World) -> Any:
    return world.recording.replay()


def machine_with_a_user_device(world: World) -> Any:
    board = {
        "name": "odd",
        "cpu": {"kind": "6502", "clock_hz": 1_000_000},
        "region": [{"name": "ram", "kind": "ram", "start": 0, "end": 0xFFFF}],
        "device": [{"name": "u", "kind": "user", "at": 0x4000, "irq": "none", "tick_cycles": 10}],
    }
    # LDA 4000; STA 4001; then it jams.
    return rr.Machine(board, rom={0x1000: bytes.fromhex("AD0040 8D0140 02"), 0xFFFC: b"\x00\x10"})


def live_recording(world: World) -> Any:
    # The recording keeps its machine's session.
    return jammed(WRITES).record(world.path())


def finished_recording(world: World) -> Any:
    made = jammed(WRITES)
    with made.record(world.path()) as recording:
        made.step(5)
    return recording


def recording(world: World) -> Any:
    return world.recording


def own_machines_recording(world: World) -> Any:
    return world.own


def events_table(world: World) -> Any:
    return world.recording.to_arrow()


def timeline(world: World) -> Any:
    return world.recording.timeline()


def moment(world: World) -> Any:
    return world.timeline.at(200)


def past_devices(world: World) -> Any:
    return world.timeline.devices


def past_memory(world: World) -> Any:
    return world.timeline.memory


def past_device(world: World) -> Any:
    return next(iter(world.timeline.devices.values()))


def breakpoint_of_a_timeline(world: World) -> Any:
    return world.recording.timeline().add_breakpoint(0x1000)


def accesses(world: World) -> Any:
    return world.timeline.accesses(range(0x200, 0x202))


def profile(world: World) -> Any:
    return world.timeline.profile()


def origin(world: World) -> Any:
    return world.timeline.origin(0x200, world.timeline.end_icount)


def difference(world: World) -> Any:
    return rr.diff(world.recording, world.other)


def side(world: World) -> Any:
    found = rr.diff(world.recording, world.other)
    return None if found is None else found.a


def rom_difference(world: World) -> Any:
    made, path = rr.Machine("breadboard"), world.path()
    with made.record(path):
        made.step(5)
    return rr.diff_rom(rr.open(path), bytes(0x8000))


def first_effect(world: World) -> Any:
    return rom_difference(world).effect


def cpu(world: World) -> Any:
    return jammed().cpu


def memory(world: World) -> Any:
    return jammed().memory


def console(world: World) -> Any:
    return jammed().console


def devices(world: World) -> Any:
    return rr.Machine("lab").devices


def display(world: World) -> Any:
    return next(d for d in rr.Machine("lab").devices.values() if isinstance(d, rr.Display))


def keyboard(world: World) -> Any:
    return next(d for d in rr.Machine("lab").devices.values() if isinstance(d, rr.Keyboard))


def pointer(world: World) -> Any:
    return next(d for d in rr.Machine("lab").devices.values() if isinstance(d, rr.Pointer))


def network(world: World) -> Any:
    return next(d for d in rr.Machine("lab").devices.values() if isinstance(d, rr.Network))


def plain_device(world: World) -> Any:
    return rr.Machine("breadboard").devices["acia"]


def picture(world: World) -> Any:
    return rr.Image(2, 1, bytes(8))


def hook(world: World) -> Any:
    return jammed().on_execute(0x1000)(lambda event: None)


def snapshot(world: World) -> Any:
    return jammed().snapshot()


def board(world: World) -> Any:
    return jammed().board


def stop(world: World) -> Any:
    return world.timeline.run()


def event(world: World) -> Any:
    return next(iter(world.recording.events()))


def event_iterator(world: World) -> Any:
    return world.recording.events()


def access(world: World) -> Any:
    return world.timeline.accesses(0x200)[0]


def instruction(world: World) -> Any:
    return jammed().disassemble()[0]


def bus_cycle(world: World) -> Any:
    return jammed(WRITES).trace_bus(1)[0]


def hook_event(world: World) -> Any:
    seen: list[Any] = []
    made = jammed(WRITES)
    made.on_execute(range(0x10000))(seen.append)
    made.step(2)
    return seen[0]


def verification(world: World) -> Any:
    return world.recording.verify()


def replay_in_none(world: World) -> Any:
    made = rr.Replay.none()
    made.register_char("console")
    return made


def replay_that_records(world: World) -> Any:
    made = rr.Replay.record(world.path())
    made.register_char("console")
    made.register_net("eth0")
    made.start()
    return made


def replay_that_is_not_started(world: World) -> Any:
    return rr.Replay.record(world.path())


def replay_that_plays(world: World) -> Any:
    made = rr.Replay.play(world.own.path)
    made.register_char("console")
    made.vmstate_init(lambda: b"state", lambda state: None)
    made.start()
    return made


def replay_lock(world: World) -> Any:
    return rr.Replay.none().lock()


def pty(world: World) -> Any:
    return rr.Pty()


def tcp_server(world: World) -> Any:
    return rr.TcpServer()


def files(world: World) -> Any:
    return rr.Files("sent")


def user_error(world: World) -> Any:
    return rr.ExpectTimeout(b"x", b"", 1.0, 5, "budget")


MAKERS: list[Callable[[World], Any]] = [
    machine, machine_that_records, machine_that_plays, machine_with_a_user_device, live_recording, finished_recording,
    recording,
    own_machines_recording, events_table, timeline, moment, past_devices, past_memory, past_device,
    breakpoint_of_a_timeline, accesses, profile, origin, difference, side, rom_difference, first_effect,
    cpu, memory, console, devices, display, keyboard, pointer, network, plain_device, picture, hook, snapshot, board,
    stop, event, event_iterator, access, instruction, bus_cycle, hook_event, verification, replay_in_none,
    replay_that_records, replay_that_is_not_started, replay_that_plays, replay_lock, pty, tcp_server, files, user_error,
]  # fmt: skip
