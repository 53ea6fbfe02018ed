"""The closed sets of names that recordings and machines use."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias

Scheduler: TypeAlias = Literal["threads", "inline"]
"""Two real threads under the replay lock, or both halves in turn on the caller's: the same results on replay."""

StopReason: TypeAlias = Literal[
    "budget",
    "pc",
    "output",
    "breakpoint",
    "watchpoint",
    "halted",
    "jammed",
    "shutdown",
    "end",
    "idle",
    "interrupted",
]
"""Why a run came back."""

EventKind: TypeAlias = Literal[
    "interrupt",
    "exception",
    "bh",
    "bh_oneshot",
    "input",
    "input_sync",
    "char_read",
    "block",
    "net",
    "shutdown",
    "char_write",
    "char_read_all",
    "char_read_all_error",
    "audio_out",
    "audio_in",
    "random",
    "clock",
    "checkpoint",
    "digest",
    "snapshot",
    "end",
]
"""The kinds of event that a recording holds."""


class ReplayMode(StrEnum):
    """Where a machine's inputs come from, and whether they are logged."""

    NONE = "none"
    """From its hosts; not logged."""
    RECORD = "record"
    """From its hosts; logged."""
    PLAY = "play"
    """From a recording; hosts are ignored."""


class ClockKind(StrEnum):
    """Host clocks that a guest can read; virtual time is not one: it is the cycle count."""

    HOST = "host"
    """Wall clock, nanoseconds since 1970-01-01 UTC."""
    VIRTUAL_RT = "virtual_rt"
    """Monotonic time while the machine is running, nanoseconds."""


class Interrupt(StrEnum):
    """An interrupt, as a processor accepts it."""

    IRQ = "irq"
    """The level-sensitive line."""
    NMI = "nmi"
    """The edge-sensitive line."""
    RESET = "reset"
    """The reset line."""
    WAKE = "wake"
    """A wait ended by a line whose interrupt is masked: the processor goes on after the wait."""


class CpuException(StrEnum):
    """A synchronous event of the processor itself."""

    BRK = "brk"
    """A software interrupt."""
    JAM = "jam"
    """An instruction that stops the processor until reset, by accident of its making."""
    STOP = "stop"
    """An instruction that stops the processor until reset, on purpose."""


class Checkpoint(StrEnum):
    """Where the main loop and the CPU loop agree on an order."""

    CLOCK_WARP_START = "clock_warp_start"
    CLOCK_WARP_ACCOUNT = "clock_warp_account"
    RESET_REQUESTED = "reset_requested"
    SUSPEND_REQUESTED = "suspend_requested"
    CLOCK_VIRTUAL = "clock_virtual"
    CLOCK_HOST = "clock_host"
    CLOCK_VIRTUAL_RT = "clock_virtual_rt"
    INIT = "init"
    RESET = "reset"


class ShutdownCause(StrEnum):
    """Why a machine shut down."""

    NONE = "none"
    HOST_ERROR = "host_error"
    HOST_QUIT = "host_quit"
    HOST_RESET = "host_reset"
    HOST_SIGNAL = "host_signal"
    HOST_UI = "host_ui"
    GUEST_SHUTDOWN = "guest_shutdown"
    GUEST_RESET = "guest_reset"
    GUEST_PANIC = "guest_panic"
    SUBSYSTEM_RESET = "subsystem_reset"
    SNAPSHOT_LOAD = "snapshot_load"
