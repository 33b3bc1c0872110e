"""What the room keeps, what goes, what it needs, and what it erases; called by the room storage."""

from __future__ import annotations

from collections.abc import Iterator

from aimass.kernel.erasing import Erased, Person
from aimass.kernel.keeping import Going, Needed
from aimass.kernel.registry import Registry
from aimass.training.service.training import Training


def going(registry: Registry) -> list[Going]:
    """Return what goes and when."""
    return registry.get(Training).going()


def collect(registry: Registry) -> list[Going]:
    """Remove what is due."""
    return registry.get(Training).purge()


def blobs(registry: Registry) -> Iterator[Needed]:
    """Yield the files of splits, runs, studies and evaluations."""
    found = registry.get(Training)
    yield from (Needed(sha256=sha256, what="splits") for sha256 in found.split_blobs())
    yield from (Needed(sha256=sha256, what="what learners know") for sha256 in found.learner_blobs())
    yield from (Needed(sha256=sha256, what="recipes of studies") for sha256 in found.study_blobs())
    yield from (Needed(sha256=sha256, what="files of runs") for sha256 in found.artifact_blobs())


def erase(registry: Registry, person: Person) -> list[Erased]:
    """Erase a person from splits, samples and runs."""
    return registry.get(Training).erase_person(person)
