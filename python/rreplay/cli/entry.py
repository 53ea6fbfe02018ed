"""The command `rreplay` from its first word to its exit status."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import TextIO

from ..errors import Divergence, ReplayError
from .commands import COMMANDS
from .exit_status import BAD_INPUT, BROKEN_PIPE, BY_SIGNAL, DEFECT, FINDING, HANGUP
from .files import InputFiles
from .messages import for_shell, say
from .parser import parsed
from .signals import Signalled, Signals
from .terminal import OutputLost, TerminalClosed


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status."""
    try:
        with Signals() as signals:
            return _main(list(sys.argv[1:] if arguments is None else arguments), signals)
    except (Signalled, KeyboardInterrupt) as ended:
        # What is not read yet may never be: the interpreter's exit must not wait for it.
        _drop_output()
        return BY_SIGNAL + (ended.number if isinstance(ended, Signalled) else signal.SIGINT)
    finally:
        _drop_lost_messages()


def _main(words: list[str], signals: Signals) -> int:
    if not _prepare_streams():
        say("standard output is closed: give it somewhere to go, if only /dev/null")
        return BAD_INPUT
    try:
        options = parsed(words)
    except SystemExit as ended:
        # After --help and --version, and for wrong usage, which is said already.
        return _flushed(ended.code if isinstance(ended.code, int) else BAD_INPUT)
    except OSError as error:
        return _output_lost(error)
    with InputFiles() as files:
        options.files = files
        try:
            return _flushed(COMMANDS[options.command](options, signals))
        except Divergence as divergence:
            say(files.with_given_names(for_shell(str(divergence))))
            return _flushed(FINDING)
        except ReplayError as error:
            say(files.with_given_names(for_shell(str(error))))
            return _flushed(BAD_INPUT)
        except UnicodeError as error:
            say(f"a name or a text is not UTF-8: {error}")
            return _flushed(BAD_INPUT)
        except TerminalClosed:
            return BY_SIGNAL + HANGUP
        except (OutputLost, OSError) as error:
            return _output_lost(error)
        except (KeyboardInterrupt, Signalled):
            raise
        except BaseException:
            # A status of its own: a program that looks for findings must not take a defect for one. The engine's own
            # panics are no `Exception`.
            with contextlib.suppress(OSError):
                traceback.print_exc()
            say("this is a defect of rreplay: please report it, with the lines above")
            return DEFECT


def _prepare_streams() -> bool:
    """Makes sure that the standard streams are open, and that names of any bytes can be printed.

    Whatever is opened first gets the number of a stream that was closed: a recording must not become standard error.

    Returns:
        Whether there is a standard output.
    """
    closed = [number for number in range(3) if not _is_open(number)]
    for _ in closed:
        os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        return False
    with contextlib.suppress(AttributeError, ValueError):
        utf8 = sys.stdout.encoding.lower().replace("-", "") == "utf8"
        sys.stdout.reconfigure(errors="surrogateescape" if utf8 else "backslashreplace")  # type: ignore[union-attr]
    return True


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError as error:
        return error.errno != errno.EBADF
    return True


def _flushed(status: int) -> int:
    """Flushes the output; returns `status`, or another one if the output is lost."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return _output_lost(error)
    return status


def _output_lost(lost: OutputLost | OSError) -> int:
    error = lost.error if isinstance(lost, OutputLost) else lost
    # Nothing more can be said there, not even by the interpreter's exit.
    _drop_output()
    if error.errno == errno.EPIPE:
        # As `head` wants it: without a word. The status is that of a program that the signal ends.
        return BY_SIGNAL + BROKEN_PIPE
    say(f"cannot write the output: {error.strerror or error}")
    return BAD_INPUT


def _drop_output() -> None:
    _drop(sys.stdout)


def _drop_lost_messages() -> None:
    """Drops what standard error would not take: the interpreter's exit would try again, fail, and say 120."""
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        _drop(sys.stderr)


def _drop(stream: TextIO) -> None:
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
