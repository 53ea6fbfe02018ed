"""What a person sees of a recording that does not replay: here its file was changed behind its back."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

import rreplay as rr
from rreplay.errors.divergence import ExecutedInstruction, LoggedEvent, Narrowed

# docs/log-format.md, sections 2 and 3
SYNC = bytes.fromhex("9C7266C5")
PROLOGUE_LENGTH = 12
HEADER, EVENTS, SNAPSHOT = 1, 2, 3


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _to_varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _frames(data: bytes) -> list[tuple[int, bytes, list[int], bytes]]:
    """Type, whole frame, fields behind the lengths, and raw payload of each frame."""
    frames = []
    at = PROLOGUE_LENGTH
    while data[at : at + 4] == SYNC:
        start, kind, packed = at, data[at + 4], data[at + 5]
        numbers = []
        at += 6
        for _ in range(6):
            number, at = _varint(data, at)
            numbers.append(number)
        payload = data[at : at + numbers[0]]
        at += numbers[0] + 4
        raw = zlib.decompress(payload, wbits=-15) if packed else payload
        frames.append((kind, data[start:at], numbers[2:], raw))
    return frames


def forge(source: Path, target: Path, change: Callable[[bytes], bytes], header: Path | None = None) -> Path:
    """Copies a recording with the raw bytes of its events changed, behind the header of another one if that is given.

    The copy is sound by all its checksums. It has no index, like that of a killed recorder, and opens nevertheless.
    """
    data = source.read_bytes()
    prologue = data[:PROLOGUE_LENGTH]
    first = _frames((header or source).read_bytes())[0]
    assert first[0] == HEADER
    seed = first[1][-4:]
    out = prologue + first[1]
    for kind, _, numbers, raw in _frames(data)[1:]:
        if kind not in (EVENTS, SNAPSHOT):
            continue
        payload = change(raw) if kind == EVENTS else raw
        fields = b"".join(map(_to_varint, [len(payload), len(payload), *numbers]))
        frame = SYNC + bytes([kind, 0]) + fields + payload
        out += frame + zlib.crc32(seed + frame).to_bytes(4, "little")
    target.write_bytes(out)
    return target


def record(path: Path, typed: bytes) -> rr.Machine:
    machine = rr.Machine("breadboard")
    with machine.record(path, digest_every=20_000):
        machine.console.expect(b"> ")
        machine.console.send(typed)
        machine.console.expect(b"\n> ")
    return machine


@pytest.fixture
def tampered(tmp_path: Path) -> Path:
    """A recording in which somebody typed `ver`, and the file says `vex`."""
    record(tmp_path / "right.rreplay", b"ver\r")

    target = tmp_path / "tampered.rreplay"
    forge(tmp_path / "right.rreplay", target, lambda raw: raw.replace(b"ver\r", b"vex\r"))
    assert sum(raw.count(b"vex\r") for _, _, _, raw in _frames(target.read_bytes())) == 1
    return target


def verify(path: Path, scheduler: rr.Scheduler = "inline") -> rr.Divergence:
    with pytest.raises(rr.Divergence) as raised:
        rr.open(path).verify(scheduler=scheduler)
    return raised.value


def command(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "rreplay", *map(str, arguments)], capture_output=True, check=False)


def test_an_unchanged_copy_is_good(tmp_path: Path) -> None:
    """The forger's own proof: what diverges below diverges for what was changed."""
    record(tmp_path / "right.rreplay", b"ver\r")
    copy = forge(tmp_path / "right.rreplay", tmp_path / "copy.rreplay", lambda raw: raw)
    verified = rr.open(copy).verify()
    # Without an index it counts as unfinished, but every event and digest agrees.
    assert verified.icount == rr.open(tmp_path / "right.rreplay").icount
    assert rr.open(tmp_path / "right.rreplay").verify().ok


def test_everything_about_it_is_an_attribute(tampered: Path) -> None:
    divergence = verify(tampered)
    # The monitor echoes what was typed.
    assert (divergence.found_kind, divergence.expected) == ("event", 'char_write device 0: 1 byte "r"')
    assert divergence.found.startswith("came to char_write of ") and '"x"' in divergence.found
    assert (divergence.expected_icount, divergence.expected_cycles) == (divergence.icount, divergence.cycles)
    assert divergence.byte_offset is not None and divergence.ordinal is not None
    assert divergence.lock_holder == "vCPU" and divergence.queued == ()
    assert divergence.subsystems == divergence.matching == ()
    assert divergence.last_matching_icount is not None
    assert len(divergence.instructions) == len(divergence.events) == 16
    *_, last = divergence.instructions
    assert isinstance(last, ExecutedInstruction)
    assert (last.icount, last.pc) == (divergence.icount, divergence.pc)
    assert last.text.startswith("ST") and 1 <= len(last.code) <= 3
    assert [one.icount for one in divergence.instructions] == list(range(last.icount - 15, last.icount + 1))
    assert all(isinstance(event, LoggedEvent) for event in divergence.events)
    assert divergence.events[-1].ordinal == divergence.ordinal - 1
    assert str(divergence.events[-1]).startswith(f"event {divergence.ordinal - 1} at icount ")


def test_the_log_is_to_blame_and_not_the_machine(tampered: Path) -> None:
    divergence = verify(tampered)
    narrowed = divergence.narrowed
    assert isinstance(narrowed, Narrowed)
    assert (narrowed.outcome, divergence.first_difference) == ("in_log", None)
    (typed,) = [event for event in rr.open(tampered).events("char_read") if event.payload["data"] == b"vex\r"]
    assert narrowed.icount is not None and narrowed.until_icount is not None
    assert narrowed.icount == divergence.last_matching_icount
    assert narrowed.icount <= typed.icount <= narrowed.until_icount == divergence.icount


def test_both_schedulers_and_slices_say_the_same(tampered: Path) -> None:
    inline, threads = verify(tampered), verify(tampered, "threads")
    assert inline.as_dict() == threads.as_dict()
    machine = rr.open(tampered).replay()
    with pytest.raises(rr.Divergence) as raised:
        while True:
            machine.run(instructions=777)
    assert raised.value.as_dict() == inline.as_dict()
    # There is nothing to go on with.
    with pytest.raises(rr.Divergence):
        machine.run()
    assert machine.output_is_there if hasattr(machine, "output_is_there") else machine.icount >= inline.icount


def test_the_log_of_another_run(tmp_path: Path) -> None:
    """The machine of one recording, the events of another."""
    record(tmp_path / "one.rreplay", b"ver\r")
    machine = rr.Machine("breadboard")
    machine.run(instructions=1)
    with machine.record(tmp_path / "other.rreplay", digest_every=20_000):
        machine.console.expect(b"> ")
    mixed = forge(
        tmp_path / "one.rreplay", tmp_path / "mixed.rreplay", lambda raw: raw, header=tmp_path / "other.rreplay"
    )
    # Not even its first event can be of that machine, so nothing is left to replay.
    assert not rr.open(mixed, salvage=True).verify().ok


def test_the_text_is_for_a_terminal(tampered: Path) -> None:
    divergence = verify(tampered)
    lines = str(divergence).splitlines()
    assert 20 <= len(lines) <= 42
    assert max(map(len, lines)) <= 110
    assert all(line == line.rstrip() for line in lines)
    assert (
        lines[0]
        == f"the replay diverged at icount {divergence.icount} (cycle {divergence.cycles}), pc ${divergence.pc:04X}"
    )
    for part in (
        "the log has",
        "the replay    came to char_write",
        "all agreed up to icount",
        "The last instructions",
        "The last events that agreed",
        "the machine is not to blame",
    ):
        assert part in str(divergence), part
    assert str(divergence.instructions[-1]) in str(divergence)
    assert "\n" not in divergence.summary
    assert divergence.summary.startswith(lines[0])


def test_it_crosses_processes(tampered: Path) -> None:
    """As test runners want that spread their work."""
    divergence = verify(tampered)
    again = pickle.loads(pickle.dumps(divergence))
    assert str(again) == str(divergence)
    assert again.as_dict() == divergence.as_dict()


def test_one_made_by_hand_has_every_attribute() -> None:
    made = rr.Divergence("by hand")
    assert (str(made), made.instructions, made.narrowed) == ("by hand", (), None)
    assert set(made.as_dict()) >= {"icount", "cycles", "pc", "expected", "found", "instructions", "events", "narrowed"}


def test_the_command_prints_it(tampered: Path) -> None:
    divergence = verify(tampered)
    result = command()
    for arguments in (("verify", tampered), ("verify", tampered, "--scheduler", "both"), ("replay", tampered)):
        result = command(*arguments)
        assert result.returncode == 1
        assert result.stderr.decode() == f"rreplay: {divergence}\n"
    # What the machine printed until then is there, and nothing of the report.
    assert result.stdout.endswith(b"> ve")
    assert command("verify", tampered).stdout == b""


def test_the_command_gives_it_as_json(tampered: Path) -> None:
    divergence = verify(tampered)
    verified = command("verify", tampered, "--json", "--scheduler", "threads")
    assert (verified.returncode, verified.stderr) == (1, b"")
    shown = json.loads(verified.stdout)
    assert shown == {"ok": False, "scheduler": "threads", "divergence": divergence.as_dict()}
    assert shown["divergence"]["narrowed"]["outcome"] == "in_log"
    assert shown["divergence"]["instructions"][-1]["pc"] == divergence.pc
    assert bytes.fromhex(shown["divergence"]["instructions"][-1]["code"]) == divergence.instructions[-1].code
    replayed = command("replay", tampered, "--json")
    assert replayed.returncode == 1 and replayed.stdout.endswith(b"> ve")
    assert json.loads(replayed.stderr)["divergence"] == divergence.as_dict()


def test_a_good_recording_prints_no_report(tmp_path: Path) -> None:
    record(tmp_path / "right.rreplay", b"ver\r")
    result = command("replay", tmp_path / "right.rreplay", "--json")
    assert (result.returncode, result.stderr) == (0, b"")
