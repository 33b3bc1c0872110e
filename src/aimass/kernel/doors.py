"""Front doors: a room's package resolves its public names lazily (PEP 562) from one literal table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def door(package: str, names: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for a package.

    Parameters
    ----------
    package
        ``__name__`` of the package.
    names
        Public name to the module that holds it, for example ``{"Lake": "aimass.lake.service"}``.

    Examples
    --------
    >>> get, listing = door("aimass.demo", {"new_id": "aimass.kernel.ids"})
    >>> get("new_id").__name__, listing()
    ('new_id', ['new_id'])
    """

    def resolve(name: str) -> Any:
        if name not in names:
            msg = f"{package} has no public name {name!r}; it offers {sorted(names)}"
            raise AttributeError(msg)
        return getattr(import_module(names[name]), name)

    return resolve, lambda: sorted(names)
