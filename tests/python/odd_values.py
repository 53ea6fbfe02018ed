"""Calls everything that is public with everything that is odd, in a process of its own.

    python odd_values.py SEED ROUNDS [PART/PARTS | ONLY]

Every public function, class, method, subscript, property and setter is found by introspection, of live objects of each
kind. First each argument gets each value of a pool, the others being sane; then ROUNDS times as many calls with values
drawn by SEED in all places. Whatever comes of a call must be an answer or a `ReplayError`; the few errors that Python's
own conventions ask for stand in `is_allowed`. The process has little more memory than the largest argument, so that one
which is copied before it is refused ends it; a call that does not end in time ends it too, with a traceback. The call
under way stands in the file CALL of the current directory. A PART makes every so manieth call, ONLY those with that
in their name.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import faulthandler
import inspect
import itertools
import mmap
import os
import pickle
import random
import resource
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import rreplay as rr
from odd_objects import HUGE, MAKERS, LongRepr, Mine, World

MEMORY = HUGE + (1536 << 20)
SECONDS = 30

MESSAGE_MAX = 1600
"""Characters of a message, whatever was given."""

# ---- what can be called ----

SUBSCRIPTS = ("__getitem__", "__setitem__", "__delitem__", "__contains__", "__eq__", "__lt__", "__iter__", "__len__")
"""What the language calls for a user, with what it is given."""

OPERATIONS: dict[str, Callable[..., object]] = {
    "repr": repr,
    "str": str,
    "hash": hash,
    "dir": dir,
    "copy": copy.copy,
    "deepcopy": lambda thing: copy.deepcopy(thing),
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
    "bool": bool,
    "hasattr": lambda thing: [hasattr(thing, name) for name in ("board", "console", "icount", "no_such", "\ud800")],
}
"""What anybody may do with any object. A hash may be missing, as Python says it: TypeError."""

SANE: dict[str, Callable[[World], Any]] = {
    "path": lambda world: world.path(),
    "addr": lambda world: 0x200,
    "address": lambda world: 0x200,
    "where": lambda world: 0x200,
    "device": lambda world: 0,
    "data": lambda world: b"d",
    "n": lambda world: 1,
    "a": lambda world: 0,
    "b": lambda world: 10,
    "icount": lambda world: 100,
    "target": lambda world: 100,
    "name": lambda world: f"name{next(world.numbers)}",
    "predicate": lambda world: lambda moment: True,
    "recording": lambda world: world.recording,
    "text": lambda world: b"o",
    "pattern": lambda world: b"o",
    "snapshot": lambda world: None,
    "callback": lambda world: lambda *arguments: None,
    "read_host": lambda world: lambda *arguments: b"",
    "record_host": lambda world: lambda n: ([], 0),
    "send_host": lambda world: lambda flags, packet: None,
    "samples": lambda world: [1],
    "flags": lambda world: 0,
    "iov": lambda world: b"p",
    "id": lambda world: 0,
    "completion": lambda world: (0, b""),
    "complete": lambda world: lambda result: None,
    "cause": lambda world: "host_quit",
    "clock": lambda world: "host",
    "kind": lambda world: "host",
    "checkpoint": lambda world: "init",
    "event": lambda world: rr.Key(1, True),
    "save": lambda world: lambda: b"state",
    "receive": lambda world: lambda *arguments: None,
    "frame": lambda world: bytes(60),
    "host": lambda world: rr.Pty(),
    "dx": lambda world: 1,
    "dy": lambda world: 1,
    "x": lambda world: 1,
    "y": lambda world: 1,
    "width": lambda world: 1,
    "height": lambda world: 1,
    "rgba": lambda world: bytes(4),
    "port": lambda world: 0,
    "peer_port": lambda world: 9,
    "function": lambda world: lambda packet: None,
    "reason": lambda world: "because",
}
"""What an argument of a name is given while another is odd."""


class Call:
    """Something that can be called: on an object of a kind, or by itself."""

    def __init__(self, kind: str | None, name: str, find: Callable[[Any], Callable[..., Any]], thing: Any) -> None:
        self.kind = kind
        self.name = f"{kind or 'rreplay'}.{name}"
        self.find = find
        self.parameters = parameters_of(find(thing))
        if name in ENUMERATIONS:
            # The rest of what an enumeration's class takes makes another enumeration.
            self.parameters = [parameter for parameter in self.parameters if parameter.name == "value"]
        made = getattr(rr, name, None) if kind is None else None
        self.is_record = dataclasses.is_dataclass(made) or hasattr(made, "_fields")
        """Whether it makes a plain record, which holds what it is given until a function takes it."""


def parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return []
    return list(signature.parameters.values())


def is_ours(owner: type) -> bool:
    return owner.__module__.split(".")[0] == "rreplay"


def calls_of(kind: str, thing: Any) -> Iterator[Call]:
    """Whatever a user can call on an object of ours."""
    ours = [owner for owner in type(thing).__mro__ if is_ours(owner)]
    names = sorted({name for owner in ours for name in vars(owner)})
    for name in names:
        attribute = inspect.getattr_static(thing, name)
        if name in SUBSCRIPTS and callable(getattr(thing, name, None)):
            yield Call(kind, name, attrgetter(name), thing)
        elif name.startswith("_"):
            continue
        elif isinstance(attribute, property) or (hasattr(type(attribute), "__get__") and not callable(attribute)):
            yield Call(kind, f"get {name}", partial(partial, attrgetter(name)), thing)
            yield Call(kind, f"set {name}", partial(setter, name), thing)
        elif callable(getattr(thing, name, None)):
            yield Call(kind, name, attrgetter(name), thing)
    for name, operation in OPERATIONS.items():
        yield Call(kind, name, partial(partial, operation), thing)


ANSWERS: dict[tuple[str, str], Callable[[Any], Callable[[Any], object]]] = {
    ("replay_that_records", "clock"): lambda r: lambda answer: r.clock("host", lambda: answer),
    ("replay_that_records", "random"): lambda r: lambda answer: r.random_with_code(3, lambda n: answer),
    ("replay_that_records", "char_write"): lambda r: lambda answer: r.char_write(0, b"x", lambda data: answer),
    ("replay_that_records", "char_read_all"): lambda r: lambda answer: r.char_read_all(0, 3, lambda n: answer),
    ("replay_that_records", "audio_out"): lambda r: lambda answer: r.audio_out([1], lambda samples: answer),
    ("replay_that_records", "audio_in"): lambda r: lambda answer: r.audio_in(3, lambda n: answer),
    ("replay_that_records", "save"): lambda r: lambda answer: r.vmstate_init(lambda: answer),
    ("machine", "hook"): lambda m: lambda answer: m.on_execute(0x1000)(answer),
    ("machine", "run with a hook"): lambda m: lambda answer: (m.on_execute(0x1000)(lambda _: answer), m.run()),
    ("timeline", "condition"): lambda t: lambda answer: (t.add_breakpoint(0x1005, lambda _: answer), t.run()),
    ("timeline", "predicate"): lambda t: lambda answer: t.first(lambda moment: answer),
    ("timeline", "progress"): lambda t: lambda answer: t.seek(500, progress=lambda done, total: answer),
    ("machine_with_a_user_device", "read"): lambda m: lambda answer: ask_device(m, read=answer),
    ("machine_with_a_user_device", "write"): lambda m: lambda answer: ask_device(m, write=answer),
}
"""What our functions call, and what they are answered."""


def ask_device(machine: Any, **answers: object) -> None:
    device = type("Odd", (), {name: lambda self, *_, answer=answer: answer for name, answer in answers.items()})
    machine.devices["u"].attach(device())
    machine.run()


def setter(name: str, thing: Any) -> Callable[[object], None]:
    def set_it(value: object) -> None:
        setattr(thing, name, value)

    return set_it


def the_same(found: Callable[..., Any], nothing: object) -> Callable[..., Any]:
    return found


def public_calls() -> Iterator[Call]:
    """The functions and classes of the package, and what classes have that needs no object."""
    for name in rr.__all__:
        thing = getattr(rr, name)
        if inspect.isclass(thing):
            yield Call(None, name, partial(the_same, thing), None)
            for member, attribute in vars(thing).items():
                if not member.startswith("_") and isinstance(attribute, staticmethod | classmethod):
                    yield Call(None, f"{name}.{member}", partial(the_same, getattr(thing, member)), None)
        elif callable(thing) and getattr(thing, "__module__", None) != "typing":
            yield Call(None, name, partial(the_same, thing), None)


# ---- what must be found, or the net is none ----


def copies(value: Any) -> None:
    """What is too large is copied before it is refused."""
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        if isinstance(value, mmap.mmap):
            bytes(value)
    raise rr.ArgumentError("no")


def fails(value: Any) -> None:
    """An error that is not ours."""
    if isinstance(value, float):
        raise TypeError("'float' object cannot be interpreted as an integer")


def talks(value: Any) -> None:
    """A message that is as long as the argument."""
    raise rr.ArgumentError(f"{value!r} is wrong" if isinstance(value, str) and len(value) > 1000 else "wrong")


PLANTED = [copies, fails, talks]


# ---- calling ----


ENUMERATIONS = {"Checkpoint", "ClockKind", "CpuException", "Interrupt", "ReplayMode", "ShutdownCause"}


def is_allowed(call: Call, error: BaseException) -> bool:
    """Whether an error may come of a call: ours, those of the callables that it was given, and few of Python's own."""
    name = call.name
    if isinstance(error, rr.ReplayError | Mine):
        return True
    # A class that is not made by hand, a method that must be given more, a type without a hash: the language says so.
    if isinstance(error, TypeError):
        words = ("No constructor", "cannot create", "abstract", "Protocols cannot", "unhashable", "required positional")
        return any(word in str(error) for word in words) or "missing" in str(error)
    # A member of an enumeration that there is not, an attribute that cannot be set.
    if isinstance(error, ValueError) and name.removeprefix("rreplay.") in ENUMERATIONS:
        return True
    # Whether an answer is true says the answer: an array of several numbers raises.
    if isinstance(error, ValueError) and name in ("timeline.predicate is answered", "timeline.condition is answered"):
        return True
    if isinstance(error, AttributeError):
        return ".set " in name or ".__delitem__" in name
    return isinstance(error, StopIteration) and name.startswith("event_iterator")


class Campaign:
    """Makes the calls, and keeps what was found."""

    def __init__(self, world: World, only: str, under_way: Path) -> None:
        self.world = world
        self.only = only
        self.made = 0
        self.findings: list[str] = []
        self.under_way = os.open(under_way, os.O_CREAT | os.O_WRONLY)

    def calls(self) -> Iterator[Call]:
        if self.only == "planted":
            yield from (Call(None, planted.__name__, partial(the_same, planted), None) for planted in PLANTED)
            return
        part, _, parts = self.only.partition("/")
        for number, call in enumerate(self.all_calls()):
            if number % int(parts) == int(part) if parts else self.only in call.name:
                yield call

    def all_calls(self) -> Iterator[Call]:
        yield from public_calls()
        for maker in MAKERS:
            yield from calls_of(maker.__name__, self.world.renew(maker.__name__))
        for (kind, name), find in ANSWERS.items():
            yield Call(kind, f"{name} is answered", find, self.world.renew(kind))

    def sane(self, parameter: inspect.Parameter) -> Any:
        if parameter.name in SANE:
            return SANE[parameter.name](self.world)
        return None if parameter.default is parameter.empty else parameter.default

    def make(self, call: Call, odd: dict[str, Any]) -> None:
        """One call, with odd values for some arguments and sane ones for the others that must be given."""
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for parameter in call.parameters:
            if parameter.kind is parameter.VAR_KEYWORD:
                continue
            must = parameter.default is parameter.empty
            if parameter.name in odd:
                value = odd[parameter.name]
            elif must and parameter.kind is not parameter.VAR_POSITIONAL:
                value = self.sane(parameter)
            elif must or (not positional and not named):
                continue
            else:
                continue
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
                positional.append(value)
            else:
                named[parameter.name] = value
        shown = {name: type(value).__name__ for name, value in odd.items()}
        self.say(f"{call.name} {shown} {[short(value) for value in odd.values()]}")
        thing = None if call.kind is None else self.thing(call.kind)
        self.made += 1
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        try:
            answer = call.find(thing)(*positional, **named)
            if inspect.isgenerator(answer) or isinstance(answer, itertools.chain):
                list(itertools.islice(answer, 3))
            if not call.is_record:
                repr(answer)
        except BaseException as error:
            if (
                isinstance(error, rr.ReplayError)
                and len(str(error)) > MESSAGE_MAX
                and not isinstance(error, rr.Divergence)
            ):
                self.found(call, odd, f"a message of {len(str(error))} characters")
            elif not is_allowed(call, error):
                self.found(call, odd, "".join(traceback.format_exception(error)[-6:]))
        finally:
            faulthandler.cancel_dump_traceback_later()

    def thing(self, kind: str) -> Any:
        # A call may leave an object finished, closed or full of waiting input.
        if self.made % 20 == 0 or kind not in self.world.objects:
            return self.world.renew(kind)
        return self.world.objects[kind]

    def say(self, text: str) -> None:
        os.ftruncate(self.under_way, 0)
        os.pwrite(self.under_way, text.encode("utf-8", "backslashreplace"), 0)

    def found(self, call: Call, odd: dict[str, Any], what: str) -> None:
        self.findings.append(f"{call.name} with {[(n, short(v)) for n, v in odd.items()]}: {what}")

    def each_in_turn(self) -> None:
        """Each argument of each call gets each value."""
        for call in list(self.calls()):
            pool_size = len(self.world.pool())
            self.make(call, {})
            for parameter in call.parameters:
                if parameter.kind is parameter.VAR_KEYWORD:
                    continue
                values = self.world.pool()
                for place in range(pool_size):
                    self.make(call, {parameter.name: values[place]})
            self.world.objects.pop(call.kind or "", None)

    def at_random(self, seed: int, rounds: int) -> None:
        """Odd values in several places."""
        draw = random.Random(seed)
        calls = list(self.calls())
        several = [call for call in calls if call.parameters]
        for _ in range(rounds):
            for call in several:
                values = self.world.pool()
                names = [parameter.name for parameter in call.parameters if parameter.kind is not parameter.VAR_KEYWORD]
                self.make(call, {name: draw.choice(values) for name in names if draw.random() < 0.6})


def short(value: object) -> str:
    try:
        if isinstance(value, int):
            return hex(value)[:40]
        if isinstance(value, LongRepr):
            return "LongRepr"
        return repr(value)[:40] if not isinstance(value, str | bytes) else repr(value[:30])
    except BaseException:
        return type(value).__name__


def main() -> int:
    seed, rounds, only = int(sys.argv[1]), int(sys.argv[2]), "".join(sys.argv[3:4])
    here = Path.cwd()
    # Calls make files of any name.
    with tempfile.TemporaryDirectory(prefix="odd-values-") as directory:
        os.chdir(directory)
        try:
            return campaign(here, seed, rounds, only)
        finally:
            os.chdir(here)


def campaign(here: Path, seed: int, rounds: int, only: str) -> int:
    world = World()
    # Behind the imports, which map much and touch little.
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    calls = Campaign(world, only, here / "CALL")
    print(f"seed {seed}, {rounds} rounds", flush=True)
    calls.each_in_turn()
    calls.at_random(seed, rounds)
    for finding in calls.findings:
        print(finding)
    print(f"{calls.made} calls, {len(calls.findings)} findings")
    return 1 if calls.findings else 0


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
