"""Graphs on pages: composing one, and the drawing of its steps."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Form, Response

from aimass.kernel.errors import Invalid
from aimass.models.domain import ComposeModel, ModelVersion
from aimass.models.errors import BrokenPackage
from aimass.models.runtimes.graph.declared import INPUT, Combined, Graph, ModelStep, Step
from aimass.models.runtimes.graph.wiring import sources
from aimass.models.service.models import Models
from aimass.web import PageVisit, Visit, page_router

router = page_router()
_OUTPUT = ">"


@router.post("/{workspace}/models/-/compose")
def compose(
    visit: Visit,
    model: Annotated[str, Form()],
    graph: Annotated[str, Form()],
    description: Annotated[str, Form()] = "",
) -> Response:
    """Compose approved versions into a graph, then show the job."""
    try:
        body = json.loads(graph)
    except ValueError as reason:
        raise Invalid(visit.say("The graph is no JSON"), field="graph") from reason
    wish = ComposeModel(workspace=visit.workspace, model=model, graph=body, description=description)
    job = visit.get(Models).compose(visit.who, wish)
    return visit.go(f"/{visit.workspace}/work/jobs/{job.id}", toast=visit.say("The graph is being composed"))


def drawn(visit: PageVisit, version: ModelVersion) -> dict[str, Any] | None:
    """Return the drawing of a graph: its inputs, its steps and what it answers; None for any other version."""
    try:
        graph = visit.get(Models).graph_of(version)
    except BrokenPackage:  # an upload may be anything: its review says what is wrong
        return None
    if graph is None:
        return None
    inputs = ", ".join(column.name for column in version.signature.inputs[:4])
    outputs = ", ".join(graph.outputs or {})
    nodes = [{"id": INPUT, "kind": visit.say("inputs"), "title": inputs}]
    nodes += [_node(visit, name, step) for name, step in graph.steps.items()]
    nodes.append({"id": _OUTPUT, "kind": visit.say("outputs"), "title": outputs})
    return {"focus": _OUTPUT, "nodes": nodes, "edges": _edges(graph)}


def _edges(graph: Graph) -> list[list[str]]:
    edges = [[source, name] for name, step in graph.steps.items() for source in dict.fromkeys(sources(step))]
    ends = dict.fromkeys(wire.step for wire in (graph.outputs or {}).values())
    return [*edges, *([end, _OUTPUT] for end in ends)]


def _node(visit: PageVisit, name: str, step: Step) -> dict[str, Any]:
    if isinstance(step, ModelStep):
        model, _, number = step.reference.partition("@")
        href = f"/{visit.workspace}/models/{model}/versions/{number}"
        return {"id": name, "kind": name, "title": f"{model} v{number}", "href": href}
    if isinstance(step, Combined):
        words = {"mean": visit.say("mean"), "vote": visit.say("vote")}
        return {"id": name, "kind": name, "title": words[step.how]}
    return {"id": name, "kind": name, "title": visit.say("switch on %(name)s", name=step.on.name)}
