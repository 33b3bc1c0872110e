"""A registry by type: bootstrap puts ports and services in, rooms take what they need out."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from aimass.kernel.errors import Failed

T = TypeVar("T")


class Registry:
    """Holds one object per type.

    Examples
    --------
    >>> registry = Registry()
    >>> registry.put(int, 7)
    >>> registry.get(int)
    7
    """

    def __init__(self) -> None:
        self._things: dict[Any, Any] = {}

    def put(self, kind: type[T], thing: T) -> None:
        """Keep the one object of this type."""
        self._things[kind] = thing

    def get(self, kind: type[T]) -> T:
        """Return the object of this type."""
        if kind not in self._things:
            raise Failed(
                f"nothing provides {kind.__module__}.{kind.__qualname__}", hint="check 'requires' of the capability"
            )
        return cast("T", self._things[kind])

    def has(self, kind: type) -> bool:
        """Tell whether the type is provided."""
        return kind in self._things

    def all(self) -> list[Any]:
        """Return everything, in the order in which it was put."""
        return list(self._things.values())
