"""The devices of a board, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .. import _core
from ..arguments import require_factory
from ..copying import Part
from .device import Device, device_of
from .kinds import Display, Keyboard, Network, Pointer


class Devices(Part, Mapping[str, Device]):
    """The board's devices by name."""

    __slots__ = ("_devices",)

    _instead = "copy the machine, whose devices are others"

    def __init__(self, session: _core.Session) -> None:
        require_factory(self, isinstance(session, _core.Session), "machine.devices has those of the board")
        self._devices: dict[str, Device] = {
            name: _KINDS.get(kind, Device)(session, name, kind) for name, kind in session.devices()
        }

    def __getitem__(self, name: str) -> Device:
        return device_of(self._devices, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._devices)

    def __len__(self) -> int:
        return len(self._devices)

    def __repr__(self) -> str:
        return f"<Devices {', '.join(self._devices)}>"


_KINDS: dict[str, type[Device]] = {
    "display": Display,
    "keyboard": Keyboard,
    "network": Network,
    "pointer": Pointer,
}
