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
# # First light
#
# A machine boots, somebody types, and all of it is recorded. Then the recording is replayed: not something like
# it, but the same run, instruction by instruction. Ten lines do it; the rest of this page looks at what came out.

# %%
import tempfile
from collections import Counter
from pathlib import Path

import rreplay as rr

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "first_light.rreplay"

m = rr.Machine("breadboard")
with m.record(path) as recording:
    m.console.expect(b"> ")
    m.console.send(b"uptime\r")
    print(m.console.expect(b"\n> ").string.decode())

# %% [markdown]
# `Machine("breadboard")` is a W65C02 at 1 MHz with a serial chip and a timer chip, and, since no other ROM was
# named, our own monitor. `expect` runs the machine until its serial port has printed something. Seconds are the
# machine's own: they pass as fast as your computer can go.

# %%
print(f"{m.icount:,} instructions, {m.cycles:,} cycles, {m.time:.3f} virtual seconds")
print(m.registers)
for instruction in m.disassemble(count=3):
    print(f"{instruction.address:04X}  {instruction}")

# %% [markdown]
# ## What was recorded
#
# Not the instructions: they follow from what came before. Only what came from outside is in the file, each with the
# exact instruction and clock cycle at which it happened, and now and then a hash of the whole machine.

# %%
print(f"{recording.size:,} bytes for {recording.icount:,} instructions")
Counter(event.kind for event in recording.events())

# %%
for event in recording.events(kind="char_read"):
    print(event)

# %% [markdown]
# ## The same again
#
# A replay needs nothing but the file: the ROM is inside. It ends in the same state, to the last bit; the digest is a
# hash over processor, memory and every device.

# %%
again = recording.replay()
stop = again.run()
assert stop.reason == "end"
assert again.digest() == m.digest()
assert again.console.output == m.console.output
print(stop)

# %% [markdown]
# `verify` does that with every event and every digest on the way, and raises `rr.Divergence` at the first that
# differs. Two threads or one makes no difference.

# %%
for scheduler in ("threads", "inline"):
    result = recording.verify(scheduler=scheduler)
    print(scheduler, result.ok, result.events, "events", result.digests, "digests")

# %% [markdown]
# ## Stand anywhere in it
#
# A replayed machine can be stopped at any instruction, as often as you like, and it is always the same instruction.

# %%
middle = recording.icount // 2
there = [recording.replay() for _ in range(2)]
for machine in there:
    machine.run(instructions=middle - recording.start_icount)
assert there[0].snapshot() == there[1].snapshot()
print(there[0].registers)
print(there[0].memory[0x100:0x110].hex(" "))

# %% [markdown]
# ## Go back, and ask
#
# A timeline moves both ways. Here it goes to the end, and looks for the line that was typed, as it stands in memory;
# asks who wrote its first letter, and where that letter came from: back through the monitor's stack and its input ring,
# to the moment at which the serial chip was read.

# %%
timeline = recording.timeline()
timeline.run()
typed = timeline.memory[:0x4000].index(b"uptime")
print(timeline.last_write(typed))
print(timeline.origin(typed))

# %% [markdown]
# From a moment of the past a machine can go another way: here from just before the line came in. The recording stays as
# it is.

# %%
timeline.seek(next(recording.events(kind="char_read")))
other = timeline.moment.fork()
other.console.send(b"ver\r")
other.run(seconds=0.5)
print(other.console.output.decode())
assert recording.verify().ok

# %%
folder.cleanup()
