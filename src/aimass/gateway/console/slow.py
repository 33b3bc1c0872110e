"""The page of requests that took long, or failed."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import Query, Response
from pydantic import BaseModel

from aimass.gateway.domain.slow import ListSlow, Order
from aimass.gateway.service import Gateway
from aimass.web import Visit, page_router

router = page_router()
PATH = "/{workspace}/operate/gateway/slow"
SPANS = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7)}
_TRACE = re.compile(r"[0-9a-f]{32}")


class Wanted(BaseModel):
    """What the address of the page asks for; ``q`` is a consumer, or the id of a trace."""

    q: str = ""
    route: str = ""
    endpoint: str = ""
    least: Literal["", "1", "5", "30"] = ""
    outcome: Literal["", "slow", "failed"] = ""
    span: Literal["", "1h", "24h", "7d"] = ""
    order: Order = "newest"
    cursor: str | None = None

    @property
    def trace(self) -> str:
        """Return the trace that is looked for; empty when it is a consumer, or nothing."""
        return self.q.strip() if _TRACE.fullmatch(self.q.strip()) else ""

    @property
    def is_narrow(self) -> bool:
        """Tell whether something is left out."""
        return any((self.q, self.route, self.endpoint, self.least, self.outcome, self.span))


@router.get(PATH)
def slow(visit: Visit, wanted: Annotated[Wanted, Query()]) -> Response:
    """Which requests took too long or failed, to whom did they go, and where did the time go?"""
    trace = wanted.trace
    wish = ListSlow(
        workspace=visit.workspace,
        route=wanted.route or None,
        endpoint=wanted.endpoint or None,
        consumer=None if trace else wanted.q.strip() or None,
        trace=trace or None,
        least_s=float(wanted.least) if wanted.least else None,
        failed=wanted.outcome == "failed" if wanted.outcome else None,
        since=visit.console.setup.clock.now() - SPANS[wanted.span] if wanted.span else None,
        order=wanted.order,
        cursor=wanted.cursor,
    )
    gateway = visit.get(Gateway)
    found = gateway.list_slow_requests(visit.who, wish)
    return visit.render(
        "gateway/slow.html",
        parts={"slow": "gateway/_slow.html"},
        tab="slow",
        found=found.items,
        next=found.next,
        wanted=wanted,
        trace=trace,
        after_s=gateway.slow_after_s,
    )
