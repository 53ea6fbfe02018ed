"""The smallest input that still shows something: delta debugging on forks of a recording."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from .. import _core
from ..arguments import PathLike, function, instance, path_or_none
from ..progress import ProgressLike, progress_callback
from ..recording.recording import Recording


def minimize(
    recording: Recording,
    predicate: Callable[[Recording], object],
    path: PathLike | None = None,
    *,
    progress: ProgressLike = None,
) -> Recording:
    """A recording with less input for which `predicate(recording)` is still true.

    The machine runs again from the recording's start, with fewer and fewer of the bytes, keys and packets that came in,
    each at its old moment; then those that are left are brought together, each to the moment of the one before. Clocks
    and entropy are those of the new runs.

    Args:
        recording: One for which the predicate holds.
        predicate: Called with each recording that is tried; its file is gone afterwards.
        path: Where the result goes; beside the recording, as `NAME.min.rreplay`, unless given.
        progress: Called with the pieces of input that are settled, and twice all of them: each is left out or kept, and
            then moved or not. True for a bar on standard error.

    Raises:
        ArgumentError: The predicate does not hold for the recording.
        StateError: It does not hold for a run with the same input: something else makes the difference.
    """
    import tempfile  # takes long to import, and only `minimize` needs it

    instance("recording", recording, Recording, "an opened recording")
    function("the predicate", predicate, "a recording")
    wanted_path = path_or_none("path", path)
    callback = progress_callback(progress, "minimizing")
    target = Path(wanted_path) if wanted_path is not None else recording.path.with_suffix(".min.rreplay")
    with tempfile.TemporaryDirectory(prefix="rreplay-") as directory:
        tried = Path(directory) / "tried.rreplay"

        def holds(path: Path) -> bool:
            if path != tried:
                return bool(predicate(recording))
            try:
                return bool(predicate(Recording(tried)))
            finally:
                tried.unlink(missing_ok=True)

        _core.minimize(recording.timeline()._core, holds, os.fspath(tried), os.fspath(target), callback)
    return Recording(target)
