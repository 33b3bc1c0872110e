"""What control runs for pipelines: start what events trigger, and what a crash left unstarted."""

from __future__ import annotations

from functools import partial
from typing import Any

from aimass.access import closed_workspaces
from aimass.kernel.events import Event
from aimass.kernel.principal import ANYWHERE, Principal
from aimass.kernel.registry import Registry
from aimass.lifecycle.service import Advancer, Lifecycle, Releaser


def on_event(registry: Registry, event: Event) -> None:
    """Start the pipelines that an event triggers; where a workspace was deleted, stop what runs."""
    if event.workspace in closed_workspaces(registry):
        if event.type == "access.workspace.deleted":
            registry.get(Lifecycle).stop_runs(event.workspace)
    elif not event.type.startswith("lifecycle."):
        registry.get(Lifecycle).start_triggered(event)


def recover(registry: Registry) -> None:
    """Start runs that were recorded but not started."""
    registry.get(Lifecycle).recover()


def advance(registry: Registry) -> int:
    """Look at every open rollout."""
    return Advancer(registry).run_once(partial(closed_workspaces, registry))


def release_learners(registry: Registry) -> None:
    """Take snapshots of learners to their endpoints, and feedback to their datasets."""
    Releaser(registry).run_once(partial(closed_workspaces, registry))


def attention(registry: Registry, who: Principal, workspace: str = ANYWHERE) -> list[dict[str, Any]]:
    """Return what needs somebody, wherever this principal may see it: failed runs, and rollouts that paused themselves."""
    return _failed(registry, who, workspace) + _paused(registry, who, workspace)


def _paused(registry: Registry, who: Principal, workspace: str) -> list[dict[str, Any]]:
    return [
        {
            "kind": "rollout",
            "title": f"Rollout of {one.model} version {one.model_version} on {one.endpoint} is paused: {one.stands_still}"[
                :300
            ],
            "subject": f"rollout:{one.id}",
            "workspace": one.workspace,
            "since": one.history[-1].time if one.history else one.created_at,
            "path": f"/{one.workspace}/work/rollouts/{one.id}",
        }
        for one in registry.get(Lifecycle).open_rollouts()
        if one.state == "PAUSED"
        and workspace in (ANYWHERE, one.workspace)
        and who.allows("lifecycle.read", one.workspace)
    ]


def _failed(registry: Registry, who: Principal, workspace: str) -> list[dict[str, Any]]:
    """Return the runs that failed and are the newest of their pipeline."""
    failures = registry.get(Lifecycle).failures(None if workspace == ANYWHERE else workspace)
    return [
        {
            "kind": "pipeline_run",
            "title": f"{run.pipeline} run {run.number} failed: {run.error}"[:300],
            "subject": f"run:{run.id}",
            "workspace": run.workspace,
            "since": run.ended_at,
            "path": f"/{run.workspace}/work/runs/{run.id}",
        }
        for run in failures
        if who.allows("lifecycle.read", run.workspace)
    ]
