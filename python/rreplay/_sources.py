"""Turns what a caller names (a preset, a path, bytes, a mapping) into a board and the images to load."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from ._core import Board
from ._files import read_ordinary
from .errors import BoardError, RomError

BoardSource: TypeAlias = str | os.PathLike[str] | Board | Mapping[str, Any]
"""A preset's name, the path of a `.toml` file, a board, or a mapping shaped like that file.

A mapping may have a key "preset": what else it says is laid over that preset, and its "cpu" may be a mere name.
"""

ImageSource: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview
"""The path of an image, or its bytes."""

RomSource: TypeAlias = ImageSource | Mapping[str | int, ImageSource]
"""One image for the board's main ROM, or images by region name or load address."""

CoreImage: TypeAlias = tuple[str | int | None, str, bytes]
"""Target (None: the board's main region), name for messages, content."""

IMAGE_BYTES_MAX = 4 << 20
"""No image for a 64 KiB address space is longer, in any format; a larger file is not read."""

BOARD_BYTES_MAX = 1 << 20
"""No board description is longer; a larger file is not read."""


def resolve_board(source: BoardSource) -> Board:
    """The board that `source` names.

    Raises:
        BoardError: No such preset or file, or a description that cannot be built.
    """
    if isinstance(source, Board):
        return source
    if isinstance(source, Mapping):
        return Board.from_toml(to_toml(_laid_over_preset(source)))
    if isinstance(source, str) and not source.endswith(".toml") and os.sep not in source:
        return Board.preset(source)
    path = Path(source)
    try:
        content = read_ordinary(path, BOARD_BYTES_MAX)
    except OSError as error:
        raise BoardError(
            f"cannot read the board file {path}: {error.strerror}; "
            "give the path of a .toml file, or the name of a preset (rreplay.boards() lists them)"
        ) from None
    if len(content) > BOARD_BYTES_MAX:
        raise BoardError(f"the board file {path} is over {BOARD_BYTES_MAX} bytes; is it a board description?")
    try:
        return Board.from_toml(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BoardError(f"the board file {path} is not UTF-8 text (byte {error.start})") from None
    except BoardError as error:
        raise BoardError(f"{path}: {error}") from None


def _laid_over_preset(source: Mapping[str, Any]) -> Mapping[str, Any]:
    """`source`, or, if it names a preset, that preset with the rest of `source` laid over it."""
    if "preset" not in source:
        return source
    name = source["preset"]
    if not isinstance(name, str):
        raise BoardError(f"a preset is named by a string, not by {type(name).__name__}")
    board: dict[str, Any] = tomllib.loads(Board.preset(name).to_toml())
    for key, value in source.items():
        if key == "preset":
            continue
        if key == "cpu" and isinstance(value, str):
            board["cpu"] |= {"kind": value}
        elif isinstance(value, Mapping) and isinstance(board.get(key), dict):
            board[key] |= value
        else:
            board[key] = value
    return board


def resolve_images(source: RomSource | None) -> list[CoreImage]:
    """The images that `source` names, read from their files.

    Raises:
        RomError: A file that cannot be read or is far too large, or a target that is neither name nor address.
    """
    if source is None:
        return []
    if not isinstance(source, Mapping):
        return [(None, *_read_image(source))]
    for target in source:
        if isinstance(target, bool) or not isinstance(target, str | int):
            raise RomError(f"{target!r} is no place for an image: use a region's name or a load address")
        if isinstance(target, int) and not 0 <= target <= 0xFFFF:
            raise RomError(f"the load address {target:#x} is outside 0..0xFFFF")
    return [(target, *_read_image(image)) for target, image in source.items()]


def _read_image(source: ImageSource) -> tuple[str, bytes]:
    if isinstance(source, bytes | bytearray | memoryview):
        return "the given bytes", bytes(source)
    try:
        path = Path(source)
        content = read_ordinary(path, IMAGE_BYTES_MAX)
    except TypeError:
        raise RomError(f"a ROM is given as a path or as bytes, not as {type(source).__name__}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise RomError(
            f"cannot read the ROM image {os.fspath(source)}: {reason}; check the path given as rom="
        ) from None
    if len(content) > IMAGE_BYTES_MAX:
        raise RomError(
            f"the ROM image {path} is over {IMAGE_BYTES_MAX} bytes, and the address space has 65,536; "
            "is it the right file?"
        )
    return str(path), content


def to_toml(mapping: Mapping[str, Any]) -> str:
    """A mapping as TOML text, nested mappings as inline tables.

    Raises:
        BoardError: A key or value that TOML does not have.
    """
    return "".join(f"{_toml_key(key)} = {_toml_value(value)}\n" for key, value in mapping.items())


def _toml_key(key: object) -> str:
    if not isinstance(key, str):
        raise BoardError(f"a board's keys are strings, and {key!r} is {type(key).__name__}")
    return _toml_string(key)


def _toml_string(text: str) -> str:
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04X}" for c in plain) + '"'


def _toml_value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _toml_string(value)
        case int() | float():
            return repr(value)
        case Mapping():
            return "{" + ", ".join(f"{_toml_key(k)} = {_toml_value(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_toml_value, value)) + "]"
        case _:
            raise BoardError(
                f"a board's values are strings, numbers, booleans, lists and mappings, and {value!r} is "
                f"{type(value).__name__}"
            )
