"""Timelines of many programs and boards, compared with replays that go one instruction at a time.

`RREPLAY_BRUTE_FORCE=20` makes each journey twenty times as long, and `RREPLAY_BRUTE_FORCE_SEED=7` other journeys.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

import rreplay as rr
from brute_force import Traveller
from naive_replay import Naive

GUESTS = Path(__file__).parents[2] / "guests"
LENGTH = int(os.environ.get("RREPLAY_BRUTE_FORCE", "1"))
SEED = os.environ.get("RREPLAY_BRUTE_FORCE_SEED", "2026")
MOVES = 80

Build = Callable[[Path], object]

BOARD = """
name = "brute"
unmapped = "open_bus"
console = "acia"
[cpu]
kind = "{cpu}"
clock_hz = 1_000_000
[[region]]
name = "ram"
kind = "ram"
start = 0x0000
end = 0x7FFF
[[region]]
name = "rom"
kind = "rom"
start = 0x9000
end = 0x9FFF
[[region]]
name = "top"
kind = "ram"
start = 0xE000
end = 0xFFFF
[[device]]
name = "via"
kind = "via6522"
at = 0xC000
irq = "irq"
[[device]]
name = "clock"
kind = "via6522"
at = 0xC010
irq = "nmi"
[[device]]
name = "acia"
kind = "mos6551"
at = 0xC020
irq = "irq"
"""
"""RAM with the vectors in it, so that programs run over FFFF and change their vectors; a timer on each interrupt."""


def vectors(nmi: int, reset: int, irq: int) -> bytes:
    return b"".join(address.to_bytes(2, "little") for address in (nmi, reset, irq))


# ---- programs of the repository ----


def monitor(path: Path) -> None:
    machine = rr.Machine()
    with machine.record(path, snapshot_every=700, digest_every=300):
        machine.run(instructions=2500)
        machine.console.send(b"help\r")
        machine.run(instructions=2000)
        machine.console.send(b"ver\rpeek 200\r")
        machine.run(instructions=2500)


def guest(
    name: str,
    board: str = "breadboard",
    *,
    cpu: str | None = None,
    typed: bytes = b"hello",
    skip: int = 0,
    chaos: int | None = None,
    every: int | None = None,
    length: int = 2000,
) -> Build:
    def build(path: Path) -> None:
        rom = (GUESTS / f"{name}.bin").read_bytes()
        machine = rr.Machine(board, rom={0xFE00: rom} if board == "py65mon" else rom, cpu=cpu)
        machine.run(instructions=skip)
        with machine.record(path, chaos=chaos, snapshot_every=every, digest_every=every):
            for at in range(0, len(typed), 2):
                machine.console.send(typed[at : at + 2])
                machine.run(instructions=length // max(len(typed) // 2, 1))
            machine.run(instructions=length // 2)

    return build


def sim65(path: Path) -> None:
    machine = rr.Machine("sim65", rom=GUESTS / "programs/sim65_calls.bin", arguments=["calls", "one"])
    with machine.record(path, snapshot_every=97):
        machine.console.send(b"typed\n")
        machine.run(instructions=20_000)


def lab(path: Path) -> None:
    machine = rr.Machine("lab")
    machine.devices["random"].attach(rr.Entropy(bytes(range(256))))
    with machine.record(path, snapshot_every=1000):
        machine.run(instructions=2000)
        for letter in b"?evdb":
            machine.console.send(bytes([letter]))
            machine.run(instructions=800)


def snake(path: Path) -> None:
    machine = rr.Machine("lab", rom=GUESTS / "lab/snake.bin")
    machine.devices["random"].attach(rr.Entropy(bytes(range(256)) * 9))
    machine.run(instructions=1000)
    with machine.record(path, snapshot_every=500):
        for key in ("space", "up", "left"):
            machine.devices["keyboard"].press(key)
            machine.run(instructions=1500)


# ---- programs made at random ----


def soup(number: int, cpu: str, *, every: int | None = 50) -> Build:
    """Random instructions everywhere, with both timers running: it changes itself, its stack, its vectors."""

    def build(path: Path) -> None:
        draw = random.Random(f"soup {number} {cpu}")
        stops = {0xDB, *range(0x02, 0x80, 0x10), 0x92, 0xB2, 0xD2, 0xF2} if cpu == "6502" else {0xDB}
        opcodes = [code for code in range(0x100) if code not in stops or draw.random() < 0.03]
        likely = [0x20, 0x60, 0x48, 0x68, 0x9A, 0xBA, 0x58, 0x78, 0x08, 0x28, 0x40, 0x00, 0x8D, 0x99, 0x91, 0xEE, 0x6C]
        likely += [0xCB] * 3 if cpu == "w65c02" else []
        places = [0xC0, 0xC0, 0x01, 0x90, 0xA0, 0x00, 0x20, 0x21, 0xFF, 0xE0]
        image = bytearray()
        while len(image) < 0x8000:
            image.append(draw.choice(likely if draw.random() < 0.4 else opcodes))
            image += bytes([draw.randrange(0x24), draw.choice(places)]) if draw.random() < 0.5 else b""
        start = bytes.fromhex("A27F9A A9C08D0EC0 8D1EC0 A9408D0BC0 8D1BC0")
        for at, value in ((4, draw.randrange(20, 250)), (0x14, draw.randrange(90, 250))):
            start += bytes([0xA9, value, 0x8D, at, 0xC0, 0xA9, 0, 0x8D, at + 1, 0xC0])
        start += bytes.fromhex("58 4C") + draw.choice((0x2000, 0xFF80, 0x0300)).to_bytes(2, "little")
        handler = bytes.fromhex("48 AD04C0 AD14C0 68 40")
        images: dict[str | int, bytes] = {
            0x0000: bytes(image[:0x7F00]),
            0x7F00: handler,
            0x7F40: start,
            0x9000: bytes(image[0x3000:0x4000]),
            0xE000: bytes(image[0x100:0x20FA]) + vectors(0x7F00, 0x7F40, 0x7F00),
        }
        machine = rr.Machine(rr.Board.from_toml(BOARD.format(cpu=cpu)), rom=images)
        machine.run(instructions=draw.choice((0, 0, 13)))
        with machine.record(path, snapshot_every=every, digest_every=every, chaos=number if number % 3 == 0 else None):
            machine.console.send(b"some bytes")
            machine.run(instructions=1000, cycles=50_000)
            machine.run(cycles=999)

    return build


def calls(number: int, cpu: str) -> Build:
    """Subroutines that call each other and themselves, with interrupts of both kinds; the stack is in order."""

    def build(path: Path) -> None:
        draw = random.Random(f"calls {number} {cpu}")
        count = draw.randrange(2, 9)

        def body(level: int, length: int) -> bytes:
            code = b""
            for _ in range(length):
                choice = draw.randrange(9)
                if choice == 0 and level < 9:
                    code += b"\x48" + body(9, 2) + b"\x68"
                elif choice == 1 and level < count:
                    routine = draw.randrange(level, count)
                    code += bytes([0xA9, draw.randrange(4), 0x85, routine]) if draw.random() < 0.5 else b""
                    code += b"\x20" + (0x9000 + 0x80 * routine).to_bytes(2, "little")
                elif choice == 2:
                    code += b"\xe6" + bytes([draw.randrange(0x20, 0x40)])
                elif choice == 3 and level == 0 and cpu == "w65c02":
                    code += draw.choice((b"\xcb", b"\x78\xcb\xea\x58"))
                elif choice == 4 and level < 9:
                    code += b"\x00\xea"  # BRK, which skips a byte
                else:
                    code += draw.choice(
                        (b"\xe8", b"\x88", b"\x0a", b"\x85\x10", b"\xa5\x21", b"\x78", b"\x58", b"\x9d\x00\x02")
                    )
            return code

        rom = bytearray(b"\xea" * 0x1000)
        for routine in range(count):
            code = body(routine + 1, draw.randrange(1, 6))
            at = 0x80 * routine
            # Itself again, as often as a counter says.
            again = bytes([0xA5, routine, 0xF0, 5, 0xC6, routine, 0x20])
            code = code[:0x60] if len(code) <= 0x60 else b"\xea"
            code += again + (0x9000 + at).to_bytes(2, "little") + b"\x60"
            rom[at : at + len(code)] = code
        start = bytes.fromhex("D8 A2FF9A A9C08D0EC0 8D1EC0 A9408D0BC0 8D1BC0")
        for at, value in ((4, draw.randrange(60, 250)), (0x14, draw.randrange(150, 250))):
            start += bytes([0xA9, value, 0x8D, at, 0xC0, 0xA9, 0, 0x8D, at + 1, 0xC0])
        start += b"\x58"
        loop = 0x9800 + len(start)
        start += body(0, 20) + b"\x4c" + loop.to_bytes(2, "little")
        rom[0x800 : 0x800 + len(start)] = start
        handler = bytes.fromhex("48 E640 AD04C0 20400F 68 40").replace(b"\x40\x0f", b"\x40\x9f")
        rom[0xF00 : 0xF00 + len(handler)] = handler
        rom[0xF40:0xF43] = b"\xe6\x41\x60"
        rom[0xF80:0xF85] = b"\x2c\x14\xc0\x40\x40"
        machine = rr.Machine(
            rr.Board.from_toml(BOARD.format(cpu=cpu)),
            rom={0x9000: bytes(rom), 0xFFFA: vectors(0x9F80, 0x9800, 0x9F00)},
        )
        with machine.record(path, snapshot_every=draw.choice((10, 111, 10_000))):
            machine.run(instructions=draw.randrange(500, 3000))
            machine.run(cycles=draw.randrange(30))

    return build


# ---- places that are easily forgotten ----


def small(
    program: str, what: Callable[[rr.Machine, rr.LiveRecording], object], *, skip: int = 0, cpu: str = "w65c02"
) -> Build:
    """A program at 2000 with a timer's handler at 7F00, recorded every few instructions."""

    def build(path: Path) -> None:
        images: dict[str | int, bytes] = {
            0x2000: bytes.fromhex(program),
            0x7F00: bytes.fromhex("E610 AD04C0 40"),
            0xFFFA: vectors(0x7F00, 0x2000, 0x7F00),
        }
        machine = rr.Machine(rr.Board.from_toml(BOARD.format(cpu=cpu)), rom=images)
        machine.run(instructions=skip)
        with machine.record(path, snapshot_every=7, digest_every=5) as live:
            what(machine, live)

    return build


def timer(cycles: int) -> str:
    return f"A9C08D0EC0 A9408D0BC0 A9{cycles:02X}8D04C0 A9008D05C0"


def reset_within(machine: rr.Machine, live: rr.LiveRecording) -> None:
    machine.run(instructions=100)
    machine.reset()
    machine.run(instructions=100)
    live.snapshot()
    machine.reset()
    machine.reset()
    machine.run(cycles=100)


def go(**limits: int) -> Callable[[rr.Machine, rr.LiveRecording], object]:
    return lambda machine, live: machine.run(instructions=limits.get("instructions"), cycles=limits.get("cycles"))


WAITING = timer(0xE0) + "58 A900 CB 78 CB EA 58 E611 80F5"
COUNTING = timer(0x40) + "58 E8 D0FD C8 80FA"

SMALL: dict[str, Build] = {
    "nothing": small(COUNTING, lambda machine, live: None),
    "nothing, late": small(COUNTING, lambda machine, live: None, skip=100),
    "one instruction": small(COUNTING, go(instructions=1)),
    "one instruction, late": small(COUNTING, go(instructions=1), skip=77),
    "a wait": small(WAITING, go(cycles=3000)),
    "starts in a wait": small("58 CB" + "EA" * 9, go(cycles=3000), skip=2),
    "ends in a wait": small(timer(0xFF) + "58 CB 80FD", go(cycles=1900)),
    "ends in a wait for ever": small("EA CB EA", go(cycles=500)),
    "reset": small(COUNTING, reset_within),
    "reset in a wait": small(WAITING, reset_within),
    "stops": small("A210 CA D0FD DB", go(cycles=500)),
    "stops, and is reset": small("A210 CA D0FD DB", reset_within),
    "jams": small("A210 CA D0FD 02", go(cycles=500), cpu="6502"),
    "jams, and is reset": small("A210 CA D0FD 02", reset_within, cpu="6502"),
    "jams at once, and is reset": small("02", reset_within, cpu="6502"),
    "starts jammed, and is reset": small("EA 32", reset_within, skip=1, cpu="6502"),
    "around the stack": small(timer(0x60) + "58 201420", go(instructions=900)),
    "pushes where it returns to": small("A920 48 A909 48 60 EAEAEA E610 4C0020", go(instructions=300)),
    "changes itself": small("EE0120 A900 8D0002 EE0420 4C0020", go(instructions=300)),
    "writes to ROM and nowhere": small("EE0090 EE00A0 AD00B0 8D0AC0 1C0090 4C0020", go(instructions=300)),
    "a recursion": small("A2FF 9A A205 200C20 4C0320 EAEA CA F003 200C20 E8 60", go(instructions=700)),
}


def salvaged(build: Build, missing: int) -> Build:
    def cut(path: Path) -> None:
        build(path)
        path.write_bytes(path.read_bytes()[:-missing])

    return cut


def forked(path: Path) -> None:
    monitor(path)
    machine = rr.open(path).timeline().at(4000).fork()
    with machine.record(path, snapshot_every=1000):
        machine.console.send(b"ver\r")
        machine.run(instructions=4000)


def part(path: Path) -> None:
    whole = path.with_suffix(".whole")
    monitor(whole)
    rr.open(whole).cut(2500, 6000, path)


RECORDINGS: dict[str, Build] = {
    "monitor": monitor,
    "monitor, forked": forked,
    "monitor, a part": part,
    "echo": guest("programs/echo", every=333),
    "heisenbug": guest("programs/heisenbug", every=100),
    "heisenbug, chaos": guest("programs/heisenbug", chaos=11, every=64),
    "heisenbug, more chaos": guest("programs/heisenbug", chaos=4711),
    "irq_counter": guest("programs/irq_counter", skip=100_000, typed=b"abcd", every=500),
    "irq_counter, chaos": guest("programs/irq_counter", skip=100_001, typed=b"abcd", chaos=5),
    "mc6850_echo": guest("programs/mc6850_echo", "sbc6850", every=400),
    "mc6850_echo, NMOS": guest("programs/mc6850_echo", "sbc6850", cpu="6502", chaos=3),
    "py65_hello": guest("programs/py65_hello", "py65mon", typed=b"hello.", every=77),
    "py65_hello, NMOS": guest("programs/py65_hello", "py65mon", typed=b"hello.", cpu="6502"),
    "sim65_calls": sim65,
    "lab": lab,
    "snake": snake,
    "monitor, salvaged": salvaged(monitor, 300),
    "heisenbug, salvaged": salvaged(guest("programs/heisenbug", every=100), 1000),
    **{f"soup {number}": soup(number, "w65c02") for number in range(6)},
    **{f"soup {number}, NMOS": soup(number, "6502", every=None) for number in range(4)},
    **{f"calls {number}": calls(number, "w65c02") for number in range(5)},
    **{f"calls {number}, NMOS": calls(number, "6502") for number in range(3)},
    **SMALL,
}

ORDERLY = ("monitor", "echo", "heisenbug", "irq_counter", "mc6850", "py65", "calls", "a recursion", "a wait")
"""Recordings whose stack holds what calls and pushes have put there, and nothing else is done with it."""


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_journey_goes_where_brute_force_goes(name: str, tmp_path: Path) -> None:
    path = tmp_path / "run.rreplay"
    RECORDINGS[name](path)
    naive = Naive(rr.open(path, salvage="salvaged" in name))
    orderly = name.startswith(ORDERLY)
    for journey in range(LENGTH):
        budget = 0 if journey % 5 == 4 else 256 << 20
        seed = f"{name} {SEED} {journey}"
        Traveller(naive, seed, tmp_path, structured=orderly, budget=budget).travel(MOVES)
