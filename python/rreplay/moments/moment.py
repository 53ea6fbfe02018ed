"""The machine as it was at a moment of a recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from .. import _core
from ..arguments import address, require_factory, whole
from ..copying import Handle
from ..devices.device import device_of
from ..errors import StateError
from ..machine.machine import Machine
from ..machine.memory import Memory

if TYPE_CHECKING:
    from .._core import Access, Instruction, Snapshot


class PastAddressSpace:
    """The address space of a past moment, for `Memory`: it can be read, and not written."""

    __slots__ = ("_core", "_position")

    def __init__(self, core: _core.TimelineCore, position: Callable[[], tuple[int, int]]) -> None:
        self._core = core
        self._position = position

    def read_memory(self, start: int, length: int) -> bytes:
        """`length` bytes from `start` on, as they were."""
        return self._core.read_memory(self._position(), start, length)

    def write_memory(self, start: int, data: bytes) -> None:  # noqa: ARG002
        """Refuses."""
        raise StateError("the past cannot be changed: fork it, and change the machine that you get")


class PastDevice(Handle):
    """A device as it was: its kind and its registers."""

    __slots__ = ("_core", "_kind", "_name", "_position")

    _instead = "pickle its state, which is a dict"

    def __init__(self, core: _core.TimelineCore, position: tuple[int, int], name: str, kind: str) -> None:
        require_factory(self, isinstance(core, _core.TimelineCore), "moment.devices has those of the board")
        self._core = core
        self._position = position
        self._name = name
        self._kind = kind

    @property
    def kind(self) -> str:
        """The chip or design."""
        return self._kind

    def __repr__(self) -> str:
        return f"<{self.kind} {self._name!r} at icount {self._position[0]}>"

    @property
    def state(self) -> dict[str, int | bool | bytes | None]:
        """Its registers by their data sheet names."""
        return self._core.device_state(self._position, self._name)


class PastDevices(Handle, Mapping[str, PastDevice]):
    """The board's devices by name, as they were."""

    __slots__ = ("_devices",)

    _instead = "pickle the state of each, which is a dict"

    def __init__(self, core: _core.TimelineCore, position: tuple[int, int]) -> None:
        require_factory(self, isinstance(core, _core.TimelineCore), "moment.devices has those of the board")
        self._devices = {name: PastDevice(core, position, name, kind) for name, kind in core.device_names()}

    def __getitem__(self, name: str) -> PastDevice:
        return device_of(self._devices, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._devices)

    def __len__(self) -> int:
        return len(self._devices)

    def __repr__(self) -> str:
        return f"<PastDevices {', '.join(self._devices)}>"


class Moment(Handle):
    """The machine at one position of a recording. It never changes; looking at it moves no timeline."""

    __slots__ = ("_access", "_core", "_position")

    _instead = "pickle the recording and the icount, and take timeline.at(icount) there; or its snapshot()"

    def __init__(self, core: _core.TimelineCore, position: tuple[int, int], access: Access | None = None) -> None:
        require_factory(self, isinstance(core, _core.TimelineCore), "timeline.at(icount) returns one")
        self._core = core
        self._position = position
        self._access = access

    @property
    def access(self) -> Access | None:
        """In a watchpoint's condition, the access that is made next."""
        return self._access

    def __repr__(self) -> str:
        return f"<Moment at icount {self.icount}, cycle {self.cycles}: pc ${self.pc:04X}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Moment):
            return NotImplemented
        return self._core is other._core and self._position == other._position

    def __hash__(self) -> int:
        return hash(self._position)

    @property
    def icount(self) -> int:
        """Instructions retired since power-on."""
        return self._position[0]

    @property
    def cycles(self) -> int:
        """Clock cycles since power-on."""
        return self._position[1]

    @property
    def ordinal(self) -> int:
        """The ordinal of the log's next event: how many have passed."""
        return self._core.events_passed(self._position)

    @property
    def registers(self) -> dict[str, int]:
        """The processor's registers by name."""
        return self._core.registers(self._position)

    def _call_targets(self, addresses: list[int]) -> list[int]:
        return self._core.call_targets(self._position, addresses)

    @property
    def pc(self) -> int:
        """The address of the next instruction."""
        return self.registers["pc"]

    @property
    def memory(self) -> Memory:
        """The address space, to be read."""
        position = self._position
        return Memory(PastAddressSpace(self._core, lambda: position))

    @property
    def devices(self) -> PastDevices:
        """The board's devices by name."""
        return PastDevices(self._core, self._position)

    @property
    def console_output(self) -> bytes:
        """All that the console had printed."""
        return self._core.console_output(self._position)

    def digest(self) -> str:
        """The hash of the whole machine, as `Machine.digest` returns it."""
        return self._core.digest(self._position)

    def digests(self) -> dict[str, str]:
        """The hash of each part of the machine, as `Machine.digests` returns them."""
        return self._core.digests(self._position)

    def snapshot(self) -> Snapshot:
        """The machine's state, as `Machine.snapshot` returns it."""
        return self._core.snapshot(self._position)

    def disassemble(self, addr: int | None = None, count: int = 1) -> list[Instruction]:
        """Instructions from `addr`, or from the program counter, on."""
        first = None if addr is None else address("addr", addr)
        return self._core.disassemble(self._position, first, whole("count", count, most=0x10000))

    def fork(self) -> Machine:
        """A machine in this state that goes its own way: it runs, takes new input, and can be recorded.

        A recording of it says in `info()` which recording it comes from, and from where.
        """
        return Machine._from_session(self._core.fork(self._position), None)
