"""What the report of a divergence is made of: instructions, events, and what differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ExecutedInstruction:
    """An instruction that the replay executed.

    Attributes:
        icount: Instructions retired before it.
        cycles: Clock cycles passed before it.
        pc: Its address.
        code: Its bytes.
        text: Mnemonic and operand.
    """

    icount: int
    cycles: int
    pc: int
    code: bytes
    text: str

    def __str__(self) -> str:
        return f"{self.pc:04X}  {self.code.hex(' ').upper():<8}  {self.text}"


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event of the log.

    Attributes:
        icount: Instructions retired where it stands.
        cycles: Clock cycles passed there.
        ordinal: Its number in the log, counted from 0.
        kind: Its kind, as in `Event.kind`.
        text: The event in words.
    """

    icount: int
    cycles: int
    ordinal: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"event {self.ordinal} at icount {self.icount} (cycle {self.cycles}): {self.text}"


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """A register, byte or device field that has another value than it should.

    Attributes:
        subsystem: "cpu", "lines", "memory", "rom", "device/NAME", "timers", "queue", "clocks" or "events".
        field: The register, the address ("$0300") or the field.
        expected: The value in the recording, or in a second replay of it.
        found: The value in this replay.
    """

    subsystem: str
    field: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.subsystem} {self.field}: {self.expected} expected, {self.found} found"


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What replaying a second time has found out.

    Attributes:
        outcome: "first": the two replays first differ at `icount`. "in_log": a second replay comes to the same place,
            so the log is of another run, or was changed, between `icount` and `until_icount`. "unrepeated": a second
            replay passes the place, so this machine was changed by something that is in no log. "given_up": see
            `reason`.
        icount: Where they still agreed ("first", "in_log"), or where this replay stood ("unrepeated").
        cycles: Clock cycles passed there.
        until_icount: Where they are first known to differ ("in_log").
        until_cycles: Clock cycles passed there.
        cause: "instruction", "event", "waiting" or "outside", what lies between the last state that agreed and the
            first that does not; only with "first".
        instruction: The instruction executed there, if one was.
        expected: The event that the recording has there, if an event is the cause.
        found: The event that the replay had there.
        differences: What differs, up to a limit.
        left_out: How much differs beside that.
        reason: Why it was given up, and what can be done.
    """

    outcome: Literal["first", "in_log", "unrepeated", "given_up"]
    icount: int | None = None
    cycles: int | None = None
    until_icount: int | None = None
    until_cycles: int | None = None
    cause: Literal["instruction", "event", "waiting", "outside"] | None = None
    instruction: ExecutedInstruction | None = None
    expected: LoggedEvent | None = None
    found: LoggedEvent | None = None
    differences: tuple[FieldDifference, ...] = ()
    left_out: int = 0
    reason: str | None = None
