"""Comparison of runs: two recordings, two firmwares, a recording and a changed ROM, the least input."""

from .changed_rom import FirstEffect, RomDifference, RomSpan, diff_rom
from .delta_debugging import minimize
from .difference import ByteDifference, Difference, Side, diff

__all__ = [
    "ByteDifference",
    "Difference",
    "FirstEffect",
    "RomDifference",
    "RomSpan",
    "Side",
    "diff",
    "diff_rom",
    "minimize",
]
