"""The board `lab`: its suite comes across everything that a log can hold, and replays without any of its hosts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import rreplay as rr
from lab_support import SENDER, SUITE_ADDRESS, command, disk_image, frame, started, wav

KINDS = {
    *("interrupt", "exception", "bh", "bh_oneshot", "input", "input_sync", "char_read", "block", "net", "shutdown"),
    *("char_write", "char_read_all", "char_read_all_error", "audio_out", "audio_in", "random", "clock", "checkpoint"),
    *("end", "digest", "snapshot"),
}
"""Every kind of event that there is; `instruction` is the distance between any two."""


class Thermometer:
    """A device of the user's own."""

    def __init__(self) -> None:
        self.written: list[tuple[int, int]] = []

    def read(self, offset: int) -> int:
        return 0xA0 + offset

    def write(self, offset: int, value: int) -> None:
        self.written.append((offset, value))


def typed(directory: Path) -> Path:
    path = directory / "typed.txt"
    path.write_bytes(b"!")
    return path


def whole_run(machine: rr.Machine, directory: Path) -> dict[str, str]:
    """Every command of the suite, with everything attached that there is; what each prints."""
    devices = machine.devices
    keyboard, pointer, network = devices["keyboard"], devices["pointer"], devices["network"]
    thermometer = Thermometer()
    devices["user"].attach(thermometer)
    devices["disk"].attach(rr.DiskImage(disk_image(directory / "disk.img")))
    devices["sound"].attach(rr.WavOutput(directory / "out.wav"))
    devices["sound"].attach(rr.WavInput(wav(directory / "in.wav", range(0, -30000, -100))))
    devices["network"].attach(rr.Pcap(directory / "out.pcap"))
    printed = {}
    started(machine)
    devices["serial"].attach(rr.Files(directory / "serial.txt", input=typed(directory)))
    for letter in "?cewdtluasvimb":
        printed[letter] = command(machine, letter)
    assert thermometer.written == [(0, 0x55)]
    assert (directory / "serial.txt").read_bytes() == b"ok"
    packet = frame(SUITE_ADDRESS, SENDER, b"hello" * 60)
    printed["n"] = command(machine, "n", lambda: network.inject(packet))
    actions = [
        lambda: keyboard.tap("h"),
        lambda: keyboard.tap("i"),
        lambda: keyboard.press("shift", "1"),
        lambda: keyboard.release("shift", "1"),
        lambda: keyboard.tap("escape"),
    ]
    printed["k"] = command(machine, "k", *actions)
    actions = [
        lambda: pointer.move_to(80, 50),
        lambda: pointer.press(),
        lambda: pointer.move(1, 1),
        pointer.release,
        lambda: pointer.press(1),
    ]
    printed["p"] = command(machine, "p", *actions)
    devices["user"].detach()
    printed["u again"] = command(machine, "u")
    printed["r"] = command(machine, "r")
    machine.console.send(b"x")
    stop = machine.run(seconds=1)
    assert (stop.reason, machine.console.output[-5:]) == ("shutdown", b"bye\r\n")
    return printed


@pytest.mark.parametrize("scheduler", ["inline", "threads"])
def test_one_run_writes_every_kind_of_event_and_replays(tmp_path: Path, scheduler: rr.Scheduler) -> None:
    machine = rr.Machine("lab")
    path = tmp_path / "run.rreplay"
    with machine.record(path, snapshot_every=20_000, digest_every=5_000):
        printed = whole_run(machine, tmp_path)
    assert printed["d"] == "copied 0001020304050607"
    assert printed["t"] == "played, taken of the last batch 20"
    assert printed["l"] == "peak 0C"
    # The flag is set 2001 cycles after the write of T1C-H: 167 turns of 12 cycles see it.
    assert printed["v"] == "A5, turns 00A7"
    assert (printed["i"], printed["m"]) == ("30", "21")
    assert (printed["u"], printed["u again"]) == ("A1", "FF")
    assert (printed["a"], printed["s"], printed["r"]) == ("called", "awake", "restarting\nreset")
    assert printed["b"].endswith("\nback")
    assert printed["n"] == "echoed 013A"
    assert (printed["k"], printed["p"]) == ("keys 03", "dots 02")

    recording = rr.Recording(path)
    events = list(recording.events())
    assert {event.kind for event in events} == KINDS
    assert {event.checkpoint for event in events if event.kind == "checkpoint"} == {*rr.Checkpoint}
    assert {event.clock for event in events if event.kind == "clock"} == {"host", "virtual_rt"}
    assert {event.cause for event in events if event.kind == "shutdown"} == {"guest_reset", "guest_shutdown"}

    assert recording.verify().ok
    replayed = recording.replay(scheduler=scheduler)
    replayed.run()
    assert replayed.digest() == machine.digest()
    assert replayed.console.output == machine.console.output
    assert replayed.devices["display"].image == machine.devices["display"].image


def test_the_screen_shows_what_was_typed_and_drawn() -> None:
    machine = started(rr.Machine("lab"))
    keyboard, display = machine.devices["keyboard"], machine.devices["display"]
    command(machine, "k", lambda: keyboard.tap("l"), lambda: keyboard.tap("escape"))
    image = display.image
    assert (image.width, image.height, len(image.rgba)) == (320, 200, 320 * 200 * 4)
    paper, ink = image[319, 199], {image[x, y] for x in range(8) for y in range(8)}
    assert len(ink) == 2
    assert paper in ink
    assert all(image[x, y] == paper for x in range(8, 320) for y in range(0, 200, 7))


def test_pictures_are_arrays_and_png_files(tmp_path: Path) -> None:
    image = rr.Machine("lab").devices["display"].image
    array = np.asarray(image)
    assert array.shape == (200, 320, 4)
    assert array.dtype == np.uint8
    assert tuple(array[10, 20, :3]) == image[20, 10]
    written = image.to_png(tmp_path / "screen.png")
    assert (tmp_path / "screen.png").read_bytes() == written == image._repr_png_()
    assert written[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(written[16:20], "big") == 320
    with pytest.raises(rr.ArgumentError, match="outside of a picture of 320 by 200"):
        image[320, 0]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda devices: devices["keyboard"].press("shft"), "there is no key 'shft'; the keys are a, b"),
        (lambda devices: devices["pointer"].press(8), "a button is a whole number from 0 to 7"),
        (lambda devices: devices["pointer"].move(0, 40_000), "a distance is a whole number"),
        (lambda devices: devices["pointer"].move_to(-1, 0), "a position is a whole number"),
        (lambda devices: devices["network"].inject(bytes(70_000)), "a packet of 70000 bytes is no packet"),
    ],
)
def test_input_that_cannot_be(wrong: Callable[[rr.Devices], object], says: str) -> None:
    with pytest.raises(rr.ArgumentError, match=says):
        wrong(rr.Machine("lab").devices)


def test_a_replay_has_its_own_input(tmp_path: Path) -> None:
    machine = rr.Machine("lab")
    with machine.record(tmp_path / "run.rreplay"):
        started(machine)
    replayed = rr.Recording(tmp_path / "run.rreplay").replay()
    devices = replayed.devices
    with pytest.raises(rr.StateError, match="takes its input from the recording"):
        devices["keyboard"].press("a")
    with pytest.raises(rr.StateError, match="takes its input from the recording"):
        devices["network"].inject(bytes(60))
    with pytest.raises(rr.StateError, match="a replay has no hosts"):
        devices["disk"].attach(rr.DiskImage(disk_image(tmp_path / "disk.img")))


def test_a_run_ends_at_output_that_leaves_while_the_processor_waits() -> None:
    """The last character of a prompt leaves the transmitter when the program waits for the next command already."""
    machine = rr.Machine("lab")
    assert machine.run(output=b"> ", seconds=10).reason == "output"
    assert machine.time < 0.1


def test_a_device_says_what_it_does_not_have() -> None:
    with pytest.raises(AttributeError, match="the device 'acia' is a mos6551, which has no 'press'"):
        rr.Machine("lab").devices["acia"].press("a")
