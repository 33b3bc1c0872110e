"""What fills the disk, and how long it is kept."""

from __future__ import annotations

from fastapi import Response

from aimass.apps.overview.service.overview import Overview
from aimass.web import Visit, page_router

router = page_router()


@router.get("/operate/storage")
def storage(visit: Visit) -> Response:
    """Show what the data directory holds.

    The question: what fills the disk, how long is it kept, and is there room left?
    """
    service = visit.get(Overview)
    uses = sorted(service.show_storage(visit.who), key=lambda use: use.size_bytes, reverse=True)
    total, free = service.disk_room(visit.who)
    parts = {"storage": "apps.overview/_storage.html"}
    return visit.render("apps.overview/storage.html", parts=parts, uses=uses, total=total, free=free)
