"""The race of guests/programs/heisenbug.bin, which chaos brings up in one run of some thousand."""

from __future__ import annotations

from pathlib import Path

import rreplay as rr

HEISENBUG = Path(__file__).parents[2] / "guests/programs/heisenbug.bin"
TYPED = b"hello"
ANSWER = b"68\r\n65\r\n6C\r\n6C\r\n6F\r\n"
SEEDS_MAX = 30_000

FIRST_SEED = 1945
"""The first seed that shows the race, as the search finds it. `make test-deep` searches."""


def run(path: Path, seed: int | None, scheduler: rr.Scheduler = "inline") -> rr.Machine:
    machine = rr.Machine("breadboard", rom=HEISENBUG)
    with machine.record(path, chaos=seed):
        machine.console.send(TYPED)
        machine.run(seconds=2, scheduler=scheduler)
    return machine


def first_seed(path: Path) -> int:
    """Searches from seed 0; the recording of the one that is found stays at `path`."""
    for seed in range(SEEDS_MAX):
        if run(path, seed).console.output != ANSWER:
            return seed
    raise AssertionError(f"none of {SEEDS_MAX} seeds shows the race")


def recorded(path: Path) -> tuple[int, rr.Machine]:
    """A run that shows the race, recorded at `path`, with its seed: the known one, or one that is searched where that
    no longer shows it."""
    seed = FIRST_SEED
    machine = run(path, seed)
    if machine.console.output == ANSWER:
        seed = first_seed(path)
        machine = run(path, seed)
    return seed, machine
