"""Where a byte comes from, against what goes through a program forwards."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import rreplay as rr

PROGRAMS = Path(__file__).parents[2] / "guests/programs"
HEISENBUG = PROGRAMS / "heisenbug.bin"
SEED = 61_803
START, FIRST_BYTE, BYTES = 0x8000, 0x10, 8

IMMEDIATE = {0xA9: "a=", 0xA2: "x=", 0xA0: "y=", 0x69: "a+", 0x49: "a+", 0x29: "a+", 0x09: "a+", 0xE9: "a+"}
FROM_MEMORY = {0xA5: "a=", 0xA6: "x=", 0xA4: "y=", 0x65: "a+", 0x45: "a+", 0x25: "a+", 0x05: "a+", 0xE5: "a+"}
TO_MEMORY = {0x85: "a", 0x86: "x", 0x84: "y"}
CHANGING = (0xE6, 0xC6, 0x06, 0x46, 0x26, 0x66)
MOVES = {0xAA: "xa", 0xA8: "ya", 0x8A: "ax", 0x98: "ay"}
ALONE = (0xE8, 0xCA, 0xC8, 0x88, 0x0A, 0x4A, 0x2A, 0x6A, 0x1A, 0x3A, 0x18, 0x38, 0xEA)


def image(program: bytes) -> bytes:
    loop = START + len(program)
    code = program + bytes([0x4C]) + loop.to_bytes(2, "little")
    return code.ljust(0x7FFA, b"\xea") + START.to_bytes(2, "little") * 3


def recorded(program: bytes, instructions: int, path: Path, cpu: str | None = None) -> rr.Timeline:
    machine = rr.Machine("breadboard", rom=image(program), cpu=cpu)
    machine.memory[FIRST_BYTE : FIRST_BYTE + BYTES] = bytes(range(BYTES))
    with machine.record(path):
        machine.run(instructions=instructions)
    timeline = rr.open(path).timeline()
    timeline.run()
    return timeline


def flow(draw: random.Random, count: int) -> tuple[bytes, int, dict[int, set[str]]]:
    """A random straight program, its number of instructions, and which leaves come to each byte: by going forwards."""
    code = bytearray()
    instructions = 0
    of: dict[str, set[str]] = {register: {f"register {register}"} for register in "axy"}
    memory = {address: {f"byte {address:02X}"} for address in range(FIRST_BYTE, FIRST_BYTE + BYTES)}
    stack: list[set[str]] = []
    for _ in range(count):
        address = draw.randrange(FIRST_BYTE, FIRST_BYTE + BYTES)
        kind = draw.randrange(7)
        if kind in (0, 1):
            opcode = draw.choice(list(IMMEDIATE if kind == 0 else FROM_MEMORY))
            what = (IMMEDIATE | FROM_MEMORY)[opcode]
            brought = {f"constant {START + len(code) + 1:04X}"} if kind == 0 else memory[address]
            of[what[0]] = set(brought) | (of["a"] if what[1] == "+" else set())
            code += bytes([opcode, draw.randrange(256) if kind == 0 else address])
        elif kind == 2:
            opcode = draw.choice(list(TO_MEMORY))
            memory[address] = set(of[TO_MEMORY[opcode]])
            code += bytes([opcode, address])
        elif kind == 3:
            code += bytes([draw.choice(CHANGING), address])
        elif kind == 4:
            opcode = draw.choice(list(MOVES))
            of[MOVES[opcode][0]] = set(of[MOVES[opcode][1]])
            code.append(opcode)
        elif kind == 5:
            code.append(draw.choice(ALONE))
        elif stack and draw.random() < 0.5:
            of["a"] = stack.pop()
            code.append(0x68)
        else:
            stack.append(set(of["a"]))
            code.append(0x48)
        instructions += 1
    return bytes(code), instructions, memory


def leaf(node: rr.Origin) -> str:
    if node.kind == "constant":
        return f"constant {node.address:04X}"
    assert node.kind == "initial"
    if node.address is not None:
        return f"byte {node.address:02X}"
    return f"register {node.what[0].lower()}"


@pytest.mark.parametrize("round_", range(12))
def test_going_back_finds_what_going_forwards_brings(round_: int, tmp_path: Path) -> None:
    program, instructions, wanted = flow(random.Random(SEED + round_), 60)
    timeline = recorded(program, instructions, tmp_path / "flow.rreplay")
    here = timeline.moment
    for address, leaves in wanted.items():
        origin = timeline.origin(address)
        assert {leaf(node) for node in origin.leaves} == leaves, f"seed {SEED + round_}\n{origin}"
        assert origin.value == timeline.memory[address]
    assert timeline.moment == here


def test_a_table_in_rom_and_a_constant_meet(tmp_path: Path) -> None:
    #              LDX #3   LDA $8020,X  CLC  ADC #5  PHA  LDA #0  PLA  STA $20  INC $20
    program = bytes.fromhex("A203 BD2080 18 6905 48 A900 68 8520 E620").ljust(0x20, b"\xea") + bytes([1, 2, 3, 40])
    timeline = recorded(program, 9, tmp_path / "table.rreplay")
    origin = timeline.origin(0x20)
    assert origin.value == 46
    assert [(node.kind, node.value, node.address) for node in origin.leaves] == [
        ("rom", 40, 0x8023),
        ("constant", 5, 0x8007),
    ]
    assert origin.what == "INC $20 at $800E"
    assert "ADC #$05" in str(origin)
    before = timeline.origin(0x20, before=8)
    assert before.value == 45


def test_a_typed_letter_is_found(tmp_path: Path) -> None:
    machine = rr.Machine("breadboard", rom=HEISENBUG)
    with machine.record(tmp_path / "typed.rreplay"):
        machine.run(seconds=0.01)
        machine.console.send(b"hi")
        machine.run(seconds=0.1)
    timeline = rr.open(tmp_path / "typed.rreplay").timeline()
    timeline.run()
    ring = 0x02
    for place, letter in enumerate(b"hi"):
        origin = timeline.origin(ring + place)
        assert origin.value == letter
        (source,) = origin.leaves
        assert source.kind == "input"
        assert source.event is not None
        assert letter in source.event.data


def test_what_nobody_wrote_is_initial_and_what_an_interrupt_pushed_is_its_own(tmp_path: Path) -> None:
    timeline = recorded(b"\x20\x05\x80\xea\xea\xea", 4, tmp_path / "plain.rreplay")  # JSR $8005
    assert timeline.origin(0x300).kind == "initial"
    assert timeline.origin(0x9000).kind == "rom"
    assert timeline.origin(0x01FD).kind == "processor"


def test_two_registers_and_an_operand_meet_in_undocumented_instructions(tmp_path: Path) -> None:
    #              LDA #$F0  LDX #$3C  SAX $20  LDA #$FF  LXA #$55  STX $21  ANE #$0F  STA $22
    program = bytes.fromhex("A9F0 A23C 8720 A9FF AB55 8621 8B0F 8522")
    timeline = recorded(program, 8, tmp_path / "nmos.rreplay", cpu="6502")
    leaves = {address: {node.value for node in timeline.origin(address).leaves} for address in (0x20, 0x21, 0x22)}
    assert leaves == {0x20: {0xF0, 0x3C}, 0x21: {0xFF, 0x55}, 0x22: {0xFF, 0x55, 0x0F}}
    assert [timeline.origin(address).value for address in (0x20, 0x21, 0x22)] == [0x30, 0x55, 0x05]


def test_the_stack_pointer_is_a_value_until_it_moves_by_itself(tmp_path: Path) -> None:
    #              LDX #$80  TXS  LDX #0  TSX  STX $20  PHP  TSX  STX $21  PLA  STA $22
    program = bytes.fromhex("A280 9A A200 BA 8620 08 BA 8621 68 8522")
    timeline = recorded(program, 10, tmp_path / "stack.rreplay")
    (given,) = timeline.origin(0x20).leaves
    assert (given.kind, given.value, given.address) == ("constant", 0x80, START + 1)
    (moved,) = timeline.origin(0x21).leaves
    assert (moved.kind, moved.value, moved.what) == ("processor", 0x7F, "PHP at $8008")
    (flags,) = timeline.origin(0x22).leaves
    assert (flags.kind, flags.address) == ("processor", 0x0180)


def test_a_register_that_a_device_has_set_comes_from_the_device(tmp_path: Path) -> None:
    machine = rr.Machine("sim65", rom=PROGRAMS / "sim65_calls.bin", arguments=["calls", "one"])
    with machine.record(tmp_path / "calls.rreplay"):
        machine.run()
    timeline = rr.open(tmp_path / "calls.rreplay").timeline(symbols=PROGRAMS / "sim65_calls.lbl")
    stored = timeline.accesses("count", "w")[0]
    origin = timeline.origin("count", before=stored.icount + 1)
    assert (origin.kind, origin.value) == ("store", 2)
    (source,) = origin.sources
    assert (source.kind, source.value, source.what) == ("device", 2, "A set by host")
    assert timeline.at(source.icount).registers["a"] == 2
    pointer = timeline.accesses("arguments", "w")[0]
    assert (pointer.by, timeline.origin("arguments", before=pointer.icount).kind) == ("host", "device")


def test_a_long_way_is_cut_off_and_shown_without_recursion(tmp_path: Path) -> None:
    timeline = recorded(b"\xa2\x00" + b"\xe8" * 1000 + b"\x86\x20", 1002, tmp_path / "long.rreplay")
    origin = timeline.origin(0x20)
    assert [node.kind for node in origin.leaves] == ["limit"]
    assert str(origin).count("INX") == len(list(origin.walk())) - 2
