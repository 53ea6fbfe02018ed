"""Functions, and objects of this package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import ArgumentError
from ..errors.quote import shown

F = TypeVar("F", bound=Callable[..., object])


def function(name: str, value: F, takes: str) -> F:
    """Checks that a value can be called, and returns it.

    Raises:
        ArgumentError: It cannot.
    """
    if callable(value):
        return value
    raise ArgumentError(f"{name} is a function that takes {takes}, and {shown(value)} cannot be called")


def instance(name: str, value: object, kind: type, what: str) -> Any:
    """Checks that a value is of a class of this package, and returns it.

    Raises:
        ArgumentError: It is of another class.
    """
    if isinstance(value, kind):
        return value
    raise ArgumentError(f"{name} is {what}, and {shown(value)} is none")


def require_factory(made: object, is_part: bool, where: str) -> None:
    """Refuses the constructor of a class whose objects only this package makes, as parts of other objects.

    Args:
        made: The object under construction.
        is_part: Whether the arguments are those that this package passes.
        where: How a user gets such an object, for the message.

    Raises:
        ArgumentError: The arguments are others.
    """
    if not is_part:
        raise ArgumentError(f"no {type(made).__name__} is made by itself: {where}")
