"""The layout of the package: which modules may import which, no circles, no long files, names that stay.

ARCHITECTURE.md describes the layers in words. The sources are read and not run, so that imports inside functions count
as well: they are made when the function is called, and a circle is one wherever it is closed.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import rreplay as rr

PACKAGE = Path(rr.__file__).parent

LAYERS: tuple[tuple[str, ...], ...] = (
    ("_core",),
    ("enums", "errors"),
    ("arguments", "copying", "progress"),
    ("hosts", "replay"),
    ("devices",),
    ("machine",),
    ("moments",),
    ("recording",),
    ("timeline",),
    ("compare",),
    ("_names",),
    ("rreplay",),
    ("cli", "pytest_plugin"),
    ("__main__",),
)
"""Packages, and modules beside them, the lowest first. Each may import lower ones, and none of its own layer."""

UPWARDS_FOR_TYPES = {
    # The types of what the public methods `Machine.record` and `Recording.timeline` return. What they make is injected
    # at run time, by `rreplay/__init__.py`; only the name of the type cannot be.
    ("machine.machine", "recording.live"),
    ("recording.recording", "timeline.timeline"),
    # The type of an argument of `Recording.timeline`, which it passes on.
    ("recording.recording", "timeline.symbols"),
}
"""Imports for type checkers alone that look up."""

LINES_MAX = 400


@dataclass(frozen=True)
class Import:
    """An import of one of our modules by another, as dotted names below the package."""

    importer: str
    imported: str
    for_types: bool
    line: int


def source_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    """The dotted name below the package; "rreplay" for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    if parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(parts) or "rreplay"


MODULES = {module_name(path): path for path in source_files()} | {"_core": PACKAGE / "_core.pyi"}


def imports_of(name: str, text: str, is_package: bool) -> Iterator[Import]:
    """The imports of our own modules in a source, wherever they stand."""
    where = [] if name == "rreplay" else name.split(".")
    here = where if is_package else where[:-1]

    def visit(node: ast.AST, for_types: bool) -> Iterator[Import]:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for statement in node.body:
                yield from visit(statement, True)
            for statement in node.orelse:
                yield from visit(statement, for_types)
            return
        if isinstance(node, ast.ImportFrom):
            if node.level:
                base = here[: len(here) - node.level + 1] + (node.module.split(".") if node.module else [])
            elif node.module is not None and node.module.split(".")[0] == "rreplay":
                base = node.module.split(".")[1:]
            else:
                return
            for alias in node.names:
                submodule = ".".join([*base, alias.name])
                imported = submodule if submodule in MODULES else ".".join(base) or "rreplay"
                yield Import(name, imported, for_types, node.lineno)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                first, *rest = alias.name.split(".")
                if first == "rreplay":
                    yield Import(name, ".".join(rest) or "rreplay", for_types, node.lineno)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, for_types)

    yield from visit(ast.parse(text), False)


IMPORTS = [
    found
    for name, path in MODULES.items()
    if path.suffix == ".py"
    for found in imports_of(name, path.read_text(), path.name == "__init__.py")
]


def layer_of(module: str) -> int:
    top = module.split(".")[0]
    return next(number for number, names in enumerate(LAYERS) if top in names)


def problems(imports: list[Import]) -> list[str]:
    """What is wrong with the direction of imports."""
    found = []
    for each in imports:
        if each.importer.split(".")[0] == each.imported.split(".")[0]:
            continue
        if layer_of(each.imported) < layer_of(each.importer):
            continue
        if each.for_types and (each.importer, each.imported) in UPWARDS_FOR_TYPES:
            continue
        found.append(f"{each.importer}, line {each.line}, imports {each.imported}, which is not lower")
    return found


def circle(imports: list[Import]) -> list[str] | None:
    """The modules of a circle of imports that are made at run time, if there is one."""
    graph: dict[str, set[str]] = {}
    for each in imports:
        if not each.for_types:
            graph.setdefault(each.importer, set()).add(each.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        modules: list[str] = error.args[1]
        return modules
    return None


def test_every_module_has_a_layer() -> None:
    tops = {name.split(".")[0] for name in MODULES}
    assert tops == {name for names in LAYERS for name in names}


def test_imports_are_found() -> None:
    """A net that cannot fail is no net: the reader finds each form of import, and where it stands."""
    text = (
        "from . import cpu\nfrom .. import _core\nimport rreplay.hosts.host\nfrom ..errors import ArgumentError\n"
        "if TYPE_CHECKING:\n    from ..recording.live import LiveRecording\n"
        "def f():\n    from rreplay.timeline import Timeline\n    import rreplay\n"
    )
    found = [(each.imported, each.for_types) for each in imports_of("machine.machine", text, False)]
    assert found == [
        ("machine.cpu", False),
        ("_core", False),
        ("hosts.host", False),
        ("errors", False),
        ("recording.live", True),
        ("timeline", False),
        ("rreplay", False),
    ]
    assert len(IMPORTS) > 300


def test_a_wrong_import_is_found() -> None:
    up = Import("machine.machine", "recording.live", False, 1)
    assert problems([up]) == ["machine.machine, line 1, imports recording.live, which is not lower"]
    assert problems([Import("machine.cpu", "recording.live", True, 1)])
    assert problems([Import("hosts.host", "replay.base", False, 1)])
    assert circle([*IMPORTS, up]) is not None


def test_imports_go_down() -> None:
    assert not problems(IMPORTS)


def test_no_circle_of_imports() -> None:
    assert circle(IMPORTS) is None


def test_exceptions_for_types_are_needed() -> None:
    assert {(each.importer, each.imported) for each in IMPORTS if each.for_types} >= UPWARDS_FOR_TYPES


@pytest.mark.parametrize("name", sorted(set(MODULES) - {"_core"}))
def test_no_module_is_long(name: str) -> None:
    assert len(MODULES[name].read_text().splitlines()) <= LINES_MAX


@pytest.mark.parametrize("name", sorted(set(MODULES) - {"__main__", "cli.__main__"}))
def test_every_module_can_be_imported_first(name: str) -> None:
    """No module depends on another having been imported before it; the two left out run the command."""
    module = "rreplay" if name == "rreplay" else f"rreplay.{name}"
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True, timeout=60)


# ---- names that stay ----

FORMER_MODULES = {
    "cli": "main",
    "console": "Console",
    "devices": "Device Devices Display Image KEYS Keyboard Network Pointer",
    "difference": "ByteDifference Difference Side diff",
    "divergence": "ExecutedInstruction LoggedEvent Narrowed",
    "errors": "ArgumentError Divergence NotCopyable NotThere ReplayError",
    "hosts": "Directory DiskImage Entropy Files Host NetworkFunction Pcap Pty TcpClient TcpServer Udp UserDevice "
    "WavInput WavOutput",
    "machine": "Cpu Hook Machine",
    "memory": "Memory",
    "minimize": "minimize",
    "moments": "Moment PastDevice PastDevices",
    "origin": "Origin",
    "pytest_plugin": "machine",
    "recording": "Events LiveRecording Recording open",
    "replay": "Replay ReplayLock",
    "replay_values": "Abs AudioRead BlockResult Button CharWritten InputEvent InputSync Key RandomResult Rel",
    "tables": "Accesses Profile Routine",
    "timeline": "Accesses Breakpoint Moment Profile Routine Symbols Timeline",
    "vocabulary": "Checkpoint ClockKind CpuException EventKind Interrupt ReplayMode Scheduler ShutdownCause StopReason",
}
"""Names by which modules could be imported when the package was flat, with what they offered."""


@pytest.mark.parametrize("name", FORMER_MODULES)
def test_modules_keep_their_former_names(name: str) -> None:
    module = importlib.import_module(f"rreplay.{name}")
    for offered in FORMER_MODULES[name].split():
        assert hasattr(module, offered)
    if name not in ("cli", "minimize", "pytest_plugin"):
        assert getattr(rr, name) is module


@pytest.mark.parametrize(
    "name", [name for name in rr.__all__ if inspect.isclass(getattr(rr, name)) and name not in ("InputEvent",)]
)
def test_a_class_shows_its_package(name: str) -> None:
    shown = getattr(rr, name).__module__
    assert shown == "rreplay" or (shown.count(".") == 1 and getattr(importlib.import_module(shown), name, None))


FORMER_PICKLES: dict[str, tuple[bytes, object]] = {
    "enumeration": (
        b"\x80\x02crreplay.vocabulary\nReplayMode\nq\x00X\x06\x00\x00\x00recordq\x01\x85q\x02Rq\x03.",
        rr.ReplayMode.RECORD,
    ),
    "input event": (b"\x80\x02crreplay.replay_values\nKey\nq\x00)\x81q\x01]q\x02(K\x07\x88eb.", rr.Key(7, True)),
    "host's answer": (
        b"\x80\x02crreplay.replay_values\nRandomResult\nq\x00K\x00c_codecs\nencode\nq\x01X\x02\x00\x00\x00abq\x02"
        b"X\x06\x00\x00\x00latin1q\x03\x86q\x04Rq\x05\x86q\x06\x81q\x07.",
        rr.RandomResult(0, b"ab"),
    ),
    "picture": (
        b"\x80\x02crreplay.devices\nImage\nq\x00)\x81q\x01N}q\x02(X\x07\x00\x00\x00_heightq\x03K\x01X\x05\x00\x00\x00"
        b"_rgbaq\x04c_codecs\nencode\nq\x05X\x04\x00\x00\x00\x01\x02\x03\x04q\x06X\x06\x00\x00\x00latin1q\x07\x86q\x08Rq"
        b"\tX\x06\x00\x00\x00_widthq\nK\x01u\x86q\x0bb.",
        rr.Image(1, 1, b"\1\2\3\4"),
    ),
    "row of a profile": (
        b"\x80\x02crreplay.tables\nRoutine\nq\x00)\x81q\x01}q\x02(X\x07\x00\x00\x00addressq\x03K\x01X\x04\x00\x00\x00"
        b"nameq\x04X\x01\x00\x00\x00aq\x05X\x0c\x00\x00\x00instructionsq\x06K\x02X\x06\x00\x00\x00cyclesq\x07K\x03ub.",
        rr.Routine(1, "a", 2, 3),
    ),
    "difference": (
        b"\x80\x02crreplay.difference\nByteDifference\nq\x00)\x81q\x01}q\x02(X\x07\x00\x00\x00addressq\x03K\x01X\x01\x00"
        b"\x00\x00aq\x04K\x02X\x01\x00\x00\x00bq\x05K\x03X\x08\x00\x00\x00writer_aq\x06NX\x08\x00\x00\x00writer_bq\x07Nub.",
        rr.ByteDifference(1, 2, 3, None, None),
    ),
    "origin": (
        b"\x80\x02crreplay.origin\nfrom_rows\nq\x00]q\x01(X\t\x00\x00\x00processorq\x02K\x88M\x9d\x01K\x80X\x12\x00\x00"
        b"\x00JSR $8072 at $8024q\x03M$\x80M\xff\x01N]q\x04tq\x05a\x85q\x06Rq\x07.",
        rr.Origin("processor", 136, 413, 128, "JSR $8072 at $8024", 0x8024, 0x1FF),
    ),
    "host": (
        b"\x80\x02crreplay.hosts\nTcpServer\nq\x00)\x81q\x01}q\x02(X\x04\x00\x00\x00portq\x03K\x00X\x04\x00\x00\x00hostq"
        b"\x04X\t\x00\x00\x00127.0.0.1q\x05X\x0c\x00\x00\x00allow_remoteq\x06\x89ub.",
        None,
    ),
    "error": (b"\x80\x02crreplay.errors\nAddressError\nq\x00X\x02\x00\x00\x00noq\x01\x85q\x02Rq\x03.", None),
    "instruction of a report": (
        b"\x80\x02crreplay.divergence\nExecutedInstruction\nq\x00)\x81q\x01]q\x02(K\x01K\x02K\x03c_codecs\nencode\nq\x03"
        b"X\x02\x00\x00\x00\xc3\xaaq\x04X\x06\x00\x00\x00latin1q\x05\x86q\x06Rq\x07X\x03\x00\x00\x00NOPq\x08eb.",
        None,
    ),
}
"""Pickles that were made when the package was flat, and what they hold, where that can be compared."""


@pytest.mark.parametrize("name", FORMER_PICKLES)
def test_former_pickles_are_still_read(name: str) -> None:
    pickled, expected = FORMER_PICKLES[name]
    loaded = pickle.loads(pickled)
    if expected is not None:
        assert loaded == expected
    assert type(pickle.loads(pickle.dumps(loaded))) is type(loaded)


def test_a_former_pickle_of_a_recording_is_still_opened(recorded: tuple[rr.Machine, rr.LiveRecording]) -> None:
    path, fingerprint = recorded[1].path, recorded[1]._file.fingerprint()
    pickled = f"crreplay.recording\n_reopened\n(V{path}\nI00\nV{fingerprint}\ntR.".encode("raw_unicode_escape")
    assert pickle.loads(pickled).path == path
