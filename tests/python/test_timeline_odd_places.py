"""Places where time travel goes wrong first: around interrupts, inside waits, at snapshots, at both ends."""

from __future__ import annotations

import collections
from pathlib import Path

import pytest

import rreplay as rr

MAIN, LOOP, HANDLER = 0x8000, 0x8018, 0x801F
PROGRAM = bytes.fromhex(
    "78 D8 A2FF 9A"  # SEI, CLD, LDX #$FF, TXS
    "A940 8D0B60"  # timer 1 runs freely
    "A9C0 8D0E60"  # and interrupts
    "A950 8D0460 9C0560"  # every 82 cycles
    "58"  # CLI
    "CB 78 E610 58 80F9"  # loop: WAI, SEI, INC $10, CLI, BRA loop
    "E611 2C0460 40"  # handler: INC $11, BIT $6004, RTI
)
IMAGE = PROGRAM.ljust(0x7FFA, b"\xea") + b"".join(address.to_bytes(2, "little") for address in (HANDLER, MAIN, HANDLER))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> rr.Recording:
    path = tmp_path_factory.mktemp("odd") / "odd.rreplay"
    machine = rr.Machine("breadboard", rom=IMAGE)
    with machine.record(path, snapshot_every=100, digest_every=50) as live:
        machine.run(instructions=777)
        live.snapshot()
        machine.run(cycles=9_001)
    return rr.open(path)


@pytest.fixture
def timeline(recording: rr.Recording) -> rr.Timeline:
    return recording.timeline()


def is_loop(timeline: rr.Timeline, mnemonic: str) -> bool:
    return timeline.disassemble()[0].mnemonic == mnemonic


def test_the_program_is_what_its_comments_say() -> None:
    machine = rr.Machine("breadboard", rom=IMAGE)
    listing = machine.disassemble(LOOP, 5) + machine.disassemble(HANDLER, 3)
    assert [line.mnemonic for line in listing] == ["WAI", "SEI", "INC", "CLI", "BRA", "INC", "BIT", "RTI"]
    assert listing[4].target == LOOP


def test_every_place_is_that_of_a_replay(recording: rr.Recording, timeline: rr.Timeline) -> None:
    machine = recording.replay()
    machine.run(instructions=0)
    wanted = {machine.icount: (machine.digest(), machine.cpu.pc)}
    while machine.step().reason != "end":
        wanted.setdefault(machine.icount, (machine.digest(), machine.cpu.pc))
    for icount in sorted(wanted, key=lambda icount: icount * 7919 % 1009):
        moment = timeline.at(icount)
        assert (moment.digest(), moment.pc) == wanted[icount], icount


def test_a_handler_is_entered_where_its_first_instruction_is_next(timeline: rr.Timeline) -> None:
    point = timeline.add_breakpoint(HANDLER)
    stops: list[tuple[int, int]] = []
    while (stop := timeline.run()).reason == "breakpoint":
        assert timeline.pc == HANDLER
        assert timeline.registers["p"] & 0x04, "interrupts are masked"
        assert timeline.memory[0x11] == len(stops) & 0xFF
        stops.append((stop.icount, stop.cycles))
    assert len(stops) > 20
    back = []
    while (stop := timeline.reverse_run()).reason == "breakpoint":
        back.append((stop.icount, stop.cycles))
    assert back == stops[::-1]
    point.remove()
    # Who counts is the handler's first instruction, and the access leads to it.
    write = timeline.last_write(0x11, before=timeline.end_icount)
    assert write is not None
    assert write.pc == HANDLER
    timeline.seek(write)
    assert timeline.pc == HANDLER
    timeline.reverse_step()
    assert is_loop(timeline, "SEI"), "behind the WAI that the interrupt has ended"


def test_what_an_interrupt_pushes_is_its_own(timeline: rr.Timeline, recording: rr.Recording) -> None:
    pushed = [row for row in timeline.accesses(range(0x100, 0x200)) if row.by == "interrupt"]
    interrupts = list(recording.events("interrupt"))
    assert len(pushed) == 3 * len(interrupts)
    assert {row.pc for row in pushed} == {None}
    for number, event in enumerate(interrupts):
        assert {row.icount for row in pushed[3 * number : 3 * number + 3]} == {event.icount}


def test_a_wait_can_be_gone_into(timeline: rr.Timeline, recording: rr.Recording) -> None:
    timeline.add_breakpoint(LOOP)
    for _ in range(3):
        timeline.run()
    assert is_loop(timeline, "WAI")
    timeline.step()
    waiting = timeline.moment
    assert is_loop(timeline, "SEI")
    timeline.seek(waiting.icount, cycles=waiting.cycles + 5)
    assert (timeline.icount, timeline.cycles) == (waiting.icount, waiting.cycles + 5)
    machine = recording.replay()
    machine.run(instructions=waiting.icount)
    assert machine.digest() == waiting.digest()
    machine.run(cycles=5)
    assert machine.digest() == timeline.digest()
    timeline.reverse_step()
    assert timeline.moment == waiting, "the first step back goes before the wait"
    timeline.reverse_step()
    assert is_loop(timeline, "WAI")


def test_steps_over_sei_and_cli_go_both_ways(timeline: rr.Timeline) -> None:
    timeline.seek(500)
    seen = collections.Counter[str]()
    for _ in range(60):
        before = timeline.moment
        mnemonic = timeline.disassemble()[0].mnemonic
        masked = timeline.registers["p"] & 0x04
        timeline.step()
        if mnemonic == "SEI":
            assert timeline.registers["p"] & 0x04
        if mnemonic == "CLI" and timeline.pc != HANDLER:
            assert masked
            assert not timeline.registers["p"] & 0x04
        seen[mnemonic] += 1
        after = timeline.moment
        timeline.reverse_step()
        assert timeline.moment == before
        assert timeline.digest() == before.digest()
        timeline.seek(after)
    assert seen["SEI"] > 3 < seen["CLI"]


def test_snapshots_stand_in_nobodys_way(timeline: rr.Timeline, recording: rr.Recording) -> None:
    assert len(recording.snapshots) > 8
    assert 777 in recording.snapshots
    for icount in recording.snapshots:
        timeline.seek(icount)
        here = timeline.digest()
        assert timeline.reverse_step().icount == icount - 1
        assert timeline.step().icount == icount
        assert timeline.digest() == here
        machine = recording.replay()
        machine.run(instructions=icount)
        assert machine.digest() == here


def test_several_events_on_one_instruction_come_in_their_order(timeline: rr.Timeline, recording: rr.Recording) -> None:
    counts = collections.Counter(event.icount for event in recording.events())
    crowded = [icount for icount, count in counts.items() if count >= 4]
    assert crowded
    for icount in crowded:
        timeline.seek(icount)
        passed = timeline.ordinal
        arrived = [event for event in recording.events(start=icount, stop=icount + 1) if event.ordinal < passed]
        assert all(event.cycles <= timeline.cycles for event in arrived)
        timeline.step()
        assert timeline.ordinal >= passed


def test_both_ends_hold(timeline: rr.Timeline, recording: rr.Recording) -> None:
    assert timeline.reverse_step().reason == "end"
    assert timeline.reverse_run().reason == "end"
    assert (timeline.icount, timeline.pc) == (0, MAIN)
    assert timeline.last_write(0x10) is None
    assert timeline.run().reason == "end"
    end = timeline.moment
    assert (end.icount, end.cycles) == (recording.icount, recording.cycles)
    assert timeline.step().reason == "end"
    assert timeline.step_over().reason == "end"
    assert timeline.step_out().reason == "end"
    assert timeline.moment == end
    replay = recording.replay()
    replay.run()
    assert replay.digest() == end.digest()
    timeline.reverse_step()
    timeline.step()
    assert timeline.icount == recording.icount


def test_the_recording_is_not_touched(recording: rr.Recording, tmp_path: Path) -> None:
    before = recording.path.read_bytes()
    timeline = recording.timeline()
    timeline.run()
    timeline.reverse_run()
    timeline.at(100).fork().run(instructions=100)
    recording.cut(100, 200, tmp_path / "part.rreplay")
    assert recording.path.read_bytes() == before


def test_what_lies_after_the_end_is_empty(recording: rr.Recording, timeline: rr.Timeline, tmp_path: Path) -> None:
    """Also where the recording ends in a jam, which lasts without an instruction: there is no way to go on."""
    machine = rr.Machine("py65mon", rom={0x1000: bytes.fromhex("8D0003 02"), 0xFFFC: b"\x00\x10"}, cpu="6502")
    with machine.record(tmp_path / "jams.rreplay"):
        machine.run(seconds=0.1)
    jams = rr.open(tmp_path / "jams.rreplay").timeline()
    assert len(jams.accesses(0x300)) == 1
    for asked in (jams, timeline):
        for start in (asked.end_icount + 1, 2**31, 2**64 - 1):
            assert len(asked.accesses(range(0x10000), "rw", start=start)) == 0
            assert list(asked.recording.events(start=start)) == []
        assert len(asked.accesses(range(0x10000), "rw", start=asked.end_icount)) < 10
