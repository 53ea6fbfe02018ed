"""The pytest fixture `machine`: every machine that a test makes is recorded, and a failed test says how to reopen it.

    def test_prompt(machine):
        m = machine("breadboard")
        m.console.expect(b"> ")

`--rreplay=on-failure|always|off` says whose recordings are kept, `--rreplay-dir=DIR` where, and `--rreplay-check`
replays the recording of every test and fails on a divergence.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from . import Divergence, LiveRecording, Machine, ReplayError
from .machine.resolve import BoardSource, RomSource

MachineFactory = Callable[..., Machine]
"""`machine(board="breadboard", *, rom=None, record=True) -> Machine`"""

DEFAULT_DIRECTORY = "rreplay-recordings"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    group = parser.getgroup("rreplay", "recorded machines")
    group.addoption(
        "--rreplay",
        choices=["on-failure", "always", "off"],
        default="on-failure",
        help="whose recordings are kept: failed tests' (default), all tests', or none are made",
    )
    group.addoption(
        "--rreplay-dir",
        metavar="DIR",
        default=DEFAULT_DIRECTORY,
        help=f"where recordings are kept (default: {DEFAULT_DIRECTORY}, below the root directory)",
    )
    group.addoption(
        "--rreplay-check",
        action="store_true",
        help="replay every test's recordings, and fail the test on a divergence",
    )


class _RecordedMachine:
    """One machine of a test, and its recording from the first moment it runs."""

    def __init__(self, machine: Machine, path: Path) -> None:
        self.machine = machine
        self.path = path
        self.recording: LiveRecording | None = None
        self.failed_at: int | None = None
        machine._before_first_run = self._start

    def _start(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.recording = self.machine.record(self.path)

    def finish(self) -> None:
        """Ends the recording, if there is one, and notes where the machine stands."""
        if self.recording is not None and not self.recording.finished:
            self.failed_at = self.machine.icount
            self.recording.finish()

    def describe(self) -> str:
        """How to reopen it."""
        if self.recording is None:
            return f"{self.machine.board.name}: not run, so not recorded"
        try:
            instructions = self.recording.icount - self.recording.start_icount
        except ReplayError as error:
            return f"{self.path}: cannot be reopened: {error}"
        at = "" if instructions == 0 else f"; m.run(instructions={instructions})"
        opened = f"rreplay.open({str(self.path)!r})"
        return (
            f"{self.machine.board.name}: recorded in {self.path}, and stood at icount {self.failed_at}.\n"
            "Reopen it there:\n"
            f'  python -ic "import rreplay; m = {opened}.replay(){at}"\n'
            "Or go backwards from there, with t.reverse_step(), t.last_write(address):\n"
            f'  python -ic "import rreplay; t = {opened}.timeline(); t.seek({self.recording.icount})"'
        )


_recorded_machines = pytest.StashKey[list[_RecordedMachine]]()
_failed = pytest.StashKey[bool]()


@pytest.fixture
def machine(request: pytest.FixtureRequest) -> Iterator[MachineFactory]:
    """A factory of machines that are recorded from the moment they first run.

    `machine(board="breadboard", *, rom=None, record=True)` takes what `rreplay.Machine` takes. With `record=False`
    that machine is not recorded, which leaves the test free to record, restore or poke it while it runs.
    """
    config = request.config
    keep: str = config.getoption("--rreplay")
    recorded = request.node.stash.setdefault(_recorded_machines, [])
    directory = config.rootpath / config.getoption("--rreplay-dir")

    def make(board: BoardSource = "breadboard", *, rom: RomSource | None = None, record: bool = True) -> Machine:
        made = Machine(board, rom=rom)
        if record and keep != "off":
            recorded.append(_RecordedMachine(made, directory / _file_name(request.node.nodeid, len(recorded))))
        return made

    yield make
    for entry in recorded:
        entry.finish()
    if config.getoption("--rreplay-check"):
        _check(recorded, request.node)
    if keep == "on-failure" and not request.node.stash.get(_failed, False):
        _remove(recorded, directory)


def _check(recorded: list[_RecordedMachine], node: pytest.Item) -> None:
    """Replays what was recorded."""
    for entry in recorded:
        if entry.recording is None:
            continue
        try:
            entry.recording.verify()
        except Divergence as divergence:
            node.stash[_failed] = True
            pytest.fail(f"{entry.path} does not replay:\n\n{divergence}", pytrace=False)


def _remove(recorded: list[_RecordedMachine], directory: Path) -> None:
    for entry in recorded:
        entry.path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        directory.rmdir()


def _file_name(node_id: str, number: int) -> str:
    """A name that a person recognises, and that no other test has."""
    readable = re.sub(r"[^A-Za-z0-9_.-]+", "-", node_id.rpartition("/")[2])[:80].strip("-")
    unique = hashlib.sha256(node_id.encode()).hexdigest()[:8]
    return f"{readable}-{unique}-{number}.rreplay"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds the recordings to the report of a test that failed."""
    report = yield
    recorded = item.stash.get(_recorded_machines, [])
    if report.failed and recorded:
        item.stash[_failed] = True
        for entry in recorded:
            # A disk that is full now must not hide why the test failed.
            with contextlib.suppress(ReplayError):
                entry.finish()
        report.sections.append(("rreplay", "\n".join(entry.describe() for entry in recorded)))
    return report
