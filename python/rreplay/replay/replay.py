"""The record/replay state machine itself, for machines that are not made of our boards."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import _core
from ..arguments import PathLike, flag, items, pair, require_factory, text, text_or_none, whole, whole_or_none
from ..arguments import path as path_of
from ..enums import ReplayMode
from ..errors import IncompleteReplay, ReplayError, StateError
from .async_events import AsyncEvents
from .base import State
from .lock import ReplayLock
from .sync_queries import SyncQueries
from .vm_state import ONLY_SUBSYSTEM, VmState

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

REASON_MAX = 1000
"""Characters of a blocker's reason."""

EVENT_SHOWN = 200
"""Characters of an event that a message shows."""

LAST_ROUNDS = 64
"""Flushes at the end of a recording: what is delivered may ask for another call, within reason."""

SUBSYSTEMS_MAX = 1024
"""Parts of a machine's state."""


class Replay(SyncQueries, AsyncEvents, VmState):
    """The record/replay state machine, for people who bring their own machine.

    Made by `Replay.none()`, `Replay.record(path)` or `Replay.play(path)`; the machine calls the same functions in all
    three modes, and obeys their answers. A context manager: finished even when its body raises. A replay that is left
    before its recording's end raises `IncompleteReplay`: nobody has compared the rest.

        with rr.Replay.record("run.rreplay", machine="toy") as replay:
            toy = Toy(replay)  # registers its devices, vmstate_init
            replay.start()
            while toy.runs and not replay.at_end():
                replay.flush()
                replay.keep_state()
                for _ in range(min(100, replay.instructions_until_next_stop())):
                    toy.step()  # asks replay for all it does not know by itself
                    replay.account_executed(1)

    docs/own-machine.md has a whole one. Every method may be called from any thread; each takes the lock of `lock`
    unless its thread has it. Callbacks run under the lock, on the thread that called. A host that is being asked may
    bring events (`input`, `char_read`, `net_packet`, `block`, `shutdown_request`); other calls from there raise
    `StateError`, because in play no host is asked. What callbacks raise passes through, and nothing is logged for them.
    """

    _instead = "there is one for each run of a machine; make another with Replay.record, play or none"

    def __init__(self, core: _core.ReplayCore) -> None:
        require_factory(self, isinstance(core, _core.ReplayCore), "Replay.none(), record(path) and play(path) make one")
        super().__init__(core)
        self._lock = ReplayLock(core)

    @classmethod
    def none(cls) -> Self:
        """In mode none: hosts are asked and events delivered at once; nothing is logged."""
        return cls(_core.ReplayCore.none())

    @classmethod
    def record(
        cls,
        path: PathLike,
        *,
        machine: str = "machine",
        subsystems: Sequence[str] = (ONLY_SUBSYSTEM,),
        digest_every: int = 0,
        snapshot_every: int | None = None,
        clock_hz: int = 1_000_000,
        start: tuple[int, int] = (0, 0),
    ) -> Self:
        """In mode record.

        Args:
            path: The file to write; one that is there already is replaced.
            machine: The machine's name, which the recording carries in the place of a board.
            subsystems: The parts of the machine's state; each has a hash of its own, so that a divergence names it.
            digest_every: Instructions between two digests; 0 for the start and the end only.
            snapshot_every: Instructions between two snapshots in the log; None for none but those asked for.
            clock_hz: Cycles in a second of the machine's own time.
            start: Where the machine is: instructions retired, cycles passed.

        Raises:
            ArgumentError: A value that makes no sense.
            LogError: The file cannot be written.
        """
        icount, cycles = pair("start", start, "instructions and cycles")
        core = _core.ReplayCore.record(
            path_of("path", path),
            machine=text("machine", machine),
            subsystems=[
                text("a subsystem", name) for name in items("subsystems", subsystems, most=SUBSYSTEMS_MAX, of="names")
            ],
            digest_every=whole("digest_every", digest_every),
            snapshot_every=whole_or_none("snapshot_every", snapshot_every, least=1),
            clock_hz=whole("clock_hz", clock_hz, least=1),
            start=(whole("start", icount), whole("start", cycles)),
        )
        return cls(core)

    @classmethod
    def play(cls, path: PathLike, *, machine: str | None = None, salvage: bool = False) -> Self:
        """In mode play.

        Args:
            path: The recording.
            machine: The name that the recorded machine must have; None takes any.
            salvage: Play what is left of a damaged or unfinished file, instead of raising.

        Raises:
            MismatchError: It is a recording of another machine, or of a board of ours.
            NotARecording: The file is something else.
            DamagedLog: It is damaged, and `salvage` is off.
            LogError: It cannot be read.
        """
        machine = text_or_none("machine", machine)
        return cls(_core.ReplayCore.play(path_of("path", path), flag("salvage", salvage), machine))

    def __repr__(self) -> str:
        state = ", finished" if self.finished else ""
        name = f" of {self.machine}" if self.machine else ""
        return f"<Replay {self.mode.value}{name}: icount {self.current_icount()}{state}>"

    # ---- life ----

    @property
    def mode(self) -> ReplayMode:
        """What it does about the machine's inputs. NONE once it is finished."""
        return ReplayMode(self._core.mode())

    @property
    def machine(self) -> str:
        """The recorded machine's name; empty in mode none."""
        return self._core.machine()

    @property
    def subsystems(self) -> list[str]:
        """The parts of the machine's state that digests have a hash of."""
        return self._core.subsystems()

    @property
    def finished(self) -> bool:
        """Whether it was finished, and takes no more calls."""
        return self._core.is_finished()

    def lock(self) -> ReplayLock:
        """The lock that orders the threads of a machine: `with replay.lock(): ...`.

        Each call takes it for itself. A thread holds it to keep things together in the log: the machine's through a
        whole slice (flush, state, instructions, their account), the main loop's except while it polls its hosts.
        """
        return self._lock

    def add_blocker(self, reason: str) -> None:
        """Remembers why this machine cannot be recorded or played now; `start` then raises, with every reason."""
        self._core.add_blocker(text("reason", reason, most=REASON_MAX))

    def start(self) -> None:
        """Starts: from now on async events wait for the flush point. Nothing in mode none.

        What hosts bring before that (`input`, `char_read`, `net_packet`, `block`) would be in no recording, and is
        refused in record and play.

        Raises:
            StateError: There are blockers; all are listed.
            MismatchError: In play, a character device of the recording was not registered.
        """
        self._core.start()

    def finish(self, state: State | None = None, *, complete: bool = True) -> None:
        """Ends recording or playing here; a second time does nothing, and so does mode none.

        record: flushes, logs `shutdown` if none was, a digest and `end`, writes the index and waits until all is on the
        disk. play: compares the digest, if the log has one here, and closes.

        Args:
            state: As for `digest`.
            complete: In play, whether this must be the recording's end. False leaves the rest of it.

        Raises:
            LogError: The rest cannot be written; what is in the file stays usable.
            Divergence: In play, the state here is not the recorded one.
            IncompleteReplay: In play, the recording goes on. The replay is not finished then, and can go on too.
        """
        complete = flag("complete", complete)
        with self._hold():
            if self._flushing:
                raise StateError("finish was called within a flush: call it after the flush")
            if self.finished or self.mode is ReplayMode.NONE:
                return
            for _ in range(LAST_ROUNDS):
                self.flush()
                if self.mode is ReplayMode.PLAY or not self._core.has_queued_events():
                    break
            parts = self._state(state)
            if self.mode is ReplayMode.PLAY and parts is not None and self._core.digest_due():
                self._core.digest(parts)
            if complete:
                self._require_end()
            for delivery in self._core.finish(parts):
                self._deliver(delivery)

    def _require_end(self) -> None:
        missing = self._core.missing()
        if missing is None:
            return
        here = self.current_icount()
        event, icount, cycles, ordinal, end = missing
        error = IncompleteReplay(
            f"the replay was left at icount {here}, and the recording goes on to {end}: next is event {ordinal}, "
            f"{event[:EVENT_SHOWN]}, at icount {icount}. Play on while not replay.at_end(), or leave the rest with "
            "replay.finish(complete=False)"
        )
        error.icount, error.end_icount, error.ordinal = here, end, ordinal
        error.expected, error.expected_icount, error.expected_cycles = event, icount, cycles
        raise error

    def _finish_torn(self) -> None:
        """The machine has failed, and may stand within an instruction."""
        # The error that is on its way says more.
        with contextlib.suppress(ReplayError):
            self._core.finish_torn()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._finish_torn()
            return
        try:
            self.finish()
        except BaseException:
            self._finish_torn()
            raise

    def sync(self) -> None:
        """Hands everything recorded so far to the operating system, so that killing this process cannot lose it."""
        self._core.flush_log()

    # ---- instructions ----

    def current_icount(self) -> int:
        """Instructions retired, as last accounted."""
        return self._core.position()[0]

    def current_cycles(self) -> int:
        """Cycles passed, as last accounted."""
        return self._core.position()[1]

    @property
    def event_ordinal(self) -> int:
        """Events logged or consumed so far, which is the number of the next one."""
        return self._core.event_ordinal()

    def account_executed(self, n: int, cycles: int | None = None) -> None:
        """The machine has executed `n` instructions in `cycles` cycles.

        Events are stamped with what was accounted before them, so each instruction that may ask something is accounted
        by itself. While the processor waits, instructions stand still and cycles go on:
        `account_executed(0, cycles=k)`.

        Args:
            n: Instructions.
            cycles: Cycles; a machine that does not count them has one an instruction.

        Raises:
            Divergence: In play, the log has an event before that place which nobody came to.
        """
        n = whole("n", n)
        self._core.account_executed(n, n if cycles is None else whole("cycles", cycles))

    def instructions_until_next_event(self) -> int:
        """Instructions that may pass before something must happen.

        Until the log's next event in play, until the break in any mode; 2**64 - 1 is without limit.
        """
        return self._core.instructions_until_next_event()

    def instructions_until_next_stop(self) -> int:
        """Instructions that may pass before the machine's loop must look up: its budget.

        As `instructions_until_next_event`, but past events that the machine itself comes to (clocks, output,
        interrupts, ...), and until the next digest or snapshot is due. 0 at the end of the recording; 2**64 - 1 is
        without limit.
        """
        return self._core.instructions_until_next_stop()

    def cycles_until_next_event(self) -> int:
        """Cycles that a waiting machine may let pass.

        In play, until the log's next event if no instruction comes before it; else 2**64 - 1, without limit.
        """
        return self._core.cycles_until_next_event()

    def at_end(self) -> bool:
        """In play, whether the recording has ended here. False in the other modes.

        What is left then, if anything, belongs to an instruction that the recorded machine did not finish.
        """
        return self._core.at_end()

    def break_at(self, icount: int | None) -> None:
        """Sets the icount at which `instructions_until_next_...` end, once; None deletes it."""
        self._core.break_at(whole_or_none("icount", icount))

    def delete_break(self) -> None:
        """Deletes the break."""
        self._core.break_at(None)

    @property
    def break_icount(self) -> int | None:
        """The icount of the break, if there is one."""
        return self._core.break_icount()

    def take_break(self) -> bool:
        """Whether the break is reached; it is then deleted."""
        return self._core.take_break()

    def info(self) -> dict[str, Any]:
        """Mode, machine, place, what is queued and so on, by name; a new dict each time."""
        return self._core.info()
