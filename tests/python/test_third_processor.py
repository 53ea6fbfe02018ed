"""A processor that is no 6502, in Python: the package shows it and knows nothing of it.

What it is stands in src/cpu/specimen.rs. It is no part of the module that users get: `make test-processor` builds
another one that has it, and these tests run in an interpreter that imports that one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

import rreplay as rr

ROOT = Path(__file__).parents[2]
EXTENSION = ROOT / "target" / "debug" / ("lib_core.dylib" if sys.platform == "darwin" else "lib_core.so")

PRELUDE = '''
import pytest
import rreplay as rr

BOARD = """
name = "third"
console = "uart"
[cpu]
kind = "specimen"
clock_hz = 1_000_000
[[region]]
name = "rom"
kind = "rom"
start = 0x0000
end = 0x0FFF
[[region]]
name = "ram"
kind = "ram"
start = 0x8000
end = 0xFFFF
[[device]]
name = "uart"
kind = "mc6850"
space = "io"
at = 0x80
irq = "irq"
"""

rom = bytearray(0x60)
rom[0x00:] = bytes.fromhex("0F2000 00000000 00")          # JP $0020
rom[0x08:] = bytes.fromhex("0681 030080 0D")              # IN $81, ST ($8000), RETI
rom[0x0E:0x20] = bytes(0x12)
rom[0x20:] = bytes.fromhex("0B0000 05400180")             # LSP $0000, STI $40,($8001)
rom[0x27:] = bytes.fromhex("0103 0780 0195 0780 0C")      # reset of the chip, receiver's interrupt, EI
rom[0x30:] = bytes.fromhex("0E 084000 0F3000")            # WAIT, CALL $0040, JP $0030
rom[0x37:0x40] = bytes(9)
rom[0x40:] = bytes.fromhex("020080 040180 030180 0781 09") # LD ($8000), ADD ($8001), ST ($8001), OUT $81, RET
machine = rr.Machine(rr.Board.from_toml(BOARD), rom=bytes(rom))
'''


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package and the module that has the processor."""
    if not EXTENSION.exists():
        pytest.fail(f"{EXTENSION} is not there: run `make test-processor`, which builds it")
    folder = tmp_path_factory.mktemp("third")
    (folder / "rreplay").mkdir()
    for source in Path(rr.__file__).parent.iterdir():
        if not source.name.startswith(("_core.", "__pycache__")) or source.suffix == ".pyi":
            (folder / "rreplay" / source.name).symlink_to(source)
    (folder / "rreplay" / "_core.abi3.so").symlink_to(EXTENSION)
    return folder


@pytest.fixture
def run(package: Path, tmp_path: Path) -> Callable[[str], None]:
    """Runs statements where `machine` is one with the processor."""

    def run(statements: str) -> None:
        program = PRELUDE + textwrap.dedent(statements)
        environment = {**os.environ, "PYTHONPATH": str(package)}
        ended = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
        assert ended.returncode == 0, ended.stderr

    return run


def test_its_registers_are_attributes(run: Callable[[str], None]) -> None:
    run(
        """
        assert machine.board.cpu == "specimen"
        assert machine.registers == {"d": 0, "f": 0, "sp": 0, "pc": 0}
        machine.cpu.sp = 0xABCD
        machine.cpu.d = 0x12
        assert repr(machine.cpu) == "<Cpu d=12 f=00 sp=ABCD pc=0000>"
        assert {"d", "f", "sp", "pc"} <= set(dir(machine.cpu)) and "a" not in dir(machine.cpu)
        with pytest.raises(AttributeError, match="no register 'a'; it has d, f, sp, pc"):
            machine.cpu.a
        with pytest.raises(AttributeError, match="no register 'x'"):
            machine.cpu.x = 1
        with pytest.raises(rr.ArgumentError, match="0 to 255"):
            machine.cpu.d = 256
        assert [str(line) for line in machine.disassemble(0x20, 2)] == ["LSP $0000", "STI $40,($8001)"]
        (call,) = machine.disassemble(0x31)
        assert (call.flow, call.target, len(call.bytes)) == ("call", 0x40, 3)
        cycles = [(cycle.kind, cycle.address, cycle.value) for cycle in machine.trace_bus(7)]
        ports = [cycle for cycle in cycles if cycle[0] in ("in", "out")]
        assert ports == [("out", 0x80, 0x03), ("out", 0x80, 0x95)]
        """
    )


def test_it_is_recorded_replayed_and_questioned(run: Callable[[str], None]) -> None:
    run(
        """
        with machine.record("run.rreplay", snapshot_every=20) as recording:
            for byte in b"\\x10\\x20\\x03":
                machine.console.send(bytes([byte]))
                machine.run(instructions=1000, idle_seconds=0.02)
        assert machine.console.output == b"\\x50\\x70\\x73", machine.console.output
        opened = rr.open("run.rreplay")
        assert opened.verify().ok
        replay = opened.replay()
        replay.run()
        assert replay.digest() == machine.digest()

        tl = opened.timeline()
        points = []
        tl.add_breakpoint(0x40)
        while tl.run().reason == "breakpoint":
            points.append(tl.icount)
        assert len(points) == 3
        back = []
        while tl.reverse_run().reason == "breakpoint":
            back.append(tl.icount)
        assert back[::-1] == points
        tl.seek(points[1])
        assert tl.pc == 0x40 and tl.registers["sp"] == 0xFFFE
        tl.reverse_step()
        assert tl.pc == 0x31
        tl.step_over()
        assert tl.pc == 0x34
        tl.reverse_step_over()
        assert tl.pc == 0x31
        tl.step(2)
        tl.step_out()
        assert tl.pc == 0x34
        tl.seek(tl.end_icount)
        assert tl.last_write(0x8001).new == 0x73
        text = str(tl.origin(0x8001))
        assert "ADD ($8001)" in text and "read from uart, port $81" in text, text
        routines = {routine.address for routine in tl.profile().routines}
        assert 0x40 in routines, routines
        with pytest.raises(rr.ArgumentError, match="uart is at I/O ports"):
            tl.add_watchpoint("uart")
        """
    )


def test_a_command_runs_it_until_it_waits(run: Callable[[str], None]) -> None:
    run(
        """
        import subprocess, sys
        from pathlib import Path
        Path("third.toml").write_text(BOARD)
        Path("rom.bin").write_bytes(bytes(rom))
        command = [sys.executable, "-m", "rreplay", "record", "third.toml", "--rom", "rom.bin", "-o", "run.rreplay"]
        ended = subprocess.run(command, input=b"\\x10\\x20", capture_output=True, timeout=120)
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout == b"\\x50\\x70", ended.stdout
        seek = [sys.executable, "-m", "rreplay", "seek", "run.rreplay", "10"]
        shown = subprocess.run(seek, capture_output=True, text=True)
        assert "sp=$" in shown.stdout and "d=$" in shown.stdout, shown.stdout + shown.stderr
        """
    )
