"""Names of addresses, from a mapping or a label file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from ..arguments import address as address_of
from ..arguments import path as path_of
from ..arguments.files import read_ordinary
from ..errors import ArgumentError
from ..errors.quote import shown, shown_path

Symbols: TypeAlias = "Mapping[str, int] | str | os.PathLike[str]"
"""Names of addresses: a mapping, or a VICE label file, as `ld65 -Ln` writes it."""

SYMBOLS_BYTES_MAX = 16 << 20
"""No label file is longer; a larger one is not read."""

_LABEL = re.compile(r"^al\s+(?:C:)?([0-9A-Fa-f]{1,6})\s+\.?(\S+)\s*$")


def read_symbols(symbols: Symbols | None) -> dict[str, int]:
    """The names and addresses of a mapping or a label file."""
    if symbols is None:
        return {}
    if isinstance(symbols, Mapping):
        return {_name(name): address_of(f"the symbol {shown(name)}", value) for name, value in symbols.items()}
    if not isinstance(symbols, str | bytes | os.PathLike):
        raise ArgumentError(
            f"symbols are a mapping of names to addresses or a label file, and {shown(symbols)} is neither"
        )
    path = Path(path_of("symbols", symbols))
    try:
        content = read_ordinary(path, SYMBOLS_BYTES_MAX)
    except OSError as error:
        raise ArgumentError(f"{shown_path(path)}: the label file cannot be read: {error.strerror}") from None
    if len(content) > SYMBOLS_BYTES_MAX:
        raise ArgumentError(f"{shown_path(path)} is over {SYMBOLS_BYTES_MAX} bytes; is it a label file?")
    found = (_LABEL.match(line) for line in content.decode("utf-8", errors="replace").splitlines())
    labels = {match[2]: int(match[1], 16) & 0xFFFF for match in found if match}
    if not labels:
        raise ArgumentError(
            f"{shown_path(path)}: there is no label in it; a label file has lines such as: al 00C000 .start"
        )
    return labels


def _name(name: object) -> str:
    if isinstance(name, str):
        return name
    raise ArgumentError(f"symbols are a mapping of names to addresses, and {shown(name)} is no name")
