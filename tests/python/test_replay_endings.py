"""A machine of one's own, used carelessly: before its start, past its flushes, and left before the recording's end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rreplay as rr
from replay_support import nobody


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.rreplay"


# ---- before the start ----

BROUGHT: dict[str, Callable[[rr.Replay], object]] = {
    "input": lambda r: r.input(rr.Key(1, True)),
    "input_sync": lambda r: r.input_sync(),
    "char_read": lambda r: r.char_read(0, b"x"),
    "net_packet": lambda r: r.net_packet(0, 0, b"x"),
    "block": lambda r: r.block(r.next_block_id(lambda result: None), (0, b"")),
}


@pytest.mark.parametrize("mode", ["record", "play"])
@pytest.mark.parametrize("name", BROUGHT)
def test_what_comes_before_the_start_is_refused(path: Path, name: str, mode: str) -> None:
    told: list[object] = []

    def registered(replay: rr.Replay) -> rr.Replay:
        replay.register_char("console", receive=told.append)
        replay.register_net("eth0", receive=lambda flags, packet: told.append(packet))
        replay.on_input(told.append)
        return replay

    with rr.Replay.record(path) as replay:
        registered(replay)
    with rr.Replay.play(path) if mode == "play" else rr.Replay.record(path) as replay:
        registered(replay)
        with pytest.raises(rr.StateError, match=r"came before start\(\)"):
            BROUGHT[name](replay)
        assert not told
        replay.start()
        BROUGHT[name](replay)
        assert not told, "it waits for the flush"
    with rr.Replay.none() as replay:
        BROUGHT[name](registered(replay))


def test_the_machines_own_calls_need_no_start(path: Path) -> None:
    def use(replay: rr.Replay) -> list[object]:
        ran: list[object] = []
        replay.schedule_bh(lambda: ran.append("called"))
        return [*ran, replay.random(2), replay.clock("host"), replay.audio_out([1, 2])]

    with rr.Replay.record(path) as replay:
        recorded = use(replay)
    with rr.Replay.play(path) as replay:
        assert use(replay) == recorded
    assert recorded[0] == "called"


# ---- sound ----


@pytest.mark.parametrize("offered", [0, 1, 2])
def test_a_replay_that_offers_fewer_frames_than_were_taken(path: Path, offered: int) -> None:
    with rr.Replay.record(path) as replay:
        assert replay.audio_out([5, 6, 7]) == 3
    with pytest.raises(rr.Divergence, match=f"audio_out of {offered} frames") as caught, rr.Replay.play(path) as replay:
        replay.audio_out([9] * offered)
    assert caught.value.expected == "audio_out 3 frames"


# ---- before the end ----


def record(path: Path) -> None:
    with rr.Replay.record(path) as replay:
        console = replay.register_char("console")
        replay.vmstate_init(lambda: b"state")
        replay.start()
        replay.account_executed(5)
        replay.char_write(console, b"a")
        replay.account_executed(5)
        replay.char_read(console, b"in")
        replay.flush()
        replay.account_executed(5)


def player(path: Path) -> rr.Replay:
    replay = rr.Replay.play(path)
    replay.register_char("console")
    replay.vmstate_init(lambda: b"state")
    replay.start()
    return replay


def play(replay: rr.Replay, icount: int) -> None:
    if icount >= 5:
        replay.account_executed(5)
        replay.char_write(0, b"a", nobody)
    if icount >= 10:
        replay.account_executed(5)
        replay.flush()
    if icount > 10:
        replay.account_executed(icount - 10)


@pytest.mark.parametrize(("icount", "ordinal"), [(0, 1), (5, 2), (10, 3), (14, 3)])
def test_a_replay_that_is_left_early(path: Path, icount: int, ordinal: int) -> None:
    record(path)
    with pytest.raises(rr.IncompleteReplay, match="not replay.at_end") as caught, player(path) as replay:
        play(replay, icount)
    error = caught.value
    assert isinstance(error, rr.ReplayError)
    assert (error.icount, error.end_icount, error.ordinal) == (icount, 15, ordinal)
    event = list(rr.open(path).events())[ordinal]
    assert (error.expected_icount, error.expected_cycles) == (event.icount, event.cycles)
    assert error.expected.startswith(event.kind)
    assert replay.finished


def test_a_replay_that_was_refused_its_end_goes_on(path: Path) -> None:
    record(path)
    with player(path) as replay:
        play(replay, 10)
        with pytest.raises(rr.IncompleteReplay):
            replay.finish()
        assert not replay.finished
        replay.account_executed(5)
        replay.finish()
        assert replay.finished


def test_a_replay_that_is_left_on_purpose(path: Path) -> None:
    record(path)
    with player(path) as replay:
        play(replay, 5)
        replay.finish(complete=False)
    with pytest.raises(ZeroDivisionError), player(path) as replay:
        play(replay, 5)
        _ = 1 // 0
    assert replay.finished, "the error that is on its way says more"
    with player(path) as replay:
        play(replay, 15)
    # Nothing is asked of a recorder.
    with rr.Replay.record(path) as replay:
        replay.finish(complete=True)


def test_a_salvaged_recording_ends_where_it_was_cut_off(path: Path) -> None:
    with rr.Replay.record(path) as replay:
        replay.random(3)
        replay.sync()
        whole = path.read_bytes()
        replay.account_executed(500)
    path.write_bytes(whole)
    with rr.Replay.play(path, salvage=True) as replay:
        replay.random(3)
    with pytest.raises(rr.IncompleteReplay), rr.Replay.play(path, salvage=True) as replay:
        pass


# ---- what is easily forgotten ----


def forgetful(path: Path, *, flushes: Callable[[int], bool], keeps: bool = True) -> rr.Divergence:
    """What comes of a loop that flushes at some icounts only."""
    with rr.Replay.record(path, digest_every=30) as replay:
        console = replay.register_char("console")
        replay.vmstate_init(lambda: b"state")
        replay.start()
        for icount in range(0, 100, 10):
            if icount == 50:
                replay.char_read(console, b"typed")
            replay.flush()
            replay.keep_state()
            replay.account_executed(10)
    with pytest.raises(rr.Divergence) as caught, rr.Replay.play(path) as replay:
        replay.register_char("console")
        replay.vmstate_init(lambda: b"state")
        replay.start()
        for icount in range(0, 100, 10):
            if flushes(icount):
                replay.flush()
            if keeps:
                replay.keep_state()
            replay.account_executed(10)
    return caught.value


def test_a_flush_that_was_never_called_is_named(path: Path) -> None:
    error = forgetful(path, flushes=lambda icount: False)
    assert (error.found_kind, error.expected_icount) == ("passed", 50)
    assert error.likely_cause is not None
    assert "flush() was never called" in error.likely_cause
    assert error.likely_cause in " ".join(str(error).split())
    assert error.likely_cause in error.summary


def test_a_flush_that_was_not_called_there_is_named(path: Path) -> None:
    error = forgetful(path, flushes=lambda icount: icount != 50)
    assert error.likely_cause is not None
    assert "flush() was not called at icount 50" in error.likely_cause
    assert "instructions_until_next_stop" in error.likely_cause


def test_a_state_that_was_not_kept_is_named(path: Path) -> None:
    error = forgetful(path, flushes=lambda icount: True, keeps=False)
    assert error.likely_cause is not None
    assert "keep_state() was not called at icount 0" in error.likely_cause


def test_a_divergence_of_another_kind_has_no_such_cause(path: Path) -> None:
    with rr.Replay.record(path) as replay:
        replay.random(3)
    with pytest.raises(rr.Divergence) as caught, rr.Replay.play(path) as replay:
        replay.random(4)
    assert caught.value.likely_cause is None
    assert "likely" not in str(caught.value)


@pytest.mark.parametrize("asks", ["instructions_until_next_stop", "cycles_until_next_event"])
def test_a_loop_that_never_flushes_ends(path: Path, asks: str) -> None:
    with rr.Replay.record(path) as replay:
        console = replay.register_char("console")
        replay.start()
        replay.account_executed(5)
        replay.char_read(console, b"typed")
        replay.flush()
        replay.account_executed(5)
    with pytest.raises(rr.Divergence, match=r"flush\(\) was never called") as caught, rr.Replay.play(path) as replay:
        replay.register_char("console")
        replay.start()
        replay.account_executed(5)
        room: Any = getattr(replay, asks)
        while not replay.at_end():
            for _ in range(min(10, room())):
                replay.account_executed(1)
    assert caught.value.found_kind == "stuck"


def test_a_loop_that_asks_often_and_flushes_goes_on(path: Path) -> None:
    with rr.Replay.record(path) as replay:
        console = replay.register_char("console")
        replay.start()
        for _ in range(3):
            replay.account_executed(1)
            replay.char_read(console, b"typed")
            replay.flush()
        replay.account_executed(1)
    with rr.Replay.play(path) as replay:
        replay.register_char("console")
        replay.start()
        for _ in range(3):
            replay.account_executed(1)
            for _ in range(5_000):
                assert replay.instructions_until_next_stop() == 0
            replay.flush()
            for _ in range(20_000):
                assert replay.instructions_until_next_stop() == 1
        replay.account_executed(1)


# ---- snapshots that are asked for ----


def test_a_snapshot_is_asked_for_in_each_mode(path: Path) -> None:
    with rr.Replay.record(path) as replay:
        with pytest.raises(rr.StateError, match="vmstate_init"):
            replay.request_snapshot()
        replay.vmstate_init(lambda: b"state")
        replay.start()
        assert replay.request_snapshot() is True
        replay.account_executed(1)
        replay.keep_state()
    assert len(rr.open(path).snapshots) == 2
    for replay in (rr.Replay.play(path), rr.Replay.none()):
        assert replay.request_snapshot() is False
        replay.vmstate_init(lambda: b"state")
        assert replay.request_snapshot() is False
    replay = rr.Replay.record(path)
    replay.finish()
    with pytest.raises(rr.StateError, match="finished"):
        replay.request_snapshot()
