"""`rreplay run` at a person's terminal."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

import pytest

from shell_support import image, sim65_program, terminal

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")

LINES = bytes.fromhex("A200 BD0D02 F0FE 8D01F0 E8 80F5 61 0A 62 0A 00")
"""Prints "a", LF, "b", LF, and stays."""

KEYS = bytes.fromhex("AD04F0 F0FB 8D01F0 80F6")
"""Prints each key."""


def test_it_is_raw_while_the_guest_has_it_and_as_before_afterwards() -> None:
    import termios

    with terminal("run") as at:
        before = termios.tcgetattr(at.terminal)
        assert at.read_until(b"\n> ").endswith(b"> ")
        assert not termios.tcgetattr(at.terminal)[3] & termios.ECHO
        at.type(b"ver\r")
        assert b"W65C02" in at.read_until(b"\n> ")
        at.type(b"\x1d")
        assert at.wait() == 0
        assert termios.tcgetattr(at.terminal) == before


def test_lines_that_end_with_lf_alone_are_no_staircase(tmp_path: Path) -> None:
    with terminal("run", *image(tmp_path / "lines", LINES)) as at:
        assert at.read_until(b"b\r\n").endswith(b"a\r\nb\r\n")


def test_every_key_but_the_escape_is_the_guests(tmp_path: Path) -> None:
    keys = b"\x03\x04\x1a\x1c\x11\x13\x7f\xff\r"
    with terminal("run", *image(tmp_path / "keys", KEYS)) as at:
        at.read_until(b"leaves)\r\n")
        at.type(keys)
        assert at.read_until(b"\r") == keys
        at.type(b"ab\x1dcd")
        assert at.wait() == 0


def test_another_size_of_the_window_changes_nothing(tmp_path: Path) -> None:
    import termios

    with terminal("run") as at:
        at.read_until(b"\n> ")
        fcntl.ioctl(at.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 7, 20, 0, 0))
        at.type(b"sum 8000 8001\r")
        assert b"sum" in at.read_until(b"\n> ")


def test_a_board_without_a_console(tmp_path: Path) -> None:
    board = tmp_path / "plain.toml"
    board.write_text(
        'name = "plain"\\ncpu = { kind = "w65c02", clock_hz = 1000000 }\\n'
        'region = [{ name = "ram", kind = "ram", start = 0, end = 0xFFFF }]\\n'.replace("\\n", "\n")
    )
    words = image(tmp_path / "loop", bytes.fromhex("4C0002"))[1:]
    with terminal("run", board, *words) as at:
        assert b"no console" in at.read_until(b"ends)\r\n")
        at.type(b"\x03")
        assert at.wait() == 130


def test_limits_end_it(tmp_path: Path) -> None:
    with terminal("run", "--until", "monitor") as at:
        assert at.read_until(b"monitor\r\n").startswith(b"(Ctrl-] leaves)\r\nrreplay monitor")
        assert at.wait() == 0
    with terminal("run", "--instructions", 1000, "--fail-on-limit") as at:
        assert at.wait() == 124
    with terminal("run", "--seconds", 0.01, "--until", "never") as at:
        assert at.wait() == 1


def test_a_crash_is_said_below_what_was_printed(tmp_path: Path) -> None:
    with terminal("run", *image(tmp_path / "jam", b"\x02"), "--cpu", "6502") as at:
        assert b"jammed at $0200" in at.read_until(b"seek FILE 0\r\n")
        assert at.wait() == 3


def test_a_c_program_is_a_command(tmp_path: Path) -> None:
    """Its terminal stays as it is: lines are edited, and end with Ctrl-D."""
    program = bytes.fromhex("A900 A205 20F9FF")  # exit(0)
    with terminal("run", sim65_program(tmp_path / "c", program)) as at:
        assert at.wait() == 0
