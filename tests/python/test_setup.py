"""`make` on a machine that lacks something says what, in plain words, before it does anything."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNIX = ["sh", "find", "rm", "test", "echo", "mkdir", "touch", "dirname", "uname", "expr"]

pytestmark = pytest.mark.skipif(
    not (ROOT / "Makefile").exists() or shutil.which("make") is None, reason="not in a clone, or without make"
)


def make(tmp_path: Path, tools: dict[str, str | None], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs make in a bare copy of the build files, with nothing on the PATH but `tools` (None: this system's own)."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in UNIX:
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    for name, script in tools.items():
        if script is None:
            (folder / name).symlink_to(str(shutil.which(name)))
        else:
            (folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name).chmod(0o755)
    clone = tmp_path / "clone"
    clone.mkdir()
    for name in ("Makefile", "pyproject.toml", "Cargo.toml", "Cargo.lock"):
        shutil.copy(ROOT / name, clone)
    environment = {"PATH": str(folder), "HOME": str(tmp_path), "LC_ALL": "C"}
    return subprocess.run(
        [str(shutil.which("make")), *arguments],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


PRESENT = "exit 0"


@pytest.mark.parametrize("target", ["demo", "test", "build"])
def test_without_rust(tmp_path: Path, target: str) -> None:
    result = make(tmp_path, {}, target)
    assert result.returncode != 0
    assert "needs Rust" in result.stderr
    assert "rustup.rs" in result.stderr


def test_without_a_linker(tmp_path: Path) -> None:
    result = make(tmp_path, {"cargo": PRESENT}, "demo")
    assert result.returncode != 0
    assert "C linker" in result.stderr


@pytest.mark.parametrize("target", ["demo", "test"])
def test_without_python(tmp_path: Path, target: str) -> None:
    result = make(tmp_path, {"cargo": PRESENT, "cc": PRESENT}, target)
    assert result.returncode != 0
    assert "needs Python 3.11 or newer" in result.stderr


def test_with_an_old_python(tmp_path: Path) -> None:
    old = 'test "$1" = --version && echo "Python 3.9.2" && exit 0; exit 1'
    result = make(tmp_path, {"cargo": PRESENT, "cc": PRESENT, "python3": old}, "demo")
    assert result.returncode != 0
    assert "only Python 3.9.2 was found" in result.stderr


def test_with_a_python_that_lacks_venv(tmp_path: Path) -> None:
    script = 'case "$*" in --version) echo "Python 3.12.1";; *ensurepip*) exit 1;; esac; exit 0'
    result = make(tmp_path, {"cargo": PRESENT, "cc": PRESENT, "python3": script}, "demo")
    assert result.returncode != 0
    assert "python3-venv" in result.stderr


def test_help_needs_nothing(tmp_path: Path) -> None:
    result = make(tmp_path, {})
    assert result.returncode == 0
    assert "make demo" in result.stdout


@pytest.mark.skipif("CI" in os.environ and not (ROOT / ".ci/run").exists(), reason="not in a clone")
def test_ci_runs_what_the_readme_says() -> None:
    for command in ("make test ", "make test-deep "):
        assert command in (ROOT / ".ci/run").read_text()
        assert command in (ROOT / "README.md").read_text()
