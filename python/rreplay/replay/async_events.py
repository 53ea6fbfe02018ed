"""The functions of `Replay` that a machine's loop and its hosts call: what comes in from outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..arguments import I32, U16, U32, BytesLike, flag, function, index_of, member, pair, whole
from ..enums import Checkpoint
from ..errors import ArgumentError
from ..errors.quote import shown
from .base import ReplayBase, event_bytes, packet_of
from .values import Abs, BlockResult, Button, InputEvent, InputSync, Key, Rel


class AsyncEvents(ReplayBase):
    """Checkpoints, and events that wait for the flush point: what the loop around the machine, and its hosts, call."""

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
        """The one flush point: the top of the machine's loop. Delivers what is due, in order, and returns how many.

        none: nothing is queued. record: what is queued is logged and delivered. play: what the log has here is
        delivered. What is asked for meanwhile waits for the next flush. The lock is held through all of it. An
        exception of a callback ends it; what comes after the event that raised waits for the next flush.

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
