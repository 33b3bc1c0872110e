"""Tabs of a service that other rooms fill: drift and quality, and inference records."""

from __future__ import annotations

from fastapi import Response

from aimass.kernel.errors import NotFound
from aimass.serving.console.service import revisions_of
from aimass.serving.console.shown import PATH, opened, panel_of
from aimass.web import Visit, page_router

router = page_router()
HEAD = {"service-head": "serving/_head.html"}


@router.get(f"{PATH}/drift")
def drift(visit: Visit, endpoint: str) -> Response:
    """Do the inputs still look like those of the training, and are the predictions still right?"""
    return _watched(visit, endpoint, "drift")


@router.get(f"{PATH}/records")
def records(visit: Visit, endpoint: str) -> Response:
    """What was asked and answered lately, and what became true?"""
    return _watched(visit, endpoint, "records")


@router.get(f"{PATH}/records/{{request}}")
def record(visit: Visit, endpoint: str, request: str) -> Response:
    """Which model, from whom, answered just this request, and why it?"""
    panel = panel_of(visit, "services.record", endpoint=endpoint, request=request)
    if panel is None:
        raise NotFound(f"there is no record of request {request!r}", field="request", value=request)
    by_id = {one.id: one for one in revisions_of(visit, endpoint)}
    answered = by_id.get(str(panel.context.get("revision", "")))
    shared = opened(visit, endpoint, "records")
    parts = {**HEAD, "panel": panel.template}
    return visit.render(
        "serving/record.html",
        parts=parts,
        **shared,
        panel=panel,
        answered=answered,
        **panel.context,
    )


def _watched(visit: Visit, endpoint: str, tab: str) -> Response:
    shared = opened(visit, endpoint, tab)
    panel = panel_of(visit, f"services.{tab}", endpoint=endpoint)
    if panel is None:
        visit.who.need("monitoring.read", visit.workspace, f"endpoint:{endpoint}")
        raise NotFound(f"nobody fills the tab {tab!r}", value=tab)
    parts = {**HEAD, "panel": panel.template}
    return visit.render("serving/watched.html", parts=parts, **shared, panel=panel, **panel.context)
