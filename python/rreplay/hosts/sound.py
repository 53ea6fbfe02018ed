"""Hosts of sound devices: WAV files."""

from __future__ import annotations

from .. import _core
from ..arguments import PathLike, whole
from ..arguments import path as path_of
from .host import Host


class WavOutput(Host):
    """A WAV file that takes what a device of kind "sound" plays: 16 bits, one channel. It is whole between two runs.

    Args:
        path: The file.
        rate: Frames a second that the file says; the one the guest plays at is in `device.state["rate"]`.
    """

    def __init__(self, path: PathLike, *, rate: int = 8000) -> None:
        self.path = path_of("path", path)
        self.rate = _rate(rate)

    def __repr__(self) -> str:
        return f"<WavOutput {self.path} at {self.rate} Hz>"

    def _attach(self, session: _core.Session, device: str) -> None:
        _core.attach_wav_output(session, device, path_of("path", self.path), _rate(self.rate))


class WavInput(Host):
    """A WAV file that a device of kind "sound" records from: 16 bits, one channel. After its end there is silence."""

    def __init__(self, path: PathLike) -> None:
        self.path = path_of("path", path)

    def __repr__(self) -> str:
        return f"<WavInput {self.path}>"

    def _attach(self, session: _core.Session, device: str) -> None:
        _core.attach_wav_input(session, device, path_of("path", self.path))


def _rate(value: object) -> int:
    return whole("a rate", value, least=1, most=1_000_000)
