"""The game: played by a script that looks at the screen and presses keys, recorded, and played again without either."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

import rreplay as rr

SNAKE = Path(__file__).parents[2] / "guests/lab/snake.bin"
STEPS = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}
APPLE, EMPTY = ord("@"), ord(" ")
Cell = tuple[int, int]


class Player:
    """Goes for the apple by the shortest way that does not end at once."""

    def __init__(self, machine: rr.Machine) -> None:
        self.machine = machine
        found = re.findall(r"al ([0-9A-F]{6}) \.(\w+)", SNAKE.with_suffix(".lbl").read_text())
        self.labels = {name: int(address, 16) for address, name in found}

    def byte(self, label: str, index: int = 0) -> int:
        return self.machine.memory[self.labels[label] + index]

    @property
    def screen(self) -> bytes:
        memory = self.machine.devices["display"].state["memory"]
        assert isinstance(memory, bytes)
        return memory[:1000]

    @property
    def score(self) -> int:
        return int(f"{self.byte('score', 1):02X}{self.byte('score'):02X}")

    def direction(self) -> Cell:
        x, y = self.byte("x_next"), self.byte("y_next")
        return x - 256 if x > 127 else x, y - 256 if y > 127 else y

    def plays(self, steps: int) -> None:
        """Plays so many steps, or until the game is over."""
        for _ in range(steps):
            if self.machine.run(pc=self.labels["step"], seconds=1).reason != "pc":
                return
            self.decides()
            self.machine.step(1)

    def decides(self) -> None:
        """Presses the key for the step after the one that is about to be made."""
        screen, (dx, dy) = self.screen, self.direction()
        head = self.byte("head")
        x, y = self.byte("cells_x", head) + dx, self.byte("cells_y", head) + dy
        apple_y, apple_x = divmod(screen.index(APPLE), 40)
        ways = []
        for key, (to_x, to_y) in STEPS.items():
            if (to_x, to_y) == (-dx, -dy) or screen[(y + to_y) * 40 + x + to_x] not in (EMPTY, APPLE):
                continue
            ways.append((abs(x + to_x - apple_x) + abs(y + to_y - apple_y), key))
        if ways:
            self.machine.devices["keyboard"].tap(min(ways)[1])


def started(seed: int) -> tuple[rr.Machine, Player]:
    machine = rr.Machine("lab", rom=SNAKE)
    machine.devices["random"].attach(rr.Entropy(random.Random(seed).randbytes(10_000)))
    return machine, Player(machine)


def test_the_title_waits_for_a_player() -> None:
    machine, player = started(1)
    machine.run(seconds=1)
    assert b"S N A K E" in player.screen
    machine.devices["keyboard"].tap("x")
    machine.run(seconds=1)
    assert b"S N A K E" in player.screen


@pytest.mark.parametrize("seed", [1, 2])
def test_a_game_is_played_and_replayed(tmp_path: Path, seed: int) -> None:
    machine, player = started(seed)
    with machine.record(tmp_path / "game.rreplay") as recording:
        machine.run(seconds=0.2)
        machine.devices["keyboard"].tap("space")
        player.plays(400)
        screen = player.screen
        assert player.score >= 10
        # Into the wall, straight on.
        machine.run(seconds=10)
        assert b"GAME OVER" in player.screen
        assert player.byte("best") == player.byte("score")
        machine.devices["keyboard"].tap("space")
        machine.run(seconds=0.5)
        assert b"GAME OVER" not in player.screen
        assert player.score == 0
    assert recording.size < 100_000
    assert screen.count(b"@") == 1
    replayed = rr.Recording(tmp_path / "game.rreplay").replay()
    replayed.run()
    assert replayed.devices["display"].image == machine.devices["display"].image
    assert replayed.digest() == machine.digest()


def test_a_snake_that_nobody_steers_ends_at_the_wall() -> None:
    machine, player = started(3)
    machine.run(seconds=0.2)
    machine.devices["keyboard"].tap("space")
    machine.run(seconds=0.3)
    machine.devices["keyboard"].tap("left")  # back into itself is not a way
    machine.run(seconds=1)
    assert b"GAME OVER" not in player.screen
    machine.run(seconds=4)
    assert b"GAME OVER" in player.screen


def test_sound_is_heard_with_every_apple(tmp_path: Path) -> None:
    machine, player = started(1)
    machine.devices["sound"].attach(rr.WavOutput(tmp_path / "game.wav"))
    machine.run(seconds=0.2)
    machine.devices["keyboard"].tap("space")
    lengths = set()
    while player.score == 0:
        lengths.add((tmp_path / "game.wav").stat().st_size)
        player.plays(1)
    assert lengths == {44}
    machine.run(seconds=0.2)
    assert (tmp_path / "game.wav").stat().st_size == 44 + 2 * 64
