"""What messaging does by the clock, in control."""

from __future__ import annotations

from aimass.kernel.registry import Registry
from aimass.messaging.service import Messaging


def fire_schedules(registry: Registry) -> None:
    """Fire every schedule that is due."""
    registry.get(Messaging).fire_due()


def retain(registry: Registry) -> None:
    """Delete the messages that have had their time."""
    registry.get(Messaging).retain()
