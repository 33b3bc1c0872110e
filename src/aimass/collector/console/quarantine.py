"""The rows of a dataset that were put aside, and their way back in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Form, Query, Response

from aimass.collector.domain import ListQuarantine, MendedRow, OneCollection, Quarantined, ReplayQuarantine
from aimass.collector.service.collector import Collector
from aimass.kernel.errors import NotFound
from aimass.kernel.principal import SYSTEM
from aimass.lake import dataset_sheet
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/data/{dataset}/quarantine"
ROWS = 50
NEAR = 50


@router.get(PATH)
def quarantine(visit: Visit, dataset: str, offset: Annotated[int, Query(ge=0)] = 0) -> Response:
    """Which rows did not fit, why, and how do I get them in?"""
    sheet, found = dataset_sheet(visit, dataset, "quarantine"), Quarantined(total=0, rows=[])
    may_see = visit.allows("lake.use", f"dataset:{dataset}")
    if may_see:
        wish = ListQuarantine(workspace=visit.workspace, dataset=dataset, offset=offset, limit=ROWS)
        found = visit.get(Collector).list_quarantine(visit.who, wish)
    parts, more = {"quarantine": "collector/_quarantine.html"}, {"offset": offset, "step": ROWS, "may_see": may_see}
    runs = {run: _when(visit, run) for run in {one.run for one in found.rows}}
    return visit.render("collector/quarantine.html", parts=parts, sheet=sheet, found=found, runs=runs, **more)


def _when(visit: PageVisit, run: str) -> datetime | None:
    """Return when a collection was started; one that is gone has left no time."""
    try:
        wish = OneCollection(workspace=visit.workspace, collection=run)
        return visit.get(Collector).get_collection(SYSTEM, wish).created_at
    except NotFound:
        return None


@router.get(f"{PATH}/row")
def row(visit: Visit, dataset: str, id: str, at: Annotated[int, Query(ge=0)]) -> Response:  # noqa: A002 in the address
    """Show one row to be mended."""
    near = ListQuarantine(workspace=visit.workspace, dataset=dataset, offset=max(0, at - NEAR), limit=2 * NEAR)
    rows = visit.get(Collector).list_quarantine(visit.who, near).rows
    found = next((one for one in rows if one.id == id), None)
    if found is None:
        raise NotFound(visit.say("This row has left the quarantine"), value=id)
    home = f"/{visit.workspace}/data/{dataset}"
    return visit.render("collector/_mend.html", row=found, home=home)


@router.post(f"{PATH}/replay")
def replay(visit: Visit, dataset: str, row: Annotated[str, Form()] = "", raw: Annotated[str, Form()] = "") -> Response:
    """Read one mended row again, or all rows by the types of now."""
    rows = [MendedRow(id=row, raw=raw)] if row else []
    wish = ReplayQuarantine(workspace=visit.workspace, dataset=dataset, rows=rows)
    visit.get(Collector).replay_quarantine(visit.who, wish)
    return visit.done(visit.say("The rows are read again; those that fit now leave the quarantine"))
