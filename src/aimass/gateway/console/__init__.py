"""Pages of the gateway: workers, models, consumers, and services of one's own behind routes."""

from __future__ import annotations

from aimass.gateway.console import inference, services
from aimass.web import page_router

router = page_router()
for _part in (services, inference):
    router.include_router(_part.router)
