# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A game, and another end of it
#
# The board `lab` has a screen, a keyboard, a loudspeaker and a source of entropy, and `guests/lab/snake.bin` needs them
# all. Here it is played from cells, recorded, lost, and, from a moment before the end, not lost.

# %%
import tempfile
from pathlib import Path

import rreplay as rr

guests = next(folder / "guests" for folder in [Path.cwd(), *Path.cwd().parents] if (folder / "guests/lab").is_dir())
folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "snake.rreplay"

m = rr.Machine("lab", rom=guests / "lab/snake.bin")
keyboard, display = m.devices["keyboard"], m.devices["display"]
m.run(seconds=0.1)
display.image

# %% [markdown]
# Keys go down and up like a person's. Time is the machine's own, so between two calls the snake stands still, and there
# is all the time in the world to think: that is how to get a high score.
#
# A snapshot is the whole machine at one moment. Here one is taken shortly before the wall.


# %%
def play(*keys: str, seconds: float = 0.16) -> rr.Image:
    """Presses each key in turn, and lets time pass."""
    for key in keys:
        keyboard.tap(key)
        m.run(seconds=seconds)
    return display.image


with m.record(path) as recording:
    play("space", seconds=0.5)
    play("up", "right", "up", "left")
    before = m.snapshot()
    play("up", seconds=4)
display.image

# %%
print(f"{m.time:.1f} virtual seconds in {recording.size:,} bytes:")
print(sorted({event.kind for event in recording.events()}))

# %% [markdown]
# The recording holds the keys, the apples (entropy), what the loudspeaker took, and no pictures: those follow. A replay
# draws them again, with nobody at the keyboard.

# %%
replayed = rr.open(path).replay()
replayed.run()
assert replayed.devices["display"].image == display.image
recording.verify()

# %% [markdown]
# ## The other end
#
# Back to the snapshot, and another key. The apple may be elsewhere in other worlds, but not in this one: it had been
# placed already.

# %%
m.restore(before)
play("left", "down", "left", seconds=0.5)

# %%
assert b"GAME OVER" not in display.state["memory"]
assert b"GAME OVER" in replayed.devices["display"].state["memory"]
folder.cleanup()
