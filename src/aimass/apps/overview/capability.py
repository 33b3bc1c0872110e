"""The room overview announces itself."""

from __future__ import annotations

from aimass.kernel.capability import Capability, Place

CAPABILITY = Capability(
    name="apps.overview",
    title="Overview",
    requires=("access", "cluster", "lake", "collector", "models", "training", "serving", "monitoring", "lifecycle"),
    build="aimass.apps.overview.service.overview:build",
    service="aimass.apps.overview.service.overview:Overview",
    console="aimass.apps.overview.console:router",
    pages=(
        Place(
            path="/{workspace}",
            title="Overview",
            place="overview",
            icon="layout-dashboard",
            permission="access.read",
            order=10,
        ),
        Place(
            path="/{workspace}/lineage",
            title="Lineage",
            place="data",
            icon="git-fork",
            permission="lake.read",
            order=70,
        ),
    ),
    events={"*": "aimass.apps.overview.jobs:on_event"},
    erase="aimass.apps.overview.jobs:erase",
)
