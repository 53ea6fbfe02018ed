"""A recording while it is being made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _core
from ..arguments import require_factory
from ..errors import LogError, NotCopyable, NotThere, StateError
from .recording import Recording

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class LiveRecording(Recording):
    """What `Machine.record` returns: a context manager while it is being made, a `Recording` once it is finished.

    It is the file that was written, whatever its path leads to by now. Before it is finished it has no contents: what a
    `Recording` has raises StateError, and `hasattr` says False. Only the process that began it writes it: in a forked
    child `finish` and `snapshot` raise `StateError`, and nothing is written when it is left or collected there.
    """

    def __init__(self, session: _core.Session, recorded: _core.Recorded) -> None:
        require_factory(self, isinstance(session, _core.Session), "machine.record(path) returns one")
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
