"""Programs that fork, run in a process of their own: a child of pytest's own would be a copy of all of pytest."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

PATIENCE_SECONDS = 120
"""What a script may take: far more than it does, so that one which hangs is a failure."""

FORKING = """
import gc, os, sys
import rreplay as rr

def child(act):
    '''Forks a child that does this and goes away in the usual way; says what it raised.'''
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(receive)
        try:
            try:
                act()
            finally:
                error = sys.exc_info()[1]
                os.write(send, f"{type(error).__name__}: {error}".encode() if error else b"nothing")
                os.close(send)
        except rr.ReplayError:
            pass
        # As a program ends, with everything collected on the way.
        sys.exit(0)
    os.close(send)
    with os.fdopen(receive) as answer:
        said = answer.read()
    assert os.waitpid(pid, 0)[1] == 0, said
    # A child that is forked with this still in its buffer would print it again.
    print(said, flush=True)
    return said
"""


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def script(text: str, *arguments: object) -> list[str]:
    """Runs a program in a process of its own; the lines it prints."""
    command = [sys.executable, "-c", FORKING + textwrap.dedent(text), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
