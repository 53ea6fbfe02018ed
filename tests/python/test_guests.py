"""The guests' built images: they are what their sources say, and look as their boards want them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

GUESTS = Path(__file__).resolve().parents[2] / "guests"

# Image, its load address, and the label that its reset vector must point to.
IMAGES = {
    "monitor/monitor.bin": (0x8000, "reset"),
    "lab/snake.bin": (0xC000, "reset"),
    "lab/suite.bin": (0xC000, "reset"),
    "programs/echo.bin": (0x8000, "reset"),
    "programs/heisenbug.bin": (0x8000, "reset"),
    "programs/irq_counter.bin": (0x8000, "reset"),
    "programs/mc6850_echo.bin": (0xC000, "reset"),
    "programs/py65_hello.bin": (0xFE00, "reset"),
}

PROGRAMS = ["programs/sim65_calls.bin"]
"""Images that are no ROM: their header says where they go."""


def labels(image: Path) -> dict[str, int]:
    """The labels of an image, by name."""
    found = {}
    for line in image.with_suffix(".lbl").read_text().splitlines():
        match = re.fullmatch(r"al ([0-9A-F]{6}) \.(\w+)", line)
        assert match, f"{image.with_suffix('.lbl')}: not a label line: {line!r}"
        found[match[2]] = int(match[1], 16)
    return found


@pytest.mark.parametrize("name", IMAGES)
def test_image_fills_its_rom_and_starts_at_reset(name: str) -> None:
    load_address, start = IMAGES[name]
    image = (GUESTS / name).read_bytes()
    assert load_address + len(image) == 0x10000
    reset_vector = int.from_bytes(image[-4:-2], "little")
    assert reset_vector == labels(GUESTS / name)[start]
    assert load_address <= reset_vector < 0xFFFA


def test_every_image_is_known_to_these_tests() -> None:
    found = {str(path.relative_to(GUESTS)) for path in GUESTS.glob("[!b]*/*.bin")}
    assert found == {*IMAGES, *PROGRAMS}


def test_monitor_services_stay_where_they_are() -> None:
    """Programs call the service table by address, so an entry may be added to it but never moved."""
    image = (GUESTS / "monitor/monitor.bin").read_bytes()
    at = labels(GUESTS / "monitor/monitor.bin")
    services = ["put_char", "get_char", "put_hex", "put_newline", "put_text", "sleep", "prompt"]
    for index, service in enumerate(services):
        opcode, low, high = image[3 * index : 3 * index + 3]
        assert opcode == 0x4C, f"service {index} is not a JMP"
        assert low | high << 8 == at[service], f"service {index} should lead to {service}"


def test_images_are_what_the_sources_say(tmp_path: Path) -> None:
    for tool in ("make", "ca65", "ld65"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed (ca65 and ld65 come with cc65): the images were not rebuilt")
    built = tmp_path / "built"
    subprocess.run(
        ["make", "-C", str(GUESTS), f"OUT={built}", f"WORK={tmp_path / 'work'}"],
        check=True,
        capture_output=True,
        text=True,
    )
    for name in [*IMAGES, *PROGRAMS]:
        for file in (name, str(Path(name).with_suffix(".lbl"))):
            assert (built / file).read_bytes() == (GUESTS / file).read_bytes(), (
                f"guests/{file} is not what its source says: run `make -C guests` and commit the result"
            )
