"""No file is destroyed, none is left by what failed, and output that cannot be written is no success."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import rreplay as rr
from rreplay.cli import main
from rreplay.cli.files import RECORDING_MAGIC, free_path
from shell_support import COMMAND, WAIT_SECONDS, image, piped, read_until, shell, sim65_program

Recorded = tuple[rr.Machine, rr.LiveRecording]

SHORT = ("--seconds", "0.01")


def test_the_magic_is_the_formats(recorded: Recorded) -> None:
    assert recorded[1].path.read_bytes().startswith(RECORDING_MAGIC)


# -- where a recording goes


def test_record_takes_the_words_of_run(tmp_path: Path) -> None:
    program = sim65_program(tmp_path / "exits", bytes.fromhex("A907 20F9FF"))
    ran = shell("run", "exits", "a", "--seconds", 5, cwd=tmp_path)
    recorded = shell("record", "exits", "a", "--seconds", 5, cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (recorded.returncode, recorded.stdout) == (7, b"")
    assert rr.open(tmp_path / "exits.rreplay").verify().ok
    assert program.exists()


@pytest.mark.parametrize(
    ("board", "name"), [(None, "breadboard"), ("breadboard", "breadboard"), ("./mine.toml", "mine"), ("a.bin", "a")]
)
def test_a_recording_without_a_name_is_called_after_its_program(
    board: str | None, name: str, tmp_path: Path, recorded: Recorded
) -> None:
    (tmp_path / "mine.toml").write_text(rr.Board.preset("breadboard").to_toml())
    sim65_program(tmp_path / "a.bin", bytes.fromhex("A900 20F9FF"))
    words = [] if board is None else [board]
    for number in ("", "-1", "-2"):
        assert shell("record", *words, *SHORT, cwd=tmp_path).returncode == 0
        assert rr.open(tmp_path / f"{name}{number}.rreplay").verify().ok


def test_names_that_are_taken_by_anything_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.rreplay").mkdir()
    (tmp_path / "x-1.rreplay").symlink_to("nowhere")
    assert free_path("x") == Path("x-2.rreplay")


def test_recorders_that_start_together_take_different_names(tmp_path: Path) -> None:
    command = [*COMMAND, "record", *SHORT]
    together = [
        subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(6)
    ]
    assert [process.wait(WAIT_SECONDS) for process in together] == [0] * 6
    paths = list(tmp_path.iterdir())
    assert len(paths) == 6
    assert all(rr.open(path).verify().ok for path in paths)


@pytest.mark.parametrize("force", [[], ["--force"]])
@pytest.mark.parametrize("content", [b"precious", b"", RECORDING_MAGIC[:4], b"\x00" * 100])
@pytest.mark.parametrize("command", ["record", "demo"])
def test_a_file_that_is_no_recording_stays(command: str, content: bytes, force: list[str], tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_bytes(content)
    target = ["breadboard", *SHORT, "-o", path] if command == "record" else ["--path", path]
    result = shell(command, *target, *force)
    assert result.returncode == 2
    assert b"is there already, and is no recording" in result.stderr
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_recording_is_replaced_when_told_to(recorded: Recorded) -> None:
    path = recorded[1].path
    content = path.read_bytes()
    refused = shell("record", *SHORT, "-o", path)
    assert refused.returncode == 2
    assert b"--force" in refused.stderr
    assert path.read_bytes() == content
    assert shell("record", *SHORT, "-o", path, "--force").returncode == 0
    assert rr.open(path).duration == pytest.approx(0.01, abs=1e-5)


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_what_is_no_ordinary_file_is_refused(force: list[str], tmp_path: Path) -> None:
    fifo, directory = tmp_path / "fifo", tmp_path / "directory"
    os.mkfifo(fifo)
    directory.mkdir()
    for path, words in (
        (fifo, b"ordinary file"),
        ("/dev/null", b"ordinary file"),
        ("/dev/full", b"ordinary file"),
        (directory, b"directory"),
        ("", b"name of a file"),
        ("-", b"./-"),
        (tmp_path / "no" / "run.rreplay", b"create it first"),
        (tmp_path / ("x" * 300), b"too long"),
        ("/proc/self/run.rreplay", b"/proc/self/run.rreplay"),
    ):
        result = shell("record", *SHORT, "-o", path, *force)
        assert result.returncode == 2, path
        assert words in result.stderr
        assert b"Traceback" not in result.stderr
    assert sorted(tmp_path.iterdir()) == [directory, fifo]


def test_a_file_with_a_dash_for_its_name(tmp_path: Path) -> None:
    assert shell("record", *SHORT, "-o", "./-", cwd=tmp_path).returncode == 0
    assert shell("verify", "./-", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        ["toaster"],
        ["sbc6850"],
        ["breadboard", "--rom", "absent.bin"],
        ["breadboard", "--rom", "rom=a.bin", "--rom", "rom=b.bin"],
        ["breadboard", "--cpu", "z80"],
        ["breadboard", "--seconds", "nan"],
        ["breadboard", "--seconds", "-1"],
        ["breadboard", "--seconds", "inf"],
        ["breadboard", "--instructions", "1.5"],
        ["breadboard", "--until", ""],
        ["breadboard", "--until", "x" * 5000],
        ["breadboard", "--quiet", "0"],
        ["breadboard", "--chaos", "-1"],
        ["breadboard", "--digest-every", "0"],
        ["breadboard", "--snapshot-every", "0"],
        ["breadboard", "--fail-on-limit"],
        ["breadboard", "argument"],
        ["breadboard", "--directory", "."],
        ["plain.toml", "--until", "x", "--rom", "plain.bin"],
        [b"\xff"],
        ["exits", b"\xff"],
    ],
    ids=str,
)
@pytest.mark.parametrize("there_before", [False, True])
def test_a_start_that_fails_leaves_no_file_and_destroys_none(
    words: list[str | bytes], there_before: bool, tmp_path: Path, recorded: Recorded
) -> None:
    (tmp_path / "plain.toml").write_text(
        'name = "plain"\ncpu = { kind = "w65c02", clock_hz = 1000000 }\n'
        'region = [{ name = "ram", kind = "ram", start = 0, end = 0xFFFF }]\n'
    )
    (tmp_path / "plain.bin").write_bytes(bytes(0x10000))
    sim65_program(tmp_path / "exits", bytes.fromhex("A900 20F9FF"))
    target = recorded[1].path if there_before else tmp_path / "new.rreplay"
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    result = shell("record", *words, "-o", target, *(["--force"] if there_before else []), cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.startswith(b"rreplay: ")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_words_of_before_are_explained(tmp_path: Path) -> None:
    """Once, the file came first."""
    result = shell("record", "run.rreplay", "sbc6850", "--rom", "basic.bin", cwd=tmp_path)
    assert result.returncode == 2
    assert b"rreplay record sbc6850 --rom basic.bin -o run.rreplay" in result.stderr
    assert list(tmp_path.iterdir()) == []


# -- disks and readers that take no more


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as POSIX does")
def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    limit = "import os, resource, signal, sys\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\nos.execv(sys.executable, sys.argv[1:])\n"
    path = tmp_path / "run.rreplay"
    words = ["record", "-o", str(path), "--digest-every", "100", "--seconds", "100"]
    result = subprocess.run(
        [sys.executable, "-c", limit, *COMMAND, *words], input=b"sum 0 FFFF\n" * 20, capture_output=True, check=False
    )
    assert result.returncode == 2
    assert b"run.rreplay" in result.stderr
    assert b"Traceback" not in result.stderr
    assert rr.open(path, salvage=True).board.name == "breadboard"


READERS = [
    ["run", *SHORT],
    ["record", *SHORT, "-o", "new.rreplay"],
    ["replay", "run.rreplay"],
    ["info", "run.rreplay"],
    ["dump", "run.rreplay"],
    ["seek", "run.rreplay"],
    ["verify", "run.rreplay"],
    ["diff", "run.rreplay", "run.rreplay"],
    ["boards"],
    ["boards", "breadboard"],
    ["--help"],
    ["run", "--help"],
    ["--version"],
]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", READERS, ids=" ".join)
def test_output_that_cannot_be_kept_is_no_success(
    words: list[str], unbuffered: str, recorded: Recorded, tmp_path: Path
) -> None:
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            [*COMMAND, *words],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            check=False,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
    assert result.returncode == 2
    assert b"cannot write the output" in result.stderr
    assert b"Traceback" not in result.stderr
    if words[0] == "record":
        assert rr.open(tmp_path / "new.rreplay").verify().ok


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [["info", "missing.rreplay"], ["verify"], ["replay", "hello.toml"]], ids=" ".join)
def test_messages_that_cannot_be_kept_do_not_change_the_status(
    words: list[str], unbuffered: str, tmp_path: Path
) -> None:
    """The interpreter tries once more at its exit, and its own status for that is 120."""
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            [*COMMAND, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=full,
            cwd=tmp_path,
            check=False,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
    assert result.returncode == 2


@pytest.mark.parametrize("words", READERS, ids=" ".join)
def test_no_standard_output_is_no_success(words: list[str], recorded: Recorded, tmp_path: Path) -> None:
    closing = "import os, sys\nos.close(1)\nos.execv(sys.executable, sys.argv[1:])\n"
    result = subprocess.run(
        [sys.executable, "-c", closing, *COMMAND, *words],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        check=False,
    )
    assert result.returncode == 2
    assert b"standard output is closed" in result.stderr
    assert not (tmp_path / "new.rreplay").exists()


def test_a_closed_standard_error_does_not_get_into_the_recording(tmp_path: Path) -> None:
    """The first file that is opened would get its number, and messages would go there."""
    closing = "import os, sys\nos.close(0)\nos.close(2)\nos.execv(sys.executable, sys.argv[1:])\n"
    path = tmp_path / "run.rreplay"
    words = ["record", "-o", str(path), "--seconds", "1", "--until", "never"]
    result = subprocess.run([sys.executable, "-c", closing, *COMMAND, *words], stdout=subprocess.DEVNULL, check=False)
    assert result.returncode == 1
    assert rr.open(path).verify().ok


def test_a_reader_that_has_gone_ends_it_as_the_signal_would(recorded: Recorded, tmp_path: Path) -> None:
    for words in (["dump", recorded[1].path], ["record", *image(tmp_path / "x", b"\xa9\x3e\x8d\x01\xf0\x80\xf9")]):
        with piped(*words, cwd=tmp_path) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            if words[0] == "record":
                read_until(process.stdout.fileno(), b">")
            process.stdout.close()
            assert process.wait(WAIT_SECONDS) == 128 + signal.SIGPIPE
            message = process.stderr.read()
            assert message == b"" or (message.count(b"\n") == 1 and b"recorded" in message)
    assert rr.open(tmp_path / "py65mon.rreplay").verify().ok


# -- recordings that come through a pipe


@pytest.mark.parametrize("command", ["replay", "verify", "info", "dump", "seek"])
def test_whatever_reads_a_recording_reads_standard_input(
    command: str, recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "kept"))
    (tmp_path / "kept").mkdir()
    path = recorded[1].path
    named = shell(command, path)
    through = shell(command, "-", typed=path.read_bytes())
    name, other = os.fsencode(path), b"standard input"
    assert through.returncode == 0, through.stderr
    if command == "verify":
        assert through.stdout.split(b",")[:3] == named.stdout.replace(name, other).split(b",")[:3]
    else:
        assert through.stdout == named.stdout.replace(name, other)
    with path.open("rb") as file:
        redirected = subprocess.run([*COMMAND, command, "-"], stdin=file, capture_output=True, check=False)
    assert redirected.returncode == 0
    assert list((tmp_path / "kept").iterdir()) == []


def test_diff_reads_standard_input_once(recorded: Recorded) -> None:
    path = recorded[1].path
    same = shell("diff", path, "-", typed=path.read_bytes())
    assert (same.returncode, same.stderr) == (0, b"")
    assert b"standard input are of the same run" in same.stdout
    twice = shell("diff", "-", "-", typed=path.read_bytes())
    assert twice.returncode == 2
    assert b"read once" in twice.stderr


@pytest.mark.parametrize("content", [b"", b"nonsense", RECORDING_MAGIC])
def test_nonsense_through_standard_input(content: bytes) -> None:
    result = shell("info", "-", typed=content)
    assert result.returncode == 2
    assert b"standard input" in result.stderr
    assert b"/tmp" not in result.stderr


def test_a_named_pipe_is_read_as_a_shells_is(recorded: Recorded, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with piped("info", fifo) as process:
        with fifo.open("wb") as writer:
            writer.write(recorded[1].path.read_bytes())
        assert process.stdout is not None
        assert os.fsencode(fifo) in process.stdout.read()
        assert process.wait(WAIT_SECONDS) == 0


def test_a_pipe_that_nobody_writes_into_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    vector = tmp_path / "vector"
    vector.write_bytes(b"\x00\x02")
    for words in (
        ["info", fifo],
        ["run", fifo],
        ["run", "py65mon", "--rom", f"0x200={fifo}", "--rom", f"0xFFFC={vector}"],
    ):
        assert main([str(word) for word in words]) == 2
        assert f"nothing came through {fifo}" in capfd.readouterr().err


def test_an_image_through_a_pipe(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    vector = tmp_path / "vector"
    vector.write_bytes(b"\x00\x02")
    with piped("run", "py65mon", "--rom", f"0x200={fifo}", "--rom", f"0xFFFC={vector}") as process:
        with fifo.open("wb") as writer:
            writer.write(bytes.fromhex("A93E 8D01F0 DB"))
        assert process.stdout is not None
        assert process.stdout.read() == b">"
        assert process.wait(WAIT_SECONDS) == 0


def test_a_name_that_only_a_directory_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["record", "breadboard", *SHORT, "-o", "runs/"]) == 2
    machine = rr.Machine("breadboard")
    for path in ("runs/", "runs/."):
        with pytest.raises(rr.LogError, match="there is no directory runs"):
            machine.record(path)
        with pytest.raises(rr.HostError, match="there is no directory runs"):
            rr.Image(1, 1, bytes(4)).to_png(path)
    assert list(tmp_path.iterdir()) == []
