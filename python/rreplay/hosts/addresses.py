"""Addresses and ports of hosts that are reached over a network."""

from __future__ import annotations

from ..arguments import text, whole

HOST_NAME_MAX = 255
"""Characters of an address."""


def port_number(name: str, value: object) -> int:
    """A TCP or UDP port, 0 for any that is free."""
    return whole("a port" if name == "port" else f"{name}: a port", value, most=0xFFFF)


def host_address(name: str, value: object) -> str:
    """The numeric address of a machine."""
    return text(name, value, most=HOST_NAME_MAX)
