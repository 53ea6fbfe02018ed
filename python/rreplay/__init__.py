r"""Record a run of an 8-bit machine, replay it exactly, look into it.

    import rreplay as rr

    m = rr.Machine("breadboard")
    with m.record("run.rreplay") as recording:
        m.console.expect(b"> ")
        m.console.send(b"help\r")
        m.console.expect(b"> ")

    recording.verify()

Addresses are ints 0..0xFFFF; positions are instruction counts (`icount`); seconds are virtual unless a name says
otherwise. Everything raised on purpose is a `ReplayError`.
"""

from . import _names
from ._core import (
    Access,
    Board,
    BusCycle,
    Event,
    HookEvent,
    Instruction,
    Snapshot,
    Stop,
    Verification,
    __version__,
    boards,
)
from .compare import (
    ByteDifference,
    Difference,
    FirstEffect,
    RomDifference,
    RomSpan,
    Side,
    diff,
    diff_rom,
    minimize,
)
from .devices import Device, Devices, Display, Image, Keyboard, Network, Pointer
from .enums import (
    Checkpoint,
    ClockKind,
    CpuException,
    EventKind,
    Interrupt,
    ReplayMode,
    Scheduler,
    ShutdownCause,
    StopReason,
)
from .errors import (
    AddressError,
    ArgumentError,
    BoardError,
    DamagedLog,
    DeviceError,
    Divergence,
    EngineError,
    ExpectTimeout,
    FaultError,
    HostError,
    IncompleteReplay,
    LogError,
    MismatchError,
    NotARecording,
    ReplayError,
    RomError,
    SnapshotError,
    StateError,
    UnknownDevice,
)
from .hosts import (
    Directory,
    DiskImage,
    Entropy,
    Files,
    Host,
    NetworkFunction,
    Pcap,
    Pty,
    TcpClient,
    TcpServer,
    Udp,
    UserDevice,
    WavInput,
    WavOutput,
)
from .machine import Console, Cpu, Hook, Machine, Memory
from .moments import Moment
from .recording import Events, LiveRecording, Recording, open  # noqa: A004
from .replay import (
    Abs,
    AudioRead,
    BlockResult,
    Button,
    CharWritten,
    InputEvent,
    InputSync,
    Key,
    RandomResult,
    Rel,
    Replay,
    ReplayLock,
)
from .timeline import Accesses, Breakpoint, Origin, Profile, Routine, Timeline

__all__ = [
    "Abs",
    "Access",
    "Accesses",
    "AddressError",
    "ArgumentError",
    "AudioRead",
    "BlockResult",
    "Board",
    "BoardError",
    "Breakpoint",
    "BusCycle",
    "Button",
    "ByteDifference",
    "CharWritten",
    "Checkpoint",
    "ClockKind",
    "Console",
    "Cpu",
    "CpuException",
    "DamagedLog",
    "Device",
    "DeviceError",
    "Devices",
    "Difference",
    "Directory",
    "DiskImage",
    "Display",
    "Divergence",
    "EngineError",
    "Entropy",
    "Event",
    "EventKind",
    "Events",
    "ExpectTimeout",
    "FaultError",
    "Files",
    "FirstEffect",
    "Hook",
    "HookEvent",
    "Host",
    "HostError",
    "Image",
    "IncompleteReplay",
    "InputEvent",
    "InputSync",
    "Instruction",
    "Interrupt",
    "Key",
    "Keyboard",
    "LiveRecording",
    "LogError",
    "Machine",
    "Memory",
    "MismatchError",
    "Moment",
    "Network",
    "NetworkFunction",
    "NotARecording",
    "Origin",
    "Pcap",
    "Pointer",
    "Profile",
    "Pty",
    "RandomResult",
    "Recording",
    "Rel",
    "Replay",
    "ReplayError",
    "ReplayLock",
    "ReplayMode",
    "RomDifference",
    "RomError",
    "RomSpan",
    "Routine",
    "Scheduler",
    "ShutdownCause",
    "Side",
    "Snapshot",
    "SnapshotError",
    "StateError",
    "Stop",
    "StopReason",
    "TcpClient",
    "TcpServer",
    "Timeline",
    "Udp",
    "UnknownDevice",
    "UserDevice",
    "Verification",
    "WavInput",
    "WavOutput",
    "__version__",
    "boards",
    "diff",
    "diff_rom",
    "minimize",
    "open",
]

# What a lower package makes of a higher one, which it does not import: see ARCHITECTURE.md.
Machine._live_recording_class = LiveRecording
Recording._timeline_class = Timeline

_names.show_packages()
_names.keep_former_modules()
