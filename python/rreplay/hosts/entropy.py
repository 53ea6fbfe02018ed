"""Hosts of random number generators."""

from __future__ import annotations

from .. import _core
from ..arguments import BytesLike, bytes_of, whole
from .host import Host

ENTROPY_BYTES_MAX = 16 << 20
"""Bytes of entropy that can be chosen."""


class Entropy(Host):
    """Chosen bytes instead of the operating system's entropy, for a device of kind "random_port".

    Args:
        data: What the guest is given, byte by byte.
        error: The error number, 1 to 4095, that it is given after their end; 5 is EIO.
    """

    def __init__(self, data: BytesLike, *, error: int = 5) -> None:
        self.data = bytes_of("data", data, most=ENTROPY_BYTES_MAX)
        self.error = whole("error", error, least=1, most=4095)

    def __repr__(self) -> str:
        return f"<Entropy {len(self.data)} bytes>"

    def _attach(self, session: _core.Session, device: str) -> None:
        data = bytes_of("data", self.data, most=ENTROPY_BYTES_MAX)
        _core.attach_entropy(session, device, data, whole("error", self.error, least=1, most=4095))
