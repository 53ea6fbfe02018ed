"""Two recordings of different firmware: where the ROMs differ, and where the outputs do."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from ..errors import MismatchError

if TYPE_CHECKING:
    from .._core import Board
    from ..recording.recording import Recording

PLACES_SHOWN = 8
"""PositionResolver in which images differ that are shown, the first ones."""

BYTES_SHOWN = 8
"""Bytes of such a place that are shown."""

GAP = 4
"""Differences that are nearer to each other than so many bytes are one place."""

LINES_SHOWN = 12
"""Lines of output that are shown side by side."""

WIDTH = 38
"""Of one side, in characters."""


@dataclass(frozen=True)
class DifferingSpan:
    """Addresses at which two images differ."""

    first: int
    last: int
    a: bytes
    """What the first has there."""
    b: bytes


@dataclass(frozen=True)
class RegionDifference:
    """How a region's images differ."""

    region: str
    start: int
    end: int
    count: int | None
    """How many bytes differ; None where only the hashes were recorded."""
    places: list[DifferingSpan]


@dataclass(frozen=True)
class OutputDifference:
    """Where two outputs part."""

    offset: int
    """How many bytes are the same."""
    line: int
    """The line in which they part, from 1."""
    a: list[str]
    """The lines from there on."""
    b: list[str]


@dataclass(frozen=True)
class FirmwareDifference:
    """Two runs of different firmware on one board."""

    settings: list[tuple[str, object, object]]
    """What the board was told about the program and is not the same: its name and both values."""
    regions: list[RegionDifference]
    in_rom: bool
    """Whether the regions are ROM, or RAM with the program that was loaded into it."""
    output: OutputDifference | None
    """None where both printed the same."""

    def as_dict(self) -> dict[str, Any]:
        """All of it, made of what JSON has; bytes are hex."""
        return {
            "settings": {name: [a, b] for name, a, b in self.settings},
            "roms": [_plain(region) for region in self.regions],
            "output": self.output and asdict(self.output),
        }

    def lines(self) -> Iterator[str]:
        """The whole story, for a terminal."""
        if self.regions:
            yield f"the {'ROMs' if self.in_rom else 'programs in RAM'} differ: these are runs of different firmware"
        for region in self.regions:
            yield from _region_lines(region)
        for name, a, b in self.settings:
            yield f"the runs were set up otherwise: {name} is {a!r} and {b!r}"
        if self.output is None:
            yield "the outputs are the same"
            return
        yield f"the outputs part in line {self.output.line}, after {self.output.offset} bytes that are the same"
        for left, right in zip_longest(self.output.a, self.output.b, fillvalue=""):
            yield f"  {left:<{WIDTH}} {'|' if left == right else '<>':<2} {right}".rstrip()


def firmware_difference(a: Recording, b: Recording) -> FirmwareDifference | None:
    """How the firmware of two recordings of one board differs, and what they printed; None if it is the same firmware.

    What a board has in ROM is compared or, on a board without ROM, the program that is in RAM at power-on.
    """
    if a.machine is not None or b.machine is not None:
        return None
    (board_a, settings_a), (board_b, settings_b) = _without_program(a.board), _without_program(b.board)
    if board_a != board_b:
        return None
    settings = [
        (name, settings_a.get(name), settings_b.get(name))
        for name in sorted(settings_a.keys() | settings_b.keys())
        if settings_a.get(name) != settings_b.get(name)
    ]
    all_regions: list[dict[str, Any]] = board_a.get("region", [])
    regions = [region for region in all_regions if region["kind"] == "rom"]
    in_rom = bool(regions)
    if not in_rom and a.start_icount == b.start_icount == 0:
        regions = all_regions
    different = _region_differences(a, b, regions)
    if not different and not settings:
        return None
    return FirmwareDifference(settings, different, in_rom, _output_difference(a.output, b.output))


def _without_program(board: Board) -> tuple[dict[str, Any], dict[str, object]]:
    """A board without what the programs that are loaded into it say; and that, by name."""
    description: dict[str, Any] = tomllib.loads(board.to_toml())
    parts = [("cpu", description["cpu"], ("kind", "reset_vector"))]
    parts += [(device["name"], device, ("arguments", "sp_address")) for device in description.get("device", ())]
    settings = {f"{name}.{key}": part.pop(key) for name, part, keys in parts for key in keys if key in part}
    return description, settings


def _region_differences(a: Recording, b: Recording, regions: list[dict[str, Any]]) -> list[RegionDifference]:
    """How the regions' contents differ, of those that do."""
    try:
        memory_a, memory_b = (recording.timeline().memory[:] for recording in (a, b))
    except MismatchError:
        # Of such a ROM a recording has the hash alone.
        hashes_a, hashes_b = a.info()["roms"], b.info()["roms"]
        return [
            RegionDifference(region["name"], region["start"], region["end"], None, [])
            for region in regions
            if hashes_a.get(region["name"]) != hashes_b.get(region["name"])
        ]
    compared = (_region_difference(region, memory_a, memory_b) for region in regions)
    return [region for region in compared if region is not None]


def _region_difference(region: dict[str, Any], a: bytes, b: bytes) -> RegionDifference | None:
    start, end = region["start"], region["end"]
    addresses = [address for address in range(start, end + 1) if a[address] != b[address]]
    if not addresses:
        return None
    spans: list[list[int]] = []
    for address in addresses:
        if spans and address - spans[-1][1] < GAP:
            spans[-1][1] = address
        else:
            spans.append([address, address])
    places = [DifferingSpan(first, last, a[first : last + 1], b[first : last + 1]) for first, last in spans]
    return RegionDifference(region["name"], start, end, len(addresses), places)


def _output_difference(a: bytes, b: bytes) -> OutputDifference | None:
    if a == b:
        return None
    shorter = min(len(a), len(b))
    offset = next((place for place in range(shorter) if a[place] != b[place]), shorter)
    # From the beginning of the line in which they part, which both have.
    start = a.rfind(b"\n", 0, offset) + 1
    return OutputDifference(offset, a.count(b"\n", 0, offset) + 1, _lines(a[start:]), _lines(b[start:]))


def _lines(output: bytes) -> list[str]:
    return [
        line.decode("ascii", "backslashreplace").expandtabs().encode("unicode_escape").decode()[:WIDTH]
        for line in output.replace(b"\r", b"").removesuffix(b"\n").split(b"\n")[:LINES_SHOWN]
    ]


def _region_lines(region: RegionDifference) -> Iterator[str]:
    name = f"  {region.region} (${region.start:04X}-${region.end:04X})"
    if region.count is None:
        yield f"{name}: recorded by their hashes alone, which differ"
        return
    places = "1 place" if len(region.places) == 1 else f"{len(region.places)} places"
    bytes_differ = "1 byte differs" if region.count == 1 else f"{region.count} bytes differ"
    yield f"{name}: {bytes_differ}, in {places}, first at ${region.places[0].first:04X}"
    for place in region.places[:PLACES_SHOWN]:
        where = f"${place.first:04X}" if place.first == place.last else f"${place.first:04X}-${place.last:04X}"
        yield f"    {where:<11}  {_hex(place.a)}  <>  {_hex(place.b)}"
    if len(region.places) > PLACES_SHOWN:
        yield f"    and {len(region.places) - PLACES_SHOWN} places more"


def _hex(data: bytes) -> str:
    return data[:BYTES_SHOWN].hex(" ") + (" ..." if len(data) > BYTES_SHOWN else "")


def _plain(region: RegionDifference) -> dict[str, Any]:
    plain = asdict(region)
    for place in plain["places"]:
        place["a"], place["b"] = place["a"].hex(), place["b"].hex()
    return plain
