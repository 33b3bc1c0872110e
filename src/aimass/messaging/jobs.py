"""What the platform calls: what is due by the clock, erasing."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from aimass.access import closed_workspaces
from aimass.kernel.erasing import Erased, Person
from aimass.kernel.principal import ANYWHERE, Principal
from aimass.kernel.registry import Registry
from aimass.messaging.service import Messaging


def fire_schedules(registry: Registry) -> None:
    """Fire every schedule that is due."""
    registry.get(Messaging).fire_due(closed_workspaces(registry))


def retain(registry: Registry) -> None:
    """Delete the messages that have had their time."""
    registry.get(Messaging).retain()


def attention(registry: Registry, who: Principal, workspace: str = ANYWHERE) -> list[dict[str, Any]]:
    """Return the subscriptions that gave up on messages."""
    found = registry.get(Messaging).dead_by_subscription(None if workspace == ANYWHERE else workspace)
    return [
        {
            "kind": "dead_letters",
            "title": f"{one.subscription} gave up on {one.count} messages of {one.topic}"
            if one.count > 1
            else f"{one.subscription} gave up on a message of {one.topic}",
            "subject": f"topic:{one.topic}",
            "workspace": one.workspace,
            "since": one.since,
            "path": f"/{one.workspace}/operate/dead-letters?"
            + urlencode({"topic": one.topic, "subscription": one.subscription}),
        }
        for one in found
        if who.allows("messaging.read", one.workspace)
    ]


def erase(registry: Registry, person: Person) -> list[Erased]:
    """Erase a person from messages."""
    return registry.get(Messaging).erase_person(person)
