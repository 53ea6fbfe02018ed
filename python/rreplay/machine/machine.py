"""A machine that runs: made from a board and ROM images, or by replaying a recording."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from .. import _core
from ..arguments import (
    BytesLike,
    PathLike,
    choice,
    flag,
    instance,
    member,
    real,
    scheduler_of,
    text_or_none,
    whole,
    whole_or_none,
)
from ..arguments import address as address_of
from ..arguments import path as path_of
from ..devices.devices import Devices
from ..enums import ReplayMode, Scheduler, ShutdownCause
from ..errors import ArgumentError, NotThere
from ..progress import ProgressCallback, ProgressLike, progress_callback
from .console import Console
from .cpu import Cpu
from .hook import HookPoints
from .memory import Memory
from .output_pattern import output_test, pattern_of
from .resolve import BoardSource, RomSource, resolve_board, resolve_images

if TYPE_CHECKING:
    from .._core import Board, BusCycle, Instruction, Snapshot, Stop
    from ..recording.live import LiveRecording

TRACE_INSTRUCTIONS_MAX = 100_000
"""A bus trace is a list in memory of some cycles an instruction: run to where it matters first."""


class Machine(HookPoints):
    """A board with its ROMs, ready to run.

    Args:
        board: A preset's name (`rreplay.boards()` lists them), the path of a `.toml` file, a `Board`, or a mapping
            shaped like such a file; with a key "preset", what else it says is laid over that preset.
        rom: The path or the bytes of the main ROM, or a mapping from region name or load address to such; None for
            the board's own default ROM, if it has one. Formats: .bin, .hex, .s19, .ptp, .prg, .o65.
        arguments: On the board "sim65", what the C program's `main` is given, the program's name first.
        cpu: Takes the place of the board's processor: "6502" for the NMOS chip, "65c02" for the W65C02.

    Raises:
        BoardError: The board cannot be found or built.
        RomError: An image cannot be read, or does not fit.

    Long calls release the interpreter lock, and Ctrl-C ends them with KeyboardInterrupt; the machine stays usable.

    `copy.copy` and `copy.deepcopy` of a machine are its `copy()`.
    """

    _instead = "it runs in this process; take m.snapshot(), which can be pickled, and restore it on a machine there"

    _scheduler: Scheduler | None
    _before_first_run: Callable[[], None] | None

    _live_recording_class: ClassVar[type[LiveRecording]]
    """What `record` makes; `rreplay/__init__.py` sets it. Recordings import machines, and not the reverse."""

    cpu: Cpu
    """The processor's registers."""
    memory: Memory
    """The address space."""
    devices: Devices
    """The board's devices by name."""

    def __init__(
        self,
        board: BoardSource = "breadboard",
        *,
        rom: RomSource | None = None,
        cpu: str | None = None,
        arguments: Sequence[str] | None = None,
    ) -> None:
        description = resolve_board(board)
        cpu = text_or_none("cpu", cpu)
        if arguments is not None:
            description = description.with_arguments(arguments)
        if cpu is not None:
            description = description.with_cpu(cpu)
        self._adopt(_core.Session(description, resolve_images(rom)), None)

    @classmethod
    def _from_session(cls, session: _core.Session, scheduler: Scheduler | None) -> Machine:
        machine = cls.__new__(cls)
        machine._adopt(session, scheduler)
        return machine

    def _adopt(self, session: _core.Session, scheduler: Scheduler | None) -> None:
        self._session = session
        self._scheduler = scheduler
        self._before_first_run = None
        self.cpu = Cpu(session)
        self.memory = Memory(session)
        self.devices = Devices(session)
        self._console = Console(self) if session.has_console() else None

    def __repr__(self) -> str:
        return f"<Machine {self.board.name}: {self.mode} at icount {self.icount}>"

    # -- where it is

    @property
    def board(self) -> Board:
        """The board it was made from."""
        return self._session.board

    @property
    def mode(self) -> ReplayMode:
        """Whether its inputs pass, are recorded, or come from a recording."""
        return ReplayMode(self._session.mode)

    @property
    def icount(self) -> int:
        """Instructions retired since power-on."""
        return self._session.position()[0]

    @property
    def cycles(self) -> int:
        """Clock cycles since power-on."""
        return self._session.position()[1]

    @property
    def time(self) -> float:
        """Virtual seconds since power-on: cycles divided by the clock's frequency."""
        return self.cycles / self._session.clock_hz

    @property
    def registers(self) -> dict[str, int]:
        """The processor's registers by name; a copy."""
        return self._session.registers()

    @property
    def exit_code(self) -> int | None:
        """What the C program on the board "sim65" has given to `exit`; None before, and on other boards."""
        for device in self.devices.values():
            if device.kind == "sim65":
                code = device.state["exit_code"]
                return code if isinstance(code, int) else None
        return None

    @property
    def console(self) -> Console:
        """The board's main character device.

        Raises:
            DeviceError: The board has none. It is an AttributeError too: `hasattr(machine, "console")` says whether.
        """
        if self._console is None:
            raise NotThere(f"the board {self.board.name} has no character device, so there is no console")
        return self._console

    def disassemble(self, addr: int | None = None, count: int = 1) -> list[Instruction]:
        """`count` instructions from `addr`, or from the program counter."""
        first = None if addr is None else address_of("addr", addr)
        return self._session.disassemble(first, whole("count", count, most=0x10000))

    # -- going on

    def reset(self) -> None:
        """Pulls the reset line; in a recording this is an event."""
        self._about_to_run()
        self._session.reset()

    def shutdown(self, cause: str = ShutdownCause.HOST_QUIT) -> None:
        """Asks for a shutdown, or for a reset ("host_reset"), as the machine's host does.

        It happens at the next instruction boundary of the run that goes on, or of the next one, and is recorded there.
        In a replay it is ignored: the recording has its own.

        Raises:
            ArgumentError: There is no such cause.
        """
        self._session.shutdown(member(ShutdownCause, cause))

    def step(self, n: int = 1, *, idle_seconds: float | None = None, progress: ProgressLike = None) -> Stop:
        """Executes `n` instructions; for `idle_seconds` and `progress` see `run`."""
        return self.run(instructions=whole("n", n), idle_seconds=idle_seconds, progress=progress)

    def run(
        self,
        *,
        instructions: int | None = None,
        cycles: int | None = None,
        seconds: float | None = None,
        pc: int | None = None,
        output: BytesLike | re.Pattern[bytes] | None = None,
        scheduler: Scheduler | None = None,
        sleep: bool = False,
        wait_for_input: bool = False,
        idle_seconds: float | None = None,
        progress: ProgressLike = None,
    ) -> Stop:
        """Runs until the first of the given ends; without any, until the guest stops or Ctrl-C.

        A replay without any goes on to the end of its recording, past what stopped the recorded machine on the way.

        Args:
            instructions: How many instructions from here.
            cycles: How many clock cycles from here.
            seconds: How many virtual seconds from here.
            pc: Stop before the instruction at this address, once at least one has been executed.
            output: Stop when the console has printed this since the run began: literal bytes, or a compiled regular
                expression over bytes (which sees the last 4,096 bytes printed).
            scheduler: "threads" for two real threads under the replay lock, "inline" for both halves in turn on this
                thread. None takes "inline", or what `Recording.replay` was told.
            sleep: While the processor waits, let real time pass, as a terminal wants it. Otherwise virtual time jumps
                to the next thing that happens.
            wait_for_input: A processor that waits for input goes on waiting for what other threads may send; otherwise
                the run ends there, "halted".
            idle_seconds: Virtual seconds that the processor may wait without executing an instruction before the run
                ends, "idle": a processor that waits while only timers tick would keep a run for ever. `math.inf` sets
                no limit. None sets 60, but none where `cycles` or `seconds` say how long the run may last, with
                `wait_for_input`, and in a replay.
            progress: Called with what is done and what there is in all, of the instructions or else of the cycles that
                the run may take; in a replay, of the recording's rest. True for a bar on standard error.

        Returns:
            Where it stopped and why.

        Raises:
            ArgumentError: A value that makes no sense, or progress of a run that has no end.
            Divergence: In play, the machine does not do what the recording says.
            KeyboardInterrupt: Ctrl-C; the machine can go on from where it is.
            Exception: Whatever a hook raised.
        """
        test = None if output is None else output_test(pattern_of("output", output))
        instructions = whole_or_none("instructions", instructions)
        cycles = whole_or_none("cycles", cycles)
        seconds = None if seconds is None else real("seconds", seconds)
        pc = whole_or_none("pc", pc, most=0xFFFF)
        idle_seconds = None if idle_seconds is None else real("idle_seconds", idle_seconds, infinite=True)
        scheduler = scheduler_of(scheduler)
        sleep, wait_for_input = flag("sleep", sleep), flag("wait_for_input", wait_for_input)
        callback = progress_callback(progress, "running")
        if callback is not None and instructions is cycles is seconds is None and self.mode is not ReplayMode.PLAY:
            raise ArgumentError("progress needs an end to go to: give instructions=..., cycles=... or seconds=...")
        self._about_to_run()
        return self._session.run(
            instructions=instructions,
            cycles=cycles,
            seconds=seconds,
            pc=pc,
            output=test,
            output_start=None,
            scheduler=scheduler or self._scheduler,
            sleep=sleep,
            wait_for_input=wait_for_input,
            idle_seconds=idle_seconds,
            progress=callback,
        )

    def _run_until_output(
        self,
        pattern: bytes | re.Pattern[bytes],
        start: int,
        seconds: float,
        scheduler: Scheduler | None,
        callback: ProgressCallback | None,
    ) -> Stop:
        self._about_to_run()
        return self._session.run(
            instructions=None,
            cycles=None,
            seconds=seconds,
            pc=None,
            output=output_test(pattern),
            output_start=start,
            scheduler=scheduler_of(scheduler) or self._scheduler,
            sleep=False,
            idle_seconds=None,
            wait_for_input=False,
            progress=callback,
        )

    def stop(self) -> None:
        """Ends the run that another thread is in, with the reason "interrupted"; without one, does nothing."""
        self._session.stop()

    def trace_bus(self, instructions: int = 1, *, idle_seconds: float | None = None) -> list[BusCycle]:
        """Executes `instructions`, at most 100,000, and returns every bus cycle of them, dummy reads and writes too.

        A processor that waits for `idle_seconds` (as in `run`) ends the trace with what there was until then.
        """
        instructions = whole("instructions", instructions, most=TRACE_INSTRUCTIONS_MAX)
        idle_seconds = None if idle_seconds is None else real("idle_seconds", idle_seconds, infinite=True)
        self._about_to_run()
        return self._session.trace_bus(instructions, idle_seconds)

    def _about_to_run(self) -> None:
        if self._before_first_run is not None:
            first_run, self._before_first_run = self._before_first_run, None
            first_run()

    # -- whole states

    def snapshot(self) -> Snapshot:
        """The machine's whole state: immutable, hashable, comparable."""
        return self._session.snapshot()

    def restore(self, snapshot: Snapshot) -> None:
        """Goes to the state of `snapshot`, which must be of the same board."""
        self._session.restore(instance("snapshot", snapshot, _core.Snapshot, "what snapshot() returns"))

    def copy(self) -> Machine:
        """An independent machine in the same state, which records and plays nothing."""
        return Machine._from_session(self._session.copy(), None)

    def __copy__(self) -> Machine:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Machine:
        return self.copy()

    def digest(self) -> str:
        """A hash of the machine's whole state, as hex."""
        return self._session.digest()

    def digests(self) -> dict[str, str]:
        """A hash for each part of the machine (processor, memory, each device, ...), as hex."""
        return self._session.digests()

    # -- recording

    def record(
        self,
        path: PathLike,
        *,
        snapshot_every: int | Literal["auto"] | None = "auto",
        digest_every: int | None = None,
        embed_roms: bool = True,
        chaos: int | None = None,
    ) -> LiveRecording:
        """Records everything from here on, until the `with` block ends or `finish()` is called.

        Args:
            path: The file to write; one that is there already is replaced, and its permissions are kept.
            snapshot_every: Instructions between two snapshots inside the file, from which a replay can start and a
                timeline goes on. Each takes some kilobytes. "auto" takes them so far apart that they make the file
                hardly longer, and so near that each place is some hundredths of a second from one; None takes none but
                those that `snapshot()` of the result puts there.
            digest_every: Instructions between two digests, which replays compare; None for the usual distance.
            chaos: A seed, 0 to 2**64 - 1, by which everything is drawn that hardware leaves open: the lengths of
                slices, when hosts are polled, when input arrives and in which pieces, how long a disk takes. What comes
                from one source stays in order. So orders of events that are rare come up often; the recording replays
                as any other, and `info()["chaos"]` tells the seed.
            embed_roms: Whether the ROMs go into the file, which makes it self-contained, or only their hashes.

        Raises:
            LogError: The file cannot be written, or is being recorded into.
            StateError: The machine is recording or playing already, or runs.
        """
        target = path_of("path", path)
        is_automatic = isinstance(snapshot_every, str)
        if is_automatic:
            choice("snapshot_every", snapshot_every, ("auto",))
        recorded = self._session.record(
            target,
            digest_every=whole_or_none("digest_every", digest_every, least=1),
            snapshot_every=None if is_automatic else whole_or_none("snapshot_every", snapshot_every, least=1),
            automatic_snapshots=is_automatic,
            embed_roms=flag("embed_roms", embed_roms),
            chaos=whole_or_none("chaos", chaos),
        )
        return self._live_recording_class(self._session, recorded)
