"""How much room messages take; called by the storage page."""

from __future__ import annotations

from aimass.kernel.keeping import Holding
from aimass.kernel.registry import Registry
from aimass.messaging.service import Messaging


def storage(registry: Registry) -> list[Holding]:
    """Return how much the messages of each topic take, and how long they are kept."""
    return registry.get(Messaging).holdings()
