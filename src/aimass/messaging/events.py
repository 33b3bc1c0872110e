"""What the room tells."""

from __future__ import annotations

_TOPIC = tuple(f"messaging.topic.{verb}" for verb in ("created", "changed", "deleted"))
_SUBSCRIPTION = tuple(f"messaging.subscription.{verb}" for verb in ("created", "moved", "deleted"))
_SCHEDULE = tuple(
    f"messaging.schedule.{verb}" for verb in ("created", "changed", "paused", "resumed", "deleted", "fired")
)
ALL = (*_TOPIC, *_SUBSCRIPTION, *_SCHEDULE, "messaging.message.dead")
