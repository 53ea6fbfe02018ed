"""Patterns in the console's output: what `Console.expect` and `Machine.run` wait for."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..arguments import bytes_of
from ..errors import ArgumentError

PATTERN_WINDOW = 4096
"""A regular expression sees at most so many of the last bytes printed, so that a long run stays linear."""


def pattern_of(name: str, value: object, *, most: int = PATTERN_WINDOW) -> bytes | re.Pattern[bytes]:
    """What the console may be waited for to print: bytes, or an expression over bytes that was compiled.

    Raises:
        ArgumentError: Anything else, or an empty pattern, which would match before anything is printed.
    """
    if isinstance(value, re.Pattern):
        if not isinstance(value.pattern, bytes):
            raise ArgumentError(
                f"{name}: the console shows bytes; compile the expression from bytes, re.compile(b'...')"
            )
        return value
    try:
        literal = bytes_of(name, value, most=most)
    except ArgumentError as error:
        raise ArgumentError(f"{error} (or a regular expression, re.compile(b'...'))") from None
    if not literal:
        raise ArgumentError(f"{name} is empty, which is there before anything is printed; wait for at least one byte")
    return literal


def compiled(pattern: bytes | re.Pattern[bytes]) -> re.Pattern[bytes]:
    """Literal bytes as an expression that matches just them; a compiled expression as it is."""
    return pattern if isinstance(pattern, re.Pattern) else re.compile(re.escape(pattern))


def output_test(pattern: bytes | re.Pattern[bytes]) -> bytes | Callable[[bytes], bool]:
    """The pattern as the engine takes it: literal bytes, or a function of the last bytes printed."""
    if isinstance(pattern, bytes):
        return pattern
    expression = compiled(pattern)

    def seen(tail: bytes) -> bool:
        return expression.search(tail) is not None

    return seen
