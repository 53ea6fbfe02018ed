"""Conversions and checks of arguments: every public function passes what it is given through one of these.

Each conversion is told the argument's name, with which its message begins, and returns what the engine takes. A message
quotes only the beginning of a value, so that an argument of any size makes a short message.
"""

from .addresses import address, address_range, address_span
from .buffers import BYTES_MAX, BytesLike, bytes_of, bytes_to_fill
from .numbers import I32, I64, U16, U32, U64, flag, index_of, real, whole, whole_or_none
from .objects import function, instance, require_factory
from .paths import PathLike, path, path_or_none
from .sequences import items, length_of, pair
from .strings import choice, member, scheduler_of, text, text_or_none, texts

__all__ = [
    "BYTES_MAX",
    "I32",
    "I64",
    "U16",
    "U32",
    "U64",
    "BytesLike",
    "PathLike",
    "address",
    "address_range",
    "address_span",
    "bytes_of",
    "bytes_to_fill",
    "choice",
    "flag",
    "function",
    "index_of",
    "instance",
    "items",
    "length_of",
    "member",
    "pair",
    "path",
    "path_or_none",
    "real",
    "require_factory",
    "scheduler_of",
    "text",
    "text_or_none",
    "texts",
    "whole",
    "whole_or_none",
]
