"""Two recordings of different firmware: where the ROMs differ, and where the outputs do."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from .errors import MismatchError

if TYPE_CHECKING:
    from ._core import Board
    from .recording import Recording

PLACES_SHOWN = 8
"""Places in which images differ that are shown, the first ones."""

BYTES_SHOWN = 8
"""Bytes of such a place that are shown."""

GAP = 4
"""Differences that are nearer to each other than so many bytes are one place."""

LINES_SHOWN = 12
"""Lines of output that are shown side by side."""

WIDTH = 38
"""Of one side, in characters."""


@dataclass(frozen=True)
class Place:
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
    places: list[Place]


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

    regions: list[RegionDifference]
    output: OutputDifference | None
    """None where both printed the same."""

    def as_dict(self) -> dict[str, Any]:
        """All of it, made of what JSON has; bytes are hex."""
        return {"roms": [_plain(region) for region in self.regions], "output": self.output and asdict(self.output)}

    def lines(self) -> Iterator[str]:
        """The whole story, for a terminal."""
        yield "the ROMs differ: these are runs of different firmware"
        for region in self.regions:
            yield from _region_lines(region)
        if self.output is None:
            yield "the outputs are the same"
            return
        yield f"the outputs part in line {self.output.line}, after {self.output.offset} bytes that are the same"
        for number in range(max(len(self.output.a), len(self.output.b))):
            left, right = (lines[number] if number < len(lines) else "" for lines in (self.output.a, self.output.b))
            yield f"  {left:<{WIDTH}} {'|' if left == right else '<>':<2} {right}".rstrip()


def firmware_difference(a: Recording, b: Recording) -> FirmwareDifference | None:
    """How the firmware of two recordings of one board differs, and what they printed; None if it is the same firmware.

    What a board has in ROM is compared, and on a board that loads programs into RAM what is there at power-on.
    """
    if a.machine is not None or b.machine is not None or _hardware(a.board) != _hardware(b.board):
        return None
    from_power_on = a.start_icount == b.start_icount == 0
    regions = [region for region in _regions(a.board) if region["kind"] == "rom" or from_power_on]
    try:
        memory_a, memory_b = (recording.timeline().memory for recording in (a, b))
        compared = [
            _compared(
                region, memory_a[region["start"] : region["end"] + 1], memory_b[region["start"] : region["end"] + 1]
            )
            for region in regions
        ]
    except MismatchError:
        # Of such a ROM a recording has the hash alone.
        hashes_a, hashes_b = a.info()["roms"], b.info()["roms"]
        compared = [
            RegionDifference(region["name"], region["start"], region["end"], None, [])
            for region in regions
            if hashes_a.get(region["name"]) != hashes_b.get(region["name"])
        ]
    different = [region for region in compared if region is not None]
    return FirmwareDifference(different, _output_difference(a.output, b.output)) if different else None


def _hardware(board: Board) -> dict[str, Any]:
    """A board without what the programs that are loaded into it say."""
    description: dict[str, Any] = tomllib.loads(board.to_toml())
    description["cpu"].pop("reset_vector", None)
    description["cpu"].pop("kind", None)
    for device in description.get("device", ()):
        for key in ("arguments", "sp_address"):
            device.pop(key, None)
    return description


def _regions(board: Board) -> list[dict[str, Any]]:
    regions: list[dict[str, Any]] = tomllib.loads(board.to_toml()).get("region", [])
    return regions


def _compared(region: dict[str, Any], a: bytes, b: bytes) -> RegionDifference | None:
    start: int = region["start"]
    offsets = [offset for offset in range(len(a)) if a[offset] != b[offset]]
    if not offsets:
        return None
    spans: list[list[int]] = []
    for offset in offsets:
        if spans and offset - spans[-1][1] < GAP:
            spans[-1][1] = offset
        else:
            spans.append([offset, offset])
    places = [Place(start + first, start + last, a[first : last + 1], b[first : last + 1]) for first, last in spans]
    return RegionDifference(region["name"], start, region["end"], len(offsets), places)


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
        for line in output.replace(b"\r", b"").split(b"\n")[:LINES_SHOWN]
    ]


def _region_lines(region: RegionDifference) -> Iterator[str]:
    name = f"  {region.region} (${region.start:04X}-${region.end:04X})"
    if region.count is None:
        yield f"{name}: recorded by their hashes alone, which differ"
        return
    yield f"{name}: {region.count} bytes differ, in {len(region.places)} places, first at ${region.places[0].first:04X}"
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
