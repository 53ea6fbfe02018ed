"""The commands `rreplay seek` and `rreplay diff`: a place in a recording, and where two runs part."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ..compare.changed_rom import RomDifference, diff_rom
from ..compare.difference import Difference, Side, diff
from ..compare.firmware import firmware_difference
from ..machine.resolve import RomSource
from ..moments.moment import Moment
from ..recording.recording import Recording
from ..timeline.timeline import Timeline

INSTRUCTIONS_SHOWN = 5
"""Instructions that `seek` shows, from the next one on."""
LINES_SHOWN = 3
"""Lines of the console that `seek` shows, the last ones."""


def print_position(timeline: Timeline, *, as_json: bool) -> None:
    """Prints where a timeline stands: registers, the instructions that come, what the console printed last."""
    moment = timeline.moment
    if as_json:
        print(json.dumps(_moment_as_json(moment)))
        return
    registers = " ".join(f"{name}=${value:02X}" for name, value in moment.registers.items())
    print(f"icount {moment.icount} of {timeline.end_icount}, cycle {moment.cycles}")
    print(f"  {registers}")
    for number, instruction in enumerate(moment.disassemble(count=INSTRUCTIONS_SHOWN)):
        print(f"{'=>' if number == 0 else '  '} ${instruction.address:04X}  {instruction.text}")
    lines = moment.console_output.decode("ascii", "backslashreplace").splitlines()[-LINES_SHOWN:]
    for line in lines:
        print(f"  | {line}".rstrip())


def _moment_as_json(moment: Moment) -> dict[str, Any]:
    instruction = moment.disassemble()[0]
    return {
        "icount": moment.icount,
        "cycles": moment.cycles,
        "registers": moment.registers,
        "instruction": instruction.text,
        "console_bytes": len(moment.console_output),
        "digest": moment.digest(),
    }


def print_difference(a: Recording, b: Recording, names: Callable[[str], str], *, as_json: bool) -> bool:
    """Prints where two recordings part; returns whether they do.

    Runs of different firmware are different from the first instruction on: of those it is told that the ROMs differ and
    where, and then where what they printed does.
    """
    firmware = firmware_difference(a, b)
    found = diff(a, b) if firmware is None else None
    differ = firmware is not None or found is not None
    if as_json:
        told: dict[str, Any] = {
            "same": not differ,
            "difference": None if found is None else _difference_as_json(found, names),
        }
        print(json.dumps(told | ({} if firmware is None else firmware.as_dict())))
        return differ
    path_a, path_b = (names(str(recording.path)) for recording in (a, b))
    if firmware is not None:
        print("\n".join((f"a: {path_a}", f"b: {path_b}", *firmware.lines())))
    elif found is None:
        print(f"{path_a} and {path_b} are of the same run")
    else:
        print(names(str(found)))
    return differ


def print_rom_difference(recording: Recording, rom: RomSource, names: Callable[[str], str], *, as_json: bool) -> bool:
    """Prints what a changed ROM does to a recorded run; returns whether it is another ROM at all."""
    found = diff_rom(recording, rom)
    if as_json:
        print(json.dumps({"same": found is None, "difference": None if found is None else _rom_as_json(found)}))
    elif found is None:
        print(f"{names(str(recording.path))} was recorded with this ROM")
    else:
        print(found)
    return found is not None


def _rom_as_json(found: RomDifference) -> dict[str, Any]:
    effect = found.effect
    return {
        "text": str(found),
        "places": [
            {"first": span.first, "last": span.last, "recorded": span.recorded.hex(), "changed": span.changed.hex()}
            for span in found.spans
        ],
        "effect": effect
        and {
            "icount": effect.moment.icount,
            "cycles": effect.moment.cycles,
            "pc": effect.changed.address,
            "recorded": effect.recorded.text,
            "changed": effect.changed.text,
            "fields": [[*name, *values] for name, values in effect.fields.items()],
            "divergence": effect.divergence,
        },
    }


def _difference_as_json(found: Difference, names: Callable[[str], str]) -> dict[str, Any]:
    return {
        "icount": found.icount,
        "a": _side_as_json(found.a, names),
        "b": _side_as_json(found.b, names),
        "registers": {name: list(values) for name, values in found.registers.items()},
        "memory": [{"address": byte.address, "a": byte.a, "b": byte.b} for byte in found.memory],
        "devices": {
            name: {field: [str(value) for value in values] for field, values in fields.items()}
            for name, fields in found.devices.items()
        },
    }


def _side_as_json(side: Side, names: Callable[[str], str]) -> dict[str, Any]:
    event = side.event
    return {
        "recording": names(str(side.recording.path)),
        "event": None if event is None else {"icount": event.icount, "ordinal": event.ordinal, "kind": event.kind},
        "pc": side.before.pc,
        "instruction": None if side.instruction is None else side.instruction.text,
    }
