"""The processor's registers, as attributes."""

from __future__ import annotations

from collections.abc import Iterable

from .. import _core
from ..arguments import (
    require_factory,
    whole,
)
from ..copying import Part


class Cpu(Part):
    """The processor's registers, each an attribute that can be read and set.

    Which ones there are is the processor's business: `dir(machine.cpu)` and `machine.registers` name them. A 6502 has
    those of its data sheet.
    """

    __slots__ = ("_most", "_session")

    _most: dict[str, int]
    _session: _core.Session

    _instead = "copy the machine, whose cpu is another one"

    def __init__(self, session: _core.Session) -> None:
        require_factory(self, isinstance(session, _core.Session), "machine.cpu is one")
        object.__setattr__(self, "_session", session)
        object.__setattr__(self, "_most", {name: (1 << bits) - 1 for name, bits, _meaning in session.register_table()})

    def __getattr__(self, name: str) -> int:
        # Also called where an object was never initialized: then it has no registers.
        if name.startswith("_") or name not in self._most:
            raise self._no_register(name)
        return self._session.registers()[name]

    def __setattr__(self, name: str, value: int) -> None:
        if name not in self._most:
            raise self._no_register(name)
        self._session.set_register(name, whole(name, value, most=self._most[name]))

    def _no_register(self, name: str) -> AttributeError:
        known = "" if name.startswith("_") else f"; it has {', '.join(self._most)}"
        return AttributeError(f"the processor has no register {name!r}{known}", name=name, obj=self)

    def __dir__(self) -> Iterable[str]:
        return [*self._most, *super().__dir__()]

    def __repr__(self) -> str:
        digits = {name: (most.bit_length() + 3) // 4 for name, most in self._most.items()}
        shown = " ".join(f"{name}={value:0{digits[name]}X}" for name, value in self._session.registers().items())
        return f"<Cpu {shown}>"
