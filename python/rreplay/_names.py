"""The names by which modules and classes go, whatever file they are in.

A class shows the name of its package, not of its file: `rreplay.machine.Machine`. Pickles hold that name, and go on
working when a class moves to another file of the package. (`inspect.getsource` does not find the source of such a
class, but does find that of its methods.) Modules that have moved stay reachable by their former names, for imports and
for pickles that hold them.
"""

from __future__ import annotations

import sys
from importlib import import_module

PACKAGES = ("errors", "hosts", "devices", "machine", "moments", "recording", "timeline", "compare", "replay")
"""The packages with public classes."""

FORMER_MODULES = {
    "console": "machine.console",
    "difference": "compare.difference",
    "divergence": "errors.divergence",
    "memory": "machine.memory",
    "minimize": "compare.delta_debugging",
    "origin": "timeline.origin",
    "replay_values": "replay.values",
    "tables": "timeline.tables",
    "vocabulary": "enums",
}
"""Former names of modules, and the modules that hold their contents today."""


def show_packages() -> None:
    """Makes each package the module that its public classes show."""
    for name in PACKAGES:
        package = import_module(f"{__package__}.{name}")
        for exported in package.__all__:
            thing = getattr(package, exported)
            if isinstance(thing, type) and thing.__module__.startswith(f"{package.__name__}."):
                thing.__module__ = package.__name__


def keep_former_modules() -> None:
    """Makes modules reachable by their former names."""
    root = sys.modules[str(__package__)]
    for former, new in FORMER_MODULES.items():
        module = import_module(f"{__package__}.{new}")
        sys.modules[f"{__package__}.{former}"] = module
        if former not in root.__all__:
            setattr(root, former, module)
