"""Where a byte comes from: a small graph of what it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from ..copying import Handle

if TYPE_CHECKING:
    from .._core import Event

Row: TypeAlias = "tuple[str, int, int, int | None, str, int | None, int | None, Event | None, list[int]]"
"""A node as the engine returns it: its fields, with the indices of its sources, which come later in the list."""


@dataclass(frozen=True)
class Origin(Handle):
    """A node of the graph: a byte, what made it, and the bytes that it was made from.

    Kinds: "store", "load" and "compute" are instructions; "constant" is a byte of the program's own, "rom" one that
    was read from ROM, "initial" one that stood in memory or a register when the recording began; "input" was read from
    a device, "device" was written by one, to memory or to a register; "interrupt" and "processor" by the CPU itself
    (return addresses, flags, the stack pointer, what floats on the bus); "limit" is as far back as was looked.
    """

    kind: str
    icount: int
    """Instructions retired before it was made: `timeline.seek(origin.icount)` stands there."""
    cycles: int
    value: int | None
    what: str
    """In words: the instruction, or what else it is."""
    pc: int | None = None
    address: int | None = None
    event: Event | None = None
    """Of an input: the last event before it that brought this byte, as far as can be told."""
    # A node is identified by where it was made. The nodes below it may be many.
    sources: tuple[Origin, ...] = field(default=(), repr=False, compare=False)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """As the rows of the whole graph, which may be deeper than pickle goes."""
        nodes = list(self.walk())
        numbers = {id(node): number for number, node in enumerate(nodes)}
        fields = ((n.kind, n.icount, n.cycles, n.value, n.what, n.pc, n.address, n.event) for n in nodes)
        sources = ([numbers[id(source)] for source in node.sources] for node in nodes)
        return from_rows, ([(*row, of) for row, of in zip(fields, sources, strict=True)],)

    def walk(self) -> Iterator[Origin]:
        """This node and all that it was made from, directly or not; each once."""
        seen: set[int] = set()
        waiting = [self]
        while waiting:
            node = waiting.pop()
            if id(node) not in seen:
                seen.add(id(node))
                yield node
                waiting.extend(reversed(node.sources))

    @property
    def leaves(self) -> list[Origin]:
        """The nodes without sources: where the byte comes from in the end."""
        return [node for node in self.walk() if not node.sources]

    def __str__(self) -> str:
        lines: list[str] = []
        shown: set[int] = set()
        waiting = [(0, self)]
        while waiting:
            depth, node = waiting.pop()
            value = "" if node.value is None else f" = ${node.value:02X}"
            again = id(node) in shown and node.sources
            lines.append(f"{'  ' * depth}{node.icount}: {node.what}{value}{' (see above)' if again else ''}")
            shown.add(id(node))
            if not again:
                waiting.extend((depth + 1, source) for source in reversed(node.sources))
        return "\n".join(lines)


def from_rows(rows: Sequence[Row]) -> Origin:
    """The graph below the first node. The nodes may be in any order; none is its own source."""
    nodes: dict[int, Origin] = {}
    waiting = [0]
    while waiting:
        number = waiting[-1]
        kind, icount, cycles, value, what, pc, address, event, sources = rows[number]
        missing = [source for source in sources if source not in nodes]
        if missing:
            waiting.extend(missing)
            continue
        waiting.pop()
        made_from = tuple(nodes[source] for source in sources)
        nodes.setdefault(number, Origin(kind, icount, cycles, value, what, pc, address, event, made_from))
    return nodes[0]
