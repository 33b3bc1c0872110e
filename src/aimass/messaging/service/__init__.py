"""Use cases of messaging."""

from __future__ import annotations

from aimass.messaging.service.erasing import Erasing
from aimass.messaging.service.room import Ground
from aimass.messaging.service.schedules import Schedules
from aimass.messaging.service.subscriptions import Subscriptions


class Messaging(Schedules, Subscriptions, Erasing):
    """Topics, subscriptions, dead letters and schedules."""


__all__ = ["Ground", "Messaging"]
