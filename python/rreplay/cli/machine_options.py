"""The machine that a command line names: BOARD or PROGRAM, and `--rom`, `--cpu`, `--directory`."""

from __future__ import annotations

import argparse
import os
import shlex
import tomllib
from collections.abc import Sequence
from pathlib import Path

from .._core import Board, boards
from ..devices.device import Device
from ..errors import ArgumentError, BoardError, DeviceError, RomError
from ..hosts.storage import Directory
from ..machine.machine import Machine
from ..machine.resolve import BOARD_BYTES_MAX, RomSource, resolve_board
from .files import RECORDING_MAGIC, SUFFIX, InputFiles, first_bytes, no_image, without_surrogates
from .messages import say

SIM65 = "sim65"
"""The kind of the device that serves such programs."""

SIM65_MAGIC = b"sim65"
"""How a program of cc65's simulator target begins."""


def machine_of(options: argparse.Namespace) -> Machine:
    """The machine of a command line.

    Raises:
        ReplayError: It cannot be had; the message says what to write instead.
    """
    name: str = options.files.readable(options.board)
    cpu = None if options.cpu is None else without_surrogates(options.cpu, "--cpu")
    if is_program(name):
        if options.rom:
            raise ArgumentError(f"{name} is a program by itself: it goes without --rom")
        if cpu is not None:
            raise ArgumentError(f"{name} says itself which processor it is for: it goes without --cpu")
        arguments = [without_surrogates(text, "an argument for the program") for text in options.arguments]
        # The program's name is for its eyes only; where it is no text, what is none of it goes.
        own_name = os.fsencode(name).decode(errors="replace")
        machine = Machine("sim65", rom=name, arguments=[own_name, *arguments])
    else:
        _require_board(name, options)
        board = resolve_board(name)
        if not options.rom:
            _look_for_program(board)
        if options.arguments:
            raise ArgumentError(f"only a C program takes arguments ({options.arguments[0]!r}), and {name} is a board")
        machine = Machine(board, rom=rom_of(options.rom, options.files), cpu=cpu)
    if options.directory is not None:
        _file_calls(machine).attach(Directory(options.directory))
    return machine


def program_name(board: str) -> str:
    """What a recording of BOARD or PROGRAM is called, but for its suffix."""
    return Path(board).stem or "run"


def is_program(name: str) -> bool:
    """Whether it is the file of a program for cc65's simulator target."""
    return first_bytes(name, len(SIM65_MAGIC)) == SIM65_MAGIC


def _require_board(name: str, options: argparse.Namespace) -> None:
    """Checks that BOARD is one, where it can be told what else it is.

    Raises:
        BoardError: It is no board; the message says what it is, and what to write.
    """
    if name in boards():
        return
    words = getattr(options, "words", [])
    is_target = name.endswith(SUFFIX) or first_bytes(name, 8) == RECORDING_MAGIC
    if words[:1] == ["record"] and is_target and options.output is None:
        others = [word for word in words[1:] if word != name]
        raise BoardError(
            f"{name} is the file to write? `record` takes the words of `run`, and the file with -o: "
            f"rreplay record {shlex.join([*others, '-o', name])}"
        )
    if not name:
        raise BoardError("BOARD is empty: name a preset (`rreplay boards` lists them), or a .toml file")
    without_surrogates(name, "BOARD")
    problem = no_image(name)
    if problem is not None:
        raise BoardError(problem)
    path = Path(name)
    if path.is_dir():
        raise BoardError(f"{name} is a directory: name a preset (`rreplay boards` lists them), or a .toml file")
    if path.is_file() and path.suffix != ".toml" and not _is_description(path):
        raise BoardError(
            f"{name} is a file, and no board: use --rom to load it, as in "
            f"rreplay {shlex.join([*words[:1], 'breadboard', '--rom', name])}"
        )


def _look_for_program(board: Board) -> None:
    """Says so where a board without an image has nothing to run.

    Raises:
        BoardError: It runs programs that are named in its place.
    """
    description = tomllib.loads(board.to_toml())
    if any(device["kind"] == SIM65 for device in description.get("device", ())):
        raise BoardError(f"the board {board.name} runs C programs: name the program instead, as in rreplay run hello")
    if "rom" not in description and all(region["kind"] == "ram" for region in description["region"]):
        say(f"nothing is loaded on the board {board.name}, which has RAM alone: --rom FILE gives it a program")


def _is_description(path: Path) -> bool:
    """Whether a file of any name has a board's description in it."""
    try:
        with path.open("rb") as file:
            text = file.read(BOARD_BYTES_MAX).decode()
        return bool({"cpu", "region", "device", "preset"} & tomllib.loads(text).keys())
    except (OSError, ValueError):
        return False


def rom_of(options: Sequence[str], files: InputFiles) -> RomSource | None:
    """The `--rom` options as `Machine` wants them.

    Raises:
        RomError: Two images for one place, an image without any among several, or a file that is no image.
    """
    if not options:
        return None
    if len(options) == 1 and _is_path(options[0]):
        return _image(options[0], files)
    images: dict[str | int, str] = {}
    for option in options:
        place, equals, path = option.partition("=")
        if not equals:
            raise RomError(f"with several images each needs its place: --rom PLACE={option}")
        key = _place(without_surrogates(place, "the place of an image"))
        if key in images:
            raise RomError(f"there are two images for {place}, {images[key]} and {path}: give one of them")
        images[key] = _image(path, files)
    return {**images}


def _is_path(option: str) -> bool:
    """Whether `--rom` has no place: a file may have a = in its name."""
    place, equals, path = option.partition("=")
    return not equals or (os.sep in place and not Path(path).exists()) or Path(option).is_file()


def _image(given: str, files: InputFiles) -> str:
    if not given:
        raise RomError("--rom takes the path of an image, and what was given is empty")
    path = files.readable(given)
    problem = no_image(path)
    if problem is not None:
        raise RomError(problem)
    return path


def _place(text: str) -> str | int:
    if text[:1].isdigit() or text.startswith("$"):
        try:
            return int(text[1:], 16) if text.startswith("$") else int(text, 0)
        except ValueError:
            raise RomError(f"{text!r} is no load address: write 0x8000, $8000 or 32768") from None
    return text


def _file_calls(machine: Machine) -> Device:
    for device in machine.devices.values():
        if device.kind == SIM65:
            return device
    raise DeviceError(
        f"--directory is for file calls, and the board {machine.board.name} has no device that serves any"
    )
