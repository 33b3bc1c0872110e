"""The versions of a dataset: what made each, what changed, and which are kept."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Form, Query, Response
from pydantic import BaseModel, Field

from aimass.lake.commands import ChangeVersion, CompareVersions, ListVersions, OneDataset
from aimass.lake.console.sheet import dataset_sheet
from aimass.lake.history import CompareRows, RevertVersion
from aimass.lake.service.lake import Lake
from aimass.web import Visit, page_router

router = page_router()
PATH = "/{workspace}/data/{dataset}/versions"
ROWS = 50


class Wanted(BaseModel):
    """What of the history is looked at."""

    version: int | None = Field(default=None, ge=1)
    base: int | None = Field(default=None, ge=1)
    head: int | None = Field(default=None, ge=1)
    offset: int = Field(default=0, ge=0)
    cursor: str | None = None


@router.get(PATH)
def versions(visit: Visit, dataset: str, wanted: Annotated[Wanted, Query()]) -> Response:
    """What happened to this data, when and by whom, and what is different now?"""
    lake, sheet = visit.get(Lake), dataset_sheet(visit, dataset, "versions", wanted.version)
    wish = ListVersions(workspace=visit.workspace, dataset=dataset, cursor=wanted.cursor)
    found, difference, moved = lake.list_versions(visit.who, wish), None, None
    if wanted.base is not None and wanted.head is not None:
        low, high = sorted((wanted.base, wanted.head))
        pair = CompareVersions(workspace=visit.workspace, dataset=dataset, base=low, head=high)
        difference = lake.compare_versions(visit.who, pair)
        rows = CompareRows(
            workspace=visit.workspace, dataset=dataset, base=low, head=high, offset=wanted.offset, limit=ROWS
        )
        moved = lake.compare_rows(visit.who, rows)
    parts = {"versions": "lake/_versions.html", "difference": "lake/_difference.html"}
    more: dict[str, Any] = {"may_compare": visit.allows("lake.use", f"dataset:{dataset}")}
    more["makers"] = {one.origin: visit.document(one.origin) for one in found.items}
    one = OneDataset(workspace=visit.workspace, dataset=dataset)
    more["branches"] = [] if sheet.dataset.parent else lake.list_branches(visit.who, one)
    more |= {"difference": difference, "moved": moved, "offset": wanted.offset, "step": ROWS}
    return visit.render("lake/versions.html", parts=parts, sheet=sheet, found=found, **more)


@router.post(f"{PATH}/{{number}}/revert")
def revert(visit: Visit, dataset: str, number: int) -> Response:
    """Make the rows of an earlier version the newest ones."""
    wish = RevertVersion(workspace=visit.workspace, dataset=dataset, number=number)
    made = visit.get(Lake).revert_version(visit.who, wish)
    text = visit.say("Version %(n)d has the rows of version %(old)d", n=made.number, old=number)
    return visit.go(f"/{visit.workspace}/data/{dataset}/versions", toast=text)


@router.post(f"{PATH}/{{number}}/tag")
def tag(visit: Visit, dataset: str, number: int, tag: Annotated[str, Form()] = "") -> Response:
    """Give a version a name, or take it away."""
    wish = ChangeVersion(workspace=visit.workspace, dataset=dataset, number=number, tag=tag.strip())
    visit.get(Lake).change_version(visit.who, wish)
    return visit.done(
        visit.say("Version %(n)d is tagged %(tag)s", n=number, tag=tag) if tag else visit.say("The tag is gone")
    )


@router.post(f"{PATH}/{{number}}/pin")
def pin(visit: Visit, dataset: str, number: int, pinned: Annotated[bool, Form()]) -> Response:
    """Keep a version whatever the retention says, or let it go with the others."""
    wish = ChangeVersion(workspace=visit.workspace, dataset=dataset, number=number, pinned=pinned)
    visit.get(Lake).change_version(visit.who, wish)
    text = (
        visit.say("Version %(n)d is kept", n=number)
        if pinned
        else visit.say("Version %(n)d goes with its age", n=number)
    )
    return visit.done(text)
