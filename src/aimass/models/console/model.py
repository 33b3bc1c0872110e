"""One model: its card, versions, evaluation, lineage, review, use and files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import Form, Response

from aimass.models.console.graphs import drawn
from aimass.models.console.shown import (
    Sheet,
    approval_obstacle,
    completeness,
    headline,
    history,
    newest_review,
    obstacle,
    opened,
)
from aimass.models.domain import ChangeModel, CompareVersions, ModelVersion, OneModel, OneVersion
from aimass.models.service.models import Models
from aimass.web import PageVisit, Visit, page_router

router = page_router()
PATH = "/{workspace}/models/{model}"
Tab = Literal["", "versions", "evaluation", "lineage", "reviews", "usage", "files"]
HEAD = {"model-head": "models/_head.html", "model-facts": "models/_facts.html"}


@router.get(PATH)
def model(visit: Visit, model: str, tab: Tab = "") -> Response:
    """Show a model by its champion, else by its newest version.

    The question: what is in production, how good is it, and may I trust it?
    """
    return _page(visit, opened(visit, model, None, tab))


@router.get(f"{PATH}/versions/{{number}}")
def version(visit: Visit, model: str, number: int, tab: Tab = "") -> Response:
    """Show one version.

    The question: what is this version, is it better than the champion, and is it approved?
    """
    return _page(visit, opened(visit, model, number, tab))


@router.post(f"{PATH}/settings")
def change(
    visit: Visit, model: str, name: Annotated[str, Form()], description: Annotated[str, Form()] = ""
) -> Response:
    """Change name and description."""
    wish = ChangeModel(workspace=visit.workspace, model=model, name=name, description=description)
    visit.get(Models).change_model(visit.who, wish)
    return visit.go(f"/{visit.workspace}/models/{model}", toast=visit.say("The model was changed"))


@router.delete(PATH)
def delete(visit: Visit, model: str) -> Response:
    """Delete a model with all its versions."""
    visit.get(Models).delete_model(visit.who, OneModel(workspace=visit.workspace, model=model))
    return visit.go(f"/{visit.workspace}/models", toast=visit.say("%(name)s was deleted", name=model))


def _page(visit: PageVisit, sheet: Sheet) -> Response:
    found = CONTENT[sheet.tab](visit, sheet) if sheet.version or sheet.tab in ("versions", "usage") else {}
    parts = {**HEAD, "review": "models/_review.html", "versions": "models/_versions.html"}
    name = sheet.tab or "card"
    review = newest_review(visit, sheet.version) if sheet.version else None
    shown = {"sheet": sheet, "headline": headline, "review": review, **found}
    return visit.render(f"models/{name}.html", parts=parts, **shown)


def _card(visit: PageVisit, sheet: Sheet) -> dict[str, Any]:
    card = visit.get(Models).get_card(visit.who, _one(sheet))
    done, total, missing = completeness(card)
    found: dict[str, Any] = {"card": card, "done": done, "total": total, "missing": missing}
    version = sheet.version
    found |= {
        "drawing": drawn(visit, version) if version else None,
        "obstacles": visit.get(Models).obstacles_of(version) if version else {},
    }
    return found


def _versions(visit: PageVisit, sheet: Sheet) -> dict[str, Any]:
    known = [(one.number, headline(one)) for one in reversed(sheet.versions)]
    sure = [(number, found) for number, found in known if found is not None and found.low is not None]
    name = sure[-1][1].name if sure else "AUC"
    sure = [(number, found) for number, found in sure if found.name == name]
    lines = ((name, "value", False), (visit.say("low"), "low", True), (visit.say("high"), "high", True))
    series = [
        {"name": said, "points": [[number, getattr(found, field)] for number, found in sure], "dashed": dashed}
        for said, field, dashed in lines
    ]
    chart = {"x": "step", "x_name": visit.say("version"), "series": series} if len(sure) > 1 else None
    return {"history": history(visit, sheet), "chart": chart, "metric": name}


def _evaluation(visit: PageVisit, sheet: Sheet) -> dict[str, Any]:
    panels = visit.panels("models.evaluation", version=sheet.version)
    rival = sheet.champion
    compared = None
    if rival is not None and sheet.version is not None and rival != sheet.version.number:
        wish = CompareVersions(
            workspace=visit.workspace, model=sheet.model.slug, first=rival, second=sheet.version.number
        )
        compared = visit.get(Models).compare_versions(visit.who, wish)
    return {"panels": panels, "compared": compared}


def _lineage(visit: PageVisit, sheet: Sheet) -> dict[str, Any]:
    facts = sheet.version.facts if sheet.version else None
    known = facts is not None and facts.dataset and facts.dataset_version
    where = {"dataset": facts.dataset, "number": facts.dataset_version} if facts is not None and known else None
    return {"graph": lineage_of(visit, sheet), "panels": visit.panels("models.lineage", **where) if where else []}


def _reviews(visit: PageVisit, sheet: Sheet) -> dict[str, Any]:
    review = newest_review(visit, sheet.version) if sheet.version else None
    if review is None:
        return {"obstacle": "", "approval_obstacle": ""}
    return {"obstacle": obstacle(visit, review), "approval_obstacle": approval_obstacle(visit, review)}


def _usage(visit: PageVisit, sheet: Sheet) -> dict[str, Any]:
    return {"panels": visit.panels("models.usage", model=sheet.model.slug)}


def _files(visit: PageVisit, sheet: Sheet) -> dict[str, Any]:
    return {"manifest": visit.get(Models).manifest(sheet.version)} if sheet.version else {}


CONTENT: dict[str, Callable[[PageVisit, Sheet], dict[str, Any]]] = {
    "": _card,
    "versions": _versions,
    "evaluation": _evaluation,
    "lineage": _lineage,
    "reviews": _reviews,
    "usage": _usage,
    "files": _files,
}


def _one(sheet: Sheet) -> OneVersion:
    number = sheet.version.number if sheet.version else 1
    return OneVersion(workspace=sheet.model.workspace, model=sheet.model.slug, number=number)


def lineage_of(visit: PageVisit, sheet: Sheet) -> dict[str, Any] | None:
    """Return the graph from the data of a version to the names it is served by."""
    version = sheet.version
    if version is None:
        return None
    facts, me = version.facts, f"v{version.number}"
    nodes, edges = [_node(me, visit.say("model version"), f"{version.model} v{version.number}", sheet.at)], []
    for step in facts.steps:
        there = f"/{version.workspace}/models/{step.model}/versions/{step.number}"
        nodes.append(_node(step.step, step.step, f"{step.model} v{step.number}", there))
        edges.append([step.step, me])
    nodes.append(_source(visit, version))
    edges.append(["source", me])
    if facts.dataset:
        known = visit.document(f"dataset:{facts.dataset}")
        nodes.append(
            _node(
                "data",
                visit.say("dataset version"),
                f"{facts.dataset} v{facts.dataset_version}",
                known.href if known else "",
            )
        )
        edges.append(["data", "source"])
    for alias in version.aliases:
        nodes.append(_node(f"alias-{alias}", visit.say("alias"), alias, f"{sheet.home}?tab=usage"))
        edges.append([me, f"alias-{alias}"])
    return {"focus": me, "nodes": nodes, "edges": edges}


def _node(id_: str, kind: str, title: str, href: str) -> dict[str, Any]:
    return {"id": id_, "kind": kind, "title": title, **({"href": href} if href else {})}


def _source(visit: PageVisit, version: ModelVersion) -> dict[str, Any]:
    """Return the node of what a version was made from."""
    if version.origin == "run" and (run := visit.document(f"run:{version.source}")) is not None:
        return _node("source", visit.say("run"), run.title, run.href)
    if version.origin == "zoo":
        return _node("source", visit.say("ready model"), version.source, f"/{version.workspace}/zoo/{version.source}")
    kind = visit.say("graph") if version.facts.steps else visit.say("upload")
    return _node("source", kind, version.source[:40], "")
