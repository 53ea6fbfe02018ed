"""Pictures, as a display shows them."""

from __future__ import annotations

from typing import Any

from .. import _core
from ..arguments import BytesLike, PathLike, bytes_of, index_of, pair, path_or_none, whole
from ..errors import ArgumentError
from ..errors.quote import shown

SIDE_MAX = 1 << 13
"""Pixels of a side of a picture, at the most."""


class Image:
    """A picture: shown by Jupyter, taken by `numpy.asarray` as an array of height x width x 4 bytes, saved as PNG."""

    __slots__ = ("_height", "_rgba", "_width")

    def __init__(self, width: int, height: int, rgba: BytesLike) -> None:
        self._width = whole("width", width, least=1, most=SIDE_MAX)
        self._height = whole("height", height, least=1, most=SIDE_MAX)
        self._rgba = bytes_of("rgba", rgba, most=self.width * self.height * 4)

        if len(self.rgba) != self.width * self.height * 4:
            raise ArgumentError(
                f"a picture of {self.width} by {self.height} pixels has {self.width * self.height * 4} bytes, four for "
                f"each, and {len(self.rgba)} were given"
            )

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return self._width

    @property
    def height(self) -> int:
        """Rows."""
        return self._height

    @property
    def rgba(self) -> bytes:
        """Red, green, blue and alpha of each pixel, row by row from the top left."""
        return self._rgba

    def __repr__(self) -> str:
        return f"<Image {self.width}x{self.height}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Image):
            return NotImplemented
        return (self.width, self.height, self.rgba) == (other.width, other.height, other.rgba)

    def __hash__(self) -> int:
        return hash((self.width, self.height, self.rgba))

    def __getitem__(self, place: tuple[int, int]) -> tuple[int, int, int]:
        """The red, green and blue of the pixel at (x, y)."""
        given_x, given_y = pair("a pixel's place", place, "whole numbers, x and y")
        x, y = index_of(given_x), index_of(given_y)
        if x is None or y is None or not (0 <= x < self.width and 0 <= y < self.height):
            raise ArgumentError(f"{shown(place)} is outside of a picture of {self.width} by {self.height} pixels")
        at = (y * self.width + x) * 4
        return self.rgba[at], self.rgba[at + 1], self.rgba[at + 2]

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return {"version": 3, "shape": (self.height, self.width, 4), "typestr": "|u1", "data": self.rgba}

    def to_png(self, path: PathLike | None = None) -> bytes:
        """The bytes of a PNG file, also written to `path` if one is given.

        What is at `path` is replaced once all is written.

        Raises:
            HostError: The file cannot be written, is no ordinary file, or is being recorded into.
        """
        target = path_or_none("path", path)
        encoded = _core.encode_png(self.width, self.height, self.rgba)
        if target is not None:
            _core.write_file(target, encoded)
        return encoded

    def _repr_png_(self) -> bytes:
        return self.to_png()
