"""What the room keeps, what goes, what it needs, and what it erases; called by the room storage."""

from __future__ import annotations

from collections.abc import Iterator

from aimass.kernel.erasing import Erased, Person
from aimass.kernel.keeping import Going, Holding, Needed, needed
from aimass.kernel.registry import Registry
from aimass.models.service.models import Models

_RULE = "a package stays unpacked while something serves it, and for a day after that"


def storage(registry: Registry) -> list[Holding]:
    """Return how much the unpacked packages take."""
    found = registry.get(Models).layouts()
    size = sum(layout.size_bytes for layout in found)
    return [Holding(part="unpacked packages", size_bytes=size, count=len(found), rule=_RULE)]


def going(registry: Registry) -> list[Going]:
    """Return what goes and when."""
    found = registry.get(Models)
    return [*found.going(), *found.unused_layouts(_laid_out(registry))]


def collect(registry: Registry) -> list[Going]:
    """Remove what is due."""
    found = registry.get(Models)
    return [*found.purge(), *found.remove_layouts(_laid_out(registry))]


def blobs(registry: Registry) -> Iterator[Needed]:
    """Yield every blob of every package that a version names."""
    found = registry.get(Models)
    for digest in found.digests():
        for sha256 in found.blobs_of(digest):
            yield Needed(sha256=sha256, what="model packages")


def _laid_out(registry: Registry) -> set[str]:
    return {found.sha256 for found in needed(registry) if found.is_laid_out}


def erase(registry: Registry, person: Person) -> list[Erased]:
    """Erase a person from samples, cards and reviews."""
    return registry.get(Models).erase_person(person)
