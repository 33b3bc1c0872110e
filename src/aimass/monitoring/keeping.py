"""What the room keeps and what goes; called by the storage page and by collections."""

from __future__ import annotations

from aimass.kernel.keeping import Going, Holding
from aimass.kernel.registry import Registry
from aimass.monitoring.service.monitoring import Monitoring


def storage(registry: Registry) -> list[Holding]:
    """Return how much records and series take, and how long they are kept."""
    return registry.get(Monitoring).kept.holdings()


def going(registry: Registry) -> list[Going]:
    """Return what goes and when."""
    return registry.get(Monitoring).kept.going()


def collect(registry: Registry) -> list[Going]:
    """Remove what is due."""
    return registry.get(Monitoring).kept.purge()
