"""What rooms tell of the room that things take, of what goes for good and when, and of what they still need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from aimass.kernel.capability import Capabilities, load
from aimass.kernel.principal import ANYWHERE
from aimass.kernel.registry import Registry

KEEP_DELETED_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Something that takes room on the disk, and the rule by which it is kept.

    Attributes
    ----------
    part
        The part of the storage it belongs to: ``datasets``, ``records``, ``job files``.
    name, path
        What it is called, and the page that shows it; empty for a part as a whole.
    count
        How many things these are: versions, files, messages.
    rule
        A sentence in English; pages tell it in the visitor's language.
    """

    part: str
    size_bytes: int
    count: int
    rule: str
    name: str = ""
    workspace: str = ANYWHERE
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """Something that was deleted, or has had its time, and goes for good at ``goes_at``.

    Attributes
    ----------
    kind, name
        What it is (``dataset``, ``model``, ``job files``), and what it is called.
    since
        When it was deleted or used last.
    rule
        A sentence in English that says why it goes.
    """

    kind: str
    name: str
    workspace: str
    since: datetime
    goes_at: datetime
    rule: str
    size_bytes: int = 0
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """A blob that a room still needs.

    Attributes
    ----------
    what
        What kind of thing it is: ``model packages``, ``uploads``.
    is_laid_out
        True for the manifest of a package that has to stay unpacked, because something serves it or runs with it.
    """

    sha256: str
    what: str
    is_laid_out: bool = False


def needed(registry: Registry) -> Iterator[Needed]:
    """Yield every blob that some room still needs."""
    for room in registry.get(Capabilities):
        if room.blobs is not None:
            yield from load(room.blobs)(registry)
