"""The page that writes the configuration of an outer edge."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Response

from aimass.gateway.domain.edges import WriteEdge
from aimass.gateway.service import Gateway
from aimass.web import Visit, page_router

router = page_router()
PATH = "/{workspace}/operate/gateway/edge"


@router.get(PATH)
def edge(visit: Visit, wish: Annotated[WriteEdge, Depends()]) -> Response:
    """With which configuration does nginx, Caddy or Traefik stand in front of this gateway?"""
    found = visit.get(Gateway).write_edge(visit.who, wish)
    return visit.render("gateway/edge.html", parts={"edge": "gateway/_edge.html"}, tab="edge", wish=wish, found=found)
