"""Where a thing came from, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

from fastapi import Response

from aimass.apps.overview.console.naming import name_of
from aimass.apps.overview.domain import InWorkspace, Lineage, LineageNode, TraceLineage
from aimass.apps.overview.service.overview import Overview
from aimass.web import PageVisit, Visit, page_router

router = page_router()
HOPS = (1, 2, 4, 8)
MOST_NODES, OFFERED = 300, 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A node with its title, its page, and its own lineage."""

    node: LineageNode
    key: str
    title: str
    page: str
    lineage: str


@router.get("/{workspace}/lineage")
def lineage(visit: Visit, kind: str = "", id: str = "", hops: int = 4, q: str = "") -> Response:  # noqa: A002 the name in the address
    """Show the lineage around one thing, or what there is to begin with.

    The question: where did this come from, and what came of it?
    """
    service = visit.get(Overview)
    if not (kind and id):
        return _start(visit, kind, q)
    wish = TraceLineage(workspace=visit.workspace, kind=kind, id=id, hops=min(max(hops, 1), HOPS[-1]))
    found = service.trace_lineage(visit.who, wish)
    nodes = [shown(visit, node) for node in found.nodes[:MOST_NODES]]
    focus = next(one for one in nodes if one.node.level == 0)
    words = {one.node.kind: kind_words(visit, one.node.kind) for one in nodes}
    picture = graph(nodes, found, focus, words)
    more = {"left_out": len(found.nodes) - len(nodes), "all_hops": HOPS, "words": words}
    return visit.render("apps.overview/lineage.html", nodes=nodes, focus=focus, graph=picture, hops=wish.hops, **more)


def _start(visit: PageVisit, kind: str, q: str) -> Response:
    """Offer the newest things of a kind and a name to begin with."""
    newest = visit.get(Overview).newest_lineage(visit.who, InWorkspace(workspace=visit.workspace))
    words = {node.kind: kind_words(visit, node.kind) for node in newest}
    wanted = (shown(visit, node) for node in newest if kind in ("", node.kind))
    nodes = [*islice((one for one in wanted if q.casefold() in one.title.casefold()), OFFERED)]
    kinds, parts = sorted(words.items(), key=lambda pair: pair[1]), {"begin": "apps.overview/_lineage_start.html"}
    return visit.render(
        "apps.overview/lineage_start.html", parts=parts, offered=nodes, words=words, kinds=kinds, kind=kind, q=q
    )


def shown(visit: PageVisit, node: LineageNode) -> Shown:
    """Name a node, and find its page."""
    title, page = name_of(visit, node.kind, node.id)
    return Shown(
        node=node,
        key=f"{node.kind}:{node.id}",
        title=title,
        page=page,
        lineage=f"/{visit.workspace}/lineage?kind={node.kind}&id={node.id}",
    )


def graph(nodes: list[Shown], found: Lineage, focus: Shown, words: dict[str, str]) -> dict[str, Any]:
    """Return the data of the picture; a click opens the lineage of a node."""
    return {
        "focus": focus.key,
        "nodes": [
            {"id": one.key, "kind": words[one.node.kind], "title": one.title, "href": one.lineage} for one in nodes
        ],
        "edges": sorted({(edge.source, edge.target) for edge in found.edges}),
    }


def kind_words(visit: PageVisit, kind: str) -> str:
    """Return a kind of object in words."""
    known = {
        "auto": visit.say("automatic training"),
        "collection": visit.say("collection"),
        "dataset": visit.say("dataset"),
        "dataset_version": visit.say("dataset version"),
        "endpoint": visit.say("endpoint"),
        "feature_view": visit.say("feature view"),
        "learner": visit.say("learner"),
        "model": visit.say("model"),
        "model_version": visit.say("model version"),
        "revision": visit.say("revision"),
        "run": visit.say("run"),
        "source": visit.say("source"),
        "split": visit.say("split"),
        "study": visit.say("study"),
    }
    return known.get(kind, kind.replace("_", " "))
