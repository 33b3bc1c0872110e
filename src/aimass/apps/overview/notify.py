"""Tell people outside of what needs them: by mail and webhook, as the settings of the workspace say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimass.access import Access, OneWorkspace
from aimass.infra.database import Database
from aimass.infra.notify import Mail, Notify, Webhook
from aimass.kernel.clock import instant
from aimass.kernel.errors import NotFound
from aimass.kernel.events import Event
from aimass.kernel.principal import SYSTEM
from aimass.kernel.registry import Registry

TOLD = (
    "monitoring.alert.fired",
    "lifecycle.run.failed",
    "collector.collection.failed",
    "lake.quality.failed",
    "serving.deployment.failed",
    "models.version.quarantined",
)


def on_event(registry: Registry, event: Event) -> None:
    """Put a letter and a call into the outbox, in one change; delivery is tried until it succeeds or is given up."""
    if event.type not in TOLD or event.workspace == "*":
        return
    wanted = settings_of(registry, event.workspace)
    if event.type not in wanted.get("events", TOLD):
        return
    notify, document = registry.get(Notify), document_of(event)
    with registry.get(Database).change(SYSTEM, event.workspace) as change:
        for address in wanted.get("mail", []) if notify.can_mail else []:
            notify.post(
                change, Mail(to=address, subject=f"[AI Mass] {event.type}: {event.subject}", text=text_of(event))
            )
        if wanted.get("webhook"):
            notify.post(change, Webhook(url=wanted["webhook"], body=document))


def settings_of(registry: Registry, workspace: str) -> Mapping[str, Any]:
    """Return ``settings.notify`` of a workspace: ``mail`` (addresses), ``webhook`` (URL) and ``events`` (types)."""
    try:
        found = registry.get(Access).get_workspace(SYSTEM, OneWorkspace(workspace=workspace)).settings.get("notify", {})
    except NotFound:
        return {}
    return found if isinstance(found, dict) else {}


def document_of(event: Event) -> dict[str, Any]:
    """Write an event as a CloudEvent (version 1.0)."""
    return {
        "specversion": "1.0",
        "id": event.id,
        "type": event.type,
        "source": f"/workspaces/{event.workspace}",
        "subject": event.subject,
        "time": instant(event.time),
        "datacontenttype": "application/json",
        "data": dict(event.data),
    }


def text_of(event: Event) -> str:
    """Write an event as a short letter."""
    facts = "\n".join(f"{name}: {value}" for name, value in event.data.items())
    return f"{event.type}\n{event.subject} in workspace {event.workspace}\nat {instant(event.time)}\n\n{facts}\n"
