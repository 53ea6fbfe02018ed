"""What the kinds of device have besides: a display's picture, a keyboard's keys, ..."""

from __future__ import annotations

from .. import _core
from ..arguments import BytesLike, bytes_of, whole
from ..errors import ArgumentError
from ..errors.quote import shown
from .device import Device
from .image import Image

KEYS: dict[str, int] = dict(_core.keys())
"""The keys of a keyboard by name, with their codes."""

FRAME_BYTES_MAX = 16 << 20
"""No packet is nearly as long; the engine says how long it may be."""


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


def _codes(keys: tuple[object, ...]) -> list[int]:
    for key in keys:
        if not isinstance(key, str) or key not in KEYS:
            raise ArgumentError(f"there is no key {shown(key)}; the keys are {', '.join(KEYS)}")
    return [KEYS[key] for key in keys if isinstance(key, str)]
