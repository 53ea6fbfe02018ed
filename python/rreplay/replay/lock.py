"""The lock around a replay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _core
from ..arguments import require_factory
from ..copying import Part

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class ReplayLock(Part):
    """The fair lock around a `Replay`: threads get it in the order in which they ask. `Replay.lock` returns it.

    A `with` block holds it; so does `acquire` until `release`. While a thread holds it, all others wait with each call
    of that `Replay`, at most until Ctrl-C.
    """

    __slots__ = ("_core",)

    _instead = "there is one for each replay; give it to who needs it"

    def __init__(self, core: _core.ReplayCore) -> None:
        require_factory(self, isinstance(core, _core.ReplayCore), "replay.lock() returns it")
        self._core = core

    def acquire(self) -> None:
        """Waits for its turn and takes the lock.

        Raises:
            StateError: This thread holds it already.
        """
        self._core.acquire()

    def release(self) -> None:
        """Lets the next one in.

        Raises:
            StateError: This thread does not hold it.
        """
        self._core.release()

    @property
    def held(self) -> bool:
        """Whether this thread holds it."""
        return self._core.is_held()

    @property
    def waiters(self) -> int:
        """How many threads wait for it; that may have changed by the time it is read."""
        return self._core.waiters()

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
