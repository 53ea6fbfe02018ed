"""Each function of the state machine, in each mode (docs/replay.md), as a machine of one's own calls it."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

import rreplay as rr
from replay_support import Modes, nobody, unless_played


@pytest.fixture
def modes(tmp_path: Path) -> Modes:
    return Modes(tmp_path / "run.rreplay")


# ---- mode, life ----


def test_mode(modes: Modes) -> None:
    assert modes.none(lambda replay: replay.mode) is rr.ReplayMode.NONE
    assert modes.record(lambda replay: replay.mode) is rr.ReplayMode.RECORD
    assert modes.play(lambda replay: replay.mode) is rr.ReplayMode.PLAY


def test_initial_snapshot_and_vmstate_init(modes: Modes) -> None:
    class Machine:
        def __init__(self, state: bytes) -> None:
            self.state = state

        def use(self, replay: rr.Replay) -> object:
            replay.vmstate_init(lambda: self.state, lambda state: setattr(self, "state", state))
            return replay.initial_snapshot

    assert modes.none(Machine(b"old").use) is None
    assert modes.record(Machine(b"first").use) == b"first"
    assert modes.kinds() == ["snapshot"]
    other = Machine(b"other")
    assert modes.play(other.use) == b"first"
    assert other.state == b"first"


def test_a_missing_initial_snapshot_is_an_error(modes: Modes) -> None:
    modes.record(lambda replay: replay.start())
    with pytest.raises(rr.Divergence, match="initial state"):
        modes.play(lambda replay: replay.vmstate_init(lambda: b"", nobody))


def test_an_initial_snapshot_that_is_not_loaded_must_be_the_machines(modes: Modes) -> None:
    modes.record(lambda replay: replay.vmstate_init(lambda: b"first"))
    modes.play(lambda replay: replay.vmstate_init(lambda: b"first"))
    with pytest.raises(rr.MismatchError, match=r"'machine' is not in the state.*no load"):
        modes.play(lambda replay: replay.vmstate_init(lambda: b"other"))
    with pytest.raises(rr.MismatchError, match="after load"):
        modes.play(lambda replay: replay.vmstate_init(lambda: b"other", lambda state: None))


def test_a_machine_of_several_parts(tmp_path: Path) -> None:
    path = tmp_path / "run.rreplay"
    state = {"cpu": b"\x01", "ram": b"\x02\x03"}
    with rr.Replay.record(path, subsystems=["cpu", "ram"]) as replay:
        assert replay.subsystems == ["cpu", "ram"]
        replay.vmstate_init(lambda: state)
    loaded: list[object] = []
    with rr.Replay.play(path) as replay:
        assert replay.subsystems == ["cpu", "ram"]
        replay.vmstate_init(lambda: state, loaded.append)
    assert loaded == [state]


@pytest.mark.parametrize("mode", ["none", "record", "play"])
def test_lock(modes: Modes, mode: str) -> None:
    def use(replay: rr.Replay) -> list[bool]:
        lock = replay.lock()
        seen = [lock.held]
        with lock:
            seen.append(lock.held)
            replay.current_icount()
            seen.append(lock.held)
        return [*seen, lock.held]

    modes.record(lambda replay: replay.start())
    assert getattr(modes, mode)(use) == [False, True, True, False]


def test_configuration(tmp_path: Path) -> None:
    path = tmp_path / "run.rreplay"
    with rr.Replay.record(
        path, machine="toy", subsystems=["a"], digest_every=5, snapshot_every=9, clock_hz=2, start=(3, 4)
    ) as replay:
        assert (replay.machine, replay.current_icount(), replay.current_cycles()) == ("toy", 3, 4)
        replay.account_executed(2, cycles=6)
    recording = rr.open(path)
    assert recording.machine == "toy"
    assert (recording.start_icount, recording.icount, recording.cycles) == (3, 5, 10)
    assert recording.duration == 3.0
    assert recording.info()["digest_every"] == 5
    with rr.Replay.play(path, machine="toy") as replay:
        assert (replay.machine, replay.current_icount(), replay.current_cycles()) == ("toy", 3, 4)
        assert replay.info()["clock_hz"] == 2
        replay.account_executed(2, cycles=6)


def test_start_and_add_blocker(modes: Modes) -> None:
    def blocked(replay: rr.Replay) -> bool:
        replay.add_blocker("the disk is not recorded")
        replay.add_blocker("the printer is not recorded")
        replay.start()
        return replay.events_enabled()

    def started(replay: rr.Replay) -> bool:
        assert not replay.events_enabled()
        replay.start()
        return replay.events_enabled()

    assert modes.none(blocked) is False
    assert modes.none(started) is False
    with pytest.raises(rr.StateError, match="the disk is not recorded; the printer is not recorded"):
        modes.record(blocked)
    assert modes.record(started) is True
    with pytest.raises(rr.StateError, match="the disk is not recorded; the printer is not recorded"):
        modes.play(blocked)
    assert modes.play(started) is True


def test_finish(modes: Modes) -> None:
    ran: list[str] = []

    def use(replay: rr.Replay) -> rr.ReplayMode:
        replay.start()
        replay.schedule_bh(lambda: ran.append(str(replay.mode)))
        replay.finish()
        replay.finish()
        assert replay.finished == (replay is not free)
        return replay.mode

    free = rr.Replay.none()
    assert use(free) is rr.ReplayMode.NONE
    assert ran == ["none"]
    ran.clear()
    assert modes.record(use) is rr.ReplayMode.NONE
    assert ran == ["record"], "what was queued is the recording's last input"
    assert modes.kinds() == ["bh"]
    assert rr.open(modes.path).complete
    ran.clear()
    assert modes.play(use) is rr.ReplayMode.NONE
    assert ran == ["play"]


def test_a_replay_that_ends_early_drains_its_queue(modes: Modes) -> None:
    def use(replay: rr.Replay) -> list[str]:
        ran: list[str] = []
        replay.start()
        replay.schedule_bh(lambda: ran.append(str(replay.mode)))
        if replay.mode is rr.ReplayMode.RECORD:
            replay.account_executed(5)
        replay.finish(complete=replay.mode is rr.ReplayMode.RECORD)
        return ran

    assert modes.record(use) == ["record"]
    assert modes.play(use) == ["none"], "run when the replay is over, not early"


# ---- instructions ----


def test_current_icount_and_account_executed(modes: Modes) -> None:
    def use(replay: rr.Replay) -> tuple[int, int]:
        replay.account_executed(3)
        replay.account_executed(0, cycles=7)
        replay.account_executed(2, cycles=9)
        replay.checkpoint(rr.Checkpoint.INIT)
        return replay.current_icount(), replay.current_cycles()

    assert modes.none(use) == modes.record(use) == modes.play(use) == (15, 49)
    (event,) = modes.events("checkpoint")
    assert (event.icount, event.cycles) == (15, 49)
    with pytest.raises(rr.Divergence, match="ran past it") as caught:
        modes.play(lambda replay: replay.account_executed(6))
    assert caught.value.icount == 16
    assert caught.value.expected == "checkpoint init"


def test_instructions_until_next_event_and_stop(modes: Modes) -> None:
    unlimited = 2**64 - 1

    def use(replay: rr.Replay) -> list[int]:
        seen = [replay.instructions_until_next_event(), replay.instructions_until_next_stop()]
        replay.account_executed(5)
        replay.random(1)
        replay.account_executed(4)
        replay.checkpoint(rr.Checkpoint.INIT)
        return seen

    assert modes.none(use) == [unlimited, unlimited]
    assert modes.record(use) == [unlimited, unlimited]
    assert modes.play(use) == [5, 9], "the machine comes to the random bytes by itself"


def test_cycles_until_next_event(modes: Modes) -> None:
    unlimited = 2**64 - 1

    def use(replay: rr.Replay) -> list[int]:
        seen = [replay.cycles_until_next_event()]
        replay.account_executed(0, cycles=100)
        replay.checkpoint(rr.Checkpoint.INIT)
        seen.append(replay.cycles_until_next_event())
        replay.account_executed(1)
        replay.checkpoint(rr.Checkpoint.RESET)
        return seen

    assert modes.none(use) == modes.record(use) == [unlimited, unlimited]
    assert modes.play(use) == [100, unlimited]


@pytest.mark.parametrize("mode", ["none", "record", "play"])
def test_break(modes: Modes, mode: str) -> None:
    def use(replay: rr.Replay) -> list[object]:
        replay.break_at(16)
        seen: list[object] = [replay.break_icount, replay.instructions_until_next_event(), replay.take_break()]
        replay.account_executed(6)
        seen += [replay.instructions_until_next_stop(), replay.take_break(), replay.take_break(), replay.break_icount]
        replay.break_at(17)
        replay.delete_break()
        return [*seen, replay.break_icount]

    modes.record(lambda replay: replay.account_executed(1000))
    how = {"complete": False} if mode == "play" else {}
    assert getattr(modes, mode)(use, **how) == [16, 6, False, 0, True, False, None, None]


# ---- what the machine asks ----


@pytest.mark.parametrize("line", list(rr.Interrupt))
def test_interrupt(modes: Modes, line: rr.Interrupt) -> None:
    def use(replay: rr.Replay) -> list[bool]:
        seen = [replay.has_interrupt(), replay.interrupt(line.value)]
        replay.account_executed(5)
        return [*seen, replay.has_interrupt(), replay.interrupt(line)]

    assert modes.none(use) == [False, True, False, True], "without a log there is nothing to see"
    assert modes.record(use) == [False, True, False, True]
    assert [(event.icount, event.interrupt) for event in modes.events("interrupt")] == [(10, line), (15, line)]

    def play(replay: rr.Replay) -> list[bool]:
        other = next(other for other in rr.Interrupt if other is not line)
        seen = [replay.has_interrupt(), replay.interrupt(other), replay.interrupt(line)]
        seen += [replay.has_interrupt(), replay.interrupt(line)]
        replay.account_executed(5)
        return [*seen, replay.interrupt(line), replay.interrupt(line)]

    assert modes.play(play) == [True, False, True, False, False, True, False]


def test_interrupt_is_of_the_irq_line_unless_it_says_so(modes: Modes) -> None:
    modes.record(lambda replay: replay.interrupt())
    assert modes.events("interrupt")[0].interrupt == "irq"


@pytest.mark.parametrize("kind", list(rr.CpuException))
def test_exception(modes: Modes, kind: rr.CpuException) -> None:
    def use(replay: rr.Replay) -> list[bool]:
        return [replay.has_exception(), replay.exception(kind), replay.has_interrupt()]

    assert modes.none(use) == [False, True, False]
    assert modes.record(use) == [False, True, False]
    assert modes.events("exception")[0].exception == kind
    assert modes.play(use) == [True, True, False]
    assert modes.play(lambda replay: [replay.interrupt(), replay.exception(kind), replay.exception(kind)]) == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("locked", [False, True])
def test_clock(modes: Modes, locked: bool) -> None:
    def read(replay: rr.Replay, kind: rr.ClockKind, host: Callable[[], int]) -> int:
        if not locked:
            return replay.clock(kind, host)
        with replay.lock():
            return replay.clock(kind, host)

    def use(replay: rr.Replay) -> list[int]:
        values = iter([1_000, -5, 3_000])
        host = unless_played(replay, lambda: next(values))
        seen = [read(replay, rr.ClockKind.HOST, host), read(replay, rr.ClockKind.VIRTUAL_RT, host)]
        replay.account_executed(1)
        return [*seen, read(replay, rr.ClockKind.HOST, host)]

    assert modes.none(use) == modes.record(use) == modes.play(use) == [1_000, -5, 3_000]
    assert [(event.icount, event.clock, event.value) for event in modes.events("clock")] == [
        (10, "host", 1_000),
        (10, "virtual_rt", -5),
        (11, "host", 3_000),
    ]

    def again(replay: rr.Replay) -> list[int]:
        """Reads where the log has none give the last value of that kind."""
        virtual, host = rr.ClockKind.VIRTUAL_RT, rr.ClockKind.HOST
        seen = [read(replay, kind, nobody) for kind in (virtual, host, host, virtual, virtual)]
        replay.account_executed(1)
        return [*seen, read(replay, virtual, nobody)]

    assert modes.play(again, complete=False) == [0, 1_000, 1_000, -5, -5, -5]


def test_clock_reads_the_hosts_own_clocks(modes: Modes) -> None:
    recorded = modes.record(lambda replay: [replay.clock("host"), replay.clock("virtual_rt")])
    assert recorded[0] > 1_600_000_000_000_000_000
    assert modes.play(lambda replay: [replay.clock("host"), replay.clock("virtual_rt")]) == recorded


def test_random(modes: Modes) -> None:
    def use(replay: rr.Replay) -> list[object]:
        def host(n: int) -> bytes:
            return bytes(range(n))

        def host_with_code(n: int) -> tuple[int, bytes]:
            return 7, b"ab"

        return [
            replay.random(4, unless_played(replay, host)),
            replay.random(0, unless_played(replay, host)),
            replay.random_with_code(2, unless_played(replay, host_with_code)),
        ]

    expected = [b"\0\1\2\3", b"", rr.RandomResult(7, b"ab")]
    assert modes.none(use) == modes.record(use) == modes.play(use) == expected
    assert [(event.result, event.data) for event in modes.events("random")] == [
        (0, b"\0\1\2\3"),
        (0, b""),
        (7, b"ab"),
    ]
    with pytest.raises(rr.Divergence, match="5 random bytes"):
        modes.play(lambda replay: replay.random(5, nobody))
    with pytest.raises(rr.Divergence, match="audio_in"):
        modes.play(lambda replay: replay.audio_in(4, nobody))


def test_random_is_the_systems_by_default(modes: Modes) -> None:
    recorded = modes.record(lambda replay: replay.random(32))
    assert len(set(recorded)) > 8
    assert modes.play(lambda replay: replay.random(32)) == recorded


def test_random_keeps_the_hosts_error(modes: Modes) -> None:
    def fails(n: int) -> bytes:
        raise OSError(errno.EAGAIN, "no entropy yet")

    def use(replay: rr.Replay) -> rr.RandomResult:
        host = unless_played(replay, fails)
        with pytest.raises(OSError) as caught:
            replay.random(3, host)
        assert caught.value.errno == errno.EAGAIN
        return replay.random_with_code(3, host)

    expected = rr.RandomResult(-errno.EAGAIN, b"\0\0\0")
    assert modes.none(use) == modes.record(use) == modes.play(use) == expected


@pytest.mark.parametrize("cause", list(rr.ShutdownCause)[1:])
def test_shutdown_request(modes: Modes, cause: rr.ShutdownCause) -> None:
    def use(replay: rr.Replay) -> list[object]:
        seen: list[object] = [replay.shutdown]
        if replay.mode is rr.ReplayMode.PLAY:
            seen.append(replay.shutdown_request(rr.ShutdownCause.HOST_UI))
        replay.account_executed(3)
        if replay.mode is not rr.ReplayMode.PLAY or cause.startswith("guest"):
            seen.append(replay.shutdown_request(cause))
        seen.append(replay.shutdown)
        replay.clear_shutdown()
        return [*seen, replay.shutdown]

    assert modes.none(use) == [None, True, cause, None]
    assert modes.record(use) == [None, True, cause, None]
    (event,) = modes.events("shutdown")
    assert (event.icount, event.cause) == (13, cause)
    if cause.startswith("guest"):
        assert modes.play(use) == [None, False, True, cause, None]
    else:
        assert modes.play(use) == [None, False, cause, None], "the logged one acts at its icount"


def test_a_guest_that_shuts_down_elsewhere_is_not_obeyed(modes: Modes) -> None:
    modes.record(lambda replay: (replay.account_executed(3), replay.shutdown_request("guest_shutdown")))
    assert modes.play(lambda replay: replay.shutdown_request("guest_shutdown"), complete=False) is False


@pytest.mark.parametrize("checkpoint", list(rr.Checkpoint))
def test_checkpoint(modes: Modes, checkpoint: rr.Checkpoint) -> None:
    def use(replay: rr.Replay) -> list[bool]:
        return [replay.has_checkpoint(checkpoint), replay.checkpoint(checkpoint.value)]

    assert modes.none(use) == [False, True]
    assert modes.record(use) == [False, True]
    assert modes.events("checkpoint")[0].checkpoint == checkpoint

    def play(replay: rr.Replay) -> list[bool]:
        other = next(other for other in rr.Checkpoint if other is not checkpoint)
        seen = [replay.has_checkpoint(other), replay.checkpoint(other), *use(replay)]
        return [*seen, *use(replay)]

    assert modes.play(play) == [False, False, True, True, False, False]


# ---- digests, snapshots, the flush ----


def test_digest(tmp_path: Path) -> None:
    path = tmp_path / "run.rreplay"

    def run(replay: rr.Replay, ram: bytes) -> None:
        with replay:
            assert replay.digest_due() is (replay.mode is not rr.ReplayMode.NONE)
            replay.digest({"cpu": b"state", "ram": ram})
            assert replay.digest_due() is False
            replay.account_executed(5)
            replay.digest({"cpu": "00112233445566778899aabbccddeeff", "ram": b""})

    run(rr.Replay.none(), b"any")
    run(rr.Replay.record(path, subsystems=["cpu", "ram"]), b"one")
    first, second, last = rr.open(path).events("digest")
    assert second.digests["cpu"] == "00112233445566778899aabbccddeeff"
    assert last.digests["ram"] == "0" * 32, "nobody has said the state at the end"
    run(rr.Replay.play(path), b"one")
    with pytest.raises(rr.Divergence) as caught:
        run(rr.Replay.play(path), b"two")
    assert caught.value.subsystems == ("ram",)
    assert caught.value.ordinal == first.ordinal


def test_the_last_digest_is_compared_when_a_replay_finishes(modes: Modes) -> None:
    modes.record(lambda replay: (replay.start(), replay.finish(b"state")))
    modes.play(lambda replay: (replay.start(), replay.finish(b"state")))
    with pytest.raises(rr.Divergence, match="machine"):
        modes.play(lambda replay: (replay.start(), replay.finish(b"other")))


class Counter:
    """Counts instructions, and hears keys."""

    def __init__(self, replay: rr.Replay) -> None:
        self.replay, self.count, self.keys = replay, 0, b""
        self.keyboard = replay.register_char("keyboard", receive=self.receive)
        replay.vmstate_init(self.save, self.load)
        replay.start()

    def receive(self, data: bytes) -> None:
        self.keys += data

    def save(self) -> bytes:
        return self.count.to_bytes(4, "little") + self.keys

    def load(self, state: bytes) -> None:
        self.count, self.keys = int.from_bytes(state[:4], "little"), state[4:]

    def run(self, until: int) -> None:
        while self.count < until and not self.replay.at_end():
            self.replay.flush()
            self.replay.keep_state()
            for _ in range(min(until - self.count, 7, self.replay.instructions_until_next_stop())):
                self.count += 1
                self.replay.account_executed(1, cycles=3)


def test_digests_and_snapshots_where_they_are_due(tmp_path: Path) -> None:
    path = tmp_path / "run.rreplay"
    with rr.Replay.record(path, digest_every=20, snapshot_every=50) as replay:
        machine = Counter(replay)
        machine.run(33)
        replay.char_read(machine.keyboard, b"k")
        assert replay.can_snapshot() is False
        replay.request_snapshot()
        machine.run(110)
    recording = rr.open(path)
    assert [event.icount for event in recording.events("digest")] == [0, 20, 33, 40, 50, 60, 80, 100, 110]
    assert recording.snapshots == [0, 33, 50, 100]
    with rr.Replay.play(path) as replay:
        machine = Counter(replay)
        machine.run(110)
        assert (replay.at_end(), replay.current_icount(), machine.keys) == (False, 110, b"k")
        assert replay.can_snapshot() is True
    assert replay.info()["last_matching_icount"] == 110
    free = Counter(rr.Replay.none())
    free.run(100)
    assert free.replay.can_snapshot() is True


@pytest.mark.parametrize("place", [1, 2, 3, -1])
def test_a_replay_starts_at_a_snapshot(tmp_path: Path, place: int) -> None:
    path = tmp_path / "run.rreplay"
    with rr.Replay.record(path, snapshot_every=50) as replay:
        recorded = Counter(replay)
        for until in (50, 77, 150, 180):
            recorded.run(until)
            replay.char_read(recorded.keyboard, b"%d " % until)
        ordinal = replay.event_ordinal
    with rr.Replay.play(path) as replay:
        machine = Counter(replay)
        assert replay.snapshots == [0, 50, 100, 150]
        replay.resume(place)
        assert replay.current_icount() == machine.count == replay.snapshots[place]
        machine.run(180)
        replay.flush()
        assert machine.keys == recorded.keys == b"50 77 150 180 "
        assert replay.event_ordinal >= ordinal - 1


def test_a_block_request_that_was_under_way_at_a_snapshot(tmp_path: Path) -> None:
    path = tmp_path / "run.rreplay"
    with rr.Replay.record(path) as replay:
        machine = Counter(replay)
        number = replay.next_block_id(lambda result: None)
        machine.run(10)
        replay.request_snapshot()
        machine.run(20)
        replay.block(number, (1, b"!"))
        machine.run(30)
    done: list[rr.BlockResult] = []
    with rr.Replay.play(path) as replay:
        machine = Counter(replay)
        replay.resume(-1)
        assert replay.outstanding_blocks() == [number]
        with pytest.raises(rr.StateError, match="await_block"):
            machine.run(30)
        replay.finish(complete=False)
    with rr.Replay.play(path) as replay:
        machine = Counter(replay)
        replay.resume(-1)
        replay.await_block(number, done.append)
        machine.run(30)
    assert done == [rr.BlockResult(1, b"!")]


def test_the_flush_is_not_entered_twice(modes: Modes) -> None:
    def use(replay: rr.Replay) -> str:
        replay.start()
        problems: list[str] = []

        def again() -> None:
            for call in (replay.flush, replay.finish):
                with pytest.raises(rr.StateError) as caught:
                    call()
                problems.append(str(caught.value))

        replay.schedule_bh(again)
        replay.schedule_bh(lambda: problems.append("next"))
        replay.flush()
        return "\n".join(problems)

    assert modes.record(use).splitlines()[2] == "next"
    assert "within a flush" in modes.play(use)


def test_an_exception_of_a_delivery_leaves_the_rest_for_the_next_flush(modes: Modes) -> None:
    def use(replay: rr.Replay) -> list[int]:
        replay.start()
        ran: list[int] = []
        replay.schedule_bh(lambda: ran.append(1))
        replay.schedule_bh(lambda: ran.append(1 // 0))
        replay.schedule_bh(lambda: ran.append(3))
        with pytest.raises(ZeroDivisionError):
            replay.flush()
        assert ran == [1]
        replay.flush()
        return ran

    assert modes.record(use) == modes.play(use) == [1, 3]
    assert modes.kinds() == ["bh"] * 3


def test_event_ordinals(modes: Modes) -> None:
    def use(replay: rr.Replay) -> list[int]:
        seen = [replay.event_ordinal]
        replay.checkpoint("init")
        replay.random(1)
        return [*seen, replay.event_ordinal]

    assert modes.none(use) == [0, 0]
    assert modes.record(use) == modes.play(use) == [0, 2]
    assert [event.ordinal for event in modes.events("checkpoint", "random")] == [0, 1]


@pytest.mark.parametrize("mode", ["none", "record", "play"])
def test_info(modes: Modes, mode: str) -> None:
    def use(replay: rr.Replay) -> dict[str, object]:
        replay.register_char("console")
        replay.start()
        replay.schedule_bh(lambda: None)
        replay.next_block_id(lambda result: None)
        return replay.info()

    modes.record(lambda replay: (replay.register_char("console"), replay.account_executed(99)))
    info = getattr(modes, mode)(use, **({"complete": False} if mode == "play" else {}))
    assert info["mode"] == mode
    assert (info["icount"], info["cycles"], info["event_ordinal"], info["finished"]) == (10, 30, 0, False)
    assert info["chars"] == ["console"]
    queued = [] if mode == "none" else ["bh scheduled at icount 10"]
    assert info["queued"] == [*queued, "block request 0"]


@pytest.mark.parametrize("mode", ["none", "record", "play"])
def test_sync(modes: Modes, mode: str) -> None:
    modes.record(lambda replay: replay.random(1))

    def use(replay: rr.Replay) -> int:
        replay.random(1)
        replay.sync()
        return len(list(rr.open(modes.path, salvage=True).events("random")))

    assert getattr(modes, mode)(use) == 1
