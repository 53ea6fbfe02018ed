"""The devices of a machine: `machine.devices["via"]`.

Every kind has `state` and `attach`; some have what a person would do with them besides: look at a display, press a key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from . import _core
from ._arguments import BytesLike, PathLike, bytes_of, index_of, made_elsewhere, pair, path_or_none, whole
from ._copying import Part
from ._shown import shown
from .errors import ArgumentError, UnknownDevice
from .hosts import attach

__all__ = ["Device", "Devices", "Display", "Image", "Keyboard", "Network", "Pointer"]

HostT = TypeVar("HostT")
D = TypeVar("D")
KEYS: dict[str, int] = dict(_core.keys())
"""The keys of a keyboard by name, with their codes."""


FRAME_BYTES_MAX = 16 << 20
"""No packet is nearly as long; the engine says how long it may be."""

SIDE_MAX = 1 << 13
"""Pixels of a side of a picture, at the most."""


class Device(Part):
    """One device of the board."""

    __slots__ = ("_kind", "_name", "_session")

    _instead = "copy the machine, whose devices are others"

    def __init__(self, session: _core.Session, name: str, kind: str) -> None:
        made_elsewhere(self, isinstance(session, _core.Session), "machine.devices has those of the board")
        self._session = session
        self._name = name
        self._kind = kind

    @property
    def name(self) -> str:
        """The name that the board gives it."""
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


class Image:
    """A picture: shown by Jupyter, taken by `numpy.asarray` as an array of height x width x 4 bytes, saved as PNG."""

    __slots__ = ("_height", "_rgba", "_width")

    def __init__(self, width: int, height: int, rgba: BytesLike) -> None:
        self._width = whole("width", width, least=1, most=SIDE_MAX)
        self._height = whole("height", height, least=1, most=SIDE_MAX)
        self._rgba = bytes_of("rgba", rgba, most=self.width * self.height * 4)

        if len(self.rgba) != self.width * self.height * 4:
            raise ArgumentError(
                f"a picture of {self.width} by {self.height} pixels has {self.width * self.height * 4} bytes, four for "
                f"each, and {len(self.rgba)} were given"
            )

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return self._width

    @property
    def height(self) -> int:
        """Rows."""
        return self._height

    @property
    def rgba(self) -> bytes:
        """Red, green, blue and alpha of each pixel, row by row from the top left."""
        return self._rgba

    def __repr__(self) -> str:
        return f"<Image {self.width}x{self.height}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Image):
            return NotImplemented
        return (self.width, self.height, self.rgba) == (other.width, other.height, other.rgba)

    def __hash__(self) -> int:
        return hash((self.width, self.height, self.rgba))

    def __getitem__(self, place: tuple[int, int]) -> tuple[int, int, int]:
        """The red, green and blue of the pixel at (x, y)."""
        given_x, given_y = pair("a pixel's place", place, "whole numbers, x and y")
        x, y = index_of(given_x), index_of(given_y)
        if x is None or y is None or not (0 <= x < self.width and 0 <= y < self.height):
            raise ArgumentError(f"{shown(place)} is outside of a picture of {self.width} by {self.height} pixels")
        at = (y * self.width + x) * 4
        return self.rgba[at], self.rgba[at + 1], self.rgba[at + 2]

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return {"version": 3, "shape": (self.height, self.width, 4), "typestr": "|u1", "data": self.rgba}

    def to_png(self, path: PathLike | None = None) -> bytes:
        """The bytes of a PNG file, also written to `path` if one is given.

        What is at `path` is replaced once all is written.

        Raises:
            HostError: The file cannot be written, is no ordinary file, or is being recorded into.
        """
        target = path_or_none("path", path)
        encoded = _core.encode_png(self.width, self.height, self.rgba)
        if target is not None:
            _core.write_file(target, encoded)
        return encoded

    def _repr_png_(self) -> bytes:
        return self.to_png()


class Display(Device):
    """A screen."""

    __slots__ = ()

    @property
    def image(self) -> Image:
        """What it shows now."""
        return Image(*_core.device_frame(self._session, self.name))


class Keyboard(Device):
    """Keys by name: "a", "1", "space", "enter", "shift", "left", "f1", ...; `rreplay.devices.KEYS` has all of them.

    They arrive while the machine runs, and every keyboard of the board sees them.
    """

    __slots__ = ()

    def press(self, *keys: str) -> None:
        """Puts keys down, all at once; they stay down until they are released.

        Raises:
            ArgumentError: There is no such key.
            StateError: The machine replays; its recording has its own keys.
        """
        _core.send_input(self._session, [("key", code, 1) for code in _codes(keys)])

    def release(self, *keys: str) -> None:
        """Lets keys go, all at once."""
        _core.send_input(self._session, [("key", code, 0) for code in _codes(keys)])

    def tap(self, *keys: str) -> None:
        """Puts keys down, and lets them go at once, in the opposite order. At most 8 keys fit before a guest reads."""
        codes = _codes(keys)
        _core.send_input(self._session, [("key", code, 1) for code in codes])
        _core.send_input(self._session, [("key", code, 0) for code in reversed(codes)])


class Pointer(Device):
    """A mouse or a pen. Positions are what the guest makes of them, 0 to 65535; buttons are 0 to 7."""

    __slots__ = ()

    def move(self, dx: int, dy: int) -> None:
        """Moves it by a distance, to the right and downwards; each -32768 to 32767."""
        right, down = (
            whole(f"{name}: a distance", value, least=-0x8000, most=0x7FFF) for name, value in (("dx", dx), ("dy", dy))
        )
        _core.send_input(self._session, [("rel", 0, right), ("rel", 1, down)])

    def move_to(self, x: int, y: int) -> None:
        """Puts it at a position."""
        across, down = (whole(f"{name}: a position", value, most=0xFFFF) for name, value in (("x", x), ("y", y)))
        _core.send_input(self._session, [("abs", 0, across), ("abs", 1, down)])

    def press(self, button: int = 0) -> None:
        """Puts a button down; it stays down until it is released."""
        _core.send_input(self._session, [("button", whole("a button", button, most=7), 1)])

    def release(self, button: int = 0) -> None:
        """Lets a button go."""
        _core.send_input(self._session, [("button", whole("a button", button, most=7), 0)])


class Network(Device):
    """A network interface."""

    __slots__ = ()

    def inject(self, frame: BytesLike) -> None:
        """Brings a packet, as if it came over the wire: an Ethernet frame of 14 to 1514 bytes, others are lost there.

        Raises:
            ArgumentError: It is no bytes, or more than 65535.
            StateError: The machine replays; its recording has its own packets.
        """
        _core.inject_packet(self._session, self.name, bytes_of("frame", frame, most=FRAME_BYTES_MAX))


class Devices(Part, Mapping[str, Device]):
    """The board's devices by name."""

    __slots__ = ("_devices",)

    _instead = "copy the machine, whose devices are others"

    def __init__(self, session: _core.Session) -> None:
        made_elsewhere(self, isinstance(session, _core.Session), "machine.devices has those of the board")
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


def device_of(devices: Mapping[str, D], name: object) -> D:
    """A device by its name.

    Raises:
        UnknownDevice: The board has none of that name.
    """
    if isinstance(name, str) and name in devices:
        return devices[name]
    known = ", ".join(devices) or "none at all"
    raise UnknownDevice(f"the board has no device {shown(name)}; it has {known}")


_KINDS: dict[str, type[Device]] = {
    "display": Display,
    "keyboard": Keyboard,
    "network": Network,
    "pointer": Pointer,
}


def _codes(keys: tuple[object, ...]) -> list[int]:
    for key in keys:
        if not isinstance(key, str) or key not in KEYS:
            raise ArgumentError(f"there is no key {shown(key)}; the keys are {', '.join(KEYS)}")
    return [KEYS[key] for key in keys if isinstance(key, str)]
