"""What control runs for the room."""

from __future__ import annotations

from aimass.gateway.service import Gateway
from aimass.kernel.registry import Registry


def publish(registry: Registry) -> bool:
    """Keep the published snapshot equal to what the rooms below say."""
    return registry.get(Gateway).publisher.run_once()
