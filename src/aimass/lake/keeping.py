"""What the room keeps and what goes; called by the storage page and by collections."""

from __future__ import annotations

from aimass.kernel.keeping import Going, Holding
from aimass.kernel.registry import Registry
from aimass.lake.service.lake import Lake


def storage(registry: Registry) -> list[Holding]:
    """Return how much room each dataset takes."""
    return registry.get(Lake).holdings()


def going(registry: Registry) -> list[Going]:
    """Return what goes and when."""
    return registry.get(Lake).going()


def collect(registry: Registry) -> list[Going]:
    """Remove what is due."""
    lake = registry.get(Lake)
    lake.forget_queries()
    return lake.purge()
