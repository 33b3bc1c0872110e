"""Create pipelines, run them, stop and retry runs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import insert, select, update

from aimass.infra.database import Database
from aimass.infra.workflows import Runs
from aimass.kernel.errors import Conflict, Invalid, NotFound, Stale
from aimass.kernel.events import Event
from aimass.kernel.ids import new_id
from aimass.kernel.names import clean_name, slug_of
from aimass.kernel.pages import Page, decode_cursor, page_of
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.registry import Registry
from aimass.kernel.tracing import current_trace
from aimass.kernel.usecase import use_case
from aimass.lifecycle.domain import (
    ENDED,
    ChangePipeline,
    CreatePipeline,
    ListPipelines,
    ListRuns,
    NamePipeline,
    NameRun,
    Pipeline,
    PipelineRun,
    StartRun,
    Template,
    cause_of,
    merged,
    missing,
    not_trained,
)
from aimass.lifecycle.errors import RunEnded
from aimass.lifecycle.plans import template_of
from aimass.lifecycle.service.releases import Releases
from aimass.lifecycle.service.rollouts import Rollouts
from aimass.lifecycle.store import (
    end_run,
    failed_runs,
    find_pipeline,
    find_run,
    find_run_by_key,
    insert_steps,
    list_pipelines,
    next_number,
    pipelines,
    run_of,
    runs,
    steps,
    steps_of,
)
from aimass.training import check_params

_log = structlog.get_logger("aimass.lifecycle")
FLOW = "lifecycle.pipeline"
_PATH = "/workspaces/{workspace}/pipelines"
_RUNS = "/workspaces/{workspace}/pipeline-runs"


def build(registry: Registry) -> Lifecycle:
    """Build the service."""
    return Lifecycle(registry.get(Database), registry.get(Runs), registry)


class Lifecycle(Rollouts, Releases):
    """The service orchestrator: from data to a watched service, by durable steps."""

    def __init__(self, database: Database, runs: Runs, registry: Registry) -> None:
        self._database = database
        self._runs = runs
        self._registry = registry

    @use_case(f"POST {_PATH}", permission="lifecycle.edit", cli="pipelines create", status=201)
    def create_pipeline(self, who: Principal, command: CreatePipeline) -> Pipeline:
        """Create a pipeline from a template."""
        name = clean_name(command.name)
        template = template_of(command.template)
        check_parameters(template, merged(template, command.parameters))
        pipeline_id, slug = new_id(), slug_of(name)
        with self._database.change(who, command.workspace) as change:
            if find_pipeline(change.conn, command.workspace, slug):
                raise Conflict(
                    f"there is a pipeline {slug!r} already", field="name", value=name, hint="change that one"
                )
            values = {
                "id": pipeline_id,
                "workspace": command.workspace,
                "slug": slug,
                "name": name,
                "template": command.template,
                "parameters": command.parameters,
                "triggers": [asdict(t) for t in command.triggers],
                "paused": False,
                "created_at": change.now,
                "created_by": who.id,
                "version": 1,
            }
            change.execute(insert(pipelines).values(**values))
            change.event("lifecycle.pipeline.created", subject=f"pipeline:{slug}", data={"template": command.template})
            change.audit("lifecycle.pipeline.create", object_=f"pipeline:{slug}", detail={"template": command.template})
        return self._pipeline(command.workspace, slug)

    @use_case(f"GET {_PATH}", permission="lifecycle.read", cli="pipelines list")
    def list_pipelines(self, who: Principal, command: ListPipelines) -> Page[Pipeline]:
        """List the pipelines of a workspace."""
        after = decode_cursor(command.cursor) if command.cursor else ""
        with self._database.read() as conn:
            rows = list_pipelines(conn, command.workspace, after, command.limit + 1)
        return page_of(rows, command.limit, lambda p: p.slug)

    @use_case(f"GET {_PATH}/{{pipeline}}", permission="lifecycle.read", cli="pipelines get", on="pipeline")
    def get_pipeline(self, who: Principal, command: NamePipeline) -> Pipeline:
        """Show a pipeline."""
        return self._pipeline(command.workspace, command.pipeline)

    @use_case(f"PATCH {_PATH}/{{pipeline}}", permission="lifecycle.edit", cli="pipelines change", on="pipeline")
    def change_pipeline(self, who: Principal, command: ChangePipeline) -> Pipeline:
        """Change parameters or triggers of a pipeline, or pause its triggers."""
        old = self._pipeline(command.workspace, command.pipeline)
        if command.expected_version not in (None, old.version):
            raise Stale(f"pipeline {old.slug!r} has version {old.version}", value=command.expected_version)
        values: dict[str, Any] = {"version": old.version + 1}
        if command.parameters is not None:
            check_parameters(template_of(old.template), merged(template_of(old.template), command.parameters))
            values["parameters"] = command.parameters
        if command.triggers is not None:
            values["triggers"] = [asdict(t) for t in command.triggers]
        if command.paused is not None:
            values["paused"] = command.paused
        with self._database.change(who, command.workspace) as change:
            where = (pipelines.c.id == old.id) & (pipelines.c.version == old.version)
            if change.execute(update(pipelines).where(where).values(**values)).rowcount != 1:
                raise Stale(f"pipeline {old.slug!r} changed meanwhile")
            change.audit("lifecycle.pipeline.change", object_=f"pipeline:{old.slug}", detail={"fields": sorted(values)})
            change.event("lifecycle.pipeline.changed", subject=f"pipeline:{old.slug}")
        return self._pipeline(command.workspace, command.pipeline)

    @use_case(f"DELETE {_PATH}/{{pipeline}}", permission="lifecycle.manage", cli="pipelines delete", on="pipeline")
    def delete_pipeline(self, who: Principal, command: NamePipeline) -> None:
        """Delete a pipeline; its runs stay on record."""
        old = self._pipeline(command.workspace, command.pipeline)
        with self._database.change(who, command.workspace) as change:
            change.execute(update(pipelines).where(pipelines.c.id == old.id).values(deleted_at=change.now))
            change.audit("lifecycle.pipeline.delete", object_=f"pipeline:{old.slug}")
            change.event("lifecycle.pipeline.deleted", subject=f"pipeline:{old.slug}")

    @use_case(
        f"POST {_PATH}/{{pipeline}}/runs",
        permission="lifecycle.use",
        cli="pipelines run",
        on="pipeline",
        status=201,
        progress="lifecycle.get_run",
    )
    def start_run(self, who: Principal, command: StartRun) -> PipelineRun:
        """Start a run; the same key twice is one run."""
        pipeline = self._pipeline(command.workspace, command.pipeline)
        template = template_of(pipeline.template)
        parameters = merged(template, pipeline.parameters, command.parameters)
        check_parameters(template, parameters)
        run_id = self._record_run(who, command, template, parameters)
        self._runs.start(FLOW, self._flow_id(run_id, 1), {"run": run_id})
        return self._run(command.workspace, run_id)

    def _record_run(self, who: Principal, command: StartRun, template: Template, parameters: Mapping[str, Any]) -> str:
        with self._database.change(who, command.workspace) as change:
            if command.key:
                known = find_run_by_key(change.conn, command.workspace, command.pipeline, command.key)
                if known is not None:
                    return known.id
            run_id = new_id()
            values = {
                "id": run_id,
                "workspace": command.workspace,
                "pipeline": command.pipeline,
                "number": next_number(change.conn, command.workspace, command.pipeline),
                "key": command.key,
                "state": "RUNNING",
                "cause": command.cause,
                "parameters": dict(parameters),
                "started_at": change.now,
                "started_by": who.id,
                "attempt": 1,
                "error": "",
                "trace": current_trace(),
            }
            change.execute(insert(runs).values(**values))
            insert_steps(change.conn, run_id, [(s.name, s.title) for s in template.steps])
            change.event("lifecycle.run.started", subject=f"run:{run_id}", data={"pipeline": command.pipeline})
            change.audit("lifecycle.run.start", object_=f"pipeline:{command.pipeline}", detail={"run": run_id})
        return run_id

    @use_case(f"GET {_RUNS}", permission="lifecycle.read", cli="pipelines runs")
    def list_runs(self, who: Principal, command: ListRuns) -> Page[PipelineRun]:
        """List runs of pipelines, newest first."""
        query = select(runs).where(runs.c.workspace == command.workspace).order_by(runs.c.id.desc())
        if command.pipeline:
            query = query.where(runs.c.pipeline == command.pipeline)
        if command.state:
            query = query.where(runs.c.state == command.state)
        if command.trace:
            query = query.where(runs.c.trace == command.trace)
        if command.cursor:
            query = query.where(runs.c.id < decode_cursor(command.cursor))
        with self._database.read() as conn:
            rows = conn.execute(query.limit(command.limit + 1)).all()
            steps = steps_of(conn, [row.id for row in rows])
        return page_of([run_of(row, steps[row.id]) for row in rows], command.limit, lambda r: r.id)

    @use_case(f"GET {_RUNS}/{{run}}", permission="lifecycle.read", cli="pipelines show")
    def get_run(self, who: Principal, command: NameRun) -> PipelineRun:
        """Show a run with its steps."""
        return self._run(command.workspace, command.run)

    @use_case(f"POST {_RUNS}/{{run}}/cancel", permission="lifecycle.use", cli="pipelines cancel")
    def cancel_run(self, who: Principal, command: NameRun) -> PipelineRun:
        """Stop a run; the step that runs now ends as soon as it looks up."""
        run = self._run(command.workspace, command.run)
        if run.state in ENDED:
            raise RunEnded(f"run {run.id} has {run.state.lower()} already", value=run.state)
        with self._database.change(who, command.workspace) as change:
            end_run(change.conn, run.id, "CANCELLED", change.now)
            change.execute(
                update(steps)
                .where(steps.c.run == run.id, steps.c.state.in_(("PENDING", "RUNNING")))
                .values(state="CANCELLED")
            )
            change.event("lifecycle.run.cancelled", subject=f"run:{run.id}", data={"pipeline": run.pipeline})
            change.audit("lifecycle.run.cancel", object_=f"run:{run.id}")
        self._runs.cancel(self._flow_id(run.id, run.attempt))
        return self._run(command.workspace, command.run)

    @use_case(f"POST {_RUNS}/{{run}}/retry", permission="lifecycle.use", cli="pipelines retry")
    def retry_run(self, who: Principal, command: NameRun) -> PipelineRun:
        """Run a failed or cancelled run again from the step that did not finish."""
        run = self._run(command.workspace, command.run)
        if run.state not in ("FAILED", "CANCELLED"):
            raise Conflict(f"run {run.id} is {run.state.lower()}", value=run.state, allowed=["FAILED", "CANCELLED"])
        attempt = run.attempt + 1
        with self._database.change(who, command.workspace) as change:
            values = {"state": "RUNNING", "ended_at": None, "error": "", "attempt": attempt}
            change.execute(update(runs).where(runs.c.id == run.id).values(**values))
            open_steps = (steps.c.run == run.id) & (steps.c.state != "SUCCEEDED")
            change.execute(update(steps).where(open_steps).values(state="PENDING", error="", hint="", fraction=0.0))
            change.event(
                "lifecycle.run.started", subject=f"run:{run.id}", data={"pipeline": run.pipeline, "attempt": attempt}
            )
            change.audit("lifecycle.run.retry", object_=f"run:{run.id}", detail={"attempt": attempt})
        self._runs.start(FLOW, self._flow_id(run.id, attempt), {"run": run.id})
        return self._run(command.workspace, command.run)

    def failures(self, workspace: str | None = None) -> list[PipelineRun]:
        """Return the failed runs that are the newest of their pipeline; of every workspace when none is named."""
        with self._database.read() as conn:
            return failed_runs(conn, workspace)

    def start_triggered(self, event: Event) -> list[str]:
        """Start every pipeline that an event triggers; the event's id is the key, so it starts each one once."""
        with self._database.read() as conn:
            found = list_pipelines(conn, event.workspace, "", 500)
        started = []
        for pipeline in found:
            matching = [t for t in pipeline.triggers if t.matches(event.type, event.subject)]
            if pipeline.paused or not matching or not self._may_start(pipeline, event, min(t.rest_s for t in matching)):
                continue
            command = StartRun(
                workspace=event.workspace,
                pipeline=pipeline.slug,
                key=event.id,
                cause=cause_of(event.type, event.subject),
                parameters={"alert": event.data.get("alert")},
            )
            started.append(self.start_run(SYSTEM, command).id)
        return started

    def _may_start(self, pipeline: Pipeline, event: Event, rest_s: int) -> bool:
        """Tell whether nothing of the pipeline runs, and its last run ended long enough before the event."""
        newest = ListRuns(workspace=pipeline.workspace, pipeline=pipeline.slug, limit=1)
        for run in self.list_runs(SYSTEM, newest).items:
            rests = rest_s > 0 and run.ended_at is not None and event.time < run.ended_at + timedelta(seconds=rest_s)
            if run.state == "RUNNING" or rests:
                why = "it runs" if run.state == "RUNNING" else f"it rests {rest_s} s after run {run.number}"
                _log.info("a trigger starts nothing", pipeline=pipeline.slug, trigger=event.type, reason=why)
                return False
        return True

    def stop_runs(self, workspace: str) -> int:
        """Cancel every run of a workspace that was deleted; return how many those were."""
        with self._database.read() as conn:
            running = select(runs.c.id).where(runs.c.workspace == workspace, runs.c.state == "RUNNING")
            found = list(conn.execute(running).scalars())
        for run in found:
            with suppress(RunEnded):
                self.cancel_run(SYSTEM, NameRun(workspace=workspace, run=run))
        return len(found)

    def recover(self) -> int:
        """Start the workflow of runs that were recorded but, by a crash in between, not started."""
        with self._database.read() as conn:
            rows = conn.execute(select(runs.c.id, runs.c.attempt).where(runs.c.state == "RUNNING")).all()
        lost = [row for row in rows if self._runs.state(self._flow_id(row.id, row.attempt)) is None]
        for row in lost:
            self._runs.start(FLOW, self._flow_id(row.id, row.attempt), {"run": row.id})
        return len(lost)

    @staticmethod
    def _flow_id(run_id: str, attempt: int) -> str:
        return f"{run_id}-{attempt}"

    def _pipeline(self, workspace: str, slug: str) -> Pipeline:
        with self._database.read() as conn:
            found = find_pipeline(conn, workspace, slug)
        if found is None:
            raise NotFound(f"there is no pipeline {slug!r} in {workspace!r}", field="pipeline", value=slug)
        return found

    def _run(self, workspace: str, run_id: str) -> PipelineRun:
        with self._database.read() as conn:
            found = find_run(conn, workspace, run_id)
        if found is None:
            raise NotFound(f"there is no run {run_id!r} in {workspace!r}", field="run", value=run_id)
        return found


def check_parameters(template: Template, parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that are missing or that the template does not know."""
    absent = missing(template, parameters)
    if absent:
        raise Invalid(
            f"template {template.name!r} needs {absent[0]!r}",
            field=absent[0],
            allowed=list(template.required),
            hint="give it in 'parameters'",
        )
    known = {*template.required, *template.defaults, "alert", "source_run"}
    unknown = sorted(set(parameters) - known)
    if unknown:
        raise Invalid(f"template {template.name!r} knows no {unknown[0]!r}", field=unknown[0], allowed=sorted(known))
    _check_params(parameters)


def _check_params(parameters: Mapping[str, Any]) -> None:
    """Refuse what no recipe of the pipeline can be trained with, as far as it is known before one is."""
    chosen = parameters.get("params")
    if chosen is None:
        return
    if not isinstance(chosen, Mapping) or not all(isinstance(one, Mapping) for one in chosen.values()):
        raise Invalid(
            "'params' is not an object with an object for each recipe",
            field="params",
            value=chosen,
            allowed='{"lightgbm": {"learning_rate": 0.05}}',
        )
    for recipe, values in chosen.items():
        if parameters.get("recipes") and recipe not in parameters["recipes"]:
            raise not_trained(recipe, parameters["recipes"])
        check_params(recipe, values)
