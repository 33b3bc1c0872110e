"""Pages of the room monitoring: alerts and rules, series, and what it shows on the pages of a service."""

from __future__ import annotations

from aimass.monitoring.console import alerts, rules, series, watching
from aimass.web import page_router

router = page_router()
for _part in (rules, alerts, series, watching):  # an address of rules comes before that of any alert
    router.include_router(_part.router)
