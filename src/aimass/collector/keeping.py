"""What the room keeps, what goes, and what it needs; called by the storage page and by collections."""

from __future__ import annotations

from collections.abc import Iterator

from aimass.collector.service.collector import Collector
from aimass.kernel.keeping import Going, Holding, Needed
from aimass.kernel.registry import Registry


def going(registry: Registry) -> list[Going]:
    """Return the uploads with the moment at which they go."""
    return registry.get(Collector).ageing_uploads()


def collect(registry: Registry) -> list[Going]:
    """Forget the uploads that have had their time, and inboxes whose source is gone."""
    collector = registry.get(Collector)
    return [*collector.forget_uploads(), *collector.forget_inboxes()]


def storage(registry: Registry) -> list[Holding]:
    """Return how much room what was pushed takes until it is collected."""
    return registry.get(Collector).pushed_holdings()


def blobs(registry: Registry) -> Iterator[Needed]:
    """Yield the files that were uploaded."""
    return (Needed(sha256=upload, what="uploads") for upload in registry.get(Collector).kept_uploads())
