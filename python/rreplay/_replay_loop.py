"""The functions of `Replay` that a machine's loop and its hosts call: what comes in, and what is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ._arguments import (
    I32,
    U16,
    U32,
    BytesLike,
    bytes_of,
    flag,
    function,
    index_of,
    member,
    pair,
    text,
    whole,
)
from ._replay_base import ReplayBase, SavedPart, State, event_bytes, packet_of
from ._shown import shown
from .errors import ArgumentError, MismatchError, StateError
from .replay_values import Abs, BlockResult, Button, InputEvent, InputSync, Key, Rel
from .vocabulary import Checkpoint

ONLY_SUBSYSTEM = "machine"
"""The one part that a machine's state has unless it names others."""

STATE_BYTES_MAX = 256 << 20
"""Bytes of a part of the machine's state that are hashed. A snapshot in a recording holds 16 MiB."""


class LoopSide(ReplayBase):
    """What the loop around the machine, and its hosts, ask or do."""

    _save: Callable[[], State] | None = None
    _load: Callable[[Any], object] | None = None
    _initial: bytes | dict[str, bytes] | None = None

    def checkpoint(self, checkpoint: Checkpoint | str) -> bool:
        """Passes a checkpoint.

        none: True. record: logged, True. play: True, and consumed, when the log has it next, here; else False, and the
        caller leaves what it stands before undone.
        """
        return self._core.checkpoint(member(Checkpoint, checkpoint))

    def has_checkpoint(self, checkpoint: Checkpoint | str) -> bool:
        """In play, whether the log has this checkpoint next, here. False in the other modes; see `has_interrupt`."""
        return self._core.has_checkpoint(member(Checkpoint, checkpoint))

    # ---- async events ----

    def events_enabled(self) -> bool:
        """Whether async events wait for the flush point, and are not delivered at once."""
        return self._core.events_enabled()

    def enable_events(self) -> None:
        """From now on async events wait for the flush point; `start` does this. Nothing in mode none."""
        self._core.enable_events()

    def disable_events(self) -> None:
        """Flushes the queue; from then on async events are delivered at once, and not logged."""
        with self._hold():
            self.flush()
            for delivery in self._core.disable_events():
                self._deliver(delivery)

    def schedule_bh(self, callback: Callable[[], object]) -> None:
        """Has `callback` called at the next flush: a deferred call of a lasting object. Its id is the icount here.

        none: called at once. record: queued, logged and called at the flush, in order. play: called at the flush where
        the log has it, never early.
        """
        with self._hold():
            self._deliver(self._ask_for(callback, self._core.schedule_bh))

    def schedule_bh_oneshot(self, callback: Callable[[], object]) -> None:
        """As `schedule_bh`, for a call that belongs to no lasting object."""
        with self._hold():
            self._deliver(self._ask_for(callback, self._core.schedule_bh_oneshot))

    def on_input(
        self, receive: Callable[[InputEvent | InputSync], object]
    ) -> Callable[[InputEvent | InputSync], object]:
        """Has `receive` called with each input event, and with `InputSync()` at the end of a packet. Can decorate."""
        self._input = function("receive", receive, "the input")
        return receive

    def input(self, event: InputEvent) -> None:
        """An input event of the host: `Key`, `Button`, `Rel` or `Abs`.

        none: delivered at once. record: queued, logged and delivered at the flush. play: dropped; the log brings it.

        Raises:
            StateError: Before `start`, in record and play: it would be in no recording.
        """
        numbers = _input_numbers(event)
        with self._hold():
            self._deliver(self._core.input(*numbers))

    def input_sync(self) -> None:
        """The end of a packet of input events; the modes are those of `input`."""
        with self._hold():
            self._deliver(self._core.input_sync())

    def char_read(self, device: int, data: BytesLike) -> None:
        """Bytes from the host side of a character device, up to 1048576; the modes are those of `input`."""
        device = whole("device", device, most=U16)
        data = event_bytes("data", data)
        with self._hold():
            self._deliver(self._core.char_read(device, data))

    def net_packet(self, device: int, flags: int, iov: BytesLike | Sequence[BytesLike]) -> None:
        """A packet from the host side of a network device, whole or in pieces; the modes are those of `input`.

        Dropped in every mode when the device was taken away. For packets to the host, see `net_send`.
        """
        device, flags = whole("device", device, most=U16), whole("flags", flags, most=U32)
        packet = packet_of(iov)
        with self._hold():
            self._deliver(self._core.net_packet(device, flags, packet))

    def next_block_id(self, complete: Callable[[BlockResult], object]) -> int:
        """The number of the next block request, taken *before* its input or output.

        Args:
            complete: Called with the result when the request has completed.
        """
        with self._hold():
            return self._ask_for(complete, self._core.next_block_id)

    def block(self, id: int, completion: BlockResult | tuple[int, BytesLike]) -> None:  # noqa: A002
        """A block request has completed on the host.

        none: `complete` is called at once. record: queued, logged with its data and called at the flush. play: the log
        says when and with what; this call is not needed, and neither is the image.

        Raises:
            ArgumentError: The request was never made, or has completed already.
        """
        number = whole("id", id)
        given, data = pair("completion", completion, "a result and bytes")
        result = whole("result", given, least=-I32 - 1, most=I32)
        content = event_bytes("data", data)
        with self._hold():
            self._deliver(self._core.block(number, result, content))

    def outstanding_blocks(self) -> list[int]:
        """The numbers of block requests that have not completed."""
        return [id for id, _ in self._core.outstanding_blocks()]  # noqa: A001

    def await_block(self, id: int, complete: Callable[[BlockResult], object]) -> None:  # noqa: A002
        """Says who is told of a request that was under way at the snapshot to which the replay went; for `load`."""
        number = whole("id", id)
        function("complete", complete, "the result")
        with self._hold():
            owner = dict(self._core.outstanding_blocks()).get(number)
            if owner is None:
                raise ArgumentError(f"no block request {number} is under way: {shown(self.outstanding_blocks())} are")
            self._owners[owner] = complete

    def flush(self) -> int:
        """The one flush point: the top of the machine's loop. Delivers what is due, in order, and gives how many.

        none: nothing is queued. record: what is queued is logged and delivered. play: what the log has here is
        delivered. What is asked for meanwhile waits for the next flush. The lock is held through all of it. An
        exception of a callback ends it; what comes behind the event that raised waits for the next flush.

        Raises:
            Divergence: In play, a thousand flushes have brought nothing on: the log waits for what never comes.
            StateError: Within a flush.
        """
        with self._hold():
            self._core.begin_flush()
            self._flushing = True
            delivered = 0
            try:
                while (delivery := self._core.next_delivery()) is not None:
                    delivered += 1
                    self._deliver(delivery)
            finally:
                self._flushing = False
                self._core.end_flush()
            return delivered

    # ---- the machine's state ----

    def vmstate_init(self, save: Callable[[], State], load: Callable[[Any], object] | None = None) -> None:
        """Registers how the machine's state is saved and loaded, and settles the state that the run starts from.

        none: neither is called. record: what `save` gives is logged, as the run's initial state. play: `load` is called
        with the recorded one.

        Args:
            save: Gives the state: a mapping from each subsystem's name to its bytes, or bytes when there is one
                subsystem. It is called for digests and snapshots too, and for the digest at the end.
            load: Takes what `save` gave: bytes when the one subsystem is "machine", else a dict. Left out, the machine
                has to be in the recorded state by itself.

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
                self._initial = self._shown(recorded)
                self._adopt(recorded, save, load)
            elif own is not None:
                self._initial = self._shown([(name, data) for name, data, _ in own])
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
            load(self._shown(state))
        own = {name: data for name, data, _ in self._parts(save())}
        recorded = dict(state)
        for name in own | recorded:
            if name not in own or name not in recorded:
                where = "the machine's state" if name in own else "the recording"
                raise MismatchError(f"only {where} has a part {name!r}; the recording has {list(recorded)}")
            if own[name] != recorded[name]:
                how = "after load(state)" if load is not None else "and there is no load(state)"
                raise MismatchError(f"the machine's {name!r} is not in the state of the recording, {how}")

    def _shown(self, state: list[tuple[str, bytes]]) -> bytes | dict[str, bytes]:
        if [name for name, _ in state] == [ONLY_SUBSYSTEM]:
            return state[0][1]
        return dict(state)

    def _parts(self, state: object) -> list[SavedPart]:
        """A state as the core takes it: subsystem, bytes, whether they are a hash."""
        if isinstance(state, Mapping):
            return [_part(name, value) for name, value in state.items()]
        if isinstance(state, str) or not _has_buffer(state):
            raise ArgumentError(f"the state is bytes, or a mapping from subsystems to bytes, and {shown(state)} is not")
        content = bytes_of("the state", state, most=STATE_BYTES_MAX)
        names = self._core.subsystems()
        if len(names) != 1:
            raise ArgumentError(f"the state is a mapping with the bytes of each of {names}, not bytes alone")
        return [(names[0], content, False)]

    def _state(self, given: State | None) -> list[SavedPart] | None:
        """The state as given, or as the machine saves it; None when nobody says it."""
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
                is one subsystem. Left out, what `save` gives (see `vmstate_init`); without that the state is unknown,
                and such a digest covers the events only.

        Raises:
            Divergence: In play, it differs; the error names the subsystems.
        """
        with self._hold():
            self._core.digest(self._state(state) if self._core.mode() != "none" else None)

    def keep_state(self, state: State | None = None) -> None:
        """Digest and snapshot, where they are due; for the top of the machine's loop, behind `flush`.

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
        """In play, goes to a snapshot: loads the machine's state there, and goes on behind it in the log.

        Args:
            place: The place in `snapshots`; -1 is the last.

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


def _input_numbers(event: object) -> tuple[str, int, int]:
    match event:
        case Key(keycode, down):
            return "key", whole("keycode", keycode, most=U16), _is_down(down)
        case Button(button, down):
            return "button", whole("button", button, most=0xFF), _is_down(down)
        case Rel(axis, value):
            return "rel", whole("axis", axis, most=0xFF), whole("value", value, least=-I32 - 1, most=I32)
        case Abs(axis, value):
            return "abs", whole("axis", axis, most=0xFF), whole("value", value, least=-I32 - 1, most=I32)
    raise ArgumentError(f"an input event is a Key, Button, Rel or Abs, and {shown(event)} is not")


def _is_down(down: object) -> bool:
    """A key is down or up: 1 and 0 are taken for that too."""
    return bool(whole("down", down, most=1)) if index_of(down) is not None else flag("down", down)


def _has_buffer(value: object) -> bool:
    try:
        memoryview(value).release()  # type: ignore[arg-type]
    except (TypeError, ValueError, BufferError):
        return False
    return True


def _part(name: object, value: object) -> SavedPart:
    if not isinstance(name, str):
        raise ArgumentError(f"the state's parts go by the names of subsystems, and {shown(name)} is none")
    name = text("the name of a subsystem", name)
    if not isinstance(value, str):
        return name, bytes_of(f"the state of {shown(name)}", value, most=STATE_BYTES_MAX), False
    try:
        return name, bytes.fromhex(value), True
    except ValueError:
        raise ArgumentError(f"the hash of {shown(name)} is 32 hexadecimal digits, and {shown(value)} is not") from None
