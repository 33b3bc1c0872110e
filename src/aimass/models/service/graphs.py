"""Graphs: approved versions composed into one, which is only as approved as its steps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from aimass.cluster import Job, SubmitJob
from aimass.infra.database import Change
from aimass.kernel.errors import Invalid
from aimass.kernel.ids import new_id
from aimass.kernel.names import check_slug
from aimass.kernel.principal import Grant, Principal
from aimass.kernel.usecase import use_case
from aimass.models.domain import (
    COMPOSE,
    Check,
    ComposeModel,
    Facts,
    ModelVersion,
    Registration,
    StepVersion,
)
from aimass.models.errors import BrokenGraph
from aimass.models.events import QUARANTINED
from aimass.models.package import read_package
from aimass.models.runtimes.graph.declared import Graph, parse_graph
from aimass.models.runtimes.graph.nested import nested_graph, read_graph
from aimass.models.runtimes.graph.wiring import Plan, plan_of
from aimass.models.service.ground import one
from aimass.models.service.versions import Versions
from aimass.models.store import graphs_with, newest_review, put_review, put_version, reviews_of

STEPS = "steps"
_MOST_ROWS = 200


class Graphs(Versions):
    """Several versions that answer as one."""

    @use_case(
        "POST /workspaces/{workspace}/models/{model}/compose",
        permission="models.edit",
        cli="models compose",
        on="model",
        status=202,
        progress="cluster.get_job",
    )
    def compose(self, who: Principal, command: ComposeModel) -> Job:
        """Compose approved versions into a graph: a job builds its package, registers it, and lets it be reviewed."""
        slug = check_slug(command.model, field="model")
        graph, steps = self._pinned(who, command.workspace, parse_graph(command.graph))
        signatures = {name: version.signature for name, version in steps.items()}
        plan = plan_of(graph, signatures)
        payload: dict[str, Any] = {
            "graph": json.dumps(plan.graph.plain()),
            "packages": {name: str(self._packages.folder(version.digest)) for name, version in steps.items()},
            "steps": [_said(name, version) for name, version in steps.items()],
            "rows": _rows(plan, command.rows),
            "environments": str(self._ground.environments),
            "description": command.description,
            "author": {"id": who.id, "name": who.name, "kind": who.kind},
        }
        wish = SubmitJob(
            workspace=command.workspace,
            kind=COMPOSE,
            title=f"Compose {slug} from {len(steps)} versions",
            payload=payload,
            key=f"compose:{slug}:{command.key or new_id()}",
            subject=f"model:{slug}",
        )
        return self._ground.jobs.submit(who, wish)

    def _pinned(self, who: Principal, workspace: str, graph: Graph) -> tuple[Graph, dict[str, ModelVersion]]:
        """Look up what the references of a graph stand for now."""
        steps, found = dict(graph.steps), dict[str, ModelVersion]()
        for name, step in graph.models.items():
            model, _, reference = step.reference.partition("@")
            who.need("models.read", workspace, f"model:{model}")
            version, _ = self.servable(workspace, model, reference)
            if version.runtime == "graph":
                raise nested_graph(name)
            found[name] = version
            steps[name] = replace(step, reference=f"{model}@{version.number}", digest=version.digest)
        if not found:
            raise BrokenGraph("a graph needs a model among its steps", field="graph.steps", value=sorted(steps))
        return replace(graph, steps=steps), found

    def composed(self, job: Job, folder: Path) -> ModelVersion:
        """Register the package that a job composed, and let it be reviewed; repeating it changes nothing."""
        package, payload = self.keep_package(folder), job.payload
        who = _author(payload["author"], job.workspace)
        steps = tuple(StepVersion(**step) for step in payload["steps"])
        wish = Registration(
            workspace=job.workspace,
            model=job.subject.removeprefix("model:"),
            digest=package.digest,
            origin="graph",
            source=job.id,
            key=f"graph:{job.id}",
            description=payload["description"],
            facts=Facts(steps=steps),
        )
        return self.register(who, wish)

    def obstacles_of(self, version: ModelVersion) -> dict[str, str]:
        """Return what keeps each step of a graph from being approved; empty where nothing does."""
        with self._database.read() as conn:
            return obstacles(conn, version)

    def graph_of(self, version: ModelVersion) -> Graph | None:
        """Return the graph of a version, for pages that checked the right; None where it is none."""
        if version.runtime != "graph":
            return None
        return read_graph(read_package(self._packages.folder(version.digest)))


def _said(name: str, version: ModelVersion) -> dict[str, Any]:
    return {
        "step": name,
        "model": version.model,
        "number": version.number,
        "digest": version.digest,
        "id": version.id,
    }


def _author(said: Mapping[str, Any], workspace: str) -> Principal:
    """Return who ordered a graph, with the right that was checked then."""
    grant = Grant(workspace=workspace, permissions=frozenset({"models.edit"}))
    return Principal(id=said["id"], name=said["name"], kind=said["kind"], grants=(grant,))


def _rows(plan: Plan, rows: Mapping[str, Any] | None) -> dict[str, list[Any]] | None:
    """Return the rows to replay, or refuse those that are no table of the inputs."""
    if rows is None:
        return None
    names = [column.name for column in plan.signature.inputs]
    counts = {len(values) if isinstance(values, list | tuple) else 0 for values in rows.values()}
    if set(rows) != set(names) or len(counts) != 1 or not 1 <= max(counts) <= _MOST_ROWS:
        raise Invalid(
            "the rows are no table of the inputs",
            field="rows",
            value={name: len(values) if isinstance(values, list | tuple) else 0 for name, values in rows.items()},
            allowed=f"for each of {', '.join(names)} equally many values, 1 to {_MOST_ROWS}",
        )
    return {name: list(values) for name, values in rows.items()}


def obstacles(conn: Connection, version: ModelVersion) -> dict[str, str]:
    """Return what keeps each step of a graph from being approved; a step that is approved is not in it."""
    states = reviews_of(conn, [step.id for step in version.facts.steps])
    return {
        step.step: f"step {step.step!r} is {step.model} version {step.number}, whose review is "
        f"{states.get(step.id) or 'missing'}"
        for step in version.facts.steps
        if states.get(step.id) != "APPROVED"
    }


def steps_check(conn: Connection, version: ModelVersion) -> list[Check]:
    """Return the check of the steps of a graph, none for any other version."""
    if not version.facts.steps:
        return []
    found = obstacles(conn, version)
    said = "; ".join(found.values()) or f"{len(version.facts.steps)} steps, all of approved versions"
    return [Check(name=STEPS, passed=not found, evidence=said)]


def quarantine_graphs(change: Change, version: ModelVersion) -> None:
    """Take back the approval of the graphs that a rejected version is a step of."""
    for graph in graphs_with(change.conn, version.workspace, version.id):
        name = one(graph)
        review = newest_review(change.conn, name)
        if review is None:
            continue
        checks = [check for check in review.checks if check.name != STEPS]
        put_review(
            change, review.id, state="QUARANTINED", checks=(*checks, *steps_check(change.conn, graph)),
            decided_by=None, decided_at=None, comment="",
        )  # fmt: skip
        put_version(change, name, review="QUARANTINED")
        detail = {"review": review.id, "step": version.subject}
        change.audit("models.version.quarantine", object_=graph.subject, detail=detail)
        change.event(QUARANTINED, subject=graph.subject, data={"review": review.id, "failed": [STEPS]})
