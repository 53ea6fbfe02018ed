"""How messages quote a value that a caller passed: briefly, whatever it is."""

from __future__ import annotations

import os
import reprlib

SHOWN_MAX = 80
"""Characters of a value that a message shows."""

_short = reprlib.Repr()

_short.maxlevel = 3

_short.maxlist = _short.maxtuple = _short.maxdict = _short.maxset = _short.maxfrozenset = _short.maxdeque = 4

_short.maxarray = 4

_short.maxstring = _short.maxother = _short.maxlong = SHOWN_MAX


def shown(value: object, most: int = SHOWN_MAX) -> str:
    """A value as messages show it: its `repr`, and only the beginning of a long one."""
    try:
        if isinstance(value, str | bytes | bytearray):
            whole = repr(value) if len(value) <= most else ""
            if 0 < len(whole) <= most:
                return whole
            unit = "characters" if isinstance(value, str) else "bytes"
            return f"{repr(value[: most // 2])[:most]}... ({len(value)} {unit})"
        if isinstance(value, int) and value.bit_length() > 256:
            return f"a number of {value.bit_length()} bits"
        text = _short.repr(value)
    except Exception:
        # Its own repr fails: that is not what the caller wants to hear of.
        return f"<{type(value).__name__}>"
    return text if len(text) <= most else text[: most - 3] + "..."


def shown_path(path: str | os.PathLike[str]) -> str:
    """A path as messages show it: bytes that are no text are escaped, as no terminal or file takes them else."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
