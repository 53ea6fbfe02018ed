"""Everything that rreplay raises on purpose: each message names the thing and says what to do.

What Python itself has an error for stays Python's: `TypeError` for a wrong number of arguments, an unknown keyword or a
class that is not made by hand, `AttributeError` for a name that is not there. Errors that stand for one of Python's are
of both kinds, so that `hasattr`, `except KeyError` and `copy` do what they always do: `AddressError` is an
`IndexError`, `UnknownDevice` a `KeyError`, `NotThere` an `AttributeError`, `NotCopyable` a `TypeError`.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from .divergence import ExecutedInstruction, LoggedEvent, Narrowed
from .quote import shown

PATTERN_SHOWN = 200
"""Characters of a pattern that an `ExpectTimeout` shows."""

TAIL_SHOWN = 2000
"""Characters of the console's end that it shows: all 400 bytes, whatever they are."""


class ReplayError(Exception):
    """Base class of every error of this package."""


class ArgumentError(ReplayError, ValueError):
    """An argument is out of range, or two arguments contradict each other."""


class AddressError(ArgumentError, IndexError):
    """An address outside 0..0xFFFF, or a slice of memory that cannot be read or written."""


class BoardError(ReplayError):
    """A board description that cannot be built: unknown preset or key, bad TOML, overlapping regions."""


class RomError(ReplayError):
    """A ROM image that is missing, empty, too large for its region or not in the format it claims."""


class DeviceError(ReplayError):
    """A device cannot do what was asked of it, or the board has no such device."""


class HostError(ReplayError):
    """A host that cannot be had: a port that is taken, a file that is not there or of the wrong format."""


class UnknownDevice(DeviceError, KeyError):
    """The board has no device of that name."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class StateError(ReplayError):
    """The object is in a state that does not allow the call, such as writing memory while a recording is made."""


class NotThere(StateError, DeviceError, AttributeError):
    """An attribute that this object does not have, or not yet: `hasattr` says False.

    For example the console of a board without one, the board of a recording of a machine of your own, or what a
    recording holds while it is being made.
    """


class NotCopyable(StateError, TypeError):
    """A copy, or a pickle, of what there is once: a part of a machine, a recording in progress, a lock, ..."""


class IncompleteReplay(ReplayError):
    """A replay of a machine of your own was left before its recording's end, so that nobody has compared the rest.

    Attributes:
        icount: Where it was left, in instructions.
        end_icount: Where the recording ends.
        expected: The next event of the recording, in words.
        expected_icount: Where that stands, in instructions.
        expected_cycles: Where that stands, in clock cycles.
        ordinal: Its number in the recording, counted from 0.
    """

    icount: int = 0
    end_icount: int = 0
    expected: str = ""
    expected_icount: int = 0
    expected_cycles: int = 0
    ordinal: int = 0


class SnapshotError(ReplayError):
    """Bytes that are no snapshot, or a snapshot of another board."""


class FaultError(ReplayError):
    """The guest did what its board forbids, for example an access to an address where nothing answers."""


class EngineError(ReplayError):
    """The engine could not go on; a defect of rreplay unless the message says otherwise."""


class LogError(ReplayError):
    """A recording could not be written or read: permission, full disk, input/output error."""


class NotARecording(LogError):
    """The file is not an rreplay recording, or of a format version that this release does not know."""


class DamagedLog(LogError):
    """The recording is damaged or truncated; `salvage=True` opens what is left.

    Attributes:
        byte_offset: Where the damage begins, in bytes from the start of the file.
        icount: The last instruction count that can still be replayed.
        events: Number of events that can still be read.
    """

    byte_offset: int | None = None
    icount: int | None = None
    events: int | None = None


class MismatchError(LogError):
    """The recording was made of another ROM, board or engine version than the one at hand."""


class Divergence(ReplayError):
    """The replay does not do what the recording says. Its text is the whole report, laid out for a terminal.

    Attributes:
        summary: The report in one line.
        icount: Instructions retired where it was noticed.
        cycles: Clock cycles passed there.
        pc: The address of the instruction there.
        ordinal: Number of the event that was expected, counted from 0; None after the end of the log.
        expected: That event, in words.
        expected_icount: Where the recording has it, in instructions.
        expected_cycles: Where the recording has it, in clock cycles.
        byte_offset: Place in the file of the chunk that holds it.
        found: What the replay did instead, in words.
        found_kind: "event": it came to something else. "passed": it ran past the event. "stuck": nothing can move it to
            the event. "state": its state differs from a digest.
        subsystems: Names of the parts of the machine whose digests differ, if digests were compared.
        matching: Names of those whose digests agree.
        last_matching_icount: The last place where all digests agreed.
        queued: What waits to be delivered, in words.
        lock_holder: Who held the replay lock.
        likely_cause: What has probably led here and what to do about it, where that can be told.
        instructions: The last 16 instructions before it, oldest first.
        events: The last 16 events before it that agreed, oldest first.
        narrowed: What replaying a second time has found out.
    """

    summary: str = ""
    icount: int = 0
    cycles: int = 0
    pc: int | None = None
    ordinal: int | None = None
    expected: str = ""
    expected_icount: int | None = None
    expected_cycles: int | None = None
    byte_offset: int | None = None
    found: str = ""
    found_kind: Literal["event", "passed", "stuck", "state", ""] = ""
    subsystems: tuple[str, ...] = ()
    matching: tuple[str, ...] = ()
    last_matching_icount: int | None = None
    queued: tuple[str, ...] = ()
    lock_holder: str | None = None
    likely_cause: str | None = None
    instructions: tuple[ExecutedInstruction, ...] = ()
    events: tuple[LoggedEvent, ...] = ()
    narrowed: Narrowed | None = None

    @property
    def first_difference(self) -> Narrowed | None:
        """Where this replay first differs from a right one, if it could be found: to the instruction."""
        return self.narrowed if self.narrowed is not None and self.narrowed.outcome == "first" else None

    def as_dict(self) -> dict[str, Any]:
        """All attributes, made of what JSON has; bytes are hex."""
        return {name: _plain(getattr(self, name)) for name in Divergence.__annotations__}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.hex() if isinstance(value, bytes) else value


def _word(value: object) -> str:
    return value if isinstance(value, str) and len(value) < PATTERN_SHOWN else shown(value)


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else shown(value)


class ExpectTimeout(ReplayError, TimeoutError):
    """The console did not show what `expect` waited for.

    Attributes:
        pattern: What was waited for.
        tail: The last bytes that the console did show, read or not.
        icount: Instructions retired when the wait ended.
        reason: Why the run ended: "budget" when the time was up, or "halted", "jammed", "end", ...
    """

    def __init__(self, pattern: bytes, tail: bytes, seconds: float, icount: int, reason: str) -> None:
        self.pattern = pattern
        self.tail = tail
        self.seconds = seconds
        self.icount = icount
        self.reason = reason
        if _word(reason) == "budget":
            cause = f"after {_number(seconds)} virtual seconds"
            advice = "give it longer with seconds=..., or look at the tail"
        else:
            cause = f"the machine stopped first ({_word(reason)})"
            advice = "it will print no more; look at the tail"
        ended = "nothing at all" if shown(tail) == "b''" else shown(tail, TAIL_SHOWN)
        super().__init__(
            f"the console did not show {shown(pattern, PATTERN_SHOWN)}: {cause}, at icount {shown(icount)}; "
            f"{advice}. The console ended with: {ended}"
        )

    def __reduce__(self) -> tuple[type[ExpectTimeout], tuple[bytes, bytes, float, int, str]]:
        """Pickles by the arguments, so that the error crosses process boundaries (as test runners want)."""
        return type(self), (self.pattern, self.tail, self.seconds, self.icount, self.reason)
