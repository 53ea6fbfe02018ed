from __future__ import annotations

import inspect
import re
from importlib.metadata import entry_points, version
from importlib.resources import files
from pathlib import Path

import pytest

import rreplay as rr

ROOT = Path(__file__).parents[2]


def test_every_public_name_is_there_and_documented() -> None:
    for name in rr.__all__:
        thing = getattr(rr, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert inspect.getdoc(thing), f"{name} has no documentation"


@pytest.mark.parametrize("name", [name for name in rr.__all__ if inspect.isclass(getattr(rr, name))])
def test_every_public_member_is_documented(name: str) -> None:
    ours = [owner for owner in getattr(rr, name).__mro__ if owner.__module__.split(".")[0] == "rreplay"]
    for member, thing in (item for owner in ours for item in vars(owner).items()):
        if not member.startswith("_") and (callable(thing) or isinstance(thing, property)):
            assert inspect.getdoc(thing), f"{name}.{member} has no documentation"


def test_version_is_the_distributions() -> None:
    assert rr.__version__ == version("rreplay")


def test_package_says_that_it_is_typed() -> None:
    assert files("rreplay").joinpath("py.typed").is_file()


def test_pytest_finds_the_plugin() -> None:
    assert "rreplay" in {point.name for point in entry_points(group="pytest11")}


def test_enumerations_have_their_names() -> None:
    assert rr.ClockKind("host") is rr.ClockKind.HOST
    assert [mode.value for mode in rr.ReplayMode] == ["none", "record", "play"]
    assert len(rr.Checkpoint) == 9
    assert len(rr.ShutdownCause) == 11


def test_every_error_is_a_replay_error() -> None:
    errors = [getattr(rr, name) for name in rr.__all__ if inspect.isclass(getattr(rr, name))]
    errors = [error for error in errors if issubclass(error, Exception)]
    assert len(errors) >= 14
    assert all(issubclass(error, rr.ReplayError) for error in errors)


def test_open_is_the_constructor(recorded: tuple[rr.Machine, rr.LiveRecording]) -> None:
    opened = rr.open(recorded[1].path)
    assert isinstance(opened, rr.Recording)
    assert opened.icount == recorded[1].icount


def test_the_readmes_program_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    program = next(block for block in blocks if "import rreplay as rr" in block)
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "README.md", "exec"), {})
