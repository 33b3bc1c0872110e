"""Which services use a model: for the page of the model."""

from __future__ import annotations

from aimass.serving.domain.commands import ListEndpoints
from aimass.serving.service.serving import Serving
from aimass.web import PageVisit, Panel

MOST = 100


def usage_panel(visit: PageVisit, model: str) -> Panel | None:
    """Return the services that run a model, or nothing when none does or the visitor may not see them."""
    if not visit.allows("serving.read"):
        return None
    wish = ListEndpoints(workspace=visit.workspace, model=model, limit=MOST)
    found = visit.get(Serving).list_endpoints(visit.who, wish).items
    rows = [(one, each) for one in found for each in one.deployments if each.model == model]
    return Panel(template="serving/_used.html", context={"rows": rows}) if rows else None
