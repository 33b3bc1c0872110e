"""The list of datasets, the rows of one, and its profile."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Form, Query, Response

from aimass.lake.commands import AboutVersion, CreateDataset, ListDatasets, PreviewRows
from aimass.lake.console.sheet import dataset_sheet
from aimass.lake.domain import DatasetVersion
from aimass.lake.service.lake import Lake
from aimass.web import PageVisit, Visit, page_router

router = page_router()
ROWS = 50
COLUMNS = 60
CELLS_IN_A_MOMENT = 2_000_000
DATA = "/{workspace}/data"
Version = Annotated[int | None, Query(ge=1)]
LayerOrAll = Literal["", "landing", "bronze", "silver", "gold"]
Offset = Annotated[int, Query(ge=0)]


@router.get(DATA)
def datasets(visit: Visit, q: str = "", show: str = "", layer: LayerOrAll = "", cursor: str | None = None) -> Response:
    """Which data do we have, is it fresh, and can I trust it?"""
    wish = ListDatasets(
        workspace=visit.workspace, text=q or None, layer=layer or None, deleted=show == "deleted", cursor=cursor
    )
    found = visit.get(Lake).list_datasets(visit.who, wish)
    parts = {"datasets": "lake/_datasets.html"}
    return visit.render("lake/datasets.html", parts=parts, found=found, q=q, show=show, layer=layer)


@router.post(DATA)
def create(visit: Visit, name: Annotated[str, Form()], description: Annotated[str, Form()] = "") -> Response:
    """Create an empty dataset, then open it."""
    wish = CreateDataset(workspace=visit.workspace, name=name, description=description)
    made = visit.get(Lake).create_dataset(visit.who, wish)
    return visit.go(f"/{visit.workspace}/data/{made.slug}", toast=visit.say("%(name)s was created", name=made.name))


@router.get(f"{DATA}/{{dataset}}")
def preview(visit: Visit, dataset: str, version: Version = None, offset: Offset = 0) -> Response:
    """What is in this data, is its newest version good, and what do the rows look like?"""
    sheet, rows = dataset_sheet(visit, dataset, "", version), None
    if sheet.shown is not None and sheet.shown.collected_at is None:
        wish = PreviewRows(
            workspace=visit.workspace, dataset=dataset, number=sheet.shown.number, offset=offset, limit=ROWS
        )
        rows = visit.get(Lake).preview_rows(visit.who, wish)
    parts = {"rows": "lake/_rows.html"}
    return visit.render("lake/preview.html", parts=parts, sheet=sheet, rows=rows, offset=offset, step=ROWS)


@router.get(f"{DATA}/{{dataset}}/profile")
def profile(visit: Visit, dataset: str, version: Version = None, q: str = "", offset: Offset = 0) -> Response:
    """What does each column hold, how complete is it, and is there personal data in it?

    The first visitor waits for the profile: with the page where it is made in a moment, else with the page before him.
    """
    sheet, found = dataset_sheet(visit, dataset, "profile", version), list[dict[str, Any]]()
    state = _state(visit, sheet.shown)
    if sheet.shown is not None and state == "there":
        wish = AboutVersion(workspace=visit.workspace, dataset=dataset, number=sheet.shown.number)
        columns = visit.get(Lake).get_profile(visit.who, wish).columns
        found = [column for column in columns if q.lower() in column["name"].lower()]
    page, more = found[offset : offset + COLUMNS], {"total": len(found), "offset": offset, "step": COLUMNS, "q": q}
    more |= {"is_being_made": state == "being made"}
    return visit.render("lake/profile.html", parts={"columns": "lake/_columns.html"}, sheet=sheet, columns=page, **more)


def _state(visit: PageVisit, shown: DatasetVersion | None) -> Literal["there", "being made", "gone"]:
    """Tell whether the profile is there with the page, will be asked for by it, or cannot be made any more."""
    if shown is None:
        return "gone"
    if visit.get(Lake).is_profiled(shown):
        return "there"
    if shown.collected_at is not None:
        return "gone"
    is_soon = shown.rows * len(shown.columns) <= CELLS_IN_A_MOMENT
    return "there" if is_soon or visit.fills("columns") else "being made"
