"""The card of a service's shadow: how far its answers are from those that were given."""

from __future__ import annotations

from aimass.monitoring.domain.shadows import GetShadow
from aimass.monitoring.service.monitoring import Monitoring
from aimass.web import PageVisit, Panel


def shadow(visit: PageVisit, endpoint: str, window_s: int) -> Panel | None:
    """Return the comparison of each revision with its shadow, or nothing when there was none."""
    if not visit.allows("monitoring.read", f"endpoint:{endpoint}"):
        return None
    wish = GetShadow(workspace=visit.workspace, endpoint=endpoint, window_s=window_s)
    found = visit.get(Monitoring).get_shadow(visit.who, wish).shadows
    return (
        Panel(template="monitoring/_shadow.html", context={"shadows": found, "endpoint": endpoint}) if found else None
    )
