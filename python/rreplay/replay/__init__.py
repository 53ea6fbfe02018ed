"""The record/replay state machine itself, for machines that are not made of our boards."""

from .lock import ReplayLock
from .replay import Replay
from .values import Abs, AudioRead, BlockResult, Button, CharWritten, InputEvent, InputSync, Key, RandomResult, Rel

__all__ = [
    "Abs",
    "AudioRead",
    "BlockResult",
    "Button",
    "CharWritten",
    "InputEvent",
    "InputSync",
    "Key",
    "RandomResult",
    "Rel",
    "Replay",
    "ReplayLock",
]
