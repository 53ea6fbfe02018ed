"""Hosts of character devices: terminals, connections, files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _core
from ..arguments import PathLike, flag, path_or_none
from .addresses import host_address, port_number
from .host import Host

if TYPE_CHECKING:
    from typing import Self


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
        self.port = port_number("port", port)
        """The port; once attached, the real one."""
        self.host = host_address("host", host)
        self.allow_remote = flag("allow_remote", allow_remote)

    def __repr__(self) -> str:
        return f"<TcpServer {self.host}:{self.port}>"

    def _attach(self, session: _core.Session, device: str) -> None:
        host, port = host_address("host", self.host), port_number("port", self.port)
        self.port = _core.attach_tcp_server(session, device, host, port, flag("allow_remote", self.allow_remote))


class TcpClient(Host):
    """A TCP connection that is made when it is attached; see `TcpServer` for what happens when it is lost."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", allow_remote: bool = False) -> None:
        self.port = port_number("port", port)
        self.host = host_address("host", host)
        self.allow_remote = flag("allow_remote", allow_remote)

    def __repr__(self) -> str:
        return f"<TcpClient {self.host}:{self.port}>"

    def _attach(self, session: _core.Session, device: str) -> None:
        host, port = host_address("host", self.host), port_number("port", self.port)
        _core.attach_tcp_client(session, device, host, port, flag("allow_remote", self.allow_remote))


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
