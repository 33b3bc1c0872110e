"""What the platform calls: the loop that collects."""

from __future__ import annotations

from aimass.apps.storage.service.storage import Storage
from aimass.kernel.registry import Registry


def collect(registry: Registry) -> None:
    """Remove for good what has had its time, when it is time to look."""
    registry.get(Storage).collect_when_due()
