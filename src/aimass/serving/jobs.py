"""What control runs for the room: its loop, and what follows from the news of other rooms."""

from __future__ import annotations

from typing import Any

from aimass.kernel.events import Event
from aimass.kernel.principal import ANYWHERE, Principal
from aimass.kernel.registry import Registry
from aimass.serving.service.serving import Serving


def reconcile(registry: Registry) -> int:
    """Bring what runs to what is wanted."""
    return registry.get(Serving).reconciler.run_once()


def follow_alias(registry: Registry, event: Event) -> None:
    """Deploy the version that an alias means now."""
    who = Principal(id=event.actor, name=event.actor, kind="system")
    model, alias = event.data["model"], event.data["alias"]
    registry.get(Serving).follow_alias(who, event.workspace, model, alias)


def attention(registry: Registry, who: Principal, workspace: str = ANYWHERE) -> list[dict[str, Any]]:
    """Return the deployments that failed or do badly."""
    return [
        {
            "kind": "deployment",
            "title": f"{one.name} on {one.endpoint} is {one.state.lower()}: {one.reason}",
            "subject": f"endpoint:{one.endpoint}",
            "workspace": place,
            "since": one.changed_at,
            "path": f"/{place}/services/{one.endpoint}",
        }
        for place, one in registry.get(Serving).troubled(who)
        if workspace in (ANYWHERE, place)
    ]
