"""Runs the same use of `rr.Replay` in each mode, as a user would write it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest

import rreplay as rr

T = TypeVar("T")


def nobody(*arguments: object) -> Any:
    """A host that is not asked."""
    raise AssertionError(f"the host is not asked here: {arguments}")


def unless_played(replay: rr.Replay, host: T) -> T:
    """The host, which a replay does not ask."""
    return cast(T, nobody) if replay.mode is rr.ReplayMode.PLAY else host


class Modes:
    """One recording, and its use in each mode at icount 10, cycle 30."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def none(self, use: Callable[[rr.Replay], T]) -> T:
        with rr.Replay.none() as replay:
            return self._at_ten(replay, use)

    def record(self, use: Callable[[rr.Replay], T]) -> T:
        with rr.Replay.record(self.path, machine="modes", start=(10, 30)) as replay:
            return self._at_ten(replay, use)

    def play(self, use: Callable[[rr.Replay], T], *, complete: bool = True) -> T:
        """Not `complete`: the use leaves the recording before its end."""
        with rr.Replay.play(self.path, machine="modes") as replay:
            answer = self._at_ten(replay, use)
            if not complete:
                with pytest.raises(rr.IncompleteReplay):
                    replay.finish()
                replay.finish(complete=False)
            return answer

    def _at_ten(self, replay: rr.Replay, use: Callable[[rr.Replay], T]) -> T:
        if replay.mode is rr.ReplayMode.NONE:
            replay.account_executed(10, cycles=30)
        return use(replay)

    def events(self, *kinds: rr.EventKind) -> list[rr.Event]:
        """The logged events, or those of some kinds."""
        return [event for event in rr.open(self.path).events() if not kinds or event.kind in kinds]

    def kinds(self) -> list[str]:
        """The kinds of the logged events, without those that end a recording."""
        logged = [event.kind for event in self.events()]
        assert logged[-3:] == ["shutdown", "digest", "end"]
        return [str(kind) for kind in logged[:-3]]
