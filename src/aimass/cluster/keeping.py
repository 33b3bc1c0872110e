"""What the room keeps, what goes, and what it needs; called by the storage page and by collections."""

from __future__ import annotations

from collections.abc import Iterator

from aimass.cluster.kept import Kept
from aimass.kernel.keeping import Going, Holding, Needed
from aimass.kernel.registry import Registry


def storage(registry: Registry) -> list[Holding]:
    """Return how much the files of jobs take."""
    return registry.get(Kept).holdings()


def going(registry: Registry) -> list[Going]:
    """Return what goes and when."""
    return registry.get(Kept).going()


def collect(registry: Registry) -> list[Going]:
    """Remove what is due."""
    return registry.get(Kept).purge()


def blobs(registry: Registry) -> Iterator[Needed]:
    """Yield what jobs work with that wait, run or may be tried again; a package that they name stays unpacked."""
    return (
        Needed(sha256=sha256, what="inputs of jobs", is_laid_out=True) for sha256 in registry.get(Kept).named_blobs()
    )
