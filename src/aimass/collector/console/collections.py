"""One collection: its progress, and how it ended."""

from __future__ import annotations

from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse

from aimass.access import Access
from aimass.cluster import GetJobLog, Jobs
from aimass.collector.domain import (
    Collection,
    CollectionState,
    ListCollections,
    OneCollection,
    StartCollection,
    time_left,
)
from aimass.collector.service.collector import Collector
from aimass.kernel.errors import NotFound
from aimass.kernel.principal import SYSTEM
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/collections/{collection}"
LEVELS = ("DEBUG", "WARNING", "ERROR")
STAGES = ("scan", "load", "describe")


@router.get("/{workspace}/collections")
def collections(visit: Visit, q: str = "", state: CollectionState | None = None, cursor: str | None = None) -> Response:
    """What came in lately, and did anything fail?"""
    wish = ListCollections(workspace=visit.workspace, source=q or None, state=state, cursor=cursor)
    found = visit.get(Collector).list_collections(visit.who, wish)
    parts = {"collections": "collector/_collections.html"}
    more = {"q": q, "state": state or "", "dataset": ""}
    return visit.render(
        "collector/collections.html", parts=parts, recent=found.items, next=found.next, with_source=True, **more
    )


@router.get(PATH)
def collection(visit: Visit, collection: str) -> Response:
    """Did my file arrive, how much of it, and if not, why?"""
    found = _found(visit, collection)
    by = visit.get(Access).names_of([found.created_by]).get(found.created_by, found.created_by)
    progress = visit.get(Jobs).job(visit.workspace, found.job).progress if found.job else None
    parts = {"collection": "collector/_collection.html"}
    more = {
        "stages": _stages(found, progress),
        "is_kept": visit.get(Collector).has_upload(visit.workspace, found.upload),
        "left_s": None,
    }
    if found.state == "RUNNING" and progress:
        took = visit.console.setup.clock.now() - found.created_at
        more["left_s"] = time_left(progress.fraction, took.total_seconds())
    return visit.render("collector/collection.html", parts=parts, found=found, by=by, progress=progress, **more)


@router.get(f"{PATH}/log", response_class=JSONResponse)
def log(visit: Visit, collection: str, after: int = 0) -> dict[str, Any]:
    """Return the lines of its log after a number."""
    found = _found(visit, collection)
    if found.job is None:
        raise NotFound("this collection has no job", value=collection)
    told = visit.get(Jobs).get_job_log(SYSTEM, GetJobLog(workspace=visit.workspace, job=found.job, after=after))
    lines = [_line(line.number, line.time, line.text) for line in told.lines]
    return {"lines": lines, "done": told.is_complete}


@router.post(f"{PATH}/cancel")
def cancel(visit: Visit, collection: str) -> Response:
    """Stop it; nothing of it is stored."""
    visit.get(Collector).cancel_collection(visit.who, OneCollection(workspace=visit.workspace, collection=collection))
    return visit.done(visit.say("The collection stops; nothing of it is stored"))


@router.post(f"{PATH}/again")
def again(visit: Visit, collection: str) -> Response:
    """Collect the same file once more."""
    found = _found(visit, collection)
    wish = StartCollection(workspace=visit.workspace, source=found.source, upload=found.upload, filename=found.filename)
    started = visit.get(Collector).start_collection(visit.who, wish)
    return visit.go(f"/{visit.workspace}/collections/{started.id}")


def _line(number: int, time: str, whole: str) -> dict[str, Any]:
    level, _, text = whole.partition(": ")
    if level not in LEVELS:
        return {"n": number, "at": time, "level": "info", "text": whole}
    return {"n": number, "at": time, "level": level.lower(), "text": text}


def _found(visit: PageVisit, collection: str) -> Collection:
    wish = OneCollection(workspace=visit.workspace, collection=collection)
    return visit.get(Collector).get_collection(visit.who, wish)


def _stages(found: Collection, progress: Any) -> list[tuple[str, str]]:
    """Return the stages with their states."""
    if found.state == "SUCCEEDED":
        return [(stage, "done") for stage in STAGES]
    stage = progress.stage if progress else ""
    now = STAGES.index(stage) if stage in STAGES else 0
    state = {"FAILED": "failed", "CANCELLED": "failed"}.get(found.state, "now")
    return [(name, "done" if n < now else state if n == now else "open") for n, name in enumerate(STAGES)]
