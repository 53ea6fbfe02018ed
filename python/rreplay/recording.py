"""A recording: opened, looked into, replayed and verified."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _core
from ._arguments import U64, PathLike, flag, made_elsewhere, whole, whole_or_none
from ._arguments import path as path_of
from ._copying import Handle
from ._places import Where, event_kind, icount_or_none
from ._progress import Progress, ProgressLike, hearer_of
from ._sources import RomSource, resolve_images
from .errors import ArgumentError, LogError, MismatchError, NotCopyable, NotThere, StateError
from .machine import Machine, scheduler_of
from .timeline import MEMORY_BUDGET, Timeline

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from ._core import Board, Event, Verification
    from .timeline import Symbols
    from .vocabulary import EventKind, Scheduler

__all__ = ["Events", "LiveRecording", "Recording", "open"]


class Events(Handle):
    """The events of a recording as a table, for whatever takes Arrow streams: `polars.DataFrame(recording.to_arrow())`.

    A row is an event: its icount, cycles, ordinal and kind, and a column for each attribute that events have, null
    where this one has it not (`samples` are lists; the digests are left out). The file is read anew each time.
    """

    __slots__ = ("_columns",)

    _instead = "make a table of it first, such as polars.DataFrame(events)"

    def __init__(self, columns: _core.EventColumns) -> None:
        made_elsewhere(self, isinstance(columns, _core.EventColumns), "recording.to_arrow() returns one")
        self._columns = columns

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The table as an Arrow C stream."""
        return self._columns.arrow_c_stream()


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

    def __init__(self, path: PathLike, *, salvage: bool = False, progress: ProgressLike = None) -> None:
        self._salvage = flag("salvage", salvage)
        hearer = hearer_of(progress, "opening")
        self._opened: _core.RecordingFile | None = _core.RecordingFile(path_of("path", path), self._salvage, hearer)

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
        return self._file.events(*self._asked(kind, start, stop))

    def to_arrow(self, kind: EventKind | None = None, start: Where | None = None, stop: Where | None = None) -> Events:
        """The events as a table, without executing anything: `polars.DataFrame(recording.to_arrow())`.

        Args:
            kind: As for `events`.
            start: As for `events`.
            stop: As for `events`.
        """
        return Events(self._file.event_columns(*self._asked(kind, start, stop)))

    def _asked(self, kind: object, start: object, stop: object) -> tuple[str | None, int | None, int | None]:
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
            snapshot: The place in `snapshots` of the one to start from; -1 is the last.

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
        return Timeline(self, rom=rom, symbols=symbols, memory_budget=memory_budget)

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
        hearer = hearer_of(progress, "cutting")
        timeline = Timeline(self, rom=rom)
        first, stop = timeline._icount("a", a), timeline._icount("b", b)
        if _are_same(target, self.path):
            raise ArgumentError(f"{self.path} is what is cut from: give the part another path")
        length = max(stop - first, 1)
        both = Progress(hearer, 2 * length)
        part = Recording._of(timeline._core.cut(first, stop, os.fspath(target), both.part(length)))
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
        hearer = hearer_of(progress, "verifying")
        all_of_it = Progress(hearer, self.icount - self.start_icount)
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


class LiveRecording(Recording):
    """What `Machine.record` returns: a context manager while it is being made, a `Recording` once it is finished.

    It is the file that was written, whatever its path leads to by now. Before it is finished it has no contents: what a
    `Recording` has raises StateError, and `hasattr` says False. Only the process that began it writes it: in a forked
    child `finish` and `snapshot` raise `StateError`, and nothing is written when it is left or collected there.
    """

    def __init__(self, session: _core.Session, recorded: _core.Recorded) -> None:
        made_elsewhere(self, isinstance(session, _core.Session), "machine.record(path) returns one")
        self._session = session
        self._recorded = recorded
        self._salvage = False
        self._process = os.getpid()
        self._finished = False
        self._opened = None

    @property
    def path(self) -> Path:
        """The file's absolute path, also while it is being written."""
        return self._recorded.path

    @property
    def finished(self) -> bool:
        """Whether it has been finished, and can be looked into."""
        return self._finished

    @property
    def _file(self) -> _core.RecordingFile:
        if not self._finished:
            raise NotThere(f"{self.path} is still being recorded: leave the with block, or call finish(), first")
        if self._opened is None:
            self._opened = self._recorded.open()
        return self._opened

    def __repr__(self) -> str:
        if not self._finished:
            return f"<LiveRecording {self.path}: in progress>"
        try:
            return super().__repr__()
        except LogError:
            # A device has kept nothing, and what could not be ended may not be whole: who asks is told why.
            return f"<LiveRecording {self.path}: finished, and cannot be read>"

    def __copy__(self) -> LiveRecording:
        self._require_finished("copied")
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> LiveRecording:
        return self.__copy__()

    def __reduce_ex__(self, protocol: Any) -> Any:
        self._require_finished("pickled")
        return super().__reduce_ex__(protocol)

    def _require_finished(self, what: str) -> None:
        if not self._finished:
            raise NotCopyable(
                f"a recording in progress cannot be {what}: {self.path} is written by one machine; finish it first"
            )

    def finish(self) -> Recording:
        """Ends the recording and closes its file; a second time does nothing.

        Raises:
            LogError: The end could not be written, for example on a full disk, or something had ended the recording
                before. Or the file was renamed, replaced or removed meanwhile: the error says where the recording is;
                it is whole, and can be read here.
            StateError: The machine is running, or this is a process that was forked from the one that records.
        """
        if not self._finished:
            try:
                self._session.finish(self._recorded)
            except LogError:
                self._finished = True
                raise
            self._finished = True
        return self

    def snapshot(self) -> None:
        """Puts a snapshot into the recording, here, for replays to start from.

        Raises:
            StateError: The recording is finished, the machine is running, or this is a process that was forked from the
                one that records.
            LogError: It could not be written.
        """
        if self._finished:
            raise StateError(f"the recording {self.path} is finished, and takes no more snapshots")
        self._session.request_snapshot()

    def open(self) -> Recording:
        """The finished recording, opened anew."""
        self._file  # noqa: B018 (raises while it is being recorded)
        return Recording._of(self._recorded.open())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and os.getpid() != self._process:
            # A forked child on its way out: the recording is none of its business, and the error is.
            return
        try:
            self.finish()
        except LogError:
            # What has ended the recording is on its way already.
            if not isinstance(error, LogError):
                raise


def open(path: PathLike, *, salvage: bool = False, progress: ProgressLike = None) -> Recording:
    """The recording in the file `path`: the same as `Recording(path, salvage=salvage, progress=progress)`."""
    return Recording(path, salvage=salvage, progress=progress)
