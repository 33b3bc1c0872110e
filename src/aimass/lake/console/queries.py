"""SQL over the datasets of a workspace: the page of queries, and the tab of a dataset."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from shutil import rmtree
from typing import Annotated, Any

import orjson
from fastapi import Form, Query, Response
from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from aimass.infra.compute import Stop
from aimass.kernel.errors import Invalid, NotFound
from aimass.kernel.ids import new_id
from aimass.kernel.names import slug_of
from aimass.lake.asking import FileFormat, FileQuery, ListQueryRuns, OneQuery
from aimass.lake.commands import (
    AboutVersion,
    CreateDataset,
    ListDatasets,
    MakeVersion,
    OneDataset,
    OneWorkspace,
    QueryRows,
)
from aimass.lake.console.sheet import dataset_sheet
from aimass.lake.saved import DeleteSavedQuery, ListSavedQueries, OneSavedQuery, SaveQuery
from aimass.lake.service.lake import Lake
from aimass.web import PageVisit, Visit, page_router, while_waiting

router = page_router()
HOME = "/{workspace}/queries"
PATH = "/{workspace}/data/{dataset}/query"
SHOWN = 1000
MOST = 100
PARTS = {"asked": "lake/_asked.html"}
Text = Annotated[str, Form()]


@router.get(HOME)
def queries(visit: Visit, saved: str = "", everybody: bool = False) -> Response:
    """What do our data answer, which questions did we keep, and what was asked before?"""
    lake, where = visit.get(Lake), visit.workspace
    may_query, sees_all = visit.allows("lake.use"), visit.allows("lake.manage")
    asked: dict[str, Any] = {"running": [], "runs": [], "kept": [], "everybody": everybody and sees_all}
    chosen = None
    if may_query:
        wish = ListQueryRuns(workspace=where, everybody=everybody and sees_all, limit=20)
        asked["runs"] = lake.list_query_runs(visit.who, wish).items
        asked["running"] = lake.list_running_queries(visit.who, OneWorkspace(workspace=where))
        asked["kept"] = lake.list_saved_queries(visit.who, ListSavedQueries(workspace=where, limit=MOST)).items
        one = OneSavedQuery(workspace=where, saved_query=saved)
        chosen = lake.get_saved_query(visit.who, one) if saved else None
    listed = lake.list_datasets(visit.who, ListDatasets(workspace=where, limit=MOST)).items
    datasets = [one for one in listed if one.latest is not None]
    sql = chosen.sql if chosen else (f'SELECT *\nFROM "{datasets[0].slug}"\nLIMIT 20' if datasets else "")
    given = orjson.dumps(chosen.parameters).decode() if chosen and chosen.parameters else ""
    more = {
        "may_query": may_query,
        "sees_all": sees_all,
        "my_id": visit.who.id,
        "days": lake.history_days,
        "datasets": datasets,
        "sql": sql,
        "given": given,
    }
    return visit.render("lake/queries.html", parts=PARTS, tag=new_id(), chosen=chosen, **asked, **more)


@router.get(f"{HOME}/-/columns/{{dataset}}")
def columns(visit: Visit, dataset: str) -> Response:
    """Show the columns of a dataset, to put them into a statement."""
    found = visit.get(Lake).get_version(visit.who, AboutVersion(workspace=visit.workspace, dataset=dataset))
    return visit.render("lake/_query_columns.html", columns=found.columns)


@router.post(f"{HOME}/-/run")
async def run_here(visit: Visit, sql: Text, tag: Text = "", parameters: Text = "") -> Response:
    """Run the statement, and show the rows it gives; it ends when the page is left."""
    stop = Stop()
    return await while_waiting(
        visit.request, stop.stop, lambda: _answer(visit, sql, values_of(parameters), stop=stop, tag=tag)
    )


@router.post(f"{HOME}/-/cancel")
def cancel(visit: Visit, tag: Text = "", query: Text = "") -> Response:
    """Stop a query that runs: by its id, or the one of this page."""
    lake, where = visit.get(Lake), OneWorkspace(workspace=visit.workspace)
    running = lake.list_running_queries(visit.who, where)
    found = [one.id for one in running if one.id == query or (tag and one.tag == tag and one.by == visit.who.id)]
    for id_ in found:
        lake.cancel_query(visit.who, OneQuery(workspace=visit.workspace, query=id_))
    return visit.done(visit.say("The query was cancelled") if found else visit.say("No query runs any more"))


@router.post(f"{HOME}/-/file")
async def download(
    visit: Visit, sql: Text, file_format: Annotated[FileFormat, Form()] = "csv", parameters: Text = ""
) -> Response:
    """Give the whole answer as a file."""
    stop = Stop()
    wish = FileQuery(workspace=visit.workspace, sql=sql, format=file_format, parameters=values_of(parameters))
    return await while_waiting(visit.request, stop.stop, lambda: _file(visit, wish, stop))


@router.post(f"{HOME}/-/keep")
def keep_answer(visit: Visit, sql: Text, into: Text) -> Response:
    """Make the answer a new version of a dataset, as a job."""
    return _kept(visit, sql, into, visit.say("Made by SQL"))


@router.post(f"{HOME}/-/save")
def save(
    visit: Visit,
    name: Text,
    sql: Text,
    description: Text = "",
    parameters: Text = "",
    shared: Annotated[bool, Form()] = False,
) -> Response:
    """Keep the statement under a name."""
    values = values_of(parameters)
    wish = SaveQuery(
        workspace=visit.workspace, name=name, sql=sql, description=description, parameters=values, shared=shared
    )
    made = visit.get(Lake).save_query(visit.who, wish)
    return visit.go(
        f"/{visit.workspace}/queries?saved={made.slug}", toast=visit.say("%(name)s was saved", name=made.name)
    )


@router.delete(f"{HOME}/{{saved}}")
def delete(visit: Visit, saved: str) -> Response:
    """Delete a saved query."""
    visit.get(Lake).delete_saved_query(visit.who, DeleteSavedQuery(workspace=visit.workspace, saved_query=saved))
    return visit.done(visit.say("%(name)s was deleted", name=saved))


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
async def run(visit: Visit, dataset: str, sql: Text) -> Response:
    """Run the statement, and show the rows it gives; it ends when the page is left."""
    stop = Stop()
    return await while_waiting(visit.request, stop.stop, lambda: _answer(visit, sql, {}, stop=stop, dataset=dataset))


@router.post(f"{PATH}/keep")
def keep(visit: Visit, dataset: str, sql: Text, into: Text) -> Response:
    """Make the answer a new version of a dataset, as a job."""
    return _kept(visit, sql, into, visit.say("Made by SQL from %(name)s", name=dataset))


def _answer(
    visit: PageVisit, sql: str, parameters: dict[str, Any], *, stop: Stop, tag: str = "", dataset: str = ""
) -> Response:
    began = time.monotonic()
    limits = {"limit": SHOWN, "timeout_s": 300.0}
    wish = QueryRows(workspace=visit.workspace, sql=sql, parameters=parameters, **limits)
    found = visit.get(Lake).query(visit.who, wish, stop=stop, via="console", tag=tag)
    took = time.monotonic() - began
    at = f"data/{dataset}/query" if dataset else "queries/-"
    answer = visit.render("lake/_answer.html", found=found, took=took, sql=sql, keep_at=f"{at}/keep")
    answer.headers["HX-Trigger"] = '{"refresh": {}}'
    return answer


def _file(visit: PageVisit, wish: FileQuery, stop: Stop) -> Response:
    folder = Path(tempfile.mkdtemp(prefix="aimass-export-"))
    try:
        path = visit.get(Lake).query_file(visit.who, wish, folder / f"answer.{wish.format}", stop=stop)
    except BaseException:
        rmtree(folder, ignore_errors=True)
        raise
    gone = BackgroundTask(rmtree, folder, ignore_errors=True)
    return FileResponse(path, media_type="application/octet-stream", filename=path.name, background=gone)


def _kept(visit: PageVisit, sql: str, into: str, description: str) -> Response:
    lake = visit.get(Lake)
    where: dict[str, Any] = {"workspace": visit.workspace}
    slug = slug_of(into)
    try:
        lake.get_dataset(visit.who, OneDataset(**where, dataset=slug))
    except NotFound:
        wish = CreateDataset(**where, name=into, slug=slug, description=description, layer="silver")
        lake.create_dataset(visit.who, wish)
    job = lake.make_version(visit.who, MakeVersion(**where, dataset=slug, sql=sql))
    return visit.go(
        f"/{visit.workspace}/data/{slug}/versions", toast=visit.say("%(title)s has started", title=job.title)
    )


def values_of(text: str) -> dict[str, Any]:
    """Return the values that somebody wrote as JSON."""
    try:
        values = orjson.loads(text) if text.strip() else {}
    except orjson.JSONDecodeError as reason:
        raise Invalid(f"the values are no JSON: {reason}", field="parameters", value=text[:200]) from reason
    if not isinstance(values, dict):
        raise Invalid("values have names", field="parameters", value=text[:200], allowed='{"name": value}')
    return values
