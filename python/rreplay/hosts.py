"""What the devices of a machine can be joined to: `machine.devices["acia"].attach(rreplay.TcpServer(6502))`.

A machine without hosts runs as well: its console is `machine.console`, its disks are not there, its packets are lost
and its sound is not heard. While a machine is recorded everything that a host does is in the recording, so a replay has
no hosts and needs none.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from . import _core
from .errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

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

PathLike: TypeAlias = "str | os.PathLike[str]"


class Host(ABC):
    """Something outside that a device can be joined to; the classes below are all there are."""

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
        self.port = _port(port)
        """The port; once attached, the real one."""
        self.host = host
        self.allow_remote = allow_remote

    def __repr__(self) -> str:
        return f"<TcpServer {self.host}:{self.port}>"

    def _attach(self, session: _core.Session, device: str) -> None:
        self.port = _core.attach_tcp_server(session, device, self.host, self.port, self.allow_remote)


class TcpClient(Host):
    """A TCP connection that is made when it is attached; see `TcpServer` for what happens when it is lost."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", allow_remote: bool = False) -> None:
        self.port = _port(port)
        self.host = host
        self.allow_remote = allow_remote

    def __repr__(self) -> str:
        return f"<TcpClient {self.host}:{self.port}>"

    def _attach(self, session: _core.Session, device: str) -> None:
        _core.attach_tcp_client(session, device, self.host, self.port, self.allow_remote)


class Directory(Host):
    """A directory for the file calls of a C program on the board `sim65`: nothing outside of it can be reached.

    What the program reads there is in the recording; a replay touches no file.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"<Directory {os.fspath(self.path)}>"

    def _attach(self, session: _core.Session, device: str) -> None:
        _core.attach_directory(session, device, os.fspath(self.path))


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
        self.output = output
        self.input = input
        self.append = append

    def __repr__(self) -> str:
        return f"<Files output={self.output!r} input={self.input!r}>"

    def _attach(self, session: _core.Session, device: str) -> None:
        output = None if self.output is None else os.fspath(self.output)
        source = None if self.input is None else os.fspath(self.input)
        _core.attach_files(session, device, output, self.append, source)


class DiskImage(Host):
    """A raw disk image: sector after sector of 512 bytes, for a device of kind "disk".

    What the guest writes is kept in memory and gone with the machine, unless the image is opened to be written.

    Args:
        path: The image.
        writable: Whether the guest may change the file.
    """

    def __init__(self, path: PathLike, *, writable: bool = False) -> None:
        self.path = path
        self.writable = writable

    def __repr__(self) -> str:
        return f"<DiskImage {os.fspath(self.path)}{' writable' if self.writable else ''}>"

    def _attach(self, session: _core.Session, device: str) -> None:
        _core.attach_disk(session, device, os.fspath(self.path), self.writable)


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
        self.peer_port = _port(peer_port)
        self.port = _port(port)
        """The own port; once attached, the real one."""
        self.peer_host = peer_host
        self.host = host
        self.allow_remote = allow_remote

    def __repr__(self) -> str:
        return f"<Udp {self.host}:{self.port} to {self.peer_host}:{self.peer_port}>"

    def _attach(self, session: _core.Session, device: str) -> None:
        local, peer = (self.host, self.port), (self.peer_host, self.peer_port)
        self.port = _core.attach_udp(session, device, local, peer, self.allow_remote)


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
        self.output = output
        self.input = input

    def __repr__(self) -> str:
        return f"<Pcap output={self.output!r} input={self.input!r}>"

    def _attach(self, session: _core.Session, device: str) -> None:
        output = None if self.output is None else os.fspath(self.output)
        source = None if self.input is None else os.fspath(self.input)
        _core.attach_pcap(session, device, output, source)


class NetworkFunction(Host):
    """A function that plays the rest of the network: it is given each packet that the guest sends.

    Args:
        function: Takes the bytes of a packet; gives None, a packet, or a list of packets for the guest. It is called on
            the thread that runs the machine, and may not use the machine. One that raises stops the run, which raises
            the same.
    """

    def __init__(self, function: Callable[[bytes], bytes | list[bytes] | None]) -> None:
        if not callable(function):
            raise ArgumentError(f"{function!r} is no function: give one that takes the bytes of a packet")
        self.function = function

    def __repr__(self) -> str:
        return f"<NetworkFunction {self.function!r}>"

    def _attach(self, session: _core.Session, device: str) -> None:
        _core.attach_network(session, device, self.function)


class WavOutput(Host):
    """A WAV file that takes what a device of kind "sound" plays: 16 bits, one channel. It is whole between two runs.

    Args:
        path: The file.
        rate: Frames a second that the file says; the one the guest plays at is in `device.state["rate"]`.
    """

    def __init__(self, path: PathLike, *, rate: int = 8000) -> None:
        if type(rate) is not int or not 1 <= rate <= 1_000_000:
            raise ArgumentError(f"a rate is a whole number of frames a second from 1 to 1000000, and {rate!r} is not")
        self.path = path
        self.rate = rate

    def __repr__(self) -> str:
        return f"<WavOutput {os.fspath(self.path)} at {self.rate} Hz>"

    def _attach(self, session: _core.Session, device: str) -> None:
        _core.attach_wav_output(session, device, os.fspath(self.path), self.rate)


class WavInput(Host):
    """A WAV file that a device of kind "sound" records from: 16 bits, one channel. Behind its end nothing is heard."""

    def __init__(self, path: PathLike) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"<WavInput {os.fspath(self.path)}>"

    def _attach(self, session: _core.Session, device: str) -> None:
        _core.attach_wav_input(session, device, os.fspath(self.path))


class Entropy(Host):
    """Chosen bytes instead of the operating system's entropy, for a device of kind "random_port".

    Args:
        data: What the guest is given, byte by byte.
        error: The error number, 1 to 4095, that it is given behind their end; 5 is EIO.
    """

    def __init__(self, data: bytes, *, error: int = 5) -> None:
        if type(error) is not int or not 1 <= error <= 4095:
            raise ArgumentError(f"an error is a number from 1 to 4095, and {error!r} is not")
        self.data = bytes(data)
        self.error = error

    def __repr__(self) -> str:
        return f"<Entropy {len(self.data)} bytes>"

    def _attach(self, session: _core.Session, device: str) -> None:
        _core.attach_entropy(session, device, self.data, self.error)


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
            f"{host!r} cannot stand behind the device {device!r}: it has no method read(offset), write(offset, value) "
            "or tick()"
        )
    else:
        raise ArgumentError(f"{host!r} is no host: attach one of rreplay's, such as rreplay.TcpServer() or Pty()")


def _port(port: int) -> int:
    if type(port) is not int or not 0 <= port <= 0xFFFF:
        raise ArgumentError(f"a port is a whole number from 0 to 65535, and {port!r} is not")
    return port
