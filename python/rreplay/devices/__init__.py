"""The devices of a machine: `machine.devices["via"]`.

Every kind has `state` and `attach`; some have more, for what a person does with them: look at a display, press a key.
"""

from .device import Device
from .devices import Devices
from .image import Image
from .kinds import KEYS, Display, Keyboard, Network, Pointer

__all__ = [
    "KEYS",
    "Device",
    "Devices",
    "Display",
    "Image",
    "Keyboard",
    "Network",
    "Pointer",
]
