"""Execute a run: each step once, with its state, progress and findings on record."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from aimass.infra.database import Database
from aimass.infra.live import LiveHub
from aimass.infra.workflows import Flow
from aimass.kernel.capability import load
from aimass.kernel.errors import AimassError, Conflict, Failed, Unavailable
from aimass.kernel.principal import SYSTEM, Principal
from aimass.kernel.registry import Registry
from aimass.kernel.tracing import tracing
from aimass.lifecycle.domain import PipelineRun, StepPlan, Template
from aimass.lifecycle.plans import template_of
from aimass.lifecycle.store import change_step, end_run, find_run, pipelines

_POLL_S = 0.1
_LOOK_S = 0.4
_PROGRESS_S = 0.3


@dataclass(slots=True)
class StepContext:
    """What a step works with.

    Attributes
    ----------
    registry
        The services of the rooms below.
    run
        The run with what earlier steps found out.
    who
        On whose behalf the step acts: the system for the one who started the run.
    """

    registry: Registry
    run: PipelineRun
    step: str
    who: Principal
    _told: float = 0.0
    _last: tuple[float, str] | None = None

    @property
    def workspace(self) -> str:
        """The workspace of the run."""
        return self.run.workspace

    def parameter(self, name: str) -> Any:
        """Return a parameter of the run."""
        return self.run.parameters.get(name)

    def found(self, name: str) -> Any:
        """Return what an earlier step found out."""
        outputs = self.run.outputs
        if name not in outputs:
            raise Failed(f"no earlier step of run {self.run.id} found {name!r}")
        return outputs[name]

    def key(self, suffix: str = "") -> str:
        """Return the idempotency key of what this step starts: the same after every restart."""
        return f"{self.run.id}:{self.step}{':' + suffix if suffix else ''}"

    def tell(self, fraction: float, note: str) -> None:
        """Show progress, at most a few times a second."""
        now = time.monotonic()
        if (fraction, note) == self._last or (now - self._told < _PROGRESS_S and fraction < 1):
            return
        self._told, self._last = now, (fraction, note)
        with self.registry.get(Database).change(SYSTEM, self.workspace) as change:
            change_step(change.conn, self.run.id, self.step, fraction=fraction, note=note)
        publish(self.registry, self.run, self.step, {"state": "RUNNING", "fraction": fraction, "note": note})

    def wait(self, check: Callable[[], Any], *, timeout_s: float) -> Any:
        """Wait until ``check`` returns something; end when the run is cancelled.

        It looks again when something was committed in this process, and a few times a second in any case: progress is
        not committed, and on one database there may be several processes.
        """
        end = time.monotonic() + timeout_s
        database = self.registry.get(Database)
        while True:
            seen = database.commits
            found = check()
            if found is not None:
                return found
            if time.monotonic() > end:
                raise Unavailable(f"step {self.step!r} waited {timeout_s:.0f} s in vain", hint="retry the run")
            if self._is_cancelled():
                raise Conflict("the run was cancelled")
            time.sleep(_POLL_S)
            database.wait(seen, _LOOK_S)

    def _is_cancelled(self) -> bool:
        with self.registry.get(Database).read() as conn:
            run = find_run(conn, None, self.run.id)
        return run is None or run.state != "RUNNING"


def publish(registry: Registry, run: PipelineRun, step: str, data: dict[str, Any]) -> None:
    """Tell open pages how a step goes: those of the run, and the lists of runs."""
    live = registry.get(LiveHub)
    live.publish(f"{run.workspace}/run:{run.id}", {"step": step, **data})
    if data.get("state") != "RUNNING" or not data.get("fraction"):
        live.publish(f"{run.workspace}/pipelines", {"run": run.id, "pipeline": run.pipeline, "step": step, **data})


def run_pipeline(registry: Registry, flow: Flow, args: dict[str, Any]) -> dict[str, Any]:
    """Execute the steps of a run in order; what finished before a crash or a retry is not run again."""
    database, run_id = registry.get(Database), args["run"]
    with database.read() as conn:
        run = find_run(conn, None, run_id)
        if run is None:
            raise Failed(f"run {run_id} is not on record")
        found = conn.execute(
            select(pipelines.c.template).where(pipelines.c.workspace == run.workspace, pipelines.c.slug == run.pipeline)
        ).scalar_one()
    with tracing(run.trace):
        _follow(registry, flow, run_id, template_of(found))
    return {"run": run_id}


def _follow(registry: Registry, flow: Flow, run_id: str, template: Template) -> None:
    try:
        for plan in template.steps:
            flow.step(plan.name, _execute, registry, run_id, plan)
    except Exception as reason:
        flow.step("end", _finish, registry, run_id, "FAILED", f"{reason}")
        raise
    flow.step("end", _finish, registry, run_id, "SUCCEEDED", "")


def _execute(registry: Registry, run_id: str, plan: StepPlan) -> dict[str, Any]:
    database = registry.get(Database)
    with database.read() as conn:
        run = find_run(conn, None, run_id)
    if run is None or run.state != "RUNNING":
        raise Conflict("the run was cancelled")
    step = next(s for s in run.steps if s.name == plan.name)
    if step.state == "SUCCEEDED":
        return step.output
    with database.change(SYSTEM, run.workspace) as change:
        values = {"state": "RUNNING", "started_at": step.started_at or change.now, "error": "", "hint": ""}
        change_step(change.conn, run_id, plan.name, **values)
    publish(registry, run, plan.name, {"state": "RUNNING", "fraction": 0.0, "note": ""})
    who = Principal(id=run.started_by, name=f"pipeline {run.pipeline}", kind="system")
    try:
        output = load(plan.run)(StepContext(registry, run, plan.name, who)) or {}
    except Exception as reason:
        _fail(registry, run, plan, reason)
        raise
    _succeed(registry, run, plan, output)
    return output


def _succeed(registry: Registry, run: PipelineRun, plan: StepPlan, output: dict[str, Any]) -> None:
    with registry.get(Database).change(SYSTEM, run.workspace) as change:
        note = str(output.pop("note", ""))
        values = {"state": "SUCCEEDED", "fraction": 1.0, "ended_at": change.now, "output": output, "note": note}
        change_step(change.conn, run.id, plan.name, **values)
        change.event(
            "lifecycle.step.succeeded", subject=f"run:{run.id}", data={"pipeline": run.pipeline, "step": plan.name}
        )
    publish(registry, run, plan.name, {"state": "SUCCEEDED", "fraction": 1.0, "note": note})


def _fail(registry: Registry, run: PipelineRun, plan: StepPlan, reason: Exception) -> None:
    message = reason.message if isinstance(reason, AimassError) else f"{type(reason).__name__}: {reason}"
    hint = reason.hint if isinstance(reason, AimassError) else ""
    with registry.get(Database).change(SYSTEM, run.workspace) as change:
        change_step(change.conn, run.id, plan.name, state="FAILED", ended_at=change.now, error=message, hint=hint)
    publish(registry, run, plan.name, {"state": "FAILED", "note": message})


def _finish(registry: Registry, run_id: str, state: str, error: str) -> None:
    database = registry.get(Database)
    with database.read() as conn:
        run = find_run(conn, None, run_id)
    if run is None:
        return
    with database.change(SYSTEM, run.workspace) as change:
        if end_run(change.conn, run_id, state, change.now, error):
            data = {"pipeline": run.pipeline, "error": error[:500]} if error else {"pipeline": run.pipeline}
            change.event(f"lifecycle.run.{state.lower()}", subject=f"run:{run_id}", data=data)
    publish(registry, run, "", {"state": state})
