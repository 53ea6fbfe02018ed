"""Files of the command line: what a file is, where a recording may go, and recordings that come through a pipe."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import ArgumentError, LogError, NotARecording, ReplayError

RECORDING_MAGIC = b"\x8eRRP\r\n\x1a\n"
"""How a recording begins: docs/log-format.md."""

SUFFIX = ".rreplay"

STANDARD_INPUT = "-"

PIPE_WAIT_SECONDS = 0.02
"""A pipe or a lock is looked at so often."""

WRITER_WAIT_SECONDS = 1.0
"""So long is waited for somebody to write into a pipe, in real time."""

LOCK_WAIT_SECONDS = 2.0
"""So long is waited for another rreplay to have chosen a name, in real time."""

KINDS: tuple[tuple[bytes, str], ...] = (
    (RECORDING_MAGIC, "a recording: `rreplay replay {path}` plays it"),
    (b"Uzna", "an object file of ca65 that has not been linked: link it, with ld65 or cl65, and take what that writes"),
    (b"naUz", "a library of ar65: link a program with it, and take that"),
    (b"\x7fELF", "an ELF file, and not an image of a 6502's memory: have the linker write a binary, or convert it"),
    (b"!<arch>\n", "an archive of object files: link a program with it, and take that"),
)
"""What is no image, by its first bytes."""

TEXTS = {
    ".s": "assembler source",
    ".asm": "assembler source",
    ".inc": "assembler source",
    ".c": "C source",
    ".h": "C source",
    ".cfg": "a linker's configuration",
    ".map": "a linker's map",
    ".lbl": "a list of labels",
    ".dbg": "debug information",
    ".lst": "a listing",
}
"""What is no image, by its name."""


def first_bytes(path: str | os.PathLike[str], length: int = 16) -> bytes | None:
    """How an ordinary file begins; None for one that is none or cannot be read. Never waits."""
    try:
        with _opened(path) as file:
            return file.read(length) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None
    except (OSError, ValueError):
        return None


def _opened(path: str | os.PathLike[str]) -> BinaryIO:
    """The file for reading; a pipe too, though nobody may be at its other end."""
    return os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb")


def no_image(path: str) -> str | None:
    """Why the file `path` cannot be an image or a program, in words; None where it may be one."""
    start = first_bytes(path)
    if start is None:
        return None
    if not start:
        return f"{path} is empty: check that whatever builds it succeeded"
    for magic, what in KINDS:
        if start.startswith(magic):
            return f"{path} is {what.format(path=path)}"
    what_text = TEXTS.get(Path(path).suffix.lower())
    if what_text is not None:
        return f"{path} is {what_text}, by its name: give the image that is built with it"
    return None


# -- the file that a recording goes to


def recording_path(given: str | None, name: str, *, force: bool) -> Path:
    """Where a recording may go: to the path that was given, or to the first that is free of those made of a name.

    Raises:
        LogError: What is there is no recording, or it is one and `force` is off.
    """
    if given is None:
        return free_path(name)
    if given in ("", STANDARD_INPUT):
        raise ArgumentError(f"-o takes the name of a file, and {given!r} is none (./- is a file called -)")
    path = Path(given)
    if given.endswith(os.sep):
        raise LogError(f"{given} names a directory: name a file in it, such as -o {path / ('run' + SUFFIX)}")
    try:
        about = path.stat()
    except FileNotFoundError:
        return path
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise LogError(f"cannot record to {path}: {reason}") from None
    if stat.S_ISDIR(about.st_mode):
        raise LogError(f"{path} is a directory: name a file in it, such as -o {path / ('run' + SUFFIX)}")
    if not stat.S_ISREG(about.st_mode):
        raise LogError(f"{path} is a pipe, a socket or a device: a recording is an ordinary file")
    if first_bytes(path, len(RECORDING_MAGIC)) != RECORDING_MAGIC:
        raise LogError(f"{path} is there already, and is no recording: it stays as it is; name another file")
    if not force:
        raise LogError(f"{path} is there already: --force replaces that recording, or name another file")
    return path


def free_path(name: str) -> Path:
    """The first of NAME.rreplay, NAME-1.rreplay, ... that is not there, in the current directory."""
    number = 0
    while True:
        path = Path(f"{name}-{number}{SUFFIX}" if number else f"{name}{SUFFIX}")
        if not os.path.lexists(path):
            return path
        number += 1


@contextlib.contextmanager
def choosing_in(directory: Path) -> Iterator[None]:
    """While inside, no other rreplay chooses a new file's name in `directory`.

    Two that look at the same moment would both find the same name free, and one recording would replace the other.
    """
    try:
        import fcntl

        descriptor = os.open(directory, os.O_RDONLY)
    except (ImportError, OSError):
        # No such locks here, or no such directory, which the recorder says better.
        yield
        return
    try:
        # Somebody else may lock the directory for a purpose of their own, and is not waited for without end.
        waits_until = time.monotonic() + LOCK_WAIT_SECONDS
        while time.monotonic() < waits_until:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(PIPE_WAIT_SECONDS)
            except OSError:
                break
        yield
    finally:
        os.close(descriptor)


# -- recordings that are read


class InputFiles(contextlib.ExitStack):
    """The files that a command reads, each as one that can be read again and again.

    What comes through a pipe is kept in a temporary file while inside: a shell's `<(...)`, and standard input, which is
    `-` for a recording. `names` has what the person calls such files.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, str] = {}
        self._has_read_input = False

    def recording(self, given: str) -> Path:
        """The file with the recording `given`.

        Raises:
            ReplayError: Nothing comes through the pipe, or it cannot be kept.
        """
        if not given:
            raise ArgumentError("the name of the recording is empty: name a file, or - for standard input")
        if given != STANDARD_INPUT:
            return Path(self.readable(given))
        if self._has_read_input:
            raise ArgumentError("standard input can be read once: name a file for the other recording")
        self._has_read_input = True
        return self._copy(sys.stdin.buffer, "standard input")

    def readable(self, given: str) -> str:
        """The file `given`, or what has come through it if it is a pipe.

        Raises:
            ReplayError: Nothing comes through the pipe, or it cannot be kept.
        """
        if not _is_pipe(given):
            return given
        try:
            with _opened(given) as pipe:
                return str(self._copy(pipe, given))
        except OSError as error:
            raise LogError(f"cannot read {given}: {error.strerror}") from None

    def with_given_names(self, text: str) -> str:
        """`text` with the names that the person knows in the place of temporary ones."""
        for path, name in self.names.items():
            text = text.replace(path, name)
        return text

    def _copy(self, source: BinaryIO, name: str) -> Path:
        if os.isatty(source.fileno()):
            raise ArgumentError("standard input is a terminal: send a recording through a pipe, or name a file")
        directory = Path(self.enter_context(tempfile.TemporaryDirectory(prefix="rreplay-")))
        path = directory / "piped"
        self.names[str(path)] = name
        try:
            with path.open("wb") as copy:
                _copy_all(source.fileno(), copy, name)
        except OSError as error:
            raise LogError(f"cannot read {name} into {path}: {error.strerror}") from None
        return path


def _is_pipe(path: str) -> bool:
    try:
        return stat.S_ISFIFO(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return False


def _copy_all(source: int, copy: BinaryIO, name: str) -> None:
    if stat.S_ISDIR(os.fstat(source).st_mode):
        raise NotARecording(f"{name} is a directory: name a file")
    if stat.S_ISREG(os.fstat(source).st_mode):
        with os.fdopen(os.dup(source), "rb") as file:
            shutil.copyfileobj(file, copy)
        return
    waits_until = time.monotonic() + WRITER_WAIT_SECONDS
    while True:
        ready, _, _ = select.select([source], [], [], PIPE_WAIT_SECONDS)
        try:
            piece = os.read(source, 1 << 16)
        except BlockingIOError:
            # Somebody has it open for writing, and takes their time.
            waits_until = 0.0
            continue
        copy.write(piece)
        if piece or (not ready and time.monotonic() < waits_until):
            continue
        if copy.tell() == 0:
            raise ArgumentError(f"nothing came through {name}: it is empty, or nobody writes into it")
        return


def without_surrogates(text: str, what: str) -> str:
    """`text`, an argument that must be text.

    Raises:
        ReplayError: It is no UTF-8, as file names may be.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ReplayError(f"{what} is to be UTF-8 text, and {text!r} is not") from None
    return text
