"""A run at the shell ends by what it was told or by the guest's own end; else, from a pipe, when the guest is quiet."""

from __future__ import annotations

from pathlib import Path

import pytest

import rreplay as rr
from shell_support import WAIT_SECONDS, image, piped, read_until, shell, sim65_program

WAITS = b"the guest waits and is quiet"

LOOPS = bytes.fromhex("4C0002")
ECHO = bytes.fromhex("AD04F0 F0FB 8D01F0 80F6")
"""LDA F004; BEQ -5; STA F001; BRA -10."""

ECHOES_AND_WORKS = bytes.fromhex("AD04F0 F0FB 8D01F0 C90D D0F4 A200 A000 AD04F0 E8 D0FA C8 C008 D0F5 4C0002")
"""Prints each key, and reads and drops others for a while when a line has ended."""

DELAY = "E8 D0FD C8 D0FA 3A D0F7"
"""INX; BNE -3; INY; BNE -6; DEC A; BNE -9: some third of a second for each in A, at 1 MHz, when X and Y are 0."""


def printing(character: str) -> str:
    return f"A9{ord(character):02X} 8D01F0"


def computing(seconds_thirds: int, answer: str, then: str = "80FE") -> bytes:
    """Prints "<", computes, prints `answer`, and stays."""
    start = printing("<") + f"A200 A000 A9{seconds_thirds:02X}" + DELAY
    return bytes.fromhex(start + printing(answer) + then)


# -- explicit limits


@pytest.mark.parametrize("typed", [b"", b"ver\n", b"sum 0000 FFFF\nver\n"])
def test_seconds_are_obeyed_though_the_input_ends(typed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "run.rreplay"
    result = shell("record", "breadboard", "-o", path, "--seconds", "30", typed=typed)
    assert (result.returncode, result.stdout.count(b"\n> ")) == (0, 1 + typed.count(b"\n"))
    assert rr.open(path).duration == pytest.approx(30, abs=1e-4)


@pytest.mark.parametrize("typed", [b"", b"ver\n"])
def test_instructions_are_obeyed_to_the_last(typed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "run.rreplay"
    assert shell("record", "breadboard", "-o", path, "--instructions", 500_000, typed=typed).returncode == 0
    assert rr.open(path).icount == 500_000


def test_the_first_of_several_limits_ends_it(tmp_path: Path) -> None:
    path = tmp_path / "run.rreplay"
    words = ["record", "breadboard", "-o", path, "--force", "--until", "> "]
    assert shell(*words, "--seconds", 5, "--instructions", 100_000).stdout.endswith(b"> ")
    assert rr.open(path).icount < 10_000
    assert shell(*words, "--seconds", 5, "--instructions", 1_000).returncode == 1
    assert rr.open(path).icount == 1_000
    assert shell(*words, "--seconds", 0.001, "--instructions", 100_000).returncode == 1
    assert rr.open(path).duration == pytest.approx(0.001, abs=1e-5)


def test_nothing_at_all_is_a_limit_too(tmp_path: Path) -> None:
    for limit in (["--seconds", "0"], ["--instructions", "0"]):
        path = tmp_path / "run.rreplay"
        assert shell("record", "-o", path, "--force", *limit).returncode == 0
        assert (rr.open(path).icount, rr.open(path).verify().ok) == (0, True)


def test_a_processor_that_waits_uses_up_its_seconds(tmp_path: Path) -> None:
    path = tmp_path / "run.rreplay"
    program = image(tmp_path / "wai", bytes.fromhex("CB 80FD"))
    result = shell("record", *program, "-o", path, "--seconds", "7")
    assert result.returncode == 0
    assert rr.open(path).duration == pytest.approx(7, abs=1e-4)


def test_the_guests_own_end_comes_before_its_limits(tmp_path: Path) -> None:
    result = shell("run", *image(tmp_path / "stp", b"\xdb"), "--seconds", "1000")
    assert result.returncode == 0
    assert b"halted" in result.stderr


def test_a_limit_ends_a_c_program(tmp_path: Path) -> None:
    program = sim65_program(tmp_path / "loops", LOOPS)
    assert shell("run", program, "--seconds", 3).returncode == 0
    assert shell("run", program, "--seconds", 3, "--fail-on-limit").returncode == 124
    assert shell("run", program, "--instructions", 3, "--fail-on-limit").returncode == 124


def test_a_c_program_that_waits_does_not_use_up_its_seconds_at_once() -> None:
    """What is typed while it waits is read, though virtual time could have jumped to the limit."""
    calls = Path(__file__).parents[2] / "guests/programs/sim65_calls.bin"
    with piped("run", calls, "--seconds", 1000) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert read_until(process.stdout.fileno(), b"no file\n").endswith(b"no file\n")
        process.stdin.write(b"line\n")
        process.stdin.close()
        assert process.stdout.read() == b"line\n"
        assert process.wait(WAIT_SECONDS) == 7


def test_a_c_program_that_waits_ends_with_its_seconds() -> None:
    calls = Path(__file__).parents[2] / "guests/programs/sim65_calls.bin"
    with piped("run", calls, "--seconds", 0.2, "--fail-on-limit") as process:
        assert process.wait(WAIT_SECONDS) == 124


# -- what the console is to print


def test_what_was_waited_for_and_not_seen_is_a_finding() -> None:
    for limit in (["--seconds", "5"], ["--instructions", "100000"], ["--quiet", "1"]):
        result = shell("run", "breadboard", "--until", "NEVER", *limit, typed=b"ver\n")
        assert result.returncode == 1
        assert b"did not print 'NEVER'" in result.stderr
        assert b"  | W65C02 1 MHz" in result.stderr


def test_the_guests_end_before_what_was_waited_for_is_a_finding(tmp_path: Path) -> None:
    result = shell("run", "breadboard", "--until", "NEVER", typed=b"halt\n")
    assert result.returncode == 1
    assert b"halted" in result.stderr
    silent = shell("run", *image(tmp_path / "stp", b"\xdb"), "--until", "x")
    assert silent.returncode == 1
    assert b"nothing at all" in silent.stderr


@pytest.mark.parametrize("until", ["AB", "<AB", "B"])
@pytest.mark.parametrize("thirds", [1, 4])
def test_it_is_seen_however_the_run_is_cut(until: str, thirds: int, tmp_path: Path) -> None:
    """Its beginning and its end come far from each other, and the run ends with its last byte."""
    start = printing("<") + printing("A") + f"A200 A000 A9{thirds:02X}" + DELAY
    program = bytes.fromhex(start + printing("B") + printing("C") + "80FE")
    result = shell("run", *image(tmp_path / "slow", program), "--until", until, "--seconds", "60")
    assert (result.returncode, result.stdout) == (0, b"<AB")


def test_a_beginning_that_comes_to_nothing_is_forgotten(tmp_path: Path) -> None:
    """ "AAB" is in "AAAB", whose first A begins it for nothing."""
    start = printing("A") * 2 + "A200 A000 A902" + DELAY
    program = bytes.fromhex(start + printing("A") + printing("B") + printing("C") + "80FE")
    result = shell("run", *image(tmp_path / "slow", program), "--until", "AAB", "--seconds", "60")
    assert (result.returncode, result.stdout) == (0, b"AAAB")


def test_it_need_not_be_text(tmp_path: Path) -> None:
    program = bytes.fromhex("A9FF 8D01F0 A9FE 8D01F0 80FE")
    result = shell("run", *image(tmp_path / "bytes", program), "--until", b"\xff\xfe", "--seconds", "1")
    assert (result.returncode, result.stdout) == (0, b"\xff\xfe")


def test_it_is_waited_for_though_the_guest_is_quiet(tmp_path: Path) -> None:
    """The monitor waits for nine seconds, with its processor asleep."""
    result = shell("run", "breadboard", "--until", "waited", typed=b"wait 900\n")
    assert result.returncode == 0
    assert result.stdout.endswith(b"waited")


# -- limits that fail


def test_running_into_a_limit_fails_when_told_to() -> None:
    for limit in (["--seconds", "0.5"], ["--instructions", "100"]):
        assert shell("run", *limit).returncode == 0
        result = shell("run", *limit, "--fail-on-limit")
        assert result.returncode == 124
        assert b"a limit was reached" in result.stderr
        assert shell("run", *limit, "--fail-on-limit", "--until", "NEVER").returncode == 124
    assert shell("run", "--seconds", "5", "--fail-on-limit", "--until", "> ").returncode == 0
    assert shell("run", "--fail-on-limit").returncode == 2


# -- quiet


@pytest.mark.parametrize("thirds", [1, 9, 40])
def test_an_answer_that_is_worked_on_is_not_hidden(thirds: int, tmp_path: Path) -> None:
    """Up to thirteen seconds without a word, with the input at its end from the start."""
    result = shell("run", *image(tmp_path / "computes", computing(thirds, "!")))
    assert (result.returncode, result.stdout) == (0, b"<!")
    assert WAITS in result.stderr


def test_an_answer_is_worked_on_also_in_memory_alone(tmp_path: Path) -> None:
    """Not a register changes in the inner loop, as in one that waits."""
    count = "6410 6411 A9F0 8512E610 D0FC E611 D0F8 E612 D0F4"
    program = bytes.fromhex(printing("<") + count + printing("!") + "80FE")
    assert shell("run", *image(tmp_path / "computes", program)).stdout == b"<!"


def test_an_answer_is_worked_on_also_by_who_looks_at_the_keyboard_meanwhile(tmp_path: Path) -> None:
    """As BASIC does, for Ctrl-C."""
    inner = "AD04F0 C903 F019 A264 CA D0FD E610 D0F2 E611 A511 C928 D0EA"
    program = bytes.fromhex(printing("<") + "6410 6411" + inner + printing("!") + "80FE")
    assert shell("run", *image(tmp_path / "looks", program)).stdout == b"<!"


def test_a_line_is_typed_when_the_one_before_has_been_answered(tmp_path: Path) -> None:
    """Each key costs more than a second, in which the next line would be lost."""
    answer = "A200 A000 A904" + DELAY + printing("!")
    start = printing(">") + "AD04F0 F0FB 8D01F0 C90D D0F4"
    program = bytes.fromhex(start + answer + "4C0002")
    result = shell("run", *image(tmp_path / "answers", program), typed=b"ab\ncd\nef\n")
    assert result.stdout == b">ab\r!>cd\r!>ef\r!>"


@pytest.mark.parametrize(
    "program",
    [
        bytes.fromhex("80FE"),
        bytes.fromhex("4C0002"),
        bytes.fromhex("CB 80FD"),
        bytes.fromhex("A510 C511 F0FA"),
        bytes.fromhex("20 05 02 80 FB AD04F0 F0FB 60"),
        ECHO,
        bytes.fromhex("E610 AD04F0 F0F9"),
        bytes.fromhex("E8 AD04F0 F0FA"),
        bytes.fromhex("DA AD04F0 FA F0F9"),
    ],
    ids=["bra", "jmp", "wai", "memory", "subroutine", "echo", "counts", "registers", "stack"],
)
def test_a_guest_that_waits_ends_and_it_is_said(program: bytes, tmp_path: Path) -> None:
    result = shell("run", *image(tmp_path / "waits", program))
    assert (result.returncode, result.stdout) == (0, b"")
    assert WAITS in result.stderr


def test_input_that_nobody_reads_does_not_keep_it(tmp_path: Path) -> None:
    result = shell("run", *image(tmp_path / "deaf", LOOPS), typed=b"hello\nworld\n")
    assert result.returncode == 0
    assert WAITS in result.stderr


def test_input_is_typed_as_the_guest_reads_it_however_much_it_is(tmp_path: Path) -> None:
    """A machine holds some mebibytes that wait, and drops the rest."""
    calls = Path(__file__).parents[2] / "guests/programs/sim65_calls.bin"
    typed = bytes(range(256)) * (17 << 10)
    assert len(typed) > 4 << 20
    result = shell("run", calls, typed=typed)
    assert result.returncode == 7
    assert result.stdout.endswith(b"no file\n" + typed)


def test_input_that_is_never_read_is_left(tmp_path: Path) -> None:
    result = shell("run", *image(tmp_path / "deaf", LOOPS), typed=b"x" * 1_000_000)
    assert result.returncode == 0
    assert b"does not read what is typed" in result.stderr


def test_how_long_it_must_be_quiet_can_be_said(tmp_path: Path) -> None:
    for quiet in (0.05, 2.0, 20.0):
        path = tmp_path / "run.rreplay"
        result = shell("record", *image(tmp_path / "waits", LOOPS), "-o", path, "--force", "--quiet", quiet)
        assert result.returncode == 0
        assert quiet <= rr.open(path).duration <= 2 * quiet + 1


def test_the_monitors_answer_behind_a_wait_is_not_hidden() -> None:
    """Its processor sleeps meanwhile, and wakes with each tick to look at the time."""
    assert b"waited" in shell("run", "breadboard", typed=b"wait 900\n").stdout


def test_lines_end_as_they_may() -> None:
    expected = shell("run", typed=b"ver\nuptime\n").stdout.count(b"> ")
    assert shell("run", typed=b"ver\r\nuptime\r\n").stdout.count(b"> ") == expected
    assert shell("run", typed=b"ver\ruptime\r").stdout.count(b"> ") == expected
    assert shell("run", typed=b"ver\nupti").stdout.endswith(b"> upti")


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_a_line_waits_for_the_answer_to_the_one_before_however_it_ends(tmp_path: Path, end: bytes) -> None:
    """As many a BASIC does, the guest throws away what is typed while it works: it looks for Ctrl-C."""
    words = image(tmp_path / "works", ECHOES_AND_WORKS)
    lines = [b"one", b"two", b"", b"three"]
    result = shell("run", *words, typed=end.join([*lines, b"rest"]))
    assert result.stdout == b"\r".join([*lines, b"rest"])


def test_both_halves_of_an_end_of_line_may_come_apart(tmp_path: Path) -> None:
    with piped("run", *image(tmp_path / "works", ECHOES_AND_WORKS)) as process:
        assert process.stdin is not None and process.stdout is not None
        for typed, echoed in ((b"one\r", b"one\r"), (b"\ntwo\r", b"two\r"), (b"\n\n.\r", b"\r.\r")):
            process.stdin.write(typed)
            process.stdin.flush()
            assert read_until(process.stdout.fileno(), echoed) == echoed
        process.stdin.close()
        assert process.wait() == 0


def test_a_line_of_any_length_is_typed(tmp_path: Path) -> None:
    line = b"x" * 5000
    result = shell("run", *image(tmp_path / "echo", ECHO), typed=line + b"\n" + line)
    assert result.stdout == line + b"\r" + line


def test_a_board_without_a_console(tmp_path: Path) -> None:
    board = tmp_path / "plain.toml"
    board.write_text(
        'name = "plain"\ncpu = { kind = "w65c02", clock_hz = 1000000 }\n'
        'region = [{ name = "ram", kind = "ram", start = 0, end = 0xFFFF }]\n'
    )
    words = [board, *image(tmp_path / "loop", LOOPS)[1:]]
    path = tmp_path / "run.rreplay"
    result = shell("record", *words, "-o", path, "--seconds", "2", typed=b"in vain\n")
    assert result.returncode == 0
    assert b"has no console" in result.stderr
    assert rr.open(path).duration == pytest.approx(2, abs=1e-4)
    for command in ("replay", "verify", "info", "dump", "seek"):
        assert shell(command, path).returncode == 0, command
    assert shell("diff", path, path).returncode == 0
    assert WAITS in shell("run", *words).stderr
    assert shell("run", *words, "--until", "x").returncode == 2
