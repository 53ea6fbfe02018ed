"""Callbacks on what the processor does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from .. import _core
from ..arguments import address_range, function, require_factory
from ..copying import Part

if TYPE_CHECKING:
    from .._core import HookEvent

HookCallback: TypeAlias = "Callable[[HookEvent], bool | None]"
"""Called with what happened; `False` stops the run there."""


class Hook(Part):
    """A callback on a machine; `remove()` takes it off."""

    __slots__ = ("_callback", "_id", "_session")

    _instead = "hook the function again, on the machine that is meant"

    def __init__(self, session: _core.Session, hook_id: int, callback: HookCallback) -> None:
        require_factory(self, isinstance(session, _core.Session), "machine.on_execute(address) returns one")
        self._session = session
        self._id: int | None = hook_id
        self._callback = callback

    @property
    def callback(self) -> HookCallback:
        """The function that is called."""
        return self._callback

    def remove(self) -> None:
        """Takes the hook off; a second time does nothing."""
        if self._id is not None:
            self._session.remove_hook(self._id)
            self._id = None


class HookPoints(Part):
    """What can be hooked: the part of `Machine` that calls functions while it runs."""

    _session: _core.Session

    def on_execute(self, address: int | range) -> Callable[[HookCallback], Hook]:
        """Decorator: calls the function before each instruction in `address` (one, or a range) is executed.

        The guest cannot tell. The function is given a `HookEvent`; if it returns False the run stops there, with the
        reason "breakpoint"; if it raises, the run stops and raises the same. It may look at the machine, and not run
        it. The machine then stands before the instruction at `address`.
        """
        return self._hook("execute", address)

    def on_read(self, address: int | range) -> Callable[[HookCallback], Hook]:
        """Decorator: calls the function after each read of `address` by the processor; see `on_execute`.

        The machine then stands after the instruction that read.
        """
        return self._hook("read", address)

    def on_write(self, address: int | range) -> Callable[[HookCallback], Hook]:
        """Decorator: calls the function after each write to `address` by the processor; see `on_execute`.

        The machine then stands after the instruction that wrote.
        """
        return self._hook("write", address)

    def _hook(self, kind: str, address: int | range) -> Callable[[HookCallback], Hook]:
        first, last = address_range("address", address)

        def attach(callback: HookCallback) -> Hook:
            function("a hook", callback, "a HookEvent")
            return Hook(self._session, self._session.add_hook(kind, first, last, callback), callback)

        return attach
