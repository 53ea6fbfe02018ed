"""Random travels through a recording, compared with a naive replay of it."""

from __future__ import annotations

import bisect
import collections
import random
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

import rreplay as rr
from naive_replay import BRK, JSR, PAGE, RTI, RTS, Naive, NaiveAccess, Place, Position, device_windows

INPUT_KINDS = {
    "input", "input_sync", "char_read", "block", "net", "char_read_all", "char_read_all_error", "audio_in", "random",
    "clock", "shutdown",
}  # fmt: skip
"""What a fork does not get again from its recording."""


@dataclass
class Point:
    """A breakpoint or watchpoint, and where it stops."""

    point: rr.Breakpoint
    stops: list[tuple[Position, NaiveAccess | None]]


class Traveller:
    """Goes through a recording at random, and compares each answer with the naive replay's."""

    def __init__(
        self, naive: Naive, seed: str, tmp_path: Path, *, structured: bool = False, budget: int = 256 << 20
    ) -> None:
        self.naive = naive
        self.draw = random.Random(seed)
        self.seed = seed
        self.tmp_path = tmp_path
        self.structured = structured
        self.recording = naive.recording
        self.asked = list(naive.first_places.values())
        self.windows = device_windows(tomllib.loads(self.recording.board.to_toml()))
        self.symbols = {"first": naive.places[0].registers["pc"], "zero": 0}
        self.timeline = self.recording.timeline(symbols=self.symbols, memory_budget=budget)
        self.here = naive.start
        self.points: list[Point] = []
        self.log: list[str] = []
        self.counts = collections.Counter[str]()
        self.moments: list[rr.Moment] = []
        self.files = 0

    # ---- the driver ----

    def travel(self, moves: int) -> None:
        """Makes so many random moves and questions."""
        names = [name for name in dir(self) if name.startswith(("go_", "ask_"))]
        weights = [WEIGHTS.get(name, 4) for name in names]
        try:
            for _ in range(moves):
                name = self.draw.choices(names, weights)[0]
                self.log.append(name)
                getattr(self, name)()
                self.counts[name] += 1
                self.check_here(name.startswith("go_"))
        except Exception as error:
            error.add_note(f"seed {self.seed!r}; timeline at {self.timeline!r}, should be at {self.here}")
            error.add_note("the last moves: " + "; ".join(self.log[-12:]))
            raise

    def told(self, text: object) -> None:
        self.log[-1] += f" {text}"

    def check_here(self, moved: bool) -> None:
        """The timeline stands where it should, and shows what is there."""
        assert (self.timeline.icount, self.timeline.cycles) == self.here
        if not moved and self.draw.random() < 0.8:
            return
        place = self.naive.place(self.here)
        if place is None:
            machine = self.naive.replayed(self.here)
            assert self.timeline.registers == machine.registers
            assert self.timeline.digest() == machine.digest()
            return
        assert self.timeline.registers == place.registers
        assert self.timeline.pc == place.registers["pc"]
        page = self.draw.randrange(PAGE)
        for looked in (0, 1, page):
            assert self.timeline.memory[looked * PAGE : looked * PAGE + PAGE] == place.pages[looked], looked
        assert len(self.timeline.console_output) == place.printed
        if self.draw.random() < 0.3:
            assert self.timeline.digest() == place.digest
        if self.draw.random() < 0.2:
            assert self.timeline.memory[:] == place.memory
            assert self.timeline.console_output == self.naive.output[: place.printed]

    def in_order(self) -> bool:
        """Whether the stack holds here what calls and pushes have put there."""
        return self.structured and self.here in self.naive.by_position and self.here > self.naive.stack_set

    # ---- what is drawn ----

    def any_position(self) -> Position:
        choice = self.draw.random()
        if choice < 0.08:
            return self.naive.start
        if choice < 0.16:
            return self.naive.end
        if choice < 0.3 and self.recording.snapshots:
            icount = self.draw.choice(self.recording.snapshots) + self.draw.choice((-1, 0, 0, 1))
            if icount in self.naive.first_places:
                return self.naive.first_places[icount].at
        return self.draw.choice(self.naive.positions)

    def any_icount(self) -> int:
        return self.any_position()[0]

    def any_address(self) -> int:
        """Mostly one that is accessed."""
        if self.naive.accesses and self.draw.random() < 0.9:
            return self.draw.choice(self.naive.accesses).address
        return self.draw.randrange(0x10000)

    def any_range(self) -> Any:
        first = self.any_address()
        choice = self.draw.random()
        if choice < 0.4:
            return first
        if choice < 0.5:
            return self.draw.choice(list(self.timeline.devices))
        if choice < 0.6:
            return slice(first, min(first + self.draw.choice((1, 2, 3, 17)), 0x10000))
        if choice < 0.65:
            return range(0x10000)
        if choice < 0.7:
            return "zero"
        return range(first, min(first + self.draw.choice((1, 2, 7, 64, 300)), 0x10000))

    def span(self, where: Any) -> range:
        if where == "zero":
            return range(1)
        if isinstance(where, str):
            return self.windows[where]
        if isinstance(where, slice):
            return range(where.start, where.stop)
        return range(where, where + 1) if isinstance(where, int) else where

    def accesses_to(self, where: Any, kinds: str) -> list[NaiveAccess]:
        span = self.span(where)
        return [access for access in self.naive.accesses if access.address in span and access.kind in kinds]

    # ---- going ----

    def go_seek(self) -> None:
        position = self.any_position()
        self.told(position[0])
        self.timeline.seek(position[0])
        self.here = self.naive.first_places[position[0]].at

    def go_seek_into_a_wait(self) -> None:
        waits = [icount for icount in self.naive.first_places if self.naive.wait_at(icount)]
        if not waits:
            return
        icount = self.draw.choice(waits)
        wait = self.naive.wait_at(icount)
        assert wait is not None
        cycles = self.draw.choice((wait[0], wait[0] + 1, wait[1], self.draw.randint(*wait)))
        self.told((icount, cycles))
        self.timeline.seek(icount, cycles=cycles)
        assert cycles <= self.timeline.cycles <= wait[1]
        self.here = (icount, self.timeline.cycles)

    def go_seek_to_an_access(self) -> None:
        if not self.naive.accesses:
            return
        wanted = self.draw.choice(self.naive.accesses)
        table = self.timeline.accesses(wanted.address, "rw", wanted.icount, wanted.icount + 1)
        access = next(row for row in table if same_access(row, wanted))
        self.told(access)
        self.timeline.seek(access)
        self.here = wanted.stop

    def go_seek_to_an_event(self) -> None:
        event = self.draw.choice(self.naive.events)
        self.told(event)
        self.timeline.seek(event)
        self.here = self.before_event(event)

    def go_seek_to_a_moment(self) -> None:
        if self.moments and self.draw.random() < 0.5:
            moment = self.draw.choice(self.moments)
            self.told(moment)
            self.timeline.seek(moment)
            self.here = (moment.icount, moment.cycles)
        else:
            self.moments.append(self.timeline.moment)

    def go_step(self) -> None:
        count = self.draw.choice((0, 1, 1, 1, 2, 3, 10, 100, 10**6))
        self.told(count)
        stop = self.timeline.step(count)
        if count == 0:
            assert stop.reason == "budget"
            return
        icount = self.here[0] + count
        if icount in self.naive.first_places:
            self.here = self.naive.first_places[icount].at
            assert stop.reason == "budget" or self.here == self.naive.end
        else:
            self.here = self.naive.end
            assert stop.reason == "end"
        assert (stop.icount, stop.cycles) == self.here

    def go_reverse_step(self) -> None:
        count = self.draw.choice((0, 1, 1, 1, 2, 3, 10, 100, 10**6))
        self.told(count)
        stop = self.timeline.reverse_step(count)
        if count == 0:
            assert stop.reason == "budget"
            return
        first = self.naive.first_places[self.here[0]].at
        icount = self.here[0] - count + (self.here > first)
        if icount in self.naive.first_places:
            self.here = self.naive.first_places[icount].at
            assert stop.reason == "budget" or self.here == self.naive.start
        else:
            self.here = self.naive.start
            assert stop.reason == "end"
        assert (stop.icount, stop.cycles) == self.here

    def go_step_over(self) -> None:
        place = self.naive.place(self.here)
        if not self.in_order() or place is None:
            return
        stop = self.timeline.step_over()
        following = self.naive.after(self.here)
        if following is not None and self.naive.opcode(place) in (JSR, BRK):
            following = self.naive.over(self.here) or self.naive.end
        elif following is not None and following[0] == self.here[0]:
            following = self.naive.after(following)
        self.here = following or self.naive.end
        assert (stop.icount, stop.cycles) == self.here

    def go_step_out(self) -> None:
        if not self.in_order():
            return
        self.told(self.timeline.step_out())
        self.here = self.naive.out(self.here) or self.naive.end

    def go_reverse_step_out(self) -> None:
        if not self.in_order() or self.here != self.naive.first_places[self.here[0]].at:
            return  # or behind a wait
        called = self.naive.called(self.here)
        if not self.naive.is_plain_call(called or self.naive.start, self.here):
            return
        self.told(self.timeline.reverse_step_out())
        self.here = called or self.naive.start

    def go_reverse_step_over(self) -> None:
        if not self.in_order():
            return
        to = self.naive.before(self.here)
        if to is not None and to[0] < self.here[0]:
            ended = self.naive.opcode(self.naive.by_position[to])
            if ended == RTI:
                return  # what was interrupted may have moved the stack pointer
            if ended == RTS:
                called = self.naive.called(to) or self.naive.start
                if not self.naive.is_plain_call(called, to):
                    return
                to = called
            to = self.naive.first_places[to[0]].at
        self.told(self.timeline.reverse_step_over())
        self.here = to or self.here

    # ---- breakpoints and watchpoints ----

    def ask_for_a_breakpoint(self) -> None:
        if not self.naive.executed or len(self.points) > 5:
            return
        address = self.draw.choice(self.naive.executed).address
        if self.draw.random() < 0.1:
            address = self.draw.randrange(0x10000)
        where: int | str = address
        if self.draw.random() < 0.1:
            where, address = "first", self.symbols["first"]
        at_address = (event for event in self.naive.executed if event.address == address)
        stops = [(event.icount, event.cycles) for event in at_address]
        condition: Callable[[rr.Moment], object] | None = None
        mask = 1 << self.draw.randrange(8)
        choice = self.draw.random()
        if choice < 0.3:
            register = self.draw.choice(("a", "x", "y", "sp", "p"))
            stops = [at for at in stops if self.naive.by_position[at].registers[register] & mask]
            condition = register_has(register, mask)
        elif choice < 0.5:
            looked = self.any_address()
            stops = [at for at in stops if self.naive.by_position[at].byte(looked) & mask]
            condition = byte_has(looked, mask)
        point = self.timeline.add_breakpoint(where, condition)
        self.told((point, condition is not None))
        self.points.append(Point(point, [(at, None) for at in stops]))

    def ask_for_a_watchpoint(self) -> None:
        if len(self.points) > 5:
            return
        where, kinds = self.any_range(), self.draw.choice(("r", "w", "rw"))
        found = self.accesses_to(where, kinds)
        condition: Callable[[rr.Moment], object] | None = None
        choice = self.draw.random()
        if choice < 0.3 and found and all(access.pc is not None for access in found):
            value = self.draw.choice(found).new
            found = [access for access in found if access.new == value]
            condition = access_is(value)
        elif choice < 0.5 and found:
            late = self.draw.choice(found).icount
            found = [access for access in found if access.stop[0] >= late]
            condition = from_icount(late)
        if any(address in self.naive.foreign for address in self.span(where)):
            return
        point = self.timeline.add_watchpoint(where, kinds, condition)  # type: ignore[arg-type]
        self.told((point, where, kinds, condition is not None))
        self.points.append(Point(point, [(access.stop, access) for access in found]))

    def ask_for_fewer_points(self) -> None:
        if self.points and self.draw.random() < 0.7:
            point = self.points.pop(self.draw.randrange(len(self.points)))
            point.point.remove()
        elif self.draw.random() < 0.2:
            self.timeline.clear_breakpoints()
            self.points.clear()

    def go_run(self) -> None:
        self._stopped(self.timeline.run(), min, lambda position: position > self.here, self.naive.end)

    def go_reverse_run(self) -> None:
        self._stopped(self.timeline.reverse_run(), max, lambda position: position < self.here, self.naive.start)

    def _stopped(
        self,
        stop: rr.Stop,
        choose: Callable[..., Position],
        counts: Callable[[Position], bool],
        limit: Position,
    ) -> None:
        self.told(stop)
        stops = [
            (at, access, point)
            for point in self.points
            for at, access in point.stops
            if counts(at)
            and (choose is min or access is None or self.here in self.naive.by_position or access.cycles < self.here[1])
        ]
        self.here = choose((at for at, _, _ in stops), default=limit)
        assert (stop.icount, stop.cycles) == self.here
        hits = [(access, point.point.number) for at, access, point in stops if at == self.here]
        place = self.naive.by_position[self.here]
        assert stop.pc == place.registers["pc"]
        if not hits:
            assert (stop.reason, stop.access, stop.point) == ("end", None, None)
            return
        if stop.reason == "breakpoint":
            assert (None, stop.point) in hits
            assert stop.access is None
            return
        assert stop.reason == "watchpoint"
        found = stop.access
        assert found is not None
        assert any(
            access is not None and number == stop.point and same_access(found, access) for access, number in hits
        ), (found, hits)

    # ---- events and output ----

    def passed(self, at: Position) -> int:
        """Events that have passed at a place: those before its cycle, and of those at it as many as the replay says."""
        passed = self.timeline._core.events_passed(at)
        cycles = [event.cycles for event in self.naive.events]
        assert bisect.bisect_left(cycles, at[1]) <= passed <= bisect.bisect_right(cycles, at[1])
        return passed

    def before_event(self, event: rr.Event) -> Position:
        """The last place at which an event has not passed, or the first of all."""
        places = self.naive.positions
        behind = bisect.bisect_right(places, event.ordinal, key=self.passed)
        return places[max(behind - 1, 0)]

    def any_kind(self) -> Any:
        kinds = sorted({str(event.kind) for event in self.naive.events})
        return self.draw.choice([*kinds, "audio_in", "clock", None])

    def go_to_an_event(self) -> None:
        kind = self.any_kind()
        passed = self.passed(self.here)
        found = self.timeline.run_to_event(kind)
        self.told((kind, found))
        wanted = (event for event in self.naive.events[passed:] if kind in (None, event.kind))
        behind = next((event for event in wanted if self.before_event(event) > self.here), None)
        assert found == behind
        if behind is not None:
            self.here = self.before_event(behind)

    def go_back_to_an_event(self) -> None:
        kind = self.any_kind()
        passed = self.passed(self.here)
        found = self.timeline.reverse_run_to_event(kind)
        self.told((kind, found))
        wanted = (event for event in reversed(self.naive.events[:passed]) if kind in (None, event.kind))
        before = next((event for event in wanted if self.before_event(event) < self.here), None)
        assert found == before
        if before is not None:
            self.here = self.before_event(before)

    def any_text(self) -> bytes | re.Pattern[bytes]:
        output = self.naive.output
        if not output or self.draw.random() < 0.1:
            return self.draw.choice((b"never printed", re.compile(rb"never printed")))
        at = self.draw.randrange(len(output))
        text = output[at : at + self.draw.choice((1, 1, 2, 5))]
        return text if self.draw.random() < 0.7 else re.compile(re.escape(text))

    def go_to_output(self) -> None:
        text = self.any_text()
        self.told(text)
        printed = self.printed()
        pattern = re.compile(re.escape(text)) if isinstance(text, bytes) else text
        ends = [match.end() for match in pattern.finditer(self.naive.output)]
        ends = [end for end in ends if end > printed and end > self.naive.places[0].printed]
        # A run does not stop where it begins.
        end = next((end for end in ends if self.printing(end) > self.here), None)
        assert self.timeline.run_to_output(text) is (end is not None)
        if end is not None:
            self.here = self.printing(end)

    def go_back_to_output(self) -> None:
        text = self.any_text()
        self.told(text)
        pattern = re.compile(re.escape(text)) if isinstance(text, bytes) else text
        ends = [match.end() for match in pattern.finditer(self.naive.output[: self.printed()])]
        ends = [end for end in ends if end > self.naive.places[0].printed]
        assert self.timeline.reverse_run_to_output(text) is bool(ends)
        if ends:
            self.here = self.printing(ends[-1])

    def printed(self) -> int:
        place = self.naive.place(self.here)
        return place.printed if place else len(self.naive.replayed(self.here).console.output)

    def printing(self, length: int) -> Position:
        """The last place at which the console has printed less."""
        number = next(n for n, place in enumerate(self.naive.places) if place.printed >= length)
        return self.naive.positions[number - 1]

    # ---- questions ----

    def ask_at(self) -> None:
        position = self.any_position()
        moment = self.timeline.at(position[0])
        place = self.naive.first_places[position[0]]
        assert (moment.icount, moment.cycles) == place.at
        assert moment.registers == place.registers
        assert moment.pc == place.registers["pc"]
        assert moment.digest() == place.digest
        assert moment.memory[:] == place.memory
        address = self.any_address()
        assert moment.memory[address] == place.byte(address)
        assert moment.console_output == self.naive.output[: place.printed]

    def ask_all_at(self) -> None:
        position = self.naive.first_places[self.any_icount()].at
        moment = self.timeline.at(position[0])
        machine = self.naive.replayed(position)
        assert moment.snapshot() == machine.snapshot()
        assert moment.digests() == machine.digests()
        assert {name: device.state for name, device in moment.devices.items()} == {
            name: device.state for name, device in machine.devices.items()
        }
        assert moment.disassemble(count=5) == machine.disassemble(count=5)

    def ask_last_write(self) -> None:
        address = self.any_address()
        if address in self.naive.foreign:
            return
        before: Any = None
        at = self.here
        choice = self.draw.random()
        if choice < 0.5:
            at = self.naive.first_places[self.any_icount()].at
            before = at[0] if choice < 0.25 else self.timeline.at(at[0])
        elif self.naive.place(at) is None:
            return
        self.told((hex(address), before))
        found = self.timeline.last_write(address, before=before)
        made = self.naive.by_position[at].accesses
        writes = [a for a in self.naive.accesses[:made] if a.kind == "w" and a.address == address]
        if not writes:
            assert found is None, found
        else:
            assert found is not None
            assert same_access(found, writes[-1]), (found, writes[-1])

    def ask_accesses(self) -> None:
        where, kinds = self.any_range(), self.draw.choice(("r", "w", "rw"))
        start, stop = sorted((self.any_icount(), self.any_icount()))
        bounds: dict[str, int] = {}
        if self.draw.random() < 0.7:
            bounds["start"] = start
        if self.draw.random() < 0.7:
            bounds["stop"] = stop + self.draw.choice((0, 0, 0, 1, 10**9))
        self.told((where, kinds, bounds))
        table = self.timeline.accesses(where, kinds, **bounds)  # type: ignore[arg-type]
        wanted = [
            access
            for access in self.accesses_to(where, kinds)
            if bounds.get("start", 0) <= access.icount < bounds.get("stop", 1 << 62)
        ]
        rows = [row for row in table if row.by in ("cpu", "interrupt") or row.address not in self.naive.foreign]
        assert len(rows) == len(wanted)
        for row, access in zip(rows, wanted, strict=True):
            assert same_access(row, access), (row, access)
        frame = pl.DataFrame(table)
        for column in rr.Accesses.COLUMNS:
            values = [getattr(row, column) for row in table]
            assert frame[column].to_list() == values
            assert table[column].tolist() == [-1 if value is None else value for value in values]

    def ask_history(self) -> None:
        address = self.any_address()
        if address in self.naive.foreign:
            return
        values: list[tuple[int, int]] = []
        for access in self.accesses_to(address, "w"):
            if not values or values[-1][1] != access.new:
                values.append((access.icount, access.new))
        assert self.timeline.history(address) == values

    def ask_first(self) -> None:
        register = self.draw.choice(("a", "x", "y", "sp", "p", "pc"))
        value = self.draw.choice(self.asked).registers[register]
        found = self.timeline.first(lambda moment: moment.registers[register] == value)
        self.told((register, value, found))
        self.is_first(found, lambda place: place.registers[register] == value)

    def ask_first_in_memory(self) -> None:
        address = self.any_address()
        value = self.draw.choice(self.asked).byte(address)
        found = self.timeline.first(lambda moment: moment.memory[address] == value)
        self.told((address, value, found))
        self.is_first(found, lambda place: place.byte(address) == value)

    def is_first(self, found: rr.Moment | None, wanted: Callable[[Place], bool]) -> None:
        """It is the first place of all that is wanted, behind a wait too."""
        assert found is not None
        first = next(place.at for place in self.naive.places if wanted(place))
        assert (found.icount, found.cycles) == first

    def ask_profile(self) -> None:
        start, stop = sorted((self.any_icount(), self.any_icount()))
        if start == stop:
            return
        self.told((start, stop))
        profile = self.timeline.profile(start, stop)
        executed = [event for event in self.naive.executed if start <= event.icount < stop]
        assert profile.coverage == collections.Counter(event.address for event in executed)
        cycles = collections.Counter[int]()
        ends = [event.cycles for event in executed[1:]] + [self.naive.first_places[stop].cycles]
        for event, end in zip(executed, ends, strict=True):
            cycles[event.address] += end - event.cycles
        assert {at: count for at, count in enumerate(profile.cycles) if count} == dict(cycles)
        routines = profile.routines
        assert sum(routine.instructions for routine in routines) == len(executed)

    def ask_fork(self) -> None:
        position = self.naive.first_places[self.any_icount()].at
        self.told(position)
        moment = self.timeline.at(position[0])
        fork = moment.fork()
        place = self.naive.by_position[position]
        assert (fork.icount, fork.cycles) == position
        assert fork.digest() == place.digest
        assert fork.console.output == self.naive.output[: place.printed]
        outside = [
            event.icount
            for event in self.naive.events
            if event.kind in INPUT_KINDS or event.payload.get("interrupt") == "reset"
        ]
        following = min((icount for icount in outside if icount >= position[0]), default=self.naive.end[0])
        steps = min(following - 1 - position[0], self.draw.randrange(200))
        self.files += 1
        path = self.tmp_path / f"fork{self.files}.rreplay"
        with fork.record(path):
            if steps > 0:
                fork.run(instructions=steps)
                there = self.naive.first_places[position[0] + steps]
                if self.recording.info()["chaos"] is None:
                    assert fork.registers == there.registers, steps
                    assert fork.memory[:] == there.memory
            fork.run(instructions=50)
        forked = rr.open(path)
        assert forked.verify().ok
        lineage = forked.info()["lineage"]
        assert lineage == {
            "parent": self.recording.info()["identity"],
            "icount": position[0],
            "cycles": position[1],
        }
        assert moment.digest() == place.digest
        path.unlink()

    def ask_cut(self) -> None:
        start, stop = sorted((self.any_icount(), self.any_icount()))
        if start == stop:
            return
        self.told((start, stop))
        self.files += 1
        path = self.tmp_path / f"cut{self.files}.rreplay"
        part = self.recording.cut(start, stop, path)
        first, last = self.naive.first_places[start], self.naive.first_places[stop]
        if stop == self.naive.end[0]:
            last = self.naive.places[-1]
        assert (part.start_icount, part.icount) == (start, stop)
        assert part.complete
        assert part.verify().ok
        assert part.output == self.naive.output[first.printed : last.printed]
        timeline = part.timeline()
        assert timeline.digest() == first.digest
        timeline.run()
        assert (timeline.icount, timeline.cycles) == last.at == (part.icount, part.cycles)
        assert timeline.registers == last.registers
        assert timeline.memory[:] == last.memory
        middle = self.draw.randint(start, stop)
        assert timeline.at(middle).digest() == self.naive.first_places[middle].digest
        path.unlink()

    def ask_ordinal(self) -> None:
        least = bisect.bisect_left(self.naive.event_cycles, self.here[1])
        most = bisect.bisect_right(self.naive.event_cycles, self.here[1])
        assert least <= self.timeline.ordinal <= most


WEIGHTS = {
    "go_seek": 10, "go_step": 12, "go_reverse_step": 12, "go_run": 14, "go_reverse_run": 14, "ask_cut": 1,
    "ask_fork": 1, "ask_first": 1, "ask_first_in_memory": 1, "ask_all_at": 2, "ask_accesses": 3,
    "ask_for_a_breakpoint": 6, "ask_for_a_watchpoint": 6,
}  # fmt: skip


def register_has(register: str, mask: int) -> Callable[[rr.Moment], object]:
    return lambda moment: moment.registers[register] & mask


def byte_has(address: int, mask: int) -> Callable[[rr.Moment], object]:
    return lambda moment: moment.memory[address] & mask


def access_is(value: int) -> Callable[[rr.Moment], object]:
    return lambda moment: moment.access is not None and moment.access.new == value


def from_icount(icount: int) -> Callable[[rr.Moment], object]:
    return lambda moment: moment.icount >= icount


def same_access(found: rr.Access, wanted: NaiveAccess) -> bool:
    """Whether an access of a timeline is that which a hook saw."""
    seen = (found.kind, found.icount, found.cycles, found.address, found.new, found.pc, found.by == "cpu")
    hooked = (wanted.kind, wanted.icount, wanted.cycles, wanted.address, wanted.new, wanted.pc, wanted.pc is not None)
    return seen == hooked and wanted.old in (None, found.old)
