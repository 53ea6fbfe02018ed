"""Time travel: a recording to move in, and to question."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from . import _core
from ._arguments import BYTES_MAX, BytesLike, address_range, choice, function, instance, made_elsewhere, whole
from ._arguments import address as address_of
from ._arguments import path as path_of
from ._copying import Part
from ._files import read_ordinary
from ._places import Places, Where, event_kind
from ._progress import Hearer, Progress, ProgressLike, hearer_of, of_long_calls
from ._shown import shown, shown_path
from .console import compiled, pattern_of
from .errors import ArgumentError
from .memory import Memory
from .moments import Moment, Past, PastDevices
from .origin import Origin, from_rows
from .tables import Accesses, Profile, Routine

if TYPE_CHECKING:
    from ._core import Access, Event, Instruction, Stop
    from .recording import Recording
    from .vocabulary import EventKind

__all__ = ["Accesses", "Breakpoint", "Moment", "Profile", "Routine", "Symbols", "Timeline"]

MEMORY_BUDGET = 256 << 20
"""Bytes of states that a timeline keeps in memory unless told otherwise."""

Symbols: TypeAlias = "Mapping[str, int] | str | os.PathLike[str]"
"""Names of addresses: a mapping, or a VICE label file, as `ld65 -Ln` writes it."""

Condition: TypeAlias = "Callable[[Moment], object]"
"""Asked at each place where a run might stop; it stops where the answer is true."""

SYMBOLS_BYTES_MAX = 16 << 20
"""No label file is longer; a larger one is not read."""

_LABEL = re.compile(r"^al\s+(?:C:)?([0-9A-Fa-f]{1,6})\s+\.?(\S+)\s*$")


def read_symbols(symbols: Symbols | None) -> dict[str, int]:
    """The names and addresses of a mapping or a label file."""
    if symbols is None:
        return {}
    if isinstance(symbols, Mapping):
        return {_name(name): address_of(f"the symbol {shown(name)}", value) for name, value in symbols.items()}
    if not isinstance(symbols, str | bytes | os.PathLike):
        raise ArgumentError(
            f"symbols are a mapping of names to addresses or a label file, and {shown(symbols)} is neither"
        )
    path = Path(path_of("symbols", symbols))
    try:
        content = read_ordinary(path, SYMBOLS_BYTES_MAX)
    except OSError as error:
        raise ArgumentError(f"{shown_path(path)}: the label file cannot be read: {error.strerror}") from None
    if len(content) > SYMBOLS_BYTES_MAX:
        raise ArgumentError(f"{shown_path(path)} is over {SYMBOLS_BYTES_MAX} bytes; is it a label file?")
    found = (_LABEL.match(line) for line in content.decode("utf-8", errors="replace").splitlines())
    labels = {match[2]: int(match[1], 16) & 0xFFFF for match in found if match}
    if not labels:
        raise ArgumentError(
            f"{shown_path(path)}: there is no label in it; a label file has lines such as: al 00C000 .start"
        )
    return labels


def _name(name: object) -> str:
    if isinstance(name, str):
        return name
    raise ArgumentError(f"symbols are a mapping of names to addresses, and {shown(name)} is no name")


class Breakpoint(Part):
    """A breakpoint or watchpoint of a timeline; `remove()` takes it off."""

    __slots__ = ("_core", "_description", "_number")

    _instead = "add it again, to the timeline that is meant"

    def __init__(self, core: _core.TimelineCore, number: int, description: str) -> None:
        made_elsewhere(self, isinstance(core, _core.TimelineCore), "timeline.add_breakpoint(address) returns one")
        self._core = core
        self._number = number
        self._description = description

    @property
    def number(self) -> int:
        """What a `Stop` has as its `point`."""
        return self._number

    @property
    def description(self) -> str:
        """Where it stops."""
        return self._description

    def __repr__(self) -> str:
        return f"<{self.description}>"

    def remove(self) -> None:
        """Takes it off; a second time does nothing."""
        self._core.remove_point(self.number)


class Timeline(Part):
    """A recording to move in: any moment at once, backwards as easily as forwards. Moving changes nothing.

    A timeline stands at a place where an instruction is about to be executed, or where the processor waits. There is
    one for each number of instructions retired: behind the interrupt sequence, if one comes there, and with all that is
    due done. An operation that raises, or finds nothing, leaves the timeline where it was.

    Where a method takes a place, that is an icount, or a moment, event, access or stop of the same recording: those of
    another recording are refused. A method that takes `progress` calls it with the instructions that are done and all
    that there may be to do, and lastly with twice the same number; True shows a bar on standard error.

    Args:
        recording: What to move in.
        rom: As for `Recording.replay`.
        symbols: Names for addresses: a mapping, or a VICE label file, as `ld65 -Ln` writes it.
        memory_budget: Bytes that may be spent on states near the places visited.

    Raises:
        Divergence: From any method, when the replay does not do what the recording says.
    """

    _instead = "it stands at one place at a time; recording.timeline() is another one, and timeline.moment stays"

    def __init__(
        self,
        recording: Recording,
        *,
        rom: Any = None,
        symbols: Symbols | None = None,
        memory_budget: int = MEMORY_BUDGET,
    ) -> None:
        from .recording import Recording  # which imports this

        self.recording: Recording = instance("recording", recording, Recording, "an opened recording")
        self.symbols = read_symbols(symbols)
        self._core = recording._timeline_core(rom, whole("memory_budget", memory_budget))
        self._places = Places(self._core, recording._file)
        self._points: list[Breakpoint] = []
        self._on_progress: Hearer | None = None

    def __repr__(self) -> str:
        return f"<Timeline of {self.recording.path} at icount {self.icount}: pc ${self.pc:04X}>"

    def on_progress(self, callback: Hearer | None) -> None:
        """Calls `callback(done, total)` during long operations, about every 250,000 instructions that they replay.

        As `progress` of one call, for all that take it and are not over at once. What it raises ends the operation.
        None: nobody is called any more.
        """
        if callback is not None:
            function("on_progress", callback, "what is done and what there is in all")
        self._on_progress = callback

    def _hearer(self, progress: object, title: str) -> Hearer | None:
        told = hearer_of(progress, title)
        if told is None and progress is None and self._on_progress is not None:
            return of_long_calls(self._on_progress)
        return told

    @property
    def verified(self) -> bool:
        """Whether `recording.verify()` has found the whole recording to be right, in this process.

        Before that a timeline trusts what the file's snapshots hold and say of the run: a file that somebody has forged
        can make it answer wrongly, or find nothing. Where a question replays a part of the run, that part is compared
        with the file all the same, and a difference raises `Divergence` or `DamagedLog`.
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
        return Memory(Past(self._core, lambda: self._core.place))

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

    def at(self, icount: Where, cycles: int | None = None, *, progress: ProgressLike = None) -> Moment:
        """The moment at which `icount` instructions have just retired; the timeline stays where it is.

        Args:
            icount: Instructions retired; or an event or access, for the last moment before it, or a stop.
            cycles: The first place at or behind this cycle, where the processor waits.
            progress: As for all; see the class.

        Raises:
            ArgumentError: It is not in the recording.
        """
        return Moment(self._core, self._places.place("icount", icount, cycles, self._hearer(progress, "seeking")))

    def _icount(self, name: str, where: object) -> int:
        return self._places.icount(name, where)

    def _here_or(self, name: str, where: object) -> tuple[int, int]:
        return self._core.place if where is None else self._places.place(name, where)

    # ---- going ----

    def seek(self, target: Where, *, cycles: int | None = None, progress: ProgressLike = None) -> None:
        """Goes to where so many instructions have just retired, to a moment or stop, or before an access or event.

        Args:
            target: Instructions retired, or what to go to.
            cycles: With a number of instructions at which the processor waits: the first place in the wait at or behind
                this cycle.
            progress: As for all; see the class.

        Raises:
            ArgumentError: It is not in the recording, or of another one.
        """
        hearer = self._hearer(progress, "seeking")
        # To know a moment's place takes no time, to go there does; of all else it is the other way round.
        is_known = isinstance(target, Moment)
        place = self._places.place("target", target, cycles, None if is_known else hearer)
        self._core.go_to(place, hearer if is_known else None)

    def step(self, n: int = 1, *, progress: ProgressLike = None) -> Stop:
        """Executes `n` instructions, or as many as there are."""
        return self._core.step(whole("n", n), self._hearer(progress, "stepping"))

    def reverse_step(self, n: int = 1, *, progress: ProgressLike = None) -> Stop:
        """Goes back by `n` instructions, or to the start. From behind a wait the first step goes before it."""
        return self._core.reverse_step(whole("n", n), self._hearer(progress, "stepping back"))

    def step_over(self, *, progress: ProgressLike = None) -> Stop:
        """Executes one instruction, and the whole subroutine if it calls one."""
        return self._core.step_over(self._hearer(progress, "stepping over"))

    def reverse_step_over(self, *, progress: ProgressLike = None) -> Stop:
        """Goes back by one instruction, and before the call of a subroutine that it has ended."""
        return self._core.reverse_step_over(self._hearer(progress, "stepping back"))

    def step_out(self, *, progress: ProgressLike = None) -> Stop:
        """Runs until the current subroutine or interrupt handler has returned."""
        return self._core.step_out(self._hearer(progress, "stepping out"))

    def reverse_step_out(self, *, progress: ProgressLike = None) -> Stop:
        """Goes back to where the current subroutine was called, or its handler entered."""
        return self._core.reverse_step_out(self._hearer(progress, "stepping back"))

    def run(self, *, progress: ProgressLike = None) -> Stop:
        """Runs to the next breakpoint or watchpoint, or to the recording's end (reason "end").

        A run does not stop where it begins. At a watchpoint it stands on the instruction that makes the access, as it
        does at a breakpoint; `Stop.access` says what the instruction does.
        """
        return self._core.run(self._hearer(progress, "running"))

    def reverse_run(self, *, progress: ProgressLike = None) -> Stop:
        """Runs back to the last breakpoint or watchpoint before here, or to the recording's start (reason "end")."""
        return self._core.reverse_run(self._hearer(progress, "running back"))

    # ---- breakpoints and watchpoints ----

    def address(self, where: int | str) -> int:
        """The address of a symbol; an address is given back as it is."""
        if not isinstance(where, str):
            return address_of("address", where)
        if where not in self.symbols:
            known = ", ".join(name[:40] for name in sorted(self.symbols)[:8]) or "none: give timeline(symbols=...)"
            raise ArgumentError(f"there is no symbol {shown(where)}; there are {known}")
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
        access = choice("access", access, ("r", "w", "rw", "change"))  # type: ignore[assignment]
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
        function("a condition", condition, "a moment")
        core = self._core
        return lambda place, access: condition(Moment(core, place, access))

    def _addresses(self, where: int | str | range | slice) -> tuple[int, int]:
        if isinstance(where, str) and where not in self.symbols:
            devices = dict(self._core.device_names())
            if where not in devices:
                known = ", ".join(devices) or "none at all"
                raise ArgumentError(
                    f'{shown(where)} is no symbol, and the board has no device "{where[:40]}"; it has {known}'
                )
            return self._core.device_window(where)
        if isinstance(where, str):
            where = self.symbols[where]
        return address_range("where", where)

    # ---- events and output ----

    def run_to_event(self, kind: EventKind | None = None, *, progress: ProgressLike = None) -> Event | None:
        """Goes before the next event of a kind (of any, when not given) behind here; None, and nowhere, without one."""
        event_kind(kind)
        here, passed = self._core.place, self.ordinal
        way = Progress(self._hearer(progress, "running"), self.end_icount - here[0])
        found = None
        for event in self.recording.events(kind, start=here[0]):
            if event.ordinal >= passed:
                place = self._before_event(event)
                way.reach(event.icount - here[0])
                # A run does not stop where it begins.
                if place > here:
                    self._core.go_to(place, None)
                    found = event
                    break
        way.finish()
        return found

    def reverse_run_to_event(self, kind: EventKind | None = None, *, progress: ProgressLike = None) -> Event | None:
        """Goes before the last event of a kind (of any, when not given) before here; None, and nowhere, without one."""
        event_kind(kind)
        here = self._core.place
        way = Progress(self._hearer(progress, "running back"), here[0] - self.start_icount)
        found = self._last_event(kind, here, way)
        if found is not None:
            self._core.go_to(self._before_event(found), None)
        way.finish()
        return found

    def _last_event(self, kind: EventKind | None, here: tuple[int, int], way: Progress) -> Event | None:
        passed = self.ordinal
        stop, length = here[0] + 1, 1024
        while True:
            start = max(stop - length, 0)
            for event in reversed(list(self.recording.events(kind, start=start, stop=stop))):
                if event.ordinal < passed and self._before_event(event) < here:
                    return event
            if start <= self.start_icount:
                return None
            way.reach(here[0] - start)
            stop, length = start, length * 4

    def _before_event(self, event: Event) -> tuple[int, int]:
        """The last place at which an event of this recording has not passed."""
        return self._core.place_before_event((event.icount, event.cycles), event.ordinal, None)

    def run_to_output(self, text: BytesLike | re.Pattern[bytes], *, progress: ProgressLike = None) -> bool:
        """Goes to where the console prints the end of the first `text` behind here; False, and nowhere, without one."""
        pattern = compiled(pattern_of("text", text, most=BYTES_MAX))
        here, printed = self._core.place, len(self.console_output)
        way = Progress(self._hearer(progress, "running"), self.end_icount - here[0])
        found = False
        for match in pattern.finditer(self.recording.output):
            if match[0] and match.end() > printed:
                place = self._before_output(match.end())
                # A run does not stop where it begins.
                if place is not None and place > here:
                    self._core.go_to(place, way.part(place[0] - here[0]))
                    found = True
                    break
        way.finish()
        return found

    def reverse_run_to_output(self, text: BytesLike | re.Pattern[bytes], *, progress: ProgressLike = None) -> bool:
        """Goes back to where the console printed the end of the last `text` before here; False without one."""
        pattern = compiled(pattern_of("text", text, most=BYTES_MAX))
        hearer = self._hearer(progress, "running back")
        ends = [match.end() for match in pattern.finditer(self.console_output) if match[0]]
        place = self._before_output(ends[-1]) if ends else None
        if place is None:
            Progress(hearer, 1).finish()
            return False
        self._core.go_to(place, hearer)
        return True

    def _before_output(self, length: int) -> tuple[int, int] | None:
        """Before the instruction, or the transmitter's turn, that prints the byte which makes it so many."""
        found = self._core.printed_at(length)
        return None if found is None else self._core.place_before_event(*found, None)

    # ---- questions ----

    def last_write(
        self, addr: int | str, before: Where | None = None, *, progress: ProgressLike = None
    ) -> Access | None:
        """The last write to an address before here (or before another place).

        Writes of the same value count, and so do writes of devices and those on the way into an interrupt handler; `by`
        says whose it was. None when there was none in the recording.
        """
        address, place = self.address(addr), self._here_or("before", before)
        return self._core.last_write(address, place, self._hearer(progress, "searching"))

    def origin(self, addr: int | str, before: Where | None = None, *, progress: ProgressLike = None) -> Origin:
        """Where the byte at an address comes from, as it stands here (or at another place): a small graph.

        The walk goes back from the last write through loads, arithmetic, transfers and the stack, to constants, bytes
        of ROM, input, and what the recording found. It follows values, not flags or decisions: a carry that was added,
        and a branch that was taken, are not in it.
        """
        address, place = self.address(addr), self._here_or("before", before)
        return from_rows(self._core.origin(address, place, self._hearer(progress, "searching")))

    def accesses(
        self,
        where: int | str | range | slice,
        access: Literal["r", "w", "rw"] = "w",
        start: Where | None = None,
        stop: Where | None = None,
        *,
        progress: ProgressLike = None,
    ) -> Accesses:
        """All accesses to an address, a range or a device with `start <= icount < stop`, as a table."""
        first, last = self._addresses(where)
        kinds = choice("access", access, ("r", "w", "rw"))
        since, until = self._bounds(start, stop)
        hearer = self._hearer(progress, "searching")
        return Accesses(self._core.accesses(first, last, "r" in kinds, "w" in kinds, since, until, hearer))

    def _bounds(self, start: object, stop: object) -> tuple[int | None, int | None]:
        since = None if start is None else self._icount("start", start)
        return since, None if stop is None else self._icount("stop", stop)

    def history(
        self,
        addr: int | str,
        start: Where | None = None,
        stop: Where | None = None,
        *,
        progress: ProgressLike = None,
    ) -> list[tuple[int, int]]:
        """The values that a byte of RAM has had, each with the icount of the write: [(icount, value), ...]."""
        values: list[tuple[int, int]] = []
        for row in self.accesses(self.address(addr), "w", start, stop, progress=progress):
            if not values or values[-1][1] != row.new:
                values.append((row.icount, row.new))
        return values

    def profile(
        self, start: Where | None = None, stop: Where | None = None, *, progress: ProgressLike = None
    ) -> Profile:
        """How often each instruction with `start <= icount < stop` was executed, and how long it took."""
        since, until = self._bounds(start, stop)
        executions, cycles = self._core.profile(since, until, self._hearer(progress, "counting"))
        end = self.end_icount if until is None else min(until, self.end_icount)
        memory = self.at(end).memory[:]
        return Profile(memoryview(executions).cast("Q"), memoryview(cycles).cast("Q"), memory, self.symbols)

    def first(self, predicate: Callable[[Moment], object], *, progress: ProgressLike = None) -> Moment | None:
        """The earliest moment of the recording at which `predicate(moment)` is true; None when there is none.

        Every place is asked, from the start on: narrow a long recording with a breakpoint or watchpoint first.
        """
        function("the predicate", predicate, "a moment")
        core = self._core
        place = core.first(lambda place: predicate(Moment(core, place)), self._hearer(progress, "searching"))
        return None if place is None else Moment(core, place)
