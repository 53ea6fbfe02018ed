"""A machine that runs, and its parts: processor, memory, console, hooks."""

from .console import Console
from .cpu import Cpu
from .hook import Hook
from .machine import Machine
from .memory import Memory

__all__ = [
    "Console",
    "Cpu",
    "Hook",
    "Machine",
    "Memory",
]
