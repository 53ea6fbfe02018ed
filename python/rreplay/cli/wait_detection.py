"""Whether a guest waits: for an interrupt, or in a loop that it leaves only for something from outside.

A processor that is busy for a second has not given its answer yet, and one that polls its serial port is as busy. What
tells them apart is what the program does: it comes back to the same place with the same registers, having written
nothing, or having asked the console. While it stays in that loop it waits, whatever its interrupt handlers do.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .._core import HookEvent
    from ..machine.hook import Hook
    from ..machine.machine import Machine

LOOP_INSTRUCTIONS_MAX = 256
"""No loop that waits is longer. What is longer is taken to be busy."""

STEPS_MAX = 4 * LOOP_INSTRUCTIONS_MAX
"""Instructions looked at in search of a loop, those of interrupt handlers included."""

POLLS_EVERY = 32
"""A program that asks the console at least once in so many instructions does nothing else."""

WINDOW = 16
"""Addresses of a console, where its board does not say how many."""

STACK_SPARE = 32
"""Bytes below the stack that interrupts may push to before their handlers begin."""


class InterruptTracker:
    """Tells a program's instructions from those of its interrupt handlers, told each before it is executed."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._handlers = frozenset(machine._session.interrupt_handlers())
        self._begun: list[int] = []

    @property
    def depth(self) -> int:
        """Handlers that have begun and not returned."""
        return len(self._begun)

    def is_program(self, pc: int) -> bool:
        """Whether the instruction at `pc` is the program's own."""
        if pc in self._handlers:
            self._begun.append(self._stack_pointer())
        if not self._begun:
            return True
        (instruction,) = self._machine.disassemble(pc)
        if instruction.flow == "return" and self._stack_pointer() >= self._begun[-1]:
            self._begun.pop()
        return False

    def _stack_pointer(self) -> int:
        """Where the next byte pushed goes."""
        return self._machine._session.stack_pointer()


class WaitDetector:
    """Watches whether the program of `machine` waits.

    Args:
        machine: Whose program.
        step: Executes one instruction, or lets the processor wait for as long as a guest must be quiet; True where the
            run is over.
    """

    def __init__(self, machine: Machine, step: Callable[[], bool]) -> None:
        self._machine = machine
        self._step = step
        self._console = _console_window(machine)
        self._interrupts = InterruptTracker(machine)
        self._leaving: list[Hook] = []
        self._writing: list[Hook] = []
        self._polling: list[Hook] = []
        self._loop: frozenset[int] = frozenset()
        self._wrote = False
        self._polled = False
        self._stack = range(0)

    def waits(self) -> bool:
        """Whether the program has stayed in the loop that `search` has found, and did nothing there but wait."""
        return bool(self._loop) and (self._polled or not self._wrote)

    def search(self) -> bool:
        """Looks for a loop in which the program waits, by executing some of it, and watches it from then on.

        Returns:
            Whether the run is over.
        """
        self.stop()
        self._interrupts = InterruptTracker(self._machine)
        seen: dict[tuple[int, ...], int] = {}
        visited: list[int] = []
        over = False
        self._watch_console()
        polls = 0
        free: list[int] = []
        for _ in range(STEPS_MAX):
            state = tuple(self._machine.registers.values())
            pc = self._machine.cpu.pc
            if self._interrupts.is_program(pc):
                free.append(self._machine._session.stack_pointer())
                if state in seen:
                    self._loop = frozenset(visited[seen[state] :])
                    break
                if len(visited) == LOOP_INSTRUCTIONS_MAX:
                    break
                seen[state] = len(visited)
                visited.append(pc)
            over = self._step()
            if over:
                break
            if self._polled:
                polls += 1
                self._watch_console()
        if not self._loop and polls * POLLS_EVERY >= max(len(visited), POLLS_EVERY):
            # It counts while it asks, as programs do that want a random number.
            self._loop = frozenset(visited)
        self._stack = range(max(min(free, default=0) - STACK_SPARE, 0), max(free, default=-1) + 1)
        if self._loop and not over:
            self._watch()
        return over

    def stop(self) -> None:
        """Watches no more."""
        for hooks in (self._leaving, self._writing, self._polling):
            _remove(hooks)
        self._loop = frozenset()

    def _watch(self) -> None:
        self._wrote = False
        self._watch_console()
        for span in _gaps(self._loop):
            self._leaving.append(self._machine.on_execute(span)(self._note_executed))
        for span in (range(self._stack.start), range(self._stack.stop, 0x10000)):
            if span:
                self._writing.append(self._machine.on_write(span)(self._note_written))

    def _watch_console(self) -> None:
        """From now on it is noted when the program reads a register of the console."""
        self._polled = False
        if self._console and not self._polling:
            self._polling.append(self._machine.on_read(self._console)(self._note_polled))

    # Once is enough to know: then the hooks go, for they would be called at each turn of the loop.

    def _note_executed(self, event: HookEvent) -> None:
        if self._interrupts.is_program(event.address):
            self.stop()

    def _note_written(self, _event: HookEvent) -> None:
        if self._interrupts.depth == 0:
            self._wrote = True
            _remove(self._writing)

    def _note_polled(self, _event: HookEvent) -> None:
        if self._interrupts.depth == 0:
            self._polled = True
            _remove(self._polling)


def _remove(hooks: list[Hook]) -> None:
    while hooks:
        hooks.pop().remove()


def _console_window(machine: Machine) -> range:
    """The addresses of the board's console; an empty range without one, and where it is at I/O ports."""
    board = tomllib.loads(machine.board.to_toml())
    for device in board.get("device", ()):
        if device["name"] == board.get("console") and device.get("space") != "io":
            first = int(device["at"])
            return range(first, min(first + int(device.get("addresses", WINDOW)), 0x10000))
    return range(0)


def _gaps(addresses: Iterable[int]) -> list[range]:
    """The ranges of addresses between `addresses`."""
    gaps = []
    start = 0
    for address in (*sorted(addresses), 0x10000):
        if address > start:
            gaps.append(range(start, address))
        start = address + 1
    return gaps
