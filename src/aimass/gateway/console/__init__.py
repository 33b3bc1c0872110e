"""Pages of the gateway: workers, models, consumers, services of one's own behind routes, and what can be called."""

from __future__ import annotations

from aimass.gateway.console import inference, interfaces, services
from aimass.web import page_router

router = page_router()
for _part in (services, interfaces, inference):
    router.include_router(_part.router)
