"""Time travel: a recording to move in, and to question."""

from __future__ import annotations

from .breakpoints import BreakpointControl
from .event_navigation import EventNavigation
from .queries import TimelineQueries


class Timeline(BreakpointControl, EventNavigation, TimelineQueries):
    """A recording to move in: any moment at once, backwards as easily as forwards. Moving changes nothing.

    A timeline stands at a position where an instruction is about to be executed, or where the processor waits. There is
    one for each number of instructions retired: after the interrupt sequence, if one comes there, and with all that is
    due done. An operation that raises, or finds nothing, leaves the timeline where it was.

    A position is an icount, or a moment, event, access or stop of the same recording: those of another recording are
    refused. A method that takes `progress` calls it with the instructions that are done and all
    that there may be to do, and lastly with twice the same number; True shows a bar on standard error.

    Args:
        recording: What to move in.
        rom: As for `Recording.replay`.
        symbols: Names for addresses: a mapping, or a VICE label file, as `ld65 -Ln` writes it.
        memory_budget: Bytes that may be spent on states near the positions visited.

    Raises:
        Divergence: From any method, when the replay does not do what the recording says.
    """

    _instead = "it stands at one position at a time; recording.timeline() is another one, and timeline.moment stays"
