"""What the pages of a service share: the service itself, its address, and the numbers that other rooms know of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aimass.kernel.errors import Invalid
from aimass.serving.domain.commands import OneEndpoint
from aimass.serving.domain.things import Deployment, Endpoint
from aimass.serving.service.serving import Serving
from aimass.web import PageVisit, Panel

PATH = "/{workspace}/services/{endpoint}"
SPANS = {"15m": 900, "1h": 3_600, "6h": 21_600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000}
SPAN = "1h"
Figures = Mapping[str, Any]


def window_of(span: str) -> int:
    """Return the seconds of a span that the address names."""
    if span not in SPANS:
        raise Invalid(f"{span!r} is no span of time", field="span", value=span, allowed=list(SPANS))
    return SPANS[span]


def figures_of(visit: PageVisit, endpoints: Sequence[str], window_s: int) -> dict[str, Figures]:
    """Return what is measured of each endpoint, as far as some room measures it and the visitor may know."""
    found: dict[str, Figures] = {}
    for told in visit.panels("services.figures", endpoints=endpoints, window_s=window_s):
        found |= told
    return found


def panel_of(visit: PageVisit, slot: str, **what: Any) -> Panel | None:
    """Return what another room shows in a slot, or None."""
    found = visit.panels(slot, **what)
    return found[0] if found else None


def opened(visit: PageVisit, slug: str, tab: str) -> dict[str, Any]:
    """Return what every page of one service needs."""
    serving = visit.get(Serving)
    health = serving.get_status(visit.who, OneEndpoint(workspace=visit.workspace, endpoint=slug))
    one = serving.get_endpoint(visit.who, OneEndpoint(workspace=visit.workspace, endpoint=slug))
    here = f"endpoint:{slug}"
    return {
        "one": one,
        "health": health,
        "tab": tab,
        "main": main_of(one),
        "canary": canary_of(one),
        "at": f"/{visit.workspace}/services/{slug}",
        "address": f"{str(visit.request.base_url).rstrip('/')}/v2/models/{slug}/infer",
        "may_edit": visit.allows("serving.edit", here),
        "may_use": visit.allows("serving.use", here),
        "may_watch": visit.allows("monitoring.read", here),
    }


def main_of(one: Endpoint) -> Deployment | None:
    """Return the main deployment."""
    return next((d for d in one.deployments if d.is_main), None)


def canary_of(one: Endpoint) -> Deployment | None:
    """Return the deployment beside main that gets traffic or is about to."""
    others = [d for d in one.deployments if not d.is_main and d.state != "STOPPED"]
    return next((d for d in others if d.weight), others[0] if others else None)


def running_of(one: Endpoint) -> list[Deployment]:
    """Return the deployments that are not stopped, the main one first."""
    return sorted((d for d in one.deployments if d.state != "STOPPED"), key=lambda d: not d.is_main)
