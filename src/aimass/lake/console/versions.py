"""The versions of a dataset: what made each, what changed, and which are kept."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Form, Query, Response

from aimass.lake.commands import ChangeVersion, CompareVersions, ListVersions
from aimass.lake.console.sheet import dataset_sheet
from aimass.lake.service.lake import Lake
from aimass.web import Visit, page_router

router = page_router()
PATH = "/{workspace}/data/{dataset}/versions"
Number = Annotated[int | None, Query(ge=1)]


@router.get(PATH)
def versions(
    visit: Visit,
    dataset: str,
    version: Number = None,
    base: Number = None,
    head: Number = None,
    cursor: str | None = None,
) -> Response:
    """What happened to this data, when and by whom, and what is different now?"""
    lake, sheet = visit.get(Lake), dataset_sheet(visit, dataset, "versions", version)
    wish = ListVersions(workspace=visit.workspace, dataset=dataset, cursor=cursor)
    found, difference = lake.list_versions(visit.who, wish), None
    if base is not None and head is not None:
        low, high = sorted((base, head))
        wanted = CompareVersions(workspace=visit.workspace, dataset=dataset, base=low, head=high)
        difference = lake.compare_versions(visit.who, wanted)
    parts = {"versions": "lake/_versions.html", "difference": "lake/_difference.html"}
    more: dict[str, Any] = {"may_compare": visit.allows("lake.use", f"dataset:{dataset}")}
    more["makers"] = {one.origin: visit.document(one.origin) for one in found.items}
    return visit.render("lake/versions.html", parts=parts, sheet=sheet, found=found, difference=difference, **more)


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
