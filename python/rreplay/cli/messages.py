"""Messages on standard error, with the words of the command line where the engine uses those of Python."""

from __future__ import annotations

import contextlib
import re
import sys

WORDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), shell)
    for pattern, shell in (
        # An example of an image at an address, or of one alone.
        (r"\brom=\{(0x[0-9A-Fa-f]+|\$[0-9A-Fa-f]+|\d+): \"([^\"]*)\"\}", r"--rom \1=\2"),
        (r"\brom=\{(0x[0-9A-Fa-f]+): \.\.\.\}", r"--rom \1=FILE"),
        (r"\brom=\"([^\"]*)\"", r"--rom \1"),
        (r"\(rom=\.\.\.\)", "(--rom FILE)"),
        (r"given as rom=(?:\.\.\.)?", "given with --rom"),
        (r"\bsalvage=True\b|\bwith salvage\b", "with --salvage"),
        (r"`Machine\.record` or `rreplay record`", "`rreplay record`"),
        (r"\brreplay\.boards\(\) lists them", "`rreplay boards` lists them"),
        (r"\brreplay\.open\(path\)\.replay\(\)", "`rreplay replay`"),
        (r"\bopen (its|the) file with rreplay\.open\b", r"name \1 file"),
        (r"\bwith rreplay\.Replay\.play\(path\)", "in Python, with rreplay.Replay.play"),
    )
)
"""Words of the Python interface in the engine's messages, and the shell's for them."""

ARGUMENT = re.compile(r"\b([a-z]+(?:_[a-z]+)*)=\.\.\.")
"""Any other keyword argument that a message names, as in `snapshot_every=...`: an option, in the shell."""

WORD_SHOWN = 200
"""Characters of a very long word that are shown."""

LONG_WORD = re.compile(r"\S{1025,}")
"""A word that is longer than any sensible path."""

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What a terminal would take for a command, but for the end of a line: names of files may have any of it."""


def for_shell(message: str) -> str:
    """An error's message with the options of the command line in the place of Python's arguments and functions."""
    for pattern, shell in WORDS:
        message = pattern.sub(shell, message)
    return ARGUMENT.sub(lambda found: "--" + found[1].replace("_", "-"), message)


def shortened(text: str) -> str:
    """`text` with its very long words, which are arguments that make no sense, quoted by their beginnings."""
    return LONG_WORD.sub(lambda found: found[0][:WORD_SHOWN] + "...", text)


def say(text: str) -> None:
    """Writes a line to standard error; does nothing where nobody can read it any more."""
    text = CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", shortened(text))
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"rreplay: {text}\n")
        sys.stderr.flush()
