"""Turns what a caller names (a preset, a path, bytes, a mapping) into a board and the images to load."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from .._core import Board
from ..arguments import BytesLike, PathLike, bytes_of, index_of, text
from ..arguments import path as path_of
from ..arguments.files import read_ordinary
from ..errors import ArgumentError, BoardError, RomError
from ..errors.quote import shown, shown_path

BoardSource: TypeAlias = PathLike | Board | Mapping[str, Any]
"""A preset's name, the path of a `.toml` file, a board, or a mapping shaped like that file.

A mapping may have a key "preset": what else it says is laid over that preset, and its "cpu" may be a mere name.
"""

ImageSource: TypeAlias = str | os.PathLike[str] | BytesLike
"""The path of an image, or its bytes (so a path is no bytes here)."""

RomSource: TypeAlias = ImageSource | Mapping[str | int, ImageSource]
"""One image for the board's main ROM, or images by region name or load address."""

CoreImage: TypeAlias = tuple[str | int | None, str, bytes]
"""Target (None: the board's main region), name for messages, content."""

IMAGE_BYTES_MAX = 4 << 20
"""No image for a 64 KiB address space is longer, in any format; a larger file is not read."""

BOARD_BYTES_MAX = 1 << 20
"""No board description is longer; a larger file is not read."""

IMAGES_MAX = 256
"""No board has more regions, and no program more pieces."""

NESTING_MAX = 16
"""No board description has tables in tables in tables... deeper."""


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
    path = Path(path_of("board", source))
    try:
        content = read_ordinary(path, BOARD_BYTES_MAX)
    except OSError as error:
        raise BoardError(
            f"cannot read the board file {shown_path(path)}: {error.strerror}; "
            "give the path of a .toml file, or the name of a preset (rreplay.boards() lists them)"
        ) from None
    if len(content) > BOARD_BYTES_MAX:
        raise BoardError(
            f"the board file {shown_path(path)} is over {BOARD_BYTES_MAX} bytes; is it a board description?"
        )
    try:
        return Board.from_toml(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BoardError(f"the board file {shown_path(path)} is not UTF-8 text (byte {error.start})") from None
    except BoardError as error:
        raise BoardError(f"{shown_path(path)}: {error}") from None


def _laid_over_preset(source: Mapping[str, Any]) -> Mapping[str, Any]:
    """`source`, or, if it names a preset, that preset with the rest of `source` laid over it."""
    if "preset" not in source:
        return source
    name = source["preset"]
    if not isinstance(name, str):
        raise BoardError(f"a preset is named by a text, and {shown(name)} is none")
    import tomllib  # takes long to import, and few boards are laid over a preset

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
    if len(source) > IMAGES_MAX:
        raise RomError(f"rom has {len(source)} images, and no board takes more than {IMAGES_MAX}")
    return [(_target(target), *_read_image(image)) for target, image in source.items()]


def _target(target: object) -> str | int:
    if isinstance(target, str):
        try:
            return text("the name of a region in rom", target)
        except ArgumentError as error:
            raise RomError(str(error)) from None
    address = index_of(target)
    if address is None:
        raise RomError(f"{shown(target)} is no place for an image: use a region's name or a load address")
    if not 0 <= address <= 0xFFFF:
        raise RomError(f"the load address {shown(address)} is outside 0..0xFFFF")
    return address


def _read_image(source: object) -> tuple[str, bytes]:
    if not isinstance(source, str | os.PathLike):
        try:
            return "the given bytes", bytes_of("rom", source, most=IMAGE_BYTES_MAX)
        except ArgumentError as error:
            raise RomError(f"a ROM is given as a path or as bytes: {error}") from None
    try:
        path = Path(path_of("rom", source))
    except ArgumentError as error:
        raise RomError(str(error)) from None
    try:
        content = read_ordinary(path, IMAGE_BYTES_MAX)
    except OSError as error:
        raise RomError(
            f"cannot read the ROM image {shown_path(path)}: {error.strerror}; check the path given as rom="
        ) from None
    if len(content) > IMAGE_BYTES_MAX:
        raise RomError(
            f"the ROM image {shown_path(path)} is over {IMAGE_BYTES_MAX} bytes, and the address space has 65,536; "
            "is it the right file?"
        )
    return shown_path(path), content


def to_toml(mapping: Mapping[str, Any]) -> str:
    """A mapping as TOML text, nested mappings as inline tables.

    Raises:
        BoardError: A key or value that TOML does not have.
    """
    return "".join(f"{_toml_key(key)} = {_toml_value(value, NESTING_MAX)}\n" for key, value in mapping.items())


def _toml_key(key: object) -> str:
    if not isinstance(key, str):
        raise BoardError(f"a board's keys are texts, and {shown(key)} is {type(key).__name__}")
    return _toml_string(key)


def _toml_string(given: str) -> str:
    try:
        plain = text("a text of a board", given)
    except ArgumentError as error:
        raise BoardError(str(error)) from None
    plain = plain.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04X}" for c in plain) + '"'


def _toml_value(value: object, depth: int) -> str:
    number = index_of(value)
    if number is not None and number.bit_length() < 64:
        return str(number)
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _toml_string(value)
        case float():
            return repr(float(value))
        case Mapping() | list() | tuple() if depth == 0:
            raise BoardError(f"a board's description is nested more than {NESTING_MAX} deep: {shown(value)}")
        case Mapping():
            return "{" + ", ".join(f"{_toml_key(k)} = {_toml_value(v, depth - 1)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(_toml_value(item, depth - 1) for item in value) + "]"
        case _:
            raise BoardError(
                "a board's values are texts, numbers of up to 64 bits, booleans, lists and mappings, and "
                f"{shown(value)} is {type(value).__name__}"
            )
