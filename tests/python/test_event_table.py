"""The events of a recording as an Arrow table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import rreplay as rr
from lab_support import wav

PLACE = {"icount": pl.UInt64, "cycles": pl.UInt64, "ordinal": pl.UInt64, "kind": pl.String}


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> rr.Recording:
    """The suite of the board `lab`, which makes events of many kinds."""
    path = tmp_path_factory.mktemp("events") / "run.rreplay"
    machine = rr.Machine("lab")
    machine.devices["random"].attach(rr.Entropy(bytes(range(100))))
    machine.devices["sound"].attach(rr.WavInput(wav(path.with_name("heard.wav"), range(-500, 500))))
    with machine.record(path, snapshot_every=2000, digest_every=5000):
        machine.run(output=b"> ", seconds=1)
        for letter in b"lectb":
            machine.console.send(bytes([letter]))
            machine.devices["keyboard"].press("a")
            machine.devices["pointer"].move(3, -4)
            machine.devices["network"].inject(bytes(60))
            machine.run(seconds=0.1)
    return rr.open(path)


def test_a_row_is_an_event(recording: rr.Recording) -> None:
    frame = pl.DataFrame(recording.to_arrow())
    events = list(recording.events())
    assert len(frame) == len(events)
    assert dict(list(frame.schema.items())[:4]) == PLACE
    carried = frame.columns[4:]
    for row, event in zip(frame.iter_rows(named=True), events, strict=True):
        assert [row[name] for name in PLACE] == [event.icount, event.cycles, event.ordinal, event.kind]
        wanted: dict[str, Any] = dict.fromkeys(carried) | event.payload
        wanted.pop("digests", None)
        if event.kind == "net":
            wanted["device"] = str(wanted["device"])
        assert {name: row[name] for name in carried} == wanted
    kinds = set(frame["kind"])
    assert {"char_read", "char_write", "input", "net", "random", "clock", "audio_in", "digest", "end"} <= kinds


def test_columns_have_types_that_fit(recording: rr.Recording) -> None:
    schema = pl.DataFrame(recording.to_arrow()).schema
    assert schema["data"] == pl.Binary
    assert schema["value"] == pl.Int64
    assert schema["id"] == pl.UInt64
    assert schema["down"] == pl.Boolean
    assert schema["samples"] == pl.List(pl.Int16)


def test_some_events_are_chosen_as_by_events(recording: rr.Recording) -> None:
    middle = recording.icount // 2
    frame = pl.DataFrame(recording.to_arrow("char_write", middle, recording.icount))
    events = list(recording.events("char_write", middle, recording.icount))
    assert frame["ordinal"].to_list() == [event.ordinal for event in events]
    assert events
    assert pl.DataFrame(recording.to_arrow("exception", 0, 0)).schema == frame.schema


def test_it_can_be_read_again(recording: rr.Recording) -> None:
    table = recording.to_arrow()
    assert pl.DataFrame(table).equals(pl.DataFrame(table))


def test_many_events_come_in_pieces(tmp_path: Path) -> None:
    machine = rr.Machine()
    with machine.record(tmp_path / "many.rreplay", digest_every=1):
        machine.run(instructions=40_000)
    recording = rr.open(tmp_path / "many.rreplay")
    frame = pl.DataFrame(recording.to_arrow())
    assert len(frame) > 40_000
    assert frame["ordinal"].to_list() == list(range(len(frame)))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [(("no_such",), "no_such"), ((1,), "kind of event"), ((None, -1), "start"), ((None, 0, "x"), "stop")],
)
def test_wrong_arguments_say_what_is_wrong(recording: rr.Recording, arguments: tuple[Any, ...], text: str) -> None:
    with pytest.raises(rr.ArgumentError, match=text):
        recording.to_arrow(*arguments)


def test_an_unfinished_recording_has_the_events_that_are_left(recording: rr.Recording, tmp_path: Path) -> None:
    path = tmp_path / "cut.rreplay"
    path.write_bytes(recording.path.read_bytes()[:-400])
    salvaged = rr.open(path, salvage=True)
    assert len(pl.DataFrame(salvaged.to_arrow())) == len(list(salvaged.events())) > 0
