"""Where a byte comes from: a walk back through loads, arithmetic and stores, as a small graph."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._core import Access, Event, Instruction
    from .timeline import Moment, Timeline

__all__ = ["Origin", "trace_origin"]

STEPS_MAX = 20_000
"""Instructions that are gone back over for one register."""
NODES_MAX = 500
"""Nodes of a graph."""

_STORES = {
    "STA": "a", "STX": "x", "STY": "y", "PHA": "a", "PHX": "x", "PHY": "y", "SAX": "ax", "SHA": "ax", "SHX": "x",
    "SHY": "y", "TAS": "ax",
}  # fmt: skip
"""Instructions that write registers to memory."""
_SHIFTS = frozenset({"ASL", "LSR", "ROL", "ROR"})
_CHANGES = _SHIFTS | {"INC", "DEC", "SLO", "RLA", "SRE", "RRA", "DCP", "ISC"}
"""Instructions that write back what they have read, changed."""
_LOADS = {"LDA": "a", "LDX": "x", "LDY": "y", "PLA": "a", "PLX": "x", "PLY": "y", "LAX": "ax", "LAS": "ax"}
_ARITHMETIC = frozenset(
    {"ADC", "SBC", "AND", "ORA", "EOR", "SLO", "RLA", "SRE", "RRA", "ISC", "ANC", "ALR", "ARR", "ANE"}
)
"""Instructions that leave in A what comes of A and an operand."""
_TRANSFERS = {"TAX": ("x", "a"), "TAY": ("y", "a"), "TXA": ("a", "x"), "TYA": ("a", "y")}
_COUNTS = {"INX": "x", "DEX": "x", "INY": "y", "DEY": "y"}


@dataclass(frozen=True)
class Origin:
    """A node of the graph: a byte, what made it, and the bytes that it was made from.

    Kinds: "store", "load" and "compute" are instructions; "constant" is a byte of the program's own, "rom" one that
    was read from ROM, "initial" one that stood in memory or a register when the recording began; "input" was read from
    a device, "device" was written by one, "interrupt" and "processor" by the CPU itself (return addresses, flags);
    "limit" is as far back as was looked.
    """

    kind: str
    icount: int
    value: int | None
    what: str
    """In words: the instruction, or the place."""
    pc: int | None = None
    address: int | None = None
    event: Event | None = None
    """Of an input: the last event before it that brought this byte, as far as can be told."""
    sources: tuple[Origin, ...] = field(default=(), repr=False)

    def walk(self) -> Iterator[Origin]:
        """This node and all behind it, each once."""
        seen: set[int] = set()
        waiting = [self]
        while waiting:
            node = waiting.pop()
            if id(node) not in seen:
                seen.add(id(node))
                yield node
                waiting.extend(reversed(node.sources))

    @property
    def leaves(self) -> list[Origin]:
        """The nodes with nothing behind them: where the byte comes from in the end."""
        return [node for node in self.walk() if not node.sources]

    def __str__(self) -> str:
        return "\n".join(self._lines(0, set()))

    def _lines(self, depth: int, shown: set[int]) -> Iterator[str]:
        value = "" if self.value is None else f" = ${self.value:02X}"
        again = " (see above)" if id(self) in shown and self.sources else ""
        yield f"{'  ' * depth}{self.icount}: {self.what}{value}{again}"
        if not again:
            shown.add(id(self))
            for source in self.sources:
                yield from source._lines(depth + 1, shown)


def trace_origin(timeline: Timeline, address: int, moment: Moment) -> Origin:
    """The origin of the byte at an address, at a moment."""
    return _Walk(timeline).memory(address, moment)


class _Walk:
    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._nodes: dict[tuple[object, ...], Origin] = {}
        board = timeline.recording.board
        regions = tomllib.loads(board.to_toml()).get("region", [])
        self._rom = [(region["start"], region["end"]) for region in regions if region["kind"] == "rom"]
        names = (name for name, _ in timeline._core.device_names())
        self._devices = [(*timeline._core.device_window(name), name) for name in names]

    # ---- bytes of memory ----

    def memory(self, address: int, moment: Moment) -> Origin:
        if any(first <= address <= last for first, last in self._rom):
            return self._leaf("rom", moment, moment.memory[address], f"${address:04X} in ROM", address)
        access = self._timeline.last_write(address, moment)
        if access is None:
            what = f"${address:04X} as the recording found it"
            return self._leaf("initial", moment, moment.memory[address], what, address)
        return self._written(access)

    def _written(self, access: Access) -> Origin:
        key = ("w", access.cycles, access.address)
        if key in self._nodes:
            return self._nodes[key]
        if access.by != "cpu":
            kind = "interrupt" if access.by == "interrupt" else "device"
            node = Origin(kind, access.icount, access.new, f"written by {access.by}", None, access.address)
        elif len(self._nodes) >= NODES_MAX:
            node = Origin("limit", access.icount, access.new, "the graph is large enough", access.pc, access.address)
        else:
            node = self._stored(access)
        self._nodes[key] = node
        return node

    def _stored(self, access: Access) -> Origin:
        before = self._before(access.icount)
        instruction = before.disassemble()[0]
        name = instruction.mnemonic
        sources: tuple[Origin, ...] = ()
        kind = "store"
        if name in _STORES:
            sources = tuple(self.register(register, before) for register in _STORES[name])
        elif name in _CHANGES or name[:3] in ("RMB", "SMB"):
            kind, sources = "compute", (self.memory(access.address, before),)
        elif name in ("TSB", "TRB"):
            kind, sources = "compute", (self.memory(access.address, before), self.register("a", before))
        elif name == "STZ":
            kind = "constant"
        else:
            # Return addresses and flags: JSR, BRK, PHP.
            kind = "processor"
        what = f"{instruction.text} at ${before.pc:04X}"
        return Origin(kind, access.icount, access.new, what, before.pc, access.address, None, sources)

    # ---- registers ----

    def register(self, register: str, moment: Moment) -> Origin:
        """Where a register's value comes from, before the instruction at a moment."""
        key = ("r", register, moment.cycles)
        if key in self._nodes:
            return self._nodes[key]
        self._nodes[key] = node = self._register(register, moment)
        return node

    def _register(self, register: str, moment: Moment) -> Origin:
        value = moment.registers[register]
        timeline = self._timeline
        first = timeline.start_icount
        for icount in range(moment.icount - 1, max(moment.icount - STEPS_MAX, first) - 1, -1):
            before = self._before(icount)
            instruction = before.disassemble()[0]
            if register in _written_by(instruction):
                return self._computed(register, value, before, instruction)
        if moment.icount - STEPS_MAX > first:
            return self._leaf("limit", moment, value, f"{register.upper()}, {STEPS_MAX} instructions back", None)
        return self._leaf("initial", moment, value, f"{register.upper()} as the recording found it", None)

    def _computed(self, register: str, value: int, before: Moment, instruction: Instruction) -> Origin:
        name = instruction.mnemonic
        kind, sources = "compute", []
        if name in _TRANSFERS:
            kind, sources = "load", [self.register(_TRANSFERS[name][1], before)]
        elif name in _COUNTS or _is_of_accumulator(instruction):
            sources = [self.register(register, before)]
        elif name == "TSX":
            return Origin("processor", before.icount, value, f"TSX at ${before.pc:04X}", before.pc)
        else:
            if name not in _LOADS:
                sources = [self.register(own, before) for own in ("ax" if name in ("ANE", "SBX") else "a")]
            else:
                kind = "load"
            sources.append(self._operand(before, instruction))
        what = f"{instruction.text} at ${before.pc:04X}"
        return Origin(kind, before.icount, value, what, before.pc, None, None, tuple(sources))

    def _operand(self, before: Moment, instruction: Instruction) -> Origin:
        if instruction.operand.startswith("#"):
            address = (instruction.address + 1) & 0xFFFF
            return self._leaf(
                "constant", before, instruction.bytes[1], f"{instruction.operand} at ${address:04X}", address
            )
        table = self._timeline.accesses(range(0x10000), "r", before.icount, before.icount + 1)
        reads = [row for row in table if row.by == "cpu" and row.cycles >= before.cycles]
        if not reads:
            return self._leaf("limit", before, None, "an operand that was not read", None)
        # Pointers are read first, the operand last.
        read = reads[-1]
        for first, last, name in self._devices:
            if first <= read.address <= last:
                return self._input(read, name)
        return self.memory(read.address, before)

    def _input(self, read: Access, device: str) -> Origin:
        found = None
        for event in self._timeline.recording.events("char_read", stop=read.icount + 1):
            payload = event.payload
            if event.cycles <= read.cycles and payload["device"] == device and read.new in payload["data"]:
                found = event
        what = f"read from {device}, ${read.address:04X}"
        return Origin("input", read.icount, read.new, what, read.pc, read.address, found)

    # ---- places ----

    def _before(self, icount: int) -> Moment:
        """Where the instruction is about to begin."""
        return self._timeline._moment(self._timeline._core.instruction_place(icount))

    def _leaf(self, kind: str, moment: Moment, value: int | None, what: str, address: int | None) -> Origin:
        return Origin(kind, moment.icount, value, what, None, address)


def _is_of_accumulator(instruction: Instruction) -> bool:
    return len(instruction.bytes) == 1 and instruction.mnemonic in _SHIFTS | {"INC", "DEC"}


def _written_by(instruction: Instruction) -> str:
    """The registers that an instruction changes, of a, x and y."""
    name = instruction.mnemonic
    if name in _LOADS:
        return _LOADS[name]
    if name in _TRANSFERS:
        return _TRANSFERS[name][0]
    if name in _COUNTS:
        return _COUNTS[name]
    if name in ("TSX", "SBX"):
        return "x"
    if name == "LXA":
        return "ax"
    if name in _ARITHMETIC or _is_of_accumulator(instruction):
        return "a"
    return ""
