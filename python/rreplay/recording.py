"""A recording: opened, looked into, replayed and verified."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _core
from ._sources import RomSource, resolve_images
from .errors import ArgumentError, StateError
from .machine import Machine, required_number, whole_number
from .timeline import MEMORY_BUDGET, Timeline

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from ._core import Board, Event, Verification
    from .timeline import Symbols
    from .vocabulary import EventKind, Scheduler

__all__ = ["Events", "LiveRecording", "Recording", "open"]


class Events:
    """The events of a recording as a table, for whatever takes Arrow streams: `polars.DataFrame(recording.to_arrow())`.

    A row is an event: its icount, cycles, ordinal and kind, and a column for each attribute that events have, null
    where this one has it not (`samples` are lists; the digests are left out). The file is read anew each time.
    """

    __slots__ = ("_columns",)

    def __init__(self, columns: _core.EventColumns) -> None:
        self._columns = columns

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The table as an Arrow C stream."""
        return self._columns.arrow_c_stream()


class Recording:
    """A file that holds one run. Opening it executes nothing.

    Args:
        path: The file.
        salvage: Open a damaged or truncated file up to its last good part, instead of raising.

    Raises:
        NotARecording: The file is something else, or of an unknown format version.
        DamagedLog: The file is damaged, and `salvage` is off; the error says what is left.
        LogError: The file cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str], *, salvage: bool = False) -> None:
        self._opened: _core.RecordingFile | None = _core.RecordingFile(os.fspath(path), salvage)

    @property
    def _file(self) -> _core.RecordingFile:
        assert self._opened is not None
        return self._opened

    def __repr__(self) -> str:
        state = "" if self.complete else ", incomplete"
        return f"<Recording {self.path}: {self.machine or self.board.name}, {self.icount} instructions{state}>"

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    @property
    def board(self) -> Board:
        """The board that was recorded.

        Raises:
            StateError: It was a machine of its own (see `machine`), which only `Replay.play` replays.
        """
        return self._file.board

    @property
    def machine(self) -> str | None:
        """The name of the machine that `Replay.record` recorded; None for a recording of a board."""
        return self._file.machine

    @property
    def start_icount(self) -> int:
        """Instructions that the machine had retired when the recording began."""
        return self._file.start[0]

    @property
    def icount(self) -> int:
        """Instructions that the machine had retired when the recording ended."""
        return self._file.end[0]

    @property
    def cycles(self) -> int:
        """Clock cycles that had passed when the recording ended."""
        return self._file.end[1]

    @property
    def duration(self) -> float:
        """Virtual seconds from the recording's start to its end."""
        return (self._file.end[1] - self._file.start[1]) / self._file.clock_hz

    @property
    def complete(self) -> bool:
        """Whether the recording was finished; False for one whose recorder was killed, and for a salvaged one."""
        return self._file.complete

    @property
    def damage(self) -> str | None:
        """What is wrong with a salvaged file, in words; None for a sound one."""
        return self._file.damage

    @property
    def size(self) -> int:
        """The file's length in bytes."""
        return self._file.size

    @property
    def format_version(self) -> int:
        """The version of the file's format."""
        return self._file.format_version

    def info(self) -> dict[str, Any]:
        """What the file says of itself: identity, extent, and the number of events of each kind."""
        return self._file.info()

    def events(
        self, kind: EventKind | None = None, start: int | None = None, stop: int | None = None
    ) -> Iterator[Event]:
        """The events in order, from the file, without executing anything.

        Args:
            kind: Only events of this kind.
            start: Only events at or after this icount.
            stop: Only events before this icount.
        """
        _check_events(kind, start, stop)
        return self._file.events(kind, start, stop)

    def to_arrow(self, kind: EventKind | None = None, start: int | None = None, stop: int | None = None) -> Events:
        """The events as a table, without executing anything: `polars.DataFrame(recording.to_arrow())`.

        Args:
            kind: As for `events`.
            start: As for `events`.
            stop: As for `events`.
        """
        _check_events(kind, start, stop)
        return Events(self._file.event_columns(kind, start, stop))

    @property
    def output(self) -> bytes:
        """All that the console printed during the recording, without replaying it."""
        return self._file.output()

    @property
    def snapshots(self) -> list[int]:
        """Where the snapshots in the recording were taken, as instruction counts, oldest first."""
        return self._file.snapshots

    def replay(
        self, scheduler: Scheduler | None = None, *, rom: RomSource | None = None, snapshot: int | None = None
    ) -> Machine:
        """A machine in play mode that stands at the recording's start, or at one of its snapshots.

        Args:
            scheduler: How its `run` runs unless told otherwise; a recording made under either replays under both.
            rom: The images that the machine was recorded with, as `Machine` takes them; needed only for a recording
                that was made with `embed_roms=False`.
            snapshot: The place in `snapshots` of the one to start from; -1 is the last.

        Raises:
            ArgumentError: There is no such snapshot.
            MismatchError: The images are not the recorded ones, or are not in the file and not given.
        """
        if scheduler not in (None, "threads", "inline"):
            raise ArgumentError(f"there is no scheduler {scheduler!r}: use 'threads' or 'inline'")
        if snapshot is not None:
            snapshot = self._snapshot_number(snapshot)
        return Machine._from_session(self._file.replay(resolve_images(rom), snapshot), scheduler)

    def _snapshot_number(self, place: int) -> int:
        count = len(self.snapshots)
        if count == 0:
            raise ArgumentError(
                "the recording has no snapshots: record with snapshot_every=..., or start at its beginning"
            )
        whole_number("snapshot", place, least=-count, most=count - 1)
        return place % count

    def timeline(
        self,
        *,
        rom: RomSource | None = None,
        symbols: Symbols | None = None,
        memory_budget: int = MEMORY_BUDGET,
    ) -> Timeline:
        """A timeline that stands at the recording's start; see `Timeline`."""
        return Timeline(self, rom=rom, symbols=symbols, memory_budget=memory_budget)

    def cut(self, a: int, b: int, path: str | os.PathLike[str], *, rom: RomSource | None = None) -> Recording:
        """Makes a recording of its own of the part `a <= icount < b`, and verifies it.

        It starts from the state at `a` and says in `info()["lineage"]` what it was cut from. Instruction counts go on
        from those of the whole.

        Raises:
            ArgumentError: The part is empty or not in the recording, a request of the machine waits at `a`, or the path
                is the recording's own.
            LogError: The file cannot be written.
        """
        required_number("a", a)
        required_number("b", b)
        if Path(path).exists() and Path(path).samefile(self.path):
            raise ArgumentError(f"{self.path} is what is cut from: give the part another path")
        self._timeline_core(rom, MEMORY_BUDGET).cut(a, b, os.fspath(path))
        part = Recording(path)
        part.verify(rom=rom)
        return part

    def _timeline_core(self, rom: RomSource | None, memory_budget: int) -> _core.TimelineCore:
        return _core.TimelineCore(self._file, resolve_images(rom), memory_budget)

    def verify(
        self,
        jobs: int | None = None,
        progress: Callable[[int, int], object] | None = None,
        *,
        scheduler: Scheduler = "inline",
        rom: RomSource | None = None,
    ) -> Verification:
        """Replays all of it and compares it with all that the file holds.

        That is every event, every digest, every snapshot as a whole, and what each snapshot says that the run had touched.
        A segment goes from one snapshot to the next; it must end in the very state that the next one begins with.

        Args:
            jobs: How many parts to replay at a time, at most; as many as there are processors unless given. What comes out
                does not depend on it. A recording without snapshots is replayed in one go.
            progress: Called now and then with the instructions checked so far and the instructions in all.
            scheduler: "threads" or "inline", as in `Machine.run`.
            rom: As for `replay`.

        Raises:
            Divergence: The replay does not do what the recording says, or comes to another state than a snapshot or digest
                says; the error says where and how.
            DamagedLog: A snapshot in the file is none of this recording's machine.
            KeyboardInterrupt: Ctrl-C.
        """
        if jobs is not None and jobs < 1:
            raise ArgumentError(f"jobs is how many segments are checked at a time, at least 1, and {jobs} is not")
        start, end = self.start_icount, self.icount
        report = None if progress is None else (lambda icount: progress(icount - start, end - start))
        if jobs is None:
            jobs = os.cpu_count() or 1
        return self._file.verify(jobs, scheduler, resolve_images(rom), report)


def _check_events(kind: object, start: object, stop: object) -> None:
    if kind is not None and not isinstance(kind, str):
        raise ArgumentError(f"a kind of event is a name such as 'interrupt', and {kind!r} is not")
    whole_number("start", start)
    whole_number("stop", stop)


class LiveRecording(Recording):
    """What `Machine.record` gives: a context manager while it is being made, a `Recording` once it is finished."""

    def __init__(self, session: _core.Session, path: str | os.PathLike[str]) -> None:
        self._session = session
        # Absolute, so that it is still found when the program has gone to another directory.
        self._path = Path(path).absolute()
        self._finished = False
        self._opened = None

    @property
    def path(self) -> Path:
        """The file, also while it is being written."""
        return self._path

    @property
    def finished(self) -> bool:
        """Whether it has been finished, and can be looked into."""
        return self._finished

    @property
    def _file(self) -> _core.RecordingFile:
        if not self._finished:
            raise StateError(f"{self._path} is still being recorded: leave the with block, or call finish(), first")
        if self._opened is None:
            self._opened = _core.RecordingFile(os.fspath(self._path), False)
        return self._opened

    def __repr__(self) -> str:
        return super().__repr__() if self._finished else f"<LiveRecording {self._path}: in progress>"

    def finish(self) -> Recording:
        """Ends the recording and closes its file; a second time does nothing.

        Raises:
            LogError: The end could not be written, for example on a full disk.
        """
        if not self._finished:
            self._session.finish()
            self._finished = True
        return self

    def snapshot(self) -> None:
        """Puts a snapshot into the recording, here, for replays to start from.

        Raises:
            StateError: The recording is finished, or the machine is running.
            LogError: It could not be written.
        """
        self._session.request_snapshot()

    def open(self) -> Recording:
        """The finished recording, opened anew from its file."""
        return Recording(self._file.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()


def open(path: str | os.PathLike[str], *, salvage: bool = False) -> Recording:
    """The recording in the file `path`: the same as `Recording(path, salvage=salvage)`."""
    return Recording(path, salvage=salvage)
