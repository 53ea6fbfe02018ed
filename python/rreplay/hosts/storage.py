"""Hosts of storage devices: disk images, and directories for file calls."""

from __future__ import annotations

from .. import _core
from ..arguments import PathLike, flag
from ..arguments import path as path_of
from .host import Host


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
