"""Images as a caller names them: text formats by their content, and what is no image by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

import rreplay as rr
from shell_support import sim65_program

CODE = bytes.fromhex("A9128D0002")
"""LDA #$12, STA $0200: at $0400."""


def tape(address: int, data: bytes) -> str:
    """A record of MOS paper tape."""
    record = bytes([len(data), *address.to_bytes(2, "big"), *data])
    return f";{record.hex()}{sum(record):04x}".upper()


def s_record(kind: int, address: int, data: bytes = b"") -> str:
    """An S-record with an address of two bytes."""
    record = bytes([len(data) + 3, *address.to_bytes(2, "big"), *data])
    return f"S{kind}{record.hex()}{~sum(record) & 0xFF:02x}".upper()


IMAGES = {
    "tape.ptp": f"{tape(0x0400, CODE)}\r\n\0\0\0\0\0\0{tape(1, b'')}\r\n\x13",
    "tape.txt": f"{tape(0x0400, CODE)}\n{tape(1, b'')}\n",
    "counted.s19": f"{s_record(1, 0x0400, CODE)}\n{s_record(5, 1)}\n",
    "marked.s19": f"\ufeff{s_record(1, 0x0400, CODE)}\r\n{s_record(9, 0)}\r\n",
    "s_records.hex": f"{s_record(1, 0x0400, CODE)}\n{s_record(9, 0)}\n",
}


@pytest.mark.parametrize("name", IMAGES)
def test_records_are_read_whatever_they_are_wrapped_in(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(IMAGES[name].encode())
    assert bytes(rr.Machine("py65mon", rom=path).memory[0x0400:0x0405]) == CODE
    assert bytes(rr.Machine("py65mon", rom=IMAGES[name].encode()).memory[0x0400:0x0405]) == CODE


def test_text_is_no_image_unless_its_place_or_its_name_says_so(tmp_path: Path) -> None:
    text = b"<html><body>404: Not Found</body></html>\n"
    path = tmp_path / "firmware.txt"
    path.write_bytes(text)
    named = tmp_path / "firmware.bin"
    named.write_bytes(text)
    for rom in (path, text):
        with pytest.raises(rr.RomError, match=r"is text and no image.*rom=\{0x0200: \.\.\.\}, or name it \.bin"):
            rr.Machine("py65mon", rom=rom)
        machine = rr.Machine("py65mon", rom={0x2000: rom})
        assert bytes(machine.memory[0x2000 : 0x2000 + len(text)]) == text
    with pytest.raises(rr.RomError, match=r"firmware\.txt is text"):
        rr.Machine("breadboard", rom={"rom": path})
    for name, other in {
        "firmware.rom": text,
        "short": b"hello\n",
        "latin": "Grüße aus Köln\n".encode("latin-1"),
    }.items():
        (tmp_path / name).write_bytes(other)
        with pytest.raises(rr.RomError, match=f"{name} is text and no image"):
            rr.Machine("py65mon", rom=tmp_path / name)
    machine = rr.Machine("py65mon", rom=named)
    assert bytes(machine.memory[0x10000 - len(text) : 0x10000]) == text


def test_an_object_file_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "hello.o"
    path.write_bytes(b"\x55\x7a\x6e\x61\x11\x00" + bytes(90))
    with pytest.raises(rr.RomError, match=r"hello\.o is an object file of ca65 that is not linked yet: link it"):
        rr.Machine("py65mon", rom=path)


def test_a_rom_is_read_as_what_it_is_made_of(tmp_path: Path) -> None:
    path = tmp_path / "monitor.rom"
    path.write_bytes(IMAGES["counted.s19"].encode())
    assert bytes(rr.Machine("py65mon", rom=path).memory[0x0400:0x0405]) == CODE
    path.write_bytes(CODE + b"\x00\x04\xfb\xff\x00\x00")
    assert bytes(rr.Machine("py65mon", rom=path).memory[0xFFF5:0xFFFA]) == CODE


def test_a_program_of_sim65_needs_a_board_that_serves_it(tmp_path: Path) -> None:
    path = sim65_program(tmp_path / "hello", bytes.fromhex("A907 4CF9FF"))
    for rom in (path, {0x8000: path}, {"rom": path}):
        with pytest.raises(rr.RomError, match='hello is a program for cc65\'s sim65, and board "breadboard" does not'):
            rr.Machine("breadboard", rom=rom)  # type: ignore[arg-type]
    machine = rr.Machine("sim65", rom=path)
    machine.run()
    assert machine.exit_code == 7
