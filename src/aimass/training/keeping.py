"""What the room keeps, what goes, and what it needs; called by the storage page and by collections."""

from __future__ import annotations

from collections.abc import Iterator

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
    """Yield the files of splits, runs and evaluations."""
    found = registry.get(Training)
    yield from (Needed(sha256=sha256, what="splits") for sha256 in found.split_blobs())
    yield from (Needed(sha256=sha256, what="files of runs") for sha256 in found.artifact_blobs())
