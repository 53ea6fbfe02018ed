"""Time travel: a recording to move in, and the answers to questions about it."""

from ..moments import Moment
from .breakpoint import Breakpoint
from .origin import Origin
from .symbols import Symbols
from .tables import Accesses, Profile, Routine
from .timeline import Timeline

__all__ = [
    "Accesses",
    "Breakpoint",
    "Moment",
    "Origin",
    "Profile",
    "Routine",
    "Symbols",
    "Timeline",
]
