"""Pages of the room serving: services, and one service with its traffic, playground, history and settings."""

from __future__ import annotations

from aimass.serving.console import actions, history, playground, scorings, service, services, settings, watched
from aimass.web import page_router

router = page_router()
for _part in (services, service, playground, watched, history, settings, actions, scorings):
    router.include_router(_part.router)
