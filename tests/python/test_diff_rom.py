"""A recording and a changed ROM: where the ROM differs, and the first instruction with another effect."""

from __future__ import annotations

import _thread
import json
import random
from pathlib import Path

import pytest

import rreplay as rr
from rreplay.cli import main

MONITOR = (Path(__file__).parents[2] / "guests/monitor/monitor.bin").read_bytes()
VERSION = MONITOR.index(b"monitor 1.0") + len(b"monitor ")

# LDX #5; CLC; BCS *+4; LDA $8020,X; STA $10; DEX; BPL to LDA; JMP *
PROGRAM = bytes.fromhex("A205 18 B002 BD2080 8510 CA 10F8 4C0D80")


def image(changes: dict[int, int] | None = None) -> bytes:
    """The program at $8000, and a table at $8020; reset goes to $8000."""
    rom = bytearray(PROGRAM.ljust(0x20, b"\xea") + bytes([1, 2, 3, 4, 5, 6])).ljust(0x7FFA, b"\xea")
    rom += bytes([0x00, 0x80, 0x00, 0x80, 0x00, 0x80])
    for address, value in (changes or {}).items():
        rom[address - 0x8000] = value
    return bytes(rom)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> rr.Recording:
    path = tmp_path_factory.mktemp("rom") / "run.rreplay"
    machine = rr.Machine("breadboard", rom=image())
    with machine.record(path):
        machine.run(instructions=60)
    return rr.open(path)


def test_a_byte_that_is_read_shows_where_it_is_read(recording: rr.Recording) -> None:
    found = rr.diff_rom(recording, image({0x8023: 0x44, 0x9000: 0}))
    assert found is not None
    assert [(span.first, span.last, span.recorded, span.changed) for span in found.spans] == [
        (0x8023, 0x8023, b"\4", b"\x44"),
        (0x9000, 0x9000, b"\xea", b"\0"),
    ]
    effect = found.effect
    assert effect is not None
    # X is 5 and 4 before.
    assert (effect.moment.icount, effect.moment.registers["x"]) == (11, 3)
    assert effect.recorded == effect.changed
    assert effect.fields["cpu", "a"] == ("$04", "$44")
    assert str(found).startswith(
        "the ROM differs at $8023 and in 1 more place, the first instruction with another effect is "
        "$8005 LDA $8020,X at icount 11: cpu a is $44 and was $04"
    )


def test_a_changed_instruction_is_shown_beside_the_recorded_one(recording: rr.Recording) -> None:
    found = rr.diff_rom(recording, image({0x8001: 4}))
    assert found is not None
    assert found.effect is not None
    assert (found.effect.recorded.text, found.effect.changed.text) == ("LDX #$05", "LDX #$04")
    assert "is $8000 LDX #$04 at icount 0, which was $8000 LDX #$05: cpu x is $04 and was $05" in str(found)


def test_what_makes_no_difference_where_it_is_executed_is_passed_over(recording: rr.Recording) -> None:
    never_taken = {0x8004: 0x40}
    found = rr.diff_rom(recording, image(never_taken))
    assert found is not None
    assert found.effect is None
    assert str(found) == "the ROM differs at $8004, and no instruction of the recording has another effect"
    found = rr.diff_rom(recording, image(never_taken | {0x800A: 0xEA}))
    assert found is not None
    assert found.effect is not None
    assert (found.effect.moment.pc, found.effect.changed.text) == (0x800A, "NOP")


def test_what_is_never_executed_has_no_effect(recording: rr.Recording) -> None:
    found = rr.diff_rom(recording, image({0x9000: 0, 0x9001: 1, 0x9002: 2}))
    assert found is not None
    assert found.effect is None
    assert [(span.first, span.last) for span in found.spans] == [(0x9000, 0x9002)]


def test_another_reset_vector_begins_elsewhere(recording: rr.Recording) -> None:
    found = rr.diff_rom(recording, image({0xFFFC: 0x02}))
    assert found is not None
    assert found.effect is not None
    assert found.effect.moment.icount == 0
    assert "is $8002 CLC at icount 0, which was $8000 LDX #$05: cpu pc is $8002 and was $8000" in str(found)


def test_the_recorded_rom_is_no_other_one(recording: rr.Recording) -> None:
    assert rr.diff_rom(recording, image()) is None


def test_what_is_printed_otherwise_leaves_the_recording(tmp_path: Path) -> None:
    machine = rr.Machine("breadboard")
    with machine.record(tmp_path / "run.rreplay"):
        machine.console.expect(b"> ")
    changed = bytearray(MONITOR)
    changed[VERSION] = ord("2")
    found = rr.diff_rom(rr.open(tmp_path / "run.rreplay"), bytes(changed))
    assert found is not None
    assert found.effect is not None
    assert found.effect.fields["cpu", "a"] == ("$31", "$32")


def naive_first_effect(rom: bytes, instructions: int) -> int | None:
    """The icount before the first instruction after which two machines differ that run side by side."""
    one, other = rr.Machine("breadboard", rom=MONITOR), rr.Machine("breadboard", rom=rom)
    for icount in range(instructions):
        one.step()
        other.step()
        if one.digests() != other.digests():
            return icount
    return None


@pytest.mark.parametrize("seed", range(10))
def test_against_two_machines_side_by_side(tmp_path: Path, seed: int) -> None:
    chosen = random.Random(seed)
    machine = rr.Machine("breadboard")
    with machine.record(tmp_path / "run.rreplay", snapshot_every=200):
        machine.run(instructions=1500)
    rom = bytearray(MONITOR)
    executions = rr.open(tmp_path / "run.rreplay").timeline().profile().executions
    executed = [address for address, count in enumerate(executions) if count and address >= 0x8000]
    for address in chosen.sample(executed, 2):
        offset = address - 0x8000 + chosen.randrange(3)
        rom[offset] ^= 1 << chosen.randrange(8)
    found = rr.diff_rom(rr.open(tmp_path / "run.rreplay"), bytes(rom))
    assert found is not None
    expected = naive_first_effect(bytes(rom), 1500)
    assert (found.effect.moment.icount if found.effect is not None else None) == expected, str(found)


INSTRUCTIONS = 2_000_000


@pytest.fixture(scope="module")
def long_recording(tmp_path_factory: pytest.TempPathFactory) -> rr.Recording:
    path = tmp_path_factory.mktemp("rom") / "long.rreplay"
    machine = rr.Machine("breadboard", rom=image())
    with machine.record(path):
        machine.run(instructions=INSTRUCTIONS)
    return rr.open(path)


def test_progress_goes_through_the_recording(long_recording: rr.Recording) -> None:
    told: list[tuple[int, int]] = []
    rr.diff_rom(long_recording, image({0x9000: 0}), progress=lambda done, total: told.append((done, total)))
    assert len(told) >= 3
    assert told == sorted(told)
    assert {total for _, total in told} == {INSTRUCTIONS}
    assert told[-1] == (INSTRUCTIONS, INSTRUCTIONS)


def test_what_hears_of_it_and_a_signal_end_it(long_recording: rr.Recording) -> None:
    def enough(done: int, total: int) -> None:
        raise InterruptedError(done)

    with pytest.raises(InterruptedError):
        rr.diff_rom(long_recording, image({0x9000: 0}), progress=enough)
    with pytest.raises(KeyboardInterrupt):
        rr.diff_rom(long_recording, image({0x9000: 0}), progress=lambda done, total: _thread.interrupt_main())
    with pytest.raises(rr.ArgumentError, match="cannot be called"):
        rr.diff_rom(long_recording, image(), progress=5)  # type: ignore[arg-type]


RAM = {"name": "ram", "kind": "ram", "start": 0, "end": 0xFFFF}


def test_what_cannot_be_compared(recording: rr.Recording, tmp_path: Path) -> None:
    with pytest.raises(rr.ArgumentError, match="an opened recording"):
        rr.diff_rom("run.rreplay", image())  # type: ignore[arg-type]
    with pytest.raises(rr.RomError):
        rr.diff_rom(recording, bytes(0x9000))
    with pytest.raises(rr.ArgumentError, match="there is none"):
        rr.diff_rom(recording, {})
    machine = rr.Machine({"name": "ram", "cpu": {"kind": "6502", "clock_hz": 1_000_000}, "region": [RAM]})
    with machine.record(tmp_path / "ram.rreplay"):
        machine.run(instructions=1)
    with pytest.raises(rr.ArgumentError, match="has no ROM"):
        rr.diff_rom(rr.open(tmp_path / "ram.rreplay"), bytes(10))


def test_at_the_shell(recording: rr.Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed, same = tmp_path / "changed.bin", tmp_path / "same.bin"
    changed.write_bytes(image({0x8023: 0x44}))
    same.write_bytes(image())
    path = str(recording.path)
    assert main(["diff", path, "--rom", str(changed)]) == 1
    sentence = capsys.readouterr().out
    assert sentence.startswith(
        "the ROM differs at $8023, the first instruction with another effect is $8005 LDA $8020,X"
    )
    assert main(["diff", path, "--rom", str(changed), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["same"], told["difference"]["text"] + "\n") == (False, sentence)
    assert told["difference"]["effect"]["icount"] == 11
    assert told["difference"]["places"] == [{"first": 0x8023, "last": 0x8023, "recorded": "04", "changed": "44"}]
    assert main(["diff", path, "--rom", str(same)]) == 0
    assert capsys.readouterr().out == f"{path} was recorded with this ROM\n"
    assert main(["diff", path, "--rom", str(same), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"same": True, "difference": None}
    assert main(["diff", path]) == 2
    assert main(["diff", path, path, "--rom", str(same)]) == 2
    assert "give one of these" in capsys.readouterr().err
