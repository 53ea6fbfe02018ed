"""The command `rreplay`. `parser` defines the command line, `exit_status` the exit statuses."""

from .entry import main

__all__ = [
    "main",
]
