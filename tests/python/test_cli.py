from __future__ import annotations

import json
from pathlib import Path

import pytest

import rreplay as rr
from rreplay.cli import main
from shell_support import shell as command

Recorded = tuple[rr.Machine, rr.LiveRecording]


def test_help_and_version() -> None:
    assert b"demo" in command("--help").stdout
    assert command("--version").stdout.decode().strip() == f"rreplay {rr.__version__}"
    assert command().returncode == 2
    assert command("fly").returncode == 2


def test_boards() -> None:
    assert command("boards").stdout.decode().split() == rr.boards()
    assert json.loads(command("boards", "--json").stdout) == rr.boards()
    text = command("boards", "breadboard").stdout.decode()
    assert rr.Board.from_toml(text) == rr.Board.preset("breadboard")
    assert command("boards", "toaster").returncode == 2


def test_piped_input_is_answered() -> None:
    result = command("run", "breadboard", typed=b"ver\nx 8000\nhelp\nuptime\nsum 8000 80FF\n")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count(b"\n> ") == 6
    assert b"the input has ended, and the guest waits and is quiet" in result.stderr


def test_run_ends_at_its_limits() -> None:
    assert command("run", "--seconds", "0.5").stdout.endswith(b"> ")
    assert command("run", "--instructions", "5").stdout == b""
    assert command("run", "--until", "> ", typed=b"ver\n").stdout.endswith(b"> ")


def test_run_says_why_a_machine_stopped(tmp_path: Path) -> None:
    program = tmp_path / "stop.bin"
    program.write_bytes(b"\xdb")
    vector = tmp_path / "vector.bin"
    vector.write_bytes(b"\x00\x10")
    result = command("run", "py65mon", "--rom", f"0x1000={program}", "--rom", f"$FFFC={vector}")
    assert (result.returncode, result.stdout) == (0, b"")
    assert b"halted" in result.stderr


def test_record_then_everything(tmp_path: Path) -> None:
    path = tmp_path / "run.rreplay"
    recorded = command("record", "breadboard", "-o", path, "--digest-every", 10000, typed=b"ver\nuptime\n")
    assert recorded.returncode == 0, recorded.stderr
    assert b"recorded" in recorded.stderr
    for scheduler in ("inline", "threads"):
        replayed = command("replay", path, "--scheduler", scheduler)
        assert (replayed.returncode, replayed.stdout) == (0, recorded.stdout)
    assert command("verify", path, "--scheduler", "both").stdout.count(b": ok, ") == 2
    verified = json.loads(command("verify", path, "--json").stdout)
    assert verified["ok"]
    assert verified["schedulers"]["inline"]["digests"] >= 2
    info = json.loads(command("info", path, "--json").stdout)
    recording = rr.open(path)
    assert info["icount"] == recording.icount
    assert b"breadboard" in command("info", path).stdout
    lines = command("dump", path).stdout.splitlines()
    assert len(lines) == sum(info["events"].values())
    typed = [json.loads(line) for line in command("dump", path, "--kind", "char_read", "--json").stdout.splitlines()]
    assert b"".join(bytes.fromhex(event["data"]) for event in typed) == b"ver\ruptime\r"
    assert len(command("dump", path, "--limit", 3).stdout.splitlines()) == 3


def test_bad_input_is_status_2(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"not a recording")
    for arguments in (
        ("info", other),
        ("verify", tmp_path / "absent"),
        ("dump", other, "--json"),
        ("replay", other),
        ("run", "toaster"),
        ("run", "sbc6850", "--rom", tmp_path / "absent.bin"),
        ("run", "py65mon", "--rom", other, "--rom", other),
        ("run", "py65mon", "--rom", f"0xZZ={other}"),
        ("record", "-o", tmp_path / "no" / "run.rreplay"),
    ):
        result = command(*arguments)
        assert result.returncode == 2, arguments
        assert result.stderr.startswith(b"rreplay: ")
        assert b"Traceback" not in result.stderr
        assert result.stdout == b""
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_a_truncated_recording_needs_salvage(recorded: Recorded, tmp_path: Path) -> None:
    path = tmp_path / "cut.rreplay"
    path.write_bytes(recorded[1].path.read_bytes()[:-40])
    assert command("info", path).returncode == 2
    result = command("info", path, "--salvage")
    assert result.returncode == 0
    assert b"no: " in result.stdout
    assert b"salvage" in result.stderr or b"lost" in result.stderr


def test_a_divergence_is_status_1(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No file of ours diverges, so the finding is planted where the replay would make it."""

    def diverge(*_: object, **__: object) -> None:
        raise rr.Divergence("the replay diverged at icount 7")

    monkeypatch.setattr(rr.Recording, "verify", diverge)
    assert main(["verify", str(recorded[1].path)]) == 1
    assert "diverged at icount 7" in capsys.readouterr().err
    assert main(["verify", str(recorded[1].path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False


def test_the_demo(tmp_path: Path) -> None:
    path = tmp_path / "demo.rreplay"
    result = command("demo", "--path", path, "--seed", 7)
    shown = result.stdout.decode()
    assert result.returncode == 0, result.stderr
    for expected in (
        "Hello, world!",
        "halted",
        "identical",
        "rreplay.open",
        "interrupt irq",
        "million instructions",
    ):
        assert expected in shown
    assert "\x1b" not in shown
    assert rr.open(path).verify().ok
    again = command("demo", "--path", path)
    assert (again.returncode, again.stdout) == (2, b"")
    assert b"--force" in again.stderr
