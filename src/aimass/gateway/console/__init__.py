"""Pages of the gateway: workers, models, consumers, services of one's own behind routes, what can be called, and outer edges."""

from __future__ import annotations

from aimass.gateway.console import edges, inference, interfaces, services, slow
from aimass.web import page_router

router = page_router()
for _part in (services, interfaces, slow, edges, inference):
    router.include_router(_part.router)
