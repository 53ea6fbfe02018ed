"""Every command with every odd word in every place: a status that is one of ours, a message, and nothing destroyed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import rreplay as rr
from rreplay.cli import main

pytestmark = pytest.mark.skipif(os.name != "posix", reason="files of POSIX")

FILES = [
    "missing",
    "empty",
    "text",
    "zeros",
    "cut",
    "good",
    "fifo",
    "directory",
    "directory/",
    "dangling",
    "loop",
    "",
    "-",
    "--",
    os.fsdecode(b"\xff\xfe"),
    "x" * 300,
    "x" * 5000,
    "no/such/place",
    "text/x",
    "/dev/null",
    "/dev/full",
    "/dev/zero",
    "/proc/self/mem",
    "/proc/self/new",
    "line\nfeed",
    "\x1b[31m",
]

NUMBERS = [
    "-1",
    "0",
    "1",
    "1.5",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "1e300",
    "18446744073709551615",
    "18446744073709551616",
    "9" * 5000,
    "",
    "abc",
    "0x10",
    "1_000",
    os.fsdecode(b"\xff"),
    "\u0663",
]

SHORT = ["--seconds", "0.01"]


def with_files() -> Iterator[list[str]]:
    for odd in FILES:
        for command in ("replay", "verify", "info", "dump", "seek"):
            yield [command, odd]
            yield [command, "--salvage", odd]
        yield ["diff", "good", odd]
        yield ["diff", odd, "good"]
        yield ["replay", "good", "--rom", odd]
        yield ["run", odd, *SHORT]
        yield ["record", odd, *SHORT]
        yield ["run", "sim65", "--rom", odd, *SHORT]
        for option in ("--rom", "--cpu", "--directory", "--until"):
            yield ["run", "breadboard", option, odd, *SHORT]
        yield ["run", "breadboard", "--rom", f"0x8000={odd}", *SHORT]
        yield ["run", "breadboard", "--rom", f"{odd}=zeros", *SHORT]
        yield ["record", "breadboard", "-o", odd, *SHORT]
        yield ["record", "breadboard", odd, "-o", "other", *SHORT]
        yield ["boards", odd]
        yield ["dump", "good", "--kind", odd]
        yield [odd]


def with_numbers() -> Iterator[list[str]]:
    for odd in NUMBERS:
        for option in ("--seconds", "--instructions", "--quiet"):
            yield ["run", "breadboard", f"{option}={odd}", "--until", "> "]
        for option in ("--digest-every", "--snapshot-every", "--chaos"):
            yield ["record", "breadboard", "-o", "numbers", "--force", f"{option}={odd}", *SHORT]
        for option in ("--start", "--stop", "--limit"):
            yield ["dump", "good", f"{option}={odd}"]
        yield ["seek", "good", "--", odd]
        yield ["seek", "good", f"--cycles={odd}"]
        yield ["replay", "good", f"--instructions={odd}"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a file of each sort."""
    place = tmp_path_factory.mktemp("odd")
    machine = rr.Machine("breadboard")
    with machine.record(place / "good"):
        machine.run(seconds=0.1)
    (place / "cut").write_bytes((place / "good").read_bytes()[:-50])
    (place / "empty").touch()
    (place / "text").write_text("hello\n")
    (place / "zeros").write_bytes(bytes(300))
    (place / "directory").mkdir()
    (place / "dangling").symlink_to("nowhere/at/all")
    (place / "loop").symlink_to("loop")
    os.mkfifo(place / "fifo")
    return place


@pytest.mark.timeout(600)
@pytest.mark.parametrize("words", [with_files, with_numbers], ids=["files", "numbers"])
def test_odd_words(
    words: object, place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    assert callable(words)
    kept = {name: (place / name).read_bytes() for name in ("good", "cut", "empty", "text", "zeros")}
    # A pipe without a writer is waited for: once is enough for each command.
    waited: set[str] = set()
    statuses: dict[int, int] = {}
    for arguments in words():
        if "fifo" in arguments and arguments[0] in waited:
            continue
        if "fifo" in arguments:
            waited.add(arguments[0])
        status = main(arguments)
        shown = capfd.readouterr()
        told = f"{arguments!r}: {status}, {shown.err[:300]!r}"
        assert status in (0, 1, 2), told
        assert "Traceback" not in shown.err, told
        assert len(shown.err) < 5_000, told
        if status == 2:
            assert shown.err.startswith("rreplay: "), told
            assert shown.out == "", told
        statuses[status] = statuses.get(status, 0) + 1
        assert {name: (place / name).read_bytes() for name in kept} == kept, told
    assert statuses[2] > 100
    assert statuses[0] > 10
