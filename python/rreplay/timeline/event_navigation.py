"""Moves of a timeline to events of the log, and to what the console prints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..arguments import BYTES_MAX, BytesLike
from ..machine.output_pattern import compiled, pattern_of
from ..moments.positions import event_kind
from ..progress import Progress, ProgressLike
from .cursor import TimelineCursor

if TYPE_CHECKING:
    from .._core import Event
    from ..enums import EventKind


class EventNavigation(TimelineCursor):
    """Runs to an event, or to output of the console."""

    def run_to_event(self, kind: EventKind | None = None, *, progress: ProgressLike = None) -> Event | None:
        """Goes before the next event of a kind, or of any kind. Without one it stays, and returns None."""
        event_kind(kind)
        here, passed = self._core.place, self.ordinal
        way = Progress(self._callback_for(progress, "running"), self.end_icount - here[0])
        found = None
        for event in self.recording.events(kind, start=here[0]):
            if event.ordinal >= passed:
                position = self._before_event(event)
                way.reach(event.icount - here[0])
                # A run does not stop where it begins.
                if position > here:
                    self._core.go_to(position, None)
                    found = event
                    break
        way.finish()
        return found

    def reverse_run_to_event(self, kind: EventKind | None = None, *, progress: ProgressLike = None) -> Event | None:
        """Goes before the last event of a kind, or of any kind, before here. Without one it stays, and returns None."""
        event_kind(kind)
        here = self._core.place
        way = Progress(self._callback_for(progress, "running back"), here[0] - self.start_icount)
        found = self._last_event(kind, here, way)
        if found is not None:
            self._core.go_to(self._before_event(found), None)
        way.finish()
        return found

    def _last_event(self, kind: EventKind | None, here: tuple[int, int], way: Progress) -> Event | None:
        passed = self.ordinal
        stop, length = here[0] + 1, 1024
        while True:
            start = max(stop - length, 0)
            for event in reversed(list(self.recording.events(kind, start=start, stop=stop))):
                if event.ordinal < passed and self._before_event(event) < here:
                    return event
            if start <= self.start_icount:
                return None
            way.reach(here[0] - start)
            stop, length = start, length * 4

    def _before_event(self, event: Event) -> tuple[int, int]:
        """The last position at which an event of this recording has not passed."""
        return self._core.place_before_event((event.icount, event.cycles), event.ordinal, None)

    def run_to_output(self, text: BytesLike | re.Pattern[bytes], *, progress: ProgressLike = None) -> bool:
        """Goes to where the console next prints the end of `text`. Without one it stays, and returns False."""
        pattern = compiled(pattern_of("text", text, most=BYTES_MAX))
        here, printed = self._core.place, len(self.console_output)
        way = Progress(self._callback_for(progress, "running"), self.end_icount - here[0])
        found = False
        for match in pattern.finditer(self.recording.output):
            if match[0] and match.end() > printed:
                position = self._before_output(match.end())
                # A run does not stop where it begins.
                if position is not None and position > here:
                    self._core.go_to(position, way.part(position[0] - here[0]))
                    found = True
                    break
        way.finish()
        return found

    def reverse_run_to_output(self, text: BytesLike | re.Pattern[bytes], *, progress: ProgressLike = None) -> bool:
        """Goes back to where the console last printed the end of `text`. Without one it stays, and returns False."""
        pattern = compiled(pattern_of("text", text, most=BYTES_MAX))
        callback = self._callback_for(progress, "running back")
        ends = [match.end() for match in pattern.finditer(self.console_output) if match[0]]
        position = self._before_output(ends[-1]) if ends else None
        if position is None:
            Progress(callback, 1).finish()
            return False
        self._core.go_to(position, callback)
        return True

    def _before_output(self, length: int) -> tuple[int, int] | None:
        """The position before the byte is printed that makes the output `length` bytes long; None without one."""
        found = self._core.printed_at(length)
        return None if found is None else self._core.place_before_event(*found, None)
