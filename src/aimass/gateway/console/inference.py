"""Pages of the gateway: its workers and routes, and who calls."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Form, Response

from aimass.gateway.domain.inference import MAX_RATE, ListConsumers, ListModelRoutes, SetRateLimit
from aimass.gateway.service import Gateway
from aimass.kernel.errors import Invalid
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/operate/gateway"
WINDOW_S = 3_600
MOST = 200


@router.get(PATH)
def gateway(visit: Visit, cursor: str | None = None) -> Response:
    """Does every gateway worker serve by the newest snapshot, and which addresses answer here?"""
    service = visit.get(Gateway)
    routes = service.list_model_routes(visit.who, ListModelRoutes(workspace=visit.workspace, cursor=cursor))
    return visit.render(
        "gateway/gateway.html",
        parts={"gateway": "gateway/_gateway.html"},
        tab="gateway",
        state=service.get_gateway(visit.who),
        routes=routes.items,
        next=routes.next,
    )


@router.get(f"{PATH}/consumers")
def consumers(visit: Visit, q: str = "", cursor: str | None = None) -> Response:
    """Who calls us, how much, and is anybody over his limit?"""
    wish = ListConsumers(workspace=visit.workspace, limit=MOST, cursor=cursor)
    page = visit.get(Gateway).list_consumers(visit.who, wish)
    sent = _sent(visit)
    shown = [(one, sent.get(one.name)) for one in page.items if q.casefold() in one.name.casefold()]
    return visit.render(
        "gateway/consumers.html",
        parts={"consumers": "gateway/_consumers.html"},
        tab="consumers",
        found=shown,
        next=page.next,
        now_s=visit.console.setup.clock.now().timestamp(),
        q=q,
    )


@router.post(f"{PATH}/consumers/{{consumer}}/rate")
def limit(
    visit: Visit, consumer: str, rate_per_s: Annotated[str, Form()] = "", version: Annotated[int | None, Form()] = None
) -> Response:
    """Limit a consumer, or take the limit away."""
    rate = _rate(rate_per_s)
    wish = SetRateLimit(workspace=visit.workspace, consumer=consumer, rate_per_s=rate, expected_version=version)
    visit.get(Gateway).set_rate_limit(visit.who, wish)
    if rate is None:
        return visit.done(visit.say("%(name)s has no limit any more", name=consumer))
    return visit.done(visit.say("%(name)s may send %(rate)s requests a second", name=consumer, rate=f"{rate:g}"))


def _sent(visit: PageVisit) -> dict[str, Any]:
    """Return what is measured of each consumer, as far as some room measures it."""
    found: dict[str, Any] = {}
    for told in visit.panels("gateway.consumers", window_s=WINDOW_S):
        found |= told
    return found


def _rate(text: str) -> float | None:
    """Read a rate; nothing means no limit.

    Examples
    --------
    >>> _rate("2.5"), _rate("")
    (2.5, None)
    """
    if not text.strip():
        return None
    try:
        rate = float(text)
    except ValueError as reason:
        raise Invalid(f"{text!r} is no number", field="rate_per_s", value=text) from reason
    if not 0 < rate <= MAX_RATE:
        raise Invalid(f"{text!r} is no rate", field="rate_per_s", value=text, allowed=f"above 0, at most {MAX_RATE:g}")
    return rate
