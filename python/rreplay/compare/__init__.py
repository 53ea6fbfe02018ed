"""Comparison of runs: where two recordings part, how their firmware differs, which input makes the difference."""

from .delta_debugging import minimize
from .difference import ByteDifference, Difference, Side, diff

__all__ = [
    "ByteDifference",
    "Difference",
    "Side",
    "diff",
    "minimize",
]
