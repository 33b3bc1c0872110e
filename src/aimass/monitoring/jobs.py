"""What the platform calls: loops, handlers of events, and hooks."""

from __future__ import annotations

from functools import partial
from typing import Any

from aimass.access import closed_workspaces
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.events import Event
from aimass.kernel.principal import Principal
from aimass.kernel.registry import Registry
from aimass.monitoring.service.monitoring import Monitoring
from aimass.monitoring.service.watching import Served


def collect(registry: Registry) -> None:
    """Take over what gateway workers have written."""
    registry.get(Monitoring).collect()


def look(registry: Registry) -> None:
    """Compute and judge what is due."""
    registry.get(Monitoring).look(partial(closed_workspaces, registry))


def keep(registry: Registry) -> None:
    """Keep everything within its limits."""
    registry.get(Monitoring).keep()


def on_endpoint(registry: Registry, event: Event) -> None:
    """Keep the record policy of an endpoint that was made or changed."""
    registry.get(Monitoring).heard_of_endpoint(event.workspace, event.data["endpoint"], event.data.get("record") or {})


def on_revision(registry: Registry, event: Event) -> None:
    """Watch a deployment from its new revision on."""
    data = event.data
    served = Served(
        workspace=event.workspace,
        endpoint=data["endpoint"],
        deployment=data["deployment"],
        revision=data["revision"],
        model=data["model"],
        model_version=str(data["version"]),
    )
    registry.get(Monitoring).heard_of_revision(served)


def on_deployment_removed(registry: Registry, event: Event) -> None:
    """Watch a removed deployment no more."""
    registry.get(Monitoring).heard_of_end(event.workspace, event.data["endpoint"], event.data["deployment"])


def on_endpoint_deleted(registry: Registry, event: Event) -> None:
    """Watch a deleted endpoint no more."""
    registry.get(Monitoring).heard_of_end(event.workspace, event.data["endpoint"])


def attention(registry: Registry, who: Principal, workspace: str | None = None) -> list[dict[str, Any]]:
    """Return the alerts that somebody should look at."""
    return registry.get(Monitoring).firing(who, workspace)


def erase(registry: Registry, person: Person) -> list[Erased]:
    """Erase a person from records, after what waits in segments was taken over."""
    monitoring = registry.get(Monitoring)
    monitoring.collect_all()
    return monitoring.erase_person(person)
