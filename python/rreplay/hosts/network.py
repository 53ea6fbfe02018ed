"""Hosts of network devices: UDP, captures, functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _core
from ..arguments import PathLike, flag, path_or_none
from ..arguments import function as function_of
from .addresses import host_address, port_number
from .host import Host

if TYPE_CHECKING:
    from collections.abc import Callable


class Udp(Host):
    """A UDP port that talks to one other: each packet of a device of kind "network" is the payload of a datagram.

    So two machines, or a machine and a program of yours, share a wire. What is lost on the way is lost.

    Args:
        peer_port: The port to talk to.
        port: The own port; 0 for any that is free.
        peer_host: A numeric address.
        host: A numeric address of this machine.
        allow_remote: Whether addresses that are not loopback are meant.
    """

    def __init__(
        self,
        peer_port: int,
        *,
        port: int = 0,
        peer_host: str = "127.0.0.1",
        host: str = "127.0.0.1",
        allow_remote: bool = False,
    ) -> None:
        self.peer_port = port_number("peer_port", peer_port)
        self.port = port_number("port", port)
        """The own port; once attached, the real one."""
        self.peer_host = host_address("peer_host", peer_host)
        self.host = host_address("host", host)
        self.allow_remote = flag("allow_remote", allow_remote)

    def __repr__(self) -> str:
        return f"<Udp {self.host}:{self.port} to {self.peer_host}:{self.peer_port}>"

    def _attach(self, session: _core.Session, device: str) -> None:
        local = host_address("host", self.host), port_number("port", self.port)
        peer = host_address("peer_host", self.peer_host), port_number("peer_port", self.peer_port)
        self.port = _core.attach_udp(session, device, local, peer, flag("allow_remote", self.allow_remote))


class Pcap(Host):
    """Capture files for a device of kind "network": what it sends goes to one, what it receives comes from the other.

    Args:
        output: The file for what the guest sends, in the classic pcap format; None throws it away.
        input: The capture whose packets the guest receives, one after the other, as fast as it runs; None for none.
    """

    def __init__(
        self,
        output: PathLike | None = None,
        *,
        input: PathLike | None = None,  # noqa: A002
    ) -> None:
        self.output = path_or_none("output", output)
        self.input = path_or_none("input", input)

    def __repr__(self) -> str:
        return f"<Pcap output={self.output!r} input={self.input!r}>"

    def _attach(self, session: _core.Session, device: str) -> None:
        output, source = path_or_none("output", self.output), path_or_none("input", self.input)
        _core.attach_pcap(session, device, output, source)


class NetworkFunction(Host):
    """A function that plays the rest of the network: it is given each packet that the guest sends.

    Args:
        function: Takes the bytes of a packet; returns None, a packet, or a list of packets for the guest. It is called
            on the thread that runs the machine, and may not use the machine. One that raises stops the run, which
            raises the same.
    """

    def __init__(self, function: Callable[[bytes], bytes | list[bytes] | None]) -> None:
        self.function = function_of("function", function, "the bytes of a packet")

    def __repr__(self) -> str:
        return f"<NetworkFunction {self.function!r}>"

    def _attach(self, session: _core.Session, device: str) -> None:
        _core.attach_network(session, device, function_of("function", self.function, "the bytes of a packet"))
