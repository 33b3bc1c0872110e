"""What control runs for pipelines: start what events trigger, and what a crash left unstarted."""

from __future__ import annotations

from typing import Any

from aimass.kernel.events import Event
from aimass.kernel.principal import ANYWHERE, Principal
from aimass.kernel.registry import Registry
from aimass.lifecycle.service import Lifecycle


def on_event(registry: Registry, event: Event) -> None:
    """Start the pipelines that an event triggers."""
    if not event.type.startswith("lifecycle."):
        registry.get(Lifecycle).start_triggered(event)


def recover(registry: Registry) -> None:
    """Start runs that were recorded but not started."""
    registry.get(Lifecycle).recover()


def attention(registry: Registry, who: Principal, workspace: str = ANYWHERE) -> list[dict[str, Any]]:
    """Return the runs that failed and are the newest of their pipeline, wherever this principal may see them."""
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
