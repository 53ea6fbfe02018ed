"""A recording: opened, looked into, replayed and verified."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from .. import _core
from ..arguments import (
    U64,
    PathLike,
    flag,
    scheduler_of,
    whole,
    whole_or_none,
)
from ..arguments import path as path_of
from ..copying import Handle
from ..errors import ArgumentError, MismatchError, NotThere, StateError
from ..machine.machine import Machine
from ..machine.resolve import RomSource, resolve_images
from ..moments.positions import PositionResolver, Where, event_kind, icount_or_none
from ..progress import Progress, ProgressLike, progress_callback
from .events import Events

if TYPE_CHECKING:
    from .._core import Board, Event, Verification
    from ..enums import EventKind, Scheduler
    from ..timeline.symbols import Symbols
    from ..timeline.timeline import Timeline


MEMORY_BUDGET = 256 << 20
"""Bytes of states that a timeline keeps in memory unless told otherwise."""


class Recording(Handle):
    """A file that holds one run. Opening it executes nothing.

    It never changes, so a copy is the recording itself. It is pickled as its path, and what is unpickled opens that,
    if the file is still the same.

    Args:
        path: The file.
        salvage: Open a damaged or truncated file up to its last good part, instead of raising.
        progress: Called with what is checked and what there is in all, in bytes before compression; True for a bar on
            standard error.

    Raises:
        NotARecording: The file is something else, or of an unknown format version.
        DamagedLog: The file is damaged, and `salvage` is off; the error says what is left.
        LogError: The file cannot be read.
    """

    _timeline_class: ClassVar[type[Timeline]]
    """What `timeline` makes; `rreplay/__init__.py` sets it. Timelines import recordings, and not the reverse."""

    def __init__(self, path: PathLike, *, salvage: bool = False, progress: ProgressLike = None) -> None:
        self._salvage = flag("salvage", salvage)
        callback = progress_callback(progress, "opening")
        self._opened: _core.RecordingFile | None = _core.RecordingFile(path_of("path", path), self._salvage, callback)

    @classmethod
    def _of(cls, opened: _core.RecordingFile) -> Recording:
        recording = Recording.__new__(Recording)
        recording._salvage = False
        recording._opened = opened
        return recording

    @property
    def _file(self) -> _core.RecordingFile:
        assert self._opened is not None
        return self._opened

    def __repr__(self) -> str:
        state = "" if self.complete else ", incomplete"
        since = f" from icount {self.start_icount}" if self.start_icount else ""
        length = self.icount - self.start_icount
        name = self.machine or self.board.name
        return f"<Recording {self.path}: {name}, {length} instructions{since}{state}>"

    def __reduce_ex__(self, protocol: Any) -> Any:
        file = self._file
        return _reopened, (os.fspath(file.path.absolute()), self._salvage, file.fingerprint())

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    @property
    def board(self) -> Board:
        """The board that was recorded.

        Raises:
            StateError: It was a machine of its own (see `machine`), which only `Replay.play` replays. It is an
                AttributeError too.
        """
        file = self._file
        try:
            return file.board
        except StateError as error:
            raise NotThere(str(error)) from None

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
        self, kind: EventKind | None = None, start: Where | None = None, stop: Where | None = None
    ) -> Iterator[Event]:
        """The events in order, from the file, without executing anything.

        Args:
            kind: Only events of this kind.
            start: Only events at or after this icount, or the icount of a moment or event of this recording.
            stop: Only events before this icount.
        """
        return self._file.events(*self._event_filter(kind, start, stop))

    def to_arrow(self, kind: EventKind | None = None, start: Where | None = None, stop: Where | None = None) -> Events:
        """The events as a table, without executing anything: `polars.DataFrame(recording.to_arrow())`.

        Args:
            kind: As for `events`.
            start: As for `events`.
            stop: As for `events`.
        """
        return Events(self._file.event_columns(*self._event_filter(kind, start, stop)))

    def _event_filter(self, kind: object, start: object, stop: object) -> tuple[str | None, int | None, int | None]:
        file = self._file
        return event_kind(kind), icount_or_none("start", start, file), icount_or_none("stop", stop, file)

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
            snapshot: The index in `snapshots` of the one to start from; -1 is the last.

        Raises:
            ArgumentError: There is no such snapshot.
            MismatchError: The images are not the recorded ones, or are not in the file and not given.
        """
        scheduler = scheduler_of(scheduler)
        if snapshot is not None:
            snapshot = self._snapshot_number(snapshot)
        return Machine._from_session(self._file.replay(resolve_images(rom), snapshot), scheduler)

    def _snapshot_number(self, place: int) -> int:
        count = len(self.snapshots)
        if count == 0:
            raise ArgumentError(
                "the recording has no snapshots: record with snapshot_every=..., or start at its beginning"
            )
        return whole("snapshot", place, least=-count, most=count - 1) % count

    def timeline(
        self,
        *,
        rom: RomSource | None = None,
        symbols: Symbols | None = None,
        memory_budget: int = MEMORY_BUDGET,
    ) -> Timeline:
        """A timeline that stands at the recording's start; see `Timeline`."""
        return self._timeline_class(self, rom=rom, symbols=symbols, memory_budget=memory_budget)

    def cut(
        self,
        a: Where,
        b: Where,
        path: PathLike,
        *,
        rom: RomSource | None = None,
        progress: ProgressLike = None,
    ) -> Recording:
        """Makes a recording of its own of the part `a <= icount < b`, and verifies it.

        It starts from the state at `a` and says in `info()["lineage"]` what it was cut from. Instruction counts go on
        from those of the whole.

        Args:
            a: An icount, or a moment, event or access of this recording.
            b: As `a`.
            path: The file to write.
            rom: As for `replay`.
            progress: Called with the instructions that are cut and verified, and all of them; True for a bar.

        Raises:
            ArgumentError: The part is empty or not in the recording, a request of the machine waits at `a`, or the path
                is the recording's own.
            LogError: The file cannot be written, or is being recorded into.

        What is at `path` is replaced when the part is whole, and stays when that fails or is stopped.
        """
        target = Path(path_of("path", path))
        callback = progress_callback(progress, "cutting")
        core = self._timeline_core(rom, MEMORY_BUDGET)
        positions = PositionResolver(core, self._file)
        first, stop = positions.icount("a", a), positions.icount("b", b)
        if _are_same(target, self.path):
            raise ArgumentError(f"{self.path} is what is cut from: give the part another path")
        length = max(stop - first, 1)
        both = Progress(callback, 2 * length)
        part = Recording._of(core.cut(first, stop, os.fspath(target), both.part(length)))
        part.verify(rom=rom, progress=both.part(2 * length))
        both.finish()
        return part

    def _timeline_core(self, rom: RomSource | None, memory_budget: int) -> _core.TimelineCore:
        return _core.TimelineCore(self._file, resolve_images(rom), memory_budget)

    def verify(
        self,
        jobs: int | None = None,
        progress: ProgressLike = None,
        *,
        scheduler: Scheduler = "inline",
        rom: RomSource | None = None,
    ) -> Verification:
        """Replays all of it and compares it with all that the file holds.

        That is every event, every digest, every snapshot as a whole, and what each snapshot says that the run had
        touched. A segment goes from one snapshot to the next; it must end in the very state that the next one begins
        with.

        Args:
            jobs: How many parts to replay at a time, at most; as many as there are processors unless given. What comes
                out does not depend on it. A recording without snapshots is replayed in one go.
            progress: Called now and then with the instructions checked so far and the instructions in all; True for a
                bar on standard error.
            scheduler: "threads" or "inline", as in `Machine.run`.
            rom: As for `replay`.

        Raises:
            Divergence: The replay does not do what the recording says, or comes to another state than a snapshot or
                digest says; the error says where and how.
            DamagedLog: A snapshot in the file is none of this recording's machine.
            KeyboardInterrupt: Ctrl-C.
        """
        given = whole_or_none("jobs: how many segments are checked at a time", jobs, least=1, most=U64)
        # The engine has a limit of its own, far below what a machine word holds.
        at_a_time = min(given or os.cpu_count() or 1, JOBS_MAX)
        callback = progress_callback(progress, "verifying")
        all_of_it = Progress(callback, self.icount - self.start_icount)
        report = all_of_it.part(all_of_it.total)
        found = self._file.verify(at_a_time, scheduler_of(scheduler) or "inline", resolve_images(rom), report)
        all_of_it.finish()
        return found


JOBS_MAX = 1 << 16
"""More segments at a time are not asked for, whatever number is given."""


def _reopened(path: str, salvage: bool, fingerprint: str) -> Recording:
    """The recording that was pickled."""
    recording = Recording(path, salvage=salvage)
    if recording._file.fingerprint() != fingerprint:
        raise MismatchError(f"{path} is not the recording any more that was pickled: it was replaced since")
    return recording


def _are_same(path: Path, other: Path) -> bool:
    """Whether both names lead to one file; a name that leads nowhere does not."""
    try:
        return path.samefile(other)
    except OSError:
        return False


def open(path: PathLike, *, salvage: bool = False, progress: ProgressLike = None) -> Recording:
    """The recording in the file `path`: the same as `Recording(path, salvage=salvage, progress=progress)`."""
    return Recording(path, salvage=salvage, progress=progress)
