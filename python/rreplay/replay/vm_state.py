"""The functions of `Replay` for the machine's state: how it is saved and loaded, digests, snapshots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..arguments import bytes_of, function, text, whole
from ..errors import ArgumentError, MismatchError, StateError
from ..errors.quote import shown
from .base import ReplayBase, SavedPart, State

ONLY_SUBSYSTEM = "machine"
"""The one part that a machine's state has unless it names others."""

STATE_BYTES_MAX = 256 << 20
"""Bytes of a part of the machine's state that are hashed. A snapshot in a recording holds 16 MiB."""


class VmState(ReplayBase):
    """The machine's state, as a recording holds it."""

    _save: Callable[[], State] | None = None
    _load: Callable[[Any], object] | None = None
    _initial: bytes | dict[str, bytes] | None = None

    def vmstate_init(self, save: Callable[[], State], load: Callable[[Any], object] | None = None) -> None:
        """Registers how the machine's state is saved and loaded, and settles the state that the run starts from.

        none: neither is called. record: what `save` returns is logged, as the run's initial state. play: `load` is
        called with the recorded one.

        Args:
            save: Returns the state: a mapping from each subsystem's name to its bytes, or bytes when there is one
                subsystem. It is called for digests and snapshots too, and for the digest at the end.
            load: Takes what `save` returned: bytes when the one subsystem is "machine", else a dict. Left out, the
                machine has to be in the recorded state by itself.

        Raises:
            Divergence: In play, the log does not begin with such a state.
            MismatchError: In play, the machine's state is another than the recorded one, also after `load`.
        """
        function("save", save, "nothing")
        if load is not None:
            function("load", load, "the state")
        with self._hold():
            own = self._parts(save()) if self._core.mode() == "record" else None
            recorded = self._core.vmstate_init(own)
            if recorded is not None:
                self._initial = self._as_saved(recorded)
                self._adopt(recorded, save, load)
            elif own is not None:
                self._initial = self._as_saved([(name, data) for name, data, _ in own])
            self._save, self._load = save, load

    @property
    def initial_snapshot(self) -> bytes | dict[str, bytes] | None:
        """The state that the run starts from, once `vmstate_init` has logged or loaded it."""
        return self._initial

    def _adopt(
        self, state: list[tuple[str, bytes]], save: Callable[[], State], load: Callable[[Any], object] | None
    ) -> None:
        """Loads a recorded state, and checks it: another one would diverge later, and elsewhere."""
        if load is not None:
            load(self._as_saved(state))
        own = {name: data for name, data, _ in self._parts(save())}
        recorded = dict(state)
        for name in own | recorded:
            if name not in own or name not in recorded:
                where = "the machine's state" if name in own else "the recording"
                raise MismatchError(f"only {where} has a part {name!r}; the recording has {list(recorded)}")
            if own[name] != recorded[name]:
                how = "after load(state)" if load is not None else "and there is no load(state)"
                raise MismatchError(f"the machine's {name!r} is not in the state of the recording, {how}")

    def _as_saved(self, state: list[tuple[str, bytes]]) -> bytes | dict[str, bytes]:
        if [name for name, _ in state] == [ONLY_SUBSYSTEM]:
            return state[0][1]
        return dict(state)

    def _parts(self, state: object) -> list[SavedPart]:
        """A state as the core takes it: subsystem, bytes, whether they are a hash."""
        if isinstance(state, Mapping):
            return [_saved_part(name, value) for name, value in state.items()]
        if isinstance(state, str) or not _has_buffer(state):
            raise ArgumentError(f"the state is bytes, or a mapping from subsystems to bytes, and {shown(state)} is not")
        content = bytes_of("the state", state, most=STATE_BYTES_MAX)
        names = self._core.subsystems()
        if len(names) != 1:
            raise ArgumentError(f"the state is a mapping with the bytes of each of {names}, not bytes alone")
        return [(names[0], content, False)]

    def _state(self, given: State | None) -> list[SavedPart] | None:
        """The state as given, or as the machine saves it; None when it is unknown."""
        if given is None and self._save is not None:
            given = self._save()
        return None if given is None else self._parts(given)

    def digest_due(self) -> bool:
        """Whether a digest belongs here: due in record (`digest_every`), next in the log in play. False in none."""
        return self._core.digest_due()

    def digest(self, state: State | None = None) -> None:
        """A digest of the machine's state here.

        none: nothing. record: logged. play: compared with the log's.

        Args:
            state: By subsystem, bytes to hash, or 32 hexadecimal digits of a hash of your own; bytes alone when there
                is one subsystem. Left out, what `save` returns (see `vmstate_init`); without that the state is unknown,
                and such a digest covers the events only.

        Raises:
            Divergence: In play, it differs; the error names the subsystems.
        """
        with self._hold():
            self._core.digest(self._state(state) if self._core.mode() != "none" else None)

    def keep_state(self, state: State | None = None) -> None:
        """Digest and snapshot, where they are due; for the top of the machine's loop, after `flush`.

        Args:
            state: As for `digest`; taken only where it is needed.
        """
        with self._hold():
            parts: list[SavedPart] | None = None
            if self._core.digest_due():
                parts = self._state(state)
                self._core.digest(parts)
            if self._core.snapshot_due():
                self._core.snapshot(self._state(state) if parts is None else parts)

    def can_snapshot(self) -> bool:
        """Whether a snapshot can be taken here: nothing waits in the async queue."""
        return self._core.can_snapshot()

    def request_snapshot(self) -> bool:
        """Asks for a snapshot in the log; whether one will be there for it.

        none: False, for there is no log. record: True; it is taken by the next `keep_state` at which it can be. play:
        False, for the recording has its snapshots already.

        Raises:
            StateError: In record, nobody has registered how to save the machine.
        """
        with self._hold():
            if self._save is None and self._core.mode() == "record":
                raise StateError("a snapshot needs the machine's state: register it with vmstate_init(save, load)")
            return self._core.request_snapshot()

    @property
    def snapshots(self) -> list[int]:
        """In play, where the recording's snapshots are, as instruction counts; the initial state is one of them."""
        snapshots: list[int] = self._core.info()["snapshots"]
        return snapshots

    def resume(self, place: int) -> None:
        """In play, goes to a snapshot: loads the machine's state there, and goes on after it in the log.

        Args:
            place: The index in `snapshots`; -1 is the last.

        Raises:
            ArgumentError: There is no such snapshot, or it is the initial state.
            StateError: Nothing is played, or `vmstate_init` has not said how to load.
        """
        with self._hold():
            count = len(self.snapshots)
            if count == 0:
                raise StateError("there is no snapshot to go to: only a replay of a recording with some has one")
            if self._save is None or self._load is None:
                raise StateError("going to a snapshot needs to load it: register how with vmstate_init(save, load)")
            state = self._core.resume(whole("place", place, least=-count, most=count - 1) % count)
            self._owners.clear()
            self._adopt(state, self._save, self._load)


def _has_buffer(value: object) -> bool:
    try:
        memoryview(value).release()  # type: ignore[arg-type]
    except (TypeError, ValueError, BufferError):
        return False
    return True


def _saved_part(name: object, value: object) -> SavedPart:
    if not isinstance(name, str):
        raise ArgumentError(f"the state's parts go by the names of subsystems, and {shown(name)} is none")
    name = text("the name of a subsystem", name)
    if not isinstance(value, str):
        return name, bytes_of(f"the state of {shown(name)}", value, most=STATE_BYTES_MAX), False
    try:
        return name, bytes.fromhex(value), True
    except ValueError:
        raise ArgumentError(f"the hash of {shown(name)} is 32 hexadecimal digits, and {shown(value)} is not") from None
