"""What the devices of a machine can be joined to: `machine.devices["acia"].attach(rreplay.TcpServer(6502))`.

A machine without hosts runs as well: its console is `machine.console`, its disks are not there, its packets are lost
and its sound is not heard. While a machine is recorded everything that a host does is in the recording, so a replay has
no hosts and needs none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from . import _core
from ._arguments import (
    BytesLike,
    PathLike,
    bytes_of,
    flag,
    path_or_none,
    text,
    whole,
)
from ._arguments import function as function_of
from ._arguments import path as path_of
from ._shown import shown
from .errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

__all__ = [
    "Directory",
    "DiskImage",
    "Entropy",
    "Files",
    "Host",
    "NetworkFunction",
    "Pcap",
    "Pty",
    "TcpClient",
    "TcpServer",
    "Udp",
    "UserDevice",
    "WavInput",
    "WavOutput",
]

ENTROPY_BYTES_MAX = 16 << 20
"""Bytes of entropy that can be chosen."""

HOST_NAME_MAX = 255
"""Characters of an address."""


class Host(ABC):
    """Something outside that a device can be joined to; the classes below are all there are.

    A host only says what is meant: what is opened belongs to the machine that it is attached to. So it may be attached
    to several, copied and pickled.
    """

    @abstractmethod
    def _attach(self, session: _core.Session, device: str) -> None:
        """Makes the host and joins the device to it."""


class Pty(Host):
    """A pseudoterminal: `screen /dev/pts/7` talks to the guest.

    Raw, so bytes pass as they are. Bytes that the guest sends while nobody reads wait, some 64 KiB of them; what comes
    on top is refused (EAGAIN, which the recording holds), until somebody reads.
    """

    def __init__(self) -> None:
        self.path: str | None = None
        """The device file of the other side, once attached."""

    def __repr__(self) -> str:
        return f"<Pty {self.path or 'not attached yet'}>"

    def __copy__(self) -> Self:
        """Another one, which gets a terminal of its own."""
        return type(self)()

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return type(self)()

    def __reduce__(self) -> tuple[type[Self], tuple[()]]:
        return type(self), ()

    def _attach(self, session: _core.Session, device: str) -> None:
        self.path = _core.attach_pty(session, device)


class TcpServer(Host):
    """A TCP port at which the guest is reached, by one connection after the other.

    A connection that is lost costs what was on its way through it and nothing else. While there is none, bytes that the
    guest sends are refused (ENOTCONN, which the recording holds).

    Args:
        port: The port; 0 for any that is free.
        host: A numeric address of this machine.
        allow_remote: Whether other machines may connect: needed for addresses that are not loopback.
    """

    def __init__(self, port: int = 0, *, host: str = "127.0.0.1", allow_remote: bool = False) -> None:
        self.port = _port("port", port)
        """The port; once attached, the real one."""
        self.host = _host("host", host)
        self.allow_remote = flag("allow_remote", allow_remote)

    def __repr__(self) -> str:
        return f"<TcpServer {self.host}:{self.port}>"

    def _attach(self, session: _core.Session, device: str) -> None:
        host, port = _host("host", self.host), _port("port", self.port)
        self.port = _core.attach_tcp_server(session, device, host, port, flag("allow_remote", self.allow_remote))


class TcpClient(Host):
    """A TCP connection that is made when it is attached; see `TcpServer` for what happens when it is lost."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", allow_remote: bool = False) -> None:
        self.port = _port("port", port)
        self.host = _host("host", host)
        self.allow_remote = flag("allow_remote", allow_remote)

    def __repr__(self) -> str:
        return f"<TcpClient {self.host}:{self.port}>"

    def _attach(self, session: _core.Session, device: str) -> None:
        host, port = _host("host", self.host), _port("port", self.port)
        _core.attach_tcp_client(session, device, host, port, flag("allow_remote", self.allow_remote))


class Directory(Host):
    """A directory for the file calls of a C program on the board `sim65`: nothing outside of it can be reached.

    What the program reads there is in the recording; a replay touches no file.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = path_of("path", path)

    def __repr__(self) -> str:
        return f"<Directory {self.path}>"

    def _attach(self, session: _core.Session, device: str) -> None:
        _core.attach_directory(session, device, path_of("path", self.path))


class Files(Host):
    """Files: what the guest sends goes to one, what it receives comes from the other, as fast as it reads.

    Args:
        output: The file for what the guest sends; None throws it away (the console's transcript has it anyway).
        input: The file whose bytes the guest receives, once, from its start; None for none.
        append: Whether the output file keeps what it holds already.
    """

    def __init__(
        self,
        output: PathLike | None = None,
        *,
        input: PathLike | None = None,  # noqa: A002
        append: bool = False,
    ) -> None:
        self.output = path_or_none("output", output)
        self.input = path_or_none("input", input)
        self.append = flag("append", append)

    def __repr__(self) -> str:
        return f"<Files output={self.output!r} input={self.input!r}>"

    def _attach(self, session: _core.Session, device: str) -> None:
        output, source = path_or_none("output", self.output), path_or_none("input", self.input)
        _core.attach_files(session, device, output, flag("append", self.append), source)


class DiskImage(Host):
    """A raw disk image: sector after sector of 512 bytes, for a device of kind "disk".

    What the guest writes is kept in memory and gone with the machine, unless the image is opened to be written.

    Args:
        path: The image.
        writable: Whether the guest may change the file.
    """

    def __init__(self, path: PathLike, *, writable: bool = False) -> None:
        self.path = path_of("path", path)
        self.writable = flag("writable", writable)

    def __repr__(self) -> str:
        return f"<DiskImage {self.path}{' writable' if self.writable else ''}>"

    def _attach(self, session: _core.Session, device: str) -> None:
        _core.attach_disk(session, device, path_of("path", self.path), flag("writable", self.writable))


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
        self.peer_port = _port("peer_port", peer_port)
        self.port = _port("port", port)
        """The own port; once attached, the real one."""
        self.peer_host = _host("peer_host", peer_host)
        self.host = _host("host", host)
        self.allow_remote = flag("allow_remote", allow_remote)

    def __repr__(self) -> str:
        return f"<Udp {self.host}:{self.port} to {self.peer_host}:{self.peer_port}>"

    def _attach(self, session: _core.Session, device: str) -> None:
        local = _host("host", self.host), _port("port", self.port)
        peer = _host("peer_host", self.peer_host), _port("peer_port", self.peer_port)
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
        function: Takes the bytes of a packet; gives None, a packet, or a list of packets for the guest. It is called on
            the thread that runs the machine, and may not use the machine. One that raises stops the run, which raises
            the same.
    """

    def __init__(self, function: Callable[[bytes], bytes | list[bytes] | None]) -> None:
        self.function = function_of("function", function, "the bytes of a packet")

    def __repr__(self) -> str:
        return f"<NetworkFunction {self.function!r}>"

    def _attach(self, session: _core.Session, device: str) -> None:
        _core.attach_network(session, device, function_of("function", self.function, "the bytes of a packet"))


class WavOutput(Host):
    """A WAV file that takes what a device of kind "sound" plays: 16 bits, one channel. It is whole between two runs.

    Args:
        path: The file.
        rate: Frames a second that the file says; the one the guest plays at is in `device.state["rate"]`.
    """

    def __init__(self, path: PathLike, *, rate: int = 8000) -> None:
        self.path = path_of("path", path)
        self.rate = _rate(rate)

    def __repr__(self) -> str:
        return f"<WavOutput {self.path} at {self.rate} Hz>"

    def _attach(self, session: _core.Session, device: str) -> None:
        _core.attach_wav_output(session, device, path_of("path", self.path), _rate(self.rate))


class WavInput(Host):
    """A WAV file that a device of kind "sound" records from: 16 bits, one channel. Behind its end nothing is heard."""

    def __init__(self, path: PathLike) -> None:
        self.path = path_of("path", path)

    def __repr__(self) -> str:
        return f"<WavInput {self.path}>"

    def _attach(self, session: _core.Session, device: str) -> None:
        _core.attach_wav_input(session, device, path_of("path", self.path))


class Entropy(Host):
    """Chosen bytes instead of the operating system's entropy, for a device of kind "random_port".

    Args:
        data: What the guest is given, byte by byte.
        error: The error number, 1 to 4095, that it is given behind their end; 5 is EIO.
    """

    def __init__(self, data: BytesLike, *, error: int = 5) -> None:
        self.data = bytes_of("data", data, most=ENTROPY_BYTES_MAX)
        self.error = whole("error", error, least=1, most=4095)

    def __repr__(self) -> str:
        return f"<Entropy {len(self.data)} bytes>"

    def _attach(self, session: _core.Session, device: str) -> None:
        data = bytes_of("data", self.data, most=ENTROPY_BYTES_MAX)
        _core.attach_entropy(session, device, data, whole("error", self.error, least=1, most=4095))


@runtime_checkable
class UserDevice(Protocol):
    """What stands behind a device of kind "user": any object with some of these methods.

    They are called on the thread that runs the machine, in the middle of an instruction, and answer from what they are
    given: the machine itself may not be asked anything meanwhile. What they answer is recorded as coming from outside,
    so a replay does not call them. One that raises stops the run, which raises the same.
    """

    def read(self, offset: int) -> int:
        """The byte, 0 to 255, that the guest reads from register `offset`."""
        ...

    def write(self, offset: int, value: int) -> bool | None:
        """The guest writes `value` to register `offset`; True or False sets the interrupt output, None leaves it."""
        ...

    def tick(self) -> bool | None:
        """Called every `tick_cycles` cycles of the board's description; answers as `write` does."""
        ...


def attach(session: _core.Session, device: str, kind: str, host: object) -> None:
    """Joins a device to a host, or a device of kind "user" to the object that stands behind it."""
    if isinstance(host, Host):
        host._attach(session, device)
    elif kind == "user" and any(callable(getattr(host, name, None)) for name in ("read", "write", "tick")):
        _core.attach_object(session, device, host)
    elif kind == "user":
        raise ArgumentError(
            f"{shown(host)} cannot stand behind the device {device!r}: it has no method read(offset), "
            "write(offset, value) or tick()"
        )
    else:
        raise ArgumentError(f"{shown(host)} is no host: attach one of rreplay's, such as rreplay.TcpServer() or Pty()")


def _port(name: str, value: object) -> int:
    return whole("a port" if name == "port" else f"{name}: a port", value, most=0xFFFF)


def _host(name: str, value: object) -> str:
    return text(name, value, most=HOST_NAME_MAX)


def _rate(value: object) -> int:
    return whole("a rate", value, least=1, most=1_000_000)
