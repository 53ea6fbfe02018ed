"""Moments of a recording, and how callers name positions in it."""

from .moment import Moment, PastDevice, PastDevices

__all__ = [
    "Moment",
    "PastDevice",
    "PastDevices",
]
