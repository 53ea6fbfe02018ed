"""Objects of the user's own as devices."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class UserDevice(Protocol):
    """What a device of kind "user" calls: any object with some of these methods.

    They are called on the thread that runs the machine, in the middle of an instruction, and answer from what they are
    given: the machine itself may not be asked anything meanwhile. What they answer is recorded as coming from outside,
    so a replay does not call them. One that raises stops the run, which raises the same.
    """

    def read(self, offset: int) -> int:
        """The byte, 0 to 255, that the guest reads from register `offset`."""
        ...

    def write(self, offset: int, value: int) -> bool | None:
        """The guest writes `value` to register `offset`; True or False sets the interrupt output, None leaves it."""
        ...

    def tick(self) -> bool | None:
        """Called every `tick_cycles` cycles of the board's description; answers as `write` does."""
        ...
