"""Recordings: files that hold a run, while they are written and afterwards."""

from .events import Events
from .live import LiveRecording
from .recording import Recording, _reopened, open  # noqa: A004, F401 (pickles hold `rreplay.recording._reopened`)

__all__ = [
    "Events",
    "LiveRecording",
    "Recording",
    "open",
]
