"""Reads files that a caller names, without ever waiting for what the name leads to."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_NONBLOCK", 0)
)

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a block device"),
)


def read_ordinary(path: Path, most: int) -> bytes:
    """The first `most` bytes of the ordinary file `path`; one byte more tells that it has more.

    A FIFO without a writer would be waited for, a terminal until somebody types, and `/dev/zero` has no end: they are
    refused, and not even opened, for that would wake whoever waits at the other end.

    Raises:
        OSError: It cannot be opened, or is no ordinary file, whatever the system calls it (`/proc/kmsg`); `strerror`
            says what it is.
    """
    _require_ordinary(path, path.stat())
    descriptor = os.open(path, _FLAGS)
    with os.fdopen(descriptor, "rb") as file:
        _require_ordinary(path, os.fstat(descriptor))
        content: bytes | None = file.read(most + 1)
    if content is None:
        raise OSError(errno.EAGAIN, "it has nothing to read yet, as no ordinary file", os.fspath(path))
    return content


def _require_ordinary(path: Path, about: os.stat_result) -> None:
    if stat.S_ISREG(about.st_mode):
        return
    kind = next((name for is_kind, name in _KINDS if is_kind(about.st_mode)), "a device")
    raise OSError(
        errno.EISDIR if kind == "a directory" else errno.EINVAL,
        f"it is {kind}, and an ordinary file is needed",
        os.fspath(path),
    )
