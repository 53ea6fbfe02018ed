"""The functions of `Replay` that the machine itself calls: whatever it does that its host could do otherwise."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from ._replay_base import (
    EVENT_BYTES_MAX,
    BytesLike,
    ReplayBase,
    error_number,
    event_bytes,
    member,
    name_of,
    number,
    some_bytes,
)
from .errors import ArgumentError
from .replay_values import AudioRead, CharWritten, RandomResult
from .vocabulary import ClockKind, CpuException, Interrupt, ShutdownCause

I32 = (1 << 31) - 1
I64 = (1 << 63) - 1
U32 = (1 << 32) - 1

CLOCKS = {ClockKind.HOST: time.time_ns, ClockKind.VIRTUAL_RT: time.monotonic_ns}

WriteHost: TypeAlias = "Callable[[bytes], int | CharWritten | None]"


class GuestSide(ReplayBase):
    """What the machine asks or does. Each question is stamped with the place that was accounted last."""

    def interrupt(self, line: Interrupt | str = Interrupt.IRQ) -> bool:
        """The processor is about to accept an interrupt.

        none: True. record: logged, True. play: True, and consumed, when the log has it next, here; else False, and the
        machine leaves the interrupt pending.
        """
        return self._core.interrupt(member(Interrupt, line))

    def has_interrupt(self) -> bool:
        """Whether the log has an interrupt next, here. True in the other modes."""
        return self._core.has_interrupt()

    def exception(self, kind: CpuException | str) -> bool:
        """A synchronous exception of the processor; the modes are those of `interrupt`."""
        return self._core.exception(member(CpuException, kind))

    def has_exception(self) -> bool:
        """Whether the log has an exception next, here. True in the other modes."""
        return self._core.has_exception()

    def clock(self, kind: ClockKind | str, read_host: Callable[[], int] | None = None) -> int:
        """Reads a host clock, in nanoseconds (64 bits, signed). May be called with the lock and without.

        none: the host's value. record: the host's, logged. play: the logged value when a read of that clock is next,
        here; else the last value of that clock, 0 before the first.

        Args:
            kind: Which clock.
            read_host: Reads it; the default is `time.time_ns` for HOST and `time.monotonic_ns` for VIRTUAL_RT.
        """
        kind = member(ClockKind, kind)
        read = CLOCKS[kind] if read_host is None else read_host
        with self._hold():
            host = self._answer("clock", lambda: number("what read_host gives", read(), -I64 - 1, I64))
            return self._core.clock(kind, host)

    def random(self, n: int, read_host: Callable[[int], BytesLike] = os.urandom) -> bytes:
        """`n` bytes of host entropy.

        none: the host's. record: the host's, logged. play: the logged ones; a divergence when no request for `n` bytes
        is next, here.

        Args:
            n: How many, up to 1048576.
            read_host: Gives as many bytes as it is asked for.

        Raises:
            OSError: The host raised it; the log keeps its errno, and play raises it again.
        """
        code, data = self.random_with_code(n, read_host)
        if code < 0:
            raise OSError(-code, os.strerror(-code))
        return data

    def random_with_code(
        self, n: int, read_host: Callable[[int], BytesLike | RandomResult | tuple[int, BytesLike]] = os.urandom
    ) -> RandomResult:
        """As `random`, with the host call's return code: 0, or what `read_host` says.

        Args:
            n: How many, up to 1048576.
            read_host: Gives the bytes, or a pair of code (32 bits, signed) and bytes. An OSError of its is the code
                -errno, with zeros for the bytes.
        """
        number("n", n, 0, EVENT_BYTES_MAX)
        with self._hold():
            host = self._answer("random", lambda: _entropy(n, read_host))
            return RandomResult(*self._core.random(n, host))

    def char_write(self, device: int, data: BytesLike, write_host: WriteHost | None = None) -> CharWritten:
        """Sends bytes of a character device to its host. They reach the transcript in every mode.

        none: the host's result. record: the host's, logged with the bytes. play: the logged result, when these bytes
        are next, here; else a divergence.

        Args:
            device: What `register_char` gave.
            data: The bytes, up to 1048576.
            write_host: Takes them, and gives how many it took (None: all), or a `CharWritten`. An OSError of its is the
                result -errno. Without it, all are taken.
        """
        number("device", device, 0, 0xFFFF)
        data = event_bytes("data", data)
        self._core.check_char(device)
        with self._hold():
            host = self._answer("char_write", lambda: _written(data, write_host))
            return CharWritten(*self._core.char_write(device, data, host))

    def char_read_all(self, device: int, n: int, read_host: Callable[[int], BytesLike]) -> bytes:
        """Reads up to `n` bytes from the host side of a character device, now.

        none: the host's. record: the host's, or its error, logged. play: the logged; a divergence when no such read of
        up to `n` bytes is next, here.

        Args:
            device: What `register_char` gave.
            n: How many at most, up to 1048576.
            read_host: Gives up to as many bytes as it is asked for.

        Raises:
            OSError: The host raised it; the log keeps its errno, and play raises it again.
        """
        number("device", device, 0, 0xFFFF)
        number("n", n, 0, EVENT_BYTES_MAX)
        self._core.check_char(device)
        with self._hold():
            host = self._answer("char_read_all", lambda: _read_all(n, read_host))
            result, data = self._core.char_read_all(device, n, host)
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return data

    def audio_out(self, samples: Sequence[int], play_host: Callable[[Sequence[int]], int | None] | None = None) -> int:
        """Plays sound, and gives how many frames the host took.

        none: the host's number. record: the host's, logged. play: the logged; a divergence when none is next, here.

        Args:
            samples: The frames; they are not logged.
            play_host: Takes them, and gives how many it took (None: all). Without it, all are taken.
        """
        frames = number("the number of samples", len(samples), 0, U32)

        def ask() -> int:
            taken = None if play_host is None else play_host(samples)
            return frames if taken is None else number("what play_host gives", taken, 0, frames)

        with self._hold():
            return self._core.audio_out(self._answer("audio_out", ask))

    def audio_in(self, n: int, record_host: Callable[[int], AudioRead | tuple[Sequence[int], int]]) -> AudioRead:
        """Records up to `n` samples.

        none: the host's. record: the host's, logged with the write position. play: the logged; a divergence when none
        of up to `n` samples is next, here.

        Args:
            n: How many at most, up to 524288.
            record_host: Gives up to as many samples (16 bits, signed) and its write position (32 bits).
        """
        number("n", n, 0, EVENT_BYTES_MAX // 2)
        with self._hold():
            host = self._answer("audio_in", lambda: _heard(n, record_host))
            return AudioRead(*self._core.audio_in(n, host))

    def net_send(
        self, device: int, flags: int, iov: BytesLike | Sequence[BytesLike], send_host: Callable[[int, bytes], object]
    ) -> bool:
        """Sends a packet to the host side of a network device; whether it went there.

        Nothing comes back, so nothing is logged: none and record call `send_host(flags, packet)`, play does not. A
        device that was taken away sends none.
        """
        number("device", device, 0, 0xFFFF)
        number("flags", flags, 0, U32)
        packet = packet_of(iov)
        with self._hold():
            goes_out = self._core.net_send(device)
            if goes_out:
                self._answer("net_packet (from the guest)", lambda: send_host(flags, packet))
            return goes_out

    def shutdown_request(self, cause: ShutdownCause | str) -> bool:
        """Asks for a shutdown or reset; whether it acts, which `shutdown` then shows.

        none: True. record: logged, then True. play: a request of the guest (GUEST_...) acts when the log has it next,
        here; one of a host is ignored (False), for the log's acts at its own place.
        """
        return self._core.shutdown_request(member(ShutdownCause, cause))

    @property
    def shutdown(self) -> ShutdownCause | None:
        """The cause of the last shutdown that acts: asked for, or in play taken from the log here. None without one."""
        cause = self._core.shutdown()
        return None if cause is None else ShutdownCause(cause)

    def clear_shutdown(self) -> None:
        """The machine has done what was asked (a reset) and goes on."""
        self._core.clear_shutdown()

    # ---- devices ----

    def register_char(self, name: str, receive: Callable[[bytes], object] | None = None) -> int:
        """Registers a character device and gives its number, by order of registration from 0.

        Its name goes into the recording's header, so in record this comes before everything that is logged; in play the
        names must be the recorded ones, in their order.

        Args:
            name: The name.
            receive: Called with the bytes that `char_read` brings.

        Raises:
            MismatchError: The recording has another device under this number.
            StateError: Something is logged already.
        """
        with self._hold():
            device = self._core.register_char(name_of("name", name))
            if receive is not None:
                self._chars[device] = receive
            return device

    def register_net(self, name: str, receive: Callable[[int, bytes], object] | None = None) -> int:
        """Registers a network device and gives its number, by order of registration from 0.

        Args:
            name: The name.
            receive: Called with the flags and the bytes of each packet that `net_packet` brings.
        """
        with self._hold():
            device = self._core.register_net(name_of("name", name))
            if receive is not None:
                self._nets[device] = receive
            return device

    def unregister_net(self, device: int) -> None:
        """Takes a network device away: its packets are dropped from now on.

        Raises:
            ArgumentError: It was never registered, or is gone already.
        """
        number("device", device, 0, 0xFFFF)
        with self._hold():
            self._core.unregister_net(device)
            self._nets.pop(device, None)

    def transcript(self, device: int) -> bytes:
        """All that a character device has sent since this replay was made."""
        return self._core.transcript(number("device", device, 0, 0xFFFF))


def packet_of(iov: BytesLike | Sequence[BytesLike]) -> bytes:
    """A packet, from its bytes or from pieces of it."""
    if isinstance(iov, list | tuple):
        iov = b"".join(some_bytes("a piece of the packet", piece) for piece in iov)
    return event_bytes("the packet", iov)


def _entropy(n: int, read_host: Callable[[int], BytesLike | RandomResult | tuple[int, BytesLike]]) -> tuple[int, bytes]:
    try:
        given = read_host(n)
    except OSError as error:
        return error_number(error), bytes(n)
    code, data = given if isinstance(given, tuple) else (0, given)
    number("the return code that read_host gives", code, -I32 - 1, I32)
    data = some_bytes("what read_host gives", data)
    if len(data) != n and (code >= 0 or data):
        raise ArgumentError(f"read_host was asked for {n} random bytes and gave {len(data)}")
    return code, data or bytes(n)


def _written(data: bytes, write_host: WriteHost | None) -> tuple[int, int]:
    try:
        written = None if write_host is None else write_host(data)
    except OSError as error:
        return error_number(error), 0
    if written is None:
        return len(data), len(data)
    if isinstance(written, tuple):
        result, offset = written
        number("the result that write_host gives", result, -I32 - 1, len(data))
        return result, number("the offset that write_host gives", offset, 0, len(data))
    count = number("what write_host gives", written, 0, len(data))
    return count, count


def _read_all(n: int, read_host: Callable[[int], BytesLike]) -> tuple[int, bytes]:
    try:
        data = some_bytes("what read_host gives", read_host(n))
    except OSError as error:
        return error_number(error), b""
    if len(data) > n:
        raise ArgumentError(f"read_host was asked for up to {n} bytes and gave {len(data)}")
    return len(data), data


def _heard(n: int, record_host: Callable[[int], AudioRead | tuple[Sequence[int], int]]) -> tuple[list[int], int]:
    samples, write_position = record_host(n)
    if len(samples) > n:
        raise ArgumentError(f"record_host was asked for up to {n} samples and gave {len(samples)}")
    number("the write position that record_host gives", write_position, 0, U32)
    return [number("a sample", sample, -(1 << 15), (1 << 15) - 1) for sample in samples], write_position
