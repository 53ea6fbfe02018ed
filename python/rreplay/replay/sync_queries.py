"""The functions of `Replay` that the machine itself calls: whatever it does that its host could do otherwise."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from ..arguments import I32, I64, U16, U32, BytesLike, bytes_of, function, items, length_of, member, pair, text, whole
from ..enums import ClockKind, CpuException, Interrupt, ShutdownCause
from ..errors import ArgumentError
from .base import EVENT_BYTES_MAX, ReplayBase, error_number, event_bytes, packet_of
from .values import AudioRead, CharWritten, RandomResult

CLOCKS = {ClockKind.HOST: time.time_ns, ClockKind.VIRTUAL_RT: time.monotonic_ns}

WriteHost: TypeAlias = "Callable[[bytes], int | CharWritten | None]"


class SyncQueries(ReplayBase):
    """What the machine asks or does. Each question is stamped with the place that was accounted last."""

    def interrupt(self, line: Interrupt | str = Interrupt.IRQ) -> bool:
        """The processor is about to accept an interrupt.

        none: True. record: logged, True. play: True, and consumed, when the log has it next, here; else False, and the
        machine leaves the interrupt pending.
        """
        return self._core.interrupt(member(Interrupt, line))

    def has_interrupt(self) -> bool:
        """In play, whether the log has an interrupt next, here. False in the other modes, which have none.

        Not whether one may be taken: that says `interrupt`, in every mode.
        """
        return self._core.has_interrupt()

    def exception(self, kind: CpuException | str) -> bool:
        """A synchronous exception of the processor; the modes are those of `interrupt`."""
        return self._core.exception(member(CpuException, kind))

    def has_exception(self) -> bool:
        """In play, whether the log has an exception next, here. False in the other modes; see `has_interrupt`."""
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
        read = CLOCKS[kind] if read_host is None else function("read_host", read_host, "nothing")
        with self._hold():
            host = self._answer("clock", lambda: whole("what read_host returns", read(), least=-I64 - 1, most=I64))
            return self._core.clock(kind, host)

    def random(self, n: int, read_host: Callable[[int], BytesLike] = os.urandom) -> bytes:
        """`n` bytes of host entropy.

        none: the host's. record: the host's, logged. play: the logged ones; a divergence when no request for `n` bytes
        is next, here.

        Args:
            n: How many, up to 1048576.
            read_host: Returns as many bytes as it is asked for.

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
            read_host: Returns the bytes, or a pair of code (32 bits, signed) and bytes. An OSError that it raises is
                the code -errno, with zeros for the bytes.
        """
        n = whole("n", n, most=EVENT_BYTES_MAX)
        function("read_host", read_host, "how many bytes are wanted")
        with self._hold():
            host = self._answer("random", lambda: _entropy(n, read_host))
            return RandomResult(*self._core.random(n, host))

    def char_write(self, device: int, data: BytesLike, write_host: WriteHost | None = None) -> CharWritten:
        """Sends bytes of a character device to its host. They reach the transcript in every mode.

        none: the host's result. record: the host's, logged with the bytes. play: the logged result, when these bytes
        are next, here; else a divergence.

        Args:
            device: What `register_char` returned.
            data: The bytes, up to 1048576.
            write_host: Takes them, and returns how many it took (None: all), or a `CharWritten`. An OSError that it
                raises is the result -errno. Without it, all are taken.
        """
        device = whole("device", device, most=U16)
        data = event_bytes("data", data)
        if write_host is not None:
            function("write_host", write_host, "the bytes")
        self._core.check_char(device)
        with self._hold():
            host = self._answer("char_write", lambda: _written(data, write_host))
            return CharWritten(*self._core.char_write(device, data, host))

    def char_read_all(self, device: int, n: int, read_host: Callable[[int], BytesLike]) -> bytes:
        """Reads up to `n` bytes from the host side of a character device, now.

        none: the host's. record: the host's, or its error, logged. play: the logged; a divergence when no such read of
        up to `n` bytes is next, here.

        Args:
            device: What `register_char` returned.
            n: How many at most, up to 1048576.
            read_host: Returns up to as many bytes as it is asked for.

        Raises:
            OSError: The host raised it; the log keeps its errno, and play raises it again.
        """
        device = whole("device", device, most=U16)
        n = whole("n", n, most=EVENT_BYTES_MAX)
        function("read_host", read_host, "how many bytes are wanted at most")
        self._core.check_char(device)
        with self._hold():
            host = self._answer("char_read_all", lambda: _read_all(n, read_host))
            result, data = self._core.char_read_all(device, n, host)
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return data

    def audio_out(self, samples: Sequence[int], play_host: Callable[[Sequence[int]], int | None] | None = None) -> int:
        """Plays sound, and returns how many frames the host took.

        none: the host's number. record: the host's, logged. play: the logged; a divergence when none is next, here, or
        when the host took more frames than are offered now.

        Args:
            samples: The frames; they are not logged, only how many the host took.
            play_host: Takes them, and returns how many it took (None: all). Without it, all are taken.
        """
        frames = length_of("samples", samples, most=U32)
        if play_host is not None:
            function("play_host", play_host, "the frames")

        def ask() -> int:
            taken = None if play_host is None else play_host(samples)
            return frames if taken is None else whole("what play_host returns", taken, most=frames)

        with self._hold():
            return self._core.audio_out(frames, self._answer("audio_out", ask))

    def audio_in(self, n: int, record_host: Callable[[int], AudioRead | tuple[Sequence[int], int]]) -> AudioRead:
        """Records up to `n` samples.

        none: the host's. record: the host's, logged with the write position. play: the logged; a divergence when none
        of up to `n` samples is next, here.

        Args:
            n: How many at most, up to 524288.
            record_host: Returns up to as many samples (16 bits, signed) and its write position (32 bits).
        """
        n = whole("n", n, most=EVENT_BYTES_MAX // 2)
        function("record_host", record_host, "how many samples are wanted at most")
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
        device, flags = whole("device", device, most=U16), whole("flags", flags, most=U32)
        packet = packet_of(iov)
        function("send_host", send_host, "the flags and the packet")
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
        """Registers a character device and returns its number, by order of registration from 0.

        Its name goes into the recording's header, so in record this comes before everything that is logged; in play the
        names must be the recorded ones, in their order.

        Args:
            name: The name.
            receive: Called with the bytes that `char_read` brings.

        Raises:
            MismatchError: The recording has another device under this number.
            StateError: Something is logged already.
        """
        name = text("name", name)
        if receive is not None:
            function("receive", receive, "the bytes")
        with self._hold():
            device = self._core.register_char(name)
            if receive is not None:
                self._chars[device] = receive
            return device

    def register_net(self, name: str, receive: Callable[[int, bytes], object] | None = None) -> int:
        """Registers a network device and returns its number, by order of registration from 0.

        Args:
            name: The name.
            receive: Called with the flags and the bytes of each packet that `net_packet` brings.
        """
        name = text("name", name)
        if receive is not None:
            function("receive", receive, "the flags and the packet")
        with self._hold():
            device = self._core.register_net(name)
            if receive is not None:
                self._nets[device] = receive
            return device

    def unregister_net(self, device: int) -> None:
        """Takes a network device away: its packets are dropped from now on.

        Raises:
            ArgumentError: It was never registered, or is gone already.
        """
        device = whole("device", device, most=U16)
        with self._hold():
            self._core.unregister_net(device)
            self._nets.pop(device, None)

    def transcript(self, device: int) -> bytes:
        """All that a character device has sent since this replay was made."""
        return self._core.transcript(whole("device", device, most=U16))


def _entropy(n: int, read_host: Callable[[int], BytesLike | RandomResult | tuple[int, BytesLike]]) -> tuple[int, bytes]:
    try:
        given = read_host(n)
    except OSError as error:
        return error_number(error), bytes(n)
    code, data = (
        pair("what read_host returns", given, "a return code and bytes") if isinstance(given, tuple) else (0, given)
    )
    code = whole("the return code that read_host returns", code, least=-I32 - 1, most=I32)
    data = bytes_of("what read_host returns", data, most=EVENT_BYTES_MAX)
    if len(data) != n and (code >= 0 or data):
        raise ArgumentError(f"read_host was asked for {n} random bytes and returned {len(data)}")
    return code, data or bytes(n)


def _written(data: bytes, write_host: WriteHost | None) -> tuple[int, int]:
    try:
        written = None if write_host is None else write_host(data)
    except OSError as error:
        return error_number(error), 0
    if written is None:
        return len(data), len(data)
    if isinstance(written, tuple):
        result, offset = pair("what write_host returns", written, "a result and an offset")
        result = whole("the result that write_host returns", result, least=-I32 - 1, most=len(data))
        return result, whole("the offset that write_host returns", offset, most=len(data))
    count = whole("what write_host returns", written, most=len(data))
    return count, count


def _read_all(n: int, read_host: Callable[[int], BytesLike]) -> tuple[int, bytes]:
    try:
        data = bytes_of("what read_host returns", read_host(n), most=EVENT_BYTES_MAX)
    except OSError as error:
        return error_number(error), b""
    if len(data) > n:
        raise ArgumentError(f"read_host was asked for up to {n} bytes and returned {len(data)}")
    return len(data), data


def _heard(n: int, record_host: Callable[[int], AudioRead | tuple[Sequence[int], int]]) -> tuple[list[int], int]:
    given, position = pair("what record_host returns", record_host(n), "samples and a write position")
    samples = items("the samples that record_host returns", given, most=EVENT_BYTES_MAX, of="samples")
    if len(samples) > n:
        raise ArgumentError(f"record_host was asked for up to {n} samples and returned {len(samples)}")
    write_position = whole("the write position that record_host returns", position, most=U32)
    return [whole("a sample", sample, least=-(1 << 15), most=(1 << 15) - 1) for sample in samples], write_position
