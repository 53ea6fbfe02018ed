"""Time travel: a recording to move in, and to question."""

from __future__ import annotations

import bisect
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

from . import _core
from .console import compile_pattern
from .errors import ArgumentError, StateError, UnknownDevice
from .machine import Machine, address_range, required_number, whole_number
from .memory import Memory
from .origin import Origin

if TYPE_CHECKING:
    import numpy as np

    from ._core import Access, Event, Instruction, Snapshot, Stop
    from .recording import Recording
    from .vocabulary import EventKind

__all__ = ["Accesses", "Breakpoint", "Moment", "Profile", "Routine", "Symbols", "Timeline"]

MEMORY_BUDGET = 256 << 20
"""Bytes of states that a timeline keeps in memory unless told otherwise."""

Symbols: TypeAlias = "Mapping[str, int] | str | os.PathLike[str]"
"""Names of addresses: a mapping, or a VICE label file, as `ld65 -Ln` writes it."""

Condition: TypeAlias = "Callable[[Moment], object]"
"""Asked at each place where a run might stop; it stops where the answer is true."""

_JSR = 0x20
_LABEL = re.compile(r"^al\s+(?:C:)?([0-9A-Fa-f]{1,6})\s+\.?(\S+)\s*$")


def read_symbols(symbols: Symbols | None) -> dict[str, int]:
    """The names and addresses of a mapping or a label file."""
    if symbols is None:
        return {}
    if isinstance(symbols, Mapping):
        for name, address in symbols.items():
            required_number(f"the symbol {name!r}", address, most=0xFFFF)
        return dict(symbols)
    if not isinstance(symbols, str | os.PathLike):
        raise ArgumentError(f"symbols are a mapping of names to addresses or a label file, and {symbols!r} is neither")
    path = Path(symbols)
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise ArgumentError(f"{path}: the label file cannot be read: {error.strerror}") from None
    found = (_LABEL.match(line) for line in lines)
    labels = {match[2]: int(match[1], 16) & 0xFFFF for match in found if match}
    if not labels:
        raise ArgumentError(f"{path}: there is no label in it; a label file has lines such as: al 00C000 .start")
    return labels


class _Past:
    """What `Memory` and the devices ask, of one moment."""

    __slots__ = ("_core", "_place")

    def __init__(self, core: _core.TimelineCore, place: Callable[[], tuple[int, int]]) -> None:
        self._core = core
        self._place = place

    def read_memory(self, start: int, length: int) -> bytes:
        return self._core.read_memory(self._place(), start, length)

    def write_memory(self, start: int, data: bytes) -> None:  # noqa: ARG002
        raise StateError("the past cannot be changed: fork it, and change the machine that you get")


class PastDevice:
    """A device as it was: its kind and its registers."""

    __slots__ = ("_core", "_name", "_place", "kind")

    kind: str
    """The chip or design."""

    def __init__(self, core: _core.TimelineCore, place: tuple[int, int], name: str, kind: str) -> None:
        self._core = core
        self._place = place
        self._name = name
        self.kind = kind

    def __repr__(self) -> str:
        return f"<{self.kind} {self._name!r} at icount {self._place[0]}>"

    @property
    def state(self) -> dict[str, int | bool | bytes | None]:
        """Its registers by their data sheet names."""
        return self._core.device_state(self._place, self._name)


class PastDevices(Mapping[str, PastDevice]):
    """The board's devices by name, as they were."""

    __slots__ = ("_devices",)

    def __init__(self, core: _core.TimelineCore, place: tuple[int, int]) -> None:
        self._devices = {name: PastDevice(core, place, name, kind) for name, kind in core.device_names()}

    def __getitem__(self, name: str) -> PastDevice:
        try:
            return self._devices[name]
        except KeyError:
            known = ", ".join(self._devices) or "none at all"
            raise UnknownDevice(f"the board has no device {name!r}; it has {known}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._devices)

    def __len__(self) -> int:
        return len(self._devices)

    def __repr__(self) -> str:
        return f"<PastDevices {', '.join(self._devices)}>"


class Moment:
    """The machine at one place of a recording. It never changes; looking at it moves no timeline."""

    __slots__ = ("_core", "_place", "access")

    access: Access | None
    """In a watchpoint's condition, the access that is made next."""

    def __init__(self, core: _core.TimelineCore, place: tuple[int, int], access: Access | None = None) -> None:
        self._core = core
        self._place = place
        self.access = access

    def __repr__(self) -> str:
        return f"<Moment at icount {self.icount}, cycle {self.cycles}: pc ${self.pc:04X}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Moment):
            return NotImplemented
        return self._core is other._core and self._place == other._place

    def __hash__(self) -> int:
        return hash(self._place)

    @property
    def icount(self) -> int:
        """Instructions retired since power-on."""
        return self._place[0]

    @property
    def cycles(self) -> int:
        """Clock cycles since power-on."""
        return self._place[1]

    @property
    def ordinal(self) -> int:
        """The ordinal of the log's next event: how many have passed."""
        return self._core.events_passed(self._place)

    @property
    def registers(self) -> dict[str, int]:
        """The processor's registers by name."""
        return self._core.registers(self._place)

    @property
    def pc(self) -> int:
        """The address of the next instruction."""
        return self.registers["pc"]

    @property
    def memory(self) -> Memory:
        """The address space, to be read."""
        place = self._place
        return Memory(_Past(self._core, lambda: place))

    @property
    def devices(self) -> PastDevices:
        """The board's devices by name."""
        return PastDevices(self._core, self._place)

    @property
    def console_output(self) -> bytes:
        """All that the console had printed."""
        return self._core.console_output(self._place)

    def digest(self) -> str:
        """The hash of the whole machine, as `Machine.digest` gives it."""
        return self._core.digest(self._place)

    def digests(self) -> dict[str, str]:
        """The hash of each part of the machine, as `Machine.digests` gives them."""
        return self._core.digests(self._place)

    def snapshot(self) -> Snapshot:
        """The machine's state, as `Machine.snapshot` gives it."""
        return self._core.snapshot(self._place)

    def disassemble(self, addr: int | None = None, count: int = 1) -> list[Instruction]:
        """Instructions from `addr`, or from the program counter, on."""
        if addr is not None:
            whole_number("addr", addr, most=0xFFFF)
        required_number("count", count, most=0x10000)
        return self._core.disassemble(self._place, addr, count)

    def fork(self) -> Machine:
        """A machine in this state that goes its own way: it runs, takes new input, and can be recorded.

        A recording of it says in `info()` which recording it comes from, and from where.
        """
        return Machine._from_session(self._core.fork(self._place), None)


class Breakpoint:
    """A breakpoint or watchpoint of a timeline; `remove()` takes it off."""

    __slots__ = ("_core", "description", "number")

    number: int
    """What a `Stop` has as its `point`."""
    description: str
    """Where it stops."""

    def __init__(self, core: _core.TimelineCore, number: int, description: str) -> None:
        self._core = core
        self.number = number
        self.description = description

    def __repr__(self) -> str:
        return f"<{self.description}>"

    def remove(self) -> None:
        """Takes it off; a second time does nothing."""
        self._core.remove_point(self.number)


class Accesses:
    """A table of accesses, in the order in which they were made.

    A row is an `Access`; a column is an attribute and a subscript (`table.icount`, `table["pc"]`), a NumPy array in
    which -1 stands for None. Whatever takes Arrow streams takes the whole: `polars.DataFrame(table)`.
    """

    COLUMNS = ("icount", "cycles", "pc", "address", "old", "new", "kind", "by")
    """The columns, in order."""

    __slots__ = ("_rows",)

    def __init__(self, rows: _core.AccessColumns) -> None:
        self._rows = rows

    def __repr__(self) -> str:
        return f"<Accesses: {len(self)} rows>"

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Access]:
        return (self._rows.row(place) for place in range(len(self)))

    @overload
    def __getitem__(self, key: int) -> Access: ...
    @overload
    def __getitem__(self, key: slice) -> list[Access]: ...
    @overload
    def __getitem__(self, key: str) -> np.ndarray[Any, Any]: ...
    def __getitem__(self, key: int | slice | str) -> Access | list[Access] | np.ndarray[Any, Any]:
        if isinstance(key, str):
            return self._column(key)
        if isinstance(key, slice):
            return [self._rows.row(place) for place in range(*key.indices(len(self)))]
        place = key + len(self) if key < 0 else key
        if not 0 <= place < len(self):
            raise IndexError(f"there is no row {key}: the table has {len(self)}")
        return self._rows.row(place)

    def __getattr__(self, name: str) -> Any:
        if name in Accesses.COLUMNS:
            return self._column(name)
        raise AttributeError(f"a table of accesses has no {name!r}; it has {', '.join(Accesses.COLUMNS)}")

    def _column(self, name: str) -> np.ndarray[Any, Any]:
        try:
            import numpy as np  # only who asks for columns needs it
        except ImportError:
            raise StateError(
                "columns are NumPy arrays, and NumPy is not installed: go through the rows, or use Arrow"
            ) from None
        numbers = self._rows.numbers(name)
        if numbers is not None:
            return np.frombuffer(numbers, dtype=np.int64)
        texts = self._rows.texts(name)
        if texts is None:
            raise ArgumentError(f"there is no column {name!r}: there are {', '.join(Accesses.COLUMNS)}")
        return np.array(texts, dtype=str)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The table as an Arrow C stream; the columns have the types that fit, and pc and old may be null."""
        return self._rows.arrow_c_stream()


@dataclass(frozen=True)
class Routine:
    """A part of the program, from an address up to the next one that is called or has a name."""

    address: int
    """Where it begins."""
    name: str
    """Its symbol, or its address in hex."""
    instructions: int
    """Instructions executed in it."""
    cycles: int
    """Clock cycles spent in it."""


class Profile:
    """How often the instruction at each address was executed, and the clock cycles that it took.

    What passes until the next instruction begins counts for the one before: interrupt sequences, and the time for which
    a WAI waits.
    """

    __slots__ = ("_memory", "_symbols", "cycles", "executions")

    executions: memoryview[int]
    """By address, 65,536 whole numbers: how often the instruction there was begun."""
    cycles: memoryview[int]
    """By address, 65,536 whole numbers: clock cycles spent there."""

    def __init__(
        self, executions: memoryview[int], cycles: memoryview[int], memory: bytes, symbols: dict[str, int]
    ) -> None:
        self.executions = executions
        self.cycles = cycles
        self._memory = memory
        self._symbols = symbols

    def __repr__(self) -> str:
        return f"<Profile: {sum(self.executions)} instructions at {len(self.coverage)} addresses>"

    @property
    def coverage(self) -> dict[int, int]:
        """The addresses of the instructions that were executed, with how often."""
        return {address: count for address, count in enumerate(self.executions) if count}

    @property
    def routines(self) -> list[Routine]:
        """Where the time went, the most first.

        A routine reaches from an address that has a symbol, or that a JSR which was executed calls, up to the next one.
        """
        executed = self.coverage
        names = {address: name for name, address in sorted(self._symbols.items(), reverse=True)}
        called = (address for address in executed if self._memory[address] == _JSR and address < 0xFFFE)
        starts = {self._memory[address + 1] | self._memory[address + 2] << 8 for address in called} | set(names)
        starts.add(min(executed, default=0))
        totals: dict[int, list[int]] = {}
        order = sorted(starts)
        for address, count in executed.items():
            place = bisect.bisect_right(order, address) - 1
            total = totals.setdefault(order[max(place, 0)], [0, 0])
            total[0] += count
            total[1] += self.cycles[address]
        routines = (
            Routine(start, names.get(start, f"${start:04X}"), instructions, cycles)
            for start, (instructions, cycles) in totals.items()
        )
        return sorted(routines, key=lambda routine: (-routine.cycles, routine.address))


class Timeline:
    """A recording to move in: any moment at once, backwards as easily as forwards. Moving changes nothing.

    A timeline stands at a place where an instruction is about to be executed, or where the processor waits. There is
    one for each number of instructions retired: behind the interrupt sequence, if one comes there, and with all that is
    due done. An operation that raises, or finds nothing, leaves the timeline where it was.

    Args:
        recording: What to move in.
        rom: As for `Recording.replay`.
        symbols: Names for addresses: a mapping, or a VICE label file, as `ld65 -Ln` writes it.
        memory_budget: Bytes that may be spent on states near the places visited.

    Raises:
        Divergence: From any method, when the replay does not do what the recording says.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        rom: Any = None,
        symbols: Symbols | None = None,
        memory_budget: int = MEMORY_BUDGET,
    ) -> None:
        required_number("memory_budget", memory_budget)
        self.recording = recording
        self.symbols = read_symbols(symbols)
        self._core = recording._timeline_core(rom, memory_budget)
        self._points: list[Breakpoint] = []

    def __repr__(self) -> str:
        return f"<Timeline of {self.recording.path} at icount {self.icount}: pc ${self.pc:04X}>"

    def on_progress(self, callback: Callable[[int], object] | None) -> None:
        """Calls `callback(instructions)` during long operations, about every 250,000 instructions that they replay.

        It is given how many it were so far. What it raises ends the operation. None: nobody is called any more.
        """
        if callback is not None:
            _callable("progress is told to a function that takes a number", callback)
        self._core.set_progress(callback)

    @property
    def verified(self) -> bool:
        """Whether `recording.verify()` has found the whole recording to be right, in this process.

        Before that a timeline trusts what the file's snapshots hold and say of the run: a file that somebody has forged
        can make it answer wrongly, or find nothing. Where a question replays a part of the run, that part is compared with
        the file all the same, and a difference raises `Divergence` or `DamagedLog`.
        """
        return self._core.verified

    # ---- where it stands ----

    @property
    def icount(self) -> int:
        """Instructions retired since power-on, here."""
        return self._core.place[0]

    @property
    def cycles(self) -> int:
        """Clock cycles since power-on, here."""
        return self._core.place[1]

    @property
    def ordinal(self) -> int:
        """The ordinal of the log's next event, here: how many have passed."""
        return self._core.events_passed(self._core.place)

    @property
    def start_icount(self) -> int:
        """Where the recording begins."""
        return self._core.start[0]

    @property
    def end_icount(self) -> int:
        """Where it ends."""
        return self._core.end[0]

    @property
    def moment(self) -> Moment:
        """The machine here."""
        return Moment(self._core, self._core.place)

    @property
    def registers(self) -> dict[str, int]:
        """The processor's registers by name, here."""
        return self._core.registers(self._core.place)

    @property
    def pc(self) -> int:
        """The address of the next instruction, here."""
        return self.registers["pc"]

    @property
    def memory(self) -> Memory:
        """The address space, here and wherever the timeline goes, to be read."""
        return Memory(_Past(self._core, lambda: self._core.place))

    @property
    def devices(self) -> PastDevices:
        """The board's devices by name, here."""
        return self.moment.devices

    @property
    def console_output(self) -> bytes:
        """All that the console had printed until here."""
        return self._core.console_output(self._core.place)

    def digest(self) -> str:
        """The hash of the whole machine here."""
        return self._core.digest(self._core.place)

    def disassemble(self, addr: int | None = None, count: int = 1) -> list[Instruction]:
        """Instructions from `addr`, or from here, on."""
        return self.moment.disassemble(addr, count)

    def at(self, icount: int, cycles: int | None = None) -> Moment:
        """The moment at which `icount` instructions have just retired; the timeline stays where it is.

        Args:
            icount: Instructions retired.
            cycles: The first place at or behind this cycle, where the processor waits.

        Raises:
            ArgumentError: It is not in the recording.
        """
        return Moment(self._core, self._place_at(icount, cycles))

    def _place_at(self, icount: int, cycles: int | None) -> tuple[int, int]:
        required_number("icount", icount)
        whole_number("cycles", cycles)
        place = self._core.place_at(icount, cycles)
        if place[0] != icount or (cycles is not None and place[1] < cycles):
            raise ArgumentError(
                f"cycle {cycles} is not at icount {icount}: the processor waits there no longer; "
                "leave the cycles out, or give those of a wait"
            )
        return place

    def _place_of(self, moment: Moment) -> tuple[int, int]:
        """The place of a moment, which may be another timeline's if that is of the same recording."""
        place = (moment.icount, moment.cycles)
        if moment._core is not self._core:
            same = self._core.place_at(*place) == place and self._core.digest(place) == moment.digest()
            if not same:
                raise ArgumentError(f"{moment!r} is of another recording: give a moment of this one, or an icount")
        return place

    # ---- going ----

    def seek(self, target: int | Access | Event | Moment, *, cycles: int | None = None) -> None:
        """Goes to where so many instructions have just retired, to a moment, or before an access or event.

        Args:
            target: Instructions retired, or what to go to.
            cycles: With a number of instructions at which the processor waits: the first place in the wait at or behind
                this cycle.

        Raises:
            ArgumentError: It is not in the recording.
        """
        if isinstance(target, Moment):
            self._core.go_to(self._place_of(target))
        elif isinstance(target, _core.Event):
            self._core.go_to(self._before_event(target))
        elif isinstance(target, _core.Access):
            self._core.go_before((target.icount, target.cycles))
        else:
            required_number("icount", target)
            if cycles is None:
                self._core.seek(target, None)
            else:
                self._core.go_to(self._place_at(target, cycles))

    def step(self, n: int = 1) -> Stop:
        """Executes `n` instructions, or as many as there are."""
        required_number("n", n)
        return self._core.step(n)

    def reverse_step(self, n: int = 1) -> Stop:
        """Goes back by `n` instructions, or to the start. From behind a wait the first step goes before it."""
        required_number("n", n)
        return self._core.reverse_step(n)

    def step_over(self) -> Stop:
        """Executes one instruction, and the whole subroutine if it calls one."""
        return self._core.step_over()

    def reverse_step_over(self) -> Stop:
        """Goes back by one instruction, and before the call of a subroutine that it has ended."""
        return self._core.reverse_step_over()

    def step_out(self) -> Stop:
        """Runs until the current subroutine or interrupt handler has returned."""
        return self._core.step_out()

    def reverse_step_out(self) -> Stop:
        """Goes back to where the current subroutine was called, or its handler entered."""
        return self._core.reverse_step_out()

    def run(self) -> Stop:
        """Runs to the next breakpoint or watchpoint, or to the recording's end (reason "end").

        A run does not stop where it begins. At a watchpoint it stands on the instruction that makes the access, as it
        does at a breakpoint; `Stop.access` says what the instruction does.
        """
        return self._core.run()

    def reverse_run(self) -> Stop:
        """Runs back to the last breakpoint or watchpoint before here, or to the recording's start (reason "end")."""
        return self._core.reverse_run()

    # ---- breakpoints and watchpoints ----

    def address(self, where: int | str) -> int:
        """The address of a symbol; an address is given back as it is."""
        if not isinstance(where, str):
            required_number("address", where, most=0xFFFF)
            return where
        if where not in self.symbols:
            known = ", ".join(sorted(self.symbols)[:8]) or "none: give timeline(symbols=...)"
            raise ArgumentError(f"there is no symbol {where!r}; there are {known}")
        return self.symbols[where]

    def add_breakpoint(self, where: int | str, condition: Condition | None = None) -> Breakpoint:
        """Stops runs before the instruction at an address or symbol.

        Args:
            where: The address, or its name in `symbols`.
            condition: Called with the moment; runs stop only where it gives something true.
        """
        address = self.address(where)
        number = self._core.add_breakpoint(address, self._condition(condition))
        return self._added(number, f"Breakpoint at ${address:04X}")

    def add_watchpoint(
        self,
        where: int | str | range | slice,
        access: Literal["r", "w", "rw", "change"] = "w",
        condition: Condition | None = None,
    ) -> Breakpoint:
        """Stops runs on instructions that read or write an address, a range, or the registers of a device.

        Args:
            where: An address, a range of addresses, a symbol, or the name of a device.
            access: "w" for writes (those of the same value too), "r" for reads, "rw" for both, "change" for writes of
                another value than memory holds (of a device's registers, all writes).
            condition: Called with the moment before the access, which is its `access`; runs stop only where it gives
                something true.
        """
        first, last = self._addresses(where)
        number = self._core.add_watchpoint(first, last, access, self._condition(condition))
        return self._added(number, f"Watchpoint ({access}) on ${first:04X}-${last:04X}")

    def _added(self, number: int, description: str) -> Breakpoint:
        point = Breakpoint(self._core, number, description)
        self._points.append(point)
        return point

    def clear_breakpoints(self) -> None:
        """Takes off all breakpoints and watchpoints."""
        for point in self._points:
            point.remove()
        self._points.clear()

    def _condition(self, condition: Condition | None) -> Callable[[tuple[int, int], Access | None], object] | None:
        if condition is None:
            return None
        _callable("a condition is a function that takes a moment", condition)
        core = self._core
        return lambda place, access: condition(Moment(core, place, access))

    def _addresses(self, where: int | str | range | slice) -> tuple[int, int]:
        if isinstance(where, str) and where not in self.symbols:
            try:
                return self._core.device_window(where)
            except ArgumentError as error:
                raise ArgumentError(f"{where!r} is no symbol, and no device: {error}") from None
        if isinstance(where, str):
            where = self.symbols[where]
        return address_range(where)

    # ---- events and output ----

    def run_to_event(self, kind: EventKind | None = None) -> Event | None:
        """Goes before the next event of a kind (of any, when not given) behind here; None, and nowhere, without one."""
        here, passed = self._core.place, self.ordinal
        for event in self.recording.events(kind, start=here[0]):
            if event.ordinal >= passed:
                place = self._before_event(event)
                # A run does not stop where it begins.
                if place > here:
                    self._core.go_to(place)
                    return event
        return None

    def reverse_run_to_event(self, kind: EventKind | None = None) -> Event | None:
        """Goes before the last event of a kind (of any, when not given) before here; None, and nowhere, without one."""
        here, passed = self._core.place, self.ordinal
        stop, length = here[0] + 1, 1024
        while True:
            start = max(stop - length, 0)
            for event in reversed(list(self.recording.events(kind, start=start, stop=stop))):
                if event.ordinal < passed:
                    place = self._before_event(event)
                    if place < here:
                        self._core.go_to(place)
                        return event
            if start <= self.start_icount:
                return None
            stop, length = start, length * 4

    def _before_event(self, event: Event) -> tuple[int, int]:
        """The last place at which an event has not passed."""
        return self._core.place_before_event((event.icount, event.cycles), event.ordinal)

    def run_to_output(self, text: bytes | re.Pattern[bytes]) -> bool:
        """Goes to where the console prints the end of the first `text` behind here; False, and nowhere, without one."""
        pattern = compile_pattern(text)
        here, printed = self._core.place, len(self.console_output)
        for match in pattern.finditer(self.recording.output):
            if match[0] and match.end() > printed:
                place = self._before_output(match.end())
                # A run does not stop where it begins.
                if place is not None and place > here:
                    self._core.go_to(place)
                    return True
        return False

    def reverse_run_to_output(self, text: bytes | re.Pattern[bytes]) -> bool:
        """Goes back to where the console printed the end of the last `text` before here; False without one."""
        pattern = compile_pattern(text)
        ends = [match.end() for match in pattern.finditer(self.console_output) if match[0]]
        place = self._before_output(ends[-1]) if ends else None
        if place is None:
            return False
        self._core.go_to(place)
        return True

    def _before_output(self, length: int) -> tuple[int, int] | None:
        """Before the instruction, or the transmitter's turn, that prints the byte which makes it so many."""
        found = self._core.printed_at(length)
        return None if found is None else self._core.place_before_event(*found)

    # ---- questions ----

    def last_write(self, addr: int | str, before: int | Moment | None = None) -> Access | None:
        """The last write to an address before here (or before another icount or moment).

        Writes of the same value count, and so do writes of devices and those on the way into an interrupt handler; `by`
        says whose it was. None when there was none in the recording.
        """
        address = self.address(addr)
        if before is None:
            place = None
        elif isinstance(before, Moment):
            place = self._place_of(before)
        else:
            whole_number("before", before)
            place = self._core.place_at(before, None)
        return self._core.last_write(address, place)

    def origin(self, addr: int | str, before: int | Moment | None = None) -> Origin:
        """Where the byte at an address comes from, as it stands here (or at another icount or moment): a small graph.

        The walk goes back from the last write through loads, arithmetic, transfers and the stack, to constants, bytes
        of ROM, input, and what the recording found. It follows values, not flags or decisions: a carry that was added,
        and a branch that was taken, are not in it.
        """
        address = self.address(addr)
        if before is None:
            place = self._core.place
        elif isinstance(before, Moment):
            place = (before.icount, before.cycles)
        else:
            whole_number("before", before)
            place = self._core.place_at(before, None)
        return Origin.from_rows(self._core.origin(address, place))

    def accesses(
        self,
        where: int | str | range | slice,
        access: Literal["r", "w", "rw"] = "w",
        start: int | None = None,
        stop: int | None = None,
    ) -> Accesses:
        """All accesses to an address, a range or a device with `start <= icount < stop`, as a table."""
        first, last = self._addresses(where)
        reads, writes = _kinds(access)
        for name, value in (("start", start), ("stop", stop)):
            if value is not None:
                whole_number(name, value)
        return Accesses(self._core.accesses(first, last, reads, writes, start, stop))

    def history(self, addr: int | str, start: int | None = None, stop: int | None = None) -> list[tuple[int, int]]:
        """The values that a byte of RAM has had, each with the icount of the write: [(icount, value), ...]."""
        values: list[tuple[int, int]] = []
        for row in self.accesses(self.address(addr), "w", start, stop):
            if not values or values[-1][1] != row.new:
                values.append((row.icount, row.new))
        return values

    def profile(self, start: int | None = None, stop: int | None = None) -> Profile:
        """How often each instruction with `start <= icount < stop` was executed, and how long it took."""
        for name, value in (("start", start), ("stop", stop)):
            if value is not None:
                whole_number(name, value)
        executions, cycles = self._core.profile(start, stop)
        end = self.end_icount if stop is None else min(stop, self.end_icount)
        memory = self.at(end).memory[:]
        return Profile(memoryview(executions).cast("Q"), memoryview(cycles).cast("Q"), memory, self.symbols)

    def first(self, predicate: Callable[[Moment], object]) -> Moment | None:
        """The earliest moment of the recording at which `predicate(moment)` is true; None when there is none.

        Every place is asked, from the start on: narrow a long recording with a breakpoint or watchpoint first.
        """
        _callable("the predicate is a function that takes a moment", predicate)
        core = self._core
        place = core.first(lambda place: predicate(Moment(core, place)))
        return None if place is None else Moment(core, place)


def _callable(what: str, value: object) -> None:
    if not callable(value):
        raise ArgumentError(f"{what}, and {value!r} cannot be called")


def _kinds(access: str) -> tuple[bool, bool]:
    if access not in ("r", "w", "rw"):
        raise ArgumentError(f"access is 'r', 'w' or 'rw', and not {access!r}")
    return "r" in access, "w" in access
