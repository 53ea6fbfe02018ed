"""Places behind waits, the events there, and calls that interrupts come into."""

from __future__ import annotations

from pathlib import Path

import rreplay as rr

SIM65_CALLS = Path(__file__).parents[2] / "guests/programs/sim65_calls.bin"

START, HANDLER = 0x8000, 0x8100
TIMER = "A9C08D0E60 A9408D0B60 A9628D0460 9C0560"
"""VIA timer 1 interrupts every 100 cycles."""
ACKNOWLEDGE = "AD0460 40"
"""LDA $6004, RTI."""
WAIT_OPEN = "58 CB E8 80FC"
"""CLI; WAI, INX, BRA to the WAI."""
WAIT_MASKED = "78 CB E8 AD0460 80F9"
"""SEI; WAI, INX, LDA $6004, BRA to the WAI."""


def recorded(path: Path, program: str, *, cycles: int = 400, handler: str = ACKNOWLEDGE) -> rr.Recording:
    code = bytes.fromhex(TIMER + program).ljust(HANDLER - START, b"\xea") + bytes.fromhex(handler)
    vectors = b"".join(address.to_bytes(2, "little") for address in (HANDLER, START, HANDLER))
    machine = rr.Machine("breadboard", rom=code.ljust(0x7FFA, b"\xea") + vectors)
    with machine.record(path / "run.rreplay", digest_every=1):
        machine.run(cycles=cycles)
    return rr.open(path / "run.rreplay")


def test_seeking_the_event_of_a_wake_stands_before_it(tmp_path: Path) -> None:
    recording = recorded(tmp_path, WAIT_MASKED)
    timeline = recording.timeline()
    wake = next(event for event in recording.events("interrupt") if event.interrupt == "wake")
    timeline.seek(wake)
    assert timeline.ordinal <= wake.ordinal
    timeline.seek(0)
    assert timeline.run_to_event("interrupt") == wake
    assert timeline.ordinal <= wake.ordinal
    timeline.seek(timeline.end_icount)
    last = list(recording.events("interrupt"))[-1]
    assert timeline.reverse_run_to_event("interrupt") == last
    assert timeline.ordinal <= last.ordinal


def test_first_asks_where_an_interrupt_ends_a_wait(tmp_path: Path) -> None:
    timeline = recorded(tmp_path, WAIT_OPEN).timeline()
    timeline.add_breakpoint(HANDLER)
    assert timeline.run().reason == "breakpoint"
    found = timeline.first(lambda moment: moment.pc == HANDLER)
    assert found == timeline.moment


def test_out_of_a_handler_from_its_first_instruction_behind_a_wait(tmp_path: Path) -> None:
    timeline = recorded(tmp_path, WAIT_OPEN).timeline()
    timeline.add_breakpoint(HANDLER)
    timeline.run()
    icount, cycles = timeline.icount, timeline.cycles
    timeline.reverse_step_out()
    assert timeline.icount == icount
    assert timeline.cycles < cycles


def test_back_over_a_handler_that_came_behind_pla(tmp_path: Path) -> None:
    recording = recorded(tmp_path, "58" + "48 68" * 40 + "80AE", cycles=3000)
    timeline = recording.timeline()
    checked = 0
    for event in recording.events("interrupt"):
        timeline.seek(event)
        before, name = timeline.moment, timeline.disassemble()[0].mnemonic
        timeline.step(3)  # the instruction, LDA and RTI of the handler
        assert timeline.at(timeline.icount - 1).disassemble()[0].mnemonic == "RTI"
        timeline.reverse_step_over()
        assert timeline.moment == before
        checked += name == "PLA"
    assert checked


def test_back_over_a_subroutine_in_which_an_interrupt_came_behind_pha(tmp_path: Path) -> None:
    call, behind, subroutine = START + 0x13, START + 0x16, START + 0x20
    program = f"58 20{subroutine & 0xFF:02X}80 4C{call & 0xFF:02X}80".ljust(16) + "EA" * 7 + "48 68" * 24 + "60"
    recording = recorded(tmp_path, program, cycles=4000)
    timeline = recording.timeline()
    checked = 0
    for event in recording.events("interrupt"):
        timeline.seek(event)
        if timeline.disassemble()[0].mnemonic != "PHA":
            continue
        point = timeline.add_breakpoint(behind)
        assert timeline.run().reason == "breakpoint"
        point.remove()
        # Now and then another interrupt comes right behind the RTS.
        last = timeline.at(timeline.icount - 1).disassemble()[0].mnemonic
        timeline.reverse_step_over()
        assert timeline.disassemble()[0].mnemonic == ("JSR" if last == "RTS" else "RTS")
        checked += last == "RTS"
    assert checked


def test_back_over_nothing_from_behind_a_wait(tmp_path: Path) -> None:
    # SEI; JSR to the WAI, behind which RTS comes next
    wait = START + 0x20
    program = f"78 20{wait & 0xFF:02X}80".ljust(12) + "EA" * (0x20 - 0x16) + "CB 60"
    timeline = recorded(tmp_path, program).timeline()
    timeline.add_breakpoint(wait + 1)
    assert timeline.run().reason == "breakpoint"
    icount, cycles = timeline.icount, timeline.cycles
    assert timeline.disassemble()[0].mnemonic == "RTS"
    timeline.reverse_step_over()
    assert (timeline.icount, timeline.pc) == (icount, wait + 1)
    assert timeline.cycles < cycles
    timeline.reverse_step_over()
    assert timeline.pc == wait


def test_the_end_is_the_same_however_one_comes_there(tmp_path: Path) -> None:
    recording = recorded(tmp_path, WAIT_OPEN, cycles=430)
    events = sum(1 for _ in recording.events())
    timeline = recording.timeline()
    timeline.run()
    end, passed = timeline.moment, timeline.ordinal
    assert events - 1 <= passed <= events
    timeline.seek(3)
    timeline.seek(end)
    assert timeline.ordinal == end.ordinal == passed
    assert timeline.reverse_run_to_event("shutdown") is not None
    assert timeline.run_to_event("end") is not None or timeline.moment == end


def test_steps_by_none_end_nothing(tmp_path: Path) -> None:
    timeline = recorded(tmp_path, WAIT_OPEN).timeline()
    timeline.seek(4)
    here = timeline.moment
    assert timeline.step(0).reason == "budget"
    assert timeline.reverse_step(0).reason == "budget"
    assert timeline.moment == here


def test_running_to_an_exception_stands_on_its_instruction(tmp_path: Path) -> None:
    timeline = recorded(tmp_path, "A9FF 00EA 80FC", handler="40").timeline()
    assert timeline.run_to_event("exception") is not None
    assert timeline.disassemble()[0].mnemonic == "BRK"


def test_running_to_output_goes_on_from_where_it_has_stopped(tmp_path: Path) -> None:
    machine = rr.Machine("breadboard")
    with machine.record(tmp_path / "run.rreplay"):
        machine.console.expect(b"> ")
        machine.console.send(b"help\r")
        machine.console.expect(b"\n> ")
    timeline = rr.open(tmp_path / "run.rreplay").timeline()
    ends = []
    while timeline.run_to_output(b"e"):
        ends.append(len(timeline.console_output))
    output = timeline.recording.output
    assert ends == [place for place, byte in enumerate(output) if byte == ord("e")]
    assert ends


def test_a_condition_is_asked_of_each_access_of_a_device(tmp_path: Path) -> None:
    machine = rr.Machine("sim65", rom=SIM65_CALLS, arguments=["calls", "one"])
    with machine.record(tmp_path / "run.rreplay", snapshot_every=97):
        machine.console.send(b"typed\n")
        machine.run(instructions=20_000)
    timeline = rr.open(tmp_path / "run.rreplay").timeline()
    table = timeline.accesses(0, "rw")
    of_device = [row for row in table if row.by == "host"]
    busy = next(row for row in of_device if sum(other.cycles == row.cycles for other in of_device) > 2)
    made = [(row.kind, row.new) for row in table if row.icount == busy.icount]
    asked: list[tuple[str, int]] = []

    def ask(moment: rr.Moment) -> bool:
        assert moment.access is not None
        if moment.access.icount == busy.icount:
            asked.append((moment.access.kind, moment.access.new))
        return False

    timeline.add_watchpoint(0, "rw", ask)
    timeline.run()
    assert asked == made
    asked.clear()
    timeline.reverse_run()
    assert asked == made[::-1]


def test_the_place_of_a_wake_that_takes_no_time_has_one_state(tmp_path: Path) -> None:
    # SEI, a loop of 240 cycles in which the timer comes due, WAI, NOP, NOP, BRA
    recording = recorded(tmp_path, "78 A230 CAD0FD CB EA EA 80FB", cycles=700)
    wake = next(recording.events("interrupt"))
    timeline = recording.timeline()
    timeline.seek(wake.icount)
    here = (timeline.icount, timeline.cycles, timeline.digest())
    timeline.seek(next(iter(recording.events("digest", start=wake.icount + 1))))
    assert (timeline.icount, timeline.cycles, timeline.digest()) == here
    machine = recording.replay()
    machine.run(instructions=wake.icount - machine.icount)
    assert (machine.icount, machine.cycles, machine.digest()) == here


def test_a_recording_that_ends_with_a_wake_that_takes_no_time_replays(tmp_path: Path) -> None:
    whole = recorded(tmp_path, "78 A230 CAD0FD CB EA EA 80FB", cycles=700)
    wake = next(whole.events("interrupt"))
    part = whole.cut(0, wake.icount, tmp_path / "part.rreplay")
    assert part.verify().ok
    assert [event.interrupt for event in part.events("interrupt")] == ["wake"]

    machine = whole.timeline().at(0).fork()
    with machine.record(tmp_path / "again.rreplay") as again:
        machine.run(instructions=wake.icount)
    for scheduler in ("inline", "threads"):
        assert again.verify(scheduler=scheduler).ok
        replay = again.replay(scheduler)
        replay.run()
        assert replay.digest() == machine.digest()


def test_a_recording_that_ends_before_such_a_wake_replays(tmp_path: Path) -> None:
    whole = recorded(tmp_path, "78 A230 CAD0FD CB EA EA 80FB", cycles=700)
    wake = next(whole.events("interrupt"))
    machine = whole.timeline().at(0).fork()
    with machine.record(tmp_path / "again.rreplay") as again:
        machine.run(cycles=wake.cycles - machine.cycles)
    assert machine.cycles == wake.cycles
    for scheduler in ("inline", "threads"):
        assert again.verify(scheduler=scheduler).ok
