"""Where a timeline stands, and how it moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arguments import address as address_of
from ..arguments import address_range, function, instance, whole
from ..copying import Part
from ..errors import ArgumentError
from ..errors.quote import shown
from ..machine.memory import Memory
from ..moments.moment import Moment, PastAddressSpace, PastDevices
from ..moments.positions import PositionResolver, Where
from ..progress import ProgressCallback, ProgressLike, progress_callback, without_instant_calls
from ..recording.recording import MEMORY_BUDGET, Recording
from .breakpoint import Breakpoint
from .symbols import Symbols, read_symbols

if TYPE_CHECKING:
    from .._core import Instruction, Stop


class TimelineCursor(Part):
    """A position in a recording that moves: the part of `Timeline` that stands and goes."""

    def __init__(
        self,
        recording: Recording,
        *,
        rom: Any = None,
        symbols: Symbols | None = None,
        memory_budget: int = MEMORY_BUDGET,
    ) -> None:
        self.recording: Recording = instance("recording", recording, Recording, "an opened recording")
        self.symbols = read_symbols(symbols)
        self._core = recording._timeline_core(rom, whole("memory_budget", memory_budget))
        self._positions = PositionResolver(self._core, recording._file)
        self._points: list[Breakpoint] = []
        self._on_progress: ProgressCallback | None = None

    def __repr__(self) -> str:
        return f"<Timeline of {self.recording.path} at icount {self.icount}: pc ${self.pc:04X}>"

    def on_progress(self, callback: ProgressCallback | None) -> None:
        """Calls `callback(done, total)` during long operations, about every 250,000 instructions that they replay.

        As `progress` of one call, for all that take it and are not over at once. What it raises ends the operation.
        None: nobody is called any more.
        """
        if callback is not None:
            function("on_progress", callback, "what is done and what there is in all")
        self._on_progress = callback

    def _callback_for(self, progress: object, title: str) -> ProgressCallback | None:
        callback = progress_callback(progress, title)
        if callback is None and progress is None and self._on_progress is not None:
            return without_instant_calls(self._on_progress)
        return callback

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
        return Memory(PastAddressSpace(self._core, lambda: self._core.place))

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
            cycles: The first position at or after this cycle, where the processor waits.
            progress: As for all; see the class.

        Raises:
            ArgumentError: It is not in the recording.
        """
        return Moment(
            self._core, self._positions.resolve("icount", icount, cycles, self._callback_for(progress, "seeking"))
        )

    def _icount(self, name: str, where: object) -> int:
        return self._positions.icount(name, where)

    def _position_or_here(self, name: str, where: object) -> tuple[int, int]:
        return self._core.place if where is None else self._positions.resolve(name, where)

    # ---- going ----

    def seek(self, target: Where, *, cycles: int | None = None, progress: ProgressLike = None) -> None:
        """Goes to where so many instructions have just retired, to a moment or stop, or before an access or event.

        Args:
            target: Instructions retired, or what to go to.
            cycles: With a number of instructions at which the processor waits: the first position in the wait that is
                at or after this cycle.
            progress: As for all; see the class.

        Raises:
            ArgumentError: It is not in the recording, or of another one.
        """
        callback = self._callback_for(progress, "seeking")
        # The position of a moment is known, and to go there takes time; for all else it is the other way round.
        is_known = isinstance(target, Moment)
        position = self._positions.resolve("target", target, cycles, None if is_known else callback)
        self._core.go_to(position, callback if is_known else None)

    def step(self, n: int = 1, *, progress: ProgressLike = None) -> Stop:
        """Executes `n` instructions, or as many as there are."""
        return self._core.step(whole("n", n), self._callback_for(progress, "stepping"))

    def reverse_step(self, n: int = 1, *, progress: ProgressLike = None) -> Stop:
        """Goes back by `n` instructions, or to the start. After a wait, the first step goes before that wait."""
        return self._core.reverse_step(whole("n", n), self._callback_for(progress, "stepping back"))

    def step_over(self, *, progress: ProgressLike = None) -> Stop:
        """Executes one instruction, and the whole subroutine if it calls one."""
        return self._core.step_over(self._callback_for(progress, "stepping over"))

    def reverse_step_over(self, *, progress: ProgressLike = None) -> Stop:
        """Goes back by one instruction, and before the call of a subroutine that it has ended."""
        return self._core.reverse_step_over(self._callback_for(progress, "stepping back"))

    def step_out(self, *, progress: ProgressLike = None) -> Stop:
        """Runs until the current subroutine or interrupt handler has returned."""
        return self._core.step_out(self._callback_for(progress, "stepping out"))

    def reverse_step_out(self, *, progress: ProgressLike = None) -> Stop:
        """Goes back to where the current subroutine was called, or its handler entered."""
        return self._core.reverse_step_out(self._callback_for(progress, "stepping back"))

    def run(self, *, progress: ProgressLike = None) -> Stop:
        """Runs to the next breakpoint or watchpoint, or to the recording's end (reason "end").

        A run does not stop where it begins. At a watchpoint it stands on the instruction that makes the access, as it
        does at a breakpoint; `Stop.access` says what the instruction does.
        """
        return self._core.run(self._callback_for(progress, "running"))

    def reverse_run(self, *, progress: ProgressLike = None) -> Stop:
        """Runs back to the last breakpoint or watchpoint before here, or to the recording's start (reason "end")."""
        return self._core.reverse_run(self._callback_for(progress, "running back"))

    # ---- names of addresses ----

    def address(self, where: int | str) -> int:
        """The address of a symbol; an address is returned as it is."""
        if not isinstance(where, str):
            return address_of("address", where)
        if where not in self.symbols:
            known = ", ".join(name[:40] for name in sorted(self.symbols)[:8]) or "none: give timeline(symbols=...)"
            raise ArgumentError(f"there is no symbol {shown(where)}; there are {known}")
        return self.symbols[where]

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
