"""What fills the disk, how long it is kept, what goes for good and when, and collections."""

from __future__ import annotations

from typing import Literal

from fastapi import Response

from aimass.apps.storage.domain import CollectNow, ListCollections, ListGoing
from aimass.apps.storage.service.storage import Storage
from aimass.kernel.principal import ANYWHERE
from aimass.web import PageVisit, Panel, Visit, page_router

router = page_router()
PATH = "/operate/storage"
MOST = 200
PARTS = {"storage": "apps.storage/_storage.html", "storage-strip": "apps.storage/_strip.html"}


@router.get(PATH)
def storage(visit: Visit, tab: Literal["", "going", "collections"] = "", cursor: str | None = None) -> Response:
    """Show what the disk holds.

    The question: what fills the disk, how long is it kept, and is there room left?
    """
    service = visit.get(Storage)
    visit.who.need("storage.read", ANYWHERE)
    if visit.request.headers.get("HX-Target", "").endswith("#storage-strip"):
        return visit.render("apps.storage/storage.html", parts=PARTS, report=service.storage_lately(visit.who))
    going = service.list_going(visit.who, ListGoing(limit=MOST))
    more: dict[str, object] = {}
    if tab == "collections":
        more = {"collections": service.list_collections(visit.who, ListCollections(cursor=cursor))}
    return visit.render(
        "apps.storage/storage.html",
        parts=PARTS,
        report=service.show_storage(visit.who),
        going=going,
        now=visit.console.setup.clock.now(),
        tab=tab,
        may_collect=visit.who.allows("storage.manage", ANYWHERE),
        **more,
    )


@router.post(f"{PATH}/collections")
def collect(visit: Visit) -> Response:
    """Remove for good what has had its time."""
    done = visit.get(Storage).collect_now(visit.who, CollectNow())
    size = visit.say("%(n)d things went, %(size)s are free", n=done.things, size=_megabytes(done.size_bytes))
    return visit.done(size if done.things else visit.say("Nothing was due"))


def _megabytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


def strip(visit: PageVisit) -> Panel | None:
    """Show on the start page what takes most room; it is asked for when the page stands, because the disk takes a while."""
    if not visit.who.allows("storage.read", ANYWHERE):
        return None
    return Panel(template="apps.storage/_strip.html", context={})
