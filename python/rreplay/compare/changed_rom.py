"""What a changed ROM does to a recorded run: where it differs, and the first instruction with another effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import _core
from ..arguments import instance
from ..errors import ArgumentError
from ..machine.resolve import RomSource, resolve_images
from ..moments.moment import Moment
from ..progress import ProgressLike, progress_callback
from ..recording.recording import Recording

if TYPE_CHECKING:
    from .._core import Instruction


@dataclass(frozen=True)
class RomSpan:
    """Addresses in a row at which two ROMs differ."""

    first: int
    last: int
    recorded: bytes
    """What was recorded there."""
    changed: bytes
    """What the changed ROM has there."""


@dataclass(frozen=True)
class FirstEffect:
    """The first instruction of a recording that has another effect with the changed ROM."""

    moment: Moment
    """Before it: up to here both are the same run."""
    recorded: Instruction
    """The instruction of the recording."""
    changed: Instruction
    """The instruction of the changed ROM."""
    fields: dict[tuple[str, str], tuple[str, str]]
    """What differs after it, as `("cpu", "a")`: what was recorded, and what it is with the changed ROM."""
    divergence: str | None
    """How the changed run leaves the recording at once, if it does."""


@dataclass(frozen=True)
class RomDifference:
    """How a changed ROM differs from a recorded one. `str()` of it says all of it in a sentence."""

    recording: Recording
    spans: list[RomSpan]
    """Where the ROMs differ."""
    effect: FirstEffect | None
    """None when no instruction of the recording has another effect."""
    _text: str

    def __str__(self) -> str:
        return self._text


def diff_rom(recording: Recording, rom: RomSource, *, progress: ProgressLike = None) -> RomDifference | None:
    """What a changed ROM does to a recorded run: where it differs, and the first instruction with another effect.

    None for the ROM that was recorded. Up to that instruction the run is the same with either ROM: instructions that
    were changed and never executed have no effect, and neither do bytes that make no difference where they are read.

    Args:
        recording: A recording.
        rom: The images of the changed ROM, as `Machine` takes them.
        progress: Called with the instructions that were looked through, and all of them; True for a bar on standard
            error.

    Raises:
        RomError: An image that cannot be read, or does not fit the board.
        ArgumentError: The images make another board of it.
        StateError: The recording is of a machine of its own.
        Divergence: It does not replay.
    """
    instance("recording", recording, Recording, "an opened recording")
    images = resolve_images(rom)
    if not images:
        raise ArgumentError("rom is the image of the changed ROM, or several, and there is none")
    callback = progress_callback(progress, "comparing")
    core = recording.timeline()._core
    found = _core.rom_difference(core, images, callback)
    if found is None:
        return None
    text, spans, row = found
    effect = None
    if row is not None:
        place, recorded, changed, fields, divergence = row
        differing = {(part, name): (before, now) for part, name, before, now in fields}
        effect = FirstEffect(Moment(core, place), recorded, changed, differing, divergence)
    return RomDifference(recording, [RomSpan(*span) for span in spans], effect, text)
