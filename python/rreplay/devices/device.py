"""What every device has: its state, and its hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from .. import _core
from ..arguments import require_factory
from ..copying import Part
from ..errors import UnknownDevice
from ..errors.quote import shown
from ..hosts.host import attach

HostT = TypeVar("HostT")
D = TypeVar("D")


class Device(Part):
    """One device of the board."""

    __slots__ = ("_kind", "_name", "_session")

    _instead = "copy the machine, whose devices are others"

    def __init__(self, session: _core.Session, name: str, kind: str) -> None:
        require_factory(self, isinstance(session, _core.Session), "machine.devices has those of the board")
        self._session = session
        self._name = name
        self._kind = kind

    @property
    def name(self) -> str:
        """Its name on the board."""
        return self._name

    @property
    def kind(self) -> str:
        """The chip or design, as board files name it."""
        return self._kind

    def __repr__(self) -> str:
        return f"<Device {self.name}: {self.kind}>"

    def __getattr__(self, name: str) -> Any:
        if name in Device.__slots__:
            raise AttributeError(name)  # not there yet: a copy is being made
        # What a kind has of its own is known only when the board is, so a type checker is told to let it pass.
        raise AttributeError(f"the device {self.name!r} is a {self.kind}, which has no {name!r}", name=name, obj=self)

    @property
    def state(self) -> dict[str, int | bool | bytes | None]:
        """Its registers and inner state, by the data sheet's names; looking has no side effects."""
        return self._session.device_state(self.name)

    def attach(self, host: HostT) -> HostT:
        """Joins it to a host (`rreplay.Pty()`, `rreplay.TcpServer(6502)`, ...), in place of one of that sort it has.

        A device of kind "user" takes any object with `read(offset)`, `write(offset, value)` or `tick()`: see
        `rreplay.UserDevice`.

        Returns:
            The host, which now knows its path or port.

        Raises:
            HostError: The host cannot be had: a port that is taken, a file that is not there.
            DeviceError: A device of this kind has no use for such a host.
            StateError: The machine replays; its recording is its host.
        """
        attach(self._session, self.name, self.kind, host)
        return host

    def detach(self) -> None:
        """Parts it from its hosts; what was attached is closed."""
        _core.detach(self._session, self.name)


def device_of(devices: Mapping[str, D], name: object) -> D:
    """A device by its name.

    Raises:
        UnknownDevice: The board has none of that name.
    """
    if isinstance(name, str) and name in devices:
        return devices[name]
    known = ", ".join(devices) or "none at all"
    raise UnknownDevice(f"the board has no device {shown(name)}; it has {known}")
