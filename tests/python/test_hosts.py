"""Real hosts: pseudoterminals, TCP connections, files. What they do is recorded, and a replay has none of them."""

from __future__ import annotations

import functools
import os
import select
import socket
import termios
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import rreplay as rr

ECHO = Path(__file__).parents[2] / "guests/programs/echo.bin"
PATIENCE_SECONDS = 30


def echo() -> rr.Machine:
    """A breadboard that sends back each byte, which it waits for."""
    return rr.Machine("breadboard", rom=ECHO)


class Running:
    """A machine that another thread runs while the test talks to its hosts."""

    def __init__(self, machine: rr.Machine, scheduler: rr.Scheduler | None = None) -> None:
        self.machine = machine
        self.raised: BaseException | None = None
        self.thread = threading.Thread(target=self._run, args=(scheduler,))

    def _run(self, scheduler: rr.Scheduler | None) -> None:
        try:
            self.machine.run(wait_for_input=True, scheduler=scheduler)
        except BaseException as error:
            self.raised = error

    def __enter__(self) -> Running:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        while self.thread.is_alive():
            self.machine.stop()
            self.thread.join(0.01)
        if self.raised is not None:
            raise self.raised


def read_exactly(read: Callable[[int], bytes], fileno: int, count: int) -> bytes:
    got = b""
    while len(got) < count:
        assert select.select([fileno], [], [], PATIENCE_SECONDS)[0], f"only {len(got)} bytes came"
        got += read(count - len(got))
    return got


def converse(connection: socket.socket, text: bytes) -> None:
    connection.sendall(text)
    assert read_exactly(connection.recv, connection.fileno(), len(text)) == text


def check_replay(path: Path, machine: rr.Machine) -> None:
    """The recording replays on a machine that has no hosts, and ends in the same state with the same output."""
    recording = rr.Recording(path)
    assert recording.verify().ok
    for scheduler in ("inline", "threads"):
        replay = recording.replay(scheduler=scheduler)
        assert replay.run().reason == "end"
        assert replay.digest() == machine.digest()
        assert replay.console.output == machine.console.output


@pytest.mark.parametrize("scheduler", ["inline", "threads"])
def test_tcp_connections_come_and_go(tmp_path: Path, scheduler: rr.Scheduler) -> None:
    machine = echo()
    server = machine.devices["acia"].attach(rr.TcpServer())
    assert server.port != 0
    path = tmp_path / "tcp.rreplay"
    with machine.record(path), Running(machine, scheduler):
        for text in (b"hello", b"again"):
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                converse(connection, text)
    assert machine.console.output == b"helloagain"
    check_replay(path, machine)


def test_a_tcp_connection_that_breaks_costs_only_itself(tmp_path: Path) -> None:
    machine = echo()
    server = machine.devices["acia"].attach(rr.TcpServer())
    path = tmp_path / "broken.rreplay"
    with machine.record(path), Running(machine):
        broken = socket.create_connection(("127.0.0.1", server.port))
        converse(broken, b"x")
        # An abort (RST) with bytes on their way, instead of an orderly end.
        broken.sendall(b"lost")
        broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        broken.close()
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            # What the first connection still had on its way may come out here, before the answer.
            connection.sendall(b"\x04")
            got = b""
            while not got.endswith(b"\x04"):
                assert select.select([connection], [], [], PATIENCE_SECONDS)[0]
                got += connection.recv(100)
    check_replay(path, machine)


def test_without_a_connection_bytes_are_refused_and_the_refusal_is_recorded(tmp_path: Path) -> None:
    machine = echo()
    machine.devices["acia"].attach(rr.TcpServer())
    path = tmp_path / "nobody.rreplay"
    with machine.record(path):
        machine.console.send(b"a")
        machine.run(seconds=0.2)
    written = list(rr.Recording(path).events(kind="char_write"))
    assert [event.result for event in written] == [-107]
    check_replay(path, machine)


def test_a_reader_that_is_slow_makes_sends_fail_and_that_is_recorded(tmp_path: Path) -> None:
    talker = bytes([0xA9, 0x41, 0x8D, 0x01, 0xF0, 0x4C, 0x02, 0x02])  # LDA #'A'; loop: STA $F001; JMP loop
    machine = rr.Machine({"preset": "py65mon", "cpu": {"reset_vector": 0x200}}, rom={0x200: talker})
    pty = machine.devices["console"].attach(rr.Pty())
    assert pty.path is not None
    path = tmp_path / "slow.rreplay"
    with machine.record(path):
        # More than the terminal and the bytes that wait for it may hold together.
        machine.run(instructions=400_000)
        with Running(machine):
            terminal = os.open(pty.path, os.O_RDWR | os.O_NOCTTY)
            try:
                assert set(read_exactly(functools.partial(os.read, terminal), terminal, 100_000)) == {ord("A")}
            finally:
                os.close(terminal)
    results = [event.result for event in rr.Recording(path).events(kind="char_write")]
    assert set(results) == {1, -11}
    refused = results.index(-11)
    assert refused > 60_000
    assert 1 in results[refused:]
    check_replay(path, machine)


def test_tcp_client(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        machine = echo()
        machine.devices["acia"].attach(rr.TcpClient(listener.getsockname()[1]))
        connection, _ = listener.accept()
        path = tmp_path / "client.rreplay"
        with machine.record(path), Running(machine), connection:
            converse(connection, b"from the other side")
    check_replay(path, machine)


def test_pty(tmp_path: Path) -> None:
    machine = echo()
    pty = machine.devices["acia"].attach(rr.Pty())
    assert pty.path is not None
    path = tmp_path / "pty.rreplay"
    with machine.record(path), Running(machine):
        for text in (b"one\r\n\x03", bytes(range(256))):
            terminal = os.open(pty.path, os.O_RDWR | os.O_NOCTTY)
            try:
                os.write(terminal, text)
                assert read_exactly(functools.partial(os.read, terminal), terminal, len(text)) == text
                assert termios.tcgetattr(terminal)[3] & termios.ECHO == 0
            finally:
                os.close(terminal)
    check_replay(path, machine)


def test_files(tmp_path: Path) -> None:
    source, target = tmp_path / "in.txt", tmp_path / "out.txt"
    text = bytes(range(1, 200)) * 40
    source.write_bytes(text)
    target.write_bytes(b"kept ")
    machine = echo()
    machine.devices["acia"].attach(rr.Files(target, input=source, append=True))
    path = tmp_path / "files.rreplay"
    with machine.record(path):
        machine.run(seconds=20)
    assert target.read_bytes() == b"kept " + text
    source.unlink()
    target.unlink()
    check_replay(path, machine)
    assert not target.exists()


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(rr.HostError, match=rf"127\.0\.0\.1:{port}.*another port"):
            echo().devices["acia"].attach(rr.TcpServer(port))
    with pytest.raises(rr.HostError, match="connect to 127"):
        echo().devices["acia"].attach(rr.TcpClient(port))


@pytest.mark.parametrize(
    ("host", "error", "words"),
    [
        (rr.TcpServer(host="0.0.0.0"), rr.HostError, "allow_remote"),
        (rr.TcpServer(host="example.com"), rr.HostError, "numeric address"),
        (rr.Files(input="/nowhere/at/all"), rr.HostError, "/nowhere/at/all"),
        (rr.Files("/nowhere/at/all"), rr.HostError, "cannot write /nowhere/at/all"),
        ("tcp:1", rr.ArgumentError, "is no host"),
    ],
)
def test_bad_hosts(host: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        echo().devices["acia"].attach(host)


@pytest.mark.parametrize("port", [-1, 65536, "80", True, 1.5])
def test_bad_ports(port: int) -> None:
    with pytest.raises(rr.ArgumentError, match="0 to 65535"):
        rr.TcpServer(port)


def test_a_device_that_has_no_use_for_a_host() -> None:
    with pytest.raises(rr.DeviceError, match=r"\"via\" is a via6522, which cannot be joined to a character host"):
        echo().devices["via"].attach(rr.TcpServer())


def test_a_replay_has_no_hosts(tmp_path: Path) -> None:
    machine = echo()
    with machine.record(tmp_path / "a.rreplay"):
        machine.step(10)
    replay = rr.Recording(tmp_path / "a.rreplay").replay()
    with pytest.raises(rr.StateError, match="its recording answers"):
        replay.devices["acia"].attach(rr.TcpServer())


def test_detached_hosts_are_closed() -> None:
    machine = echo()
    device = machine.devices["acia"]
    server = device.attach(rr.TcpServer())
    device.detach()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))
    with socket.create_server(("127.0.0.1", server.port)):
        pass
