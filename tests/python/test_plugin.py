from __future__ import annotations

import re
from pathlib import Path

import pytest

import rreplay as rr

FAILING = """
    def test_fails(machine):
        m = machine("breadboard")
        m.memory[0x3000] = 0x5A
        m.console.expect(b"> ")
        m.console.send(b"ver\\r")
        m.console.expect(b"\\n> ")
        assert m.icount == -1
"""

PASSING = """
    def test_passes(machine):
        machine("breadboard").console.expect(b"> ")

    def test_without_a_machine():
        pass
"""


def kept(pytester: pytest.Pytester, directory: str = "rreplay-recordings") -> list[Path]:
    return sorted((pytester.path / directory).glob("*.rreplay"))


def test_a_failed_test_keeps_its_recording(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FAILING)
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    (path,) = kept(pytester)
    output = result.stdout.str()
    assert str(path) in output
    recording = rr.open(path)
    assert recording.verify().ok
    assert f"stood at icount {recording.icount}" in output


def test_the_line_in_the_report_reopens_it_there(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FAILING)
    output = pytester.runpytest_subprocess().stdout.str()
    found = re.search(r'python -ic "(.*)"', output)
    assert found is not None
    names: dict[str, rr.Machine] = {}
    exec(found[1], names)
    recording = rr.open(kept(pytester)[0])
    assert names["m"].icount == recording.icount
    assert names["m"].memory[0x3000] == 0x5A
    assert b"W65C02" in names["m"].console.output


def test_the_other_line_goes_backwards_from_there(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FAILING)
    output = pytester.runpytest_subprocess().stdout.str()
    line = re.findall(r'python -ic "(.*)"', output)[1]
    names: dict[str, rr.Timeline] = {}
    exec(line, names)
    timeline = names["t"]
    assert timeline.icount == timeline.end_icount
    assert timeline.memory[0x3000] == 0x5A
    written = timeline.last_write(0x3000)
    timeline.reverse_step(5)
    assert timeline.icount == timeline.end_icount - 5
    assert written is None, "the test itself has put the byte there"


def test_a_passed_test_leaves_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(PASSING)
    pytester.runpytest_subprocess().assert_outcomes(passed=2)
    assert not (pytester.path / "rreplay-recordings").exists()


def test_always_keeps_in_the_named_directory(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(PASSING)
    pytester.runpytest_subprocess("--rreplay=always", "--rreplay-dir=tapes").assert_outcomes(passed=2)
    assert len(kept(pytester, "tapes")) == 1


def test_off_records_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FAILING)
    result = pytester.runpytest_subprocess("--rreplay=off")
    result.assert_outcomes(failed=1)
    assert not kept(pytester)
    assert "Reopen" not in result.stdout.str()


def test_one_machine_may_be_left_out(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_fails(machine, tmp_path):
            m = machine("breadboard", record=False)
            with m.record(tmp_path / "mine.rreplay"):
                m.console.expect(b"> ")
            m.memory[0x200] = 1
            assert False
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(failed=1)
    assert not kept(pytester)


def test_each_machine_and_each_parameter_has_its_file(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("text", ["a/b", "a b", "ü" * 200])
        def test_two(machine, text):
            for _ in range(2):
                machine().console.expect(b"> ")
            assert False
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(failed=3)
    assert len(kept(pytester)) == 6


def test_check_replays(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(PASSING)
    pytester.runpytest_subprocess("--rreplay-check").assert_outcomes(passed=2)
    assert not kept(pytester)


def test_check_finds_a_divergence(pytester: pytest.Pytester) -> None:
    """No replay of ours diverges, so one is planted."""
    pytester.makeconftest(
        """
        import rreplay

        def diverge(self, *_, **__):
            raise rreplay.Divergence("the replay diverged at icount 7")

        rreplay.Recording.verify = diverge
        """
    )
    pytester.makepyfile(PASSING)
    result = pytester.runpytest_subprocess("--rreplay-check")
    result.assert_outcomes(passed=2, errors=1)
    assert "diverged at icount 7" in result.stdout.str()
    assert len(kept(pytester)) == 1


def test_workers_do_not_disturb_each_other(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(6))
        def test_many(machine, number):
            machine("breadboard").console.expect(b"> ")
            assert number % 2
        """
    )
    result = pytester.runpytest_subprocess("-n", "2", "--rreplay-check")
    result.assert_outcomes(passed=3, failed=3)
    assert len(kept(pytester)) == 3
    assert result.stdout.str().count("Reopen it there") == 3


def test_a_machine_that_never_ran(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_fails(machine):
            machine("breadboard")
            assert False
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    assert not kept(pytester)
    assert "not run, so not recorded" in result.stdout.str()
