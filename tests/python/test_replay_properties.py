"""Random machines in Python, recorded under random hosts, do the same again: every answer, delivery and digest."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

import rreplay as rr

Operation: TypeAlias = tuple[str, int]

GUEST = st.sampled_from(
    [
        "work", "host clock", "running clock", "random", "print", "read", "play", "hear", "send",
        "interrupt", "exception", "call", "call once", "block", "wait",
    ]
)  # fmt: skip

PROGRAMS = st.lists(st.tuples(GUEST, st.integers(0, 255)), min_size=1, max_size=25)

HOSTS = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.sampled_from(["key", "button", "rel", "abs", "sync", "char", "packet", "complete", "snapshot", "fail"]),
        st.integers(0, 255),
    ),
    max_size=30,
)


class Host:
    """What is outside: answers from a generator, and events at certain turns of the machine's loop."""

    def __init__(self, seed: int, script: Sequence[tuple[int, str, int]]) -> None:
        self.random = random.Random(seed)
        self.script: list[tuple[int, str, int]] = []
        turn = 0
        for pause, what, value in script:
            turn += pause
            self.script.append((turn, what, value))
        self.turn = 0

    def bring(self, machine: Machine) -> None:
        """Brings what is due at this turn."""
        self.turn += 1
        replay = machine.replay
        while self.script and self.script[0][0] < self.turn:
            _, what, value = self.script.pop(0)
            match what:
                case "key":
                    replay.input(rr.Key(value * 257, value % 2 == 0))
                case "button":
                    replay.input(rr.Button(value, value % 2 == 0))
                case "rel":
                    replay.input(rr.Rel(value, -value))
                case "abs":
                    replay.input(rr.Abs(value, value << 16))
                case "sync":
                    replay.input_sync()
                case "char":
                    replay.char_read(machine.console, bytes([value]) * (value % 5))
                case "packet":
                    replay.net_packet(machine.net, value, [b"p", bytes([value])])
                case "complete" if machine.requests:
                    number = machine.requests.pop(value % len(machine.requests))
                    replay.block(number, rr.BlockResult(value, bytes([value])))
                case "snapshot" if replay.mode is rr.ReplayMode.RECORD:
                    replay.request_snapshot()

    def some_bytes(self, n: int) -> bytes:
        if self.random.random() < 0.2:
            raise OSError(self.random.randrange(1, 30), "the host does not want to")
        return self.random.randbytes(n)

    def write(self, data: bytes) -> int:
        if self.random.random() < 0.2:
            raise OSError(11, "again")
        return self.random.randrange(len(data) + 1)


class Machine:
    """A processor that runs a random program, and remembers a hash of all that it learned."""

    def __init__(self, replay: rr.Replay, program: Sequence[Operation], host: Host | None) -> None:
        self.replay, self.program, self.host = replay, program, host
        self.learned: list[object] = []
        self.place = 0
        self.requests: list[int] = []
        self.console = replay.register_char("console", receive=self.hear("char"))
        self.net = replay.register_net("net", receive=self.hear("net"))
        replay.on_input(self.hear("input"))
        replay.vmstate_init(self.save)
        replay.checkpoint(rr.Checkpoint.INIT)
        self.learned.append(replay.clock(rr.ClockKind.HOST, self.ask("clock")))  # type: ignore[arg-type]
        replay.start()
        replay.checkpoint(rr.Checkpoint.RESET)

    def save(self) -> dict[str, bytes]:
        return {"place": b"%d" % self.place, "learned": repr(self.learned).encode()}

    def hear(self, what: str) -> Callable[..., None]:
        def heard(*arguments: object) -> None:
            self.learned.append((what, self.replay.current_icount(), *arguments))
            if len(self.learned) % 7 == 0:
                self.replay.schedule_bh(lambda: self.learned.append("after " + what))

        return heard

    def ask(self, what: str) -> Callable[..., object]:
        """The host's answer; a replay has no host."""
        host = self.host
        if host is None:
            return lambda *arguments: pytest.fail(f"a replay asked its host for {what}: {arguments}")
        answers: dict[str, Callable[..., object]] = {
            "clock": lambda: host.random.randrange(-(2**63), 2**63),
            "bytes": host.some_bytes,
            "write": host.write,
            "frames": lambda samples: host.random.randrange(len(samples) + 1),
            "samples": lambda n: ([host.random.randrange(-(2**15), 2**15) for _ in range(n // 2)], n),
            "packet": lambda flags, packet: None,
        }
        return answers[what]

    def run(self, instructions: int) -> None:
        replay = self.replay
        while replay.current_icount() < instructions and not replay.at_end() and replay.shutdown is None:
            if self.host is not None:
                self.host.bring(self)
            replay.flush()
            replay.keep_state()
            # Checkpoints are the loop's: what stands behind one is done when it is passed.
            if self.place % 3 == 0 and replay.checkpoint(rr.Checkpoint.CLOCK_VIRTUAL):
                self.learned.append("timer")
            left = instructions - replay.current_icount()
            for _ in range(min(left, 5, replay.instructions_until_next_stop())):
                self.step()
        if self.host is not None:
            # All that was asked for is answered, so that nothing is left that a replay would wait for.
            for number in self.requests:
                replay.block(number, rr.BlockResult(0))

    def step(self) -> None:
        operation, value = self.program[self.place]
        self.place = (self.place + 1) % len(self.program)
        try:
            self.learned.append(self.execute(operation, value))
        except OSError as error:
            self.learned.append(error.errno)
        self.replay.account_executed(1, cycles=1 + value % 7)

    def execute(self, operation: str, value: int) -> object:
        replay = self.replay
        match operation:
            case "host clock":
                return replay.clock(rr.ClockKind.HOST, self.ask("clock"))  # type: ignore[arg-type]
            case "running clock":
                return replay.clock(rr.ClockKind.VIRTUAL_RT, self.ask("clock"))  # type: ignore[arg-type]
            case "random":
                return replay.random(value % 9, self.ask("bytes"))  # type: ignore[arg-type]
            case "print":
                return replay.char_write(self.console, b"%d" % value, self.ask("write"))  # type: ignore[arg-type]
            case "read":
                return replay.char_read_all(self.console, value % 9, self.ask("bytes"))  # type: ignore[arg-type]
            case "play":
                return replay.audio_out(range(value % 9), self.ask("frames"))  # type: ignore[arg-type]
            case "hear":
                read = replay.audio_in(value % 9, self.ask("samples"))  # type: ignore[arg-type]
                return list(read.samples), read.write_position
            case "send":
                replay.net_send(self.net, value, b"out", self.ask("packet"))
            case "interrupt":
                return replay.interrupt(list(rr.Interrupt)[value % 4])
            case "exception":
                return replay.exception(list(rr.CpuException)[value % 3])
            case "call":
                replay.schedule_bh(lambda: self.learned.append(("called", value)))
            case "call once":
                replay.schedule_bh_oneshot(lambda: self.learned.append(("called once", value)))
            case "block":
                number = replay.next_block_id(lambda result: self.learned.append((number, result)))
                self.requests.append(number)
                return number
            case "wait":
                replay.account_executed(0, cycles=value)
        return None


@given(
    program=PROGRAMS,
    script=HOSTS,
    seed=st.integers(0, 2**32),
    length=st.integers(0, 120),
    digest_every=st.sampled_from([0, 1, 10, 33]),
    snapshot_every=st.sampled_from([None, 20]),
)
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
def test_what_was_recorded_replays(
    program: list[Operation],
    script: list[tuple[int, str, int]],
    seed: int,
    length: int,
    digest_every: int,
    snapshot_every: int | None,
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "run.rreplay"
        with rr.Replay.record(
            path, subsystems=["place", "learned"], digest_every=digest_every, snapshot_every=snapshot_every
        ) as replay:
            recorded = Machine(replay, program, Host(seed, script))
            recorded.run(length)
            printed = replay.transcript(recorded.console)
        events = len(list(rr.open(path).events()))
        with rr.Replay.play(path) as replay:
            replayed = Machine(replay, program, None)
            replayed.run(length + 1)
            assert replay.at_end()
            assert replay.event_ordinal == events - 1, "all but the end is consumed"
            assert replay.transcript(replayed.console) == printed
        assert replayed.learned == recorded.learned
        assert replay.current_icount() == length
    event(f"{events // 50 * 50} events or more")


@given(program=PROGRAMS, script=HOSTS, seed=st.integers(0, 2**32), place=st.integers(0, 10**6))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
def test_a_changed_program_never_passes_for_the_recorded_one(
    program: list[Operation], script: list[tuple[int, str, int]], seed: int, place: int
) -> None:
    """One operation is another: the replay diverges, or the operation was never come to."""
    other = list(program)
    at = place % len(program)
    other[at] = ("random", 9 + program[at][1]) if program[at][0] != "random" else ("print", 0)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "run.rreplay"
        with rr.Replay.record(path, subsystems=["place", "learned"]) as replay:
            Machine(replay, program, Host(seed, script)).run(len(program))
        with pytest.raises(rr.Divergence), rr.Replay.play(path) as replay:
            Machine(replay, other, None).run(len(program) + 1)
