"""Disks, networks, sound and entropy from outside, with real files and sockets; replayed without them."""

from __future__ import annotations

import shutil
import socket
from functools import partial
from pathlib import Path

import pytest

import rreplay as rr
from lab_support import (
    SECTOR,
    SENDER,
    SUITE_ADDRESS,
    command,
    disk_image,
    frame,
    started,
    wav,
    wav_samples,
)


def lab(**hosts: object) -> rr.Machine:
    machine = rr.Machine("lab")
    for device, host in hosts.items():
        machine.devices[device].attach(host)
    return machine


# -- disks


def test_what_a_guest_writes_stays_in_memory(tmp_path: Path) -> None:
    path = disk_image(tmp_path / "disk.img")
    before = path.read_bytes()
    machine = started(lab(disk=rr.DiskImage(path)))
    assert command(machine, "d") == "copied 0001020304050607"
    assert path.read_bytes() == before
    # A second reader of the same guest sees what it wrote: sector 2 is what sector 0 was.
    machine.memory[0x2000:0x2008] = bytes(8)
    read_sector(machine, 2, 0x2000)
    assert machine.memory[0x2000:0x2008] == bytes(range(8))


def read_sector(machine: rr.Machine, sector: int, address: int) -> None:
    """Has the processor read a sector, by a program of a few instructions."""
    low, high = address.to_bytes(2, "little")
    program = bytes.fromhex(
        f"a9{sector:02x}8d44bf"  # LDA #sector; STA DISK_SECTOR
        f"a9{low:02x}8d48bf a9{high:02x}8d49bf"  # LDA #address; STA DISK_ADDRESS
        "a9018d4abf a9018d40bf 80fe"  # LDA #1; STA DISK_COUNT; LDA #DISK_READ; STA DISK_COMMAND; BRA itself
    )
    machine.memory[0x4000 : 0x4000 + len(program)] = program
    machine.reset()  # ends its waiting
    machine.cpu.pc = 0x4000
    machine.run(seconds=0.01)


def test_one_command_moves_as_much_as_memory_holds(tmp_path: Path) -> None:
    """128 sectors: the whole address space, less what is no RAM, in one event of the recording."""
    path = disk_image(tmp_path / "disk.img", sectors=128)
    rom = bytearray(0x4000)
    program = bytes.fromhex(
        "a9808d4abf a9018d40bf 80fe"
    )  # LDA #128; STA DISK_COUNT; LDA #1; STA DISK_COMMAND; BRA itself
    rom[: len(program)] = program
    rom[0x3FFC:0x3FFE] = b"\x00\xc0"
    machine = rr.Machine("lab", rom=bytes(rom))
    machine.devices["disk"].attach(rr.DiskImage(path))
    with machine.record(tmp_path / "run.rreplay"):
        machine.run(seconds=0.01)
    data = path.read_bytes()
    assert machine.memory[0:0xBF00] == data[:0xBF00]
    assert machine.memory[0xC000:0xC00A] == program[:10], "ROM keeps its bytes"
    assert machine.devices["disk"].state["completed"] == 128
    path.unlink()
    assert rr.Recording(tmp_path / "run.rreplay").verify().ok


def test_a_writable_image_is_changed(tmp_path: Path) -> None:
    path = disk_image(tmp_path / "disk.img")
    before = path.read_bytes()
    command(started(lab(disk=rr.DiskImage(path, writable=True))), "d")
    after = path.read_bytes()
    assert after[2 * SECTOR : 4 * SECTOR] == before[: 2 * SECTOR]
    assert after[: 2 * SECTOR] == before[: 2 * SECTOR]
    assert after[4 * SECTOR :] == before[4 * SECTOR :]


def test_a_disk_that_is_too_small_or_not_there(tmp_path: Path) -> None:
    assert command(started(lab()), "d") == "disk error 01"
    small = disk_image(tmp_path / "small.img", sectors=3)
    assert command(started(lab(disk=rr.DiskImage(small))), "d") == "disk error 02"


@pytest.mark.parametrize("size", [0, 1, 511, 513, 1000])
def test_an_image_is_a_whole_number_of_sectors(tmp_path: Path, size: int) -> None:
    path = tmp_path / "odd.img"
    path.write_bytes(bytes(size))
    with pytest.raises(rr.HostError, match=rf"odd.img has {size} bytes, and a disk has sectors of 512"):
        lab(disk=rr.DiskImage(path))


def test_an_image_that_cannot_be_had(tmp_path: Path) -> None:
    with pytest.raises(
        rr.HostError, match="the device disk of the board lab cannot be attached: cannot read .*missing.img"
    ):
        lab(disk=rr.DiskImage(tmp_path / "missing.img"))
    with pytest.raises(rr.HostError):
        lab(disk=rr.DiskImage(tmp_path))


# -- network


def test_packets_go_out_and_come_in_by_udp(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(30)
        host = rr.Udp(peer.getsockname()[1])
        machine = lab(network=host)
        assert host.port != 0
        with machine.record(tmp_path / "run.rreplay"):
            started(machine)
            packet = frame(SUITE_ADDRESS, SENDER, b"over the wire")
            printed = command(machine, "n", lambda: peer.sendto(packet, ("127.0.0.1", host.port)))
            assert printed == "echoed 001B"
            assert peer.recv(2000) == frame(SENDER, SUITE_ADDRESS, b"over the wire")
    assert rr.Recording(tmp_path / "run.rreplay").verify().ok


def test_a_peer_that_is_not_there_costs_packets_and_nothing_else() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
    machine = started(lab(network=rr.Udp(port)))
    network = machine.devices["network"]
    for _ in range(3):
        packet = frame(SUITE_ADDRESS, SENDER, b"?")
        assert command(machine, "n", partial(network.inject, packet)) == "echoed 000F"


def test_a_udp_port_that_is_taken_or_remote() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(rr.HostError, match="cannot take 127.0.0.1"):
            lab(network=rr.Udp(9, port=taken.getsockname()[1]))
    with pytest.raises(rr.HostError, match="no address of this machine alone"):
        lab(network=rr.Udp(9, peer_host="192.0.2.1"))
    with pytest.raises(rr.ArgumentError, match="a port is a whole number"):
        rr.Udp(70_000)


def test_captures_are_written_and_played(tmp_path: Path) -> None:
    machine = lab(network=rr.Pcap(tmp_path / "first.pcap"))
    with machine.record(tmp_path / "first.rreplay"):
        started(machine)
        network = machine.devices["network"]
        for payload in (b"one", b"number two"):
            packet = frame(SUITE_ADDRESS, SENDER, payload)
            command(machine, "n", partial(network.inject, packet))
    capture = (tmp_path / "first.pcap").read_bytes()
    assert capture[:4] in (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4")
    assert frame(SENDER, SUITE_ADDRESS, b"one") in capture
    assert frame(SENDER, SUITE_ADDRESS, b"number two") in capture

    # What the suite sent is for SENDER: another machine has to have that address to take it.
    text = machine.board.to_toml().replace('kind = "network"', 'kind = "network"\naddress = "02:00:00:00:00:09"')
    second = rr.Machine(rr.Board.from_toml(text))
    with second.record(tmp_path / "second.rreplay"):
        started(second)
        played = rr.Pcap(tmp_path / "second.pcap", input=tmp_path / "first.pcap")
        assert command(second, "n", lambda: second.devices["network"].attach(played)) == "echoed 0011"
        assert command(second, "n") == "echoed 0018"
        assert command(second, "n") == "no packet"
    assert frame(SUITE_ADDRESS, SENDER, b"number two") in (tmp_path / "second.pcap").read_bytes()
    assert rr.Recording(tmp_path / "second.rreplay").verify().ok


def test_a_capture_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "text.pcap"
    path.write_text("this is no capture at all, but text")
    with pytest.raises(rr.HostError, match=r"text.pcap cannot be read as a pcap capture"):
        lab(network=rr.Pcap(input=path))
    with pytest.raises(rr.HostError, match="cannot write"):
        lab(network=rr.Pcap(tmp_path / "no" / "such.pcap"))


def test_a_function_plays_the_rest_of_the_network(tmp_path: Path) -> None:
    seen: list[bytes] = []

    def answers(packet: bytes) -> list[bytes] | None:
        seen.append(packet)
        return [frame(SUITE_ADDRESS, SENDER, b"back")] if len(seen) == 1 else None

    machine = lab(network=rr.NetworkFunction(answers))
    with machine.record(tmp_path / "run.rreplay"):
        started(machine)
        network = machine.devices["network"]
        first = frame(SUITE_ADDRESS, SENDER, b"first")
        command(machine, "n", lambda: network.inject(first))
        # The answer came while the receiver was off, and was lost as it is on a wire.
        command(machine, "n", lambda: network.inject(first))
    assert seen == [frame(SENDER, SUITE_ADDRESS, b"first")] * 2
    assert [event.kind for event in rr.Recording(tmp_path / "run.rreplay").events(kind="net")] == ["net"] * 3
    assert rr.Recording(tmp_path / "run.rreplay").verify().ok


@pytest.mark.parametrize("answer", [7, "text", [1]])
def test_a_function_that_gives_no_packets_stops_the_run(answer: object, tmp_path: Path) -> None:
    machine = lab(network=rr.NetworkFunction(lambda packet: answer))  # type: ignore[arg-type, return-value]
    with pytest.raises(rr.DeviceError, match="a function behind a network gives"), machine.record(tmp_path / "r"):
        started(machine)
        network = machine.devices["network"]
        command(machine, "n", lambda: network.inject(frame(SUITE_ADDRESS, SENDER, b"x")))
    assert rr.Recording(tmp_path / "r").verify().ok


def test_a_function_that_raises_stops_the_run_with_its_error() -> None:
    def raises(packet: bytes) -> None:
        raise ZeroDivisionError(len(packet))

    machine = started(lab(network=rr.NetworkFunction(raises)))
    network = machine.devices["network"]
    with pytest.raises(ZeroDivisionError, match="15"):
        command(machine, "n", lambda: network.inject(frame(SUITE_ADDRESS, SENDER, b"x")))


# -- sound


def test_a_tone_is_in_the_file_it_was_played_to(tmp_path: Path) -> None:
    machine = started(lab(sound=rr.WavOutput(tmp_path / "tone.wav")))
    assert command(machine, "t") == "played, taken of the last batch 20"
    samples = wav_samples(tmp_path / "tone.wav")
    assert len(samples) == 1024
    assert samples[:16] == [0x2000] * 4 + [-0x2000] * 4 + [0x2000] * 4 + [-0x2000] * 4


def test_the_loudest_of_what_is_heard(tmp_path: Path) -> None:
    path = wav(tmp_path / "in.wav", [0, 100, -0x4567, 300] * 32)
    machine = started(lab(sound=rr.WavInput(path)))
    assert command(machine, "l") == "peak 45"
    assert command(machine, "l") == "peak 45"
    assert command(machine, "l") == "nothing is heard"


@pytest.mark.parametrize(("channels", "width"), [(2, 2), (1, 1), (1, 4)])
def test_sound_of_another_format_is_refused(tmp_path: Path, channels: int, width: int) -> None:
    path = wav(tmp_path / "in.wav", [0] * 8 if width > 1 else [], channels=channels, width=width)
    expected = rf"in.wav has {channels} channels of {8 * width} bits, and the sound device has one of 16"
    with pytest.raises(rr.HostError, match=expected):
        lab(sound=rr.WavInput(path))


def test_a_file_that_is_no_sound(tmp_path: Path) -> None:
    path = tmp_path / "text.wav"
    path.write_text("RIFF")
    with pytest.raises(rr.HostError, match=r"text.wav"):
        lab(sound=rr.WavInput(path))
    with pytest.raises(rr.ArgumentError, match="a rate is a whole number"):
        rr.WavOutput(tmp_path / "out.wav", rate=0)


# -- entropy


def test_entropy_that_a_test_has_chosen_and_its_end(tmp_path: Path) -> None:
    machine = lab(random=rr.Entropy(bytes([1, 2, 3, 4, 5])))
    with machine.record(tmp_path / "run.rreplay"):
        started(machine)
        assert command(machine, "e") == "01020304"
        assert command(machine, "e") == "05error 05"
    results = [event.result for event in rr.Recording(tmp_path / "run.rreplay").events(kind="random")]
    assert results == [0, 0, 0, 0, 0, -5]
    assert rr.Recording(tmp_path / "run.rreplay").verify().ok


# -- all of them


@pytest.mark.parametrize(
    ("device", "host"),
    [
        ("keyboard", rr.Entropy(b"")),
        ("disk", rr.Udp(9)),
        ("acia", rr.NetworkFunction(print)),
        ("random", rr.TcpServer()),
        ("user", rr.TcpServer()),
        ("user", rr.Directory(".")),
        ("network", rr.Files()),
    ],
)
def test_a_device_that_has_no_use_for_a_host(device: str, host: rr.Host) -> None:
    with pytest.raises(rr.ReplayError, match=device):
        lab(**{device: host})


def test_what_cannot_be_attached_empties_no_file(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_bytes(b"kept")
    for device, host in [
        ("disk", rr.WavOutput(path)),
        ("disk", rr.Files(path)),
        ("acia", rr.Pcap(path)),
        ("nothing", rr.Files(path)),
    ]:
        with pytest.raises(rr.ReplayError, match=device):
            lab(**{device: host})
    machine = rr.Machine("lab")
    with machine.record(tmp_path / "run.rreplay"):
        started(machine)
    with pytest.raises(rr.StateError, match="a replay has no hosts"):
        rr.Recording(tmp_path / "run.rreplay").replay().devices["acia"].attach(rr.Files(path))
    assert path.read_bytes() == b"kept"


def test_a_recording_with_everything_attached_replays_where_none_of_it_is(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    path = tmp_path / "run.rreplay"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        udp, tcp, pty = rr.Udp(peer.getsockname()[1]), rr.TcpServer(), rr.Pty()
        machine = lab(
            network=udp,
            serial=tcp,
            acia=pty,
            disk=rr.DiskImage(disk_image(there / "disk.img")),
            random=rr.Entropy(bytes(range(64))),
        )
        machine.devices["sound"].attach(rr.WavOutput(there / "out.wav"))
        machine.devices["sound"].attach(rr.WavInput(wav(there / "in.wav", [0x1234] * 64)))
        with machine.record(path):
            started(machine)
            packet = frame(SUITE_ADDRESS, SENDER, b"!")
            command(machine, "n", lambda: peer.sendto(packet, ("127.0.0.1", udp.port)))
            for letter in "edtl":
                command(machine, letter)
        for device in machine.devices.values():
            device.detach()
    shutil.rmtree(there)
    recording = rr.Recording(path)
    assert recording.verify().ok
    replayed = recording.replay()
    replayed.run()
    assert replayed.digest() == machine.digest()
    assert b"copied 0001020304050607" in replayed.console.output
    assert b"peak 12" in replayed.console.output
