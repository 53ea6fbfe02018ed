"""A second reader of the recording file, written from docs/log-format.md alone.

It shares no code with the first one and needs nothing but Python. It is strict, and it reads whole files: a damaged one
is an error. Run it as ``python log_second_reader.py FILE`` to print what a recording holds as JSON.
"""

from __future__ import annotations

import json
import struct
import sys
import zlib
from typing import Any

MAGIC = bytes.fromhex("8E5252500D0A1A0A")
SYNC = bytes.fromhex("9C7266C5")
FOOTER_MAGIC = bytes.fromhex("8E7272656E641A0A")
HEADER, EVENTS, SNAPSHOT, INDEX = 1, 2, 3, 4
READER_VERSION = 4
U64 = (1 << 64) - 1
MIB = 1 << 20

INTERRUPTS = ["irq", "nmi", "reset", "wake"]
EXCEPTIONS = ["brk", "jam", "stop"]
CAUSES = [
    "none", "host_error", "host_quit", "host_reset", "host_signal", "host_ui", "guest_shutdown", "guest_reset",
    "guest_panic", "subsystem_reset", "snapshot_load",
]  # fmt: skip
CHECKPOINTS = [
    "clock_warp_start", "clock_warp_account", "reset_requested", "suspend_requested", "clock_virtual", "clock_host",
    "clock_virtual_rt", "init", "reset",
]  # fmt: skip
KINDS = [
    "interrupt", "exception", "bh", "bh_oneshot", "input", "input_sync", "char_read", "block", "net", "shutdown",
    "char_write", "char_read_all", "char_read_all_error", "audio_out", "audio_in", "random", "clock", "checkpoint",
    "digest", "snapshot", "end",
]  # fmt: skip


class FormatError(ValueError):
    """The file breaks a rule of docs/log-format.md."""


def require(condition: bool, rule: str) -> None:
    if not condition:
        raise FormatError(rule)


class Reader:
    """Takes numbers and bytes from the front of some bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        require(count <= len(self.data) - self.at, "the bytes end too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def varint(self, below: int = 1 << 64) -> int:
        value = 0
        for group in range(10):
            byte = self.byte()
            value |= (byte & 0x7F) << (7 * group)
            if byte < 0x80:
                require(byte != 0 or group == 0, "a varint is longer than it need be")
                require(value < below, "a number is above its bound")
                return value
        raise FormatError("a varint has more than 10 bytes")

    def signed(self, bits: int = 64) -> int:
        value = self.varint()
        value = (value >> 1) ^ -(value & 1)
        require(-(1 << (bits - 1)) <= value < 1 << (bits - 1), "a signed number does not fit")
        return value

    def bytes(self, most: int = MIB) -> bytes:
        return self.take(self.varint(below=most + 1))

    def text(self) -> str:
        return self.bytes(1024).decode()

    def position(self) -> tuple[int, int]:
        return self.varint(), self.varint()

    def finished(self) -> bool:
        return self.at == len(self.data)


def signed64(value: int) -> int:
    """A number modulo 2^64 as a signed one."""
    value &= U64
    return value - (1 << 64) if value >> 63 else value


class Frame:
    """One frame: its fields, its raw payload, and where it stands."""

    def __init__(self, data: bytes, offset: int, seed: bytes) -> None:
        reader = Reader(data)
        reader.at = self.offset = offset
        require(reader.take(4) == SYNC, f"no frame starts at {offset}")
        self.type, flags = reader.byte(), reader.byte()
        require(flags < 2, "unknown frame flags")
        bound = 4 * MIB if self.type == EVENTS else 16 * MIB
        stored = reader.varint(below=bound + 1)
        self.raw_length = reader.varint(below=bound + 1)
        self.ordinal = reader.varint()
        self.count = reader.varint(below=65537)
        self.position = reader.position()
        payload = reader.take(stored)
        covered = data[offset : reader.at]
        self.crc = reader.take(4)
        require(zlib.crc32(seed + covered) == struct.unpack("<I", self.crc)[0], f"wrong CRC of the frame at {offset}")
        require((self.count > 0) == (self.type == EVENTS), "an event count that does not fit the frame's type")
        self.end = reader.at
        self.raw = self.inflate(payload) if flags else payload
        require(len(self.raw) == self.raw_length, "a raw length that is not the payload's")

    def inflate(self, payload: bytes) -> bytes:
        fits = len(payload) < self.raw_length <= 1032 * len(payload)
        require(fits, "stored and raw length do not fit together")
        inflater = zlib.decompressobj(wbits=-15)
        raw = inflater.decompress(payload, self.raw_length + 1)
        require(inflater.eof and not inflater.unused_data, "a payload that does not inflate as announced")
        return raw


def read_header(raw: bytes) -> dict[str, Any]:
    reader = Reader(raw)
    sections: dict[str, bytes] = {}
    for _ in range(reader.varint(below=1025)):
        name = reader.text()
        require(name not in sections, f"the section {name} stands twice")
        sections[name] = reader.bytes(16 * MIB)
    require(reader.finished(), "bytes behind the last header section")

    def whole(name: str, take: Any, absent: Any) -> Any:
        if name not in sections:
            return absent
        body = Reader(sections[name])
        value = take(body)
        require(body.finished(), f"the section {name} is longer than its value")
        return value

    def items(name: str, take: Any, most: int = 1024) -> Any:
        return whole(name, lambda body: [take(body) for _ in range(body.varint(below=most + 1))], [])

    def lineage(body: Reader) -> dict[str, Any]:
        return {"parent": body.take(16).hex(), "position": list(body.position())}

    for name in ("board", "clock_hz", "start", "initial_state"):
        require(name in sections, f"there is no section {name}")
    require(len(sections["board"]) <= MIB // 4, "a board's description above its bound")
    return {
        "engine": sections.get("engine", b"").decode(),
        "board": sections["board"].decode(),
        "clock_hz": whole("clock_hz", Reader.varint, None),
        "roms": items("roms", read_rom),
        "devices": items("devices", lambda body: [body.text(), body.text()]),
        "chars": items("chars", Reader.text),
        "subsystems": items("subsystems", Reader.text, 256),
        "start": list(whole("start", Reader.position, None)),
        "initial_state": sections["initial_state"].hex(),
        "digest_every": whole("digest_every", Reader.varint, 0),
        "snapshot_every": whole("snapshot_every", Reader.varint, None),
        "scheduler": sections.get("scheduler", b"").decode(),
        "lineage": whole("lineage", lineage, None),
    }


def read_rom(reader: Reader) -> dict[str, Any]:
    name = reader.text()
    kind = reader.byte()
    require(kind < 2, "a ROM's target is neither region nor address")
    target = reader.text() if kind == 0 else reader.varint(below=1 << 32)
    digest = reader.take(32).hex()
    length = reader.varint()
    embedded = reader.byte()
    require(embedded < 2, "a ROM is neither embedded nor not")
    image = reader.take(length).hex() if embedded else None
    return {"name": name, "target": target, "hash": digest, "length": length, "bytes": image}


class Decoder:
    """The events of one frame."""

    def __init__(self, frame: Frame, hashes: int | None) -> None:
        self.reader = Reader(frame.raw)
        self.hashes = hashes
        self.frame = frame
        self.icount, self.cycles = frame.position
        self.rate = 768
        self.clocks = {"host": 0, "virtual_rt": 0}
        self.device = 0
        self.block_id = 0
        self.digests: list[bytes] = []
        self.decoded = 0

    def events(self) -> list[dict[str, Any]]:
        events = []
        for number in range(self.frame.count):
            tag = self.reader.byte()
            kind, place, short = tag & 0x1F, tag >> 5 & 3, bool(tag & 0x80)
            require(kind < len(KINDS), f"unknown event kind {kind}")
            require(number > 0 or place == 0, "the first event is not at the frame's position")
            self.place(place)
            carried = getattr(self, KINDS[kind])(short)
            stamp = {"ordinal": self.frame.ordinal + number, "icount": self.icount, "cycles": self.cycles}
            events.append(stamp | {"kind": KINDS[kind]} | carried)
        require(self.reader.finished(), "bytes behind the last event of a frame")
        return events

    def place(self, form: int) -> None:
        require(form != 3, "unknown form of a place")
        if form == 1:
            cycles = self.reader.varint()
            require(cycles > 0, "a wait of no cycles")
            self.cycles += cycles
        if form == 2:
            instructions = self.reader.varint()
            require(instructions > 0, "a run of no instructions")
            cycles = (instructions * self.rate // 256 + self.reader.signed()) & U64
            seen = cycles * 256 // instructions
            if seen <= 4096:
                self.rate = (self.rate + seen) // 2
            self.icount += instructions
            self.cycles += cycles
        require(self.icount <= U64 and self.cycles <= U64, "a position above 64 bits")

    def hold(self, count: int) -> None:
        """Counts what is decoded against the bound of a frame."""
        self.decoded += count
        require(self.decoded <= 8 * MIB, "the events of a frame decode to too much")

    def buffer(self) -> bytes:
        data = self.reader.bytes()
        self.hold(len(data))
        return data

    def member(self, names: list[str], short: bool) -> str:
        number = 0 if short else self.reader.byte()
        require(short or 0 < number < len(names), "an unknown member, or a long form where the short one applies")
        return names[number]

    def interrupt(self, short: bool) -> dict[str, Any]:
        return {"interrupt": self.member(INTERRUPTS, short)}

    def exception(self, short: bool) -> dict[str, Any]:
        return {"exception": self.member(EXCEPTIONS, short)}

    def shutdown(self, short: bool) -> dict[str, Any]:
        return {"cause": self.member(CAUSES, short)}

    def checkpoint(self, short: bool) -> dict[str, Any]:
        return {"checkpoint": self.member(CHECKPOINTS, short)}

    def bh(self, short: bool) -> dict[str, Any]:
        self.never(short)
        return {"id": (self.icount - self.reader.signed()) & U64}

    bh_oneshot = bh

    def input(self, short: bool) -> dict[str, Any]:
        what = self.reader.varint(below=65539)
        if what >= 3:
            return {"input": "key", "keycode": what - 3, "down": short}
        if what == 0:
            return {"input": "button", "button": self.reader.byte(), "down": short}
        self.never(short)
        return {"input": ["rel", "abs"][what - 1], "axis": self.reader.byte(), "value": self.reader.signed(32)}

    def input_sync(self, short: bool) -> dict[str, Any]:
        self.never(short)
        return {}

    def char_read(self, short: bool) -> dict[str, Any]:
        if short:
            self.hold(1)
            return {"device": self.device, "bytes": self.reader.take(1).hex()}
        device, data = self.reader.varint(below=1 << 16), self.buffer()
        require(len(data) != 1 or device != self.device, "a long form where the short one applies")
        self.device = device
        return {"device": device, "bytes": data.hex()}

    def char_write(self, short: bool) -> dict[str, Any]:
        if short:
            self.hold(1)
            return {"device": self.device, "bytes": self.reader.take(1).hex(), "result": 1, "offset": 1}
        device, data = self.reader.varint(below=1 << 16), self.buffer()
        result, offset = self.reader.signed(32), self.reader.varint(below=1 << 32)
        usual = (device, len(data), result, offset) == (self.device, 1, 1, 1)
        require(not usual, "a long form where the short one applies")
        self.device = device
        return {"device": device, "bytes": data.hex(), "result": result, "offset": offset}

    def block(self, short: bool) -> dict[str, Any]:
        self.block_id = (self.block_id + self.reader.signed()) & U64
        result = None if short else self.reader.signed(32)
        data = self.buffer()
        require(result != len(data), "a long form where the short one applies")
        return {"id": self.block_id, "result": len(data) if short else result, "bytes": data.hex()}

    def net(self, short: bool) -> dict[str, Any]:
        self.never(short)
        device, flags = self.reader.varint(below=1 << 16), self.reader.varint(below=1 << 32)
        return {"device": device, "flags": flags, "bytes": self.buffer().hex()}

    def char_read_all(self, short: bool) -> dict[str, Any]:
        self.never(short)
        return {"device": self.reader.varint(below=1 << 16), "bytes": self.buffer().hex()}

    def char_read_all_error(self, short: bool) -> dict[str, Any]:
        self.never(short)
        return {"device": self.reader.varint(below=1 << 16), "error": self.reader.signed(32)}

    def audio_out(self, short: bool) -> dict[str, Any]:
        self.never(short)
        return {"frames": self.reader.varint(below=1 << 32)}

    def audio_in(self, short: bool) -> dict[str, Any]:
        self.never(short)
        recorded, write_position = self.reader.varint(below=1 << 32), self.reader.varint(below=1 << 32)
        count = self.reader.varint(below=MIB // 2 + 1)
        self.hold(2 * count)
        samples = list(struct.unpack(f"<{count}h", self.reader.take(2 * count)))
        return {"recorded": recorded, "samples": samples, "write_position": write_position}

    def random(self, short: bool) -> dict[str, Any]:
        result = 0 if short else self.reader.signed(32)
        require(short or result != 0, "a long form where the short one applies")
        return {"result": result, "bytes": self.buffer().hex()}

    def clock(self, short: bool) -> dict[str, Any]:
        which = "virtual_rt" if short else "host"
        self.clocks[which] = signed64(self.clocks[which] + self.reader.signed())
        return {"clock": which, "value": self.clocks[which]}

    def digest(self, short: bool) -> dict[str, Any]:
        count = len(self.digests) if short else self.reader.varint(below=257)
        require(short or count != len(self.digests), "a long form where the short one applies")
        require(self.hashes in (None, count), "a digest without one hash for each subsystem")
        bits = int.from_bytes(self.reader.take((count + 7) // 8), "little")
        require(bits >> count == 0, "unused bits of a digest map are set")
        digests = []
        for place in range(count):
            before = self.digests[place] if place < len(self.digests) else None
            value = self.reader.take(16) if bits >> place & 1 else before
            require(value is not None, "a digest refers to one that is not there")
            require(not bits >> place & 1 or value != before, "a long form where the short one applies")
            digests.append(value)
        self.hold(16 * count)
        self.digests = digests
        return {"digests": [value.hex() for value in digests]}

    def snapshot(self, short: bool) -> dict[str, Any]:
        self.never(short)
        return {"number": self.reader.varint()}

    def end(self, short: bool) -> dict[str, Any]:
        self.never(short)
        return {}

    @staticmethod
    def never(short: bool) -> None:
        require(not short, "a short form of a kind that has none")


def read_index(frame: Frame, start: int) -> tuple[list[tuple[int, ...]], dict[str, Any]]:
    reader = Reader(frame.raw)
    entries = []
    end, icount, cycles = start, 0, 0
    for _ in range(reader.varint(below=524289)):
        kind = reader.byte()
        offset = end + reader.varint()
        length, raw_length, count = reader.varint(), reader.varint(), reader.varint()
        icount, cycles = icount + reader.varint(), cycles + reader.varint()
        entries.append((kind, offset, length, raw_length, count, icount, cycles))
        end = offset + length
    kinds = {}
    least = 0
    for _ in range(reader.varint(below=22)):
        number = reader.byte()
        require(least <= number < len(KINDS), "an unknown kind, or kinds that do not ascend")
        least = number + 1
        kinds[KINDS[number]] = (reader.varint(), reader.varint())
        require(kinds[KINDS[number]][0] > 0, "a kind that does not occur")
    sums = {"kinds": kinds, "last": list(reader.position()), "ended": reader.byte()}
    require(reader.finished(), "bytes behind the index")
    return entries, sums


def read(data: bytes) -> dict[str, Any]:
    """All that a complete recording holds, as plain values; bytes are hex."""
    prologue = Reader(data).take(12)
    require(prologue[:8] == MAGIC, "not a recording")
    version, oldest_reader = struct.unpack("<HH", prologue[8:])
    require(1 <= oldest_reader <= version, "impossible versions")
    require(oldest_reader <= READER_VERSION, f"version {version} needs a newer reader")
    first = Frame(data, 12, prologue)
    require(first.type == HEADER, "the first frame is not the header")
    header = read_header(first.raw)
    require(first.ordinal == 0 and list(first.position) == header["start"], "the header's place is not the start")
    hashes = len(header["subsystems"]) if version >= 2 else None

    frames, events, snapshots = [], [], []
    offset = first.end
    while True:
        frame = Frame(data, offset, first.crc)
        if frame.type == INDEX:
            break
        require(frame.type != HEADER, "a second header")
        if frame.type in (EVENTS, SNAPSHOT):
            require(frame.ordinal == len(events), "a frame is missing, doubled or out of order")
            frames.append(frame)
        if frame.type == EVENTS:
            decoded = Decoder(frame, hashes).events()
            check_snapshots(decoded, frames[-2:-1], len(snapshots))
            events += decoded
        if frame.type == SNAPSHOT:
            require([f.type for f in frames[-2:-1]] != [SNAPSHOT], "a snapshot frame without its event")
            snapshots.append(frame.raw.hex())
        offset = frame.end

    require(not frames or frames[-1].type == EVENTS, "a snapshot frame without its event")
    places = [tuple(header["start"])] + [(event["icount"], event["cycles"]) for event in events]
    forward = all(a[0] <= b[0] and a[1] <= b[1] for a, b in zip(places, places[1:], strict=False))
    require(forward, "positions go back")
    ends = [event["kind"] == "end" for event in events]
    require(ends[-1:] == [True] and sum(ends) == 1, "the recording is not finished")
    check_end(data, frame, first, frames, events)
    return {"format_version": version, "header": header, "events": events, "snapshots": snapshots}


def check_snapshots(events: list[dict[str, Any]], before: list[Frame], snapshots: int) -> None:
    """The first event refers to the snapshot frame just before, if there is one, and no other event to any."""
    found = [(event["ordinal"], event["number"], event["icount"], event["cycles"]) for event in events
             if event["kind"] == "snapshot"]  # fmt: skip
    wanted = [(frame.ordinal, snapshots - 1, *frame.position) for frame in before if frame.type == SNAPSHOT]
    require(found == wanted, "a snapshot frame and the snapshot events do not fit together")


def check_end(data: bytes, index: Frame, first: Frame, frames: list[Frame], events: list[dict[str, Any]]) -> None:
    entries, sums = read_index(index, first.end)
    found = [(f.type, f.offset, f.end - f.offset, f.raw_length, f.count, *f.position) for f in frames]
    require(entries == found, "the index does not agree with the frames")
    counted = {kind: sum(event["kind"] == kind for event in events) for kind in KINDS}
    require({k: n for k, n in counted.items() if n} == {k: n for k, (n, _) in sums["kinds"].items()}, "wrong sums")
    require(sum(size for _, size in sums["kinds"].values()) == sum(f.raw_length for f in frames if f.count), "sizes")
    require((index.ordinal, list(index.position)) == (len(events), sums["last"]), "the index's place is not the end's")
    require(sums["last"] == [events[-1]["icount"], events[-1]["cycles"]] and sums["ended"] == 1, "wrong end")
    footer = FOOTER_MAGIC + struct.pack("<Q", index.offset)
    footer += struct.pack("<I", zlib.crc32(first.crc + footer))
    require(data[index.end :] == footer, "a wrong footer, or bytes behind it")


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        json.dump(read(file.read()), sys.stdout, indent=1)
