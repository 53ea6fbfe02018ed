"""The functions of the state machine for asynchronous events and devices, in each mode (docs/replay.md)."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import rreplay as rr
from replay_support import Modes, nobody, unless_played


@pytest.fixture
def modes(tmp_path: Path) -> Modes:
    return Modes(tmp_path / "run.rreplay")


def deliveries(replay: rr.Replay) -> list[object]:
    """All that is delivered from now on."""
    seen: list[object] = []
    replay.on_input(seen.append)
    return seen


# ---- async events ----


def test_enabling_and_disabling_events(modes: Modes) -> None:
    def use(replay: rr.Replay) -> list[object]:
        delivered = deliveries(replay)
        key = rr.Key(1, True)
        log: list[object] = [replay.events_enabled()]
        if replay.mode is not rr.ReplayMode.NONE:
            with pytest.raises(rr.StateError, match="before start"):
                replay.input(key)
        else:
            replay.input(key)
        log.append(list(delivered))
        replay.enable_events()
        replay.input(key)
        log += [replay.events_enabled(), list(delivered)]
        replay.disable_events()
        log += [replay.events_enabled(), list(delivered)]
        replay.input(key)
        return [*log, len(delivered)]

    key = rr.Key(1, True)
    assert modes.none(use) == [False, [key], False, [key, key], False, [key, key], 3]
    assert modes.record(use) == [False, [], True, [], False, [key], 2]
    assert modes.kinds() == ["input"]
    assert modes.play(use) == [False, [], True, [], False, [key], 2]


@pytest.mark.parametrize("name", ["schedule_bh", "schedule_bh_oneshot"])
def test_deferred_calls(modes: Modes, name: str) -> None:
    def use(replay: rr.Replay) -> list[object]:
        replay.start()
        ran: list[object] = []
        schedule = getattr(replay, name)
        schedule(lambda: ran.append("first"))
        schedule(lambda: (ran.append("second"), schedule(lambda: ran.append("nested"))))
        seen: list[object] = [list(ran)]
        replay.account_executed(2)
        delivered = replay.flush()
        seen += [delivered, list(ran)]
        delivered = replay.flush()
        return [*seen, delivered, list(ran)]

    both, all_of_it = ["first", "second"], ["first", "second", "nested"]
    assert modes.none(use) == [all_of_it, 0, all_of_it, 0, all_of_it]
    assert modes.record(use) == [[], 2, both, 1, all_of_it]
    kind = name.removeprefix("schedule_")
    assert [(event.kind, event.icount, event.id) for event in modes.events("bh", "bh_oneshot")] == [
        (kind, 12, 10),
        (kind, 12, 10),
        (kind, 12, 12),
    ]
    assert modes.play(use) == [[], 2, both, 1, all_of_it], "what is asked for in a flush waits for the next"


def test_a_deferred_call_is_never_run_early(modes: Modes) -> None:
    ran: list[int] = []

    def use(replay: rr.Replay) -> None:
        replay.start()
        replay.schedule_bh(lambda: ran.append(replay.current_icount()))
        if replay.mode is rr.ReplayMode.RECORD:
            replay.account_executed(5)
            replay.flush()
            return
        for _ in range(5):
            assert replay.flush() == 0
            replay.account_executed(1)
        assert replay.flush() == 1

    modes.record(use)
    modes.play(use)
    assert ran == [15, 15]


INPUT: list[rr.InputEvent] = [
    rr.Key(0, True),
    rr.Key(65535, False),
    rr.Button(255, True),
    rr.Rel(1, -(2**31)),
    rr.Abs(255, 2**31 - 1),
]


def test_input_and_input_sync(modes: Modes) -> None:
    def use(replay: rr.Replay) -> list[object]:
        replay.start()
        delivered = deliveries(replay)
        if replay.mode is rr.ReplayMode.PLAY:
            replay.input(rr.Key(99, True))
        else:
            for event in INPUT:
                replay.input(event)
        replay.input_sync()
        seen: list[object] = [list(delivered)]
        replay.account_executed(1)
        replay.flush()
        return [*seen, delivered]

    packet = [*INPUT, rr.InputSync()]
    assert modes.none(use) == [packet, packet]
    assert modes.record(use) == [[], packet]
    assert modes.kinds() == ["input"] * 5 + ["input_sync"]
    assert modes.play(use) == [[], packet], "the host's is dropped"


def test_block_and_next_block_id(modes: Modes) -> None:
    def use(replay: rr.Replay) -> list[object]:
        replay.start()
        done: list[object] = []
        first = replay.next_block_id(lambda result: done.append(("first", result)))
        second = replay.next_block_id(lambda result: done.append(("second", result)))
        seen: list[object] = [first, second, replay.outstanding_blocks()]
        if replay.mode is not rr.ReplayMode.PLAY:
            replay.block(second, rr.BlockResult(3, b"abc"))
            replay.block(first, (-errno.EIO, b""))
        seen.append(len(done))
        replay.account_executed(1)
        replay.flush()
        return [*seen, replay.outstanding_blocks(), done]

    done = [("second", rr.BlockResult(3, b"abc")), ("first", rr.BlockResult(-errno.EIO))]
    assert modes.none(use) == [0, 1, [0, 1], 2, [], done]
    assert modes.record(use) == [0, 1, [0, 1], 0, [], done]
    assert [event.id for event in modes.events("block")] == [1, 0]
    assert modes.play(use) == [0, 1, [0, 1], 0, [], done], "order, time and data are the log's"


def test_a_block_completion_of_the_host_is_not_needed_in_play(modes: Modes) -> None:
    def use(replay: rr.Replay) -> list[bytes]:
        replay.start()
        done: list[bytes] = []
        number = replay.next_block_id(lambda result: done.append(result.data))
        replay.block(number, rr.BlockResult(1, b"p" if replay.mode is rr.ReplayMode.PLAY else b"r"))
        replay.flush()
        return done

    assert modes.record(use) == [b"r"]
    assert modes.play(use) == [b"r"]


def test_a_block_request_of_a_completion_waits_for_the_next_flush(modes: Modes) -> None:
    def use(replay: rr.Replay) -> list[object]:
        replay.start()
        done: list[int] = []

        def first(result: rr.BlockResult) -> None:
            done.append(1)
            replay.block(replay.next_block_id(lambda result: done.append(2)), (0, b""))

        replay.block(replay.next_block_id(first), (0, b""))
        return [replay.flush(), list(done), replay.flush(), done]

    assert modes.record(use) == [1, [1], 1, [1, 2]]
    assert modes.play(use) == [1, [1], 1, [1, 2]]


# ---- character devices ----


def test_register_char(modes: Modes) -> None:
    def use(replay: rr.Replay) -> list[int]:
        return [replay.register_char("console"), replay.register_char("printer")]

    assert modes.none(use) == modes.record(use) == modes.play(use) == [0, 1]
    with pytest.raises(rr.MismatchError, match='device 0 is "modem" here but "console" in the recording'):
        modes.play(lambda replay: replay.register_char("modem"))
    with pytest.raises(rr.MismatchError, match="device 2"):
        modes.play(lambda replay: (use(replay), replay.register_char("modem")))
    with pytest.raises(rr.MismatchError, match='"printer"'):
        modes.play(lambda replay: (replay.register_char("console"), replay.start()))


def test_char_read(modes: Modes) -> None:
    def use(replay: rr.Replay) -> list[object]:
        got: list[bytes] = []
        device = replay.register_char("console", receive=got.append)
        replay.start()
        chunks: list[bytes | bytearray | memoryview] = [b"ab", b"", bytearray(b"c"), memoryview(b"d")]
        for data in chunks:
            replay.char_read(device, b"host" if replay.mode is rr.ReplayMode.PLAY else data)
        seen: list[object] = [list(got)]
        replay.account_executed(1)
        return [*seen, replay.flush(), got]

    all_of_it = [b"ab", b"", b"c", b"d"]
    assert modes.none(use) == [all_of_it, 0, all_of_it]
    assert modes.record(use) == [[], 4, all_of_it]
    assert [event.data for event in modes.events("char_read")] == all_of_it
    assert {event.device for event in modes.events("char_read")} == {"console"}
    assert modes.play(use) == [[], 4, all_of_it]


def test_char_write_and_transcript(modes: Modes) -> None:
    def fails(data: bytes) -> int:
        raise OSError(errno.EPIPE, "gone")

    def use(replay: rr.Replay) -> list[object]:
        def host(answer: Callable[[bytes], int | rr.CharWritten | None]) -> Callable[..., int | rr.CharWritten | None]:
            return unless_played(replay, answer)

        console = replay.register_char("console")
        return [
            replay.char_write(console, b"all", host(lambda data: None)),
            replay.char_write(console, bytearray(b"part"), host(lambda data: 2)),
            replay.char_write(console, b"pair", host(lambda data: rr.CharWritten(-errno.EAGAIN, 1))),
            replay.char_write(console, b"fail", host(fails)),
            replay.char_write(console, b"free"),
            replay.transcript(console),
        ]

    expected = [(3, 3), (2, 2), (-errno.EAGAIN, 1), (-errno.EPIPE, 0), (4, 4), b"allpartpairfailfree"]
    assert modes.none(use) == modes.record(use) == modes.play(use) == expected
    assert [(event.result, event.offset) for event in modes.events("char_write")] == expected[:-1]
    assert rr.open(modes.path).output == b"allpartpairfailfree"
    with pytest.raises(rr.Divergence, match="al1"):
        modes.play(lambda replay: replay.char_write(replay.register_char("console"), b"al1"))


def test_char_read_all(modes: Modes) -> None:
    def fails(n: int) -> bytes:
        raise OSError(errno.ENODEV, "gone")

    def use(replay: rr.Replay) -> list[object]:
        def host(answer: Callable[[int], bytes]) -> Callable[[int], bytes]:
            return unless_played(replay, answer)

        console = replay.register_char("console")
        seen: list[object] = [
            replay.char_read_all(console, 8, host(lambda n: b"x" * n)),
            replay.char_read_all(console, 8, host(lambda n: b"ab")),
            replay.char_read_all(console, 0, host(lambda n: b"")),
        ]
        with pytest.raises(OSError) as caught:
            replay.char_read_all(console, 8, host(fails))
        return [*seen, caught.value.errno]

    expected = [b"xxxxxxxx", b"ab", b"", errno.ENODEV]
    assert modes.none(use) == modes.record(use) == modes.play(use) == expected
    assert modes.kinds() == ["char_read_all"] * 3 + ["char_read_all_error"]
    with pytest.raises(rr.Divergence, match="up to 4 bytes"):
        modes.play(lambda replay: replay.char_read_all(replay.register_char("console"), 4, nobody))


# ---- network, sound ----


def test_net_packets(modes: Modes) -> None:
    def use(replay: rr.Replay) -> list[object]:
        got: list[object] = []
        sent: list[object] = []
        device = replay.register_net("eth0", receive=lambda flags, packet: got.append((flags, packet)))
        replay.start()
        recorded: list[bytes | bytearray] = [b"pac", bytearray(b"ket")]
        data = [b"host"] if replay.mode is rr.ReplayMode.PLAY else recorded
        replay.net_packet(device, 2**32 - 1, data)
        replay.net_packet(device, 0, b"")
        seen: list[object] = [list(got)]
        went = replay.net_send(device, 5, [b"o", b"ut"], lambda flags, packet: sent.append((flags, packet)))
        seen += [went, sent, replay.flush(), list(got)]
        replay.account_executed(1)
        replay.net_packet(device, 1, b"late")
        replay.unregister_net(device)
        replay.net_packet(device, 1, b"too late")
        return [*seen, replay.net_send(device, 5, b"out", nobody), got[2:]]

    got = [(2**32 - 1, b"packet"), (0, b"")]
    assert modes.none(use) == [got, True, [(5, b"out")], 0, got, False, [(1, b"late")]]
    assert modes.record(use) == [[], True, [(5, b"out")], 2, got, False, []]
    assert [event.data for event in modes.events("net")] == [b"packet", b"", b"late"]
    assert modes.play(use) == [[], False, [], 2, got, False, []]


def test_audio_out(modes: Modes) -> None:
    def use(replay: rr.Replay) -> list[int]:
        def host(samples: Sequence[int]) -> int:
            return len(samples) - 1

        return [replay.audio_out([1, -2, 3], unless_played(replay, host)), replay.audio_out([4, 5])]

    assert modes.none(use) == modes.record(use) == modes.play(use) == [2, 2]
    assert [event.frames for event in modes.events("audio_out")] == [2, 2]
    with pytest.raises(rr.Divergence, match="audio_out"):
        modes.play(lambda replay: [replay.audio_out([]) for _ in range(3)])


def test_audio_in(modes: Modes) -> None:
    def use(replay: rr.Replay) -> list[rr.AudioRead]:
        def host(n: int) -> tuple[list[int], int]:
            return [-32768, 32767][:n], 2**32 - 1

        return [replay.audio_in(n, unless_played(replay, host)) for n in (4, 0)]

    first, second = modes.none(use)
    assert (list(first.samples), first.write_position, list(second.samples)) == ([-32768, 32767], 2**32 - 1, [])
    assert modes.record(use) == modes.play(use) == [first, second]
    with pytest.raises(rr.Divergence, match="up to 1 samples"):
        modes.play(lambda replay: replay.audio_in(1, nobody))
