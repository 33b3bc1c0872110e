"""The room storage announces itself."""

from __future__ import annotations

from aimass.apps.storage.events import ALL
from aimass.kernel.capability import Capability, Loop, Place

CAPABILITY = Capability(
    name="apps.storage",
    title="Storage and retention",
    requires=("access",),
    permissions=("storage.read", "storage.manage"),
    tables="aimass.apps.storage.store",
    build="aimass.apps.storage.service.storage:build",
    service="aimass.apps.storage.service.storage:Storage",
    console="aimass.apps.storage.console:router",
    settings="aimass.apps.storage.settings:StorageSettings",
    loops={
        "storage.collect": Loop(run="aimass.apps.storage.jobs:collect", every_s=30.0),
        "storage.erase": Loop(run="aimass.apps.storage.jobs:erase", every_s=2.0),
    },
    emits=ALL,
    events={"access.user.erased": "aimass.apps.storage.jobs:on_account_erased"},
    pages=(
        Place(
            path="/operate/storage",
            title="Storage",
            place="operate",
            icon="hard-drive",
            permission="storage.read",
            order=80,
        ),
        Place(
            path="/{workspace}/privacy/erasures",
            title="Erasures",
            place="data",
            icon="eraser",
            permission="storage.manage",
            order=90,
        ),
    ),
    doctor="aimass.apps.storage.jobs:doctor",
    panels={"overview.storage": "aimass.apps.storage.console.storage:strip"},
)
