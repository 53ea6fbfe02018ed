"""Wrong uses of `rr.Replay`: each raises an error of ours that names the thing, and leaves the recording whole."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import rreplay as rr
from replay_support import Modes, nobody
from rreplay.cli import main


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.rreplay"


@pytest.fixture
def foreign(path: Path) -> rr.Recording:
    """A recording of a machine that is not ours."""
    with rr.Replay.record(path, machine="toy") as replay:
        console = replay.register_char("console")
        replay.vmstate_init(lambda: b"state")
        replay.start()
        replay.char_write(console, b"hello")
        replay.account_executed(9, cycles=20)
    return rr.open(path)


CONFIG: dict[str, tuple[dict[str, Any], str]] = {
    "machine": ({"machine": ""}, "machine.*''|machine.*\"\""),
    "machine line": ({"machine": "a\nb"}, "machine"),
    "machine long": ({"machine": "m" * 201}, "200 bytes"),
    "machine type": ({"machine": 5}, "machine is a text, and 5"),
    "subsystems text": ({"subsystems": "cpu"}, "list of names, such as"),
    "subsystems none": ({"subsystems": []}, "at least one"),
    "subsystems twice": ({"subsystems": ["cpu", "ram", "cpu"]}, '"cpu".*twice'),
    "subsystems own": ({"subsystems": ["events"]}, '"events"'),
    "subsystems snapshot": ({"subsystems": ["replay"]}, '"replay"'),
    "subsystems type": ({"subsystems": ["cpu", 1]}, "a subsystem is a text"),
    "digest_every": ({"digest_every": -1}, "digest_every.*-1"),
    "digest_every type": ({"digest_every": 1.5}, "digest_every.*1.5"),
    "snapshot_every": ({"snapshot_every": 0}, "snapshot_every.*0"),
    "clock_hz": ({"clock_hz": 0}, "clock_hz.*0"),
    "start": ({"start": (0, 2**64)}, "start.*18446744073709551616"),
}


@pytest.mark.parametrize("name", CONFIG)
def test_a_wrong_configuration_is_named(path: Path, name: str) -> None:
    wrong, message = CONFIG[name]
    with pytest.raises(rr.ArgumentError, match=message):
        rr.Replay.record(path, **wrong)
    assert not path.exists()


def test_a_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(rr.LogError, match="no directory.*missing"):
        rr.Replay.record(tmp_path / "missing" / "run.rreplay")
    with pytest.raises(rr.LogError, match="is a directory"):
        rr.Replay.record(tmp_path)


def test_what_cannot_be_played_is_named(tmp_path: Path, foreign: rr.Recording) -> None:
    with pytest.raises(rr.LogError, match=r"there is no file .*nothing\.rreplay"):
        rr.Replay.play(tmp_path / "nothing.rreplay")
    other = tmp_path / "other"
    other.write_bytes(b"\x7fELF and so on")
    with pytest.raises(rr.NotARecording, match="executable"):
        rr.Replay.play(other)
    with pytest.raises(rr.MismatchError, match='the machine "toy", this one is "modem"'):
        rr.Replay.play(foreign.path, machine="modem")
    with pytest.raises(rr.ArgumentError, match="machine is a text"):
        rr.Replay.play(foreign.path, machine=7)  # type: ignore[arg-type]
    other.write_bytes(foreign.path.read_bytes()[:-30])
    with pytest.raises(rr.DamagedLog):
        rr.Replay.play(other)
    assert rr.Replay.play(other, salvage=True).machine == "toy"


def test_a_recording_of_a_board_is_not_played(path: Path) -> None:
    with rr.Machine("breadboard").record(path):
        pass
    with pytest.raises(rr.MismatchError, match=r"on a board of rreplay.*rreplay\.open"):
        rr.Replay.play(path)


def test_a_recording_of_a_machine_opens_and_only_that_machine_replays_it(foreign: rr.Recording) -> None:
    assert foreign.machine == "toy"
    assert repr(foreign).endswith("run.rreplay: toy, 9 instructions>")
    assert (foreign.icount, foreign.cycles, foreign.duration) == (9, 20, 20e-6)
    assert foreign.output == b"hello"
    info = foreign.info()
    assert (info["board"], info["machine"], info["subsystems"]) == (None, "toy", ["machine", "queue", "events"])
    assert [event.kind for event in foreign.events()][:2] == ["snapshot", "char_write"]

    def board() -> rr.Board:
        return foreign.board

    for call in (board, foreign.replay, foreign.verify, partial(foreign.replay, snapshot=0)):
        with pytest.raises(rr.StateError, match=r'machine of its own, "toy".*rreplay\.Replay\.play'):
            call()


def test_the_command_line_on_such_a_recording(foreign: rr.Recording, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(foreign.path)]) == 0
    assert re.search(r"machine +toy", capsys.readouterr().out)
    assert main(["info", "--json", str(foreign.path)]) == 0
    assert json.loads(capsys.readouterr().out)["machine"] == "toy"
    assert main(["dump", "--kind", "char_write", str(foreign.path)]) == 0
    assert "hello" in capsys.readouterr().out
    for command in ("verify", "replay"):
        assert main([command, str(foreign.path)]) == 2
        assert "Replay.play" in capsys.readouterr().err


def test_a_recording_of_a_board_has_no_machine(path: Path) -> None:
    with rr.Machine("breadboard").record(path) as recording:
        pass
    assert recording.machine is None
    assert recording.info()["machine"] is None


# ---- values ----

Call = Callable[[rr.Replay], object]

VALUES: dict[str, tuple[Call, str]] = {
    "clock": (lambda r: r.clock("sundial"), "ClockKind 'sundial'.*'host', 'virtual_rt'"),
    "clock type": (lambda r: r.clock(0), "ClockKind 0"),  # type: ignore[arg-type]
    "clock value": (lambda r: r.clock("host", lambda: 2**63), "read_host.*9223372036854775808"),
    "clock value type": (lambda r: r.clock("host", lambda: 1.5), "read_host.*1.5"),  # type: ignore[arg-type,return-value]
    "checkpoint": (lambda r: r.checkpoint("start"), "Checkpoint 'start'.*'clock_warp_start'"),
    "has_checkpoint": (lambda r: r.has_checkpoint("start"), "Checkpoint 'start'"),
    "interrupt": (lambda r: r.interrupt("fiq"), "Interrupt 'fiq'.*'irq', 'nmi', 'reset', 'wake'"),
    "exception": (lambda r: r.exception("fault"), "CpuException 'fault'.*'brk', 'jam', 'stop'"),
    "shutdown": (lambda r: r.shutdown_request("sleep"), "ShutdownCause 'sleep'"),
    "random": (lambda r: r.random(-1), "n is.*-1"),
    "random many": (lambda r: r.random(2**20 + 1), "1048577"),
    "random short": (lambda r: r.random(4, lambda n: b"abc"), "4 random bytes and returned 3"),
    "random long": (lambda r: r.random(4, lambda n: b"abcde"), "4 random bytes and returned 5"),
    "random text": (lambda r: r.random(1, lambda n: "a"), "read_host.*'a'"),  # type: ignore[arg-type,return-value]
    "random code": (lambda r: r.random_with_code(1, lambda n: (2**31, b"a")), "return code.*2147483648"),
    "char_write text": (lambda r: r.char_write(0, "text"), "data is bytes.*encode"),  # type: ignore[arg-type]
    "char_write device": (lambda r: r.char_write(1, b""), "no character device 1: 1 are registered"),
    "char_write negative": (lambda r: r.char_write(-1, b""), "device.*-1"),
    "char_write many": (lambda r: r.char_write(0, bytes(2**20 + 1)), "1048577 bytes"),
    "char_write took more": (lambda r: r.char_write(0, b"ab", lambda data: 3), "write_host.*3"),
    "char_write took less": (lambda r: r.char_write(0, b"ab", lambda data: -1), "write_host.*-1"),
    "char_write offset": (lambda r: r.char_write(0, b"ab", lambda data: rr.CharWritten(-5, 3)), "offset.*3"),
    "char_read text": (lambda r: r.char_read(0, "text"), "data is bytes"),  # type: ignore[arg-type]
    "char_read number": (lambda r: r.char_read(0, 5), "data is bytes, and 5"),  # type: ignore[arg-type]
    "char_read device": (lambda r: r.char_read(1, b""), "no character device 1"),
    "char_read many": (lambda r: r.char_read(0, bytes(2**20 + 1)), "1048577 bytes"),
    "char_read_all": (lambda r: r.char_read_all(0, 2, lambda n: b"abc"), "up to 2 bytes and returned 3"),
    "char_read_all device": (lambda r: r.char_read_all(9, 2, nobody), "no character device 9"),
    "char_read_all many": (lambda r: r.char_read_all(0, 2**20 + 1, nobody), "1048577"),
    "register_char": (lambda r: r.register_char(""), "character device's name"),
    "register_char type": (lambda r: r.register_char(b"x"), "name is a text"),  # type: ignore[arg-type]
    "transcript": (lambda r: r.transcript(4), "no character device 4"),
    "register_net": (lambda r: r.register_net("a\0"), "network device's name"),
    "net_packet": (lambda r: r.net_packet(0, 0, b""), "no network device 0"),
    "net_packet flags": (lambda r: r.net_packet(0, 2**32, b""), "flags.*4294967296"),
    "net_packet text": (lambda r: r.net_packet(0, 0, ["a"]), "a piece of the packet"),  # type: ignore[list-item]
    "net_send": (lambda r: r.net_send(3, 0, b"", nobody), "no network device 3"),
    "unregister_net": (lambda r: r.unregister_net(0), "no network device 0"),
    "input": (lambda r: r.input("a"), "Key, Button, Rel or Abs, and 'a'"),  # type: ignore[arg-type]
    "input key": (lambda r: r.input(rr.Key(65536, True)), "keycode.*65536"),
    "input button": (lambda r: r.input(rr.Button(256, True)), "button.*256"),
    "input rel": (lambda r: r.input(rr.Rel(0, 2**31)), "value.*2147483648"),
    "input abs": (lambda r: r.input(rr.Abs(-1, 0)), "axis.*-1"),
    "on_input": (lambda r: r.on_input(None), "None cannot be called"),  # type: ignore[arg-type]
    "schedule_bh": (lambda r: r.schedule_bh(5), "5 cannot be called"),  # type: ignore[arg-type]
    "next_block_id": (lambda r: r.next_block_id(""), "'' cannot be called"),  # type: ignore[arg-type]
    "block": (lambda r: r.block(0, rr.BlockResult(0)), "block request 0 was never made"),
    "block result": (lambda r: r.block(0, (2**31, b"")), "result.*2147483648"),
    "block many": (lambda r: r.block(0, (0, bytes(2**20 + 1))), "1048577"),
    "await_block": (lambda r: r.await_block(5, nobody), "no block request 5"),
    "audio_out": (lambda r: r.audio_out([1, 2], lambda samples: 3), "play_host.*3"),
    "audio_in": (lambda r: r.audio_in(1, lambda n: ([1, 2], 0)), "up to 1 samples and returned 2"),
    "audio_in sample": (lambda r: r.audio_in(1, lambda n: ([32768], 0)), "a sample.*32768"),
    "audio_in position": (lambda r: r.audio_in(1, lambda n: ([], -1)), "write position.*-1"),
    "account_executed": (lambda r: r.account_executed(-1), "n is.*-1"),
    "account_executed none": (lambda r: r.account_executed(None), "n is.*None"),  # type: ignore[arg-type]
    "account_executed cycles": (lambda r: r.account_executed(0, cycles=-5), "cycles.*-5"),
    "account_executed far": (lambda r: (r.account_executed(1), r.account_executed(2**64 - 1)), "above 64 bits"),
    "break_at": (lambda r: r.break_at(-1), "icount.*-1"),
    "add_blocker": (lambda r: r.add_blocker(None), "reason is a text"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("mode", ["none", "record"])
@pytest.mark.parametrize("name", VALUES)
def test_a_wrong_value_is_named_and_nothing_is_logged(path: Path, mode: str, name: str) -> None:
    call, message = VALUES[name]
    with rr.Replay.none() if mode == "none" else rr.Replay.record(path) as replay:
        replay.register_char("console")
        with pytest.raises(rr.ArgumentError, match=message):
            call(replay)
        assert replay.event_ordinal == 0
        replay.schedule_bh(lambda: None)
        assert replay.info()["finished"] is False


STATES: dict[str, tuple[object, str]] = {
    "missing": ({"cpu": b""}, "part .ram..*cpu.*ram"),
    "surplus": ({"cpu": b"", "ram": b"", "rom": b""}, "a part .rom."),
    "bytes": (b"state", "mapping with the bytes of each of .*'cpu', 'ram'"),
    "text": ("state", "the state is bytes, or a mapping.*'state'"),
    "name": ({1: b""}, "and 1 is none"),
    "value": ({"cpu": 5, "ram": b""}, "state of 'cpu' is bytes, and 5"),
    "digits": ({"cpu": "xy", "ram": b""}, "hash of 'cpu' is 32 hexadecimal digits, and 'xy'"),
    "short hash": ({"cpu": "00", "ram": b""}, '"cpu" has 1 bytes: 16'),
}


@pytest.mark.parametrize("name", STATES)
def test_a_wrong_state_is_named(path: Path, name: str) -> None:
    state: Any
    state, message = STATES[name]
    with rr.Replay.record(path, subsystems=["cpu", "ram"]) as replay:
        for call in (replay.digest, replay.keep_state, replay.finish):
            with pytest.raises(rr.ArgumentError, match=message):
                call(state)
        with pytest.raises(rr.ArgumentError, match=message):
            replay.vmstate_init(lambda: state)
        replay.vmstate_init(lambda: {"cpu": b"", "ram": b""})
    assert rr.open(path).complete
    if name in ("missing", "surplus"):
        with rr.Replay.play(path) as replay, pytest.raises(rr.MismatchError, match=message):
            replay.vmstate_init(lambda: state)


def test_a_snapshot_needs_bytes_and_a_machine_that_saves_them(path: Path) -> None:
    with rr.Replay.record(path, snapshot_every=5) as replay:
        with pytest.raises(rr.StateError, match="vmstate_init"):
            replay.request_snapshot()
        with pytest.raises(rr.ArgumentError, match='bytes of "machine", not their hash'):
            replay.vmstate_init(lambda: {"machine": "0" * 32})
        replay.account_executed(5)
        with pytest.raises(rr.StateError, match="vmstate_init"):
            replay.keep_state()
    with rr.Replay.none() as replay:
        assert replay.request_snapshot() is False
        with pytest.raises(rr.StateError, match="no snapshot"):
            replay.resume(0)


def test_a_snapshot_that_is_not_there(path: Path) -> None:
    with rr.Replay.record(path) as replay:
        replay.vmstate_init(lambda: b"")
    with rr.Replay.play(path) as replay:
        with pytest.raises(rr.StateError, match=r"vmstate_init\(save, load\)"):
            replay.resume(0)
        replay.vmstate_init(lambda: b"", lambda state: None)
        for place in (1, -2):
            with pytest.raises(rr.ArgumentError, match=f"place.*{place}"):
                replay.resume(place)
        with pytest.raises(rr.ArgumentError, match="state that the recording starts from"):
            replay.resume(0)


def test_a_replay_that_does_not_say_its_state(path: Path) -> None:
    with rr.Replay.record(path) as replay:
        replay.digest(b"state")
    with rr.Replay.play(path) as replay, pytest.raises(rr.StateError, match="does not say its own"):
        replay.keep_state()


def test_devices_are_registered_before_the_recording_begins(path: Path) -> None:
    with rr.Replay.record(path) as replay:
        replay.register_char("console")
        replay.start()
        with pytest.raises(rr.StateError, match='"printer" cannot be registered now'):
            replay.register_char("printer")
        replay.register_net("eth0")
    with rr.Replay.play(path) as replay:
        assert replay.register_char("console") == 0


def test_net_devices_and_blockers_registered_before_it_begins_stay(path: Path) -> None:
    with rr.Replay.record(path) as replay:
        first, second = replay.register_net("eth0"), replay.register_net("eth1", receive=lambda flags, packet: None)
        replay.unregister_net(first)
        replay.register_char("console")
        replay.random(1)
        with pytest.raises(rr.ArgumentError, match="no network device 0"):
            replay.unregister_net(first)
        replay.start()
        replay.net_packet(first, 0, b"dropped")
        replay.net_packet(second, 0, b"kept")
        replay.flush()
        replay.add_blocker("too late for this one")
    assert [event.data for event in rr.open(path).events("net")] == [b"kept"]
    with rr.Replay.record(path) as replay:
        replay.add_blocker("never")
        replay.register_char("console")
        with pytest.raises(rr.StateError, match="never"):
            replay.start()


def test_a_block_request_completes_once(path: Path) -> None:
    with rr.Replay.record(path) as replay:
        replay.start()
        number = replay.next_block_id(lambda result: None)
        replay.block(number, (0, b""))
        for _ in range(2):
            with pytest.raises(rr.ArgumentError, match=f"block request {number} was never made or has completed"):
                replay.block(number, (0, b""))
            replay.flush()


# ---- after the end ----

AFTER: dict[str, Call] = {
    "start": lambda r: r.start(),
    "add_blocker": lambda r: r.add_blocker("late"),
    "register_char": lambda r: r.register_char("late"),
    "register_net": lambda r: r.register_net("late"),
    "interrupt": lambda r: r.interrupt(),
    "exception": lambda r: r.exception("brk"),
    "clock": lambda r: r.clock("host", nobody),
    "random": lambda r: r.random(1, nobody),
    "char_write": lambda r: r.char_write(0, b"", nobody),
    "char_read": lambda r: r.char_read(0, b""),
    "char_read_all": lambda r: r.char_read_all(0, 1, nobody),
    "audio_out": lambda r: r.audio_out([], nobody),
    "audio_in": lambda r: r.audio_in(1, nobody),
    "checkpoint": lambda r: r.checkpoint("init"),
    "schedule_bh": lambda r: r.schedule_bh(nobody),
    "schedule_bh_oneshot": lambda r: r.schedule_bh_oneshot(nobody),
    "input": lambda r: r.input(rr.Key(1, True)),
    "input_sync": lambda r: r.input_sync(),
    "next_block_id": lambda r: r.next_block_id(nobody),
    "shutdown_request": lambda r: r.shutdown_request("host_ui"),
    "account_executed": lambda r: r.account_executed(1),
    "flush": lambda r: r.flush(),
    "digest": lambda r: r.digest(b""),
    "keep_state": lambda r: r.keep_state(),
    "vmstate_init": lambda r: r.vmstate_init(lambda: b""),
    "instructions_until_next_event": lambda r: r.instructions_until_next_event(),
    "break_at": lambda r: r.break_at(5),
    "at_end": lambda r: r.at_end(),
    "sync": lambda r: r.sync(),
}


@pytest.mark.parametrize("mode", ["record", "play"])
@pytest.mark.parametrize("name", AFTER)
def test_a_finished_replay_takes_no_more_calls(path: Path, mode: str, name: str) -> None:
    replay = rr.Replay.record(path)
    replay.register_char("console")
    replay.finish()
    if mode == "play":
        replay = rr.Replay.play(path)
        replay.register_char("console")
        replay.finish()
    size = path.stat().st_size
    with pytest.raises(rr.StateError, match="the replay is finished"):
        AFTER[name](replay)
    replay.finish()
    assert replay.finished
    assert replay.mode is rr.ReplayMode.NONE
    assert replay.transcript(0) == b""
    assert path.stat().st_size == size


# ---- callbacks that raise ----


class Mishap(Exception):
    pass


def mishap(*arguments: object) -> Any:
    raise Mishap(arguments)


HOSTS: dict[str, Call] = {
    "clock": lambda r: r.clock("host", mishap),
    "random": lambda r: r.random(3, mishap),
    "char_write": lambda r: r.char_write(0, b"x", mishap),
    "char_read_all": lambda r: r.char_read_all(0, 3, mishap),
    "audio_out": lambda r: r.audio_out([1], mishap),
    "audio_in": lambda r: r.audio_in(1, mishap),
    "net_send": lambda r: r.net_send(0, 0, b"", mishap),
    "vmstate_init": lambda r: r.vmstate_init(mishap),
}


@pytest.mark.parametrize("name", HOSTS)
def test_what_a_host_raises_passes_through_and_nothing_is_logged(path: Path, name: str) -> None:
    with rr.Replay.record(path) as replay:
        replay.register_char("console")
        replay.register_net("eth0")
        with pytest.raises(Mishap):
            HOSTS[name](replay)
        assert replay.event_ordinal == 0
        assert replay.random(2, lambda n: b"ok") == b"ok", "the next question is asked as ever"
        assert not replay.lock().held
    with rr.Replay.play(path) as replay:
        replay.register_char("console")
        assert replay.random(2, nobody) == b"ok"


class Reader:
    """Each instruction reads the clock, prints what came in, then reads entropy."""

    def __init__(self, replay: rr.Replay, host: Callable[[int], bytes]) -> None:
        self.replay, self.host, self.seen = replay, host, b""
        self.console = replay.register_char("console", receive=self.receive)
        replay.vmstate_init(lambda: self.seen, lambda state: setattr(self, "seen", state))
        replay.start()

    def receive(self, data: bytes) -> None:
        if data == b"!":
            raise Mishap(data)
        self.seen += data

    def run(self, instructions: int) -> None:
        while self.replay.current_icount() < instructions and not self.replay.at_end():
            self.replay.flush()
            self.replay.keep_state()
            if self.replay.shutdown is None and self.replay.instructions_until_next_stop() > 0:
                self.seen += b"%d" % (self.replay.clock("host", lambda: 12) % 10)
                self.replay.char_write(self.console, self.seen[-1:])
                self.seen += self.replay.random(1, self.host)
                self.replay.account_executed(1)


def fails_at(count: int) -> Callable[[int], bytes]:
    calls = iter(range(count))
    return lambda n: b"r" if next(calls, None) is not None else mishap(n)


@pytest.mark.parametrize("failing", [0, 1, 5])
def test_a_recording_whose_machine_failed_replays_up_to_there(path: Path, failing: int) -> None:
    with pytest.raises(Mishap), rr.Replay.record(path, digest_every=2) as replay:
        Reader(replay, fails_at(failing)).run(100)
    recording = rr.open(path)
    assert (recording.complete, recording.icount) == (True, failing)
    *_, shutdown, digest, end = recording.events()
    assert (shutdown.cause, digest.kind, end.kind) == ("host_error", "digest", "end")
    with rr.Replay.play(path) as replay:
        machine = Reader(replay, nobody)
        machine.run(100)
        assert replay.at_end()
        assert (replay.current_icount(), machine.seen) == (failing, b"2r" * failing)


def test_a_delivery_that_raised_ends_the_recording_behind_it(path: Path) -> None:
    def use(replay: rr.Replay) -> None:
        machine = Reader(replay, lambda n: b"r")
        machine.run(3)
        replay.char_read(machine.console, b"a")
        replay.char_read(machine.console, b"!")
        replay.char_read(machine.console, b"never")
        machine.run(5)

    with pytest.raises(Mishap), rr.Replay.record(path) as replay:
        use(replay)
    assert [event.data for event in rr.open(path).events("char_read")] == [b"a", b"!"]
    with pytest.raises(Mishap), rr.Replay.play(path) as replay:
        Reader(replay, nobody).run(5)


def test_a_body_that_raises_between_instructions_leaves_a_whole_recording(path: Path) -> None:
    with pytest.raises(Mishap), rr.Replay.record(path) as replay:
        Reader(replay, lambda n: b"r").run(4)
        mishap()
    with rr.Replay.play(path) as replay:
        machine = Reader(replay, nobody)
        machine.run(100)
        assert (replay.shutdown, replay.at_end()) == (rr.ShutdownCause.HOST_ERROR, True)
        assert machine.seen == b"2r" * 4


def test_a_recording_that_is_dropped_is_finished(path: Path) -> None:
    replay = rr.Replay.record(path)
    replay.random(1)
    del replay
    recording = rr.open(path)
    assert recording.complete
    assert [event.kind for event in recording.events()] == ["random", "shutdown", "digest", "end"]


def test_an_error_at_the_end_still_finishes_the_recording(path: Path) -> None:
    with pytest.raises(Mishap), rr.Replay.record(path) as replay:
        replay.start()
        replay.schedule_bh(mishap)
    assert rr.open(path).complete
    with pytest.raises(Mishap), rr.Replay.record(path) as replay:
        states = [b"the first"]
        replay.vmstate_init(lambda: states.pop() if states else mishap())
    assert rr.open(path).complete


# ---- hosts that call back ----


def test_a_host_that_is_asked_may_bring_events_and_nothing_else(path: Path) -> None:
    def use(replay: rr.Replay) -> list[object]:
        got: list[object] = []
        console = replay.register_char("console", receive=got.append)
        replay.on_input(got.append)
        replay.start()

        def host(data: bytes) -> int:
            replay.char_read(console, b"answer")
            replay.input(rr.Key(3, True))
            assert replay.shutdown_request("host_ui") is True
            assert replay.current_icount() == 0
            for call in (lambda: replay.random(1), replay.flush, lambda: replay.shutdown_request("guest_panic")):
                with pytest.raises(rr.StateError, match="asked for char_write called a function of the machine's own"):
                    call()
            with pytest.raises(rr.StateError, match="cannot be released while a host is asked for char_write"):
                replay.lock().release()
            return 1

        replay.char_write(console, b"?", host)
        assert not replay.lock().held
        replay.flush()
        return [*got, replay.shutdown]

    recorded = [b"answer", rr.Key(3, True), rr.ShutdownCause.HOST_UI]
    with rr.Replay.record(path) as replay:
        assert use(replay) == recorded


# ---- a replay that goes nowhere, or elsewhere ----


def test_a_replay_that_waits_for_what_never_comes(path: Path) -> None:
    with rr.Replay.record(path) as replay:
        replay.start()
        replay.schedule_bh(lambda: None)
        replay.flush()
    with (
        pytest.raises(rr.Divergence, match="nothing has moved.*queued: bh_oneshot") as caught,
        rr.Replay.play(path) as replay,
    ):
        replay.start()
        replay.schedule_bh_oneshot(nobody)
        while not replay.at_end():
            replay.flush()
    assert caught.value.expected == "bh scheduled at icount 0"
    assert caught.value.ordinal == 0


def test_a_divergence_says_what_agreed(tmp_path: Path) -> None:
    modes = Modes(tmp_path / "run.rreplay")

    def use(replay: rr.Replay) -> None:
        replay.start()
        replay.digest(b"same")
        for checkpoint in rr.Checkpoint:
            replay.checkpoint(checkpoint)
        replay.account_executed(2)
        replay.random(2)

    modes.record(use)

    def other(replay: rr.Replay) -> None:
        use_up_to_random = replay.random_with_code
        replay.start()
        replay.digest(b"same")
        for checkpoint in rr.Checkpoint:
            replay.checkpoint(checkpoint)
        replay.account_executed(2)
        use_up_to_random(3, nobody)

    with pytest.raises(rr.Divergence) as caught:
        modes.play(other)
    error = caught.value
    assert (error.icount, error.cycles, error.ordinal) == (12, 32, 10)
    assert error.expected.startswith("random result 0: 2 bytes")
    assert error.found == "came to a request for 3 random bytes"
    assert error.last_matching_icount == 10
    assert len(error.events) == 10
    assert "checkpoint reset" in error.events[-1].text
    assert error.byte_offset is not None
