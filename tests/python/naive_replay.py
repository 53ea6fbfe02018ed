"""A replay of one instruction at a time that notes everything: what travels in a recording are compared with."""

from __future__ import annotations

import bisect
import tomllib
from dataclasses import dataclass
from typing import Any

import rreplay as rr

Position = tuple[int, int]
"""Instructions retired, and clock cycles."""

PAGE = 0x100
JSR, BRK, RTS, RTI, TXS = 0x20, 0x00, 0x60, 0x40, 0x9A
CHECK_EVERY = 50
"""Places between two at which all of the memory is read: between them, what the processor has written to."""
STACK_OPCODES = {0x00, 0x08, 0x20, 0x28, 0x40, 0x48, 0x5A, 0x60, 0x68, 0x7A, 0x9A, 0xDA, 0xFA}
REGISTERS = {
    "mos6551": 4, "disk": 12, "display": 16, "keyboard": 8, "mc146818": 2, "mc6821": 4, "mc6850": 2, "network": 16,
    "pointer": 12, "power": 6, "py65_console": 4, "random_port": 2, "sim65": 6, "sound": 16, "stopwatch": 12, "user": 4,
    "via6522": 16,
}  # fmt: skip
"""How many addresses a device has, as docs/boards.md says."""


@dataclass(frozen=True)
class Place:
    """The machine where a naive replay stood."""

    icount: int
    cycles: int
    registers: dict[str, int]
    pages: tuple[bytes, ...]
    digest: str
    printed: int
    accesses: int
    executed: int

    @property
    def at(self) -> Position:
        return self.icount, self.cycles

    @property
    def memory(self) -> bytes:
        return b"".join(self.pages)

    def byte(self, address: int) -> int:
        return self.pages[address // PAGE][address % PAGE]


@dataclass(frozen=True)
class NaiveAccess:
    """An access as a hook saw it; `stop` is the last place before it."""

    kind: str
    icount: int
    cycles: int
    address: int
    new: int
    pc: int | None
    old: int | None
    stop: Position


class Naive:
    """Every place, instruction and access of a recording."""

    def __init__(self, recording: rr.Recording) -> None:
        self.recording = recording
        machine = recording.replay()
        self.machine = machine
        self.places: list[Place] = []
        self.accesses: list[NaiveAccess] = []
        self.executed: list[rr.HookEvent] = []
        self.foreign: set[int] = set()
        """RAM that somebody else than the processor has written to."""
        board = tomllib.loads(recording.board.to_toml())
        self.ram = _ram(board)
        self.shown = {at // PAGE for window in device_windows(board).values() for at in window}
        """Pages in which bytes change by themselves."""
        self.dirty: set[int] = set()
        machine.run(instructions=0)
        self.shadow = bytearray(0x10000)
        self._note()
        machine.on_execute(range(0x10000))(self._on_execute)
        machine.on_read(range(0x10000))(lambda event: self._on_access("r", event))
        machine.on_write(range(0x10000))(lambda event: self._on_access("w", event))
        idle, reason = 0, ""
        while idle < 3:
            reason = machine.step().reason
            moved = (machine.icount, machine.cycles) != self.places[-1].at
            if moved:
                self._note()
            idle = 0 if moved else idle + 1
        self.output = machine.console.output
        self.events = list(recording.events())
        self.positions = [place.at for place in self.places]
        self.by_position = {place.at: place for place in self.places}
        assert len(self.by_position) == len(self.places)
        assert self.positions == sorted(self.positions)
        self.event_cycles = [event.cycles for event in self.events]
        self.first_places: dict[int, Place] = {}
        for place in self.places:
            self.first_places.setdefault(place.icount, place)
        assert reason in ("end", "halted", "jammed", "shutdown")
        set_at = [place.at for place in self.places[:-1] if self.opcode(place) == TXS]
        self.stack_set = max(set_at, default=(-1, 0))
        """Where the stack pointer was set to something else for the last time."""
        self.start, self.end = self.positions[0], self.positions[-1]

    def _note(self) -> None:
        machine = self.machine
        pages = list(self.places[-1].pages) if self.places else [b""] * PAGE
        checked = not self.places or len(self.places) % CHECK_EVERY == 0
        for page in range(PAGE) if checked else self.dirty | self.shown:
            read = machine.memory[page * PAGE : page * PAGE + PAGE]
            if read != pages[page]:
                if self.places and page not in self.dirty | self.shown:
                    self.foreign.update(at for at in range(page * PAGE, page * PAGE + PAGE) if at in self.ram)
                self.shadow[page * PAGE : page * PAGE + PAGE] = read
                pages[page] = read
        self.dirty.clear()
        self.places.append(
            Place(
                machine.icount,
                machine.cycles,
                machine.registers,
                tuple(pages),
                machine.digest(),
                len(machine.console.output),
                len(self.accesses),
                len(self.executed),
            )
        )

    def _on_execute(self, event: rr.HookEvent) -> bool | None:
        if self.executed and (self.executed[-1].icount, self.executed[-1].cycles) == (event.icount, event.cycles):
            return None  # where the run was stopped just now
        self.executed.append(event)
        # Behind a wait is a place of its own.
        return (event.icount, event.cycles) == self.places[-1].at

    def _on_access(self, kind: str, event: rr.HookEvent) -> None:
        assert event.value is not None
        executed = self.executed[-1] if self.executed else None
        pc = executed.address if executed and executed.icount == event.icount else None
        old: int | None = None
        if kind == "w":
            self.dirty.add(event.address // PAGE)
            if event.address in self.ram:
                old = self.shadow[event.address]
                self.shadow[event.address] = event.value
        self.accesses.append(
            NaiveAccess(kind, event.icount, event.cycles, event.address, event.value, pc, old, self.places[-1].at)
        )

    def place(self, position: Position) -> Place | None:
        return self.by_position.get(position)

    def before(self, position: Position) -> Position | None:
        """The last place before a position."""
        place = bisect.bisect_left(self.positions, position) - 1
        return self.positions[place] if place >= 0 else None

    def after(self, position: Position) -> Position | None:
        """The first place behind a position."""
        place = bisect.bisect_right(self.positions, position)
        return self.positions[place] if place < len(self.positions) else None

    def wait_at(self, icount: int) -> tuple[int, int] | None:
        """The cycles at which the wait at this icount begins and ends."""
        first = self.first_places[icount]
        behind = self.after(first.at)
        return (first.cycles, behind[1]) if behind is not None and behind[0] == icount else None

    def replayed(self, position: Position) -> rr.Machine:
        """A machine replayed from the start to a first place, or into its wait."""
        machine = self.recording.replay()
        machine.run(instructions=position[0] - self.start[0])
        if machine.cycles < position[1]:
            machine.run(cycles=position[1] - machine.cycles)
        assert (machine.icount, machine.cycles) == position
        return machine

    # ---- calls and returns: only for programs whose stack holds what its calls and pushes have put there ----

    def opcode(self, place: Place) -> int:
        return place.byte(place.registers["pc"])

    def depth_change(self, number: int) -> int:
        """By how much the depth of calls changes between a place and the next one."""
        here, there = self.places[number], self.places[number + 1]
        change = 0
        if there.icount > here.icount:
            opcode = self.opcode(here)
            change += opcode in (JSR, BRK)
            change -= opcode in (RTS, RTI)
        pushed = [a for a in self.accesses[here.accesses : there.accesses] if a.pc is None and a.kind == "w"]
        return change + len(pushed) // 3

    def out(self, position: Position) -> Position | None:
        """Where the subroutine or handler at a place has returned."""
        depth = 0
        for number in range(self.positions.index(position), len(self.places) - 1):
            here, there = self.places[number], self.places[number + 1]
            returns = there.icount > here.icount and self.opcode(here) in (RTS, RTI)
            if returns and depth == 0:
                return there.at
            depth += self.depth_change(number)
        return None

    def over(self, position: Position) -> Position | None:
        """Where the subroutine that the instruction at a place calls has returned."""
        depth = 0
        for number in range(self.positions.index(position), len(self.places) - 1):
            depth += self.depth_change(number)
            if depth == 0:
                return self.positions[number + 1]
        return None

    def called(self, position: Position) -> Position | None:
        """The place whose instruction called, or behind which came the interrupt."""
        depth = 0
        for number in range(self.positions.index(position) - 1, -1, -1):
            depth += self.depth_change(number)
            if depth > 0:
                return self.positions[number]
        return None

    def is_plain_call(self, called: Position, here: Position) -> bool:
        """Whether no interrupt has come since, and only the call has moved the stack pointer above where it is."""
        number = self.positions.index(called)
        place, there = self.places[number], self.by_position[here]
        if self.opcode(place) not in (JSR, BRK) and self.opcode(place) in STACK_OPCODES:
            return False
        between = self.places[number + 1 : self.positions.index(here)]
        accesses = self.accesses[between[0].accesses : there.accesses] if between else []
        if any(access.pc is None and access.kind == "w" for access in accesses):
            return False
        return all(passed.registers["sp"] <= there.registers["sp"] for passed in between)


def _ram(board: dict[str, Any]) -> set[int]:
    """Addresses of RAM that no device lies upon."""
    ram = {
        address
        for region in board["region"]
        if region["kind"] == "ram"
        for address in range(region["start"], region["end"] + 1)
    }
    for window in device_windows(board).values():
        ram.difference_update(window)
    return ram


def device_windows(board: dict[str, Any]) -> dict[str, range]:
    """The addresses of each device of a board."""
    windows = {}
    for device in board.get("device", []):
        count = device.get("addresses") or device.get("size") or REGISTERS[device["kind"]]
        windows[device["name"]] = range(device["at"], device["at"] + count)
    return windows
