"""What the shell says is in the shell's words: options, and not the arguments of Python functions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import rreplay as rr
from rreplay.cli import main
from rreplay.cli.messages import for_shell, shortened
from shell_support import shell, sim65_program

ROOT = Path(__file__).parents[2]

PYTHON_WORDS = re.compile(
    r"\b[a-z_]+=(\.\.\.|\"|\{\{?0x)|\brom=|\bsalvage=|\bMachine\.record\b|\brreplay\.(open|boards)\("
)
"""What a message for Python may say, and one at the shell may not."""

NOT_AT_THE_SHELL = (
    # Reached by the Python interface alone.
    "allow_remote",
    "rreplay.open({str(",
    "with rreplay.open",
    "give timeline(symbols=",
    "rreplay.Replay",
    "give it longer with seconds=",
    "memory_budget",
    # TOML, which has such words of its own.
    "kind = ",
    "unmapped = ",
    "console = ",
)


def messages() -> list[str]:
    """The string literals of the sources that name something of the Python interface; those broken by \\ are joined."""
    found = []
    for pattern in ("src/**/*.rs", "python/rreplay/**/*.py"):
        for path in sorted(ROOT.glob(pattern)):
            if any(part in ("tests", "testing") for part in path.parts) or path.match("cli/messages.py"):
                continue
            text = re.sub(r"\\\n\s*", "", path.read_text())
            text = re.sub(r"^\s*(//|#(?!\[)).*$", "", text, flags=re.M)
            if path.suffix == ".py":
                text = re.sub(r'r?"""(?s:.*?)"""', "", text)
            for literal in re.findall(r'"((?:[^"\\\n]|\\.)*)"', text):
                message = literal.replace('\\"', '"').replace("{{", "{").replace("}}", "}")
                if PYTHON_WORDS.search(message) and not any(word in message for word in NOT_AT_THE_SHELL):
                    found.append(message)
    return found


def test_there_are_messages_to_look_at() -> None:
    found = messages()
    assert any("rom={0x8000:" in message for message in found)
    assert any("snapshot_every=" in message for message in found)
    assert len(found) >= 6


@pytest.mark.parametrize("message", messages())
def test_every_message_of_the_engine_is_put_into_words_of_the_shell(message: str) -> None:
    assert not PYTHON_WORDS.search(for_shell(message)), for_shell(message)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            'a.bin has no address: give one, as in rom={0x8000: "a.bin"}',
            "a.bin has no address: give one, as in --rom 0x8000=a.bin",
        ),
        ('give an image, as in rom="firmware.bin"', "give an image, as in --rom firmware.bin"),
        ("give the image (rom=...)", "give the image (--rom FILE)"),
        ("snapshots (snapshot_every=...) help", "snapshots (--snapshot-every) help"),
        ("check the path given as rom=", "check the path given with --rom"),
        ("open it with salvage to use what is left", "open it with --salvage to use what is left"),
        ("there is no file a=b.bin", "there is no file a=b.bin"),
    ],
)
def test_words(message: str, expected: str) -> None:
    assert for_shell(message) == expected


def test_arguments_without_end_are_quoted_by_their_beginnings(capsys: pytest.CaptureFixture[str]) -> None:
    assert shortened("x" * 100_000).startswith("xxx")
    for words in (["run", "x" * 100_000], ["info", "y" * 100_000], ["z" * 100_000], ["run", "--cpu", "c" * 100_000]):
        assert main(words) == 2
        assert len(capsys.readouterr().err) < 4_000


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["run", "sim65"], "name the program instead, as in rreplay run hello"),
        (["run", "sim65", "hello"], "name the program instead, as in rreplay run hello"),
        (["run", "breadboard", "--rom", "hello"], 'board "breadboard" does not serve its calls'),
        (["record", "run.rreplay", "-o", "new.rreplay"], "run.rreplay is a recording: `rreplay replay run.rreplay`"),
        (["run", "sbc6850"], "give an image, as in --rom firmware.bin"),
        (["run", "sbc6850", "--rom", "absent.bin"], "check the path given with --rom"),
        (["run", "firmware.bin"], "use --rom to load it, as in rreplay run breadboard --rom firmware.bin"),
        (["run", "./firmware.bin"], "use --rom to load it, as in rreplay run breadboard --rom ./firmware.bin"),
        (["record", "firmware.bin"], "use --rom to load it, as in rreplay record breadboard --rom firmware.bin"),
        (["run", "firmware.bin", "argument"], "use --rom"),
        (["run", "toaster", "argument"], "toaster"),
        (["run", "./hallo", "argument"], "cannot read the board file hallo"),
        (["run", "breadboard", "argument"], "only a C program takes arguments"),
        (["run", "no/such/board"], "`rreplay boards` lists them"),
        (["run", "empty"], "empty is empty: check that whatever builds it succeeded"),
        (["run", "breadboard", "--rom", "empty"], "empty is empty"),
        (["run", "breadboard", "--rom", "0x8000=empty"], "empty is empty"),
        (["run", "main.o"], "object file of ca65 that has not been linked"),
        (["run", "breadboard", "--rom", "main.o"], "object file of ca65 that has not been linked"),
        (["run", "breadboard", "--rom", "rom=main.o"], "object file of ca65 that has not been linked"),
        (["run", "main.lib"], "library"),
        (["run", "elf"], "ELF"),
        (["run", "main.c"], "C source"),
        (["run", "run.rreplay"], "`rreplay replay run.rreplay` plays it"),
        (["run", "breadboard", "--rom", "run.rreplay"], "is a recording"),
        (["run", "."], "directory"),
        (["run", ""], "BOARD is empty"),
        (["info", ""], "empty"),
        (["run", "breadboard", "--rom", ""], "empty"),
        (["run", "breadboard", "--rom", "rom=raw", "--rom", "rom=empty"], "two images for rom"),
        (["run", "py65mon", "--rom", "0x8000=raw", "--rom", "$8000=raw"], "two images for $8000"),
        (["run", "hello", "--rom", "raw"], "goes without --rom"),
        (["run", "breadboard", "--directory", "."], "serves any"),
        (["boards", "toaster"], "toaster"),
        (["info", "empty"], "recordings are written by `rreplay record`"),
        (["replay", "cut.rreplay"], "open it with --salvage"),
    ],
)
def test_what_is_said_at_the_shell(
    words: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    machine = rr.Machine("breadboard")
    with machine.record("run.rreplay"):
        machine.run(instructions=1000)
    Path("cut.rreplay").write_bytes(Path("run.rreplay").read_bytes()[:-30])
    for name, content in (
        ("empty", b""),
        ("raw", bytes(100)),
        ("firmware.bin", bytes(range(256)) * 128),
        ("main.o", b"Uzna" + bytes(100)),
        ("main.lib", b"naUz" + bytes(100)),
        ("elf", b"\x7fELF" + bytes(100)),
        ("main.c", b"int main;"),
    ):
        Path(name).write_bytes(content)
    sim65_program(Path("hello"), bytes.fromhex("A900 20F9FF"))
    assert main(words) == 2
    shown = capsys.readouterr()
    assert expected in shown.err
    assert shown.err.startswith("rreplay: ")
    assert shown.out == ""
    assert not PYTHON_WORDS.search(shown.err)


def test_a_board_with_nothing_on_it_runs_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "py65mon", "--seconds", "0.01"]) == 0
    assert "nothing is loaded on the board py65mon" in capsys.readouterr().err
    assert main(["run", "breadboard", "--seconds", "0.01"]) == 0
    assert "nothing is loaded" not in capsys.readouterr().err


def test_a_board_of_any_name_is_one(tmp_path: Path) -> None:
    path = tmp_path / "board"
    path.write_text(rr.Board.preset("breadboard").to_toml())
    assert shell("run", path, "--until", "> ", "--seconds", 1).returncode == 0


def test_an_image_with_an_equals_sign_in_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a=b.bin"
    path.write_bytes((ROOT / "guests/monitor/monitor.bin").read_bytes())
    for rom in (path, f"rom={path}"):
        assert shell("run", "breadboard", "--rom", rom, "--until", "> ", "--seconds", 1).returncode == 0
    assert shell("run", "breadboard", "--rom", "a=b.bin", "--until", "> ", "--seconds", 1, cwd=tmp_path).returncode == 0


def test_another_processor_for_a_c_program_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its file says which, and would not be listened to."""
    assert main(["run", str(sim65_program(tmp_path / "program", b"\xea")), "--cpu", "65c02"]) == 2
    assert "goes without --cpu" in capsys.readouterr().err
