"""SQL over the datasets of a workspace."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import Form, Query, Response

from aimass.kernel.errors import NotFound
from aimass.kernel.names import slug_of
from aimass.lake.commands import CreateDataset, ListDatasets, MakeVersion, OneDataset, QueryRows
from aimass.lake.console.sheet import dataset_sheet
from aimass.lake.service.lake import Lake
from aimass.web import Visit, page_router

router = page_router()
PATH = "/{workspace}/data/{dataset}/query"
SHOWN = 200
MOST = 100


@router.get(PATH)
def query(visit: Visit, dataset: str, version: Annotated[int | None, Query(ge=1)] = None, sql: str = "") -> Response:
    """What is the answer to a question of my own about this data?"""
    sheet = dataset_sheet(visit, dataset, "query", version)
    listed = visit.get(Lake).list_datasets(visit.who, ListDatasets(workspace=visit.workspace, limit=MOST)).items
    may_query = visit.allows("lake.use", f"dataset:{dataset}")
    text = sql or f'SELECT *\nFROM "{dataset}"\nLIMIT 20'
    others = [one for one in listed if one.latest is not None]
    return visit.render("lake/query.html", sheet=sheet, sql=text, others=others, may_query=may_query)


@router.post(PATH)
def run(visit: Visit, dataset: str, sql: Annotated[str, Form()]) -> Response:
    """Run the statement, and show the rows it gives."""
    began = time.monotonic()
    found = visit.get(Lake).query(visit.who, QueryRows(workspace=visit.workspace, sql=sql, limit=SHOWN), via="console")
    took = time.monotonic() - began
    return visit.render("lake/_answer.html", found=found, took=took, sql=sql, dataset=dataset)


@router.post(f"{PATH}/keep")
def keep(visit: Visit, dataset: str, sql: Annotated[str, Form()], into: Annotated[str, Form()]) -> Response:
    """Make the answer a new version of a dataset, as a job."""
    lake = visit.get(Lake)
    where: dict[str, Any] = {"workspace": visit.workspace}
    slug = slug_of(into)
    try:
        lake.get_dataset(visit.who, OneDataset(**where, dataset=slug))
    except NotFound:
        text = visit.say("Made by SQL from %(name)s", name=dataset)
        lake.create_dataset(visit.who, CreateDataset(**where, name=into, slug=slug, description=text, layer="silver"))
    job = lake.make_version(visit.who, MakeVersion(**where, dataset=slug, sql=sql))
    return visit.go(
        f"/{visit.workspace}/data/{slug}/versions", toast=visit.say("%(title)s has started", title=job.title)
    )
