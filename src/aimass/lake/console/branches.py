"""Branches of a dataset: make one, see what its merge would change, bring it back, delete it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Form, Query, Response

from aimass.lake.commands import OneDataset
from aimass.lake.console.sheet import dataset_sheet
from aimass.lake.history import CompareRows, CreateBranch, MergeBranch, OneBranch
from aimass.lake.service.lake import Lake
from aimass.web import Visit, page_router

router = page_router()
PATH = "/{workspace}/data/{dataset}/branches"
ROWS = 50


@router.post(PATH)
def create(
    visit: Visit,
    dataset: str,
    branch: Annotated[str, Form()],
    number: Annotated[int | None, Form(ge=1)] = None,
    description: Annotated[str, Form()] = "",
) -> Response:
    """Make a branch of a version, then open it."""
    wish = CreateBranch(
        workspace=visit.workspace, dataset=dataset, branch=branch.strip(), number=number, description=description
    )
    made = visit.get(Lake).create_branch(visit.who, wish)
    text = visit.say("Branch %(name)s begins with version %(n)d", name=made.branch, n=made.from_version)
    return visit.go(f"/{visit.workspace}/data/{made.dataset}", toast=text)


@router.get(f"{PATH}/{{branch}}")
def branch(visit: Visit, dataset: str, branch: str, offset: Annotated[int, Query(ge=0)] = 0) -> Response:
    """What has this branch changed, and what would a merge do to the dataset?"""
    lake, sheet = visit.get(Lake), dataset_sheet(visit, f"{dataset}@{branch}", "branch")
    one = OneBranch(workspace=visit.workspace, dataset=dataset, branch=branch)
    merge, moved = None, None
    if sheet.dataset.keys:
        merge = lake.preview_merge(visit.who, one)
    if sheet.shown is not None:
        where = OneDataset(workspace=visit.workspace, dataset=dataset)
        base = next(found.base for found in lake.list_branches(visit.who, where) if found.branch == branch)
        rows = CompareRows(workspace=visit.workspace, dataset=sheet.dataset.slug, base=base, offset=offset, limit=ROWS)
        moved = lake.compare_rows(visit.who, rows)
    return visit.render(
        "lake/branch.html", sheet=sheet, branch=branch, merge=merge, moved=moved, offset=offset, step=ROWS
    )


@router.post(f"{PATH}/{{branch}}/merge")
def merge(
    visit: Visit, dataset: str, branch: str, prefer: Annotated[Literal["", "branch", "dataset"], Form()] = ""
) -> Response:
    """Bring what the branch changed back into the dataset."""
    wish = MergeBranch(workspace=visit.workspace, dataset=dataset, branch=branch, prefer=prefer or None)
    done = visit.get(Lake).merge_branch(visit.who, wish)
    text = (
        visit.say("Nothing was left to merge")
        if done.version is None
        else visit.say("Version %(n)d holds what the branch changed", n=done.version)
    )
    return visit.go(f"/{visit.workspace}/data/{dataset}/versions", toast=text)


@router.delete(f"{PATH}/{{branch}}")
def delete(visit: Visit, dataset: str, branch: str) -> Response:
    """Delete a branch."""
    visit.get(Lake).delete_branch(visit.who, OneBranch(workspace=visit.workspace, dataset=dataset, branch=branch))
    text = visit.say("%(name)s was deleted; it can be restored for 30 days", name=f"{dataset}@{branch}")
    return visit.go(f"/{visit.workspace}/data/{dataset}/versions", toast=text)
