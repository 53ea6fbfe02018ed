"""What every host is, and how a device is attached to one."""

from __future__ import annotations

from abc import ABC, abstractmethod

from .. import _core
from ..errors import ArgumentError
from ..errors.quote import shown


class Host(ABC):
    """Something outside that a device can be joined to; the classes of this package are all there are.

    A host only says what is meant: what is opened belongs to the machine that it is attached to. So it may be attached
    to several, copied and pickled.
    """

    @abstractmethod
    def _attach(self, session: _core.Session, device: str) -> None:
        """Makes the host and joins the device to it."""


def attach(session: _core.Session, device: str, kind: str, host: object) -> None:
    """Joins a device to a host, or a device of kind "user" to an object of the user's own."""
    if isinstance(host, Host):
        host._attach(session, device)
    elif kind == "user" and any(callable(getattr(host, name, None)) for name in ("read", "write", "tick")):
        _core.attach_object(session, device, host)
    elif kind == "user":
        raise ArgumentError(
            f"{shown(host)} cannot be attached to the device {device!r}: it has no method read(offset), "
            "write(offset, value) or tick()"
        )
    else:
        raise ArgumentError(f"{shown(host)} is no host: attach one of rreplay's, such as rreplay.TcpServer() or Pty()")
