"""The processor's registers, as attributes."""

from __future__ import annotations

from typing import overload

from .. import _core
from ..arguments import (
    require_factory,
    whole,
)
from ..copying import Part


class Register:
    """One register of the processor, as an attribute of `Cpu`."""

    def __init__(self, meaning: str, most: int) -> None:
        self.__doc__ = meaning
        self._most = most

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, cpu: None, owner: type) -> Register: ...
    @overload
    def __get__(self, cpu: Cpu, owner: type) -> int: ...
    def __get__(self, cpu: Cpu | None, owner: type) -> Register | int:
        return self if cpu is None else cpu._session.registers()[self._name]

    def __set__(self, cpu: Cpu, value: int) -> None:
        cpu._session.set_register(self._name, whole(self._name, value, most=self._most))


class Cpu(Part):
    """The processor's registers, each readable and settable."""

    __slots__ = ("_session",)

    _instead = "copy the machine, whose cpu is another one"

    a = Register("The accumulator, 8 bits.", 0xFF)
    x = Register("Index register X, 8 bits.", 0xFF)
    y = Register("Index register Y, 8 bits.", 0xFF)
    sp = Register("The stack pointer, 8 bits, into page 1.", 0xFF)
    pc = Register("The program counter, 16 bits.", 0xFFFF)
    p = Register("The flags NV1BDIZC, bit 7 first.", 0xFF)

    def __init__(self, session: _core.Session) -> None:
        require_factory(self, isinstance(session, _core.Session), "machine.cpu is one")
        self._session = session

    def __repr__(self) -> str:
        registers = self._session.registers()
        shown = " ".join(f"{name}={value:0{4 if name == 'pc' else 2}X}" for name, value in registers.items())
        return f"<Cpu {shown}>"
