"""Pages of the room messaging: queues, one topic, dead letters, schedules."""

from __future__ import annotations

from aimass.messaging.console import letters, schedules, topics
from aimass.web import page_router

router = page_router()
for _part in (topics, letters, schedules):
    router.include_router(_part.router)
