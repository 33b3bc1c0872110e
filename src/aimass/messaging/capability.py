"""The room messaging announces itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimass.infra.database import Database
from aimass.kernel.capability import Capability, JobKinds, Loop, Place, load
from aimass.kernel.principal import Principal
from aimass.kernel.registry import Registry
from aimass.messaging.events import ALL
from aimass.messaging.service import Ground, Messaging
from aimass.messaging.settings import MessagingSettings

CAPABILITY = Capability(
    name="messaging",
    title="Topics and schedules",
    requires=("access",),
    permissions=("messaging.read", "messaging.use", "messaging.edit", "messaging.manage"),
    tables="aimass.messaging.store",
    build="aimass.messaging.capability:build",
    service="aimass.messaging.service:Messaging",
    console="aimass.messaging.console:router",
    settings="aimass.messaging.settings:MessagingSettings",
    loops={
        "messaging.schedules": Loop(run="aimass.messaging.jobs:fire_schedules", every_s=0.5),
        "messaging.retain": Loop(run="aimass.messaging.jobs:retain", every_s=60),
    },
    emits=ALL,
    pages=(
        Place(
            path="/{workspace}/operate/queues",
            title="Queues",
            place="operate",
            icon="radio",
            permission="messaging.read",
            order=20,
        ),
        Place(
            path="/{workspace}/operate/dead-letters",
            title="Dead letters",
            place="operate",
            icon="mail-x",
            permission="messaging.read",
            order=21,
        ),
        Place(
            path="/{workspace}/work/schedules",
            title="Schedules",
            place="work",
            icon="calendar-clock",
            permission="messaging.read",
            order=40,
        ),
    ),
    storage="aimass.messaging.keeping:storage",
    attention="aimass.messaging.jobs:attention",
    erase="aimass.messaging.jobs:erase",
    search="aimass.messaging.search:document",
)


def build(registry: Registry) -> Messaging:
    """Build the service."""
    kinds = registry.get(JobKinds)

    def check(who: Principal, workspace: str, kind: str, payload: Mapping[str, Any]) -> None:
        face = kinds.kind(kind).check
        if face is not None:
            load(face)(registry, who, workspace, payload)

    allowed = {name for name, kind in kinds.items() if kind.by_schedule}
    return Messaging(Ground(database=registry.get(Database), settings=MessagingSettings(), kinds=allowed, check=check))
